/*
 * What a browser says of a field before a form is sent, in the reader's language: by itself it speaks its own. The words are put
 * in when the browser is about to show them, and taken out before it looks again, since a field may have been filled by a button.
 */
type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;
type Say = (key: string, named?: Record<string, string | number>) => string;

const isField = (each: unknown): each is Field => each instanceof HTMLInputElement || each instanceof HTMLSelectElement || each instanceof HTMLTextAreaElement;

/** The key of what is wrong, and what stands in it; null: nothing that we have words for. */
export function faultOf(validity: Partial<ValidityState>, { type = "", min = "", max = "" } = {}): { key: string; named: Record<string, string> } | null {
  const key =
    validity.valueMissing ? "empty"
    : validity.typeMismatch ? (type === "email" || type === "url" ? type : "pattern")
    : validity.badInput ? (type === "number" ? "number" : "date")
    : validity.rangeUnderflow ? "at_least"
    : validity.rangeOverflow ? "at_most"
    : validity.patternMismatch || validity.stepMismatch || validity.tooLong || validity.tooShort ? "pattern"
    : null;
  return key === null ? null : { key: `form.${key}`, named: { min: readable(min), max: readable(max) } };
}

/** Of fields for an instant the bounds are written as programs do. */
const readable = (bound: string) => bound.replace("T", " ");

export function sayBrowserFaults(say: Say, page: Document = document): void {
  const forget = (form: HTMLFormElement) => [...form.elements].filter(isField).forEach((each) => each.setCustomValidity(""));
  // Before the browser looks: Enter in a field presses the button, too.
  page.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest<HTMLButtonElement>("button, input[type=submit]") : null;
    if (button?.type === "submit" && button.form) forget(button.form);
  }, true);
  page.addEventListener("input", (event) => isField(event.target) && event.target.setCustomValidity(""), true);
  page.addEventListener("change", (event) => isField(event.target) && event.target.setCustomValidity(""), true);
  page.addEventListener("invalid", (event) => {
    const field = event.target;
    if (!isField(field)) return;
    field.setCustomValidity("");
    const fault = faultOf(field.validity, field instanceof HTMLInputElement ? field : {});
    if (fault) field.setCustomValidity(say(fault.key, fault.named));
  }, true);
}
