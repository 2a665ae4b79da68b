import { describe, expect, it } from "vitest";

import { barsOf, doingOf, hoursOf, windowOf } from "./agentStates";
import type { StateDay, StateSpell } from "./events";

const spell = (state: string, since: string, until: string | null, work_count = 0, reason: string | null = null): StateSpell => ({
  state, reason, since: `2026-11-26T${since}:00Z`, until: until && `2026-11-26T${until}:00Z`, load: 0, capacity: 100, work_count,
});
const day = (...spells: StateSpell[]): StateDay => ({
  date: "2026-11-26", start: "2026-11-26T00:00:00Z", end: "2026-11-27T00:00:00Z", is_gap: false, first_at: null, last_at: null,
  signed_in_s: 0, worked_s: 0, available_s: 0, away_s: 0, not_responding_s: 0, away_by_reason: {}, spells,
});
const NOW = Date.parse("2026-11-26T12:00:00Z");

describe("a day of an agent", () => {
  it.each([
    ["available", 0, "available"],
    ["available", 2, "work"],
    ["busy", 0, "busy"],
    ["busy", 1, "work"],
    ["away", 1, "away"],
    ["offline", 0, "offline"],
    ["not_responding", 0, "not_responding"],
  ])("that is %s with %d pieces of work is drawn as %s", (state, work_count, doing) => {
    expect(doingOf({ state, work_count })).toBe(doing);
  });

  it("is drawn from the hour before it began to the hour after it ended, to now while it goes on", () => {
    const window = windowOf([day(spell("offline", "00:00", "08:20"), spell("available", "08:20", null))], NOW);
    expect([new Date(window.from).toISOString(), new Date(window.to).toISOString()]).toEqual(["2026-11-26T07:00:00.000Z", "2026-11-26T13:00:00.000Z"]);
    expect(windowOf([day()], NOW)).toEqual({ from: Date.parse("2026-11-26T00:00:00Z"), to: Date.parse("2026-11-27T00:00:00Z") });
  });

  it("has bars for what was done, and none for who was not there", () => {
    const window = { from: Date.parse("2026-11-26T08:00:00Z"), to: Date.parse("2026-11-26T12:00:00Z") };
    const bars = barsOf(day(spell("offline", "00:00", "08:00"), spell("available", "08:00", "09:00"), spell("available", "09:00", "10:00"), spell("away", "10:00", "11:00", 0, "lunch"), spell("available", "11:00", null, 1)), window, NOW);
    expect(bars.map(({ doing, reason, from, to }) => [doing, reason, from, to])).toEqual([
      ["available", null, 0, 0.5],
      ["away", "lunch", 0.5, 0.75],
      ["work", null, 0.75, 1],
    ]);
  });

  it("of 25 hours has them all", () => {
    const hours = hoursOf({ from: Date.parse("2026-10-24T22:00:00Z"), to: Date.parse("2026-10-25T23:00:00Z") });
    expect([hours.length, hours.at(-1)?.at]).toEqual([13, Date.parse("2026-10-25T22:00:00Z")]);
  });
});
