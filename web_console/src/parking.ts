/*
 * Held work that is put aside until an instant: what is offered as an instant, and what still counts as put aside. Clock times are
 * the organisation's. Pure: zone and now are arguments.
 */
import type { ConversationView } from "./events";

/** As the hub rules it. */
export const LONGEST_DAYS = 90;
const MORNING = 9;
const AFTERNOON = 15;
/** Less ahead than this is no afternoon any more, but "in an hour". */
const WORTH_MS = 90 * 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

interface Wall {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
}

export interface ParkChoice {
  key: "hour" | "afternoon" | "tomorrow" | "monday";
  at: Date;
}

/** Put aside by whoever holds it; the instant itself is over before the hub has said so. */
export function isParked(conversation: Pick<ConversationView, "parked_until" | "assignee_id" | "status">, now: number): boolean {
  const { parked_until: until, assignee_id: holder, status } = conversation;
  return status === "open" && holder !== null && until !== null && Date.parse(until) > now;
}

/** Who waits with the line open is not put aside. */
export const mayPark = (conversation: Pick<ConversationView, "channel_kind" | "assignee_id" | "status" | "callback">): boolean =>
  conversation.status === "open" && conversation.assignee_id !== null && (!["chat", "phone"].includes(conversation.channel_kind) || conversation.callback !== null);

export function parkChoices(now: number, timeZone: string): ParkChoice[] {
  const today = wallAt(now, timeZone);
  const at = (days: number, hour: number) => instantOf({ ...later(today, days), hour, minute: 0 }, timeZone);
  const weekday = new Date(Date.UTC(today.year, today.month - 1, today.day)).getUTCDay();
  const toMonday = (8 - weekday) % 7 || 7;
  const choices: ParkChoice[] = [{ key: "hour", at: new Date(now + HOUR_MS) }];
  if (at(0, AFTERNOON).getTime() - now > WORTH_MS) choices.push({ key: "afternoon", at: at(0, AFTERNOON) });
  choices.push({ key: "tomorrow", at: at(1, MORNING) });
  if (toMonday > 1) choices.push({ key: "monday", at: at(toMonday, MORNING) });
  return choices;
}

/** What a field for a date and a time holds ("2026-11-26T09:00") as an instant; null: it holds none. */
export function readLocal(text: string, timeZone: string): Date | null {
  const found = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)/.exec(text);
  if (!found) return null;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0] = found.slice(1).map(Number);
  return instantOf({ year, month, day, hour, minute }, timeZone);
}

/** The other way round. */
export function writeLocal(at: number, timeZone: string): string {
  const { year, month, day, hour, minute } = wallAt(at, timeZone);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${year}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}`;
}

const later = ({ year, month, day }: Wall, days: number): Pick<Wall, "year" | "month" | "day"> => {
  const date = new Date(Date.UTC(year, month - 1, day) + days * DAY_MS);
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
};

function wallAt(at: number, timeZone: string): Wall {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric",
  });
  const parts = Object.fromEntries(format.formatToParts(at).map((part) => [part.type, Number(part.value)]));
  return { year: parts["year"] ?? 0, month: parts["month"] ?? 1, day: parts["day"] ?? 1, hour: parts["hour"] ?? 0, minute: parts["minute"] ?? 0 };
}

const asUtc = ({ year, month, day, hour, minute }: Wall) => Date.UTC(year, month - 1, day, hour, minute);

/** When clocks there show this. Twice: the zone may be another hour away by then. A time that the clock skips is the one after it. */
function instantOf(wall: Wall, timeZone: string): Date {
  const wanted = asUtc(wall);
  let at = wanted;
  for (let turn = 0; turn < 2; turn += 1) at = wanted - (asUtc(wallAt(at, timeZone)) - at);
  return new Date(at);
}
