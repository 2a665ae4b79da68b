/*
 * What the console knows, and the one pure function that changes it: apply(state, event).
 *
 * A snapshot makes the state, events move it on; whoever applies the events between two snapshots to the first has the
 * second (canonical() is the form in which a test compares them). Invariants:
 *   - a view with a `version` never goes back: answers and events may come in either order, and twice;
 *   - nothing here reads a clock, the DOM or Vue, so the server's tests replay recorded frames through it under plain node;
 *   - states are never changed in place: a slice that did not change is the same object as before.
 * It does not know typing and viewing (they are shown now and never stored) nor messages still on their way (outgoing.ts).
 */
import type {
  ActivityView,
  AgentView,
  AlertView,
  CallView,
  ChannelView,
  ConversationView,
  CustomerView,
  CustomFieldView,
  DraftMark,
  EntryView,
  EstimateView,
  FigureDefaultsView,
  ImportProgressView,
  Frame,
  HubEvent,
  KpiAlertView,
  NoticeRulesView,
  NumbersView,
  OfferView,
  PlannedView,
  QueueLengthView,
  QueueNumbersView,
  QueueView,
  RemakingView,
  Snapshot,
  TargetView,
  TaskView,
  TeamView,
  TopicView,
  UserView,
} from "./events";
import { Table } from "./table";
import { EMPTY_TIMELINE, upsert, type Timeline, withNewestPage, withOlderPage } from "./timeline";

type ById<T> = Readonly<Record<string | number, T>>;

export interface HubState {
  readonly token: string;
  readonly user: UserView;
  readonly organisation: Snapshot["organisation"];
  readonly agents: ById<AgentView>;
  readonly queues: ById<QueueView>;
  readonly channels: ById<ChannelView>;
  /** Every conversation seen so far, resolved ones too; the screens choose by lookups.ts and openConversations(). */
  readonly conversations: Table<ConversationView>;
  readonly conversationsComplete: boolean;
  /** All that somebody has is among them, whatever of what waits is not. */
  readonly workComplete: boolean;
  readonly customers: ById<CustomerView>;
  readonly offers: ById<OfferView>;
  readonly numbers: NumbersView;
  readonly topics: ById<TopicView>;
  /** By queue. */
  readonly estimates: ById<EstimateView>;
  /** For supervisors, by queue: what the hub counted, since the conversations here need not be all. None: not counted yet. */
  readonly queueLengths: ById<QueueLengthView>;
  /** One's own that have not been seen. */
  readonly alerts: ById<AlertView>;
  /** Every call told of since the snapshot, ended ones too: liveCalls() chooses, callOf() finds the newest of an entry's. */
  readonly calls: ById<CallView>;
  /** Of one's queues (a supervisor: all), by queue; none is a queue of which nothing is counted today. */
  readonly queueNumbers: ById<QueueNumbersView>;
  /** For supervisors: everybody's, by user; none is somebody who has done nothing today. */
  readonly agentNumbers: ById<NumbersView>;
  readonly teams: ById<TeamView>;
  /** What figures should be: of all (supervisors), or those that concern one. */
  readonly targets: ById<TargetView>;
  readonly figureDefaults: FigureDefaultsView;
  /** Figures are being made anew, and those here may be old or a part; null: they are whole. */
  readonly remaking: RemakingView | null;
  /** How far imports of customers are, as far as it was told since the snapshot: their page asks for the rest. */
  readonly imports: ById<ImportProgressView>;
  /** For supervisors: what is beyond its limit now. */
  readonly kpiAlerts: ById<KpiAlertView>;
  /** What this organisation keeps of customers and conversations beyond what everybody does. */
  readonly customFields: ById<CustomFieldView>;
  /** Every task told of since the snapshot, others' and ended ones too: ownTasks() chooses. */
  readonly tasks: ById<TaskView>;
  readonly noticeRules: NoticeRulesView;
  /** Where the viewer has begun to write, by conversation. */
  readonly drafts: ById<DraftMark>;
  /** What goes out later, as far as it was asked for or told since: it stands in timelines, and no snapshot tells it. */
  readonly planned: ById<PlannedView>;
  /** Loaded timelines by customer. */
  readonly timelines: ById<Timeline>;
  /** What other systems told of the customers whose timelines are loaded. */
  readonly activities: ById<ActivityView>;
  /** The viewer's rights have changed: what is here may be too much or too little until a new snapshot. */
  readonly mustResync: boolean;
}

