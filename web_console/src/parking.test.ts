import { describe, expect, it } from "vitest";

import { isParked, mayPark, parkChoices, readLocal, writeLocal } from "./parking";

const YEREVAN = "Asia/Yerevan"; // UTC+4, no daylight saving
const BERLIN = "Europe/Berlin";
const told = (now: string, zone: string) => parkChoices(Date.parse(now), zone).map(({ key, at }) => [key, at.toISOString().slice(0, 16)]);

describe("what is offered", () => {
  it("is in the organisation's time", () => {
    // Wednesday, 10:00 in Yerevan.
    expect(told("2026-11-25T06:00:00Z", YEREVAN)).toEqual([
      ["hour", "2026-11-25T07:00"],
      ["afternoon", "2026-11-25T11:00"],
      ["tomorrow", "2026-11-26T05:00"],
      ["monday", "2026-11-30T05:00"],
    ]);
  });

  it("has no afternoon when it is there already, and no Monday when that is tomorrow", () => {
    // Sunday, 14:00 in Yerevan.
    expect(told("2026-11-29T10:00:00Z", YEREVAN)).toEqual([
      ["hour", "2026-11-29T11:00"],
      ["tomorrow", "2026-11-30T05:00"],
    ]);
  });

  it("on a Monday means the next one", () => {
    expect(told("2026-11-30T06:00:00Z", YEREVAN).at(-1)).toEqual(["monday", "2026-12-07T05:00"]);
  });

  it("keeps nine o'clock over a change to winter time", () => {
    // Saturday before the clocks go back.
    expect(told("2026-10-24T08:00:00Z", BERLIN).slice(-2)).toEqual([
      ["tomorrow", "2026-10-25T08:00"],
      ["monday", "2026-10-26T08:00"],
    ]);
  });
});

describe("a date and a time by hand", () => {
  it.each(["2026-11-26T09:00", "2026-03-29T12:30", "2026-10-25T23:59"])("%s is read as it is written", (text) => {
    expect(writeLocal(readLocal(text, BERLIN)?.getTime() ?? 0, BERLIN)).toBe(text);
  });

  it("that is not there is none", () => {
    expect(readLocal("", BERLIN)).toBeNull();
  });

  it("that the clock skips is the moment after", () => {
    expect(readLocal("2026-03-29T02:30", BERLIN)?.toISOString()).toBe("2026-03-29T01:30:00.000Z");
  });
});

describe("put aside", () => {
  const held = { parked_until: "2026-11-25T10:00:00Z", assignee_id: 7, status: "open" as const };
  const before = Date.parse("2026-11-25T09:59:59Z");
  it("ends at its instant, and is nothing that waits", () => {
    expect(isParked(held, before)).toBe(true);
    expect(isParked(held, before + 1_000)).toBe(false);
    expect(isParked({ ...held, assignee_id: null }, before)).toBe(false);
    expect(isParked({ ...held, parked_until: null }, before)).toBe(false);
  });

  it("is not for whoever waits with the line open", () => {
    const mine = { assignee_id: 7, status: "open" as const, callback: null };
    expect((["sms", "email", "chat", "phone"] as const).map((channel_kind) => mayPark({ ...mine, channel_kind }))).toEqual([true, true, false, false]);
    const callback = { address: "+374", state: "calling" as const, attempts: 1, next_attempt_at: null };
    expect(mayPark({ ...mine, channel_kind: "chat", callback })).toBe(true);
    expect(mayPark({ ...mine, channel_kind: "sms", assignee_id: null })).toBe(false);
  });
});
