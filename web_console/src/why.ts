/*
 * The routing engine's record of a decision, taken apart for a reader: what decided, who else was asked about, who was left out
 * and for which reason. Pure: it gives keys of the catalogue and what goes into them; the words are the catalogue's.
 *
 * The engine compares candidates by rank, then by wishes met, then by what the queue's choice looks at first; whatever differs
 * first between the chosen and the next one is what decided.
 */
import type { EntryView, Explanation } from "./events";

export type Candidate = Explanation["candidates"][number];
export type Left = Explanation["filtered"][number];

/** A reason: the key's last part, and the skill it is about if it is about one. */
export interface Reason {
  word: string;
  skill: string | null;
  level: number | null;
}

const PLAIN = new Set([
  "offline", "busy", "away", "not_responding", "disconnected", "ringing", "excluded", "exclusive", "full", "taken", "kept_for_overdue",
  "pinned_to_another", "not_a_member",
]);

/** A word of the engine: "full", "lacks_skill:billing<3", "wish:last_agent", "wish:language:hy<1". */
export function reasonOf(text: string): Reason {
  const skill = /^(lacks_skill|wish):(.*)<(\d+)$/s.exec(text);
  if (skill) return { word: skill[1] === "wish" ? "wish_skill" : "lacks_skill", skill: skill[2] ?? "", level: Number(skill[3]) };
  if (text === "wish:last_agent" || text === "wish:owner") return { word: text.replace(":", "_"), skill: null, level: null };
  return { word: PLAIN.has(text) ? text : "other", skill: null, level: null };
}

export type Decider = "pinned" | "only" | "rank" | "wishes" | "load" | "idle" | "skill" | "alike";

type Figure = { decider: Decider; better: (a: Candidate, b: Candidate) => number };
const RANK: Figure = { decider: "rank", better: (a, b) => a.rank - b.rank };
const WISHES: Figure = { decider: "wishes", better: (a, b) => b.wishes_met - a.wishes_met };
const LOAD: Figure = { decider: "load", better: (a, b) => a.load - b.load };
const IDLE: Figure = { decider: "idle", better: (a, b) => b.idle_s - a.idle_s };
const SKILL: Figure = { decider: "skill", better: (a, b) => b.skill - a.skill };

/** What each choice looks at, in order (hub/routing/engine.py, `Choice`). */
export type Rule = "least_loaded" | "longest_idle" | "best_skilled";
const FIGURES: Readonly<Record<Rule, readonly Figure[]>> = {
  least_loaded: [RANK, WISHES, LOAD, IDLE],
  longest_idle: [RANK, WISHES, IDLE, LOAD],
  best_skilled: [RANK, WISHES, SKILL, IDLE, LOAD],
};

export function ruleOf(explanation: Pick<Explanation, "rule">): Rule {
  return (Object.keys(FIGURES) as Rule[]).find((rule) => explanation.rule.startsWith(rule)) ?? "least_loaded";
}

/** What decided between the one who was chosen and the next; null: nobody was chosen. */
export function deciderOf(explanation: Explanation): Decider | null {
  if (explanation.chosen_agent_id === null) return null;
  if (explanation.is_pinned) return "pinned";
  const [first, second] = explanation.candidates;
  if (!first || !second) return "only";
  return FIGURES[ruleOf(explanation)].find((figure) => figure.better(first, second) !== 0)?.decider ?? "alike";
}

/** What became of the decision as one word: to whom it went or why it waits. */
export type Outcome = "chosen" | "unservable" | "nobody_left" | "waits";
export function outcomeOf(explanation: Explanation): Outcome {
  if (explanation.chosen_agent_id !== null) return "chosen";
  if (explanation.is_unservable) return "unservable";
  return explanation.candidate_count === 0 ? "nobody_left" : "waits";
}

/** Those who were left out, by reason, the most frequent first. `untold`: how many of them are not told by name. */
export function leftByReason(filtered: readonly Left[]): { reason: Reason; count: number; agents: Left["agents"]; untold: number }[] {
  return filtered
    .map(({ reason, count, agents }) => ({ reason: reasonOf(reason), count, agents, untold: count - agents.length }))
    .toSorted((a, b) => b.count - a.count);
}

/** How far an entry may be from the offer's own instant: they are written in one transaction, with one clock. */
const NEAR_MS = 5_000;
const ENDS: Partial<Record<NonNullable<EntryView["happening"]>, boolean>> = { offered: false, accepted: true, declined: true, missed: true };

export const isAboutOffer = (entry: Pick<EntryView, "happening">): boolean => entry.happening !== null && entry.happening in ENDS;

/** The offer that a line of the timeline tells of, known by who and when; null: none that is known. */
export function offerAt<T extends { agent_id: number; offered_at: string; ended_at: string | null }>(
  offers: readonly T[],
  entry: Pick<EntryView, "happening" | "at" | "data" | "author">,
): T | null {
  if (!isAboutOffer(entry)) return null;
  const agentId = entry.data["agent_id"] ?? entry.author.user_id;
  const isEnd = ENDS[entry.happening as keyof typeof ENDS];
  const near = offers
    .filter((offer) => offer.agent_id === agentId)
    .map((offer) => ({ offer, off_ms: Math.abs(Date.parse((isEnd ? offer.ended_at : offer.offered_at) ?? "") - Date.parse(entry.at)) }))
    .filter(({ off_ms }) => off_ms < NEAR_MS)
    .toSorted((a, b) => a.off_ms - b.off_ms);
  return near[0]?.offer ?? null;
}
