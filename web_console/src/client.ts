/*
 * Every request the console makes, one function each, typed by the server's OpenAPI document.
 *
 * A function resolves to the answer or throws: ApiError with the server's machine `code` (screens switch on it and have a
 * sentence for it), or Unreachable when no answer came at all, which says nothing about whether the request was carried out.
 */
import createClient, { type Middleware } from "openapi-fetch";

import type { components, operations, paths } from "./api";
import type { AttachmentView, CalendarView, CustomerImport, FlowBody, SoundView } from "./events";
import type { AlertRuleBody, ContactsQuery, TargetBody, TeamBody } from "./kpi";

type Schemas = components["schemas"];

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly fields: Record<string, string>;
  readonly retryAfterS: number | null;

  constructor(status: number, code: string, message: string, fields: Record<string, string>, retryAfterS: number | null) {
    super(message);
    this.status = status;
    this.code = code;
    this.fields = fields;
    this.retryAfterS = retryAfterS;
  }
}

/** The request did not get through, or its answer did not: only a repeatable request may be tried again. */
export class Unreachable extends Error {
  readonly code = "unreachable";
}

let csrfToken = "";
let onSessionEnded: () => void = () => undefined;

export function setCsrfToken(token: string): void {
  csrfToken = token;
}

/** Called when any answer says that nobody is signed in any more. */
export function whenSessionEnds(callback: () => void): void {
  onSessionEnded = callback;
}

const withSession: Middleware = {
  onRequest({ request }) {
    if (request.method !== "GET" && csrfToken) request.headers.set("X-CSRF-Token", csrfToken);
    // What is wrong with a field is told in the language of the screen, which need not be the browser's.
    request.headers.set("Accept-Language", document.documentElement.lang || "en");
    return request;
  },
  onError({ error }) {
    return new Unreachable(error instanceof Error ? error.message : String(error));
  },
};

const client = createClient<paths>({ credentials: "same-origin" });
client.use(withSession);

type Result<T> = { data?: T; error?: unknown; response: Response };

async function take<T>(request: Promise<Result<T>>): Promise<T> {
  const { data, error, response } = await request;
  if (response.ok) return data as T;
  const failure = asApiError(response, error);
  if (failure.code === "unauthenticated") onSessionEnded();
  throw failure;
}

/** The same; openapi-fetch's types of answers lose that hours are pairs. */
const paired = <T>(request: Promise<Result<unknown>>) => take(request as Promise<Result<T>>);

function asApiError(response: Response, body: unknown): ApiError {
  const told = (typeof body === "object" && body !== null ? body : {}) as Partial<Schemas["ErrorBody"]>;
  const retryAfter = Number(response.headers.get("Retry-After"));
  return new ApiError(
    response.status,
    told.code ?? (response.status >= 500 ? "server_error" : "bad_request"),
    told.message ?? response.statusText,
    told.fields ?? {},
    Number.isFinite(retryAfter) && retryAfter > 0 ? retryAfter : null,
  );
}

const ofConversation = (conversation_id: number) => ({ params: { path: { conversation_id } } });
const ofCustomer = (customer_id: number) => ({ params: { path: { customer_id } } });
const ofPoint = (customer_id: number, contact_point_id: number) => ({ params: { path: { customer_id, contact_point_id } } });
const ofField = (field_id: number) => ({ params: { path: { field_id } } });
const ofOffer = (offer_id: number) => ({ params: { path: { offer_id } } });
const ofUser = (user_id: number) => ({ params: { path: { user_id } } });
const ofSkill = (skill_id: number) => ({ params: { path: { skill_id } } });
const ofQueue = (queue_id: number) => ({ params: { path: { queue_id } } });
const ofPolicy = (policy_id: number) => ({ params: { path: { policy_id } } });
const ofTopic = (topic_id: number) => ({ params: { path: { topic_id } } });
const ofCalendar = (calendar_id: number) => ({ params: { path: { calendar_id } } });
const ofFlow = (flow_id: number) => ({ params: { path: { flow_id } } });
const ofChannel = (channel_id: string) => ({ params: { path: { channel_id } } });
const ofCall = (call_id: number) => ({ params: { path: { call_id } } });
const ofReply = (reply_id: number) => ({ params: { path: { reply_id } } });
/** Requests that were not answered, by what they ask: made again word for word each is the same request still. */
const unanswered = new Map<string, string>();
async function once<T>(what: string, body: unknown, ask: (headers: { "Idempotency-Key": string }) => Promise<T>): Promise<T> {
  const words = `${what} ${JSON.stringify(body)}`;
  const key = unanswered.get(words) ?? crypto.randomUUID();
  unanswered.set(words, key);
  const answer = await ask({ "Idempotency-Key": key });
  unanswered.delete(words);
  return answer;
}
const keyed = (conversation_id: number, key: string) => ({
  params: { path: { conversation_id } },
  headers: { "Idempotency-Key": key },
});

type ChannelKind = Schemas["ChannelKind"];

export interface SearchQuery {
  q: string;
  kind?: Schemas["HitKind"];
  channel?: ChannelKind;
  queue?: number;
  agent?: string;
  status?: "open" | "resolved";
  tag?: string;
  topic?: number;
  customer?: number;
  from?: string;
  to?: string;
  limit?: number;
  cursor?: string;
}

export interface ConversationQuery {
  status?: "open" | "resolved";
  assignee?: string;
  queue_id?: number;
  q?: string;
  /** Only complaints and what has escalated. */
  troubled?: boolean;
  limit?: number;
  cursor?: string;
}

/** Not everything that is sent was a draft. */
type Undrafted<T extends { draft: unknown }> = Omit<T, "draft"> & Partial<Pick<T, "draft">>;

/** What a supervisor decides about waiting work; what is absent stays as it is, and no pin is null. */
export type RoutingChange = Partial<Schemas["ChangeRouting"]>;

/** One thing done to many; what the action does not need is left out. */
export type BulkAct = Pick<Schemas["BulkAct"], "ids" | "action"> & Partial<Schemas["BulkAct"]>;

/** What may interrupt what; a kind that interrupts nothing need not be named. */
export type InterruptionRules = { interrupts: Partial<Record<ChannelKind, ChannelKind[]>>; exclusive: ChannelKind[] };

