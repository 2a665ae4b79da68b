/*
 * The lists of the left pane. Open conversations come live from the state; resolved ones, and what a search finds beyond
 * them, are paged from the hub and then kept live like all others.
 */
import { defineStore } from "pinia";
import { computed, ref, watch } from "vue";

import { api, type ConversationQuery } from "./client";
import type { ConversationView } from "./events";
import { hasWords } from "./fold";
import { useHub } from "./hub";
import type { Ordered } from "./ordered";

export type ListName = "mine" | "queue" | "complaints" | "all" | "resolved";
export const LIST_NAMES: readonly ListName[] = ["mine", "queue", "complaints", "all", "resolved"];

const SEARCH_WAIT_MS = 250;
const PAGE = 50;

/** What is shown: a list of the state as it stands there, or an array of what was filtered out of one. */
export type RowList = Pick<Ordered<ConversationView>, "length" | "at" | "slice" | "indexOf"> & Iterable<ConversationView>;

export const useLists = defineStore("lists", () => {
  const hub = useHub();
  const name = ref<ListName>("mine");
  const search = ref("");
  const found = ref<ReadonlySet<number> | null>(null);
  const cursor = ref<string | null>(null);
  const loading = ref(false);
  const failed = ref(false);
  /** Resolved conversations older than this have not been asked for yet. */
  const resolvedSince = ref(Infinity);
  let asked = 0;

  /** What a search found in the rows as they are: of the next batch only those that changed are looked into. */
  const finds = computed(() => {
    const words = search.value.trim();
    const [known, byHub] = [new WeakMap<ConversationView, boolean>(), found.value];
    return (each: ConversationView) => {
      const before = known.get(each);
      if (before !== undefined) return before;
      const isFound = byHub?.has(each.id) === true || matches(each, words);
      known.set(each, isFound);
      return isFound;
    };
  });

  const items = computed<RowList>(() => {
    if (search.value.trim() !== "") return inList(name.value).filter(finds.value);
    if (name.value === "resolved") return hub.resolved.filter((each) => Date.parse(each.last_entry_at) >= resolvedSince.value);
    return inList(name.value);
  });

  function inList(list: ListName): Ordered<ConversationView> {
    switch (list) {
      case "mine":
        return hub.mine;
      case "queue":
        return hub.queued;
      case "complaints":
        return hub.complaints;
      case "resolved":
        return hub.resolved;
      default:
        return hub.allOpen;
    }
  }

  const counts = computed<Record<ListName, number>>(() => ({
    mine: hub.mine.length,
    queue: hub.queued.length,
    complaints: hub.complaints.length,
    all: hub.allOpen.length,
    resolved: 0,
  }));

  function query(): ConversationQuery {
    const assignee = name.value === "mine" ? "me" : name.value === "queue" ? "none" : "any";
    const q = search.value.trim();
    const troubled = name.value === "complaints";
    return { status: name.value === "resolved" ? "resolved" : "open", assignee, limit: PAGE, ...(q === "" ? {} : { q }), ...(troubled ? { troubled } : {}) };
  }

  async function load(more = false): Promise<void> {
    const number = ++asked;
    loading.value = true;
    failed.value = false;
    try {
      const page = await api.conversations(more && cursor.value ? { ...query(), cursor: cursor.value } : query());
      if (number !== asked) return;
      hub.learnConversations(page.items);
      cursor.value = page.next_cursor;
      if (search.value.trim() !== "") {
        found.value = new Set([...(more ? (found.value ?? []) : []), ...page.items.map((each) => each.id)]);
      } else if (name.value === "resolved") {
        const oldest = page.items.at(-1);
        resolvedSince.value = page.next_cursor === null || !oldest ? -Infinity : Date.parse(oldest.last_entry_at);
      }
    } catch {
      if (number === asked) failed.value = true;
    } finally {
      if (number === asked) loading.value = false;
    }
  }

  async function loadMore(): Promise<void> {
    if (cursor.value !== null && !loading.value) await load(true);
  }

  /** Does the state hold all of this list, or must the hub be asked? */
  const mustAsk = () =>
    search.value.trim() !== "" || name.value === "resolved" || hub.state?.conversationsComplete === false;

  let timer: ReturnType<typeof setTimeout> | undefined;
  watch([name, search], ([, words], [, wordsBefore]) => {
    clearTimeout(timer);
    asked += 1;
    found.value = null;
    cursor.value = null;
    loading.value = failed.value = false;
    if (!mustAsk()) return;
    loading.value = true;
    timer = setTimeout(() => void load(), words === wordsBefore ? 0 : SEARCH_WAIT_MS);
  });

  return { name, search, items, counts, cursor, loading, failed, load, loadMore };
});

export function matches(conversation: ConversationView, words: string): boolean {
  // What an erased customer's card and address are called is nobody's name.
  const who = conversation.customer_is_erased ? [] : [conversation.customer_name, conversation.address];
  return [...who, conversation.subject ?? "", conversation.preview].some((text) => hasWords(text, words));
}

