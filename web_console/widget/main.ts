/*
 * The chat widget: <hub-chat channel="chat-demo" server="https://hub.example">, made by one script tag:
 *
 *   <script src="https://hub.example/widget.js" data-channel="chat-demo" async></script>
 *
 * Optional on the tag: data-lang ("hy"), data-accent ("#0f766e"), data-open, data-identity (the signed word of the page's own server
 * that somebody is signed in there; `element.identify(word)` says it later, or anew, and "" that they signed out). A word that the hub
 * does not take is told by the event "hub-chat-identity" of the element, with its code and reason, and by the browser's console.
 *
 * The page keeps its strict Content-Security-Policy: no inline style, no inline script, no markup from text; it needs script-src,
 * connect-src and img-src for the hub, and img-src blob: for previews. Everything lives in a shadow tree, so the page's styles and
 * ours do not meet. No cookies: what the browser must remember lies in the page's own storage.
 *
 * Nothing is asked of the hub until the visitor opens the panel, unless this browser has talked here before.
 */
import { Call, canCall } from "./call";
import { CallBar } from "./callBar";
import { Chat, LeaveRefused, newId } from "./chat";
import { Composer } from "./composer";
import { detailsForm } from "./details";
import { icon, make } from "./dom";
import { Form, type FormShape } from "./form";
import { Log } from "./log";
import { PlaceBar, moment } from "./place";
import type { Answers, Entry, Visit } from "./protocol";
import { playSound } from "./sound";
import { applyAccent, applyStyle } from "./style";
import { recall, remember } from "./unsent";
import { type Words, chooseLanguage, fill, wordsOf } from "./words";

const SOUND_KEY = "hub-chat sound";

type Kind = "form" | "offline" | null;

class HubChat extends HTMLElement {
  private chat: Chat | null = null;
  private words: Words = wordsOf("en");
  private log!: Log;
  private place!: PlaceBar;
  private line: Call | null = null;
  private callBar!: CallBar;
  private wantsCall = false;
  private callButton!: HTMLButtonElement;
  private composer!: Composer;
  private launcher!: HTMLButtonElement;
  private badge!: HTMLElement;
  private panel!: HTMLElement;
  private avatar!: HTMLElement;
  private titleText!: HTMLElement;
  private subText!: HTMLElement;
  private lineText!: HTMLElement;
  private main!: HTMLElement;
  private drop!: HTMLElement;
  private detailsButton!: HTMLButtonElement;
  private soundButton!: HTMLButtonElement;
  private form: Form | null = null;
  // What is asked before the next request. A form, of the chat's or for when nobody is there, stands in the place of the conversation;
  // the way to it, and thanks for what was left, stand below what was said here already, in the place of the composer.
  private asked: { kind: Kind; element: HTMLElement; place: HTMLElement; form: Form | null; isThanks: boolean; returned: unknown } | null = null;
  // The visitor wants to begin something new, although something was said here before.
  private begins = false;
  private word!: HTMLElement;
  private toldRefusal: unknown = null;
  private thanks: string | null = null;
  private readonly lose = (): void => this.chat?.lose();
  private readonly wake = (): void => this.chat?.wake();
  private readonly seen = (): void => {
    this.chat?.setReading(this.isOpen && document.visibilityState === "visible");
    if (document.visibilityState !== "visible") return;
    this.wake();
    if (this.isOpen) void this.chat?.refresh();
  };

  get isOpen(): boolean {
    return this.chat !== null && !this.panel.hidden;
  }

