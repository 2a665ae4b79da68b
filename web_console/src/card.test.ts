import { describe, expect, it } from "vitest";

import { birthdayOf, birthdayParts, birthdayWords, followed, handleOf, isSame, localTime, patchOf, readTyped } from "./card";
import { countries, countryName } from "./countries";
import type { ChannelView, ContactPointView, ConversationView, CustomerView } from "./events";
import { keyFrom, moved, withOption } from "./fieldDraft";
import { type Means, waysOf } from "./ways";

const NOON = Date.parse("2026-11-25T12:00:00Z");

function point(id: number, kind: ContactPointView["kind"], changes: Partial<ContactPointView> = {}): ContactPointView {
  const address = kind === "phone" ? `+3749100000${id}` : `ani${id}@example.am`;
  return { id, kind, address, verified: true, opted_out: false, last_seen_at: null, bounced_at: null, bounce_reason: null, label: "", is_main: false, consents: [], ...changes };
}

function card(contact_points: ContactPointView[], changes: Partial<CustomerView> = {}): CustomerView {
  return {
    id: 1, name: "Անի", language: null, note: "", created_at: "2026-01-01T00:00:00Z", contact_points, version: 1, tier: 0, owner_id: null, preferred_channel: null, company: "",
    job_title: "", country: "", region: "", town: "", district: "", street: "", postcode: "", time_zone: "", birthday: "", source: "", tags: [], is_erased: false, fields: {}, ...changes,
  };
}

const channel = (id: string, kind: ChannelView["kind"], queue_id = 1) => ({ id, kind, queue_id, enabled: true }) as ChannelView;
const MEANS: Means = { channels: [channel("sms-a", "sms"), channel("mail-a", "email"), channel("chat-a", "chat")], conversations: [], user: { role: "agent", queue_ids: [1] }, dials: true };
const told = (ways: ReturnType<typeof waysOf>) => ways.map((way) => [way.key, way.hindrance]);

describe("an edit", () => {
  it("names what it changes and what was seen there, custom fields apart", () => {
    const seen = { town: "Երևան", owner_id: 4, tags: ["vip"], "fields.size": null, street: null };
    expect(patchOf({ town: "Գյումրի", owner_id: null, tags: [], "fields.size": 41, street: "" }, seen)).toEqual({
      town: "Գյումրի", owner_id: null, tags: [], fields: { size: 41 }, seen: { town: "Երևան", owner_id: 4, tags: ["vip"], fields: { size: null } },
    });
  });

  it("that changes nothing is not sent", () => {
    expect(patchOf({ town: "Երևան", "fields.x": "" }, { town: "Երևան", "fields.x": null })).toBeNull();
  });

  it("follows a colleague where nobody wrote, and asks where somebody did", () => {
    const seen = { town: "Երևան", street: null, note: "a", tags: ["a"] };
    const next = followed({ town: "Գյումրի", street: null, note: "b", tags: ["a", "b"] }, seen, { town: "Վանաձոր", street: "Տերյան 1", note: "b", tags: [] });
    expect(next.conflicts).toEqual(["town"]);
    expect(next.drafts).toEqual({ town: "Գյումրի", street: "Տերյան 1", note: "b", tags: ["a", "b"] });
    expect(next.seen["note"]).toBe("b");
  });
});

describe("what was typed", () => {
  it.each([
    ["number", "1 250,5", { value: 1250.5 }],
    ["number", "-3", { value: -3 }],
    ["number", "many", { fault: "number" }],
    ["link", "example.am/a", { value: "https://example.am/a" }],
    ["link", "javascript:alert(1)", { fault: "link" }],
    ["text", "  ", { value: null }],
    ["yes_no", false, { value: false }],
    ["choices", [], { value: null }],
  ] as const)("as a %s, %j, is %j", (kind, typed, read) => {
    expect(readTyped(kind, typed as never)).toEqual(read);
  });

  it("takes what is empty for nothing, however it is empty", () => {
    expect(isSame("", null) && isSame([], null) && !isSame(false, null) && !isSame(0, null)).toBe(true);
  });
});

describe("a birthday", () => {
  it("goes through its parts and back, with its year or without", () => {
    for (const text of ["1990-05-17", "--05-17"]) {
      const { year, month, day } = birthdayParts(text);
      expect(birthdayOf(year, month, day)).toBe(text);
    }
    expect(birthdayOf("", "", "")).toBe("");
    expect(birthdayOf("", "2", "9")).toBe("--02-09");
  });

  it("is told in the reader's words, with the age", () => {
    expect(birthdayWords("1990-11-25", NOON, "en-GB")).toEqual({ date: "25 November 1990", age: 36, isToday: true });
    // Node knows Armenian, Chromium does not (calendars.ts): the day and the month are the same. Which stands first depends on its CLDR.
    expect(birthdayWords("1990-11-26", NOON, "hy")).toMatchObject({ date: expect.stringMatching(/^26 նոյեմբերի.*1990/), age: 35, isToday: false });
    expect(birthdayWords("--05-17", NOON, "hy")).toEqual({ date: expect.stringMatching(/^(17 մայիսի|մայիսի 17)$/) as string, age: null, isToday: false });
  });
});

