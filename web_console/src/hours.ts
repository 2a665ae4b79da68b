/*
 * Business hours while they are edited: what a typed time means, what is wrong with a week, what a picture of it shows, and how the
 * days to come will be. Pure. The hub has the last word (hub/routing/calendar.py); the rules are the same, so that a fault is said
 * while it is typed, in the reader's language.
 */
import type { CalendarView, SpecialDayView } from "./events";

/** Opens, closes: HH:MM; hours past midnight close after 24:00 and belong to the day on which they open. */
export type Interval = [string, string];
export type Week = Interval[][];
export type SpecialDay = Omit<SpecialDayView, "hours"> & { hours: Interval[] };
export interface CalendarDraft {
  name: string;
  zone: string;
  week: Week;
  special: SpecialDay[];
}

export const DAY_KEYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] as const;
/** Monday to Friday, as indices of the week. */
export const WORKDAYS = [0, 1, 2, 3, 4];
export const MINUTES_PER_DAY = 1_440;
const LATEST_CLOSE = 2 * MINUTES_PER_DAY;
const DAY_MS = 86_400_000;
const USUAL: Interval = ["09:00", "18:00"];

export function draftedCalendar(from: CalendarView | null, zone: string): CalendarDraft {
  if (from === null) return { name: "", zone, week: workWeek(), special: [] };
  const { name, zone: own, week, special } = from;
  return structuredClone({ name, zone: own, week, special: inOrder(special as SpecialDay[]) });
}

/** With which most begin. */
export const workWeek = (): Week => DAY_KEYS.map((_, index) => (WORKDAYS.includes(index) ? [[...USUAL] as Interval] : []));

// --- times -----------------------------------------------------------------------------------------------------------------

/** Minutes of "9", "930", "9:30", "9.30" or "26:00"; null: that is no time, or later than the end of the next day. */
export function parseClock(text: string): number | null {
  const found = /^([0-4]?\d)(?:[:.h]?([0-5]\d))?$/.exec(text.trim());
  if (!found) return null;
  const minutes = Number(found[1]) * 60 + Number(found[2] ?? 0);
  return minutes <= LATEST_CLOSE ? minutes : null;
}

