/* Figures as the reader's language writes them. Pure: the locale is an argument. */
import { numerals } from "./calendars";
import { stopwatch, workTime } from "./format";

/** 12,345.6 in the reader's way; at most `places` behind the point. */
export function figureNumber(value: number, locale: string, places = 0): string {
  return new Intl.NumberFormat(numerals(locale), { maximumFractionDigits: places }).format(value);
}

/** A share of one: "84.5 %". */
export function figureShare(share: number, locale: string, places = 1): string {
  return new Intl.NumberFormat(numerals(locale), { style: "percent", maximumFractionDigits: places }).format(share);
}

/**
 * Below an hour to the second ("4:05"), from there on in hours ("1 h 20 min", "172 h"), never in days: a day of work is not 24 hours, nor
 * is one of the opening hours, and figures of one table must be comparable.
 */
export function figureSeconds(seconds: number, locale: string): string {
  if (seconds < 0) return `−${figureSeconds(-seconds, locale)}`;
  const whole = Math.round(seconds);
  return whole < 3_600 ? stopwatch(whole) : workTime(whole, locale);
}

/** A value of a measure; null is a dash: there was nothing to measure, which is not nought. */
export function figureText(value: number | null | undefined, unit: string, locale: string): string {
  if (value === null || value === undefined) return "–";
  switch (unit) {
    case "seconds":
      return figureSeconds(value, locale);
    case "share":
      return figureShare(value, locale);
    case "count":
      return figureNumber(value, locale);
    default:
      return figureNumber(value, locale, 2);
  }
}

/** The mean that stands beside a value: of a share (scores of 4 and 5 ÷ scores) it is one of points. */
export const meanText = (mean: number, unit: string, locale: string) => figureText(mean, unit === "share" ? "points" : unit, locale);

/** What a value consists of: parts of a count are counts, of everything else shares. */
export const partText = (part: number | null, unit: string, locale: string) => figureText(part, unit === "count" ? "count" : "share", locale);

/**
 * How far a figure has moved since the period before. Shares and scores move by points ("+2.3 points"), the rest by its share of what it was; from
 * nought there is no share, and where either is missing there is nothing to say.
 */
export function change(value: number | null, previous: number | null, unit: string): { by: number; in: "points" | "share" } | null {
  if (value === null || previous === null) return null;
  if (unit === "share") return { by: (value - previous) * 100, in: "points" };
  // Scales may go through nought (NPS): a share of a score means nothing.
  if (unit === "points") return { by: value - previous, in: "points" };
  return previous === 0 ? null : { by: (value - previous) / Math.abs(previous), in: "share" };
}

/** "+12 %", "−0.4": a sign always, so that the colour is not the only one. */
export function signed(by: number, as: "points" | "share", locale: string): string {
  const options: Intl.NumberFormatOptions = as === "share" ? { style: "percent", maximumFractionDigits: Math.abs(by) < 0.1 ? 1 : 0 } : { maximumFractionDigits: 1 };
  return new Intl.NumberFormat(numerals(locale), { ...options, signDisplay: "exceptZero" }).format(by);
}

/** Steps of a value axis of seconds that people count in: no tick at 50 s or at 1000 s. At most six of them. */
export function secondsStep(most: number): number {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800];
  return steps.find((step) => most / step <= 6) ?? Math.ceil(most / 6 / 604_800) * 604_800;
}
