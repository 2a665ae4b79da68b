/* A machine word of the hub's and the sentence that it has here. tests/web/test_sentences.py looks for each word's. */

/** Of what went wrong with a request, with a provider, or with a message: the first catalogue's that has a sentence for it. */
export function keyOfCode(code: string, has: (key: string) => boolean): string | null {
  return [`error.${code}`, `health.${code}`, `reason.${code}`].find((key) => has(key)) ?? null;
}
