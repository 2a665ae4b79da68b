/* The escalation policies that a queue may have. */
import { onMounted, shallowRef } from "vue";

import { api } from "./client";

export interface PolicyName {
  id: number;
  name: string;
}

/** None while they are not there: a queue's page goes without them. */
export function usePolicies() {
  const items = shallowRef<readonly PolicyName[]>([]);
  const ask = (api as { policies?: () => Promise<{ items: readonly PolicyName[] }> }).policies;
  onMounted(async () => {
    if (ask) items.value = (await ask().catch(() => ({ items: [] }))).items;
  });
  return items;
}
