import { expect, it } from "vitest";

import { hasWords } from "./fold";

it.each([
  ["Արամ Գրիգորյան", " ԱՐԱՄ "],
  ["Սևան", "սեւան"],
  // The dotted and the dotless i, in both directions.
  ["İbrahim İsmayılov", "ibrahim"],
  ["Işıq", "işıq"],
  ["Qarabağ", "QARABAĞ"],
  // Whatever apostrophe a keyboard has.
  ["Дар\u02bcя Вʼюн", "дар'я"],
  ["Юрій", "юрій"],
  ["ნინო ბერიძე", "ბერ"],
])("finds in %s what is typed as %s", (text, words) => {
  expect([hasWords(text, words), hasWords(text, "x")]).toEqual([true, false]);
});
