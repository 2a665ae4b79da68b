/* Dates, times, durations and sizes as the reader's language writes them. Pure: locale, zone and now are arguments. */

export function clockTime(at: string | number, locale: string, timeZone: string): string {
  return new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone }).format(new Date(at));
}

export function fullTime(at: string | number, locale: string, timeZone: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "medium", timeZone }).format(new Date(at));
}

/** The calendar day in the organisation's zone, as a key that sorts: 2026-11-22. */
export function dayKey(at: string | number, timeZone: string): string {
  return new Intl.DateTimeFormat("en-CA", { timeZone }).format(new Date(at));
}

/** "Today", "Yesterday", "Monday", or the date, in the reader's language. */
export function dayName(at: string | number, now: number, locale: string, timeZone: string): string {
  const days = Math.round((Date.parse(dayKey(now, timeZone)) - Date.parse(dayKey(at, timeZone))) / 86_400_000);
  if (days >= 0 && days < 2) return capital(new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(-days, "day"), locale);
  const sameYear = dayKey(at, timeZone).slice(0, 4) === dayKey(now, timeZone).slice(0, 4);
  const options: Intl.DateTimeFormatOptions =
    days > 0 && days < 7
      ? { weekday: "long", timeZone }
      : { day: "numeric", month: "long", ...(sameYear ? {} : { year: "numeric" }), timeZone };
  return capital(new Intl.DateTimeFormat(locale, options).format(new Date(at)), locale);
}

/** As short as a list row wants it: the time today, the weekday this week, else the date. */
export function shortTime(at: string | number, now: number, locale: string, timeZone: string): string {
  const days = Math.round((Date.parse(dayKey(now, timeZone)) - Date.parse(dayKey(at, timeZone))) / 86_400_000);
  if (days <= 0) return clockTime(at, locale, timeZone);
  const options: Intl.DateTimeFormatOptions = days < 7 ? { weekday: "short" } : { day: "numeric", month: "short" };
  return new Intl.DateTimeFormat(locale, { ...options, timeZone }).format(new Date(at));
}

/** Two units at most: "45 s", "3 min", "1 h 20 min", "2 d 4 h". */
export function duration(seconds: number, locale: string): string {
  const whole = Math.max(0, Math.round(seconds));
  const unit = (value: number, name: string) =>
    new Intl.NumberFormat(locale, { style: "unit", unit: name, unitDisplay: "short" }).format(value);
  if (whole < 60) return unit(whole, "second");
  if (whole < 3600) return unit(Math.floor(whole / 60), "minute");
  const [big, small, bigName, smallName] =
    whole < 86_400
      ? [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), "hour", "minute"]
      : [Math.floor(whole / 86_400), Math.floor((whole % 86_400) / 3600), "day", "hour"];
  return small === 0 ? unit(big, bigName) : `${unit(big, bigName)} ${unit(small, smallName)}`;
}

/** Minutes and seconds for one's own figures: "1:20", "14:05", "2:03:11". */
export function stopwatch(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, "0"))).join(":");
}

export function fileSize(bytes: number, locale: string): string {
  const [value, unit] = bytes < 1_000_000 ? [bytes / 1000, "kilobyte"] : [bytes / 1_000_000, "megabyte"];
  return new Intl.NumberFormat(locale, { style: "unit", unit, maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
}

export function initials(name: string): string {
  const words = name.split(/[\s.@_-]+/u).filter((word) => /^[\p{L}]/u.test(word));
  if (words.length === 0) return "#";
  const chosen = words.length === 1 ? words : [words[0], words.at(-1)];
  return chosen.map((word) => [...(word ?? "")][0] ?? "").join("").toLocaleUpperCase();
}

function capital(text: string, locale: string): string {
  const [first = "", ...rest] = [...text];
  return first.toLocaleUpperCase(locale) + rest.join("");
}
