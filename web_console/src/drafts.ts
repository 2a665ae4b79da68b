/*
 * What an agent has typed and not sent, by conversation: at the hub, and as a copy on this device until the hub has it.
 *
 * The copy changes with every key and goes to the hub about a second later, with the version that this page knows. What the hub
 * does not have yet is told as such and goes when it can: the copy outlives the page, and a lost line. What it has is in the
 * memory of open pages alone: nothing stays on a device where somebody wrote (forgetting.ts drops what never got there). Where another page of the
 * same person wrote meanwhile the newer words win, and the others stand beside them until somebody has looked (`aside`). While a
 * message is on its way its draft is left alone: the hub ends it with the message, and if that never arrives it still stands.
 *
 * The pages of one browser share the copy: what is typed in one is in the others at once, and whoever typed it saves it.
 */
import { defineStore } from "pinia";
import { onScopeDispose, reactive, shallowRef, watch } from "vue";

import { ApiError, sendAtParting, Unreachable, writingApi } from "./client";
import type { AttachmentView, DraftView, MailHeadView } from "./events";
import { useHub } from "./hub";
import { asNewMail, type MailDraft } from "./mail";

export interface Draft {
  text: string;
  note: string;
  attachments: AttachmentView[];
  /** Of the note: the customer never gets them. */
  noteFiles: AttachmentView[];
  /** The head of a mail, once the agent has changed what it is by itself. */
  mail: MailDraft | null;
}

/** What this device has of a draft. `base` is what the hub had in `version`. */
export interface Copy extends Draft {
  version: number;
  base: Draft;
  /** When it was typed, in the hub's time. */
  typedAt: string | null;
  /** Other words of the same person that were not overwritten: those on the screen are newer. */
  aside: Draft | null;
}

export type Part = "answer" | "note";
/** SAVING: at the hub in a moment; WAITING: the hub cannot be reached; REFUSED: it stays on this device. */
export type SaveState = "saved" | "saving" | "waiting" | "refused";

export const EMPTY: Draft = { text: "", note: "", attachments: [], noteFiles: [], mail: null };
const NEW: Copy = { ...EMPTY, version: 0, base: EMPTY, typedAt: null, aside: null };

export const isEmpty = (draft: Draft) => draft.text === "" && draft.note === "" && draft.attachments.length === 0 && draft.noteFiles.length === 0 && draft.mail === null;

/** Equal drafts are equal texts. */
function print({ text, note, attachments, noteFiles, mail }: Draft): string {
  return JSON.stringify([text, note, attachments.map((each) => each.id), noteFiles.map((each) => each.id), mail && { ...mail, forwarded: mail.forwarded.map((each) => each.id) }]);
}
export const areSame = (a: Draft, b: Draft) => print(a) === print(b);
const wordsOf = ({ text, note, attachments, noteFiles, mail }: Draft): Draft => ({ text, note, attachments, noteFiles, mail });
const isDirty = (copy: Copy) => !areSame(copy, copy.base);
/** What the hub does not have stays on this device. */
const isHere = (copy: Copy) => isDirty(copy) || copy.aside !== null;
/** Both were typed, and `one` before `other`. */
export const isTypedBefore = (one: Pick<Copy, "typedAt">, other: Pick<Copy, "typedAt">) =>
  one.typedAt !== null && other.typedAt !== null && Date.parse(one.typedAt) < Date.parse(other.typedAt);

// --- as the hub has it

export function mailOf(head: MailHeadView | null): MailDraft | null {
  if (!head) return null;
  return {
    kind: head.kind, all: head.everybody, subject: head.subject ?? "", to: head.to ?? [], cc: head.cc, bcc: head.bcc, aboutId: head.about_entry_id, quote: head.quote, forwarded: head.forwarded,
  };
}

/** Somebody's words; none of one's own that a colleague has taken over. */
export function draftOf(view: DraftView | null): Draft {
  if (!view || view.taken_by !== null) return EMPTY;
  return { text: view.text, note: view.note, attachments: view.attachments, noteFiles: view.note_attachments, mail: mailOf(view.mail) };
}

