/* What a call is, in words: where it is, how it ended, who did what in it. */
import { useI18n } from "vue-i18n";

import { isLive, isMissed, waited_s } from "./callStory";
import type { CallView, LegView } from "./events";
import { duration } from "./format";
import { useHub } from "./hub";
import { otherLeg } from "./phone";
import { readableNumber } from "./phoneNumbers";
import { useWords } from "./words";

export function useCallWords() {
  const { t, te, locale } = useI18n();
  const hub = useHub();
  const { agentName, queueName } = useWords();

  /** The number, "number withheld", or that it came from a page of ours. */
  function caller(call: Pick<CallView, "address" | "channel_id" | "customer_is_erased">): string {
    if (call.customer_is_erased) return "";
    if (call.address !== "") return readableNumber(call.address);
    return hub.state?.channels[call.channel_id]?.voice?.by_connect ? t("call.from_page") : t("call.withheld");
  }

  const title = (call: CallView) => t(isMissed(call) ? "call.missed" : call.end_reason === "voicemail" ? "call.voicemail" : `call.direction_${call.direction}`);

  /** Where a call is that goes on: "Talks with Ani", "Waits in Sales". */
  function state(call: CallView): string {
    switch (call.state) {
      case "queued":
        return call.queue_id === null ? t("call.state_queued_short") : t("call.state_queued", { queue: queueName(call.queue_id) });
      case "connecting":
      case "talking":
      case "held":
      case "wrap_up":
        return t(`call.state_${call.state}`, { who: agentName(call.agent_id) });
      case "consult":
        return t("call.state_consult", { who: agentName(call.agent_id), other: otherLeg(call)?.name ?? "" });
      default:
        return t(`call.state_${call.state}`);
    }
  }

  /** In a word or two, for a list. */
  const stateShort = (call: Pick<CallView, "state">) => t(`call.short_${call.state}`);

  /** How it ended, and after how long a wait. */
  function ending(call: CallView, now: number): string {
    if (isLive(call) && call.end_reason === null) return "";
    const key = `call.end_${call.direction}_${call.end_reason ?? "completed"}`;
    return te(key) ? t(key, { time: duration(waited_s(call, now) ?? 0, locale.value) }) : "";
  }

  function party(leg: Pick<LegView, "party" | "name" | "user_id" | "address">): string {
    if (leg.party === "customer") return leg.name;
    return leg.user_id === hub.user?.id ? t("timeline.you") : leg.name || readableNumber(leg.address);
  }

  return { caller, title, state, stateShort, ending, party };
}
