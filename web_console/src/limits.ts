/* Limits that are watched: which figures can be, and which way is beyond. Pure. */
import type { MeasureAbout } from "./events";
import type { Better } from "./targets";
import { type Unit, unitOf } from "./figures";

export interface Watched {
  id: string;
  unit: Unit;
  better: Better;
  scopes: readonly ("all" | "queue" | "team" | "agent")[];
}

const SCOPES = ["all", "queue", "team", "agent"] as const;

/** All that a limit can be set for, what is live first. */
export const watchable = (moments: Iterable<MeasureAbout>, measures: Iterable<MeasureAbout>): Watched[] => [...moments, ...measures].map(watched);

function watched({ id, unit, better, by }: MeasureAbout): Watched {
  return { id, unit: unitOf(unit), better, scopes: SCOPES.filter((scope) => by.includes(scope === "all" ? "none" : scope)) };
}

/** Which way is beyond the limit: its two bounds say so, and where they are one, what is better of the figure. */
export function isAbove(raise_at: number, clear_at: number, better: Better): boolean {
  return raise_at === clear_at ? better !== "higher" : raise_at > clear_at;
}
