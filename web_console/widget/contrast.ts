/* Which colours can be read on which (WCAG 2.2, contrast of text: 4.5 to 1). Colours are #rrggbb. */

/** Papers have softer ones beside them, on which a link must be readable, too. */
const WANTED = 5.3;

function parts(colour: string): number[] {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = parts(colour).map((part) => {
    const value = part / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** 1 (the same) to 21 (black and white). */
export function contrast(a: string, b: string): number {
  const [bright = 0, dark = 0] = [luminance(a), luminance(b)].sort((one, other) => other - one);
  return (bright + 0.05) / (dark + 0.05);
}

/** Black or white; one of them always has 4.5 to 1. */
export function textOn(colour: string): string {
  return contrast(colour, "#ffffff") >= contrast(colour, "#000000") ? "#ffffff" : "#000000";
}

/** The colour itself if it can be read on the paper, else the nearest of its hue that can. */
export function readable(colour: string, paper: string): string {
  const towards = luminance(paper) > 0.5 ? 0 : 255;
  const own = parts(colour);
  for (let share = 0; share < 20; share += 1) {
    const mixed = own.map((part) => Math.round(part + ((towards - part) * share) / 20));
    const found = `#${mixed.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
    if (contrast(found, paper) >= WANTED) return found;
  }
  return towards === 0 ? "#000000" : "#ffffff";
}
