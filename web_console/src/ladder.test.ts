import { describe, expect, it } from "vitest";

import { type Action, ACTION_KINDS, type Draft, emptyPolicy, inOrder, ladderFaults, newAction, newId, newStep, type Step, thresholdOf, toSend, usualLadder } from "./ladder";

const KNOWN = { queueIds: [1, 2], userIds: [7] };

function step(changes: Partial<Step> = {}): Step {
  return { id: newId(), clock: "waiting", after_s: 300, share: null, in_states: [], actions: [{ kind: "page_supervisor" }], ...changes };
}
const draft = (steps: Step[], changes: Partial<Draft> = {}): Draft => ({ ...emptyPolicy(), name: "Usual", steps, ...changes });
const faultsOf = (action: Action) => ladderFaults(draft([step({ actions: [action] })]), KNOWN);

describe("what is wrong with a ladder", () => {
  it("is nothing when it begins with the usual one", () => {
    expect(ladderFaults(usualLadder("Usual", "overdue"), KNOWN)).toEqual({});
  });

  it("is that it has no name and no step", () => {
    expect(ladderFaults(emptyPolicy(), KNOWN)).toEqual({ name: "empty", steps: "no_step" });
  });

  it.each([
    [{ after_s: Number.NaN }, "steps.0.after_s", "no_time"],
    [{ after_s: -1 }, "steps.0.after_s", "no_time"],
    [{ after_s: null, share: 0 }, "steps.0.share", "no_share"],
    [{ after_s: null, share: null }, "steps.0.share", "no_share"],
    [{ after_s: null, share: 0.8 }, "steps.0.share", "no_target"],
    [{ actions: [] }, "steps.0.actions", "no_action"],
  ] as [Partial<Step>, string, string][])("of the step %o is told at %s", (changes, field, fault) => {
    expect(ladderFaults(draft([step(changes)]), KNOWN)).toEqual({ [field]: fault });
  });

  it.each([
    [{ kind: "raise_priority", minutes: 0 }, "minutes", "no_minutes"],
    [{ kind: "raise_priority", minutes: 1.5 }, "minutes", "no_minutes"],
    [{ kind: "widen_skills", levels: 6 }, "levels", "no_levels"],
    [{ kind: "move_to_queue", queue_id: 0 }, "queue_id", "no_queue"],
    [{ kind: "move_to_queue", queue_id: 99 }, "queue_id", "no_queue"],
    [{ kind: "notify_user", user_id: 0 }, "user_id", "no_person"],
    [{ kind: "assign_to", user_id: 8 }, "user_id", "no_person"],
    [{ kind: "tag", name: "  " }, "name", "no_words"],
    [{ kind: "auto_reply", text: "x".repeat(1_601) }, "text", "too_long"],
  ] as [Action, string, string][])("of the action %o is told at its %s", (action, field, fault) => {
    expect(faultsOf(action)).toEqual({ [`steps.0.actions.0.${field}`]: fault });
  });

  it("is told under the number of the step as it is sent", () => {
    const faults = ladderFaults(draft([step(), step({ after_s: Number.NaN })]), KNOWN);
    expect(Object.keys(faults)).toEqual(["steps.1.after_s"]);
  });

  it("is no target of nought seconds", () => {
    expect(ladderFaults(draft([step()], { targets: { first_response: 0 } }), KNOWN)).toEqual({ "targets.first_response": "no_time" });
  });
});

describe("the order of a ladder", () => {
  const targets = { first_response: 900 };

  it("is by clock, then by time, shares counted in the target", () => {
    const late = step({ clock: "first_response", after_s: 800 });
    const early = step({ clock: "first_response", after_s: null, share: 0.5 });
    const waiting = step({ after_s: 5_000 });
    expect(inOrder({ targets, steps: [late, early, waiting] })).toEqual([waiting, early, late]);
  });

  it("has a share of no target last, and leaves what is at the same time as it stands", () => {
    const lost = step({ after_s: null, share: 0.5 });
    const [one, two] = [step(), step()];
    expect(inOrder({ targets: {}, steps: [lost, one, two] })).toEqual([one, two, lost]);
  });

  it("counts a share in the target of its own clock", () => {
    expect(thresholdOf({ clock: "first_response", after_s: null, share: 0.8 }, { targets })).toBe(720);
    expect(thresholdOf({ clock: "waiting", after_s: null, share: 0.8 }, { targets })).toBeNull();
  });
});

describe("what is new on a ladder", () => {
  it("stands above what is there, at the target where there is one", () => {
    const targets = { first_response: 900 };
    expect(newStep("first_response", { targets, steps: [] })).toMatchObject({ after_s: null, share: 1 });
    expect(newStep("waiting", { targets, steps: [] })).toMatchObject({ after_s: 300, share: null });
    expect(newStep("waiting", { targets, steps: [step({ after_s: 600 })] })).toMatchObject({ after_s: 900, share: null });
    expect(newStep("waiting", { targets, steps: [step({ after_s: 10 })] }).after_s).toBe(20);
  });

  it("has an id of its own, long enough", () => {
    const ids = Array.from({ length: 50 }, newId);
    expect(new Set(ids).size).toBe(50);
    expect(ids.every((id) => /^[0-9a-f]{16}$/.test(id))).toBe(true);
  });

  it("is an action of every kind", () => {
    expect(ACTION_KINDS.map((kind) => newAction(kind).kind)).toEqual([...ACTION_KINDS]);
  });
});

it("what goes to the hub is in order and without blanks around words", () => {
  const sent = toSend(draft([step({ after_s: 900 }), step({ after_s: 60, actions: [{ kind: "tag", name: " late " }, { kind: "auto_reply", text: " Soon. " }] })], { name: " Usual " }));
  expect(sent.name).toBe("Usual");
  expect(sent.steps.map((each) => each.after_s)).toEqual([60, 900]);
  expect(sent.steps[0]?.actions).toEqual([{ kind: "tag", name: "late" }, { kind: "auto_reply", text: "Soon." }]);
});