export const clockText = (minutes: number): string => `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;

/** As the hub writes it; what is no time stays as it was typed. */
export function tidyClock(text: string): string {
  const minutes = parseClock(text);
  return minutes === null ? text.trim() : clockText(minutes);
}

/** The end of hours that run past midnight, as the next day's clock shows it; null: they do not. */
export function pastMidnight(interval: Interval): string | null {
  const closes = parseClock(interval[1]);
  return closes !== null && closes > MINUTES_PER_DAY ? clockText(closes - MINUTES_PER_DAY) : null;
}

/** What another interval of the day begins with: the usual, or a while after the last. */
export function furtherInterval(day: readonly Interval[]): Interval {
  const last = Math.max(...day.map((interval) => parseClock(interval[1]) ?? 0), 0);
  if (day.length === 0) return [...USUAL];
  const opens = Math.min(last + 60, MINUTES_PER_DAY - 60);
  return [clockText(opens), clockText(Math.min(opens + 240, MINUTES_PER_DAY))];
}

// --- faults -----------------------------------------------------------------------------------------------------------------

export interface HoursFault {
  word: "no_time" | "other_day" | "ends_first" | "overlaps" | "overlaps_night" | "no_date" | "twice" | "never_open" | "no_name";
  /** What it overlaps. */
  other?: string;
}
type Faults = Record<string, HoursFault>;

/** Every fault by the name that the hub gives its field: "week.monday.0", "special.3.day". */
export function calendarFaults(draft: CalendarDraft): Faults {
  const faults: Faults = {};
  if (draft.name.trim() === "") faults["name"] = { word: "no_name" };
  const days = draft.week.map((day, index) => readHours(day, `week.${DAY_KEYS[index]}`, faults));
  days.forEach((day, index) => {
    const last = day.at(-1);
    const first = days[(index + 1) % 7]?.[0];
    if (!last || !first || last.closes - MINUTES_PER_DAY <= first.opens) return;
    faults[`week.${DAY_KEYS[(index + 1) % 7]}.${first.number}`] ??= { word: "overlaps_night", other: clockText(last.closes - MINUTES_PER_DAY) };
  });
  const seen = new Set<string>();
  draft.special.forEach((special, index) => {
    if (!/^\d{4}-\d{2}-\d{2}$/.test(special.day)) faults[`special.${index}.day`] = { word: "no_date" };
    else if (seen.has(special.day)) faults[`special.${index}.day`] = { word: "twice" };
    seen.add(special.day);
    readHours(special.hours, `special.${index}.hours`, faults);
  });
  const isOpenEver = draft.week.some((day) => day.length > 0) || draft.special.some((special) => special.hours.length > 0);
  if (!isOpenEver) faults["week"] = { word: "never_open" };
  return faults;
}

interface Read {
  opens: number;
  closes: number;
  number: number;
}

/** Those that can be read, in order of time; the faults stand by the order in which they were typed. */
function readHours(day: readonly Interval[], name: string, faults: Faults): Read[] {
  const read: Read[] = [];
  day.forEach(([first, last], number) => {
    const [opens, closes] = [parseClock(first), parseClock(last)];
    const at = `${name}.${number}`;
    if (opens === null || closes === null) faults[at] = { word: "no_time" };
    else if (opens >= MINUTES_PER_DAY) faults[at] = { word: "other_day" };
    else if (closes <= opens) faults[at] = { word: "ends_first" };
    else read.push({ opens, closes, number });
  });
  read.sort((a, b) => a.opens - b.opens || a.closes - b.closes);
  read.forEach((after, index) => {
    const before = read[index - 1];
    if (before && after.opens < before.closes) faults[`${name}.${after.number}`] = { word: "overlaps", other: `${clockText(before.opens)}–${clockText(before.closes)}` };
  });
  return read;
}

// --- the picture ---------------------------------------------------------------------------------------------------------------

/** A part of a day that is open, as shares of its 24 hours. `isNight`: it began the evening before. */
export interface Bar {
  from: number;
  to: number;
  isNight: boolean;
}

/** Seven days of bars; what runs past midnight goes on at the start of the next day. */
export function weekBars(week: Week): Bar[][] {
  const bars: Bar[][] = week.map(() => []);
  week.forEach((day, index) => {
    for (const [opens, closes] of spans(day)) {
      bars[index]?.push({ from: opens / MINUTES_PER_DAY, to: Math.min(1, closes / MINUTES_PER_DAY), isNight: false });
      if (closes > MINUTES_PER_DAY) bars[(index + 1) % 7]?.push({ from: 0, to: (closes - MINUTES_PER_DAY) / MINUTES_PER_DAY, isNight: true });
    }
  });
  return bars;
}

const spans = (day: readonly Interval[]): [number, number][] =>
  day.flatMap(([first, last]) => {
    const [opens, closes] = [parseClock(first), parseClock(last)];
    return opens !== null && closes !== null && closes > opens && opens < MINUTES_PER_DAY ? [[opens, closes] as [number, number]] : [];
  });

/** Runs of days with the same hours, for one line: [first day, last day, hours]. Days without hours are left out. */
export function weekRuns(week: Week): { first: number; last: number; hours: Interval[] }[] {
  const runs: { first: number; last: number; hours: Interval[] }[] = [];
  week.forEach((hours, index) => {
    const before = runs.at(-1);
    if (before && before.last === index - 1 && JSON.stringify(before.hours) === JSON.stringify(hours)) before.last = index;
    else runs.push({ first: index, last: index, hours: [...hours] });
  });
  return runs.filter((run) => run.hours.length > 0);
}

// --- days ------------------------------------------------------------------------------------------------------------------------

export interface DayAhead {
  day: string;
  /** Monday is 0. */
  weekday: number;
  hours: Interval[];
  special: SpecialDay | null;
}

/** `first` and the days after it as they will be. Where a date stands twice, the first holds, as the hub reads it. */
export function daysAhead(draft: Pick<CalendarDraft, "week" | "special">, first: string, count: number): DayAhead[] {
  const start = Date.parse(`${first}T00:00:00Z`);
  return Array.from({ length: count }, (_, index) => {
    const at = new Date(start + index * DAY_MS);
    const day = at.toISOString().slice(0, 10);
    const weekday = (at.getUTCDay() + 6) % 7;
    const special = draft.special.find((each) => each.day === day) ?? null;
    return { day, weekday, hours: special ? special.hours : (draft.week[weekday] ?? []), special };
  });
}

export const inOrder = (special: readonly SpecialDay[]): SpecialDay[] => special.toSorted((a, b) => a.day.localeCompare(b.day));

/** Days that were read, put to those there are. A date that stands there already stays as it is: somebody may have changed it. */
export function withDays(special: readonly SpecialDay[], read: readonly SpecialDay[]): { special: SpecialDay[]; added: number } {
  const held = new Set(special.map((each) => each.day));
  const fresh = read.filter((each) => !held.has(each.day) && held.add(each.day));
  return { special: inOrder([...special, ...fresh]), added: fresh.length };
}
