// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Chat } from "./chat";
import type { ClientFrame, ServerFrame } from "./protocol";

class Socket {
  static readonly OPEN = 1;
  static all: Socket[] = [];
  readonly url: string;
  readyState = 1;
  sent: ClientFrame[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  readonly protocols: string[];
  constructor(url: string, protocols: string[]) {
    this.url = url;
    this.protocols = protocols;
    Socket.all.push(this);
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text) as ClientFrame);
  }
  close(): void {
    this.readyState = 3;
  }
  say(frame: ServerFrame): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
  break(code = 1006): void {
    this.readyState = 3;
    this.onclose?.({ code });
  }
  get messages(): string[] {
    return this.sent.flatMap((frame) => (frame.type === "message" ? [frame.text] : []));
  }
}

const VISIT = { title: "", greeting: "", accent: "", online: true, text_limit: 4000, attachment_limit_bytes: 1, visitor: { token: "t", anonymous: "a" } };
let visit: Record<string, unknown> = VISIT;
let visits: { visitor?: string; identity?: string }[] = [];

async function newest(): Promise<Socket> {
  await vi.advanceTimersByTimeAsync(1);
  const socket = Socket.all[Socket.all.length - 1];
  if (!socket) throw new Error("no socket was opened");
  socket.onopen?.();
  return socket;
}

function chat(): Chat {
  return new Chat("https://hub.example", "chat-demo", () => undefined);
}

