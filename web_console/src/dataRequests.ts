/* What customers ask about their data, as words and colours. Who shows a list of them asks anew when the hub says that one moved on. */
import { watch } from "vue";
import { useI18n } from "vue-i18n";

import type { DataRequest } from "./events";
import { useHub } from "./hub";
import type { IconName } from "./ui/icons";

type Tone = "plain" | "accent" | "good" | "warn" | "bad";

export function useDataRequests() {
  const { t } = useI18n();

  function state(request: DataRequest): { tone: Tone; icon: IconName; words: string } {
    if (request.state === "open") return request.is_overdue ? { tone: "bad", icon: "alert", words: t("privacy.overdue") } : { tone: "accent", icon: "clock", words: t("privacy.state_open") };
    const looks = { erasing: { tone: "warn", icon: "refresh" }, done: { tone: "good", icon: "check" }, refused: { tone: "plain", icon: "octagon" }, withdrawn: { tone: "plain", icon: "close" } } as const;
    return { ...looks[request.state], words: t(`privacy.state_${request.state}`) };
  }

  return { state };
}

/** Calls `ask` whenever a request moved on, a customer was erased, or the screen was made anew after a break. */
export function whenRequestsChange(ask: () => void): void {
  const hub = useHub();
  watch(
    () => hub.arrivals,
    (events) => events.some((event) => event.kind === "data_request.changed" || event.kind === "customer.erased") && ask(),
  );
  watch(() => hub.snapshots, ask);
}
