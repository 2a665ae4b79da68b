import { describe, expect, it } from "vitest";

import type { ChartColours } from "./chartTheme";
import type { FigureRow, FigureValue } from "./events";
import { barsOption, trendOption, valueAxis } from "./reportCharts";
import { gapsOf, largest, NOTHING, sortedRows, trendOf } from "./reports";

const COLOURS: ChartColours = {
  series: ["#000001", "#000002", "#000003", "#000004", "#000005", "#000006", "#000007", "#000008"],
  ink: "#000010", quiet: "#000011", line: "#000012", lineStrong: "#000013", surface: "#000014", sunken: "#000015", accent: "#000016", good: "#000017", warn: "#000018", bad: "#000019", font: "sans",
};
const WORDS = { labels: ["Mon", "Tue", "Wed"], previous: "before", target: "Target 80%", gap: "no figures", soFar: "so far" };
// After all of them.
const LATER = "2026-12-01T00:00:00Z";

const figure = (value: number | null, n = 1, previous: number | null = null): FigureValue => ({ ...NOTHING, value, n, previous });
const row = (day: number, key: string | null, aht: FigureValue | null, is_gap = false): FigureRow => ({
  start: `2026-11-2${day}T00:00:00Z`, end: `2026-11-2${day + 1}T00:00:00Z`, key, name: key ?? "", is_gap, figures: aht === null ? {} : { aht },
});

describe("rows over time", () => {
  it("become one line for each key, in the order of time", () => {
    const trend = trendOf([row(2, "b", figure(3)), row(1, "a", figure(1)), row(2, "a", figure(2)), row(1, "b", figure(4))], "aht", "seconds", LATER);
    expect(trend.lines.map((line) => [line.key, line.figures.map((each) => each?.value)])).toEqual([["b", [4, 3]], ["a", [1, 2]]]);
  });

  it("keep a gap as a gap, and nothing of a count as nought", () => {
    const rows = [row(1, "a", figure(5)), row(2, "b", figure(1)), row(3, "a", figure(0, 0), true)];
    const values = (unit: string) => trendOf(rows, "aht", unit, LATER).lines.map((line) => line.figures.map((each) => each?.value ?? null));
    expect(values("count")).toEqual([[5, 0, null], [0, 1, null]]);
    expect(values("seconds")).toEqual([[5, null, null], [null, 1, null]]);
  });

  it("tell the runs of gaps", () => {
    expect(gapsOf([true, true, false, true].map((is_gap) => ({ is_gap })))).toEqual([[0, 1], [3, 3]]);
  });
});

describe("a table", () => {
  const rows = [row(1, "Bela", figure(2)), row(1, "Aram", figure(9)), row(1, "Zara", figure(null, 0))];
  it.each([
    [null, false, ["Aram", "Bela", "Zara"]],
    ["name", false, ["Zara", "Bela", "Aram"]],
    ["aht", false, ["Aram", "Bela", "Zara"]],
    ["aht", true, ["Bela", "Aram", "Zara"]],
  ] as const)("by %s (ascending: %s) has who has no value last", (by, ascending, names) => {
    expect(sortedRows(rows, by, ascending, "en").map((each) => each.name)).toEqual(names);
  });

  it("draws those with most cases when nobody chose", () => {
    expect(largest([row(1, "a", figure(1, 5)), row(1, "b", figure(1, 9)), row(1, "c", figure(null, 0)), row(1, null, figure(1, 99))], "aht", 2)).toEqual(["b", "a"]);
  });
});

describe("a trend", () => {
  const trend = trendOf([row(1, null, figure(0.9, 9, 0.8)), row(2, null, null, true), row(3, null, figure(0.7, 9, 0.6))], "aht", "share", LATER);
  const option = trendOption(trend, WORDS, { unit: "share", colours: COLOURS, target: 0.8 }, true);

  it("draws the period before beside it, the target across it and the gap as an area without a line", () => {
    expect(option.series).toMatchObject([
      { name: "", data: [0.9, null, 0.7], connectNulls: false, markLine: { data: [{ yAxis: 0.8 }] }, markArea: { data: [[{ name: "no figures", xAxis: 1 }, { xAxis: 1 }]] } },
      { name: "before", data: [0.8, null, 0.6], lineStyle: { type: "dashed" } },
    ]);
  });

  it("says that its last day goes on, and nothing of the days to come", () => {
    const today = trendOf([row(1, null, figure(9)), row(2, null, figure(3)), row(3, null, null, true)], "aht", "count", "2026-11-22T12:00:00Z");
    const series = trendOption(today, WORDS, { unit: "count", colours: COLOURS, target: null }, false).series;
    expect(series).toMatchObject([{ data: [9, 3, null], markArea: { data: [[{ name: "so far", xAxis: 0 }, { xAxis: 1 }]] } }]);
  });

  it("of several keys gives each line a colour, a sign and a stroke, and leaves the period before away", () => {
    const many = trendOption(trendOf([row(1, "a", figure(1)), row(1, "b", figure(2))], "aht", "count", LATER), WORDS, { unit: "count", colours: COLOURS, target: null }, true);
    expect(many.series).toMatchObject([
      { symbol: "circle", lineStyle: { type: "solid" }, itemStyle: { color: "#000001" } },
      { symbol: "rect", lineStyle: { type: "dashed" }, itemStyle: { color: "#000002" } },
    ]);
    expect(many.series).toHaveLength(2);
  });
});

it("bars stand beside those of the period before", () => {
  const option = barsOption([{ name: "Care", value: 61, previous: 90 }], { value: "AHT", previous: "before", target: "" }, { unit: "seconds", colours: COLOURS, target: null }, true);
  expect(option).toMatchObject({ xAxis: { interval: 15, max: 90 }, yAxis: { data: ["Care"] }, series: [{ data: [61] }, { data: [90] }] });
});

it.each([
  ["share", [0.2, 0.4], { type: "value", min: 0 }],
  ["share", [0.9], { type: "value", min: 0, max: 1 }],
  ["seconds", [125, null], { type: "value", min: 0, max: 150, interval: 30 }],
  ["count", [2], { type: "value", min: 0, interval: 1 }],
  ["count", [200], { type: "value", min: 0 }],
  ["score", [-20, 40], { type: "value" }],
])("the axis of %s for %j", (unit, values, axis) => {
  expect(valueAxis(unit, values)).toEqual(axis);
});
