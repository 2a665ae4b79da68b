import { expect, it } from "vitest";

import { readSaved } from "./savedReports";

const GOOD = { id: "own-1", name: "Mondays", begun: null, query: { by: "queue" } };

it.each([
  [JSON.stringify([GOOD]), [GOOD]],
  [JSON.stringify([GOOD, { id: "own-2" }, null, { ...GOOD, query: { by: 3 } }]), [GOOD]],
  ["{}", []],
  ["{", []],
  [null, []],
])("of what was kept as %s, what can be read is there", (text, expected) => {
  expect(readSaved(text)).toEqual(expected);
});
