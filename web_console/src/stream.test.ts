import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Frame } from "./events";
import { createStream, SignedOut, type StreamHost, type StreamStatus } from "./stream";

class FakeSocket {
  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onerror: (() => void) | null = null;
  readonly sent: unknown[] = [];
  closed = false;

  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  say(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.closed = true;
    this.readyState = 3;
  }
}

const frame = (prev: string, token: string): Frame => ({ prev, token, events: [] });

function setUp(overrides: Partial<StreamHost> = {}) {
  const sockets: FakeSocket[] = [];
  const statuses: StreamStatus[] = [];
  const applied: string[] = [];
  let snapshots = 0;
  const host: StreamHost = {
    load: () => Promise.resolve(`e-${(++snapshots) * 100}`),
    apply: (frames) => (applied.push(...frames.map((each) => each.token)), frames.length),
    volatile: vi.fn(),
    tick: vi.fn(),
    watching: vi.fn(),
    status: (status) => void statuses.push(status),
    ...overrides,
  };
  const stream = createStream(host, {
    url: "ws://hub/live",
    connect: (url) => {
      const socket = new FakeSocket(url);
      sockets.push(socket);
      return socket as unknown as WebSocket;
    },
    random: () => 1,
    isOnline: () => true,
  });
  return { stream, host, sockets, statuses, applied, loads: () => snapshots, newest: () => sockets.at(-1) as FakeSocket };
}

