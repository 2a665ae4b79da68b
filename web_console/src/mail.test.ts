import { describe, expect, it } from "vitest";

import type { EntryView, MailView } from "./events";
import {
  answerDraft,
  answerSubject,
  asNewMail,
  bareSubject,
  distinct,
  doubts,
  freshDraft,
  hasOthers,
  isAddress,
  type MailEntry,
  newestMail,
  parseMailboxes,
  participants,
  recipients,
  speaksOfAttachment,
} from "./mail";

const OWN = ["support@hub.test", "sales@hub.test"];
const box = (address: string, name = "") => ({ address, name });

function mail(changes: Partial<MailView> = {}): MailView {
  return {
    kind: "in", subject: "Պատվեր 17", senders: [box("aram@x.am", "Արամ")], reply_to: [], to: [box("support@hub.test")], cc: [], bcc: [],
    noise: "none", fault: null, has_html: false, has_more: false, has_raw: true, is_stranger: false, ...changes,
  };
}

function entry(id: number, changes: Partial<MailView> = {}, more: Partial<EntryView> = {}): MailEntry {
  return {
    id, conversation_id: 10, customer_id: 7, channel_id: "email", kind: "message", direction: changes.kind && changes.kind !== "in" ? "out" : "in",
    author: { kind: "customer", name: "Արամ", user_id: null }, text: "", at: "2026-11-22T10:00:00Z", version: 1, happening: null, data: {},
    attachments: [], delivery: null, client_key: null, call: null, origin_id: null, ...more, mail: mail(changes),
  };
}

describe("whom an answer goes to", () => {
  it("is who wrote it, or where they want it", () => {
    expect(recipients(mail(), false, OWN)).toEqual({ to: [box("aram@x.am", "Արամ")], cc: [] });
    expect(recipients(mail({ reply_to: [box("orders@x.am")] }), false, OWN).to).toEqual([box("orders@x.am")]);
  });

  it("is everybody for reply to all, each once and none of us", () => {
    const many = mail({
      to: [box("SUPPORT@hub.test"), box("nare@x.am")],
      cc: [box("aram@x.am"), box("Nare@X.am", "Nare"), box("sales@hub.test"), box("boss@x.am")],
    });
    expect(recipients(many, true, OWN)).toEqual({ to: [box("aram@x.am", "Արամ")], cc: [box("nare@x.am"), box("boss@x.am")] });
    expect(hasOthers(many, OWN)).toBe(true);
    expect(hasOthers(mail(), OWN)).toBe(false);
  });

  it("is never ourselves by the tag that our own answers carry", () => {
    const reply = mail({ to: [box("support+c-0a1b-2c3d@hub.test")], cc: [box("boss+work@x.am")] });
    expect(recipients(reply, true, OWN)).toEqual({ to: [box("aram@x.am", "Արամ")], cc: [box("boss+work@x.am")] });
    expect(hasOthers(mail({ to: [box("support+c-0a1b-2c3d@hub.test")] }), OWN)).toBe(false);
  });

  it("keeps the customer when somebody else wrote without them and all are answered", () => {
    const customer = box("aram@x.am", "Արամ");
    const strange = mail({ senders: [box("courier@post.am")], is_stranger: true });
    expect(recipients(strange, true, OWN, customer)).toEqual({ to: [box("courier@post.am")], cc: [customer] });
    expect(recipients(strange, false, OWN, customer).cc).toEqual([]);
    expect(recipients({ ...strange, cc: [box("Aram@X.am")] }, true, OWN, customer).cc).toEqual([box("Aram@X.am")]);
    expect(hasOthers(strange, OWN, customer)).toBe(true);
    expect(hasOthers(mail({ senders: [box("aram@home.am")] }), OWN, customer)).toBe(false);
    const handedOn = mail({ kind: "forward", senders: [box("support@hub.test")], to: [box("courier@post.am")] });
    expect(recipients(handedOn, true, OWN, customer).cc).toEqual([]);
  });

  it("is again whom we wrote to when the mail was ours", () => {
    const ours = mail({ kind: "reply", senders: [box("support@hub.test")], to: [box("aram@x.am")], cc: [box("nare@x.am")] });
    expect(recipients(ours, false, OWN)).toEqual({ to: [box("aram@x.am")], cc: [] });
    expect(recipients(ours, true, OWN).cc).toEqual([box("nare@x.am")]);
  });

  it("is not nobody when only we are there", () => {
    expect(recipients(mail({ senders: [box("sales@hub.test")] }), false, OWN).to).toEqual([box("sales@hub.test")]);
  });
});

describe("a subject", () => {
  it.each([
    ["Re: Order", "Order"],
    ["RE: FW: Fwd:  Order  17 ", "Order 17"],
    ["Re[2]: Отв: Заказ", "Заказ"],
    ["Відп: Re(3): Замовлення", "Замовлення"],
    ["AW: WG: Bestellung", "Bestellung"],
    ["Re : Order", "Order"],
    ["Report: done", "Report: done"],
    ["", ""],
  ])("%j is about %j", (subject, topic) => {
    expect(bareSubject(subject)).toBe(topic);
  });

  it("gets one prefix and no second", () => {
    expect(answerSubject("Order", "reply")).toBe("Re: Order");
    expect(answerSubject("RE: Order", "reply")).toBe("RE: Order");
    expect(answerSubject("Отв: Заказ", "reply")).toBe("Отв: Заказ");
    expect(answerSubject("Re: Order", "forward")).toBe("Fwd: Re: Order");
    expect(answerSubject("Fwd: Order", "forward")).toBe("Fwd: Order");
    expect(answerSubject("  ", "reply")).toBe("");
  });
});

