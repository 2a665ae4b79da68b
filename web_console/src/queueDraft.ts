/* What of a queue is edited, and what a new one begins with. Pure. */
import type { QueueView } from "./events";

export type QueueDraft = Omit<QueueView, "id" | "version" | "unservable">;

/** As the hub has it for a queue that says nothing of these (hub/store/tables.py). */
const NEW: QueueDraft = {
  name: "", member_ids: [], offer_timeout_s: 20, signature: "", choice: "least_loaded", overflow: [], makes_room: false, ring_s: {}, max_wait_s: 3_600,
  exclusion_s: 60, miss_limit: 3, release_when_lost: "live", language_wish_s: null, last_agent_days: null, last_agent_wish_s: null, required: [],
  owner_wish_s: null, ranks: {}, auto_accept: [], connect_timeout_s: 30, calendar_id: null, policy_id: null, tells_place: true, offers_callback: false,
  callback_gap_s: 900, callback_attempts: 3, wrap_up_s: 60, wrap_up_mandatory: false, dispositions: [], records_calls: false, recording_days: null,
  caller_channel_id: null,
};

export function draftedQueue(from: QueueView | null): QueueDraft {
  if (from === null) return structuredClone(NEW);
  const { id: _id, version: _version, unservable: _unservable, ...rest } = from;
  return JSON.parse(JSON.stringify(rest)) as QueueDraft;
}

/** As the hub wants it: fields of numbers hold text while they are typed in. */
export function queueBody(draft: QueueDraft): QueueDraft {
  return {
    ...draft,
    name: draft.name.trim(),
    signature: draft.signature.trim(),
    offer_timeout_s: Number(draft.offer_timeout_s),
    miss_limit: Number(draft.miss_limit),
    connect_timeout_s: Number(draft.connect_timeout_s),
    callback_attempts: Number(draft.callback_attempts),
    ranks: ranksOf(draft),
    recording_days: draft.recording_days === null ? null : Number(draft.recording_days),
    last_agent_days: draft.last_agent_days === null ? null : Number(draft.last_agent_days),
  };
}

/** The lines of those who are still members; the first line is 0 and goes without saying. */
function ranksOf(draft: QueueDraft): QueueDraft["ranks"] {
  return Object.fromEntries(Object.entries(draft.ranks).filter(([id, rank]) => rank > 0 && draft.member_ids.includes(Number(id))));
}

/** The lines that somebody stands in, the first is 1. */
export function linesOf(draft: Pick<QueueDraft, "ranks" | "member_ids">): number[] {
  const lines = new Set(draft.member_ids.map((id) => (draft.ranks[id] ?? 0) + 1));
  return [...lines].toSorted((a, b) => a - b);
}
