/*
 * Whose day it is. The day of an agent is that of their team's clock, every other day the organisation's (hub/kpi/placing.py). Numbers of
 * a day that is over are none: at midnight the hub tells the new ones, and what it cannot tell (the line is down, figures are made anew)
 * must not stay on the screen as if it were today's. Pure.
 */
import type { TeamView } from "./events";

type Team = Pick<TeamView, "id" | "time_zone" | "member_ids">;

/** Of several teams the one with the lowest id that has a zone of its own decides. */
export function zoneOfAgent(userId: number, teams: readonly Team[], organisation: string): string {
  const own = teams.filter((team) => team.time_zone !== null && team.member_ids.includes(userId)).toSorted((a, b) => a.id - b.id);
  return own[0]?.time_zone ?? organisation;
}

/** Of a later day they may be: the hub's clock is the one that counts. */
export function ofToday<T extends { day: string }>(numbers: T | undefined, today: string): T | undefined {
  return numbers !== undefined && numbers.day < today ? undefined : numbers;
}