export const api = {
  // --- session and me
  signIn: (email: string, password: string) => take(client.POST("/api/v1/session", { body: { email, password } })),
  session: () => take(client.GET("/api/v1/session")),
  signOut: () => take(client.DELETE("/api/v1/session")),
  makeScreen: () => take(client.POST("/api/v1/session/screen")),
  updateMe: (body: Partial<Schemas["UpdateMe"]>) => take(client.PATCH("/api/v1/me", { body: body as Schemas["UpdateMe"] })),
  changePassword: (body: Schemas["ChangePassword"]) => take(client.PUT("/api/v1/me/password", { body })),
  setMyState: (state: Schemas["SetMyState"]["state"], reason: string | null) =>
    take(client.PUT("/api/v1/me/state", { body: { state, reason } })),
  snapshot: () => take(client.GET("/api/v1/snapshot")),

  // --- search and saved views
  search: (query: SearchQuery) => take(client.GET("/api/v1/search", { params: { query } })),
  views: () => take(client.GET("/api/v1/views")),
  createView: (body: Partial<Schemas["ViewToSave"]>) => take(client.POST("/api/v1/views", { body: body as Schemas["ViewToSave"] })),
  updateView: (view_id: number, body: Partial<Schemas["ViewToChange"]>) => take(client.PATCH("/api/v1/views/{view_id}", { params: { path: { view_id } }, body: body as Schemas["ViewToChange"] })),
  removeView: (view_id: number) => take(client.DELETE("/api/v1/views/{view_id}", { params: { path: { view_id } } })),
  viewConversations: (view_id: number, query: { limit?: number; cursor?: string }) => take(client.GET("/api/v1/views/{view_id}/conversations", { params: { path: { view_id }, query } })),

  // --- two records of one person, what other systems know, many at once
  duplicates: (customer_id: number) => take(client.GET("/api/v1/customers/{customer_id}/duplicates", ofCustomer(customer_id))),
  mergePreview: (customer_id: number, other_id: number) =>
    take(client.GET("/api/v1/customers/{customer_id}/merge-preview", { params: { path: { customer_id }, query: { other_id } } })),
  mergeCustomers: (customer_id: number, body: Schemas["NewMerge"]) => take(client.POST("/api/v1/customers/{customer_id}/merges", { ...ofCustomer(customer_id), body })),
  merges: (customer_id: number) => take(client.GET("/api/v1/customers/{customer_id}/merges", ofCustomer(customer_id))),
  undoMerge: (merge_id: number) => take(client.POST("/api/v1/customer-merges/{merge_id}/undo", { params: { path: { merge_id } } })),
  activities: (customer_id: number, query: { limit?: number; cursor?: string }) =>
    take(client.GET("/api/v1/customers/{customer_id}/activities", { params: { path: { customer_id }, query } })),
  actOnMany: (body: BulkAct) => take(client.POST("/api/v1/bulk/conversations", { body: body as Schemas["BulkAct"] })),

  // --- conversations
  conversations: (query: ConversationQuery) => take(client.GET("/api/v1/conversations", { params: { query } })),
  conversation: (id: number) => take(client.GET("/api/v1/conversations/{conversation_id}", ofConversation(id))),
  startConversation: (channel_id: string, contact_point_id: number, subject: string | null = null) =>
    take(client.POST("/api/v1/conversations", { body: { channel_id, contact_point_id, subject, text: null } })),
  /** With its first words; the same key again is the same conversation. */
  startWith: (key: string, body: Schemas["NewConversation"]) => take(client.POST("/api/v1/conversations", { headers: { "Idempotency-Key": key }, body })),
  setFields: (id: number, body: Schemas["SetFields"]) => take(client.PATCH("/api/v1/conversations/{conversation_id}/fields", { ...ofConversation(id), body })),
  sendMessage: (id: number, key: string, body: Undrafted<Schemas["NewMessage"]>) =>
    take(client.POST("/api/v1/conversations/{conversation_id}/messages", { ...keyed(id, key), body: { draft: null, ...body } })),
  addNote: (id: number, key: string, body: Undrafted<Schemas["NewNote"]>) =>
    take(client.POST("/api/v1/conversations/{conversation_id}/notes", { ...keyed(id, key), body: { draft: null, ...body } })),
  removeParticipant: (conversation_id: number, user_id: number) =>
    take(client.DELETE("/api/v1/conversations/{conversation_id}/participants/{user_id}", { params: { path: { conversation_id, user_id } } })),
  claim: (id: number, expected_assignee_id: number | null) =>
    take(client.POST("/api/v1/conversations/{conversation_id}/claim", { ...ofConversation(id), body: { expected_assignee_id } })),
  transfer: (id: number, body: Schemas["Transfer"]) =>
    take(client.POST("/api/v1/conversations/{conversation_id}/transfer", { ...ofConversation(id), body })),
  release: (id: number) => take(client.POST("/api/v1/conversations/{conversation_id}/release", ofConversation(id))),
  resolve: (id: number) => take(client.POST("/api/v1/conversations/{conversation_id}/resolve", ofConversation(id))),
  reopen: (id: number) => take(client.POST("/api/v1/conversations/{conversation_id}/reopen", ofConversation(id))),
  park: (id: number, until: Date) =>
    take(client.POST("/api/v1/conversations/{conversation_id}/park", { ...ofConversation(id), body: { until: until.toISOString() } })),
  transcript: async (id: number, query: TranscriptQuery): Promise<Blob> => {
    const { data, error, response } = await client.GET("/api/v1/conversations/{conversation_id}/transcript", { params: { path: { conversation_id: id }, query }, parseAs: "blob" });
    if (!response.ok) throw asApiError(response, error);
    return data as unknown as Blob;
  },
  unpark: (id: number) => take(client.DELETE("/api/v1/conversations/{conversation_id}/park", ofConversation(id))),
  setRouting: (id: number, body: RoutingChange) =>
    take(client.PATCH("/api/v1/conversations/{conversation_id}/routing", { ...ofConversation(id), body: body as Schemas["ChangeRouting"] })),
  askForCallback: (id: number, address: string) => take(client.POST("/api/v1/conversations/{conversation_id}/callback", { ...ofConversation(id), body: { address } })),
  settleCallback: (id: number, outcome: Schemas["CallbackOutcome"]["outcome"]) =>
    take(client.POST("/api/v1/conversations/{conversation_id}/callback/outcome", { ...ofConversation(id), body: { outcome } })),
  cancelCallback: (id: number) => take(client.DELETE("/api/v1/conversations/{conversation_id}/callback", ofConversation(id))),
  why: (id: number) => take(client.GET("/api/v1/conversations/{conversation_id}/why", ofConversation(id))),
  whyOffer: (id: number) => take(client.GET("/api/v1/offers/{offer_id}/why", ofOffer(id))),
  setTopic: (id: number, body: Schemas["SetTopic"]) =>
    take(client.PUT("/api/v1/conversations/{conversation_id}/topic", { ...ofConversation(id), body })),
  /** `seen`: what the screen showed; what others tagged meanwhile stays. */
  setTags: (id: number, tags: string[], seen: readonly string[]) =>
    take(client.PUT("/api/v1/conversations/{conversation_id}/tags", { ...ofConversation(id), body: { tags, seen: [...seen] } })),
  escalation: (id: number) => take(client.GET("/api/v1/conversations/{conversation_id}/escalation", ofConversation(id))),
  seeAlert: (id: number) => take(client.POST("/api/v1/alerts/{alert_id}/seen", { params: { path: { alert_id: id } } })),
  typing: (id: number) => take(client.POST("/api/v1/conversations/{conversation_id}/typing", ofConversation(id))),
  settleDelivery: (entryId: number, action: Schemas["SettleDelivery"]["action"]) =>
    take(client.POST("/api/v1/entries/{entry_id}/delivery", { params: { path: { entry_id: entryId } }, body: { action } })),
  mail: (entryId: number) => take(client.GET("/api/v1/entries/{entry_id}/mail", { params: { path: { entry_id: entryId } } })),
  acceptOffer: (id: number) => take(client.POST("/api/v1/offers/{offer_id}/accept", ofOffer(id))),
  declineOffer: (id: number) => take(client.POST("/api/v1/offers/{offer_id}/decline", ofOffer(id))),

  // --- calls
  startCall: (body: Partial<Schemas["NewCall"]>) => take(client.POST("/api/v1/calls", { body: body as Schemas["NewCall"] })),
  call: (id: number) => take(client.GET("/api/v1/calls/{call_id}", ofCall(id))),
  connectLine: (id: number, sdp: string) => take(client.POST("/api/v1/calls/{call_id}/line", { ...ofCall(id), body: { sdp } })),
  lineToken: (channel_id: string) => take(client.GET("/api/v1/lines/{channel_id}/token", ofChannel(channel_id))),
  legToken: (id: number) => take(client.GET("/api/v1/calls/{call_id}/leg", ofCall(id))),
  holdCall: (id: number, held: boolean) => take(client.POST("/api/v1/calls/{call_id}/hold", { ...ofCall(id), body: { held } })),
  muteCall: (id: number, muted: boolean) => take(client.POST("/api/v1/calls/{call_id}/mute", { ...ofCall(id), body: { muted } })),
  setRecording: (id: number, recording: Schemas["SetRecording"]["recording"]) =>
    take(client.POST("/api/v1/calls/{call_id}/recording", { ...ofCall(id), body: { recording } })),
  transferCall: (id: number, body: Partial<Schemas["CallTransfer"]>) =>
    take(client.POST("/api/v1/calls/{call_id}/transfer", { ...ofCall(id), body: body as Schemas["CallTransfer"] })),
  consult: (id: number, body: Partial<Schemas["Consult"]>) =>
    take(client.POST("/api/v1/calls/{call_id}/consult", { ...ofCall(id), body: body as Schemas["Consult"] })),
  completeConsult: (id: number) => take(client.POST("/api/v1/calls/{call_id}/consult/complete", ofCall(id))),
  cancelConsult: (id: number) => take(client.POST("/api/v1/calls/{call_id}/consult/cancel", ofCall(id))),
  confer: (id: number) => take(client.POST("/api/v1/calls/{call_id}/conference", ofCall(id))),
  joinCall: (id: number) => take(client.POST("/api/v1/calls/{call_id}/join", ofCall(id))),
  refuseCall: (id: number) => take(client.POST("/api/v1/calls/{call_id}/refuse", ofCall(id))),
  hangUp: (id: number) => take(client.POST("/api/v1/calls/{call_id}/hang_up", ofCall(id))),
  wrapUp: (id: number, body: Partial<Schemas["WrapUp"]>) =>
    take(client.POST("/api/v1/calls/{call_id}/wrap_up", { ...ofCall(id), body: body as Schemas["WrapUp"] })),
  supervise: (id: number, presence: Schemas["Supervise"]["presence"]) =>
    take(client.POST("/api/v1/calls/{call_id}/supervise", { ...ofCall(id), body: { presence } })),
  leaveCall: (id: number) => take(client.POST("/api/v1/calls/{call_id}/leave", ofCall(id))),
  takeOver: (id: number) => take(client.POST("/api/v1/calls/{call_id}/take_over", ofCall(id))),

  // --- customers
  customer: (id: number) => take(client.GET("/api/v1/customers/{customer_id}", ofCustomer(id))),
  customers: (query: { q?: string; limit?: number; cursor?: string }) =>
    take(client.GET("/api/v1/customers", { params: { query } })),
  addCustomer: (body: Partial<Schemas["NewCustomer"]>) =>
    once("customer", body, (headers) => take(client.POST("/api/v1/customers", { headers, body: body as Schemas["NewCustomer"] }))),
  knownCustomers: (query: { phone?: string; email?: string; name?: string }) => take(client.GET("/api/v1/customers/known", { params: { query } })),
  cardWords: () => take(client.GET("/api/v1/customers/words")),
  updateCustomer: (id: number, body: Partial<Schemas["UpdateCustomer"]>) =>
    take(client.PATCH("/api/v1/customers/{customer_id}", { ...ofCustomer(id), body: body as Schemas["UpdateCustomer"] })),
  addContactPoint: (id: number, body: Schemas["NewContactPoint"]) =>
    take(client.POST("/api/v1/customers/{customer_id}/contact-points", { ...ofCustomer(id), body })),
  updateContactPoint: (id: number, pointId: number, body: Partial<Schemas["UpdateContactPoint"]>) =>
    take(client.PATCH("/api/v1/customers/{customer_id}/contact-points/{contact_point_id}", { ...ofPoint(id, pointId), body: body as Schemas["UpdateContactPoint"] })),
  removeContactPoint: (id: number, pointId: number) => take(client.DELETE("/api/v1/customers/{customer_id}/contact-points/{contact_point_id}", ofPoint(id, pointId))),
  setConsent: (id: number, body: Schemas["SetConsent"]) => take(client.POST("/api/v1/customers/{customer_id}/consents", { ...ofCustomer(id), body })),
  consents: (id: number, cursor?: string) =>
    take(client.GET("/api/v1/customers/{customer_id}/consents", { params: { path: { customer_id: id }, query: cursor === undefined ? {} : { cursor } } })),
  customerTimeline: (id: number, query: { limit?: number; cursor?: string; around?: number; newer?: string }) =>
    take(client.GET("/api/v1/customers/{customer_id}/timeline", { params: { path: { customer_id: id }, query } })),

  // --- custom fields
  addField: (body: Schemas["NewCustomField"]) => take(client.POST("/api/v1/custom-fields", { body })),
  updateField: (id: number, body: Partial<Schemas["UpdateCustomField"]>) =>
    take(client.PATCH("/api/v1/custom-fields/{field_id}", { ...ofField(id), body: body as Schemas["UpdateCustomField"] })),
  removeField: (id: number) => take(client.DELETE("/api/v1/custom-fields/{field_id}", ofField(id))),
  arrangeFields: (field_ids: number[]) => take(client.PUT("/api/v1/custom-fields/order", { body: { field_ids } })),
  fieldUse: (id: number) => take(client.GET("/api/v1/custom-fields/{field_id}/use", ofField(id))),

  // --- administration
  setAgentState: (user_id: number, body: Schemas["SetAgentState"]) =>
    take(client.PUT("/api/v1/agents/{user_id}/state", { ...ofUser(user_id), body })),
  users: (cursor?: string) => take(client.GET("/api/v1/users", page(cursor))),
  addUser: (body: Schemas["NewUser"]) => take(client.POST("/api/v1/users", { body })),
  updateUser: (id: number, body: Partial<Schemas["UpdateUser"]>) =>
    take(client.PATCH("/api/v1/users/{user_id}", { ...ofUser(id), body: body as Schemas["UpdateUser"] })),
  addQueue: (body: Schemas["NewQueue"]) => take(client.POST("/api/v1/queues", { body })),
  updateQueue: (id: number, body: Partial<Schemas["UpdateQueue"]>) =>
    take(client.PATCH("/api/v1/queues/{queue_id}", { ...ofQueue(id), body: body as Schemas["UpdateQueue"] })),
  skills: () => take(client.GET("/api/v1/skills")),
  addSkill: (name: string) => take(client.POST("/api/v1/skills", { body: { name } })),
  renameSkill: (id: number, name: string, expected_version: number) =>
    take(client.PATCH("/api/v1/skills/{skill_id}", { ...ofSkill(id), body: { name, expected_version } })),
  deleteSkill: (id: number) => take(client.DELETE("/api/v1/skills/{skill_id}", ofSkill(id))),
  skillMatrix: () => take(client.GET("/api/v1/skills/matrix")),
  policies: () => take(client.GET("/api/v1/escalation-policies")),
  policy: (id: number) => take(client.GET("/api/v1/escalation-policies/{policy_id}", ofPolicy(id))),
  addPolicy: (body: Schemas["NewPolicy"]) => take(client.POST("/api/v1/escalation-policies", { body })),
  replacePolicy: (id: number, body: Schemas["UpdatePolicy"]) =>
    take(client.PUT("/api/v1/escalation-policies/{policy_id}", { ...ofPolicy(id), body })),
  deletePolicy: (id: number) => take(client.DELETE("/api/v1/escalation-policies/{policy_id}", ofPolicy(id))),
  addTopic: (body: Schemas["NewTopic"]) => take(client.POST("/api/v1/topics", { body })),
  updateTopic: (id: number, body: Partial<Schemas["UpdateTopic"]>) =>
    take(client.PATCH("/api/v1/topics/{topic_id}", { ...ofTopic(id), body: body as Schemas["UpdateTopic"] })),
  setSkills: (user_id: number, levels: Record<string, number>, expected_version: number) =>
    take(client.PUT("/api/v1/users/{user_id}/skills", { ...ofUser(user_id), body: { levels, expected_version } })),
  interruptions: () => take(client.GET("/api/v1/routing/interruptions")),
  setInterruptions: (body: InterruptionRules) => take(client.PUT("/api/v1/routing/interruptions", { body: body as Schemas["SetInterruptions"] })),
  channel: (id: string) => take(client.GET("/api/v1/channels/{channel_id}", ofChannel(id))),
  addChannel: (body: Schemas["NewChannel"]) => take(client.POST("/api/v1/channels", { body })),
  updateChannel: (id: string, body: Partial<Schemas["UpdateChannel"]>) =>
    take(client.PATCH("/api/v1/channels/{channel_id}", { ...ofChannel(id), body: body as Schemas["UpdateChannel"] })),
  checkChannel: (id: string) => take(client.POST("/api/v1/channels/{channel_id}/check", ofChannel(id))),
  testChannel: (id: string, body: Schemas["TestChannel"]) => take(client.POST("/api/v1/channels/{channel_id}/test", { ...ofChannel(id), body })),
  beginTestCall: (id: string, body: Partial<Schemas["TestCall"]>) =>
    take(client.POST("/api/v1/channels/{channel_id}/test-calls", { ...ofChannel(id), body: body as Schemas["TestCall"] })),
  testCall: (channel_id: string, test_id: number) => take(client.GET("/api/v1/channels/{channel_id}/test-calls/{test_id}", { params: { path: { channel_id, test_id } } })),
  endTestCall: (channel_id: string, test_id: number) => take(client.POST("/api/v1/channels/{channel_id}/test-calls/{test_id}/hang-up", { params: { path: { channel_id, test_id } } })),
  signInAtProvider: (id: string) => take(client.POST("/api/v1/channels/{channel_id}/sign-in", ofChannel(id))),
  channelKinds: () => take(client.GET("/api/v1/channel-kinds")),
  calendars: () => paired<{ items: CalendarView[] }>(client.GET("/api/v1/calendars")),
  addCalendar: (body: Schemas["NewCalendar"]) => paired<CalendarView>(client.POST("/api/v1/calendars", { body })),
  saveCalendar: (id: number, body: Schemas["SaveCalendar"]) => paired<CalendarView>(client.PUT("/api/v1/calendars/{calendar_id}", { ...ofCalendar(id), body })),
  deleteCalendar: (id: number) => take(client.DELETE("/api/v1/calendars/{calendar_id}", ofCalendar(id))),
  holidayCountries: () => take(client.GET("/api/v1/calendars/countries")),
  countryHolidays: (body: Schemas["CountryHolidays"]) => take(client.POST("/api/v1/calendars/country-holidays", { body })),
  readIcal: (body: Schemas["ReadIcal"]) => take(client.POST("/api/v1/calendars/read-ical", { body })),
  rules: () => take(client.GET("/api/v1/rules")),
  rulesVersion: (version: number) => take(client.GET("/api/v1/rules/{version}", { params: { path: { version } } })),
  saveRules: (body: Schemas["NewRules"]) => take(client.POST("/api/v1/rules", { body })),
  tryRules: (body: Schemas["TryRules"]) => take(client.POST("/api/v1/rules/try", { body })),
  activateRules: (version: number, expected_active_version: number | null) =>
    take(client.POST("/api/v1/rules/{version}/activate", { params: { path: { version } }, body: { expected_active_version } })),
  deactivateRules: () => take(client.POST("/api/v1/rules/deactivate")),
  flows: () => take(client.GET("/api/v1/flows")),
  flow: (id: number) => take(client.GET("/api/v1/flows/{flow_id}", ofFlow(id))),
  addFlow: (body: Schemas["NewFlow"]) => take(client.POST("/api/v1/flows", { body })),
  updateFlow: (id: number, body: Schemas["UpdateFlow"]) => take(client.PATCH("/api/v1/flows/{flow_id}", { ...ofFlow(id), body })),
  deleteFlow: (id: number) => take(client.DELETE("/api/v1/flows/{flow_id}", ofFlow(id))),
  checkFlow: (body: FlowBody) => take(client.POST("/api/v1/flows/check", { body: { body } })),
  tryFlow: (body: Schemas["TryFlowBody"]) => take(client.POST("/api/v1/flows/try", { body })),
  sounds: () => take(client.GET("/api/v1/sounds")),
  deleteSound: (id: number) => take(client.DELETE("/api/v1/sounds/{sound_id}", { params: { path: { sound_id: id } } })),
  apiKeys: () => take(client.GET("/api/v1/api-keys")),
  issueApiKey: (body: Schemas["NewApiKey"]) => take(client.POST("/api/v1/api-keys", { body })),
  revokeApiKey: (id: number) => take(client.DELETE("/api/v1/api-keys/{key_id}", { params: { path: { key_id: id } } })),

  // --- recordings
  recording: (recordingId: number) => take(client.GET("/api/v1/recordings/{recording_id}", { params: { path: { recording_id: recordingId } } })),
  deleteRecording: (recordingId: number) => take(client.DELETE("/api/v1/recordings/{recording_id}", { params: { path: { recording_id: recordingId } } })),
  fetchRecording: (recordingId: number) => take(client.POST("/api/v1/recordings/{recording_id}/fetch", { params: { path: { recording_id: recordingId } } })),
  recordingSettings: () => take(client.GET("/api/v1/organisation/recordings")),
  setRecordingSettings: (rule: Schemas["SetRecordings"]["recordings_for_agents"]) =>
    take(client.PUT("/api/v1/organisation/recordings", { body: { recordings_for_agents: rule } })),

  // what customers say
  surveys: (query: NonNullable<paths["/api/v1/surveys"]["get"]["parameters"]["query"]>) => take(client.GET("/api/v1/surveys", { params: { query } })),
  followUpSurvey: (survey_id: number, done: boolean) =>
    take(client.PUT("/api/v1/surveys/{survey_id}/follow-up", { params: { path: { survey_id } }, body: { done } })),
  surveySettings: () => take(client.GET("/api/v1/survey-settings")),
  saveSurveySetting: (queue_id: number, body: Schemas["SaveSurveySetting"]) =>
    take(client.PUT("/api/v1/survey-settings/{queue_id}", { params: { path: { queue_id } }, body })),
  previewSurvey: (body: Schemas["SurveyWords"]) => take(client.POST("/api/v1/surveys/preview", { body })),
  testSurvey: (body: Schemas["TestSurvey"]) => take(client.POST("/api/v1/surveys/test", { body })),
};

