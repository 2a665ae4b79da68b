/*
 * Has the hub been given a newer console since this page was loaded? The page's own script is named after its content, so another name
 * in the hub's answer is another version. For pages that nobody reloads by hand.
 */
const SCRIPT = /<script[^>]*\ssrc="([^"]+)"/;

/** The name of the page's script in its HTML; null: this is no page of ours (a proxy's error, say). */
export function scriptOf(html: string): string | null {
  return SCRIPT.exec(html)?.[1] ?? null;
}

/** False as well when the hub cannot be asked: a page is only left for one that is there. */
export async function isOutdated(): Promise<boolean> {
  const mine = document.querySelector<HTMLScriptElement>("script[src]")?.getAttribute("src") ?? null;
  try {
    const answer = await fetch("/", { cache: "no-store", credentials: "same-origin" });
    const theirs = answer.ok ? scriptOf(await answer.text()) : null;
    return mine !== null && theirs !== null && mine !== theirs;
  } catch {
    return false;
  }
}