async function started(overrides: Partial<StreamHost> = {}) {
  const all = setUp(overrides);
  all.stream.start();
  await vi.advanceTimersByTimeAsync(0);
  all.newest().open();
  return all;
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe("the stream", () => {
  it("takes no snapshot that a newer one has overtaken, nor one that comes after signing out", async () => {
    const wanted: (() => boolean)[] = [];
    const answers: ((token: string) => void)[] = [];
    const { stream } = setUp({ load: (isWanted) => (wanted.push(isWanted), new Promise((resolve) => answers.push(resolve))) });
    stream.start();
    stream.resync();
    expect(wanted.map((is) => is())).toEqual([false, true]);
    answers[1]?.("e-2");
    answers[0]?.("e-1");
    await vi.advanceTimersByTimeAsync(0);
    expect(stream.token).toBe("e-2");
    stream.stop();
    expect(wanted.map((is) => is())).toEqual([false, false]);
  });

  it("connects with the token of the snapshot", async () => {
    const { sockets, statuses } = await started();
    expect(sockets[0]?.url).toBe("ws://hub/live?since=e-100");
    expect(statuses.at(-1)).toBe("live");
  });

  it("stores a token only after its frame was applied", async () => {
    let held: string | null = "unset";
    const all = await started({ apply: (frames) => ((held = all.stream.token), frames.length) });
    await vi.advanceTimersByTimeAsync(1000);
    all.newest().say(frame("e-100", "e-101"));
    expect(held).toBe("e-100");
    expect(all.stream.token).toBe("e-101");
  });

  it("takes a new snapshot when a frame does not follow", async () => {
    const { newest, loads, applied, sockets } = await started();
    await vi.advanceTimersByTimeAsync(1000);
    newest().say(frame("e-105", "e-106"));
    await vi.advanceTimersByTimeAsync(0);
    expect(loads()).toBe(2);
    expect(applied).toEqual([]);
    expect(sockets.at(-1)?.url).toContain("since=e-200");
  });

  it("takes a new snapshot when the hub says so, and when applying fails", async () => {
    const told = await started();
    told.newest().say({ resync: "too_old" });
    await vi.advanceTimersByTimeAsync(0);
    expect(told.loads()).toBe(2);
    const failing = await started({
      apply: () => {
        throw new Error("reducer");
      },
    });
    await vi.advanceTimersByTimeAsync(1000);
    failing.newest().say(frame("e-100", "e-101"));
    await vi.advanceTimersByTimeAsync(0);
    expect(failing.loads()).toBe(2);
  });

  it("applies what takes long in slices, in order, and stores the token of each", async () => {
    const seen: string[][] = [];
    const all = await started({ apply: (frames) => (seen.push(frames.map((each) => each.token)), Math.min(2, frames.length)) });
    await vi.advanceTimersByTimeAsync(1000);
    all.newest().say(frame("e-100", "e-101"));
    for (let number = 101; number < 104; number += 1) all.newest().say(frame(`e-${number}`, `e-${number + 1}`));
    await vi.advanceTimersByTimeAsync(120);
    expect([seen.length, all.stream.token]).toEqual([2, "e-103"]);
    all.newest().say(frame("e-104", "e-105"));
    await vi.advanceTimersByTimeAsync(1);
    expect(seen).toEqual([["e-101"], ["e-102", "e-103", "e-104"], ["e-104", "e-105"]]);
    expect([all.stream.token, all.loads()]).toEqual(["e-105", 1]);
  });

  it("applies at once when idle and gathers under load", async () => {
    const { newest, applied } = await started();
    await vi.advanceTimersByTimeAsync(1000);
    newest().say(frame("e-100", "e-101"));
    expect(applied).toEqual(["e-101"]);
    newest().say(frame("e-101", "e-102"));
    newest().say(frame("e-102", "e-103"));
    expect(applied).toEqual(["e-101"]);
    await vi.advanceTimersByTimeAsync(150);
    expect(applied).toEqual(["e-101", "e-102", "e-103"]);
  });

  it("comes back from its token after the line was cut, and applies what had waited", async () => {
    const { newest, sockets, statuses, applied, loads } = await started();
    await vi.advanceTimersByTimeAsync(1000);
    newest().say(frame("e-100", "e-101"));
    newest().say(frame("e-101", "e-102"));
    newest().onclose?.({ code: 1012 });
    expect(statuses.at(-1)).toBe("reconnecting");
    expect(applied).toEqual(["e-101", "e-102"]);
    await vi.advanceTimersByTimeAsync(250);
    expect(sockets).toHaveLength(2);
    expect(newest().url).toContain("since=e-102");
    expect(loads()).toBe(1);
  });

  it("waits longer after each failure, at most five seconds", async () => {
    const { newest, sockets } = await started();
    for (const wait of [250, 500, 1000, 2000, 4000, 5000, 5000]) {
      const before = sockets.length;
      newest().onclose?.({ code: 1006 });
      await vi.advanceTimersByTimeAsync(wait - 1);
      expect(sockets).toHaveLength(before);
      await vi.advanceTimersByTimeAsync(1);
      expect(sockets).toHaveLength(before + 1);
    }
  });

  it("takes 25 s of silence for a dead line", async () => {
    const { newest, statuses } = await started();
    const first = newest();
    first.say({ tick: "2026-11-22T10:00:00Z" });
    await vi.advanceTimersByTimeAsync(24_900);
    expect(first.closed).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    expect(first.closed).toBe(true);
    expect(statuses.at(-1)).toBe("reconnecting");
  });

  it("does not wait for the back-off when the network is back", async () => {
    const { stream, newest, sockets } = await started();
    newest().onclose?.({ code: 1006 });
    stream.wake();
    expect(sockets).toHaveLength(2);
  });

  it("does not trust a line that slept", async () => {
    const { stream, newest } = await started();
    const slept = newest();
    stream.wake();
    expect(slept.sent.at(-1)).toEqual({ type: "ping" });
    await vi.advanceTimersByTimeAsync(4_100);
    expect(slept.closed).toBe(true);
  });

  it("tells again what is looked at when it comes back", async () => {
    const { stream, newest } = await started();
    stream.watch(7);
    expect(newest().sent.at(-1)).toEqual({ type: "watch", customer_id: 7 });
    newest().onclose?.({ code: 1006 });
    await vi.advanceTimersByTimeAsync(250);
    expect(newest().url).toContain("customer=7");
    stream.watch(8);
    newest().open();
    expect(newest().sent.at(-1)).toEqual({ type: "watch", customer_id: 8 });
  });

  it("stops when the session has ended", async () => {
    const { newest, sockets, statuses } = await started();
    newest().onclose?.({ code: 4401 });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(statuses.at(-1)).toBe("signed-out");
    expect(sockets).toHaveLength(1);
    const refused = setUp({ load: () => Promise.reject(new SignedOut()) });
    refused.stream.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(refused.statuses.at(-1)).toBe("signed-out");
  });

  it("tries again when the snapshot does not come", async () => {
    let tries = 0;
    const { sockets } = await (async () => {
      const all = setUp({ load: () => (++tries < 3 ? Promise.reject(new Error("away")) : Promise.resolve("e-1")) });
      all.stream.start();
      await vi.advanceTimersByTimeAsync(2_000);
      return all;
    })();
    expect(tries).toBe(3);
    expect(sockets).toHaveLength(1);
  });
});
