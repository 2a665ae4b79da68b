/* Where the visitor writes: text, pictures (picked, pasted or dropped) with their previews, and what is wrong with them. */
import { type Chat, UploadRefused } from "./chat";
import { icon, make } from "./dom";
import type { Attachment } from "./protocol";
import { type Words, fill } from "./words";

const PICTURES = /^image\/(jpeg|png|gif|webp)$/;
const MAX_CHIPS = 6;

interface Chip {
  element: HTMLElement;
  preview: string;
  attachment: Attachment | null;
  failed: boolean;
}

export class Composer {
  readonly element: HTMLElement;
  private readonly chat: Chat;
  private readonly words: Words;
  private readonly sent: () => void;
  private readonly field: HTMLTextAreaElement;
  private readonly button: HTMLButtonElement;
  private readonly chipRow: HTMLElement;
  private readonly problem: HTMLElement;
  private chips: Chip[] = [];

  constructor(chat: Chat, words: Words, sent: () => void) {
    this.chat = chat;
    this.words = words;
    this.sent = sent;
    this.field = make("textarea", {
      rows: "1",
      "aria-label": words.placeholder,
      placeholder: words.placeholder,
      enterkeyhint: "send",
      "data-testid": "chat-text",
      oninput: () => this.typed(),
      onkeydown: (event) => this.keyed(event as KeyboardEvent),
      onpaste: (event) => this.pasted(event as ClipboardEvent),
    });
    this.button = make(
      "button",
      { class: "icon send", type: "button", "aria-label": words.send, "data-testid": "chat-send", onclick: () => this.send() },
      icon("send"),
    );
    const file = make("input", {
      type: "file",
      accept: "image/jpeg,image/png,image/gif,image/webp",
      multiple: true,
      hidden: true,
      tabindex: "-1",
      onchange: () => {
        this.addFiles(file.files ?? []);
        file.value = "";
      },
    });
    const attach = make(
      "button",
      { class: "icon", type: "button", "aria-label": words.attach, title: words.attach, onclick: () => file.click() },
      icon("picture"),
    );
    this.chipRow = make("div", { class: "chips", hidden: true });
    this.problem = make("div", { class: "problem", role: "alert", hidden: true });
    this.element = make(
      "div",
      { class: "composer" },
      this.chipRow,
      this.problem,
      make("div", { class: "write" }, attach, file, this.field, this.button),
    );
    this.refresh();
  }

  focus(): void {
    this.field.focus({ preventScroll: true });
  }

  get isEmpty(): boolean {
    return this.field.value === "";
  }

  /** Goes on with what was written in a form. */
  put(text: string): void {
    if (!text || this.field.value) return;
    this.field.value = text;
    this.refresh();
  }

  /** What was written here, to go on with it in a form. */
  take(): string {
    const { value } = this.field;
    this.field.value = "";
    this.refresh();
    return value;
  }

  addFiles(files: Iterable<File>): void {
    for (const file of files) this.add(file);
    this.refresh();
  }

  private add(file: File): void {
    const limit = this.chat.visit?.attachment_limit_bytes ?? null;
    if (!PICTURES.test(file.type)) {
      this.tell(this.words.notPicture);
      return;
    }
    if (limit !== null && file.size > limit) {
      this.tell(fill(this.words.tooLarge, { n: Math.floor(limit / 1024 / 1024) || 1 }));
      return;
    }
    if (this.chips.length >= MAX_CHIPS) return;
    this.tell(null);
    const preview = URL.createObjectURL(file);
    const chip: Chip = { element: make("div", { class: "chip busy" }), preview, attachment: null, failed: false };
    chip.element.append(
      make("img", { src: preview, alt: file.name }),
      make(
        "button",
        { type: "button", "aria-label": this.words.remove, title: this.words.remove, onclick: () => this.removeChip(chip) },
        icon("close"),
      ),
    );
    this.chips.push(chip);
    this.chipRow.append(chip.element);
    this.chat.upload(file, file.name || "picture").then(
      (attachment) => {
        chip.attachment = attachment;
        chip.element.className = "chip";
        this.refresh();
      },
      (error: unknown) => {
        chip.failed = true;
        chip.element.className = "chip bad";
        const said = error instanceof UploadRefused && error.message;
        if (this.chips.includes(chip)) this.tell(said || this.words.uploadFailed);
        this.refresh();
      },
    );
  }

  private removeChip(chip: Chip): void {
    this.chips = this.chips.filter((other) => other !== chip);
    URL.revokeObjectURL(chip.preview);
    chip.element.remove();
    if (!this.chips.some((other) => other.failed)) this.tell(null);
    this.refresh();
    this.focus();
  }

  private typed(): void {
    if (this.field.value.trim()) this.chat.typing();
    this.refresh();
  }

  private keyed(event: KeyboardEvent): void {
    // While an input method composes, Enter belongs to it.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.send();
  }

  private pasted(event: ClipboardEvent): void {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    this.addFiles(files);
  }

  private get canSend(): boolean {
    const limit = this.chat.visit?.text_limit ?? null;
    const length = this.field.value.trim().length;
    const settled = this.chips.every((chip) => chip.attachment !== null);
    return settled && (length > 0 || this.chips.length > 0) && (limit === null || length <= limit);
  }

  private send(): void {
    if (!this.canSend) return;
    const attachments = this.chips.flatMap((chip) => (chip.attachment ? [chip.attachment] : []));
    this.chat.send(this.field.value.trim(), attachments);
    for (const chip of this.chips) URL.revokeObjectURL(chip.preview);
    this.chips = [];
    this.chipRow.replaceChildren();
    this.field.value = "";
    this.tell(null);
    this.refresh();
    this.sent();
    this.focus();
  }

  private tell(words: string | null): void {
    this.problem.hidden = words === null;
    this.problem.textContent = words ?? "";
  }

  private refresh(): void {
    this.chipRow.hidden = this.chips.length === 0;
    this.button.disabled = !this.canSend;
    const limit = this.chat.visit?.text_limit ?? null;
    const over = limit === null ? 0 : this.field.value.trim().length - limit;
    if (over > 0) this.tell(fill(this.words.tooLong, { n: over }));
    else if (!this.chips.some((chip) => chip.failed) && this.field.value) this.tell(null);
    this.field.style.height = "auto";
    if (this.field.scrollHeight > 0) this.field.style.height = `${this.field.scrollHeight + 2}px`; // and its border
  }
}
