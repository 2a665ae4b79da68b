import { describe, expect, it } from "vitest";

import { byUrgency, deadlineOf, markOf } from "./deadlines";
import type { ConversationView } from "./events";

const NOW = Date.parse("2026-11-25T10:00:00Z");
const inSeconds = (seconds: number) => new Date(NOW + seconds * 1000).toISOString();
const told = (next: number | null, escalated = 0, status: ConversationView["status"] = "open") =>
  ({ status, escalated, next_step_at: next === null ? null : inSeconds(next) });

describe("the deadline of a conversation", () => {
  it.each([
    [told(180), { kind: "next", next_s: 180 }],
    [told(-2), { kind: "next", next_s: 0 }],
    [told(null), null],
    [told(180, 2), { kind: "escalated", count: 2, next_s: 180 }],
    [told(null, 1), { kind: "escalated", count: 1, next_s: null }],
    [told(180, 2, "resolved"), null],
  ])("of %o is %o", (conversation, deadline) => {
    expect(deadlineOf(conversation, NOW)).toEqual(deadline);
  });

  it("is marked in a list when it is near, or when it has passed", () => {
    expect(markOf(told(3_600), NOW)?.kind).toBe("next");
    expect(markOf(told(3_601), NOW)).toBeNull();
    expect(markOf(told(90_000, 1), NOW)?.kind).toBe("escalated");
  });
});

it("what has escalated most comes first, then what will next, then the oldest", () => {
  const work = (id: number, next: number | null, escalated: number) =>
    ({ id, ...told(next, escalated), created_at: inSeconds(-id) }) as ConversationView;
  const order = [work(1, null, 0), work(2, 60, 0), work(3, 600, 2), work(4, 60, 2), work(5, null, 0)].toSorted(byUrgency);
  expect(order.map((each) => each.id)).toEqual([4, 3, 2, 5, 1]);
});
