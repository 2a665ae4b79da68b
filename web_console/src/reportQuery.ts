/*
 * What a report asks, as it stands in the address: a link that is passed on shows the same report, and "last 7 days" stays the last seven.
 * What is not as usual is written, the rest is left out; what cannot be read is as usual. Pure.
 */
import type { LocationQuery, LocationQueryRaw } from "vue-router";

import { type Grain, GRAINS, grainFor, grainsFor, isDay, type PeriodName, PERIODS, type Span, spanOf } from "./periods";

export const DIMS = ["none", "agent", "team", "queue", "channel", "topic"] as const;
export type By = (typeof DIMS)[number];
/** What a report can be narrowed down by: only its queue, its channel … */
export const FILTERS = ["queue", "channel", "agent", "team", "topic"] as const;
export type FilterName = (typeof FILTERS)[number];

export interface ReportQuery {
  /** Which of the ready-made reports this began as; its name stands above. */
  report: string | null;
  measures: string[];
  period: PeriodName;
  /** Only where the period is custom. */
  custom: Span | null;
  grain: Exclude<Grain, "total"> | "auto";
  by: By;
  /** The keys whose lines are drawn; empty: those with most. */
  ids: string[];
  filters: Partial<Record<FilterName, string>>;
  compare: boolean;
  /** The measure that is drawn. */
  drawn: string | null;
  as: "trend" | "compare";
  /** Table by key or by time. */
  rows: "key" | "time";
  sort: string | null;
  ascending: boolean;
}

export const USUAL: ReportQuery = {
  report: null,
  measures: [],
  period: "last_7",
  custom: null,
  grain: "auto",
  by: "none",
  ids: [],
  filters: {},
  compare: true,
  drawn: null,
  as: "trend",
  rows: "key",
  sort: null,
  ascending: false,
};

const one = (value: LocationQuery[string] | undefined): string | null => {
  const first = Array.isArray(value) ? value[0] : value;
  return typeof first === "string" && first !== "" ? first : null;
};
const list = (value: LocationQuery[string] | undefined): string[] => [...new Set((one(value) ?? "").split(",").filter(Boolean))];
const among = <T extends string>(value: string | null, all: readonly T[], usual: T): T => all.find((each) => each === value) ?? usual;

export function readQuery(query: LocationQuery): ReportQuery {
  const [from, to] = [one(query["from"]), one(query["to"])];
  const custom = isDay(from) && isDay(to) && from <= to ? { from, to } : null;
  const period = among(one(query["period"]), PERIODS, custom ? "custom" : USUAL.period);
  const filters = Object.fromEntries(FILTERS.map((name) => [name, one(query[name])] as const).filter(([, value]) => value !== null)) as ReportQuery["filters"];
  return {
    report: one(query["report"]),
    measures: list(query["measures"]),
    period: period === "custom" && custom === null ? USUAL.period : period,
    custom: period === "custom" ? custom : null,
    grain: among(one(query["grain"]), ["auto", ...GRAINS.filter((grain) => grain !== "total")], USUAL.grain),
    by: among(one(query["by"]), DIMS, USUAL.by),
    ids: list(query["ids"]),
    filters,
    compare: one(query["compare"]) !== "none",
    drawn: one(query["chart"]),
    as: among(one(query["as"]), ["trend", "compare"] as const, USUAL.as),
    rows: among(one(query["rows"]), ["key", "time"] as const, USUAL.rows),
    sort: one(query["sort"])?.replace(/^-/, "") ?? null,
    ascending: one(query["sort"]) !== null && !(one(query["sort"]) ?? "").startsWith("-"),
  };
}

export function writeQuery(query: ReportQuery): LocationQueryRaw {
  return {
    ...(query.report === null ? {} : { report: query.report }),
    ...(query.measures.length ? { measures: query.measures.join(",") } : {}),
    ...(query.period === "custom" && query.custom ? { from: query.custom.from, to: query.custom.to } : query.period === USUAL.period ? {} : { period: query.period }),
    ...(query.grain === USUAL.grain ? {} : { grain: query.grain }),
    ...(query.by === USUAL.by ? {} : { by: query.by }),
    ...(query.ids.length ? { ids: query.ids.join(",") } : {}),
    ...query.filters,
    ...(query.compare ? {} : { compare: "none" }),
    ...(query.drawn === null ? {} : { chart: query.drawn }),
    ...(query.as === USUAL.as ? {} : { as: query.as }),
    ...(query.rows === USUAL.rows ? {} : { rows: query.rows }),
    ...(query.sort === null ? {} : { sort: `${query.ascending ? "" : "-"}${query.sort}` }),
  };
}

export function spanOfQuery(query: Pick<ReportQuery, "period" | "custom">, today: string): Span {
  if (query.period === "custom") return query.custom ?? spanOf("last_7", today);
  return spanOf(query.period, today);
}

/** The grain that is drawn: the chosen one where it suits the span, else what suits it best. */
export function grainOfQuery(query: Pick<ReportQuery, "grain">, span: Span): Exclude<Grain, "total"> {
  const { grain } = query;
  return grain !== "auto" && grainsFor(span).includes(grain) ? grain : grainFor(span);
}
