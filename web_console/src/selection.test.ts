import { expect, test } from "vitest";

import { all, extend, extendBy, NOTHING, toggle, within } from "./selection";

const LIST = [10, 11, 12, 13, 14];
const ids = (selection: { ids: ReadonlySet<number> }) => [...selection.ids].toSorted((a, b) => a - b);

test("rows are chosen one by one, and let go", () => {
  const two = toggle(toggle(NOTHING, 11), 13);
  expect(ids(two)).toEqual([11, 13]);
  expect(ids(toggle(two, 11))).toEqual([13]);
});

test("a run goes from the last one chosen, and may be made longer and shorter", () => {
  const run = extend(toggle(NOTHING, 11), LIST, 13);
  expect(ids(run)).toEqual([11, 12, 13]);
  expect(ids(extend(run, LIST, 12))).toEqual([11, 12]);
  expect(ids(extend(run, LIST, 10))).toEqual([10, 11]);
  expect(ids(extend(toggle(run, 14), LIST, 14))).toEqual([11, 12, 13, 14]);
});

test("shift and an arrow begin at the row that is looked at", () => {
  const one = extendBy(NOTHING, LIST, 1, 12);
  expect(ids(one)).toEqual([12, 13]);
  expect(ids(extendBy(one, LIST, 1, 12))).toEqual([12, 13, 14]);
  expect(ids(extendBy(extendBy(one, LIST, -1, 12), LIST, -1, 12))).toEqual([11, 12]);
  expect(ids(extendBy(NOTHING, LIST, 1, null))).toEqual([10]);
});

test("what has left the list is not chosen any more", () => {
  const some = all(LIST);
  expect(within(some, (id) => LIST.includes(id))).toBe(some);
  expect(ids(within(some, (id) => [11, 14, 20].includes(id)))).toEqual([11, 14]);
});
