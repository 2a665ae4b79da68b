/*
 * A call to the company from this page: the browser's audio to the hub's line, and the socket that says how the call goes.
 *
 *   WS /chat/{channel}/call    {type: call, sdp} → {type: answer, sdp, token} → state, place … ended
 *
 * The audio goes its own way: when the socket is cut the talk goes on, and the socket comes back with the call's token. When
 * the audio itself is lost for good, or the page is left, the hub hears of that and ends the call.
 */
import type { Place } from "./protocol";

export type CallState = "idle" | "asking" | "connecting" | "menu" | "waiting" | "talking" | "held" | "voicemail" | "over";
/** Why there is no call (any more): a machine's word; "" is a call that ended as calls do. */
export type CallFault = "" | "no_microphone" | "not_allowed" | "all_busy" | "no_media" | "too_many" | "lost" | "failed";

export interface Calls {
  title: string;
  ice_servers: RTCIceServer[];
}

type CallFrame =
  | { type: "answer"; sdp: string; token: string }
  | { type: "state"; state: "menu" | "waiting" | "talking" | "held" | "voicemail"; agent: string | null }
  | { type: "place"; place: Pick<Place, "position" | "wait_s"> | null }
  | { type: "ended"; reason: string | null }
  | { type: "error"; code: string }
  | { type: "pong" };

/** Candidates of this machine are there at once; a STUN or TURN server that does not answer is not waited for. */
const GATHER_MS = 2_000;
const RETRY_MS = 1_000;
const CONNECT_MS = 15_000;
const REFUSED: Record<string, CallFault> = { all_busy: "all_busy", no_media: "no_media", too_many: "too_many" };

export function canCall(): boolean {
  return typeof RTCPeerConnection === "function" && !!(navigator.mediaDevices as MediaDevices | undefined)?.getUserMedia;
}

export class Call {
  state: CallState = "idle";
  fault: CallFault = "";
  agent: string | null = null;
  place: Pick<Place, "position" | "wait_s"> | null = null;
  muted = false;
  /** Since when somebody talks with the visitor. */
  since: number | null = null;

  private readonly url: string;
  private readonly protocols: () => string[];
  private readonly language: string;
  private readonly sound: HTMLAudioElement;
  private readonly changed: () => void;
  private connection: RTCPeerConnection | null = null;
  private microphone: MediaStream | null = null;
  private socket: WebSocket | null = null;
  private token: string | null = null;
  private timer = 0;

  /** `sound` plays what the line says; `changed` is called after each change. */
  constructor(base: string, channel: string, protocols: () => string[], language: string, sound: HTMLAudioElement, changed: () => void) {
    this.url = `${base.replace(/^http/, "ws")}/chat/${encodeURIComponent(channel)}/call`;
    this.protocols = protocols;
    this.language = language;
    this.sound = sound;
    this.changed = changed;
    addEventListener("pagehide", () => this.hangUp());
  }

  get isOn(): boolean {
    return this.state !== "idle" && this.state !== "over";
  }

  async start(calls: Calls): Promise<void> {
    if (this.isOn) return;
    this.fault = "";
    this.muted = false;
    this.agent = this.place = this.token = this.since = null;
    this.become("asking");
    try {
      const wanted = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
      this.microphone = await navigator.mediaDevices.getUserMedia({ audio: wanted });
    } catch (error) {
      const isRefused = error instanceof DOMException && (error.name === "NotAllowedError" || error.name === "SecurityError");
      this.end(isRefused ? "not_allowed" : "no_microphone");
      return;
    }
    if (!this.isOn) {
      // Hung up while the browser asked for the microphone.
      this.release();
      return;
    }
    this.become("connecting");
    try {
      const sdp = await this.offer(calls.ice_servers);
      this.connectSocket(() => this.say({ type: "call", sdp, language: this.language }));
    } catch {
      this.end("failed");
      return;
    }
    this.timer = window.setTimeout(() => this.state === "connecting" && this.end("failed"), CONNECT_MS);
  }

  press(key: string): void {
    this.say({ type: "key", key });
  }

  mute(muted: boolean): void {
    this.muted = muted;
    for (const track of this.microphone?.getAudioTracks() ?? []) track.enabled = !muted;
    this.changed();
  }

  hangUp(): void {
    if (!this.isOn) return;
    this.say({ type: "hang_up" });
    this.end("");
  }

  /** There is no call, for this reason. */
  fail(fault: Exclude<CallFault, "">): void {
    if (!this.isOn) this.end(fault);
  }

  private async offer(iceServers: RTCIceServer[]): Promise<string> {
    const connection = (this.connection = new RTCPeerConnection({ iceServers }));
    for (const track of this.microphone?.getAudioTracks() ?? []) connection.addTrack(track, this.microphone as MediaStream);
    connection.addEventListener("track", (event) => {
      this.sound.srcObject = event.streams[0] ?? new MediaStream([event.track]);
      void this.sound.play().catch(() => undefined);
    });
    connection.addEventListener("connectionstatechange", () => {
      if (connection === this.connection && connection.connectionState === "failed") this.end("lost");
    });
    await connection.setLocalDescription(await connection.createOffer());
    await gathered(connection);
    return connection.localDescription?.sdp ?? "";
  }

  private connectSocket(opened: () => void): void {
    const socket = (this.socket = new WebSocket(this.url, this.protocols()));
    socket.addEventListener("open", opened);
    socket.addEventListener("message", (event) => this.hear(event.data));
    socket.addEventListener("close", () => {
      if (socket !== this.socket || !this.isOn) return;
      if (this.token === null) this.end("failed");
      else window.setTimeout(() => this.isOn && this.connectSocket(() => this.say({ type: "resume", token: this.token })), RETRY_MS);
    });
  }

  private say(frame: object): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  private hear(text: unknown): void {
    const frame = parse(text);
    if (frame === null || !this.isOn) return;
    switch (frame.type) {
      case "answer":
        this.token = frame.token;
        void this.connection?.setRemoteDescription({ type: "answer", sdp: frame.sdp }).catch(() => this.end("failed"));
        return;
      case "state":
        this.agent = frame.agent;
        if (frame.state === "talking") this.since ??= Date.now();
        if (frame.state !== "waiting") this.place = null;
        this.become(frame.state);
        return;
      case "place":
        this.place = frame.place;
        this.changed();
        return;
      case "ended":
        this.end(frame.reason === "failed" ? "lost" : "");
        return;
      case "error":
        if (this.token === null) this.end(REFUSED[frame.code] ?? "failed");
        return;
      default:
    }
  }

  private become(state: CallState): void {
    this.state = state;
    this.changed();
  }

  private end(fault: CallFault): void {
    clearTimeout(this.timer);
    // Sound that found no way leaves the line waiting for it.
    if (fault === "lost" || fault === "failed") this.say({ type: "hang_up" });
    this.fault = fault;
    this.release();
    this.become("over");
  }

  private release(): void {
    for (const track of this.microphone?.getTracks() ?? []) track.stop();
    this.microphone = null;
    this.connection?.close();
    this.connection = null;
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.sound.srcObject = null;
  }
}

function parse(text: unknown): CallFrame | null {
  try {
    const frame: unknown = JSON.parse(String(text));
    return typeof frame === "object" && frame !== null && "type" in frame ? (frame as CallFrame) : null;
  } catch {
    return null;
  }
}

function gathered(connection: RTCPeerConnection): Promise<void> {
  if (connection.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const timer = window.setTimeout(done, GATHER_MS);
    connection.addEventListener("icegatheringstatechange", () => connection.iceGatheringState === "complete" && done());
  });
}
