/*
 * The viewer's telephone, decided: which call they are in, what their line has to do next, and what they may do in it. Pure; phoneLine.ts
 * carries the sound, calling.ts (the page's telephone) puts the two together.
 *
 *   offer → accept → leg pending ─ connect ─→ connected ─ line breaks ─→ connect again (the same leg, or the new one the hub makes)
 *                                                └ hung up ─→ wrap-up → over
 *
 * A person has one leg at most. A leg with an address is a telephone of theirs: the page has nothing to do but say that it rings.
 */
import type { CallView, LegView, VoiceView } from "./events";

export type CallState = CallView["state"];
export type Presence = LegView["presence"];

/** Customer and agent have each other. */
const TALKS: ReadonlySet<CallState> = new Set(["talking", "held", "consult", "conference"]);

export const isTalk = (call: Pick<CallView, "state">): boolean => TALKS.has(call.state);
export const isOver = (leg: Pick<LegView, "state" | "ended_at">): boolean => leg.state === "ended" || leg.ended_at !== null;

/** The viewer's live leg of this call; the newest, for the hub makes a new one when a line broke. */
export function legOf(call: CallView, userId: number): LegView | null {
  return call.legs.findLast((leg) => leg.user_id === userId && !isOver(leg)) ?? null;
}

/** Whoever is asked for advice, or was brought in from outside. */
export function otherLeg(call: CallView): LegView | null {
  return call.legs.findLast((leg) => (leg.party === "consulted" || leg.party === "outside") && !isOver(leg)) ?? null;
}

export interface Mine {
  readonly call: CallView;
  /** Null in the wrap-up: nobody is on the line any more. */
  readonly leg: LegView | null;
}

/** The call that the viewer takes part in, else the one that they write down. */
export function myCall(calls: readonly CallView[], userId: number): Mine | null {
  for (const call of calls) {
    const leg = call.ended_at === null && call.hung_up_at === null ? legOf(call, userId) : null;
    if (leg) return { call, leg };
  }
  const wrapUp = calls.find((call) => call.state === "wrap_up" && call.agent_id === userId);
  return wrapUp ? { call: wrapUp, leg: null } : null;
}

/** What the viewer's telephone is at. `rings_asked`: a colleague asks; `rings_desk`: their own telephone rings; `returning`: their line broke. */
export type Phase = "rings_asked" | "rings_desk" | "connecting" | "returning" | "dialling" | "talking" | "held" | "consult" | "conference" | "supervising" | "wrap_up";

export function phaseOf({ call, leg }: Mine): Phase {
  if (!leg) return "wrap_up";
  if (leg.state !== "connected") {
    if (leg.address !== "") return "rings_desk";
    if (leg.party === "consulted" && leg.state === "pending") return "rings_asked";
    return leg.party === "agent" && isTalk(call) ? "returning" : "connecting";
  }
  if (leg.party === "supervisor") return "supervising";
  switch (call.state) {
    case "dialling":
    case "held":
    case "consult":
    case "conference":
      return call.state;
    default:
      return "talking";
  }
}

// --- the line

/** `broken`: it stood and stands no more, or never came to; `refused`: a person has to do something first (the microphone). */
export interface LineNow {
  readonly legId: number;
  readonly state: "connecting" | "open" | "broken" | "refused";
}

export type LineTask = "none" | "connect" | "close";

/** What the page has to do about the sound. `voice`: what the call's line can do. */
export function lineTask(mine: Mine | null, voice: VoiceView | null, line: LineNow | null): LineTask {
  const leg = mine?.leg;
  const isMineToCarry = leg && leg.address === "" && voice?.in_browser === true && phaseOf(mine) !== "rings_asked";
  if (!isMineToCarry) return line === null ? "none" : "close";
  if (line === null || line.legId !== leg.id || line.state === "broken") return "connect";
  return "none";
}

// --- what may be done

export type Verb =
  | "join" | "refuse" | "give_back" | "hang_up" | "leave" | "mute" | "hold" | "resume" | "transfer" | "consult" | "complete" | "cancel_consult" | "confer"
  | "pause_recording" | "resume_recording" | "write" | "listen" | "whisper" | "talk" | "take_over";

const AGENT: Partial<Record<Phase, readonly Verb[]>> = {
  connecting: ["give_back"],
  returning: ["hang_up"],
  dialling: ["mute", "hang_up"],
  talking: ["mute", "hold", "consult", "transfer", "write", "hang_up"],
  held: ["mute", "resume", "consult", "transfer", "write", "hang_up"],
  consult: ["mute", "cancel_consult", "write", "hang_up"],
  conference: ["mute", "hold", "write", "hang_up"],
  wrap_up: ["write"],
};
const CONSULTED: Partial<Record<Phase, readonly Verb[]>> = { rings_asked: ["join", "refuse"], rings_desk: ["refuse"] };
const RECORDING: Partial<Record<CallView["recording"], Verb>> = { on: "pause_recording", paused: "resume_recording" };

