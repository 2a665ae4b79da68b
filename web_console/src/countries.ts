/*
 * The countries by their two letters (ISO 3166-1 alpha-2; the hub knows the same), in the reader's words: the browser's where it has the
 * language, else those below. Chromium carries no Armenian; the names are those of the Unicode CLDR (territories, hy).
 */
const CODES = `
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL
CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU
GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC
MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT
PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA
UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
`.trim().split(/\s+/);

const NAMES: Record<string, Readonly<Record<string, string>>> = {
  hy: {
    AD: "Անդորրա", AE: "Արաբական Միացյալ Էմիրություններ", AF: "Աֆղանստան", AG: "Անտիգուա և Բարբուդա", AI: "Անգուիլա", AL: "Ալբանիա", AM: "Հայաստան",
    AO: "Անգոլա", AQ: "Անտարկտիդա", AR: "Արգենտինա", AS: "Ամերիկյան Սամոա", AT: "Ավստրիա", AU: "Ավստրալիա", AW: "Արուբա", AX: "Ալանդյան կղզիներ",
    AZ: "Ադրբեջան", BA: "Բոսնիա և Հերցեգովինա", BB: "Բարբադոս", BD: "Բանգլադեշ", BE: "Բելգիա", BF: "Բուրկինա Ֆասո", BG: "Բուլղարիա", BH: "Բահրեյն",
    BI: "Բուրունդի", BJ: "Բենին", BL: "Սուրբ Բարդուղիմեոս", BM: "Բերմուդներ", BN: "Բրունեյ", BO: "Բոլիվիա", BQ: "Կարիբյան Նիդեռլանդներ", BR: "Բրազիլիա",
    BS: "Բահամյան կղզիներ", BT: "Բութան", BV: "Բուվե կղզի", BW: "Բոտսվանա", BY: "Բելառուս", BZ: "Բելիզ", CA: "Կանադա", CC: "Կոկոսյան (Քիլինգ) կղզիներ",
    CD: "Կոնգո - Կինշասա", CF: "Կենտրոնական Աֆրիկյան Հանրապետություն", CG: "Կոնգո - Բրազավիլ", CH: "Շվեյցարիա", CI: "Կոտ դ՚Իվուար", CK: "Կուկի կղզիներ",
    CL: "Չիլի", CM: "Կամերուն", CN: "Չինաստան", CO: "Կոլումբիա", CR: "Կոստա Ռիկա", CU: "Կուբա", CV: "Կաբո Վերդե", CW: "Կյուրասաո",
    CX: "Սուրբ Ծննդյան կղզի", CY: "Կիպրոս", CZ: "Չեխիա", DE: "Գերմանիա", DJ: "Ջիբութի", DK: "Դանիա", DM: "Դոմինիկա", DO: "Դոմինիկյան Հանրապետություն",
    DZ: "Ալժիր", EC: "Էկվադոր", EE: "Էստոնիա", EG: "Եգիպտոս", EH: "Արևմտյան Սահարա", ER: "Էրիթրեա", ES: "Իսպանիա", ET: "Եթովպիա", FI: "Ֆինլանդիա",
    FJ: "Ֆիջի", FK: "Ֆոլքլենդյան կղզիներ", FM: "Միկրոնեզիա", FO: "Ֆարերյան կղզիներ", FR: "Ֆրանսիա", GA: "Գաբոն", GB: "Միացյալ Թագավորություն",
    GD: "Գրենադա", GE: "Վրաստան", GF: "Ֆրանսիական Գվիանա", GG: "Գերնսի", GH: "Գանա", GI: "Ջիբրալթար", GL: "Գրենլանդիա", GM: "Գամբիա", GN: "Գվինեա",
    GP: "Գվադելուպա", GQ: "Հասարակածային Գվինեա", GR: "Հունաստան", GS: "Հարավային Ջորջիա և Հարավային Սենդվիչյան կղզիներ", GT: "Գվատեմալա", GU: "Գուամ",
    GW: "Գվինեա-Բիսաու", GY: "Գայանա", HK: "Հոնկոնգի ՀՎՇ", HM: "Հերդ կղզի և ՄակԴոնալդի կղզիներ", HN: "Հոնդուրաս", HR: "Խորվաթիա", HT: "Հայիթի",
    HU: "Հունգարիա", ID: "Ինդոնեզիա", IE: "Իռլանդիա", IL: "Իսրայել", IM: "Մեն կղզի", IN: "Հնդկաստան", IO: "Բրիտանական տարածք Հնդկական Օվկիանոսում",
    IQ: "Իրաք", IR: "Իրան", IS: "Իսլանդիա", IT: "Իտալիա", JE: "Ջերսի", JM: "Ճամայկա", JO: "Հորդանան", JP: "Ճապոնիա", KE: "Քենիա", KG: "Ղրղզստան",
    KH: "Կամբոջա", KI: "Կիրիբատի", KM: "Կոմորյան կղզիներ", KN: "Սենթ Քիտս և Նևիս", KP: "Հյուսիսային Կորեա", KR: "Հարավային Կորեա", KW: "Քուվեյթ",
    KY: "Կայմանյան կղզիներ", KZ: "Ղազախստան", LA: "Լաոս", LB: "Լիբանան", LC: "Սենթ Լյուսիա", LI: "Լիխտենշտեյն", LK: "Շրի Լանկա", LR: "Լիբերիա",
    LS: "Լեսոտո", LT: "Լիտվա", LU: "Լյուքսեմբուրգ", LV: "Լատվիա", LY: "Լիբիա", MA: "Մարոկկո", MC: "Մոնակո", MD: "Մոլդովա", ME: "Չեռնոգորիա",
    MF: "Սեն Մարտեն", MG: "Մադագասկար", MH: "Մարշալյան կղզիներ", MK: "Հյուսիսային Մակեդոնիա", ML: "Մալի", MM: "Մյանմա (Բիրմա)", MN: "Մոնղոլիա",
    MO: "Չինաստանի Մակաո ՀՎՇ", MP: "Հյուսիսային Մարիանյան կղզիներ", MQ: "Մարտինիկա", MR: "Մավրիտանիա", MS: "Մոնսեռատ", MT: "Մալթա", MU: "Մավրիկիոս",
    MV: "Մալդիվներ", MW: "Մալավի", MX: "Մեքսիկա", MY: "Մալայզիա", MZ: "Մոզամբիկ", NA: "Նամիբիա", NC: "Նոր Կալեդոնիա", NE: "Նիգեր", NF: "Նորֆոլկ կղզի",
    NG: "Նիգերիա", NI: "Նիկարագուա", NL: "Նիդեռլանդներ", NO: "Նորվեգիա", NP: "Նեպալ", NR: "Նաուրու", NU: "Նիուե", NZ: "Նոր Զելանդիա", OM: "Օման",
    PA: "Պանամա", PE: "Պերու", PF: "Ֆրանսիական Պոլինեզիա", PG: "Պապուա Նոր Գվինեա", PH: "Ֆիլիպիններ", PK: "Պակիստան", PL: "Լեհաստան",
    PM: "Սեն Պիեռ և Միքելոն", PN: "Պիտկեռն կղզիներ", PR: "Պուերտո Ռիկո", PS: "Պաղեստինյան տարածքներ", PT: "Պորտուգալիա", PW: "Պալաու", PY: "Պարագվայ",
    QA: "Կատար", RE: "Ռեյունիոն", RO: "Ռումինիա", RS: "Սերբիա", RU: "Ռուսաստան", RW: "Ռուանդա", SA: "Սաուդյան Արաբիա", SB: "Սողոմոնյան կղզիներ",
    SC: "Սեյշելներ", SD: "Սուդան", SE: "Շվեդիա", SG: "Սինգապուր", SH: "Սուրբ Հեղինեի կղզի", SI: "Սլովենիա", SJ: "Սվալբարդ և Յան Մայեն", SK: "Սլովակիա",
    SL: "Սիեռա Լեոնե", SM: "Սան Մարինո", SN: "Սենեգալ", SO: "Սոմալի", SR: "Սուրինամ", SS: "Հարավային Սուդան", ST: "Սան Տոմե և Փրինսիպի", SV: "Սալվադոր",
    SX: "Սինտ Մարտեն", SY: "Սիրիա", SZ: "Էսվատինի", TC: "Թըրքս և Կայկոս կղզիներ", TD: "Չադ", TF: "Ֆրանսիական Հարավային Տարածքներ", TG: "Տոգո",
    TH: "Թաիլանդ", TJ: "Տաջիկստան", TK: "Տոկելաու", TL: "Թիմոր Լեշտի", TM: "Թուրքմենստան", TN: "Թունիս", TO: "Տոնգա", TR: "Թուրքիա",
    TT: "Տրինիդադ և Տոբագո", TV: "Տուվալու", TW: "Թայվան", TZ: "Տանզանիա", UA: "Ուկրաինա", UG: "Ուգանդա", UM: "Արտաքին կղզիներ (ԱՄՆ)",
    US: "Միացյալ Նահանգներ", UY: "Ուրուգվայ", UZ: "Ուզբեկստան", VA: "Վատիկան", VC: "Սենթ Վինսենթ և Գրենադիններ", VE: "Վենեսուելա",
    VG: "Բրիտանական Վիրջինյան կղզիներ", VI: "ԱՄՆ Վիրջինյան կղզիներ", VN: "Վիետնամ", VU: "Վանուատու", WF: "Ուոլիս և Ֆուտունա", WS: "Սամոա", YE: "Եմեն",
    YT: "Մայոտ", ZA: "Հարավաֆրիկյան Հանրապետություն", ZM: "Զամբիա", ZW: "Զիմբաբվե",
  },
};

/** Its name, or its letters where nobody has a name for it. */
export function countryName(code: string, locale: string): string {
  const own = NAMES[locale]?.[code];
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
