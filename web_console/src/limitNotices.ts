/* Supervisors are told once when a figure goes beyond its limit, and once when it is well again, wherever in the console they are. */
import { computed, watch } from "vue";
import { useI18n } from "vue-i18n";

import { useHub } from "./hub";
import type { KpiAlertView } from "./events";
import { useLimitWords } from "./limitWords";
import { router } from "./router";
import { useTelling } from "./telling";
import { useToasts } from "./toasts";

export function useLimitNotices(): void {
  const { t } = useI18n();
  const hub = useHub();
  const toasts = useToasts();
  const telling = useTelling();
  const { headline, detail, healedText } = useLimitWords();
  const show = () => void router.push("/board");

  // Null until the hub has told: what stands when the page opens was told before.
  const standing = computed<ReadonlyMap<number, KpiAlertView> | null>(() => (hub.state ? new Map(Object.values(hub.state.kpiAlerts).map((alert) => [alert.id, alert])) : null));
  watch(standing, (after, before) => {
    if (!after || !before) return;
    for (const alert of after.values()) {
      if (before.has(alert.id)) continue;
      toasts.show(headline(alert), "bad", { label: t("nav.board"), run: show });
      telling.notify("alert", `limit-${alert.id}`, headline(alert), detail(alert), show);
    }
    for (const alert of before.values()) if (!after.has(alert.id)) toasts.show(healedText(alert), "good");
  });
}
