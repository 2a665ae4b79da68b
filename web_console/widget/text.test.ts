import { describe, expect, it } from "vitest";

import { pieces } from "./text";
import { chooseLanguage, wordsOf } from "./words";

describe("text of strangers", () => {
  it.each([
    ["plain <b>text</b>", []],
    ["see https://a.example/x.", ["https://a.example/x"]],
    ["(https://a.example/b_(c))", ["https://a.example/b_(c))"]],
    ["www.a.example, https://b.example!", ["https://www.a.example/", "https://b.example/"]],
    ["javascript:alert(1) ftp://a.example data:text/html,x", []],
    ["Նայեք https://a.example։", ["https://a.example/"]],
  ])("%s", (text, links) => {
    const found = pieces(text);
    expect(found.map((piece) => piece.text).join("")).toBe(text);
    expect(found.flatMap((piece) => (piece.href === undefined ? [] : [piece.href]))).toEqual(links);
  });
});

describe("languages", () => {
  it("takes the first wished language it speaks", () => {
    expect(chooseLanguage(["fr-FR", "uk-UA", "en"])).toBe("uk");
    expect(chooseLanguage(["fr"])).toBe("en");
  });

  it.each(["hy", "ka", "az", "uk"])("%s says everything, with the same placeholders", (language) => {
    const english = wordsOf("en");
    const words = wordsOf(language);
    for (const key of Object.keys(english) as (keyof typeof english)[]) {
      expect(words[key]).not.toBe("");
      expect(words[key].match(/\{\w+\}/g)).toEqual(english[key].match(/\{\w+\}/g));
    }
  });
});
