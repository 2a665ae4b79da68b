/* Text of strangers as text: the only thing made of it is a link, and only to http and https. */

const LINK = /\b(?:https?:\/\/|www\.)[^\s<>"'`{}|\\^]+/gi;
/** Punctuation that belongs to the sentence around a link. */
const TRAILING = /[.,;:!?…։»)\]]+$/;

export interface Piece {
  text: string;
  href?: string;
}

/** The text cut into plain pieces and links; joined, the pieces are the text. */
export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(LINK)) {
    let shown = match[0];
    const tail = TRAILING.exec(shown)?.[0] ?? "";
    // A closing bracket stays when the link opened it, as in encyclopaedia addresses.
    if (tail && !(tail.startsWith(")") && shown.includes("("))) shown = shown.slice(0, -tail.length);
    const href = safeHref(shown);
    if (href === null) continue;
    if (match.index > at) found.push({ text: text.slice(at, match.index) });
    found.push({ text: shown, href });
    at = match.index + shown.length;
  }
  if (at < text.length) found.push({ text: text.slice(at) });
  return found;
}

function safeHref(shown: string): string | null {
  try {
    const url = new URL(/^www\./i.test(shown) ? `https://${shown}` : shown);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}

export function putText(into: HTMLElement, text: string): void {
  into.replaceChildren(
    ...pieces(text).map((piece) => {
      if (piece.href === undefined) return document.createTextNode(piece.text);
      const link = document.createElement("a");
      link.textContent = piece.text;
      link.href = piece.href;
      link.target = "_blank";
      link.rel = "noopener noreferrer nofollow ugc";
      return link;
    }),
  );
}
