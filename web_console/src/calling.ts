/*
 * The page's telephone: keeps the sound in step with what the hub says of one's leg (phone.ts decides, phoneLine.ts carries), and says what
 * one does in a call. One per page; a page that was replaced by another window lets go of the sound, the other takes it up.
 *
 * The microphone is opened while a call still rings, so that the talk begins when it is accepted. What the hub tells is the truth: a press of
 * a button is the verb of the API, and its answer is learnt like every other.
 */
import { defineStore } from "pinia";
import { computed, onScopeDispose, reactive, ref, shallowRef, watch } from "vue";

import { api, ApiError } from "./client";
import type { CallView, ContactPointView, ConversationView } from "./events";
import { useHub } from "./hub";
import { lineTask, type LineNow, type Measured, myCall, type Phase, phaseOf, type Presence, type Quality, qualityOf, reachOf, retryAfter_ms, type Verb, verbsOf } from "./phone";
import { type Carrier, type Devices, type LineEvent, type MicrophoneFault, MicrophoneRefused, type PickedUp, pickUp } from "./phoneLine";
import { liveCalls } from "./state";

const DEVICES_KEY = "hub.telephone";
const MEASURE_EVERY_MS = 3_000;

/** Why the line does not stand: the microphone, or the line's own refusal. */
export type LineFault = MicrophoneFault | "all_busy" | "no_way" | "no_sound" | "unreachable";

/** The line has no way into a browser: nothing to be tried again. */
class NoWay extends Error {}

