/*
 * The escalation of a conversation as far as its view tells: when the next step is due, and whether steps have fired. Pure. A step
 * fires within a second of its time, so "due" lasts a moment; what has fired stays told until the conversation is resolved.
 */
import type { ConversationView } from "./events";
import { comparing, type Keys } from "./ordered";

type Told = Pick<ConversationView, "status" | "next_step_at" | "escalated">;

export type Deadline =
  /** Steps have fired; `next_s`: seconds until the next one, null if there is none or its clock stands still. */
  | { kind: "escalated"; count: number; next_s: number | null }
  | { kind: "next"; next_s: number };

export function deadlineOf(conversation: Told, now: number): Deadline | null {
  if (conversation.status !== "open") return null;
  const next_s = conversation.next_step_at === null ? null : Math.max(0, (Date.parse(conversation.next_step_at) - now) / 1000);
  if (conversation.escalated > 0) return { kind: "escalated", count: conversation.escalated, next_s };
  return next_s === null ? null : { kind: "next", next_s };
}

/** A step that is further away than this is not worth a mark in a list. */
const WORTH_A_MARK_S = 3_600;

export function markOf(conversation: Told, now: number): Deadline | null {
  const deadline = deadlineOf(conversation, now);
  return deadline?.kind === "next" && deadline.next_s > WORTH_A_MARK_S ? null : deadline;
}

/** What burns most comes first: most steps fired, then the next step, then the oldest. */
export const urgency: Keys<ConversationView> = (each) => [
  -each.escalated,
  each.next_step_at === null ? Infinity : Date.parse(each.next_step_at),
  Date.parse(each.created_at),
  each.id,
];
export const byUrgency = comparing(urgency);
