import { describe, expect, it } from "vitest";

import { shortcoming } from "./form";

describe("a field", () => {
  it.each([
    ["", true, null, "empty"],
    ["  ", true, "[a-z]+", "empty"],
    ["", false, "[a-z]+", null],
    ["mail", true, null, null],
    ["587", false, "[1-9][0-9]{0,3}|[1-5][0-9]{4}", null],
    ["587x", false, "[1-9][0-9]{0,3}|[1-5][0-9]{4}", "pattern"],
    ["support-am", true, "[a-z0-9][a-z0-9\\-]{1,40}", null],
    ["Support", true, "[a-z0-9][a-z0-9\\-]{1,40}", "pattern"],
    ["Ա\tԲ", false, "[^\\x00-\\x1f]{1,60}", "pattern"],
  ])("of %j, required: %s, pattern: %s, lacks %s", (value, required, pattern, lack) => {
    expect(shortcoming(value, { required, pattern })).toBe(lack);
  });
});
