/*
 * Where a waiting visitor stands: the place in line, about how long it takes, when we open; and the callback that may be asked
 * for instead. One element above the composer; the hub tells a change only when it is worth one.
 */
import type { Chat } from "./chat";
import { icon, make } from "./dom";
import type { Place } from "./protocol";
import { type Words, fill } from "./words";

const PHONE = /^\+?[\d\s().\-/]{5,40}$/;
const HOUR_MIN = 60;

export class PlaceBar {
  readonly element: HTMLElement;
  private readonly chat: Chat;
  private readonly words: Words;
  private readonly language: string;
  private readonly text: HTMLElement;
  private readonly more: HTMLElement;
  private readonly ask: HTMLButtonElement;
  private readonly stop: HTMLButtonElement;
  private readonly form: HTMLElement;
  private readonly field: HTMLInputElement;
  private readonly problem: HTMLElement;
  private asking = false;

  constructor(chat: Chat, words: Words, language: string) {
    this.chat = chat;
    this.words = words;
    this.language = language;
    this.text = make("strong");
    this.more = make("span");
    this.ask = make("button", { type: "button", class: "link", "data-testid": "chat-call-me", onclick: () => this.open(true) }, icon("phone"), words.callMe);
    this.stop = make("button", { type: "button", class: "link", "data-testid": "chat-call-cancel", onclick: () => chat.cancelCallback() }, words.callCancel);
    this.field = make("input", { type: "tel", autocomplete: "tel", maxlength: "40", "aria-label": words.callNumber, placeholder: words.callNumber, "data-testid": "chat-call-phone" });
    this.problem = make("span", { class: "bad", role: "alert", hidden: true });
    this.form = make(
      "form",
      { novalidate: true, hidden: true, onsubmit: (event) => this.send(event) },
      make("label", {}, words.callNumber, this.field, this.problem),
      make("p", {}, words.callWhy),
      make(
        "div",
        { class: "buttons" },
        make("button", { type: "submit", class: "save", "data-testid": "chat-call-send" }, words.callSend),
        make("button", { type: "button", class: "cancel", onclick: () => this.open(false) }, words.cancel),
      ),
    );
    const said = make("div", { class: "said", role: "status", "aria-live": "polite" }, this.text, " ", this.more);
    this.element = make("div", { class: "place", hidden: true, "data-testid": "chat-place" }, said, this.ask, this.stop, this.form);
  }

  render(): void {
    const { place } = this.chat;
    const shown = place !== null;
    const [text, more] = shown ? placeWords(place, this.words, this.language, Date.now()) : ["", ""];
    put(this.text, text);
    put(this.more, more);
    const canAsk = shown && place.offers_callback && place.callback === null;
    if (!canAsk) this.asking = false;
    this.form.hidden = !this.asking;
    this.ask.hidden = !canAsk || this.asking;
    this.stop.hidden = !shown || place.callback === null;
    this.element.hidden = text === "" && more === "" && !canAsk;
    if (this.chat.phoneRefused) this.say(this.words.badPhone);
  }

  private open(asking: boolean): void {
    this.asking = asking;
    this.say("");
    this.render();
    if (asking) this.field.focus();
    else this.ask.focus();
  }

  private send(event: Event): void {
    event.preventDefault();
    const phone = this.field.value.trim();
    if (!PHONE.test(phone)) {
      this.say(this.words.badPhone);
      this.field.focus();
      return;
    }
    this.say("");
    this.chat.callBack(phone);
  }

  private say(words: string): void {
    this.problem.hidden = words === "";
    put(this.problem, words);
  }
}

/** What stands first, and what is added to it; both may be empty. */
export function placeWords(place: Place, words: Words, language: string, now: number): [string, string] {
  const { callback } = place;
  // A number that somebody else entered is not told here.
  const phone = callback?.address ?? "•••";
  if (callback?.state === "calling") return [fill(words.calling, { phone }), ""];
  if (callback?.again_at) {
    return [words.notReached, fill(words.callAgain, { phone, time: moment(callback.again_at, language, now) })];
  }
  const line = [place.position === null ? "" : place.position === 1 ? words.next : fill(words.place, { n: place.position })];
  if (place.opens_at !== null) line.push(fill(words.opens, { time: moment(place.opens_at, language, now) }));
  else if (place.wait_s !== null) line.push(fill(words.wait, { time: length(place.wait_s, words) }));
  if (callback) return [fill(words.callAt, { phone }), [...line, words.mayClose].filter(Boolean).join(" ")];
  return [line[0] ?? "", line.slice(1).join(" ")];
}

function length(seconds: number, words: Words): string {
  const minutes = Math.round(seconds / 60);
  if (minutes < HOUR_MIN) return fill(words.minutes, { n: minutes });
  const rest = minutes % HOUR_MIN;
  const hours = fill(words.hours, { n: Math.floor(minutes / HOUR_MIN) });
  return rest === 0 ? hours : `${hours} ${fill(words.minutes, { n: rest })}`;
}

/** The time today, else with its day. */
export function moment(at: string, language: string, now: number): string {
  const isToday = new Date(at).toDateString() === new Date(now).toDateString();
  const day: Intl.DateTimeFormatOptions = isToday ? {} : { weekday: "long", day: "numeric", month: "long" };
  return new Intl.DateTimeFormat(language, { ...day, hour: "numeric", minute: "2-digit" }).format(new Date(at));
}

function put(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
