/* What a piece of work takes of an agent's capacity, by kind of channel. Pure; the usual figures are the hub's (routing/engine.py). */
import type { ChannelKind } from "./events";

export const USUAL_WEIGHTS = { phone: 100, chat: 25, sms: 20, email: 10 } as const satisfies Partial<Record<ChannelKind, number>>;
export type WeighedKind = keyof typeof USUAL_WEIGHTS;
export const WEIGHED_KINDS = Object.keys(USUAL_WEIGHTS) as WeighedKind[];

export type Weights = Partial<Record<ChannelKind, number>>;

/** How many pieces of a kind an agent can hold at once; null: as many as come. */
export function atOnce(kind: WeighedKind, capacity: number, weights: Weights): number | null {
  const weight = weights[kind] ?? USUAL_WEIGHTS[kind];
  return weight === 0 ? null : Math.floor(capacity / weight);
}

/** With this kind's weight as it was typed; empty is as usual. */
export function withWeight(weights: Weights, kind: ChannelKind, text: string | number): Weights {
  const { [kind]: _before, ...others } = weights;
  return text === "" ? others : { ...others, [kind]: Number(text) };
}
