/*
 * Taking back what was sent a moment ago: the hub holds it for as long as its author wants (Account), so closing the page loses
 * nothing. Here is the word about it, and the way back to where it was written.
 */
import { defineStore } from "pinia";
import { computed, watch } from "vue";
import { useRouter } from "vue-router";

import { ApiError, writingApi } from "./client";
import { keyOfCode } from "./codes";
import { useDrafts } from "./drafts";
import type { PlannedView } from "./events";
import { useHub } from "./hub";
import { i18n } from "./i18n";
import { useToasts } from "./toasts";

export const useUndo = defineStore("undo", () => {
  const { t, te } = i18n.global;
  const hub = useHub();
  const router = useRouter();
  const drafts = useDrafts();
  const toasts = useToasts();
  /** The word about each that is held. */
  const told = new Map<number, number>();

  /** One's own, the newest last. */
  const held = computed<PlannedView[]>(() =>
    Object.values(hub.state?.planned ?? {})
      .filter((each) => each.is_held && each.state === "waiting" && each.author_id === hub.user?.id)
      .toSorted((a, b) => a.id - b.id),
  );

  function tell(planned: PlannedView): void {
    if (told.has(planned.id)) return;
    const left_ms = Math.max(1_000, Date.parse(planned.send_at) - Date.now() - hub.skew_ms);
    const action = { label: t("common.undo"), keys: "Z", run: () => void undo(planned.id) };
    told.set(planned.id, toasts.show(t(planned.mail ? "outgoing.held" : "writing.held"), "plain", action, left_ms));
  }

  /** The newest, if none is named. */
  async function undo(id = held.value.at(-1)?.id): Promise<void> {
    const planned = held.value.find((each) => each.id === id);
    if (planned && (await takeBack(planned))) void router.push({ name: "conversations", params: { id: planned.conversation_id }, query: router.currentRoute.value.query });
  }

  /** Its words go back into the field. */
  async function takeBack(planned: PlannedView): Promise<boolean> {
    try {
      await drafts.flush(planned.conversation_id);
      const { planned: cancelled, draft } = await writingApi.cancel(planned.id, { gives_back: true, writer: drafts.writer });
      hub.learn({ kind: "planned.changed", planned: cancelled });
      if (draft) drafts.given(draft);
      return true;
    } catch (error) {
      const code = error instanceof ApiError ? error.code : "unreachable";
      toasts.show(t(keyOfCode(code, te) ?? "error.unexpected"), "bad");
      return false;
    }
  }

  // Sent before its time, or taken back elsewhere: then there is nothing to undo any more.
  watch(
    () => held.value.map((each) => each.id),
    (ids) => {
      held.value.forEach(tell);
      for (const [id, toast] of told) {
        if (ids.includes(id)) continue;
        toasts.close(toast);
        told.delete(id);
      }
    },
  );

  return { held, undo, takeBack };
});
