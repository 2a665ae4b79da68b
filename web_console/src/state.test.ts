import { describe, expect, it } from "vitest";

import type { AgentView, ConversationView, EntryView, Frame, HubEvent, OfferView, QueueNumbersView, Snapshot, TaskView, UserView } from "./events";
import { replay } from "./replay";
import { apply, applyFrame, canonical, initial, maySee, openConversations, ownTasks, withActivities, withTimelinePage, withTimelineWanted } from "./state";

const AT = "2026-11-22T10:00:00Z";

const user: UserView = {
  id: 1, email: "ani@demo.test", name: "Անի", role: "agent", language: "hy", active: true, capacity: 100, queue_ids: [1], version: 1, signature: "", weights: {}, desk_phone: null, undo_mail_s: 10, undo_text_s: 0, role_id: null, role_name: null,
};

function conversation(id: number, changes: Partial<ConversationView> = {}): ConversationView {
  return {
    id, customer_id: 7, customer_name: "Արամ", contact_point_id: 3, address: "+37477123456", channel_id: "sms", channel_kind: "sms",
    queue_id: 1, status: "open", assignee_id: null, assigned_at: null, queued_since: AT, unanswered_since: AT, created_at: AT,
    last_entry_at: AT, resolved_at: null, reopened_count: 0, priority: 0, preview: "…", preview_direction: "in", version: 1, subject: null,
    pinned_agent_id: null, topic_id: null, tags: [], customer_tier: 0, parked_until: null,
    next_step_at: null, escalated: 0, callback: null, call_id: null, fields: {}, participant_ids: [], merged_into_id: null, customer_is_erased: false, visitor_away_since: null, ...changes,
  };
}

function entry(id: number, changes: Partial<EntryView> = {}): EntryView {
  return {
    id, conversation_id: 10, customer_id: 7, channel_id: "sms", kind: "message", direction: "in",
    author: { kind: "customer", name: "Արամ", user_id: null }, text: `text ${id}`, at: new Date(Date.parse(AT) + id * 1000).toISOString(),
    version: 1, happening: null, data: {}, attachments: [], delivery: null, client_key: null, mail: null, call: null, origin_id: null, ...changes,
  };
}

function offer(id: number): OfferView {
  return {
    id, conversation_id: 10, agent_id: 1, offered_at: AT, expires_at: AT, ended_at: null, outcome: null, customer_name: "Արամ",
    channel_id: "sms", channel_kind: "sms", queue_id: 1, preview: "…", waiting_since: AT, why: {}, call_id: null, callback_address: null, customer_is_erased: false, visitor_away_since: null,
  };
}

const agent: AgentView = {
  user_id: 1, name: "Անի", role: "agent", state: "available", reason: null, state_since: AT, connected: true, load: 0, capacity: 100, version: 4, active: true,
};

const NOTHING_BESIDE_CALLS = {
  calls_internal: 0, handled_segments: 0, chats: 0, mails: 0, texts: 0, handle_mean_s: null, handle_count: 0,
  first_response_median_s: null, resolution_p90_s: null, csat_share: null, csat_mean: null, csat_count: 0,
  transfers_blind: 0, transfers_consult: 0, transfers_requeue: 0, transfer_cases: 0, offers: 0, offers_missed: 0, offers_declined: 0, work_ms: 0, available_ms: 0,
  spell: "none", spell_since: null,
} as const;

function snapshot(changes: Partial<Snapshot> = {}): Snapshot {
  return {
    token: "e-1", at: AT, user, permissions: [], organisation: { name: "Demo", time_zone: "Asia/Yerevan", languages: [] }, agents: [agent], queues: [], channels: [],
    conversations: [conversation(10)], conversations_complete: true, work_complete: true, offers: [],
    numbers: { user_id: 1, day: "2026-11-22", handled_contacts: 0, first_response_mean_s: null, first_response_count: 0, resolution_median_s: null, resolution_count: 0, as_of_seq: 5, calls_in: 0, calls_out: 0, calls_missed: 0, talk_s: 0, hold_s: 0, wrap_up_s: 0, aht_s: null, ...NOTHING_BESIDE_CALLS },
    topics: [], estimates: [], queue_lengths: [], alerts: [], calls: [], queue_numbers: [], agent_numbers: [],
    teams: [], targets: [], figure_defaults: { service_level: "service_level", threshold_s: 20, short_s: 5, version: 1 }, remaking: null, kpi_alerts: [], custom_fields: [], tasks: [], drafts: [],
    notice_rules: { silent: [], hidden: [], quiet_from: null, quiet_until: null, zone: null, quiet_states: [], density: "comfortable", version: 0 },
    ...changes,
  };
}

