/* Nouns of the figures' API until the generated types have them. */
import type { Better } from "./targets";

export interface MeasureAbout {
  id: string;
  version: number;
  name?: string;
  formula: string;
  unit: string;
  clock: string;
  source: string;
  day_by: string;
  better?: Better;
  by?: readonly string[];
  has_contacts?: boolean;
}

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

export interface ContactBehind {
  conversation_id: number;
  customer_name: string;
  channel_id: string;
  queue_id: number | null;
  agent_id: number | null;
  at: string;
  value: number | null;
  what: string;
}

export interface ContactsPage {
  items: ContactBehind[];
  next_cursor: string | null;
}
