/* A day of an agent as bars on a line: what they did when. Pure. */
import type { StateDay, StateSpell } from "./events";

/** What a bar shows: somebody who is available and has work is at work. */
export type Doing = "work" | "available" | "busy" | "away" | "not_responding" | "offline";

export const DOINGS: readonly Doing[] = ["work", "available", "busy", "away", "not_responding"];

export function doingOf(spell: Pick<StateSpell, "state" | "work_count">): Doing {
  switch (spell.state) {
    case "offline":
    case "away":
    case "not_responding":
      return spell.state;
    default:
      return spell.work_count > 0 ? "work" : spell.state === "busy" ? "busy" : "available";
  }
}

export interface Bar {
  doing: Doing;
  reason: string | null;
  /** Shares of the window, from 0 to 1. */
  from: number;
  to: number;
  since: string;
  until: string | null;
  workCount: number;
  load: number;
  capacity: number;
}

/** The part of the day that is drawn, as instants in ms. */
export interface Window {
  from: number;
  to: number;
}

const HOUR_MS = 3_600_000;

/** From the first to the last hour in which anybody was there, an hour before and after; the whole day when nobody was. */
export function windowOf(days: readonly StateDay[], now: number): Window {
  const first = days[0];
  const day = { from: first ? Date.parse(first.start) : 0, to: first ? Date.parse(first.end) : 0 };
  const spells = days.flatMap((each) => each.spells).filter((spell) => spell.state !== "offline");
  if (spells.length === 0) return day;
  const from = Math.min(...spells.map((spell) => Date.parse(spell.since)));
  const to = Math.max(...spells.map((spell) => (spell.until === null ? now : Date.parse(spell.until))));
  const onHour = (at: number, up: boolean) => day.from + (up ? Math.ceil : Math.floor)((at - day.from) / HOUR_MS) * HOUR_MS;
  return { from: Math.max(day.from, onHour(from, false) - HOUR_MS), to: Math.min(day.to, Math.max(onHour(to, true) + HOUR_MS, from + 4 * HOUR_MS)) };
}

/** `now` ends the spell that goes on. Offline is no bar: nobody was there. Neighbours that look alike are one. */
export function barsOf(day: StateDay, window: Window, now: number): Bar[] {
  const length = window.to - window.from;
  const share = (at: number) => Math.min(1, Math.max(0, (at - window.from) / length));
  const bars: Bar[] = [];
  for (const spell of day.spells) {
    const doing = doingOf(spell);
    const [from, to] = [share(Date.parse(spell.since)), share(spell.until === null ? now : Date.parse(spell.until))];
    if (doing === "offline" || to <= from) continue;
    const last = bars.at(-1);
    if (last && last.doing === doing && last.reason === spell.reason && last.until === spell.since && last.workCount === spell.work_count) {
      last.to = to;
      last.until = spell.until;
    } else {
      bars.push({ doing, reason: spell.reason, from, to, since: spell.since, until: spell.until, workCount: spell.work_count, load: spell.load, capacity: spell.capacity });
    }
  }
  return bars;
}

/** Where the hours stand, as instants: each hour, or each other where there are many. A day of 25 hours has 25. */
export function hoursOf(window: Window): { at: number; share: number }[] {
  const hours = Math.round((window.to - window.from) / HOUR_MS);
  const step = hours > 14 ? 2 : 1;
  return Array.from({ length: Math.floor(hours / step) + 1 }, (_, place) => ({ at: window.from + place * step * HOUR_MS, share: (place * step) / hours })).filter(({ share }) => share <= 1);
}
