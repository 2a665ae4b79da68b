import { expect, test } from "vitest";

import { comparing, Ordered } from "./ordered";

interface Item {
  id: number;
  at: number;
}
const keys = (item: Item) => [-item.at, item.id];

/** Numbers that are the same in each run (Park and Miller's generator). */
function dice(seed: number): (below: number) => number {
  let held = seed;
  return (below) => (held = (held * 48_271) % 2_147_483_647) % below;
}

test("it is what a plain sort says, whatever comes, goes and moves", () => {
  for (const seed of [1, 7, 42]) {
    const roll = dice(seed);
    const held = new Map<number, Item>();
    for (let id = 0; id < roll(2_000); id += 1) held.set(id, { id, at: roll(500) });
    let list = Ordered.of([...held.values()], keys);
    for (let round = 0; round < 120; round += 1) {
      const [gone, come]: [Item[], Item[]] = [[], []];
      const touched = new Set(Array.from({ length: roll(round % 10 === 0 ? 400 : 30) }, () => roll(2_500)));
      for (const id of touched) {
        const was = held.get(id);
        if (was) gone.push(was);
        if (was && roll(3) === 0) held.delete(id);
        else {
          const is = { id, at: roll(500) };
          come.push(is);
          held.set(id, is);
        }
      }
      const before = list;
      const was = before.toArray();
      list = list.changed(gone, come);
      const sorted = [...held.values()].toSorted(comparing(keys));
      expect(list.toArray()).toEqual(sorted);
      expect(list.length).toBe(sorted.length);
      expect(before.slice(), "the list before is as it was").toEqual(was);
      const [from, count] = [roll(list.length + 1), roll(700)];
      expect(list.slice(from, from + count)).toEqual(sorted.slice(from, from + count));
      const index = roll(list.length);
      expect(list.at(index)).toBe(sorted[index]);
      expect(list.indexOf(sorted[index] as Item)).toBe(index);
    }
  }
});

test("what is not in it has no place, and taking it out changes nothing", () => {
  const list = Ordered.of([{ id: 1, at: 5 }, { id: 2, at: 4 }], keys);
  expect([list.at(-1), list.at(2)]).toEqual([undefined, undefined]);
  expect(list.indexOf({ id: 1, at: 5 })).toBe(-1);
  expect(list.changed([{ id: 1, at: 5 }], []).length).toBe(2);
  expect(list.changed([], [])).toBe(list);
  const none = Ordered.of<Item>([], keys);
  expect([none.length, none.slice(), none.changed([], [{ id: 3, at: 1 }]).toArray()]).toEqual([0, [], [{ id: 3, at: 1 }]]);
});

test("a list from which nearly everything has gone does not stay in crumbs", () => {
  const items = Array.from({ length: 20_000 }, (_, id) => ({ id, at: 0 }));
  let list = Ordered.of(items, keys);
  for (let from = 0; from < 20_000; from += 500) list = list.changed(items.slice(from, from + 499), []);
  expect(list.toArray().map((item) => item.id)).toEqual(Array.from({ length: 40 }, (_, index) => index * 500 + 499));
});
