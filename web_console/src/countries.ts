/* Countries to choose from: where the hub's first users are, then the others by name. Pure. */

const FIRST = ["AM", "GE", "AZ", "UA"];
const OTHERS = [
  "AE", "AT", "AU", "BE", "BG", "BR", "BY", "CA", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GR", "HR", "HU", "IE", "IL", "IN", "IS", "IT",
  "JP", "KG", "KZ", "LT", "LU", "LV", "MD", "ME", "MK", "MT", "MX", "NL", "NO", "NZ", "PL", "PT", "RO", "RS", "SE", "SG", "SI", "SK", "TJ", "TM", "TR", "US", "UZ", "ZA",
];

/** `own`: the catalogue's name of a country, or null where it has none. */
export function countriesIn(locale: string, own: (code: string) => string | null): { value: string; label: string }[] {
  const names = new Intl.DisplayNames([locale, "en"], { type: "region" });
  const named = (code: string) => ({ value: code, label: own(code) ?? names.of(code) ?? code });
  return [...FIRST.map(named), ...OTHERS.map(named).toSorted((a, b) => a.label.localeCompare(b.label, locale))];
}
