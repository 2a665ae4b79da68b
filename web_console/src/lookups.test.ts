import { expect, test } from "vitest";

import type { ConversationView, TopicView, UserView } from "./events";
import { type Known, type Lookups, lookups } from "./lookups";
import { Table } from "./table";

const user = { id: 1, role: "agent", queue_ids: [1, 2] } as unknown as UserView;
const topics = { 1: { id: 1, is_complaint: true }, 2: { id: 2, is_complaint: false } } as unknown as Record<number, TopicView>;

function dice(seed: number): (below: number) => number {
  let held = seed;
  return (below) => (held = (held * 48_271) % 2_147_483_647) % below;
}

const ids = (found: Lookups) => ({
  open: found.open.toArray().map((each) => each.id),
  mine: found.mine.toArray().map((each) => each.id),
  queued: found.queued.toArray().map((each) => each.id),
  complaints: found.complaints.toArray().map((each) => each.id),
  unanswered: found.unanswered.toArray().map((each) => each.id),
  resolved: found.resolved.toArray().map((each) => each.id),
  byCustomer: found.byCustomer.values().map((its) => its.map((each) => [each.customer_id, each.id, each.version])),
});

test("what follows the changes is what is made anew", () => {
  const roll = dice(5);
  const at = () => new Date(Date.UTC(2026, 0, 1, 0, 0, roll(4_000))).toISOString();
  const cast = (id: number): ConversationView =>
    ({
      id,
      version: roll(1e6),
      customer_id: 1 + roll(40),
      status: roll(4) === 0 ? "resolved" : "open",
      assignee_id: [null, 1, 2][roll(3)],
      queue_id: 1 + roll(3),
      participant_ids: roll(6) === 0 ? [1] : [],
      topic_id: [null, 1, 2][roll(3)],
      last_entry_at: at(),
      queued_since: roll(2) === 0 ? at() : null,
      unanswered_since: roll(2) === 0 ? at() : null,
      created_at: at(),
      next_step_at: roll(2) === 0 ? at() : null,
      escalated: roll(3),
    }) as unknown as ConversationView;
  let known: Known = { user, topics, conversations: Table.of(Array.from({ length: 300 }, (_, index) => cast(index + 1)), (each) => each.id) };
  let found = lookups(known);
  for (let round = 0; round < 60; round += 1) {
    let { conversations } = known;
    for (let step = 0; step < roll(25); step += 1) {
      const id = 1 + roll(400);
      conversations = roll(5) === 0 ? conversations.without(id) : conversations.with(id, cast(id));
    }
    // What is a complaint may be said anew at any time, and rights may change.
    known = { conversations, topics: round === 20 ? { ...topics, 2: { ...topics[2], is_complaint: true } as TopicView } : known.topics, user: round === 40 ? { ...user, queue_ids: [3] } : known.user };
    found = lookups(known, found);
    expect(ids(found)).toEqual(ids(lookups(known)));
  }
});

test("a list in which nothing is another is the same list", () => {
  const one = { id: 1, version: 1, customer_id: 1, status: "open", assignee_id: 1, queue_id: 1, participant_ids: [], topic_id: null, last_entry_at: "2026-01-01T00:00:00Z", queued_since: null, created_at: "2026-01-01T00:00:00Z", next_step_at: null, escalated: 0 } as unknown as ConversationView;
  const known: Known = { user, topics, conversations: Table.of([one], (each) => each.id) };
  const found = lookups(known);
  const next = lookups({ ...known, conversations: known.conversations.with(2, { ...one, id: 2, assignee_id: null }) }, found);
  expect(next.mine).toBe(found.mine);
  expect(next.complaints).toBe(found.complaints);
  expect(next.open).not.toBe(found.open);
});
