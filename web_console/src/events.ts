/*
 * What comes down the socket, and the nouns it speaks of. All types are the server's own (api.d.ts is generated); this
 * file only gives them short names.
 */
import type { components } from "./api";

type Schemas = components["schemas"];

export type HubEvent = Schemas["HubEvent"];
export type VolatileEvent = Schemas["VolatileEvent"];
export type Frame = Schemas["EventsFrame"];
export type Snapshot = Schemas["Snapshot"];

export type AgentView = Schemas["AgentView"];
export type AlertView = Schemas["AlertView"];
export type AttachmentView = Schemas["AttachmentView"];
export type CallbackView = Schemas["CallbackView"];
export type ChannelView = Schemas["ChannelView"];
export type ContactPointView = Schemas["ContactPointView"];
export type ConversationView = Schemas["ConversationView"];
export type CustomerView = Schemas["CustomerView"];
export type DeliveryView = Schemas["DeliveryView"];
export type EntryView = Schemas["EntryView"];
export type Mailbox = Schemas["Mailbox"];
export type EstimateView = Schemas["EstimateView"];
export type Explanation = Schemas["Explanation"];
export type MailDetail = Schemas["MailDetail"];
export type MailView = Schemas["MailView"];
export type NewMail = NonNullable<Schemas["NewMessage"]["mail"]>;
export type NumbersView = Schemas["NumbersView"];
export type OfferView = Schemas["OfferView"];
// TEMPORARY until the API has it
export type EscalationAction =
  | { kind: "raise_priority"; minutes: number } | { kind: "widen_skills"; levels: number } | { kind: "move_to_queue"; queue_id: number }
  | { kind: "notify_user"; user_id: number } | { kind: "notify_role"; role: "agent" | "supervisor" | "admin" } | { kind: "assign_to"; user_id: number }
  | { kind: "page_supervisor" } | { kind: "tag"; name: string } | { kind: "auto_reply"; text: string };
export type EscalationClock = "waiting" | "first_response" | "next_response" | "resolution" | "idle";
export type PolicyView = {
  id: number; name: string; version: number; targets: Partial<Record<EscalationClock, number>>; paused_in: string[];
  steps: { id: string; clock: EscalationClock; after_s: number | null; share: number | null; in_states: string[]; actions: EscalationAction[] }[];
};
export type EscalationView = {
  policy: { id: number; name: string; version: number } | null; state: string; calendar_id: number | null;
  clocks: { clock: EscalationClock; elapsed_s: number; target_s: number | null; started_at: string; is_paused: boolean }[];
  fired: { step_id: string; clock: EscalationClock; run: number; due_at: string; fired_at: string; actions: EscalationAction[] }[];
  next: { step_id: string; clock: EscalationClock; due_at: string; actions: EscalationAction[] } | null;
};
export type QueueView = Schemas["QueueView"];
export type RequirementView = Schemas["RequirementView"];
export type SkillMatrix = Schemas["SkillMatrix"];
export type SkillRow = Schemas["AgentSkills"];
export type SkillView = Schemas["SkillView"];
export type TopicView = Schemas["TopicView"];
export type PolicyView = Schemas["PolicyView"];
export type UserView = Schemas["UserView"];

export type AgentState = Schemas["AgentState"];
export type ChannelKind = Schemas["ChannelKind"];
export type Delivery = Schemas["Delivery"];
export type OverflowStep = Schemas["OverflowView"];
export type Role = Schemas["Role"];

/** A message of the socket, each kind told by the one key it has. */
export type SocketMessage = Schemas["Frame"];
