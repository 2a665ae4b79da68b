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

// What a conflict names beside fields: whom and what it is about, and how that stands.
const TOLD = new Set(["assignee", "into", "state"]);

/**
 * What to say at which field. Faults of values come in the hub's words, as does what something is in use for; any other
 * conflict is one thing with a sentence of ours, said at each field that it is about.
 */
export function faultsOfFields(error: Pick<ApiError, "status" | "code" | "fields">, sentence: string): Record<string, string> {
  if (error.status !== 409 || error.code === "in_use") return error.fields;
  const about = Object.entries(error.fields).filter(([name, words]) => !TOLD.has(name) && !/^\d+$/.test(words));
  return Object.fromEntries(about.map(([name]) => [name, sentence]));
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
      fields.value = error instanceof ApiError ? faultsOfFields(error, failure(error)) : {};
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

  return { busy, fields, wrong, submit, clear };
}
