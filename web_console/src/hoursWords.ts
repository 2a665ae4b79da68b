/* Business hours in the reader's words. */
import { useI18n } from "vue-i18n";

import { useServerNow } from "./clock";
import { countryName as nameOfCountry } from "./countries";
import type { CalendarView } from "./events";
import { clockTime, dayKey, plainDate, weekdayName } from "./format";
import { type HoursFault, type Interval, pastMidnight } from "./hours";

const SOON_MS = 6 * 86_400_000;

export function useHoursWords() {
  const { t, te, locale } = useI18n();
  const now = useServerNow();

  /** "09:00–13:00, 22:00–02:00 (+1)": an end past midnight as the clock on the wall shows it. */
  function intervals(hours: readonly Interval[]): string {
    return hours
      .map((interval) => {
        const nextDay = pastMidnight(interval);
        return `${interval[0]}–${nextDay === null ? interval[1] : `${nextDay} (+1)`}`;
      })
      .join(", ");
  }

  /** "Mon–Fri 09:00–18:00". */
  function runWords(run: { first: number; last: number; hours: readonly Interval[] }): string {
    const days = [run.first, run.last].map((index) => weekdayName(index, locale.value, "short"));
    return `${run.first === run.last ? days[0] : days.join("–")} ${intervals(run.hours)}`;
  }

  /** A moment of the calendar's own clock: the time today, the weekday with it soon, else the date. */
  function moment(at: string, zone: string): string {
    const time = clockTime(at, locale.value, zone);
    if (dayKey(at, zone) === dayKey(now.value, zone)) return time;
    const day = dayKey(at, zone);
    const weekday = (new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7;
    if (Date.parse(at) - now.value < SOON_MS) return `${weekdayName(weekday, locale.value, "short")} ${time}`;
    return `${plainDate(day, Number(dayKey(now.value, zone).slice(0, 4)), locale.value)} ${time}`;
  }

  function openness(calendar: Pick<CalendarView, "is_open" | "changes_at" | "zone">): string {
    if (calendar.changes_at === null) return t(calendar.is_open ? "hours.open" : "hours.closed");
    return t(calendar.is_open ? "hours.open_until" : "hours.opens", { at: moment(calendar.changes_at, calendar.zone) });
  }

  const faultWords = (fault: HoursFault) => t(`hours.fault_${fault.word}`, { other: fault.other ?? "" });

  /** Of a two-letter code. Browsers know them in most languages, our catalogue those of our first houses in all of its own. */
  function countryName(code: string): string {
    if (te(`region.${code}`)) return t(`region.${code}`);
    return nameOfCountry(code, locale.value);
  }

  return { intervals, runWords, openness, faultWords, countryName };
}
