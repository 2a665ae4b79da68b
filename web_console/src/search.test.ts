import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type EffectScope, effectScope, ref } from "vue";

import { api } from "./client";
import type { SearchHit } from "./events";
import { type Asked, placeOf, readAsked, toQuery, useSearch, wider, writeAsked } from "./search";

const hit = (entry_id: number): SearchHit => ({
  kind: "message", customer_id: 1, name: [], title: [], snippet: [], at: "2026-11-26T10:00:00Z", conversation_id: 2, entry_id, channel_kind: "sms", direction: "in", author: "", status: "open", happening: null,
});
function run<T>(scope: EffectScope, work: () => T): T {
  const made = scope.run(work);
  if (made === undefined) throw new Error("the scope has ended");
  return made;
}
const words = (text: string): Asked => ({ words: text, kind: null, filters: {} });

describe("what an address asks for", () => {
  it("is read and written alike, without what is no filter", () => {
    const query = { q: "parcel", kind: "note", queue: "3", agent: "me", from: "2026-01-01", status: "gone", to: "soon", topic: "-1", other: "x" };
    const asked = readAsked(query);
    expect(asked).toEqual({ words: "parcel", kind: "note", filters: { queue: "3", agent: "me", from: "2026-01-01" } });
    expect(readAsked(writeAsked(asked))).toEqual(asked);
    expect(toQuery(asked, 5)).toEqual({ q: "parcel", kind: "note", queue: 3, agent: "me", from: "2026-01-01", limit: 5 });
    expect(wider(asked)).toEqual(words("parcel"));
    expect(wider(words("parcel"))).toBeNull();
  });

  it("opens a message at its line and a customer at the card", () => {
    expect(placeOf(hit(9))).toEqual({ name: "conversations", params: { id: 2 }, query: { list: "all", entry: "9" } });
    expect(placeOf({ ...hit(9), kind: "customer", conversation_id: null, entry_id: null }).name).toBe("customers");
  });
});

describe("answers", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  it("that come late are not shown over newer ones", async () => {
    const waiting: ((items: SearchHit[]) => void)[] = [];
    const asked = vi.spyOn(api, "search").mockImplementation(() => new Promise((resolve) => waiting.push((items) => resolve({ items, next_cursor: null, building_percent: null }))));
    const what = ref(words("pa"));
    const scope = effectScope();
    const search = run(scope, () => useSearch(what));
    await vi.advanceTimersByTimeAsync(1);
    what.value = words("parcel");
    await vi.advanceTimersByTimeAsync(500);
    expect(asked).toHaveBeenCalledTimes(2);
    waiting[1]?.([hit(2)]);
    await vi.advanceTimersByTimeAsync(1);
    waiting[0]?.([hit(1)]);
    await vi.advanceTimersByTimeAsync(1);
    expect(search.hits.value.map((each) => each.entry_id)).toEqual([2]);
    // Whoever has typed on has no answer yet, and a space asks nothing new.
    expect(search.isAnswered.value).toBe(true);
    what.value = words("parcel ");
    expect(search.isAnswered.value).toBe(true);
    what.value = words("parcels");
    expect(search.isAnswered.value).toBe(false);
    what.value = words(" ");
    await vi.advanceTimersByTimeAsync(1);
    expect(search.hits.value).toEqual([]);
    scope.stop();
  });

  it("that are empty and go on are asked on at once", async () => {
    const pages = [{ items: [], next_cursor: "a" }, { items: [], next_cursor: "b" }, { items: [hit(7)], next_cursor: "c" }];
    const asked = vi.spyOn(api, "search").mockImplementation(async () => ({ ...(pages.shift() ?? { items: [], next_cursor: null }), building_percent: null }));
    const scope = effectScope();
    const search = run(scope, () => useSearch(words("rare")));
    await vi.advanceTimersByTimeAsync(10);
    expect(asked).toHaveBeenCalledTimes(3);
    expect([search.hits.value.length, search.cursor.value, search.loading.value]).toEqual([1, "c", false]);
    scope.stop();
  });
});
