/*
 * Messages and notes on their way from this page to the hub.
 *
 * Each carries a key of its own, sent as Idempotency-Key: when an answer is lost the same request goes out again and the hub
 * stores it once. It leaves this list when an entry with that client_key is in the timeline, whichever came first, answer or
 * event. What the hub refuses stays here with the reason and its text until the agent sends it again or discards it. The list
 * lives in sessionStorage, so a reload loses nothing either.
 */
import { defineStore } from "pinia";
import { computed, ref, watch } from "vue";

import { api, ApiError, Unreachable } from "./client";
import type { AttachmentView, EntryView } from "./events";
import { useHub } from "./hub";

export interface Outgoing {
  key: string;
  kind: "message" | "note";
  conversationId: number;
  customerId: number;
  channelId: string;
  text: string;
  attachments: AttachmentView[];
  at: string;
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

export const useOutgoing = defineStore("outgoing", () => {
  const hub = useHub();
  const storageKey = computed(() => (hub.user ? `hub.outgoing.${hub.user.id}` : null));
  const items = ref<Outgoing[]>([]);
  /** How often in a row it did not get through, and when it is tried again. */
  const failures = new Map<string, number>();
  const timers = new Map<string, ReturnType<typeof setTimeout>>();

  watch(
    storageKey,
    (key) => {
      const kept = key ? (JSON.parse(sessionStorage.getItem(key) ?? "[]") as Outgoing[]) : [];
      items.value = kept.map((item) => (item.state === "sending" ? { ...item, state: "waiting" } : item));
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

  function add(draft: Pick<Outgoing, "kind" | "conversationId" | "customerId" | "channelId" | "text" | "attachments">): void {
    const item: Outgoing = {
      ...draft,
      key: crypto.randomUUID(),
      at: new Date(Date.now() + hub.skew_ms).toISOString(),
      state: "waiting",
      code: null,
      detail: null,
    };
    items.value.push(item);
    void send(item.key);
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
    if (isBlocked(item)) return;
    clearTimeout(timers.get(key));
    item.state = "sending";
    try {
      arrived(
        item.kind === "note"
          ? await api.addNote(item.conversationId, key, item.text)
          : await api.sendMessage(item.conversationId, key, {
              text: item.text,
              attachment_ids: item.attachments.map((each) => each.id),
            }),
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

  return { items, add, send, discard };
});