export const usePhone = defineStore("phone", () => {
  const hub = useHub();

  // --- what the hub says

  const live = computed(() => (hub.state ? liveCalls(hub.state) : []));
  const mine = computed(() => (hub.user ? myCall(live.value, hub.user.id) : null));
  const call = computed(() => mine.value?.call ?? null);
  const leg = computed(() => mine.value?.leg ?? null);
  const phase = computed<Phase | null>(() => (mine.value ? phaseOf(mine.value) : null));
  const verbs = computed<ReadonlySet<Verb>>(() => (mine.value ? verbsOf(mine.value) : new Set()));
  const voiceOf = (channelId: string | undefined) => (channelId === undefined ? null : (hub.state?.channels[channelId]?.voice ?? null));
  /** Offers of callers who are on the line. */
  const ringing = computed(() => hub.myOffers.filter((offer) => offer.call_id !== null));
  const lines = computed(() => Object.values(hub.state?.channels ?? {}).filter((channel) => channel.enabled && channel.voice !== null));
  const hasLine = computed(() => lines.value.length > 0);
  /** Numbers can be called, and such a call reaches the viewer. */
  const dials = computed(() => lines.value.some((channel) => channel.voice?.dials && reachOf(channel.voice, hub.user?.desk_phone ?? null) !== null));
  const inBrowser = computed(() => lines.value.some((channel) => channel.voice?.in_browser));

  // --- the sound

  const line = shallowRef<LineNow | null>(null);
  const troubled = ref<LineFault | null>(null);
  const fault = computed<LineFault | null>(() => {
    const isNowhere = leg.value !== null && leg.value.address === "" && leg.value.state !== "connected" && voiceOf(call.value?.channel_id)?.in_browser === false;
    return isNowhere ? "no_way" : troubled.value;
  });
  /** The browser plays nothing before somebody has pressed something. */
  const isSilent = ref(false);
  const measured = shallowRef<Measured | null>(null);
  const quality = computed<Quality | null>(() => (measured.value && line.value?.state === "open" ? qualityOf(measured.value) : null));
  const canPress = ref(false);
  const devices = reactive<Devices>({ microphone: "", speaker: "", ...keptDevices() });
  let carrier: Carrier | null = null;
  let picked: Promise<PickedUp> | null = null;
  let attempts = 0;
  /** Rises with every line that is begun or let go of: what comes late from an earlier one is nobody's. */
  let turn = 0;

  function drop(): void {
    turn += 1;
    carrier?.close();
    carrier = null;
    line.value = null;
    measured.value = null;
    isSilent.value = canPress.value = false;
  }

  function putDown(): void {
    void picked?.then((prepared) => prepared.close(), () => undefined);
    picked = null;
  }

  function settle(): void {
    if (hub.status === "replaced" || hub.session === "out") {
      drop();
      return putDown();
    }
    // While the hub cannot be heard, nobody knows whether the leg is still there. The sound goes on by itself.
    if (!hub.live) return;
    const task = lineTask(mine.value, voiceOf(call.value?.channel_id), line.value);
    if (task === "close") {
      drop();
      attempts = 0;
      troubled.value = null;
    } else if (task === "connect") void connect();
    if (leg.value === null && ringing.value.length === 0) putDown();
  }

  async function connect(): Promise<void> {
    const wanted = mine.value;
    const voice = voiceOf(wanted?.call.channel_id);
    if (!wanted?.leg || !voice) return;
    const { id: legId } = wanted.leg;
    if (line.value !== null && line.value.legId !== legId) attempts = 0;
    drop();
    const its = turn;
    const isMine = () => its === turn;
    const at = (state: LineNow["state"]) => (line.value = { legId, state });
    const told = (event: LineEvent) => {
      if (!isMine()) return;
      if (event === "silent") return void (isSilent.value = true);
      if (event === "open") {
        attempts = 0;
        troubled.value = null;
      }
      at(event);
    };
    at("connecting");
    const pause_ms = retryAfter_ms(attempts++);
    if (pause_ms > 0) await new Promise((resolve) => setTimeout(resolve, pause_ms));
    if (!isMine()) return;
    try {
      const fresh = voice.by_connect ? await overOwnLine(wanted.call.id, told) : await overTwilio(wanted.call, told);
      if (!isMine()) return fresh.close();
      carrier = fresh;
      canPress.value = fresh.press !== null;
      fresh.setMuted(leg.value?.muted ?? false);
    } catch (error) {
      if (!isMine()) return;
      troubled.value = faultOf(error);
      at(error instanceof MicrophoneRefused || error instanceof NoWay ? "refused" : "broken");
    }
  }

  async function overOwnLine(callId: number, told: (event: LineEvent) => void): Promise<Carrier> {
    const prepared = await (picked ?? pickUp({ ...devices }));
    picked = null;
    return prepared.connect(async (offer) => (await api.connectLine(callId, offer)).sdp, told);
  }

  async function overTwilio(its: CallView, told: (event: LineEvent) => void): Promise<Carrier> {
    putDown();
    const [library, signIn, mineThere] = await Promise.all([import("./twilioLine"), api.lineToken(its.channel_id), api.legToken(its.id)]);
    if (signIn.token === "") throw new NoWay("this line signs no browsers in");
    return library.connectTwilio(signIn.token, mineThere.token, { ...devices }, told);
  }

  function faultOf(error: unknown): LineFault {
    if (error instanceof MicrophoneRefused) return error.fault;
    if (error instanceof NoWay) return "no_way";
    if (error instanceof ApiError) return error.code === "all_busy" ? "all_busy" : "no_sound";
    return "unreachable";
  }

  watch([() => mine.value?.leg?.id, phase, () => voiceOf(call.value?.channel_id), line, () => hub.status, () => hub.session, () => ringing.value.length], settle, { immediate: true });

  // --- while it rings: the microphone, and an offer that is ready to go

  watch(
    () => ringing.value.some((offer) => voiceOf(offer.channel_id)?.by_connect) || (phase.value === "rings_asked" && voiceOf(call.value?.channel_id)?.by_connect === true),
    (rings) => {
      if (!rings || picked !== null || carrier !== null) return;
      picked = pickUp({ ...devices });
      picked.then(
        () => (troubled.value = null),
        (error: unknown) => {
          picked = null;
          troubled.value = faultOf(error);
        },
      );
    },
    { immediate: true },
  );

  /** After somebody has let the browser use the microphone, or has plugged one in. */
  function tryAgain(): void {
    troubled.value = null;
    attempts = 0;
    if (line.value?.state === "refused") line.value = { ...line.value, state: "broken" };
    settle();
  }

  async function play(): Promise<void> {
    isSilent.value = false;
    await carrier?.play();
  }

  async function choose(chosen: Partial<Devices>): Promise<void> {
    Object.assign(devices, chosen);
    localStorage.setItem(DEVICES_KEY, JSON.stringify(devices));
    try {
      await carrier?.choose({ ...devices });
    } catch (error) {
      troubled.value = faultOf(error);
    }
  }

  watch(
    () => leg.value?.muted,
    (muted) => carrier?.setMuted(muted ?? false),
  );
  const measuring = setInterval(() => {
    const its = carrier;
    if (its === null || line.value?.state !== "open") return;
    its.measure().then((told) => its === carrier && (measured.value = told), () => undefined);
  }, MEASURE_EVERY_MS);
  onScopeDispose(() => clearInterval(measuring));

  // --- what one does

  /** The dialog that passes the call on is open. */
  const passingOn = ref(false);

  async function act(verb: (id: number) => Promise<CallView>): Promise<CallView | null> {
    if (!call.value) return null;
    const after = await verb(call.value.id);
    learn(after);
    return after;
  }
  const learn = (after: CallView) => hub.learn({ kind: "call.changed", call: after });

  let muting: Promise<unknown> = Promise.resolve();
  /** At once for whoever speaks; the hub is told in the order of the presses, whatever else it is doing with the call. */
  async function mute(muted: boolean): Promise<void> {
    carrier?.setMuted(muted);
    const callId = call.value?.id;
    const told = muting.then(() => (call.value?.id === callId ? act((id) => api.muteCall(id, muted)) : null));
    muting = told.catch(() => undefined);
    try {
      await told;
    } catch (error) {
      carrier?.setMuted(leg.value?.muted ?? false);
      throw error;
    }
  }

  async function giveBack(): Promise<void> {
    if (call.value) await hub.release(call.value.conversation_id);
  }

  /** The call of work that was just taken: its leg is known sooner than the live line brings it. */
  async function follow(conversation: ConversationView): Promise<void> {
    if (conversation.call_id !== null) learn(await api.call(conversation.call_id));
  }

  /** At a number of the customer's, or where the callback of this conversation is to go. The conversation it stands in. */
  async function dial(to: { point: ContactPointView } | { conversation: ConversationView }): Promise<number> {
    const begun = await api.startCall("point" in to ? { contact_point_id: to.point.id } : { conversation_id: to.conversation.id });
    learn(begun);
    hub.learnConversations([await api.conversation(begun.conversation_id)]);
    return begun.conversation_id;
  }

  async function supervise(callId: number, presence: Exclude<Presence, "held">): Promise<void> {
    learn(await api.supervise(callId, presence));
  }

  async function hangUpAnother(callId: number): Promise<void> {
    learn(await api.hangUp(callId));
  }

  return {
    live, mine, call, leg, phase, verbs, ringing, hasLine, dials, inBrowser,
    line, fault, isSilent, measured, quality, canPress, devices,
    passingOn, tryAgain, play, choose, act, mute, giveBack, follow, dial, supervise, hangUpAnother,
    level: () => carrier?.level() ?? 0,
    press: (key: string) => carrier?.press?.(key),
  };
});

function keptDevices(): Partial<Devices> {
  try {
    return JSON.parse(localStorage.getItem(DEVICES_KEY) ?? "{}") as Partial<Devices>;
  } catch {
    return {};
  }
}
