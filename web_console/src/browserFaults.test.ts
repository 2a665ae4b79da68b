import { beforeAll, describe, expect, it } from "vitest";

import { faultOf, sayBrowserFaults } from "./browserFaults";

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

describe("a form that is sent", () => {
  beforeAll(() => sayBrowserFaults((key, named) => `${key} ${named?.["min"] ?? ""}`.trim()));

  function sent(html: string): { field: HTMLInputElement; press: () => void } {
    document.body.innerHTML = `<form>${html}<button>Send</button></form>`;
    const field = document.querySelector("input");
    if (!field) throw new Error("there is no field");
    return { field, press: () => document.querySelector("button")?.click() };
  }

  it("says in our words what is missing", () => {
    const { field, press } = sent("<input required>");
    press();
    expect(field.validationMessage).toBe("form.empty");
  });

  it("names the bound that is broken", () => {
    const { field, press } = sent('<input type="number" min="5" value="3">');
    press();
    expect(field.validationMessage).toBe("form.at_least 5");
  });

  it.each([
    ["somebody fills it", (field: HTMLInputElement) => field.dispatchEvent(new Event("input", { bubbles: true }))],
    // A button that chooses for one tells of no input: it is looked at anew when the form is sent again.
    ["a button fills it", () => undefined],
  ])("goes when %s", (_, tell) => {
    const { field, press } = sent("<input required>");
    let went = 0;
    document.addEventListener("submit", (event) => {
      event.preventDefault();
      went += 1;
    }, { once: true });
    press();
    expect(went).toBe(0);
    field.value = "Ani";
    tell(field);
    press();
    expect([went, field.validationMessage]).toEqual([1, ""]);
  });
});
