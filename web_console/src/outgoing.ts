/*
 * Messages and notes on their way from this page to the hub.
 *
 * Each carries a key of its own, sent as Idempotency-Key: when an answer is lost the same request goes out again and the hub
 * stores it once. It leaves this list when an entry with that client_key is in the timeline, whichever came first, answer or
 * event. What the hub refuses stays here with the reason and its text until the agent sends it again or discards it. The list
 * lives in sessionStorage, so a reload loses nothing either, and its draft ends at the hub only when the hub has it.
 *
 * What goes out later, or can be undone for some seconds, is the hub's as soon as it has it (`planned.changed`). When the page
 * goes away, what waits is sent by requests that outlive the page.
 */
import { defineStore } from "pinia";
import { computed, onScopeDispose, ref, watch } from "vue";

import { api, ApiError, sendAtParting, Unreachable, writingApi } from "./client";
import { useDrafts } from "./drafts";
import type { AttachmentView, EntryView, Mention, PlannedView } from "./events";
import { useHub } from "./hub";
import { asNewMail, type MailDraft } from "./mail";

export interface Outgoing {
  key: string;
  kind: "message" | "note";
  conversationId: number;
  customerId: number;
  channelId: string;
  text: string;
  attachments: AttachmentView[];
  /** The head, if it is a mail. */
  mail: MailDraft | null;
  /** Who is named in a note. */
  mentions?: Mention[];
  at: string;
  /** It goes out at this time, or can be undone for so many seconds; none of both: at once. */
  sendAt: string | null;
  holdS: number;
  /** Also when the customer has written, or the conversation was resolved, by then. */
  despite: boolean;
  /** The draft that it was, as the hub knows it. */
  draft: { version: number; writer: string } | null;
  state: "sending" | "waiting" | "failed";
  code: string | null;
  detail: string | null;
}

const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 8_000;

/** Nothing was decided about it: no answer, a failure of the hub, too many requests, or a session to be opened again. */
function isRepeatable(error: unknown): boolean {
  if (error instanceof Unreachable) return true;
  return error instanceof ApiError && (error.status >= 500 || error.status === 429 || error.status === 401);
}

const isLater = (item: Outgoing) => item.kind === "message" && (item.sendAt !== null || item.holdS > 0);
const messageOf = (item: Outgoing) => ({
  text: item.text,
  attachment_ids: item.attachments.map((each) => each.id),
  mail: item.mail ? asNewMail(item.mail) : null,
  draft: item.draft,
});
const planOf = (item: Outgoing) => ({
  ...messageOf(item),
  send_at: item.sendAt,
  hold_s: item.sendAt === null ? item.holdS : null,
  despite: item.despite,
  everybody: item.mail?.all ?? false,
});
const partOf = (item: Outgoing) => (item.kind === "note" ? "note" : "answer");

const KEY = "hub.outgoing.";
/** What lies in this tab, whoever wrote in it. */
export function outgoingKept(): { key: string; items: Outgoing[] }[] {
  const keys = Object.keys(sessionStorage).filter((key) => key.startsWith(KEY));
  return keys.map((key) => ({ key, items: JSON.parse(sessionStorage.getItem(key) ?? "[]") as Outgoing[] }));
}

