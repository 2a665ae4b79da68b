/*
 * One customer's timeline as far as it is loaded: entries of every channel in one row, ordered by (at, id).
 *
 * Pages come from the API, single entries from the socket, in any order: an entry is kept by its id, and the higher version
 * wins. `olderCursor` pages back in time (null: the beginning is here). `stale`: a resync has passed since, so the newest
 * page is to be asked for again before it is believed. `isMixed`: another card's lines belong among these since.
 */
import type { EntryView } from "./events";

export interface Timeline {
  readonly entries: readonly EntryView[];
  readonly olderCursor: string | null;
  readonly loaded: boolean;
  readonly stale: boolean;
  readonly isMixed: boolean;
}

export const EMPTY_TIMELINE: Timeline = { entries: [], olderCursor: null, loaded: false, stale: false, isMixed: false };

function isBefore(a: EntryView, b: EntryView): boolean {
  const atA = Date.parse(a.at);
  const atB = Date.parse(b.at);
  return atA < atB || (atA === atB && a.id < b.id);
}

/** Where `entry` belongs. Nearly always at the end, so the search starts there. */
function place(entries: readonly EntryView[], entry: EntryView): number {
  let index = entries.length;
  while (index > 0 && isBefore(entry, entries[index - 1] as EntryView)) index -= 1;
  return index;
}

function insert(entries: readonly EntryView[], entry: EntryView): readonly EntryView[] {
  const held = entries.findIndex((each) => each.id === entry.id);
  if (held === -1) return entries.toSpliced(place(entries, entry), 0, entry);
  if ((entries[held] as EntryView).version >= entry.version) return entries;
  return entries.with(held, entry);
}

/** `timeline` with `entry` added or renewed; entries from before what is loaded are left to their own page. */
export function upsert(timeline: Timeline, entry: EntryView): Timeline {
  const oldest = timeline.entries[0];
  const known = timeline.entries.some((each) => each.id === entry.id);
  if (!known && timeline.olderCursor !== null && oldest && isBefore(entry, oldest)) return timeline;
  const entries = insert(timeline.entries, entry);
  return entries === timeline.entries ? timeline : { ...timeline, entries };
}

/** The newest page has come. If it does not reach back to what is held, what is held goes: there may be a gap between. */
export function withNewestPage(timeline: Timeline, page: readonly EntryView[], olderCursor: string | null): Timeline {
  const overlaps = !timeline.isMixed && page.some((entry) => timeline.entries.some((held) => held.id === entry.id));
  const base = overlaps || olderCursor === null || !timeline.loaded ? timeline.entries : newerThan(timeline.entries, page);
  const keepsOlder = overlaps && timeline.loaded;
  return {
    entries: page.reduce(insert, base),
    olderCursor: keepsOlder ? timeline.olderCursor : olderCursor,
    loaded: true,
    stale: false,
    isMixed: false,
  };
}

export function withOlderPage(timeline: Timeline, page: readonly EntryView[], olderCursor: string | null): Timeline {
  return { ...timeline, entries: page.reduce(insert, timeline.entries), olderCursor };
}

function newerThan(entries: readonly EntryView[], page: readonly EntryView[]): readonly EntryView[] {
  const newest = page.at(-1);
  return newest ? entries.filter((entry) => isBefore(newest, entry)) : entries;
}
