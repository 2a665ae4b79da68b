/* The week by hours: how strong the colour of each hour is. Pure. */
import type { LoadReport } from "./events";

export type LoadHour = LoadReport["hours"][number];

/** Steps of colour: more than these nobody tells apart, and each has its words in the legend. */
export const STEPS = 6;

/** 1 is Monday. Hours that did not come yet are null. */
export function heatRows(hours: readonly LoadHour[]): (LoadHour | null)[][] {
  return Array.from({ length: 7 }, (_, day) => Array.from({ length: 24 }, (_, hour) => hours.find((each) => each.weekday === day + 1 && each.hour === hour) ?? null));
}

/** 0: nothing came; 1 to STEPS by its share of the most. */
export function heatStep(value: number | null, most: number): number {
  if (value === null || value <= 0 || most <= 0) return 0;
  return Math.min(STEPS, Math.max(1, Math.ceil((value / most) * STEPS)));
}

/** The hour of the week in which most comes; null while nothing came at all. */
export function busiest(hours: readonly LoadHour[]): LoadHour | null {
  return hours.reduce<LoadHour | null>((most, each) => ((each.mean ?? 0) > (most?.mean ?? 0) ? each : most), null);
}

/** Hours that are worth a column: the whole day, unless nothing ever came before or after. */
export function hoursShown(hours: readonly LoadHour[]): number[] {
  const used = hours.filter((each) => each.count > 0).map((each) => each.hour);
  if (used.length === 0) return Array.from({ length: 24 }, (_, hour) => hour);
  const [first, last] = [Math.max(0, Math.min(...used) - 1), Math.min(23, Math.max(...used) + 1)];
  return Array.from({ length: last - first + 1 }, (_, place) => first + place);
}
