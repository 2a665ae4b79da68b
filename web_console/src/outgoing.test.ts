import { createPinia, setActivePinia } from "pinia";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { api, ApiError, Unreachable } from "./client";
import { findDraft, keepDraft } from "./drafts";
import type { EntryView, UserView } from "./events";
import { useHub } from "./hub";
import { freshDraft } from "./mail";
import { HOLD_MS, useOutgoing } from "./outgoing";

const DRAFT = { kind: "message", conversationId: 10, customerId: 7, channelId: "sms", text: "Բարև", attachments: [] } as const;

const stored = (key: string) => ({ id: 1, customer_id: 7, client_key: key, version: 1 }) as EntryView;
const settle = () => vi.advanceTimersByTimeAsync(0);

const pages: ReturnType<typeof useOutgoing>[] = [];

function setUp() {
  setActivePinia(createPinia());
  useHub().user = { id: 1 } as UserView;
  pages.push(useOutgoing());
  return useOutgoing();
}

beforeEach(() => {
  vi.useFakeTimers();
  sessionStorage.clear();
  localStorage.clear();
});
afterEach(() => {
  pages.splice(0).forEach((page) => page.$dispose());
  vi.useRealTimers();
});

describe("what is on its way", () => {
  it("goes again with the same key when the answer was lost, and leaves when it is stored", async () => {
    const keys: string[] = [];
    vi.spyOn(api, "sendMessage").mockImplementation((_id, key) => {
      keys.push(key);
      return keys.length < 3 ? Promise.reject(new Unreachable("lost")) : Promise.resolve(stored(key));
    });
    const outgoing = setUp();
    outgoing.add({ ...DRAFT, attachments: [] });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
    expect(outgoing.items).toEqual([]);
  });

  it("stays with its text and the reason when the hub refuses it", async () => {
    vi.spyOn(api, "sendMessage").mockRejectedValue(new ApiError(422, "opted_out", "no", {}, null));
    const outgoing = setUp();
    outgoing.add({ ...DRAFT, attachments: [] });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(outgoing.items).toMatchObject([{ state: "failed", code: "opted_out", text: "Բարև" }]);
    expect(api.sendMessage).toHaveBeenCalledTimes(1);
  });

  it("keeps the order within a conversation", async () => {
    const order: string[] = [];
    let release: () => void = () => undefined;
    vi.spyOn(api, "sendMessage").mockImplementation(async (_id, key, body) => {
      order.push(body.text);
      if (order.length === 1) await new Promise<void>((resolve) => (release = resolve));
      return stored(key);
    });
    const outgoing = setUp();
    outgoing.add({ ...DRAFT, text: "first", attachments: [] });
    outgoing.add({ ...DRAFT, text: "second", attachments: [] });
    await settle();
    expect(order).toEqual(["first"]);
    release();
    await settle();
    expect(order).toEqual(["first", "second"]);
    expect(outgoing.items).toEqual([]);
  });

  it("is there again after a reload", async () => {
    vi.spyOn(api, "sendMessage").mockRejectedValue(new Unreachable("away"));
    const before = setUp();
    before.add({ ...DRAFT, attachments: [] });
    await settle();
    const key = before.items[0]?.key;
    vi.spyOn(api, "sendMessage").mockImplementation((_id, again) => Promise.resolve(stored(again)));
    const after = setUp();
    await settle();
    expect(after.items).toEqual([]);
    expect(api.sendMessage).toHaveBeenLastCalledWith(10, key, expect.anything());
  });
});

const MAIL = { ...DRAFT, channelId: "email", text: "The answer", attachments: [], mail: freshDraft({ address: "aram@x.am", name: "Արամ" }, "Order") };