/** The state a snapshot tells. Of `before`, resolved conversations and timelines stay, marked as to be asked for again. */
export function initial(snapshot: Snapshot, before?: HubState): HubState {
  const same = before?.user.id === snapshot.user.id ? before : undefined;
  const resolved = same?.conversations.filter((each) => each.status === "resolved") ?? [];
  return {
    token: snapshot.token,
    user: snapshot.user,
    organisation: snapshot.organisation,
    agents: index(snapshot.agents, (agent) => agent.user_id),
    queues: index(snapshot.queues, (queue) => queue.id),
    channels: index(snapshot.channels, (channel) => channel.id),
    conversations: Table.of([...resolved, ...snapshot.conversations], (conversation) => conversation.id),
    conversationsComplete: snapshot.conversations_complete,
    workComplete: snapshot.work_complete,
    customers: same?.customers ?? {},
    offers: index(snapshot.offers, (offer) => offer.id),
    numbers: snapshot.numbers,
    topics: index(snapshot.topics, (topic) => topic.id),
    estimates: index(snapshot.estimates, (estimate) => estimate.queue_id),
    queueLengths: index(snapshot.queue_lengths, (length) => length.queue_id),
    alerts: index(snapshot.alerts, (alert) => alert.id),
    calls: index(snapshot.calls, (call) => call.id),
    queueNumbers: index(snapshot.queue_numbers, (numbers) => numbers.queue_id),
    agentNumbers: index(snapshot.agent_numbers, (numbers) => numbers.user_id),
    teams: index(snapshot.teams, (team) => team.id),
    targets: index(snapshot.targets, (target) => target.id),
    figureDefaults: snapshot.figure_defaults,
    remaking: snapshot.remaking,
    imports: same?.imports ?? {},
    kpiAlerts: index(snapshot.kpi_alerts, (alert) => alert.id),
    customFields: index(snapshot.custom_fields, (field) => field.id),
    tasks: index(snapshot.tasks, (task) => task.id),
    noticeRules: snapshot.notice_rules,
    drafts: index(snapshot.drafts, (mark) => mark.conversation_id),
    planned: same?.planned ?? {},
    timelines: Object.fromEntries(
      Object.entries(same?.timelines ?? {}).map(([customerId, timeline]) => [customerId, { ...timeline, stale: true }]),
    ),
    activities: same?.activities ?? {},
    mustResync: false,
  };
}

