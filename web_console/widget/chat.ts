/*
 * The conversation behind the widget, without its looks: what the hub has said, what is still unsent, and the line to it.
 *
 * The hub is the truth. At every connection it sends the history after the last entry held here; a message of the
 * visitor's is shown at once and repeated, with the same client_id and in order, until the hub acknowledges it.
 */
import {
  type Answers,
  type Attachment,
  type ClientFrame,
  type Details,
  type Entry,
  type Place,
  type ServerFrame,
  type Visit,
  parseFrame,
} from "./protocol";
import { type Unsent, UnsentQueue, recall, remember } from "./unsent";

export type Line = "idle" | "connecting" | "open" | "broken" | "unavailable";

/** Reconnecting: 0.5 s, doubled up to 15 s, each ±25 %. */
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 15_000;
/** We say ping at this interval; if nothing at all came for twice of it, the line is dead. */
const PING_MS = 20_000;
const TYPING_SHOWN_MS = 5_000;
const TYPING_TOLD_MS = 3_000;
const NOTICE_SHOWN_MS = 8_000;
/** What the hub could not take just now is said again after so long. */
const RESEND_MS = 3_000;
/** What a visit said is looked up again after so long, by whoever looks at the window. */
const REFRESH_MS = 60_000;
const CLOSE_NO_VISITOR = 4401;
const CLOSE_ORIGIN = 4403;
const CLOSE_NO_CHANNEL = 4404;
/** Refusals that say "later", not "no": the message is sent again. */
const TRANSIENT = new Set(["database_away", "unavailable", "internal", "too_many", "error"]);

export interface Score {
  score: number;
  comment: string;
  /** The hub has it. */
  is_told: boolean;
}

export class UploadRefused extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Why a message for later was not taken: the hub's code, and the names of faulty fields. */
export class LeaveRefused extends Error {
  readonly code: string;
  readonly fields: readonly string[];
  constructor(code: string, fields: readonly string[]) {
    super(code);
    this.code = code;
    this.fields = fields;
  }
}

/** A first message whose form the hub did not take, to be mended. */
export interface Returned {
  text: string;
  attachments: Attachment[];
  form: Answers;
  fields: readonly string[];
}

export class Chat {
  visit: Visit | null = null;
  line: Line = "idle";
  /** Was open at least once since the page was loaded: a lost line is "reconnecting", not "connecting". */
  wasOpen = false;
  agent: string | null = null;
  waiting = false;
  resolved = false;
  place: Place | null = null;
  /** The hub could not read the number that was asked to be called. */
  phoneRefused = false;
  truncated = false;
  typingName: string | null = null;
  /** What went wrong with something that is not a message, in the hub's words. */
  notice: string | null = null;
  returned: Returned | null = null;
  /** The page's word that somebody is signed in was not taken, and why. */
  refusal: { code: string; message: string } | null = null;

  private readonly base: string;
  private readonly channel: string;
  private readonly language: string;
  private readonly changed: (fresh: Entry[]) => void;
  private readonly root: string;
  private identity: string | null;
  private token = "";
  private visitedAt = 0;
  // What this browser keeps is of one person: of whoever is signed in on the page, or of nobody in particular.
  private key!: string;
  private unsent!: UnsentQueue;
  private entries = new Map<number, Entry>();
  private socket: WebSocket | null = null;
  private ready = false;
  private retryMs = RETRY_FIRST_MS;
  private retryTimer = 0;
  private pingTimer = 0;
  private typingTimer = 0;
  private resendTimer = 0;
  private lastHeard = 0;
  private lastTyping = 0;
  private readThrough = 0;
  private receivedThrough = 0;
  private reading = false;
  // Said by the visitor before there was a line; kept for the next page of the site in this tab. Another tab's are its own.
  private details: Details | null = null;
  private useSince = true;
  private scores: Record<string, Score> = {};