/** As the hub rules it (hub/calls/conductor.py): what is not here, it refuses. */
export function verbsOf(mine: Mine): ReadonlySet<Verb> {
  const { call, leg } = mine;
  const phase = phaseOf(mine);
  if (leg?.party === "supervisor") return new Set(supervisorVerbs(leg));
  if (leg?.party === "consulted") return new Set(CONSULTED[phase] ?? (phase === "connecting" ? ["leave"] : ["mute", "leave"]));
  const verbs = new Set(AGENT[phase] ?? []);
  if (phase === "rings_desk") verbs.add(call.state === "connecting" ? "give_back" : "hang_up");
  const other = otherLeg(call);
  if (leg && other && phase !== "returning") {
    // While somebody is asked, nobody else can be, and the way back to the customer leads over them.
    for (const verb of ["consult", "transfer", "resume"] as const) verbs.delete(verb);
    verbs.add("cancel_consult");
    if (other.state === "connected") {
      verbs.add("complete");
      if (phase !== "conference") verbs.add("confer");
    }
  }
  const recording = RECORDING[call.recording];
  // On hold the hub has paused it by itself.
  if (recording && (phase === "talking" || phase === "conference")) verbs.add(recording);
  return verbs;
}

function supervisorVerbs(leg: LegView): Verb[] {
  if (leg.state !== "connected") return ["leave"];
  const others = (["listen", "whisper", "talk"] as const).filter((presence) => presence !== leg.presence);
  return [...others, "take_over", ...(leg.presence === "listen" ? [] : (["mute"] as const)), "leave", "hang_up"];
}

/** Calls that a supervisor may look into and does not take part in: two are talking there. */
export function maySupervise(call: CallView, userId: number): boolean {
  return isTalk(call) && call.agent_id !== userId && legOf(call, userId) === null;
}

// --- how well it sounds

/** Of the last seconds: share of packets lost (0 to 1), jitter and round trip in ms; null where nothing was told. */
export interface Measured {
  readonly loss: number | null;
  readonly jitter_ms: number | null;
  readonly roundTrip_ms: number | null;
}
export type Quality = "good" | "fair" | "poor";

// ITU-T G.114 (2003): to 150 ms one way a talk is easy, over 400 ms it is none; the way there and back is twice that. Loss and jitter are what
// Opus and a usual jitter buffer of some 60 ms cover without being heard, and up to which words are still understood.
const LIMITS: Record<keyof Measured, readonly [fair: number, poor: number]> = { loss: [0.02, 0.08], jitter_ms: [30, 60], roundTrip_ms: [300, 800] };

/** The worst of the three decides; null while nothing is known. */
export function qualityOf(measured: Measured): Quality | null {
  const known = (Object.keys(LIMITS) as (keyof Measured)[]).filter((each) => measured[each] !== null);
  if (known.length === 0) return null;
  const reaches = (index: 0 | 1) => known.some((each) => (measured[each] ?? 0) >= LIMITS[each][index]);
  return reaches(1) ? "poor" : reaches(0) ? "fair" : "good";
}

/** How long to wait before the nth attempt at a line (the first is 0): at once, then 1, 2, 4 s, and no longer: a grace of 30 s runs. */
export const retryAfter_ms = (attempt: number): number => (attempt === 0 ? 0 : Math.min(1_000 * 2 ** (attempt - 1), 4_000));

// --- wrap-up

export interface WrapUpRules {
  readonly dispositions: readonly string[];
  readonly isMandatory: boolean;
}

/** Whether what is chosen is enough to end the wrap-up. */
export function mayFinish(rules: WrapUpRules, disposition: string | null): boolean {
  return !rules.isMandatory || rules.dispositions.length === 0 || disposition !== null;
}

/** Where a call on this line reaches somebody: their browser, or a telephone of theirs where the line can dial; null: nowhere. */
export function reachOf(voice: VoiceView | null, deskPhone: string | null): "browser" | "desk" | null {
  if (!voice) return null;
  if (voice.dials && deskPhone) return "desk";
  return voice.in_browser ? "browser" : null;
}

/** A number that can be called (E.164), and what stands for one that was withheld (hub/calls/conductor.py). */
export const isNumber = (address: string): boolean => address.startsWith("+");
export const isWithheld = (address: string): boolean => address.startsWith("withheld:");
