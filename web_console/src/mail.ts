/*
 * What an agent's mail needs before it can be sent, all of it pure: whom an answer goes to, its subject, the addresses somebody
 * has typed or pasted, and what a careful colleague would ask before it leaves.
 */
import type { AttachmentView, ConversationView, EntryView, Mailbox, MailView, NewMail } from "./events";

/** The head of a mail that is being written. `all`: the answer goes to everybody who got the mail, too. */
export interface MailDraft {
  kind: "reply" | "new" | "forward";
  all: boolean;
  subject: string;
  to: Mailbox[];
  cc: Mailbox[];
  bcc: Mailbox[];
  /** The mail that is answered or handed on. */
  aboutId: number | null;
  quote: boolean;
  /** Files of that mail that go along with a forward. */
  forwarded: AttachmentView[];
}

export type AnswerKind = "reply" | "reply_all" | "forward";

/** A mail in the timeline: an entry that is known to have one. */
export type MailEntry = EntryView & { mail: MailView };

export const isMail = (entry: EntryView): entry is MailEntry => entry.kind === "message" && entry.mail !== null;

// --- subjects

// What mail programs put before a subject, in the languages and programs our users meet; "Re[2]:" and "RE(3):" are old ones.
const PREFIX =
  /^\s*(?:re|aw|sv|vs|odp|antw|rif|res|отв|ответ|на|відп|відповідь|cvb|cavab|պատ|პას|fwd?|wg|tr|rv|enc|pd|i|vb|пер|пересл|пересилання|yön|փխ|გად)\s*(?:[[(]\d{1,3}[\])])?\s*[:：]/iu;
const REPLY = /^\s*(?:re|aw|sv|antw|отв|ответ|відп|відповідь|cvb|cavab|պատ|პას)\s*(?:[[(]\d{1,3}[\])])?\s*[:：]/iu;
const FORWARD = /^\s*(?:fwd?|wg|tr|пер|пересл|пересилання|yön|փխ|გად)\s*(?:[[(]\d{1,3}[\])])?\s*[:：]/iu;

/** The subject without the prefixes of answers: equal ones are one topic. */
export function bareSubject(subject: string): string {
  let rest = subject;
  for (let match = PREFIX.exec(rest); match !== null; match = PREFIX.exec(rest)) rest = rest.slice(match[0].length);
  return rest.trim().replace(/\s+/gu, " ");
}

/** Latin "Re:" and "Fwd:" in every language: only these are understood by every mail program. */
const SUBJECT_LIMIT = 500;

export function answerSubject(subject: string, kind: "reply" | "forward"): string {
  const held = subject.trim();
  if (held === "") return "";
  const mark = kind === "reply" ? { known: REPLY, ours: "Re: " } : { known: FORWARD, ours: "Fwd: " };
  // Longer ones come in; the hub sends none.
  return (mark.known.test(held) ? held : mark.ours + held).slice(0, SUBJECT_LIMIT);
}

// --- addresses

const keyOf = (mailbox: Mailbox) => mailbox.address.trim().toLowerCase();

