/* Figures in the reader's language: how a value is written, and what its measure is called and means. The hub's own words stand where
   the catalogue has none. */
import { useI18n } from "vue-i18n";

import { figureText } from "./figureFormat";
import { exactly } from "./format";
import { useHub } from "./hub";
import { useMeasures } from "./measures";
import type { Unit } from "./figures";

/** What measures may be asked with; `days` is of first contact resolution and reopening, as the registry has it. */
export interface Bounds {
  threshold_s: number;
  short_s: number;
  days: number;
}
const USUAL_DAYS = 7;
const CONDITIONS = ["threshold_s", "days", "short_s"] as const;

export function useFigureWords() {
  const { t, te, locale } = useI18n();
  const hub = useHub();
  const measures = useMeasures();

  const valueText = (value: number | null | undefined, unit: Unit): string => figureText(value, unit, locale.value);

  const measureName = (id: string) => (te(`measure_name.${id}`) ? t(`measure_name.${id}`) : (measures.about(id)?.name ?? id));
  const formula = (id: string, chosen: Partial<Bounds> = {}) => (te(`measure.${id}`) ? t(`measure.${id}`, boundWords(chosen)) : (measures.about(id)?.formula ?? ""));

  /** As the organisation counts, unless something else is chosen. */
  function boundsOf(chosen: Partial<Bounds>): Bounds {
    const now = hub.state?.figureDefaults;
    return { threshold_s: chosen.threshold_s ?? now?.threshold_s ?? 20, short_s: chosen.short_s ?? now?.short_s ?? 5, days: chosen.days ?? USUAL_DAYS };
  }
  function boundWords(chosen: Partial<Bounds>): { threshold: string; short: string; days: number } {
    const { threshold_s, short_s, days } = boundsOf(chosen);
    return { threshold: exactly(threshold_s, locale.value), short: exactly(short_s, locale.value), days };
  }
  /** What a figure depends on beside what happened: "within 20 sec". The bound that matters most, for where there is little room. */
  function condition(id: string): string {
    const heeded = measures.of(id)?.params.map((each) => each.name) ?? [];
    const [first] = CONDITIONS.filter((name) => heeded.includes(name));
    return first === undefined ? "" : t(`measure_with.${first}`, boundWords({}));
  }
  const unitName = (unit: string) => (te(`measure_unit.${unit}`) ? t(`measure_unit.${unit}`) : unit);
  const clockName = (clock: string) => (te(`measure_clock.${clock}`) ? t(`measure_clock.${clock}`) : clock);
  /** Of one kind of fact, or of several with commas between. */
  const sourceName = (source: string) =>
    source
      .split(", ")
      .map((kind) => kind.replace(/^fact\./, ""))
      .map((noun) => (te(`fact.${noun}`) ? t(`fact.${noun}`) : noun))
      .join(", ");

  return { valueText, measureName, formula, condition, unitName, clockName, sourceName };
}
