/*
 * The page's one store: who is signed in, what the hub told (state.ts, through the live line of stream.ts), and what it says
 * right now without remembering (typing, viewing, the server's clock).
 *
 * Everything the hub tells goes through `learn`, answers too: an answer is the event it stands for. Screens read; they change
 * nothing here except by the actions at the end.
 */
import { defineStore } from "pinia";
import { computed, reactive, ref, shallowRef } from "vue";

import { newestFirst, pagesAmong } from "./alerts";
import { api, ApiError, everything, setCsrfToken, whenSessionEnds } from "./client";
import type { AlertView, ConversationView, EntryView, Frame, HubEvent, OfferView, Permission, PlannedView, UserView, VolatileEvent } from "./events";
import { type Lookups, lookups, newestActivity } from "./lookups";
import { comparing, Ordered } from "./ordered";
import {
  apply,
  applyFrame,
  type HubState,
  initial,
  withActivities,
  withConversations,
  withCustomer,
  withStanding,
  withTimelinePage,
  withTimelineWanted,
  withoutEnded,
} from "./state";
import { createStream, SignedOut, type Stream, type StreamStatus } from "./stream";

/** How long somebody counts as typing after the last word of it: they tell every 3 s. */
const TYPING_MS = 5_000;
const TIMELINE_PAGE = 50;
const ACTIVITIES_PAGE = 100;
/** The hub did not answer at the page's start. */
const TRY_AGAIN_MS = 10_000;
/** How long a timeline waits for the server's word that we are told of this customer before it is asked for anyway. */
const WATCH_WAIT_MS = 250;

/** As `Array.sort` wants it. */
export const byNewestActivity = comparing(newestActivity);

const NOBODYS = Ordered.of<ConversationView>([], newestActivity);
const NONE: readonly ConversationView[] = [];

type SessionAnswer = Awaited<ReturnType<typeof api.session>>;

interface Typist {
  userId: number | null;
  name: string;
  until: number;
}

