/*
 * A form of the widget: its fields with their labels, what is wrong with them in the visitor's language, and a way on. The hub judges
 * it again and names the faulty fields; why, is plain from the field.
 */
import { make } from "./dom";
import type { Answers, Asked } from "./protocol";
import type { Words } from "./words";

const EMAIL = /^[^@\s]+@[^@\s]+\.[^@\s]+$/;
const PHONE = /^\+[1-9][\d\s().-]{6,20}$/;
const LIMITS: Record<string, string> = { name: "120", phone: "40", email: "254", question: "500" };
const TYPES: Record<string, string> = { name: "text", phone: "tel", email: "email", question: "text" };

export interface FormShape {
  title: string;
  intro: string;
  fields: readonly Asked[];
  /** Asks for the message itself, too, with this in it. */
  text?: string;
  filled: Answers;
  submit: string;
  /** Of a form that may be left. */
  cancel?: () => void;
  /** Hears all that stands in it whenever something is typed. */
  typed?: (values: Answers) => void;
  /** Names of fields that the hub did not take. */
  faults?: readonly string[];
}

export class Form {
  readonly element: HTMLFormElement;
  private readonly words: Words;
  private readonly inputs = new Map<string, { input: HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement; problem: HTMLElement; required: boolean }>();
  private readonly problem: HTMLElement;
  private readonly button: HTMLButtonElement;

  constructor(words: Words, shape: FormShape, send: (answers: Answers, text: string) => void) {
    this.words = words;
    const rows = shape.fields.map((asked) => this.row(asked.name, asked.label || this.labelOf(asked.name), asked.required, this.field(asked, shape.filled[asked.name] ?? "")));
    if (shape.text !== undefined) {
      const area = make("textarea", { rows: "4", maxlength: "4000" });
      area.value = shape.text;
      rows.push(this.row("text", words.message, true, area));
    }
    this.problem = make("p", { class: "bad", role: "alert", hidden: true });
    this.button = make("button", { type: "submit", class: "save", "data-testid": "chat-form-send" }, shape.submit);
    this.element = make(
      "form",
      {
        novalidate: true,
        "aria-label": shape.title,
        "data-testid": "chat-form",
        oninput: () => shape.typed?.(Object.fromEntries([...this.inputs].map(([name, { input }]) => [name, input.value]))),
        onsubmit: (event) => {
          event.preventDefault();
          const values = this.check();
          if (values) send(values, this.inputs.get("text")?.input.value.trim() ?? "");
        },
      },
      make("h2", {}, shape.title),
      ...(shape.intro ? [make("p", { dir: "auto" }, shape.intro)] : []),
      ...rows,
      this.problem,
      make("div", { class: "buttons" }, this.button, ...(shape.cancel ? [make("button", { type: "button", class: "cancel", onclick: shape.cancel }, words.cancel)] : [])),
    );
    if (shape.faults) this.refuse(shape.faults);
  }

  /** The message as far as it is written. */
  get written(): string {
    return this.inputs.get("text")?.input.value ?? "";
  }

  get isWaiting(): boolean {
    return this.button.disabled;
  }

  /** Of the field that an element is; "": of none. */
  nameOf(element: Element | null): string {
    return [...this.inputs].find(([, { input }]) => input === element)?.[0] ?? "";
  }

  /** On the field of that name, else on the first that wants something. */
  focus(name = ""): void {
    const wanted = this.inputs.get(name);
    if (wanted) return wanted.input.focus({ preventScroll: true });
    for (const { input } of this.inputs.values()) {
      if (input.getAttribute("aria-invalid") || !input.value) return input.focus({ preventScroll: true });
    }
  }

  /** What the hub did not take; with none named, `said` stands for the whole. */
  refuse(fields: readonly string[], said = ""): void {
    this.wait(false);
    for (const name of fields) this.mark(name, this.wordsFor(name));
    const known = fields.some((name) => this.inputs.has(name));
    this.problem.textContent = known ? "" : said;
    this.problem.hidden = known || said === "";
    if (known) this.focus();
  }

  /** While the hub is asked. */
  wait(busy: boolean): void {
    this.button.disabled = busy;
  }

  private check(): Answers | null {
    const values: Answers = {};
    this.problem.hidden = true;
    for (const [name, { input, required }] of this.inputs) {
      const value = input.value.trim();
      const pattern = name === "email" ? EMAIL : name === "phone" ? PHONE : null;
      const bad = value === "" ? (required ? this.words.required : "") : pattern && !pattern.test(value) ? this.wordsFor(name) : "";
      this.mark(name, bad);
      if (value && name !== "text") values[name] = value;
    }
    const wrong = [...this.inputs.values()].find(({ input }) => input.hasAttribute("aria-invalid"));
    wrong?.input.focus();
    return wrong ? null : values;
  }

  private wordsFor(name: string): string {
    const { input } = this.inputs.get(name) ?? {};
    if (input?.value.trim() === "") return this.words.required;
    return name === "email" ? this.words.badEmail : name === "phone" ? this.words.badPhone : this.words.badAnswer;
  }

  private mark(name: string, said: string): void {
    const row = this.inputs.get(name);
    if (!row) return;
    row.problem.textContent = said;
    row.problem.hidden = said === "";
    if (said) row.input.setAttribute("aria-invalid", "true");
    else row.input.removeAttribute("aria-invalid");
  }

  private labelOf(name: string): string {
    return name === "email" ? this.words.email : name === "phone" ? this.words.phone : this.words.name;
  }

  private field(asked: Asked, value: string): HTMLInputElement | HTMLSelectElement {
    if (asked.name === "topic") {
      const select = make("select", {}, make("option", { value: "" }, this.words.choose), ...asked.options.map((option) => make("option", { value: option }, option)));
      select.value = asked.options.includes(value) ? value : "";
      return select;
    }
    const auto = asked.name === "question" ? "off" : asked.name === "phone" ? "tel" : asked.name;
    const input = make("input", { type: TYPES[asked.name] ?? "text", autocomplete: auto, maxlength: LIMITS[asked.name] ?? "500", dir: "auto" });
    input.value = value;
    return input;
  }

  private row(name: string, label: string, required: boolean, input: HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement): HTMLElement {
    const problem = make("span", { class: "bad", role: "alert", hidden: true });
    input.setAttribute("data-testid", `chat-form-${name}`);
    input.addEventListener("input", () => this.mark(name, ""));
    if (required) input.setAttribute("aria-required", "true");
    this.inputs.set(name, { input, problem, required });
    const said = make("span", {}, label, ...(required ? [] : [make("small", {}, ` ${this.words.optional}`)]));
    return make("label", {}, said, input, problem);
  }
}
