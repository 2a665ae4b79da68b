import { beforeAll, describe, expect, it } from "vitest";

import type { RulePlacement, RuleSetView } from "./events";
import { i18n, setLanguage } from "./i18n";
import { conditionsOf, differences, faultsOfRule, followFaults, movedRule, newRule, resultsOf, rulesFaults, withoutCondition } from "./rules";
import { type RuleNames, sentenceOf } from "./ruleWords";

const REFUNDS = newRule("refunds", "Refunds", {
  when: { kinds: ["sms", "email"], words: { any: ["refund*", "money back"], all: [], none: ["thanks"], where: "both" } },
  then: { queue_id: 2, priority: 30, tags: ["refund"] },
});
const names: RuleNames = {
  t: (key, values) => i18n.global.t(key, values ?? {}),
  queue: (id) => `queue ${id}`, channel: (id) => id, calendar: (id) => `calendar ${id}`, topic: (id) => `topic ${id}`, skill: (id) => `skill ${id}`, language: (code) => code,
};

beforeAll(() => setLanguage("en"));

describe("a rule", () => {
  it("is told as one sentence", () => {
    expect(sentenceOf(REFUNDS, names)).toBe(
      "When it comes by SMS or E-mail, it says “refund*” or “money back” and it does not say “thanks”: put it into queue 2; count it 30 minutes ahead; tag it refund.",
    );
  });

  it("without conditions fits always, and says so", () => {
    expect(sentenceOf(newRule("a", "A", { then: { auto_reply: "x".repeat(80) } }), names)).toBe(`Always: answer at once: “${"x".repeat(60)}…”.`);
    expect(sentenceOf(newRule("a", "A", { then: { auto_reply: `${"x".repeat(56)} {opens}.` } }), names)).toBe(`Always: answer at once: “${"x".repeat(56)}…”.`);
    expect(sentenceOf(newRule("a", "A"), names)).toBe("Always: nothing happens yet.");
  });

  it("tells the first of many words", () => {
    const any = ["a", "b", "c", "d", "e", "f", "g"];
    const rule = newRule("a", "A", { when: { words: { any, all: [], none: [], where: "subject" } }, then: { priority: 5 } });
    expect(sentenceOf(rule, names)).toBe("When its subject says “a”, “b”, “c”, “d”, “e” or 2 more: count it 5 minutes ahead.");
  });

  it("tells of each of its conditions and results", () => {
    const rule = newRule("a", "A", {
      when: { hours: { calendar_id: 4, open: false }, languages: ["hy"], tier_at_least: 2, is_known: false, sender_domains: ["example.com"], topic_ids: [7], channel_ids: ["sms-1"] },
      then: { required: [{ skill_id: 3, level: 2 }], topic_id: 7, priority: -10 },
    });
    expect(sentenceOf(rule, names)).toBe(
      "When it comes in on sms-1, calendar 4 is closed, the customer speaks hy, the customer is Gold or above, the customer is new, it is sent from example.com and its topic is topic 7:"
      + " count it 10 minutes back; require skill 3 2; its topic is topic 7.",
    );
    expect([conditionsOf(rule).length, resultsOf(rule)]).toEqual([7, ["priority", "required", "topic_id"]]);
  });

  it("loses one part and keeps the others", () => {
    expect(conditionsOf(withoutCondition(REFUNDS, "words"))).toEqual(["kinds"]);
  });
});

describe("the order of rules", () => {
  it.each([
    [0, 2, ["b", "c", "a"]],
    [2, 0, ["c", "a", "b"]],
    [1, 1, ["a", "b", "c"]],
    [0, -1, ["a", "b", "c"]],
    [2, 3, ["a", "b", "c"]],
  ])("from %d to %d", (from, to, expected) => {
    expect(movedRule(["a", "b", "c"], from, to)).toEqual(expected);
  });
});

describe("the faults of rules", () => {
  it.each([
    ["no name", newRule("a", " ", { then: { priority: 1 } }), { "rules.0.name": "no_name" }],
    ["nothing that it does", newRule("a", "A"), { "rules.0.then": "no_result" }],
    ["words without a word", newRule("a", "A", { when: { words: { any: [], all: [], none: [], where: "both" } }, then: { priority: 1 } }), { "rules.0.when.words": "no_words" }],
    ["opens, of hours that are open", newRule("a", "A", { when: { hours: { calendar_id: 1, open: true } }, then: { auto_reply: "{opens}" } }), { "rules.0.then.auto_reply": "opens" }],
    ["a topic where only the first counts", newRule("a", "A", { when: { topic_ids: [1] }, then: { priority: 1 } }), { "rules.0.when.topic_ids": "topic_first" }],
    ["nothing", REFUNDS, {}],
  ])("stand at their field: %s", (_, rule, expected) => {
    expect(rulesFaults({ mode: "first", rules: [rule] })).toEqual(expected);
  });

  it("are told of a condition that was begun and left empty", () => {
    expect(rulesFaults({ mode: "first", rules: [REFUNDS] }, new Map([["refunds", ["kinds", "languages"]]]))).toEqual({ "rules.0.when.languages": "none_chosen" });
  });

  it("are found again by the rule itself", () => {
    expect(faultsOfRule({ "rules.1.name": "x", "rules.10.name": "y" }, 1)).toEqual({ name: "x" });
  });

  it("that are stored follow their rule, until it is changed", () => {
    const other = newRule("b", "B", { then: { priority: 1 } });
    const view = { rules: [REFUNDS, other], faults: { "rules.0.then.queue_id": "gone" } } as unknown as RuleSetView;
    expect(followFaults(view, [other, REFUNDS])).toEqual({ "rules.1.then.queue_id": "gone" });
    expect(followFaults(view, [other, { ...REFUNDS, name: "Other" }])).toEqual({});
  });
});

it("a trial tells what would be otherwise", () => {
  const before: RulePlacement = { queue_id: 1, priority: 0, required: [], tags: [], topic_id: null, owner_id: null, has_auto_reply: false };
  expect(differences(before, { ...before, queue_id: 2, tags: ["refund"] })).toEqual(["queue_id", "tags"]);
});