  connectedCallback(): void {
    const channel = this.getAttribute("channel");
    if (!channel || this.chat) return;
    const base = new URL(this.getAttribute("server") ?? location.href, location.href).origin;
    const wished = [this.getAttribute("lang"), document.documentElement.lang, ...navigator.languages];
    const language = chooseLanguage(wished.filter((tag): tag is string => !!tag));
    this.words = wordsOf(language);
    this.lang = language;
    const chat = (this.chat = new Chat(base, channel, (fresh) => this.render(fresh), this.getAttribute("identity"), language));
    this.build(chat, language);
    applyAccent(this, this.getAttribute("accent"));
    if (this.hasAttribute("preview")) return;
    addEventListener("online", this.wake);
    addEventListener("offline", this.lose);
    document.addEventListener("visibilitychange", this.seen);
    if (this.hasAttribute("open")) this.open();
    else if (chat.isKnown) chat.connect();
  }

  disconnectedCallback(): void {
    removeEventListener("online", this.wake);
    removeEventListener("offline", this.lose);
    document.removeEventListener("visibilitychange", this.seen);
    this.line?.hangUp();
    this.chat?.disconnect();
  }

  /** Says who is signed in on the page: the signed word of its own server; "": nobody any more. */
  identify(word: string): void {
    if (word === (this.getAttribute("identity") ?? "")) return;
    if (word) this.setAttribute("identity", word);
    else this.removeAttribute("identity");
    if (!this.chat) return;
    const wasOpen = this.isOpen;
    this.disconnectedCallback();
    this.chat = this.form = this.asked = null;
    this.begins = false;
    this.shadowRoot?.replaceChildren();
    this.connectedCallback();
    if (wasOpen) this.open();
  }

  /** Shows how a window that is set up like this looks; only of an element that is a `preview`. */
  preview(visit: Visit, shows: "chat" | "form" | "offline"): void {
    const chat = this.chat;
    if (!chat || !this.hasAttribute("preview")) return;
    chat.pretend({ ...visit, form: shows === "form" ? visit.form : null, offline: shows === "offline" ? visit.offline : null });
    this.unask();
    this.panel.hidden = this.launcher.hidden = false;
    this.panel.inert = this.launcher.inert = true;
    this.render([]);
    this.log.render();
  }

  /** Calls the company, as the button does, if it can be called; at once, or when the hub has said so. */
  call(): void {
    this.wantsCall = true;
    this.open();
  }

  private callIfWanted(): void {
    const visit = this.chat?.visit;
    if (!this.wantsCall || !visit) return;
    this.wantsCall = false;
    if (visit.calls) void this.line?.start(visit.calls);
    else this.line?.fail("no_media");
  }

  open(): void {
    if (!this.chat) return;
    this.panel.hidden = false;
    this.launcher.hidden = true;
    this.chat.connect();
    this.seen();
    this.render([]);
    this.log.toEnd();
    this.focusIn();
  }

  private focusIn(): void {
    if (this.asked?.form) this.asked.form.focus();
    else if (this.asked) this.panel.querySelector<HTMLElement>(this.asked.isThanks ? "header .icon:last-child" : ".begin button")?.focus();
    else this.composer.focus();
  }

  close(): void {
    if (!this.chat) return;
    this.wantsCall = false;
    this.showDetails(false);
    if (this.asked?.form === null) this.unask();
    this.panel.hidden = true;
    this.launcher.hidden = false;
    this.seen();
    this.launcher.focus({ preventScroll: true });
  }

