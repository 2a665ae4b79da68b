/* Short words at the edge of the screen about what just happened, with at most one thing to do about it. */
import { defineStore } from "pinia";
import { ref } from "vue";

export interface Toast {
  id: number;
  text: string;
  tone: "plain" | "bad" | "good";
  action?: { label: string; run: () => void; keys?: string };
}

const STAYS_MS = { plain: 6_000, good: 3_500, bad: 9_000 };

export const useToasts = defineStore("toasts", () => {
  const items = ref<Toast[]>([]);
  let last = 0;

  function show(text: string, tone: Toast["tone"] = "plain", action?: Toast["action"], stays_ms = STAYS_MS[tone]): number {
    const id = ++last;
    items.value = [...items.value.slice(-3), action ? { id, text, tone, action } : { id, text, tone }];
    setTimeout(() => close(id), stays_ms);
    return id;
  }

  function close(id: number): void {
    items.value = items.value.filter((toast) => toast.id !== id);
  }

  return { items, show, close };
});
