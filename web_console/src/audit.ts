/* What the audit log holds, read for people: which sentence an act is, and what changed. Pure; words are the reader's (auditWords.ts). */
import type { AuditAct } from "./events";

/** `before` and `after` are null where the log says only that it changed: a secret, or too long to be read. */
export interface Change {
  field: string;
  before: unknown;
  after: unknown;
  isTold: boolean;
}

/** What an administrator can ask for: what stands before the dot of an action. */
export const AREAS = [
  "session", "user", "role", "invitation", "api_key", "channel", "queue", "flow", "sound", "rules", "calendar", "policy", "topic", "survey", "team", "target",
  "alert_rule", "skill", "shifts", "staffing_plan", "organisation", "conversation", "customer", "customer_import", "data_request", "call", "recording", "report", "report_schedule", "canned_reply", "custom_field", "webhook", "audit",
] as const;

export const areaOf = (action: string): string => action.split(".")[0] ?? action;

/** The key of its sentence. */
export const keyOf = (action: string): string => action.replaceAll(".", "_");

export function changesOf(act: Pick<AuditAct, "data">): Change[] {
  const changes = act.data["changes"];
  if (typeof changes !== "object" || changes === null || Array.isArray(changes)) return [];
  return Object.entries(changes).map(([field, pair]) => {
    const isTold = Array.isArray(pair) && pair.length === 2;
    return { field, before: isTold ? (pair[0] as unknown) : null, after: isTold ? (pair[1] as unknown) : null, isTold };
  });
}

/** What came and what went, where both sides are lists of plain values; null where they are not. */
export function listChange(before: unknown, after: unknown): { came: unknown[]; went: unknown[] } | null {
  const isPlain = (side: unknown): side is unknown[] => Array.isArray(side) && side.every((each) => typeof each !== "object");
  if (!isPlain(before) || !isPlain(after)) return null;
  return { came: after.filter((each) => !before.includes(each)), went: before.filter((each) => !after.includes(each)) };
}

/** What `data` holds beside the name and the changes, for whoever looks closely. */
export function restOf(act: Pick<AuditAct, "data">): [string, unknown][] {
  return Object.entries(act.data).filter(([key]) => key !== "name" && key !== "changes");
}