  private build(chat: Chat, language: string): void {
    const words = this.words;
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    applyStyle(root);
    this.badge = make("span", { class: "badge", hidden: true });
    this.word = make("span", { class: "word", dir: "auto", hidden: true });
    this.launcher = make(
      "button",
      { class: "launcher", type: "button", "aria-haspopup": "dialog", "data-testid": "chat-launcher", onclick: () => this.open() },
      icon("chat"),
      this.word,
      this.badge,
    );
    this.avatar = make("div", { class: "avatar", "aria-hidden": "true" });
    this.titleText = make("div", { class: "title", id: "title" });
    this.subText = make("div", { class: "sub", "aria-live": "polite" });
    this.detailsButton = make(
      "button",
      {
        class: "icon",
        type: "button",
        "aria-label": words.details,
        title: words.details,
        "aria-expanded": "false",
        onclick: () => this.showDetails(this.form === null),
      },
      icon("person"),
    );
    this.soundButton = make("button", { class: "icon", type: "button", onclick: () => this.toggleSound() });
    const close = make(
      "button",
      { class: "icon", type: "button", "aria-label": words.close, title: words.close, "data-testid": "chat-close", onclick: () => this.close() },
      icon("down"),
    );
    this.lineText = make("div", { class: "line", role: "status", hidden: true, "data-testid": "chat-line" });
    this.log = new Log(chat, words, language);
    this.place = new PlaceBar(chat, words, language);
    const sound = make("audio", { autoplay: true });
    this.line = new Call(chat.server, chat.channelId, () => chat.protocols, language, sound, () => this.showCall());
    this.callBar = new CallBar(this.line, words, language, () => this.call());
    this.callButton = make(
      "button",
      { class: "icon", type: "button", "aria-label": words.callUs, title: words.callUs, hidden: true, "data-testid": "chat-call", onclick: () => this.call() },
      icon("phone"),
    );
    this.composer = new Composer(chat, words, () => this.log.toEnd());
    this.main = make("div", { class: "main" }, this.log.element, this.place.element, this.callBar.element, this.composer.element);
    this.drop = make("div", { class: "drop", hidden: true }, words.drop);
    this.panel = make(
      "section",
      { class: "panel", role: "dialog", "aria-labelledby": "title", hidden: true, "data-testid": "chat-panel" },
      make(
        "header",
        {},
        this.avatar,
        make("div", { class: "who" }, this.titleText, this.subText),
        this.callButton,
        this.detailsButton,
        this.soundButton,
        close,
      ),
      this.lineText,
      this.main,
      this.drop,
    );
    this.panel.addEventListener("keydown", (event) => this.keyed(event));
    this.listenForDrops();
    // The sound stays in the page whatever the panel shows: an element that is taken out of it falls silent.
    root.append(this.launcher, this.panel, sound);
    this.showSound();
    this.render([]);
  }

  private render(fresh: Entry[]): void {
    const chat = this.chat;
    if (!chat || !(this.panel as HTMLElement | undefined)) return;
    const words = this.words;
    const { visit, agent, unread } = chat;
    if (visit && !this.hasAttribute("accent")) applyAccent(this, visit.accent);
    if (visit?.widget) this.look(visit.widget);
    this.tellRefusal(chat);
    const title = visit?.title || words.open;
    this.titleText.textContent = title;
    this.avatar.textContent = initials(agent ?? title);
    // Who is there is known while there is a line; the words below say what is wrong with it.
    const known = chat.line === "open" ? visit : null;
    this.avatar.classList.toggle("here", known !== null && (agent !== null || known.online));
    const sub = !known ? "" : agent ? fill(words.serving, { name: agent }) : known.online ? words.online : chat.takesMail ? "" : words.away;
    const said = this.thanks ?? sub;
    if (this.subText.textContent !== said) this.subText.textContent = said;

    const line =
      chat.line === "unavailable" ? words.unavailable
      : chat.notice !== null ? chat.notice || words.failed
      : chat.line === "open" ? ""
      : chat.wasOpen || chat.line === "broken" ? words.reconnecting
      : words.connecting;
    this.lineText.hidden = line === "";
    this.lineText.classList.toggle("still", chat.line === "unavailable" || chat.line === "open");
    if (this.lineText.textContent !== line) this.lineText.textContent = line;

    this.badge.hidden = unread === 0;
    this.badge.textContent = unread > 99 ? "99+" : String(unread);
    this.callIfWanted();
    this.showCall();
    if (this.isOpen) {
      this.ask(chat);
      this.place.render();
      this.log.render();
    }
    if (fresh.length && chat.wasOpen && unread > 0 && recall<boolean>(SOUND_KEY) === true) playSound();
  }

