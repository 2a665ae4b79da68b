import { describe, expect, it } from "vitest";

import type { ShiftPiece } from "./events";
import { clockOf, frameOf, hoursOf, minutesOf, placeOf, seenOf, withDay, workOf } from "./shifts";

const piece = (starts: string, ends: string, activity: ShiftPiece["activity"] = "work"): ShiftPiece => ({ starts, ends, activity });

describe("a day's plan", () => {
  it("reads clocks up to the end of the next day", () => {
    expect(["09:30", "9:30", "26:00", "48:00", "48:01", "9", "09:60", ""].map(minutesOf)).toEqual([570, 570, 1560, 2880, null, null, null, null]);
    expect([0, 570, 1560].map(clockOf)).toEqual(["00:00", "09:30", "26:00"]);
  });

  it("cuts work by what lies on it, and everything by leave", () => {
    const day = [piece("09:00", "18:00"), piece("12:00", "13:00", "break"), piece("16:00", "24:00", "leave")];
    expect(seenOf(day).map((each) => [clockOf(each.starts), clockOf(each.ends), each.activity])).toEqual([
      ["09:00", "12:00", "work"],
      ["12:00", "13:00", "break"],
      ["13:00", "16:00", "work"],
      ["16:00", "24:00", "leave"],
    ]);
    expect(workOf(day)).toBe(360);
    expect(frameOf(day)).toEqual({ starts: 540, ends: 960 });
    expect(frameOf([piece("09:00", "18:00"), piece("00:00", "24:00", "leave")])).toBeNull();
  });

  it("leaves out what is not written to the end yet", () => {
    expect(seenOf([piece("09:00", ""), piece("18:00", "09:00")])).toEqual([]);
  });

  it("is drawn within the hours of its week", () => {
    expect(hoursOf([])).toEqual({ from: 480, to: 1080 });
    expect(hoursOf([[piece("08:30", "12:00")], [piece("22:00", "26:15")]])).toEqual({ from: 480, to: 1620 });
    expect(placeOf({ starts: 540, ends: 720 }, 480, 1080)).toEqual({ start: 10, width: 30 });
  });

  it("takes its place in a week that has none yet", () => {
    expect(withDay([], 2, [piece("09:00", "18:00")]).map((day) => day.length)).toEqual([0, 0, 1, 0, 0, 0, 0]);
  });
});
