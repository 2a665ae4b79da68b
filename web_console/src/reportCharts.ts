/* What a report draws, as options of ECharts. Pure: colours, words and formats are arguments. */
import { type ChartColours, SIGNS, STROKES, withAlpha } from "./chartTheme";
import type { ChartOption, LineSeriesOption } from "./echarts";
import { secondsStep } from "./figureFormat";
import { gapsOf, type Trend } from "./reports";

export interface TrendWords {
  /** The name of each bucket, as the axis has room for it. */
  labels: readonly string[];
  previous: string;
  target: string;
  gap: string;
  /** Of the piece of time that goes on. */
  soFar: string;
}

export interface Drawn {
  unit: string;
  colours: ChartColours;
  /** Where the figure should be; null: nowhere in particular. */
  target: number | null;
}

type ValueAxis = { type: "value"; min?: number; max?: number; interval?: number; scale?: boolean };

/** Shares reach up to one where they come near it; seconds have ticks that people count in. All begin at nought, but scores. */
export function valueAxis(unit: string, values: readonly (number | null)[]): ValueAxis {
  const known = values.filter((value): value is number => value !== null);
  const most = Math.max(0, ...known);
  const least = Math.min(0, ...known);
  if (unit === "share") return { type: "value", min: 0, ...(most > 0.5 && most <= 1 ? { max: 1 } : {}) };
  if (unit === "seconds" && most > 0) {
    const step = secondsStep(most);
    return { type: "value", min: 0, max: Math.ceil(most / step) * step, interval: step };
  }
  return unit === "count" ? { type: "value", min: 0, ...(most < 5 ? { interval: 1 } : {}) } : { type: "value", ...(least < 0 ? {} : { min: 0 }) };
}

function targetLine({ colours, target }: Drawn, words: string, along: "xAxis" | "yAxis") {
  if (target === null) return {};
  return {
    markLine: {
      silent: true,
      symbol: "none",
      lineStyle: { type: "dashed" as const, width: 1.5, color: colours.good },
      label: { formatter: words, position: along === "yAxis" ? ("insideEndTop" as const) : ("end" as const), color: colours.good, fontSize: 11 },
      data: [along === "yAxis" ? { yAxis: target } : { xAxis: target }],
    },
  };
}

const GRID = { left: 8, right: 16, top: 24, bottom: 8, outerBoundsMode: "same", outerBoundsContain: "axisLabel" } as const;
/** More points than these and their signs touch each other; then only the one that is pointed at has its sign. */
const MOST_SIGNS = 60;
/** From here on a part of the time can be chosen under the chart. */
const MANY_POINTS = 120;

/** Where nothing is known, and where what there is so far leads to: neither is a fall of the figures. */
function areasOf(trend: Trend, words: TrendWords, colours: ChartColours) {
  const gaps = gapsOf(trend.buckets.map((bucket) => ({ is_gap: bucket.is_gap && !bucket.isToCome })));
  const open = trend.buckets.findIndex((bucket) => bucket.isOpen);
  // Of many points the last one is as good as over.
  const isDrawn = open > 0 && trend.buckets.length <= MOST_SIGNS;
  const label = { color: colours.quiet, fontSize: 11, position: "insideTop" as const };
  return [
    ...gaps.map(([first, last]) => [{ name: words.gap, xAxis: first, label }, { xAxis: last }]),
    ...(isDrawn ? [[{ name: words.soFar, xAxis: open - 1, label }, { xAxis: open }]] : []),
  ];
}

