/* The figures of today as the screens show them, live: of an agent, of a queue, of the whole floor; against what they should be. */
import { computed, watch } from "vue";

import { useServerNow } from "./clock";
import { useDays } from "./days";
import { type AgentFigure, agentFigures, type Figure, floorFigures, queueFigures } from "./figures";
import { useHub } from "./hub";
import type { TeamView } from "./events";
import type { ContactsQuery } from "./kpi";
import { useMeasures } from "./measures";
import type { FigureAsked } from "./overlays";
import { type Level, levelOf, type Target, targetFor, type Whose } from "./targets";
import { ofToday } from "./today";

export interface Judged extends Figure {
  target: Target | null;
  level: Level;
}

export function useFigures() {
  const hub = useHub();
  const measures = useMeasures();
  const now = useServerNow();
  const days = useDays();
  // These stand on the frame of all pages: before anybody is signed in there is nothing to ask.
  watch(() => hub.session === "in", (isIn) => isIn && void measures.load(), { immediate: true });

  const targets = computed<readonly Target[]>(() => Object.values(hub.state?.targets ?? {}));
  const teams = computed<readonly TeamView[]>(() => Object.values(hub.state?.teams ?? {}));
  const teamsOf = (userId: number): number[] => teams.value.filter((team) => team.member_ids.includes(userId)).map((team) => team.id);

  function judged(figure: Figure, whose: Whose): Judged {
    const target = figure.isCountOfShare ? null : targetFor(targets.value, figure.measure, whose);
    return { ...figure, target, level: levelOf(figure.value, target, measures.of(figure.measure)?.better ?? null) };
  }

  const numbersOf = (userId: number) => ofToday(userId === hub.user?.id ? hub.state?.numbers : hub.state?.agentNumbers[userId], days.ofAgent(userId));

  function ofAgent(userId: number, figure: AgentFigure): Judged {
    return judged(agentFigures(numbersOf(userId), now.value)[figure], { agent: userId, teams: teamsOf(userId) });
  }

  function of(asked: FigureAsked): Judged {
    switch (asked.of) {
      case "agent":
        return ofAgent(asked.id, asked.figure);
      case "queue":
        return judged(queueFigures(ofToday(hub.state?.queueNumbers[asked.id], days.organisation))[asked.figure], { queue: asked.id });
      default:
        return judged(floorFigures(floorOfToday.value)[asked.figure], {});
    }
  }

  const floorOfToday = computed(() => ({
    queueNumbers: Object.values(hub.state?.queueNumbers ?? {}).filter((each) => ofToday(each, days.organisation)),
    agentNumbers: Object.values(hub.state?.agentNumbers ?? {}).filter((each) => ofToday(each, days.ofAgent(each.user_id))),
  }));

  /** The contacts behind it, today. */
  function contactsOf(asked: FigureAsked): ContactsQuery {
    const day = asked.of === "agent" ? days.ofAgent(asked.id) : days.organisation;
    const measure = of(asked).measure;
    if (asked.of === "floor") return { measure, from: day, to: day };
    return { measure, from: day, to: day, by: asked.of, id: String(asked.id) };
  }

  return { of, ofAgent, contactsOf, targets, teams, teamsOf };
}
