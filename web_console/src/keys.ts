/*
 * Single-key shortcuts of the page; a letter with Shift is one of its own (`shift+r`). They rest while somebody types, while a dialog or a menu is open, and with modifiers. One
 * that answers false has nothing to do now: the key is left to others, and to the browser.
 */
import { onScopeDispose } from "vue";

export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** What a pressed key is called in a table of shortcuts. Caps lock is no Shift, and what Shift makes of a sign is that sign. */
export function keyName(event: Pick<KeyboardEvent, "key" | "shiftKey">): string {
  if (event.key.length !== 1) return event.key;
  const isLetter = event.key.toLowerCase() !== event.key.toUpperCase();
  return `${isLetter && event.shiftKey ? "shift+" : ""}${event.key.toLowerCase()}`;
}

export function useKeys(keys: Record<string, (event: KeyboardEvent) => unknown>): void {
  function pressed(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector('[role="dialog"],[role="menu"]')) return;
    const run = keys[keyName(event)];
    if (run && run(event) !== false) event.preventDefault();
  }
  window.addEventListener("keydown", pressed);
  onScopeDispose(() => window.removeEventListener("keydown", pressed));
}
