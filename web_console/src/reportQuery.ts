/*
 * What a report asks, as it stands in the address: a link that is passed on shows the same report, and "last 7 days" stays the last seven.
 * Only what differs from the ready-made report it began as is written; what cannot be read is as there. Pure.
 */
import type { LocationQuery, LocationQueryRaw } from "vue-router";

import { type Grain, grainFor, grainsFor, isDay, type PeriodName, PERIODS, type Span, spanOf } from "./periods";

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

/** By which of these a measure cannot be told; null: by all of them. `dims`: by what it can be. */
export function notToldBy(dims: readonly string[] | undefined, by: By, within: readonly FilterName[]): By | null {
  if (dims === undefined) return null;
  return [by, ...within].find((dim) => dim !== "none" && !dims.includes(dim)) ?? null;
}

/** `base`: what is not written is as in it. */
export function readQuery(query: LocationQuery, base: ReportQuery = USUAL): ReportQuery {
  const [from, to] = [one(query["from"]), one(query["to"])];
  const custom = isDay(from) && isDay(to) && from <= to ? { from, to } : null;
  const period = custom ? "custom" : among(one(query["period"]), PERIODS, base.period);
  const chosen = FILTERS.map((name) => [name, one(query[name])] as const).filter(([, value]) => value !== null);
  const sort = one(query["sort"]);
  const [measures, ids] = [list(query["measures"]), list(query["ids"])];
  return {
    report: one(query["report"]),
    measures: measures.length ? measures : base.measures,
    period: period === "custom" && custom === null ? base.period : period,
    custom: custom ?? base.custom,
    grain: among(one(query["grain"]), ["auto", "interval", "day", "week", "month"] as const, base.grain),
    by: among(one(query["by"]), DIMS, base.by),
    ids,
    filters: Object.fromEntries(chosen) as ReportQuery["filters"],
    compare: among(one(query["compare"]), ["previous", "none"] as const, base.compare ? "previous" : "none") === "previous",
    drawn: one(query["chart"]) ?? base.drawn,
    as: among(one(query["as"]), ["trend", "compare"] as const, base.as),
    rows: among(one(query["rows"]), ["key", "time"] as const, base.rows),
    sort: sort?.replace(/^-/, "") ?? base.sort,
    ascending: sort === null ? base.ascending : !sort.startsWith("-"),
  };
}

export function writeQuery(query: ReportQuery, base: ReportQuery = USUAL): LocationQueryRaw {
  const sortOf = (each: ReportQuery) => (each.sort === null ? "" : `${each.ascending ? "" : "-"}${each.sort}`);
  const compareOf = (each: ReportQuery) => (each.compare ? "previous" : "none");
  const isCustom = query.period === "custom" && query.custom !== null;
  const written = {
    measures: [query.measures.join(","), base.measures.join(",")],
    period: isCustom ? [] : [query.period, base.period],
    grain: [query.grain, base.grain],
    by: [query.by, base.by],
    ids: [query.ids.join(","), ""],
    compare: [compareOf(query), compareOf(base)],
    chart: [query.drawn ?? "", base.drawn ?? ""],
    as: [query.as, base.as],
    rows: [query.rows, base.rows],
    sort: [sortOf(query), sortOf(base)],
  };
  return {
    ...(query.report === null ? {} : { report: query.report }),
    ...(isCustom ? { from: query.custom?.from, to: query.custom?.to } : {}),
    ...Object.fromEntries(Object.entries(written).filter(([, [own, usual]]) => own !== usual && own !== "").map(([name, [own]]) => [name, own])),
    ...query.filters,
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