function bodyOf({ text, note, attachments, noteFiles, mail }: Draft) {
  const typed = (boxes: MailDraft["to"]) => boxes.filter((each) => each.address.trim().length >= 3);
  return {
    text,
    note,
    attachment_ids: attachments.map((each) => each.id),
    note_attachment_ids: noteFiles.map((each) => each.id),
    // An address that is being typed is none yet, and the hub takes no less.
    mail: mail ? { ...asNewMail({ ...mail, to: typed(mail.to), cc: typed(mail.cc), bcc: typed(mail.bcc) }), everybody: mail.all } : null,
  };
}

const areAmong = (some: AttachmentView[], all: AttachmentView[]) => some.every((each) => all.some((other) => other.id === each.id));
const both = (first: AttachmentView[], second: AttachmentView[]) => [...first, ...second.filter((each) => !first.some((other) => other.id === each.id))];

/** One of them goes on where the other ends: nothing of it is lost. */
const goesOn = (longer: Draft, shorter: Draft) =>
  longer.text.startsWith(shorter.text) && longer.note.startsWith(shorter.note) && areAmong(shorter.attachments, longer.attachments) && areAmong(shorter.noteFiles, longer.noteFiles);

/**
 * What the copy is after the hub has been asked. The newer words win, those that are overtaken stand beside them, and words that
 * only one side has are never lost. `wasShown`: the hub's were before the eyes of whoever typed since, for they came from another page
 * of this browser: they were written over, and need not be kept.
 */
export function reconciled(copy: Copy, view: DraftView | null, wasShown = false): Copy {
  const theirs = draftOf(view);
  const version = view?.version ?? 0;
  if (version === copy.version && view !== null) return copy;
  const mine = wordsOf(copy);
  const taken: Copy = { ...copy, ...theirs, version, base: theirs };
  const kept: Copy = { ...copy, version, base: theirs };
  if (areSame(mine, theirs)) return kept;
  if (!isDirty(copy) || isEmpty(mine)) return taken;
  if (isEmpty(theirs) || goesOn(mine, theirs)) return kept;
  if (goesOn(theirs, mine)) return taken;
  const isMineNewer = copy.typedAt !== null && view !== null && Date.parse(copy.typedAt) >= Date.parse(view.updated_at);
  if (isMineNewer) return wasShown ? kept : { ...kept, aside: theirs };
  return { ...taken, aside: mine };
}

/** What was to be sent is to be written on. What has been begun since stays below it. */
export function withBack(begun: Draft, back: Pick<Draft, "text" | "attachments" | "mail">): Draft {
  return {
    text: [back.text, begun.text].filter((text) => text !== "").join("\n\n"),
    note: begun.note,
    attachments: both(back.attachments, begun.attachments),
    noteFiles: begun.noteFiles,
    mail: back.mail ?? begun.mail,
  };
}

/** One part of it is sent; the other stands. */
const without = (draft: Draft, part: Part): Draft =>
  part === "note" ? { ...wordsOf(draft), note: "", noteFiles: [] } : { ...EMPTY, note: draft.note, noteFiles: draft.noteFiles };

const SAVE_AFTER_MS = 1_000;
const TRY_AGAIN_MS = 5_000;
/** What was found in the copy may be another page's, which is about to save it. */
const SAVE_FOUND_AFTER_MS = 3_000;
/** What another open page has typed: it saves that itself within a second, however slow the line; if it does not, it is gone. */
const SAVE_FOREIGN_AFTER_MS = 15_000;
/** An answer that was overtaken on its way is asked for again after this. */
const ASK_AGAIN_MS = 1_000;
/** Somebody who types is saved every second; nobody reads along that closely. */
const ASK_EVERY_MS = 2_000;

