import { expect, test } from "vitest";

import { spanOf } from "./rowWindow";

test("the rows in sight and a few beyond each edge, and never rows that there are not", () => {
  expect(spanOf(0, 740, 74, 50_000)).toEqual({ from: 0, to: 16 });
  expect(spanOf(74_000, 740, 74, 50_000)).toEqual({ from: 994, to: 1_016 });
  expect(spanOf(74 * 49_990, 740, 74, 50_000)).toEqual({ from: 49_984, to: 50_000 });
  // The list has become shorter than where it is scrolled to.
  expect(spanOf(74_000, 740, 74, 3)).toEqual({ from: 3, to: 3 });
  expect(spanOf(0, 0, 74, 0)).toEqual({ from: 0, to: 0 });
});
