/*
 * The rows of the supervisor's board, and the order in which they stand. Pure; `now` in ms of the hub's clock.
 *
 * Rows do not wander under the eye: an order is made when it is asked for, and again only when nobody points at it (BoardAgents.vue);
 * between two orders the figures in the rows change and the rows stay.
 */
import type {
  AgentState,
  AgentView,
  CallView,
  ChannelKind,
  ConversationView,
  EstimateView,
  NumbersView,
  QueueLengthView,
  QueueNumbersView,
  QueueView,
} from "./events";
import { AGENT_FIGURES, type AgentFigure, agentFigures } from "./figures";
import { hasName } from "./fold";
import { isOver } from "./phone";
import { isAtWork, type People, peopleOf, STATE_ORDER } from "./presence";
import type { HubState } from "./state";

export interface AgentRow {
  agent: AgentView;
  numbers: NumbersView | undefined;
  /** Open conversations with them, the newest words first. */
  work: readonly ConversationView[];
  /** They may have more than this page was given. */
  hasMore: boolean;
  /** The call they are in, or write down. */
  call: CallView | null;
}

export interface QueueRow extends People {
  queue: QueueView;
  numbers: QueueNumbersView | undefined;
  estimate: EstimateView | undefined;
  /** Who waits now; who is to be called again later does not. Null: nobody has counted yet. */
  waiting: number | null;
  /** Since when the one who has waited longest waits. */
  longestSince: string | null;
  /** They have waited longer than the queue allows. */
  isOverdue: boolean;
  /** All that is not resolved: it waits, or somebody has it. Null as above. */
  open: number | null;
}

/** A row in which nothing has changed is the same object as `before`: whoever draws them leaves it as it is. */
export function agentRows(
  state: Pick<HubState, "agents" | "agentNumbers" | "workComplete">,
  open: readonly ConversationView[],
  live: readonly CallView[],
  before?: ReadonlyMap<number, AgentRow>,
): AgentRow[] {
  const work = new Map<number, ConversationView[]>();
  for (const each of open) {
    if (each.assignee_id === null) continue;
    const held = work.get(each.assignee_id);
    if (held) held.push(each);
    else work.set(each.assignee_id, [each]);
  }
  const calls = new Map<number, CallView>();
  for (const call of live) {
    if (call.agent_id !== null) calls.set(call.agent_id, call);
    for (const leg of call.legs) if (leg.party === "agent" && leg.user_id !== null && !isOver(leg)) calls.set(leg.user_id, call);
  }
  return Object.values(state.agents).map((agent) => {
    const row: AgentRow = {
      agent,
      numbers: state.agentNumbers[agent.user_id],
      work: work.get(agent.user_id) ?? [],
      hasMore: !state.workComplete,
      call: calls.get(agent.user_id) ?? null,
    };
    const was = before?.get(agent.user_id);
    return was && isSameRow(was, row) ? was : row;
  });
}

function isSameRow(one: AgentRow, other: AgentRow): boolean {
  const isSameWork = one.work.length === other.work.length && one.work.every((each, index) => each === other.work[index]);
  return one.agent === other.agent && one.numbers === other.numbers && one.hasMore === other.hasMore && one.call === other.call && isSameWork;
}

/**
 * `open`: the open conversations here. Where they are all there are, they are counted; where not, the hub has counted (queueLengths).
 */
export function queueRows(
  state: Pick<HubState, "agents" | "queues" | "queueNumbers" | "queueLengths" | "estimates" | "conversationsComplete">,
  open: readonly ConversationView[],
  now: number,
): QueueRow[] {
  const lengths = state.conversationsComplete ? countLengths(open) : state.queueLengths;
  return Object.values(state.queues).map((queue) => {
    const length = lengths[queue.id] ?? (state.conversationsComplete ? NOBODY : undefined);
    const longestSince = length?.longest_since ?? null;
    return {
      queue,
      numbers: state.queueNumbers[queue.id],
      estimate: state.estimates[queue.id],
      waiting: length?.waiting ?? null,
      longestSince,
      isOverdue: longestSince !== null && (now - Date.parse(longestSince)) / 1000 >= queue.max_wait_s,
      open: length?.unresolved ?? null,
      ...peopleOf(queue, state.agents),
    };
  });
}

type Length = Pick<QueueLengthView, "waiting" | "longest_since" | "unresolved">;
const NOBODY: Length = { waiting: 0, longest_since: null, unresolved: 0 };

/** As the hub counts them (kpi/open_work.py): a caller who still is in the menu waits for nobody. */
function countLengths(open: readonly ConversationView[]): Record<number, Length> {
  const lengths: Record<number, Length> = {};
  for (const each of open) {
    if (each.queued_since === null && each.assignee_id === null) continue;
    const length = (lengths[each.queue_id] ??= { ...NOBODY });
    length.unresolved += 1;
    if (each.queued_since === null || each.parked_until !== null) continue;
    length.waiting += 1;
    if (length.longest_since === null || Date.parse(each.queued_since) < Date.parse(length.longest_since)) length.longest_since = each.queued_since;
  }
  return lengths;
}

