import { describe, expect, it } from "vitest";

import { stays_s, wallPages } from "./wall";

const ids = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describe("the pages of the wall-board", () => {
  it("are the floor, the queues and the agents", () => {
    expect(wallPages([1, 2], [3])).toEqual([{ kind: "floor" }, { kind: "queues", ids: [1, 2] }, { kind: "agents", ids: [3] }]);
  });

  it("are as full as each other where one is not enough", () => {
    expect(wallPages(ids(8), [], ["queues"])).toEqual([{ kind: "queues", ids: [1, 2, 3, 4] }, { kind: "queues", ids: [5, 6, 7, 8] }]);
    expect(wallPages([], ids(500)).filter((page) => page.kind === "agents")).toHaveLength(25);
  });

  it("are never none", () => {
    expect(wallPages([], [], ["agents"])).toEqual([{ kind: "floor" }]);
  });

  it.each([["20", 20], ["2", 15], ["fast", 15], [undefined, 15]])("stay for what %s says", (text, seconds) => {
    expect(stays_s(text)).toBe(seconds);
  });
});
