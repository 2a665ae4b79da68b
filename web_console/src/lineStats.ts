/* What the browser measures of a line, from one look to the next. Pure: the reports are those of RTCPeerConnection.getStats(). */
import type { Measured } from "./phone";

/** Counters so far; the next look tells what came in between. */
export interface Counted {
  readonly received: number;
  readonly lost: number;
}

const NOTHING: Counted = { received: 0, lost: 0 };

type Report = Readonly<Record<string, unknown>>;
const number = (report: Report | undefined, name: string): number | null => (typeof report?.[name] === "number" ? (report[name] as number) : null);
const seconds_ms = (seconds: number | null) => (seconds === null ? null : seconds * 1_000);

/** `before`: what was counted at the last look, null at the first. */
export function measureLine(reports: Iterable<Report>, before: Counted | null): { measured: Measured; counted: Counted } {
  const all = [...reports];
  const incoming = all.find((each) => each["type"] === "inbound-rtp" && each["kind"] === "audio");
  const outgoing = all.find((each) => each["type"] === "remote-inbound-rtp" && each["kind"] === "audio");
  const pair = all.find((each) => each["type"] === "candidate-pair" && each["nominated"] === true && each["state"] === "succeeded");
  const counted = { received: number(incoming, "packetsReceived") ?? 0, lost: number(incoming, "packetsLost") ?? 0 };
  const since = before ?? NOTHING;
  // Counts begin anew with a new stream; what arrives late after all takes losses back.
  const isSame = counted.received >= since.received;
  const lost = Math.max(0, counted.lost - (isSame ? since.lost : 0));
  const received = counted.received - (isSame ? since.received : 0);
  const theirs = number(outgoing, "fractionLost");
  const ours = received + lost === 0 ? null : lost / (received + lost);
  return {
    measured: {
      loss: ours === null && theirs === null ? null : Math.max(ours ?? 0, theirs ?? 0),
      jitter_ms: seconds_ms(number(incoming, "jitter")),
      roundTrip_ms: seconds_ms(number(outgoing, "roundTripTime") ?? number(pair, "currentRoundTripTime")),
    },
    counted,
  };
}