  /** `changed` is called after each change; `fresh` are the company's entries that were not known before. `identity`: the page's
   *  signed word that somebody is signed in there. */
  constructor(base: string, channel: string, changed: (fresh: Entry[]) => void, identity: string | null = null, language = "") {
    this.base = base;
    this.channel = channel;
    this.changed = changed;
    this.identity = identity;
    this.language = language;
    this.root = `hub-chat ${base} ${channel}`;
    this.openDrawer();
  }

  private openDrawer(): void {
    const subject = this.identity === null ? "" : subjectOf(this.identity);
    this.key = subject ? `${this.root} #${subject}` : this.root;
    this.entries.clear();
    this.unsent = new UnsentQueue(`${this.key} unsent`);
    this.readThrough = recall<number>(`${this.key} read`) ?? 0;
    this.scores = recall<Record<string, Score>>(`${this.key} scores`) ?? {};
    this.details = recall<Details>(`${this.key} details`, "sessionStorage");
  }

  get server(): string {
    return this.base;
  }

  get channelId(): string {
    return this.channel;
  }

  /** This browser has talked here before: worth a connection while the panel is still closed. */
  get isKnown(): boolean {
    return recall<boolean>(`${this.key} known`) === true || this.unsent.all().length > 0 || this.details !== null;
  }

  get list(): Entry[] {
    return [...this.entries.values()].sort((a, b) => a.id - b.id);
  }

  /** Something was said here before: the next message may begin a request, but what was said is not taken away for it. */
  get hasHistory(): boolean {
    return this.entries.size > 0;
  }

  private get beginsAnew(): boolean {
    return !this.pending.length && (this.resolved || !this.hasHistory);
  }

  /** The next message begins a request, and the channel asks something first. */
  get needsForm(): boolean {
    const form = this.visit?.form;
    if (!form || !this.ready) return false;
    return this.returned !== null || (this.beginsAnew && form.fields.length > 0);
  }

  /** Nobody is there: a message is left for later instead. */
  get takesMail(): boolean {
    return !!this.visit?.offline?.is_due && this.line === "open" && this.beginsAnew;
  }

  /** Offered to a socket: what is spoken, and who speaks. */
  get protocols(): string[] {
    return ["hub-chat", this.token];
  }

  get pending(): readonly Unsent[] {
    return this.unsent.all();
  }

  get unread(): number {
    let count = 0;
    for (const entry of this.entries.values()) {
      if (entry.direction === "out" && entry.id > this.readThrough) count += 1;
    }
    return count;
  }

  // --- doing ---------------------------------------------------------------------------------------------------------

  connect(): void {
    if (this.line === "connecting" || this.line === "open") return;
    clearTimeout(this.retryTimer);
    this.line = "connecting";
    this.changed([]);
    void this.open();
  }

  /** As if the hub had said so: for a window that is only looked at. */
  pretend(visit: Visit): void {
    this.visit = visit;
    this.line = "open";
    this.ready = this.wasOpen = true;
  }

  disconnect(): void {
    clearTimeout(this.retryTimer);
    this.drop();
    this.line = "idle";
  }

  /** The network or the page is back: do not wait for the back-off. */
  wake(): void {
    if (this.line === "broken") {
      this.retryMs = RETRY_FIRST_MS;
      this.line = "idle";
      this.connect();
    } else if (this.line === "open" && Date.now() - this.lastHeard > PING_MS) {
      this.say({ type: "ping" });
    }
  }

  /** The browser says that the network is gone: an open line only seems to be one. */
  lose(): void {
    if (this.line === "open") this.fail();
  }

  send(text: string, attachments: Attachment[], form?: Answers): void {
    const item: Unsent = { client_id: newId(), text, attachments, at: new Date().toISOString(), ...(form ? { form } : {}) };
    this.returned = this.draft = null;
    this.unsent.add(item);
    this.lastTyping = 0;
    this.notice = null;
    if (this.ready) this.post(item);
    this.changed([]);
  }

