/* Which of the page-wide sheets is open. */
import { defineStore } from "pinia";
import { ref } from "vue";

import type { EntryView } from "./events";

export const useOverlays = defineStore("overlays", () => ({
  shortcuts: ref(false),
  palette: ref(false),
  newCustomer: ref(false),
  /** Why a conversation waits or went to whom it went; `entry`: the line of the timeline that was asked about. */
  why: ref<{ conversationId: number; entry?: EntryView } | null>(null),
  /** A mail is begun to this customer, at this address of theirs if one was chosen. */
  newMail: ref<{ customerId: number; pointId: number | null } | null>(null),
}));
