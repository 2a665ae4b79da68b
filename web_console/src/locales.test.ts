import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { baseCompile } from "@intlify/message-compiler";
import { describe, expect, it } from "vitest";

import { i18n, LANGUAGES, pluralCategories } from "./i18n";

type Catalogue = { [key: string]: string | Catalogue };

const flat = (catalogue: Catalogue, prefix = ""): [string, string][] =>
  Object.entries(catalogue).flatMap(([key, value]) =>
    typeof value === "string" ? [[prefix + key, value] as [string, string]] : flat(value, `${prefix}${key}.`),
  );
const read = (language: string) =>
  new Map(flat(JSON.parse(readFileSync(`src/locales/${language}.json`, "utf8")) as Catalogue));
const placeholders = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();

const english = read("en");
const sources = (readdirSync("src", { recursive: true }) as string[])
  .filter((file) => /\.(vue|ts)$/.test(file) && !/\.test\.ts$|api\.d\.ts$/.test(file))
  .map((file) => readFileSync(join("src", file), "utf8"));

/** Keys written out, and the beginnings of those that are put together: `state.${state}`. */
const used = new Set(sources.flatMap((source) => [...source.matchAll(/["'`]([a-z_]+\.[\w.-]+)["'`]/g)].map((match) => match[1] as string)));
const begun = new Set(sources.flatMap((source) => [...source.matchAll(/`([a-z_]+\.\w*)\$\{/g)].map((match) => match[1] as string)));

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

  it("choose the plural by the language's own rules", () => {
    const { t } = i18n.global;
    expect([0, 1, 2].map((count) => t("transfer.members", count))).toEqual(["0 members", "1 member", "2 members"]);
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
