/*
 * What a figure should be, and how far it is from that. The same rule as the hub's (hub/kpi/measures.py): both are tried with one table
 * of cases. Pure.
 */

/** Which way is better; null: neither, so there is nothing to say about it. */
export type Better = "higher" | "lower" | null;

/** `none`: nothing is wished, or nothing is known yet. */
export type Level = "good" | "warning" | "bad" | "none";

export type TargetScope = "all" | "queue" | "team" | "agent";

/** `target`: from here on it is good. `warning`: from here on it is bad; between the two it is a warning. */
export interface Target {
  measure: string;
  scope: TargetScope;
  scope_id: number | null;
  target: number;
  warning: number | null;
}

/** Whose figure it is; what is narrower stands first when a target is looked for. */
export interface Whose {
  agent?: number | undefined;
  teams?: readonly number[] | undefined;
  queue?: number | undefined;
}

/** A figure that is exactly at its target is good, one that is exactly at the warning still no worse than that. */
export function levelOf(value: number | null, target: Pick<Target, "target" | "warning"> | null, better: Better): Level {
  if (value === null || target === null || better === null) return "none";
  const reaches = (bound: number) => (better === "higher" ? value >= bound : value <= bound);
  if (reaches(target.target)) return "good";
  return target.warning !== null && reaches(target.warning) ? "warning" : "bad";
}

/** The narrowest that is set: of the agent, of a team of theirs (the first by id that has one), of the queue, of all. */
export function targetFor(targets: readonly Target[], measure: string, whose: Whose = {}): Target | null {
  const among = targets.filter((each) => each.measure === measure);
  const of = (scope: TargetScope, ids: readonly (number | undefined)[]) =>
    among.filter((each) => each.scope === scope && each.scope_id !== null && ids.includes(each.scope_id)).toSorted((a, b) => (a.scope_id ?? 0) - (b.scope_id ?? 0))[0];
  return (
    of("agent", [whose.agent]) ?? of("team", whose.teams ?? []) ?? of("queue", [whose.queue]) ?? among.find((each) => each.scope === "all") ?? null
  );
}
