/* A browser by what it says of itself: "Firefox, Windows". As much as its owner needs to tell one from another. Pure. */

const BROWSERS: readonly [RegExp, string][] = [
  [/Edg(?:A|iOS)?\//, "Edge"],
  [/OPR\//, "Opera"],
  [/SamsungBrowser\//, "Samsung Internet"],
  [/Firefox\/|FxiOS\//, "Firefox"],
  [/Chrome\/|CriOS\//, "Chrome"],
  [/Safari\//, "Safari"],
];
const SYSTEMS: readonly [RegExp, string][] = [
  [/iPhone|iPad/, "iOS"],
  [/Android/, "Android"],
  [/Windows/, "Windows"],
  [/Mac OS X|Macintosh/, "macOS"],
  [/CrOS/, "ChromeOS"],
  [/Linux/, "Linux"],
];

/** Null where it says nothing that is known. */
export function browserName(agent: string | null): string | null {
  const named = (list: readonly [RegExp, string][]) => list.find(([pattern]) => pattern.test(agent ?? ""))?.[1];
  const found = [named(BROWSERS), named(SYSTEMS)].filter((word) => word !== undefined);
  return found.length > 0 ? found.join(", ") : null;
}
