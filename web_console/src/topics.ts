/* What conversations are about: which topics may be chosen, which are complaints, and where a topic leads its work. Pure. */
import type { ConversationView, TopicView } from "./events";

type Topics = Readonly<Record<string | number, TopicView>>;

/** Those that may be chosen, complaints last; what a conversation is about already stays among them when it is switched off. */
export function choosable(topics: Topics, current: number | null, locale: string): TopicView[] {
  return Object.values(topics)
    .filter((topic) => topic.active || topic.id === current)
    .toSorted((a, b) => Number(a.is_complaint) - Number(b.is_complaint) || a.name.localeCompare(b.name, locale));
}

export function topicOf(topics: Topics, conversation: Pick<ConversationView, "topic_id">): TopicView | null {
  return conversation.topic_id === null ? null : (topics[conversation.topic_id] ?? null);
}

export const isComplaint = (topics: Topics, conversation: Pick<ConversationView, "topic_id">): boolean => topicOf(topics, conversation)?.is_complaint ?? false;

/**
 * Where the topic would have held work go, which stays where it is until somebody says so; null: nowhere else. Waiting work goes
 * there by itself.
 */
export function leadsTo(topic: TopicView | null, conversation: Pick<ConversationView, "status" | "queue_id" | "assignee_id" | "pinned_agent_id">): { queueId: number | null; ownerId: number | null } | null {
  if (topic === null || conversation.status !== "open" || conversation.assignee_id === null) return null;
  if (topic.owner_id !== null) return topic.owner_id === conversation.assignee_id ? null : { queueId: topic.queue_id, ownerId: topic.owner_id };
  return topic.queue_id === null || topic.queue_id === conversation.queue_id ? null : { queueId: topic.queue_id, ownerId: null };
}

// The hub's own bounds.
export const MOST_TAGS = 20;
export const LONGEST_TAG = 50;

/** The tags with one more: known ones once, however they are written, and none that is blank. */
export function withTag(tags: readonly string[], text: string): string[] {
  const tag = text.trim().replace(/\s+/gu, " ").slice(0, LONGEST_TAG);
  const isKnown = tags.some((each) => each.toLocaleLowerCase() === tag.toLocaleLowerCase());
  return tag === "" || isKnown || tags.length >= MOST_TAGS ? [...tags] : [...tags, tag];
}

/** Tags that others carry, the most frequent first, without those it has: what one begins to type is found among them. */
export function knownTags(conversations: readonly Pick<ConversationView, "tags">[], without: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const tag of conversations.flatMap((each) => each.tags)) if (!without.includes(tag)) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  return [...counts].toSorted((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).map(([tag]) => tag);
}