  retry(clientId: string): void {
    this.unsent.refuse(clientId, null);
    const item = this.unsent.find(clientId);
    if (item && this.ready) this.post(item);
    this.changed([]);
  }

  discard(clientId: string): void {
    this.unsent.remove(clientId);
    this.changed([]);
  }

  typing(): void {
    const now = Date.now();
    if (!this.ready || now - this.lastTyping < TYPING_TOLD_MS) return;
    this.lastTyping = now;
    this.say({ type: "typing" });
  }

  identify(details: Details): void {
    this.keepDetails(details);
    this.notice = null;
    if (this.ready) this.tellDetails();
    if (this.visit && details.name) this.visit.visitor.name = details.name;
    this.changed([]);
  }

  /** Asks to be called instead of waiting; the answer is a place that says so. */
  callBack(phone: string): void {
    this.phoneRefused = false;
    this.say({ type: "callback", phone });
  }

  cancelCallback(): void {
    this.say({ type: "cancel_callback" });
  }

  /** Whether the visitor is looking at the conversation right now. */
  setReading(reading: boolean): void {
    this.reading = reading;
    this.tellRead();
  }

  /** What this browser has said to a survey, taken by the hub or still to be told. */
  scoreOf(surveyId: number): Score | null {
    return this.scores[surveyId] ?? null;
  }

  /** Shown at once, and repeated until the hub has it; the same again changes nothing there. */
  score(surveyId: number, score: number, comment = ""): void {
    this.keepScore(surveyId, { score, comment, is_told: false });
    if (this.ready) this.tellScores();
    this.changed([]);
  }

  /** Leaves a message that is answered by mail; the address it goes to. Raises LeaveRefused. `id` makes it once only. */
  async leave(id: string, text: string, form: Answers): Promise<string> {
    let answer: Response;
    try {
      const body = JSON.stringify({ client_id: id, text, form, language: this.language });
      answer = await this.postJson("/offline", body);
    } catch {
      throw new LeaveRefused("network", []);
    }
    const told = (await answer.json().catch(() => ({}))) as { address?: string; code?: string; fields?: Record<string, string> };
    if (!answer.ok) throw new LeaveRefused(told.code ?? "network", Object.keys(told.fields ?? {}).map((name) => name.replace("form.", "")));
    this.draft = null;
    return told.address ?? "";
  }

  /** What stands half-filled in a form, the message as "text": for this tab alone, until it is sent. */
  get draft(): Answers | null {
    return recall<Answers>(`${this.key} draft`, "sessionStorage");
  }

  set draft(answers: Answers | null) {
    remember(`${this.key} draft`, answers, "sessionStorage");
  }

  /** What was filled in last in this browser, to be offered again, and what is half-filled. */
  get filled(): Answers {
    return { name: this.visit?.visitor.name ?? "", ...recall<Answers>(`${this.key} form`), ...this.draft };
  }

  set filled(answers: Answers) {
    const { name, email, phone } = answers;
    remember(`${this.key} form`, { ...(name ? { name } : {}), ...(email ? { email } : {}), ...(phone ? { phone } : {}) });
  }

  /** Who is there and what is asked first may have changed. */
  async refresh(): Promise<void> {
    if (this.line !== "open" || Date.now() - this.visitedAt < REFRESH_MS) return;
    const visit = await this.callVisit()
      .then((answer) => (answer.ok ? (answer.json() as Promise<Visit>) : null))
      .catch(() => null);
    // Whose sign-in is over hears it from the line.
    if (!visit || visit.identity?.state === "refused") return;
    this.visit = visit;
    this.changed([]);
  }

