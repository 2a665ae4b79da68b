import { expect, it } from "vitest";

import { taskChoices, timeOf } from "./taskTimes";

// A Thursday, 14:00 in Yerevan.
const NOW = Date.parse("2026-11-26T10:00:00Z");
const ZONE = "Asia/Yerevan";

it("offers hours from now, and mornings by the organisation's clock", () => {
  expect(taskChoices(NOW, ZONE).map((choice) => [choice.key, choice.at.toISOString()])).toEqual([
    ["hour", "2026-11-26T11:00:00.000Z"],
    ["two_hours", "2026-11-26T12:00:00.000Z"],
    ["tomorrow", "2026-11-27T05:00:00.000Z"],
    ["monday", "2026-11-30T05:00:00.000Z"],
  ]);
});

it.each([
  ["2026-11-26T10:00:00Z", "overdue"],
  ["2026-11-26T19:59:00Z", "today"],
  ["2026-11-26T20:00:00Z", "later"],
])("%s is %s", (due_at, time) => {
  expect(timeOf({ due_at }, NOW, ZONE)).toBe(time);
});
