/*
 * The console's languages. A language is a catalogue in locales/ and a line here; keys are the same in each (a test compares).
 *
 * Plurals: the forms of a message stand in the order of the language's own CLDR categories (Intl.PluralRules), so each
 * catalogue writes as many as its language has.
 */
import { createI18n } from "vue-i18n";

import { learnCountries } from "./countries";
import type en from "./locales/en.json";

/** Each by its own name; the hub knows the same (hub/domain/languages.py), and a test compares. */
export const LANGUAGES = { en: "English", uk: "Українська", hy: "Հայերեն", ka: "ქართული", az: "Azərbaycanca" } as const;
export type Language = keyof typeof LANGUAGES;

const LOADERS: Record<Language, () => Promise<{ default: object }>> = {
  en: () => import("./locales/en.json"),
  uk: () => import("./locales/uk.json"),
  hy: () => import("./locales/hy.json"),
  ka: () => import("./locales/ka.json"),
  az: () => import("./locales/az.json"),
};
/** Of the languages that browsers have no words of. */
const COUNTRIES: Partial<Record<Language, () => Promise<{ default: Record<string, string> }>>> = {
  hy: () => import("./country_names/hy.json"),
  ka: () => import("./country_names/ka.json"),
  az: () => import("./country_names/az.json"),
};

const CATEGORY_ORDER = ["zero", "one", "two", "few", "many", "other"];

export function pluralCategories(language: string): string[] {
  const has = new Intl.PluralRules(language).resolvedOptions().pluralCategories as string[];
  return CATEGORY_ORDER.filter((category) => has.includes(category));
}

function pluralRule(language: string): (choice: number) => number {
  const rules = new Intl.PluralRules(language);
  const categories = pluralCategories(language);
  return (choice) => Math.max(0, categories.indexOf(rules.select(choice)));
}

export const i18n = createI18n({
  legacy: false,
  locale: "en",
  fallbackLocale: "en",
  messages: {} as Record<string, typeof en>,
  pluralRules: Object.fromEntries(Object.keys(LANGUAGES).map((language) => [language, pluralRule(language)])),
});

export function isLanguage(text: string | null | undefined): text is Language {
  return text !== null && text !== undefined && text in LANGUAGES;
}

/** The first of `wanted` that there is a catalogue for. */
export function chooseLanguage(wanted: readonly (string | null | undefined)[]): Language {
  return wanted.map((each) => each?.split("-")[0]).find(isLanguage) ?? "en";
}

/** The last that was chosen: a catalogue that comes late is of no language that is wanted any more. */
let wanted: Language | null = null;

export async function setLanguage(language: Language): Promise<void> {
  wanted = language;
  if (!i18n.global.availableLocales.includes(language)) {
    const [catalogue, countries] = await Promise.all([LOADERS[language](), COUNTRIES[language]?.()]);
    if (countries) learnCountries(language, countries.default);
    i18n.global.setLocaleMessage(language, catalogue.default as typeof en);
  }
  if (wanted !== language) return;
  i18n.global.locale.value = language;
  document.documentElement.lang = language;
  localStorage.setItem("hub.language", language);
}
