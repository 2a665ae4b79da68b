/*
 * Which rows of a list are chosen: one by one, or a run from the last one chosen to another, as in any list of files. Pure; ids that
 * have left the list are no longer chosen.
 */
export interface Selection {
  readonly ids: ReadonlySet<number>;
  /** From where a run goes. */
  readonly anchor: number | null;
  /** The other end of the run that is being made: shift and the next key make it longer or shorter. */
  readonly head: number | null;
}

export const NOTHING: Selection = { ids: new Set(), anchor: null, head: null };

export function toggle(selection: Selection, id: number): Selection {
  const ids = new Set(selection.ids);
  if (!ids.delete(id)) ids.add(id);
  return { ids, anchor: id, head: id };
}

/** A run from the anchor to this row in place of the run that was being made. Without an anchor it begins here. */
export function extend(selection: Selection, list: readonly number[], to: number): Selection {
  const anchor = selection.anchor !== null && list.includes(selection.anchor) ? selection.anchor : to;
  const kept = new Set(selection.ids);
  if (selection.head !== null) for (const id of run(list, anchor, selection.head)) kept.delete(id);
  for (const id of run(list, anchor, to)) kept.add(id);
  return { ids: kept, anchor, head: to };
}

/** Shift and an arrow: one row further, or back. `from`: the row that is looked at, where nothing is chosen yet. */
export function extendBy(selection: Selection, list: readonly number[], by: 1 | -1, from: number | null): Selection {
  const start = selection.head ?? from;
  const index = start === null ? -1 : list.indexOf(start);
  const next = list[index === -1 ? 0 : Math.max(0, Math.min(list.length - 1, index + by))];
  if (next === undefined) return selection;
  const begun = selection.anchor === null && index !== -1 && start !== null ? { ids: new Set([start]), anchor: start, head: start } : selection;
  return extend(begun, list, next);
}

export const all = (list: readonly number[]): Selection => ({ ids: new Set(list), anchor: list[0] ?? null, head: null });

/** Without what is no longer in the list; the same object where nothing has gone. */
export function within(selection: Selection, isThere: (id: number) => boolean): Selection {
  const ids = new Set([...selection.ids].filter(isThere));
  return ids.size === selection.ids.size ? selection : { ...selection, ids };
}

function run(list: readonly number[], from: number, to: number): readonly number[] {
  const [a, b] = [list.indexOf(from), list.indexOf(to)];
  return a === -1 || b === -1 ? [] : list.slice(Math.min(a, b), Math.max(a, b) + 1);
}
