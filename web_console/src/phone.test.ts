import { describe, expect, it } from "vitest";

import type { CallView, LegView, VoiceView } from "./events";
import { legOf, lineTask, type LineNow, mayFinish, maySupervise, myCall, phaseOf, qualityOf, reachOf, retryAfter_ms, verbsOf } from "./phone";
import { aCall, aLeg } from "./phoneFixtures";

const ME = 7;
const BROWSER: VoiceView = { dials: false, in_browser: true, by_connect: true };

const customer = (changes: Partial<LegView> = {}) => aLeg(1, { party: "customer", ...changes });
const mine = (changes: Partial<LegView> = {}) => aLeg(2, { party: "agent", user_id: ME, ...changes });
const asked = (changes: Partial<LegView> = {}) => aLeg(3, { party: "consulted", user_id: 9, ...changes });

function found(call: CallView) {
  const result = myCall([call], ME);
  if (!result) throw new Error("not in this call");
  return result;
}
const inState = (state: CallView["state"], legs: LegView[], changes: Partial<CallView> = {}) => found(aCall({ state, agent_id: ME, legs, ...changes }));

describe("one's own leg", () => {
  it("is the newest that lives", () => {
    const lost = mine({ state: "ended", ended_at: "2026-11-26T09:00:10Z", end_reason: "lost" });
    const fresh = aLeg(4, { party: "agent", user_id: ME, state: "pending" });
    expect(legOf(aCall({ legs: [customer(), lost, fresh] }), ME)?.id).toBe(4);
    expect(legOf(aCall({ legs: [customer(), lost] }), ME)).toBeNull();
  });

  it("comes before a call that is still to be written down", () => {
    const before = aCall({ id: 1, state: "wrap_up", agent_id: ME, hung_up_at: "2026-11-26T09:05:00Z", legs: [] });
    const now = aCall({ id: 2, legs: [customer(), mine()] });
    expect(myCall([before, now], ME)?.call.id).toBe(2);
    expect(myCall([before], ME)).toEqual({ call: before, leg: null });
    expect(myCall([aCall({ legs: [customer(), asked()] })], ME)).toBeNull();
  });
});

describe("where one's telephone is", () => {
  it.each<[string, CallView["state"], LegView[]]>([
    ["connecting", "connecting", [customer(), mine({ state: "pending" })]],
    ["dialling", "dialling", [mine()]],
    ["connecting", "dialling", [mine({ state: "pending" })]],
    ["rings_desk", "connecting", [customer(), mine({ state: "ringing", address: "+37410000001" })]],
    ["rings_asked", "held", [customer(), aLeg(5, { party: "consulted", user_id: ME, state: "pending" })]],
    ["connecting", "held", [customer(), aLeg(5, { party: "consulted", user_id: ME, state: "ringing" })]],
    ["returning", "held", [customer(), mine({ state: "pending" })]],
    ["talking", "talking", [customer(), mine()]],
    ["held", "held", [customer({ presence: "held" }), mine()]],
    ["consult", "consult", [customer({ presence: "held" }), mine(), asked()]],
    ["conference", "conference", [customer(), mine(), asked()]],
    ["supervising", "talking", [customer(), aLeg(6, { party: "supervisor", user_id: ME, presence: "listen" })]],
  ])("is %s when the call is %s", (phase, state, legs) => {
    expect(phaseOf(inState(state, legs))).toBe(phase);
  });
});

describe("the line", () => {
  const open: LineNow = { legId: 2, state: "open" };
  it.each<[string, LegView | null, VoiceView | null, LineNow | null, string]>([
    ["is set up for a leg that is wanted", mine({ state: "pending" }), BROWSER, null, "connect"],
    ["is taken up again after a reload", mine(), BROWSER, null, "connect"],
    ["stays while it stands", mine(), BROWSER, open, "none"],
    ["is not begun twice", mine({ state: "pending" }), BROWSER, { legId: 2, state: "connecting" }, "none"],
    ["comes again when it broke", mine(), BROWSER, { legId: 2, state: "broken" }, "connect"],
    ["is another for another leg", mine(), BROWSER, { legId: 1, state: "open" }, "connect"],
    ["waits for the person whom the microphone is refused", mine(), BROWSER, { legId: 2, state: "refused" }, "none"],
    ["goes with the leg", null, BROWSER, open, "close"],
    ["is none of the page's when a telephone rings", mine({ address: "+374", state: "ringing" }), BROWSER, null, "none"],
    ["is none of the page's when the line reaches no browser", mine({ state: "pending" }), { ...BROWSER, in_browser: false }, null, "none"],
    ["is none while the channel is unknown", mine({ state: "pending" }), null, null, "none"],
  ])("%s", (_what, leg, voice, line, task) => {
    const call = aCall({ legs: leg ? [customer(), leg] : [customer()] });
    expect(lineTask(myCall([call], ME), voice, line)).toBe(task);
  });

  it("waits until a colleague's question is taken", () => {
    const ring = (state: LegView["state"]) => aCall({ state: "held", legs: [customer(), aLeg(5, { party: "consulted", user_id: ME, state })] });
    expect(lineTask(myCall([ring("pending")], ME), BROWSER, null)).toBe("none");
    expect(lineTask(myCall([ring("ringing")], ME), BROWSER, null)).toBe("connect");
  });

  it("is tried again at once, then with pauses that fit into the grace", () => {
    expect([0, 1, 2, 3, 4, 9].map(retryAfter_ms)).toEqual([0, 1_000, 2_000, 4_000, 4_000, 4_000]);
  });
});

