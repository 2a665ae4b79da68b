import { describe, expect, it } from "vitest";

import { answerOf, byUrgency, iconOf, isMissed, livePart, partOf, waited_s } from "./callStory";
import type { CallSegmentView } from "./events";
import { aCall, aLeg } from "./phoneFixtures";

const NOW = Date.parse("2026-11-26T09:10:00Z");

function part(changes: Partial<CallSegmentView> = {}): CallSegmentView {
  return {
    id: 1, agent_id: 7, agent_name: "Davit", how: "answered", connected_at: "2026-11-26T09:00:00Z", talk_s: 100, hold_s: 20, wrap_up_s: 0, stretch: "talk",
    stretch_since: "2026-11-26T09:09:00Z", ended_at: null, disposition: null, note: "", ...changes,
  };
}

describe("the wait of a customer", () => {
  it.each([
    [{ queued_at: null, answered_at: null, hung_up_at: null }, null],
    [{ queued_at: "2026-11-26T09:00:00Z", answered_at: "2026-11-26T09:01:20Z", hung_up_at: null }, 80],
    [{ queued_at: "2026-11-26T09:00:00Z", answered_at: null, hung_up_at: "2026-11-26T09:00:30Z" }, 30],
    [{ queued_at: "2026-11-26T09:09:00Z", answered_at: null, hung_up_at: null }, 60],
    [{ queued_at: "2026-11-26T09:11:00Z", answered_at: null, hung_up_at: null }, 0],
  ])("%o is %s s", (call, seconds) => {
    expect(waited_s(call, NOW)).toBe(seconds);
  });
});

describe("an agent's part", () => {
  it("goes on in what they do now", () => {
    expect(partOf(part(), NOW)).toMatchObject({ talk_s: 160, hold_s: 20, wrapUp_s: 0 });
    expect(partOf(part({ stretch: "hold" }), NOW)).toMatchObject({ talk_s: 100, hold_s: 80 });
    expect(partOf(part({ ended_at: "2026-11-26T09:09:30Z" }), NOW)).toMatchObject({ talk_s: 100, hold_s: 20 });
  });

  it("is the one that goes on, of those they have had", () => {
    const call = aCall({ segments: [part({ ended_at: "2026-11-26T09:05:00Z" }), part({ id: 2 }), part({ id: 3, agent_id: 8 })] });
    expect(livePart(call, 7)?.id).toBe(2);
    expect(livePart(call, 9)).toBeNull();
  });
});

it.each([
  [aLeg(1, { state: "pending", connected_at: null }), "rings"],
  [aLeg(1, { state: "connected" }), "talks"],
  [aLeg(1, { state: "ended", end_reason: "hung_up" }), "talked"],
  [aLeg(1, { state: "ended", connected_at: null, end_reason: "rejected" }), "refused"],
  [aLeg(1, { state: "ended", connected_at: null, end_reason: "no_answer" }), "missed"],
  [aLeg(1, { state: "ended", connected_at: null, end_reason: "cancelled" }), "missed"],
])("whoever is asked answers in one of five ways", (leg, answer) => {
  expect(answerOf(leg)).toBe(answer);
});

it("a missed call is one that came in and that nobody took", () => {
  const nobody = { answered_at: null };
  expect([aCall({ end_reason: "abandoned", ...nobody }), aCall({ end_reason: "all_busy", ...nobody })].map(isMissed)).toEqual([true, true]);
  // Passed on to somebody who never came to the telephone: that caller had been talked with.
  expect(isMissed(aCall({ end_reason: "abandoned" }))).toBe(false);
  expect([aCall({ end_reason: "completed" }), aCall(), aCall({ end_reason: "failed", direction: "out" })].map(isMissed)).toEqual([false, false, false]);
  expect([aCall({ end_reason: "abandoned", ...nobody }), aCall({ end_reason: "voicemail" }), aCall(), aCall({ direction: "out" })].map(iconOf)).toEqual(["callMissed", "voicemail", "callIn", "callOut"]);
});

it("talks stand before those who wait, the longest first", () => {
  const calls = [aCall({ id: 1, state: "wrap_up" }), aCall({ id: 2, state: "queued" }), aCall({ id: 3, state: "talking", started_at: "2026-11-26T09:02:00Z" }), aCall({ id: 4, state: "held" })];
  expect(calls.toSorted(byUrgency).map((call) => call.id)).toEqual([4, 3, 2, 1]);
});
