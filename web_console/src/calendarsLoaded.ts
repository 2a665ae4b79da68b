/* The calendars of business hours, asked for by each screen that shows them: nothing tells of their changes. */
import { onMounted, ref, shallowRef } from "vue";

import { api } from "./client";
import type { CalendarView } from "./events";

export function useCalendars() {
  const items = shallowRef<CalendarView[] | null>(null);
  const failed = ref(false);
  async function load(): Promise<void> {
    failed.value = false;
    try {
      items.value = (await api.calendars()).items;
    } catch {
      failed.value = true;
    }
  }
  onMounted(load);
  const nameOf = (id: number) => items.value?.find((each) => each.id === id)?.name ?? "…";
  return { items, failed, load, nameOf };
}
