import { describe, expect, it } from "vitest";

import type { Explanation } from "./events";
import { type Candidate, deciderOf, leftByReason, offerAt, outcomeOf, reasonOf, ruleOf } from "./why";

function candidate(agent_id: number, figures: Partial<Candidate> = {}): Candidate {
  return { agent_id, name: `Agent ${agent_id}`, rank: 0, wishes_met: 0, load: 0, idle_s: 0, skill: 0, ...figures };
}

function explanation(told: Partial<Explanation> = {}): Explanation {
  const candidates = told.candidates ?? [];
  return {
    rule: "least_loaded_then_longest_idle", rule_version: 2, waited_s: 12, score_s: 12, is_overdue: false, is_pinned: false, is_unservable: false,
    queue_ids: [1], chosen_agent_id: candidates[0]?.agent_id ?? null, candidate_count: candidates.length, filtered: [], insisted: [], relaxed: [],
    ...told, candidates,
  };
}

describe("a word of the engine", () => {
  it.each([
    ["full", { word: "full", skill: null, level: null }],
    ["lacks_skill:billing<3", { word: "lacks_skill", skill: "billing", level: 3 }],
    ["lacks_skill:a<b<2", { word: "lacks_skill", skill: "a<b", level: 2 }],
    ["wish:language:hy<1", { word: "wish_skill", skill: "language:hy", level: 1 }],
    ["wish:last_agent", { word: "wish_last_agent", skill: null, level: null }],
    ["wish:owner", { word: "wish_owner", skill: null, level: null }],
    ["of_a_newer_hub", { word: "other", skill: null, level: null }],
  ])("%s is read", (text, reason) => {
    expect(reasonOf(text)).toEqual(reason);
  });
});

describe("what decided", () => {
  it.each([
    ["only", [candidate(1)], {}],
    ["load", [candidate(1, { load: 0 }), candidate(2, { load: 25, idle_s: 900 })], {}],
    ["idle", [candidate(1, { idle_s: 90 }), candidate(2, { idle_s: 30 })], {}],
    ["idle", [candidate(1, { idle_s: 90, load: 50 }), candidate(2, { idle_s: 30 })], { rule: "longest_idle_then_least_loaded" }],
    ["skill", [candidate(1, { skill: 5 }), candidate(2, { skill: 4, idle_s: 900 })], { rule: "best_skilled_then_longest_idle" }],
    ["wishes", [candidate(1, { wishes_met: 1, load: 50 }), candidate(2)], {}],
    ["rank", [candidate(1, { rank: 0, load: 50 }), candidate(2, { rank: 1 })], {}],
    ["alike", [candidate(1), candidate(2)], {}],
    ["pinned", [candidate(1)], { is_pinned: true }],
  ] as [string, Candidate[], Partial<Explanation>][])("is %s", (decider, candidates, told) => {
    expect(deciderOf(explanation({ candidates, ...told }))).toBe(decider);
  });

  it("is nothing where nobody was chosen", () => {
    expect(deciderOf(explanation())).toBeNull();
  });
});

it("a rule is known by its first word, whatever settles the rest", () => {
  expect(["best_skilled_then_longest_idle", "best_skilled", "of_a_newer_hub"].map((rule) => ruleOf({ rule }))).toEqual(["best_skilled", "best_skilled", "least_loaded"]);
});

it("work that got nobody says whether that can ever change", () => {
  expect([
    outcomeOf(explanation({ candidates: [candidate(1)] })),
    outcomeOf(explanation({ is_unservable: true })),
    outcomeOf(explanation()),
    outcomeOf(explanation({ candidate_count: 2 })),
  ]).toEqual(["chosen", "unservable", "nobody_left", "waits"]);
});

it("those left out stand together by reason, the most frequent first", () => {
  const left = (reason: string, count: number, ...ids: number[]) => ({ reason, count, agents: ids.map((agent_id) => ({ agent_id, name: `Agent ${agent_id}` })) });
  const groups = leftByReason([left("full", 1, 1), left("offline", 2, 2, 3), left("lacks_skill:billing<2", 4, 5)]);
  expect(groups.map((group) => [group.reason.word, group.untold, group.agents.map((agent) => agent.agent_id)])).toEqual([
    ["lacks_skill", 3, [5]],
    ["offline", 0, [2, 3]],
    ["full", 0, [1]],
  ]);
});

describe("a line of the timeline", () => {
  const offers = [
    { offer_id: 1, agent_id: 7, offered_at: "2026-11-25T10:00:00Z", ended_at: "2026-11-25T10:00:20Z" },
    { offer_id: 2, agent_id: 7, offered_at: "2026-11-25T10:05:00Z", ended_at: "2026-11-25T10:05:09Z" },
    { offer_id: 3, agent_id: 8, offered_at: "2026-11-25T10:00:20Z", ended_at: null },
  ];
  const author = { kind: "system" as const, name: "", user_id: null };

  it.each([
    ["missed", "2026-11-25T10:00:20.4Z", 7, 1],
    ["declined", "2026-11-25T10:05:09Z", 7, 2],
    ["offered", "2026-11-25T10:00:20Z", 8, 3],
  ] as const)("%s finds its offer", (happening, at, agent_id, offerId) => {
    expect(offerAt(offers, { happening, at, data: { agent_id }, author })?.offer_id).toBe(offerId);
  });

  it("accepted finds it by its author", () => {
    expect(offerAt(offers, { happening: "accepted", at: "2026-11-25T10:05:09Z", data: {}, author: { kind: "agent", name: "", user_id: 7 } })?.offer_id).toBe(2);
  });

  it("that is about something else, or of another time, finds none", () => {
    expect(offerAt(offers, { happening: "claimed", at: "2026-11-25T10:00:20Z", data: { agent_id: 7 }, author })).toBeNull();
    expect(offerAt(offers, { happening: "missed", at: "2026-11-25T11:00:20Z", data: { agent_id: 7 }, author })).toBeNull();
  });
});
