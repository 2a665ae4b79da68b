import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

import { hasName } from "./fold";
import { isSpelt, nameKeys } from "./nameKeys";

/** The pairs by which the hub's own keys are judged: one table for both. */
const source = readFileSync("../tests/domain/test_folding.py", "utf8");
function pairs(from: string, to: string): string[][] {
  const part = source.slice(source.indexOf(from), source.indexOf(to));
  return [...part.matchAll(/\("([^"]+)", "([^"]+)"\)/gu)].map((found) => [found[1] ?? "", found[2] ?? ""]);
}
const meets = (one: string, other: string) => nameKeys(one).some((key) => nameKeys(other).includes(key));

describe("the keys of names", () => {
  it.each(pairs("SAME_NAME = ", "OTHER_NAME = "))("%s and %s are one name", (one, other) => {
    expect(meets(one, other)).toBe(true);
  });

  it.each(pairs("OTHER_NAME = ", "def test_these_are_spellings"))("%s and %s are two names", (one, other) => {
    expect(meets(one, other)).toBe(false);
  });

  it.each(["", "12", "x1", "北京", "ไทย", "'", "ь"])("%j has none", (word) => {
    expect(nameKeys(word)).toEqual([]);
  });

  it("were read from the hub's table", () => {
    expect(pairs("SAME_NAME = ", "OTHER_NAME = ").length).toBeGreaterThan(60);
    expect(pairs("OTHER_NAME = ", "def test_these_are_spellings").length).toBeGreaterThan(10);
  });
});

describe("a name that is looked for", () => {
  it.each([
    ["Նարեկ Հակոբյան", "Nar"],
    ["Նարեկ Հակոբյան", "nar hak"],
    ["Նարեկ Հակոբյան", "Հակ Nar"],
    ["Խաչատրյան", "Khac"],
    ["Шевченко", "Shevc"],
    ["Արփի Մելքոնյան", "arp"],
    ["ეკა ჯაფარიძე", "Jap"],
    ["Əliyev Kamran", "ALI"],
    ["Anna-Maria Հակոբյան", "anna-m"],
  ])("%s is met by %s", (name, words) => {
    expect([hasName(name, words), hasName(name, "xyzzy"), hasName(name, `${words} xyzzy`)]).toEqual([true, false, false]);
  });

  it("is not met by signs that are no words", () => {
    expect([isSpelt("Նարեկ", "-"), hasName("Նարեկ", "")]).toEqual([false, true]);
  });
});
