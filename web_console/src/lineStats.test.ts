import { expect, it } from "vitest";

import { measureLine } from "./lineStats";

const incoming = (packetsReceived: number, packetsLost: number, jitter = 0.004) => ({ type: "inbound-rtp", kind: "audio", packetsReceived, packetsLost, jitter });
const pair = { type: "candidate-pair", nominated: true, state: "succeeded", currentRoundTripTime: 0.05 };

it("nothing is known before anything was received", () => {
  expect(measureLine([], null).measured).toEqual({ loss: null, jitter_ms: null, roundTrip_ms: null });
});

it("losses are those since the last look", () => {
  const first = measureLine([incoming(1_000, 100), pair], null);
  expect(first.measured).toEqual({ loss: 100 / 1_100, jitter_ms: 4, roundTrip_ms: 50 });
  const second = measureLine([incoming(1_090, 110), pair], first.counted);
  expect(second.measured.loss).toBeCloseTo(0.1);
  expect(measureLine([incoming(1_140, 110)], second.counted).measured.loss).toBe(0);
});

it("a packet that arrives late after all is no negative loss", () => {
  const { counted } = measureLine([incoming(100, 10)], null);
  expect(measureLine([incoming(150, 8)], counted).measured.loss).toBe(0);
});

it("another stream begins to count anew", () => {
  const { counted } = measureLine([incoming(5_000, 50)], null);
  expect(measureLine([incoming(90, 10)], counted).measured.loss).toBeCloseTo(0.1);
});

it("what the other side misses of us counts as well, and knows the way there and back better", () => {
  const theirs = { type: "remote-inbound-rtp", kind: "audio", fractionLost: 0.2, roundTripTime: 0.3 };
  expect(measureLine([incoming(100, 0), theirs, pair], null).measured).toEqual({ loss: 0.2, jitter_ms: 4, roundTrip_ms: 300 });
});

it("other kinds of reports say nothing", () => {
  expect(measureLine([{ type: "inbound-rtp", kind: "video", packetsReceived: 9, packetsLost: 9 }, { type: "candidate-pair", state: "failed", currentRoundTripTime: 9 }], null).measured.loss).toBeNull();
});