export function apply(state: HubState, event: HubEvent): HubState {
  switch (event.kind) {
    case "entry.added":
      return withEntry(withConversation(state, event.conversation), event.entry);
    case "entry.changed":
      return withEntry(state, event.entry);
    case "conversation.changed":
      return withConversation(state, event.conversation);
    case "conversation.hidden":
      return withoutConversation(hidesTasks(state, event.conversation_id) ? { ...state, mustResync: true } : state, event.conversation_id);
    case "customer.changed":
      return withCustomer(state, event.customer);
    case "offer.made":
      return { ...state, offers: { ...state.offers, [event.offer.id]: event.offer } };
    case "offer.ended":
      return { ...state, offers: without(state.offers, event.offer.id) };
    case "agent.changed":
      return event.agent.active
        ? { ...state, agents: newer(state.agents, event.agent.user_id, event.agent) }
        : { ...state, agents: without(state.agents, event.agent.user_id) };
    case "queue.changed":
      return { ...state, queues: newer(state.queues, event.queue.id, event.queue) };
    case "estimate.changed":
      return { ...state, estimates: newer(state.estimates, event.estimate.queue_id, event.estimate) };
    case "queue_length.changed":
      return { ...state, queueLengths: newer(state.queueLengths, event.length.queue_id, event.length) };
    case "channel.changed":
      return { ...state, channels: newer(state.channels, event.channel.id, event.channel) };
    case "numbers.changed":
      return withNumbers(state, event.numbers);
    case "topic.changed":
      return { ...state, topics: newer(state.topics, event.topic.id, event.topic) };
    case "alert.changed":
      return event.alert.seen_at === null
        ? { ...state, alerts: newer(state.alerts, event.alert.id, event.alert) }
        : { ...state, alerts: without(state.alerts, event.alert.id) };
    case "call.changed":
      return withCall(state, event.call);
    case "queue_numbers.changed":
      return withQueueNumbers(state, event.numbers);
    case "team.changed":
      return { ...state, teams: newer(state.teams, event.team.id, event.team) };
    case "team.removed":
      return { ...state, teams: without(state.teams, event.team_id) };
    case "target.changed":
      return { ...state, targets: { ...state.targets, [event.target.id]: event.target } };
    case "target.removed":
      return { ...state, targets: without(state.targets, event.target_id) };
    case "figure_defaults.changed":
      return event.defaults.version < state.figureDefaults.version ? state : { ...state, figureDefaults: event.defaults };
    case "customer_import.moved":
      return { ...state, imports: newer(state.imports, event.progress.id, event.progress) };
    case "customer_import.removed":
      return { ...state, imports: without(state.imports, event.import_id) };
    case "figures.remaking":
      return { ...state, remaking: event.remaking };
    case "kpi_alert.changed":
      return event.alert.healed_at === null
        ? { ...state, kpiAlerts: newer(state.kpiAlerts, event.alert.id, event.alert) }
        : { ...state, kpiAlerts: without(state.kpiAlerts, event.alert.id) };
    case "custom_field.changed":
      return { ...state, customFields: newer(state.customFields, event.field.id, event.field) };
    case "custom_field.removed":
      return { ...state, customFields: without(state.customFields, event.field_id) };
    case "activity.changed":
      return withActivity(state, event.activity);
    case "alerts.seen":
      return { ...state, alerts: event.alert_ids.reduce<ById<AlertView>>(without, state.alerts) };
    case "task.changed":
      return withTask(state, event.task);
    case "notice_rules.changed":
      return event.rules.version < state.noticeRules.version ? state : { ...state, noticeRules: event.rules };
    case "draft.begun":
      return { ...state, drafts: { ...state.drafts, [event.draft.conversation_id]: event.draft } };
    case "draft.ended":
      return { ...state, drafts: without(state.drafts, event.conversation_id) };
    case "planned.changed":
      return { ...state, planned: newer(state.planned, event.planned.id, event.planned) };
    case "entries.moved":
      return withEntriesMoved(state, event.customer_id);
    case "skills.changed":
      // Nothing here shows them; who does asks again (matrix.ts).
      return state;
    case "canned_reply.changed":
      // Nothing here holds them; who does asks again (cannedReplies.ts).
      return state;
    case "customer.erased":
      // Their words may stand anywhere here: all of it is asked for anew, and no line of theirs is kept until then.
      return { ...state, timelines: without(state.timelines, event.customer_id), mustResync: true };
    case "data_request.changed":
      // Nothing here holds them; who does asks again (dataRequests.ts).
      return state;
    case "access.changed":
      return event.user_id === state.user.id ? { ...state, mustResync: true } : state;
    default:
      // A newer server may tell what this page does not know yet.
      return event satisfies never, state;
  }
}

export function applyFrame(state: HubState, frame: Frame): HubState {
  return { ...frame.events.reduce(apply, state), token: frame.token };
}

// --- what answers of the API add ----------------------------------------------------------------------------------------

export function withConversations(state: HubState, conversations: readonly ConversationView[]): HubState {
  return conversations.reduce(withConversation, state);
}

export function withConversation(state: HubState, conversation: ConversationView): HubState {
  const held = state.conversations.get(conversation.id);
  if (held && held.version >= conversation.version) return state;
  const conversations = state.conversations.with(conversation.id, conversation);
  const owner = held?.customer_id;
  const isMoved = owner !== undefined && owner !== conversation.customer_id;
  return { ...state, conversations, timelines: isMoved ? withMoved(state.timelines, conversation, owner) : state.timelines };
}

