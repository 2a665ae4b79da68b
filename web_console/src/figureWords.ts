/* Figures in the reader's language: how a value is written, and what its measure is called and means. The hub's own words stand where
   the catalogue has none. */
import { useI18n } from "vue-i18n";

import { figureText } from "./figureFormat";
import { useMeasures } from "./measures";
import type { Unit } from "./figures";

export function useFigureWords() {
  const { t, te, locale } = useI18n();
  const measures = useMeasures();

  const valueText = (value: number | null | undefined, unit: Unit): string => figureText(value, unit, locale.value);

  const measureName = (id: string) => (te(`measure_name.${id}`) ? t(`measure_name.${id}`) : (measures.about(id)?.name ?? id));
  const formula = (id: string) => (te(`measure.${id}`) ? t(`measure.${id}`) : (measures.about(id)?.formula ?? ""));
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