  private look({ position, scheme, launcher }: Visit["widget"]): void {
    this.setAttribute("side", position);
    this.setAttribute("scheme", scheme);
    this.word.textContent = launcher;
    this.word.hidden = launcher === "";
    this.launcher.classList.toggle("worded", launcher !== "");
  }

  private tellRefusal(chat: Chat): void {
    const { refusal } = chat;
    if (refusal === null || refusal === this.toldRefusal) return;
    this.toldRefusal = refusal;
    // For whoever builds the page: a visitor sees nothing of it.
    // eslint-disable-next-line no-console
    console.warn(`hub-chat: identity refused (${refusal.code}): ${refusal.message}`);
    this.dispatchEvent(new CustomEvent("hub-chat-identity", { detail: refusal, bubbles: true }));
  }

  /** Puts before the next request what has to be filled in first, or takes it away again. What was said here already, and a survey
   *  in it, gives way to a form only when the visitor begins something new. */
  private ask(chat: Chat): void {
    // While the line is down, what is being filled in stays.
    if (this.form || chat.line !== "open") return;
    const kind: Kind = chat.takesMail ? "offline" : chat.needsForm ? "form" : null;
    if (kind === null) this.begins = false;
    const { asked } = this;
    const asksNow = this.begins || chat.returned !== null || !chat.hasHistory;
    // Thanks for a message that was left stay until the panel is closed.
    if (asked && (asked.isThanks || (asked.kind === kind && asked.returned === chat.returned && (asked.form !== null) === asksNow))) return;
    // What is being left for later just now is answered first.
    if (asked?.form?.isWaiting) return;
    // Whoever is busy elsewhere on the page stays there.
    const focused = this.shadowRoot?.activeElement ?? null;
    const at = asked?.form?.nameOf(focused);
    // What was written while the line was not open yet, or in a form, is not lost.
    this.composer.put(asked?.form?.written ?? "");
    this.unask();
    if (kind === null) {
      if (asked && focused) this.composer.focus();
    } else if (asksNow) {
      const form = kind === "form" ? this.formBefore(chat) : this.formForLater(chat);
      this.put(kind, form.element, this.main, form);
      if (focused) form.focus(at);
    } else this.offer(chat, kind, this.composer.element.contains(focused));
  }

  private put(kind: Kind, element: HTMLElement, place: HTMLElement, form: Form | null, isThanks = false): void {
    this.unask();
    place.replaceWith(element);
    this.asked = { kind, element, place, form, isThanks, returned: this.chat?.returned };
  }

  private unask(): void {
    this.asked?.element.replaceWith(this.asked.place);
    this.asked = null;
  }

  /** What the panel shows, unless it is the details. */
  private get body(): HTMLElement {
    return this.asked?.place === this.main ? this.asked.element : this.main;
  }

  /** The way on below what was said. */
  private offer(chat: Chat, kind: Kind, wasWriting: boolean): void {
    const { words } = this;
    const begin = make("button", { type: "button", class: "save", "data-testid": "chat-begin", onclick: () => this.begin(true) }, kind === "form" ? words.begin : words.offlineTitle);
    const said = kind === "form" ? [] : [make("p", { dir: "auto" }, this.offlineIntro(chat))];
    this.put(kind, make("div", { class: "begin" }, ...said, begin), this.composer.element, null);
    // Whoever is just writing shall not press it by a word's space.
    if (wasWriting) (this.composer.isEmpty ? begin : this.log.element).focus({ preventScroll: true });
    this.log.toEnd();
  }

  private begin(begins: boolean): void {
    this.begins = begins;
    if (this.asked?.isThanks) this.unask();
    this.render([]);
    this.log.toEnd();
    this.focusIn();
  }

  private offlineIntro({ visit }: Chat): string {
    const { words } = this;
    const opens = visit?.opens_at;
    return visit?.offline?.text || [opens ? fill(words.opens, { time: moment(opens, this.lang, Date.now()) }) : "", words.offlineText].filter(Boolean).join(" ");
  }

