/*
 * The rows of a long list that are in sight. All are equally tall, so which those are is arithmetic: a list of 50,000 costs what
 * some twenty rows cost, however it changes.
 */
import { computed, nextTick, onScopeDispose, ref, type Ref, watch } from "vue";

// Beyond the edges, so that a turn of the wheel finds rows there already.
const OVER = 6;

export interface Span {
  /** The first row that is drawn, and the first one after them. */
  readonly from: number;
  readonly to: number;
}

/** Pure. All in px but `count`. */
export function spanOf(top: number, height: number, row: number, count: number): Span {
  const from = Math.min(count, Math.max(0, Math.floor(top / row) - OVER));
  return { from, to: Math.min(count, Math.max(from, Math.ceil((top + height) / row) + OVER)) };
}

/** A list that is drawn whole: what is looked at stays where it is while `rows` come and go above it. At its top the list flows. */
export function useHeldRows(scroller: Readonly<Ref<HTMLElement | null>>, rows: () => unknown): void {
  watch(rows, async () => {
    const element = scroller.value;
    if (!element || element.scrollTop < 1) return;
    const frame = element.getBoundingClientRect();
    const seen = [...element.querySelectorAll<HTMLElement>("[data-conversation-id]")].flatMap((row) => {
      const { top, bottom } = row.getBoundingClientRect();
      return bottom > frame.top && top < frame.bottom ? [{ id: row.dataset["conversationId"] ?? "", top }] : [];
    });
    await nextTick();
    const moved = seen.flatMap(({ id, top }) => {
      const row = element.querySelector(`[data-conversation-id="${id}"]`);
      return row ? [row.getBoundingClientRect().top - top] : [];
    });
    // One that moves by itself is far from what the others say.
    element.scrollTop += moved.toSorted((a, b) => a - b)[moved.length >> 1] ?? 0;
  });
}

export function useRowWindow(scroller: Readonly<Ref<HTMLElement | null>>, count: () => number, row_px: () => number) {
  /** How far it is scrolled, and how tall its frame is; px. */
  const top = ref(0);
  const height = ref(0);
  const span = computed<Span>((before) => {
    const now = spanOf(top.value, height.value, row_px(), count());
    return before && before.from === now.from && before.to === now.to ? before : now;
  });

  const resized = new ResizeObserver(() => (height.value = scroller.value?.clientHeight ?? 0));
  watch(scroller, (element, before) => {
    if (before) resized.unobserve(before);
    if (element) resized.observe(element);
    height.value = element?.clientHeight ?? 0;
    top.value = element?.scrollTop ?? 0;
  });
  onScopeDispose(() => resized.disconnect());

  const scrolled = () => void (top.value = scroller.value?.scrollTop ?? 0);

  /** Rows came (or, below 0, went) above what is looked at: it stays where it is on the screen, as far as there is room to scroll. */
  async function shift(rows: number): Promise<void> {
    const by = rows * row_px();
    top.value = Math.max(0, top.value + by);
    await nextTick();
    // By so much, not to there: whoever scrolls at this moment goes on.
    if (scroller.value) scroller.value.scrollTop += by;
    scrolled();
  }

  /** As little as brings the whole row into sight. */
  function show(index: number): void {
    const element = scroller.value;
    if (!element || index < 0) return;
    const begins = index * row_px();
    if (begins < element.scrollTop) element.scrollTop = begins;
    else if (begins + row_px() > element.scrollTop + element.clientHeight) element.scrollTop = begins + row_px() - element.clientHeight;
    scrolled();
  }

  return { top, height, span, scrolled, shift, show };
}
