import { describe, expect, it } from "vitest";

import { atOnce, withWeight } from "./weights";

describe("an agent's weights", () => {
  it.each([
    ["the usual chat", "chat", 100, {}, 4],
    ["a chat that costs more", "chat", 100, { chat: 40 }, 2],
    ["work that does not fit at all", "phone", 60, {}, 0],
    ["work that costs nothing", "email", 100, { email: 0 }, null],
  ] as const)("say how many fit at once: %s", (_, kind, capacity, weights, expected) => {
    expect(atOnce(kind, capacity, weights)).toBe(expected);
  });

  it("are as usual where nothing is typed", () => {
    expect(withWeight({ chat: 40, sms: 10 }, "chat", "")).toEqual({ sms: 10 });
  });

  it("keep a nought that is typed", () => {
    expect(withWeight({}, "email", "0")).toEqual({ email: 0 });
  });
});
