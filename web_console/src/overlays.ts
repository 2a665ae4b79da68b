/* Which of the page-wide sheets is open. */
import { defineStore } from "pinia";
import { ref } from "vue";

export const useOverlays = defineStore("overlays", () => ({
  shortcuts: ref(false),
  palette: ref(false),
  newCustomer: ref(false),
  /** A mail is begun to this customer, at this address of theirs if one was chosen. */
  newMail: ref<{ customerId: number; pointId: number | null } | null>(null),
}));
