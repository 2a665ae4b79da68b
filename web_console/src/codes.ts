/* A machine word of the hub's and the sentence that it has here. A test compares the words with the sources. */

/** What went wrong with a request, with a provider, with a message: the first catalogue that has a sentence for it. */
const CATALOGUES = ["error", "health", "reason"];

export function keyOfCode(code: string, has: (key: string) => boolean): string | null {
  return CATALOGUES.map((catalogue) => `${catalogue}.${code}`).find((key) => has(key)) ?? null;
}
