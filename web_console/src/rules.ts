/*
 * The rules that place new work, while they are edited: which parts a rule has, its order among the others, what is wrong with it,
 * what a trial shows. Pure. The hub has the last word (hub/routing/rules.py); its names of fields are used here, too.
 */
import type { Rule, RulePlacement, RuleSetView } from "./events";

export interface RulesDraft {
  mode: RuleSetView["mode"];
  rules: Rule[];
}
export type Condition = keyof Rule["when"];
export type Result = keyof Rule["then"];

/** In the order in which they are offered and told. */
export const CONDITIONS: readonly Condition[] = ["words", "kinds", "channel_ids", "hours", "languages", "tier_at_least", "is_known", "sender_domains", "topic_ids"];
export const RESULTS: readonly Result[] = ["queue_id", "priority", "required", "topic_id", "tags", "auto_reply"];
export const PLACEHOLDERS = ["name", "number", "opens"] as const;

export function draftedRules(from: RuleSetView | null): RulesDraft {
  return from === null ? { mode: "first", rules: [] } : (JSON.parse(JSON.stringify({ mode: from.mode, rules: from.rules })) as RulesDraft);
}

const NO_CONDITIONS: Rule["when"] = { channel_ids: [], kinds: [], hours: null, words: null, languages: [], tier_at_least: null, is_known: null, topic_ids: [], sender_domains: [] };
const NO_RESULTS: Rule["then"] = { queue_id: null, priority: null, required: [], tags: [], topic_id: null, auto_reply: null };

/** `id`: a rule's own for ever. */
export function newRule(id: string, name: string, parts: { when?: Partial<Rule["when"]>; then?: Partial<Rule["then"]> } = {}): Rule {
  return structuredClone({ id, name, enabled: true, when: { ...NO_CONDITIONS, ...parts.when }, then: { ...NO_RESULTS, ...parts.then } });
}

const isThere = (value: unknown): boolean => value !== null && value !== "" && !(Array.isArray(value) && value.length === 0);
export const conditionsOf = (rule: Rule): Condition[] => CONDITIONS.filter((part) => isThere(rule.when[part]));
export const resultsOf = (rule: Rule): Result[] => RESULTS.filter((part) => isThere(rule.then[part]));

/** Without this part; its other parts as they are. */
export function withoutCondition(rule: Rule, part: Condition): Rule {
  return { ...rule, when: { ...rule.when, [part]: structuredClone(NO_CONDITIONS[part]) } };
}
export function withoutResult(rule: Rule, part: Result): Rule {
  return { ...rule, then: { ...rule.then, [part]: structuredClone(NO_RESULTS[part]) } };
}

/** The list with one rule at another place; the same list where there is no such place. */
export function movedRule<T>(rules: readonly T[], from: number, to: number): T[] {
  const rule = rules[from];
  if (rule === undefined || to < 0 || to >= rules.length || from === to) return [...rules];
  const others = rules.toSpliced(from, 1);
  return others.toSpliced(to, 0, rule);
}

// --- faults ---------------------------------------------------------------------------------------------------------------------

export type RuleFault = "no_name" | "no_result" | "no_words" | "none_chosen" | "opens" | "topic_first";

/** What is known to be wrong, by the name that the hub gives the field: "rules.2.then.auto_reply". `shown`: by rule's id, the parts
 * that stand open in the editor: one that is open and empty is most likely forgotten. */
export function rulesFaults(draft: RulesDraft, shown: ReadonlyMap<string, readonly string[]> = new Map()): Record<string, RuleFault> {
  const faults: Record<string, RuleFault> = {};
  draft.rules.forEach((rule, index) => {
    const at = `rules.${index}`;
    if (rule.name.trim() === "") faults[`${at}.name`] = "no_name";
    if (resultsOf(rule).length === 0) faults[`${at}.then`] = "no_result";
    const { words, hours, topic_ids } = rule.when;
    if (words && words.any.length + words.all.length + words.none.length === 0) faults[`${at}.when.words`] = "no_words";
    for (const part of shown.get(rule.id) ?? []) {
      if (part !== "words" && CONDITIONS.includes(part as Condition) && !isThere(rule.when[part as Condition])) faults[`${at}.when.${part}`] = "none_chosen";
    }
    if (topic_ids.length > 0 && draft.mode === "first") faults[`${at}.when.topic_ids`] = "topic_first";
    if (rule.then.auto_reply?.includes("{opens}") && (hours === null || hours.open)) faults[`${at}.then.auto_reply`] = "opens";
  });
  return faults;
}

/** Those of one rule, named as in the rule itself: "then.auto_reply". */
export function faultsOfRule<T>(faults: Readonly<Record<string, T>>, index: number): Record<string, T> {
  const prefix = `rules.${index}.`;
  return Object.fromEntries(Object.entries(faults).filter(([name]) => name.startsWith(prefix)).map(([name, fault]) => [name.slice(prefix.length), fault]));
}

/** Stored faults follow their rule to wherever it stands now. */
export function followFaults(view: Pick<RuleSetView, "rules" | "faults"> | null, rules: readonly Rule[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, fault] of Object.entries(view?.faults ?? {})) {
    const [, number, rest] = /^rules\.(\d+)\.(.*)$/.exec(name) ?? [];
    const stored = number === undefined ? undefined : view?.rules[Number(number)];
    const index = stored ? rules.findIndex((rule) => rule.id === stored.id && JSON.stringify(rule) === JSON.stringify(stored)) : -1;
    if (index >= 0) found[`rules.${index}.${rest}`] = fault;
  }
  return found;
}

// --- a trial --------------------------------------------------------------------------------------------------------------------

export type Difference = keyof RulePlacement;
const DIFFERENCES: readonly Difference[] = ["queue_id", "priority", "required", "topic_id", "owner_id", "tags", "has_auto_reply"];

/** What would be otherwise, the weightiest first. */
export function differences(before: RulePlacement, after: RulePlacement): Difference[] {
  return DIFFERENCES.filter((part) => JSON.stringify(before[part]) !== JSON.stringify(after[part]));
}
