import { describe, expect, it } from "vitest";

import { anybodyHas, languageOf, levelByKey, moved, withLevel } from "./skills";

describe("a key in the matrix", () => {
  it.each([
    ["ArrowUp", { row: 0, column: 2 }, { row: 0, column: 2 }],
    ["ArrowDown", { row: 0, column: 2 }, { row: 1, column: 2 }],
    ["ArrowLeft", { row: 3, column: 0 }, { row: 3, column: 0 }],
    ["ArrowRight", { row: 3, column: 28 }, { row: 3, column: 29 }],
    ["Home", { row: 3, column: 28 }, { row: 3, column: 0 }],
    ["End", { row: 3, column: 0 }, { row: 3, column: 29 }],
    ["PageDown", { row: 95, column: 1 }, { row: 99, column: 1 }],
    ["PageUp", { row: 50, column: 1 }, { row: 40, column: 1 }],
  ])("%s stays inside", (key, from, to) => {
    expect(moved(from, key, 100, 30)).toEqual(to);
  });

  it("that leads nowhere is left to the page", () => {
    expect(moved({ row: 0, column: 0 }, "Tab", 100, 30)).toBeNull();
  });

  it.each([
    ["3", 0, 3],
    ["0", 4, 0],
    ["Delete", 4, 0],
    ["+", 5, 5],
    ["-", 0, 0],
    ["-", 3, 2],
    ["6", 2, null],
    ["a", 2, null],
  ])("%s at level %d means %s", (key, level, meant) => {
    expect(levelByKey(key, level)).toBe(meant);
  });
});

describe("a row of the matrix", () => {
  it("is sent whole and without zeros", () => {
    expect(withLevel({ 1: 3, 2: 5, 3: 0 }, 2, 0)).toEqual({ 1: 3 });
    expect(withLevel({ 1: 3 }, 2, 4)).toEqual({ 1: 3, 2: 4 });
    expect(withLevel({ 1: 3 }, 1, 4)).toEqual({ 1: 4 });
  });
});

it("a skill that is a language is known by its name", () => {
  expect(["language:hy", "Language:HY", "language:", "languages", "my language:hy"].map(languageOf)).toEqual(["hy", "hy", null, null, null]);
});


it("somebody serves a queue who has all that it requires, and is its member", () => {
  const rows = [{ user_id: 1, name: "A", levels: { 7: 3 }, version: 1 }, { user_id: 2, name: "B", levels: { 7: 5, 8: 1 }, version: 1 }];
  const required = [{ skill_id: 7, level: 3 }, { skill_id: 8, level: 1 }];
  expect([anybodyHas(rows, [1, 2], required), anybodyHas(rows, [1], required), anybodyHas(rows, [1], [])]).toEqual([true, false, true]);
});
