import { describe, expect, it } from "vitest";

import { ADMIN_SECTIONS, groupSections, openSections } from "./adminSections";

describe("the pages of the administration", () => {
  it("stand under each heading once, every one of them", () => {
    const groups = groupSections(ADMIN_SECTIONS);
    expect(new Set(groups.map(({ group }) => group)).size).toBe(groups.length);
    expect(groups.flatMap(({ sections }) => sections)).toEqual(ADMIN_SECTIONS);
  });

  it("show no heading of which nothing may be opened", () => {
    const open = openSections(false, (permission) => permission === "audit.read");
    expect(groupSections(open)).toEqual([{ group: "house", sections: open }]);
    expect(open.map(({ name }) => name)).toEqual(["audit"]);
  });
});
