import { describe, expect, it } from "vitest";

import type { TopicView } from "./events";
import { choosable, isComplaint, knownTags, leadsTo, withTag } from "./topics";

function topic(id: number, changes: Partial<TopicView> = {}): TopicView {
  return { id, name: `Topic ${id}`, is_complaint: false, queue_id: null, owner_id: null, policy_id: null, active: true, version: 1, ...changes };
}
const topics = {
  1: topic(1, { name: "Repairs" }),
  2: topic(2, { name: "Billing", is_complaint: true }),
  3: topic(3, { name: "Old", active: false }),
  4: topic(4, { name: "Delivery" }),
};

describe("topics", () => {
  it("that are switched off may not be chosen any more, but stay where they are chosen", () => {
    expect(choosable(topics, null, "en").map((each) => each.name)).toEqual(["Delivery", "Repairs", "Billing"]);
    expect(choosable(topics, 3, "en").map((each) => each.name)).toEqual(["Delivery", "Old", "Repairs", "Billing"]);
  });

  it("say what is a complaint, and an unknown one is none", () => {
    expect([1, 2, 99, null].map((topic_id) => isComplaint(topics, { topic_id }))).toEqual([false, true, false, false]);
  });

  const held = { status: "open", queue_id: 1, assignee_id: 7, pinned_agent_id: null } as const;
  it.each([
    [{ queue_id: 2 }, held, { queueId: 2, ownerId: null }],
    [{ queue_id: 1 }, held, null],
    [{ owner_id: 9 }, held, { queueId: null, ownerId: 9 }],
    [{ owner_id: 7, queue_id: 2 }, held, null],
    [{}, held, null],
    [{ queue_id: 2 }, { ...held, assignee_id: null }, null],
    [{ queue_id: 2 }, { ...held, status: "resolved" as const }, null],
  ])("with %o lead held work to %o", (changes, conversation, to) => {
    expect(leadsTo(topic(1, changes), conversation)).toEqual(to);
  });

  it("that are none lead nowhere", () => {
    expect(leadsTo(null, held)).toBeNull();
  });
});

describe("tags", () => {
  it("stand there once, without blanks", () => {
    expect(withTag(["vip"], "  broken   cup ")).toEqual(["vip", "broken cup"]);
    expect(withTag(["VIP"], "vip")).toEqual(["VIP"]);
    expect(withTag(["vip"], "  ")).toEqual(["vip"]);
    expect(withTag(Array.from({ length: 20 }, (_, n) => `t${n}`), "one more")).toHaveLength(20);
  });

  it("of other work are at hand, the most frequent first", () => {
    expect(knownTags([{ tags: ["b", "a"] }, { tags: ["a", "c"] }], ["c"])).toEqual(["a", "b"]);
  });
});
