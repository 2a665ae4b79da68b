/*
 * The sound of one's telephone in the browser, on a line that is connected by an SDP offer of the page (`voice.by_connect`).
 *
 *   pickUp(devices)            the microphone and an offer with all its candidates in it: done while it still rings
 *   → PickedUp.connect(…)      the offer goes to the hub, its answer comes back, the sound flows
 *
 * The line tells `open` when the media stands and `broken` when it does no more; setting it up again is for whoever holds it. Nothing here
 * knows calls, legs or the store. All of it may be closed at any moment, more than once.
 */
import { type Counted, measureLine } from "./lineStats";
import type { Measured } from "./phone";

/** Why there is no microphone; the person has to do something. `insecure`: browsers give it to pages on https or localhost only. */
export type MicrophoneFault = "denied" | "missing" | "busy" | "insecure";

export class MicrophoneRefused extends Error {
  readonly fault: MicrophoneFault;

  constructor(fault: MicrophoneFault) {
    super(fault);
    this.fault = fault;
  }
}

/** The browser's ids; empty: the system's own choice. */
export interface Devices {
  microphone: string;
  speaker: string;
}

/** `silent`: the browser plays nothing before somebody has pressed something on the page. */
export type LineEvent = "open" | "broken" | "silent";

export interface Carrier {
  setMuted(muted: boolean): void;
  choose(devices: Devices): Promise<void>;
  /** How loud one speaks just now, 0 to 1. */
  level(): number;
  /** Of the time since the last time it was asked. */
  measure(): Promise<Measured>;
  /** Plays after all, out of something that somebody pressed. */
  play(): Promise<void>;
  /** Sends a tone of the key pad; null where nobody would hear it. */
  press: ((key: string) => void) | null;
  close(): void;
}

// Host candidates are there at once; a network that answers nothing must not hold the call up.
const GATHER_MS = 1_500;
// A network that changes takes a moment; the hub's own line gives a leg up after 5 s.
const PATIENCE_MS = 3_000;
const SOUND: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

export async function openMicrophone(id: string): Promise<MediaStream> {
  // Without https (or localhost) the browser has no such thing at all, whatever its types say.
  const media = navigator.mediaDevices as MediaDevices | undefined;
  if (!media) throw new MicrophoneRefused("insecure");
  try {
    // `ideal`: a headset that was taken away is no reason for not being heard.
    return await media.getUserMedia({ audio: id === "" ? SOUND : { ...SOUND, deviceId: { ideal: id } } });
  } catch (error) {
    throw new MicrophoneRefused(faultOf(error));
  }
}

function faultOf(error: unknown): MicrophoneFault {
  switch (error instanceof DOMException ? error.name : "") {
    case "NotFoundError":
    case "OverconstrainedError":
      return "missing";
    case "NotReadableError":
    case "AbortError":
      return "busy";
    default:
      return "denied";
  }
}

/** How loud a stream is. Silent until the browser lets sound be worked on, which it does while somebody uses the page. */
export function meter(stream: MediaStream): { level(): number; close(): void } {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 512;
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  return {
    level() {
      if (context.state === "suspended") void context.resume().catch(() => undefined);
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, each) => sum + each * each, 0) / samples.length;
      // From -60 dB, a quiet room, to -10 dB, as loud as one speaks.
      const level_db = 10 * Math.log10(power + 1e-12);
      return Math.min(1, Math.max(0, (level_db + 60) / 50));
    },
    close: () => void context.close().catch(() => undefined),
  };
}

export interface PickedUp {
  /** `exchange`: takes the offer to the hub and brings its answer. What it throws, this throws. */
  connect(exchange: (offer: string) => Promise<string>, told: (event: LineEvent) => void): Promise<Carrier>;
  close(): void;
}

