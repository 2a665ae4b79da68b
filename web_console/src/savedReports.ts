/* Reports that somebody keeps under a name: in this browser, per user. To pass one on there is its link. */
import { defineStore } from "pinia";
import { ref, watch } from "vue";

import { useHub } from "./hub";

export interface SavedReport {
  /** As it stands in the address. */
  id: string;
  name: string;
  /** The ready-made report it began as. */
  begun: string | null;
  query: Readonly<Record<string, string>>;
}

/** More than these nobody finds again in a list. */
const MOST = 30;

export const useSavedReports = defineStore("savedReports", () => {
  const hub = useHub();
  const items = ref<SavedReport[]>([]);
  const key = () => `hub.reports.${hub.user?.id ?? "nobody"}`;

  function load(): void {
    items.value = readSaved(localStorage.getItem(key()));
  }
  watch(() => hub.user?.id, load, { immediate: true });

  function keep(): void {
    localStorage.setItem(key(), JSON.stringify(items.value));
  }

  /** One of the same name is replaced. Answers what it is called in the address. */
  function save(name: string, begun: string | null, query: Record<string, string>): string {
    const id = items.value.find((each) => each.name === name)?.id ?? `own-${Date.now().toString(36)}`;
    items.value = [...items.value.filter((each) => each.id !== id), { id, name, begun, query }].slice(-MOST);
    keep();
    return id;
  }

  function drop(id: string): void {
    items.value = items.value.filter((each) => each.id !== id);
    keep();
  }

  return { items, load, save, drop };
});

/** What was kept, as far as it can be read: another release, or another program, may have written it. */
export function readSaved(text: string | null): SavedReport[] {
  try {
    const kept: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(kept) ? kept.filter(isSaved) : [];
  } catch {
    return [];
  }
}

function isSaved(each: unknown): each is SavedReport {
  if (typeof each !== "object" || each === null) return false;
  const { id, name, begun, query } = each as Record<string, unknown>;
  const isText = (value: unknown) => typeof value === "string";
  return isText(id) && isText(name) && (begun === null || isText(begun)) && typeof query === "object" && query !== null && Object.values(query).every(isText);
}