const ofPlanned = (planned_id: number) => ({ params: { path: { planned_id } } });

/** Drafts, and what goes out later or can be taken back. */
export const writingApi = {
  load: (id: number) => take(client.GET("/api/v1/conversations/{conversation_id}/writing", ofConversation(id))),
  save: (id: number, body: Schemas["SaveDraft"]) => take(client.PUT("/api/v1/conversations/{conversation_id}/draft", { ...ofConversation(id), body })),
  take: (conversation_id: number, user_id: number, body: Schemas["TakeDraft"]) =>
    take(client.POST("/api/v1/conversations/{conversation_id}/drafts/{user_id}/take", { params: { path: { conversation_id, user_id } }, body })),
  plan: (id: number, key: string, body: Schemas["NewPlannedMessage"]) =>
    take(client.POST("/api/v1/conversations/{conversation_id}/planned-messages", { ...keyed(id, key), body })),
  mine: () => take(client.GET("/api/v1/me/planned-messages")),
  planned: (id: number) => take(client.GET("/api/v1/planned-messages/{planned_id}", ofPlanned(id))),
  change: (id: number, body: Partial<Schemas["ChangePlannedMessage"]> & { expected_version: number }) =>
    take(client.PATCH("/api/v1/planned-messages/{planned_id}", { ...ofPlanned(id), body: body as Schemas["ChangePlannedMessage"] })),
  sendNow: (id: number) => take(client.POST("/api/v1/planned-messages/{planned_id}/send", ofPlanned(id))),
  cancel: (id: number, body: Schemas["CancelPlannedMessage"]) => take(client.POST("/api/v1/planned-messages/{planned_id}/cancel", { ...ofPlanned(id), body })),
};