const changed = (view: ConversationView): HubEvent => ({ kind: "conversation.changed", conversation: view });

describe("the reducer", () => {
  it("never lets a view go back to a lower version", () => {
    const state = apply(initial(snapshot()), changed(conversation(10, { version: 5, assignee_id: 1 })));
    expect(apply(state, changed(conversation(10, { version: 4 })))).toBe(state);
    expect(apply(state, { kind: "agent.changed", agent: { ...agent, state: "busy", version: 3 } }).agents[1]?.state).toBe("available");
    expect(apply(state, { kind: "agent.changed", agent: { ...agent, state: "busy", version: 5 } }).agents[1]?.state).toBe("busy");
  });

  it("takes a conversation's lines out of the timeline of a card that has lost it, and asks for both anew", () => {
    const page = { items: [entry(1), entry(2, { conversation_id: 11 })], next_cursor: null };
    const before = [7, 8].reduce((state, customerId) => withTimelinePage(state, customerId, { ...page, items: customerId === 7 ? page.items : [] }, "newest"), apply(initial(snapshot()), changed(conversation(10, { version: 1 }))));
    const state = apply(before, changed(conversation(10, { version: 9, customer_id: 8 })));
    expect(state.timelines[7]?.entries.map((each) => each.id)).toEqual([2]);
    expect([state.timelines[7]?.stale, state.timelines[8]?.stale, state.timelines[8]?.isMixed]).toEqual([true, true, true]);
  });

  it("holds what other systems told of the cards that are looked at, and lets go of what is no longer theirs", () => {
    const told = (id: number, version = 1) => ({ id, customer_id: 7, source: "shop", external_id: `${id}`, kind: "order", title: `v${version}`, text: "", amount: null, currency: null, url: null, at: AT, version });
    const state = withTimelinePage(initial(snapshot()), 7, { items: [], next_cursor: null }, "newest");
    expect(apply(initial(snapshot()), { kind: "activity.changed", activity: told(1) }).activities).toEqual({});
    const two = [told(1, 2), told(2)].reduce((held, activity) => apply(held, { kind: "activity.changed", activity }), state);
    const refreshed = withActivities(two, 7, [told(1, 1)], new Set([1, 2]));
    expect(Object.values(refreshed.activities).map((each) => [each.id, each.title])).toEqual([[1, "v2"]]);
    expect(Object.keys(withActivities(two, 7, [], new Set([1])).activities)).toEqual(["2"]);
  });

  it("takes a resolved conversation from the open ones and keeps it at hand", () => {
    const state = apply(initial(snapshot()), changed(conversation(10, { version: 2, status: "resolved" })));
    expect(openConversations(state)).toEqual([]);
    expect(state.conversations.get(10)?.status).toBe("resolved");
    const late = apply(state, changed(conversation(10, { version: 1 })));
    expect(openConversations(late)).toEqual([]);
  });

  it("learns that a chat's visitor has left and is back, in whatever order, and leaves every row where it is", () => {
    const chat = (version: number, visitor_away_since: string | null) => changed(conversation(10, { version, visitor_away_since, channel_kind: "chat" }));
    const start = initial(snapshot({ conversations: [conversation(10), conversation(11, { last_entry_at: "2026-11-22T11:00:00Z" })] }));
    const order = (state: typeof start) => openConversations(state).map((each) => each.id);
    const gone = apply(start, chat(2, AT));
    expect(gone.conversations.get(10)?.visitor_away_since).toBe(AT);
    expect(order(gone)).toEqual(order(start));
    expect([chat(4, null), chat(3, AT)].reduce(apply, gone).conversations.get(10)?.visitor_away_since).toBeNull();
    const ringing = apply(gone, { kind: "offer.made", offer: { ...offer(5), visitor_away_since: AT } });
    expect(apply(ringing, { kind: "offer.made", offer: offer(5) }).offers[5]?.visitor_away_since).toBeNull();
  });

  it("holds how far imports are until they are removed", () => {
    const progress = { id: 4, state: "new" as const, total: 1, done: 0, made: 0, changed: 0, same: 0, refused: 0, version: 1 };
    const state = apply(initial(snapshot()), { kind: "customer_import.moved", progress });
    expect(state.imports).toEqual({ 4: progress });
    expect(apply(state, { kind: "customer_import.removed", import_id: 4 }).imports).toEqual({});
  });

  it("drops a conversation that is hidden from the viewer", () => {
    const state = apply(initial(snapshot()), { kind: "conversation.hidden", conversation_id: 10 });
    expect(state.conversations.get(10)).toBeUndefined();
    expect(apply(state, { kind: "conversation.hidden", conversation_id: 10 }).conversations).toBe(state.conversations);
  });

  it("shows in the lists only what the viewer may see", () => {
    const foreign = conversation(11, { queue_id: 2 });
    const state = apply(initial(snapshot()), changed(foreign));
    expect(openConversations(state).map((each) => each.id)).toEqual([10]);
    expect(maySee(user, { ...foreign, assignee_id: 1 })).toBe(true);
    expect(maySee({ ...user, role: "supervisor" }, foreign)).toBe(true);
  });

  it("removes an offer when it has ended, whatever comes twice", () => {
    const made: HubEvent = { kind: "offer.made", offer: offer(1) };
    const ended: HubEvent = { kind: "offer.ended", offer: { ...offer(1), ended_at: AT, outcome: "accepted" } };
    const state = [made, made, ended, ended].reduce(apply, initial(snapshot()));
    expect(state.offers).toEqual({});
  });

  it("changes nothing when the same frame is applied twice", () => {
    const frame: Frame = {
      prev: "e-1", token: "e-4",
      events: [
        { kind: "entry.added", entry: entry(1), conversation: conversation(10, { version: 2, preview: "text 1" }) },
        { kind: "agent.changed", agent: { ...agent, load: 20, version: 5 } },
        { kind: "offer.made", offer: offer(2) },
      ],
    };
    const once = applyFrame(withTimelineWanted(initial(snapshot()), 7), frame);
    const twice = applyFrame(once, frame);
    expect(twice).toEqual(once);
    expect(twice.timelines[7]).toBe(once.timelines[7]);
    expect(once.token).toBe("e-4");
  });

  it("asks for a new snapshot when one's own rights change, not when others' do", () => {
    const state = initial(snapshot());
    expect(apply(state, { kind: "access.changed", user_id: 1 }).mustResync).toBe(true);
    expect(apply(state, { kind: "access.changed", user_id: 2 })).toBe(state);
  });

  it("knows that figures are being made anew until it is told that they are whole", () => {
    const told = apply(initial(snapshot()), { kind: "figures.remaking", remaking: { made_to: "2026-03-01" } });
    expect(told.remaking?.made_to).toBe("2026-03-01");
    expect(apply(told, { kind: "figures.remaking", remaking: null }).remaking).toBeNull();
  });

  it("keeps one's own numbers, the newest", () => {
    const state = initial(snapshot());
    const numbers = { ...state.numbers, handled_contacts: 3, as_of_seq: 9 };
    expect(apply(state, { kind: "numbers.changed", numbers }).numbers.handled_contacts).toBe(3);
    expect(apply(state, { kind: "numbers.changed", numbers: { ...numbers, user_id: 2 } })).toBe(state);
    expect(apply(state, { kind: "numbers.changed", numbers: { ...numbers, as_of_seq: 4 } })).toBe(state);
  });

  it("keeps everybody's numbers for a supervisor, the newest", () => {
    const state = initial(snapshot({ user: { ...user, role: "supervisor" } }));
    const numbers = { ...state.numbers, user_id: 2, calls_in: 3, as_of_seq: 9 };
    const told = apply(state, { kind: "numbers.changed", numbers });
    expect(told.agentNumbers[2]?.calls_in).toBe(3);
    expect(told.numbers).toBe(state.numbers);
    expect(apply(told, { kind: "numbers.changed", numbers: { ...numbers, calls_in: 2, as_of_seq: 8 } }).agentNumbers[2]?.calls_in).toBe(3);
    expect(apply(told, { kind: "numbers.changed", numbers: { ...state.numbers, calls_in: 1 } })).toMatchObject({
      numbers: { calls_in: 1 }, agentNumbers: { 1: { calls_in: 1 }, 2: { calls_in: 3 } },
    });
  });

  it("takes figures of zero for none: a snapshot has none of those who have done nothing", () => {
    const queueNumbers: QueueNumbersView = {
      queue_id: 5, day: "2026-11-22", calls_offered: 0, calls_answered: 0, calls_abandoned: 0, calls_short_abandoned: 0, calls_missed: 0,
      wait_mean_s: null, talk_s: 0, hold_s: 0, wrap_up_s: 0, aht_s: null, as_of_seq: 9,
      service_level: null, answered_in_threshold: 0, service_level_offered: 0, service_level_id: "service_level", threshold_s: 20,
      offered: 0, answered: 0, abandoned: 0, short_abandoned: 0, abandonment: null, abandonment_count: 0, asa_s: null, asa_count: 0, backlog: 0,
    };
    const state = initial(snapshot({ user: { ...user, role: "supervisor" } }));
    const told = [
      { kind: "queue_numbers.changed", numbers: queueNumbers } as const,
      { kind: "numbers.changed", numbers: { ...state.numbers, user_id: 2 } } as const,
    ].reduce(apply, state);
    expect(canonical(told)).toEqual(canonical(state));
    const counted = apply(told, { kind: "queue_numbers.changed", numbers: { ...queueNumbers, calls_offered: 1 } });
    expect(canonical(counted)).not.toEqual(canonical(state));
  });

  it("passes over events that a newer server tells", () => {
    const state = initial(snapshot());
    expect(apply(state, { kind: "weather.changed" } as unknown as HubEvent)).toBe(state);
  });
});

