/* Which pages the wall-board turns: the floor, then the queues and whoever is at work, as many on a page as can be read from afar. Pure. */
export type WallPage = { kind: "floor" } | { kind: "queues"; ids: readonly number[] } | { kind: "agents"; ids: readonly number[] };

export const QUEUES_A_PAGE = 7;
export const AGENTS_A_PAGE = 20;

/** `kinds`: those that are wanted, in the usual order; none of them: all. */
export function wallPages(queueIds: readonly number[], agentIds: readonly number[], kinds: readonly string[] = []): WallPage[] {
  const wants = (kind: WallPage["kind"]) => kinds.length === 0 || kinds.includes(kind);
  const pages: WallPage[] = [
    ...(wants("floor") ? [{ kind: "floor" } as const] : []),
    ...(wants("queues") ? parts(queueIds, QUEUES_A_PAGE).map((ids) => ({ kind: "queues", ids }) as const) : []),
    ...(wants("agents") ? parts(agentIds, AGENTS_A_PAGE).map((ids) => ({ kind: "agents", ids }) as const) : []),
  ];
  return pages.length > 0 ? pages : [{ kind: "floor" }];
}

/** As even as they can be: eight of at most seven are four and four, not seven and one. */
function parts<T>(items: readonly T[], most: number): T[][] {
  const count = Math.ceil(items.length / most);
  const size = count === 0 ? 0 : Math.ceil(items.length / count);
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size));
}

/** Seconds a page stays, from the address; 5 to 300, else the usual 15. */
export function stays_s(text: unknown): number {
  const number = typeof text === "string" ? Number(text) : Number.NaN;
  return Number.isFinite(number) && number >= 5 && number <= 300 ? number : 15;
}
