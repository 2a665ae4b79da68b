/*
 * Words of the calendar for languages that browsers have no dates for: Chromium carries neither Armenian nor Georgian
 * (Intl.DateTimeFormat.supportedLocalesOf, Chromium 2026). Where the browser knows the language, format.ts asks it.
 */
export interface Calendar {
  /** After a day: "5 մայիսի". */
  monthsOfDate: readonly string[];
  monthsShort: readonly string[];
  /** Sunday first, as Date.getDay counts. */
  weekdays: readonly string[];
  weekdaysShort: readonly string[];
  today: string;
  yesterday: string;
  /** A language that browsers know and that writes numbers alike: space between thousands, comma before decimals. */
  numerals: string;
  units: { second: string; minute: string; hour: string; day: string; kilobyte: string; megabyte: string };
}

const CALENDARS: Record<string, Calendar> = {
  hy: {
    monthsOfDate: ["հունվարի", "փետրվարի", "մարտի", "ապրիլի", "մայիսի", "հունիսի", "հուլիսի", "օգոստոսի", "սեպտեմբերի", "հոկտեմբերի", "նոյեմբերի", "դեկտեմբերի"],
    monthsShort: ["հնվ", "փտվ", "մրտ", "ապր", "մյս", "հնս", "հլս", "օգս", "սեպ", "հոկ", "նոյ", "դեկ"],
    weekdays: ["կիրակի", "երկուշաբթի", "երեքշաբթի", "չորեքշաբթի", "հինգշաբթի", "ուրբաթ", "շաբաթ"],
    weekdaysShort: ["կիր", "երկ", "երք", "չրք", "հնգ", "ուր", "շբթ"],
    today: "այսօր",
    yesterday: "երեկ",
    numerals: "uk",
    units: { second: "վրկ", minute: "ր", hour: "ժ", day: "օր", kilobyte: "ԿԲ", megabyte: "ՄԲ" },
  },
};

/** The words for `locale`, if the browser has none of its own. */
export function ownCalendar(locale: string): Calendar | undefined {
  const own = CALENDARS[locale.split("-")[0] ?? ""];
  return own && Intl.DateTimeFormat.supportedLocalesOf([locale]).length === 0 ? own : undefined;
}
