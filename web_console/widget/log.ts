/*
 * The lines of the conversation. Each has one element that lives as long as the line does, so that a screen reader
 * announces what is new and nothing twice.
 */
import type { Chat } from "./chat";
import { icon, make } from "./dom";
import { type Attachment, type Entry, type Survey, authorName } from "./protocol";
import { SurveyCard } from "./survey";
import { putText } from "./text";
import type { Unsent } from "./unsent";
import { type Words, fill } from "./words";

const INLINE = /^image\/(jpeg|png|gif|webp)$/;
/** Lines of one side within this time stand together under one name and one time. */
const GROUP_MS = 5 * 60_000;
/** Closer to the end than this counts as reading the end. */
const NEAR_END_PX = 80;

interface Line {
  key: string;
  side: "in" | "out";
  author: string;
  text: string;
  at: number;
  attachments: readonly Attachment[];
  state: "sent" | "unsent" | "failed";
  refused: string;
  clientId: string;
  survey: Survey | null;
}

export class Log {
  readonly element: HTMLElement;
  private readonly chat: Chat;
  private readonly words: Words;
  private readonly time: Intl.DateTimeFormat;
  private readonly date: Intl.DateTimeFormat;
  private rows = new Map<string, HTMLElement>();
  private shape = new Map<string, string>();
  private readonly cards = new Map<number, SurveyCard>();
  private readonly dots: HTMLElement;
  private readonly hint: HTMLElement;

  constructor(chat: Chat, words: Words, language: string) {
    this.chat = chat;
    this.words = words;
    this.time = new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit" });
    this.date = new Intl.DateTimeFormat(language, { weekday: "short", day: "numeric", month: "long" });
    this.element = make("div", {
      class: "log",
      role: "log",
      "aria-live": "polite",
      "aria-relevant": "additions",
      "aria-label": words.log,
      tabindex: "0",
    });
    this.dots = make("div", { class: "dots" }, make("i"), make("i"), make("i"), make("span", { class: "sr" }));
    this.hint = make("div", { class: "hint" });
  }

  render(): void {
    const nearEnd = this.isNearEnd;
    const wanted: HTMLElement[] = [];
    if (this.chat.truncated) wanted.push(this.hintRow("older", this.words.older));
    const greeting = this.chat.visit?.greeting;
    if (greeting && !this.chat.truncated) wanted.push(this.greetingRow(greeting));
    const lines = this.lines();
    let day = "";
    lines.forEach((line, index) => {
      const before = lines[index - 1];
      const after = lines[index + 1];
      const lineDay = this.dayOf(line.at);
      if (lineDay !== day) wanted.push(this.hintRow(`day ${lineDay}`, lineDay, "day"));
      const first = lineDay !== day || !before || !together(before, line);
      const last = !after || !together(line, after) || this.dayOf(after.at) !== lineDay;
      day = lineDay;
      wanted.push(this.row(line, first, last));
    });
    // Where something is asked first, a button stands below it that says how to go on.
    const asks = this.chat.needsForm || this.chat.takesMail;
    const status = this.chat.resolved ? this.words.resolved + (asks ? "" : ` ${this.words.reopen}`) : this.chat.waiting && lines.length && !this.chat.place ? this.words.waiting : "";
    if (status) {
      if (this.hint.textContent !== status) this.hint.textContent = status;
      wanted.push(this.hint);
    }
    if (this.chat.typingName !== null) {
      const said = fill(this.words.typing, { name: this.chat.typingName });
      const label = this.dots.lastElementChild;
      if (label && label.textContent !== said) label.textContent = said;
      wanted.push(this.dots);
    }
    this.place(wanted);
    if (nearEnd) this.toEnd();
  }

  toEnd(): void {
    this.element.scrollTop = this.element.scrollHeight;
  }

  private get isNearEnd(): boolean {
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    return scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  }

  /** Makes the children be `wanted`, moving and making as few as possible. */
  private place(wanted: HTMLElement[]): void {
    const keep = new Set<Element>(wanted);
    for (const child of [...this.element.children]) if (!keep.has(child)) child.remove();
    wanted.forEach((element, index) => {
      const there = this.element.children[index] ?? null;
      if (there !== element) this.element.insertBefore(element, there);
    });
    const live = new Set(wanted);
    for (const [key, element] of this.rows) {
      if (!live.has(element)) {
        this.rows.delete(key);
        this.shape.delete(key);
      }
    }
  }

  private lines(): Line[] {
    const sent = this.chat.list.map(
      (entry: Entry): Line => ({
        // The visitor's own line keeps its element when it turns from unsent to sent.
        key: entry.client_id ? `c${entry.client_id}` : `e${entry.id}`,
        side: entry.direction,
        author: entry.direction === "out" ? authorName(entry) : "",
        text: entry.text,
        at: Date.parse(entry.at),
        attachments: entry.attachments,
        state: "sent",
        refused: "",
        clientId: "",
        survey: entry.survey ?? null,
      }),
    );
    const unsent = this.chat.pending.map(
      (item: Unsent): Line => ({
        key: `c${item.client_id}`,
        side: "in",
        author: "",
        text: item.text,
        at: Date.parse(item.at),
        attachments: item.attachments,
        state: item.refused === undefined ? "unsent" : "failed",
        refused: item.refused ?? "",
        clientId: item.client_id,
        survey: null,
      }),
    );
    return [...sent, ...unsent];
  }

