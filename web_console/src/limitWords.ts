/* A limit in the reader's words. */
import { useI18n } from "vue-i18n";

import { useFigureWords } from "./figureWords";
import { useFigures } from "./figuresShown";
import { duration } from "./format";
import type { AlertRuleView } from "./kpi";
import { isAbove, watchable } from "./limits";
import { useMeasures } from "./measures";
import { useWords } from "./words";

type Limit = Pick<AlertRuleView, "measure" | "scope" | "scope_id" | "raise_at" | "clear_at" | "for_s">;

export function useLimitWords() {
  const { t, locale } = useI18n();
  const measures = useMeasures();
  const { teams } = useFigures();
  const { agentName, queueName } = useWords();
  const { valueText, measureName } = useFigureWords();

  const watchedOf = (measure: string) => watchable(measures.items?.values() ?? []).find((each) => each.id === measure);

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
    const long = limit.for_s > 0 ? ` ${t("limits.for", { time: duration(limit.for_s, locale.value) })}` : "";
    return `${beyond}${long}; ${t("limits.well_again", { value: valueText(limit.clear_at, unit) })}`;
  }

  return { whose, condition, watchedOf };
}
