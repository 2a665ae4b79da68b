/*
 * How loud a recording is along its way, as shapes: one bar for each step, the customer's up from the middle, ours down. Pure.
 */

/** Bars that a player in the timeline has room for. */
export const BARS = 110;
/** Of the half that a channel has, so that the middle stays a line. */
const FULL = 0.92;
/** What silence looks like: the line goes on. */
const LEAST = 0.04;

/** `count` numbers from 0 to 1, each the loudest of its share. A quiet recording fills the room, too: `loudest` is its 1. */
export function barsOf(peaks: readonly number[], count: number, loudest: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    const first = Math.floor((index * peaks.length) / count);
    const last = Math.max(first + 1, Math.floor(((index + 1) * peaks.length) / count));
    return loudest > 0 ? Math.max(0, ...peaks.slice(first, last)) / loudest : 0;
  });
}

/** An SVG path in a box of `count` × 2 (y from -1 to 1): of two channels the first up and the second down, one both ways. */
export function wavePath(peaks: readonly (readonly number[])[] | null, count: number = BARS): string {
  const loudest = Math.max(0, ...(peaks ?? []).flat());
  const [up = [], down = up] = (peaks ?? []).map((channel) => barsOf(channel, count, loudest));
  return Array.from({ length: count }, (_, index) => {
    const high = Math.max(LEAST, (up[index] ?? 0) * FULL);
    const low = Math.max(LEAST, (down[index] ?? 0) * FULL);
    return `M${index + 0.5} ${-round(high)}V${round(low)}`;
  }).join("");
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** Where a key moves to, in seconds; null: it is none of ours. */
export function soughtBy(key: string, at_s: number, duration_s: number): number | null {
  const steps: Record<string, number> = { ArrowLeft: -5, ArrowDown: -5, ArrowRight: 5, ArrowUp: 5, PageUp: 30, PageDown: -30 };
  if (key === "Home") return 0;
  if (key === "End") return duration_s;
  const step = steps[key];
  return step === undefined ? null : Math.min(duration_s, Math.max(0, at_s + step));
}

export const SPEEDS = [1, 1.5, 2] as const;

export function nextSpeed(speed: number): number {
  const index = SPEEDS.findIndex((each) => each === speed);
  return SPEEDS[(index + 1) % SPEEDS.length] ?? 1;
}
