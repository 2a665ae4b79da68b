/* The hub's registry of measures, loaded once for the page: what each figure is called, what it means, and what it is computed from. */
import { defineStore } from "pinia";
import { ref, shallowRef } from "vue";

import { figuresApi } from "./client";
import type { MeasureAbout } from "./events";

export const useMeasures = defineStore("measures", () => {
  const items = shallowRef<ReadonlyMap<string, MeasureAbout> | null>(null);
  const failed = ref(false);
  let loading: Promise<void> | null = null;

  /** Resolves in any case; `failed` says how it went. */
  function load(): Promise<void> {
    if (items.value !== null) return Promise.resolve();
    failed.value = false;
    loading ??= figuresApi
      .measures()
      .then(({ items: listed }) => void (items.value = new Map(listed.map((measure) => [measure.id, measure]))))
      .catch(() => void (failed.value = true))
      .finally(() => (loading = null));
    return loading;
  }

  const of = (id: string) => items.value?.get(id);

  return { items, failed, load, of };
});
