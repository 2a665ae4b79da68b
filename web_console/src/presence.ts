/*
 * Who is there for work: one answer for every screen. Available is whom the hub would ask (routing/engine.py) and counts as such
 * (kpi/live_figures.py): available, with a screen open. At work is whoever is signed in, on a break, too. Pure.
 */
import type { AgentState, AgentView, QueueView } from "./events";

type Seen = Pick<AgentView, "state" | "connected">;

export const STATE_ORDER: readonly AgentState[] = ["available", "busy", "away", "not_responding", "offline"];

export const isAvailable = (agent: Seen): boolean => agent.state === "available" && agent.connected;
export const isAtWork = (agent: Pick<AgentView, "state">): boolean => agent.state !== "offline";
/** Nobody looks at what they hold: away, offline, not responding or without a screen; who works here no longer, too. */
export const isAbsent = (agent: Seen | undefined): boolean => agent === undefined || !(agent.state === "available" || agent.state === "busy") || !agent.connected;

export interface People {
  available: number;
  atWork: number;
  members: number;
}

export function peopleAmong(agents: readonly Seen[]): People {
  return { available: agents.filter(isAvailable).length, atWork: agents.filter(isAtWork).length, members: agents.length };
}

export function peopleOf(queue: Pick<QueueView, "member_ids">, agents: Readonly<Record<string | number, AgentView>>): People {
  return peopleAmong(queue.member_ids.flatMap((id) => agents[id] ?? []));
}
