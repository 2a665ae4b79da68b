/* To whom work may be given, as the words in a field narrow it down: those who are there before those who are not. */
import { computed, ref } from "vue";

import type { AgentView, QueueView } from "./events";
import { hasName } from "./fold";
import { useHub } from "./hub";
import { STATE_ORDER } from "./presence";

export interface Receiver {
  agent_id?: number;
  queue_id?: number;
}

export function useReceivers(offers: { agent?: (agent: AgentView) => boolean; queue?: (queue: QueueView) => boolean } = {}) {
  const hub = useHub();
  const filter = ref("");
  const to = ref<Receiver | null>(null);

  const agents = computed(() =>
    Object.values(hub.state?.agents ?? {})
      .filter((agent) => (offers.agent?.(agent) ?? true) && hasName(agent.name, filter.value))
      .toSorted((a, b) => STATE_ORDER.indexOf(a.state) - STATE_ORDER.indexOf(b.state) || a.load - b.load || a.name.localeCompare(b.name)),
  );
  const queues = computed(() => Object.values(hub.state?.queues ?? {}).filter((queue) => (offers.queue?.(queue) ?? true) && hasName(queue.name, filter.value)));

  /** Enter in the field takes the one that is left. With that one taken it is the button's, as everywhere. */
  function takeOnly(event: KeyboardEvent): void {
    if (event.isComposing || filter.value.trim() === "" || agents.value.length + queues.value.length !== 1) return;
    const [agent, queue] = [agents.value[0], queues.value[0]];
    if (agent ? to.value?.agent_id === agent.user_id : to.value?.queue_id === queue?.id) return;
    event.preventDefault();
    if (agent) to.value = { agent_id: agent.user_id };
    else if (queue) to.value = { queue_id: queue.id };
  }

  return { filter, to, agents, queues, takeOnly };
}
