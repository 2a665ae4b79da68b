import { describe, expect, it } from "vitest";

import { asItHappens, byEstimate, circleOf, faultUnder, overflowFaults } from "./overflow";

describe("an overflow step", () => {
  it("needs queues other than its own, and a time of its own", () => {
    const steps = [
      { queue_ids: [2], after_s: 120, ewt_over_s: null },
      { queue_ids: [], after_s: 60, ewt_over_s: null },
      { queue_ids: [2, 1], after_s: 90, ewt_over_s: null },
      { queue_ids: [3], after_s: 0, ewt_over_s: null },
      { queue_ids: [3], after_s: null, ewt_over_s: null },
      { queue_ids: [3], after_s: null, ewt_over_s: 300 },
      { queue_ids: [3], after_s: 120, ewt_over_s: null },
    ];
    expect(overflowFaults(steps, 1)).toEqual([null, "no_queue", "itself", "no_time", "no_time", null, "same_time"]);
    expect(overflowFaults(steps, null)[2]).toBeNull();
  });

  it("is told in the order in which it happens, each queue once", () => {
    const steps = [
      { queue_ids: [3, 2], after_s: 300, ewt_over_s: null },
      { queue_ids: [2], after_s: 120, ewt_over_s: null },
      { queue_ids: [2], after_s: 600, ewt_over_s: null },
    ];
    expect(asItHappens(steps)).toEqual([
      { queue_ids: [2], after_s: 120 },
      { queue_ids: [3], after_s: 300 },
    ]);
  });
});

describe("a circle of overflows", () => {
  const to = (...queue_ids: number[]) => [{ queue_ids, after_s: 60, ewt_over_s: null }];
  const queues = [
    { id: 2, overflow: to(3) },
    { id: 3, overflow: to(1, 4) },
    { id: 4, overflow: to(2) },
  ];

  it("is told by the way back", () => {
    expect(circleOf(to(2), 1, queues)).toEqual([1, 2, 3, 1]);
  });

  it("of others, or none, is not the queue's own", () => {
    expect(circleOf(to(4), 9, queues)).toBeNull();
    expect(circleOf(to(1), 1, queues)).toBeNull();
    expect(circleOf([], 1, queues)).toBeNull();
  });
});

it("a fault is shown at the part it is about", () => {
  const fields = { "overflow.0.queue_ids": "there is no such queue", "ring_s.fax": "no such kind" };
  expect([faultUnder(fields, "overflow"), faultUnder(fields, "ring_s"), faultUnder(fields, "ring"), faultUnder({ overflow: "a circle" }, "overflow")]).toEqual([
    "there is no such queue", "no such kind", undefined, "a circle",
  ]);
});

it("steps by the estimated wait stand by it, without those that lead nowhere", () => {
  const steps = [
    { queue_ids: [2], after_s: 60, ewt_over_s: 600 },
    { queue_ids: [3], after_s: null, ewt_over_s: 300 },
    { queue_ids: [], after_s: null, ewt_over_s: 100 },
    { queue_ids: [4], after_s: 60, ewt_over_s: null },
  ];
  expect(byEstimate(steps)).toEqual([{ ewt_over_s: 300, queue_ids: [3] }, { ewt_over_s: 600, queue_ids: [2] }]);
});