/** Each address once, the first stays; none of `except`. */
export function distinct(mailboxes: readonly Mailbox[], except: Iterable<string> = []): Mailbox[] {
  const seen = new Set([...except].map((address) => address.toLowerCase()));
  return mailboxes.filter((each) => {
    const key = keyOf(each);
    if (key === "" || seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

// Enough to catch what is no address; whether it exists only its own server knows. 254: RFC 5321, section 4.5.3.1.3.
const ADDRESS = /^[^\s@<>",;:()[\]\\]{1,64}@[^\s@<>",;:()[\]\\.]+(?:\.[^\s@<>",;:()[\]\\.]+)+$/u;

export function isAddress(address: string): boolean {
  return address.length <= 254 && ADDRESS.test(address);
}

/** What somebody typed or pasted into a field of addresses: `ani@x.am, "Petrosyan, Aram" <aram@x.am>; …`. */
export function parseMailboxes(text: string): Mailbox[] {
  const pieces: string[] = [];
  let piece = "";
  let quoted = false;
  let angled = false;
  for (const character of text) {
    if (character === '"') quoted = !quoted;
    else if (!quoted && character === "<") angled = true;
    else if (!quoted && character === ">") angled = false;
    if (!quoted && !angled && (character === "," || character === ";" || character === "\n")) {
      pieces.push(piece);
      piece = "";
    } else piece += character;
  }
  return [...pieces, piece].map(parseMailbox).filter((each) => each.address !== "");
}

function parseMailbox(text: string): Mailbox {
  const open = text.lastIndexOf("<");
  if (open === -1) return { address: text.trim().replace(/^mailto:/iu, ""), name: "" };
  const close = text.indexOf(">", open);
  const name = text.slice(0, open).trim().replace(/^"(.*)"$/u, "$1").trim();
  return { address: text.slice(open + 1, close === -1 ? undefined : close).trim(), name };
}

export function named(mailbox: Mailbox): string {
  return mailbox.name || mailbox.address;
}

export function written(mailbox: Mailbox): string {
  return mailbox.name ? `${mailbox.name} <${mailbox.address}>` : mailbox.address;
}

// --- answers

/** Nobody waits for an answer to these: a note that somebody is away, a report of a delivery, what we wrote ourselves. */
const UNANSWERABLE: ReadonlySet<MailView["noise"]> = new Set(["auto_reply", "report", "own"]);

/** The mail that an answer in this conversation is about: the customer's newest, else our own newest, else what there is. */
export function newestMail(entries: readonly EntryView[], conversationId: number): MailEntry | null {
  const mails = entries.filter(isMail).filter((entry) => entry.conversation_id === conversationId);
  const answerable = mails.filter((entry) => !UNANSWERABLE.has(entry.mail.noise));
  const incoming = answerable.filter((entry) => entry.direction === "in");
  // As the hub does it: a plain answer is the customer's, even when somebody else has written last.
  return incoming.findLast((entry) => !entry.mail.is_stranger) ?? incoming.at(-1) ?? answerable.at(-1) ?? mails.at(-1) ?? null;
}

/** Whom a conversation by mail is held with. */
export function customerMailbox(conversation: Pick<ConversationView, "address" | "customer_name">): Mailbox {
  const { address, customer_name } = conversation;
  return { address, name: customer_name === address ? "" : customer_name };
}

/**
 * Whom an answer goes to. `own` are our addresses: they are never written to, unless nobody else is there. To all means to the
 * `customer`, too, when somebody else wrote the mail and left them out.
 */
export function recipients(mail: MailView, all: boolean, own: readonly string[], customer: Mailbox | null = null): { to: Mailbox[]; cc: Mailbox[] } {
  const theirs = mail.kind === "in";
  const wished = theirs ? (mail.reply_to.length > 0 ? mail.reply_to : mail.senders) : mail.to;
  const foreign = (mailboxes: readonly Mailbox[]) => mailboxes.filter((each) => !isOwn(each, own));
  const others = distinct(foreign(wished));
  const to = others.length > 0 ? others : distinct(wished);
  if (!all) return { to, cc: [] };
  const forgotten = theirs && mail.is_stranger && customer !== null ? [customer] : [];
  return { to, cc: distinct(foreign([...(theirs ? mail.to : []), ...mail.cc, ...forgotten]), to.map(keyOf)) };
}

/** Whether mail to it comes to us: one of our addresses, with or without the tag that our answers carry (`name+tag@`). */
function isOwn(mailbox: Mailbox, own: readonly string[]): boolean {
  const key = keyOf(mailbox);
  return own.includes(key) || own.includes(key.replace(/\+[^@]*@/u, "@"));
}

/** Would "reply all" reach more people than "reply"? */
export function hasOthers(mail: MailView, own: readonly string[], customer: Mailbox | null = null): boolean {
  return recipients(mail, true, own, customer).cc.length > 0;
}

export function answerDraft(about: MailEntry, kind: AnswerKind, own: readonly string[], customer: Mailbox | null = null): MailDraft {
  const isForward = kind === "forward";
  return {
    kind: isForward ? "forward" : "reply",
    all: kind === "reply_all",
    subject: answerSubject(about.mail.subject, isForward ? "forward" : "reply"),
    ...(isForward ? { to: [], cc: [] } : recipients(about.mail, kind === "reply_all", own, customer)),
    bcc: [],
    aboutId: about.id,
    quote: true,
    forwarded: isForward ? about.attachments.filter((each) => each.state === "stored" && !each.is_inline) : [],
  };
}

/** A mail that answers none: to a customer who has not written yet, or once more to one who has not answered. */
export function freshDraft(to: Mailbox, subject: string): MailDraft {
  return { kind: "new", all: false, subject, to: [to], cc: [], bcc: [], aboutId: null, quote: false, forwarded: [] };
}

export function asNewMail(draft: MailDraft): NewMail {
  return {
    kind: draft.kind,
    subject: draft.subject.trim(),
    to: draft.to,
    cc: draft.cc,
    bcc: draft.bcc,
    about_entry_id: draft.aboutId,
    quote: draft.quote,
    forwarded_attachment_ids: draft.forwarded.map((each) => each.id),
  };
}

/** Everybody who has written or was written to, the newest first, for suggestions. */
export function participants(entries: readonly EntryView[], except: readonly string[]): Mailbox[] {
  const mails = entries.filter(isMail).toReversed();
  return distinct(mails.flatMap(({ mail }) => [...mail.senders, ...mail.reply_to, ...mail.to, ...mail.cc]), except);
}

// --- what a careful colleague would ask

// Beginnings of words that speak of an attachment: English, Armenian, Georgian, Azerbaijani, Ukrainian, Russian.
const ATTACHMENT_WORDS =
  /(?<!\p{L})(?:attach(?:ed|ment|ing)|enclosed|կցված|կցվ|կցում|կցել|կցեմ|կցեց|կից|մ?իմաგრ|მიმაგრებ|თანდართ|დანართ|qoşma|əlavədə|əlavə\s(?:edirəm|etdim|edilmiş|olunmuş|olunub)|вкладен|у\sдодатку|в\sдодатку|прикріп|долуча|долуче|во\sвложени|вложен|вложил|прикреп|прилага|приложил)/iu;

/** Does the text speak of an attachment? Lines that quote somebody do not count. */
export function speaksOfAttachment(text: string): boolean {
  return text.split("\n").some((line) => !line.startsWith(">") && ATTACHMENT_WORDS.test(line));
}

export type Doubt = "no_subject" | "no_attachment";

export function doubts(draft: MailDraft, text: string, files: number): Doubt[] {
  const found: Doubt[] = [];
  if (draft.subject.trim() === "") found.push("no_subject");
  if (files + draft.forwarded.length === 0 && speaksOfAttachment(text)) found.push("no_attachment");
  return found;
}
