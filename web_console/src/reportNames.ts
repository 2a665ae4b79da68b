/* What reports are of: agents, teams, queues, channels and topics by name, to be chosen from. */
import { computed } from "vue";
import { useI18n } from "vue-i18n";

import { useFigures } from "./figuresShown";
import { useHub } from "./hub";
import type { FilterName } from "./reportQuery";

export interface Named {
  value: string;
  label: string;
}

export function useReportNames() {
  const { locale } = useI18n();
  const hub = useHub();
  const { teams, teamsOf } = useFigures();

  const byName = (items: Named[]) => items.toSorted((a, b) => a.label.localeCompare(b.label, locale.value, { numeric: true }));
  const names = computed<Record<FilterName, Named[]>>(() => ({
    queue: byName(Object.values(hub.state?.queues ?? {}).map((queue) => ({ value: String(queue.id), label: queue.name }))),
    channel: byName(Object.values(hub.state?.channels ?? {}).map((channel) => ({ value: channel.id, label: channel.name }))),
    agent: byName(Object.values(hub.state?.agents ?? {}).map((agent) => ({ value: String(agent.user_id), label: agent.name }))),
    team: byName(teams.value.map((team) => ({ value: String(team.id), label: team.name }))),
    topic: byName(Object.values(hub.state?.topics ?? {}).map((topic) => ({ value: String(topic.id), label: topic.name }))),
  }));
  const membersOf = (teamId: number): readonly number[] => teams.value.find((team) => team.id === teamId)?.member_ids ?? [];
  return { names, teamsOf, membersOf };
}
