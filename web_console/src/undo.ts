/* Undoing a mail that is held back: the word about it, and the way back to where it was written. */
import { defineStore } from "pinia";
import { watch } from "vue";
import { useRouter } from "vue-router";

import { i18n } from "./i18n";
import { HOLD_MS, useOutgoing } from "./outgoing";
import { useToasts } from "./toasts";

export const useUndo = defineStore("undo", () => {
  const { t } = i18n.global;
  const router = useRouter();
  const outgoing = useOutgoing();
  const toasts = useToasts();
  /** The word about each mail that is held. */
  const told = new Map<string, number>();

  function tell(key: string): void {
    told.set(key, toasts.show(t("outgoing.held"), "plain", { label: t("common.undo"), keys: "Z", run: () => undo(key) }, HOLD_MS));
  }

  function undo(key?: string): void {
    const item = outgoing.undo(key);
    if (item) void router.push({ name: "conversations", params: { id: item.conversationId }, query: router.currentRoute.value.query });
  }

  // Sent before its time, or taken back elsewhere: then there is nothing to undo any more.
  watch(
    () => outgoing.items.filter((item) => item.state === "held").map((item) => item.key),
    (held) => {
      for (const [key, toast] of told) {
        if (held.includes(key)) continue;
        toasts.close(toast);
        told.delete(key);
      }
    },
  );

  return { tell, undo };
});
