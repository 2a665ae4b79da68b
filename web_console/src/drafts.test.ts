import { describe, expect, it } from "vitest";

import { type Draft, isOvertaken } from "./drafts";

const draft = (text: string): Draft => ({ text, note: "", attachments: [], mail: null });
const kept = (text: string) => (text === "" ? null : JSON.stringify(draft(text)));

describe("a draft of two tabs", () => {
  it.each([
    ["was sent from the other", "Barev", "Barev", "", true],
    ["was written on in the other", "Bar", "Bar", "Barev", true],
    ["was begun in the other", "", "", "Barev", true],
    ["was sent from the other while something else was written here", "Barev, Ani", "Barev", "", false],
    ["is the same in both", "Barev", "Barev", "Barev", false],
  ])("%s", (_what, here, before, after, follows) => {
    const event = { key: "hub.draft.1.10", oldValue: kept(before), newValue: kept(after) };
    expect(isOvertaken(1, 10, draft(here), event)).toBe(follows);
    expect(isOvertaken(1, 11, draft(here), event)).toBe(false);
  });
});
