/* A report that is sent by mail, as a form holds it. Pure. */
import type { ReportSchedule, ReportScheduleBody, ScheduledQuery } from "./events";
import type { PeriodName } from "./periods";
import { type ReportQuery } from "./reportQuery";

export const RANGES = ["yesterday", "last_7_days", "last_week", "last_28_days", "last_month"] as const satisfies readonly ScheduledQuery["range"][];

/** What is due tomorrow tells of days that are over then: the nearest such range to what is looked at. */
const RANGE_OF: Readonly<Record<PeriodName, ScheduledQuery["range"]>> = {
  today: "yesterday",
  yesterday: "yesterday",
  this_week: "last_week",
  last_week: "last_week",
  last_7: "last_7_days",
  last_28: "last_28_days",
  this_month: "last_month",
  last_month: "last_month",
  this_quarter: "last_28_days",
  custom: "last_28_days",
};
/** How often a range of so many days is news. */
const EVERY_OF: Readonly<Record<ScheduledQuery["range"], ReportSchedule["every"]>> = { yesterday: "day", last_7_days: "week", last_week: "week", last_28_days: "month", last_month: "month" };

const NO_FILTERS = { agent: null, team: null, queue: null, channel: null, topic: null };
const NO_PARAMETERS = { threshold_s: null, short_s: null, days: null, with_abandons: null, with_short_abandons: null, with_flow_outs: null };

/** A report that is looked at, as one that is sent. */
export function scheduledOf(query: ReportQuery, name: string, recipientId: number): ReportScheduleBody {
  const range = RANGE_OF[query.period];
  const every = EVERY_OF[range];
  return {
    name,
    query: { measures: query.measures, range, grain: query.by === "none" ? "day" : "total", by: query.by, ids: [], ...NO_FILTERS, ...query.filters, compare: query.compare ? "previous" : "none", ...NO_PARAMETERS },
    every,
    weekday: every === "week" ? 1 : null,
    day: every === "month" ? 1 : null,
    at: "07:00",
    time_zone: null,
    recipient_ids: [recipientId],
    addresses: [],
    files: ["xlsx"],
    active: true,
    expected_version: null,
  };
}

/** One that is there, to be changed. */
export function draftOf(schedule: ReportSchedule): ReportScheduleBody {
  const { name, query, every, weekday, day, at, time_zone, recipient_ids, addresses, files, active, version } = schedule;
  return { name, query: { ...query }, every, weekday, day, at, time_zone, recipient_ids: [...recipient_ids], addresses: [...addresses], files: [...files], active, expected_version: version };
}

/** What is said only of weeks or months goes with them. */
export function withEvery(body: ReportScheduleBody, every: ReportSchedule["every"]): ReportScheduleBody {
  return { ...body, every, weekday: every === "week" ? (body.weekday ?? 1) : null, day: every === "month" ? (body.day ?? 1) : null };
}

/** What is known to be wrong before it is sent, by field. `t` says it. */
export function scheduleFaults(body: ReportScheduleBody, t: (key: string) => string): Record<string, string> {
  return {
    ...(body.name.trim() === "" ? { name: t("form.empty") } : {}),
    ...(body.query.measures.length === 0 ? { "query.measures": t("schedule.no_measures") } : {}),
    ...(body.recipient_ids.length + body.addresses.length === 0 ? { recipient_ids: t("schedule.no_recipients") } : {}),
    ...(/^([01]\d|2[0-3]):[0-5]\d$/.test(body.at) ? {} : { at: t("schedule.no_time") }),
  };
}
