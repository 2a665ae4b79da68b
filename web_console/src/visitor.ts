/* A chat's visitor who has left the page: since when, in words, and by which other way they can be reached. Pure. */
import type { ConversationView, OfferView } from "./events";
import type { Way } from "./ways";

/** So long they have "just" left: seconds that tick say nothing more. */
const JUST_S = 60;

/** How long they have been away, in whole seconds; null while they are there. `isJust`: for so short a time that no number is told. */
export function awayFor(view: Pick<ConversationView | OfferView, "visitor_away_since">, now: number): { seconds: number; isJust: boolean } | null {
  if (!view.visitor_away_since) return null;
  // Clocks differ: nobody leaves in the future.
  const seconds = Math.max(0, Math.floor((now - Date.parse(view.visitor_away_since)) / 1_000));
  return { seconds, isJust: seconds < JUST_S };
}

/** The first way by which they can be written to or called instead; the best one stands first in `ways` (ways.ts). */
export function otherWay(ways: readonly Way[]): Way | null {
  const others = ways.filter((way) => way.kind !== "chat" && way.hindrance === null && way.point !== null && !way.bounced);
  // Words go where words were: a call only where nothing can be written.
  return others.find((way) => way.kind !== "phone") ?? others[0] ?? null;
}
