/*
 * Telephone numbers as people read them: the country's code, then groups as that country writes them. The hub keeps and takes E.164
 * (+37491123456); this is for the eye alone, and what somebody copies is plain again. Armenia, Georgia, Azerbaijan and Ukraine are grouped
 * as the hub's libphonenumber does it, which names customers by their numbers. Of other countries the digits stand in threes. Pure.
 */

/** Calling codes of one and of two digits; all others have three (ITU-T E.164, list of assigned codes). */
const SHORT_CODES = /^(?:1|7|2[07]|3[0123469]|4[013456789]|5[1-8]|6[0-6]|8[1246]|9[0-58])/u;

type Grouping = (national: string) => readonly number[] | null;
const always = (...groups: number[]): Grouping => (national) => (national.length === groups.reduce((sum, each) => sum + each, 0) ? groups : null);

/** By calling code. Armenia's towns have codes of three digits, Yerevan and mobiles of two; so in Georgia only Tbilisi. */
const GROUPINGS: Readonly<Record<string, Grouping>> = {
  "374": (national) => (national.length !== 8 ? null : /^[23]/u.test(national) ? [3, 5] : /^[89]0/u.test(national) ? [3, 2, 3] : [2, 6]),
  "995": (national) => (national.length !== 9 ? null : national.startsWith("32") ? [2, 3, 2, 2] : [3, 2, 2, 2]),
  "994": always(2, 3, 2, 2),
  "380": always(2, 3, 4),
  "1": always(3, 3, 4),
  "7": always(3, 3, 2, 2),
};

/** Threes, and no digit alone at the end. */
const threes = (length: number): number[] => (length <= 4 ? [length] : [3, ...threes(length - 3)]);

/** `+37491123456` → `+374 91 123456`. What is no such number stays as it is. */
export function readableNumber(address: string): string {
  const digits = /^\+(\d{7,15})$/u.exec(address)?.[1];
  if (!digits) return address;
  const code = SHORT_CODES.exec(digits)?.[0] ?? digits.slice(0, 3);
  const national = digits.slice(code.length);
  const parts: string[] = [];
  let at = 0;
  for (const length of GROUPINGS[code]?.(national) ?? threes(national.length)) {
    parts.push(national.slice(at, at + length));
    at += length;
  }
  return [`+${code}`, ...parts].join(" ");
}

/** The number in E.164, where `text` is one number as people read it and nothing else; else null. */
export function plainNumber(text: string): string | null {
  const plain = text.replace(/\s/gu, "");
  return /^\+\d{7,15}$/u.test(plain) && readableNumber(plain) === text.trim() ? plain : null;
}

/** Whoever copies a number takes it elsewhere: it goes as programs want it. What is typed in a field is copied as it stands there. */
export function copyPlainNumbers(event: ClipboardEvent): void {
  const plain = plainNumber(document.getSelection()?.toString() ?? "");
  if (plain === null || !event.clipboardData) return;
  event.clipboardData.setData("text/plain", plain);
  event.preventDefault();
}
