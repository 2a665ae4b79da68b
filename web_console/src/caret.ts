/*
 * Where the caret of a text area is on the screen, which no browser tells: the text up to it is laid out once more in a box of the same
 * shape, out of sight. And putting words in at the caret, so that Ctrl+Z takes them back.
 */

// Whatever decides where a character of a text area stands.
const SHAPE = [
  "boxSizing", "borderTopWidth", "borderRightWidth", "borderBottomWidth", "borderLeftWidth", "paddingTop", "paddingRight", "paddingBottom", "paddingLeft",
  "fontFamily", "fontSize", "fontStyle", "fontVariant", "fontWeight", "fontStretch", "letterSpacing", "lineHeight", "textAlign", "textIndent", "textTransform",
  "wordSpacing", "tabSize", "direction",
] as const;

export interface CaretPlace {
  left: number;
  top: number;
  bottom: number;
}

/** Of the character at `index`, in pixels of the window. */
export function caretPlace(field: HTMLTextAreaElement, index: number): CaretPlace {
  const box = field.getBoundingClientRect();
  const style = getComputedStyle(field);
  const mirror = document.createElement("div");
  for (const name of SHAPE) mirror.style[name] = style[name];
  Object.assign(mirror.style, { position: "absolute", top: "0", left: "-9999px", width: `${field.clientWidth}px`, borderStyle: "solid", whiteSpace: "pre-wrap", overflowWrap: "break-word", visibility: "hidden" });
  mirror.append(field.value.slice(0, index));
  const mark = document.createElement("span");
  // Some sign, so that it has a place even at the end of a line.
  mark.textContent = "\u200b";
  mirror.append(mark);
  document.body.append(mirror);
  const { offsetLeft, offsetTop, offsetHeight } = mark;
  mirror.remove();
  const top = box.top + offsetTop - field.scrollTop;
  return { left: box.left + offsetLeft, top, bottom: top + offsetHeight };
}

/** Puts words in place of what is marked, as typing would: it can be undone, and whoever listens hears of it. */
export function typeIn(field: HTMLTextAreaElement, words: string): void {
  field.focus();
  // The only way into a browser's own list of what can be undone; what does not know it gets the words without.
  if (document.execCommand("insertText", false, words)) return;
  field.setRangeText(words, field.selectionStart, field.selectionEnd, "end");
  field.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertText" }));
}

/** The same, from the field's upper left corner; `line` is how tall the line is. */
export function placeOf(field: HTMLTextAreaElement, index: number): { left: number; top: number; line: number } {
  const box = field.getBoundingClientRect();
  const place = caretPlace(field, index);
  return { left: place.left - box.left, top: place.top - box.top, line: place.bottom - place.top };
}
