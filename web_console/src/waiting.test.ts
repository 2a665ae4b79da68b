import { describe, expect, it } from "vitest";

import type { ConversationView } from "./events";
import { nextStepIn_s, waitingIn, withinRange } from "./waiting";

const NOW = Date.parse("2026-11-25T10:00:00Z");
const QUEUE = { id: 1, max_wait_s: 3600 };

function waiting(id: number, minutes: number, changes: Partial<ConversationView> = {}): ConversationView {
  const since = new Date(NOW - minutes * 60_000).toISOString();
  return {
    id, customer_id: id, customer_name: "Արամ", contact_point_id: 3, address: "+37477123456", channel_id: "sms", channel_kind: "sms", queue_id: 1,
    status: "open", assignee_id: null, assigned_at: null, queued_since: since, unanswered_since: since, created_at: since, last_entry_at: since,
    resolved_at: null, reopened_count: 0, priority: 0, preview: "…", preview_direction: "in", version: 1, subject: null, pinned_agent_id: null,
    topic_id: null, tags: [], customer_tier: 0, parked_until: null,
    next_step_at: null, escalated: 0, callback: null, call_id: null, fields: {}, participant_ids: [], merged_into_id: null, customer_is_erased: false, visitor_away_since: null, ...changes,
  };
}

const order = (conversations: ConversationView[]) =>
  waitingIn(QUEUE, conversations, NOW).map((each) => each.conversation.id);

describe("the waiting work of a queue", () => {
  it("stands by wait, priority and tier counting as minutes", () => {
    expect(order([waiting(1, 20), waiting(2, 30), waiting(3, 5, { priority: 26 })])).toEqual([3, 2, 1]);
    expect(order([waiting(1, 20, { customer_tier: 2 }), waiting(2, 30)])).toEqual([1, 2]);
  });

  it("is overtaken by nothing but a pin once it is overdue", () => {
    const rows = waitingIn(QUEUE, [waiting(1, 61), waiting(2, 70), waiting(3, 5, { priority: 600 }), waiting(4, 1, { pinned_agent_id: 9 })], NOW);
    expect(rows.map((row) => [row.position, row.conversation.id, row.isOverdue])).toEqual([
      [1, 4, false],
      [2, 2, true],
      [3, 1, true],
      [4, 3, false],
    ]);
  });

  it("offers nothing that is parked until later: it stands last", () => {
    expect(order([waiting(1, 50, { parked_until: new Date(NOW + 60_000).toISOString() }), waiting(2, 30), waiting(3, 70)])).toEqual([3, 2, 1]);
  });

  it("has no work of other queues, of somebody's, or done", () => {
    expect(order([waiting(1, 1, { queue_id: 2 }), waiting(2, 1, { assignee_id: 4 }), waiting(3, 1, { status: "resolved" }), waiting(4, 1)])).toEqual([4]);
  });

  it("stands by number where all else is the same", () => {
    expect(order([waiting(2, 5), waiting(1, 5)])).toEqual([1, 2]);
  });
});

it("a priority stays in what the hub takes", () => {
  expect([-70, 601, 10].map(withinRange)).toEqual([-60, 600, 10]);
});

it("the next step is told of until it is due and after", () => {
  expect(["2026-11-25T10:02:00Z", "2026-11-25T09:59:30Z", null].map((next_step_at) => nextStepIn_s({ next_step_at }, NOW))).toEqual([120, -30, null]);
});