/** Two cards became one, or two again: its lines leave their timeline, and both are to be asked for anew. */
function withMoved(timelines: ById<Timeline>, conversation: ConversationView, owner: number): ById<Timeline> {
  const left = timelines[owner];
  const joined = timelines[conversation.customer_id];
  return {
    ...timelines,
    ...(left ? { [owner]: { ...left, entries: left.entries.filter((each) => each.conversation_id !== conversation.id), stale: true } } : {}),
    ...(joined ? { [conversation.customer_id]: { ...joined, stale: true, isMixed: true } } : {}),
  };
}

/** Its lines stand in another conversation by now: those that are held are to be asked for anew. */
function withEntriesMoved(state: HubState, customerId: number): HubState {
  const timeline = state.timelines[customerId];
  return timeline ? { ...state, timelines: { ...state.timelines, [customerId]: { ...timeline, stale: true, isMixed: true } } } : state;
}

function withActivity(state: HubState, activity: ActivityView): HubState {
  // Of others it is asked for when their timeline is.
  if (!state.timelines[activity.customer_id] && !state.activities[activity.id]) return state;
  const activities = newer(state.activities, activity.id, activity);
  return activities === state.activities ? state : { ...state, activities };
}

/** A page of a customer's activities. `before`: those that were held when the newest page was asked for; of them, what it does not name is no longer theirs. */
export function withActivities(state: HubState, customerId: number, page: readonly ActivityView[], before: ReadonlySet<number> = new Set()): HubState {
  const kept = Object.fromEntries(Object.entries(state.activities).filter(([, each]) => each.customer_id !== customerId || !before.has(each.id)));
  return { ...state, activities: page.reduce<ById<ActivityView>>((held, each) => newer(held, each.id, newer(state.activities, each.id, each)[each.id] ?? each), kept) };
}

/** A call as an answer or an event tells it. */
export function withCall(state: HubState, call: CallView): HubState {
  const calls = newer(state.calls, call.id, call);
  return calls === state.calls ? state : { ...state, calls };
}

/** Whether tasks that stand here may be closed to the viewer with this conversation: only the hub knows, for they may see the customer by another. */
function hidesTasks(state: HubState, conversationId: number): boolean {
  const customerId = state.conversations.get(conversationId)?.customer_id;
  return Object.values(state.tasks).some((task) => task.conversation_id === conversationId || task.customer_id === customerId);
}

export function withTask(state: HubState, task: TaskView): HubState {
  const tasks = newer(state.tasks, task.id, task);
  return tasks === state.tasks ? state : { ...state, tasks };
}

export function withCustomer(state: HubState, customer: CustomerView): HubState {
  const customers = newer(state.customers, customer.id, customer);
  return customers === state.customers ? state : { ...state, customers };
}

/** From here on, entries of this customer are collected, so that none falls between a page and the socket. */
export function withTimelineWanted(state: HubState, customerId: number): HubState {
  if (state.timelines[customerId]) return state;
  return { ...state, timelines: { ...state.timelines, [customerId]: EMPTY_TIMELINE } };
}

export function withTimelinePage(
  state: HubState,
  customerId: number,
  page: { items: readonly EntryView[]; next_cursor: string | null },
  end: "newest" | "older",
): HubState {
  const timeline = state.timelines[customerId] ?? EMPTY_TIMELINE;
  const next = (end === "newest" ? withNewestPage : withOlderPage)(timeline, page.items, page.next_cursor);
  return { ...state, timelines: { ...state.timelines, [customerId]: next } };
}

/** Without what has ended and nobody looks at: resolved conversations, calls that are over, cards and timelines. A later snapshot tells the same. */
export function withoutEnded(state: HubState): HubState {
  const kept = <T>(slice: ById<T>, keeps: (item: T) => boolean): ById<T> => Object.fromEntries(Object.entries(slice).filter(([, item]) => keeps(item)));
  return {
    ...state,
    conversations: Table.of(openConversations(state), (each) => each.id),
    calls: kept(state.calls, (call) => call.ended_at === null),
    tasks: kept(state.tasks, (task) => isOwnTask(state.user, task)),
    planned: {},
    customers: {},
    timelines: {},
    activities: {},
  };
}

