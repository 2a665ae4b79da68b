import { describe, expect, it } from "vitest";

import { groupOf, isUnderWay, newerOf } from "./imports";

const progress = { id: 1, state: "running" as const, total: 10, done: 5, made: 5, changed: 0, same: 0, refused: 0, version: 3 };

describe("imports", () => {
  it("offer each target in its group", () => {
    expect(["last_name", "handle.telegram", "town", "tags", "no_ads.email", "field.plan"].map(groupOf)).toEqual(["who", "reach", "where", "more", "consent", "fields"]);
  });

  it("show the newest of what was asked for and what was told", () => {
    expect(newerOf(progress, { ...progress, done: 7, version: 4 }).done).toBe(7);
    expect(newerOf(progress, { ...progress, done: 1, version: 2 }).done).toBe(5);
    expect(newerOf(progress, undefined)).toBe(progress);
    expect([isUnderWay(progress), isUnderWay({ state: "paused" })]).toEqual([true, false]);
  });
});
