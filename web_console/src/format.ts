/* Dates, times, durations and sizes as the reader's language writes them. Pure: locale, zone and now are arguments. */
import { ownCalendar } from "./calendars";

type Unit = "second" | "minute" | "hour" | "day" | "kilobyte" | "megabyte";

const DAY_MS = 86_400_000;

export function clockTime(at: string | number, locale: string, timeZone: string): string {
  return new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone }).format(new Date(at));
}

export function fullTime(at: string | number, locale: string, timeZone: string): string {
  const own = ownCalendar(locale);
  if (!own) return new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "medium", timeZone }).format(new Date(at));
  const date = dateIn(at, timeZone);
  const time = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone }).format(new Date(at));
  return `${own.weekdays[date.weekday]}, ${date.day} ${own.monthsOfDate[date.month]} ${date.year}, ${time}`;
}

/** The calendar day in the organisation's zone, as a key that sorts: 2026-11-22. */
export function dayKey(at: string | number, timeZone: string): string {
  return new Intl.DateTimeFormat("en-CA", { timeZone }).format(new Date(at));
}

/** "Today", "Yesterday", "Monday", or the date. */
export function dayName(at: string | number, now: number, locale: string, timeZone: string): string {
  const days = daysBetween(at, now, timeZone);
  const date = dateIn(at, timeZone);
  const sameYear = date.year === dateIn(now, timeZone).year;
  const own = ownCalendar(locale);
  if (own) {
    if (days === 0) return capital(own.today, locale);
    if (days === 1) return capital(own.yesterday, locale);
    if (days > 0 && days < 7) return capital(own.weekdays[date.weekday] ?? "", locale);
    return `${date.day} ${own.monthsOfDate[date.month]}${sameYear ? "" : ` ${date.year}`}`;
  }
  if (days === 0 || days === 1) return capital(new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(-days, "day"), locale);
  const options: Intl.DateTimeFormatOptions =
    days > 0 && days < 7 ? { weekday: "long" } : { day: "numeric", month: "long", ...(sameYear ? {} : { year: "numeric" }) };
  return capital(new Intl.DateTimeFormat(locale, { ...options, timeZone }).format(new Date(at)), locale);
}

/** As short as a list row wants it: the time today, the weekday this week, else the date. */
export function shortTime(at: string | number, now: number, locale: string, timeZone: string): string {
  const days = daysBetween(at, now, timeZone);
  if (days <= 0) return clockTime(at, locale, timeZone);
  const own = ownCalendar(locale);
  if (own) {
    const date = dateIn(at, timeZone);
    return days < 7 ? (own.weekdaysShort[date.weekday] ?? "") : `${date.day} ${own.monthsShort[date.month]}`;
  }
  const options: Intl.DateTimeFormatOptions = days < 7 ? { weekday: "short" } : { day: "numeric", month: "short" };
  return new Intl.DateTimeFormat(locale, { ...options, timeZone }).format(new Date(at));
}

/** The name of a day of the week; Monday is 0. */
export function weekdayName(index: number, locale: string, length: "long" | "short"): string {
  const own = ownCalendar(locale);
  if (own) return capital((length === "long" ? own.weekdays : own.weekdaysShort)[(index + 1) % 7] ?? "", locale);
  // The first of January 2024 was a Monday.
  return capital(new Intl.DateTimeFormat(locale, { weekday: length, timeZone: "UTC" }).format(Date.UTC(2024, 0, 1 + index)), locale);
}

/** A date without a time (2026-11-22) as a list writes it: "Sun, 22 Nov", with the year where it is another than this. */
export function plainDate(day: string, thisYear: number, locale: string): string {
  const at = Date.parse(`${day}T00:00:00Z`);
  if (Number.isNaN(at)) return day;
  const date = dateIn(at, "UTC");
  const own = ownCalendar(locale);
  const sameYear = date.year === thisYear;
  if (own) return `${capital(own.weekdaysShort[date.weekday] ?? "", locale)}, ${date.day} ${own.monthsShort[date.month]}${sameYear ? "" : ` ${date.year}`}`;
  return new Intl.DateTimeFormat(locale, { weekday: "short", day: "numeric", month: "short", ...(sameYear ? {} : { year: "numeric" }), timeZone: "UTC" }).format(at);
}

