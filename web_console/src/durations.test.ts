import { expect, it } from "vitest";

import { unitOf } from "./durations";

it("a length of time is written in the largest unit in which it is whole", () => {
  expect([0, 20, 60, 90, 3_600, 5_400, 86_400, 172_800].map(unitOf)).toEqual(["seconds", "seconds", "minutes", "seconds", "hours", "minutes", "days", "days"]);
});
