/*
 * An escalation policy while it is edited: a ladder of steps for each clock, what is wrong with which field, and the order in which
 * it will happen. Pure. Faults carry the hub's own names of fields (`steps.2.actions.0.queue_id`) and words of ours; the hub, which
 * knows every queue and person as they are now, has the last word.
 */
import type { PolicyView } from "./events";

export type Draft = Omit<PolicyView, "id" | "version">;
export type Step = PolicyView["steps"][number];
export type Action = Step["actions"][number];
export type ActionKind = Action["kind"];
export type Clock = Step["clock"];

/** In the order in which work comes to them. */
export const CLOCKS = ["waiting", "first_response", "next_response", "resolution", "idle"] as const satisfies readonly Clock[];
/** What work may be in while its clocks run. */
export const STATES = ["waiting", "with_agent", "pending_customer", "parked"] as const;
export type WorkState = (typeof STATES)[number];
export const ACTION_KINDS = [
  "notify_role", "notify_user", "page_supervisor", "raise_priority", "widen_skills", "move_to_queue", "assign_to", "tag", "auto_reply",
] as const satisfies readonly ActionKind[];

/** Clocks whose work has no other state than this one while they run: nothing is to be chosen. */
export const statesOf = (clock: Clock): readonly WorkState[] => (clock === "waiting" ? [] : STATES);

// The hub's own bounds (hub/routing/escalation.py).
export const MOST_STEPS = 50;
export const MOST_ACTIONS = 20;
const LONGEST_S = 315_360_000;
const MOST_SHARE = 100;
const BOUNDS = { minutes: [1, 10_000], levels: [1, 5], name: [1, 50], text: [1, 1_600] } as const;
const LONGEST_NAME = 60;

