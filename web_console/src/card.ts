/*
 * A customer's card, decided: which facts it has, how each is read from a form, what of an edit goes to the hub, and what becomes of a
 * colleague's words meanwhile. Pure.
 *
 * An edit names what it changes and what was seen there; the hub merges (hub/domain/card.py). Custom fields are facts like any other; their
 * keys begin with "fields.".
 */
import { zoneOf } from "./countries";
import type { ContactPointView, CustomerView, CustomFieldView } from "./events";
import { clockTime, plainDate } from "./format";
import { ownCalendar } from "./calendars";

export type FactValue = string | number | boolean | string[] | null;
export type FactKind = CustomFieldView["kind"] | "long" | "birthday" | "country" | "zone" | "language" | "owner" | "channel" | "tags" | "source";

export interface Fact {
  /** As the hub names it: "town", "fields.vip". */
  key: string;
  label: string;
  kind: FactKind;
  section: string;
  hint?: string | undefined;
  options?: CustomFieldView["options"];
  /** Only looked at. */
  readonly?: boolean;
  /** A conversation is not resolved without it. */
  required?: boolean;
}

type CardKey = Exclude<keyof CustomerView, "id" | "contact_points" | "version" | "created_at" | "fields">;

/** The facts that every card has, beside name, note and addresses: by section, in the order of forms. */
export const CARD_FACTS: readonly { key: CardKey; kind: FactKind; section: "person" | "address" | "relation" }[] = [
  { key: "company", kind: "text", section: "person" },
  { key: "job_title", kind: "text", section: "person" },
  { key: "birthday", kind: "birthday", section: "person" },
  { key: "language", kind: "language", section: "person" },
  { key: "country", kind: "country", section: "address" },
  { key: "region", kind: "text", section: "address" },
  { key: "town", kind: "text", section: "address" },
  { key: "district", kind: "text", section: "address" },
  { key: "street", kind: "text", section: "address" },
  { key: "postcode", kind: "text", section: "address" },
  { key: "time_zone", kind: "zone", section: "address" },
  { key: "preferred_channel", kind: "channel", section: "relation" },
  { key: "owner_id", kind: "owner", section: "relation" },
  { key: "source", kind: "source", section: "relation" },
  { key: "tags", kind: "tags", section: "relation" },
];

const FIELD = "fields.";
/** What null says; of the others it is an empty text. */
const NULLABLE: readonly string[] = ["language", "owner_id", "preferred_channel"];

export function factOf(customer: Pick<CustomerView, "fields">, key: string): FactValue {
  if (key.startsWith(FIELD)) return (customer.fields[key.slice(FIELD.length)] as FactValue | undefined) ?? null;
  const value = (customer as Record<string, unknown>)[key] as FactValue | undefined;
  return value === "" || value === undefined ? null : value;
}

export const isEmpty = (value: FactValue): boolean => value === null || value === "" || (Array.isArray(value) && value.length === 0);
export const isSame = (a: FactValue, b: FactValue): boolean => JSON.stringify(isEmpty(a) ? null : a) === JSON.stringify(isEmpty(b) ? null : b);

/** What goes to the hub: the facts that differ from what was seen, and what was seen of them; null: nothing. */
export function patchOf(drafts: Readonly<Record<string, FactValue>>, seen: Readonly<Record<string, FactValue>>) {
  const wanted: Record<string, unknown> = {};
  const before: Record<string, unknown> = {};
  const fields: Record<string, FactValue> = {};
  const fieldsBefore: Record<string, FactValue> = {};
  for (const [key, value] of Object.entries(drafts)) {
    const was = seen[key] ?? null;
    if (isSame(value, was)) continue;
    if (key.startsWith(FIELD)) {
      fields[key.slice(FIELD.length)] = isEmpty(value) ? null : value;
      fieldsBefore[key.slice(FIELD.length)] = was;
    } else {
      wanted[key] = told(key, value);
      before[key] = told(key, was);
    }
  }
  if (Object.keys(wanted).length === 0 && Object.keys(fields).length === 0) return null;
  return { ...wanted, fields, seen: { ...before, fields: fieldsBefore } };
}

function told(key: string, value: FactValue): FactValue {
  if (key === "tags") return value ?? [];
  return isEmpty(value) && !NULLABLE.includes(key) ? "" : value;
}

/**
 * What a form shows when the card changes beneath it: a fact that nobody touched follows; one that was is a conflict unless both say the
 * same. Tags are merged by the hub and never conflict.
 */
export function followed(drafts: Readonly<Record<string, FactValue>>, seen: Readonly<Record<string, FactValue>>, now: Readonly<Record<string, FactValue>>) {
  const next: Record<string, FactValue> = { ...drafts };
  const base: Record<string, FactValue> = { ...seen };
  const conflicts: string[] = [];
  for (const [key, value] of Object.entries(now)) {
    if (isSame(value, seen[key] ?? null)) continue;
    if (isSame(drafts[key] ?? null, seen[key] ?? null) || isSame(drafts[key] ?? null, value)) {
      next[key] = value;
      base[key] = value;
    } else if (key !== "tags") conflicts.push(key);
  }
  return { drafts: next, seen: base, conflicts };
}

/** The fields that a conversation needs before it is resolved, and has not. */
export function gapsOf(fields: Readonly<Record<string | number, CustomFieldView>>, conversation: { fields: Record<string, unknown> }): CustomFieldView[] {
  return Object.values(fields).filter((field) => field.subject === "conversation" && field.required && field.active && !(field.key in conversation.fields));
}

