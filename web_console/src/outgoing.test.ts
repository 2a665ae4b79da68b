import { createPinia, setActivePinia } from "pinia";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { api, ApiError, Unreachable, writingApi } from "./client";
import { EMPTY, useDrafts } from "./drafts";
import type { AttachmentView, EntryView, PlannedView, UserView } from "./events";
import { useHub } from "./hub";
import { freshDraft } from "./mail";
import { useOutgoing } from "./outgoing";

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

  it("takes no file with it after a reload that was put to the next one", async () => {
    vi.spyOn(api, "addNote").mockRejectedValue(new Unreachable("away"));
    const file = (id: number) => ({ id, name: `${id}.png` }) as AttachmentView;
    setUp().add({ ...DRAFT, kind: "note", text: "", attachments: [file(1)] });
    useDrafts().keep(10, { ...EMPTY, noteFiles: [file(2)] });
    await settle();
    pages[0]?.$dispose();
    setUp();
    await settle();
    expect(useDrafts().find(10).noteFiles).toEqual([file(2)]);
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

const MAIL = { ...DRAFT, channelId: "email", text: "The answer", attachments: [], mail: freshDraft({ address: "aram@x.am", name: "Արամ" }, "Order"), holdS: 10 };

describe("what can be undone, or goes out later", () => {
  function plans() {
    const planned: { key: string; body: Parameters<typeof writingApi.plan>[2] }[] = [];
    vi.spyOn(writingApi, "plan").mockImplementation((_id, key, body) => {
      planned.push({ key, body });
      return Promise.resolve({ id: planned.length, conversation_id: 10, client_key: key, is_held: body.send_at === null, state: "waiting", author_id: 1, version: 1 } as PlannedView);
    });
    return planned;
  }

  it("is the hub's at once, which holds it", async () => {
    const planned = plans();
    const outgoing = setUp();
    outgoing.add(MAIL);
    await settle();
    expect(planned).toMatchObject([{ body: { hold_s: 10, send_at: null, mail: { kind: "new", subject: "Order" } } }]);
    expect(outgoing.items).toEqual([]);
  });

  it("waits for its time at the hub", async () => {
    const planned = plans();
    setUp().add({ ...MAIL, sendAt: "2026-11-27T05:00:00Z", despite: true });
    await settle();
    expect(planned).toMatchObject([{ body: { hold_s: null, send_at: "2026-11-27T05:00:00Z", despite: true } }]);
  });

  it("is sent in parting as what it is, and asked for again with the same key when the page comes back", async () => {
    vi.spyOn(writingApi, "plan").mockRejectedValue(new Unreachable("away"));
    const fetched = vi.spyOn(globalThis, "fetch").mockResolvedValue(new Response("{}"));
    const before = setUp();
    const { key } = before.add(MAIL);
    await settle();
    window.dispatchEvent(new Event("pagehide"));
    const [url, request] = fetched.mock.calls.at(-1) as [string, RequestInit];
    expect(url).toBe("/api/v1/conversations/10/planned-messages");
    expect(request).toMatchObject({ keepalive: true, headers: { "Idempotency-Key": key } });
    before.$dispose();
    const planned = plans();
    const after = setUp();
    await settle();
    expect(planned.map((each) => each.key)).toEqual([key]);
    expect(after.items).toEqual([]);
  });

  it("goes before its conversation is resolved", async () => {
    plans();
    const now = vi.spyOn(writingApi, "sendNow").mockResolvedValue({ id: 1, state: "sent", version: 2 } as PlannedView);
    const outgoing = setUp();
    useHub().state = { planned: {}, timelines: {} } as never;
    outgoing.add(MAIL);
    expect(await outgoing.flush(10)).toBe(true);
    expect(now).toHaveBeenCalledWith(1);
    expect(await outgoing.flush(11)).toBe(true);
    expect(now).toHaveBeenCalledOnce();
  });

  it("that was refused can be changed", async () => {
    vi.spyOn(writingApi, "plan").mockRejectedValue(new ApiError(422, "invalid", "no", { "mail.to": "is not an address" }, null));
    const outgoing = setUp();
    const { key } = outgoing.add(MAIL);
    expect(await outgoing.flush()).toBe(false);
    expect(outgoing.items).toMatchObject([{ state: "failed", detail: "is not an address" }]);
    useDrafts().keep(10, { ...EMPTY, text: "begun", note: "a note" });
    outgoing.edit(key);
    expect(outgoing.items).toEqual([]);
    expect(useDrafts().find(10)).toEqual({ text: "The answer\n\nbegun", note: "a note", attachments: [], noteFiles: [], mail: MAIL.mail });
  });
});
