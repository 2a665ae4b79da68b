import { createPinia, setActivePinia } from "pinia";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { nextTick } from "vue";

import { api, ApiError, Unreachable, writingApi } from "./client";
import { EMPTY, useDrafts } from "./drafts";
import type { ConversationView, HubEvent, UserView } from "./events";
import { useForgetting } from "./forgetting";
import { useHub } from "./hub";
import { useOutgoing } from "./outgoing";

const conversation = (id: number, customer_is_erased: boolean) => ({ id, customer_is_erased }) as ConversationView;
const typed = (text: string, base = "") => JSON.stringify({ ...EMPTY, text, version: 1, base: { ...EMPTY, text: base }, typedAt: "2026-11-26T10:00:00Z", aside: null });
const waiting = (conversationId: number) => ({ key: `k${conversationId}`, kind: "message", conversationId, customerId: 7, channelId: "sms", text: "On its way", attachments: [], state: "failed" });

const scopes: { $dispose: () => void }[] = [];
function page() {
  setActivePinia(createPinia());
  const hub = useHub();
  hub.user = { id: 1 } as UserView;
  hub.status = "live";
  scopes.push(useDrafts(), useOutgoing(), useForgetting());
  return hub;
}
const settled = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => {
  vi.useFakeTimers();
  localStorage.clear();
  sessionStorage.clear();
});
afterEach(() => {
  scopes.splice(0).forEach((each) => each.$dispose());
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("what lies on this device", () => {
  it("goes with the first snapshot where the customer was erased, whoever wrote it, or the conversation is out of sight", async () => {
    localStorage.setItem("hub.draft.1.10", typed("of the erased"));
    localStorage.setItem("hub.draft.2.10", typed("a colleague, of the erased"));
    localStorage.setItem("hub.draft.1.11", typed("out of sight"));
    localStorage.setItem("hub.draft.2.11", typed("a colleague's still"));
    localStorage.setItem("hub.draft.2.12", typed("saved by an earlier release", "saved by an earlier release"));
    localStorage.setItem("hub.draft.1.13", typed("of somebody else"));
    sessionStorage.setItem("hub.outgoing.1", JSON.stringify([waiting(10), waiting(13)]));
    sessionStorage.setItem("hub.outgoing.2", JSON.stringify([waiting(10)]));
    vi.spyOn(api, "conversation").mockImplementation((id) => (id === 11 ? Promise.reject(new ApiError(404, "not_found", "no", {}, null)) : Promise.resolve(conversation(id, id === 10))));
    const load = vi.spyOn(writingApi, "load").mockResolvedValue({ mine: null, others: [], planned: [] });
    const hub = page();
    expect(useOutgoing().items).toHaveLength(2);
    hub.snapshots = 1;
    await settled();
    expect(Object.keys(localStorage).toSorted()).toEqual(["hub.draft.1.13", "hub.draft.2.11"]);
    expect(useOutgoing().items.map((item) => item.conversationId)).toEqual([13]);
    expect(sessionStorage.getItem("hub.outgoing.1")).not.toContain("k10");
    expect(sessionStorage.getItem("hub.outgoing.2")).toBe("[]");
    // What is left is one's own and is seen to.
    expect(load.mock.calls).toEqual([[13]]);
  });

  it("stays while the hub cannot be asked, and is asked about again", async () => {
    localStorage.setItem("hub.draft.1.10", typed("of the erased"));
    const ask = vi.spyOn(api, "conversation").mockRejectedValueOnce(new Unreachable("away")).mockResolvedValue(conversation(10, true));
    const hub = page();
    hub.snapshots = 1;
    await settled();
    expect(localStorage.length).toBe(1);
    hub.snapshots = 2;
    await settled();
    expect(ask).toHaveBeenCalledTimes(2);
    expect(localStorage.length).toBe(0);
  });

  it("goes at once where the erasure is told while it is written", async () => {
    const hub = page();
    const drafts = useDrafts();
    drafts.keep(10, { ...EMPTY, text: "Dear Ani" });
    expect(localStorage.length).toBe(1);
    hub.arrivals = [{ kind: "conversation.changed", conversation: conversation(10, true) } as HubEvent];
    await nextTick();
    expect(localStorage.length).toBe(0);
    expect(drafts.find(10)).toEqual(EMPTY);
    expect(drafts.replaced).toEqual({ conversationId: 10 });
  });

  it("goes where a conversation is hidden from this person", async () => {
    vi.spyOn(api, "conversation").mockRejectedValue(new ApiError(404, "not_found", "no", {}, null));
    const hub = page();
    useDrafts().keep(10, { ...EMPTY, text: "Dear Ani" });
    hub.arrivals = [{ kind: "conversation.hidden", conversation_id: 10 } as HubEvent];
    await settled();
    expect(localStorage.length).toBe(0);
  });
});