// --- what the screens ask -----------------------------------------------------------------------------------------------

/** The same rule as the server's conversation_topics: the queue's members, the assignee, who was asked into it, and supervisors. */
export function maySee(user: UserView, conversation: ConversationView): boolean {
  return (
    user.role !== "agent" || conversation.assignee_id === user.id || user.queue_ids.includes(conversation.queue_id) || conversation.participant_ids.includes(user.id)
  );
}

export function openConversations(state: HubState): ConversationView[] {
  return state.conversations.filter((each) => each.status === "open" && maySee(state.user, each));
}

/** What one has to do: one's own, and what nobody has in one's queues. */
export function isOwnTask(user: UserView, task: TaskView): boolean {
  if (task.outcome !== null) return false;
  return task.assignee_id === null ? task.queue_id !== null && user.queue_ids.includes(task.queue_id) : task.assignee_id === user.id;
}

export function ownTasks(state: HubState): TaskView[] {
  return Object.values(state.tasks).filter((task) => isOwnTask(state.user, task));
}

/** What is to go out still in these conversations, the next one first. */
export function standing(state: HubState, conversationIds: readonly number[]): PlannedView[] {
  return Object.values(state.planned)
    .filter((each) => conversationIds.includes(each.conversation_id) && (each.state === "waiting" || each.state === "stopped"))
    .toSorted((a, b) => Date.parse(a.send_at) - Date.parse(b.send_at) || a.id - b.id);
}

/** All that stands there, asked for anew: what was held here and is not among it has gone meanwhile. */
export function withStanding(state: HubState, conversationId: number, planned: readonly PlannedView[]): HubState {
  const others = Object.entries(state.planned).filter(([, each]) => each.conversation_id !== conversationId);
  const newest = planned.map((each) => {
    const held = state.planned[each.id];
    return [each.id, held && held.version > each.version ? held : each] as const;
  });
  return { ...state, planned: Object.fromEntries([...others, ...newest]) };
}

/** There is a telephone line. */
export function hasLine(state: HubState): boolean {
  return Object.values(state.channels).some((channel) => channel.voice !== null);
}

/** Those that go on, wrap-up included. */
export function liveCalls(state: HubState): CallView[] {
  return Object.values(state.calls).filter((call) => call.ended_at === null);
}

/** What is known last of the call that an entry tells of. */
export function callOf(state: HubState, entry: EntryView): CallView | null {
  const held = entry.call && state.calls[entry.call.id];
  return held && entry.call && held.version > entry.call.version ? held : entry.call;
}

/** The part of the state that a later snapshot tells, too, in one order: equal states are equal texts. */
export function canonical(state: HubState): Record<string, unknown> {
  return {
    agents: sorted(Object.values(state.agents), (agent) => agent.user_id),
    queues: sorted(Object.values(state.queues), (queue) => queue.id),
    channels: sorted(Object.values(state.channels), (channel) => channel.id),
    conversations: sorted(openConversations(state), (conversation) => conversation.id),
    offers: sorted(Object.values(state.offers), (offer) => offer.id),
    numbers: figuresOf(state.numbers),
    estimates: sorted(Object.values(state.estimates), (estimate) => estimate.queue_id),
    queue_lengths: sorted(Object.values(state.queueLengths), (length) => length.queue_id),
    topics: sorted(Object.values(state.topics), (topic) => topic.id),
    alerts: sorted(Object.values(state.alerts), (alert) => alert.id),
    calls: sorted(liveCalls(state), (call) => call.id),
    teams: sorted(Object.values(state.teams), (team) => team.id),
    targets: sorted(Object.values(state.targets), (target) => target.id),
    figure_defaults: state.figureDefaults,
    remaking: state.remaking,
    custom_fields: sorted(Object.values(state.customFields), (field) => field.id),
    kpi_alerts: sorted(Object.values(state.kpiAlerts), (alert) => alert.id),
    drafts: sorted(Object.values(state.drafts), (mark) => mark.conversation_id),
    tasks: sorted(ownTasks(state), (task) => task.id),
    notice_rules: state.noticeRules,
    queue_numbers: sorted(Object.values(state.queueNumbers).filter(countsAnything).map(figuresOf), (each) => each.queue_id),
    agent_numbers: sorted(Object.values(state.agentNumbers).filter(countsAnything).map(figuresOf), (each) => each.user_id),
  };
}

