/*
 * Asking the hub's search: what is looked for stands in the page's address, so it can be gone back to and sent to a colleague.
 *
 * Answers are shown while somebody types, each only if nothing newer was asked meanwhile. A page of the hub's may be short
 * though there is more (it looks at a bounded number of records for one request): then the next is asked for at once.
 */
import { computed, onScopeDispose, ref, shallowRef, toValue, watch, type MaybeRefOrGetter } from "vue";

import { api, type SearchQuery } from "./client";
import type { SearchHit } from "./events";

export const KINDS = ["customer", "message", "note", "call"] as const;
export const FILTER_NAMES = ["channel", "queue", "agent", "status", "topic", "tag", "customer", "from", "to"] as const;
export type FilterName = (typeof FILTER_NAMES)[number];
export type Filters = Partial<Record<FilterName, string>>;

export interface Asked {
  words: string;
  kind: SearchHit["kind"] | null;
  filters: Filters;
}

const WAIT_MS = 150;
const PAGE = 30;
/** So many empty pages in a row are asked for without being asked; then it is said that it goes on. */
const PAGES_AT_ONCE = 5;
const DAY = /^\d{4}-\d{2}-\d{2}$/;
const NUMBER = /^[1-9]\d{0,15}$/;

const GOOD: Record<FilterName, (text: string) => boolean> = {
  channel: (text) => ["sms", "chat", "email", "phone", "loopback"].includes(text),
  queue: (text) => NUMBER.test(text),
  agent: (text) => text === "me" || NUMBER.test(text),
  status: (text) => text === "open" || text === "resolved",
  topic: (text) => NUMBER.test(text),
  tag: (text) => text.trim() !== "" && text.length <= 50,
  customer: (text) => NUMBER.test(text),
  from: (text) => DAY.test(text),
  to: (text) => DAY.test(text),
};

/** What an address asks for. What is no filter of ours is not there. */
export function readAsked(query: Record<string, unknown>): Asked {
  const filters: Filters = {};
  for (const name of FILTER_NAMES) {
    const text = query[name];
    if (typeof text === "string" && GOOD[name](text)) filters[name] = text;
  }
  const kind = KINDS.find((each) => each === query["kind"]) ?? null;
  return { words: typeof query["q"] === "string" ? query["q"] : "", kind, filters };
}

export function writeAsked({ words, kind, filters }: Asked): Record<string, string> {
  return { ...(words.trim() === "" ? {} : { q: words }), ...(kind === null ? {} : { kind }), ...filters };
}

export function toQuery({ words, kind, filters }: Asked, limit = PAGE): SearchQuery {
  const { queue, topic, customer, ...rest } = filters;
  return {
    q: words.trim(),
    limit,
    ...(kind === null ? {} : { kind }),
    ...(rest as Omit<SearchQuery, "q" | "queue" | "topic" | "customer">),
    ...(queue === undefined ? {} : { queue: Number(queue) }),
    ...(topic === undefined ? {} : { topic: Number(topic) }),
    ...(customer === undefined ? {} : { customer: Number(customer) }),
  };
}

/** Without the filter that narrows it down most; without all of them when only one is left. What to offer when nothing was found. */
export function wider(asked: Asked): Asked | null {
  if (asked.kind === null && Object.keys(asked.filters).length === 0) return null;
  return { words: asked.words, kind: null, filters: {} };
}

/** Where a hit is opened: at the very line, or at the card. */
export function placeOf(hit: SearchHit): { name: string; params: Record<string, number>; query: Record<string, string> } {
  if (hit.conversation_id === null) return { name: "customers", params: { customerId: hit.customer_id }, query: { list: "all" } };
  return { name: "conversations", params: { id: hit.conversation_id }, query: { list: "all", entry: String(hit.entry_id) } };
}

export const plain = (parts: readonly { text: string }[]): string => parts.map((part) => part.text).join("");

export function useSearch(asked: MaybeRefOrGetter<Asked>, limit = PAGE) {
  const hits = shallowRef<readonly SearchHit[]>([]);
  const cursor = ref<string | null>(null);
  const building = ref<number | null>(null);
  const loading = ref(false);
  const failure = shallowRef<unknown>(null);
  /** What the hits on the screen answer; null: nothing was asked. */
  const answered = shallowRef<Asked | null>(null);
  let number = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function ask(more: boolean): Promise<void> {
    const mine = ++number;
    const what = toValue(asked);
    loading.value = true;
    failure.value = null;
    let next = more ? cursor.value : null;
    try {
      for (let page = 0; page < PAGES_AT_ONCE; page += 1) {
        const found = await api.search({ ...toQuery(what, limit), ...(next === null ? {} : { cursor: next }) });
        if (mine !== number) return;
        hits.value = more || page > 0 ? [...hits.value, ...found.items] : found.items;
        next = cursor.value = found.next_cursor;
        building.value = found.building_percent;
        answered.value = what;
        if (found.items.length > 0 || next === null) break;
      }
    } catch (error) {
      if (mine === number) failure.value = error;
    } finally {
      if (mine === number) loading.value = false;
    }
  }

  function clear(): void {
    number += 1;
    hits.value = [];
    cursor.value = answered.value = failure.value = null;
    loading.value = false;
  }

  watch(
    () => JSON.stringify(toQuery(toValue(asked), limit)),
    (_now, before) => {
      clearTimeout(timer);
      number += 1;
      if (toValue(asked).words.trim() === "") return clear();
      loading.value = true;
      timer = setTimeout(() => void ask(false), before === undefined ? 0 : WAIT_MS);
    },
    { immediate: true },
  );
  onScopeDispose(() => {
    clearTimeout(timer);
    number += 1;
  });

  return {
    hits, cursor, building, loading, failure, answered,
    /** What is on the screen answers what is asked now, not what was asked a key before. */
    isAnswered: computed(() => answered.value !== null && JSON.stringify(toQuery(answered.value)) === JSON.stringify(toQuery(toValue(asked)))),
    again: () => ask(false),
    more: async () => {
      if (cursor.value !== null && !loading.value) await ask(true);
    },
    isEmpty: computed(() => answered.value !== null && hits.value.length === 0 && cursor.value === null && !loading.value),
  };
}
