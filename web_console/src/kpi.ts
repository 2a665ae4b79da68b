/* Nouns of the figures: what is asked for, and what is written. Those that the generated types have are named in events.ts. */
import type { ContactBehind, TargetView, TeamView } from "./events";
import type { TargetScope } from "./targets";

export type Dim = "agent" | "team" | "queue" | "channel" | "topic";

/** Which figure's contacts: the measure, its local days (inclusive), whose it is, and what else narrows it down. */
export interface ContactsQuery {
  measure: string;
  from: string;
  to: string;
  by?: Dim | "none";
  id?: string | number;
  /** The beginning of a quarter of an hour of that day: only what falls into it. */
  interval?: string;
  agent?: number;
  team?: number;
  queue?: number;
  channel?: string;
  topic?: number;
}

export interface ContactsPage {
  items: ContactBehind[];
  next_cursor: string | null;
}

export type TeamBody = Omit<TeamView, "id" | "version">;

export type TargetBody = Omit<TargetView, "id">;

/** A limit that is watched. It breaks when the figure has been beyond `raise_at` for `for_s`, and heals within `clear_at`. */
export interface AlertRuleView {
  id: number;
  name: string;
  measure: string;
  scope: TargetScope;
  scope_id: number | null;
  raise_at: number;
  clear_at: number;
  for_s: number;
  enabled: boolean;
  to_console: boolean;
  emails: string[];
  webhook_url: string | null;
  has_webhook_secret: boolean;
  /** As it is now. */
  raised_at: string | null;
  value: number | null;
  /** Why the last telling failed; null: it did not. */
  trouble: string | null;
  version: number;
}

export type AlertRuleBody = Omit<AlertRuleView, "id" | "version" | "has_webhook_secret" | "raised_at" | "value" | "trouble"> & {
  /** Absent: as it was. */
  webhook_secret?: string;
};
