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

/** What each asks where it is not as usual. A measure that a hub does not know is left out when it is asked. */
const ASKED: Readonly<Record<ReadyReport | "my_figures", Partial<ReportQuery>>> = {
  overview: { measures: ["contacts", "handled_contacts", "service_level", "abandonment_rate", "first_response_s", "resolution_s", "reopen_rate", "csat"] },
  service_level: { measures: ["service_level", "offered", "answered", "abandonment_rate", "asa_queue", "wait_s", "longest_wait_s"], by: "queue" },
  agents_day: {
    measures: ["handled_contacts", "calls_per_day", "calls_missed", "chats_handled", "mails_handled", "aht", "first_response_s", "occupancy", "csat", "worked_s"],
    by: "agent",
    period: "today",
    as: "compare",
  },
  resolution: { measures: ["resolution_s", "resolution_full_s", "resolution_handling_s", "resolved", "first_response_s", "reopen_rate", "fcr"], by: "queue", period: "last_28" },
  missed: { measures: ["calls_abandoned", "calls_short_abandoned", "calls_missed", "abandonment_rate", "offer_outcomes", "longest_wait_s"], by: "queue" },
  satisfaction: { measures: ["csat", "nps", "ces", "resolved", "reopen_rate"], by: "team", period: "last_28" },
  channels: { measures: ["contacts", "handled_contacts", "first_response_s", "resolution_s", "service_level", "transfer_rate", "csat"], by: "channel", period: "last_28" },
  my_figures: {
    measures: ["handled_contacts", "calls_per_day", "calls_missed", "aht", "first_response_s", "resolution_s", "csat", "occupancy", "worked_s"],
  },
};

export const isReady = (name: string | null): name is ReadyReport => READY.some((each) => each === name);

/** `my_figures` is the one that an agent has; an unknown name is the first one. */
export function readyReport(name: string | null): ReportQuery {
  const ready = name === "my_figures" || isReady(name) ? name : "overview";
  return { ...USUAL, ...ASKED[ready], report: isReady(name) ? name : null };
}
