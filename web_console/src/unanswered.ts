/*
 * Customers who wrote last and whom nobody has answered, whoever holds their conversation, and what else burns. Pure. What was put
 * aside stays among them: the customer waits all the same.
 */
import type { AgentView, ConversationView, TopicView } from "./events";
import type { Keys } from "./ordered";
import { isAbsent } from "./presence";
import { isComplaint } from "./topics";

type Agents = Readonly<Record<string | number, AgentView>>;

export const isUnanswered = (conversation: Pick<ConversationView, "status" | "unanswered_since">): boolean =>
  conversation.status === "open" && conversation.unanswered_since !== null;

export const longestUnanswered: Keys<ConversationView> = (each) => [Date.parse(each.unanswered_since ?? each.created_at), each.id];

/** Somebody holds it who does not look at it now. */
export const isStranded = (agents: Agents, conversation: Pick<ConversationView, "status" | "unanswered_since" | "assignee_id">): boolean =>
  isUnanswered(conversation) && conversation.assignee_id !== null && isAbsent(agents[conversation.assignee_id]);

export interface Burning {
  unanswered: number;
  /** Since when the one who waits longest for an answer does; of those with people who are not there likewise. */
  since: string | null;
  stranded: number;
  strandedSince: string | null;
  escalated: number;
  complaints: number;
}

/** `open`: all that is open. */
export function burningAmong(open: Iterable<ConversationView>, agents: Agents, topics: Readonly<Record<string | number, TopicView>>): Burning {
  const burning: Burning = { unanswered: 0, since: null, stranded: 0, strandedSince: null, escalated: 0, complaints: 0 };
  for (const each of open) {
    if (each.escalated > 0) burning.escalated += 1;
    if (isComplaint(topics, each)) burning.complaints += 1;
    if (!isUnanswered(each)) continue;
    burning.unanswered += 1;
    burning.since = earlier(burning.since, each.unanswered_since);
    if (!isStranded(agents, each)) continue;
    burning.stranded += 1;
    burning.strandedSince = earlier(burning.strandedSince, each.unanswered_since);
  }
  return burning;
}

const earlier = (one: string | null, other: string | null): string | null =>
  one === null || (other !== null && Date.parse(other) < Date.parse(one)) ? other : one;
