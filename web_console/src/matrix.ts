/*
 * The rows of the skills matrix and their way to the hub. A change shows at once; a row is sent whole, after a short rest, so that a
 * row of digits is one request, and one at a time, so that the last word is the last. What is not sent yet goes when the page is left.
 */
import { onScopeDispose, reactive, ref, shallowRef } from "vue";

import { api, ApiError } from "./client";
import type { SkillRow, SkillView } from "./events";
import { withLevel } from "./skills";

const REST_MS = 600;
const SAYS_SAVED_MS = 2_500;

export type RowState = "waits" | "saving" | "saved" | "failed";

/** `failure`: why a request failed, in words. */
export function useMatrix(failure: (error: unknown) => string) {
  const skills = shallowRef<SkillView[]>([]);
  const rows = shallowRef<SkillRow[] | null>(null);
  const failed = ref(false);
  const states = reactive(new Map<number, RowState>());
  const faults = reactive(new Map<number, string>());
  const timers = new Map<number, ReturnType<typeof setTimeout>>();

  async function load(): Promise<void> {
    failed.value = false;
    try {
      const matrix = await api.skillMatrix();
      skills.value = matrix.skills;
      // What is not saved yet stays as it was written.
      const unsaved = (row: SkillRow) => (pending(row.user_id) ? rows.value?.find((each) => each.user_id === row.user_id) : undefined) ?? row;
      rows.value = matrix.agents.map(unsaved);
    } catch {
      failed.value = true;
    }
  }

  const pending = (userId: number) => ["waits", "saving", "failed"].includes(states.get(userId) ?? "");
  const put = (row: SkillRow) => (rows.value = rows.value?.map((each) => (each.user_id === row.user_id ? row : each)) ?? null);

  function setLevel(row: SkillRow, skillId: number, level: number): void {
    put({ ...row, levels: withLevel(row.levels, skillId, level) });
    // While it is on its way, what was changed meanwhile follows when the answer is there.
    if (states.get(row.user_id) !== "saving") later(row.user_id);
    else changedMeanwhile.add(row.user_id);
  }

  const changedMeanwhile = new Set<number>();
  function later(userId: number): void {
    states.set(userId, "waits");
    rest(userId, REST_MS, () => void save(userId));
  }
  function rest(userId: number, time_ms: number, then: () => void): void {
    clearTimeout(timers.get(userId));
    timers.set(userId, setTimeout(then, time_ms));
  }

  async function save(userId: number): Promise<void> {
    const row = rows.value?.find((each) => each.user_id === userId);
    if (!row || states.get(userId) === "saving") return;
    clearTimeout(timers.get(userId));
    states.set(userId, "saving");
    faults.delete(userId);
    try {
      const answer = await api.setSkills(userId, row.levels, row.version);
      if (changedMeanwhile.delete(userId)) {
        const written = rows.value?.find((each) => each.user_id === userId);
        if (written) put({ ...written, version: answer.version });
        return later(userId);
      }
      put(answer);
      states.set(userId, "saved");
      rest(userId, SAYS_SAVED_MS, () => states.delete(userId));
    } catch (error) {
      changedMeanwhile.delete(userId);
      states.set(userId, "failed");
      faults.set(userId, failure(error));
      // Somebody else was here: theirs is shown, with a word about it, and what was written is written again or not.
      if (error instanceof ApiError && error.code === "version_conflict") await showTheirs(userId);
    }
  }

  async function showTheirs(userId: number): Promise<void> {
    const matrix = await api.skillMatrix().catch(() => null);
    const theirs = matrix?.agents.find((each) => each.user_id === userId);
    if (theirs) put(theirs);
  }

  onScopeDispose(() => {
    for (const timer of timers.values()) clearTimeout(timer);
    for (const [userId, state] of states) if (state === "waits") void save(userId);
  });

  return { skills, rows, failed, states, faults, load, setLevel, save };
}
