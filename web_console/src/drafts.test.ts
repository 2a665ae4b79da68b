import { createPinia, setActivePinia } from "pinia";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { ApiError, Unreachable, writingApi } from "./client";
import { type Copy, type Draft, EMPTY, reconciled, useDrafts } from "./drafts";
import type { DraftView, UserView } from "./events";
import { useHub } from "./hub";

const AT = "2026-11-26T10:00:00Z";
const draft = (text: string): Draft => ({ ...EMPTY, text });
const copy = (text: string, base: string, changes: Partial<Copy> = {}): Copy => ({ ...draft(text), base: draft(base), version: 3, typedAt: AT, aside: null, ...changes });

function view(text: string, version: number, changes: Partial<DraftView> = {}): DraftView {
  return {
    conversation_id: 10, user_id: 1, user_name: "Նարե", text, note: "", attachments: [], note_attachments: [], mail: null, began_at: text ? AT : null, updated_at: AT,
    writer: "other", taken_by: null, taken_at: null, version, ...changes,
  };
}

describe("a draft on two devices", () => {
  it.each([
    ["was written on elsewhere", copy("At", "At"), view("At nine", 4), "At nine", null],
    ["was sent elsewhere", copy("At", "At"), view("", 4), "", null],
    ["was swept at the hub", copy("At", "At"), null, "", null],
    ["was sent elsewhere while this one wrote on", copy("At nine", "At"), view("", 4), "At nine", null],
    ["goes on here where it ends there", copy("At nine.", "At"), view("At nine", 4), "At nine.", null],
    ["goes on there where it ends here", copy("At n", "At"), view("At nine", 4), "At nine", null],
    ["is newer here", copy("At ten", "At", { typedAt: "2026-11-26T10:00:01Z" }), view("At nine", 4), "At ten", "At nine"],
    ["is newer there", copy("At ten", "At", { typedAt: "2026-11-26T09:59:59Z" }), view("At nine", 4), "At nine", "At ten"],
    ["is as it was", copy("At ten", "At"), view("At", 3), "At ten", null],
    ["was taken over by a colleague", copy("At", "At"), view("At", 4, { taken_by: 2 }), "", null],
    ["was taken over by a colleague while this one wrote on", copy("At nine", "At"), view("At", 4, { taken_by: 2 }), "At nine", null],
  ])("%s", (_what, held, told, text, aside) => {
    const after = reconciled(held, told);
    expect(after.text).toBe(text);
    expect(after.aside?.text ?? null).toBe(aside);
    expect(reconciled(after, told)).toEqual(after);
  });
});

it("has been written over before one's eyes where another page of this browser saved it", () => {
  const held = copy("At ten", "At", { typedAt: "2026-11-26T10:00:01Z" });
  expect(reconciled(held, view("At nine", 4), true)).toMatchObject({ text: "At ten", aside: null, version: 4 });
  // What was typed later there will come, and what stands here is not lost for it.
  expect(reconciled({ ...held, typedAt: "2026-11-26T09:59:59Z" }, view("At nine", 4), true)).toMatchObject({ text: "At nine", aside: { text: "At ten" } });
});

