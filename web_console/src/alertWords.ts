/* An alert in the reader's words: what is the matter, and where. */
import { useI18n } from "vue-i18n";

import type { AlertView } from "./events";
import { CLOCKS } from "./ladder";
import { SCALES, type SurveyKind } from "./surveys";

export function useAlertWords() {
  const { t } = useI18n();
  const text = (alert: AlertView, name: string) => String(alert.data[name] ?? "");

  function headline(alert: AlertView): string {
    const customer = text(alert, "customer");
    const clock = CLOCKS.find((each) => each === alert.data["clock"]);
    if (alert.reason === "low_score") {
      const kind = alert.data["survey"] as SurveyKind;
      return t("alert.low_score", { customer, score: t("surveys.of", { score: text(alert, "score"), most: SCALES[kind].at(-1) }) });
    }
    // A step at nought seconds says that it came, not that it waited.
    if (Number(alert.data["elapsed_s"] ?? 1) < 1) return t("alert.came", { customer, topic: text(alert, "topic") || text(alert, "queue") });
    return alert.reason === "escalation" && clock ? t(`alert.${clock}`, { customer }) : t("alert.other", { customer });
  }

  /** What it is about, the queue it is in, and the ladder that says so. */
  const detail = (alert: AlertView): string => [text(alert, "topic"), text(alert, "queue"), text(alert, "policy")].filter(Boolean).join(" · ");

  return { headline, detail };
}
