/*
 * Whether something makes a sound, or a notice of the system's, by what its person wants (the hub keeps that) and what this machine
 * may (preferences.ts). Nothing is held back: what is quiet stands in the inbox all the same. Pure.
 */
import type { AgentState, AlertView, NoticeRulesView } from "./events";

export const NOTICE_KINDS = ["offer", "call", "page", "mention", "task", "work", "alert"] as const;
export type NoticeKind = (typeof NOTICE_KINDS)[number];

/** What rings is for somebody who said that they are available, and a page is for whoever must come: neither heeds the clock. */
const HEEDS_NO_CLOCK: readonly NoticeKind[] = ["offer", "call", "page"];

const KIND_OF: Readonly<Record<string, NoticeKind>> = {
  mention: "mention", task_due: "task", task_given: "task", task_left: "task", given: "work", taken: "work", unparked: "work", planned_stopped: "work", planned_taken: "work",
};
export const kindOf = (alert: Pick<AlertView, "reason" | "level">): NoticeKind => (alert.level === "page" ? "page" : (KIND_OF[alert.reason] ?? "alert"));

export interface Moment {
  now: number;
  /** Where the rules name none. */
  zone: string;
  state: AgentState | null;
}

const minuteOf = (time: string) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5));

function minuteAt(now: number, timeZone: string): number {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(now);
  return minuteOf(parts);
}

/** By the clock, over midnight, too, or by the state. Equal times are the whole day. */
export function isQuiet(rules: NoticeRulesView, kind: NoticeKind, { now, zone, state }: Moment): boolean {
  if (HEEDS_NO_CLOCK.includes(kind)) return false;
  if (state !== null && rules.quiet_states.includes(state)) return true;
  if (rules.quiet_from === null || rules.quiet_until === null) return false;
  const from = minuteOf(rules.quiet_from);
  const until = minuteOf(rules.quiet_until);
  const minute = minuteAt(now, rules.zone ?? zone);
  return from < until ? minute >= from && minute < until : minute >= from || minute < until;
}

export const sounds = (rules: NoticeRulesView, kind: NoticeKind, moment: Moment): boolean => !rules.silent.includes(kind) && !isQuiet(rules, kind, moment);
export const shows = (rules: NoticeRulesView, kind: NoticeKind, moment: Moment): boolean => !rules.hidden.includes(kind) && !isQuiet(rules, kind, moment);
