import { describe, expect, it } from "vitest";

import { keyName } from "./keys";

describe("a shortcut", () => {
  it.each([
    ["r", false, "r"],
    ["R", true, "shift+r"],
    ["R", false, "r"],
    ["?", true, "?"],
    ["/", false, "/"],
    ["Escape", true, "Escape"],
  ])("%s with Shift %s is %s", (key, shiftKey, name) => {
    expect(keyName({ key, shiftKey })).toBe(name);
  });
});
