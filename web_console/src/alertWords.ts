/* An alert in the reader's words: what is the matter, and where. */
import { useI18n } from "vue-i18n";

import type { AlertView } from "./events";
import { duration } from "./format";
import { CLOCKS } from "./ladder";
import { type LimitBroken, useLimitWords } from "./limitWords";
import { SCALES, type SurveyKind } from "./surveys";

export function useAlertWords() {
  const { t, locale } = useI18n();
  const limits = useLimitWords();
  const text = (alert: AlertView, name: string) => String(alert.data[name] ?? "");

  function headline(alert: AlertView): string {
    if (alert.reason === "limit") return limits.headline(limitOf(alert));
    const customer = text(alert, "customer");
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
  const detail = (alert: AlertView): string => alert.reason === "planned_stopped" ? t(`writing.why_${text(alert, "why")}`) : alert.reason === "limit" ? limitDetail(alert) : [text(alert, "topic"), text(alert, "queue"), text(alert, "policy")].filter(Boolean).join(" · ");

  return { headline, detail };
}
