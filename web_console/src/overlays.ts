/* Which of the page-wide sheets is open. */
import { defineStore } from "pinia";
import { ref } from "vue";

import type { EntryView } from "./events";

export const useOverlays = defineStore("overlays", () => {
  const shortcuts = ref(false);
  const palette = ref(false);
  const newCustomer = ref(false);
  /** Why a conversation waits or went to whom it went; `entry`: the line of the timeline that was asked about. */
  const why = ref<{ conversationId: number; entry?: EntryView } | null>(null);
  /** How far the escalation of this conversation is. */
  const escalation = ref<number | null>(null);
  /** The list of one's alerts. */
  const alerts = ref(false);
  /** The microphone and the speaker of one's telephone. */
  const telephone = ref(false);
  /** A mail is begun to this customer, at this address of theirs if one was chosen. */
  const newMail = ref<{ customerId: number; pointId: number | null } | null>(null);

  /** Before what is more urgent is shown. A mail that is begun stays: it would be lost. */
  function closeAll(): void {
    shortcuts.value = palette.value = newCustomer.value = alerts.value = telephone.value = false;
    why.value = escalation.value = null;
  }

  return { shortcuts, palette, newCustomer, why, escalation, alerts, telephone, newMail, closeAll };
});
