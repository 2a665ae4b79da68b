/*
 * Canned replies in the console: which fit a conversation, which one is meant by what is typed after a slash, in which language
 * one speaks, and what is still to be filled in of a text. Pure; the values themselves are the hub's to fill in.
 */
import type { CannedReplyBody, CannedReplyView, CannedTextView, Placeholder } from "./events";
import { fold } from "./fold";

/** The names the hub knows (hub.domain.placeholders), in the order in which they are offered. */
export const PLACEHOLDERS = [
  "customer.first_name", "customer.name", "customer.phone", "customer.email", "customer.company", "agent.first_name", "agent.name", "queue.name", "organisation.name",
  "conversation.number", "conversation.subject", "today",
] as const satisfies readonly Placeholder[];
const KNOWN: ReadonlySet<string> = new Set(PLACEHOLDERS);

// --- in which language

/** What the hub will take: the first of these languages there is a text in (the customer's, the house's), else the first text. */
export function textFor(reply: Pick<CannedReplyView, "texts">, ...languages: readonly (string | null | undefined)[]): CannedTextView {
  const [first] = reply.texts;
  if (!first) throw new Error("a canned reply says something");
  for (const language of languages) {
    const wanted = (language ?? "").toLowerCase().split(/[-_]/u)[0];
    const found = reply.texts.find((each) => each.language === wanted);
    if (found) return found;
  }
  return first;
}

// --- which one

/** A reply and the words by which it is found, folded once. */
export interface Findable {
  reply: CannedReplyView;
  code: string;
  title: string;
  all: string;
}

export function findable(reply: CannedReplyView): Findable {
  const said = reply.texts.flatMap((each) => [each.subject ?? "", each.text]);
  return { reply, code: fold(reply.code), title: fold(reply.title), all: fold([reply.code, reply.title, reply.folder, ...said].join("\n")) };
}

/** Whether it is for work of this queue. Personal ones are for all of their owner's. */
export const fits = (reply: Pick<CannedReplyView, "scope" | "queue_ids">, queueId: number | null): boolean =>
  reply.scope !== "queues" || queueId === null || reply.queue_ids.includes(queueId);

/** Those in which all words stand: the code that was typed first, then codes and titles that begin so; what somebody uses much, earlier. */
export function search(replies: readonly Findable[], words: string, locale: string): CannedReplyView[] {
  const typed = fold(words).trim();
  const wanted = typed.split(/\s+/u).filter(Boolean);
  const order = new Intl.Collator(locale);
  const rank = (each: Findable) => {
    if (each.code === typed) return 0;
    if (each.code.startsWith(typed)) return 1;
    if (each.title.startsWith(typed)) return 2;
    return wanted.every((word) => each.title.includes(word) || each.code.includes(word)) ? 3 : 4;
  };
  return replies
    .filter((each) => wanted.every((word) => each.all.includes(word)))
    .map((each) => ({ reply: each.reply, rank: typed === "" ? 0 : rank(each) }))
    .toSorted((a, b) => a.rank - b.rank || b.reply.used_by_me - a.reply.used_by_me || b.reply.used - a.reply.used || order.compare(a.reply.title, b.reply.title))
    .map((each) => each.reply);
}

/** Every folder there is, those that only hold others too, in their order. */
export function folders(replies: readonly Pick<CannedReplyView, "folder">[], locale: string): string[] {
  const all = new Set<string>();
  for (const { folder } of replies) {
    const names = folder === "" ? [] : folder.split("/");
    names.forEach((_name, index) => all.add(names.slice(0, index + 1).join("/")));
  }
  const order = new Intl.Collator(locale);
  return [...all].toSorted((a, b) => {
    const [left, right] = [a.split("/"), b.split("/")];
    const at = left.findIndex((name, index) => name !== right[index]);
    return at < 0 ? left.length - right.length : right[at] === undefined ? 1 : order.compare(left[at] ?? "", right[at]);
  });
}

export const isIn = (reply: Pick<CannedReplyView, "folder">, folder: string): boolean => folder === "" || reply.folder === folder || reply.folder.startsWith(`${folder}/`);

/** A code made of a title: small letters and hyphens, as the hub takes it. */
export function codeFrom(title: string): string {
  return title.toLowerCase().normalize("NFC").replace(/[^\p{L}\p{N}\p{M}]+/gu, "-").replace(/^-+|-+$/gu, "").slice(0, 40).replace(/-+$/u, "");
}

// --- after the slash

/** What is typed after a slash that begins a line or follows a space; `from` is where the slash stands, `to` the caret. */
export interface Slash {
  from: number;
  to: number;
  words: string;
}

const LONGEST_WORDS = 40;

export function slashAt(text: string, caret: number): Slash | null {
  const line = text.slice(text.lastIndexOf("\n", caret - 1) + 1, caret);
  // No second slash: "/home/ani" is a path. No space right after it: "and / or" is a sentence.
  const found = /(?:^|\s)\/([^\s/][^/]*|)$/u.exec(line);
  const words = found?.[1];
  if (words === undefined || words.length > LONGEST_WORDS) return null;
  return { from: caret - words.length - 1, to: caret, words };
}

// --- what is still to be filled in

export interface Blank {
  name: Placeholder;
  from: number;
  to: number;
}

/** Placeholders that stand in a text, in their order. */
export function blanks(text: string): Blank[] {
  const found: Blank[] = [];
  for (const match of text.matchAll(/\{\{[ \t]*([a-z_.]{1,40})[ \t]*(?:\|[^{}\n]{0,200})?\}\}/giu)) {
    const name = (match[1] ?? "").toLowerCase();
    if (KNOWN.has(name)) found.push({ name: name as Placeholder, from: match.index, to: match.index + match[0].length });
  }
  return found;
}

/** The text as a list shows it: one line, and the names of values where their braces stand. */
export function inOneLine(text: string, nameOf: (name: Placeholder) => string, most = 160): string {
  let line = "";
  let done = 0;
  for (const blank of blanks(text)) {
    line += `${text.slice(done, blank.from)}‹${nameOf(blank.name)}›`;
    done = blank.to;
  }
  return `${line}${text.slice(done)}`.replace(/\s+/gu, " ").slice(0, most);
}

// --- while one is written

export type CannedScope = CannedReplyView["scope"];
export interface CannedDraft {
  title: string;
  code: string;
  folder: string;
  scope: CannedScope;
  queue_ids: number[];
  texts: { language: string; text: string; subject: string }[];
}

/** A copy to be edited; of null, a new one. */
export function draftOf(reply: CannedReplyView | null, scope: CannedScope, language: string, text = ""): CannedDraft {
  if (reply === null) return { title: "", code: "", folder: "", scope, queue_ids: [], texts: [{ language, text, subject: "" }] };
  return {
    title: reply.title, code: reply.code, folder: reply.folder, scope: reply.scope, queue_ids: [...reply.queue_ids],
    texts: reply.texts.map((each) => ({ language: each.language, text: each.text, subject: each.subject ?? "" })),
  };
}

/** As the hub wants it. */
export function bodyOf(draft: CannedDraft): CannedReplyBody {
  return { ...draft, queue_ids: draft.scope === "queues" ? draft.queue_ids : [], texts: draft.texts.map((each) => ({ ...each, subject: each.subject.trim() || null })) };
}

/** Which text a fault of the hub is about; null: it is about another field. */
export function faultyText(fields: Readonly<Record<string, string>>): number | null {
  const found = Object.keys(fields).map((name) => /^texts\.(\d+)\./u.exec(name)?.[1]).find((index) => index !== undefined);
  return found === undefined ? null : Number(found);
}
