import { describe, expect, it } from "vitest";

import { ofToday, zoneOfAgent } from "./today";

describe("whose day it is", () => {
  const teams = [
    { id: 3, time_zone: "Asia/Tokyo", member_ids: [1, 2] },
    { id: 2, time_zone: "America/Lima", member_ids: [2] },
    { id: 1, time_zone: null, member_ids: [1, 2, 3] },
  ];

  it("is the team's with the lowest id that has a clock of its own, else the organisation's", () => {
    expect([1, 2, 3, 4].map((id) => zoneOfAgent(id, teams, "Asia/Yerevan"))).toEqual(["Asia/Tokyo", "America/Lima", "Asia/Yerevan", "Asia/Yerevan"]);
  });

  it("leaves nothing of a day that is over", () => {
    const numbers = (day: string) => ({ day });
    expect(ofToday(numbers("2026-11-25"), "2026-11-26")).toBeUndefined();
    expect([numbers("2026-11-26"), numbers("2026-11-27")].map((each) => ofToday(each, "2026-11-26"))).toEqual([numbers("2026-11-26"), numbers("2026-11-27")]);
    expect(ofToday(undefined, "2026-11-26")).toBeUndefined();
  });
});