const ofTeam = (team_id: number) => ({ params: { path: { team_id } } });
const ofTarget = (target_id: number) => ({ params: { path: { target_id } } });
const ofRule = (rule_id: number) => ({ params: { path: { rule_id } } });

/** What a figure means, the contacts that are behind it, whose it is, what it should be, and who is told when it is not. */
export const figuresApi = {
  measures: () => take(client.GET("/api/v1/measures")),
  contacts: (query: ContactsQuery & { cursor?: string; limit?: number }) => take(client.GET("/api/v1/reports/contacts", { params: { query } })),

  teams: () => take(client.GET("/api/v1/teams")),
  addTeam: (body: TeamBody) => take(client.POST("/api/v1/teams", { body })),
  saveTeam: (team_id: number, body: TeamBody & { expected_version: number }) => take(client.PUT("/api/v1/teams/{team_id}", { ...ofTeam(team_id), body })),
  deleteTeam: (team_id: number) => take(client.DELETE("/api/v1/teams/{team_id}", ofTeam(team_id))),

  targets: () => take(client.GET("/api/v1/targets")),
  addTarget: (body: TargetBody) => take(client.POST("/api/v1/targets", { body })),
  saveTarget: (target_id: number, body: TargetBody) => take(client.PUT("/api/v1/targets/{target_id}", { ...ofTarget(target_id), body })),
  deleteTarget: (target_id: number) => take(client.DELETE("/api/v1/targets/{target_id}", ofTarget(target_id))),

  saveDefaults: (body: Schemas["SaveFigureDefaults"]) => take(client.PUT("/api/v1/organisation/figures", { body })),

  alertRules: () => take(client.GET("/api/v1/alert-rules")),
  addAlertRule: (body: AlertRuleBody) => take(client.POST("/api/v1/alert-rules", { body })),
  saveAlertRule: (rule_id: number, body: AlertRuleBody & { expected_version: number }) => take(client.PUT("/api/v1/alert-rules/{rule_id}", { ...ofRule(rule_id), body })),
  deleteAlertRule: (rule_id: number) => take(client.DELETE("/api/v1/alert-rules/{rule_id}", ofRule(rule_id))),
  kpiAlerts: (query: { rule: number; limit: number }) => take(client.GET("/api/v1/kpi-alerts", { params: { query } })),
  testAlertRule: (rule_id: number) => take(client.POST("/api/v1/alert-rules/{rule_id}/test", ofRule(rule_id))),
};

