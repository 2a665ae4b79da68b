import { describe, expect, it } from "vitest";

import type { NoticeRulesView } from "./events";
import { isQuiet, kindOf, shows, sounds } from "./quiet";

const rules = (changes: Partial<NoticeRulesView> = {}): NoticeRulesView => ({ silent: [], hidden: [], quiet_from: null, quiet_until: null, zone: null, quiet_states: [], density: "comfortable", version: 0, ...changes });
const at = (time: string, state: "available" | "busy" | "away" = "available") => ({ now: Date.parse(`2026-11-26T${time}:00Z`), zone: "Asia/Yerevan", state });

describe("quiet hours", () => {
  const night = rules({ quiet_from: "22:00", quiet_until: "07:30" });
  it.each([
    ["17:59", false],
    ["18:00", true],
    ["23:00", true],
    ["03:29", true],
    ["03:30", false],
  ])("go over midnight by the organisation's clock: %s UTC", (time, quiet) => {
    expect(isQuiet(night, "mention", at(time))).toBe(quiet);
  });

  it("go by the person's own zone where they named one", () => {
    expect(isQuiet({ ...night, zone: "UTC" }, "task", at("18:00"))).toBe(false);
    expect(isQuiet({ ...night, zone: "UTC" }, "task", at("22:00"))).toBe(true);
  });

  it("are not those of what rings or pages", () => {
    expect((["offer", "call", "page"] as const).map((kind) => sounds(night, kind, at("20:00")))).toEqual([true, true, true]);
    expect((["mention", "task", "work", "alert"] as const).map((kind) => shows(night, kind, at("20:00")))).toEqual([false, false, false, false]);
  });
});

it("somebody may want their peace in a state", () => {
  expect(sounds(rules({ quiet_states: ["away"] }), "mention", at("10:00", "away"))).toBe(false);
  expect(sounds(rules({ quiet_states: ["away"] }), "mention", at("10:00", "busy"))).toBe(true);
});

it("each kind has its own switches", () => {
  const some = rules({ silent: ["offer"], hidden: ["mention"] });
  expect([sounds(some, "offer", at("10:00")), shows(some, "offer", at("10:00"))]).toEqual([false, true]);
  expect([sounds(some, "mention", at("10:00")), shows(some, "mention", at("10:00"))]).toEqual([true, false]);
});

it("an alert is of the kind that its reason says, a page whatever its reason", () => {
  expect(kindOf({ reason: "task_due", level: "notify" })).toBe("task");
  expect(kindOf({ reason: "escalation", level: "notify" })).toBe("alert");
  expect(kindOf({ reason: "escalation", level: "page" })).toBe("page");
});
