/* A day's plan: minutes of the clock on the wall, what covers what, and how it is drawn. The same rules as the hub's. Pure. */
import type { ShiftPiece } from "./events";

export const ACTIVITIES = ["work", "break", "training", "meeting", "leave"] as const;
export type Activity = (typeof ACTIVITIES)[number];

export interface Seen {
  starts: number;
  ends: number;
  activity: Activity;
}

const DAY = 1440;
/** What lies on what: the higher is seen. */
const LAYER: Record<Activity, number> = { work: 0, break: 1, training: 1, meeting: 1, leave: 2 };

/** Minutes of "09:30", up to 48:00; null if it is not written so. */
export function minutesOf(text: string): number | null {
  const found = /^([0-4]?\d):([0-5]\d)$/.exec(text.trim());
  const minutes = found ? Number(found[1]) * 60 + Number(found[2]) : Infinity;
  return minutes <= 2 * DAY ? minutes : null;
}

export const clockOf = (minutes: number) => `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;

/** What is seen of a day, in order, no two at the same time; leave too, so that it can be shown. */
export function seenOf(pieces: readonly ShiftPiece[]): Seen[] {
  const read = pieces
    .map((piece) => ({ starts: minutesOf(piece.starts), ends: minutesOf(piece.ends), activity: piece.activity }))
    .filter((piece): piece is Seen => piece.starts !== null && piece.ends !== null && piece.starts < piece.ends);
  const bounds = [...new Set(read.flatMap((piece) => [piece.starts, piece.ends]))].sort((a, b) => a - b);
  const seen: Seen[] = [];
  bounds.slice(0, -1).forEach((starts, index) => {
    const ends = bounds[index + 1] ?? starts;
    const over = read.filter((piece) => piece.starts <= starts && ends <= piece.ends);
    if (over.length === 0) return;
    const top = over.reduce((a, b) => (LAYER[b.activity] > LAYER[a.activity] ? b : a)).activity;
    const last = seen.at(-1);
    if (last && last.ends === starts && last.activity === top) last.ends = ends;
    else seen.push({ starts, ends, activity: top });
  });
  return seen;
}

/** Scheduled for work, in minutes. */
export const workOf = (pieces: readonly ShiftPiece[]) => seenOf(pieces).reduce((sum, piece) => sum + (piece.activity === "work" ? piece.ends - piece.starts : 0), 0);

/** When the day begins and ends, leave left out; null: there is nothing. */
export function frameOf(pieces: readonly ShiftPiece[]): { starts: number; ends: number } | null {
  const seen = seenOf(pieces).filter((piece) => piece.activity !== "leave");
  const [first, last] = [seen[0], seen.at(-1)];
  return first && last ? { starts: first.starts, ends: last.ends } : null;
}

/** Where a piece is drawn in a bar that shows `from` to `to`, in hundredths of it. */
export function placeOf(piece: { starts: number; ends: number }, from: number, to: number): { start: number; width: number } {
  const share = (minutes: number) => (100 * (Math.min(Math.max(minutes, from), to) - from)) / (to - from);
  return { start: share(piece.starts), width: share(piece.ends) - share(piece.starts) };
}

/** The whole hours that a week's bars have to show. */
export function hoursOf(days: readonly (readonly ShiftPiece[])[]): { from: number; to: number } {
  const seen = days.flatMap(seenOf);
  if (seen.length === 0) return { from: 8 * 60, to: 18 * 60 };
  return { from: Math.floor(Math.min(...seen.map((piece) => piece.starts)) / 60) * 60, to: Math.ceil(Math.max(...seen.map((piece) => piece.ends)) / 60) * 60 };
}

/** The week with one of its days as it is now; Monday is 0. */
export const withDay = (week: readonly (readonly ShiftPiece[])[], weekday: number, pieces: readonly ShiftPiece[]): ShiftPiece[][] => Array.from({ length: 7 }, (_, index) => [...(index === weekday ? pieces : (week[index] ?? []))]);
