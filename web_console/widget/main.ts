/*
 * The chat widget: <hub-chat channel="chat-demo" server="https://hub.example">, made by one script tag:
 *
 *   <script src="https://hub.example/widget.js" data-channel="chat-demo" async></script>
 *
 * Optional on the tag: data-lang ("hy"), data-accent ("#0f766e"), data-open. The page keeps its strict
 * Content-Security-Policy: no inline style, no inline script, no markup from text; it needs connect-src and img-src for
 * the hub, and img-src blob: for previews. Everything lives in a shadow tree, so the page's styles and ours do not meet.
 *
 * Nothing is asked of the hub until the visitor opens the panel, unless this browser has talked here before.
 */
import { Call, canCall } from "./call";
import { CallBar } from "./callBar";
import { Chat } from "./chat";
import { Composer } from "./composer";
import { detailsForm } from "./details";
import { icon, make } from "./dom";
import { Log } from "./log";
import { PlaceBar } from "./place";
import type { Entry } from "./protocol";
import { playSound } from "./sound";
import { applyAccent, applyStyle } from "./style";
import { recall, remember } from "./unsent";
import { type Words, chooseLanguage, fill, wordsOf } from "./words";

const SOUND_KEY = "hub-chat sound";

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
  private form: HTMLFormElement | null = null;
  private thanks: string | null = null;
  private readonly wake = (): void => this.chat?.wake();
  private readonly seen = (): void => {
    this.chat?.setReading(this.isOpen && document.visibilityState === "visible");
    if (document.visibilityState === "visible") this.wake();
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
    const chat = (this.chat = new Chat(base, channel, (fresh) => this.render(fresh)));
    this.build(chat, language);
    applyAccent(this, this.getAttribute("accent"));
    addEventListener("online", this.wake);
    document.addEventListener("visibilitychange", this.seen);
    if (this.hasAttribute("open")) this.open();
    else if (chat.isKnown) chat.connect();
  }

  disconnectedCallback(): void {
    removeEventListener("online", this.wake);
    document.removeEventListener("visibilitychange", this.seen);
    this.line?.hangUp();
    this.chat?.disconnect();
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
    this.composer.focus();
  }

  close(): void {
    if (!this.chat) return;
    this.wantsCall = false;
    this.showDetails(false);
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
    this.launcher = make(
      "button",
      { class: "launcher", type: "button", "aria-haspopup": "dialog", "data-testid": "chat-launcher", onclick: () => this.open() },
      icon("chat"),
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
    this.line = new Call(chat.server, chat.channelId, language, sound, () => this.showCall());
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
    const title = visit?.title || words.open;
    this.titleText.textContent = title;
    this.avatar.textContent = initials(agent ?? title);
    this.avatar.classList.toggle("here", agent !== null || (visit?.online ?? false));
    const sub = agent ? fill(words.serving, { name: agent }) : visit ? (visit.online ? words.online : words.away) : "";
    const said = this.thanks ?? sub;
    if (this.subText.textContent !== said) this.subText.textContent = said;

    const line =
      chat.line === "unavailable" ? words.unavailable
      : chat.notice !== null ? chat.notice
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
      this.place.render();
      this.log.render();
    }
    if (fresh.length && chat.wasOpen && unread > 0 && recall<boolean>(SOUND_KEY) === true) playSound();
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
      this.launcher.replaceChildren(icon(isCalling ? "phone" : "chat"), this.badge);
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
      this.main.replaceWith(this.form);
      this.form.querySelector("input")?.focus();
    } else {
      this.form?.replaceWith(this.main);
      this.form = null;
      this.render([]);
      this.log.toEnd();
      if (this.isOpen) this.composer.focus();
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
    const stops = [...this.panel.querySelectorAll<HTMLElement>("button, a[href], input:not([hidden]), textarea, [tabindex='0']")];
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
  const { channel, lang, accent, open } = script.dataset;
  const server = new URL(script.src, location.href).origin;
  const mount = (): void => {
    if (!channel || document.querySelector(`hub-chat[channel="${CSS.escape(channel)}"]`)) return;
    const element = document.createElement("hub-chat");
    element.setAttribute("channel", channel);
    element.setAttribute("server", server);
    if (lang) element.setAttribute("lang", lang);
    if (accent) element.setAttribute("accent", accent);
    if (open !== undefined) element.setAttribute("open", "");
    document.body.append(element);
  };
  if (document.body) mount();
  else document.addEventListener("DOMContentLoaded", mount);
}