/** MicrophoneRefused when there is none to be had. */
export async function pickUp(devices: Devices): Promise<PickedUp> {
  let stream = await openMicrophone(devices.microphone);
  const peer = new RTCPeerConnection({ iceServers: [] });
  const speaker = new Audio();
  speaker.autoplay = true;
  let isClosed = false;
  let loudness = meter(stream);

  const close = () => {
    if (isClosed) return;
    isClosed = true;
    peer.close();
    stream.getTracks().forEach((track) => track.stop());
    loudness.close();
    speaker.srcObject = null;
  };

  try {
    const sender = peer.addTrack(stream.getAudioTracks()[0] as MediaStreamTrack, stream);
    await speakThrough(speaker, devices.speaker);
    await peer.setLocalDescription(await peer.createOffer());
    await gathered(peer);
    return { connect: (exchange, told) => connect(sender, exchange, told), close };
  } catch (error) {
    close();
    throw error;
  }

  async function connect(sender: RTCRtpSender, exchange: (offer: string) => Promise<string>, told: (event: LineEvent) => void): Promise<Carrier> {
    let counted: Counted | null = null;
    let isMuted = false;
    const tell = (event: LineEvent) => {
      if (!isClosed) told(event);
    };
    const play = async () => {
      try {
        await speaker.play();
      } catch (error) {
        if (error instanceof DOMException && error.name === "NotAllowedError") tell("silent");
      }
    };
    peer.ontrack = (event) => {
      speaker.srcObject = event.streams[0] ?? new MediaStream([event.track]);
      void play();
    };
    let patience: ReturnType<typeof setTimeout> | undefined;
    peer.onconnectionstatechange = () => {
      clearTimeout(patience);
      if (peer.connectionState === "connected") tell("open");
      else if (peer.connectionState === "failed" || peer.connectionState === "closed") tell("broken");
      else if (peer.connectionState === "disconnected") patience = setTimeout(() => tell("broken"), PATIENCE_MS);
    };
    // A microphone that is pulled out: the system's own takes its place.
    const follow = (track: MediaStreamTrack) => track.addEventListener("ended", () => void (isClosed || change("").catch(() => undefined)));

    async function change(microphone: string): Promise<void> {
      const fresh = await openMicrophone(microphone);
      const track = fresh.getAudioTracks()[0] as MediaStreamTrack;
      if (isClosed) return track.stop();
      track.enabled = !isMuted;
      await sender.replaceTrack(track);
      stream.getTracks().forEach((each) => each.stop());
      loudness.close();
      stream = fresh;
      loudness = meter(stream);
      follow(track);
    }

    try {
      follow(stream.getAudioTracks()[0] as MediaStreamTrack);
      const answer = await exchange(peer.localDescription?.sdp ?? "");
      if (!isClosed) await peer.setRemoteDescription({ type: "answer", sdp: answer });
    } catch (error) {
      close();
      throw error;
    }
    return {
      setMuted(muted) {
        isMuted = muted;
        stream.getAudioTracks().forEach((track) => (track.enabled = !muted));
      },
      async choose(chosen) {
        await speakThrough(speaker, chosen.speaker);
        await change(chosen.microphone);
      },
      level: () => (isMuted || isClosed ? 0 : loudness.level()),
      async measure() {
        const result = measureLine((await peer.getStats()).values() as Iterable<Record<string, unknown>>, counted);
        counted = result.counted;
        return result.measured;
      },
      play,
      press: null,
      close() {
        clearTimeout(patience);
        close();
      },
    };
  }
}

/** Browsers without a choice of speakers use the system's. One that has gone is no reason for hearing nothing. */
export async function speakThrough(element: HTMLMediaElement, speaker: string): Promise<void> {
  if (typeof element.setSinkId === "function") await element.setSinkId(speaker).catch(() => undefined);
}

function gathered(peer: RTCPeerConnection): Promise<void> {
  if (peer.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    const timeout = setTimeout(resolve, GATHER_MS);
    peer.addEventListener("icegatheringstatechange", () => {
      if (peer.iceGatheringState !== "complete") return;
      clearTimeout(timeout);
      resolve();
    });
  });
}
