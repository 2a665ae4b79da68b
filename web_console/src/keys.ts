/*
 * Single-key shortcuts of the page. They rest while somebody types, while a dialog or a menu is open, and with modifiers. One
 * that answers false has nothing to do now: the key is left to others, and to the browser.
 */
import { onScopeDispose } from "vue";

export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

export function useKeys(keys: Record<string, (event: KeyboardEvent) => unknown>): void {
  function pressed(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector('[role="dialog"],[role="menu"]')) return;
    const run = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (run && run(event) !== false) event.preventDefault();
  }
  window.addEventListener("keydown", pressed);
  onScopeDispose(() => window.removeEventListener("keydown", pressed));
}
