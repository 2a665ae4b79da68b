import { describe, expect, it } from "vitest";

import { type Better, type Level, levelOf, type Target, targetFor } from "./targets";

const target = (measure: string, scope: Target["scope"], scope_id: number | null, value: number): Target => ({ measure, scope, scope_id, target: value, warning: null });

describe("how far a figure is from its target", () => {
  it.each<[number | null, number, number | null, Better, Level]>([
    [0.8, 0.8, 0.7, "higher", "good"],
    [0.79, 0.8, 0.7, "higher", "warning"],
    [0.7, 0.8, 0.7, "higher", "warning"],
    [0.69, 0.8, 0.7, "higher", "bad"],
    [60, 60, 90, "lower", "good"],
    [61, 60, 90, "lower", "warning"],
    [91, 60, 90, "lower", "bad"],
    [61, 60, null, "lower", "bad"],
    [null, 60, 90, "lower", "none"],
    [61, 60, 90, null, "none"],
  ])("%s against %s, warned of from %s on, %s is better: %s", (value, wished, warning, better, level) => {
    expect(levelOf(value, { target: wished, warning }, better)).toBe(level);
  });

  it("is nothing where nothing is wished", () => {
    expect(levelOf(3, null, "lower")).toBe("none");
  });
});

describe("the target of a figure", () => {
  const targets = [target("aht", "all", null, 300), target("aht", "team", 4, 240), target("aht", "agent", 7, 200), target("csat", "all", null, 4)];

  it("is the narrowest that is set", () => {
    expect(targetFor(targets, "aht", { agent: 7, teams: [4] })?.target).toBe(200);
    expect(targetFor(targets, "aht", { agent: 8, teams: [4] })?.target).toBe(240);
    expect(targetFor(targets, "aht", { agent: 9, teams: [5] })?.target).toBe(300);
    expect(targetFor(targets, "aht", { queue: 7 })?.target).toBe(300);
  });

  it("may be none", () => {
    expect(targetFor(targets, "occupancy", { agent: 7 })).toBeNull();
  });
});