  /** Raises UploadRefused with the hub's code and words, or with code "network". */
  async upload(file: Blob, name: string): Promise<Attachment> {
    const form = new FormData();
    form.append("file", file, name);
    let answer: Response;
    try {
      answer = await fetch(this.address("/attachments"), { method: "POST", body: form, headers: { "X-Hub-Visitor": this.token, ...this.spoken } });
    } catch {
      throw new UploadRefused("network", "");
    }
    const body = (await answer.json().catch(() => null)) as (Attachment & { code?: string; message?: string; fields?: Record<string, string> }) | null;
    if (!answer.ok || body === null) throw new UploadRefused(body?.code ?? "network", this.sayable(Object.values(body?.fields ?? {}).join("; ") || (body?.message ?? ""), body?.fields));
    return body;
  }

  /** An attachment's full address; "" for anything that is not http. */
  resolve(url: string): string {
    try {
      const full = new URL(url, this.base);
      return full.protocol === "https:" || full.protocol === "http:" ? full.href : "";
    } catch {
      return "";
    }
  }

  // --- the line ------------------------------------------------------------------------------------------------------

  private address(path: string): string {
    return `${this.base}/chat/${encodeURIComponent(this.channel)}${path}`;
  }

  private async open(): Promise<void> {
    try {
      const answer = await this.callVisit();
      if (answer.status === 404 || answer.status === 403) {
        this.line = "unavailable";
        this.changed([]);
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      this.takeVisit((await answer.json()) as Visit);
    } catch {
      this.fail();
      return;
    }
    if (this.line !== "connecting") return;
    const last = this.useSince ? this.lastId() : 0;
    const query = `?lang=${this.language}${last ? `&since=${last}` : ""}`;
    const socket = new WebSocket(this.address(query).replace(/^http/, "ws"), this.protocols);
    this.socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.lastHeard = Date.now();
      this.pingTimer = window.setInterval(() => this.checkLine(), PING_MS);
    };
    socket.onmessage = (event: MessageEvent<unknown>) => {
      if (socket !== this.socket) return;
      this.lastHeard = Date.now();
      const frame = parseFrame(event.data);
      if (frame) this.hear(frame, last > 0);
    };
    socket.onclose = (event) => {
      if (socket !== this.socket) return;
      if (event.code === CLOSE_ORIGIN || event.code === CLOSE_NO_CHANNEL) {
        this.drop();
        this.line = "unavailable";
        this.changed([]);
        return;
      }
      // Refused, or another visitor to the hub than before: start over from the hub's history.
      if (!opened || event.code === CLOSE_NO_VISITOR) this.useSince = false;
      this.fail();
    };
  }

  private postJson(path: string, body: string): Promise<Response> {
    const headers = { "Content-Type": "application/json", ...(this.token ? { "X-Hub-Visitor": this.token } : {}), ...this.spoken };
    return fetch(this.address(path), { method: "POST", body, headers });
  }

  private callVisit(): Promise<Response> {
    const visitor = recall<string>(`${this.root} token`);
    this.visitedAt = Date.now();
    return this.postJson("/visit", JSON.stringify({ ...(visitor ? { visitor } : {}), ...(this.identity ? { identity: this.identity } : {}) }));
  }

  private takeVisit(visit: Visit): void {
    this.visit = visit;
    this.token = visit.visitor.token;
    remember(`${this.root} token`, visit.visitor.anonymous);
    if (visit.identity?.state === "refused" && this.identity !== null) {
      // From here on as nobody in particular: nothing of whoever was signed in stays on the screen.
      this.identity = null;
      this.refusal = visit.identity;
      this.useSince = false;
      this.openDrawer();
    }
  }

  private fail(): void {
    this.drop();
    this.line = "broken";
    this.agent = null;
    this.typingName = null;
    this.retryTimer = window.setTimeout(
      () => {
        this.line = "idle";
        this.connect();
      },
      this.retryMs * (0.75 + Math.random() / 2),
    );
    this.retryMs = Math.min(this.retryMs * 2, RETRY_MAX_MS);
    this.changed([]);
  }

