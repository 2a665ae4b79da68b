/* An alert in the reader's words: what is the matter, and where. */
import { useI18n } from "vue-i18n";

import type { AlertView } from "./events";
import { clockTime, dayName, duration } from "./format";
import { useHub } from "./hub";
import { CLOCKS } from "./ladder";
import { type LimitBroken, useLimitWords } from "./limitWords";
import { SCALES, type SurveyKind } from "./surveys";
import type { IconName } from "./ui/icons";

/** What has a sentence of its own, and needs no more than what stands in it. */
const PLAIN = ["mention", "task_due", "task_given", "task_left", "given", "taken", "unparked"] as const;
const ICONS: Readonly<Record<string, IconName>> = {
  mention: "at", task_due: "clock", task_given: "clock", task_left: "clock", given: "transfer", taken: "transfer", unparked: "undo", planned_stopped: "send", planned_taken: "send", webhook_off: "alert", low_score: "star", limit: "octagon", escalation: "ladder",
};

export function useAlertWords() {
  const { t, locale } = useI18n();
  const hub = useHub();
  const limits = useLimitWords();
  const text = (alert: AlertView, name: string) => String(alert.data[name] ?? "");

  function headline(alert: AlertView): string {
    if (alert.reason === "limit") return limits.headline(limitOf(alert));
    if (alert.reason === "webhook_off") return t("alert.webhook_off", { name: text(alert, "name") });
    const customer = text(alert, "customer");
    const plain = PLAIN.find((each) => each === alert.reason);
    if (plain === "mention") return alert.data["as"] ? t("inbox.mention_as", { by: text(alert, "by"), as: text(alert, "as"), customer }) : t("inbox.mention", { by: text(alert, "by"), customer });
    if (plain === "unparked") return t("alert.unparked", { customer });
    // The hub leaves out what it is about where one may not see the customer any more.
    if (alert.task_id !== null && alert.data["title"] === undefined) return t("inbox.task_out_of_reach");
    if (plain) return t(`inbox.${plain}`, { by: text(alert, "by") || t("common.system"), customer, title: text(alert, "title"), whose: text(alert, "whose") || t("inbox.a_queue") });
    const clock = CLOCKS.find((each) => each === alert.data["clock"]);
    if (alert.reason === "low_score") {
      const kind = alert.data["survey"] as SurveyKind;
      return t("alert.low_score", { customer, score: t("surveys.of", { score: text(alert, "score"), most: SCALES[kind].at(-1) }) });
    }
    if (alert.reason === "planned_stopped") return t("writing.alert_stopped", { customer });
    if (alert.reason === "planned_taken") return t("writing.alert_taken", { customer, name: text(alert, "by") });
    // A step at nought seconds says that it came, not that it waited.
    if (Number(alert.data["elapsed_s"] ?? 1) < 1) return t("alert.came", { customer, topic: text(alert, "topic") || text(alert, "queue") });
    return alert.reason === "escalation" && clock ? t(`alert.${clock}`, { customer }) : t("alert.other", { customer });
  }

  const limitOf = ({ data }: AlertView): LimitBroken => ({
    name: String(data["name"]),
    measure: String(data["measure"]),
    scope: data["scope"] as LimitBroken["scope"],
    scope_id: typeof data["scope_id"] === "number" ? data["scope_id"] : null,
    value: Number(data["value"]),
  });
  /** Of a limit whether it is well again, and after how long. */
  function limitDetail(alert: AlertView): string {
    const healed = alert.data["healed_at"];
    if (typeof healed !== "string") return t("limits.raised");
    return t("limits.healed_after", { time: duration((Date.parse(healed) - Date.parse(alert.at)) / 1000, locale.value) });
  }

  /** What it is about, the queue it is in, and the ladder that says so. */
  const detail = (alert: AlertView): string => {
    if (alert.reason === "planned_stopped") return t(`writing.why_${text(alert, "why")}`);
    if (alert.reason === "limit") return limitDetail(alert);
    if (alert.reason === "webhook_off") return t(`alert.webhook_off_${text(alert, "why")}`);
    if (alert.task_id !== null) return [alert.reason === "task_due" || alert.reason === "task_left" ? text(alert, "customer") : "", due(alert)].filter(Boolean).join(" · ");
    return [text(alert, "topic"), text(alert, "queue"), text(alert, "policy")].filter(Boolean).join(" · ");
  };

  /** When a task is due, as it was when the alert was raised. */
  function due(alert: AlertView): string {
    const at = text(alert, "due_at");
    const zone = hub.state?.organisation.time_zone ?? "UTC";
    return at === "" ? "" : t("inbox.due", { when: `${dayName(at, Date.now() + hub.skew_ms, locale.value, zone)}, ${clockTime(at, locale.value, zone)}` });
  }

  const icon = (alert: AlertView): IconName => (alert.level === "page" ? "bell" : (ICONS[alert.reason] ?? "ladder"));

  return { headline, detail, icon };
}
