/*
 * Periods of reports: local days, first and last included, written as 2026-11-22. A day is one of the zone that the report is in, so the
 * arithmetic is that of the calendar and knows no hours: a day of 23 hours is a day. Weeks begin on Monday (ISO 8601), as the hub merges
 * them. Pure.
 */
import { dayKey } from "./format";

export const PERIODS = ["today", "yesterday", "this_week", "last_week", "last_7", "last_28", "this_month", "last_month", "this_quarter", "custom"] as const;
export type PeriodName = (typeof PERIODS)[number];

export const GRAINS = ["interval", "day", "week", "month", "total"] as const;
export type Grain = (typeof GRAINS)[number];

export interface Span {
  from: string;
  to: string;
}

const DAY_MS = 86_400_000;
/** What the hub cuts the day into: every zone in use is a multiple of it from UTC. */
export const INTERVAL_MIN = 15;
/** More points than these are no line any more but a hedge; the grain above shows more. */
const MOST_POINTS = 800;

/** 2026-02-30 is none: it would be read as 2 March. */
export function isDay(text: unknown): text is string {
  if (typeof text !== "string" || !/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  return !Number.isNaN(at(text)) && keyOf(at(text)) === text;
}

const at = (day: string) => Date.parse(`${day}T00:00:00Z`);
const keyOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);

export const addDays = (day: string, days: number) => keyOf(at(day) + days * DAY_MS);
/** How many days it is, first and last included. */
export const daysIn = (span: Span) => Math.round((at(span.to) - at(span.from)) / DAY_MS) + 1;

/** Monday of the week that `day` is in. */
export const weekBegin = (day: string) => addDays(day, -((new Date(at(day)).getUTCDay() + 6) % 7));
export const monthBegin = (day: string) => `${day.slice(0, 7)}-01`;

function addMonths(day: string, months: number): string {
  const [year = 0, month = 1] = day.split("-").map(Number);
  return keyOf(Date.UTC(year, month - 1 + months, 1));
}

/** The days of a period that has a name, as of `today`. What is still going on ends today. */
export function spanOf(name: Exclude<PeriodName, "custom">, today: string): Span {
  switch (name) {
    case "today":
      return { from: today, to: today };
    case "yesterday":
      return { from: addDays(today, -1), to: addDays(today, -1) };
    case "this_week":
      return { from: weekBegin(today), to: today };
    case "last_week":
      return { from: addDays(weekBegin(today), -7), to: addDays(weekBegin(today), -1) };
    case "last_7":
      return { from: addDays(today, -6), to: today };
    case "last_28":
      return { from: addDays(today, -27), to: today };
    case "this_month":
      return { from: monthBegin(today), to: today };
    case "last_month":
      return { from: addMonths(today, -1), to: addDays(monthBegin(today), -1) };
    case "this_quarter":
      return { from: addMonths(today, -((Number(today.slice(5, 7)) - 1) % 3)), to: today };
  }
}

/**
 * The day on which the time begins that a named period is compared with, where that is not just as many days before it: what there is of
 * this week beside the same weekdays of the last, of this month beside the same dates. null: as many days (whole months: months) before.
 */
export function beforeOf(name: PeriodName, today: string): string | null {
  switch (name) {
    case "this_week":
      return addDays(weekBegin(today), -7);
    case "this_month":
      return addMonths(today, -1);
    case "this_quarter":
      return addMonths(spanOf(name, today).from, -3);
    default:
      return null;
  }
}

export const todayIn = (zone: string, now: number) => dayKey(now, zone);

/** The grains in which a span can be drawn, finest first. */
export function grainsFor(span: Span): Exclude<Grain, "total">[] {
  const days = daysIn(span);
  const points = { interval: (days * 24 * 60) / INTERVAL_MIN, day: days, week: days / 7, month: days / 28 };
  return (["interval", "day", "week", "month"] as const).filter((grain) => points[grain] <= MOST_POINTS && (grain === "interval" || points[grain] > 1));
}

/** The grain that shows a span best: some dozens of points. */
export function grainFor(span: Span): Exclude<Grain, "total"> {
  const days = daysIn(span);
  if (days <= 2) return "interval";
  if (days <= 92) return "day";
  return days <= 400 ? "week" : "month";
}
