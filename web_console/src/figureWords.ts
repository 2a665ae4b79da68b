/* Figures in the reader's language: how a value is written, and what its measure is called and means. The hub's own words stand where
   the catalogue has none. */
import { useI18n } from "vue-i18n";

import { figureTime, percent, plainNumber } from "./format";
import { useMeasures } from "./measures";
import type { Unit } from "./figures";

export function useFigureWords() {
  const { t, te, locale } = useI18n();
  const measures = useMeasures();

  /** An em dash where there is no case yet: nought is something else. */
  function valueText(value: number | null | undefined, unit: Unit): string {
    if (value === null || value === undefined) return "–";
    switch (unit) {
      case "seconds":
        return figureTime(value, locale.value);
      case "share":
        return percent(value, locale.value);
      case "count":
        return plainNumber(value, 0, locale.value);
      default:
        return plainNumber(value, 1, locale.value);
    }
  }

  const measureName = (id: string) => (te(`measure_name.${id}`) ? t(`measure_name.${id}`) : (measures.of(id)?.name ?? id));
  const formula = (id: string) => (te(`measure.${id}`) ? t(`measure.${id}`) : (measures.of(id)?.formula ?? ""));
  const unitName = (unit: string) => (te(`measure_unit.${unit}`) ? t(`measure_unit.${unit}`) : unit);
  const clockName = (clock: string) => (te(`measure_clock.${clock}`) ? t(`measure_clock.${clock}`) : clock);
  /** Of one kind of fact, or of several with commas between. */
  const sourceName = (source: string) =>
    source
      .split(", ")
      .map((kind) => kind.replace(/^fact\./, ""))
      .map((noun) => (te(`fact.${noun}`) ? t(`fact.${noun}`) : noun))
      .join(", ");

  return { valueText, measureName, formula, unitName, clockName, sourceName };
}