describe("the copy on this device", () => {
  const pages: ReturnType<typeof useDrafts>[] = [];
  function page() {
    setActivePinia(createPinia());
    const hub = useHub();
    hub.user = { id: 1 } as UserView;
    hub.status = "live";
    pages.push(useDrafts());
    return useDrafts();
  }

  beforeEach(() => {
    vi.useFakeTimers();
    localStorage.clear();
  });
  afterEach(() => {
    pages.splice(0).forEach((each) => each.$dispose());
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  it("goes to the hub about a second after the last key, with the version that is known", async () => {
    const save = vi.spyOn(writingApi, "save").mockImplementation((_id, body) => Promise.resolve(view(body.text ?? "", (body.expected_version ?? 0) + 1)));
    const drafts = page();
    drafts.keep(10, draft("A"));
    drafts.keep(10, draft("At"));
    expect(drafts.states.get(10)).toBe("saving");
    await vi.advanceTimersByTimeAsync(1_000);
    drafts.keep(10, draft("At nine"));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(save.mock.calls.map(([, body]) => [body.text, body.expected_version])).toEqual([["At", 0], ["At nine", 1]]);
    expect(drafts.states.get(10)).toBe("saved");
  });

  it("is gone from the device once the hub has it, and other pages still show it", async () => {
    vi.spyOn(writingApi, "save").mockImplementation((_id, body) => Promise.resolve(view(body.text ?? "", (body.expected_version ?? 0) + 1)));
    const drafts = page();
    const told: [string | null, string | null][] = [];
    drafts.keep(10, draft("At nine"));
    const typed = localStorage.getItem("hub.draft.1.10");
    expect(typed).toContain("At nine");
    const set = vi.spyOn(Storage.prototype, "setItem").mockImplementation((_key, value) => void told.push([typed, value]));
    await vi.advanceTimersByTimeAsync(1_000);
    set.mockRestore();
    expect(drafts.states.get(10)).toBe("saved");
    expect(localStorage.length).toBe(0);
    expect(drafts.find(10).text).toBe("At nine");

    // As another page sees it: typed, saved, gone.
    const other = page();
    other.look(10);
    const saved = told[0]?.[1] ?? null;
    for (const [oldValue, newValue] of [[null, typed], [typed, saved], [saved, null]]) {
      window.dispatchEvent(new StorageEvent("storage", { key: "hub.draft.1.10", oldValue: oldValue ?? null, newValue: newValue ?? null }));
    }
    expect(other.find(10).text).toBe("At nine");
    expect(other.states.get(10)).toBe("saved");
    expect(localStorage.length).toBe(0);
    // What is typed there next is this page's as well.
    const next = JSON.stringify(copy("At nine sharp", "At nine", { version: 1, typedAt: "2100-01-01T00:00:00.000Z" }));
    window.dispatchEvent(new StorageEvent("storage", { key: "hub.draft.1.10", oldValue: null, newValue: next }));
    expect(drafts.find(10).text).toBe("At nine sharp");
  });

  it("stays as it was typed though another page's older words reach the hub first", async () => {
    const first = page();
    first.keep(10, draft("At nine"));
    const typed = JSON.parse(localStorage.getItem("hub.draft.1.10") ?? "{}") as { typedAt: string };
    const second = page();
    second.look(10);
    await vi.advanceTimersByTimeAsync(500);
    second.keep(10, draft("At ten"));
    // The hub has the first page's save a moment before the second page's comes.
    let held = view("At nine", 1, { updated_at: typed.typedAt, writer: first.writer });
    const save = vi.spyOn(writingApi, "save").mockImplementation((_id, body) => {
      if (body.expected_version !== held.version) return Promise.reject(new ApiError(409, "draft_changed", "no", {}, null));
      held = view(body.text ?? "", held.version + 1, { updated_at: body.typed_at ?? "", writer: body.writer ?? "" });
      return Promise.resolve(held);
    });
    vi.spyOn(writingApi, "load").mockImplementation(() => Promise.resolve({ mine: held, others: [], planned: [] }));
    await vi.advanceTimersByTimeAsync(3_000);
    expect(second.find(10).text).toBe("At ten");
    expect(second.asides.get(10)).toBeUndefined();
    expect(second.states.get(10)).toBe("saved");
    expect(held.text).toBe("At ten");
    expect(Date.parse(save.mock.calls.at(-1)?.[1].typed_at ?? "")).toBeGreaterThan(Date.parse(typed.typedAt));
  });

  it("is dropped where the hub says that the customer was erased", async () => {
    let refuse: (error: Error) => void = () => undefined;
    vi.spyOn(writingApi, "save").mockImplementation(() => new Promise((_resolve, reject) => (refuse = reject)));
    const drafts = page();
    drafts.keep(10, draft("At nine"));
    await vi.advanceTimersByTimeAsync(1_000);
    refuse(new ApiError(409, "erased", "no", {}, null));
    await vi.advanceTimersByTimeAsync(0);
    expect(drafts.find(10)).toEqual(EMPTY);
    expect(drafts.replaced).toEqual({ conversationId: 10 });
    expect(localStorage.length).toBe(0);
  });

  it("stays when the line is lost, says so, outlives the page and goes when it can", async () => {
    vi.spyOn(writingApi, "save").mockRejectedValue(new Unreachable("away"));
    const before = page();
    before.keep(10, draft("At nine"));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(before.states.get(10)).toBe("waiting");
    before.$dispose();
    vi.restoreAllMocks();
    const save = vi.spyOn(writingApi, "save").mockImplementation((_id, body) => Promise.resolve(view(body.text ?? "", 1)));
    vi.spyOn(writingApi, "load").mockResolvedValue({ mine: null, others: [], planned: [] });
    const after = page();
    after.look(10);
    expect(after.find(10).text).toBe("At nine");
    await vi.advanceTimersByTimeAsync(3_000);
    expect(save).toHaveBeenCalledOnce();
    expect(after.states.get(10)).toBe("saved");
  });

  it("overwrites nothing that another device has written", async () => {
    vi.spyOn(writingApi, "save").mockRejectedValueOnce(new ApiError(409, "draft_changed", "no", {}, null));
    vi.spyOn(writingApi, "load").mockResolvedValue({ mine: view("At nine", 4), others: [], planned: [] });
    const drafts = page();
    vi.setSystemTime("2026-11-26T10:00:05Z");
    drafts.keep(10, draft("At ten"));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(drafts.find(10).text).toBe("At ten");
    expect(drafts.asides.get(10)?.text).toBe("At nine");
    drafts.settle(10, "add");
    expect(drafts.find(10).text).toBe("At ten\n\nAt nine");
    expect(drafts.asides.size).toBe(0);
  });

  it("is not overwritten by an answer that was asked for before it was saved, and before it was sent", async () => {
    vi.spyOn(writingApi, "save").mockImplementation((_id, body) => Promise.resolve(view(body.text ?? "", (body.expected_version ?? 0) + 1)));
    const answers: ((mine: DraftView | null) => void)[] = [];
    vi.spyOn(writingApi, "load").mockImplementation(() => new Promise((resolve) => answers.push((mine) => resolve({ mine, others: [], planned: [] }))));
    const drafts = page();
    drafts.look(10);
    drafts.keep(10, draft("At nine"));
    await vi.advanceTimersByTimeAsync(1_000);
    answers[0]?.(null);
    await vi.advanceTimersByTimeAsync(0);
    expect(drafts.find(10).text).toBe("At nine");
    // It is asked again, a moment later.
    await vi.advanceTimersByTimeAsync(1_000);
    const ending = drafts.begin(10);
    drafts.keep(10, EMPTY);
    drafts.finish(10, "answer", ending, true);
    answers[1]?.(view("At nine", 1));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(drafts.find(10)).toEqual(EMPTY);
    answers[2]?.(null);
    await vi.advanceTimersByTimeAsync(0);
    expect(drafts.find(10)).toEqual(EMPTY);
    expect(answers).toHaveLength(3);
  });

  it("stands beside newer words where another page's were never shown here, though that page is known", async () => {
    const first = page();
    first.keep(11, draft("Elsewhere"));
    const second = page();
    second.look(11);
    // Saved by the first page before the second opened its conversation: nothing of it lies on the device.
    vi.setSystemTime(Date.now() + 60_000);
    second.keep(10, draft("Hi"));
    vi.spyOn(writingApi, "save").mockRejectedValueOnce(new ApiError(409, "draft_changed", "no", {}, null));
    vi.spyOn(writingApi, "load").mockResolvedValue({ mine: view("A long answer", 4, { writer: first.writer }), others: [], planned: [] });
    await second.load(10);
    expect(second.find(10).text).toBe("Hi");
    expect(second.asides.get(10)?.text).toBe("A long answer");
  });

  it("is asked for once at a time, and once more for all that asked meanwhile", async () => {
    const answers: (() => void)[] = [];
    const ask = vi.spyOn(writingApi, "load").mockImplementation(() => new Promise((resolve) => answers.push(() => resolve({ mine: null, others: [], planned: [] }))));
    const drafts = page();
    const waiting = [drafts.load(10), drafts.load(10), drafts.load(10)];
    expect(ask).toHaveBeenCalledTimes(1);
    answers[0]?.();
    await vi.advanceTimersByTimeAsync(0);
    expect(ask).toHaveBeenCalledTimes(2);
    answers[1]?.();
    await Promise.all(waiting);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it("is left alone while its message is on its way, and ends with it", async () => {
    const save = vi.spyOn(writingApi, "save").mockImplementation((_id, body) => Promise.resolve(view(body.text ?? "", (body.expected_version ?? 0) + 1)));
    const drafts = page();
    drafts.keep(10, { ...draft("At nine"), note: "VIP" });
    await vi.advanceTimersByTimeAsync(1_000);
    const ending = drafts.begin(10);
    expect(ending).toMatchObject({ version: 1 });
    drafts.keep(10, { ...EMPTY, note: "VIP" });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(save).toHaveBeenCalledOnce();
    drafts.finish(10, "answer", ending, true);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(save).toHaveBeenCalledOnce();
    drafts.keep(10, { ...draft("P.S."), note: "VIP" });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(save.mock.lastCall?.[1]).toMatchObject({ text: "P.S.", expected_version: 2 });
  });

  it("is what stands in the field again when its message was refused", async () => {
    vi.spyOn(writingApi, "save").mockImplementation((_id, body) => Promise.resolve(view(body.text ?? "", (body.expected_version ?? 0) + 1)));
    const drafts = page();
    drafts.keep(10, draft("At nine"));
    await vi.advanceTimersByTimeAsync(1_000);
    const ending = drafts.begin(10);
    drafts.keep(10, EMPTY);
    drafts.finish(10, "answer", ending, false);
    drafts.giveBack(10, draft("At nine"));
    expect(drafts.find(10).text).toBe("At nine");
  });

  it("follows what another page of this browser types, unless something else was typed here", () => {
    const drafts = page();
    drafts.keep(10, draft("At"));
    const before = localStorage.getItem("hub.draft.1.10");
    const after = JSON.stringify({ ...copy("At nine", "At"), typedAt: "2100-01-01T00:00:00.000Z" });
    window.dispatchEvent(new StorageEvent("storage", { key: "hub.draft.1.10", oldValue: before, newValue: after }));
    expect(drafts.find(10).text).toBe("At nine");
    drafts.keep(10, draft("At ten"));
    window.dispatchEvent(new StorageEvent("storage", { key: "hub.draft.1.10", oldValue: after, newValue: null }));
    expect(drafts.find(10).text).toBe("At ten");
  });

  it("leaves the saving of what another page types to that page, also after a save of its own", async () => {
    let answer: (saved: DraftView) => void = () => undefined;
    const save = vi.spyOn(writingApi, "save").mockImplementation(() => new Promise((resolve) => (answer = resolve)));
    const drafts = page();
    drafts.keep(10, draft("At"));
    await vi.advanceTimersByTimeAsync(1_000);
    const before = localStorage.getItem("hub.draft.1.10");
    const typed = { ...(JSON.parse(before ?? "") as Copy), text: "At ten" };
    window.dispatchEvent(new StorageEvent("storage", { key: "hub.draft.1.10", oldValue: before, newValue: JSON.stringify(typed) }));
    answer(view("At", 1));
    await vi.advanceTimersByTimeAsync(2_000);
    expect(save).toHaveBeenCalledOnce();
    expect(drafts.find(10).text).toBe("At ten");
  });

  it("does not bring back what another page of this browser has sent and not yet cleared", async () => {
    const save = vi.spyOn(writingApi, "save").mockImplementation((_id, body) => Promise.resolve(view(body.text ?? "", 1)));
    const drafts = page();
    drafts.keep(10, draft("At nine"));
    await vi.advanceTimersByTimeAsync(1_000);
    const typed = JSON.stringify(copy("At ten", "At nine", { version: 1, typedAt: "2100-01-01T00:00:00.000Z" }));
    const ended = JSON.stringify(copy("", "", { typedAt: "2100-01-01T00:00:01.000Z" }));
    localStorage.setItem("hub.draft.1.10", typed);
    window.dispatchEvent(new StorageEvent("storage", { key: "hub.draft.1.10", oldValue: null, newValue: typed }));
    drafts.given(view("", 2));
    expect(localStorage.getItem("hub.draft.1.10")).toBe(typed);
    localStorage.removeItem("hub.draft.1.10");
    window.dispatchEvent(new StorageEvent("storage", { key: "hub.draft.1.10", oldValue: typed, newValue: ended }));
    window.dispatchEvent(new StorageEvent("storage", { key: "hub.draft.1.10", oldValue: ended, newValue: null }));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(drafts.find(10).text).toBe("");
    expect(save).toHaveBeenCalledOnce();
  });

  it("keeps what was typed last, whichever page of this browser was faster to write it down, and saves nobody else's words", async () => {
    const save = vi.spyOn(writingApi, "save").mockImplementation((_id, body) => Promise.resolve(view(body.text ?? "", (body.expected_version ?? 0) + 1)));
    const drafts = page();
    drafts.keep(10, draft("At ten"));
    const mine = localStorage.getItem("hub.draft.1.10");
    const earlier = { ...(JSON.parse(mine ?? "") as Copy), text: "At", typedAt: "2000-01-01T00:00:00.000Z", version: 3 };
    window.dispatchEvent(new StorageEvent("storage", { key: "hub.draft.1.10", oldValue: mine, newValue: JSON.stringify(earlier) }));
    expect(drafts.find(10).text).toBe("At ten");
    expect(JSON.parse(localStorage.getItem("hub.draft.1.10") ?? "")).toMatchObject({ text: "At ten", version: 3 });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(save).toHaveBeenCalledOnce();

    const foreign = copy("At ten sharp", "At ten", { version: 4, typedAt: "2100-01-01T00:00:00.000Z" });
    window.dispatchEvent(new StorageEvent("storage", { key: "hub.draft.1.10", oldValue: null, newValue: JSON.stringify(foreign) }));
    drafts.leave(10);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(save).toHaveBeenCalledOnce();
    expect(drafts.find(10).text).toBe("At ten sharp");
  });
});
