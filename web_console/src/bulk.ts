/*
 * One thing done to many conversations: in groups, so that it shows how far it is and can be stopped; what could not be done is
 * kept by name, to be looked at and tried again; what was done is taken back where that is possible.
 */
import { defineStore } from "pinia";
import { ref } from "vue";

import { api, type BulkAct, Unreachable } from "./client";
import { keyOfCode } from "./codes";
import type { ConversationView } from "./events";
import { useHub } from "./hub";
import { i18n } from "./i18n";
import { useToasts } from "./toasts";
import { useWords } from "./words";

/** As many as are done in some tenths of a second: the bar moves, and a stop is soon. */
const GROUP = 20;
const UNDO_MS = 12_000;

export type BulkAction = Omit<BulkAct, "ids">;

export interface Failure {
  conversation: ConversationView;
  why: string;
}

/** What takes it back, by what each was before; null: nothing does. */
export function takesBack(act: BulkAction, before: readonly ConversationView[], me: number, mayPrioritise: boolean): BulkAct[] | null {
  const group = (key: (each: ConversationView) => unknown, make: (each: ConversationView) => BulkAction | null): BulkAct[] => {
    const groups = new Map<string, ConversationView[]>();
    for (const each of before) groups.set(JSON.stringify(key(each)), [...(groups.get(JSON.stringify(key(each))) ?? []), each]);
    return [...groups.values()].flatMap((of) => {
      const undo = of[0] && make(of[0]);
      return undo ? [{ ...undo, ids: of.map((each) => each.id) }] : [];
    });
  };
  switch (act.action) {
    case "resolve":
      // Who opens a conversation again has it: another's would not go back to them.
      return before.every((each) => each.assignee_id === me) ? [{ action: "reopen", ids: before.map((each) => each.id) }] : null;
    case "tag": {
      const added = (each: ConversationView) => (act.tags ?? []).filter((tag) => !each.tags.includes(tag));
      return group(added, (each) => (added(each).length ? { action: "untag", tags: added(each) } : null));
    }
    case "untag": {
      const removed = (each: ConversationView) => (act.tags ?? []).filter((tag) => each.tags.includes(tag));
      return group(removed, (each) => (removed(each).length ? { action: "tag", tags: removed(each) } : null));
    }
    case "priority":
      return group((each) => each.priority, (each) => ({ action: "priority", priority: each.priority }));
    case "park":
      return [{ action: "unpark", ids: before.map((each) => each.id) }];
    case "transfer":
      if (!mayPrioritise) return null;
      return group(
        (each) => [each.assignee_id, each.queue_id],
        (each) => (each.assignee_id !== null ? { action: "transfer", agent_id: each.assignee_id } : { action: "transfer", queue_id: each.queue_id }),
      );
    default:
      return null;
  }
}

export const useBulk = defineStore("bulk", () => {
  const { t } = i18n.global;
  const hub = useHub();
  const toasts = useToasts();
  const { failure } = useWords();
  const running = ref<{ done: number; of: number } | null>(null);
  /** What could not be done the last time, until it is looked at. */
  const failed = ref<{ act: BulkAction; items: readonly Failure[] } | null>(null);
  let stopped = false;

  async function run(act: BulkAction, of: readonly ConversationView[]): Promise<void> {
    if (running.value || of.length === 0) return;
    stopped = false;
    failed.value = null;
    const failures: Failure[] = [];
    const changed: ConversationView[] = [];
    running.value = { done: 0, of: of.length };
    for (let start = 0; start < of.length && !stopped; start += GROUP) {
      const some = of.slice(start, start + GROUP);
      const answers = await perform({ ...act, ids: some.map((each) => each.id) });
      for (const each of some) {
        const answer = answers.get(each.id);
        if (answer === undefined || typeof answer === "string") failures.push({ conversation: each, why: answer ?? t("error.unexpected") });
        else if (answer.version !== each.version) changed.push(each);
      }
      running.value = { done: start + some.length, of: of.length };
    }
    const did = running.value.done - failures.length;
    running.value = null;
    if (failures.length) failed.value = { act, items: failures };
    if (did === 0) return;
    const undo = hub.user ? takesBack(act, changed, hub.user.id, hub.may("board.act")) : null;
    toasts.show(t(`bulk.done_${act.action}`, { n: did }, did), "good", undo?.length ? { label: t("common.undo"), run: () => void takeBack(undo) } : undefined, UNDO_MS);
  }

  /** By id: the conversation as it is now, or why it stayed as it was. */
  async function perform(act: BulkAct): Promise<Map<number, ConversationView | string>> {
    try {
      const { items } = await api.actOnMany(act);
      hub.learnConversations(items.flatMap((item) => (item.conversation ? [item.conversation] : [])));
      return new Map(items.map((item) => [item.id, item.conversation ?? worded(item.code, item.message)]));
    } catch (error) {
      // Nobody knows whether it was done; done again it is the same.
      stopped = error instanceof Unreachable;
      return new Map(act.ids.map((id) => [id, failure(error)]));
    }
  }

  function worded(code: string | null, message: string | null): string {
    const key = code === null ? null : keyOfCode(code, i18n.global.te);
    return key === null ? (message ?? t("error.unexpected")) : t(key);
  }

  async function takeBack(acts: readonly BulkAct[]): Promise<void> {
    for (const act of acts) {
      const of = act.ids.flatMap((id) => hub.state?.conversations.get(id) ?? []);
      const { ids: _ids, ...rest } = act;
      await run(rest, of);
    }
  }

  async function again(): Promise<void> {
    const last = failed.value;
    if (!last) return;
    await run(last.act, last.items.map((each) => hub.state?.conversations.get(each.conversation.id) ?? each.conversation));
  }

  return { running, failed, run, again, stop: () => void (stopped = true) };
});
