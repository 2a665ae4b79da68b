import { describe, expect, it } from "vitest";

import { type CalendarDraft, calendarFaults, daysAhead, draftedCalendar, furtherInterval, type Interval, parseClock, pastMidnight, type SpecialDay, tidyClock, weekBars, weekRuns, withDays, workWeek } from "./hours";

const draft = (changes: Partial<CalendarDraft> = {}): CalendarDraft => ({ ...draftedCalendar(null, "Asia/Yerevan"), name: "Office", week: workWeek(), ...changes });
const closed = (day: string, changes: Partial<SpecialDay> = {}): SpecialDay => ({ day, hours: [], name: "", source: "manual", ...changes });
const onMonday = (...hours: Interval[]) => [hours, [], [], [], [], [], []];

describe("a time", () => {
  it.each([
    ["9", 540], ["930", 570], ["9:30", 570], ["09.30", 570], ["18:00", 1080], ["26:00", 1560], ["48:00", 2880], [" 7 ", 420],
    ["48:01", null], ["9:60", null], ["noon", null], ["", null], ["-1", null], ["123456", null],
  ])("is read as it is meant: %s", (text, minutes) => {
    expect(parseClock(text)).toBe(minutes);
  });

  it("is written as the hub writes it, and left alone where it is none", () => {
    expect(["9", "930", "noon"].map(tidyClock)).toEqual(["09:00", "09:30", "noon"]);
  });

  it("past midnight is told as the next day's", () => {
    expect([pastMidnight(["22:00", "26:00"]), pastMidnight(["22:00", "24:00"]), pastMidnight(["22:00", "?"])]).toEqual(["02:00", null, null]);
  });
});

describe("the faults of a calendar", () => {
  it("are none where nothing is wrong", () => {
    expect(calendarFaults(draft({ special: [closed("2026-12-31"), closed("2027-01-01", { hours: [["10:00", "14:00"]] })] }))).toEqual({});
  });

  it.each([
    ["no time", onMonday(["nine", "18:00"]), { "week.monday.0": { word: "no_time" } }],
    ["another day", onMonday(["24:00", "26:00"]), { "week.monday.0": { word: "other_day" } }],
    ["an end before the start", onMonday(["22:00", "02:00"]), { "week.monday.0": { word: "ends_first" } }],
    ["an overlap, at the later one", onMonday(["13:00", "18:00"], ["09:00", "14:00"]), { "week.monday.0": { word: "overlaps", other: "09:00–14:00" } }],
    ["hours that touch are none", onMonday(["09:00", "13:00"], ["13:00", "18:00"]), {}],
    ["a night into the morning", [[["22:00", "26:00"]], [["01:00", "05:00"]], [], [], [], [], []], { "week.tuesday.0": { word: "overlaps_night", other: "02:00" } }],
    ["Sunday's night into Monday", [[["01:00", "05:00"]], [], [], [], [], [], [["22:00", "26:00"]]], { "week.monday.0": { word: "overlaps_night", other: "02:00" } }],
    ["a week that is never open", [[], [], [], [], [], [], []], { week: { word: "never_open" } }],
  ])("stand at their field: %s", (_, week, expected) => {
    expect(calendarFaults(draft({ week: week as CalendarDraft["week"] }))).toEqual(expected);
  });

  it("of special days stand at the day", () => {
    const special = [closed("2026-12-31"), closed("2026-12-31"), closed(""), closed("2027-01-01", { hours: [["14:00", "10:00"]] })];
    expect(calendarFaults(draft({ name: " ", special }))).toEqual({
      name: { word: "no_name" },
      "special.1.day": { word: "twice" },
      "special.2.day": { word: "no_date" },
      "special.3.hours.0": { word: "ends_first" },
    });
  });
});

describe("the picture of a week", () => {
  it("goes on in the morning where a night runs past midnight", () => {
    const bars = weekBars([[], [], [], [], [], [["18:00", "30:00"]], []]);
    expect(bars[5]).toEqual([{ from: 0.75, to: 1, isNight: false }]);
    expect(bars[6]).toEqual([{ from: 0, to: 0.25, isNight: true }]);
  });

  it("leaves out what cannot be read", () => {
    expect(weekBars(onMonday(["x", "18:00"]))[0]).toEqual([]);
  });

  it("is told in runs of days that are alike", () => {
    const week = workWeek();
    week[5] = [["10:00", "14:00"]];
    expect(weekRuns(week)).toEqual([
      { first: 0, last: 4, hours: [["09:00", "18:00"]] },
      { first: 5, last: 5, hours: [["10:00", "14:00"]] },
    ]);
  });
});

describe("the days to come", () => {
  it("are those of the week but for the special ones", () => {
    const special = [closed("2026-12-31", { name: "New Year's Eve" })];
    const days = daysAhead(draft({ special }), "2026-12-30", 4);
    expect(days.map((each) => [each.day, each.weekday, each.hours.length, each.special?.name])).toEqual([
      ["2026-12-30", 2, 1, undefined],
      ["2026-12-31", 3, 0, "New Year's Eve"],
      ["2027-01-01", 4, 1, undefined],
      ["2027-01-02", 5, 0, undefined],
    ]);
  });

  it("of a file are taken once, and never in place of what stands there", () => {
    const held = [closed("2027-01-01", { name: "Ours" })];
    const read = [closed("2027-01-06", { source: "ical" }), closed("2027-01-01", { source: "ical" }), closed("2027-01-06", { source: "ical" })];
    const { special, added } = withDays(held, read);
    expect([added, special.map((each) => [each.day, each.name])]).toEqual([1, [["2027-01-01", "Ours"], ["2027-01-06", ""]]]);
  });
});

it("further hours begin a while after the last, within the day", () => {
  expect([furtherInterval([]), furtherInterval([["09:00", "13:00"]]), furtherInterval([["09:00", "24:00"]])]).toEqual([
    ["09:00", "18:00"], ["14:00", "18:00"], ["23:00", "24:00"],
  ]);
});