export const useHub = defineStore("hub", () => {
  const session = ref<"unknown" | "in" | "out" | "unreachable">("unknown");
  const user = shallowRef<UserView | null>(null);
  /** What this person may do beside looking. Changed rights come with a fresh snapshot. */
  const permissions = shallowRef<ReadonlySet<Permission>>(new Set());
  const state = shallowRef<HubState | null>(null);
  const status = ref<StreamStatus>("connecting");
  /** A screen on a wall: it looks at the board and does nothing else. */
  const isScreen = ref(false);
  /** When the sign-in ends whatever happens. */
  const signedInUntil = ref<string | null>(null);
  /** When what is on the screen was last known to be true; ms of this machine's clock. */
  const trueAt = ref(Date.now());
  /** Server clock minus this machine's. */
  const skew_ms = ref(0);
  const typists = reactive(new Map<number, Typist[]>());
  const viewers = reactive(new Map<number, readonly number[]>());
  /** The newest word that somebody's draft was saved, for whoever shows it. */
  const drafting = shallowRef<Extract<VolatileEvent, { kind: "drafting" }> | null>(null);
  /** How many snapshots have come: what was asked for beside one is asked for again. */
  const snapshots = ref(0);
  /** Newest entries that came live, for whoever announces them. */
  const arrivals = shallowRef<readonly HubEvent[]>([]);

  // --- the live line

  const stream: Stream = createStream(
    {
      async load(isWanted) {
        const snapshot = await api.snapshot().catch((error: unknown) => {
          throw error instanceof ApiError && error.status === 401 ? new SignedOut() : error;
        });
        if (!isWanted()) return snapshot.token;
        skew_ms.value = Date.parse(snapshot.at) - Date.now();
        state.value = initial(snapshot, state.value ?? undefined);
        user.value = snapshot.user;
        permissions.value = new Set(snapshot.permissions);
        snapshots.value += 1;
        // What fails here is asked for again with the next snapshot; until then the timeline is marked as stale.
        refreshWatched().catch(() => undefined);
        // Of very much open work the snapshot carries the newest; complaints and what burns are never left out.
        if (!snapshot.conversations_complete && !isScreen.value) loadTroubled().catch(() => undefined);
        return snapshot.token;
      },
      apply(frames, within_ms) {
        if (!state.value) return frames.length;
        const wasStale = isStale();
        const until = performance.now() + within_ms;
        let [next, count] = [state.value, 0];
        do next = applyFrame(next, frames[count++] as Frame);
        while (count < frames.length && performance.now() < until);
        state.value = next;
        user.value = next.user;
        arrivals.value = frames.slice(0, count).flatMap((frame) => frame.events);
        for (const event of arrivals.value) {
          if (event.kind === "entry.added") stopTyping(event.entry.conversation_id, event.entry.author.user_id);
        }
        if (state.value.mustResync) queueMicrotask(() => stream.resync());
        // Once: what fails is asked for again with the next snapshot.
        else if (isStale() && !wasStale) refreshWatched().catch(() => undefined);
        return count;
      },
      volatile(events) {
        events.forEach(notice);
      },
      tick(serverTime) {
        skew_ms.value = Date.parse(serverTime) - Date.now();
        trueAt.value = Date.now();
      },
      watching(customerId) {
        if (customerId !== null && customerId === watched.value) watchAnswered?.();
      },
      status(next) {
        if (status.value === "live" && next !== "live") trueAt.value = Date.now();
        status.value = next;
        if (next === "signed-out") ended();
      },
    },
    { url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live` },
  );

  function wake(): void {
    if (document.visibilityState === "visible") stream.wake();
  }
  window.addEventListener("online", wake);
  window.addEventListener("offline", wake);
  document.addEventListener("visibilitychange", wake);

  function learn(event: HubEvent): void {
    if (state.value) state.value = apply(state.value, event);
  }

  /** What has ended is let go of, for a page that stays open for weeks. */
  function forget(): void {
    if (state.value) state.value = withoutEnded(state.value);
    typists.clear();
  }

  function notice(event: VolatileEvent): void {
    if (event.kind === "viewing") viewers.set(event.customer_id, event.user_ids);
    else if (event.kind === "drafting") drafting.value = event;
    else {
      const others = (typists.get(event.conversation_id) ?? []).filter((each) => each.userId !== event.user_id);
      const typist = { userId: event.user_id, name: event.name, until: Date.now() + TYPING_MS };
      typists.set(event.conversation_id, [...others, typist]);
    }
  }

  function stopTyping(conversationId: number, userId: number | null): void {
    const others = typists.get(conversationId)?.filter((each) => each.userId !== userId) ?? [];
    typists.set(conversationId, others);
  }

  // --- session

  whenSessionEnds(() => {
    stream.stop();
    ended();
  });

  function ended(): void {
    if (session.value === "in") session.value = "out";
  }

  function known(answer: SessionAnswer): void {
    setCsrfToken(answer.csrf_token);
    isScreen.value = answer.is_screen;
    signedInUntil.value = answer.expires_at;
  }

  function entered(answer: SessionAnswer): void {
    known(answer);
    if (state.value && state.value.user.id !== answer.user.id) state.value = null;
    user.value = answer.user;
    permissions.value = new Set(answer.permissions);
    session.value = "in";
    stream.start();
  }

  /** At page load: is there a session already? */
  async function resume(): Promise<void> {
    try {
      entered(await api.session());
    } catch (error) {
      session.value = error instanceof ApiError && error.status < 500 ? "out" : "unreachable";
      // Nobody need be there to press the button: a screen on a wall comes back by itself.
      if (session.value === "unreachable") setTimeout(() => session.value === "unreachable" && void resume(), TRY_AGAIN_MS);
    }
  }

  /** Says that this page is still looked at, so that a sign-in that has not ended yet does not end for want of use. */
  async function stay(): Promise<void> {
    known(await api.session());
  }

  async function becomeScreen(): Promise<void> {
    known(await api.makeScreen());
  }

  async function signIn(email: string, password: string): Promise<void> {
    entered(await api.signIn(email, password));
  }

  async function signOut(): Promise<void> {
    await api.signOut();
    stream.stop();
    state.value = null;
    user.value = null;
    permissions.value = new Set();
    session.value = "out";
  }

  // --- the card that is open

  const watched = ref<number | null>(null);
  /** Where the older activities of a customer begin; null: there are none. */
  const activityCursors = new Map<number, string | null>();
  let watchAnswered: (() => void) | undefined;

  /** Opens a customer's card: tells the server, then loads the card and the newest page of the timeline. */
  async function watch(customerId: number | null): Promise<void> {
    watched.value = customerId;
    if (customerId === null) return stream.watch(null);
    if (state.value) state.value = withTimelineWanted(state.value, customerId);
    const answered = new Promise<void>((resolve) => (watchAnswered = resolve));
    stream.watch(customerId);
    await Promise.race([answered, new Promise((resolve) => setTimeout(resolve, WATCH_WAIT_MS))]);
    await refreshWatched();
  }

  /** Lines have come to the open timeline, or left it, in another way than one by one. */
  function isStale(): boolean {
    return watched.value !== null && state.value?.timelines[watched.value]?.stale === true;
  }

  async function refreshWatched(): Promise<void> {
    const customerId = watched.value;
    if (customerId === null) return;
    const before = new Set(Object.values(state.value?.activities ?? {}).map((each) => each.id));
    const [card, page, told] = await Promise.all([
      api.customer(customerId),
      api.customerTimeline(customerId, { limit: TIMELINE_PAGE }),
      api.activities(customerId, { limit: ACTIVITIES_PAGE }),
    ]);
    if (!state.value) return;
    if (card.customer.id !== customerId) {
      // This card was found to be a part of another: that one is looked at from now on.
      state.value = withCustomer(state.value, card.customer);
      if (watched.value === customerId) await watch(card.customer.id);
      return;
    }
    const known = withConversations(withCustomer(state.value, card.customer), [
      ...card.conversations,
      ...page.conversations,
    ]);
    state.value = withActivities(withTimelinePage(known, customerId, page, "newest"), customerId, told.items, before);
    activityCursors.set(customerId, told.next_cursor);
    viewers.set(customerId, card.viewer_ids);
  }

  async function loadOlder(customerId: number): Promise<void> {
    const cursor = state.value?.timelines[customerId]?.olderCursor;
    if (!cursor) return;
    const page = await api.customerTimeline(customerId, { limit: TIMELINE_PAGE, cursor });
    const more = activityCursors.get(customerId);
    const told = more ? await api.activities(customerId, { limit: ACTIVITIES_PAGE, cursor: more }) : null;
    if (!state.value) return;
    state.value = withTimelinePage(withConversations(state.value, page.conversations), customerId, page, "older");
    if (!told) return;
    state.value = withActivities(state.value, customerId, told.items);
    activityCursors.set(customerId, told.next_cursor);
  }

  /** Older lines, fetched by themselves, that reach up to what is held: from here on they are of it. */
  function joinOlder(customerId: number, page: { items: readonly EntryView[]; next_cursor: string | null }): void {
    if (state.value) state.value = withTimelinePage(state.value, customerId, page, "older");
  }

  async function loadTroubled(): Promise<void> {
    learnConversations(await everything((cursor) => api.conversations({ troubled: true, limit: 200, ...(cursor === undefined ? {} : { cursor }) })));
  }

  function learnStanding(conversationId: number, planned: readonly PlannedView[]): void {
    if (state.value) state.value = withStanding(state.value, conversationId, planned);
  }

  function learnConversations(conversations: readonly ConversationView[]): void {
    if (state.value) state.value = withConversations(state.value, conversations);
  }

  async function findConversation(id: number): Promise<ConversationView> {
    const held = state.value?.conversations.get(id);
    if (held) return held;
    const conversation = await api.conversation(id);
    learnConversations([conversation]);
    return conversation;
  }

  // --- what the screens read

  const me = computed(() => (state.value && user.value ? (state.value.agents[user.value.id] ?? null) : null));
  const found = computed<Lookups | null>((before) => (state.value ? lookups(state.value, before) : null));
  const mine = computed(() => found.value?.mine ?? NOBODYS);
  const queued = computed(() => found.value?.queued ?? NOBODYS);
  /** Of all that one may see; each stays until it is solved. What has escalated most stands first. */
  const complaints = computed(() => found.value?.complaints ?? NOBODYS);
  /** Who waits for an answer, whoever should give it; the longest first. */
  const unanswered = computed(() => found.value?.unanswered ?? NOBODYS);
  const pages = computed(() => pagesAmong(state.value?.alerts ?? {}));
  const alerts = computed(() => newestFirst(state.value?.alerts ?? {}));
  const allOpen = computed(() => found.value?.open ?? NOBODYS);
  const resolved = computed(() => found.value?.resolved ?? NOBODYS);
  /** All that a customer has or had, as far as it is held, in the order of their ids. */
  const conversationsOf = (customerId: number | null | undefined): readonly ConversationView[] =>
    (typeof customerId === "number" ? found.value?.byCustomer.get(customerId) : undefined) ?? NONE;
  const myOffers = computed<OfferView[]>(() =>
    Object.values(state.value?.offers ?? {})
      .filter((offer) => offer.agent_id === user.value?.id && offer.ended_at === null)
      .toSorted((a, b) => a.expires_at.localeCompare(b.expires_at)),
  );
  /** The channels on which this person may write first. */
  const writableChannels = computed(() =>
    Object.values(state.value?.channels ?? {}).filter(
      (channel) => channel.enabled && may("conversations.take_part") && (isSupervisor.value || user.value?.queue_ids.includes(channel.queue_id)),
    ),
  );
  const live = computed(() => status.value === "live");
  const isSupervisor = computed(() => user.value !== null && user.value.role !== "agent");
  const isAdmin = computed(() => user.value?.role === "admin");
  const may = (permission: Permission) => permissions.value.has(permission);

  // --- what the agent does: each answer is learnt as the event it stands for

  /** One's own account, as an answer tells it: no event does. */
  function learnMe(me: UserView): void {
    user.value = me;
    if (state.value) state.value = { ...state.value, user: me };
  }

  const changed = (conversation: ConversationView) => {
    learn({ kind: "conversation.changed", conversation });
    return conversation;
  };

  async function setMyState(next: "available" | "busy" | "away", reason: string | null = null): Promise<void> {
    learn({ kind: "agent.changed", agent: await api.setMyState(next, reason) });
  }

  async function acceptOffer(offer: OfferView): Promise<ConversationView> {
    const conversation = changed(await api.acceptOffer(offer.id));
    learn({ kind: "offer.ended", offer });
    return conversation;
  }

  async function declineOffer(offer: OfferView): Promise<void> {
    await api.declineOffer(offer.id);
    learn({ kind: "offer.ended", offer });
  }

  const claim = async (conversation: ConversationView) =>
    changed(await api.claim(conversation.id, conversation.assignee_id));
  const release = async (id: number) => changed(await api.release(id));
  const resolve = async (id: number) => changed(await api.resolve(id));
  const reopen = async (id: number) => changed(await api.reopen(id));
  const park = async (id: number, until: Date) => changed(await api.park(id, until));
  const unpark = async (id: number) => changed(await api.unpark(id));
  const transfer = async (id: number, to: Parameters<typeof api.transfer>[1]) => changed(await api.transfer(id, to));

  async function seeAlert(alert: AlertView): Promise<void> {
    learn({ kind: "alert.changed", alert: await api.seeAlert(alert.id) });
  }

  async function settleDelivery(entryId: number, action: "retry" | "discard"): Promise<void> {
    learn({ kind: "entry.changed", entry: await api.settleDelivery(entryId, action) });
  }

  return {
    session, user, state, status, trueAt, skew_ms, typists, viewers, drafting, snapshots, arrivals, watched,
    isScreen, signedInUntil, stay, becomeScreen,
    resume, signIn, signOut, learn, forget, learnStanding, learnConversations, findConversation, watch, loadOlder, joinOlder, refreshWatched,
    me, mine, queued, complaints, unanswered, pages, alerts, allOpen, resolved, conversationsOf, myOffers, writableChannels, live, isSupervisor, isAdmin, permissions, may,
    setMyState, acceptOffer, declineOffer, claim, release, resolve, reopen, park, unpark, transfer, seeAlert, settleDelivery, learnMe,
    reconnect: () => stream.start(),
  };
});