describe("a timeline", () => {
  const loaded = (entries: EntryView[], cursor: string | null = null) =>
    withTimelinePage(withTimelineWanted(initial(snapshot()), 7), 7, { items: entries, next_cursor: cursor }, "newest");
  const ids = (state: ReturnType<typeof loaded>) => state.timelines[7]?.entries.map((each) => each.id);

  it("orders entries by time, then by number, however they come", () => {
    const same = entry(1).at;
    const state = [entry(4, { at: same }), entry(2), entry(1), entry(3, { at: same })].reduce(
      (before, each) => apply(before, { kind: "entry.changed", entry: each }),
      loaded([]),
    );
    expect(ids(state)).toEqual([1, 3, 4, 2]);
  });

  it("collects what comes live while its page is on the way", () => {
    const waiting = apply(withTimelineWanted(initial(snapshot()), 7), { kind: "entry.changed", entry: entry(5) });
    const state = withTimelinePage(waiting, 7, { items: [entry(3), entry(4)], next_cursor: null }, "newest");
    expect(ids(state)).toEqual([3, 4, 5]);
  });

  it("keeps the higher version of an entry", () => {
    const sent = entry(1, { version: 3, text: "new" });
    const state = apply(loaded([sent]), { kind: "entry.changed", entry: entry(1, { version: 2, text: "old" }) });
    expect(state.timelines[7]?.entries[0]?.text).toBe("new");
  });

  it("leaves entries from before its first page to that page", () => {
    const state = apply(loaded([entry(8), entry(9)], "older"), { kind: "entry.changed", entry: entry(2) });
    expect(ids(state)).toEqual([8, 9]);
    expect(ids(withTimelinePage(state, 7, { items: [entry(2), entry(3)], next_cursor: null }, "older"))).toEqual([2, 3, 8, 9]);
  });

  it("starts anew when the newest page does not reach back to what is held", () => {
    const state = withTimelinePage(loaded([entry(1), entry(2)]), 7, { items: [entry(60), entry(61)], next_cursor: "c" }, "newest");
    expect(ids(state)).toEqual([60, 61]);
    expect(state.timelines[7]?.olderCursor).toBe("c");
  });

  it("asks anew for a timeline whose lines have moved to another conversation", () => {
    const state = withTimelineWanted(initial(snapshot()), 7);
    const moved = apply(state, { kind: "entries.moved", customer_id: 7, from_id: 1, into_id: 2 });
    expect(moved.timelines[7]).toMatchObject({ stale: true, isMixed: true });
    expect(apply(initial(snapshot()), { kind: "entries.moved", customer_id: 7, from_id: 1, into_id: 2 }).timelines).toEqual({});
  });

  it("asks for everything anew when a customer is erased", () => {
    const state = initial(snapshot(), loaded([entry(1)]));
    expect(apply(state, { kind: "customer.erased", customer_id: 7 })).toMatchObject({ mustResync: true, timelines: {} });
    expect(apply(state, { kind: "data_request.changed", request_id: 1, customer_id: 7 })).toBe(state);
  });

  it("survives a resync, marked as stale", () => {
    const state = initial(snapshot({ token: "e-9" }), loaded([entry(1)]));
    expect(state.timelines[7]).toMatchObject({ stale: true, entries: [{ id: 1 }] });
  });
});