/** A step keeps its id for ever, through all versions: it is how the hub knows what has fired. */
export function newId(): string {
  return [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What a kind of action begins with; 0 and "" are still to be chosen. */
export function newAction(kind: ActionKind): Action {
  switch (kind) {
    case "raise_priority":
      return { kind, minutes: 10 };
    case "widen_skills":
      return { kind, levels: 1 };
    case "move_to_queue":
      return { kind, queue_id: 0 };
    case "notify_user":
    case "assign_to":
      return { kind, user_id: 0 };
    case "notify_role":
      return { kind, role: "supervisor" };
    case "page_supervisor":
      return { kind };
    case "tag":
      return { kind, name: "" };
    case "auto_reply":
      return { kind, text: "" };
  }
}

/** The next rung above those of the same clock: half as long again, or the target itself where there is one. */
export function newStep(clock: Clock, draft: Pick<Draft, "targets" | "steps">): Step {
  const target = draft.targets[clock];
  const last = Math.max(0, ...draft.steps.filter((step) => step.clock === clock).map((step) => thresholdOf(step, draft) ?? 0));
  const fits = target !== undefined && last < target;
  const after_s = last === 0 ? 300 : Math.round((last * 1.5) / 60) * 60 || last * 2;
  return { id: newId(), clock, after_s: fits ? null : after_s, share: fits ? 1 : null, in_states: [], actions: [newAction("notify_role")] };
}

export const emptyPolicy = (): Draft => ({ name: "", targets: {}, paused_in: ["parked", "pending_customer"], steps: [] });

/** A ladder that suits a support desk, to begin with: it names nobody and no queue, so it is right wherever it is used. */
export function usualLadder(name: string, overdueTag: string): Draft {
  const step = (clock: Clock, after: { after_s?: number; share?: number }, actions: Action[]): Step => ({
    id: newId(), clock, after_s: after.after_s ?? null, share: after.share ?? null, in_states: [], actions,
  });
  const tell: Action = { kind: "notify_role", role: "supervisor" };
  return {
    name,
    targets: { first_response: 900, next_response: 1_800, resolution: 172_800 },
    paused_in: ["parked", "pending_customer"],
    steps: [
      step("waiting", { after_s: 300 }, [{ kind: "raise_priority", minutes: 10 }]),
      step("waiting", { after_s: 600 }, [tell]),
      step("first_response", { share: 0.8 }, [tell]),
      step("first_response", { share: 1 }, [{ kind: "raise_priority", minutes: 30 }, { kind: "page_supervisor" }]),
      step("next_response", { share: 1 }, [tell]),
      step("resolution", { share: 1 }, [{ kind: "tag", name: overdueTag }, tell]),
    ],
  };
}

/** Seconds of its clock after which a step is due; null: a share of a target that is not set. */
export function thresholdOf(step: Pick<Step, "clock" | "after_s" | "share">, draft: Pick<Draft, "targets">): number | null {
  if (step.after_s !== null) return step.after_s;
  const target = draft.targets[step.clock];
  return target === undefined || step.share === null ? null : target * step.share;
}

/** As they will happen: by clock, then by time; what has no time yet last. Those at the same time stay as they stand. */
export function inOrder(draft: Pick<Draft, "targets" | "steps">): Step[] {
  const at = (step: Step) => thresholdOf(step, draft) ?? Number.POSITIVE_INFINITY;
  return draft.steps.toSorted((a, b) => CLOCKS.indexOf(a.clock) - CLOCKS.indexOf(b.clock) || (at(a) === at(b) ? 0 : at(a) - at(b)));
}

export type LadderFault =
  | "empty" | "too_long" | "no_step" | "too_many_steps" | "no_time" | "no_share" | "no_target" | "no_action" | "too_many_actions" | "no_queue" | "no_person"
  | "no_minutes" | "no_levels" | "no_words";

/** What is wrong with which field, by the hub's names of them; nothing: the hub is asked. */
export function ladderFaults(draft: Draft, known: { queueIds: readonly number[]; userIds: readonly number[] }): Record<string, LadderFault> {
  const faults: Record<string, LadderFault> = {};
  if (draft.name.trim() === "") faults["name"] = "empty";
  else if (draft.name.trim().length > LONGEST_NAME) faults["name"] = "too_long";
  for (const [clock, seconds] of Object.entries(draft.targets)) if (!isTime(seconds, 1)) faults[`targets.${clock}`] = "no_time";
  if (draft.steps.length === 0) faults["steps"] = "no_step";
  if (draft.steps.length > MOST_STEPS) faults["steps"] = "too_many_steps";
  draft.steps.forEach((step, index) => {
    const name = `steps.${index}`;
    if (step.after_s !== null) {
      if (!isTime(step.after_s, 0)) faults[`${name}.after_s`] = "no_time";
    } else if (step.share === null || !(step.share > 0 && step.share <= MOST_SHARE)) faults[`${name}.share`] = "no_share";
    else if (draft.targets[step.clock] === undefined) faults[`${name}.share`] = "no_target";
    if (step.actions.length === 0) faults[`${name}.actions`] = "no_action";
    if (step.actions.length > MOST_ACTIONS) faults[`${name}.actions`] = "too_many_actions";
    step.actions.forEach((action, number) => Object.assign(faults, actionFault(action, `${name}.actions.${number}`, known)));
  });
  return faults;
}

function actionFault(action: Action, name: string, known: Parameters<typeof ladderFaults>[1]): Record<string, LadderFault> {
  switch (action.kind) {
    case "raise_priority":
      return isWhole(action.minutes, BOUNDS.minutes) ? {} : { [`${name}.minutes`]: "no_minutes" };
    case "widen_skills":
      return isWhole(action.levels, BOUNDS.levels) ? {} : { [`${name}.levels`]: "no_levels" };
    case "move_to_queue":
      return known.queueIds.includes(action.queue_id) ? {} : { [`${name}.queue_id`]: "no_queue" };
    case "notify_user":
    case "assign_to":
      return known.userIds.includes(action.user_id) ? {} : { [`${name}.user_id`]: "no_person" };
    case "tag":
      return isWhole(action.name.trim().length, BOUNDS.name) ? {} : { [`${name}.name`]: action.name.trim() === "" ? "no_words" : "too_long" };
    case "auto_reply":
      return isWhole(action.text.trim().length, BOUNDS.text) ? {} : { [`${name}.text`]: action.text.trim() === "" ? "no_words" : "too_long" };
    default:
      return {};
  }
}

const isTime = (seconds: number, least: number) => Number.isFinite(seconds) && seconds >= least && seconds <= LONGEST_S;
const isWhole = (value: number, [least, most]: readonly [number, number]) => Number.isInteger(value) && value >= least && value <= most;

/** What goes to the hub: words without blanks around them, steps in the order in which they happen. */
export function toSend(draft: Draft): Draft {
  return {
    ...draft,
    name: draft.name.trim(),
    steps: inOrder(draft).map((step) => ({
      ...step,
      actions: step.actions.map((action) =>
        action.kind === "tag" ? { ...action, name: action.name.trim() } : action.kind === "auto_reply" ? { ...action, text: action.text.trim() } : action,
      ),
    })),
  };
}

/** The draft without what a clock has: its target and its steps. */
export function withoutTarget(draft: Draft, clock: Clock): Draft["targets"] {
  return Object.fromEntries(Object.entries(draft.targets).filter(([each]) => each !== clock));
}
