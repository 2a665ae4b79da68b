/*
 * A thing of the administration on a page of its own, while it is edited: what is typed, what was saved, and what somebody else did
 * to it meanwhile. A colleague's change comes in while nothing is being written here; else what is written here stands, and is
 * told of.
 */
import { computed, ref, type Ref, watch } from "vue";

export interface Editor<V, D> {
  draft: Ref<D>;
  isChanged: Readonly<Ref<boolean>>;
  changedElsewhere: Ref<boolean>;
  /** The newest version that has what was saved; what else changes about the thing is no conflict. */
  seenVersion: Readonly<Ref<number | null>>;
  reset: () => void;
  /** The hub took it, and this is what it made of it. */
  taken: (view: V) => void;
}

/**
 * `drafted`: the part of the view that is edited, a copy; of null, what a new thing begins with. `busy`: it is being saved as it stood
 * when that began; what is typed meanwhile is the next change.
 */
export function useEditor<V extends { version: number }, D>(current: Readonly<Ref<V | null>>, drafted: (from: V | null) => D, busy: Readonly<Ref<boolean>>): Editor<V, D> {
  const draft = ref(drafted(current.value)) as Ref<D>;
  const saved = ref(JSON.stringify(draft.value));
  const seenVersion = ref(current.value?.version ?? null);
  const changedElsewhere = ref(false);
  const isChanged = computed(() => JSON.stringify(draft.value) !== saved.value);

  /** What is on its way to the hub. */
  let sent: string | null = null;
  watch(
    busy,
    (isBusy) => {
      if (isBusy) sent = JSON.stringify(draft.value);
      // Whoever saved is told first.
      else setTimeout(() => (sent = busy.value ? sent : null));
    },
    { flush: "sync" },
  );

  watch(current, (now) => {
    // What was saved here may come over the live line before the answer does; it is nobody else's.
    const told = JSON.stringify(drafted(now));
    if (told === JSON.stringify(draft.value) || (busy.value && told === sent)) return settle(now);
    if (told !== saved.value) {
      if (!isChanged.value) return reset();
      // They are told, so what they save then replaces it.
      changedElsewhere.value = true;
    }
    seenVersion.value = now?.version ?? null;
  });

  function hold(view: V | null): void {
    draft.value = drafted(view);
    settle(view);
  }
  /** It is what was saved; what stands here goes on standing. */
  function settle(view: V | null): void {
    saved.value = JSON.stringify(drafted(view));
    seenVersion.value = view?.version ?? null;
    changedElsewhere.value = false;
  }
  const reset = () => hold(current.value);
  function taken(view: V): void {
    const isTypedOn = sent !== null && sent !== JSON.stringify(draft.value);
    // A new thing gets a page of its own.
    if (isTypedOn && current.value !== null) settle(view);
    else hold(view);
    sent = null;
  }

  return { draft, isChanged, changedElsewhere, seenVersion, reset, taken };
}
