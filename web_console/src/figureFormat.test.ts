import { describe, expect, it } from "vitest";

import { change, figureText, secondsStep, signed } from "./figureFormat";

describe("a figure", () => {
  it.each([
    [null, "count", "–"],
    [0, "count", "0"],
    [12345, "count", "12,345"],
    [0.8449, "share", "84.5%"],
    [245, "seconds", "4:05"],
    [3599.6, "seconds", "1 hr"],
    [4800, "seconds", "1 hr 20 min"],
    [100_000, "seconds", "27 hr 46 min"],
    [619_000, "seconds", "171 hr"],
    [-3, "seconds", "−0:03"],
    [4.256, "score", "4.26"],
  ] as const)("%s in %s is %s", (value, unit, text) => {
    expect(figureText(value, unit, "en")).toBe(text);
  });

  it("is written as the language does, Armenian too", () => {
    expect([figureText(12345, "count", "hy"), figureText(0.8449, "share", "hy")]).toEqual(["12\u00a0345", "84,5%"]);
    expect([figureText(100_000, "seconds", "hy"), figureText(619_000, "seconds", "hy")]).toEqual(["27 ժ 46 ր", "171 ժ"]);
  });
});

describe("a change", () => {
  it.each([
    [110, 100, "count", "+10%"],
    [103, 100, "seconds", "+3%"],
    [100.4, 100, "seconds", "+0.4%"],
    [0.825, 0.85, "share", "-2.5"],
    [100, 100, "count", "0%"],
    [-20, -10, "points", "-10"],
    [4.2, 4, "points", "+0.2"],
  ] as const)("from %d to %d in %s is told with its sign", (value, previous, unit, text) => {
    const moved = change(value, previous, unit);
    expect(moved && signed(moved.by, moved.in, "en")).toBe(text);
  });

  it.each([
    [1, 0, "count"],
    [null, 1, "seconds"],
    [1, null, "share"],
  ] as const)("from %s to %s in %s is not told", (value, previous, unit) => {
    expect(change(value, previous, unit)).toBeNull();
  });
});

it.each([
  [5, 1],
  [55, 10],
  [100, 30],
  [3000, 600],
  [20_000, 3_600],
  [9_000_000, 1_814_400],
])("an axis up to %d s has steps of %d s", (most, step) => {
  expect(secondsStep(most)).toBe(step);
});
