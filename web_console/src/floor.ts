/* The floor as it is now, by agent and by queue, for whoever looks at the board; nothing of it is computed while nobody does. */
import { defineStore } from "pinia";
import { computed } from "vue";

import { type AgentRow, agentRows, type QueueRow, queueRows, sumOf } from "./board";
import { useServerNow } from "./clock";
import { useHub } from "./hub";
import { peopleAmong } from "./presence";
import { liveCalls, openConversations } from "./state";
import { burningAmong } from "./unanswered";

export const useFloor = defineStore("floor", () => {
  const hub = useHub();
  const now = useServerNow();

  const open = computed(() => (hub.state ? openConversations(hub.state) : []));
  const agents = computed<ReadonlyMap<number, AgentRow>>((before) =>
    hub.state ? new Map(agentRows(hub.state, open.value, liveCalls(hub.state), before).map((row) => [row.agent.user_id, row])) : new Map(),
  );
  const queues = computed<ReadonlyMap<number, QueueRow>>(() =>
    hub.state ? new Map(queueRows(hub.state, open.value, now.value).map((row) => [row.queue.id, row])) : new Map(),
  );
  const totals = computed(() => {
    const people = peopleAmong([...agents.value.values()].map((row) => row.agent));
    const lines = [...queues.value.values()];
    const longest = lines.flatMap((row) => row.longestSince ?? []).toSorted((a, b) => Date.parse(a) - Date.parse(b));
    return {
      available: people.available,
      atWork: people.atWork,
      waiting: sumOf(lines.map((row) => row.waiting)),
      isOverdue: lines.some((row) => row.isOverdue),
      open: sumOf(lines.map((row) => row.open)),
      longestSince: longest[0] ?? null,
    };
  });

  /** Customers without an answer, and what has escalated or is a complaint, wherever it lies. */
  const burning = computed(() => burningAmong(open.value, hub.state?.agents ?? {}, hub.state?.topics ?? {}));

  return { agents, queues, totals, burning };
});
