/* What the staffing pages draw and count. Pure: colours, words and formats are arguments. */
import { type ChartColours, withAlpha } from "./chartTheme";
import type { ChartOption } from "./echarts";
import type { ForecastInterval, StaffedFigures, WhatIf } from "./events";

const GRID = { left: 8, right: 16, top: 40, bottom: 8, outerBoundsMode: "same", outerBoundsContain: "axisLabel" } as const;
const LEGEND = { top: 0, left: 0, itemWidth: 26, itemHeight: 9 } as const;
/** A day has 96 points; from two days on a part can be chosen under the chart. */
const MANY_POINTS = 120;

const zoom = (points: number) => (points > MANY_POINTS ? { dataZoom: [{ type: "inside" as const, zoomOnMouseWheel: "ctrl" as const }, { type: "slider" as const, height: 22, bottom: 8, brushSelect: false, showDetail: false }] } : {});
const grid = (points: number) => (points > MANY_POINTS ? { ...GRID, bottom: 48 } : GRID);

/** What was foretold and what came. A quarter without either is a gap. */
export function contactsOption(intervals: readonly ForecastInterval[], labels: readonly string[], words: { forecast: string; actual: string }, colours: ChartColours): ChartOption {
  const [first, second] = colours.series as [string, string];
  return {
    grid: grid(intervals.length),
    legend: LEGEND,
    xAxis: { type: "category", data: [...labels] },
    yAxis: { type: "value", min: 0 },
    ...zoom(intervals.length),
    series: [
      { type: "bar", name: words.actual, data: intervals.map((each) => each.actual), itemStyle: { color: withAlpha(first, 0.55) }, barCategoryGap: "15%" },
      { type: "line", name: words.forecast, data: intervals.map((each) => each.forecast), connectNulls: false, showSymbol: false, symbol: "none", lineStyle: { type: "dashed", width: 2 }, itemStyle: { color: second } },
    ],
  };
}

/** Who is needed and who is planned, in steps: a quarter has one number. */
export function agentsOption(intervals: readonly ForecastInterval[], labels: readonly string[], words: { required: string; scheduled: string }, colours: ChartColours): ChartOption {
  const [first, , third] = colours.series as [string, string, string];
  return {
    grid: grid(intervals.length),
    legend: LEGEND,
    xAxis: { type: "category", boundaryGap: false, data: [...labels] },
    yAxis: { type: "value", min: 0, minInterval: 1 },
    ...zoom(intervals.length),
    series: [
      { type: "line", step: "end", name: words.scheduled, data: intervals.map((each) => Math.round(each.scheduled * 100) / 100), showSymbol: false, symbol: "none", areaStyle: { color: withAlpha(first, 0.14) }, itemStyle: { color: first } },
      { type: "line", step: "end", name: words.required, data: intervals.map((each) => each.required_scheduled), connectNulls: false, showSymbol: false, symbol: "none", lineStyle: { type: "dashed", width: 2 }, itemStyle: { color: third } },
    ],
  };
}

/** Service level and occupancy by the number of agents. */
export function tableOption(rows: readonly StaffedFigures[], words: { level: string; occupancy: string; abandonment: string; target: string }, target: number | null, colours: ChartColours): ChartOption {
  const [first, second, third] = colours.series as [string, string, string];
  const abandoned = rows.some((row) => row.abandonment > 0);
  return {
    grid: GRID,
    legend: LEGEND,
    xAxis: { type: "category", boundaryGap: false, data: rows.map((row) => String(row.agents)) },
    yAxis: { type: "value", min: 0, max: 1 },
    series: [
      {
        type: "line",
        name: words.level,
        data: rows.map((row) => row.service_level),
        symbol: "circle",
        itemStyle: { color: first },
        ...(target === null ? {} : { markLine: { silent: true, symbol: "none", lineStyle: { type: "dashed", width: 1.5, color: colours.good }, label: { formatter: words.target, position: "insideEndTop", color: colours.good, fontSize: 11 }, data: [{ yAxis: target }] } }),
      },
      { type: "line", name: words.occupancy, data: rows.map((row) => row.occupancy), symbol: "rect", lineStyle: { type: "dashed" }, itemStyle: { color: second } },
      ...(abandoned ? [{ type: "line" as const, name: words.abandonment, data: rows.map((row) => row.abandonment), symbol: "triangle", lineStyle: { type: "dotted" as const }, itemStyle: { color: third } }] : []),
    ],
  };
}

export interface Shortage {
  /** Quarters with fewer planned than needed. */
  quarters: number;
  /** Where most are missing; null: nowhere. */
  worst: ForecastInterval | null;
  /** How many are missing there, whole people. */
  missing: number;
}

/** Where fewer are planned than are needed. A part of a quarter does not stand for a person. */
export function shortageOf(intervals: readonly ForecastInterval[], now: number): Shortage {
  const ahead = intervals.filter((each) => Date.parse(each.start) + 900_000 > now);
  const short = ahead.filter((each) => each.required_scheduled !== null && each.required_scheduled - each.scheduled >= 0.5);
  const lack = (each: ForecastInterval) => (each.required_scheduled ?? 0) - each.scheduled;
  const worst = short.reduce<ForecastInterval | null>((most, each) => (most === null || lack(each) > lack(most) ? each : most), null);
  return { quarters: short.length, worst, missing: worst === null ? 0 : Math.ceil(lack(worst) - 1e-9) };
}

/** The calculator's fields, as they are typed: shares in percent; an empty field is null. */
export interface WhatIfForm {
  contacts: number | null;
  interval_s: number;
  aht_s: number;
  impatient: boolean;
  patience_s: number;
  concurrency: number | null;
  level: number | null;
  within_s: number | null;
  occupancy: number | null;
  shrinkage: number | null;
  agents: number | null;
}

const share = (percent: number | null) => (percent === null ? null : percent / 100);
/** What a number field holds; "" is nothing. */
export const numberOf = (value: string | number | null): number | null => (value === "" || value === null || Number.isNaN(Number(value)) ? null : Number(value));

export function whatIfBody(form: WhatIfForm): WhatIf {
  return {
    contacts: form.contacts ?? Number.NaN,
    interval_s: form.interval_s,
    aht_s: form.aht_s,
    patience_s: form.impatient ? form.patience_s : null,
    concurrency: form.concurrency ?? 1,
    service_level: share(form.level),
    within_s: form.within_s ?? 0,
    asa_s: null,
    abandonment: null,
    occupancy: share(form.occupancy),
    shrinkage: share(form.shrinkage) ?? 0,
    agents: form.agents,
  };
}
