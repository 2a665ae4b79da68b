import { describe, expect, it } from "vitest";

import { callWords, clock } from "./callBar";
import { wordsOf } from "./words";

const words = wordsOf("en");

describe("what a caller is told", () => {
  it.each([
    ["waiting", "", null, words.callWaiting],
    ["talking", "", "Nare", "Nare is with you"],
    ["talking", "", null, words.callTalking],
    ["held", "", "Nare", words.callHeld],
    ["over", "", null, words.callOver],
    ["over", "all_busy", null, words.callNotPossible],
  ] as const)("in %s %s", (state, fault, agent, said) => {
    expect(callWords(state, fault, agent, words)[0]).toBe(said);
  });

  it("is why there was no call", () => {
    expect(callWords("over", "not_allowed", null, words)[1]).toBe(words.microphoneRefused);
  });

  it("is how long it has gone on", () => {
    expect([clock(0), clock(65_000), clock(3_600_000), clock(-5)]).toEqual(["0:00", "1:05", "60:00", "0:00"]);
  });
});
