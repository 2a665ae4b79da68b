/*
 * What the screens look up among all conversations: the lists, each in its order, and whose they are. Pure. Made once of a state,
 * and of the next state by looking at what is another in it: the cost is that of the changes, not of the floor.
 */
import { urgency } from "./deadlines";
import type { ConversationView } from "./events";
import { type Keys, Ordered } from "./ordered";
import { type HubState, maySee } from "./state";
import { type Change, Table } from "./table";
import { isComplaint } from "./topics";
import { isUnanswered, longestUnanswered } from "./unanswered";

export type Known = Pick<HubState, "conversations" | "user" | "topics">;

export interface Lookups {
  /** What they were made of. */
  readonly of: Known;
  readonly open: Ordered<ConversationView>;
  readonly mine: Ordered<ConversationView>;
  readonly queued: Ordered<ConversationView>;
  readonly complaints: Ordered<ConversationView>;
  readonly unanswered: Ordered<ConversationView>;
  readonly resolved: Ordered<ConversationView>;
  /** By customer, in the order of their ids; resolved ones, too. */
  readonly byCustomer: Table<readonly ConversationView[]>;
}

export const newestActivity: Keys<ConversationView> = (each) => [-Date.parse(each.last_entry_at), -each.id];
export const longestWait: Keys<ConversationView> = (each) => [Date.parse(each.queued_since ?? each.created_at), each.id];

type ListName = "open" | "mine" | "queued" | "complaints" | "unanswered" | "resolved";

const isOpen = (of: Known, each: ConversationView) => each.status === "open" && maySee(of.user, each);
const LISTS: Readonly<Record<ListName, { keys: Keys<ConversationView>; has: (of: Known, each: ConversationView) => boolean }>> = {
  open: { keys: newestActivity, has: isOpen },
  mine: { keys: newestActivity, has: (of, each) => each.assignee_id === of.user.id && isOpen(of, each) },
  queued: { keys: longestWait, has: (of, each) => each.assignee_id === null && of.user.queue_ids.includes(each.queue_id) && isOpen(of, each) },
  complaints: { keys: urgency, has: (of, each) => isComplaint(of.topics, each) && isOpen(of, each) },
  unanswered: { keys: longestUnanswered, has: (of, each) => isUnanswered(each) && isOpen(of, each) },
  resolved: { keys: newestActivity, has: (of, each) => each.status === "resolved" && maySee(of.user, each) },
};
const NAMES = Object.keys(LISTS) as ListName[];

// More changes than this are a new floor: one sort is less work than so many places.
const MANY = 2_000;

/** `before`: those of an earlier state. A list in which nothing is another is the same list. */
export function lookups(of: Known, before?: Lookups | null): Lookups {
  if (!before || before.of.user !== of.user) return anew(of);
  const changes = before.of.conversations === of.conversations ? [] : of.conversations.changesSince(before.of.conversations);
  if (changes.length > MANY) return anew(of);
  const lists = Object.fromEntries(NAMES.map((name) => [name, listChanged(name, of, before, changes)])) as Record<ListName, Ordered<ConversationView>>;
  return { of, ...lists, byCustomer: changes.reduce(customersChanged, before.byCustomer) };
}

function anew(of: Known): Lookups {
  const all = of.conversations.values();
  const lists = Object.fromEntries(NAMES.map((name) => [name, listAnew(name, of, all)])) as Record<ListName, Ordered<ConversationView>>;
  const byCustomer = new Map<number, ConversationView[]>();
  for (const each of all) {
    const its = byCustomer.get(each.customer_id);
    if (its) its.push(each);
    else byCustomer.set(each.customer_id, [each]);
  }
  return { of, ...lists, byCustomer: Table.of<readonly ConversationView[]>(byCustomer.values(), (its) => (its[0] as ConversationView).customer_id) };
}

function listAnew(name: ListName, of: Known, all: readonly ConversationView[]): Ordered<ConversationView> {
  const { keys, has } = LISTS[name];
  return Ordered.of(all.filter((each) => has(of, each)), keys);
}

function listChanged(name: ListName, of: Known, before: Lookups, changes: readonly Change<ConversationView>[]): Ordered<ConversationView> {
  // What is a complaint is said by the topics, for all at once.
  if (name === "complaints" && before.of.topics !== of.topics) return listAnew(name, of, of.conversations.values());
  const { has } = LISTS[name];
  const gone: ConversationView[] = [];
  const come: ConversationView[] = [];
  for (const { was, is } of changes) {
    if (was && has(before.of, was)) gone.push(was);
    if (is && has(of, is)) come.push(is);
  }
  return before[name].changed(gone, come);
}

function customersChanged(byCustomer: Table<readonly ConversationView[]>, { was, is }: Change<ConversationView>): Table<readonly ConversationView[]> {
  let table = byCustomer;
  if (was && was.customer_id !== is?.customer_id) {
    const left = (table.get(was.customer_id) ?? []).filter((each) => each !== was);
    table = left.length === 0 ? table.without(was.customer_id) : table.with(was.customer_id, left);
  }
  if (!is) return table;
  const its = table.get(is.customer_id) ?? [];
  const index = its.findIndex((each) => each.id >= is.id);
  const isThere = its[index]?.id === is.id;
  const place = index === -1 ? its.length : index;
  return table.with(is.customer_id, its.toSpliced(place, isThere ? 1 : 0, is));
}
