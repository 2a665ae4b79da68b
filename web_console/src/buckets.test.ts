import { describe, expect, it } from "vitest";

import { axisLabels, bucketName, daysOf, within } from "./buckets";

const BERLIN = "Europe/Berlin";
const day = (start: string, end: string) => ({ start, end });

describe("a bucket", () => {
  it("covers local days: also the one of 25 hours, and the one that begins on the evening before in London", () => {
    expect(daysOf(day("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"), BERLIN)).toEqual({ from: "2026-10-25", to: "2026-10-25" });
    expect(daysOf(day("2026-11-25T20:00:00Z", "2026-11-26T20:00:00Z"), "Asia/Yerevan")).toEqual({ from: "2026-11-26", to: "2026-11-26" });
    expect(daysOf(day("2026-11-22T23:00:00Z", "2026-11-29T23:00:00Z"), BERLIN)).toEqual({ from: "2026-11-23", to: "2026-11-29" });
  });

  it.each([
    ["interval", "2026-11-26T09:00:00Z", "2026-11-26T09:15:00Z", "Thu, Nov 26, 10:00–10:15"],
    ["day", "2026-11-25T23:00:00Z", "2026-11-26T23:00:00Z", "Thu, Nov 26"],
    ["week", "2026-11-22T23:00:00Z", "2026-11-29T23:00:00Z", "Mon, Nov 23 – Sun, Nov 29"],
    ["month", "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z", "Nov 2026"],
  ] as const)("of %s is written in full", (grain, start, end, name) => {
    expect(bucketName({ start, end }, grain, "en", BERLIN, 2026)).toBe(name);
  });
});

it("an axis of intervals names the day where it begins, and has the hour that comes twice twice", () => {
  const quarters = Array.from({ length: 3 }, (_, place) => Date.parse("2026-10-25T00:00:00Z") + place * 3_600_000);
  const buckets = quarters.map((start) => day(new Date(start).toISOString(), new Date(start + 900_000).toISOString()));
  expect(axisLabels(buckets, "interval", "en", BERLIN)).toEqual(["02:00", "02:00", "03:00"]);
  const overMidnight = [day("2026-11-26T22:45:00Z", "2026-11-26T23:00:00Z"), day("2026-11-26T23:00:00Z", "2026-11-26T23:15:00Z")];
  expect(axisLabels(overMidnight, "interval", "en", BERLIN)).toEqual(["Nov 26 23:45", "Nov 27 00:00"]);
});

it("a week at the edge of a period is asked only within it", () => {
  const period = { from: "2026-11-20", to: "2026-11-26" };
  expect(within({ from: "2026-11-16", to: "2026-11-22" }, period)).toEqual({ from: "2026-11-20", to: "2026-11-22" });
  expect(within({ from: "2026-11-01", to: "2026-11-02" }, period)).toBeNull();
});
