/* Which of the page-wide sheets is open. */
import { defineStore } from "pinia";
import { ref } from "vue";

import type { EntryView } from "./events";
import type { AgentFigure, FloorFigure, QueueFigure } from "./figures";

/** A figure of today that somebody asks about, by whose it is. */
export type FigureAsked = { of: "agent"; id: number; figure: AgentFigure } | { of: "queue"; id: number; figure: QueueFigure } | { of: "floor"; figure: FloorFigure };

export const useOverlays = defineStore("overlays", () => {
  const shortcuts = ref(false);
  const palette = ref(false);
  const newCustomer = ref(false);
  /** Why a conversation waits or went to whom it went; `entry`: the line of the timeline that was asked about. */
  const why = ref<{ conversationId: number; entry?: EntryView } | null>(null);
  /** How far the escalation of this conversation is. */
  const escalation = ref<number | null>(null);
  /** What a figure means, and the contacts behind it. */
  const figure = ref<FigureAsked | null>(null);
  /** One's own day, larger. */
  const myDay = ref(false);
  /** What an agent does now, for supervisors. */
  const agent = ref<number | null>(null);
  /** The list of one's alerts. */
  const alerts = ref(false);
  /** The microphone and the speaker of one's telephone. */
  const telephone = ref(false);
  /** A mail is begun to this customer, at this address of theirs if one was chosen. */
  const newMail = ref<{ customerId: number; pointId: number | null } | null>(null);
  /** A conversation is begun with this customer, by this way if one was chosen (ways.ts). */
  const start = ref<{ customerId: number; way: string | null } | null>(null);
  /** Everything on this customer's card is edited; at this fact if one was chosen. */
  const card = ref<{ customerId: number; fact: string | null } | null>(null);
  /** What must be filled in before this conversation is resolved. */
  const missing = ref<number | null>(null);

  /** Before what is more urgent is shown. A mail that is begun stays: it would be lost. */
  function closeAll(): void {
    shortcuts.value = palette.value = newCustomer.value = alerts.value = telephone.value = myDay.value = false;
    why.value = escalation.value = figure.value = agent.value = null;
  }

  return { shortcuts, palette, newCustomer, why, escalation, figure, myDay, agent, alerts, telephone, newMail, start, card, missing, closeAll };
});