describe("the visitor's line", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("WebSocket", Socket);
    visit = VISIT;
    visits = [];
    vi.stubGlobal("fetch", (_: string, request: { body: string }) => {
      visits.push(JSON.parse(request.body) as { visitor?: string });
      return Promise.resolve(new Response(JSON.stringify(visit), { status: 200 }));
    });
    Socket.all = [];
    localStorage.clear();
    sessionStorage.clear();
    sessionStorage.clear();
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("repeats what was not acknowledged, in order and under the same ids, also after a reload", async () => {
    const before = chat();
    before.connect();
    const first = await newest();
    first.say({ type: "history", entries: [], more: false });
    before.send("one", []);
    before.send("two", []);
    expect(first.messages).toEqual(["one", "two"]);
    const ids = before.pending.map((item) => item.client_id);
    before.disconnect();

    const after = chat();
    after.connect();
    const second = await newest();
    expect(second.messages).toEqual([]);
    second.say({ type: "history", entries: [], more: false });
    expect(second.messages).toEqual(["one", "two"]);
    second.say({ type: "ack", client_id: ids[0] ?? "", entry_id: 7, at: "2026-01-01T00:00:00Z" });
    expect(after.pending.map((item) => item.text)).toEqual(["two"]);
    expect(after.list.map((entry) => entry.text)).toEqual(["one"]);
  });

  it("tells who the visitor is on the next page, if there was no line on this one, and once", async () => {
    const before = chat();
    before.identify({ name: "Ani", phone: "+37491000812", email: "" });
    expect(JSON.stringify({ ...localStorage })).not.toContain("Ani"); // it ends with the tab
    const after = chat();
    expect(after.isKnown).toBe(true);
    after.connect();
    const socket = await newest();
    socket.say({ type: "history", entries: [], more: false });
    expect(socket.sent).toContainEqual({ type: "identify", name: "Ani", phone: "+37491000812", email: "" });
    expect(chat().isKnown).toBe(false);
  });

  it("comes back after a lost line with the last entry it holds, and shows nothing twice", async () => {
    const it = chat();
    it.connect();
    const first = await newest();
    const entry = { id: 3, direction: "out" as const, author: "Ani", text: "hello", at: "2026-01-01T00:00:00Z", attachments: [] };
    first.say({ type: "history", entries: [entry], more: false });
    first.break();
    expect(it.line).toBe("broken");
    await vi.advanceTimersByTimeAsync(1_000);
    const second = await newest();
    expect(second.url).toBe("wss://hub.example/chat/chat-demo?lang=&since=3");
    second.say({ type: "history", entries: [], more: false });
    second.say({ type: "entry", entry });
    expect(it.list).toHaveLength(1);
    expect(it.unread).toBe(1);
    it.setReading(true);
    expect(it.unread).toBe(0);
    expect(second.sent).toContainEqual({ type: "read", through: 3 });
  });

  it("keeps a refused message for the visitor to decide and does not send it by itself", async () => {
    const it = chat();
    it.connect();
    const first = await newest();
    first.say({ type: "history", entries: [], more: false });
    it.send("too long", []);
    const id = it.pending[0]?.client_id ?? "";
    first.say({ type: "error", code: "invalid", message: "Too long.", client_id: id });
    expect(it.pending[0]?.refused).toBe("Too long.");
    first.break();
    await vi.advanceTimersByTimeAsync(1_000);
    const second = await newest();
    second.say({ type: "history", entries: [], more: false });
    expect(second.messages).toEqual([]);
    it.retry(id);
    expect(second.messages).toEqual(["too long"]);
  });

  it("forgets the place of whoever is served, but not that they are to be called", async () => {
    const it = chat();
    it.connect();
    const first = await newest();
    first.say({ type: "history", entries: [], more: false });
    const place = { position: 1, wait_s: 60, opens_at: null, offers_callback: true, callback: null };
    first.say({ type: "place", place });
    expect(it.place).toEqual(place);
    first.say({ type: "state", waiting: false, resolved: false });
    expect(it.place).toBeNull();
    const called = { ...place, callback: { address: "+37410123456", state: "calling" as const, again_at: null } };
    first.say({ type: "place", place: called });
    first.say({ type: "state", waiting: false, resolved: false });
    expect(it.place).toEqual(called);
  });

  it("is lost as soon as the browser says so, and comes back with the network", async () => {
    const it = chat();
    it.lose();
    expect(it.line).toBe("idle");
    it.connect();
    const first = await newest();
    first.say({ type: "history", entries: [], more: false });
    first.say({ type: "agent", name: "Ani" });
    it.lose();
    expect([it.line, it.agent]).toEqual(["broken", null]);
    it.wake();
    const second = await newest();
    expect(second).not.toBe(first);
    second.say({ type: "history", entries: [], more: false });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(Socket.all).toHaveLength(2);
    expect(it.line).toBe("open");
  });

  it("looks again who is there while it is looked at, each minute at most", async () => {
    const it = chat();
    it.connect();
    const socket = await newest();
    socket.say({ type: "history", entries: [], more: false });
    const pass = async (seconds: number): Promise<void> => {
      for (let at = 0; at < seconds; at += 10) {
        await vi.advanceTimersByTimeAsync(10_000);
        socket.say({ type: "pong" });
      }
    };
    await pass(300);
    expect(visits).toHaveLength(1);
    it.setReading(true);
    visit = { ...VISIT, online: false };
    await it.refresh();
    await it.refresh();
    expect(visits).toHaveLength(2);
    expect(it.visit?.online).toBe(false);
    visit = VISIT;
    await pass(120);
    expect(visits).toHaveLength(4);
    expect(it.visit?.online).toBe(true);
    expect(Socket.all).toHaveLength(1);
  });

  it("stops asking where there is no such chat", async () => {
    const it = chat();
    it.connect();
    const first = await newest();
    first.break(4404);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(it.line).toBe("unavailable");
    expect(Socket.all).toHaveLength(1);
  });
});

