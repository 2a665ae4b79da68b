/*
 * A part of one customer's past, opened in the middle: lines without a gap between them, paged in both directions. Pure. It ends
 * when it reaches what the page holds of that customer anyway: then the two are one.
 */
import type { EntryView } from "./events";

export interface Past {
  readonly entries: readonly EntryView[];
  readonly olderCursor: string | null;
  readonly newerCursor: string | null;
}

interface Page {
  items: readonly EntryView[];
  next_cursor: string | null;
  newer_cursor: string | null;
}

/** A page around a line. */
export function pastFrom(page: Page): Past {
  return { entries: page.items, olderCursor: page.next_cursor, newerCursor: page.newer_cursor };
}

const unknown = (past: Past, items: readonly EntryView[]) => {
  const known = new Set(past.entries.map((entry) => entry.id));
  return items.filter((entry) => !known.has(entry.id));
};

export function withOlder(past: Past, page: Pick<Page, "items" | "next_cursor">): Past {
  return { ...past, entries: [...unknown(past, page.items), ...past.entries], olderCursor: page.next_cursor };
}

export function withNewer(past: Past, page: Pick<Page, "items" | "newer_cursor">): Past {
  return { ...past, entries: [...past.entries, ...unknown(past, page.items)], newerCursor: page.newer_cursor };
}

/** Whether it reaches what is held: they share a line, or there is nothing newer than it. */
export function joined(past: Past, held: readonly EntryView[]): boolean {
  if (past.newerCursor === null) return true;
  const shown = new Set(past.entries.map((entry) => entry.id));
  return held.some((entry) => shown.has(entry.id));
}
