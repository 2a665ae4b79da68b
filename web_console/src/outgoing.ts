/*
 * Messages and notes on their way from this page to the hub.
 *
 * Each carries a key of its own, sent as Idempotency-Key: when an answer is lost the same request goes out again and the hub
 * stores it once. It leaves this list when an entry with that client_key is in the timeline, whichever came first, answer or
 * event. What the hub refuses stays here with the reason and its text until the agent sends it again or discards it. The list
 * lives in sessionStorage, so a reload loses nothing either.
 *
 * A mail is held back for HOLD_MS, in which it can be undone: its text, head and files go back into the draft. Whatever comes
 * next in its conversation sends it at once, so that order is kept. When the page goes away, what is held or waits is sent by
 * requests that outlive the page; what is too large for them goes back into the draft, which outlives it, too.
 */
import { defineStore } from "pinia";
import { computed, onScopeDispose, ref, shallowRef, watch } from "vue";

import { api, ApiError, sendAtParting, Unreachable } from "./client";
import { giveBack } from "./drafts";
import type { AttachmentView, EntryView, Mention } from "./events";
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
  /** Until when it can be undone; server time. */
  heldUntil: string | null;
  state: "held" | "sending" | "waiting" | "failed";
  code: string | null;
  detail: string | null;
}

/** Long enough to see a wrong address, short enough that nobody waits for it. */
export const HOLD_MS = 8_000;
const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 8_000;

/** Nothing was decided about it: no answer, a failure of the hub, too many requests, or a session to be opened again. */
function isRepeatable(error: unknown): boolean {
  if (error instanceof Unreachable) return true;
  return error instanceof ApiError && (error.status >= 500 || error.status === 429 || error.status === 401);
}

const bodyOf = (item: Outgoing) => ({
  text: item.text,
  attachment_ids: item.attachments.map((each) => each.id),
  mail: item.mail ? asNewMail(item.mail) : null,
});

export const useOutgoing = defineStore("outgoing", () => {
  const hub = useHub();
  const storageKey = computed(() => (hub.user ? `hub.outgoing.${hub.user.id}` : null));
  const items = ref<Outgoing[]>([]);
  /** How often in a row it did not get through, and when it is tried again. */
  const failures = new Map<string, number>();
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  /** The newest that was taken back into its draft, for the screen that shows that draft. */
  const returned = shallowRef<Outgoing | null>(null);

  watch(
    storageKey,
    (key) => {
      const kept = key ? (JSON.parse(sessionStorage.getItem(key) ?? "[]") as Outgoing[]) : [];
      // One that an earlier release kept may lack what came later. What was held has been sent when its page went away.
      items.value = kept.map((item) => ({ ...item, mail: item.mail ?? null, heldUntil: null, state: item.state === "failed" ? "failed" : "waiting" }));
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
      for (const event of events) if (event.kind === "entry.added") arrived(event.entry);
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
    draft: Pick<Outgoing, "kind" | "conversationId" | "customerId" | "channelId" | "text" | "attachments"> & Partial<Pick<Outgoing, "mail" | "mentions">>,
  ): Outgoing {
    const now = Date.now() + hub.skew_ms;
    const mail = draft.mail ?? null;
    const item: Outgoing = {
      ...draft,
      mail,
      key: crypto.randomUUID(),
      at: new Date(now).toISOString(),
      heldUntil: mail ? new Date(now + HOLD_MS).toISOString() : null,
      state: mail ? "held" : "waiting",
      code: null,
      detail: null,
    };
    held().filter((each) => each.conversationId === item.conversationId).forEach((each) => void send(each.key));
    items.value.push(item);
    if (mail) timers.set(item.key, setTimeout(() => void send(item.key), HOLD_MS));
    else void send(item.key);
    return item;
  }

  const held = () => items.value.filter((item) => item.state === "held");

  /** Takes back into its draft what is held, or what was refused, to be changed; the newest held, if none is named. */
  function undo(key?: string): Outgoing | null {
    const item = key === undefined ? held().at(-1) : items.value.find((each) => each.key === key);
    if (!item || !hub.user || (item.state !== "held" && item.state !== "failed")) return null;
    const back = { ...item };
    giveBack(hub.user.id, item.conversationId, item);
    discard(item.key);
    returned.value = back;
    return back;
  }

  /**
   * Sends now what is held, all of it or that of one conversation: whoever resolves it or hands it on has had the second
   * thought, and a mail that came after would open it again. Whether everything got through.
   */
  async function flush(conversationId?: number): Promise<boolean> {
    const keys = held().filter((item) => (conversationId ?? item.conversationId) === item.conversationId).map((item) => item.key);
    await Promise.all(keys.map(send));
    return items.value.every((item) => !keys.includes(item.key));
  }

  /** The page goes away, perhaps for good. */
  function part(): void {
    let spent = 0;
    for (const item of [...items.value]) {
      if (item.kind === "note" || item.state === "failed") continue;
      const size = sendAtParting(item.conversationId, item.key, bodyOf(item), spent);
      if (size !== false) spent += size;
      else if (item.state === "held") {
        undo(item.key);
        continue;
      }
      clearTimeout(timers.get(item.key));
      item.state = "waiting";
      item.heldUntil = null;
    }
    if (storageKey.value) sessionStorage.setItem(storageKey.value, JSON.stringify(items.value));
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

  async function send(key: string): Promise<void> {
    const item = items.value.find((each) => each.key === key);
    if (!item || item.state === "sending") return;
    item.state = "waiting";
    item.heldUntil = null;
    if (isBlocked(item)) return;
    clearTimeout(timers.get(key));
    item.state = "sending";
    try {
      arrived(
        item.kind === "note"
          ? await api.addNote(item.conversationId, key, item.text, item.mentions ?? [])
          : await api.sendMessage(item.conversationId, key, bodyOf(item)),
      );
    } catch (error) {
      if (isRepeatable(error)) return retryLater(key, error instanceof ApiError ? error.retryAfterS : null);
      fail(key, error);
    }
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
    item.state = "failed";
    item.code = error instanceof ApiError ? error.code : "error";
    item.detail = error instanceof ApiError ? (Object.values(error.fields)[0] ?? error.message) : null;
  }

  function arrived(entry: EntryView): void {
    hub.learn({ kind: "entry.changed", entry });
    if (entry.client_key === null) return;
    discard(entry.client_key);
  }

  function discard(key: string): void {
    failures.delete(key);
    clearTimeout(timers.get(key));
    timers.delete(key);
    items.value = items.value.filter((item) => item.key !== key);
  }

  return { items, returned, add, send, undo, flush, discard };
});
