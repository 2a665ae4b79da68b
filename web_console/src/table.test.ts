import { expect, test } from "vitest";

import { Table } from "./table";

test("it holds what a map holds, and tells what is another since", () => {
  let seed = 11;
  const roll = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  const held = new Map<number, { id: number }>();
  let table = Table.empty<{ id: number }>();
  for (let round = 0; round < 200; round += 1) {
    const [before, was] = [table, new Map(held)];
    for (let step = 0; step < roll(40); step += 1) {
      // Small ids, ids far away, and one at the very edge of what a database counts.
      const id = [roll(300), 1_000_000 + roll(3_000), 2_147_483_647][roll(3)] as number;
      if (roll(4) === 0) {
        held.delete(id);
        table = table.without(id);
      } else {
        const item = { id };
        held.set(id, item);
        table = table.with(id, item);
      }
    }
    const sorted = [...held.values()].toSorted((a, b) => a.id - b.id);
    expect(table.values()).toEqual(sorted);
    expect(table.size).toBe(held.size);
    expect(before.size, "the table before is as it was").toBe(was.size);
    for (const [id, item] of held) expect(table.get(id)).toBe(item);
    const changed = new Map(table.changesSince(before).map((change) => [(change.is ?? change.was)?.id, change]));
    for (const id of new Set([...held.keys(), ...was.keys()])) {
      if (held.get(id) === was.get(id)) expect(changed.has(id)).toBe(false);
      else expect(changed.get(id)).toEqual({ was: was.get(id), is: held.get(id) });
    }
  }
});

test("of what is no id there is nothing, and putting in what is there is no change", () => {
  const item = { id: 5 };
  const table = Table.of([item], (each) => each.id);
  expect([NaN, -1, 1.5, 6, 1e9, Infinity].map((id) => table.get(id))).toEqual(Array(6).fill(undefined));
  expect(table.with(5, item)).toBe(table);
  expect(table.without(6)).toBe(table);
  expect(table.without(5).values()).toEqual([]);
});
