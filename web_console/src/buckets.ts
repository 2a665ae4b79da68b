/* The pieces of time a report is cut into, as axis and table write them. Pure. */
import { ownCalendar } from "./calendars";
import { clockTime, dayKey, plainDate } from "./format";
import type { Grain, Span } from "./periods";

export interface Bucket {
  start: string;
  end: string;
}

/** The local days that a bucket covers, first and last. */
export function daysOf(bucket: Bucket, zone: string): Span {
  const first = dayKey(bucket.start, zone);
  // The end is the first instant that is not in it any more.
  const last = dayKey(Date.parse(bucket.end) - 1, zone);
  return { from: first, to: last < first ? first : last };
}

function monthName(day: string, locale: string): string {
  const own = ownCalendar(locale);
  const [year = 0, month = 1] = day.split("-").map(Number);
  if (own) return `${own.monthsShort[month - 1]} ${year}`;
  return new Intl.DateTimeFormat(locale, { month: "short", year: "numeric", timeZone: "UTC" }).format(Date.UTC(year, month - 1, 1));
}

function shortDay(day: string, locale: string): string {
  const own = ownCalendar(locale);
  const [, month = 1, date = 1] = day.split("-").map(Number);
  if (own) return `${date} ${own.monthsShort[month - 1]}`;
  return new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone: "UTC" }).format(Date.parse(`${day}T00:00:00Z`));
}

/** As short as an axis wants it. */
export function bucketLabel(bucket: Bucket, grain: Grain, locale: string, zone: string): string {
  const day = dayKey(bucket.start, zone);
  if (grain === "interval") return clockTime(bucket.start, locale, zone);
  return grain === "month" ? monthName(day, locale) : shortDay(day, locale);
}

/** In full: the day with its weekday, the week with its end, the quarter of an hour with its day. */
export function bucketName(bucket: Bucket, grain: Grain, locale: string, zone: string, thisYear: number): string {
  const { from, to } = daysOf(bucket, zone);
  switch (grain) {
    case "interval":
      return `${plainDate(from, thisYear, locale)}, ${clockTime(bucket.start, locale, zone)}–${clockTime(bucket.end, locale, zone)}`;
    case "day":
      return plainDate(from, thisYear, locale);
    case "month":
      return monthName(from, locale);
    default:
      return from === to ? plainDate(from, thisYear, locale) : `${plainDate(from, thisYear, locale)} – ${plainDate(to, thisYear, locale)}`;
  }
}

/** Labels of an axis: the day stands where it begins, when there are several of intervals. An hour that comes twice is told apart. */
export function axisLabels(buckets: readonly Bucket[], grain: Grain, locale: string, zone: string): string[] {
  const days = new Set(buckets.map((bucket) => dayKey(bucket.start, zone)));
  return buckets.map((bucket, place) => {
    const label = bucketLabel(bucket, grain, locale, zone);
    if (grain !== "interval") return label;
    const before = buckets[place - 1];
    const begins = days.size > 1 && (!before || dayKey(before.start, zone) !== dayKey(bucket.start, zone));
    return begins ? `${shortDay(dayKey(bucket.start, zone), locale)} ${label}` : label;
  });
}

/** What is left of a span within another; null: nothing. */
export function within(span: Span, whole: Span): Span | null {
  const from = span.from < whole.from ? whole.from : span.from;
  const to = span.to > whole.to ? whole.to : span.to;
  return from > to ? null : { from, to };
}

