/* The escalation policies that a queue may have. */
import { onMounted, shallowRef } from "vue";

import { api } from "./client";

export interface PolicyName {
  id: number;
  name: string;
}

/** None until they have come, or if they could not be had: a queue's page goes without them then. */
export function usePolicies() {
  const items = shallowRef<readonly PolicyName[]>([]);
  onMounted(async () => {
    items.value = (await api.policies().catch(() => ({ items: [] }))).items;
  });
  return items;
}
