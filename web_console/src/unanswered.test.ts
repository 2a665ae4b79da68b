import { expect, it } from "vitest";

import type { AgentView, ConversationView, TopicView } from "./events";
import { Ordered } from "./ordered";
import { burningAmong, isStranded, isUnanswered, longestUnanswered } from "./unanswered";

const at = (minute: number) => new Date(Date.UTC(2026, 10, 27, 8, minute)).toISOString();
const conversation = (id: number, changes: Partial<ConversationView> = {}): ConversationView =>
  ({ id, status: "open", assignee_id: null, unanswered_since: at(id), created_at: at(0), escalated: 0, topic_id: null, parked_until: null, ...changes }) as ConversationView;
const agents = {
  1: { user_id: 1, state: "available", connected: true } as AgentView,
  2: { user_id: 2, state: "away", connected: true } as AgentView,
  3: { user_id: 3, state: "offline", connected: false } as AgentView,
};
const topics = { 7: { id: 7, is_complaint: true } as TopicView };

it.each([
  ["waits in a queue", conversation(1), true, false],
  ["lies with somebody who is there", conversation(1, { assignee_id: 1 }), true, false],
  ["lies with somebody who is away", conversation(1, { assignee_id: 2 }), true, true],
  ["lies with somebody who is offline, put aside", conversation(1, { assignee_id: 3, parked_until: at(59) }), true, true],
  ["lies with somebody who works here no longer", conversation(1, { assignee_id: 8 }), true, true],
  ["was answered by somebody who is away", conversation(1, { assignee_id: 2, unanswered_since: null }), false, false],
  ["is resolved", conversation(1, { assignee_id: 2, status: "resolved" }), false, false],
])("what %s", (_what, each, unanswered, stranded) => {
  expect([isUnanswered(each), isStranded(agents, each)]).toEqual([unanswered, stranded]);
});

it("the longest wait stands first, whoever holds it and whatever was done with it since", () => {
  const list = [conversation(3), conversation(1, { assignee_id: 2, last_entry_at: at(50) }), conversation(2)];
  expect(Ordered.of(list, longestUnanswered).toArray().map((each) => each.id)).toEqual([1, 2, 3]);
});

it("counts what burns", () => {
  const open = [
    conversation(10),
    conversation(12, { assignee_id: 2 }),
    conversation(11, { assignee_id: 3, escalated: 2 }),
    conversation(13, { assignee_id: 1, unanswered_since: null, topic_id: 7 }),
  ];
  expect(burningAmong(open, agents, topics)).toEqual({ unanswered: 3, since: at(10), stranded: 2, strandedSince: at(11), escalated: 1, complaints: 1 });
  expect(burningAmong([], agents, topics)).toEqual({ unanswered: 0, since: null, stranded: 0, strandedSince: null, escalated: 0, complaints: 0 });
});