  private drop(): void {
    clearInterval(this.pingTimer);
    clearTimeout(this.resendTimer);
    this.ready = false;
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  private checkLine(): void {
    if (Date.now() - this.lastHeard > 2 * PING_MS) this.fail();
    else this.say({ type: "ping" });
    // A signed word of a page is looked at in few places a minute only: then opening the window has to do.
    if (this.reading && this.identity === null) void this.refresh();
  }

  private say(frame: ClientFrame): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  private post(item: Unsent): void {
    const ids = item.attachments.map((attachment) => attachment.id);
    this.say({ type: "message", client_id: item.client_id, text: item.text, attachment_ids: ids, ...(item.form ? { form: item.form } : {}) });
  }

  private postAll(): void {
    for (const item of this.unsent.all()) if (item.refused === undefined) this.post(item);
  }

  // --- hearing -------------------------------------------------------------------------------------------------------

  private hear(frame: ServerFrame, wasPartial: boolean): void {
    const fresh: Entry[] = [];
    switch (frame.type) {
      case "history":
        if (wasPartial && frame.more && !this.ready) {
          // More happened than one frame tells: take the newest page whole instead of leaving a hole.
          this.useSince = false;
          this.drop();
          this.line = "idle";
          this.connect();
          return;
        }
        if (!wasPartial) {
          this.entries.clear();
          this.truncated = frame.more;
        }
        for (const entry of frame.entries) this.take(entry, fresh);
        // The place follows if there is one.
        this.place = null;
        this.useSince = true;
        this.ready = this.wasOpen = true;
        this.line = "open";
        this.retryMs = RETRY_FIRST_MS;
        if (this.details) this.tellDetails();
        this.postAll();
        this.tellScores();
        this.tellRead();
        break;
      case "entry":
        // Whoever writes begins or opens again, whatever else the hub says of it.
        if (frame.entry.direction === "in" && !this.entries.has(frame.entry.id)) this.resolved = false;
        this.take(frame.entry, fresh);
        this.tellRead();
        break;
      case "ack":
        this.acknowledge(frame.client_id, frame.entry_id, frame.at);
        break;
      case "typing":
        this.typingName = frame.name;
        clearTimeout(this.typingTimer);
        this.typingTimer = window.setTimeout(() => {
          this.typingName = null;
          this.changed([]);
        }, TYPING_SHOWN_MS);
        break;
      case "agent":
        this.agent = frame.name;
        break;
      case "state":
        this.waiting = frame.waiting;
        this.resolved = frame.resolved;
        // The hub says so itself within a second; whoever is served should not read of a line until then.
        if (!frame.waiting && this.place?.callback === null) this.place = null;
        break;
      case "place":
        this.place = frame.place;
        this.phoneRefused = false;
        break;
      case "scored": {
        const kept = this.scores[frame.survey_id];
        if (kept?.score === frame.score) this.keepScore(frame.survey_id, { ...kept, is_told: true });
        break;
      }
      case "error":
        if (frame.survey_id !== undefined) this.hearScoreError(frame.survey_id, frame.code);
        if (this.hearFormError(frame.client_id ?? null, frame.fields ?? {})) break;
        if (frame.fields?.["phone"] !== undefined) this.phoneRefused = true;
        else this.hearError(frame.code, this.sayable(frame.message, frame.fields), frame.client_id ?? null);
        break;
      default:
        return;
    }
    this.changed(fresh);
  }

  private take(entry: Entry, fresh: Entry[]): void {
    if (entry.direction === "out" && !this.entries.has(entry.id)) {
      fresh.push(entry);
      this.typingName = null;
    }
    this.entries.set(entry.id, entry);
    if (entry.client_id) this.unsent.remove(entry.client_id);
    remember(`${this.key} known`, true);
  }

  /** The entry itself may come before or after its acknowledgement. */
  private acknowledge(clientId: string, entryId: number, at: string): void {
    const item = this.unsent.find(clientId);
    if (!item) return;
    this.resolved = false;
    if (!this.entries.has(entryId)) {
      const { text, attachments } = item;
      this.take({ id: entryId, direction: "in", author: "", text, at, attachments, client_id: clientId }, []);
    }
    this.unsent.remove(clientId);
  }

  private hearScoreError(surveyId: number, code: string): void {
    if (!TRANSIENT.has(code)) this.keepScore(surveyId, null);
    else window.setTimeout(() => this.ready && this.tellScores(), RESEND_MS);
  }

  /** The form of a first message is faulty, or there was none: back it goes to where it was filled in. */
  private hearFormError(clientId: string | null, faults: Record<string, string>): boolean {
    const fields = Object.keys(faults).filter((name) => name.startsWith("form."));
    const item = clientId === null ? undefined : this.unsent.find(clientId);
    if (!item || !fields.length || !this.visit?.form) return false;
    this.unsent.remove(item.client_id);
    const { text, attachments, form } = item;
    this.returned = { text, attachments, form: form ?? this.filled, fields: fields.map((name) => name.slice(5)) };
    this.draft = { ...this.returned.form, text };
    return true;
  }

  /** The hub says in the visitor's language what is wrong with fields; its other messages are English: then the widget says it. */
  private sayable(message: string, fields?: Record<string, string>): string {
    return fields || !this.language || this.language.startsWith("en") ? message : "";
  }

  private get spoken(): Record<string, string> {
    return this.language ? { "Accept-Language": this.language } : {};
  }

  private hearError(code: string, message: string, clientId: string | null): void {
    if (clientId === null) {
      this.notice = message;
      window.setTimeout(() => {
        this.notice = null;
        this.changed([]);
      }, NOTICE_SHOWN_MS);
    } else if (TRANSIENT.has(code)) {
      clearTimeout(this.resendTimer);
      this.resendTimer = window.setTimeout(() => {
        if (this.ready) this.postAll();
      }, RESEND_MS);
    } else {
      this.unsent.refuse(clientId, message);
    }
  }

  // --- telling -------------------------------------------------------------------------------------------------------

  private tellDetails(): void {
    if (!this.details) return;
    this.say({ type: "identify", ...this.details });
    this.keepDetails(null);
  }

  private keepDetails(details: Details | null): void {
    this.details = details;
    remember(`${this.key} details`, details, "sessionStorage");
  }

  private tellRead(): void {
    let last = 0;
    for (const entry of this.entries.values()) if (entry.direction === "out") last = Math.max(last, entry.id);
    if (this.reading && last > this.readThrough) {
      this.readThrough = last;
      remember(`${this.key} read`, last);
      this.changed([]);
      if (this.ready) this.say({ type: "read", through: last });
    }
    if (this.ready && last > this.receivedThrough) {
      this.receivedThrough = last;
      this.say({ type: "received", through: last });
    }
  }

  private tellScores(): void {
    for (const [id, { score, comment, is_told }] of Object.entries(this.scores)) {
      if (!is_told) this.say({ type: "score", survey_id: Number(id), score, ...(comment ? { comment } : {}) });
    }
  }

  private keepScore(surveyId: number, score: Score | null): void {
    const { [surveyId]: _, ...others } = this.scores;
    this.scores = score === null ? others : { ...others, [surveyId]: score };
    remember(`${this.key} scores`, this.scores);
  }

  private lastId(): number {
    let last = 0;
    for (const id of this.entries.keys()) last = Math.max(last, id);
    return last;
  }
}

/** Whose the page says the word is; the hub alone can tell whether it is true. "" where it is none at all. */
function subjectOf(identity: string): string {
  try {
    const payload = (identity.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    return String((JSON.parse(atob(payload)) as { sub?: unknown }).sub ?? "");
  } catch {
    return "";
  }
}

/** crypto.randomUUID exists only on secure pages; this works on any. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
