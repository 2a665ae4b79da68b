import { describe, expect, it } from "vitest";

import type { EntryView } from "./events";
import { joined, pastFrom, withNewer, withOlder } from "./past";

const lines = (...ids: number[]) => ids.map((id) => ({ id }) as EntryView);
const ids = (entries: readonly EntryView[]) => entries.map((entry) => entry.id);

describe("a part of the past", () => {
  it("grows both ways without a gap or a repetition", () => {
    const shown = pastFrom({ items: lines(5, 6), next_cursor: "back", newer_cursor: "on" });
    const older = withOlder(shown, { items: lines(3, 4, 5), next_cursor: null });
    const both = withNewer(older, { items: lines(6, 7), newer_cursor: "further" });
    expect(ids(both.entries)).toEqual([3, 4, 5, 6, 7]);
    expect([both.olderCursor, both.newerCursor]).toEqual([null, "further"]);
  });

  it("ends where it meets what is held, or where nothing is newer", () => {
    const shown = pastFrom({ items: lines(5, 6), next_cursor: null, newer_cursor: "on" });
    expect(joined(shown, lines(8, 9))).toBe(false);
    expect(joined(withNewer(shown, { items: lines(7, 8), newer_cursor: "on" }), lines(8, 9))).toBe(true);
    expect(joined(withNewer(shown, { items: [], newer_cursor: null }), [])).toBe(true);
  });
});
