/*
 * A question for a score inside the log: the scale as buttons, one tap each; then thanks, and room for a comment. Each survey has
 * one card that lives as long as its line, so that what is being written survives whatever else happens in the chat.
 */
import type { Chat } from "./chat";
import { make } from "./dom";
import type { Survey } from "./protocol";
import { type Words, fill } from "./words";

const COMMENT_LIMIT = 2_000;

export class SurveyCard {
  readonly element: HTMLElement;
  private readonly chat: Chat;
  private readonly words: Words;
  private readonly buttons: HTMLButtonElement[];
  private readonly scale: HTMLElement;
  private readonly said: HTMLElement;
  private readonly form: HTMLElement;
  private readonly field: HTMLTextAreaElement;
  private survey: Survey;

  constructor(chat: Chat, words: Words, survey: Survey, question: string) {
    this.chat = chat;
    this.words = words;
    this.survey = survey;
    const numbers = scaleOf(survey.kind);
    const max = String(numbers[numbers.length - 1]);
    this.buttons = numbers.map((number) => {
      const meaning = number === numbers[0] ? survey.low : String(number) === max ? survey.high : "";
      const name = [fill(words.scoreOf, { n: String(number), max }), meaning].filter(Boolean).join(", ");
      return make("button", { type: "button", "aria-label": name, "data-testid": `chat-score-${number}`, onclick: () => this.choose(number) }, String(number));
    });
    this.scale = make("div", { class: `scale of${numbers.length}`, role: "group", "aria-label": question }, ...this.buttons);
    const ends = make("div", { class: "ends", "aria-hidden": "true" }, make("span", {}, survey.low), make("span", {}, survey.high));
    this.said = make("div", { class: "said", role: "status", "data-testid": "chat-scored" });
    this.field = make("textarea", { rows: "2", maxlength: String(COMMENT_LIMIT), "aria-label": words.scoreComment, placeholder: words.scoreComment, "data-testid": "chat-score-comment" });
    this.form = make(
      "div",
      { class: "words", hidden: true },
      this.field,
      make("button", { type: "button", class: "save", "data-testid": "chat-score-send", onclick: () => this.comment() }, words.scoreSend),
    );
    this.element = make("div", { class: "survey", "data-testid": "chat-survey" }, this.scale, ends, this.said, this.form);
  }

  render(survey: Survey): void {
    this.survey = survey;
    const given = this.chat.scoreOf(survey.id);
    const isOpen = Date.parse(survey.expires_at) > Date.now();
    for (const [index, number] of scaleOf(survey.kind).entries()) {
      const button = this.buttons[index];
      if (!button) continue;
      button.disabled = !isOpen;
      button.setAttribute("aria-pressed", String(given?.score === number));
    }
    const thanks = given ? fill(this.words.scored, { n: String(given.score) }) : survey.answered ? this.words.scoreAnswered : isOpen ? "" : this.words.scoreOver;
    if (this.said.textContent !== thanks) this.said.textContent = thanks;
    this.said.hidden = thanks === "";
    this.form.hidden = !isOpen || given === null || given.comment !== "";
  }

  private choose(score: number): void {
    this.chat.score(this.survey.id, score, this.chat.scoreOf(this.survey.id)?.comment ?? "");
  }

  private comment(): void {
    const given = this.chat.scoreOf(this.survey.id);
    const words = this.field.value.trim();
    if (given && words) this.chat.score(this.survey.id, given.score, words);
    this.buttons[0]?.focus();
  }
}

export function scaleOf(kind: Survey["kind"]): number[] {
  return kind === "nps" ? [...Array(11).keys()] : [1, 2, 3, 4, 5];
}
