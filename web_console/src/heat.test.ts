import { expect, it } from "vitest";

import { busiest, heatRows, heatStep, hoursShown, type LoadHour } from "./heat";

const hour = (weekday: number, at: number, count: number, mean: number | null): LoadHour => ({ weekday, hour: at, count, times: 4, mean });

it("a week is seven rows of 24 hours, from Monday", () => {
  const rows = heatRows([hour(1, 9, 4, 1), hour(7, 23, 8, 2)]);
  expect([rows.length, rows[0]?.length, rows[0]?.[9]?.count, rows[6]?.[23]?.count, rows[3]?.[9]]).toEqual([7, 24, 4, 8, null]);
});

it.each([
  [null, 10, 0],
  [0, 10, 0],
  [0.1, 10, 1],
  [5, 10, 3],
  [10, 10, 6],
  [10, 0, 0],
])("%s of %d at most is step %d", (value, most, step) => {
  expect(heatStep(value, most)).toBe(step);
});

it("the busiest hour is that with the highest mean, not the one that came most often", () => {
  expect(busiest([hour(1, 9, 40, 5), hour(2, 10, 30, 9), hour(3, 11, 0, null)])?.weekday).toBe(2);
  expect(busiest([hour(1, 9, 0, 0)])).toBeNull();
});

it("hours in which nothing ever comes have no columns, but one at each side", () => {
  expect(hoursShown([hour(1, 9, 4, 1), hour(2, 11, 4, 1), hour(2, 20, 0, 0)])).toEqual([8, 9, 10, 11, 12]);
  expect(hoursShown([])).toHaveLength(24);
});
