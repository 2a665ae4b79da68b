/*
 * The figures of a day as the screens show them: which there are, which measure each is, and how it is read from what the hub told.
 * Formulas are the hub's; the one thing computed here is time that goes on while it is looked at. Pure.
 */
import type { NumbersView, QueueNumbersView } from "./events";

/** `share` of one; `score`: a mean of points. */
export type Unit = "count" | "seconds" | "share" | "score";

export interface Figure {
  measure: string;
  unit: Unit;
  value: number | null;
  /** Of how many cases; null: the value is the number of cases. */
  n: number | null;
  /** Nine of ten took no longer. */
  p90?: number | null;
  /** Beside the value, where the value is no mean: of points, or of times. */
  mean?: number | null;
  /** It is a part of the measure, which is so many in all. */
  all?: number;
  /** A count of what the measure is a share of: targets of the measure are no targets for it. */
  isCountOfShare?: boolean;
}

export const AGENT_FIGURES = ["calls_in", "calls_out", "calls_missed", "chats", "mails", "texts", "offers_missed", "offers_declined", "aht", "first_response", "resolution", "csat", "occupancy"] as const;
export type AgentFigure = (typeof AGENT_FIGURES)[number];

export const QUEUE_FIGURES = ["service_level", "offered", "abandonment", "asa"] as const;
export type QueueFigure = (typeof QUEUE_FIGURES)[number];

/** Of all queues and agents together. */
export const FLOOR_FIGURES = ["service_level", "offered", "abandonment", "asa", "aht", "csat"] as const;
export type FloorFigure = (typeof FLOOR_FIGURES)[number];

const count = (measure: string, value: number | undefined): Figure => ({ measure, unit: "count", value: value ?? 0, n: null });

/** `now` in ms of the hub's clock. */
export function agentFigures(numbers: NumbersView | undefined, now: number): Record<AgentFigure, Figure> {
  const calls = (numbers?.calls_in ?? 0) + (numbers?.calls_out ?? 0) + (numbers?.calls_internal ?? 0);
  return {
    calls_in: { ...count("calls_per_day", numbers?.calls_in), all: calls },
    calls_out: { ...count("calls_per_day", numbers?.calls_out), all: calls },
    calls_missed: count("calls_missed", numbers?.calls_missed),
    chats: count("chats_handled", numbers?.chats),
    mails: count("mails_handled", numbers?.mails),
    texts: count("texts_handled", numbers?.texts),
    offers_missed: { ...count("offer_outcomes", numbers?.offers_missed), all: numbers?.offers ?? 0, isCountOfShare: true },
    offers_declined: { ...count("offer_outcomes", numbers?.offers_declined), all: numbers?.offers ?? 0, isCountOfShare: true },
    aht: { measure: "aht", unit: "seconds", value: numbers?.aht_s ?? null, n: calls },
    first_response: { measure: "first_response_s", unit: "seconds", value: numbers?.first_response_median_s ?? null, n: numbers?.first_response_count ?? 0, mean: numbers?.first_response_mean_s ?? null },
    resolution: { measure: "resolution_s", unit: "seconds", value: numbers?.resolution_median_s ?? null, n: numbers?.resolution_count ?? 0, p90: numbers?.resolution_p90_s ?? null },
    csat: { measure: "csat", unit: "share", value: numbers?.csat_share ?? null, n: numbers?.csat_count ?? 0, mean: numbers?.csat_mean ?? null },
    occupancy: { measure: "occupancy", unit: "share", value: occupancy(numbers, now), n: null },
  };
}

/** Time with any work ÷ (time with work + time available), up to now. */
function occupancy(numbers: NumbersView | undefined, now: number): number | null {
  if (!numbers) return null;
  const open_ms = numbers.spell_since ? Math.max(0, now - Date.parse(numbers.spell_since)) : 0;
  const work_ms = (numbers.work_ms ?? 0) + (numbers.spell === "work" ? open_ms : 0);
  const available_ms = (numbers.available_ms ?? 0) + (numbers.spell === "available" ? open_ms : 0);
  return work_ms + available_ms > 0 ? work_ms / (work_ms + available_ms) : null;
}

export function queueFigures(numbers: QueueNumbersView | undefined): Record<QueueFigure, Figure> {
  const offered = numbers?.offered ?? 0;
  return {
    service_level: { measure: numbers?.service_level_id ?? "service_level", unit: "share", value: numbers?.service_level ?? null, n: numbers?.service_level_offered ?? 0 },
    offered: count("offered", offered),
    abandonment: { measure: "abandonment_rate", unit: "share", value: numbers?.abandonment ?? null, n: numbers?.abandonment_count ?? 0 },
    asa: { measure: "asa_queue", unit: "seconds", value: numbers?.asa_s ?? null, n: numbers?.asa_count ?? 0 },
  };
}

/** Sums of what the queues and the agents of today have; a mean of means weighs each by its cases. */
export function floorFigures(numbers: { queueNumbers: readonly QueueNumbersView[]; agentNumbers: readonly NumbersView[] } | null): Record<FloorFigure, Figure> {
  const queues = numbers?.queueNumbers ?? [];
  const agents = numbers?.agentNumbers ?? [];
  const sum = <T>(all: readonly T[], of: (each: T) => number | undefined) => all.reduce((total, each) => total + (of(each) ?? 0), 0);
  const mean = <T>(all: readonly T[], of: (each: T) => [number | null | undefined, number | undefined]) => {
    const cases = sum(all, (each) => of(each)[1]);
    return { value: cases > 0 ? sum(all, (each) => (of(each)[0] ?? 0) * (of(each)[1] ?? 0)) / cases : null, n: cases };
  };
  const offered = sum(queues, (each) => each.offered);
  const calls = sum(queues, (each) => each.abandonment_count);
  const base = sum(queues, (each) => each.service_level_offered);
  const level = queues[0]?.service_level_id ?? "service_level";
  return {
    service_level: { measure: level, unit: "share", value: base > 0 ? sum(queues, (each) => each.answered_in_threshold) / base : null, n: base },
    offered: count("offered", offered),
    abandonment: { measure: "abandonment_rate", unit: "share", value: calls > 0 ? sum(queues, (each) => each.abandoned) / calls : null, n: calls },
    asa: { measure: "asa_queue", unit: "seconds", ...mean(queues, (each) => [each.asa_s, each.asa_count]) },
    aht: { measure: "aht", unit: "seconds", ...mean(agents, (each) => [each.aht_s, each.calls_in + each.calls_out + each.calls_internal]) },
    csat: { measure: "csat", unit: "share", ...mean(agents, (each) => [each.csat_share, each.csat_count]) },
  };
}

/** The unit that the registry names, as the screens write it; what they do not know is a number of points. */
export function unitOf(unit: string): Unit {
  return unit === "count" || unit === "seconds" || unit === "share" ? unit : "score";
}
