/*
 * Splits a text of a stranger into words and links. It makes pieces, never markup: a component renders each as text or as <a>.
 *
 * Only http(s) addresses and bare www. hosts become links; closing punctuation and unpaired brackets stay outside. Linear in
 * the length of the text: each character is looked at by one pattern that does not back-track.
 */
export type Piece = { kind: "text"; text: string } | { kind: "link"; text: string; href: string };

const CANDIDATE = /(?:https?:\/\/|www\.)[^\s<>"'`]+/giu;
const CLOSING = new Set([".", ",", ";", ":", "!", "?", "…", "'", '"', "*", "_", "՝", "։", "՜", "՞", "»", "”"]);
const PAIRS: Record<string, string> = { ")": "(", "]": "[", "}": "{" };

export function linkify(text: string): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(CANDIDATE)) {
    const before = text[match.index - 1];
    if (before !== undefined && /[\p{L}\p{N}@/]/u.test(before)) continue;
    const address = trimmed(match[0]);
    const href = asHref(address);
    if (href === null) continue;
    if (match.index > end) pieces.push({ kind: "text", text: text.slice(end, match.index) });
    pieces.push({ kind: "link", text: address, href });
    end = match.index + address.length;
  }
  if (end < text.length) pieces.push({ kind: "text", text: text.slice(end) });
  return pieces;
}

function trimmed(candidate: string): string {
  let end = candidate.length;
  const balance: Record<string, number> = {};
  for (const character of candidate) balance[character] = (balance[character] ?? 0) + 1;
  while (end > 0) {
    const last = candidate[end - 1] as string;
    const opening = PAIRS[last];
    const unpaired = opening !== undefined && (balance[last] ?? 0) > (balance[opening] ?? 0);
    if (!unpaired && !CLOSING.has(last)) break;
    balance[last] = (balance[last] ?? 0) - 1;
    end -= 1;
  }
  return candidate.slice(0, end);
}

function asHref(address: string): string | null {
  try {
    const url = new URL(address.toLowerCase().startsWith("www.") ? `https://${address}` : address);
    const hasHost = url.hostname.includes(".") || url.hostname === "localhost";
    return hasHost && (url.protocol === "https:" || url.protocol === "http:") ? url.href : null;
  } catch {
    return null;
  }
}
