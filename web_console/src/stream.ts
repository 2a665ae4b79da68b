/*
 * The live line to the hub: snapshot, then a socket from the snapshot's token, for as long as the page is open.
 *
 *     resync: load() a snapshot → token ─→ connect(since=token) ─→ frames ─→ apply, THEN token = frame.token
 *        ↑                                     │ closed, silent for 25 s: back-off, connect again from the token
 *        └── resync message, prev ≠ token, apply failed, first start: the one path that begins anew
 *
 * Invariants: the token is stored only after what it stands for was applied; a frame whose `prev` is not the token is never
 * applied; whatever went wrong, the way back is reconnect() or resync(). Frames are applied at once when the line was quiet,
 * else gathered for BATCH_MS, so that a burst costs one repaint; what takes longer than SLICE_MS to apply is applied in slices, and
 * keys and pointers have their turn between two.
 */
import type { Frame, SocketMessage, VolatileEvent } from "./events";

export type StreamStatus = "connecting" | "live" | "reconnecting" | "offline" | "replaced" | "signed-out";

/** What the stream needs of the page. */
export interface StreamHost {
  /** Takes a snapshot, but for one that is not wanted any more when it comes: a newer one is on its way or here, or the page has signed out. Throws SignedOut when nobody is signed in any more. */
  load(isWanted: () => boolean): Promise<string>;
  /** At least one of the frames, and as many as there is time for; how many they were. */
  apply(frames: readonly Frame[], within_ms: number): number;
  volatile(events: readonly VolatileEvent[]): void;
  tick(serverTime: string): void;
  watching(customerId: number | null): void;
  status(status: StreamStatus): void;
}

export interface Stream {
  start(): void;
  stop(): void;
  /** The network or the user is back: do not wait for the back-off, and do not trust a line that slept. */
  wake(): void;
  resync(): void;
  watch(customerId: number | null): void;
  readonly token: string | null;
}

export class SignedOut extends Error {}

// Design: 100 to 250 ms decides smoothness; below 150 ms a person does not see the wait.
const BATCH_MS = 120;
// Half a frame: a key that comes meanwhile is still drawn with the next one.
const SLICE_MS = 8;
// The server ticks every 10 s: two missed ticks and a margin.
const SILENCE_MS = 25_000;
// After a wake the server has this long to answer a ping: a line that slept often looks open and is not.
const WAKE_SILENCE_MS = 4_000;
const BACKOFF_MIN_MS = 250;
const BACKOFF_MAX_MS = 5_000;

const CLOSE_SESSION_ENDED = 4401;
const CLOSE_REPLACED = 4409;

export interface StreamOptions {
  url: string;
  connect?: (url: string) => WebSocket;
  random?: () => number;
  isOnline?: () => boolean;
}

