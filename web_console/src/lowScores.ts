/*
 * The low scores that wait for a supervisor: how many there are, and the word to load them anew. The lines of the timeline that
 * tell of a score, or that somebody has seen to it, come to every supervisor; they are the hint, the hub's list is the truth.
 */
import { defineStore } from "pinia";
import { ref, watch } from "vue";

import { api } from "./client";
import { useHub } from "./hub";

/** More than these nobody counts: "99" is many. */
const MOST = 99;

export const useLowScores = defineStore("lowScores", () => {
  const hub = useHub();
  const count = ref(0);
  /** Rises whenever a score came in, or one was seen to. */
  const changes = ref(0);

  async function load(): Promise<void> {
    // A screen on a wall shows none of them, and may not ask.
    if (!hub.isSupervisor || hub.isScreen) return void (count.value = 0);
    try {
      count.value = (await api.surveys({ follow_up: "open", limit: MOST })).items.length;
    } catch {
      // The next hint, or the next connection, asks again.
    }
  }

  watch([() => hub.user?.id, () => hub.isSupervisor, () => hub.live], () => void load(), { immediate: true });
  watch(
    () => hub.arrivals,
    (events) => {
      const isHint = events.some((event) => (event.kind === "entry.added" || event.kind === "entry.changed") && event.entry.happening === "scored");
      if (!isHint) return;
      changes.value += 1;
      void load();
    },
  );
  return { count, changes, load };
});
