/* The hub's registry of measures, loaded once for the page: what each figure is called, what it means, and what it is computed from. */
import { defineStore } from "pinia";
import { computed, ref, shallowRef } from "vue";

import { figuresApi } from "./client";
import type { MeasureAbout } from "./events";

export const useMeasures = defineStore("measures", () => {
  const all = shallowRef<ReadonlyMap<string, MeasureAbout> | null>(null);
  /** What reports of figures tell. */
  const items = computed(() => only("figures"));
  /** What is so this moment. */
  const moments = computed(() => only("moments"));
  const failed = ref(false);
  let loading: Promise<void> | null = null;

  /** Resolves in any case; `failed` says how it went. */
  function load(): Promise<void> {
    if (all.value !== null) return Promise.resolve();
    failed.value = false;
    loading ??= figuresApi
      .measures()
      .then(({ items: listed }) => void (all.value = new Map(listed.map((measure) => [measure.id, measure]))))
      .catch(() => void (failed.value = true))
      .finally(() => (loading = null));
    return loading;
  }

  const only = (report: MeasureAbout["report"]) => (all.value === null ? null : new Map([...all.value].filter(([, about]) => about.report === report)));

  const of = (id: string) => items.value?.get(id);
  /** Whatever report tells it. */
  const about = (id: string) => all.value?.get(id);

  return { items, moments, failed, load, of, about };
});
