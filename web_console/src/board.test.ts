import { describe, expect, it } from "vitest";

import { agentRows, type AgentRow, channelsOf, EVERYBODY, inPlaces, isAmong, ordered, queueRows, sumOf, workByChannel } from "./board";
import type { AgentView, ChannelKind, ConversationView, NumbersView, QueueView } from "./events";
import { aCall, aLeg } from "./phoneFixtures";

const NOW = Date.parse("2026-11-26T10:00:00Z");
const ago = (minutes: number) => new Date(NOW - minutes * 60_000).toISOString();

function agent(user_id: number, changes: Partial<AgentView> = {}): AgentView {
  return { user_id, name: `Agent ${user_id}`, role: "agent", state: "available", reason: null, state_since: ago(5), connected: true, load: 0, capacity: 100, version: 1, active: true, ...changes };
}

function held(id: number, channel_kind: ChannelKind, assignee_id: number | null, changes: Partial<ConversationView> = {}): ConversationView {
  return { id, channel_kind, assignee_id, status: "open", customer_name: `Customer ${id}`, queue_id: 1, queued_since: assignee_id === null ? ago(id) : null, created_at: ago(60), parked_until: null, ...changes } as ConversationView;
}

const row = (changes: Partial<AgentRow> = {}): AgentRow => ({ agent: agent(1), numbers: undefined, work: [], hasMore: false, call: null, ...changes });
const everybody = { team: null, queue: null };

describe("the agents of the board", () => {
  it("have their work and the call they are in, a consulted colleague too", () => {
    const call = aCall({ agent_id: 1, legs: [aLeg(1, { user_id: 2 }), aLeg(2, { user_id: 3, state: "ended" })] });
    const rows = agentRows({ agents: { 1: agent(1), 2: agent(2), 3: agent(3) }, agentNumbers: {}, workComplete: true }, [held(10, "sms", 1), held(11, "chat", null)], [call]);
    expect(rows.map((each) => [each.agent.user_id, each.work.map((work) => work.id), each.call?.id])).toEqual([
      [1, [10], 1],
      [2, [], 1],
      [3, [], undefined],
    ]);
  });

  it("stay the same rows while nothing in them has changed", () => {
    const same = held(10, "sms", 1);
    const state = { agents: { 1: agent(1), 2: agent(2), 3: agent(3) }, agentNumbers: {}, workComplete: true };
    const before = agentRows(state, [same, held(11, "chat", 2)], []);
    const next = { ...state, agents: { ...state.agents, 3: agent(3, { state: "busy" }) } };
    const after = agentRows(next, [same, held(11, "chat", 2)], [], new Map(before.map((each) => [each.agent.user_id, each])));
    expect(after.map((each, index) => each === before[index])).toEqual([true, false, false]);
    expect(after[2]?.agent.state).toBe("busy");
  });

  it("show the call first, then the channel with most in hand", () => {
    const busy = row({ work: [held(1, "chat", 1), held(2, "sms", 1), held(3, "sms", 1)], call: aCall() });
    expect(workByChannel(busy)).toEqual([["phone", 1], ["sms", 2], ["chat", 1]]);
  });

  it.each([
    [{ words: "customer 7" }, true],
    [{ words: "nobody" }, false],
    [{ state: "available" as const }, true],
    [{ state: "at_work" as const }, true],
    [{ state: "busy" as const }, false],
    [{ channel: "sms" as const }, true],
    [{ channel: "chat" as const }, false],
  ])("are found by %j: %s", (wanted, isFound) => {
    expect(isAmong(row({ work: [held(7, "sms", 1)] }), { ...EVERYBODY, ...wanted }, everybody)).toBe(isFound);
  });

  it("are found by the team and the queue they belong to", () => {
    expect(isAmong(row(), EVERYBODY, { team: new Set([1]), queue: null })).toBe(true);
    expect(isAmong(row(), EVERYBODY, { team: new Set([1]), queue: new Set([2]) })).toBe(false);
  });

  it("offline are not at work", () => {
    expect(isAmong(row({ agent: agent(1, { state: "offline" }) }), { ...EVERYBODY, state: "at_work" }, everybody)).toBe(false);
    expect(channelsOf(row())).toEqual([]);
  });
});

describe("the order of the board", () => {
  const numbers = (aht_s: number | null) => ({ aht_s, calls_in: 1, calls_out: 0 }) as NumbersView;
  const rows = [
    row({ agent: agent(1, { state: "away", name: "Ani" }), numbers: numbers(90) }),
    row({ agent: agent(2, { name: "Vahe" }), numbers: numbers(null) }),
    row({ agent: agent(3, { name: "Lilit", load: 50 }), numbers: numbers(200) }),
  ];

  it("is by state, then by name", () => {
    expect(ordered(rows, { by: "state", descending: false }, NOW, "en")).toEqual([3, 2, 1]);
  });

  it("puts whoever has no value last either way", () => {
    expect(ordered(rows, { by: "aht", descending: true }, NOW, "en")).toEqual([3, 1, 2]);
    expect(ordered(rows, { by: "aht", descending: false }, NOW, "en")).toEqual([1, 3, 2]);
  });

  it("keeps rows where they were until it is made anew", () => {
    const places = new Map([[3, 0], [1, 1]]);
    expect(inPlaces(rows, places, (each) => each.agent.user_id).map((each) => each.agent.user_id)).toEqual([3, 1, 2]);
  });
});

describe("the queues of the board", () => {
  const queue = { id: 1, name: "Support", member_ids: [1, 2, 9], max_wait_s: 600 } as QueueView;
  const state = { agents: { 1: agent(1), 2: agent(2, { state: "busy" }) }, queues: { 1: queue }, queueNumbers: {}, queueLengths: {}, estimates: {}, conversationsComplete: true };

  it("count who waits now, since when the first, and who waits too long", () => {
    const open = [held(3, "sms", null), held(12, "sms", null), held(20, "chat", 1), held(30, "phone", null, { parked_until: ago(-30) })];
    expect(queueRows(state, open, NOW)).toMatchObject([{ waiting: 2, longestSince: ago(12), isOverdue: true, open: 4, available: 1, atWork: 2, members: 2 }]);
  });

  it("are there without anybody who waits", () => {
    expect(queueRows(state, [], NOW)).toMatchObject([{ waiting: 0, longestSince: null, isOverdue: false, open: 0 }]);
  });

  it("do not count a caller who is in the menu still", () => {
    expect(queueRows(state, [held(3, "phone", null, { queued_since: null })], NOW)).toMatchObject([{ waiting: 0, longestSince: null, open: 0 }]);
  });

  it("are as long as the hub says where the page was not given all that is open", () => {
    const open = [held(3, "sms", null), held(20, "chat", 1)];
    const length = { queue_id: 1, waiting: 2_345, longest_since: ago(90), unresolved: 3_000, version: 7 };
    const part = { ...state, conversationsComplete: false };
    expect(queueRows({ ...part, queueLengths: { 1: length } }, open, NOW)).toMatchObject([{ waiting: 2_345, longestSince: ago(90), isOverdue: true, open: 3_000 }]);
    expect(queueRows(part, open, NOW)).toMatchObject([{ waiting: null, longestSince: null, isOverdue: false, open: null }]);
  });

  it("have no sum where one of them is not known", () => {
    expect([sumOf([]), sumOf([2, 3]), sumOf([2, null, 3])]).toEqual([0, 5, null]);
  });
});
