/*
 * Who is named in a note. A name stands in the text behind an @, as anybody would write it; who is meant goes along as ids. So a
 * draft is plain text everywhere, and what is marked in the timeline is text, too. Pure.
 */
import type { Mention } from "./events";
import { fold } from "./fold";

export interface Nameable extends Mention {
  name: string;
  /** Does not see the conversation yet, and will when they are named. */
  isNew: boolean;
}

/** A name that is being written: from the @ to the cursor. */
export interface Begun {
  from: number;
  words: string;
}

/** A name is a few words; behind more of them the @ was no beginning of one. */
const LONGEST_NAME = 40;
const MOST_OFFERED = 8;

const isWordSign = (sign: string | undefined) => sign !== undefined && /[\p{L}\p{N}_]/u.test(sign);

/** What is being written at the cursor; null: no name. An @ inside a word is an address. */
export function begunAt(text: string, caret: number): Begun | null {
  const from = text.lastIndexOf("@", caret - 1);
  if (from === -1 || caret - from > LONGEST_NAME || isWordSign(text[from - 1])) return null;
  const words = text.slice(from + 1, caret);
  return /[\n@]|^\s|\s{2}/u.test(words) ? null : { from, words };
}

/** Those that fit, whose name begins so before those in which it stands. A whole name with a space behind it is written. */
export function offered(all: readonly Nameable[], words: string): Nameable[] {
  if (/\s$/u.test(words) && all.some((each) => each.name === words.trim())) return [];
  const wanted = fold(words.trim());
  const rank = (name: string) => {
    const low = fold(name);
    return low.startsWith(wanted) ? 0 : low.split(/\s+/u).some((part) => part.startsWith(wanted)) ? 1 : low.includes(wanted) ? 2 : 3;
  };
  return all
    .map((each) => ({ each, rank: rank(each.name) }))
    .filter((each) => each.rank < 3)
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ each }) => each)
    .slice(0, MOST_OFFERED);
}

/** Everybody whose name stands in the text. `chosen`: which of several with one name was meant. */
export function namedIn(text: string, all: readonly Nameable[], chosen: ReadonlyMap<string, Mention> = new Map()): Mention[] {
  const found = new Map<string, Mention>();
  for (const { name } of marksOf(text, [...new Set(all.map((each) => each.name))])) {
    const meant = chosen.get(name) ?? all.find((each) => each.name === name);
    if (meant) found.set(`${meant.kind}:${meant.id}`, { kind: meant.kind, id: meant.id });
  }
  return [...found.values()];
}

export interface NotePiece {
  text: string;
  /** Who is named by it, as `user:3`. */
  ref: string | null;
}

/** A note's text in pieces. `data`: what the hub keeps of who is named, `user:3` → the name as it stands in the text. */
export function notePieces(text: string, data: Readonly<Record<string, string | number | null>>): NotePiece[] {
  const refs = new Map(Object.entries(data).flatMap(([ref, name]) => (/^(user|team|queue):\d+$/u.test(ref) && typeof name === "string" ? [[name, ref] as const] : [])));
  const pieces: NotePiece[] = [];
  let end = 0;
  for (const { at, name } of marksOf(text, [...refs.keys()])) {
    if (at > end) pieces.push({ text: text.slice(end, at), ref: null });
    end = at + 1 + name.length;
    pieces.push({ text: text.slice(at, end), ref: refs.get(name) ?? null });
  }
  if (end < text.length) pieces.push({ text: text.slice(end), ref: null });
  return pieces;
}

/** Where an @ with one of these names behind it stands; of two that fit, the longer. */
function marksOf(text: string, names: readonly string[]): { at: number; name: string }[] {
  const longestFirst = names.filter((name) => name !== "").toSorted((a, b) => b.length - a.length);
  const marks: { at: number; name: string }[] = [];
  for (let at = text.indexOf("@"); at !== -1; at = text.indexOf("@", at + 1)) {
    if (isWordSign(text[at - 1])) continue;
    const name = longestFirst.find((each) => text.startsWith(each, at + 1) && !isWordSign(text[at + 1 + each.length]));
    if (name !== undefined) marks.push({ at, name });
  }
  return marks;
}