export function createStream(host: StreamHost, options: StreamOptions): Stream {
  const connectTo = options.connect ?? ((url: string) => new WebSocket(url));
  const random = options.random ?? Math.random;
  const isOnline = options.isOnline ?? (() => navigator.onLine);

  let token: string | null = null;
  let watched: number | null = null;
  let socket: WebSocket | null = null;
  let running = false;
  // Raised by every begin-anew: an answer of an older life is dropped.
  let life = 0;
  let failures = 0;
  let waiting: Frame[] = [];
  let appliedAt = 0;
  let batchTimer: ReturnType<typeof setTimeout> | undefined;
  let silenceTimer: ReturnType<typeof setTimeout> | undefined;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;

  function tell(status: StreamStatus): void {
    host.status(status === "reconnecting" && !isOnline() ? "offline" : status);
  }

  function drop(): void {
    clearTimeout(batchTimer);
    clearTimeout(silenceTimer);
    clearTimeout(retryTimer);
    batchTimer = retryTimer = undefined;
    waiting = [];
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
    socket.close();
    socket = null;
  }

  function expectSound(within_ms: number): void {
    clearTimeout(silenceTimer);
    silenceTimer = setTimeout(reconnectLater, within_ms);
  }

  async function begin(): Promise<void> {
    drop();
    token = null;
    const mine = ++life;
    const isWanted = () => mine === life && running;
    try {
      const loaded = await host.load(isWanted);
      if (!isWanted()) return;
      token = loaded;
    } catch (error) {
      if (!isWanted()) return;
      if (error instanceof SignedOut) end("signed-out");
      else reconnectLater();
      return;
    }
    open();
  }

  function open(): void {
    if (token === null) return void begin();
    drop();
    const query = new URLSearchParams({ since: token });
    if (watched !== null) query.set("customer", String(watched));
    const watchedInQuery = watched;
    socket = connectTo(`${options.url}?${query}`);
    socket.onopen = () => {
      tell("live");
      send({ type: "ping" });
      if (watched !== watchedInQuery) send({ type: "watch", customer_id: watched });
    };
    socket.onmessage = (message: MessageEvent<string>) => receive(JSON.parse(message.data) as SocketMessage);
    socket.onclose = (event: CloseEvent) => closed(event.code);
    expectSound(SILENCE_MS);
  }

  function send(message: object): void {
    // 1 is WebSocket.OPEN, written so because tests bring their own socket.
    if (socket?.readyState === 1) socket.send(JSON.stringify(message));
  }

  function closed(code: number): void {
    if (code === CLOSE_SESSION_ENDED) end("signed-out");
    else if (code === CLOSE_REPLACED) end("replaced");
    else reconnectLater();
  }

  /** Half to all of an exponential delay, so that a thousand consoles do not come back in the same instant. */
  function reconnectLater(): void {
    flush();
    drop();
    tell("reconnecting");
    const delay = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** failures) * (0.5 + random() / 2);
    failures += 1;
    retryTimer = setTimeout(open, delay);
  }

  function end(status: StreamStatus): void {
    running = false;
    life += 1;
    drop();
    host.status(status);
  }

  function receive(message: SocketMessage): void {
    expectSound(SILENCE_MS);
    failures = 0;
    tell("live");
    if ("events" in message) {
      waiting.push(message);
      const sinceLast = performance.now() - appliedAt;
      if (sinceLast >= BATCH_MS) flush();
      else batchTimer ??= setTimeout(flush, BATCH_MS - sinceLast);
    } else if ("resync" in message) {
      void begin();
    } else if ("volatile" in message) {
      host.volatile(message.volatile);
    } else if ("tick" in message) {
      host.tick(message.tick);
    } else if ("watching" in message) {
      flush(Infinity);
      host.watching(message.watching);
    }
  }

  function flush(within_ms = SLICE_MS): void {
    clearTimeout(batchTimer);
    batchTimer = undefined;
    const frames = waiting;
    waiting = [];
    if (frames.length === 0) return;
    appliedAt = performance.now();
    const follows = frames.every((frame, index) => frame.prev === (frames[index - 1]?.token ?? token));
    if (!follows) return void begin();
    try {
      const applied = host.apply(frames, within_ms);
      token = frames[applied - 1]?.token ?? token;
      waiting = frames.slice(applied);
    } catch {
      return void begin();
    }
    if (waiting.length > 0) batchTimer = setTimeout(flush, 0);
  }

  return {
    get token() {
      return token;
    },
    start() {
      running = true;
      failures = 0;
      tell("connecting");
      void begin();
    },
    stop() {
      running = false;
      life += 1;
      drop();
    },
    wake() {
      if (!running) return;
      failures = 0;
      if (retryTimer !== undefined) open();
      else if (socket?.readyState === 1) {
        send({ type: "ping" });
        expectSound(WAKE_SILENCE_MS);
      }
    },
    resync() {
      if (running) void begin();
    },
    watch(customerId) {
      watched = customerId;
      send({ type: "watch", customer_id: customerId });
    },
  };
}
