import { describe, expect, it } from "vitest";

import { draftedQueue, linesOf, queueBody } from "./queueDraft";

describe("a queue that is edited", () => {
  it("has its members in lines, the first where nothing is said", () => {
    expect(linesOf({ member_ids: [1, 2, 3], ranks: { 2: 2, 9: 4 } })).toEqual([1, 3]);
  });

  it("is sent without the lines of those who are members no longer", () => {
    const draft = { ...draftedQueue(null), name: " Support ", member_ids: [1, 2], ranks: { 1: 0, 2: 1, 3: 2 } };
    expect(queueBody(draft)).toMatchObject({ name: "Support", ranks: { 2: 1 } });
  });

  it("is sent with numbers where text was typed", () => {
    const draft = { ...draftedQueue(null), offer_timeout_s: "25" as unknown as number, callback_attempts: "4" as unknown as number };
    expect(queueBody(draft)).toMatchObject({ offer_timeout_s: 25, callback_attempts: 4, last_agent_days: null });
  });
});
