/* Which of the page-wide sheets is open. */
import { defineStore } from "pinia";
import { ref } from "vue";

export const useOverlays = defineStore("overlays", () => ({ shortcuts: ref(false), palette: ref(false), newCustomer: ref(false) }));