describe("what may be done", () => {
  const verbs = (...args: Parameters<typeof inState>) => [...verbsOf(inState(...args))].toSorted();
  const held = customer({ presence: "held" });

  it.each<[string, CallView["state"], LegView[], Partial<CallView>, string[]]>([
    ["while the line is set up", "connecting", [customer(), mine({ state: "pending" })], {}, ["give_back"]],
    ["while one's own telephone rings", "connecting", [customer(), mine({ state: "ringing", address: "+374" })], {}, ["give_back"]],
    ["while we call", "dialling", [mine()], {}, ["hang_up", "mute"]],
    ["while we call and no line of one's own stands", "dialling", [mine({ state: "pending", address: "+374" })], {}, ["hang_up"]],
    ["in a talk", "talking", [customer(), mine()], {}, ["consult", "hang_up", "hold", "mute", "transfer", "write"]],
    ["in a talk that is recorded", "talking", [customer(), mine()], { recording: "on" }, ["consult", "hang_up", "hold", "mute", "pause_recording", "transfer", "write"]],
    ["while the recording rests", "talking", [customer(), mine()], { recording: "paused" }, ["consult", "hang_up", "hold", "mute", "resume_recording", "transfer", "write"]],
    ["on hold", "held", [held, mine()], { recording: "paused" }, ["consult", "hang_up", "mute", "resume", "transfer", "write"]],
    ["while one's line is away", "held", [held, mine({ state: "pending" })], {}, ["hang_up"]],
    ["while a colleague is rung", "held", [held, mine(), asked({ state: "pending" })], {}, ["cancel_consult", "hang_up", "mute", "write"]],
    ["while one talks with a colleague", "consult", [held, mine(), asked()], {}, ["cancel_consult", "complete", "confer", "hang_up", "mute", "write"]],
    ["in a conference", "conference", [customer(), mine(), asked()], {}, ["cancel_consult", "complete", "hang_up", "hold", "mute", "write"]],
    ["with a supervisor in the talk", "conference", [customer(), mine(), aLeg(6, { party: "supervisor", user_id: 8 })], {}, ["hang_up", "hold", "mute", "write"]],
    ["when a colleague asks", "held", [held, aLeg(5, { party: "consulted", user_id: ME, state: "pending" })], { agent_id: 9 }, ["join", "refuse"]],
    ["when one's advice is being set up", "held", [held, aLeg(5, { party: "consulted", user_id: ME, state: "ringing" })], { agent_id: 9 }, ["leave"]],
    ["when one gives advice", "consult", [held, aLeg(5, { party: "consulted", user_id: ME })], { agent_id: 9 }, ["leave", "mute"]],
    ["when one listens", "talking", [customer(), aLeg(6, { party: "supervisor", user_id: ME, presence: "listen" })], { agent_id: 9 }, ["hang_up", "leave", "take_over", "talk", "whisper"]],
    ["when one whispers", "talking", [customer(), aLeg(6, { party: "supervisor", user_id: ME, presence: "whisper" })], { agent_id: 9 }, ["hang_up", "leave", "listen", "mute", "take_over", "talk"]],
    ["before one hears anything", "talking", [customer(), aLeg(6, { party: "supervisor", user_id: ME, state: "pending" })], { agent_id: 9 }, ["leave"]],
    ["in the wrap-up", "wrap_up", [], {}, ["write"]],
  ])("%s", (_what, state, legs, changes, expected) => {
    expect(verbs(state, legs, changes)).toEqual(expected);
  });

  it("is to look into a talk of others, once", () => {
    const talk = aCall({ agent_id: 9, legs: [customer(), aLeg(2, { party: "agent", user_id: 9 })] });
    expect(maySupervise(talk, ME)).toBe(true);
    expect(maySupervise(talk, 9)).toBe(false);
    expect(maySupervise({ ...talk, state: "queued" }, ME)).toBe(false);
    expect(maySupervise({ ...talk, legs: [...talk.legs, aLeg(6, { party: "supervisor", user_id: ME })] }, ME)).toBe(false);
  });
});

it.each([
  [null, "+374", null],
  [BROWSER, null, "browser"],
  [BROWSER, "+374", "browser"],
  [{ dials: true, in_browser: true, by_connect: false }, "+374", "desk"],
  [{ dials: true, in_browser: false, by_connect: false }, null, null],
])("a call on the line %o reaches somebody with the telephone %s by: %s", (voice, deskPhone, way) => {
  expect(reachOf(voice, deskPhone)).toBe(way);
});

describe("how well it sounds", () => {
  it.each<[Parameters<typeof qualityOf>[0], string | null]>([
    [{ loss: null, jitter_ms: null, roundTrip_ms: null }, null],
    [{ loss: 0, jitter_ms: 4, roundTrip_ms: 40 }, "good"],
    [{ loss: 0.02, jitter_ms: 4, roundTrip_ms: 40 }, "fair"],
    [{ loss: 0, jitter_ms: 45, roundTrip_ms: null }, "fair"],
    [{ loss: 0, jitter_ms: 4, roundTrip_ms: 900 }, "poor"],
    [{ loss: 0.2, jitter_ms: null, roundTrip_ms: null }, "poor"],
  ])("is told by the worst of what is measured: %o", (measured, quality) => {
    expect(qualityOf(measured)).toBe(quality);
  });
});

it("a wrap-up ends without a disposition unless the queue wants one and has some", () => {
  const list = ["Order", "Complaint"];
  expect(mayFinish({ dispositions: list, isMandatory: false }, null)).toBe(true);
  expect(mayFinish({ dispositions: list, isMandatory: true }, null)).toBe(false);
  expect(mayFinish({ dispositions: list, isMandatory: true }, "Order")).toBe(true);
  expect(mayFinish({ dispositions: [], isMandatory: true }, null)).toBe(true);
});
