/* What a call was, for the timeline and the lists: how long who did what, and how it is to be shown. Pure: `now` in ms. */
import type { CallSegmentView, CallView, LegView } from "./events";
import type { IconName } from "./ui/icons";

/** How long the customer waited for an agent, in seconds; null: they never did. */
export function waited_s(call: Pick<CallView, "queued_at" | "answered_at" | "hung_up_at">, now: number): number | null {
  if (call.queued_at === null) return null;
  const until = call.answered_at ?? call.hung_up_at;
  return Math.max(0, ((until === null ? now : Date.parse(until)) - Date.parse(call.queued_at)) / 1_000);
}

export interface Part {
  readonly segment: CallSegmentView;
  readonly talk_s: number;
  readonly hold_s: number;
  readonly wrapUp_s: number;
}

/** The seconds of an agent's part, with what goes on now. */
export function partOf(segment: CallSegmentView, now: number): Part {
  const since_s = segment.ended_at === null ? Math.max(0, (now - Date.parse(segment.stretch_since)) / 1_000) : 0;
  const of = (stretch: CallSegmentView["stretch"], sum_s: number) => sum_s + (segment.stretch === stretch ? since_s : 0);
  return { segment, talk_s: of("talk", segment.talk_s), hold_s: of("hold", segment.hold_s), wrapUp_s: of("wrap_up", segment.wrap_up_s) };
}

/** The part of this agent that goes on. */
export function livePart(call: CallView, userId: number): CallSegmentView | null {
  return call.segments.findLast((segment) => segment.agent_id === userId && segment.ended_at === null) ?? null;
}

/** Colleagues and numbers outside that were asked or got the call; not those who became its agent, they have a part of their own. */
export function othersOf(call: CallView): LegView[] {
  return call.legs.filter((leg) => leg.party === "consulted" || leg.party === "outside");
}

/** How somebody who was asked took it. */
export function answerOf(leg: Pick<LegView, "state" | "connected_at" | "end_reason">): "rings" | "talks" | "talked" | "refused" | "missed" {
  if (leg.state === "connected") return "talks";
  if (leg.state !== "ended") return "rings";
  if (leg.connected_at !== null) return "talked";
  return leg.end_reason === "rejected" || leg.end_reason === "busy" ? "refused" : "missed";
}

/** Nobody of ours spoke with whoever called, and they wanted somebody. */
export function isMissed(call: Pick<CallView, "direction" | "end_reason" | "answered_at">): boolean {
  return call.direction === "in" && call.answered_at === null && (call.end_reason === "abandoned" || call.end_reason === "all_busy" || call.end_reason === "failed");
}

export function iconOf(call: Pick<CallView, "direction" | "end_reason" | "answered_at">): IconName {
  if (isMissed(call)) return "callMissed";
  if (call.end_reason === "voicemail") return "voicemail";
  return call.direction === "in" ? "callIn" : "callOut";
}

/** Of those that are told of in the timeline: somebody is on the line, or writes down what it was about. */
export const isLive = (call: Pick<CallView, "ended_at">): boolean => call.ended_at === null;

// Talks first, then who waits for one, then the rest; the longest of each first.
const ORDER: readonly CallView["state"][][] = [["conference", "consult", "held", "talking"], ["queued", "offered", "connecting"], ["dialling", "ringing", "menu", "voicemail", "forwarded"], ["wrap_up", "ended"]];

export function byUrgency(a: CallView, b: CallView): number {
  const rank = (call: CallView) => ORDER.findIndex((states) => states.includes(call.state));
  return rank(a) - rank(b) || Date.parse(a.started_at) - Date.parse(b.started_at) || a.id - b.id;
}
