/* One form that is sent: busy while it goes, and what is wrong with which field when it comes back. */
import { ref } from "vue";

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
      fields.value = error instanceof ApiError ? worded(error) : {};
      wrong.value = Object.keys(fields.value).length > 0 ? "" : failure(error);
      return false;
    } finally {
      busy.value = false;
    }
  }

  /** A conflict is one thing with a sentence of ours, said at the field it is about; faults of values come in the hub's words. */
  function worded(error: ApiError): Record<string, string> {
    if (error.status !== 409) return error.fields;
    return Object.fromEntries(Object.keys(error.fields).map((name) => [name, failure(error)]));
  }

  function clear(): void {
    fields.value = {};
    wrong.value = "";
  }

  return { busy, fields, wrong, submit, clear };
}
