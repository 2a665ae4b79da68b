import { describe, expect, it } from "vitest";

import type { NumbersView, QueueNumbersView } from "./events";
import { agentFigures, floorFigures, queueFigures } from "./figures";

const NOW = Date.parse("2026-11-26T10:00:00Z");
const numbers = (changes: object) => ({ user_id: 1, calls_in: 0, calls_out: 0, ...changes }) as NumbersView;
const ofQueue = (queue_id: number, changes: object) => ({ queue_id, ...changes }) as QueueNumbersView;

describe("an agent's figures", () => {
  it("count the spell that goes on up to now", () => {
    const spell = { work_ms: 1_200_000, available_ms: 600_000, spell: "work", spell_since: "2026-11-26T09:50:00Z" };
    expect(agentFigures(numbers(spell), NOW).occupancy.value).toBe(0.75);
    expect(agentFigures(numbers({ ...spell, spell: "none", spell_since: null }), NOW).occupancy.value).toBeCloseTo(2 / 3);
  });

  it("have no value before the first case", () => {
    const none = agentFigures(undefined, NOW);
    expect([none.calls_in.value, none.aht.value, none.csat.value, none.occupancy.value]).toEqual([0, null, null, null]);
  });

  it("say of how many calls in all the calls in are", () => {
    expect(agentFigures(numbers({ calls_in: 3, calls_out: 2 }), NOW).calls_in).toMatchObject({ measure: "calls_per_day", value: 3, all: 5 });
  });
});

describe("offers", () => {
  it("missed and declined are counts of all offers, which no target of the share is for", () => {
    const { offers_missed, offers_declined } = agentFigures(numbers({ offers: 9, offers_missed: 2, offers_declined: 1 }), NOW);
    expect(offers_missed).toMatchObject({ measure: "offer_outcomes", unit: "count", value: 2, all: 9, isCountOfShare: true });
    expect(offers_declined.value).toBe(1);
  });
});

describe("the figures of queues", () => {
  const first = ofQueue(1, { offered: 10, abandoned: 1, abandonment: 0.2, abandonment_count: 5, service_level: 0.8, service_level_id: "service_level_icmi_3", answered_in_threshold: 8, service_level_offered: 10, asa_s: 10, asa_count: 9 });
  const second = ofQueue(2, { offered: 30, abandoned: 3, abandonment: 0.2, abandonment_count: 15, service_level: 0.5, service_level_id: "service_level_icmi_3", answered_in_threshold: 15, service_level_offered: 30, asa_s: 20, asa_count: 27 });

  it("are of the service level that the organisation goes by", () => {
    expect(queueFigures(first).service_level).toMatchObject({ measure: "service_level_icmi_3", value: 0.8, n: 10 });
  });

  it("come together by their cases, not as a mean of means", () => {
    const floor = floorFigures({ queueNumbers: [first, second], agentNumbers: [] });
    expect([floor.service_level.value, floor.abandonment.value, floor.asa.value, floor.offered.value]).toEqual([23 / 40, 0.2, 17.5, 40]);
  });
});
