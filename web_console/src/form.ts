/*
 * One form that is sent: what is wrong with its fields before it goes, busy while it goes, and what is wrong with which field
 * when it comes back.
 */
import { ref } from "vue";

import { ApiError } from "./client";
import { useWords } from "./words";

/** What a field must hold, as the hub says it. `pattern` is matched against the whole value. */
export interface Demand {
  required: boolean;
  pattern: string | null;
}

export type Shortcoming = "empty" | "pattern";

/** Why the hub would not take the value; null where it would, or where only the hub can tell. */
export function shortcoming(value: string, demand: Demand): Shortcoming | null {
  if (value.trim() === "") return demand.required ? "empty" : null;
  if (demand.pattern === null) return null;
  return new RegExp(`^(?:${demand.pattern})$`, "u").test(value) ? null : "pattern";
}

/** Brings the first field that is marked as wrong into sight, with the cursor in it. */
export function showFirstFault(form: HTMLElement | null): void {
  const first = form?.querySelector<HTMLElement>('[aria-invalid="true"]');
  first?.focus({ preventScroll: true });
  first?.scrollIntoView({ block: "center" });
}

export function useForm() {
  const { failure } = useWords();
  const busy = ref(false);
  const fields = ref<Record<string, string>>({});
  const wrong = ref("");

  /** Whether it was taken. `faults`: what is known to be wrong with it already; then it is not sent. */
  async function submit(action: () => Promise<unknown>, faults: Record<string, string> = {}): Promise<boolean> {
    clear();
    fields.value = faults;
    if (Object.keys(faults).length > 0) return false;
    busy.value = true;
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
