/* What an agent has typed and not sent, by conversation: it survives going elsewhere and a reload. */
import type { AttachmentView } from "./events";

export interface Draft {
  text: string;
  note: string;
  attachments: AttachmentView[];
}

const key = (userId: number, conversationId: number) => `hub.draft.${userId}.${conversationId}`;

export function findDraft(userId: number, conversationId: number): Draft {
  const kept = localStorage.getItem(key(userId, conversationId));
  return kept ? (JSON.parse(kept) as Draft) : { text: "", note: "", attachments: [] };
}

export function keepDraft(userId: number, conversationId: number, draft: Draft): void {
  const empty = draft.text === "" && draft.note === "" && draft.attachments.length === 0;
  if (empty) localStorage.removeItem(key(userId, conversationId));
  else localStorage.setItem(key(userId, conversationId), JSON.stringify(draft));
}