/** Two units at most: "45 s", "3 min", "1 h 20 min", "2 d 4 h". */
export function duration(seconds: number, locale: string): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return quantity(whole, "second", locale);
  if (whole < 3600) return quantity(Math.floor(whole / 60), "minute", locale);
  const [big, small, bigUnit, smallUnit] =
    whole < 86_400
      ? ([Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), "hour", "minute"] as const)
      : ([Math.floor(whole / 86_400), Math.floor((whole % 86_400) / 3600), "day", "hour"] as const);
  const first = quantity(big, bigUnit, locale);
  return small === 0 ? first : `${first} ${quantity(small, smallUnit, locale)}`;
}

/** A length that is a bound, to the second: 90 s are not "1 min". */
export function exactly(seconds: number, locale: string): string {
  return seconds < 3_600 && seconds > 60 && seconds % 60 !== 0 ? `${duration(seconds, locale)} ${quantity(seconds % 60, "second", locale)}` : duration(seconds, locale);
}

/** Time at work, which nobody counts in days of 24 hours: "45 s", "3 min", "40 h 15 min", "172 h". */
export function workTime(seconds: number, locale: string): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 3_600) return duration(whole, locale);
  const hours = Math.floor(whole / 3_600);
  const minutes = Math.floor((whole % 3_600) / 60);
  // Of a hundred hours a few minutes say nothing.
  return minutes === 0 || hours >= 100 ? quantity(hours, "hour", locale) : `${quantity(hours, "hour", locale)} ${quantity(minutes, "minute", locale)}`;
}

/** Minutes and seconds for one's own figures: "1:20", "14:05", "2:03:11". */
export function stopwatch(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, "0"))).join(":");
}

/** As a board writes it: to the second below an hour ("4:05"), above it as words ("1 h 20 min"). */
export function elapsed(seconds: number, locale: string): string {
  return seconds < 3_600 ? stopwatch(seconds) : duration(seconds, locale);
}

export function fileSize(bytes: number, locale: string): string {
  const [value, unit] = bytes < 1_000_000 ? ([bytes / 1000, "kilobyte"] as const) : ([bytes / 1_000_000, "megabyte"] as const);
  return quantity(value < 10 ? Math.round(value * 10) / 10 : Math.round(value), unit, locale);
}

/** One or two letters for a face without a picture. */
export function initials(name: string): string {
  const words = name.split(/[\s.@_-]+/u).filter((word) => /^\p{L}/u.test(word));
  if (words.length === 0) return "#";
  const chosen = words.length === 1 ? words : [words[0], words.at(-1)];
  // Georgian has capitals for whole lines only; a name is never written with them, and many fonts lack them.
  return chosen.map((word) => [...(word ?? "")][0] ?? "").map((letter) => (/\p{Script=Georgian}/u.test(letter) ? letter : letter.toLocaleUpperCase())).join("");
}

function quantity(value: number, unit: Unit, locale: string): string {
  const own = ownCalendar(locale);
  if (own) return `${value} ${own.units[unit]}`;
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "short" }).format(value);
}

function daysBetween(at: string | number, now: number, timeZone: string): number {
  return Math.round((Date.parse(dayKey(now, timeZone)) - Date.parse(dayKey(at, timeZone))) / DAY_MS);
}

function dateIn(at: string | number, timeZone: string): { year: number; month: number; day: number; weekday: number } {
  const [year = 0, month = 1, day = 1] = dayKey(at, timeZone).split("-").map(Number);
  return { year, month: month - 1, day, weekday: new Date(Date.UTC(year, month - 1, day)).getUTCDay() };
}

function capital(text: string, locale: string): string {
  const [first = "", ...rest] = [...text];
  // Georgian has capitals for whole lines only.
  return /\p{Script=Georgian}/u.test(first) ? text : first.toLocaleUpperCase(locale) + rest.join("");
}