describe("the time where they are", () => {
  it.each([
    [{ time_zone: "Asia/Yerevan", country: "" }, "16:00", false, false],
    [{ time_zone: "", country: "GE" }, "16:00", false, true],
    [{ time_zone: "America/Los_Angeles", country: "AM" }, "04:00", true, false],
    [{ time_zone: "Asia/Tokyo", country: "" }, "21:00", true, false],
  ])("of %j is %s", (where, time, isNight, isGuess) => {
    expect(localTime(where, NOON, "en")).toMatchObject({ time, isNight, isGuess });
  });

  it("is not known of a country with several zones, nor of a zone nobody has", () => {
    expect(localTime({ time_zone: "", country: "US" }, NOON, "en")).toBeNull();
    expect(localTime({ time_zone: "Mars/Olympus", country: "" }, NOON, "en")).toBeNull();
  });
});

describe("the ways to begin", () => {
  it("has the preferred and possible first, and says why the others are not possible", () => {
    const customer = card([point(1, "phone"), point(2, "email")], { preferred_channel: "email" });
    expect(told(waysOf(customer, MEANS))).toEqual([["mail-a 2", null], ["sms-a 1", null], ["phone 1", null]]);
    expect(told(waysOf(card([]), MEANS))).toEqual([["sms", "no_address"], ["phone", "no_address"], ["email", "no_address"]]);
  });

  it("tries the main address of a kind before the others", () => {
    const customer = card([point(1, "phone"), point(2, "phone", { is_main: true })]);
    expect(told(waysOf(customer, { ...MEANS, dials: false })).slice(0, 2)).toEqual([["sms-a 2", null], ["sms-a 1", null]]);
  });

  it.each([
    [{ opted_out: true }, {}, "opted_out"],
    [{ address: "withheld:1" }, {}, "withheld"],
    [{}, { channels: [] }, "no_channel"],
    [{}, { channels: [channel("sms-b", "sms", 2)] }, "not_your_queue"],
  ])("refuses a text to %j with %j: %s", (changes, means, hindrance) => {
    const ways = waysOf(card([point(1, "phone", changes)]), { ...MEANS, ...means });
    expect(ways.find((way) => way.kind === "sms")?.hindrance).toBe(hindrance);
  });

  it("refuses calls alone to whoever refused calls alone", () => {
    const consents = [{ channel: "phone" as const, purpose: "service" as const, given: false, how: "told" as const, by_id: 1, note: "", at: "2026-01-01T00:00:00Z" }];
    const ways = waysOf(card([point(1, "phone", { consents })]), MEANS);
    expect(told(ways).slice(0, 2)).toEqual([["sms-a 1", null], ["phone 1", "calls_refused"]]);
  });

  it("writes to a visitor only while their chat is open", () => {
    const visitor = card([point(1, "chat")]);
    const open = { id: 9, status: "open", contact_point_id: 1, channel_id: "chat-a" } as ConversationView;
    expect(waysOf(visitor, MEANS).find((way) => way.kind === "chat")?.hindrance).toBe("chat_closed");
    expect(waysOf(visitor, { ...MEANS, conversations: [open] }).find((way) => way.kind === "chat")).toMatchObject({ hindrance: null, open });
  });
});

describe("names of countries and handles", () => {
  it("are the reader's own", () => {
    expect([countryName("AM", "hy"), countryName("AM", "en"), countryName("ZZZ", "hy")]).toEqual(["Հայաստան", "Armenia", "ZZZ"]);
    const listed = countries("hy", ["AM", "GE"]);
    expect(listed.slice(0, 2).map((each) => each.value)).toEqual(["AM", "GE"]);
    expect(listed).toHaveLength(249);
  });

  it("lead to where the handle is looked at", () => {
    expect(handleOf("telegram:ani_s")).toEqual({ network: "telegram", name: "ani_s", url: "https://t.me/ani_s" });
  });
});

describe("a field's definition", () => {
  it.each([
    ["Պատվերի համար", "patveri_hamar"],
    ["შეკვეთის ნომერი", "shekvetis_nomeri"],
    ["Номер замовлення", "nomer_zamovlennya"],
    ["Sifariş nömrəsi", "sifaris_nomresi"],
    ["2nd size (EU)", "nd_size_eu"],
    ["!!!", "field"],
  ])("of %s has the key %s", (name, key) => {
    expect(keyFrom(name, [])).toBe(key);
  });

  it("has a key of its own, and options that differ", () => {
    expect(keyFrom("Size", ["size", "size_2"])).toBe("size_3");
    expect(withOption(withOption([], " Gold  card "), "GOLD CARD")).toEqual([{ key: "gold_card", label: "Gold card", active: true }]);
  });

  it("is moved by a place, and stays at the end", () => {
    expect([moved(["a", "b"], 1, -1), moved(["a", "b"], 1, 1)]).toEqual([["b", "a"], ["a", "b"]]);
  });
});