export const useOutgoing = defineStore("outgoing", () => {
  const hub = useHub();
  const drafts = useDrafts();
  const storageKey = computed(() => (hub.user ? `${KEY}${hub.user.id}` : null));
  const items = ref<Outgoing[]>([]);
  /** How often in a row it did not get through, and when it is tried again. */
  const failures = new Map<string, number>();
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  const underWay = new Map<string, Promise<void>>();
  /** Those whose drafts wait for them. */
  const begun = new Set<string>();

  watch(
    storageKey,
    (key) => {
      const kept = key ? (JSON.parse(sessionStorage.getItem(key) ?? "[]") as Outgoing[]) : [];
      // One that an earlier release kept may lack what came later.
      items.value = kept.map((item) => ({
        ...item,
        mail: item.mail ?? null,
        sendAt: item.sendAt ?? null,
        holdS: item.holdS ?? 0,
        despite: item.despite ?? false,
        draft: item.draft ?? null,
        state: item.state === "failed" ? "failed" : "waiting",
      }));
      for (const item of items.value) {
        if (item.state === "failed" || begun.has(item.key)) continue;
        begun.add(item.key);
        drafts.resume(item.conversationId, partOf(item), item.text, item.attachments);
      }
      sendWaiting();
    },
    { immediate: true },
  );
  watch(
    items,
    (list) => {
      if (storageKey.value) sessionStorage.setItem(storageKey.value, JSON.stringify(list));
    },
    { deep: true },
  );
  // The line is back: what waited goes now.
  watch(
    () => hub.live,
    (live) => {
      if (live) sendWaiting();
    },
  );
  // The event may come before the answer, or instead of it.
  watch(
    () => hub.arrivals,
    (events) => {
      for (const event of events) {
        if (event.kind === "entry.added") arrived(event.entry);
        else if (event.kind === "planned.changed") planned(event.planned);
      }
    },
  );

  const shownAgain = (event: PageTransitionEvent) => event.persisted && sendWaiting();
  window.addEventListener("pagehide", part);
  window.addEventListener("pageshow", shownAgain);
  onScopeDispose(() => {
    window.removeEventListener("pagehide", part);
    window.removeEventListener("pageshow", shownAgain);
  });

  function add(
    what: Pick<Outgoing, "kind" | "conversationId" | "customerId" | "channelId" | "text" | "attachments"> & Partial<Pick<Outgoing, "mail" | "mentions" | "sendAt" | "holdS" | "despite">>,
  ): Outgoing {
    const item: Outgoing = {
      mail: null,
      sendAt: null,
      holdS: 0,
      despite: false,
      ...what,
      draft: drafts.begin(what.conversationId),
      key: crypto.randomUUID(),
      at: new Date(Date.now() + hub.skew_ms).toISOString(),
      state: "waiting",
      code: null,
      detail: null,
    };
    begun.add(item.key);
    items.value.push(item);
    void send(item.key);
    return item;
  }

  /** Takes back into its draft what was refused, to be changed. */
  function edit(key: string): Outgoing | null {
    const item = items.value.find((each) => each.key === key && each.state === "failed");
    if (!item) return null;
    drafts.giveBack(item.conversationId, item);
    discard(key);
    return item;
  }

  const held = (conversationId?: number) =>
    Object.values(hub.state?.planned ?? {}).filter(
      (each) => each.is_held && each.state === "waiting" && each.author_id === hub.user?.id && each.conversation_id === (conversationId ?? each.conversation_id),
    );

  /**
   * Sends now what is held, all of it or that of one conversation: whoever resolves it or hands it on has had the second
   * thought, and a mail that came after would open it again. Whether everything got through.
   */
  async function flush(conversationId?: number): Promise<boolean> {
    const mine = (item: Outgoing) => isLater(item) && item.sendAt === null && item.conversationId === (conversationId ?? item.conversationId);
    const keys = items.value.filter((item) => mine(item) && item.state !== "failed").map((item) => item.key);
    await Promise.all(keys.map((key) => underWay.get(key) ?? send(key)));
    if (items.value.some((item) => keys.includes(item.key))) return false;
    for (const each of held(conversationId).toSorted((a, b) => a.id - b.id)) {
      try {
        hub.learn({ kind: "planned.changed", planned: await writingApi.sendNow(each.id) });
      } catch (error) {
        // It has gone meanwhile, or was taken back elsewhere.
        if (!(error instanceof ApiError) || !["planned_sent", "planned_changed"].includes(error.code)) return false;
      }
    }
    return true;
  }

  /** The page goes away, perhaps for good. */
  function part(): void {
    let spent = 0;
    for (const item of items.value) {
      if (item.kind === "note" || item.state === "failed") continue;
      const path = `/conversations/${item.conversationId}/${isLater(item) ? "planned-messages" : "messages"}`;
      const size = sendAtParting("POST", path, isLater(item) ? planOf(item) : messageOf(item), spent, item.key);
      if (size !== false) spent += size;
      clearTimeout(timers.get(item.key));
      item.state = "waiting";
    }
    if (storageKey.value) sessionStorage.setItem(storageKey.value, JSON.stringify(items.value));
  }

  /** Nothing of them may stay here: they will never leave. */
  function drop(conversationId: number): void {
    for (const item of items.value.filter((each) => each.conversationId === conversationId)) {
      begun.delete(item.key);
      discard(item.key);
    }
  }

  /** In order: a later message of the same conversation waits for the earlier one. */
  function isBlocked(item: Outgoing): boolean {
    const first = items.value.find((each) => each.conversationId === item.conversationId && each.state !== "failed");
    return first !== undefined && first.key !== item.key;
  }

  function sendWaiting(conversationId?: number): void {
    items.value
      .filter((item) => item.state === "waiting" && (conversationId ?? item.conversationId) === item.conversationId)
      .forEach((item) => void send(item.key));
  }

  function send(key: string): Promise<void> {
    const run = underWay.get(key) ?? attempt(key).finally(() => underWay.delete(key));
    underWay.set(key, run);
    return run;
  }

  async function attempt(key: string): Promise<void> {
    const item = items.value.find((each) => each.key === key);
    if (!item || item.state === "sending") return;
    item.state = "waiting";
    if (isBlocked(item)) return;
    clearTimeout(timers.get(key));
    item.state = "sending";
    try {
      if (item.kind === "note") arrived(await api.addNote(item.conversationId, key, { text: item.text, attachment_ids: item.attachments.map((each) => each.id), mentions: item.mentions ?? [], draft: item.draft }));
      else if (isLater(item)) planned(await writingApi.plan(item.conversationId, key, planOf(item)));
      else arrived(await api.sendMessage(item.conversationId, key, messageOf(item)));
    } catch (error) {
      if (isRepeatable(error)) return retryLater(key, error instanceof ApiError ? error.retryAfterS : null);
      fail(key, error);
    }
    // Nothing here waits for the answers of those behind it.
    sendWaiting(item.conversationId);
  }

  function retryLater(key: string, retryAfterS: number | null): void {
    const item = items.value.find((each) => each.key === key);
    if (!item) return;
    const failed = (failures.get(key) ?? 0) + 1;
    failures.set(key, failed);
    item.state = "waiting";
    const delay = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** failed) * (0.5 + Math.random() / 2);
    timers.set(key, setTimeout(() => void send(key), retryAfterS === null ? delay : retryAfterS * 1000));
  }

  function fail(key: string, error: unknown): void {
    const item = items.value.find((each) => each.key === key);
    if (!item) return;
    if (error instanceof ApiError && error.code === "erased") return drop(item.conversationId);
    item.state = "failed";
    finish(item, false);
    item.draft = null;
    item.code = error instanceof ApiError ? error.code : "error";
    item.detail = error instanceof ApiError ? (Object.values(error.fields)[0] ?? error.message) : null;
  }

  function arrived(entry: EntryView): void {
    hub.learn({ kind: "entry.changed", entry });
    accepted(entry.client_key);
  }

  function planned(view: PlannedView): void {
    hub.learn({ kind: "planned.changed", planned: view });
    accepted(view.client_key);
  }

  function accepted(key: string | null): void {
    const item = items.value.find((each) => each.key === key);
    if (!item) return;
    finish(item, true);
    discard(item.key);
  }

  /** Its draft need not wait for it any longer. */
  function finish(item: Outgoing, isAccepted: boolean): void {
    if (begun.delete(item.key)) drafts.finish(item.conversationId, partOf(item), item.draft, isAccepted);
  }

  function discard(key: string): void {
    failures.delete(key);
    clearTimeout(timers.get(key));
    timers.delete(key);
    items.value = items.value.filter((item) => item.key !== key);
  }

  return { items, add, send, edit, flush, discard, drop };
});
