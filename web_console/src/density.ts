/*
 * How close the rows of lists and tables stand. It goes with the person (the hub keeps it, with how they want to be told); the sheet
 * knows it by an attribute of the page (tokens.css), and a list that computes where its rows are by their height.
 */
import { computed, watch } from "vue";

import { useHub } from "./hub";

export type Density = "comfortable" | "compact";
export const DENSITIES: readonly Density[] = ["comfortable", "compact"];

/** The same as --row and --agent-row in tokens.css; px. */
const ROW_PX: Readonly<Record<Density, number>> = { comfortable: 74, compact: 56 };
const AGENT_ROW_PX: Readonly<Record<Density, number>> = { comfortable: 44, compact: 34 };

export function useDensity() {
  const hub = useHub();
  return computed<Density>(() => hub.state?.noticeRules.density ?? "comfortable");
}

/** Of a conversation in a list; px. */
export function useRowHeight() {
  const density = useDensity();
  return computed(() => ROW_PX[density.value]);
}

/** Of somebody on the board; px. */
export function useAgentRowHeight() {
  const density = useDensity();
  return computed(() => AGENT_ROW_PX[density.value]);
}

/** For as long as the page is there. */
export function showDensity(): void {
  const density = useDensity();
  watch(density, (now) => (document.documentElement.dataset["density"] = now), { immediate: true });
}
