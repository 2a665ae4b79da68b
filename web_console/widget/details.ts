/* "Who are you": name, phone, e-mail, all optional, so that the company knows the visitor on other channels, too. */
import type { Chat } from "./chat";
import { Form } from "./form";
import type { Asked } from "./protocol";
import type { Words } from "./words";

const FIELDS = (["name", "phone", "email"] as const).map((name): Asked => ({ name, required: false, label: "", options: [] }));

export function detailsForm(chat: Chat, words: Words, done: (savedName: string | null) => void): Form {
  const shape = {
    title: words.details,
    intro: words.detailsWhy,
    fields: FIELDS,
    filled: { name: chat.visit?.visitor.name ?? "" },
    submit: words.save,
    cancel: () => done(null),
  };
  return new Form(words, shape, ({ name = "", phone = "", email = "" }) => {
    if (!name && !phone && !email) return done(null);
    chat.identify({ name, phone, email });
    done(name);
  });
}
