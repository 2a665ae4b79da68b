import { createPinia, setActivePinia } from "pinia";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { api, ApiError, Unreachable } from "./client";
import type { EntryView, UserView } from "./events";
import { useHub } from "./hub";
import { useOutgoing } from "./outgoing";

const DRAFT = { kind: "message", conversationId: 10, customerId: 7, channelId: "sms", text: "Բարև", attachments: [] } as const;

const stored = (key: string) => ({ id: 1, customer_id: 7, client_key: key, version: 1 }) as EntryView;
const settle = () => vi.advanceTimersByTimeAsync(0);

function setUp() {
  setActivePinia(createPinia());
  useHub().user = { id: 1 } as UserView;
  return useOutgoing();
}

beforeEach(() => {
  vi.useFakeTimers();
  sessionStorage.clear();
});
afterEach(() => vi.useRealTimers());

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
