/* The reports that are there from the first day: what most floors ask most. Each is where an own one may begin. */
import type { IconName } from "./ui/icons";
import { type ReportQuery, USUAL } from "./reportQuery";

export const READY = ["overview", "service_level", "agents_day", "resolution", "missed", "satisfaction", "channels"] as const;
export type ReadyReport = (typeof READY)[number];

export const READY_ICONS: Readonly<Record<ReadyReport, IconName>> = {
  overview: "chart",
  service_level: "inbox",
  agents_day: "team",
  resolution: "checks",
  missed: "callMissed",
  satisfaction: "heart",
  channels: "chat",
};

/** What each asks where it is not as usual. Measures that a hub does not know are left out when it is asked. */
const ASKED: Readonly<Record<ReadyReport, Partial<ReportQuery>>> = {
  overview: { measures: ["handled_contacts", "service_level", "first_response_s", "resolution_s", "abandonment_rate", "csat"], period: "last_7" },
  service_level: {
    measures: ["service_level", "visits_offered", "visits_answered", "visits_abandoned", "abandonment_rate", "asa_queue"],
    by: "queue",
    period: "last_7",
  },
  agents_day: {
    measures: ["handled_contacts", "handled_segments", "calls_in", "calls_out", "calls_missed", "aht", "first_response_s", "occupancy", "csat"],
    by: "agent",
    period: "today",
    as: "compare",
  },
  resolution: { measures: ["resolution_s", "resolved", "first_response_s", "reopen_rate", "fcr"], by: "queue", period: "last_28" },
  missed: {
    measures: ["calls_missed", "visits_abandoned", "visits_short_abandoned", "abandonment_rate", "offers_missed_rate"],
    by: "queue",
    period: "last_7",
  },
  satisfaction: { measures: ["csat", "csat_mean", "nps", "ces", "survey_response_rate"], period: "last_28" },
  channels: { measures: ["handled_contacts", "first_response_s", "resolution_s", "aht", "csat"], by: "channel", period: "last_28" },
};

export const isReady = (name: string | null): name is ReadyReport => READY.some((each) => each === name);

export function readyReport(name: string | null): ReportQuery {
  const ready = isReady(name) ? name : "overview";
  return { ...USUAL, report: name, ...ASKED[ready] };
}