  private written(chat: Chat): string {
    return this.composer.take() || (chat.draft?.["text"] ?? "");
  }

  /** A half-filled form outlives a reload, and there is a way back to what was said, where something was. */
  private keep(chat: Chat): Pick<FormShape, "typed" | "cancel"> {
    const typed = (values: Answers): void => {
      chat.draft = values;
    };
    return { typed, ...(chat.hasHistory && chat.returned === null ? { cancel: () => this.begin(false) } : {}) };
  }

  private formBefore(chat: Chat): Form {
    const { words } = this;
    const asked = chat.visit?.form;
    const { returned } = chat;
    const shape = {
      title: words.formTitle,
      intro: asked?.intro || chat.visit?.greeting || "",
      fields: asked?.fields ?? [],
      text: returned?.text ?? this.written(chat),
      filled: returned?.form ?? chat.filled,
      submit: words.start,
      ...this.keep(chat),
      ...(returned ? { faults: returned.fields } : {}),
    };
    return new Form(words, shape, (answers, text) => {
      chat.filled = answers;
      this.unask();
      chat.send(text, returned?.attachments ?? [], answers);
      this.log.toEnd();
      this.composer.focus();
    });
  }

  private formForLater(chat: Chat): Form {
    const { words } = this;
    const offline = chat.visit?.offline;
    let id = newId();
    let last = "";
    const shape = {
      title: words.offlineTitle,
      intro: this.offlineIntro(chat),
      fields: offline?.fields ?? [],
      text: this.written(chat),
      filled: chat.filled,
      submit: words.leave,
      ...this.keep(chat),
    };
    const form = new Form(words, shape, (answers, text) => {
      chat.filled = answers;
      // Said again it is the same message; put otherwise it is another, and not lost if the first one has come through.
      const said = JSON.stringify([answers, text]);
      if (last !== "" && last !== said) id = newId();
      last = said;
      form.wait(true);
      chat.leave(id, text, answers).then(
        (email) => this.thank(email),
        (error: unknown) => {
          const refused = error instanceof LeaveRefused ? error : new LeaveRefused("network", []);
          form.refuse(refused.fields, refused.code === "too_many" ? words.tooMany : words.notSent);
        },
      );
    });
    return form;
  }

  private thank(email: string): void {
    if (!this.asked || !this.chat) return;
    const element = make("div", { class: "left", role: "status", tabindex: "-1", "data-testid": "chat-left" }, icon("tick"), fill(this.words.left, { email }));
    const again = make("button", { type: "button", class: "again", "data-testid": "chat-leave-another" }, this.words.leaveAnother);
    // A form anew, which takes the cursor; or the chat, if somebody is there by now.
    again.addEventListener("click", () => this.begin(true));
    element.append(again);
    this.begins = false;
    this.put(this.asked.kind, element, this.chat.hasHistory ? this.composer.element : this.main, null, true);
    this.log.toEnd();
    element.focus();
  }

  private showCall(): void {
    this.callButton.hidden = !this.chat?.visit?.calls || !canCall() || (this.line?.isOn ?? false);
    this.callBar.render();
    this.showLauncher();
  }

  /** What the closed window stands for: the chat, or a call that goes on. */
  private showLauncher(): void {
    const { words } = this;
    const unread = this.chat?.unread ?? 0;
    const isCalling = this.line?.isOn ?? false;
    const what = isCalling ? words.callGoesOn : words.open;
    this.launcher.setAttribute("aria-label", unread ? `${what}. ${fill(words.unread, { n: unread })}` : what);
    this.launcher.title = what;
    if (this.hasAttribute("calling") !== isCalling) {
      this.toggleAttribute("calling", isCalling);
      this.launcher.replaceChildren(icon(isCalling ? "phone" : "chat"), this.word, this.badge);
    }
  }

