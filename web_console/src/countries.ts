/*
 * The countries by their two letters (ISO 3166-1 alpha-2; the hub knows the same), in the reader's words: the browser's where it has the
 * language, else those of country_names/: Chromium carries no Armenian and no Georgian, and of Azerbaijani the rules without the words. They
 * are those of the Unicode CLDR 48 (territories).
 */
const CODES = `
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL
CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU
GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC
MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT
PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA
UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
`.trim().split(/\s+/);

const names = new Map<string, Readonly<Record<string, string>>>();

/** Names in a language that browsers do not have; `setLanguage` brings them with the catalogue. */
export function learnCountries(locale: string, own: Readonly<Record<string, string>>): void {
  names.set(locale, own);
}

/** Its name, or its letters where nobody has a name for it. */
export function countryName(code: string, locale: string): string {
  const own = names.get(locale)?.[code];
  if (own !== undefined) return own;
  try {
    return new Intl.DisplayNames([locale, "en"], { type: "region" }).of(code) ?? code;
  } catch {
    return code;
  }
}

/** All of them by name, with `first` (those one meets most) before the others. */
export function countries(locale: string, first: readonly string[] = []): { value: string; label: string }[] {
  const named = CODES.map((value) => ({ value, label: countryName(value, locale) }));
  const place = new Map(first.map((code, index) => [code, index]));
  return named.toSorted((a, b) => (place.get(a.value) ?? first.length) - (place.get(b.value) ?? first.length) || a.label.localeCompare(b.label, locale));
}

/** These, and what is kept already if it is none of them (nothing, or a place that is no country): no list says what is not so. */
export function withKept(choices: { value: string; label: string }[], kept: string, none: string): { value: string; label: string }[] {
  return choices.some(({ value }) => value === kept) ? choices : [{ value: kept, label: kept === "" ? none : kept }, ...choices];
}

/* Countries with one time zone (tz database, zone1970.tab, 2026): where somebody lives says what time it is there. */
const ONE_ZONE: Readonly<Record<string, string>> = {
  AE: "Asia/Dubai", AM: "Asia/Yerevan", AT: "Europe/Vienna", AZ: "Asia/Baku", BE: "Europe/Brussels", BG: "Europe/Sofia", BY: "Europe/Minsk", CH: "Europe/Zurich",
  CZ: "Europe/Prague", DK: "Europe/Copenhagen", EE: "Europe/Tallinn", EG: "Africa/Cairo", FI: "Europe/Helsinki", FR: "Europe/Paris", GB: "Europe/London",
  GE: "Asia/Tbilisi", GR: "Europe/Athens", HR: "Europe/Zagreb", HU: "Europe/Budapest", IE: "Europe/Dublin", IL: "Asia/Jerusalem", IN: "Asia/Kolkata", IQ: "Asia/Baghdad",
  IR: "Asia/Tehran", IT: "Europe/Rome", JP: "Asia/Tokyo", KG: "Asia/Bishkek", KR: "Asia/Seoul", LB: "Asia/Beirut", LT: "Europe/Vilnius", LV: "Europe/Riga",
  MD: "Europe/Chisinau", MK: "Europe/Skopje", NL: "Europe/Amsterdam", NO: "Europe/Oslo", PL: "Europe/Warsaw", QA: "Asia/Qatar", RO: "Europe/Bucharest",
  RS: "Europe/Belgrade", SA: "Asia/Riyadh", SE: "Europe/Stockholm", SG: "Asia/Singapore", SI: "Europe/Ljubljana", SK: "Europe/Bratislava", SY: "Asia/Damascus",
  TJ: "Asia/Dushanbe", TM: "Asia/Ashgabat", TR: "Europe/Istanbul", UA: "Europe/Kyiv",
};

/** The time zone of a country that has one alone. */
export const zoneOf = (country: string): string | null => ONE_ZONE[country] ?? null;
