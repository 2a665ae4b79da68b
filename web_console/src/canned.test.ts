import { expect, test } from "vitest";

import { blanks, codeFrom, findable, fits, folders, inOneLine, search, slashAt, textFor } from "./canned";
import type { CannedReplyView } from "./events";

const reply = (values: Partial<CannedReplyView>): CannedReplyView => ({
  id: 1, title: "Greeting", code: "hi", folder: "", scope: "all", queue_ids: [], texts: [{ language: "en", text: "Hello!", subject: null }],
  used: 0, last_used_at: null, used_by_me: 0, last_used_by_me_at: null, changed_at: "2026-03-01T09:00:00Z", changed_by: null, version: 1, ...values,
});
const found = (replies: CannedReplyView[], words: string) => search(replies.map(findable), words, "en").map((each) => each.id);

test.each([
  ["/", 1, { from: 0, to: 1, words: "" }],
  ["Hello /ref", 10, { from: 6, to: 10, words: "ref" }],
  ["Hello\n/refund policy", 20, { from: 6, to: 20, words: "refund policy" }],
  ["/refund", 3, { from: 0, to: 3, words: "re" }],
  ["Բարև /առաք", 10, { from: 5, to: 10, words: "առաք" }],
  ["1/2", 3, null],
  ["and / or", 8, null],
  ["https://shop", 12, null],
  ["/home/ani", 9, null],
  ["/a\nb", 4, null],
  [`/${"x".repeat(41)}`, 42, null],
  ["", 0, null],
])("a slash that begins a line or follows a space asks for a reply: %j", (text, caret, expected) => {
  expect(slashAt(text, caret)).toEqual(expected);
});

test("the code that was typed is first, then what begins so, then what only says it", () => {
  const replies = [
    reply({ id: 1, code: "x1", title: "Opening hours", texts: [{ language: "en", text: "A refund takes days.", subject: null }] }),
    reply({ id: 2, code: "refund-late", title: "Late refund" }),
    reply({ id: 3, code: "x3", title: "Refunds" }),
    reply({ id: 4, code: "refund", title: "Zero" }),
  ];
  expect(found(replies, "refund")).toEqual([4, 2, 3, 1]);
});

test("with nothing typed, what I use much is first, then what everybody does", () => {
  const replies = [reply({ id: 1, title: "A" }), reply({ id: 2, title: "B", used: 9 }), reply({ id: 3, title: "C", used: 3, used_by_me: 3 })];
  expect(found(replies, "")).toEqual([3, 2, 1]);
});

test.each([
  ["ԱՌԱՔՈՒՄ", "Առաքում"],
  ["եւ", "Գին և ժամկետ"],
  ["cafe", "Café"],
  ["ISTANBUL", "İstanbul"],
  ["hours opening", "Opening hours"],
])("%s finds %s", (words, title) => {
  expect(found([reply({ title, code: "x" })], words)).toEqual([1]);
});

test("the folder and the text of every language are searched, too", () => {
  const one = reply({ folder: "Orders/Delivery", texts: [{ language: "en", text: "Hello", subject: null }, { language: "hy", text: "Բարև", subject: "Պատվեր" }] });
  expect([found([one], "delivery"), found([one], "բարև"), found([one], "պատվեր"), found([one], "nothing")]).toEqual([[1], [1], [1], []]);
});

test("a thousand replies are searched between two keys", () => {
  const many = Array.from({ length: 1_000 }, (_, id) => findable(reply({ id, code: `code-${id}`, texts: [{ language: "en", text: "Dear customer, thank you. ".repeat(20), subject: null }] })));
  const begun = performance.now();
  for (let round = 0; round < 10; round += 1) search(many, "thank cust", "en");
  expect((performance.now() - begun) / 10).toBeLessThan(50);
});

test("the customer's language is taken, else the house's, else the first", () => {
  const both = reply({ texts: [{ language: "en", text: "Hello", subject: null }, { language: "hy", text: "Բարև", subject: null }] });
  expect([textFor(both, "hy").text, textFor(both, "hy-AM").text, textFor(both, "ka").text, textFor(both, null).text, textFor(both, null, "ka", "hy").text]).toEqual(["Բարև", "Բարև", "Hello", "Hello", "Բարև"]);
});

test("a reply of some queues is for their work", () => {
  const ofSales = reply({ scope: "queues", queue_ids: [2] });
  expect([fits(ofSales, 2), fits(ofSales, 1), fits(ofSales, null), fits(reply({}), 1)]).toEqual([true, false, true, true]);
});

test("folders are listed as a tree, those between, too", () => {
  const replies = ["Orders/Delivery", "", "About us", "Orders/Delivery/Abroad", "Orders/Art"].map((folder) => ({ folder }));
  expect(folders(replies, "en")).toEqual(["About us", "Orders", "Orders/Art", "Orders/Delivery", "Orders/Delivery/Abroad"]);
});

test.each([
  ["Refund after 30 days!", "refund-after-30-days"],
  ["  Բարև Ձեզ ", "բարև-ձեզ"],
  ["—", ""],
])("the code of %j is %j", (title, code) => {
  expect(codeFrom(title)).toBe(code);
});

test("what is still to be filled in is found, and what only looks like it is not", () => {
  const text = "Dear {{customer.first_name}}, {{ Today }} {{x.y}} {{customer}} { {today} }";
  expect(blanks(text).map((each) => [each.name, text.slice(each.from, each.to)])).toEqual([
    ["customer.first_name", "{{customer.first_name}}"],
    ["today", "{{ Today }}"],
  ]);
});

test("in a list, values go by their names", () => {
  expect(inOneLine("Dear {{customer.name|you}},\n\nfine {{x}}", (name) => name.toUpperCase())).toBe("Dear ‹CUSTOMER.NAME›, fine {{x}}");
});
