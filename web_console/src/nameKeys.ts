/*
 * The Latin keys of names, by which the hub's search meets "Nar" and Նարեկ: hub/domain/folding.py once more, for the lists that are
 * narrowed down here. Its tables and reductions are explained there; the pairs that must meet are its tests' (nameKeys.test.ts).
 */
const MOST_KEYS = 8;
const MOST_KEPT = 20_000;

const table = (pairs: string): Record<string, string> => Object.fromEntries(pairs.split(" ").map((pair) => [pair[0], pair.slice(1)]));

const SCRIPTS: Readonly<Record<string, string>> = {
  // Armenian
  ...table("աa բb գg դd եe զz էe ըe թt ժZ իi լl խh ծT կk հh ձdz ղg ճC մm յi նn շS ոo չC պp ջJ ռr սs վv տt րr ցT փp քk օo ֆf ւv ևev"),
  // Georgian
  ...table("აa ბb გg დd ეe ვv ზz თt იi კk ლl მm ნn ოo პp ჟZ რr სs ტt უu ფp ქk ღg ყk შS ჩC ცT ძdz წT ჭC ხh ჯJ ჰh ჲi ჳv ჴk ჵo"),
  // Cyrillic: г is g in Russian and h in Ukrainian
  ...table("аa бb вv гg|h дd еe зz иi йi кk лl мm нn оo пp рr сs тt уu фf хh цT чC шS щS ыi эe юiu яia іi ґg ёe|io єe|ie їi жZ ўu ь ъ ђJ јi љli њni ћC џJ"),
};
const SAME: Readonly<Record<string, string>> = { ə: "e", ı: "i", ø: "o", ł: "l", đ: "d", ð: "d", þ: "th", ħ: "h", æ: "ae", œ: "oe" };
const MARKED: Readonly<Record<string, string>> = { š: "S", ş: "S", ș: "S", č: "C", ç: "C", ć: "C", ž: "Z", ğ: "g", ż: "Z", ə: "a|e", ț: "T" };
const AZERBAIJANI = /[əğış]/u;
const AZERBAIJANI_LETTERS: Readonly<Record<string, string>> = { c: "J", x: "h", q: "k|g", j: "Z" };
const TOGETHER: Readonly<Record<string, string>> = {
  tsch: "C", shch: "S", sch: "S", tch: "C", dzh: "J", dž: "J", dj: "J", sh: "S", ch: "C", cz: "C", zh: "Z", kh: "h", gh: "g", ph: "f", th: "t", ts: "T", tz: "T", ck: "k", oo: "u", ou: "u", ee: "i",
};
const TOGETHER_AT = new RegExp(Object.keys(TOGETHER).join("|"), "uy");
const ALONE: Readonly<Record<string, string>> = { c: "T|k", j: "J|i", q: "k|g", x: "h|ks", w: "v", y: "i" };
const VOWELS = "aeiou";
const APOSTROPHES = /['’‘ʼʻʹ`´′＇]/gu;
/** A Latin word that is still being typed may end in the middle of one sound. */
const BEGINS_SOUND = /[cdgkpstyzijeo]$/iu;

const isAscii = (text: string) => /^[\x20-\x7e]+$/.test(text);
const bare = (letter: string): string => (isAscii(letter) ? letter : (SAME[letter] ?? letter.normalize("NFKD").replace(/\p{M}/gu, "")));

const kept = new Map<string, readonly string[]>();

/** Of one word of a name; none for a word that has no letter of a known script. */
export function nameKeys(word: string): readonly string[] {
  const known = kept.get(word);
  if (known) return known;
  if (kept.size >= MOST_KEPT) kept.clear();
  const keys = keysOf(word);
  kept.set(word, keys);
  return keys;
}

function keysOf(word: string): readonly string[] {
  const lower = word.toLowerCase().replaceAll("i̇", "i").normalize("NFC").replace(APOSTROPHES, "");
  if (lower === "" || /\p{Nd}/u.test(lower)) return [];
  const letters = [...lower];
  const parts = letters.some((letter) => letter in SCRIPTS) ? fromScript(lower) : letters.every((letter) => letter in MARKED || isAscii(bare(letter))) ? fromLatin(lower) : [];
  return [...new Set(readings(parts).map(reduced))].filter((key) => key !== "");
}

function fromScript(lower: string): string[] {
  const text = lower
    .replaceAll("եւ", "և")
    .replaceAll("ու", "u")
    .replaceAll("ոյ", "ui")
    .replace(/[ьъ](?=[еєёюяіїио])/gu, "i")
    .replaceAll("дж", "J")
    .replaceAll("сч", "S")
    .replaceAll("тс", "T")
    .replaceAll("кс", "ks");
  const parts = [...text].map((letter) => SCRIPTS[letter] ?? (isAscii(letter) ? letter : ""));
  // Armenian: vo at the beginning of a word, where speech keeps it and passports may not.
  if (lower.startsWith("ո") && text.startsWith("ո")) parts[0] = "o|vo";
  return parts;
}

function fromLatin(lower: string): string[] {
  const isAzerbaijani = AZERBAIJANI.test(lower);
  const parts: string[] = [];
  for (let place = 0; place < lower.length; ) {
    TOGETHER_AT.lastIndex = place;
    const together = TOGETHER_AT.exec(lower)?.[0];
    if (together !== undefined && !(isAzerbaijani && (together[0] ?? "") in AZERBAIJANI_LETTERS)) {
      parts.push(TOGETHER[together] ?? "");
      place += together.length;
      continue;
    }
    const letter = lower[place] ?? "";
    place += 1;
    const plain = bare(letter);
    parts.push((isAzerbaijani ? AZERBAIJANI_LETTERS[letter] : undefined) ?? MARKED[letter] ?? ALONE[plain] ?? plain);
  }
  return parts;
}

/** A letter with two readings is read alike wherever it stands in a word: nobody mixes them. */
function readings(parts: readonly string[]): string[] {
  const open = [...new Set(parts.filter((part) => part.includes("|")))];
  let choices: Readonly<Record<string, string>>[] = [{}];
  for (const part of open) choices = choices.flatMap((choice) => part.split("|").map((reading) => ({ ...choice, [part]: reading }))).slice(0, MOST_KEYS);
  return parts.length === 0 ? [] : choices.map((choice) => parts.map((part) => choice[part] ?? part).join(""));
}

function reduced(sounds: string): string {
  const once = (text: string) => text.replace(/(.)\1+/gu, "$1");
  let key = once(sounds);
  if (/[oe]f$/.test(key) && key.length > 4) key = `${key.slice(0, -1)}v`;
  let letters = "";
  for (let place = 0; place < key.length; place += 1) {
    const before = letters.at(-1);
    if (key[place] === "i" && key[place + 1] === "e" && (before === undefined || VOWELS.includes(before))) continue;
    letters += key[place];
  }
  return once(letters);
}

/** Of a word of which perhaps only the beginning was typed. */
function beginnings(word: string): readonly string[] {
  return word.length > 3 && BEGINS_SOUND.test(word) ? [...nameKeys(word), ...nameKeys(word.slice(0, -1))] : nameKeys(word);
}

const wordsIn = (text: string): string[] => text.normalize("NFC").match(/[\p{L}\p{N}](?:[\p{L}\p{N}\p{M}]|['’‘ʼʻʹ`´′＇](?=[\p{L}\p{N}]))*/gu) ?? [];

/** Whether a word of the name may be spelt so, or so begun, in any script. */
export function isSpelt(name: string, word: string): boolean {
  const typed = wordsIn(word);
  const spellings = wordsIn(name).flatMap(nameKeys);
  return typed.length > 0 && typed.every((each) => beginnings(each).some((begun) => spellings.some((key) => key.startsWith(begun))));
}
