/*
 * The ways to begin a conversation with a customer, decided: every address they have by every channel of ours that reaches it, what cannot be
 * done with its reason, the one they prefer first. The hub rules alike (hub/routing/dispatcher.py: open_conversation). Pure.
 */
import { allows } from "./card";
import type { ChannelView, ContactPointView, ConversationView, CustomerView, UserView } from "./events";
import { isNumber } from "./phone";

export type WayKind = "sms" | "phone" | "email" | "chat";
export type Hindrance = "opted_out" | "calls_refused" | "no_channel" | "not_your_queue" | "no_line" | "no_address" | "withheld" | "chat_closed";

export interface Way {
  key: string;
  kind: WayKind;
  /** Null for calls: the hub takes the line of one's queue. */
  channel: ChannelView | null;
  point: ContactPointView | null;
  hindrance: Hindrance | null;
  /** The conversation that is open there already. */
  open: ConversationView | null;
  isPreferred: boolean;
  /** The last mail there came back. */
  bounced: boolean;
}

const POINT_OF: Record<WayKind, ContactPointView["kind"]> = { sms: "phone", phone: "phone", email: "email", chat: "chat" };
const KINDS: readonly WayKind[] = ["sms", "phone", "email", "chat"];

export interface Means {
  channels: readonly ChannelView[];
  conversations: readonly ConversationView[];
  user: Pick<UserView, "role" | "queue_ids">;
  /** Numbers can be called, and such a call reaches the viewer. */
  dials: boolean;
}

export function waysOf(customer: CustomerView, means: Means): Way[] {
  const ways = KINDS.flatMap((kind) => waysBy(kind, customer, means));
  const rank = (way: Way) => [way.hindrance === null ? 0 : 1, way.isPreferred ? 0 : 1, KINDS.indexOf(way.kind), way.point?.is_main ? 0 : 1] as const;
  return ways.toSorted((a, b) => compare(rank(a), rank(b)) || (a.point?.id ?? 0) - (b.point?.id ?? 0));
}

function waysBy(kind: WayKind, customer: CustomerView, means: Means): Way[] {
  const points = customer.contact_points.filter((point) => point.kind === POINT_OF[kind]);
  const isPreferred = customer.preferred_channel === kind;
  const none = { kind, channel: null, open: null, isPreferred, bounced: false };
  // Nobody is asked for a visitor who never came.
  if (points.length === 0) return kind === "chat" ? [] : [{ ...none, key: kind, point: null, hindrance: "no_address" as const }];
  if (kind === "phone") {
    return points.map((point) => ({ ...none, key: `phone ${point.id}`, point, hindrance: callHindrance(point, means) }));
  }
  const ours = means.channels.filter((channel) => channel.kind === kind && channel.enabled);
  const mine = ours.filter((channel) => means.user.role !== "agent" || means.user.queue_ids.includes(channel.queue_id));
  return points.flatMap((point): Way[] => {
    if (mine.length === 0) return [{ ...none, key: `${kind} ${point.id}`, point, hindrance: ours.length === 0 ? ("no_channel" as const) : ("not_your_queue" as const) }];
    return mine.map((channel) => {
      const open = kind === "email" ? null : (means.conversations.find((each) => each.status === "open" && each.contact_point_id === point.id && each.channel_id === channel.id) ?? null);
      return { key: `${channel.id} ${point.id}`, kind, channel, point, hindrance: writeHindrance(kind, point, open), open, isPreferred, bounced: point.bounced_at !== null };
    });
  });
}

function callHindrance(point: ContactPointView, means: Means): Hindrance | null {
  if (!isNumber(point.address)) return "withheld";
  if (!allows(point, "phone", "service")) return "calls_refused";
  return means.dials ? null : "no_line";
}

function writeHindrance(kind: WayKind, point: ContactPointView, open: ConversationView | null): Hindrance | null {
  if (kind === "sms" && !isNumber(point.address)) return "withheld";
  if (point.opted_out) return "opted_out";
  return kind === "chat" && open === null ? "chat_closed" : null;
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) if (value !== b[index]) return value - (b[index] ?? 0);
  return 0;
}
