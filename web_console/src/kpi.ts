/* Nouns of the figures: what is asked for, and what is written. Those that the generated types have are named in events.ts. */
import type { AlertRuleView, TargetView, TeamView } from "./events";

export type Dim = "agent" | "team" | "queue" | "channel" | "topic";

/** Which figure's contacts: the measure, its local days (inclusive), whose it is, and what else narrows it down. */
export interface ContactsQuery {
  measure: string;
  from: string;
  to: string;
  by?: Dim | "none";
  id?: string;
  /** The beginning of a quarter of an hour of that day: only what falls into it. */
  interval?: string;
  agent?: string;
  team?: string;
  queue?: string;
  channel?: string;
  topic?: string;
}

export type TeamBody = Omit<TeamView, "id" | "version">;

export type TargetBody = Omit<TargetView, "id">;

export type AlertRuleBody = Omit<AlertRuleView, "id" | "version" | "has_webhook_secret" | "raised_at" | "is_judged" | "value" | "trouble"> & {
  /** Null: as it was. */
  webhook_secret: string | null;
};
