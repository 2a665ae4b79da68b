/* Where in a text field a sign stands, in px from the field's upper left corner, less what it is scrolled by. */

const COPIED = ["fontFamily", "fontSize", "fontWeight", "fontStyle", "letterSpacing", "lineHeight", "textTransform", "paddingTop", "paddingRight", "paddingBottom", "paddingLeft", "borderTopWidth", "borderLeftWidth", "boxSizing", "direction"] as const;

/** A field cannot be asked, so its text is set a second time, out of sight. */
export function placeOf(field: HTMLTextAreaElement, index: number): { left: number; top: number; line: number } {
  const style = getComputedStyle(field);
  const copy = document.createElement("div");
  for (const name of COPIED) copy.style[name] = style[name];
  Object.assign(copy.style, { position: "absolute", visibility: "hidden", width: `${field.clientWidth}px`, whiteSpace: "pre-wrap", overflowWrap: "break-word", insetInlineStart: "0", top: "0" });
  const mark = document.createElement("span");
  mark.textContent = "@";
  copy.append(field.value.slice(0, index), mark);
  document.body.append(copy);
  const line = mark.offsetHeight;
  const place = { left: mark.offsetLeft, top: mark.offsetTop - field.scrollTop, line };
  copy.remove();
  return place;
}
