import { describe, expect, it } from "vitest";

import type { EntryView, MailView } from "./events";
import type { Outgoing } from "./outgoing";
import { conversationOf, timelineRows } from "./rows";

const MAIL: MailView = {
  kind: "in", subject: "", senders: [], reply_to: [], to: [], cc: [], bcc: [], noise: "none", fault: null, has_html: false, has_more: false, has_raw: false, is_stranger: false,
};

function entry(id: number, subject: string | null, conversation_id = 10): EntryView {
  return {
    id, conversation_id, customer_id: 7, channel_id: "email", kind: "message", direction: "in", author: { kind: "customer", name: "Արամ", user_id: null },
    text: "…", at: new Date(Date.parse("2026-11-22T10:00:00Z") + id * 1000).toISOString(), version: 1, happening: null, data: {}, attachments: [], delivery: null,
    client_key: null, call: null, origin_id: null, mail: subject === null ? null : { ...MAIL, subject },
  };
}

describe("the lines of a timeline", () => {
  it("say by which conversation they came, where that is a part of this one now", () => {
    const own = entry(1, "Order");
    const came = { ...entry(2, "Lamp"), origin_id: 11 };
    const took = { ...entry(3, null), kind: "event" as const, happening: "took_in" as const, data: { from_id: 11 } };
    const merged = { ...entry(4, null, 11), kind: "event" as const, happening: "merged" as const };
    const rows = timelineRows([own, came, merged, took], [], "UTC").filter((row) => row.kind !== "day");
    expect(rows.map((row) => (row.kind === "heading" ? row.originId : row.kind))).toEqual([null, "mail", 11, "mail", null, "event"]);
  });

  it("say a mail's subject where it is another than before in its conversation", () => {
    const entries = [entry(1, "Order"), entry(2, "RE: Order"), entry(3, "Invoice", 11), entry(4, "Re: order"), entry(5, "Re: Order"), entry(6, "Re: Invoice", 11)];
    const said = timelineRows(entries, [], "UTC").flatMap((row) => (row.kind === "mail" ? [row.saysSubject] : []));
    expect(said).toEqual([true, false, true, true, true, false]);
  });

  it("let a message after a mail begin anew", () => {
    const rows = timelineRows([entry(1, "Order"), entry(2, null), entry(3, null)], [], "UTC");
    expect(rows.flatMap((row) => (row.kind === "entry" ? [row.leads] : []))).toEqual([true, false]);
  });

  it("of what merely happened stand with their conversation, so that two side by side are headed once each", () => {
    const happened = (id: number, conversation: number, later_s = 0): EntryView => {
      const its = { ...entry(id, null, conversation), kind: "event" as const, happening: "accepted" as const };
      return { ...its, at: new Date(Date.parse(its.at) + later_s * 1000).toISOString() };
    };
    const entries = [entry(1, null, 10), entry(2, null, 11), happened(3, 10), happened(4, 11), happened(5, 10), entry(6, null, 10), happened(7, 11, 600)];
    const rows = timelineRows(entries, [], "UTC").filter((row) => row.kind !== "day");
    expect(rows.map((row) => ("entry" in row ? row.entry.id : `#${conversationOf(row)}`))).toEqual(["#10", 1, 3, 5, "#11", 2, 4, "#10", 6, "#11", 7]);
  });

  it("are headed wherever another conversation goes on, so that none stands below the name of another", () => {
    const entries = [entry(1, "Beans", 10), entry(2, "Grinder", 11), entry(3, "More about beans", 10), entry(4, "Re: More about beans", 10)];
    const waiting = { key: "k", conversationId: 11 } as Outgoing;
    const rows = timelineRows(entries, [waiting], "UTC").filter((row) => row.kind !== "day");
    expect(rows.map((row) => [row.kind, conversationOf(row)])).toEqual([
      ["heading", 10], ["mail", 10], ["heading", 11], ["mail", 11], ["heading", 10], ["mail", 10], ["mail", 10], ["heading", 11], ["outgoing", 11],
    ]);
    expect(rows.flatMap((row) => (row.kind === "heading" ? [row.again] : []))).toEqual([false, false, true, true]);
    expect(new Set(rows.map((row) => row.key)).size).toBe(rows.length);
  });
});
