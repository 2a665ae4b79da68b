/* One clock for the whole page: a second hand that everything relative ("3 min", countdowns) reads, set by the server. */
import { computed, onScopeDispose, ref, type Ref } from "vue";

import { useHub } from "./hub";

const now = ref(Date.now());
setInterval(() => (now.value = Date.now()), 1_000);

/** The server's time in ms, renewed each second. */
export function useServerNow(): Readonly<Ref<number>> {
  const hub = useHub();
  return computed(() => now.value + hub.skew_ms);
}

/** The same, each animation frame, for a ring that runs smoothly. */
export function useSmoothServerNow(): Readonly<Ref<number>> {
  const hub = useHub();
  const smooth = ref(Date.now());
  let handle = requestAnimationFrame(function step() {
    smooth.value = Date.now();
    handle = requestAnimationFrame(step);
  });
  onScopeDispose(() => cancelAnimationFrame(handle));
  return computed(() => smooth.value + hub.skew_ms);
}
