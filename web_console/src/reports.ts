/* What a report makes of its rows. Pure. */
import type { FigureRow, FigureValue } from "./events";

export const NOTHING: FigureValue = { value: null, n: 0, previous: null, mean: null, p90: null, error: null, parts: {} };
export const figureOf = (row: FigureRow | undefined, measure: string): FigureValue => row?.figures[measure] ?? NOTHING;
/** Rows of the whole have no key. */
export const keyText = (key: string | null) => key ?? "";

/** One line of a chart: a value for each bucket, null where there is none. */
export interface Line {
  key: string;
  name: string;
  figures: readonly (FigureValue | null)[];
}

/** `isOpen`: it goes on; `isToCome`: it has not begun. Neither is a lack of figures. */
export interface TrendBucket {
  start: string;
  end: string;
  is_gap: boolean;
  isOpen: boolean;
  isToCome: boolean;
}

export interface Trend {
  buckets: readonly TrendBucket[];
  lines: readonly Line[];
}

/** Whether a piece of time goes on at this moment. */
export const isOpen = (piece: { start: string; end: string }, asOf: string) => Date.parse(piece.start) <= Date.parse(asOf) && Date.parse(asOf) < Date.parse(piece.end);
export const isToCome = (piece: { start: string }, asOf: string) => Date.parse(piece.start) > Date.parse(asOf);

/**
 * Rows over time as lines. A bucket that is a gap for anybody is a gap for all of them. Where a count has no row and it is no gap, nothing
 * happened: that is nought. Of all other measures there is no value then.
 */
export function trendOf(rows: readonly FigureRow[], measure: string, unit: string, asOf: string): Trend {
  const buckets = new Map<string, TrendBucket>();
  const keys = new Map<string, { name: string; at: Map<string, FigureValue> }>();
  for (const row of rows) {
    const bucket = buckets.get(row.start);
    buckets.set(row.start, { start: row.start, end: row.end, is_gap: row.is_gap || (bucket?.is_gap ?? false), isOpen: isOpen(row, asOf), isToCome: isToCome(row, asOf) });
    const key = keyText(row.key);
    const line = keys.get(key) ?? { name: row.name, at: new Map<string, FigureValue>() };
    line.at.set(row.start, figureOf(row, measure));
    keys.set(key, line);
  }
  const ordered = [...buckets.values()].toSorted((a, b) => a.start.localeCompare(b.start));
  const silent: FigureValue | null = unit === "count" ? { ...NOTHING, value: 0 } : null;
  const lines = [...keys].map(([key, line]) => ({
    key,
    name: line.name,
    figures: ordered.map((bucket) => (bucket.is_gap ? null : (line.at.get(bucket.start) ?? silent))),
  }));
  return { buckets: ordered, lines };
}

/** Runs of gaps, as pairs of places: first and last. */
export function gapsOf(buckets: readonly { is_gap: boolean }[]): [number, number][] {
  const runs: [number, number][] = [];
  buckets.forEach((bucket, place) => {
    const last = runs.at(-1);
    if (!bucket.is_gap) return;
    if (last?.[1] === place - 1) last[1] = place;
    else runs.push([place, place]);
  });
  return runs;
}

/** By a measure or by name; who has no value stands last, whichever way it goes. */
export function sortedRows(rows: readonly FigureRow[], by: string | null, ascending: boolean, locale: string): FigureRow[] {
  const name = (row: FigureRow) => row.name;
  const byName = (a: FigureRow, b: FigureRow) => a.start.localeCompare(b.start) || name(a).localeCompare(name(b), locale, { numeric: true });
  const way = ascending ? 1 : -1;
  if (by === null) return rows.toSorted(byName);
  if (by === "name") return rows.toSorted((a, b) => way * byName(a, b));
  return rows.toSorted((a, b) => {
    const [one, other] = [figureOf(a, by).value, figureOf(b, by).value];
    if (one === null || other === null) return Number(one === null) - Number(other === null) || byName(a, b);
    return way * (one - other) || byName(a, b);
  });
}

/** The keys with most cases behind the measure: whose lines are drawn when nobody chose. */
export function largest(rows: readonly FigureRow[], measure: string, most: number): string[] {
  return rows
    .filter((row) => row.key !== null && figureOf(row, measure).n > 0)
    .toSorted((a, b) => figureOf(b, measure).n - figureOf(a, measure).n)
    .slice(0, most)
    .map((row) => keyText(row.key));
}
