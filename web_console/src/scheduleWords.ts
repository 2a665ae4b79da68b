/* Scheduled reports in words: what, when, to whom, and what became of the last one. */
import { useI18n } from "vue-i18n";

import type { ReportSchedule, ReportScheduleBody, ScheduledQuery } from "./events";
import { answerOf } from "./channelWords";
import { keyOfCode } from "./codes";
import { useFigureWords } from "./figureWords";
import { clockTime, dayName, weekdayName } from "./format";
import { useServerNow } from "./clock";
import { useHub } from "./hub";
import { useMeasures } from "./measures";

/** As many measures as a line has room for. */
const NAMED = 3;

export function useScheduleWords() {
  const { t, te, locale } = useI18n();
  const hub = useHub();
  const now = useServerNow();
  const { measureName } = useFigureWords();
  void useMeasures().load();

  const zoneOf = () => hub.state?.organisation.time_zone ?? "UTC";
  const moment = (at: string, zone: string) => `${dayName(at, now.value, locale.value, zone)}, ${clockTime(at, locale.value, zone)}`;

  /** "Service level, Offered and 3 more, by queue: last 7 days." */
  function what(query: ScheduledQuery): string {
    const names = query.measures.slice(0, NAMED).map(measureName).join(", ");
    const rest = query.measures.length - NAMED;
    const by = query.by === "none" || query.by === undefined ? "" : t("schedule.by", { by: t(`dim.${query.by}`) });
    return [rest > 0 ? t("schedule.and_more", { names, n: rest }) : names, by, t(`range.${query.range}`)].filter(Boolean).join(" · ");
  }

  function when(schedule: Pick<ReportScheduleBody, "every" | "weekday" | "day" | "at"> & { time_zone?: string | null }): string {
    const at = schedule.at;
    const zone = schedule.time_zone && schedule.time_zone !== zoneOf() ? ` (${schedule.time_zone.replaceAll("_", " ")})` : "";
    if (schedule.every === "week") return t("schedule.every_week_at", { day: weekdayName((schedule.weekday ?? 1) - 1, locale.value, "long"), at }) + zone;
    if (schedule.every === "month") return t("schedule.every_month_at", { day: schedule.day ?? 1, at }) + zone;
    return t("schedule.every_day_at", { at }) + zone;
  }

  function whom(schedule: Pick<ReportSchedule, "recipient_ids" | "addresses">): string {
    const names = schedule.recipient_ids.map((id) => hub.state?.agents[id]?.name ?? t("common.someone"));
    return [...names, ...schedule.addresses].join(", ") || t("schedule.nobody");
  }

  const next = (schedule: ReportSchedule) => (schedule.next_at ? t("schedule.next", { when: moment(schedule.next_at, schedule.time_zone || zoneOf()) }) : "");

  const hindrance = (schedule: ReportSchedule) => (schedule.hindrance ? t(`schedule.hindrance_${schedule.hindrance}`) : "");

  /** Our sentence for the code, and the mail server's own words. */
  function reason(code: string | null, message: string | null): string {
    const key = code === null ? null : te(`reason.${code}`) ? `reason.${code}` : keyOfCode(code, te);
    const theirs = answerOf(message ?? "");
    return [t(key ?? "error.unexpected"), theirs && `“${theirs}”`].filter(Boolean).join(" ");
  }

  function last(schedule: ReportSchedule): string {
    const run = schedule.last_run;
    if (!run) return t("schedule.never");
    const at = moment(run.finished_at ?? run.due_at, schedule.time_zone || zoneOf());
    const sent = run.mails.filter((mail) => mail.state === "sent").length;
    if (run.state === "sent") return t("schedule.last_sent", { when: at, n: sent }, sent);
    const failed = run.mails.find((mail) => mail.state === "failed") ?? run.mails.find((mail) => mail.code !== null);
    if (run.state === "failed") {
      const why = reason(run.code ?? failed?.code ?? null, run.message ?? failed?.message ?? null);
      return sent > 0 ? t("schedule.last_partly", { when: at, n: sent, of: run.mails.length, why }) : t("schedule.last_failed", { when: at, why });
    }
    return failed ? t("schedule.last_again", { why: reason(failed.code, failed.message), when: failed.next_attempt_at ? moment(failed.next_attempt_at, schedule.time_zone || zoneOf()) : "" }) : t("schedule.last_waiting");
  }

  return { what, when, whom, next, last, hindrance };
}