/** Null: one of them is not known, so neither is the sum. */
export function sumOf(values: readonly (number | null)[]): number | null {
  return values.reduce((sum: number | null, value) => (sum === null || value === null ? null : sum + value), 0);
}

// --- which rows

export interface AgentFilter {
  words: string;
  team: number | null;
  queue: number | null;
  /** `at_work`: whoever is not offline. */
  state: AgentState | "at_work" | null;
  channel: ChannelKind | null;
}

export const EVERYBODY: AgentFilter = { words: "", team: null, queue: null, state: null, channel: null };

/** `members` of the team and of the queue that are chosen; null: none is. */
export function isAmong(row: AgentRow, filter: AgentFilter, members: { team: ReadonlySet<number> | null; queue: ReadonlySet<number> | null }): boolean {
  const { agent } = row;
  if (members.team !== null && !members.team.has(agent.user_id)) return false;
  if (members.queue !== null && !members.queue.has(agent.user_id)) return false;
  if (filter.state === "at_work" ? !isAtWork(agent) : filter.state !== null && agent.state !== filter.state) return false;
  if (filter.channel !== null && !channelsOf(row).includes(filter.channel)) return false;
  const words = filter.words.trim();
  return words === "" || [agent.name, ...row.work.map((each) => each.customer_name)].some((name) => hasName(name, words));
}

/** The channels on which somebody works now, a call first, then the most first. */
export function channelsOf(row: AgentRow): ChannelKind[] {
  return workByChannel(row).map(([kind]) => kind);
}

/** How many conversations of each channel somebody holds. */
export function workByChannel(row: AgentRow): [ChannelKind, number][] {
  const counts = new Map<ChannelKind, number>();
  for (const each of row.work) counts.set(each.channel_kind, (counts.get(each.channel_kind) ?? 0) + 1);
  if (row.call !== null && !counts.has("phone")) counts.set("phone", 1);
  return [...counts].toSorted(([a, m], [b, n]) => Number(b === "phone") - Number(a === "phone") || n - m || a.localeCompare(b));
}

// --- in which order

export const COLUMNS = ["name", "state", "since", "work", "load", "calls", "offers", "chats", "mails", "texts", "aht", "first_response", "resolution", "csat", "occupancy"] as const;
export type Column = (typeof COLUMNS)[number];
/** What is shown until somebody chooses. */
export const USUAL_COLUMNS: readonly Column[] = ["name", "state", "since", "work", "load", "calls", "offers", "aht", "first_response", "resolution", "csat", "occupancy"];

export interface Order {
  by: Column;
  descending: boolean;
}

const isFigure = (column: Column): column is Column & AgentFigure => (AGENT_FIGURES as readonly string[]).includes(column);

/** The user ids in their order. Who has no value comes last either way; equals stand by state and name. */
export function ordered(rows: readonly AgentRow[], order: Order, now: number, locale: string): number[] {
  const collator = new Intl.Collator(locale);
  const value = (row: AgentRow): number | null => {
    switch (order.by) {
      case "name":
        return null;
      case "state":
        return STATE_ORDER.indexOf(row.agent.state);
      case "since":
        return now - Date.parse(row.agent.state_since);
      case "work":
        return row.work.length;
      case "load":
        return row.agent.capacity > 0 ? row.agent.load / row.agent.capacity : 0;
      case "calls": {
        const figures = agentFigures(row.numbers, now);
        return (figures.calls_in.value ?? 0) + (figures.calls_out.value ?? 0);
      }
      case "offers": {
        const figures = agentFigures(row.numbers, now);
        return (figures.offers_missed.value ?? 0) + (figures.offers_declined.value ?? 0);
      }
      default:
        return isFigure(order.by) ? agentFigures(row.numbers, now)[order.by].value : null;
    }
  };
  const sign = order.descending ? -1 : 1;
  return rows
    .map((row) => ({ row, value: value(row) }))
    .toSorted((a, b) => {
      const byName = collator.compare(a.row.agent.name, b.row.agent.name);
      if (order.by === "name") return sign * byName;
      if (a.value === null || b.value === null) return Number(a.value === null) - Number(b.value === null) || byName;
      return sign * (a.value - b.value) || STATE_ORDER.indexOf(a.row.agent.state) - STATE_ORDER.indexOf(b.row.agent.state) || byName;
    })
    .map(({ row }) => row.agent.user_id);
}

/** `rows` as `places` has them; whoever came since stands at the end. */
export function inPlaces<T>(rows: readonly T[], places: ReadonlyMap<number, number>, idOf: (row: T) => number): T[] {
  const place = (row: T) => places.get(idOf(row)) ?? places.size;
  return rows.toSorted((a, b) => place(a) - place(b) || idOf(a) - idOf(b));
}
