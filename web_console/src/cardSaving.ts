/* Edits of a card or of a conversation's fields on their way to the hub, and what came of them. */
import { useI18n } from "vue-i18n";

import { type FactValue, patchOf } from "./card";
import { api, ApiError } from "./client";
import { useHub } from "./hub";
import { useToasts } from "./toasts";
import { useWords } from "./words";

/** `conflict`: a colleague changed these facts since they were seen; the page knows by now what they say. `faulty`: fact → what is wrong. */
export type Saved = { kind: "saved" } | { kind: "conflict"; keys: string[] } | { kind: "faulty"; faults: Record<string, string> } | { kind: "failed" };
export type Save = (drafts: Readonly<Record<string, FactValue>>, seen: Readonly<Record<string, FactValue>>) => Promise<Saved>;

export function useCardSaving() {
  const { t, te } = useI18n();
  const hub = useHub();
  const toasts = useToasts();
  const { failure } = useWords();

  const saveCard = (customerId: number): Save => (drafts, seen) =>
    attempt(
      async () => {
        const patch = patchOf(drafts, seen);
        if (patch) hub.learn({ kind: "customer.changed", customer: await api.updateCustomer(customerId, patch as Parameters<typeof api.updateCustomer>[1]) });
      },
      async () => hub.learn({ kind: "customer.changed", customer: (await api.customer(customerId)).customer }),
    );

  const saveFields = (conversationId: number): Save => (drafts, seen) =>
    attempt(
      async () => {
        const patch = patchOf(drafts, seen);
        if (patch) hub.learn({ kind: "conversation.changed", conversation: await api.setFields(conversationId, { fields: patch.fields, seen: patch.seen.fields }) });
      },
      async () => hub.learn({ kind: "conversation.changed", conversation: await api.conversation(conversationId) }),
    );

  async function attempt(action: () => Promise<void>, look: () => Promise<void>): Promise<Saved> {
    try {
      await action();
      return { kind: "saved" };
    } catch (error) {
      if (error instanceof ApiError && error.code === "field_conflict") {
        await look().catch(() => undefined);
        return { kind: "conflict", keys: Object.keys(error.fields) };
      }
      if (error instanceof ApiError && error.status === 422 && Object.keys(error.fields).length > 0) {
        return { kind: "faulty", faults: Object.fromEntries(Object.entries(error.fields).map(([key, words]) => [key, te(`record.bad_${key}`) ? t(`record.bad_${key}`) : words])) };
      }
      toasts.show(failure(error), "bad");
      return { kind: "failed" };
    }
  }

  return { saveCard, saveFields };
}