describe("tasks", () => {
  const task = (id: number, changes: Partial<TaskView> = {}): TaskView => ({
    id, kind: "follow_up", title: "Get back to Արամ", note: "", customer_id: 7, customer_name: "Արամ", conversation_id: 10, assignee_id: 1, queue_id: 1, due_at: AT,
    fired_at: null, left_at: null, created_by: 1, created_at: AT, outcome: null, ended_at: null, ended_by: null, version: 1, customer_is_erased: false, ...changes,
  });
  const told = (view: TaskView): HubEvent => ({ kind: "task.changed", task: view });

  it("ask for everything anew when what they are about is hidden: the hub knows whether they still are one's own", () => {
    const state = [task(1), task(2, { conversation_id: null })].map(told).reduce(apply, initial(snapshot({ conversations: [conversation(10, {})] })));
    expect(state.mustResync).toBe(false);
    expect(apply(state, { kind: "conversation.hidden", conversation_id: 10 }).mustResync).toBe(true);
    expect(apply(initial(snapshot({ conversations: [conversation(10, {})] })), { kind: "conversation.hidden", conversation_id: 10 }).mustResync).toBe(false);
  });

  it("are one's own, and what nobody has in one's queues, until they end or are given away", () => {
    const state = [task(1), task(2, { assignee_id: null }), task(3, { assignee_id: null, queue_id: 9 }), task(4, { assignee_id: 2 }), task(5, { outcome: "done" })].map(told).reduce(apply, initial(snapshot()));
    expect(ownTasks(state).map((each) => each.id)).toEqual([1, 2]);
    const given = apply(state, told(task(1, { version: 2, assignee_id: 2 })));
    expect(ownTasks(apply(given, told(task(2, { version: 2, outcome: "done" }))))).toEqual([]);
    expect(ownTasks(apply(given, told(task(1)))).map((each) => each.id)).toEqual([2]);
  });
});

