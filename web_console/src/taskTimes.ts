/*
 * When a task is to come back: what is offered as an instant, and how its time stands to now. Clock times are the organisation's.
 * Pure: zone and now are arguments.
 */
import type { TaskView } from "./events";
import { dayKey } from "./format";
import { parkChoices } from "./parking";

/** As the hub rules it. */
export const LONGEST_DAYS = 366;
const HOUR_MS = 3_600_000;

export interface TaskChoice {
  key: "hour" | "two_hours" | "afternoon" | "tomorrow" | "monday";
  at: Date;
}

/** In the order of their keys: 1, 2, 3 … */
export function taskChoices(now: number, timeZone: string): TaskChoice[] {
  const inTwoHours: TaskChoice = { key: "two_hours", at: new Date(now + 2 * HOUR_MS) };
  const [hour, ...later] = parkChoices(now, timeZone);
  return [...(hour ? [hour] : []), inTwoHours, ...later];
}

export type TaskTime = "overdue" | "today" | "later";

/** What has come back, or should have, is overdue until it is done or put off. */
export function timeOf(task: Pick<TaskView, "due_at">, now: number, timeZone: string): TaskTime {
  if (Date.parse(task.due_at) <= now) return "overdue";
  return dayKey(task.due_at, timeZone) === dayKey(now, timeZone) ? "today" : "later";
}

export const byDue = (a: TaskView, b: TaskView): number => Date.parse(a.due_at) - Date.parse(b.due_at) || a.id - b.id;
