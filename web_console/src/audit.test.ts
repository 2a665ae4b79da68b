import { expect, it } from "vitest";

import { areaOf, changesOf, keyOf, listChange, restOf } from "./audit";

it("names the sentence and the area of an act", () => {
  expect([keyOf("queue.changed"), areaOf("queue.changed")]).toEqual(["queue_changed", "queue"]);
});

it("reads what changed, and that a secret did", () => {
  const data = { name: "Sales", changes: { offer_timeout_s: [20, 30], "secrets.token": "changed" } };
  expect(changesOf({ data })).toEqual([
    { field: "offer_timeout_s", before: 20, after: 30, isTold: true },
    { field: "secrets.token", before: null, after: null, isTold: false },
  ]);
  expect(restOf({ data: { ...data, day: "2026-03-02" } })).toEqual([["day", "2026-03-02"]]);
});

it("reads nothing from what is no list of changes", () => {
  expect([{}, { changes: null }, { changes: [1] }, { changes: "x" }].map((data) => changesOf({ data }))).toEqual([[], [], [], []]);
});

it("tells what came and what went of lists, and leaves other values whole", () => {
  expect(listChange([1, 2], [2, 3])).toEqual({ came: [3], went: [1] });
  expect(listChange([{ day: 1 }], [])).toBeNull();
  expect(listChange(1, 2)).toBeNull();
});
