/*
 * What a timeline shows, line by line: entries, what is still on its way, and the lines between (a new day, the start of a
 * conversation). Pure; the component only draws. Messages of one author within GROUP_MS stand together under one name; a mail
 * stands by itself, and says its subject where that is another than the mail's before it.
 */
import type { EntryView } from "./events";
import { dayKey } from "./format";
import { bareSubject, isMail, type MailEntry } from "./mail";
import type { Outgoing } from "./outgoing";

export type Row =
  | { kind: "day"; key: string; at: string }
  | { kind: "start"; key: string; conversationId: number }
  | { kind: "event"; key: string; entry: EntryView }
  | { kind: "entry"; key: string; entry: EntryView; leads: boolean }
  | { kind: "mail"; key: string; entry: MailEntry; saysSubject: boolean }
  | { kind: "outgoing"; key: string; item: Outgoing; leads: boolean };

const GROUP_MS = 5 * 60_000;

export function timelineRows(
  entries: readonly EntryView[],
  outgoing: readonly Outgoing[],
  timeZone: string,
  reachesBeginning: boolean,
): Row[] {
  const rows: Row[] = [];
  const begun = new Set<number>();
  const subjects = new Map<number, string>();
  let day = "";
  let previous: EntryView | null = null;
  for (const entry of entries) {
    const itsDay = dayKey(entry.at, timeZone);
    if (itsDay !== day) rows.push({ kind: "day", key: `day-${itsDay}`, at: entry.at });
    // Of the oldest loaded entry it is not known whether its conversation begins there.
    const begins = !begun.has(entry.conversation_id) && (previous !== null || reachesBeginning);
    if (begins) rows.push({ kind: "start", key: `start-${entry.conversation_id}`, conversationId: entry.conversation_id });
    begun.add(entry.conversation_id);
    if (isMail(entry)) {
      const subject = bareSubject(entry.mail.subject);
      rows.push({ kind: "mail", key: keyOf(entry), entry, saysSubject: subject !== subjects.get(entry.conversation_id) });
      subjects.set(entry.conversation_id, subject);
    } else if (entry.kind === "event") rows.push({ kind: "event", key: keyOf(entry), entry });
    else rows.push({ kind: "entry", key: keyOf(entry), entry, leads: begins || itsDay !== day || !continues(previous, entry) });
    day = itsDay;
    previous = entry;
  }
  const arrived = new Set(entries.map((entry) => entry.client_key));
  outgoing
    .filter((item) => !arrived.has(item.key))
    .forEach((item, index) => rows.push({ kind: "outgoing", key: item.key, item, leads: index === 0 }));
  return rows;
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
    previous.author.user_id === entry.author.user_id &&
    previous.author.name === entry.author.name &&
    Date.parse(entry.at) - Date.parse(previous.at) < GROUP_MS
  );
}
