/*
 * All canned replies that one may use, loaded when the first is wanted and kept fresh from then on: an event names the reply that
 * changed, and the hub is asked what of it this person may see now. A thousand of them are folded once, not with every key.
 */
import { defineStore } from "pinia";
import { computed, ref, shallowRef, watch } from "vue";

import { type Findable, findable } from "./canned";
import { cannedApi } from "./client";
import type { CannedReplyView } from "./events";
import { useHub } from "./hub";

const PAGE = 200;
/** From so many changes at once (an import) it is less to load them all. */
const MANY = 10;

export const useCannedReplies = defineStore("cannedReplies", () => {
  const hub = useHub();
  const byId = shallowRef<ReadonlyMap<number, CannedReplyView>>(new Map());
  const loaded = ref(false);
  const failed = ref(false);
  const folded = new WeakMap<CannedReplyView, Findable>();
  let fresh = false;
  let loading: Promise<void> | null = null;
  /** Something changed while they were loading: what was read may be from before. */
  let overtaken = false;

  const all = computed(() => [...byId.value.values()]);
  const found = computed(() => all.value.map(foldedOnce));

  function foldedOnce(reply: CannedReplyView): Findable {
    const known = folded.get(reply) ?? findable(reply);
    folded.set(reply, known);
    return known;
  }

  /** Has them loaded, anew if they may be old; what is held is shown meanwhile. */
  async function ensure(): Promise<void> {
    if (fresh) return;
    loading ??= load().finally(() => (loading = null));
    await loading;
  }

  async function load(): Promise<void> {
    failed.value = false;
    const whose = hub.user?.id;
    try {
      do {
        overtaken = false;
        const replies: CannedReplyView[] = [];
        let cursor: string | null = null;
        do {
          const page: { items: CannedReplyView[]; next_cursor: string | null } = await cannedApi.list({ limit: PAGE, ...(cursor ? { cursor } : {}) });
          replies.push(...page.items);
          cursor = page.next_cursor;
        } while (cursor !== null);
        if (hub.user?.id !== whose) return;
        byId.value = new Map(replies.map((reply) => [reply.id, reply]));
      } while (overtaken);
      loaded.value = fresh = true;
    } catch {
      failed.value = true;
    }
  }

  function learn(reply: CannedReplyView): void {
    const held = byId.value.get(reply.id);
    if (held && held.version > reply.version) return;
    byId.value = new Map(byId.value).set(reply.id, reply);
  }

  function forget(id: number): void {
    if (!byId.value.has(id)) return;
    const rest = new Map(byId.value);
    rest.delete(id);
    byId.value = rest;
  }

  /** What of this one there is now for whoever is signed in. */
  async function ask(id: number): Promise<void> {
    try {
      const [reply] = (await cannedApi.list({ id })).items;
      if (reply) learn(reply);
      else forget(id);
    } catch {
      fresh = false;
    }
  }

  /** It went into a message: it comes up earlier from now on. */
  function used(reply: CannedReplyView): void {
    const held = byId.value.get(reply.id) ?? reply;
    const now = new Date().toISOString();
    byId.value = new Map(byId.value).set(reply.id, { ...held, used: held.used + 1, used_by_me: held.used_by_me + 1, last_used_at: now, last_used_by_me_at: now });
  }

  watch(
    () => hub.arrivals,
    (events) => {
      const changed = new Set(events.flatMap((event) => (event.kind === "canned_reply.changed" ? [event.reply_id] : [])));
      if (changed.size === 0) return;
      if (loading) overtaken = true;
      else if (!loaded.value) return;
      else if (changed.size > MANY) {
        fresh = false;
        void ensure();
      } else for (const id of changed) void ask(id);
    },
  );
  // After a silence, and with other rights, others may be there; another person's are another list.
  watch(
    () => `${hub.live} ${hub.user?.role ?? ""} ${(hub.user?.queue_ids ?? []).join()}`,
    () => (fresh = false),
  );
  watch(
    () => hub.user?.id,
    () => {
      byId.value = new Map();
      loaded.value = fresh = failed.value = false;
    },
  );

  return { all, found, loaded, failed, ensure, learn, forget, ask, used };
});
