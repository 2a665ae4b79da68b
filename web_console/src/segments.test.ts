import { readFileSync } from "node:fs";

import { expect, it } from "vitest";

import { countSegments } from "./segments";

interface Vector {
  text: string;
  encoding: "gsm7" | "ucs2";
  units: number;
  segments: number;
}

const vectors = JSON.parse(readFileSync("../tests/payloads/segments.json", "utf8")) as Vector[];

it.each(vectors)("counts $encoding $units units in $segments parts", ({ text, encoding, units, segments }) => {
  expect(countSegments(text)).toMatchObject({ encoding, units, segments });
});

it("tells how much fits into the last part", () => {
  expect(countSegments("").left).toBe(160);
  expect(countSegments("a".repeat(161)).left).toBe(153 * 2 - 161);
});