  private row(line: Line, first: boolean, last: boolean): HTMLElement {
    if (line.survey) this.card(line.survey, line.text).render(line.survey);
    // A survey's card draws itself: a row made anew would take the focus from who writes a comment.
    const shape = JSON.stringify([{ ...line, survey: line.survey?.id }, first, last]);
    let row = this.rows.get(line.key);
    if (row && this.shape.get(line.key) === shape) return row;
    row ??= make("div");
    this.rows.set(line.key, row);
    this.shape.set(line.key, shape);
    row.className = ["row", line.side, first && "first", last && "last", line.state !== "sent" && line.state]
      .filter(Boolean)
      .join(" ");
    row.dataset["testid"] = "chat-message";
    row.dataset["direction"] = line.side;
    row.dataset["status"] = line.state === "sent" ? "sent" : line.state === "failed" ? "failed" : "sending";
    const focused = (row.getRootNode() as Document | ShadowRoot).activeElement;
    row.replaceChildren();
    const author = line.side === "out" ? line.author : this.words.you;
    const name = make("div", { class: line.side === "out" && first && line.author ? "name" : "sr" });
    name.textContent = author;
    row.append(name);
    if (line.text) {
      const bubble = make("div", { class: "bubble", dir: "auto" });
      putText(bubble, line.text);
      row.append(bubble);
    }
    for (const attachment of line.attachments) row.append(this.attachment(attachment));
    if (line.survey) {
      const { element } = this.card(line.survey, line.text);
      row.append(element);
      if (focused instanceof HTMLElement && element.contains(focused)) focused.focus({ preventScroll: true });
    }
    row.append(this.meta(line));
    return row;
  }

  private card(survey: Survey, question: string): SurveyCard {
    let card = this.cards.get(survey.id);
    if (!card) this.cards.set(survey.id, (card = new SurveyCard(this.chat, this.words, survey, question)));
    return card;
  }

  private attachment(attachment: Attachment): HTMLElement {
    const href = this.chat.resolve(attachment.url);
    const link = make("a", { href, target: "_blank", rel: "noopener noreferrer" });
    if (INLINE.test(attachment.media_type)) {
      link.className = "picture";
      const image = make("img", { src: href, alt: attachment.name, loading: "lazy" });
      image.addEventListener("load", () => {
        if (this.isNearEnd || image.getBoundingClientRect().height > NEAR_END_PX) this.toEnd();
      });
      link.append(image);
    } else {
      link.className = "file";
      link.textContent = attachment.name;
    }
    return link;
  }

  private meta(line: Line): HTMLElement {
    const meta = make("div", { class: "meta" });
    const say = (words: string, name: "tick" | "clock" | "alert"): void => {
      meta.append(icon(name), make("span", { class: "sr" }, words));
    };
    if (line.state === "failed") {
      const bad = make("span", { class: "bad" });
      bad.textContent = line.refused ? `${this.words.failed}. ${line.refused}` : this.words.failed;
      meta.append(
        bad,
        make("button", { type: "button", onclick: () => this.chat.retry(line.clientId) }, this.words.retry),
        make("button", { type: "button", onclick: () => this.chat.discard(line.clientId) }, this.words.remove),
      );
      return meta;
    }
    if (!Number.isNaN(line.at)) meta.append(this.time.format(line.at));
    if (line.side === "in") say(line.state === "sent" ? this.words.sent : this.words.sending, line.state === "sent" ? "tick" : "clock");
    return meta;
  }

  private greetingRow(text: string): HTMLElement {
    const at = this.rows.get("greeting");
    if (at) return at;
    const bubble = make("div", { class: "bubble", dir: "auto" });
    putText(bubble, text);
    const row = make("div", { class: "row out first" }, bubble);
    this.rows.set("greeting", row);
    return row;
  }

  private hintRow(key: string, text: string, kind = "hint"): HTMLElement {
    let row = this.rows.get(key);
    if (!row) {
      row = make("div", { class: kind }, text);
      this.rows.set(key, row);
    }
    return row;
  }

  private dayOf(at: number): string {
    if (Number.isNaN(at)) return "";
    const day = new Date(at).toDateString();
    if (day === new Date().toDateString()) return this.words.today;
    if (day === new Date(Date.now() - 86_400_000).toDateString()) return this.words.yesterday;
    return this.date.format(at);
  }
}

function together(a: Line, b: Line): boolean {
  return a.side === b.side && a.author === b.author && b.at - a.at < GROUP_MS && a.state === b.state;
}
