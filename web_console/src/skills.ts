/*
 * The skills matrix, agents × skills: where a key leads in it, which level a key means, what is shown of it. Pure; the screen
 * draws, and saves row by row.
 */
import type { SkillRow, SkillView } from "./events";

/** 0 is "does not have it"; it is not stored. */
export const LEVELS = [0, 1, 2, 3, 4, 5] as const;
const MOST = 5;
const PAGE_ROWS = 10;

export interface Cell {
  row: number;
  column: number;
}

/** Where an arrow, Home, End or a page key leads; null: it leads nowhere. */
export function moved(cell: Cell, key: string, rows: number, columns: number): Cell | null {
  const step = STEPS[key];
  if (!step) return null;
  const { row, column } = step(cell, columns);
  return { row: within(row, rows), column: within(column, columns) };
}

const STEPS: Readonly<Record<string, (cell: Cell, columns: number) => Cell>> = {
  ArrowUp: ({ row, column }) => ({ row: row - 1, column }),
  ArrowDown: ({ row, column }) => ({ row: row + 1, column }),
  ArrowLeft: ({ row, column }) => ({ row, column: column - 1 }),
  ArrowRight: ({ row, column }) => ({ row, column: column + 1 }),
  Home: ({ row }) => ({ row, column: 0 }),
  End: ({ row }, columns) => ({ row, column: columns - 1 }),
  PageUp: ({ row, column }) => ({ row: row - PAGE_ROWS, column }),
  PageDown: ({ row, column }) => ({ row: row + PAGE_ROWS, column }),
};

const within = (index: number, count: number) => Math.max(0, Math.min(count - 1, index));

/** The level that a key sets where there is `level` now; null: none. */
export function levelByKey(key: string, level: number): number | null {
  if (/^[0-5]$/.test(key)) return Number(key);
  if (key === "Delete" || key === "Backspace") return 0;
  if (key === "+" || key === "=") return Math.min(MOST, level + 1);
  if (key === "-") return Math.max(0, level - 1);
  return null;
}

export const levelOf = (row: Pick<SkillRow, "levels">, skillId: number): number => row.levels[skillId] ?? 0;

/** All levels of a row with this one changed, as the hub wants them: without zeros. */
export function withLevel(levels: Readonly<Record<string, number>>, skillId: number, level: number): Record<string, number> {
  const others = Object.entries(levels).filter(([id, held]) => id !== String(skillId) && held > 0);
  return Object.fromEntries(level > 0 ? [...others, [String(skillId), level]] : others);
}

/** "hy" of "language:hy": languages are skills of that name. */
export function languageOf(name: string): string | null {
  return /^language:([a-z]{2,3})$/i.exec(name)?.[1]?.toLowerCase() ?? null;
}

/** How many have the skill at all. */
export function holders(rows: readonly SkillRow[], skill: SkillView): number {
  return rows.filter((row) => levelOf(row, skill.id) > 0).length;
}

/** Whether one of these people has everything that is required, at its level. */
export function anybodyHas(rows: readonly SkillRow[], userIds: readonly number[], required: readonly { skill_id: number; level: number }[]): boolean {
  return rows.some((row) => userIds.includes(row.user_id) && required.every((each) => levelOf(row, each.skill_id) >= each.level));
}
