import { expect, it } from "vitest";

import { scriptOf } from "./newVersion";

it("finds the page's script by the name that its content gave it", () => {
  expect(scriptOf('<head><script type="module" crossorigin src="/assets/index-B1x_9.js"></script></head>')).toBe("/assets/index-B1x_9.js");
});

it("takes an answer without a script for no page of ours", () => {
  expect(scriptOf("<h1>502 Bad Gateway</h1>")).toBeNull();
});
