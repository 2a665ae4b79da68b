import { describe, expect, it } from "vitest";

import { dayName, duration, exactly, initials, plainDate, shortTime, stopwatch, weekdayName } from "./format";

const ZONE = "Asia/Yerevan";
const NOW = Date.parse("2026-11-22T10:00:00Z");

describe("times", () => {
  it("name days in the organisation's zone", () => {
    // 21:00 UTC is already the next day in Yerevan.
    expect(dayName("2026-11-21T21:00:00Z", NOW, "en", ZONE)).toBe("Today");
    expect(dayName("2026-11-21T19:00:00Z", NOW, "en", ZONE)).toBe("Yesterday");
    expect(dayName("2026-11-18T10:00:00Z", NOW, "en", ZONE)).toBe("Wednesday");
    expect(dayName("2025-11-18T10:00:00Z", NOW, "en", ZONE)).toBe("November 18, 2025");
  });

  it("are short in lists", () => {
    expect(shortTime("2026-11-22T09:05:00Z", NOW, "en", ZONE)).toBe("13:05");
    expect(shortTime("2026-11-20T09:05:00Z", NOW, "en", ZONE)).toBe("Fri");
  });

  it.each([
    [0, "0 sec"],
    [59.6, "1 min"],
    [125, "2 min"],
    [3600, "1 hr"],
    [4800, "1 hr 20 min"],
    [190_000, "2 days 4 hr"],
    [-5, "0 sec"],
  ])("say %d seconds as %s", (seconds, words) => {
    expect(duration(seconds, "en")).toBe(words);
  });

  it("run as a stopwatch", () => {
    expect([48, 763, 7391].map(stopwatch)).toEqual(["0:48", "12:43", "2:03:11"]);
  });
});

it.each([
  ["Արամ Սարգսյան", "ԱՍ"],
  ["გიორგი ლომიძე", "გლ"],
  ["+374 77 123456", "#"],
  ["aram@example.am", "AA"],
  ["", "#"],
])("finds the initials of %s", (name, expected) => {
  expect(initials(name)).toBe(expected);
});

it("bounds are written to the second", () => {
  expect([5, 60, 90, 300, 3_600].map((bound) => exactly(bound, "en"))).toEqual(["5 sec", "1 min", "1 min 30 sec", "5 min", "1 hr"]);
});

it("days without a time are named in the reader's language", () => {
  expect([weekdayName(0, "en", "long"), weekdayName(6, "en", "short")]).toEqual(["Monday", "Sun"]);
  expect([plainDate("2026-11-22", 2026, "en"), plainDate("2027-01-06", 2026, "en"), plainDate("soon", 2026, "en")]).toEqual(["Sun, Nov 22", "Wed, Jan 6, 2027", "soon"]);
});
