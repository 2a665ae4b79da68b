/* Limits, and what is beyond one now, in the reader's words. */
import { computed } from "vue";
import { useI18n } from "vue-i18n";

import { useFigureWords } from "./figureWords";
import { useFigures } from "./figuresShown";
import { exactly } from "./format";
import { useHub } from "./hub";
import type { AlertRuleView, KpiAlertView } from "./events";
import { isAbove, watchable } from "./limits";
import { useMeasures } from "./measures";
import { useWords } from "./words";

type Limit = Pick<AlertRuleView, "measure" | "scope" | "scope_id" | "raise_at" | "clear_at" | "for_s">;

/** What a sentence about a broken limit needs to know of it. */
export type LimitBroken = Pick<KpiAlertView, "name" | "measure" | "scope" | "scope_id" | "value">;

export function useLimitWords() {
  const { t, locale } = useI18n();
  const hub = useHub();
  const measures = useMeasures();
  const { teams } = useFigures();
  const { agentName, queueName } = useWords();
  const { valueText, measureName } = useFigureWords();

  const watchedOf = (measure: string) => watchable(measures.moments?.values() ?? [], measures.items?.values() ?? []).find((each) => each.id === measure);

  function whose({ scope, scope_id }: Pick<Limit, "scope" | "scope_id">): string {
    if (scope === "all" || scope_id === null) return t("scope.all");
    if (scope === "queue") return queueName(scope_id);
    return scope === "team" ? (teams.value.find((team) => team.id === scope_id)?.name ?? t("common.someone")) : agentName(scope_id);
  }

  /** "Service level below 70 % for 1 min; well again from 75 % on" */
  function condition(limit: Limit): string {
    const watched = watchedOf(limit.measure);
    const unit = watched?.unit ?? "count";
    const way = isAbove(limit.raise_at, limit.clear_at, watched?.better ?? null) ? "above" : "below";
    const beyond = t(`limits.${way}`, { name: measureName(limit.measure), value: valueText(limit.raise_at, unit) });
    const long = limit.for_s > 0 ? ` ${t("limits.for", { time: exactly(limit.for_s, locale.value) })}` : "";
    return `${beyond}${long}; ${t("limits.well_again", { value: valueText(limit.clear_at, unit) })}`;
  }

  /** What is beyond its limit now, the newest first. */
  const standing = computed(() => Object.values(hub.state?.kpiAlerts ?? {}).toSorted((a, b) => Date.parse(b.raised_at) - Date.parse(a.raised_at) || b.id - a.id));
  const headline = (alert: LimitBroken) => t("limits.broke", { name: alert.name, whose: whose(alert), value: valueText(alert.value, watchedOf(alert.measure)?.unit ?? "count") });
  const detail = (alert: KpiAlertView) => condition({ ...alert, for_s: 0 });
  const healedText = (alert: KpiAlertView) => t("limits.healed", { name: alert.name, whose: whose(alert) });

  return { whose, condition, watchedOf, standing, headline, detail, healedText };
}
