/* What a supervisor may do about an agent and their call, from wherever they see them. */
import { usePhone } from "./calling";
import { api } from "./client";
import type { CallView } from "./events";
import { useHub } from "./hub";
import { maySupervise, reachOf } from "./phone";
import { useWords } from "./words";

export const SETTABLE = ["available", "busy", "away", "offline"] as const;
/** The ways into a call. */
export const WAYS = [
  { presence: "listen", icon: "headset", label: "phone.listen", hint: "phone.listen_hint" },
  { presence: "whisper", icon: "mic", label: "phone.whisper", hint: "phone.whisper_hint" },
  { presence: "talk", icon: "team", label: "phone.barge", hint: "phone.barge_hint" },
] as const;

export function useSupervising() {
  const hub = useHub();
  const phone = usePhone();
  const { attempt } = useWords();

  const setState = (userId: number, state: (typeof SETTABLE)[number]) =>
    attempt(async () => hub.learn({ kind: "agent.changed", agent: await api.setAgentState(userId, { state, reason: null }) }));

  /** There is something to come into, and I am in no call myself. */
  const mayEnter = (call: CallView) => hub.user !== null && hub.may("calls.listen") && phone.leg === null && maySupervise(call, hub.user.id);
  /** There is a telephone of mine that the call could ring at. */
  const reachesMe = (call: CallView) => reachOf(hub.state?.channels[call.channel_id]?.voice ?? null, hub.user?.desk_phone ?? null) !== null;
  const enter = (call: CallView, presence: (typeof WAYS)[number]["presence"]) => attempt(() => phone.supervise(call.id, presence));

  return { setState, mayEnter, reachesMe, enter };
}
