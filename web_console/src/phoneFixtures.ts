/* Calls and legs as tests want them: a talk of the customer Ani with nobody in particular, changed as needed. */
import type { CallView, LegView } from "./events";

export function aLeg(id: number, changes: Partial<LegView> = {}): LegView {
  return {
    id, party: "agent", user_id: null, name: "Ani", address: "", state: "connected", presence: "talk", muted: false, created_at: "2026-11-26T09:00:00Z",
    connected_at: "2026-11-26T09:00:01Z", ended_at: null, end_reason: null, due_at: null, ...changes,
  };
}

export function aCall(changes: Partial<CallView> = {}): CallView {
  return {
    id: 1, conversation_id: 10, customer_id: 20, customer_name: "Ani", channel_id: "phone-demo", direction: "in", state: "talking",
    state_since: "2026-11-26T09:00:01Z", queue_id: 1, agent_id: 7, address: "+37491000001", line: "+15005550006", language: "en", chosen: [], recording: "off",
    started_at: "2026-11-26T08:59:00Z", queued_at: "2026-11-26T08:59:10Z", answered_at: "2026-11-26T09:00:01Z", hung_up_at: null, ended_at: null,
    end_reason: null, due_at: null, legs: [], segments: [], recordings: [], version: 1, customer_is_erased: false, ...changes,
  };
}