describe("a mail", () => {
  function sends() {
    const sent: { key: string; text: string }[] = [];
    vi.spyOn(api, "sendMessage").mockImplementation((_id, key, body) => {
      sent.push({ key, text: body.text });
      return Promise.resolve(stored(key));
    });
    return sent;
  }

  it("is held for some seconds, then sent with its head", async () => {
    const sent = sends();
    const outgoing = setUp();
    outgoing.add(MAIL);
    await vi.advanceTimersByTimeAsync(HOLD_MS - 1);
    expect(outgoing.items).toMatchObject([{ state: "held" }]);
    expect(sent).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(sent).toHaveLength(1);
    expect(api.sendMessage).toHaveBeenCalledWith(10, sent[0]?.key, expect.objectContaining({ mail: expect.objectContaining({ kind: "new", subject: "Order" }) }));
    expect(outgoing.items).toEqual([]);
  });

  it("that is undone goes back into its draft, above what was begun since, and is never sent", async () => {
    const sent = sends();
    const outgoing = setUp();
    outgoing.add(MAIL);
    keepDraft(1, 10, { text: "begun", note: "a note", attachments: [], mail: null });
    expect(outgoing.undo()).toMatchObject({ text: "The answer" });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sent).toEqual([]);
    expect(outgoing.items).toEqual([]);
    expect(findDraft(1, 10)).toEqual({ text: "The answer\n\nbegun", note: "a note", attachments: [], mail: MAIL.mail });
    expect(outgoing.returned).toMatchObject({ conversationId: 10 });
    expect(outgoing.undo()).toBeNull();
  });

  it("leaves at once when something else is written after it, and in that order", async () => {
    const sent = sends();
    const outgoing = setUp();
    outgoing.add(MAIL);
    outgoing.add({ ...MAIL, text: "one more thing" });
    await settle();
    expect(sent.map((each) => each.text)).toEqual(["The answer"]);
    await vi.advanceTimersByTimeAsync(HOLD_MS);
    expect(sent.map((each) => each.text)).toEqual(["The answer", "one more thing"]);
  });

  it("is sent when the page goes away, and asked for again with the same key when it comes back", async () => {
    const sent = sends();
    const fetched = vi.spyOn(globalThis, "fetch").mockResolvedValue(new Response("{}"));
    const before = setUp();
    const { key } = before.add(MAIL);
    window.dispatchEvent(new Event("pagehide"));
    const [url, request] = fetched.mock.calls.at(-1) as [string, RequestInit];
    expect(url).toBe("/api/v1/conversations/10/messages");
    expect(request).toMatchObject({ keepalive: true, headers: { "Idempotency-Key": key } });
    const after = setUp();
    await settle();
    expect(sent).toEqual([{ key, text: "The answer" }]);
    expect(after.items).toEqual([]);
  });

  it("that is too large to be sent in parting goes back into its draft", () => {
    const fetched = vi.spyOn(globalThis, "fetch").mockResolvedValue(new Response("{}"));
    const outgoing = setUp();
    outgoing.add({ ...MAIL, text: "ա".repeat(40_000) });
    window.dispatchEvent(new Event("pagehide"));
    expect(fetched).not.toHaveBeenCalled();
    expect(outgoing.items).toEqual([]);
    expect(findDraft(1, 10).text).toHaveLength(40_000);
  });

  it("leaves before its conversation is resolved, and others stay", async () => {
    const sent = sends();
    const outgoing = setUp();
    outgoing.add(MAIL);
    outgoing.add({ ...MAIL, conversationId: 11, text: "elsewhere" });
    expect(await outgoing.flush(10)).toBe(true);
    expect(sent.map((each) => each.text)).toEqual(["The answer"]);
    expect(outgoing.items).toMatchObject([{ text: "elsewhere", state: "held" }]);
  });

  it("that was refused can be changed", async () => {
    vi.spyOn(api, "sendMessage").mockRejectedValue(new ApiError(422, "invalid", "no", { "mail.to": "is not an address" }, null));
    const outgoing = setUp();
    const { key } = outgoing.add(MAIL);
    expect(await outgoing.flush()).toBe(false);
    expect(outgoing.items).toMatchObject([{ state: "failed", detail: "is not an address" }]);
    outgoing.undo(key);
    expect(outgoing.items).toEqual([]);
    expect(findDraft(1, 10).text).toBe("The answer");
  });
});