export type AuditQuery = Omit<NonNullable<paths["/api/v1/audit"]["get"]["parameters"]["query"]>, "limit">;

/** Who works here and who changed what. */
export const staffApi = {
  audit: (query: AuditQuery) => take(client.GET("/api/v1/audit", { params: { query } })),
  invitations: () => take(client.GET("/api/v1/invitations")),
  invite: (body: Partial<Schemas["NewInvitation"]>) => take(client.POST("/api/v1/invitations", { body: body as Schemas["NewInvitation"] })),
  sendInvitation: (invitation_id: number) => take(client.POST("/api/v1/invitations/{invitation_id}/send", { params: { path: { invitation_id } } })),
  withdrawInvitation: (invitation_id: number) => take(client.DELETE("/api/v1/invitations/{invitation_id}", { params: { path: { invitation_id } } })),
  passwordLink: (user_id: number) => take(client.POST("/api/v1/users/{user_id}/password-link", ofUser(user_id))),
  lookAtLink: (token: string) => take(client.POST("/api/v1/links/look", { body: { token } })),
  useLink: (body: Schemas["UseLink"]) => take(client.POST("/api/v1/links/use", { body })),
  askPassword: (email: string) => take(client.POST("/api/v1/password-link", { body: { email } })),
  sessions: () => take(client.GET("/api/v1/me/sessions")),
  /** Null: all others. */
  endSession: (session_id: string | null) =>
    session_id === null ? take(client.DELETE("/api/v1/me/sessions")) : take(client.DELETE("/api/v1/me/sessions/{session_id}", { params: { path: { session_id } } })),

  // --- the first set-up
  welcome: () => take(client.GET("/api/v1/welcome")),
  lookAtSetUp: (code: string) => take(client.POST("/api/v1/set-up/look", { body: { code } })),
  setUpOrganisation: (body: Omit<Schemas["SetUpOrganisation"], "expected">) => take(client.PUT("/api/v1/set-up/organisation", { body: { ...body, expected: null } })),
  setUpAccount: (body: Schemas["SetUpAccount"]) => take(client.POST("/api/v1/set-up/account", { body })),
  setUp: () => take(client.GET("/api/v1/set-up")),
  setSetUpStep: (step: Schemas["SetSetUpStep"]["step"]) => take(client.PUT("/api/v1/set-up", { body: { step } })),
  saveOrganisation: ({ expected = null, ...body }: Omit<Schemas["SaveOrganisation"], "expected"> & Partial<Schemas["SaveOrganisation"]>) => take(client.PUT("/api/v1/organisation", { body: { ...body, expected } })),
};

