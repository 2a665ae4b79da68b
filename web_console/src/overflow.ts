/*
 * A queue's overflow steps while they are edited: after so long, further queues may take its work. Pure. What is wrong with them is
 * said while they are written; it is the hub that refuses, which knows every queue as it is now.
 */
import type { OverflowStep } from "./events";

export type OverflowFault = "no_queue" | "itself" | "no_time" | "same_time";

/** What is wrong with each step, null where nothing is. `queueId`: the queue whose steps they are, null for a new one. */
export function overflowFaults(steps: readonly OverflowStep[], queueId: number | null): (OverflowFault | null)[] {
  return steps.map((step, index) => {
    if (step.queue_ids.length === 0) return "no_queue";
    if (queueId !== null && step.queue_ids.includes(queueId)) return "itself";
    const { after_s, ewt_over_s } = step;
    if ((after_s === null && ewt_over_s === null) || after_s === 0 || ewt_over_s === 0) return "no_time";
    return steps.slice(0, index).some((before) => before.after_s === after_s && before.ewt_over_s === ewt_over_s) ? "same_time" : null;
  });
}

/** The way back to the queue itself, from it over its steps and those of the others; null: they lead nowhere back. */
export function circleOf(
  steps: readonly OverflowStep[],
  queueId: number,
  queues: readonly { id: number; overflow: readonly OverflowStep[] }[],
): number[] | null {
  const targets = (of: readonly OverflowStep[]) => of.flatMap((step) => step.queue_ids);
  const seen = new Set<number>();
  // Depth first, each queue once: what did not lead back will not the second time.
  function back(ids: readonly number[], way: readonly number[]): number[] | null {
    for (const id of ids) {
      if (id === queueId) return [...way, id];
      if (seen.has(id)) continue;
      seen.add(id);
      const found = back(targets(queues.find((queue) => queue.id === id)?.overflow ?? []), [...way, id]);
      if (found) return found;
    }
    return null;
  }
  return back(targets(steps).filter((id) => id !== queueId), [queueId]);
}

/** As it happens by time alone; a queue that is open already is not named again. */
export function asItHappens(steps: readonly OverflowStep[]): { after_s: number; queue_ids: number[] }[] {
  const opened = new Set<number>();
  return steps
    .flatMap(({ after_s, queue_ids }) => (after_s === null ? [] : [{ after_s, queue_ids }]))
    .toSorted((a, b) => a.after_s - b.after_s)
    .map((step) => {
      const fresh = step.queue_ids.filter((id) => !opened.has(id));
      fresh.forEach((id) => opened.add(id));
      return { after_s: step.after_s, queue_ids: fresh };
    })
    .filter((step) => step.queue_ids.length > 0);
}

/** What happens by the estimated wait, the shortest first. */
export function byEstimate(steps: readonly OverflowStep[]): { ewt_over_s: number; queue_ids: number[] }[] {
  return steps
    .flatMap(({ ewt_over_s, queue_ids }) => (ewt_over_s === null || queue_ids.length === 0 ? [] : [{ ewt_over_s, queue_ids }]))
    .toSorted((a, b) => a.ewt_over_s - b.ewt_over_s);
}

/** The sentence at a form's part: the hub names a field ("overflow", "overflow.0.queue_ids"), the part shows the first of its own. */
export function faultUnder(fields: Readonly<Record<string, string>>, part: string): string | undefined {
  return Object.entries(fields).find(([name]) => name === part || name.startsWith(`${part}.`) || name.startsWith(`${part}[`))?.[1];
}