it("alerts that were seen all at once are gone, others stay", () => {
  const alerts = [1, 2, 3].map((id) => ({ id, user_id: 1, conversation_id: null, level: "notify" as const, reason: "mention", data: {}, at: AT, seen_at: null, version: 1, entry_id: null, task_id: null }));
  expect(Object.keys(apply(initial(snapshot({ alerts })), { kind: "alerts.seen", alert_ids: [1, 3, 99] }).alerts)).toEqual(["2"]);
});

it("whoever was asked into a conversation sees it, whatever its queue", () => {
  const elsewhere = conversation(11, { queue_id: 9 });
  expect([maySee(user, elsewhere), maySee(user, { ...elsewhere, participant_ids: [4, 1] })]).toEqual([false, true]);
});

describe("how long queues are", () => {
  const told = (version: number, waiting: number): HubEvent => ({ kind: "queue_length.changed", length: { queue_id: 1, waiting, longest_since: waiting > 0 ? AT : null, unresolved: waiting, version } });

  it("is what the hub counted last, in whatever order it is told", () => {
    const state = [told(2, 2_400), told(4, 2_398), told(3, 2_399)].reduce(apply, initial(snapshot({ conversations_complete: false })));
    expect(state.queueLengths[1]).toMatchObject({ version: 4, waiting: 2_398 });
  });
});

describe("replay", () => {
  it("says the same of a snapshot with frames and of the later snapshot", () => {
    const view = conversation(12, { version: 3, assignee_id: 1 });
    const frames: Frame[] = [
      { prev: "e-1", token: "e-2", events: [changed(conversation(10, { version: 2, status: "resolved" })), changed(view)] },
      { prev: "e-2", token: "e-3", events: [{ kind: "agent.changed", agent: { ...agent, version: 7, load: 20 } }] },
    ];
    const later = snapshot({ token: "e-3", conversations: [view], agents: [{ ...agent, version: 7, load: 20 }] });
    expect(replay({ snapshot: snapshot(), frames })).toBe(replay({ snapshot: later, frames: [] }));
    expect(Object.keys(canonical(initial(later)))).toEqual(["agents", "queues", "channels", "conversations", "offers", "numbers", "estimates", "queue_lengths", "topics", "alerts", "calls", "teams", "targets", "figure_defaults", "remaking", "custom_fields", "kpi_alerts", "drafts", "tasks", "notice_rules", "queue_numbers", "agent_numbers"]);
  });
});
