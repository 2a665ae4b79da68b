import { describe, expect, it } from "vitest";

import { theirWords } from "./channelWords";

describe("what the far side said", () => {
  it.each([
    ["The mail server said: 535 5.7.8 no such account", "535 5.7.8 no such account"],
    ["Twilio: The number is not valid", "The number is not valid"],
    ["the server's certificate is not good: self-signed certificate", "self-signed certificate"],
    ["Փոստային սերվերի պատասխանը՝ 550 5.1.1 unknown user", "550 5.1.1 unknown user"],
    ["Twilio cannot be reached.", ""],
    ["Nobody has signed in at the provider yet.", ""],
    ["the mail server: [Errno 111] Connection refused", ""],
    [null, ""],
  ])("of %j, told in Armenian, is %j", (detail, words) => {
    expect(theirWords(detail, "hy")).toBe(words);
  });

  it("comes to who reads English with what the hub says of it", () => {
    expect(theirWords("Nobody has signed in at the provider yet.", "en")).toBe("Nobody has signed in at the provider yet.");
    expect(theirWords("the mail server: [Errno 111] Connection refused", "en")).toBe("");
  });
});
