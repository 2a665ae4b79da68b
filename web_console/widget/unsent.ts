/*
 * What the visitor has written and the hub has not acknowledged: kept in the page's localStorage, so that it survives a
 * reload and a lost network, in the order it was written. Several tabs share it; an item leaves by its client_id, and the
 * hub takes each client_id once, so a tab that repeats another's message does no harm.
 */
import type { Answers, Attachment } from "./protocol";

export interface Unsent {
  client_id: string;
  text: string;
  attachments: Attachment[];
  at: string;
  /** What was filled in before it. */
  form?: Answers;
  /** The hub refused it, in words; it stays until the visitor retries or removes it. */
  refused?: string;
}

/** After this an unsent message is no longer what the visitor meant to say. */
const KEPT_FOR_MS = 7 * 24 * 3600 * 1000;

export class UnsentQueue {
  private readonly key: string;
  private items: Unsent[];

  constructor(key: string) {
    this.key = key;
    const oldest = Date.now() - KEPT_FOR_MS;
    this.items = this.read().filter((item) => Date.parse(item.at) > oldest);
  }

  all(): readonly Unsent[] {
    return this.items;
  }

  add(item: Unsent): void {
    this.items = [...this.items, item];
    this.write([...this.read(), item]);
  }

  /** True if it was there. */
  remove(clientId: string): boolean {
    const before = this.items.length;
    this.items = this.items.filter((item) => item.client_id !== clientId);
    this.write(this.read().filter((item) => item.client_id !== clientId));
    return this.items.length < before;
  }

  find(clientId: string): Unsent | undefined {
    return this.items.find((item) => item.client_id === clientId);
  }

  refuse(clientId: string, words: string | null): void {
    const change = (item: Unsent): Unsent => {
      if (item.client_id !== clientId) return item;
      const { refused: _, ...open } = item;
      return words === null ? open : { ...open, refused: words };
    };
    this.items = this.items.map(change);
    this.write(this.read().map(change));
  }

  private read(): Unsent[] {
    const items = recall<unknown>(this.key);
    return Array.isArray(items) ? (items.filter(isUnsent) as Unsent[]) : [];
  }

  private write(items: readonly Unsent[]): void {
    remember(this.key, items.length ? items : null);
  }
}

function isUnsent(item: unknown): boolean {
  const it = item as Partial<Unsent> | null;
  return (
    typeof it?.client_id === "string" &&
    typeof it.text === "string" &&
    typeof it.at === "string" &&
    Array.isArray(it.attachments)
  );
}

type Store = "localStorage" | "sessionStorage";

/** The storage may be forbidden or full; then the widget forgets at reload, and works. */
export function recall<T>(key: string, store: Store = "localStorage"): T | null {
  try {
    return JSON.parse(window[store].getItem(key) ?? "null") as T | null;
  } catch {
    return null;
  }
}

export function remember(key: string, value: unknown, store: Store = "localStorage"): void {
  try {
    if (value === null) window[store].removeItem(key);
    else window[store].setItem(key, JSON.stringify(value));
  } catch {
    // Kept in memory only.
  }
}
