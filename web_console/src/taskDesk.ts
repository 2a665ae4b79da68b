/* What one has to do, and what one does with it: each answer is learnt as the event it stands for. */
import { defineStore } from "pinia";
import { computed, ref } from "vue";

import { tasksApi } from "./client";
import type { TaskView } from "./events";
import { useServerNow } from "./clock";
import { useHub } from "./hub";
import { ownTasks } from "./state";
import { byDue } from "./taskTimes";

/** For whom a task is begun, or which one is changed. */
export type TaskAsked = { customerId: number; conversationId: number | null } | { task: TaskView };

export const useTaskDesk = defineStore("taskDesk", () => {
  const hub = useHub();
  const now = useServerNow();
  /** The dialog is open. */
  const asked = ref<TaskAsked | null>(null);

  const own = computed(() => (hub.state ? ownTasks(hub.state).toSorted(byDue) : []));
  /** What has come back as work. */
  const due = computed(() => own.value.filter((task) => Date.parse(task.due_at) <= now.value));
  const ofCustomer = (customerId: number) => Object.values(hub.state?.tasks ?? {}).filter((task) => task.customer_id === customerId);

  function learn(task: TaskView): TaskView {
    hub.learn({ kind: "task.changed", task });
    return task;
  }

  const add = async (body: Parameters<typeof tasksApi.add>[0]) => learn(await tasksApi.add(body));
  const end = async (task: TaskView, outcome: "done" | "dropped") => learn(await tasksApi.end(task.id, outcome));
  const reopen = async (task: TaskView) => learn(await tasksApi.reopen(task.id));
  async function change(task: TaskView, changes: Partial<Pick<TaskView, "kind" | "title" | "note" | "due_at" | "assignee_id" | "queue_id">>): Promise<TaskView> {
    const { kind, title, note, due_at, assignee_id, queue_id } = { ...task, ...changes };
    // With a person the hub itself knows whose it is after them.
    const whose = assignee_id === null ? { assignee_id, queue_id } : { assignee_id, queue_id: null };
    return learn(await tasksApi.change(task.id, { kind, title, note, due_at, ...whose, expected_version: task.version }));
  }

  return { asked, own, due, ofCustomer, learn, add, end, reopen, change };
});
