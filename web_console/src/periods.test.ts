import { describe, expect, it } from "vitest";

import { addDays, beforeOf, daysIn, grainFor, grainsFor, isDay, spanOf, todayIn, weekBegin } from "./periods";

// A Thursday.
const TODAY = "2026-11-26";

describe("a period", () => {
  it.each([
    ["today", "2026-11-26", "2026-11-26"],
    ["yesterday", "2026-11-25", "2026-11-25"],
    ["this_week", "2026-11-23", "2026-11-26"],
    ["last_week", "2026-11-16", "2026-11-22"],
    ["last_7", "2026-11-20", "2026-11-26"],
    ["last_28", "2026-10-30", "2026-11-26"],
    ["this_month", "2026-11-01", "2026-11-26"],
    ["last_month", "2026-10-01", "2026-10-31"],
    ["this_quarter", "2026-10-01", "2026-11-26"],
  ] as const)("%s is from %s to %s", (name, from, to) => {
    expect(spanOf(name, TODAY)).toEqual({ from, to });
  });

  it("goes over the turn of the year", () => {
    expect(spanOf("last_month", "2027-01-15")).toEqual({ from: "2026-12-01", to: "2026-12-31" });
    expect(spanOf("this_quarter", "2027-02-28")).toEqual({ from: "2027-01-01", to: "2027-02-28" });
  });

  it.each([
    ["today", null],
    ["last_7", null],
    ["last_month", null],
    ["this_week", "2026-11-16"],
    ["this_month", "2026-10-01"],
    ["this_quarter", "2026-07-01"],
  ] as const)("%s is compared from %s on", (name, before) => {
    expect(beforeOf(name, TODAY)).toBe(before);
  });

  it("begins on Monday when it is a week, on a Sunday and on a Monday too", () => {
    expect([weekBegin("2026-11-29"), weekBegin("2026-11-30")]).toEqual(["2026-11-23", "2026-11-30"]);
  });

  it("counts days where the clocks change: 23 and 25 hours are one day", () => {
    // Europe/Berlin, 29 March and 25 October 2026.
    expect([addDays("2026-03-28", 1), addDays("2026-03-29", 1), addDays("2026-10-25", 1)]).toEqual(["2026-03-29", "2026-03-30", "2026-10-26"]);
    expect(daysIn({ from: "2026-03-01", to: "2026-03-31" })).toBe(31);
  });

  it("begins with the local day, not with that of London", () => {
    const lateEvening = Date.parse("2026-11-26T21:30:00Z");
    expect([todayIn("Asia/Yerevan", lateEvening), todayIn("America/New_York", lateEvening)]).toEqual(["2026-11-27", "2026-11-26"]);
    // The hour that comes twice in Berlin is in the same day both times.
    expect(["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T22:59:00Z"].map((at) => todayIn("Europe/Berlin", Date.parse(at)))).toEqual(Array(3).fill("2026-10-25"));
  });

  it.each(["2026-02-30", "2026-13-01", "26-01-01", "", null, "2026-11-26T00:00"])("is not made of %s", (text) => {
    expect(isDay(text)).toBe(false);
  });
});

describe("the grain", () => {
  it.each([
    [1, "interval", ["interval"]],
    [7, "day", ["interval", "day"]],
    [28, "day", ["day", "week"]],
    [365, "week", ["day", "week", "month"]],
    [800, "month", ["day", "week", "month"]],
  ] as const)("of %d days is %s", (days, grain, all) => {
    const span = { from: addDays(TODAY, 1 - days), to: TODAY };
    expect(grainFor(span)).toBe(grain);
    expect(grainsFor(span)).toEqual(all);
  });
});