describe("addresses", () => {
  it("are read as they are typed and pasted", () => {
    expect(parseMailboxes('ani@x.am, "Petrosyan, Aram" <aram@x.am>; Նարե <nare@x.am>\nmailto:boss@x.am,, ')).toEqual([
      box("ani@x.am"), box("aram@x.am", "Petrosyan, Aram"), box("nare@x.am", "Նարե"), box("boss@x.am"),
    ]);
    expect(parseMailboxes(" ,; ")).toEqual([]);
    expect(parseMailboxes("Aram <aram@x.am")).toEqual([box("aram@x.am", "Aram")]);
  });

  it.each([
    ["aram@x.am", true], ["a.b+c@sub.x.am", true], ["փոստ@օրինակ.հայ", true],
    ["aram", false], ["aram@x", false], ["aram@x..am", false], ["a@b@x.am", false], ["a b@x.am", false], [`${"a".repeat(65)}@x.am`, false],
  ])("%j is one: %j", (address, is) => {
    expect(isAddress(address)).toBe(is);
  });

  it("stand once, whatever their letters", () => {
    expect(distinct([box("a@x.am"), box("A@X.am", "A"), box("b@x.am")], ["B@x.am"])).toEqual([box("a@x.am")]);
  });

  it("of a conversation are everybody's but ours", () => {
    const entries = [entry(1), entry(2, { senders: [box("nare@x.am")], cc: [box("aram@x.am")] })];
    expect(participants(entries, OWN).map((each) => each.address)).toEqual(["nare@x.am", "aram@x.am"]);
  });
});

describe("a draft", () => {
  it("answers the customer's newest mail, not ours", () => {
    const entries: EntryView[] = [entry(1), entry(2), entry(3, { kind: "reply" }), entry(4, {}, { conversation_id: 11 }), { ...entry(5), mail: null }];
    expect(newestMail(entries, 10)?.id).toBe(2);
    expect(newestMail(entries.slice(2, 3), 10)?.id).toBe(3);
    expect(newestMail([], 10)).toBeNull();
    expect(newestMail([entry(1), entry(2, { is_stranger: true })], 10)?.id).toBe(1);
    expect(newestMail([entry(2, { is_stranger: true })], 10)?.id).toBe(2);
    expect(answerSubject("x".repeat(990), "reply")).toHaveLength(500);
  });

  it("answers no absence note, no report and no mail of our own, unless there is nothing else", () => {
    const noisy = (id: number) => (["auto_reply", "report", "own"] as const).map((noise, index) => entry(id + index, { noise }));
    expect(newestMail([entry(1), ...noisy(2)], 10)?.id).toBe(1);
    expect(newestMail([entry(1, { is_stranger: true }), ...noisy(2)], 10)?.id).toBe(1);
    expect(newestMail([entry(1, { kind: "new" }), ...noisy(2)], 10)?.id).toBe(1);
    expect(newestMail(noisy(2), 10)?.id).toBe(4);
    expect(newestMail([entry(1), entry(2, { noise: "list" })], 10)?.id).toBe(2);
  });

  it("of a forward goes to nobody yet and takes the files along", () => {
    const file = { id: 5, name: "a.pdf", media_type: "application/pdf", size_bytes: 9, state: "stored" as const, url: "/5", is_inline: false };
    const draft = answerDraft(entry(1, {}, { attachments: [file, { ...file, id: 6, is_inline: true }, { ...file, id: 7, state: "failed" }] }), "forward", OWN);
    expect(draft).toMatchObject({ kind: "forward", to: [], cc: [], subject: "Fwd: Պատվեր 17", aboutId: 1, quote: true });
    expect(asNewMail(draft).forwarded_attachment_ids).toEqual([5]);
  });

  it("says everything the hub is to know", () => {
    expect(asNewMail({ ...answerDraft(entry(1), "reply_all", OWN), quote: false })).toEqual({
      kind: "reply", subject: "Re: Պատվեր 17", to: [box("aram@x.am", "Արամ")], cc: [], bcc: [], about_entry_id: 1, quote: false, forwarded_attachment_ids: [],
    });
  });
});

describe("what is asked before a mail leaves", () => {
  it.each([
    "I have attached the invoice.", "See the attachment", "Կից ուղարկում եմ հաշիվը", "Հաշիվը կցված է", "თანდართული ფაილი იხილეთ", "გიმაგრებთ და მიმაგრებულია",
    "Qoşmada faktura var", "Fakturanı əlavə edirəm", "Рахунок у вкладенні — вкладений файл", "Рахунок у додатку", "Счёт во вложении", "Прилагаю счёт",
  ])("hears of an attachment in %j", (text) => {
    expect(speaksOfAttachment(text)).toBe(true);
  });

  it.each(["Thank you.", "> I have attached it", "Unattached", "Скачайте приложение", "Շնորհակալություն", "Հակցում"])("hears of none in %j", (text) => {
    expect(speaksOfAttachment(text)).toBe(false);
  });

  it("is only what is missing", () => {
    const draft = freshDraft(box("aram@x.am"), "");
    expect(doubts(draft, "See attached", 0)).toEqual(["no_subject", "no_attachment"]);
    expect(doubts({ ...draft, subject: "Invoice" }, "See attached", 1)).toEqual([]);
  });
});
