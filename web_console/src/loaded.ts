/* A list that a page of the administration loads when it opens: the items, or that they did not come. */
import { onMounted, ref, type Ref } from "vue";

export function useLoaded<T>(load: () => Promise<T[]>): { items: Ref<T[] | null>; failed: Ref<boolean>; reload: () => Promise<void> } {
  const items = ref(null) as Ref<T[] | null>;
  const failed = ref(false);

  async function reload(): Promise<void> {
    failed.value = false;
    try {
      items.value = await load();
    } catch {
      failed.value = true;
    }
  }
  onMounted(reload);
  return { items, failed, reload };
}
