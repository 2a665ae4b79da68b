import { describe, expect, it } from "vitest";

import { linkify } from "./linkify";

const links = (text: string) => linkify(text).flatMap((piece) => (piece.kind === "link" ? [piece.text] : []));
const whole = (text: string) => linkify(text).map((piece) => piece.text).join("");

describe("linkify", () => {
  it.each([
    ["see https://shop.example/orders/88231.", ["https://shop.example/orders/88231"]],
    ["(https://shop.example/a_(b))", ["https://shop.example/a_(b)"]],
    ["«https://shop.example»։", ["https://shop.example"]],
    ["www.example.am, please", ["www.example.am"]],
    ["https://a.example?x=1&y=2#z and http://b.example/", ["https://a.example?x=1&y=2#z", "http://b.example/"]],
    ["mail aram@www.example.am", []],
    ["javascript:alert(1) ftp://a.example data:text/html,x", []],
    ["https://", []],
    ["https://nodots", []],
  ])("finds the links of %s", (text, expected) => {
    expect(links(text)).toEqual(expected);
  });

  it("loses no character and makes no markup", () => {
    const text = '<img src=x onerror=alert(1)> https://x.example/"><script>alert(1)</script>\nԲարև 🙂';
    expect(whole(text)).toBe(text);
    expect(links(text)).toEqual(["https://x.example/"]);
  });

  it("leads only to web addresses", () => {
    for (const piece of linkify("www.example.am HTTPS://EXAMPLE.AM/A")) {
      if (piece.kind === "link") expect(piece.href).toMatch(/^https:\/\//);
    }
  });

  it("is quick on a hostile text", () => {
    const started = performance.now();
    linkify("https://" + "(".repeat(20_000) + "www.".repeat(20_000));
    expect(performance.now() - started).toBeLessThan(500);
  });
});
