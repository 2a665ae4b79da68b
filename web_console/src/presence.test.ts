import { expect, it } from "vitest";

import type { AgentView, QueueView } from "./events";
import { isAbsent, isAvailable, peopleAmong, peopleOf } from "./presence";

const agent = (user_id: number, state: AgentView["state"], connected = true) => ({ user_id, state, connected }) as AgentView;

it.each([
  ["available", true, { isAvailable: true, isAbsent: false }],
  ["available", false, { isAvailable: false, isAbsent: true }],
  ["busy", true, { isAvailable: false, isAbsent: false }],
  ["busy", false, { isAvailable: false, isAbsent: true }],
  ["away", true, { isAvailable: false, isAbsent: true }],
  ["not_responding", true, { isAvailable: false, isAbsent: true }],
  ["offline", false, { isAvailable: false, isAbsent: true }],
] as const)("who is %s (a screen: %s)", (state, connected, expected) => {
  const each = agent(1, state, connected);
  expect({ isAvailable: isAvailable(each), isAbsent: isAbsent(each) }).toEqual(expected);
});

it("of a queue those of its members count who are known here", () => {
  const agents = { 1: agent(1, "available"), 2: agent(2, "away"), 3: agent(3, "offline", false), 4: agent(4, "available", false), 9: agent(9, "available") };
  expect(peopleOf({ member_ids: [1, 2, 3, 4, 5] } as QueueView, agents)).toEqual({ available: 1, atWork: 3, members: 4 });
  expect(peopleAmong([])).toEqual({ available: 0, atWork: 0, members: 0 });
  expect(isAbsent(undefined)).toBe(true);
});
