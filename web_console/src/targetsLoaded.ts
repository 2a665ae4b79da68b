/* What figures should be, as the administration has set it. */
import { shallowRef } from "vue";

import type { Target } from "./targets";

export function useTargets() {
  const targets = shallowRef<readonly Target[]>([]);
  return { targets };
}
