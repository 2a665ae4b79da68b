import { expect, test } from "vitest";

import { activityIcon, link, money } from "./activities";

test("money is said by the reader's language, whatever the currency", () => {
  expect(money({ amount: "12500", currency: "AMD" }, "en")).toBe("AMD\u00a012,500");
  expect(money({ amount: "-49.9", currency: "EUR" }, "en")).toBe("-€49.90");
  expect(money({ amount: null, currency: null }, "en")).toBe("");
});

test("only a page of https without anybody's name in it is followed", () => {
  expect(link({ url: "https://shop.example/orders/7" })).toEqual({ href: "https://shop.example/orders/7", host: "shop.example" });
  for (const url of ["http://shop.example/", "javascript:alert(1)", "https://shop.example@evil.example/", "nonsense", null]) expect(link({ url })).toBeNull();
});

test("a kind that is not known yet has an icon", () => {
  expect([activityIcon("visit"), activityIcon("return")]).toEqual(["visit", "other"]);
});
