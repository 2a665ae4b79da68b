/*
 * The same on a line of Twilio's, whose page library carries the sound. It is loaded only where there is such a line (a file of its own in
 * the build), signs in with a token of the hub's, and passes on the token of one's leg, so that the line knows which leg it sets up.
 */
import { Call, Device } from "@twilio/voice-sdk";

import type { Measured } from "./phone";
import { type Carrier, type Devices, type LineEvent, meter, MicrophoneRefused, openMicrophone } from "./phoneLine";

// Twilio's word for "the person said no" and "there is no microphone" (voice error dictionary, 31401 and 31402).
const DENIED = 31401;
const NO_DEVICE = 31402;

const NOTHING: Measured = { loss: null, jitter_ms: null, roundTrip_ms: null };

/** `token` signs in, `leg` names one's leg. MicrophoneRefused as on other lines. */
export async function connectTwilio(token: string, leg: string, devices: Devices, told: (event: LineEvent) => void): Promise<Carrier> {
  // Asked for here, so that what stands in the way is said in the same words on every line.
  const stream = await openMicrophone(devices.microphone);
  const loudness = meter(stream);
  const device = new Device(token, {
    codecPreferences: [Call.Codec.Opus, Call.Codec.PCMU],
    // Its own sounds would be fetched from elsewhere: the page has its own.
    disableAudioContextSounds: true,
    logLevel: "silent",
  });
  let measured = NOTHING;
  let isMuted = false;
  let isClosed = false;
  const tell = (event: LineEvent) => {
    if (!isClosed) told(event);
  };
  const close = () => {
    if (isClosed) return;
    isClosed = true;
    device.disconnectAll();
    device.destroy();
    loudness.close();
    stream.getTracks().forEach((track) => track.stop());
  };

  async function choose(chosen: Devices): Promise<void> {
    const audio = device.audio;
    if (!audio) return;
    const known = (devices: Map<string, MediaDeviceInfo>, id: string) => (devices.has(id) ? id : "default");
    if (audio.isOutputSelectionSupported) await audio.speakerDevices.set(known(audio.availableOutputDevices, chosen.speaker)).catch(() => undefined);
    if (audio.availableInputDevices.has(chosen.microphone)) await audio.setInputDevice(chosen.microphone);
    else if (audio.inputDevice !== null) await audio.unsetInputDevice();
  }

  try {
    await choose(devices);
    const call = await device.connect({ params: { leg } });
    call.on("accept", () => tell("open"));
    call.on("disconnect", () => tell("broken"));
    call.on("cancel", () => tell("broken"));
    call.on("reject", () => tell("broken"));
    call.on("error", (error: { code: number }) => {
      // Some errors are told of while the call goes on; those that end it come with `disconnect`, too.
      if (error.code === DENIED || error.code === NO_DEVICE) tell("broken");
    });
    call.on("sample", (sample: { jitter: number; rtt: number; packetsLostFraction: number }) => {
      measured = { loss: sample.packetsLostFraction / 100, jitter_ms: sample.jitter, roundTrip_ms: sample.rtt };
    });
    return {
      setMuted(muted) {
        isMuted = muted;
        call.mute(muted);
      },
      choose,
      level: () => (isMuted ? 0 : loudness.level()),
      measure: () => Promise.resolve(measured),
      play: () => Promise.resolve(),
      press: (key) => call.sendDigits(key),
      close,
    };
  } catch (error) {
    close();
    const code = typeof error === "object" && error !== null && "code" in error ? error.code : null;
    if (code === DENIED) throw new MicrophoneRefused("denied");
    if (code === NO_DEVICE) throw new MicrophoneRefused("missing");
    throw error;
  }
}
