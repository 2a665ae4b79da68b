/* Making two cards one, and two again: what every screen that offers it does, and the word about it. */
import { defineStore } from "pinia";
import { ref } from "vue";
import { useRouter } from "vue-router";

import { api } from "./client";
import { useHub } from "./hub";
import { i18n } from "./i18n";
import { useToasts } from "./toasts";
import { useWords } from "./words";

type Merge = Parameters<typeof api.mergeCustomers>[1];

export const useMerging = defineStore("merging", () => {
  const { t } = i18n.global;
  const hub = useHub();
  const router = useRouter();
  const toasts = useToasts();
  const { customerName, attempt } = useWords();
  const busy = ref(false);

  async function merge(customerId: number, body: Merge): Promise<void> {
    const { merge: made, customer } = await api.mergeCustomers(customerId, body);
    hub.learn({ kind: "customer.changed", customer });
    await hub.refreshWatched();
    toasts.show(t("merge.done", { other: made.from_name, name: customerName(customer) }), "good", { label: t("common.undo"), run: () => void undo(made.id, made.from_name) }, UNDO_MS);
  }

  /** Two again. Where fields stay as they are because somebody has changed them since, that is said. */
  async function undo(mergeId: number, name: string): Promise<void> {
    if (busy.value) return;
    busy.value = true;
    const done = await attempt(() => api.undoMerge(mergeId));
    busy.value = false;
    if (!done) return;
    hub.learn({ kind: "customer.changed", customer: done.customer });
    hub.learn({ kind: "customer.changed", customer: done.other });
    await hub.refreshWatched();
    const look = { label: t("merge.look", { name }), run: () => void router.push({ name: "customers", params: { customerId: done.other.id } }) };
    toasts.show(done.kept.length ? t("merge.undone_kept", { name, fields: done.kept.map(fieldName).join(", ") }) : t("merge.undone", { name }), "good", look, UNDO_MS);
  }

  return { busy, merge, undo };
});

/** Long enough to look at what came of it. */
const UNDO_MS = 15_000;

/** What a field of the card is called. */
export function fieldName(field: string): string {
  const { t, te } = i18n.global;
  return te(`merge.field_${field}`) ? t(`merge.field_${field}`) : field.replaceAll("_", " ");
}
