import { expect, it } from "vitest";

import { arrived, newestFirst, pagesAmong } from "./alerts";
import type { AlertView } from "./events";

function alert(id: number, changes: Partial<AlertView> = {}): AlertView {
  return { id, user_id: 1, conversation_id: 10, level: "page", reason: "escalation", data: {}, at: `2026-11-25T10:00:0${id}Z`, seen_at: null, version: 1, entry_id: null, task_id: null, ...changes };
}

it("pages stand before everything, oldest first; the list has all, newest first", () => {
  const alerts = { 1: alert(1), 2: alert(2, { level: "notify" }), 3: alert(3), 4: alert(4, { seen_at: "2026-11-25T10:01:00Z" }) };
  expect(pagesAmong(alerts).map((each) => each.id)).toEqual([1, 3]);
  expect(newestFirst(alerts).map((each) => each.id)).toEqual([4, 3, 2, 1]);
});

it("what has arrived is what was not there before", () => {
  expect(arrived([alert(1)], [alert(2), alert(1)]).map((each) => each.id)).toEqual([2]);
});
