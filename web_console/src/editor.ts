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

/** `drafted`: the part of the view that is edited, a copy; of null, what a new thing begins with. */
export function useEditor<V extends { version: number }, D>(current: Readonly<Ref<V | null>>, drafted: (from: V | null) => D): Editor<V, D> {
  const draft = ref(drafted(current.value)) as Ref<D>;
  const saved = ref(JSON.stringify(draft.value));
  const seenVersion = ref(current.value?.version ?? null);
  const changedElsewhere = ref(false);
  const isChanged = computed(() => JSON.stringify(draft.value) !== saved.value);

  watch(current, (now) => {
    // What was saved here may come over the live line before the answer does; it is nobody else's.
    if (JSON.stringify(drafted(now)) === JSON.stringify(draft.value)) return isHeld(now);
    if (JSON.stringify(drafted(now)) !== saved.value) {
      if (!isChanged.value) return reset();
      // They are told, so what they save then replaces it.
      changedElsewhere.value = true;
    }
    seenVersion.value = now?.version ?? null;
  });

  function hold(view: V | null): void {
    draft.value = drafted(view);
    isHeld(view);
  }
  /** It has what stands here, which goes on standing. */
  function isHeld(view: V | null): void {
    saved.value = JSON.stringify(draft.value);
    seenVersion.value = view?.version ?? null;
    changedElsewhere.value = false;
  }
  const reset = () => hold(current.value);
  const taken = (view: V) => hold(view);

  return { draft, isChanged, changedElsewhere, seenVersion, reset, taken };
}