/** Lines over time. With one line the period before is drawn beside it, in the same colour, quieter and dashed. */
export function trendOption(trend: Trend, words: TrendWords, drawn: Drawn, withPrevious: boolean): ChartOption {
  const { colours } = drawn;
  const only = trend.lines.length === 1;
  const areas = areasOf(trend, words, colours);
  const showSymbol = trend.buckets.length <= MOST_SIGNS;
  const lines: LineSeriesOption[] = trend.lines.map((line, place) => ({
    type: "line",
    name: line.name,
    data: line.figures.map((figure) => figure?.value ?? null),
    connectNulls: false,
    showSymbol,
    symbol: SIGNS[place % SIGNS.length] as string,
    lineStyle: { type: (only ? "solid" : STROKES[place % STROKES.length]) as "solid" },
    itemStyle: { color: colours.series[place % colours.series.length] as string },
    emphasis: { focus: "series" },
    ...(only ? { areaStyle: { color: withAlpha(colours.series[0] as string, 0.08) } } : {}),
    ...(place === 0 ? targetLine(drawn, words.target, "yAxis") : {}),
    ...(place === 0 && areas.length > 0 ? { markArea: { silent: true, itemStyle: { color: withAlpha(colours.quiet, 0.1) }, data: areas as [{ xAxis: number }, { xAxis: number }][] } } : {}),
  }));
  const first = trend.lines[0];
  if (only && first && withPrevious) {
    lines.push({
      type: "line",
      name: words.previous,
      data: first.figures.map((figure) => figure?.previous ?? null),
      connectNulls: false,
      showSymbol: false,
      symbol: "none",
      lineStyle: { type: "dashed", width: 1.5 },
      itemStyle: { color: colours.quiet },
    });
  }
  const values = lines.flatMap((line) => line.data as (number | null)[]);
  const zooms = trend.buckets.length > MANY_POINTS;
  const hasLegend = lines.length > 1;
  return {
    grid: { ...GRID, top: hasLegend ? 40 : GRID.top, bottom: zooms ? 48 : GRID.bottom },
    ...(hasLegend ? { legend: { type: "scroll", top: 0, left: 0, itemWidth: 26, itemHeight: 9 } } : {}),
    xAxis: { type: "category", boundaryGap: false, data: [...words.labels] },
    yAxis: valueAxis(drawn.unit, drawn.target === null ? values : [...values, drawn.target]),
    ...(zooms ? { dataZoom: [{ type: "inside", zoomOnMouseWheel: "ctrl" }, { type: "slider", height: 22, bottom: 8, brushSelect: false, showDetail: false }] } : {}),
    series: lines,
  };
}

export interface Bar {
  name: string;
  value: number | null;
  previous: number | null;
}

/** One bar for each key, the first on top. */
export function barsOption(bars: readonly Bar[], words: { value: string; previous: string; target: string }, drawn: Drawn, withPrevious: boolean): ChartOption {
  const { colours } = drawn;
  const values = bars.flatMap((bar) => (withPrevious ? [bar.value, bar.previous] : [bar.value]));
  return {
    grid: { ...GRID, top: withPrevious ? 36 : 12, right: 56 },
    ...(withPrevious ? { legend: { top: 0, left: 0, itemWidth: 12, itemHeight: 9 } } : {}),
    tooltip: { axisPointer: { type: "shadow" } },
    xAxis: valueAxis(drawn.unit, drawn.target === null ? values : [...values, drawn.target]),
    yAxis: { type: "category", inverse: true, data: bars.map((bar) => bar.name), axisLabel: { width: 140, overflow: "truncate", hideOverlap: false, interval: 0 } },
    series: [
      {
        type: "bar",
        name: words.value,
        data: bars.map((bar) => bar.value),
        barMaxWidth: 20,
        itemStyle: { color: colours.series[0] as string, borderRadius: [0, 3, 3, 0] },
        ...targetLine(drawn, words.target, "xAxis"),
      },
      ...(withPrevious
        ? [
            {
              type: "bar" as const,
              name: words.previous,
              data: bars.map((bar) => bar.previous),
              barMaxWidth: 20,
              barGap: "10%",
              itemStyle: { color: withAlpha(colours.quiet, 0.35), borderRadius: [0, 3, 3, 0] },
            },
          ]
        : []),
    ],
  };
}

/** How high a chart of so many bars must be to be read. */
export const barsHeight = (bars: number, withPrevious: boolean) => Math.max(160, 60 + bars * (withPrevious ? 44 : 30));
