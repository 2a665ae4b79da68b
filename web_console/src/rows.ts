/*
 * What a timeline shows, line by line: entries, what is still on its way, and the lines between (a new day, another
 * conversation). Pure; the component only draws. The conversations of a customer run into each other, so every change from one
 * to the other is headed: whatever stands below a heading belongs to it. Messages of one author within GROUP_MS stand together
 * under one name; a mail stands by itself, and says its subject where that is another than the mail's before it.
 */
import type { ActivityView, EntryView } from "./events";
import { dayKey } from "./format";
import { bareSubject, isMail, type MailEntry } from "./mail";
import type { Outgoing } from "./outgoing";

export type Row =
  | { kind: "day"; key: string; at: string }
  /** `again`: it was headed further up already. `originId`: what stands below came by that conversation, which is a part of this one now. */
  | { kind: "heading"; key: string; conversationId: number; originId: number | null; again: boolean }
  | { kind: "event"; key: string; entry: EntryView }
  | { kind: "call"; key: string; entry: EntryView }
  | { kind: "entry"; key: string; entry: EntryView; leads: boolean }
  | { kind: "mail"; key: string; entry: MailEntry; saysSubject: boolean }
  | { kind: "activity"; key: string; activity: ActivityView }
  | { kind: "outgoing"; key: string; item: Outgoing; leads: boolean };

const GROUP_MS = 5 * 60_000;

export function timelineRows(
  entries: readonly EntryView[],
  outgoing: readonly Outgoing[],
  timeZone: string,
  activities: readonly ActivityView[] = [],
): Row[] {
  const rows: Row[] = [];
  const headed = new Set<string>();
  const subjects = new Map<number, string>();
  let day = "";
  let previous: EntryView | null = null;
  const head = (conversationId: number, key: string, originId: number | null = null) => {
    const name = `${conversationId}-${originId}`;
    rows.push({ kind: "heading", key: `heading-${key}`, conversationId, originId, again: headed.has(name) });
    headed.add(name);
  };
  const turn = (at: string) => {
    const itsDay = dayKey(at, timeZone);
    if (itsDay !== day) rows.push({ kind: "day", key: `day-${itsDay}`, at });
    return itsDay;
  };
  /** What other systems told stands where it happened, under no conversation's heading of its own. */
  const waiting = activities.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at) || a.id - b.id);
  const tell = (until: number) => {
    while (waiting[0] && Date.parse(waiting[0].at) <= until) {
      const activity = waiting.shift() as ActivityView;
      day = turn(activity.at);
      rows.push({ kind: "activity", key: `activity-${activity.id}`, activity });
    }
  };
  // Whom it took in is told by the one that did; the other has nothing else to show.
  const told = new Set(entries.flatMap((each) => (each.happening === "took_in" ? [each.data["from_id"]] : [])));
  const seen = entries.filter((each) => each.happening !== "merged" || !told.has(each.conversation_id));
  for (const entry of gathered(seen, timeZone)) {
    tell(Date.parse(entry.at));
    const itsDay = turn(entry.at);
    const changes = previous === null || !isOfOne(previous, entry);
    if (changes) head(entry.conversation_id, keyOf(entry), entry.origin_id);
    if (isMail(entry)) {
      const subject = bareSubject(entry.mail.subject);
      rows.push({ kind: "mail", key: keyOf(entry), entry, saysSubject: subject !== subjects.get(entry.conversation_id) });
      subjects.set(entry.conversation_id, subject);
    } else if (entry.call) rows.push({ kind: "call", key: keyOf(entry), entry });
    else if (entry.kind === "event") rows.push({ kind: "event", key: keyOf(entry), entry });
    else rows.push({ kind: "entry", key: keyOf(entry), entry, leads: changes || itsDay !== day || !continues(previous, entry) });
    day = itsDay;
    previous = entry;
  }
  tell(Infinity);
  const arrived = new Set(entries.map((entry) => entry.client_key));
  let last = previous?.origin_id === null ? previous.conversation_id : undefined;
  outgoing
    .filter((item) => !arrived.has(item.key))
    .forEach((item, index) => {
      const changes = last !== item.conversationId;
      if (changes) head(item.conversationId, item.key);
      rows.push({ kind: "outgoing", key: item.key, item, leads: changes || index === 0 });
      last = item.conversationId;
    });
  return rows;
}

/**
 * In order of time, but for what merely happened: while two conversations go on side by side (of two cards that became one, say), such a
 * line stands with those of its own conversation, where these ended the same day less than GROUP_MS before. Each line of it between those
 * of the other would want a heading, and the other one after it.
 */
function gathered(entries: readonly EntryView[], timeZone: string): readonly EntryView[] {
  const rows: EntryView[] = [];
  for (const entry of entries) {
    let at = rows.length;
    if (entry.kind === "event" && !entry.call && rows.at(-1)?.conversation_id !== entry.conversation_id) {
      const isNear = (each: EntryView) => Date.parse(entry.at) - Date.parse(each.at) < GROUP_MS && dayKey(each.at, timeZone) === dayKey(entry.at, timeZone);
      let before = at - 1;
      while (before >= 0 && isNear(rows[before] as EntryView) && !isOfOne(rows[before] as EntryView, entry)) before -= 1;
      if (before >= 0 && isNear(rows[before] as EntryView)) at = before + 1;
    }
    rows.splice(at, 0, entry);
  }
  return rows;
}

const isOfOne = (a: EntryView, b: EntryView) => a.conversation_id === b.conversation_id && a.origin_id === b.origin_id;

/** Whose line it is; a day is nobody's, and what other systems told is the customer's. */
export function conversationOf(row: Row): number | null {
  if (row.kind === "day" || row.kind === "activity") return null;
  if (row.kind === "heading") return row.conversationId;
  return row.kind === "outgoing" ? row.item.conversationId : row.entry.conversation_id;
}

/** One's own echo takes the place of what was on its way, without a flash. */
function keyOf(entry: EntryView): string {
  return entry.client_key ?? `entry-${entry.id}`;
}

function continues(previous: EntryView | null, entry: EntryView): boolean {
  return (
    previous !== null &&
    previous.kind === entry.kind &&
    !isMail(previous) &&
    previous.direction === entry.direction &&
    previous.channel_id === entry.channel_id &&
    previous.origin_id === entry.origin_id &&
    previous.author.user_id === entry.author.user_id &&
    previous.author.name === entry.author.name &&
    Date.parse(entry.at) - Date.parse(previous.at) < GROUP_MS
  );
}
