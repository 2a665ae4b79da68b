/*
 * The waiting work of a queue in the order in which it will be served, as hub/routing/engine.py orders it (`order_of_work`): what a
 * supervisor pinned, oldest first; what is overdue, oldest first; the rest by wait plus priority. What is parked until later is
 * offered to nobody before, and comes last. Pure.
 */
import type { ConversationView, QueueView } from "./events";

/** How many minutes of waiting one step of a customer's tier is worth (the hub's own figure). */
export const TIER_MINUTES = 10;
/** What the hub takes as priority, in minutes. */
export const PRIORITY_RANGE = { least: -60, most: 600 } as const;
/** What one press of + or − adds. */
export const PRIORITY_STEP = 10;

export interface Waiting {
  conversation: ConversationView;
  position: number;
  waited_s: number;
  isOverdue: boolean;
}

export const isWaiting = (conversation: ConversationView): boolean => conversation.status === "open" && conversation.assignee_id === null;

export const withinRange = (priority: number): number => Math.max(PRIORITY_RANGE.least, Math.min(PRIORITY_RANGE.most, Math.round(priority)));

/** `now` in ms. */
export function waitingIn(
  queue: Pick<QueueView, "id" | "max_wait_s">,
  conversations: readonly ConversationView[],
  now: number,
): Waiting[] {
  return conversations
    .filter((each) => isWaiting(each) && each.queue_id === queue.id)
    .map((conversation) => {
      const waited_s = (now - Date.parse(conversation.queued_since ?? conversation.created_at)) / 1000;
      const isOverdue = waited_s >= queue.max_wait_s;
      const turn = conversation.parked_until !== null ? 3 : conversation.pinned_agent_id !== null ? 0 : isOverdue ? 1 : 2;
      const extra_s = turn === 2 ? (conversation.priority + conversation.customer_tier * TIER_MINUTES) * 60 : 0;
      return { conversation, waited_s, isOverdue, turn, score_s: waited_s + extra_s };
    })
    .toSorted((a, b) => a.turn - b.turn || b.score_s - a.score_s || a.conversation.id - b.conversation.id)
    .map(({ conversation, waited_s, isOverdue }, index) => ({ conversation, waited_s, isOverdue, position: index + 1 }));
}

/** Seconds until the next step of its escalation policy, negative where it is due already; null: there is none. */
export function nextStepIn_s(conversation: Pick<ConversationView, "next_step_at">, now: number): number | null {
  return conversation.next_step_at === null ? null : (Date.parse(conversation.next_step_at) - now) / 1000;
}
