import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type EffectScope, effectScope } from "vue";

import { api, ApiError, Unreachable } from "./client";
import type { SkillRow } from "./events";
import { useMatrix } from "./matrix";

const ANI: SkillRow = { user_id: 7, name: "Անի", levels: { 1: 3 }, version: 4 };
const SKILLS = [1, 2].map((id) => ({ id, name: `Skill ${id}`, version: 1 }));
const RESTED_MS = 700;

let scope: EffectScope;

async function open(): Promise<ReturnType<typeof useMatrix>> {
  vi.spyOn(api, "skillMatrix").mockResolvedValue({ skills: SKILLS, agents: [ANI] });
  scope = effectScope();
  const matrix = scope.run(() => useMatrix(() => "no answer")) as ReturnType<typeof useMatrix>;
  await matrix.load();
  return matrix;
}

/** The hub, which answers what it was sent. */
const takes = () => vi.spyOn(api, "setSkills").mockImplementation((user_id, levels) => Promise.resolve({ ...ANI, user_id, levels }));
const row = (matrix: ReturnType<typeof useMatrix>) => matrix.rows.value?.[0] as SkillRow;

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  scope.stop();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("a row of the matrix", () => {
  it("shows a change at once and is sent whole when the keys rest", async () => {
    const send = takes();
    const matrix = await open();
    matrix.setLevel(row(matrix), 1, 4);
    matrix.setLevel(row(matrix), 2, 5);
    expect(row(matrix).levels).toEqual({ 1: 4, 2: 5 });
    expect(matrix.states.get(7)).toBe("waits");
    await vi.advanceTimersByTimeAsync(RESTED_MS);
    expect(send.mock.calls).toEqual([[7, { 1: 4, 2: 5 }, 4]]);
    expect(matrix.states.get(7)).toBe("saved");
  });

  it("that changes while it is on its way is sent again, and the answer does not undo it", async () => {
    let answer: () => void = () => undefined;
    const send = takes().mockImplementationOnce((user_id, levels) => new Promise((resolve) => (answer = () => resolve({ ...ANI, user_id, levels, version: 5 }))));
    const matrix = await open();
    matrix.setLevel(row(matrix), 1, 4);
    await vi.advanceTimersByTimeAsync(RESTED_MS);
    matrix.setLevel(row(matrix), 1, 5);
    answer();
    await vi.advanceTimersByTimeAsync(RESTED_MS);
    expect(row(matrix).levels).toEqual({ 1: 5 });
    expect(send.mock.calls.map(([, levels, version]) => [levels, version])).toEqual([[{ 1: 4 }, 4], [{ 1: 5 }, 5]]);
  });

  it("that was not taken keeps what was written, says so, and goes when it is asked to", async () => {
    const send = takes().mockRejectedValueOnce(new Unreachable("lost"));
    const matrix = await open();
    matrix.setLevel(row(matrix), 2, 1);
    await vi.advanceTimersByTimeAsync(RESTED_MS);
    expect([matrix.states.get(7), matrix.faults.get(7), row(matrix).levels]).toEqual(["failed", "no answer", { 1: 3, 2: 1 }]);
    await matrix.load();
    expect(row(matrix).levels).toEqual({ 1: 3, 2: 1 });
    await matrix.save(7);
    expect(matrix.states.get(7)).toBe("saved");
    expect(send).toHaveBeenCalledTimes(2);
  });

  it("that somebody else changed meanwhile shows theirs, with a word about it", async () => {
    takes().mockRejectedValueOnce(new ApiError(409, "version_conflict", "changed", {}, null));
    const matrix = await open();
    matrix.setLevel(row(matrix), 2, 1);
    vi.spyOn(api, "skillMatrix").mockResolvedValue({ skills: SKILLS, agents: [{ ...ANI, levels: { 2: 5 }, version: 5 }] });
    await vi.advanceTimersByTimeAsync(RESTED_MS);
    expect([matrix.states.get(7), row(matrix).levels, row(matrix).version]).toEqual(["failed", { 2: 5 }, 5]);
  });

  it("that waits to be sent goes when the page is left", async () => {
    const send = takes();
    const matrix = await open();
    matrix.setLevel(row(matrix), 1, 0);
    scope.stop();
    expect(send.mock.calls).toEqual([[7, {}, 4]]);
  });
});
