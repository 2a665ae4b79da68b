import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { baseCompile } from "@intlify/message-compiler";
import { beforeAll, describe, expect, it } from "vitest";

import { i18n, LANGUAGES, pluralCategories, setLanguage } from "./i18n";

type Catalogue = { [key: string]: string | Catalogue };

const flat = (catalogue: Catalogue, prefix = ""): [string, string][] =>
  Object.entries(catalogue).flatMap(([key, value]) =>
    typeof value === "string" ? [[prefix + key, value] as [string, string]] : flat(value, `${prefix}${key}.`),
  );
const read = (language: string) =>
  new Map(flat(JSON.parse(readFileSync(`src/locales/${language}.json`, "utf8")) as Catalogue));
const placeholders = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();

/** What a reader reads of it: without what is filled in, links and signs. */
const words = (text: string) => text.replace(/\{'[^']*'\}/g, "").replace(/\{\w+\}|@:\S+|https?:\S*|\S*@\S+/g, "");

/** Names and abbreviations that are the same in every language: brands, formats, keys, words of protocols. */
const SAME_EVERYWHERE = new Set([
  ...["sms", "chat", "csat", "nps", "ces", "aht", "api", "csv", "xlsx", "hub", "id", "url", "ok", "webhook", "webhooks", "mail", "e-mail", "email", "tag", "x", "n", "s", "min"],
  ...["google", "microsoft", "starttls", "tls", "oauth", "smtp", "imap", "message-id", "bcc", "cc", "erlang", "erlangs", "a", "c", "p", "telegram", "instagram", "facebook"],
  ...["messenger", "tiktok", "linkedin", "youtube", "example", "com", "amazon", "connect", "asterisk", "genesys", "cloud", "icmi", "wape", "stop", "start", "text", "post"],
]);
/** The letters a language is written in, and those that would be another language's. */
const SCRIPTS: Record<string, { own: RegExp; foreign: RegExp }> = {
  uk: { own: /\p{Script=Cyrillic}/u, foreign: /[ыэёъ]|\p{Script=Armenian}|\p{Script=Georgian}/iu },
  hy: { own: /\p{Script=Armenian}/u, foreign: /\p{Script=Cyrillic}|\p{Script=Georgian}/u },
  ka: { own: /\p{Script=Georgian}/u, foreign: /\p{Script=Cyrillic}|\p{Script=Armenian}|[\u1c90-\u1cbf]/u },
  az: { own: /\p{Script=Latin}/u, foreign: /\p{Script=Cyrillic}|\p{Script=Armenian}|\p{Script=Georgian}/u },
};
/** Words that are the same in this language. */
const COGNATES: Record<string, readonly string[]> = { az: ["administrator", "region", "ms"] };
/** The examples of the search, which say that any script is found, and a code that is typed. */
const ANY_SCRIPT = ["search.example_name", "search.example_name_text", "canned.code_example"];

const english = read("en");
const sources = (readdirSync("src", { recursive: true }) as string[])
  .filter((file) => /\.(vue|ts)$/.test(file) && !/\.test\.ts$|api\.d\.ts$/.test(file))
  .map((file) => readFileSync(join("src", file), "utf8"));

/** Keys written out, and the beginnings of those that are put together: `state.${state}`. */
const used = new Set(sources.flatMap((source) => [...source.matchAll(/["'`]([a-z_]+\.[\w.-]+)["'`]/g)].map((match) => match[1] as string)));
const begun = new Set(sources.flatMap((source) => [...source.matchAll(/`([a-z_]+\.\w*)\$\{/g)].map((match) => match[1] as string)));

beforeAll(() => setLanguage("en"));

describe("the catalogues", () => {
  it("have every key that a screen asks for", () => {
    const asked = sources.flatMap((source) => [...source.matchAll(/\bte?\(\s*["'`]([\w.-]+)["'`]/g)].map((match) => match[1] as string));
    expect(asked.filter((key) => !english.has(key))).toEqual([]);
  });

  it("have no key that nobody asks for", () => {
    const unused = [...english.keys()].filter((key) => !used.has(key) && ![...begun].some((prefix) => key.startsWith(prefix)));
    expect(unused).toEqual([]);
  });

  describe.each(Object.keys(LANGUAGES))("%s", (language) => {
    const catalogue = read(language);

    it("has the same keys as English", () => {
      expect([...catalogue.keys()].sort()).toEqual([...english.keys()].sort());
    });

    it("fills in the same things as English", () => {
      const different = [...catalogue].filter(([key, text]) => placeholders(text).join() !== placeholders(english.get(key) ?? "").join());
      expect(different).toEqual([]);
    });

    it("has only texts that can be put together", () => {
      const broken: string[] = [];
      for (const [key, text] of catalogue) baseCompile(text, { onError: (error) => broken.push(`${key}: ${error.message}`) });
      expect(broken).toEqual([]);
    });

    it("has as many plural forms as the language", () => {
      const forms = pluralCategories(language).length;
      const plurals = [...english].filter(([, text]) => text.includes(" | ")).map(([key]) => key);
      expect(plurals.filter((key) => catalogue.get(key)?.split(" | ").length !== forms)).toEqual([]);
      expect([...catalogue].filter(([key, text]) => text.includes(" | ") && !plurals.includes(key))).toEqual([]);
    });
  });

  describe.each(Object.keys(LANGUAGES).filter((language) => language !== "en"))("%s", (language) => {
    const catalogue = read(language);

    it("leaves nothing in English", () => {
      const left = (text: string) => (words(text).match(/\p{L}[\p{L}-]*/gu) ?? []).map((word) => word.toLowerCase()).filter((word) => !SAME_EVERYWHERE.has(word) && !COGNATES[language]?.includes(word));
      expect([...catalogue].filter(([key, text]) => !ANY_SCRIPT.includes(key) && text === english.get(key) && left(text).length > 0)).toEqual([]);
    });

    it("is written in its own letters", () => {
      const { own, foreign } = SCRIPTS[language] as (typeof SCRIPTS)[string];
      const texts = [...catalogue].filter(([key]) => !ANY_SCRIPT.includes(key));
      expect(texts.filter(([, text]) => foreign.test(text))).toEqual([]);
      const latin = texts.filter(([key, text]) => !own.test(words(text)) && (words(text).match(/\p{L}{2,}/gu) ?? []).some((word) => !SAME_EVERYWHERE.has(word.toLowerCase())) && text !== english.get(key));
      expect(latin).toEqual([]);
    });
  });

  it("of Azerbaijani have its letters", () => {
    if (!("az" in LANGUAGES)) return;
    // A text typed without them reads "sorgu" for "sorğu": of so many words most sentences have one.
    const sentences = [...read("az").values()].filter((text) => text.length > 40);
    expect(sentences.filter((text) => /[əğışçöüİ]/iu.test(text)).length / sentences.length).toBeGreaterThan(0.95);
  });

  it("choose the plural by the language's own rules", () => {
    const { t } = i18n.global;
    expect([0, 1, 2].map((count) => t("transfer.members", count))).toEqual(["0 members", "1 member", "2 members"]);
    i18n.global.setLocaleMessage("uk", JSON.parse(readFileSync("src/locales/uk.json", "utf8")) as (typeof i18n.global.messages.value)["en"]);
    const ukrainian = [1, 3, 5, 11, 21, 1.5].map((count) => t("transfer.members", count, { locale: "uk" }));
    expect(ukrainian).toEqual(["1 учасник", "3 учасники", "5 учасників", "11 учасників", "21 учасник", "1.5 учасника"]);
  });
});

describe("the sources", () => {
  it("never put text in as markup", () => {
    const rest = readdirSync("src", { recursive: true }) as string[];
    const vue = rest.filter((file) => file.endsWith(".vue")).map((file) => readFileSync(join("src", file), "utf8"));
    expect(vue.filter((source) => /v-html|innerHTML|insertAdjacentHTML/.test(source))).toEqual([]);
  });

  it("carry no inline style in static templates", () => {
    expect(sources.filter((source) => /<[^>]*\sstyle="/.test(source))).toEqual([]);
  });

  it("keep the dark colours by choice equal to those by the system's wish", () => {
    const sheet = readFileSync("src/ui/tokens.css", "utf8");
    const block = (selector: string) => {
      const from = sheet.indexOf("{", sheet.indexOf(selector)) + 1;
      return sheet.slice(from, sheet.indexOf("}", from)).split(";").map((line) => line.trim()).filter(Boolean);
    };
    expect(block(':root[data-theme="dark"]')).toEqual(block(':root:not([data-theme="light"])'));
  });
});
