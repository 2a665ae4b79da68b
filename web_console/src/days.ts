/* Which day it is now by the clocks that figures are counted by. Each changes at its midnight and not each second. */
import { defineStore } from "pinia";
import { computed } from "vue";

import { useServerNow } from "./clock";
import { dayKey } from "./format";
import { useHub } from "./hub";
import { zoneOfAgent } from "./today";

export const useDays = defineStore("days", () => {
  const hub = useHub();
  const now = useServerNow();

  const zone = computed(() => hub.state?.organisation.time_zone ?? "UTC");
  const teams = computed(() => Object.values(hub.state?.teams ?? {}).filter((team) => team.time_zone !== null));
  const days = computed<Record<string, string>>((before) => {
    const zones = [zone.value, ...teams.value.flatMap((team) => team.time_zone ?? [])];
    const next = Object.fromEntries(zones.map((each) => [each, dayKey(now.value, each)]));
    const isSame = before !== undefined && Object.keys(before).length === Object.keys(next).length && Object.entries(next).every(([each, day]) => before[each] === day);
    return isSame ? before : next;
  });
  const organisation = computed(() => days.value[zone.value] ?? "");
  const zoneOf = (userId: number): string => zoneOfAgent(userId, teams.value, zone.value);
  const ofAgent = (userId: number): string => days.value[zoneOf(userId)] ?? "";

  return { organisation, zone, zoneOf, ofAgent };
});
