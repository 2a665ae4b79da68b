/*
 * Saved views, one's own and shared ones, and how many conversations each has. They are asked for, not told: what changes on
 * the floor has them counted again a little later.
 */
import { defineStore } from "pinia";
import { computed, ref, shallowRef, watch } from "vue";

import { api } from "./client";
import type { SavedView, ViewFilter } from "./events";
import { useHub } from "./hub";
import type { Asked } from "./search";

/** Counts are a help, not a clock: they follow what happens on the floor this late, and not more often. */
const COUNT_AGAIN_MS = 4_000;
export const COUNTED = 1_000;

export const NO_FILTER: ViewFilter = {
  status: "open", assignee: null, queue_id: null, channel: null, topic_id: null, tag: null, tier: null, is_unanswered: false, is_troubled: false, is_complaint: false, within_days: null, words: null,
};

/** A view of the conversations in which a search would find something. Days of the calendar pass, so they are not kept. */
export function filterOf({ words, filters }: Asked): ViewFilter {
  return {
    ...NO_FILTER,
    status: filters.status === "open" || filters.status === "resolved" ? filters.status : null,
    assignee: filters.agent ?? null,
    queue_id: filters.queue === undefined ? null : Number(filters.queue),
    channel: (filters.channel as ViewFilter["channel"]) ?? null,
    topic_id: filters.topic === undefined ? null : Number(filters.topic),
    tag: filters.tag ?? null,
    words: words.trim() === "" ? null : words.trim(),
  };
}

export const useSavedViews = defineStore("savedViews", () => {
  const hub = useHub();
  const views = shallowRef<readonly SavedView[]>([]);
  const loaded = ref(false);
  /** The view that is being made (id null) or changed. */
  const editing = shallowRef<{ id: number | null; name: string; isShared: boolean; filter: ViewFilter; version: number | null } | null>(null);
  let asked = 0;

  async function load(): Promise<void> {
    const mine = ++asked;
    const page = await api.views();
    if (mine !== asked) return;
    views.value = page.items;
    loaded.value = true;
  }

  let timer: ReturnType<typeof setTimeout> | undefined;
  watch(
    () => hub.arrivals,
    (events) => {
      if (timer !== undefined || views.value.length === 0) return;
      if (!events.some((event) => event.kind === "entry.added" || event.kind.startsWith("conversation."))) return;
      timer = setTimeout(() => {
        timer = undefined;
        // The next event, or the next look, asks again.
        load().catch(() => undefined);
      }, COUNT_AGAIN_MS);
    },
  );

  async function save(): Promise<SavedView | null> {
    const given = editing.value;
    if (!given) return null;
    const body = { name: given.name, is_shared: given.isShared, filter: given.filter };
    const saved = given.id === null ? await api.createView(body) : await api.updateView(given.id, { ...body, expected_version: given.version });
    await load();
    return saved;
  }

  async function remove(id: number): Promise<void> {
    await api.removeView(id);
    await load();
  }

  const byId = computed(() => new Map(views.value.map((view) => [view.id, view])));
  const begin = (filter: ViewFilter = NO_FILTER, name = "") => void (editing.value = { id: null, name, isShared: false, filter: { ...filter }, version: null });
  const change = (view: SavedView) => void (editing.value = { id: view.id, name: view.name, isShared: view.is_shared, filter: { ...NO_FILTER, ...view.filter }, version: view.version });

  return { views, loaded, editing, byId, load, save, remove, begin, change };
});
