/*
 * The call as the visitor sees it: what is going on, for how long, mute, key pad, hang up. One element above the composer, so
 * that writing goes on beside the talk.
 */
import type { Call, CallFault, CallState } from "./call";
import { icon, make } from "./dom";
import { placeWords } from "./place";
import { type Words, fill } from "./words";

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];

export class CallBar {
  readonly element: HTMLElement;
  private readonly call: Call;
  private readonly words: Words;
  private readonly language: string;
  private readonly text: HTMLElement;
  private readonly more: HTMLElement;
  private readonly muteButton: HTMLButtonElement;
  private readonly keysButton: HTMLButtonElement;
  private readonly hangUpButton: HTMLButtonElement;
  private readonly pad: HTMLElement;
  private timer = 0;
  private lastState: CallState = "idle";

  constructor(call: Call, words: Words, language: string, again: () => void) {
    this.call = call;
    this.words = words;
    this.language = language;
    this.text = make("strong", { "data-testid": "call-state" });
    this.more = make("span");
    this.muteButton = this.button("mic", words.mute, "call-mute", () => call.mute(!call.muted));
    this.keysButton = this.button("keys", words.keys, "call-keys", () => this.showPad(this.pad.hidden));
    this.hangUpButton = this.button("hangUp", words.hangUp, "call-hang-up", () => (call.isOn ? call.hangUp() : again()));
    this.hangUpButton.classList.add("end");
    this.pad = make("div", { class: "pad", role: "group", "aria-label": words.keys, hidden: true });
    for (const key of KEYS) {
      this.pad.append(make("button", { type: "button", "data-testid": `call-key-${key}`, onclick: () => call.press(key) }, key));
    }
    const said = make("div", { class: "said", role: "status", "aria-live": "polite" }, this.text, this.more);
    const buttons = make("div", { class: "controls" }, this.muteButton, this.keysButton, this.hangUpButton);
    this.element = make("div", { class: "call", hidden: true, "data-testid": "call-bar" }, said, buttons, this.pad);
  }

  render(): void {
    const { call, words } = this;
    this.element.hidden = call.state === "idle";
    const [text, more] = callWords(call.state, call.fault, call.agent, words);
    const place = call.state === "waiting" && call.place !== null ? { ...call.place, opens_at: null, offers_callback: false, callback: null } : null;
    put(this.text, text);
    put(this.more, place === null ? more : placeWords(place, words, this.language, Date.now()).filter(Boolean).join(" ") || more);
    const isOn = call.isOn;
    this.muteButton.hidden = !isOn;
    this.keysButton.hidden = !isOn;
    if (!isOn) this.showPad(false);
    // A menu wants keys: they are there without being looked for, once.
    else if (call.state === "menu" && this.lastState !== "menu") this.showPad(true, false);
    this.lastState = call.state;
    this.muteButton.setAttribute("aria-pressed", String(call.muted));
    label(this.muteButton, call.muted ? words.unmute : words.mute);
    label(this.hangUpButton, isOn ? words.hangUp : words.callUs);
    this.hangUpButton.classList.toggle("end", isOn);
    this.hangUpButton.replaceChildren(icon(isOn ? "hangUp" : "phone"));
    clearInterval(this.timer);
    if (isOn && call.since !== null) {
      this.tick();
      this.timer = window.setInterval(() => this.tick(), 1_000);
    }
  }

  private tick(): void {
    const { since, state } = this.call;
    if (since !== null && state === "talking") put(this.more, clock(Date.now() - since));
  }

  private showPad(show: boolean, takesFocus = true): void {
    this.pad.hidden = !show;
    this.keysButton.setAttribute("aria-expanded", String(show));
    if (show && takesFocus) this.pad.querySelector("button")?.focus();
  }

  private button(name: Parameters<typeof icon>[0], words: string, testId: string, onclick: () => void): HTMLButtonElement {
    return make("button", { type: "button", class: "icon", "aria-label": words, title: words, "data-testid": testId, onclick }, icon(name));
  }
}

/** What stands first, and what is added to it. */
export function callWords(state: CallState, fault: CallFault, agent: string | null, words: Words): [string, string] {
  switch (state) {
    case "idle":
      return ["", ""];
    case "asking":
      return [words.askMicrophone, ""];
    case "connecting":
      return [words.callConnecting, ""];
    case "menu":
      return [words.callMenu, words.callMenuHint];
    case "waiting":
      return [words.callWaiting, ""];
    case "talking":
      return [agent === null ? words.callTalking : fill(words.serving, { name: agent }), ""];
    case "held":
      return [words.callHeld, ""];
    case "voicemail":
      return [words.callVoicemail, ""];
    case "over":
      return [fault === "" ? words.callOver : words.callNotPossible, fault === "" ? "" : faultWords(fault, words)];
  }
}

function faultWords(fault: Exclude<CallFault, "">, words: Words): string {
  return {
    no_microphone: words.noMicrophone,
    not_allowed: words.microphoneRefused,
    all_busy: words.allBusy,
    no_media: words.noCallsNow,
    too_many: words.tooManyCalls,
    lost: words.callLost,
    failed: words.callFailed,
  }[fault];
}

/** 65 000 → "1:05". */
export function clock(passedMs: number): string {
  const seconds = Math.max(0, Math.floor(passedMs / 1_000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function put(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

function label(button: HTMLButtonElement, words: string): void {
  button.setAttribute("aria-label", words);
  button.title = words;
}