// --- reading what was typed

export type Shortcoming = "number" | "date" | "link";

/** The value that stands in a form's field, or what is wrong with it; the hub looks again. */
export function readTyped(kind: FactKind, typed: FactValue): { value: FactValue } | { fault: Shortcoming } {
  if (isEmpty(typed)) return { value: null };
  if (typeof typed !== "string") return { value: typed };
  const text = typed.trim();
  if (text === "") return { value: null };
  if (kind === "number") {
    // A comma is how most of our readers write it.
    const number = Number(text.replace(/[\s\u00a0]/gu, "").replace(",", "."));
    return Number.isFinite(number) ? { value: number } : { fault: "number" };
  }
  if (kind === "link") {
    const address = /^[a-z][a-z0-9+.-]*:/iu.test(text) ? text : `https://${text}`;
    return /^https?:\/\/[^\s/?#]+\S*$/iu.test(address) ? { value: address } : { fault: "link" };
  }
  return { value: text };
}

// --- birthdays: 1990-05-17, or --05-17

export function birthdayParts(text: string): { year: string; month: string; day: string } {
  const [, year = "", month = "", day = ""] = /^(\d{4}|-)-(\d{2})-(\d{2})$/.exec(text) ?? [];
  return { year: year === "-" ? "" : year, month, day };
}

export function birthdayOf(year: string, month: string, day: string): string {
  if (month === "" && day === "") return "";
  return `${year.trim() === "" ? "-" : year.trim()}-${month.padStart(2, "0")}-${day.padStart(2, "0")}`;
}

/** "17 May 1990" or "17 May"; with how old they are. */
export function birthdayWords(text: string, now: number, locale: string): { date: string; age: number | null; isToday: boolean } {
  const { year, month, day } = birthdayParts(text);
  const today = new Date(now);
  const isToday = today.getUTCMonth() + 1 === Number(month) && today.getUTCDate() === Number(day);
  const own = ownCalendar(locale);
  const at = Date.UTC(Number(year) || 2000, Number(month) - 1, Number(day));
  const date = own
    ? `${Number(day)} ${own.monthsOfDate[Number(month) - 1] ?? ""}${year ? ` ${year}` : ""}`
    : new Intl.DateTimeFormat(locale, { day: "numeric", month: "long", ...(year ? { year: "numeric" } : {}), timeZone: "UTC" }).format(at);
  if (!year) return { date, age: null, isToday };
  const hadIt = today.getUTCMonth() + 1 > Number(month) || (today.getUTCMonth() + 1 === Number(month) && today.getUTCDate() >= Number(day));
  return { date, age: today.getUTCFullYear() - Number(year) - (hadIt ? 0 : 1), isToday };
}

/** A plain date with its year, as cards write it. */
export const dateWords = (day: string, locale: string): string => plainDate(day, 0, locale);

// --- what time it is where they are

const NIGHT_FROM = 21;
const NIGHT_UNTIL = 8;

/** `isGuess`: taken from the country, which has one zone alone. Null: nobody knows. */
export function localTime(customer: Pick<CustomerView, "time_zone" | "country">, now: number, locale: string): { time: string; zone: string; isNight: boolean; isGuess: boolean } | null {
  const zone = customer.time_zone || zoneOf(customer.country);
  if (!zone) return null;
  try {
    const hour = Number(clockTime(now, "en", zone).slice(0, 2));
    return { time: clockTime(now, locale, zone), zone, isNight: hour >= NIGHT_FROM || hour < NIGHT_UNTIL, isGuess: customer.time_zone === "" };
  } catch {
    // A zone that the hub knows and this browser does not.
    return null;
  }
}

// --- addresses of people

/** "telegram:ani" → its network, its name, and where it is looked at. */
export function handleOf(address: string): { network: string; name: string; url: string } {
  const [network = "", name = ""] = address.split(":", 2);
  const hosts: Record<string, string> = {
    telegram: "https://t.me/", instagram: "https://instagram.com/", facebook: "https://facebook.com/", messenger: "https://m.me/", x: "https://x.com/",
    tiktok: "https://tiktok.com/@", linkedin: "https://linkedin.com/in/", youtube: "https://youtube.com/@",
  };
  return { network, name, url: `${hosts[network] ?? "https://"}${encodeURIComponent(name)}` };
}
export const NETWORKS = ["telegram", "instagram", "facebook", "messenger", "x", "tiktok", "linkedin", "youtube"] as const;

type ConsentChannel = ContactPointView["consents"][number]["channel"];
export const CHANNELS_OF: Record<ContactPointView["kind"], readonly ConsentChannel[]> = { phone: ["sms", "phone"], email: ["email"], chat: ["chat"], loopback: ["loopback"], handle: [] };

/** Whether the customer allows it: service until they forbid it, marketing once they allow it. */
export function allows(point: Pick<ContactPointView, "consents">, channel: ConsentChannel, purpose: "service" | "marketing"): boolean {
  const word = point.consents.find((each) => each.channel === channel && each.purpose === purpose);
  return word ? word.given : purpose === "service";
}

// --- the address in one line

/** From the street to the country, as an envelope has it. */
export function addressWords(customer: Pick<CustomerView, "street" | "district" | "town" | "region" | "postcode" | "country">, country: string): string {
  const place = [customer.postcode, customer.town].filter(Boolean).join(" ");
  // A capital is often a region, too.
  const region = customer.region === customer.town ? "" : customer.region;
  return [customer.street, customer.district, place, region, country].filter(Boolean).join(", ");
}