/** For what the browser itself opens or saves. */
const asQuery = (query: object): string => new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)])).toString();

type TranscriptQuery = NonNullable<operations["get_transcript"]["parameters"]["query"]>;
export type TranscriptLanguage = NonNullable<TranscriptQuery["language"]>;
export const TRANSCRIPT_LANGUAGES: readonly TranscriptLanguage[] = ["hy", "ka", "az", "uk", "ru", "en"];

/** What was said in a conversation, as a document. */
export const transcriptUrl = (id: number, query: TranscriptQuery) => `/api/v1/conversations/${id}/transcript?${asQuery(query)}`;

/** All of the audit log that the filters leave, as a file. */
export const auditFileUrl = (query: AuditQuery) => `/api/v1/audit.csv?${asQuery(query)}`;

const ofWebhook = (endpoint_id: number) => ({ params: { path: { endpoint_id } } });
const ofWebhookDelivery = (delivery_id: number) => ({ params: { path: { delivery_id } } });
const ofRequest = (request_id: number) => ({ params: { path: { request_id } } });

/** What customers ask about their data. */
export const privacyApi = {
  requests: (query: { state: "open" | "over"; customer_id?: number; cursor?: string }) => take(client.GET("/api/v1/data-requests", { params: { query: { limit: 100, ...query } } })),
  one: (request_id: number) => take(client.GET("/api/v1/data-requests/{request_id}", ofRequest(request_id))),
  create: (customer_id: number, body: Schemas["NewDataRequest"]) => take(client.POST("/api/v1/customers/{customer_id}/data-requests", { ...ofCustomer(customer_id), body })),
  end: (request_id: number, body: Schemas["EndDataRequest"]) => take(client.POST("/api/v1/data-requests/{request_id}/end", { ...ofRequest(request_id), body })),
  eraseCheck: (request_id: number) => take(client.GET("/api/v1/data-requests/{request_id}/erase-check", ofRequest(request_id))),
  erase: (request_id: number, body: Schemas["EraseCustomer"]) => take(client.POST("/api/v1/data-requests/{request_id}/erase", { ...ofRequest(request_id), body })),
  /** The whole ZIP; the browser keeps what is large on its disk. */
  file: async (request_id: number, with_notes: boolean): Promise<{ name: string; content: Blob }> => {
    const { data, error, response } = await client.POST("/api/v1/data-requests/{request_id}/file", { params: { path: { request_id }, query: { with_notes } }, parseAs: "blob" });
    if (!response.ok) throw asApiError(response, error);
    const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "")?.[1];
    return { name: name ?? `customer_${request_id}.zip`, content: data as unknown as Blob };
  },
};

/** Other programs that are told what happens, and what became of each telling. */
export const webhooksApi = {
  all: () => take(client.GET("/api/v1/webhook-endpoints")),
  one: (id: number) => take(client.GET("/api/v1/webhook-endpoints/{endpoint_id}", ofWebhook(id))),
  add: (body: Schemas["NewWebhook"]) => take(client.POST("/api/v1/webhook-endpoints", { body })),
  save: (id: number, body: Schemas["SaveWebhook"]) => take(client.PUT("/api/v1/webhook-endpoints/{endpoint_id}", { ...ofWebhook(id), body })),
  remove: (id: number) => take(client.DELETE("/api/v1/webhook-endpoints/{endpoint_id}", ofWebhook(id))),
  rollSecret: (id: number) => take(client.POST("/api/v1/webhook-endpoints/{endpoint_id}/secret", ofWebhook(id))),
  test: (id: number) => take(client.POST("/api/v1/webhook-endpoints/{endpoint_id}/test", ofWebhook(id))),
  deliveries: (endpoint_id: number, query: { state?: Schemas["WebhookDelivery"]["state"]; type?: Schemas["Told"]; limit?: number; cursor?: string }) =>
    take(client.GET("/api/v1/webhook-endpoints/{endpoint_id}/deliveries", { params: { path: { endpoint_id }, query } })),
  replayDead: (id: number, since: string) => take(client.POST("/api/v1/webhook-endpoints/{endpoint_id}/replay", { ...ofWebhook(id), body: { since } })),
  delivery: (id: number) => take(client.GET("/api/v1/webhook-deliveries/{delivery_id}", ofWebhookDelivery(id))),
  replay: (id: number) => take(client.POST("/api/v1/webhook-deliveries/{delivery_id}/replay", ofWebhookDelivery(id))),
};

