/* One's own alerts that have not been seen: pages stand before everything, oldest first; all of them stand in the list, newest first. Pure. */
import type { AlertView } from "./events";

type Alerts = Readonly<Record<string | number, AlertView>>;

const at = (alert: AlertView) => Date.parse(alert.at);

export const pagesAmong = (alerts: Alerts): AlertView[] =>
  Object.values(alerts).filter((alert) => alert.level === "page" && alert.seen_at === null).toSorted((a, b) => at(a) - at(b) || a.id - b.id);

export const newestFirst = (alerts: Alerts): AlertView[] => Object.values(alerts).toSorted((a, b) => at(b) - at(a) || b.id - a.id);

/** Those of `after` that were not there before: what is announced. */
export function arrived(before: readonly AlertView[], after: readonly AlertView[]): AlertView[] {
  const known = new Set(before.map((alert) => alert.id));
  return after.filter((alert) => !known.has(alert.id));
}
