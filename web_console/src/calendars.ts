/*
 * Words of the calendar for languages that browsers have no dates for: Chromium carries neither Armenian nor Georgian, and of Azerbaijani the
 * rules without the words ("M05 5, Thu"; Chromium 2026). Where the browser knows the language, format.ts asks it. The words are those
 * of the Unicode CLDR 48.
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
  /** A language that browsers know and that writes numbers alike. */
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
  ka: {
    monthsOfDate: ["იანვარი", "თებერვალი", "მარტი", "აპრილი", "მაისი", "ივნისი", "ივლისი", "აგვისტო", "სექტემბერი", "ოქტომბერი", "ნოემბერი", "დეკემბერი"],
    monthsShort: ["იან", "თებ", "მარ", "აპრ", "მაი", "ივნ", "ივლ", "აგვ", "სექ", "ოქტ", "ნოე", "დეკ"],
    weekdays: ["კვირა", "ორშაბათი", "სამშაბათი", "ოთხშაბათი", "ხუთშაბათი", "პარასკევი", "შაბათი"],
    weekdaysShort: ["კვი", "ორშ", "სამ", "ოთხ", "ხუთ", "პარ", "შაბ"],
    today: "დღეს",
    yesterday: "გუშინ",
    numerals: "uk",
    units: { second: "წმ", minute: "წთ", hour: "სთ", day: "დღე", kilobyte: "კბ", megabyte: "მბ" },
  },
  az: {
    monthsOfDate: ["yanvar", "fevral", "mart", "aprel", "may", "iyun", "iyul", "avqust", "sentyabr", "oktyabr", "noyabr", "dekabr"],
    monthsShort: ["yan", "fev", "mar", "apr", "may", "iyn", "iyl", "avq", "sen", "okt", "noy", "dek"],
    weekdays: ["bazar", "bazar ertəsi", "çərşənbə axşamı", "çərşənbə", "cümə axşamı", "cümə", "şənbə"],
    weekdaysShort: ["B.", "B.E.", "Ç.A.", "Ç.", "C.A.", "C.", "Ş."],
    today: "bu gün",
    yesterday: "dünən",
    numerals: "id",
    units: { second: "san", minute: "dəq", hour: "saat", day: "gün", kilobyte: "KB", megabyte: "MB" },
  },
};

/** Whether the browser has words of its own: one that does not know them says them in English, and "M05" where it has the rules alone. */
function isKnown(locale: string): boolean {
  if (Intl.DateTimeFormat.supportedLocalesOf([locale]).length === 0) return false;
  return !/^M\d/.test(new Intl.DateTimeFormat(locale, { month: "long", timeZone: "UTC" }).format(0));
}

const known = new Map<string, boolean>();

/** The words for `locale`, if the browser has none of its own. */
export function ownCalendar(locale: string): Calendar | undefined {
  const own = CALENDARS[locale.split("-")[0] ?? ""];
  if (own === undefined) return undefined;
  // Asked for every time on the screen, and an Intl object costs more than all the rest.
  if (!known.has(locale)) known.set(locale, isKnown(locale));
  return known.get(locale) ? undefined : own;
}

/** The language whose numbers are asked for in place of `locale`'s, where the browser does not know them. */
export const numerals = (locale: string): string => ownCalendar(locale)?.numerals ?? locale;
