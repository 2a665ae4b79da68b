/* Limits that are watched: which figures can be, and which way is beyond. Pure. */
import type { MeasureAbout } from "./events";
import type { Better } from "./targets";
import { type Unit, unitOf } from "./figures";

/** What is so this moment, and is no measure of a day. `scopes`: for whom it can be watched. */
export const LIVE_FIGURES: Readonly<Record<string, { unit: Unit; better: Better; scopes: readonly ("all" | "queue" | "team" | "agent")[] }>> = {
  waiting: { unit: "count", better: "lower", scopes: ["all", "queue"] },
  longest_wait_s: { unit: "seconds", better: "lower", scopes: ["all", "queue"] },
  ewt_s: { unit: "seconds", better: "lower", scopes: ["queue"] },
  backlog: { unit: "count", better: "lower", scopes: ["all", "queue"] },
  available_agents: { unit: "count", better: "higher", scopes: ["all", "queue", "team"] },
};

export interface Watched {
  id: string;
  unit: Unit;
  better: Better;
  scopes: readonly ("all" | "queue" | "team" | "agent")[];
}

const SCOPES = ["all", "queue", "team", "agent"] as const;

/** All that a limit can be set for, what is live first. */
export function watchable(measures: Iterable<MeasureAbout>): Watched[] {
  const live = Object.entries(LIVE_FIGURES).map(([id, its]) => ({ id, ...its }));
  const known = new Set(live.map((each) => each.id));
  const counted = [...measures]
    .filter((measure) => !known.has(measure.id))
    .map((measure) => ({ id: measure.id, unit: unitOf(measure.unit), better: measure.better ?? null, scopes: SCOPES.filter((scope) => scope === "all" || (measure.by ?? SCOPES).includes(scope)) }));
  return [...live, ...counted];
}

/** Which way is beyond the limit: its two bounds say so, and where they are one, what is better of the figure. */
export function isAbove(raise_at: number, clear_at: number, better: Better): boolean {
  return raise_at === clear_at ? better !== "higher" : raise_at > clear_at;
}
