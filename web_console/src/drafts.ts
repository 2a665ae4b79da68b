/* What an agent has typed and not sent, by conversation: it survives going elsewhere and a reload. */
import type { AttachmentView } from "./events";
import type { MailDraft } from "./mail";

export interface Draft {
  text: string;
  note: string;
  attachments: AttachmentView[];
  /** The head of a mail, once the agent has changed what it is by itself. */
  mail: MailDraft | null;
}

const key = (userId: number, conversationId: number) => `hub.draft.${userId}.${conversationId}`;
const isEmpty = (draft: Draft) => draft.text === "" && draft.note === "" && draft.attachments.length === 0 && draft.mail === null;
const EMPTY: Draft = { text: "", note: "", attachments: [], mail: null };

export function findDraft(userId: number, conversationId: number): Draft {
  const kept = localStorage.getItem(key(userId, conversationId));
  // One that an earlier release kept may lack what came later.
  return { ...EMPTY, ...(kept ? (JSON.parse(kept) as Partial<Draft>) : {}) };
}

/**
 * Another tab has kept, sent or dropped the draft of this conversation. Whether the one held here, as it is, is the one that was
 * there: then it follows. What was written here meanwhile stays.
 */
export function isOvertaken(userId: number, conversationId: number, held: Draft, event: Pick<StorageEvent, "key" | "oldValue" | "newValue">): boolean {
  if (event.key !== key(userId, conversationId) || event.oldValue === event.newValue) return false;
  return isEmpty(held) ? event.oldValue === null : event.oldValue === JSON.stringify(held);
}

export function keepDraft(userId: number, conversationId: number, draft: Draft): void {
  if (isEmpty(draft)) localStorage.removeItem(key(userId, conversationId));
  else localStorage.setItem(key(userId, conversationId), JSON.stringify(draft));
}

/** What was to be sent is to be written on. What has been begun since stays below it. */
export function giveBack(userId: number, conversationId: number, back: Pick<Draft, "text" | "attachments" | "mail">): void {
  const begun = findDraft(userId, conversationId);
  const held = new Set(back.attachments.map((each) => each.id));
  keepDraft(userId, conversationId, {
    text: [back.text, begun.text].filter((text) => text !== "").join("\n\n"),
    note: begun.note,
    attachments: [...back.attachments, ...begun.attachments.filter((each) => !held.has(each.id))],
    mail: back.mail ?? begun.mail,
  });
}
