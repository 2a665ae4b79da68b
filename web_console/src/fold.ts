/*
 * Words as they are compared when somebody looks for them: small letters without accents, whatever the language. Lower case alone is not
 * enough: of "İbrahim" it leaves a dot that nobody types, I and ı are different letters in Azerbaijani (and "I" of a keyboard may mean either),
 * the Armenian և stands for two, and the Ukrainian apostrophe is written with whatever the keyboard has. Pure.
 */
import { isSpelt } from "./nameKeys";

export function fold(text: string): string {
  return text.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "").replaceAll("և", "եւ").replaceAll("ı", "i").replace(/[’ʼ‘`´]/gu, "'");
}

/** Whether `words` stand in the text, by `fold`. */
export const hasWords = (text: string, words: string): boolean => fold(text).includes(fold(words.trim()));

/** Whether somebody of this name is meant: the words stand in it, or each of them spells a word of it, or its beginning, in any script. */
export const hasName = (name: string, words: string): boolean =>
  hasWords(name, words) || words.trim().split(/\s+/u).every((word) => hasWords(name, word) || isSpelt(name, word));