/** Up to which event figures were counted is no figure: they are the same until something is counted. */
function figuresOf<T extends { as_of_seq: number }>({ as_of_seq: _position, ...figures }: T): Omit<T, "as_of_seq"> {
  return figures;
}

/* A snapshot leaves out of whom nothing is counted, and whoever was told so holds zeros. */
const NO_COUNTS: readonly string[] = ["as_of_seq", "user_id", "queue_id", "day", "service_level_id", "threshold_s", "spell", "spell_since"];
function countsAnything(numbers: QueueNumbersView | NumbersView): boolean {
  return Object.entries(numbers).some(([name, value]) => !NO_COUNTS.includes(name) && Boolean(value));
}

// --- the small parts ----------------------------------------------------------------------------------------------------

function index<T>(items: readonly T[], key: (item: T) => string | number): ById<T> {
  return Object.fromEntries(items.map((item) => [key(item), item]));
}

function newer<T extends { version: number }>(slice: ById<T>, key: string | number, view: T): ById<T> {
  const held = slice[key];
  return held && held.version >= view.version ? slice : { ...slice, [key]: view };
}

function without<T>(slice: ById<T>, key: string | number): ById<T> {
  if (!(key in slice)) return slice;
  return Object.fromEntries(Object.entries(slice).filter(([held]) => held !== String(key)));
}

function withEntry(state: HubState, entry: EntryView): HubState {
  const timeline = state.timelines[entry.customer_id];
  if (!timeline) return state;
  const next = upsert(timeline, entry);
  return next === timeline ? state : { ...state, timelines: { ...state.timelines, [entry.customer_id]: next } };
}

function withoutConversation(state: HubState, conversationId: number): HubState {
  const gone = Object.values(state.calls).filter((call) => call.conversation_id === conversationId && !takesPart(state.user, call));
  // What happens to it from now on is not told: when it comes in sight again, its timeline is asked for anew.
  const customerId = state.conversations.get(conversationId)?.customer_id;
  const timeline = customerId === undefined ? undefined : state.timelines[customerId];
  return {
    ...state,
    timelines: timeline && customerId !== undefined ? { ...state.timelines, [customerId]: { ...timeline, stale: true } } : state.timelines,
    conversations: state.conversations.without(conversationId),
    calls: gone.reduce((calls, call) => without(calls, call.id), state.calls),
  };
}

function takesPart(user: UserView, call: CallView): boolean {
  return call.legs.some((leg) => leg.user_id === user.id && leg.ended_at === null);
}

function withQueueNumbers(state: HubState, numbers: QueueNumbersView): HubState {
  const held = state.queueNumbers[numbers.queue_id];
  if (held && held.as_of_seq > numbers.as_of_seq) return state;
  return { ...state, queueNumbers: { ...state.queueNumbers, [numbers.queue_id]: numbers } };
}

/** Supervisors are told everybody's numbers, all others their own. */
function withNumbers(state: HubState, numbers: NumbersView): HubState {
  const isNewest = numbers.user_id === state.user.id && numbers.as_of_seq >= state.numbers.as_of_seq;
  const mine = isNewest ? { ...state, numbers } : state;
  const held = state.agentNumbers[numbers.user_id];
  if (state.user.role === "agent" || (held && held.as_of_seq > numbers.as_of_seq)) return mine;
  return { ...mine, agentNumbers: { ...state.agentNumbers, [numbers.user_id]: numbers } };
}

function sorted<T>(items: T[], key: (item: T) => string | number): T[] {
  return items.toSorted((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}
