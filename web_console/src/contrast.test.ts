import { readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { SERIES_COLOURS } from "./chartTheme";

const sheet = readFileSync("src/ui/tokens.css", "utf8");

function colours(selector: string): Map<string, string> {
  const from = sheet.indexOf("{", sheet.indexOf(selector)) + 1;
  const block = sheet.slice(from, sheet.indexOf("}", from));
  return new Map([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map((match) => [match[1] as string, match[2] as string]));
}

/** Relative luminance: WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance */
function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5]
    .map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].toSorted((one, other) => other - one) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

const light = colours(":root {");
const themes = { light, dark: new Map([...light, ...colours(':root[data-theme="dark"]')]) };

describe.each(Object.entries(themes))("words in the %s theme", (_name, theme) => {
  it.each([
    ["bad", "bad-soft"],
    ["ink-2", "bad-soft"],
    ["bad", "surface"],
    ["bad", "raised"],
    ["warn", "warn-soft"],
    ["warn", "surface"],
    ["note-ink", "note"],
    ["mark-ink", "mark"],
    // what stands back: the lines of another conversation
    ["ink-2", "canvas"],
    ["ink-2", "surface"],
    ["ink-3", "surface"],
    ["ink-3", "canvas"],
    ["ink-3", "sunken"],
    ["ink-3", "mail-out"],
    ["ink-3", "accent-soft"],
    ["good", "good-soft"],
  ])("in %s on %s can be read (AA)", (ink, ground) => {
    expect(contrast(theme.get(ink) as string, theme.get(ground) as string)).toBeGreaterThanOrEqual(4.5);
  });
});

describe.each(Object.entries(themes))("lines of charts in the %s theme", (_name, theme) => {
  it.each(Array.from({ length: SERIES_COLOURS }, (_, index) => `chart-${index + 1}`))("%s stands out from the surface (WCAG 1.4.11)", (name) => {
    expect(contrast(theme.get(name) as string, theme.get("surface") as string)).toBeGreaterThanOrEqual(3);
  });
});
