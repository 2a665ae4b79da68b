/* A list that a page of the administration loads when it opens: the items, or that they did not come. */
import { onMounted, ref, type Ref } from "vue";

export function useLoaded<T>(load: () => Promise<T[]>): { items: Ref<T[] | null>; failed: Ref<boolean>; reload: () => Promise<void> } {
  const items = ref(null) as Ref<T[] | null>;
  const failed = ref(false);

  /** The newest question alone is believed: two of them may be answered in any order. */
  let asked = 0;
  async function reload(): Promise<void> {
    const mine = ++asked;
    failed.value = false;
    try {
      const found = await load();
      if (mine === asked) items.value = found;
    } catch {
      if (mine === asked) failed.value = true;
    }
  }
  onMounted(reload);
  return { items, failed, reload };
}