  private showDetails(show: boolean): void {
    if (!this.chat || show === (this.form !== null)) return;
    this.detailsButton.setAttribute("aria-expanded", String(show));
    if (show) {
      this.form = detailsForm(this.chat, this.words, (name) => {
        this.showDetails(false);
        if (name === null) return;
        this.thanks = fill(this.words.saved, { name }).replace(/[,\s]+$/, "");
        window.setTimeout(() => {
          this.thanks = null;
          this.render([]);
        }, 4_000);
        this.render([]);
      });
      this.body.replaceWith(this.form.element);
      this.form.focus();
    } else {
      this.form?.element.replaceWith(this.body);
      this.form = null;
      this.render([]);
      this.log.toEnd();
      if (this.isOpen) this.focusIn();
    }
  }

  private toggleSound(): void {
    const on = recall<boolean>(SOUND_KEY) !== true;
    remember(SOUND_KEY, on ? true : null);
    this.showSound();
    if (on) playSound();
  }

  private showSound(): void {
    const on = recall<boolean>(SOUND_KEY) === true;
    const label = on ? this.words.soundOff : this.words.soundOn;
    this.soundButton.replaceChildren(icon(on ? "sound" : "mute"));
    this.soundButton.setAttribute("aria-label", label);
    this.soundButton.title = label;
  }

  /** Esc closes; Tab goes round within the open panel. */
  private keyed(event: KeyboardEvent): void {
    if (event.key === "Escape") {
      event.stopPropagation();
      if (this.form) this.showDetails(false);
      else this.close();
      return;
    }
    if (event.key !== "Tab") return;
    const stops = [...this.panel.querySelectorAll<HTMLElement>("button, a[href], input:not([hidden]), select, textarea, [tabindex='0']")];
    const open = stops.filter((element) => element.offsetParent !== null && !(element as HTMLButtonElement).disabled);
    const [first, last] = [open[0], open[open.length - 1]];
    const at = this.shadowRoot?.activeElement;
    if (event.shiftKey && at === first) {
      event.preventDefault();
      last?.focus();
    } else if (!event.shiftKey && at === last) {
      event.preventDefault();
      first?.focus();
    }
  }

  private listenForDrops(): void {
    let depth = 0;
    const over = (by: number): void => {
      depth = Math.max(0, depth + by);
      this.drop.hidden = depth === 0;
    };
    const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
    this.panel.addEventListener("dragenter", (event) => hasFiles(event) && over(1));
    this.panel.addEventListener("dragleave", (event) => hasFiles(event) && over(-1));
    this.panel.addEventListener("dragover", (event) => {
      if (hasFiles(event)) event.preventDefault();
    });
    this.panel.addEventListener("drop", (event) => {
      depth = 0;
      over(0);
      if (!hasFiles(event)) return;
      event.preventDefault();
      this.composer.addFiles(event.dataTransfer?.files ?? []);
    });
  }
}

function initials(name: string): string {
  const parts = name.trim().split(/\s+/).slice(0, 2);
  return parts.map((part) => [...part][0]?.toUpperCase() ?? "").join("");
}

if (!customElements.get("hub-chat")) customElements.define("hub-chat", HubChat);

const script = document.currentScript;
if (script instanceof HTMLScriptElement) {
  const { channel, lang, accent, open, identity } = script.dataset;
  const server = new URL(script.src, location.href).origin;
  const mount = (): void => {
    if (!channel || document.querySelector(`hub-chat[channel="${CSS.escape(channel)}"]`)) return;
    const element = document.createElement("hub-chat");
    element.setAttribute("channel", channel);
    element.setAttribute("server", server);
    if (lang) element.setAttribute("lang", lang);
    if (accent) element.setAttribute("accent", accent);
    if (identity) element.setAttribute("identity", identity);
    if (open !== undefined) element.setAttribute("open", "");
    document.body.append(element);
  };
  if (document.body) mount();
  else document.addEventListener("DOMContentLoaded", mount);
}
