/*
 * What can be done now with what is open, for the command palette. Whoever can do it offers it while it is on the screen, and
 * leaves out what would not be taken at this moment.
 */
import { onScopeDispose, shallowReactive } from "vue";

import type { IconName } from "./ui/icons";

export interface Deed {
  key: string;
  icon: IconName;
  text: string;
  /** The key that does the same, as the shortcuts write it. */
  keys?: string;
  run: () => void;
}

type Offer = () => readonly Deed[];
const offers = shallowReactive(new Set<Offer>());

/** Offers these for as long as the component is there. */
export function useDeeds(deeds: Offer): void {
  offers.add(deeds);
  onScopeDispose(() => offers.delete(deeds));
}

/** All that is offered now; what was on the screen first comes first. */
export const deedsNow = (): Deed[] => [...offers].flatMap((each) => each());
