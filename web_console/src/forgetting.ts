/*
 * What this device holds of a conversation by itself (words that never got to the hub, and what is on its way) goes when the
 * hub says that its customer was erased, or does not show it to this person any longer. Whoever was away is told by the next
 * snapshot: then the hub is asked about each conversation of which something lies here, also of what others wrote on this
 * device. What is only the hub's for the moment is left to it.
 */
import { defineStore } from "pinia";
import { watch } from "vue";

import { api, ApiError } from "./client";
import { draftsKept, useDrafts } from "./drafts";
import { useHub } from "./hub";
import { outgoingKept, useOutgoing } from "./outgoing";

type Standing = "there" | "hidden" | "erased" | "unknown";

async function ask(conversationId: number): Promise<Standing> {
  try {
    return (await api.conversation(conversationId)).customer_is_erased ? "erased" : "there";
  } catch (error) {
    return error instanceof ApiError && error.status === 404 ? "hidden" : "unknown";
  }
}

export const useForgetting = defineStore("forgetting", () => {
  const hub = useHub();
  const drafts = useDrafts();
  const outgoing = useOutgoing();

  /** One's own words, in this page too; with `everybody`, also those that others wrote on this device. */
  function drop(conversationId: number, everybody: boolean): void {
    outgoing.drop(conversationId);
    drafts.drop(conversationId);
    if (!everybody) return;
    for (const each of draftsKept()) if (each.conversationId === conversationId) localStorage.removeItem(each.key);
    for (const { key, items } of outgoingKept()) {
      const left = items.filter((item) => item.conversationId !== conversationId);
      if (left.length < items.length) sessionStorage.setItem(key, JSON.stringify(left));
    }
  }

  async function settle(conversationId: number): Promise<void> {
    const standing = await ask(conversationId);
    if (standing === "erased" || standing === "hidden") return drop(conversationId, standing === "erased");
    // What went with the page that was closed, the hub has; the rest goes to it now.
    const isMine = draftsKept().some((each) => each.userId === hub.user?.id && each.conversationId === conversationId);
    if (standing === "there" && isMine) await drafts.load(conversationId).catch(() => undefined);
  }

  async function lookThrough(): Promise<void> {
    const ids = [...draftsKept(), ...outgoingKept().flatMap((each) => each.items), ...outgoing.items].map((each) => each.conversationId);
    for (const id of new Set([...ids, ...drafts.held()])) await settle(id);
  }

  watch(
    () => hub.snapshots,
    (count) => count > 0 && void lookThrough(),
    { immediate: true },
  );
  watch(
    () => hub.arrivals,
    (events) => {
      for (const event of events) {
        if (event.kind === "conversation.changed" && event.conversation.customer_is_erased) drop(event.conversation.id, true);
        else if (event.kind === "conversation.hidden") void settle(event.conversation_id);
      }
    },
  );

  return { drop };
});
