import { describe, expect, it } from "vitest";

import { faultsOfFields, shortcoming } from "./form";

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

describe("what is said at a field", () => {
  const said = (status: number, code: string, fields: Record<string, string>) => faultsOfFields({ status, code, fields }, "our sentence");

  it("is the hub's words of a value, and ours of a conflict", () => {
    expect(said(422, "invalid", { name: "պարտադիր է" })).toEqual({ name: "պարտադիր է" });
    expect(said(409, "name_taken", { name: "is taken" })).toEqual({ name: "our sentence" });
    expect(said(409, "id_taken", { id: "is taken" })).toEqual({ id: "our sentence" });
  });

  it("is what it is in use for", () => {
    expect(said(409, "in_use", { options: "«VIP» is chosen somewhere" })).toEqual({ options: "«VIP» is chosen somewhere" });
  });

  it.each([
    ["merged", { into: "17" }],
    ["version_conflict", { id: "17" }],
    ["import_state", { state: "is running" }],
    ["already_assigned", { assignee: "Anna" }],
  ])("is nothing where %s only tells whom or what it is about", (code, fields) => {
    expect(said(409, code, fields)).toEqual({});
  });
});
