/*
 * Making two conversations of a customer one, two again, and one of some messages that are another matter: what every screen that
 * offers it does, and the word about it.
 */
import { defineStore } from "pinia";
import { ref } from "vue";
import { useRouter } from "vue-router";

import { joiningApi } from "./client";
import { useDrafts } from "./drafts";
import type { ConversationView, EntryView } from "./events";
import { useHub } from "./hub";
import { i18n } from "./i18n";
import { useOutgoing } from "./outgoing";
import { useToasts } from "./toasts";
import { useWords } from "./words";

/** Long enough to look at what came of it. */
const UNDO_MS = 15_000;

export interface Apart {
  queue_id: number | null;
  topic_id: number | null;
  hold: boolean;
}

/** What may be chosen: what was said in this very conversation, but not what the hub says of a survey. */
export function mayChoose(entry: EntryView, conversationId: number): boolean {
  return entry.conversation_id === conversationId && entry.kind === "message" && entry.happening === null && entry.call === null;
}

/** On channels with one open conversation for each address what is taken out of it begins closed. */
export function beginsClosed(conversation: ConversationView): boolean {
  return conversation.channel_kind !== "email" && conversation.status === "open";
}

export const useJoining = defineStore("joining", () => {
  const { t } = i18n.global;
  const hub = useHub();
  const router = useRouter();
  const toasts = useToasts();
  const outgoing = useOutgoing();
  const drafts = useDrafts();
  const { attempt } = useWords();
  /** The conversation that somebody looks for another for. */
  const asked = ref<number | null>(null);
  /** The conversation of which messages are being chosen, and which are. */
  const splitting = ref<number | null>(null);
  const chosen = ref<ReadonlySet<number>>(new Set());

  const goTo = (id: number) => router.push({ name: "conversations", params: { id }, query: router.currentRoute.value.query });

  function beginSplit(conversationId: number | null): void {
    splitting.value = conversationId;
    chosen.value = new Set();
  }

  function toggle(entryId: number): void {
    const next = new Set(chosen.value);
    if (!next.delete(entryId)) next.add(entryId);
    chosen.value = next;
  }

  /** `from` becomes a part of `into`. */
  async function merge(from: ConversationView, into: ConversationView): Promise<void> {
    // What was begun there goes along.
    await drafts.flush(from.id);
    if (!(await outgoing.flush(from.id))) return;
    const done = await joiningApi.merge(into.id, { from_ids: [from.id], expected_versions: { [from.id]: from.version, [into.id]: into.version } });
    hub.learnConversations([done.conversation]);
    await hub.refreshWatched();
    await goTo(into.id);
    const made = done.merges[0];
    const undo = made && { label: t("common.undo"), run: () => void part(made.id) };
    toasts.show(t("joining.done", { id: from.id, into: into.id }), "good", undo, UNDO_MS);
  }

  /** Two again. */
  async function part(mergeId: number): Promise<void> {
    const done = await attempt(() => joiningApi.undo(mergeId));
    if (!done) return;
    hub.learnConversations([done.conversation, done.other]);
    await hub.refreshWatched();
    const look = { label: t("joining.look", { id: done.conversation.id }), run: () => void goTo(done.conversation.id) };
    toasts.show(t("joining.undone", { id: done.conversation.id }), "good", look, UNDO_MS);
  }

  /** The one that was merged into this one, found again long after. */
  async function partFrom(intoId: number, fromId: number): Promise<void> {
    const found = await attempt(async () => (await joiningApi.merges(intoId)).items.find((each) => each.from_id === fromId));
    if (found) await part(found.id);
  }

  async function split(conversation: ConversationView, apart: Apart): Promise<void> {
    const body = { ...apart, entry_ids: [...chosen.value], expected_version: conversation.version };
    const done = await joiningApi.split(conversation.id, body);
    beginSplit(null);
    hub.learnConversations([done.other, done.conversation]);
    await hub.refreshWatched();
    const look = { label: t("joining.look", { id: done.conversation.id }), run: () => void goTo(done.conversation.id) };
    toasts.show(t("joining.split_done", { id: done.conversation.id }), "good", look, UNDO_MS);
  }

  return { asked, splitting, chosen, beginSplit, toggle, merge, partFrom, split };
});