const keyOf = (userId: number, conversationId: number) => `hub.draft.${userId}.${conversationId}`;
const KEY = /^hub\.draft\.(\d+)\.(\d+)$/u;
/** One that an earlier release kept may lack what came later. */
function read(kept: string | null): Copy {
  const copy: Copy = { ...NEW, ...(kept ? (JSON.parse(kept) as Partial<Copy>) : {}) };
  return { ...copy, base: { ...EMPTY, ...copy.base }, aside: copy.aside && { ...EMPTY, ...copy.aside } };
}

/** What lies on this device, whoever wrote here. What an earlier release left though the hub has it goes. */
export function draftsKept(): { key: string; userId: number; conversationId: number }[] {
  return Object.keys(localStorage).flatMap((key) => {
    const [, userId, conversationId] = KEY.exec(key) ?? [];
    if (conversationId === undefined) return [];
    if (isHere(read(localStorage.getItem(key)))) return [{ key, userId: Number(userId), conversationId: Number(conversationId) }];
    localStorage.removeItem(key);
    return [];
  });
}

export const useDrafts = defineStore("drafts", () => {
  const hub = useHub();
  /** This page, to the hub. */
  const writer = crypto.randomUUID().slice(0, 13);
  const copies = new Map<number, Copy>();
  const states = reactive(new Map<number, SaveState>());
  const asides = reactive(new Map<number, Draft>());
  /** Own drafts that a colleague took over, as they were. */
  const taken = reactive(new Map<number, DraftView>());
  /** What colleagues have begun, of the conversations that are looked at. */
  const others = reactive(new Map<number, readonly DraftView[]>());
  /** A draft is another one now, not by the hand that types here. */
  const replaced = shallowRef<{ conversationId: number } | null>(null);
  const timers = new Map<number, ReturnType<typeof setTimeout>>();
  const saving = new Map<number, Promise<void>>();
  /** How many messages of a conversation are on their way. */
  const leaving = new Map<number, number>();
  const open = new Set<number>();
  /** What stands in them was typed in another page of this browser, which saves it. */
  const foreign = new Set<number>();
  /** What a save that was under way when its message left did to the draft is the hub's to say. */
  const unsure = new Set<number>();
  /** What another page of this browser had typed when it was shown here last: its writer, and the time of its last key. */
  const shown = new Map<number, { writer: string; typedAt: string }>();
  /** How often the hub has said what stands in a draft: an answer that was asked for before the last time may be older than it. */
  const tellings = new Map<number, number>();
  /** Questions under way: one for each conversation, so that no answer is older than what is held. */
  const loads = new Map<number, { again: boolean; run: Promise<void> }>();
  const pauses = new Set<ReturnType<typeof setTimeout>>();
  let asking: ReturnType<typeof setTimeout> | undefined;

  const userId = () => hub.user?.id ?? 0;
  const isLeaving = (id: number) => (leaving.get(id) ?? 0) > 0;
  const tellingsOf = (id: number) => tellings.get(id) ?? 0;
  const noteTelling = (id: number) => void tellings.set(id, tellingsOf(id) + 1);
  const now = () => new Date(Date.now() + hub.skew_ms).toISOString();

  function copyOf(id: number): Copy {
    const held = copies.get(id);
    if (held) return held;
    const stored = localStorage.getItem(keyOf(userId(), id));
    noteShown(id, stored);
    const copy = read(stored);
    copies.set(id, copy);
    return copy;
  }

  /** What another page has typed is on the screen now. */
  function noteShown(id: number, stored: string | null): void {
    const { writer: by, typedAt } = (stored ? JSON.parse(stored) : {}) as { writer?: string; typedAt?: string | null };
    if (by && by !== writer && typedAt) shown.set(id, { writer: by, typedAt });
  }
  /** What the hub has there was before the eyes of whoever types here. */
  function wasShown(id: number, view: DraftView | null): boolean {
    const seen = shown.get(id);
    return view !== null && seen?.writer === view.writer && Date.parse(view.updated_at) <= Date.parse(seen.typedAt);
  }

  const find = (id: number): Draft => wordsOf(copyOf(id));

  function put(id: number, copy: Copy, isReplaced = false): void {
    copies.set(id, copy);
    if (copy.aside) asides.set(id, copy.aside);
    else asides.delete(id);
    states.set(id, stateOf(id, copy));
    persist(id, copy);
    if (isReplaced) replaced.value = { conversationId: id };
  }

  function stateOf(id: number, copy: Copy): SaveState {
    const before = states.get(id);
    if (!isDirty(copy)) return "saved";
    return before === "refused" || before === "waiting" ? before : hub.live ? "saving" : "waiting";
  }

  function persist(id: number, copy: Copy): void {
    // What is on its way stands in the copy until the hub has it.
    if (isLeaving(id) && isEmpty(copy)) return;
    const key = keyOf(userId(), id);
    const written = JSON.stringify({ ...copy, writer });
    if (isHere(copy)) return localStorage.setItem(key, written);
    const kept = localStorage.getItem(key);
    if (kept === null) return;
    const stored = read(kept);
    // Another page has typed since, and this one is about to be told.
    if (isHere(stored) && stored.typedAt !== copy.typedAt && !isTypedBefore(stored, copy)) return;
    // Other pages are told what the hub has by now, and then it goes.
    localStorage.setItem(key, written);
    localStorage.removeItem(key);
  }

  /** The hub does not show it any longer, or never may again: nothing of it stays here. */
  function drop(id: number): void {
    const had = copies.get(id);
    forgetTimer(id);
    for (const each of [copies, states, asides, taken, others, leaving, shown, tellings, loads]) each.delete(id);
    for (const each of [foreign, unsure]) each.delete(id);
    localStorage.removeItem(keyOf(userId(), id));
    if (had && !isEmpty(had)) replaced.value = { conversationId: id };
  }

  /** Of which conversations this page has words. */
  const held = (): number[] => [...copies].filter(([id, copy]) => !isEmpty(copy) || !isEmpty(copy.base) || copy.aside || taken.has(id)).map(([id]) => id);

  /** Somebody has typed. */
  function keep(id: number, draft: Draft): void {
    const copy = copyOf(id);
    if (areSame(copy, draft)) return;
    if (states.get(id) === "refused") states.delete(id);
    ownAgain(id);
    put(id, { ...copy, ...wordsOf(draft), typedAt: now() });
    if (!isEmpty(draft)) taken.delete(id);
    later(id, SAVE_AFTER_MS);
  }

  function later(id: number, ms: number): void {
    // Once a second while somebody types on, not only when they pause.
    if (timers.has(id)) return;
    if (!foreign.has(id)) return void timers.set(id, setTimeout(() => void save(id), ms));
    // Whoever typed it has not saved it in all this time.
    timers.set(id, setTimeout(() => (ownAgain(id), void save(id)), SAVE_FOREIGN_AFTER_MS));
  }

  function forgetTimer(id: number): void {
    clearTimeout(timers.get(id));
    timers.delete(id);
  }

  /** What stands in it is this page's to save, whoever typed it. */
  function ownAgain(id: number): void {
    if (foreign.delete(id)) forgetTimer(id);
  }

  async function save(id: number): Promise<void> {
    forgetTimer(id);
    await saving.get(id);
    const copy = copyOf(id);
    // Two who save the same words at once overtake one another.
    if (foreign.has(id)) return isDirty(copy) ? later(id, SAVE_AFTER_MS) : undefined;
    if (!isDirty(copy) || isLeaving(id) || !hub.live || !hub.user) return;
    const run = send(id, copy);
    saving.set(id, run);
    await run;
    saving.delete(id);
    if (isDirty(copyOf(id)) && states.get(id) === "saving") later(id, SAVE_AFTER_MS);
  }

  async function send(id: number, copy: Copy): Promise<void> {
    const sent = wordsOf(copy);
    try {
      const view = await writingApi.save(id, { ...bodyOf(sent), expected_version: copy.version, typed_at: copy.typedAt, writer });
      if (!copies.has(id)) return;
      noteTelling(id);
      if (!unsure.has(id)) put(id, { ...copyOf(id), version: view.version, base: sent });
      if (states.get(id) === "waiting") states.set(id, isDirty(copyOf(id)) ? "saving" : "saved");
    } catch (error) {
      const isAway = error instanceof Unreachable || (error instanceof ApiError && (error.status >= 500 || error.status === 429 || error.status === 401));
      if (error instanceof ApiError && error.code === "draft_changed") await load(id).catch(() => undefined);
      else if (isAway) {
        states.set(id, "waiting");
        later(id, TRY_AGAIN_MS);
      }
      else if (error instanceof ApiError && (error.status === 404 || error.code === "erased")) drop(id);
      // It cannot be kept there, for it is too long. The copy stays.
      else states.set(id, "refused");
    }
  }

  /** Everything is at the hub, as far as it can be. */
  async function flush(id: number): Promise<void> {
    ownAgain(id);
    await save(id);
    if (isDirty(copyOf(id)) && !isLeaving(id)) await save(id);
  }

  /** What is being written there, asked for. */
  function load(id: number): Promise<void> {
    const under = loads.get(id);
    if (under) {
      under.again = true;
      return under.run;
    }
    const mine = { again: false, run: Promise.resolve() };
    loads.set(id, mine);
    mine.run = ask(id, mine).finally(() => loads.get(id) === mine && loads.delete(id));
    return mine.run;
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        pauses.delete(timer);
        resolve();
      }, ms);
      pauses.add(timer);
    });
  }

  async function ask(id: number, mine: { again: boolean }): Promise<void> {
    do {
      mine.again = false;
      const before = tellingsOf(id);
      const writing = await writingApi.load(id);
      // Dropped meanwhile, or somebody else has signed in.
      if (loads.get(id) !== mine) return;
      others.set(id, writing.others);
      hub.learnStanding(id, writing.planned);
      if (tellingsOf(id) === before) adopt(id, writing.mine);
      else {
        // It was overtaken on its way: what has been saved, sent or given back since would be undone on the screen.
        mine.again = true;
        await pause(ASK_AGAIN_MS);
        if (loads.get(id) !== mine) return;
      }
    } while (mine.again);
  }

  function adopt(id: number, view: DraftView | null): void {
    noteTelling(id);
    if (view && view.taken_by !== null && !isEmpty(draftOf({ ...view, taken_by: null, mail: null }))) taken.set(id, view);
    else taken.delete(id);
    const before = copyOf(id);
    // Another page of this browser typed it, and saves it, sends it or empties it: what stands then it says in a moment.
    if (foreign.has(id) && isDirty(before)) return later(id, SAVE_AFTER_MS);
    // A message that was it is on its way: it ends with that, and until then nothing is newer.
    if (isLeaving(id) && isEmpty(before)) return;
    const after = reconciled(before, view, wasShown(id, view));
    put(id, after, !areSame(before, after));
    if (isDirty(after)) later(id, saving.has(id) || before.version !== after.version ? SAVE_AFTER_MS : SAVE_FOUND_AFTER_MS);
  }

  /** A screen shows it, until it says otherwise. */
  function look(id: number): void {
    open.add(id);
    copyOf(id);
    put(id, copyOf(id));
    if (hub.live) void load(id).catch(() => undefined);
  }
  function leave(id: number): void {
    open.delete(id);
    others.delete(id);
    void save(id);
  }

  function askSoon(): void {
    asking ??= setTimeout(() => {
      asking = undefined;
      if (hub.live) for (const id of open) void load(id).catch(() => undefined);
    }, ASK_EVERY_MS);
  }

  // --- sent, and given back

  /** A message that this draft was goes out: how the hub knows it. Null: the hub has none of it. */
  function begin(id: number): { version: number; writer: string } | null {
    leaving.set(id, (leaving.get(id) ?? 0) + 1);
    forgetTimer(id);
    const copy = copyOf(id);
    if (saving.has(id)) unsure.add(id);
    return isEmpty(copy.base) && !saving.has(id) ? null : { version: copy.version, writer };
  }

  /** A page that was loaded anew finds it on its way still: what stands in the copy are its words, not new ones. */
  function resume(id: number, part: Part, text: string, files: AttachmentView[]): void {
    leaving.set(id, (leaving.get(id) ?? 0) + 1);
    const copy = copyOf(id);
    if ((part === "note" ? copy.note : copy.text).trim() !== text) return;
    // Files without a word are told apart by themselves alone.
    if (!areAmong(part === "note" ? copy.noteFiles : copy.attachments, files)) return;
    copies.set(id, { ...copy, ...without(copy, part) });
    replaced.value = { conversationId: id };
  }

  /** What became of it: the hub has it, and its draft ended; or it has not, and the draft is what stands in the field now. */
  function finish(id: number, part: Part, ended: { version: number } | null, isAccepted: boolean): void {
    leaving.set(id, Math.max(0, (leaving.get(id) ?? 0) - 1));
    const copy = copyOf(id);
    const base = { ...copy.base, ...without(copy.base, part) };
    if (isAccepted) noteTelling(id);
    put(id, isAccepted && ended ? { ...copy, version: Math.max(copy.version, ended.version + 1), base } : copy);
    if (unsure.delete(id)) return void Promise.resolve(saving.get(id)).then(() => load(id)).catch(() => undefined);
    if (isDirty(copyOf(id))) later(id, SAVE_AFTER_MS);
  }

  function giveBack(id: number, back: Pick<Draft, "text" | "attachments" | "mail">): void {
    const copy = copyOf(id);
    ownAgain(id);
    put(id, { ...copy, ...withBack(copy, back), typedAt: now() }, true);
    later(id, SAVE_AFTER_MS);
  }

  /** The hub has put words into it. */
  function given(view: DraftView): void {
    adopt(view.conversation_id, view);
  }

  async function takeOver(draft: DraftView): Promise<void> {
    await flush(draft.conversation_id);
    const id = draft.conversation_id;
    given(await writingApi.take(id, draft.user_id, { expected_version: draft.version, writer }));
    others.set(id, (others.get(id) ?? []).filter((each) => each.user_id !== draft.user_id));
  }

  /** One's own words back, though a colleague has them. */
  function writeOn(id: number): void {
    const view = taken.get(id);
    if (!view) return;
    taken.delete(id);
    giveBack(id, draftOf({ ...view, taken_by: null }));
    if (view.note !== "" || view.note_attachments.length > 0) keep(id, { ...find(id), note: view.note, noteFiles: view.note_attachments });
    replaced.value = { conversationId: id };
  }

  /** A colleague has them, and that is well. */
  async function letGo(id: number): Promise<void> {
    const view = taken.get(id);
    if (!view) return;
    await writingApi.save(id, { ...bodyOf(EMPTY), expected_version: view.version, typed_at: null, writer });
    taken.delete(id);
    await load(id);
  }

  /** What to do with the words that were overtaken. */
  function settle(id: number, how: "use" | "add" | "drop"): void {
    const copy = copyOf(id);
    const { aside } = copy;
    if (!aside) return;
    if (how === "drop") return put(id, { ...copy, aside: null });
    const words = how === "use" ? aside : { ...withBack(copy, { ...aside, text: "" }), text: [copy.text, aside.text].filter(Boolean).join("\n\n"), note: [copy.note, aside.note].filter(Boolean).join("\n\n"), noteFiles: both(copy.noteFiles, aside.noteFiles) };
    put(id, { ...copy, ...words, aside: how === "use" ? wordsOf(copy) : null, typedAt: now() }, true);
    later(id, SAVE_AFTER_MS);
  }

  // --- what others do

  watch(
    () => hub.arrivals,
    (events) => {
      for (const event of events) {
        const id = event.kind === "draft.begun" ? event.draft.conversation_id : event.kind === "draft.ended" ? event.conversation_id : null;
        if (id !== null && open.has(id) && "writer" in event && event.writer !== writer) void load(id).catch(() => undefined);
        // A colleague has sent what they had begun.
        if (event.kind === "entry.added" && others.get(event.entry.conversation_id)?.some((each) => each.user_id === event.entry.author.user_id)) askSoon();
      }
    },
  );
  watch(
    () => hub.drafting,
    (event) => {
      if (event && open.has(event.conversation_id) && event.writer !== writer) askSoon();
    },
  );
  watch(
    () => hub.live,
    (live) => {
      if (!live) return copies.forEach((copy, id) => isDirty(copy) && states.get(id) === "saving" && states.set(id, "waiting"));
      // Also what was opened before the line stood.
      open.forEach((id) => void load(id).catch(() => undefined));
      copies.forEach((copy, id) => isDirty(copy) && later(id, 0));
    },
  );
  watch(
    () => hub.snapshots,
    () => open.forEach((id) => void load(id).catch(() => undefined)),
  );
  watch(
    () => hub.user?.id,
    () => {
      copies.clear();
      for (const each of [states, asides, taken, others, foreign, shown, tellings, loads]) each.clear();
    },
  );

  /** Another page of this browser has written the copy. Whoever has typed nothing else meanwhile follows. */
  function overtaken(event: StorageEvent): void {
    const id = Number(KEY.exec(event.key ?? "")?.[2]);
    if (!id || event.key !== keyOf(userId(), id) || !copies.has(id)) return;
    // It has the hub's version of it already.
    if (event.newValue === null && !isHere(read(event.oldValue))) return;
    const before = copyOf(id);
    const told = read(event.newValue);
    // Of what the hub has the later news counts, whichever page was told; who empties the copy says nothing of it.
    const hubs = event.newValue !== null && told.version > before.version ? told : before;
    if (hubs === told) noteTelling(id);
    const known = { version: hubs.version, base: event.newValue === null ? told.base : hubs.base };
    // So does what was typed later, and what was typed here while the other page did not know.
    const isUnknown = isDirty(before) && !areSame(before, read(event.oldValue)) && !isEmpty(before);
    const isOurs = isUnknown || isTypedBefore(told, before);
    if (isOurs) {
      const ours = event.newValue === null ? before : { ...before, ...known };
      copies.set(id, ours);
      return persist(id, ours);
    }
    const after: Copy = { ...told, ...known };
    noteShown(id, event.newValue);
    // Whoever typed it saves it.
    if (!areSame(before, after)) {
      foreign.add(id);
      forgetTimer(id);
    }
    copies.set(id, after);
    if (after.aside) asides.set(id, after.aside);
    else asides.delete(id);
    states.set(id, stateOf(id, after));
    if (!areSame(before, after)) replaced.value = { conversationId: id };
  }

  /** The page goes away: what it had no time to save goes along, and the copy stays in any case. */
  function part(): void {
    let spent = 0;
    for (const [id, copy] of copies) {
      if (!isDirty(copy) || isLeaving(id) || !hub.live || foreign.has(id)) continue;
      const size = sendAtParting("PUT", `/conversations/${id}/draft`, { ...bodyOf(copy), expected_version: copy.version, typed_at: copy.typedAt, writer }, spent);
      if (size !== false) spent += size;
    }
  }

  window.addEventListener("storage", overtaken);
  window.addEventListener("pagehide", part);
  onScopeDispose(() => {
    window.removeEventListener("storage", overtaken);
    window.removeEventListener("pagehide", part);
    timers.forEach((timer) => clearTimeout(timer));
    pauses.forEach((timer) => clearTimeout(timer));
    clearTimeout(asking);
  });

  return { writer, states, asides, taken, others, replaced, find, held, drop, keep, save, flush, look, leave, load, begin, resume, finish, giveBack, given, takeOver, writeOn, letGo, settle };
});
