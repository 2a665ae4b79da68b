import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { createPinia } from "pinia";
import { describe, expect, it } from "vitest";
import { createApp } from "vue";

import { i18n, setLanguage } from "./i18n";
import { useWords } from "./words";

/** A name taken from a view, or a card's, past `customerName`. */
// A key of the catalogue ("customer.name") is none, an attribute's value (="customer.name") is.
const RAW = /\bcustomer_name\b|(?<!(?<!=)["'`])(?<!\w)(?:\w+\.)*(?:customer|watched)(?:\.value)?[?!]?\.name\b|\bcustomers\[[^\]]*\]\??\.name\b/;
/** Where that is right: nothing is shown by it, or of nobody who was erased. */
const MAY: Record<string, [line: string, why: string][]> = {
  "words.ts": [["", "here it is said what they are called"]],
  "lists.ts": [["conversation.customer_is_erased ? [] : [conversation.customer_name", "is looked through"]],
  "board.ts": [["row.work.map((each) => each.customer_name)", "is looked through, among open work"]],
  "mail.ts": [["customer_name", "is written to; nobody writes to who was erased"]],
  "Composer.vue": [["name: target.value.customer_name }))", "is written to"]],
  "DataRequestDialog.vue": [
    ["name.value.trim() === request.customer_name.trim()", "what is typed is compared with the card"],
    ["privacy.type_name", "has to be typed as it stands on the card"],
  ],
  "CustomerPanel.vue": [
    ['<Avatar :name="customer.name || \'#\'"', "behind v-else-if is_erased"],
    [':fact="nameFact" :value="customer.name"', "behind v-else-if is_erased"],
  ],
};

const sources = readdirSync("src", { recursive: true, encoding: "utf8" }).filter(
  (path) => /\.(vue|ts)$/.test(path) && !/\.test\.ts$|Fixtures\.ts$|api\.d\.ts$/.test(path),
);
const rawNames = (path: string) => readFileSync(join("src", path), "utf8").split("\n").filter((line) => RAW.test(line));
const mayStand = (path: string, line: string) => (MAY[path.split("/").at(-1) as string] ?? []).some(([part]) => line.includes(part));

describe("the name of a customer", () => {
  it.each([
    ["{{ each.customer_name }}", true],
    ["const { id, customer_name: name } = event.conversation;", true],
    ["name: hub.state?.customers[id]?.name", true],
    [':hint="customer.name"', true],
    ["{{ each.customer.name }}", true],
    ['t("customer.name")', false],
    ["{{ customerName(each) }}", false],
    ["customerOf(each).name", false],
  ])("is found in %s: %s", (line, isRaw) => {
    expect(RAW.test(line)).toBe(isRaw);
  });

  it("is printed by the one function that knows who was erased", () => {
    const raw = sources.flatMap((path) => rawNames(path).filter((line) => !mayStand(path, line)).map((line) => `${path}: ${line.trim()}`));
    expect(raw).toEqual([]);
  });

  it("has no exception that nothing needs", () => {
    const lines = Object.fromEntries(sources.map((path) => [path.split("/").at(-1), rawNames(path)]));
    const idle = Object.entries(MAY).flatMap(([file, parts]) => parts.filter(([part]) => !(lines[file] as string[] | undefined)?.some((line) => line.includes(part))).map(([part]) => `${file}: ${part}`));
    expect(idle).toEqual([]);
  });

  it("goes by the fact, not by what the card is called, in the reader's language", async () => {
    await setLanguage("hy");
    let said: ReturnType<typeof useWords> | null = null;
    const app = createApp({ setup: () => ((said = useWords()), () => null) }).use(i18n).use(createPinia());
    app.mount(document.createElement("div"));
    const { customerName } = said as unknown as ReturnType<typeof useWords>;
    const erased = i18n.global.t("privacy.erased_name");
    expect(erased).not.toBe("Erased customer");
    expect(customerName({ customer_name: "Erased customer", customer_is_erased: true })).toBe(erased);
    expect(customerName({ name: "Erased customer", is_erased: true })).toBe(erased);
    expect(customerName({ customer_name: "Erased customer", customer_is_erased: false })).toBe("Erased customer");
    expect(customerName({ customer_name: null, customer_is_erased: false })).toBe("");
    expect(customerName(null)).toBe("");
    const { reach } = said as unknown as ReturnType<typeof useWords>;
    expect(reach({ channel_kind: "sms", address: "erased-3", customer_is_erased: true })).toBe("");
    app.unmount();
    await setLanguage("en");
  });
});
