// @vitest-environment jsdom
import { describe, expect, it } from "vitest";

import { Chat } from "./chat";
import { PlaceBar, placeWords } from "./place";
import type { Place } from "./protocol";
import { wordsOf } from "./words";

const NOW = Date.parse("2026-11-25T10:00:00");
const PLACE: Place = { position: 3, wait_s: 300, opens_at: null, offers_callback: true, callback: null };
const said = (place: Partial<Place>, language = "en") => placeWords({ ...PLACE, ...place }, wordsOf(language), language, NOW).join(" ").trim();

describe("what a waiting visitor reads", () => {
  it.each([
    [{}, "You are number 3 in line. About 5 min to go."],
    [{ position: 1, wait_s: 60 }, "You are next. About 1 min to go."],
    [{ wait_s: 4_500 }, "You are number 3 in line. About 1 h 15 min to go."],
    [{ wait_s: 7_200 }, "You are number 3 in line. About 2 h to go."],
    [{ wait_s: null }, "You are number 3 in line."],
    [{ position: null, wait_s: null }, ""],
  ])("says the place and the wait, as far as they are told: %j", (place, words) => {
    expect(said(place)).toBe(words);
  });

  it("says when it opens instead of a wait", () => {
    expect(said({ opens_at: "2026-11-25T12:00:00" })).toContain("We are closed now and open 12:00");
    expect(said({ opens_at: "2026-11-26T09:00:00" })).toContain("Thursday");
  });

  it("tells whoever wants to be called what will happen", () => {
    const callback = { address: "+37410123456", state: "waiting", again_at: null } as const;
    expect(said({ callback })).toBe("We will call you at +37410123456. You are number 3 in line. About 5 min to go. You may close this page.");
    expect(said({ callback: { ...callback, again_at: "2026-11-25T10:15:00" } })).toMatch(/could not reach you\. We will call \+37410123456 again at 10:15/);
    expect(said({ callback: { ...callback, state: "calling" } })).toBe("We are calling you at +37410123456.");
  });

  it("speaks each of its languages", () => {
    for (const language of ["hy", "ka", "az", "uk"]) expect(said({}, language)).toMatch(/3.*5/);
  });
});

describe("the bar above the composer", () => {
  it("is there while there is something to say, and asks for a number", () => {
    const chat = new Chat("https://hub.example", "chat-demo", () => undefined);
    const asked: string[] = [];
    chat.callBack = (phone) => void asked.push(phone);
    const bar = new PlaceBar(chat, wordsOf("en"), "en");
    const at = (name: string) => bar.element.querySelector<HTMLElement>(`[data-testid="${name}"]`) as HTMLInputElement;
    bar.render();
    expect(bar.element.hidden).toBe(true);
    chat.place = PLACE;
    bar.render();
    expect(bar.element.hidden).toBe(false);
    at("chat-call-me").click();
    const form = bar.element.querySelector("form") as HTMLFormElement;
    expect(form.hidden).toBe(false);
    for (const number of ["call me", "+374 10 123456"]) {
      at("chat-call-phone").value = number;
      form.dispatchEvent(new Event("submit", { cancelable: true }));
    }
    expect(asked).toEqual(["+374 10 123456"]);
    chat.place = { ...PLACE, callback: { address: "+37410123456", state: "waiting", again_at: null } };
    bar.render();
    expect([form.hidden, at("chat-call-me").hidden, at("chat-call-cancel").hidden]).toEqual([true, true, false]);
    chat.place = null;
    bar.render();
    expect(bar.element.hidden).toBe(true);
  });
});