/** The windows of chats. */
export const widgetApi = {
  one: (id: string) => take(client.GET("/api/v1/channels/{channel_id}/widget", ofChannel(id))),
  save: (id: string, body: Schemas["SaveChatWidget"]) => take(client.PUT("/api/v1/channels/{channel_id}/widget", { ...ofChannel(id), body })),
  rollSecret: (id: string) => take(client.POST("/api/v1/channels/{channel_id}/identity-secret", ofChannel(id))),
  dropSecret: (id: string) => take(client.DELETE("/api/v1/channels/{channel_id}/identity-secret", ofChannel(id))),
};

const ofImport = (import_id: number) => ({ params: { path: { import_id } } });

export const importsApi = {
  all: () => take(client.GET("/api/v1/customer-imports", { params: { query: { limit: 50 } } })),
  one: (id: number) => take(client.GET("/api/v1/customer-imports/{import_id}", ofImport(id))),
  targets: () => take(client.GET("/api/v1/customer-imports/targets")),
  map: (id: number, body: Schemas["MapImport"]) => take(client.PUT("/api/v1/customer-imports/{import_id}/mapping", { ...ofImport(id), body })),
  trial: (id: number) => take(client.POST("/api/v1/customer-imports/{import_id}/trial", ofImport(id))),
  start: (id: number) => take(client.POST("/api/v1/customer-imports/{import_id}/start", ofImport(id))),
  pause: (id: number) => take(client.POST("/api/v1/customer-imports/{import_id}/pause", ofImport(id))),
  remove: (id: number) => take(client.DELETE("/api/v1/customer-imports/{import_id}", ofImport(id))),
  refused: (import_id: number) => take(client.GET("/api/v1/customer-imports/{import_id}/refused", { params: { path: { import_id }, query: { limit: 50 } } })),
  columns: () => take(client.GET("/api/v1/customer-exports/columns")),
  count: (query: ExportAsked) => take(client.GET("/api/v1/customer-exports/count", { params: { query } })),
};

/** Whom an export is of. */
export interface ExportAsked {
  q?: string;
  tag?: string;
  view?: number;
  columns?: string;
}

export const refusedUrl = (importId: number) => `/api/v1/customer-imports/${importId}/refused.csv`;
export const exportUrl = (asked: ExportAsked) => `/api/v1/customer-exports/customers.csv?${asQuery(asked)}`;

/** A mail's HTML, made safe by the hub, for a sandboxed frame. */
export const mailHtmlUrl = (entryId: number, images: boolean) => `/api/v1/entries/${entryId}/mail/html?images=${String(images)}`;
/** The mail as it came, to be saved. */
export const mailRawUrl = (entryId: number) => `/api/v1/entries/${entryId}/mail/raw`;
/** An uploaded sound that callers hear. */
export const soundUrl = (id: number) => `/api/v1/sounds/${id}/content`;
export const attachmentUrl = (id: number) => `/api/v1/attachments/${id}/content`;

// What requests that outlive their page may carry, all of them together (Fetch Standard, "inflight keepalive bytes").
const KEEPALIVE_BYTES = 64 * 1024;

/**
 * A request of a page that is going away: nobody waits for the answer, so one with a key must be asked again if the page comes
 * back. False: it is too large to be sent that way (`spent`: bytes of those before it).
 */
export function sendAtParting(method: "POST" | "PUT", path: string, body: unknown, spent: number, key?: string): number | false {
  const content = JSON.stringify(body);
  const size = new TextEncoder().encode(content).length;
  if (spent + size > KEEPALIVE_BYTES) return false;
  fetch(`/api/v1${path}`, {
    method,
    keepalive: true,
    credentials: "same-origin",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": csrfToken, ...(key === undefined ? {} : { "Idempotency-Key": key }) },
    body: content,
  }).catch(() => undefined);
  return size;
}

function page(cursor?: string) {
  return { params: { query: cursor === undefined ? { limit: 200 } : { limit: 200, cursor } } };
}

/** All items of a list that an administrator sees whole. */
export async function everything<T>(
  load: (cursor?: string) => Promise<{ items: T[]; next_cursor: string | null }>,
): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  do {
    const next = await load(cursor);
    items.push(...next.items);
    cursor = next.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return items;
}

/** XMLHttpRequest, because fetch does not tell how much has gone. `progress` is 0 to 1. */
export const upload = (file: File, progress: (share: number) => void) => send<AttachmentView>("/api/v1/attachments", file, progress);

/** `name`: what it is called in menus. */
export const uploadSound = (file: File, name: string, language: string, progress: (share: number) => void) =>
  send<SoundView>(`/api/v1/sounds?${new URLSearchParams({ name, language }).toString()}`, file, progress);

export const uploadCustomers = (file: File, progress: (share: number) => void) => send<CustomerImport>("/api/v1/customer-imports", file, progress);

function send<T>(path: string, file: File, progress: (share: number) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.setRequestHeader("X-CSRF-Token", csrfToken);
    request.setRequestHeader("Accept-Language", document.documentElement.lang || "en");
    request.responseType = "json";
    request.upload.onprogress = (event) => progress(event.lengthComputable ? event.loaded / event.total : 0);
    request.onerror = () => reject(new Unreachable("upload"));
    request.onload = () => {
      if (request.status < 300) return resolve(request.response as T);
      reject(asApiError(new Response(null, { status: request.status }), request.response));
    };
    const form = new FormData();
    form.append("file", file, file.name);
    request.send(form);
  });
}

// What a report asks stands in its address as text; the types of the document are narrower than that, and the hub checks anyway.
type Asked<Path extends keyof paths> = paths[Path] extends { get: { parameters: { query: infer Query } } } ? Query : never;
const asked = <Path extends keyof paths>(query: Record<string, string>) => ({ params: { query: query as unknown as Asked<Path> } });

export const reportsApi = {
  figures: (query: Record<string, string>) => take(client.GET("/api/v1/reports/figures", asked<"/api/v1/reports/figures">(query))),
  states: (agents: readonly number[], from: string, to: string) => take(client.GET("/api/v1/reports/states", { params: { query: { agents: agents.join(","), from, to } } })),
  load: (query: Record<string, string>) => take(client.GET("/api/v1/reports/load", asked<"/api/v1/reports/load">(query))),
  leaderBoard: (query: Record<string, string>) => take(client.GET("/api/v1/reports/leaderboard", asked<"/api/v1/reports/leaderboard">(query))),
  schedules: () => take(client.GET("/api/v1/report-schedules")),
  addSchedule: (body: Schemas["NewReportSchedule"]) => take(client.POST("/api/v1/report-schedules", { body })),
  saveSchedule: (schedule_id: number, body: Schemas["UpdateReportSchedule"]) => take(client.PUT("/api/v1/report-schedules/{schedule_id}", { params: { path: { schedule_id } }, body })),
  deleteSchedule: (schedule_id: number) => take(client.DELETE("/api/v1/report-schedules/{schedule_id}", { params: { path: { schedule_id } } })),
  sendSchedule: (schedule_id: number) => take(client.POST("/api/v1/report-schedules/{schedule_id}/send", { params: { path: { schedule_id } } })),
};

