import { describe, expect, it } from "vitest";

import { parseBlocks, parseInline, picturesIn, withoutPicture } from "./markup";

describe("the signs of a mail's text", () => {
  it("are bold, italic, links and pictures", () => {
    expect(parseInline("**bold** and *italic*, [us](https://hub.test/a) ![p.png](attachment:7)")).toEqual([
      { kind: "bold", text: "bold" }, { kind: "text", text: " and " }, { kind: "italic", text: "italic" }, { kind: "text", text: ", " },
      { kind: "link", text: "us", href: "https://hub.test/a" }, { kind: "text", text: " " }, { kind: "picture", text: "p.png", attachmentId: 7 },
    ]);
  });

  it.each(["2 * 3 * 4", "a*b*c", "**", "* *", "[x](javascript:alert(1))", "![x](https://x.test/p.png)", "<b>no</b>"])("%j has none", (text) => {
    expect(parseInline(text)).toEqual([{ kind: "text", text }]);
  });

  it("make lists of lines that begin alike", () => {
    const blocks = parseBlocks("Hello\nthere\n- one\n- **two**\n1. first\n2) second\n\nbye");
    expect(blocks.map((block) => block.kind)).toEqual(["lines", "list", "numbers", "lines"]);
    expect(blocks[1]).toEqual({ kind: "list", items: [[{ kind: "text", text: "one" }], [{ kind: "bold", text: "two" }]] });
    expect(blocks[3]).toEqual({ kind: "lines", pieces: [{ kind: "text", text: "\nbye" }] });
  });

  it("set quoted lines and code apart", () => {
    expect(parseBlocks("Yes:\n> is it `4711`?\n> sure\nIt is.")).toEqual([
      { kind: "lines", pieces: [{ kind: "text", text: "Yes:" }] },
      { kind: "quote", pieces: [{ kind: "text", text: "is it " }, { kind: "code", text: "4711" }, { kind: "text", text: "?\nsure" }] },
      { kind: "lines", pieces: [{ kind: "text", text: "It is." }] },
    ]);
  });

  it("lose a picture whose file is taken away", () => {
    const text = "see\n![a](attachment:7)\nand ![b](attachment:71)";
    expect(picturesIn(text)).toEqual([7, 71]);
    expect(withoutPicture(text, 7)).toBe("see\nand ![b](attachment:71)");
  });

  it("cost no more than their length", () => {
    const started = performance.now();
    for (const sign of ["[", "**", "*a", "![", "[a](https://"]) parseInline(sign.repeat(20_000));
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
