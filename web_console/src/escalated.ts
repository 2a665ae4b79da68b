/*
 * The line of a timeline that tells of a fired step, taken apart: which clock, after how long, what was done and what could not be.
 * Pure. The hub writes the kinds of actions as words with commas between them, those that failed with their reason
 * (`assign_to:user_gone`), and beside them what a sentence needs; the words are the catalogue's.
 */
import type { EntryView } from "./events";
import { ACTION_KINDS, type ActionKind, type Clock, CLOCKS } from "./ladder";

export interface Escalated {
  /** null: a clock that this page does not know yet. */
  clock: Clock | null;
  elapsed_s: number;
  policy: string;
  done: ActionKind[];
  failed: { kind: ActionKind; reason: string }[];
}

const words = (value: unknown) => (typeof value === "string" && value !== "" ? value.split(",") : []);
const kindOf = (word: string) => ACTION_KINDS.find((kind) => kind === word);

export function readEscalated(data: EntryView["data"]): Escalated {
  return {
    clock: CLOCKS.find((clock) => clock === data["clock"]) ?? null,
    elapsed_s: Number(data["elapsed_s"] ?? 0),
    policy: String(data["policy"] ?? ""),
    done: [...new Set(words(data["actions"]).flatMap((word) => kindOf(word) ?? []))],
    failed: words(data["failed"]).flatMap((word) => {
      const [kind = "", reason = ""] = word.split(":", 2);
      const known = kindOf(kind);
      return known ? [{ kind: known, reason }] : [];
    }),
  };
}