/** The same figures as a file. */
export const figuresUrl = (form: "csv" | "xlsx", query: Record<string, string>) => `/api/v1/reports/figures.${form}?${new URLSearchParams(query).toString()}`;

export const staffingApi = {
  whatIf: (body: Schemas["WhatIf"]) => take(client.POST("/api/v1/staffing/what-if", { body })),
  forecast: (queue: number, from: string, to: string, lead_days: number) => take(client.GET("/api/v1/staffing/forecast", { params: { query: { queue, from, to, lead_days } } })),
  savePlan: (queue_id: number, body: Schemas["SaveStaffingPlan"]) => take(client.PUT("/api/v1/staffing/plans/{queue_id}", { params: { path: { queue_id } }, body })),
};

export const shiftsApi = {
  list: (from: string, to: string) => take(client.GET("/api/v1/shifts", { params: { query: { from, to } } })),
  absent: () => take(client.GET("/api/v1/shifts/absent")),
  adherence: (from: string, to: string) => take(client.GET("/api/v1/shifts/adherence", { params: { query: { from, to } } })),
  saveDay: (user_id: number, day: string, body: Schemas["SaveShiftDay"]) => take(client.PUT("/api/v1/shifts/{user_id}/days/{day}", { params: { path: { user_id, day } }, body })),
  clearDay: (user_id: number, day: string) => take(client.DELETE("/api/v1/shifts/{user_id}/days/{day}", { params: { path: { user_id, day } } })),
  saveWeek: (user_id: number, body: Schemas["SaveShiftWeek"]) => take(client.PUT("/api/v1/shifts/{user_id}/week", { params: { path: { user_id } }, body })),
  copy: (source: string, target: string) => take(client.POST("/api/v1/shifts/copy", { body: { source, target, agents: null } })),
  importCsv: (csv: string) => take(client.POST("/api/v1/shifts/import", { body: { csv } })),
};

/** Canned replies: one's own, and those that are shared. */
export const cannedApi = {
  list: (query: { id?: number; limit?: number; cursor?: string }) => take(client.GET("/api/v1/canned-replies", { params: { query } })),
  add: (body: Schemas["NewCannedReply"]) => take(client.POST("/api/v1/canned-replies", { body })),
  save: (id: number, body: Schemas["SaveCannedReply"]) => take(client.PUT("/api/v1/canned-replies/{reply_id}", { ...ofReply(id), body })),
  remove: (id: number) => take(client.DELETE("/api/v1/canned-replies/{reply_id}", ofReply(id))),
  render: (id: number, body: Schemas["RenderCannedReply"]) => take(client.POST("/api/v1/canned-replies/{reply_id}/render", { ...ofReply(id), body })),
  preview: (body: Schemas["PreviewCannedReply"]) => take(client.POST("/api/v1/canned-replies/preview", { body })),
};

/** Conversations of one customer that are one matter, and parts of one that are another. */
export const joiningApi = {
  targets: (id: number) => take(client.GET("/api/v1/conversations/{conversation_id}/merge-targets", ofConversation(id))),
  merge: (id: number, body: Schemas["NewConversationMerge"]) => take(client.POST("/api/v1/conversations/{conversation_id}/merges", { ...ofConversation(id), body })),
  merges: (id: number) => take(client.GET("/api/v1/conversations/{conversation_id}/merges", ofConversation(id))),
  undo: (id: number) => take(client.POST("/api/v1/conversation-merges/{merge_id}/undo", { params: { path: { merge_id: id } } })),
  split: (id: number, body: Schemas["SplitConversation"]) => take(client.POST("/api/v1/conversations/{conversation_id}/split", { ...ofConversation(id), body })),
};

const ofTask = (task_id: number) => ({ params: { path: { task_id } } });

/** The inbox, tasks, and how one is told. */
export const inboxApi = {
  list: (query: { show?: "all" | "unread" | "mentions" | "tasks"; limit?: number; cursor?: string }) => take(client.GET("/api/v1/alerts", { params: { query } })),
  unsee: (id: number) => take(client.DELETE("/api/v1/alerts/{alert_id}/seen", { params: { path: { alert_id: id } } })),
  seeAll: (up_to: number) => take(client.POST("/api/v1/alerts/seen", { body: { up_to } })),
  setNoticeRules: (body: Schemas["SetNoticeRules"]) => take(client.PUT("/api/v1/me/notice-rules", { body })),
};

export interface TaskQuery {
  state?: "open" | "overdue" | "ended";
  whose?: "mine" | "any";
  customer_id?: number;
  limit?: number;
  cursor?: string;
}

export const tasksApi = {
  list: (query: TaskQuery) => take(client.GET("/api/v1/tasks", { params: { query } })),
  add: (body: Partial<Schemas["NewTask"]>) => once("task", body, (headers) => take(client.POST("/api/v1/tasks", { headers, body: body as Schemas["NewTask"] }))),
  change: (id: number, body: Schemas["UpdateTask"]) => take(client.PUT("/api/v1/tasks/{task_id}", { ...ofTask(id), body })),
  end: (id: number, outcome: "done" | "dropped") => take(client.POST("/api/v1/tasks/{task_id}/end", { ...ofTask(id), body: { outcome } })),
  reopen: (id: number) => take(client.DELETE("/api/v1/tasks/{task_id}/end", ofTask(id))),
};

const ofRole = (role_id: number) => ({ params: { path: { role_id } } });

/** Roles of one's own, the organisation, and what is kept for how long. */
export const rolesApi = {
  roles: () => take(client.GET("/api/v1/roles")),
  addRole: (body: Schemas["NewRole"]) => take(client.POST("/api/v1/roles", { body })),
  saveRole: (role_id: number, body: Schemas["SaveRole"]) => take(client.PUT("/api/v1/roles/{role_id}", { ...ofRole(role_id), body })),
  deleteRole: (role_id: number) => take(client.DELETE("/api/v1/roles/{role_id}", ofRole(role_id))),
};
export const organisationApi = {
  organisation: () => take(client.GET("/api/v1/organisation")),
  setMailAccount: (channel_id: string | null) => take(client.PUT("/api/v1/organisation/mail-account", { body: { channel_id } })),
  retention: () => take(client.GET("/api/v1/organisation/retention")),
  /** What is not named stays. */
  saveRetention: (body: Partial<Schemas["SaveRetention"]>) => take(client.PUT("/api/v1/organisation/retention", { body: body as Schemas["SaveRetention"] })),
};
