/* A ladder's clocks, moments and actions in the reader's words, as the editor, the conversation and its alerts say them. */
import { useI18n } from "vue-i18n";

import { duration } from "./format";
import { type Action, type Clock, type Draft, type Step, thresholdOf } from "./ladder";
import { useWords } from "./words";

export function useLadderWords() {
  const { t, te, locale } = useI18n();
  const { agentName, queueName } = useWords();

  const time = (seconds: number) => (Number.isFinite(seconds) ? duration(seconds, locale.value) : "…");
  const clockName = (clock: Clock) => t(`clock.${clock}`);
  /** A state that a newer hub knows stays its word. */
  const stateName = (state: string) => (te(`work_state.${state}`) ? t(`work_state.${state}`) : state);

  /** The same within a sentence. */
  const statesWords = (states: readonly string[]) =>
    states.map(stateName).map((name) => name.slice(0, 1).toLocaleLowerCase(locale.value) + name.slice(1)).join(", ");

  function actionWords(action: Action): string {
    switch (action.kind) {
      case "raise_priority":
        return t("ladder.do_raise_priority", { minutes: action.minutes });
      case "widen_skills":
        return t("ladder.do_widen_skills", action.levels);
      case "move_to_queue":
        return t("ladder.do_move_to_queue", { queue: action.queue_id ? queueName(action.queue_id) : "…" });
      case "notify_user":
        return t("ladder.do_notify_user", { name: action.user_id ? agentName(action.user_id) : "…" });
      case "assign_to":
        return t("ladder.do_assign_to", { name: action.user_id ? agentName(action.user_id) : "…" });
      case "notify_role":
        return t(`ladder.do_notify_${action.role}s`);
      case "page_supervisor":
        return t("ladder.do_page_supervisor");
      case "tag":
        return t("ladder.do_tag", { name: action.name.trim() || "…" });
      case "auto_reply":
        return t("ladder.do_auto_reply", { text: action.text.trim() || "…" });
    }
  }

  const actionsWords = (actions: readonly Action[]) => (actions.length > 0 ? actions.map(actionWords).join("; ") : "…");

  /** "After 5 min in the queue", "At 80 % of the target for a first answer (12 min)". */
  function moment(step: Step, draft: Pick<Draft, "targets">): string {
    const seconds = thresholdOf(step, draft);
    if (step.after_s === 0) return t("ladder.at_once");
    if (step.after_s !== null) return t(`ladder.after_${step.clock}`, { time: time(step.after_s) });
    const share = Math.round((step.share ?? 0) * 1000) / 10;
    return t(`ladder.share_${step.clock}`, { share: Number.isFinite(share) ? share : "…", time: seconds === null ? "…" : time(seconds) });
  }

  const only = (step: Step) => (step.in_states.length > 0 ? t("ladder.only_while", { states: statesWords(step.in_states) }) : "");

  return { time, clockName, stateName, statesWords, actionWords, actionsWords, moment, only };
}
