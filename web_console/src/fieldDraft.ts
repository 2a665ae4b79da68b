/* A custom field while it is defined: keys made of names, and options of a choice. Pure. */
import type { CustomFieldView } from "./events";

export type FieldOption = CustomFieldView["options"][number];

/* Letters of our readers' languages in Latin ones, as plainly as a key wants it (no standard's marks). */
const LATIN: readonly (readonly [string, readonly string[]])[] = [
  ["աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆև", ["a", "b", "g", "d", "e", "z", "e", "y", "t", "zh", "i", "l", "kh", "ts", "k", "h", "dz", "gh", "ch", "m", "y", "n", "sh", "o", "ch", "p", "j", "r", "s", "v", "t", "r", "ts", "v", "p", "k", "o", "f", "ev"]],
  ["აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ", ["a", "b", "g", "d", "e", "v", "z", "t", "i", "k", "l", "m", "n", "o", "p", "zh", "r", "s", "t", "u", "p", "k", "gh", "q", "sh", "ch", "ts", "dz", "ts", "ch", "kh", "j", "h"]],
  ["абвгґдеєёжзиіїйклмнопрстуфхцчшщьъыэюя", ["a", "b", "v", "h", "g", "d", "e", "ye", "yo", "zh", "z", "y", "i", "yi", "y", "k", "l", "m", "n", "o", "p", "r", "s", "t", "u", "f", "kh", "ts", "ch", "sh", "shch", "", "", "y", "e", "yu", "ya"]],
  ["əıöüğçş", ["e", "i", "o", "u", "g", "c", "s"]],
];
const LETTERS = new Map(LATIN.flatMap(([letters, latin]) => [...letters].map((letter, index) => [letter, latin[index] ?? ""] as const)));
const LONGEST_KEY = 40;

/** A key that a name suggests, other than those there are: "Պատվերի համար" → "patveri_hamar". */
export function keyFrom(name: string, taken: readonly string[]): string {
  // The Armenian digraph ու is one sound.
  const latin = [...name.toLowerCase().replaceAll("ու", "u").normalize("NFC")].map((letter) => LETTERS.get(letter) ?? letter).join("");
  const plain = latin.normalize("NFD").replace(/[^a-z0-9]+/gu, (run) => (/^\p{M}+$/u.test(run) ? "" : "_")).replace(/^[^a-z]+|_+$/gu, "").slice(0, LONGEST_KEY);
  const base = plain || "field";
  if (!taken.includes(base)) return base;
  for (let number = 2; ; number++) {
    const numbered = `${base.slice(0, LONGEST_KEY - 4)}_${number}`;
    if (!taken.includes(numbered)) return numbered;
  }
}

/** The options with one more, by its label; none that is blank or there already. */
export function withOption(options: readonly FieldOption[], label: string): FieldOption[] {
  const text = label.trim().replace(/\s+/gu, " ");
  if (text === "" || options.some((each) => each.label.toLocaleLowerCase() === text.toLocaleLowerCase())) return [...options];
  return [...options, { key: keyFrom(text, options.map((each) => each.key)), label: text, active: true }];
}

/** The list with one moved up or down by a place; at its end it stays. */
export function moved<T>(items: readonly T[], index: number, by: 1 | -1): T[] {
  const target = index + by;
  const item = items[index];
  if (item === undefined || target < 0 || target >= items.length) return [...items];
  return items.toSpliced(index, 1).toSpliced(target, 0, item);
}
