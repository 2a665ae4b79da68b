import { describe, expect, it } from "vitest";

import { countries, withKept } from "./countries";

describe("what a channel has as its country", () => {
  const all = countries("en", ["AM"]);

  it("is in the list as it is", () => {
    expect(withKept(all, "FR", "Not set")).toBe(all);
  });

  it("is not told as another one where there is none, or none that is a country", () => {
    expect(withKept(all, "", "Not set")[0]).toEqual({ value: "", label: "Not set" });
    expect(withKept(all, "XK", "Not set")[0]).toEqual({ value: "XK", label: "XK" });
  });
});
