/*
 * One report, loaded: the figure of the whole, those of each key, and the lines of the keys that are drawn. The three are one picture:
 * they are shown together or not at all, and an answer that was overtaken by a newer question is thrown away.
 */
import { computed, onScopeDispose, type Ref, ref, shallowRef, watch } from "vue";

import { ApiError, reportsApi, Unreachable } from "./client";
import type { FigureReport } from "./events";
import type { Grain, Span } from "./periods";
import type { ReportQuery } from "./reportQuery";
import { keyText, largest } from "./reports";
import { useWords } from "./words";

/** A line more and nobody tells them apart. */
export const MOST_LINES = 8;
/** A report of today moves; as often as this it is asked for again while somebody looks at it. */
const RENEW_MS = 60_000;

export interface ReportAsked {
  measures: readonly string[];
  span: Span;
  grain: Exclude<Grain, "total">;
  by: ReportQuery["by"];
  ids: readonly string[];
  filters: ReportQuery["filters"];
  compare: boolean;
  /** On which day the time begins that is compared with; null: as many days just before. */
  before: string | null;
  drawn: string;
  /** Whose alone: what an agent may ask are their own figures. */
  only: number | null;
  /** It goes on: its last day is today. */
  goesOn: boolean;
}

/** The address's parameters of one question to the hub. */
export function figuresAsked(asked: ReportAsked, part: { grain: Grain; by: ReportQuery["by"]; ids?: readonly string[] }): Record<string, string> {
  return {
    measures: asked.measures.join(","),
    from: asked.span.from,
    to: asked.span.to,
    grain: part.grain,
    ...(asked.only !== null ? { by: "agent", ids: String(asked.only) } : part.by === "none" ? {} : { by: part.by, ...(part.ids?.length ? { ids: part.ids.join(",") } : {}) }),
    ...(asked.only !== null ? {} : asked.filters),
    ...(asked.compare ? { compare: "previous", ...(asked.before === null ? {} : { before: asked.before }) } : {}),
  };
}

export interface ReportShown {
  asked: ReportAsked;
  totals: FigureReport;
  /** None where the report is not broken down. */
  keys: FigureReport | null;
  series: FigureReport;
  /** The keys that have a line. */
  lines: readonly string[];
}

export function useReport(asked: Readonly<Ref<ReportAsked | null>>) {
  const { failure } = useWords();
  const shown = shallowRef<ReportShown | null>(null);
  const loading = ref(false);
  /** What the hub says about the question, field by field; else one sentence. */
  const wrong = ref("");
  const fields = ref<Record<string, string>>({});
  const isTooLarge = ref(false);
  const offline = ref(false);
  let number = 0;

  async function load(): Promise<void> {
    const what = asked.value;
    if (!what || what.measures.length === 0) return;
    const own = ++number;
    loading.value = true;
    try {
      const next = await askAll(what);
      if (own !== number) return;
      shown.value = next;
      wrong.value = "";
      fields.value = {};
      offline.value = false;
    } catch (error) {
      if (own !== number) return;
      offline.value = error instanceof Unreachable;
      isTooLarge.value = error instanceof ApiError && error.code === "report_too_large";
      fields.value = error instanceof ApiError ? error.fields : {};
      wrong.value = failure(error);
      // Off the line the last figures stay and say how old they are; those of another question may not stand under the new one.
      if (!offline.value) shown.value = null;
    } finally {
      if (own === number) loading.value = false;
    }
  }

  watch(() => JSON.stringify(asked.value), load, { immediate: true });

  function renew(): void {
    if (asked.value?.goesOn && document.visibilityState === "visible" && !loading.value && Object.keys(fields.value).length === 0) void load();
  }
  const timer = setInterval(renew, RENEW_MS);
  window.addEventListener("online", renew);
  onScopeDispose(() => {
    clearInterval(timer);
    window.removeEventListener("online", renew);
    number += 1;
  });

  const isStale = computed(() => shown.value !== null && JSON.stringify(shown.value.asked) !== JSON.stringify(asked.value));
  return { shown, loading, wrong, fields, isTooLarge, offline, isStale, load };
}

async function askAll(asked: ReportAsked): Promise<ReportShown> {
  const ask = (part: Parameters<typeof figuresAsked>[1]) => reportsApi.figures(figuresAsked(asked, part));
  if (asked.by === "none" || asked.only !== null) {
    const [totals, series] = await Promise.all([ask({ grain: "total", by: "none" }), ask({ grain: asked.grain, by: "none" })]);
    return { asked, totals, keys: null, series, lines: [] };
  }
  const [totals, keys] = await Promise.all([ask({ grain: "total", by: "none" }), ask({ grain: "total", by: asked.by })]);
  const known = new Set(keys.rows.map((row) => keyText(row.key)));
  const chosen = asked.ids.filter((id) => known.has(id)).slice(0, MOST_LINES);
  const lines = chosen.length ? chosen : largest(keys.rows, asked.drawn, MOST_LINES);
  const series = lines.length ? await ask({ grain: asked.grain, by: asked.by, ids: lines }) : { ...keys, grain: asked.grain, rows: [] };
  return { asked, totals, keys, series, lines };
}
