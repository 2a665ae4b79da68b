/*
 * The few signs an agent may write in a mail, taken apart for the eye: **bold**, *italic*, [words](https://…), pictures that
 * are in the text (![name](attachment:7)), `code`, lists and quoted lines. It makes values, never markup; a component renders each as its element.
 * Linear: every pattern looks a bounded way ahead.
 */
export type Inline =
  | { kind: "text" | "bold" | "italic" | "code"; text: string }
  | { kind: "link"; text: string; href: string }
  | { kind: "picture"; text: string; attachmentId: number };

export type Block = { kind: "lines" | "quote"; pieces: Inline[] } | { kind: "list" | "numbers"; items: Inline[][] };

const INLINE =
  /`([^`\n]{1,500})`|!\[([^\]\n]{0,200})\]\(attachment:(\d{1,12})\)|(?<!!)\[([^\]\n]{1,200})\]\((https?:\/\/[^\s)]{1,500})\)|\*\*(\S(?:[^*\n]{0,500}\S)?)\*\*|(?<![*\p{L}\p{N}])\*([^*\s](?:[^*\n]{0,500}[^*\s])?)\*(?![*\p{L}\p{N}])/gu;
const ITEM = /^\s{0,3}(?:[-*•]|(\d{1,3})[.)])\s+(\S.*)$/u;

export function parseInline(text: string): Inline[] {
  const pieces: Inline[] = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    const [whole, code, picture, attachmentId, link, href, bold, italic] = match;
    if (match.index > end) pieces.push({ kind: "text", text: text.slice(end, match.index) });
    if (code !== undefined) pieces.push({ kind: "code", text: code });
    else if (attachmentId !== undefined) pieces.push({ kind: "picture", text: picture ?? "", attachmentId: Number(attachmentId) });
    else if (href !== undefined) pieces.push({ kind: "link", text: link ?? href, href });
    else pieces.push(bold === undefined ? { kind: "italic", text: italic ?? "" } : { kind: "bold", text: bold });
    end = match.index + whole.length;
  }
  if (end < text.length) pieces.push({ kind: "text", text: text.slice(end) });
  return pieces;
}

export function parseBlocks(text: string): Block[] {
  const blocks: Block[] = [];
  let lines: string[] = [];
  let quoted = false;
  const flush = () => {
    if (lines.length > 0) blocks.push({ kind: quoted ? "quote" : "lines", pieces: parseInline(lines.join("\n")) });
    lines = [];
  };
  for (const line of text.split("\n")) {
    const item = ITEM.exec(line);
    if (!item) {
      const isQuote = line.startsWith(">");
      if (isQuote !== quoted) flush();
      quoted = isQuote;
      lines.push(isQuote ? line.replace(/^> ?/u, "") : line);
      continue;
    }
    flush();
    quoted = false;
    const kind = item[1] === undefined ? "list" : "numbers";
    const last = blocks.at(-1);
    if (last?.kind === kind) last.items.push(parseInline(item[2] ?? ""));
    else blocks.push({ kind, items: [parseInline(item[2] ?? "")] });
  }
  flush();
  return blocks;
}

/** The text without the picture of this file. */
export function withoutPicture(text: string, attachmentId: number): string {
  return text.replace(new RegExp(`!\\[[^\\]\\n]{0,200}\\]\\(attachment:${attachmentId}\\)\\n?`, "gu"), "");
}

export function picturesIn(text: string): number[] {
  return parseInline(text).flatMap((piece) => (piece.kind === "picture" ? [piece.attachmentId] : []));
}
