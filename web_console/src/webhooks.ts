/* What webhooks can tell, as the page that sets them up groups it, and what an attempt says. Pure. */
import type { WebhookDelivery, WebhookEventName } from "./events";

type Group = "conversations" | "messages" | "calls" | "customers" | "service";

/** All of them, each once, in the order in which they are shown. */
export const WEBHOOK_EVENTS: Readonly<Record<Group, readonly WebhookEventName[]>> = {
  conversations: [
    "conversation.opened", "conversation.assigned", "conversation.transferred", "conversation.resolved", "conversation.reopened", "conversation.changed",
  ],
  messages: ["message.received", "message.sent", "message.delivered", "message.read", "message.failed", "note.added"],
  calls: ["call.started", "call.answered", "call.ended", "call.completed", "recording.ready"],
  customers: ["customer.created", "customer.changed", "customer.merged", "survey.answered"],
  service: ["task.created", "task.due", "task.ended", "escalation.fired", "agent.state_changed", "channel.health_changed"],
};
export const WEBHOOK_GROUPS = Object.keys(WEBHOOK_EVENTS) as Group[];

/** A dot would be a path in the catalogue of texts. */
export const eventKey = (name: string) => name.replaceAll(".", "_");

/** What is told is customers' words: it goes by TLS, or stays on the hub's own machine, where the hub allows that. */
export const isSafe = (url: string) => /^(https:\/\/|http:\/\/(127\.|localhost[:/]|\[::1\]))/i.test(url.trim());

export type DeliveryState = WebhookDelivery["state"];
export const DELIVERY_STATES: readonly DeliveryState[] = ["waiting", "delivered", "dead"];

/** JSON as one reads it; as it is, if it is none. */
export function readable(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}

/** The list that was shown, as it is now: what is there stays where it is, and what has come since is not put before it. */
export function refreshed(shown: readonly WebhookDelivery[], newest: readonly WebhookDelivery[]): { items: WebhookDelivery[]; newer: number } {
  const now = new Map(newest.map((each) => [each.id, each]));
  const top = shown[0]?.id ?? Infinity;
  return { items: shown.map((each) => now.get(each.id) ?? each), newer: newest.filter((each) => each.id > top).length };
}
