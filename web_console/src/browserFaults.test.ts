import { describe, expect, it } from "vitest";

import { faultOf } from "./browserFaults";

describe("what a browser finds wrong with a field", () => {
  it.each([
    [{ valueMissing: true }, { type: "email" }, "form.empty"],
    [{ typeMismatch: true }, { type: "email" }, "form.email"],
    [{ typeMismatch: true }, { type: "url" }, "form.url"],
    [{ badInput: true }, { type: "number" }, "form.number"],
    [{ badInput: true }, { type: "datetime-local" }, "form.date"],
    [{ rangeUnderflow: true }, { type: "number", min: "5" }, "form.at_least"],
    [{ rangeOverflow: true }, { type: "number", max: "5" }, "form.at_most"],
    [{ patternMismatch: true }, {}, "form.pattern"],
  ])("%j of %j is said as %s", (validity, field, key) => {
    expect(faultOf(validity, field)?.key).toBe(key);
  });

  it("names the bounds as people write them", () => {
    expect(faultOf({ rangeUnderflow: true }, { min: "2026-11-27T09:00" })?.named["min"]).toBe("2026-11-27 09:00");
  });

  it("leaves to the browser what we have no words for", () => {
    expect(faultOf({ customError: true })).toBeNull();
  });
});
