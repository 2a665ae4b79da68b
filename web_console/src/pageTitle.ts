/* What stands on the browser's tab: work that rings, else how much is unread. */
import { computed, watch } from "vue";
import { useI18n } from "vue-i18n";

import { useHub } from "./hub";
import { useWords } from "./words";

/** More than this nobody counts. */
const MOST = 99;
export const counted = (count: number): string => (count > MOST ? `${MOST}+` : String(count));

export function usePageTitle(): void {
  const { t } = useI18n();
  const hub = useHub();
  const { customerName } = useWords();
  const title = computed(() => {
    const [first] = hub.myOffers;
    if (first) return t("offer.page_title", { name: customerName(first) }, hub.myOffers.length);
    return hub.alerts.length > 0 ? t("inbox.page_title", { count: counted(hub.alerts.length) }) : t("nav.page_title");
  });
  watch(title, (text) => (document.title = text), { immediate: true });
}
