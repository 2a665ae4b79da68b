/* One form that is sent: busy while it goes, and what is wrong with which field when it comes back. */
import { computed, ref } from "vue";

import { ApiError } from "./client";
import { useWords } from "./words";

export function useForm() {
  const { failure } = useWords();
  const busy = ref(false);
  const fields = ref<Record<string, string>>({});
  const wrong = ref("");

  /** Whether it was taken. */
  async function submit(action: () => Promise<unknown>): Promise<boolean> {
    busy.value = true;
    clear();
    try {
      await action();
      return true;
    } catch (error) {
      fields.value = error instanceof ApiError ? error.fields : {};
      wrong.value = Object.keys(fields.value).length > 0 ? "" : failure(error);
      return false;
    } finally {
      busy.value = false;
    }
  }

  function clear(): void {
    fields.value = {};
    wrong.value = "";
  }

  /** Faults of fields the form does not show under their own name. */
  const others = (shown: readonly string[]) =>
    computed(() => Object.entries(fields.value).filter(([name]) => !shown.some((each) => name === each)).map(([name, text]) => `${name}: ${text}`));

  return { busy, fields, wrong, submit, clear, others };
}
