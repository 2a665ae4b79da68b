/* "Who are you": name, phone, e-mail, all optional, so that the company knows the visitor on other channels, too. */
import type { Chat } from "./chat";
import { make } from "./dom";
import type { Words } from "./words";

const PHONE = /^\+[1-9][\d\s().-]{6,20}$/;
const EMAIL = /^[^@\s]+@[^@\s]+\.[^@\s]+$/;

export function detailsForm(chat: Chat, words: Words, done: (savedName: string | null) => void): HTMLFormElement {
  const field = (label: string, type: string, autocomplete: string): [HTMLElement, HTMLInputElement, HTMLElement] => {
    const input = make("input", { type, autocomplete, maxlength: "254" });
    const problem = make("span", { class: "bad", role: "alert", hidden: true });
    return [make("label", {}, label, input, problem), input, problem];
  };
  const [nameRow, name] = field(words.name, "text", "name");
  const [phoneRow, phone, badPhone] = field(words.phone, "tel", "tel");
  const [emailRow, email, badEmail] = field(words.email, "email", "email");
  name.maxLength = 120;
  name.value = chat.visit?.visitor.name ?? "";

  const check = (input: HTMLInputElement, problem: HTMLElement, pattern: RegExp, said: string): boolean => {
    const good = input.value.trim() === "" || pattern.test(input.value.trim());
    problem.hidden = good;
    problem.textContent = good ? "" : said;
    if (!good) input.focus();
    return good;
  };

  return make(
    "form",
    {
      novalidate: true,
      "aria-label": words.details,
      onsubmit: (event) => {
        event.preventDefault();
        const emailGood = check(email, badEmail, EMAIL, words.badEmail);
        const phoneGood = check(phone, badPhone, PHONE, words.badPhone);
        if (!emailGood || !phoneGood) return;
        const details = { name: name.value.trim(), phone: phone.value.trim(), email: email.value.trim() };
        if (!details.name && !details.phone && !details.email) {
          done(null);
          return;
        }
        chat.identify(details);
        done(details.name);
      },
    },
    make("h2", {}, words.details),
    make("p", {}, words.detailsWhy),
    nameRow,
    phoneRow,
    emailRow,
    make(
      "div",
      { class: "buttons" },
      make("button", { type: "submit", class: "save" }, words.save),
      make("button", { type: "button", class: "cancel", onclick: () => done(null) }, words.cancel),
    ),
  );
}
