/* What is said of a chat's visitor who has left the page. */
import { useI18n } from "vue-i18n";

import type { ConversationView, OfferView } from "./events";
import { duration } from "./format";
import { awayFor } from "./visitor";

type Seen = Pick<ConversationView | OfferView, "visitor_away_since">;

export function useVisitorWords() {
  const { t, locale } = useI18n();

  /** "The visitor left the page 3 min ago."; empty while they are there. */
  function left(view: Seen, now: number): string {
    const away = awayFor(view, now);
    if (away === null) return "";
    return away.isJust ? t("visitor.left_now") : t("visitor.left", { time: duration(away.seconds, locale.value) });
  }

  /** The same in as few words as a mark has room for. */
  function leftShort(view: Seen, now: number): string {
    const away = awayFor(view, now);
    if (away === null) return "";
    return away.isJust ? t("visitor.mark_now") : t("visitor.mark", { time: duration(away.seconds, locale.value) });
  }

  return { left, leftShort };
}