describe("a survey", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("WebSocket", Socket);
    visit = VISIT;
    visits = [];
    vi.stubGlobal("fetch", (_: string, request: { body: string }) => {
      visits.push(JSON.parse(request.body) as { visitor?: string });
      return Promise.resolve(new Response(JSON.stringify(visit), { status: 200 }));
    });
    Socket.all = [];
    localStorage.clear();
    sessionStorage.clear();
    sessionStorage.clear();
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  const said = (socket: Socket): ClientFrame[] => socket.sent.filter((frame) => frame.type === "score");

  it("is answered while the line is away, and told until the hub has it, also after a reload", async () => {
    const before = chat();
    before.score(7, 4);
    expect(before.scoreOf(7)?.score).toBe(4);
    const after = chat();
    after.connect();
    const socket = await newest();
    socket.say({ type: "history", entries: [], more: false });
    expect(said(socket)).toEqual([{ type: "score", survey_id: 7, score: 4 }]);
    socket.say({ type: "scored", survey_id: 7, score: 4 });
    socket.break();
    await vi.advanceTimersByTimeAsync(1_000);
    const second = await newest();
    second.say({ type: "history", entries: [], more: false });
    expect(said(second)).toEqual([]);
    after.score(7, 4, "Kind");
    expect(said(second)).toEqual([{ type: "score", survey_id: 7, score: 4, comment: "Kind" }]);
  });

  it("that is over forgets what was tapped and says why", async () => {
    const it = chat();
    it.connect();
    const socket = await newest();
    socket.say({ type: "history", entries: [], more: false });
    it.score(7, 2);
    socket.say({ type: "error", code: "survey_over", message: "This survey is over", survey_id: 7 });
    expect(it.scoreOf(7)).toBeNull();
    expect(it.notice).toBe("This survey is over");
  });

  it("offers its token to the socket alone, and keeps the anonymous one for the next time", async () => {
    const first = chat();
    first.connect();
    const socket = await newest();
    expect(socket.protocols).toEqual(["hub-chat", "t"]);
    expect(socket.url).not.toContain("=t");
    first.disconnect();
    chat().connect();
    await newest();
    expect(visits.map((each) => each.visitor)).toEqual([undefined, "a"]);
  });

  it("asks the form before a request, and gets it back with what was wrong", async () => {
    visit = { ...VISIT, form: { intro: "", fields: [{ name: "email", required: true, label: "", options: [] }], is_due: true } };
    const asking = chat();
    asking.connect();
    const socket = await newest();
    expect(asking.needsForm).toBe(false);
    socket.say({ type: "history", entries: [], more: false });
    expect(asking.needsForm).toBe(true);
    asking.draft = { email: "nobody", text: "Hel" };
    expect(chat().filled).toMatchObject({ email: "nobody" });
    asking.send("Hello", [], { email: "nobody" });
    expect(asking.needsForm).toBe(false);
    expect(asking.draft).toBeNull();
    const [frame] = socket.sent.filter((each) => each.type === "message");
    expect(frame).toMatchObject({ text: "Hello", form: { email: "nobody" } });
    socket.say({ type: "error", code: "invalid", message: "", client_id: asking.pending[0]?.client_id ?? "", fields: { "form.email": "no" } });
    expect(asking.pending).toEqual([]);
    expect(asking.returned).toMatchObject({ text: "Hello", fields: ["email"], form: { email: "nobody" } });
    expect(asking.draft).toEqual({ email: "nobody", text: "Hello" });
    asking.send("Hello", [], { email: "ani@shop.test" });
    expect(asking.draft).toBeNull();
    const id = asking.pending[0]?.client_id ?? "";
    socket.say({ type: "ack", client_id: id, entry_id: 5, at: "2026-11-26T10:00:00Z" });
    expect(asking.needsForm).toBe(false);
    socket.say({ type: "state", waiting: false, resolved: true });
    expect(asking.needsForm).toBe(true);
  });

  it("takes nothing for later from whoever talks with somebody", async () => {
    visit = { ...VISIT, offline: { text: "", fields: [], is_due: true } };
    const it = chat();
    it.connect();
    const socket = await newest();
    socket.say({ type: "history", entries: [], more: false });
    expect(it.takesMail).toBe(true);
    const entry = { id: 3, direction: "out" as const, author: "Ani", text: "hello", at: "2026-01-01T00:00:00Z", attachments: [] };
    socket.say({ type: "entry", entry });
    expect([it.hasHistory, it.takesMail]).toEqual([true, false]);
    socket.say({ type: "state", waiting: false, resolved: true });
    expect(it.takesMail).toBe(true);
  });

  it("keeps apart what people wrote who share a browser, and is nobody's when the word is refused", async () => {
    const word = (subject: string) => `h.${btoa(JSON.stringify({ sub: subject }))}.s`;
    const ofAni = new Chat("https://hub.example", "chat-demo", () => undefined, word("ani"));
    ofAni.send("mine", []);
    expect(new Chat("https://hub.example", "chat-demo", () => undefined, word("bo")).pending).toEqual([]);
    expect(chat().pending).toEqual([]);
    visit = { ...VISIT, identity: { state: "refused", code: "expired", message: "over" } };
    ofAni.connect();
    await newest();
    expect(visits[0]?.identity).toBe(word("ani"));
    expect(ofAni.refusal?.code).toBe("expired");
    expect(ofAni.pending).toEqual([]);
  });
});
