/* What rules name, as this reader calls it. Calendars and skills are asked for once by the page. */
import { computed } from "vue";
import { useI18n } from "vue-i18n";

import { useCalendars } from "./calendarsLoaded";
import { useHub } from "./hub";
import type { RuleNames } from "./ruleWords";
import { useSkills } from "./skillNames";
import { useWords } from "./words";

export function useRuleNames() {
  const { t, te } = useI18n();
  const hub = useHub();
  const { queueName } = useWords();
  const calendars = useCalendars();
  const skills = useSkills();
  const language = (code: string) => (te(`language.${code}`) ? t(`language.${code}`) : code);
  const names = computed<RuleNames>(() => ({
    t: (key, values) => t(key, values ?? {}),
    queue: queueName,
    channel: (id) => hub.state?.channels[id]?.name ?? id,
    calendar: calendars.nameOf,
    topic: (id) => hub.state?.topics[id]?.name ?? "…",
    skill: skills.nameOf,
    language,
  }));
  return { names, calendars, skills };
}
export type RuleDirectory = ReturnType<typeof useRuleNames>;
