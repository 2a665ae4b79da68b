/* What is behind an alert opens, at the very line it is about, and it counts as seen. */
import { useRouter } from "vue-router";

import type { AlertView, TaskView } from "./events";
import { useHub } from "./hub";
import { useOverlays } from "./overlays";
import { useWords } from "./words";

export function useOpenAlert() {
  const hub = useHub();
  const router = useRouter();
  const overlays = useOverlays();
  const { attempt } = useWords();

  return async (alert: AlertView, task: TaskView | null = null): Promise<void> => {
    overlays.closeAll();
    if (alert.seen_at === null) void attempt(() => hub.seeAlert(alert));
    const customerId = task?.customer_id ?? alert.data["customer_id"];
    if (alert.reason === "limit") await router.push({ name: "board" });
    else if (alert.reason === "webhook_off") await router.push({ name: "admin-webhook", params: { webhookId: String(alert.data["endpoint_id"]) } });
    else if (alert.conversation_id !== null) {
      const entry = alert.entry_id === null ? {} : { entry: String(alert.entry_id) };
      await router.push({ name: "conversations", params: { id: alert.conversation_id }, query: { list: "all", ...entry } });
    } else if (typeof customerId === "number") await router.push({ name: "customers", params: { customerId } });
  };
}
