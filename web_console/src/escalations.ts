/*
 * How far the escalation of a conversation is, as the hub counts it: it knows the calendar and the pauses. Asked for again whenever
 * something happens to the conversation; an answer to an older question is left aside.
 */
import { ref, shallowRef, watch } from "vue";

import { api } from "./client";
import type { ConversationView, EscalationView } from "./events";

/** `of`: the conversation in question, null for none. */
export function useEscalation(of: () => Pick<ConversationView, "id" | "version"> | null) {
  const told = shallowRef<EscalationView | null>(null);
  /** When it was told, in ms of this machine's clock: running clocks have run on since. */
  const toldAt = ref(0);
  const failure = shallowRef<unknown>(null);
  let asked = 0;

  async function load(): Promise<void> {
    const conversation = of();
    const number = ++asked;
    if (conversation === null) return;
    failure.value = null;
    try {
      const answer = await api.escalation(conversation.id);
      if (number !== asked) return;
      told.value = answer;
      toldAt.value = Date.now();
    } catch (error) {
      if (number === asked) failure.value = error;
    }
  }

  watch(
    () => {
      const conversation = of();
      return [conversation?.id ?? null, conversation?.version ?? null] as const;
    },
    ([id], before) => {
      if (id !== before?.[0]) told.value = failure.value = null;
      void load();
    },
    { immediate: true },
  );

  return { told, toldAt, failure, load };
}
