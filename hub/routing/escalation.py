"""Escalation: which steps of a ladder are due for a piece of work, and when the next one is. Pure.

A policy is a ladder of steps. Each has a clock (how long has it waited, how long is the customer without an answer …), a
threshold (a time, or a share of the clock's target) and actions, which are values: whoever applies them is elsewhere.

A history says what was so when: `Segment`s (from an instant on: the state the work was in, the calendar and the policy that
held) and `Run`s of clocks (the second unanswered message is the second run of NEXT_RESPONSE). Nothing in it is ever
rewritten; what changes begins a new segment. So a clock is integrated piece by piece: business time by the calendar of its
time, standing still in the states in which the policy of its time pauses, and a change of calendar or policy is right for
what was before and for what comes.

* A step is due at the first instant at which its clock has reached its threshold while a policy that has the step holds and
  the clock runs. A policy that comes with a threshold already passed makes its step due when it comes (or when the
  pause that it comes in ends).
* A step fires once in each run of its clock, whatever becomes of its threshold: it is known by its policy and its id
  (`fired`), which outlive versions.
* Late rather than never: whoever asks after an hour's outage is told everything that became due in it, with the instant
  at which it was, and whether the run is over by now (`is_over`: an answer came; there is nobody to be paged any more).
* Asking often or once at the end gives the same steps at the same instants.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import ClassVar

from hub.domain.sentences import Sentence
from hub.domain.values import Role
from hub.routing.calendar import Calendar, Faults, add_open_seconds, is_open, open_seconds
from hub.routing.engine import Skill

# More rungs than anybody can keep in mind; a policy with more is a mistake.
_MAX_STEPS = 50
# Ten years of business time: a longer threshold is a slip of the keyboard.
_LONGEST_S = 315_360_000.0
# Sums of seconds are rounded, instants are exact: nearer than this, the instant decides.
_NEAR_S = 1.0


class Clock(StrEnum):
    """WAITING: in a queue. FIRST_RESPONSE: until the first human answer. NEXT_RESPONSE: since the oldest customer message
    that nobody has answered. RESOLUTION: since it was opened. IDLE: since anything happened to it."""

    WAITING = "waiting"
    FIRST_RESPONSE = "first_response"
    NEXT_RESPONSE = "next_response"
    RESOLUTION = "resolution"
    IDLE = "idle"


class WorkState(StrEnum):
    """WAITING: in a queue. WITH_AGENT: held, and the customer waits for an answer. PENDING_CUSTOMER: held, with nothing
    unanswered. PARKED: put aside."""

    WAITING = "waiting"
    WITH_AGENT = "with_agent"
    PENDING_CUSTOMER = "pending_customer"
    PARKED = "parked"
    RESOLVED = "resolved"


# --- actions --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RaisePriority:
    kind: ClassVar[str] = "raise_priority"
    minutes: int


@dataclass(frozen=True, slots=True)
class WidenSkills:
    """Lower every required skill by so many levels; one that falls below 1 is required no more."""

    kind: ClassVar[str] = "widen_skills"
    levels: int


@dataclass(frozen=True, slots=True)
class MoveToQueue:
    kind: ClassVar[str] = "move_to_queue"
    queue_id: int


@dataclass(frozen=True, slots=True)
class NotifyUser:
    kind: ClassVar[str] = "notify_user"
    user_id: int


@dataclass(frozen=True, slots=True)
class NotifyRole:
    """Everybody of that role among the queue's people."""

    kind: ClassVar[str] = "notify_role"
    role: str


@dataclass(frozen=True, slots=True)
class AssignTo:
    kind: ClassVar[str] = "assign_to"
    user_id: int


@dataclass(frozen=True, slots=True)
class PageSupervisor:
    kind: ClassVar[str] = "page_supervisor"


@dataclass(frozen=True, slots=True)
class Tag:
    kind: ClassVar[str] = "tag"
    name: str


@dataclass(frozen=True, slots=True)
class AutoReply:
    kind: ClassVar[str] = "auto_reply"
    text: str


Action = (
    RaisePriority | WidenSkills | MoveToQueue | NotifyUser | NotifyRole | AssignTo | PageSupervisor | Tag | AutoReply
)
ACTIONS: Mapping[str, type[Action]] = {
    each.kind: each
    for each in (
        RaisePriority,
        WidenSkills,
        MoveToQueue,
        NotifyUser,
        NotifyRole,
        AssignTo,
        PageSupervisor,
        Tag,
        AutoReply,
    )
}
# field → (least, most); of a text, of its length. `text`: as much as every channel carries (a text message: 1,600).
_BOUNDS: Mapping[str, tuple[int, int]] = {
    "minutes": (1, 10_000),
    "levels": (1, 5),
    "queue_id": (1, 2**63 - 1),
    "user_id": (1, 2**63 - 1),
    "name": (1, 50),
    "text": (1, 1_600),
}


def widened(required: Sequence[Skill], levels: int) -> tuple[Skill, ...]:
    """What is still required after WidenSkills(levels)."""
    return tuple(Skill(skill.name, skill.level - levels) for skill in required if skill.level > levels)


# --- policies -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """`id` is the step's own for ever, through all versions of its policy. `after_s`, or `share` of the clock's target:
    exactly one. `in_states`: the clock counts for this step only in these; empty: in all."""

    id: str
    clock: Clock
    actions: tuple[Action, ...]
    after_s: float | None = None
    share: float | None = None
    in_states: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Policy:
    """`targets`: clock → seconds of business time. `paused_in`: states in which all clocks but IDLE stand still."""

    id: str
    version: int
    steps: tuple[Step, ...]
    targets: Mapping[Clock, float] = field(default_factory=dict)
    paused_in: frozenset[str] = frozenset()

    def threshold_s(self, step: Step) -> float | None:
        """None: a share of a target that the policy does not set."""
        if step.after_s is not None:
            return step.after_s
        target = self.targets.get(step.clock)
        return None if target is None or step.share is None else target * step.share


@dataclass(frozen=True, slots=True)
class Segment:
    """From `start` on, until the next one starts. No policy: nothing escalates, clocks run all the same."""

    start: datetime
    state: str
    calendar: Calendar
    policy: Policy | None


@dataclass(frozen=True, slots=True)
class Run:
    """The `number`-th run of a clock. It is over at `stopped_at`."""

    clock: Clock
    number: int
    started_at: datetime
    stopped_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class History:
    """Segments in the order of their starts; what is before the first has no state and does not count."""

    segments: Sequence[Segment]
    runs: Sequence[Run]


# A step that has fired: (policy's id, step's id, clock, number of the run in which it did).
Fired = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True)
class Due:
    step: Step
    run: Run
    due_at: datetime
    policy_id: str
    policy_version: int
    is_over: bool

    @property
    def fired(self) -> Fired:
        return (self.policy_id, self.step.id, self.run.clock.value, self.run.number)


# --- asking ---------------------------------------------------------------------------------------------------------------


def due_steps(history: History, fired: Collection[Fired], now: datetime) -> list[Due]:
    """What has become due up to `now` and has not fired yet, in the order in which it became due."""
    return [due for due in _all_due(history) if due.due_at <= now and due.fired not in fired]


def next_step(history: History, fired: Collection[Fired], now: datetime) -> Due | None:
    """The step that will be due next if nothing happens; None: none. What is due already is due_steps' affair."""
    return next((due for due in _all_due(history) if due.due_at > now and due.fired not in fired), None)


def next_due(history: History, fired: Collection[Fired], now: datetime) -> datetime | None:
    """When that is."""
    due = next_step(history, fired, now)
    return due.due_at if due is not None else None


def is_paused(segment: Segment, clock: Clock, now: datetime) -> bool:
    """Whether the clock stands still at an instant of this segment: paused in its state, or out of hours."""
    return not _counts(segment, clock, frozenset()) or not is_open(segment.calendar, now)


def tells_apart(policy: Policy | None, state: str, other: str) -> bool:
    """Whether it makes any difference to a clock in which of two states the work is while this policy holds."""
    if policy is None or state == other:
        return False
    named = [policy.paused_in, *(step.in_states for step in policy.steps if step.in_states)]
    return any((state in states) != (other in states) for states in named)


def elapsed_s(history: History, run: Run, at: datetime) -> float:
    """Seconds a clock shows at an instant."""
    return sum(
        open_seconds(segment.calendar, begins, min(ends or at, at))
        for segment, begins, ends in _pieces(history, run)
        if _counts(segment, run.clock, frozenset())
    )


def _all_due(history: History) -> list[Due]:
    """Every step with the instant at which it became due or will, in that order."""
    found: list[tuple[datetime, int, int, Due]] = []
    for number, run in enumerate(history.runs):
        ids: dict[tuple[str, str], None] = {}
        for segment in history.segments:
            for step in segment.policy.steps if segment.policy else ():
                if segment.policy and step.clock is run.clock:
                    ids[segment.policy.id, step.id] = None
        for rung, (policy_id, step_id) in enumerate(ids):
            due = _due(history, run, policy_id, step_id)
            if due is not None:
                found.append((due.due_at, number, rung, due))
    found.sort(key=lambda each: each[:3])
    return [due for *_, due in found]


def _due(history: History, run: Run, policy_id: str, step_id: str) -> Due | None:
    passed_s = 0.0
    for segment, begins, ends in _pieces(history, run):
        # Another policy may have a step of the same name; that is another step.
        policy = segment.policy if segment.policy and segment.policy.id == policy_id else None
        step = next((step for step in policy.steps if step.id == step_id), None) if policy else None
        counts = _counts(segment, run.clock, step.in_states if step else frozenset())
        if not counts:
            continue
        threshold_s = policy.threshold_s(step) if policy and step and step.clock is run.clock else None
        lasts_s = open_seconds(segment.calendar, begins, ends) if ends is not None else 0.0
        # A piece that surely ends before is not searched for the instant: that may walk through weeks of hours.
        is_near = threshold_s is not None and (ends is None or passed_s + lasts_s > threshold_s - _NEAR_S)
        if policy and step and threshold_s is not None and is_near:
            due_at = add_open_seconds(segment.calendar, begins, threshold_s - passed_s)
            # At the very end still counts: whoever asked at that instant, before it ended, was told so.
            if due_at is not None and (ends is None or due_at <= ends):
                return Due(step, run, due_at, policy.id, policy.version, run.stopped_at is not None)
        passed_s += lasts_s
    return None


def _pieces(history: History, run: Run) -> Iterator[tuple[Segment, datetime, datetime | None]]:
    """(segment, from, to) for the parts of segments in which the clock ran; the last may have no end yet."""
    ends: list[datetime | None] = [after.start for _, after in pairwise(history.segments)]
    for segment, end in zip(history.segments, [*ends, None], strict=True):
        begins = max(segment.start, run.started_at)
        stops = [each for each in (end, run.stopped_at) if each is not None]
        until = min(stops) if stops else None
        if until is None or begins < until or begins == run.started_at == until == run.stopped_at:
            yield segment, begins, until


def _counts(segment: Segment, clock: Clock, in_states: frozenset[str]) -> bool:
    if in_states and segment.state not in in_states:
        return False
    return clock is Clock.IDLE or segment.policy is None or segment.state not in segment.policy.paused_in


# --- reading what people wrote ----------------------------------------------------------------------------------------------


def read_policy(policy_id: str, version: int, given: Mapping[str, object]) -> Policy | Faults:
    """The policy that is meant by
    `{"targets": {clock: seconds}, "paused_in": [state], "steps": [{"id", "clock", "after_s" | "share", "in_states"?,
    "actions": [{"kind", …}]}]}`, or every fault in it by name (`steps.2.actions.0.queue_id`). Whether a queue or a user
    exists is for the caller to say: it has the tables."""
    faults: dict[str, str] = {}
    for name in given.keys() - {"targets", "paused_in", "steps"}:
        faults[str(name)[:80]] = Sentence("is not a known field")
    targets: dict[Clock, float] = {}
    raw_targets = given.get("targets", {})
    if not isinstance(raw_targets, Mapping):
        faults["targets"] = Sentence("is not a table of clocks")
        raw_targets = {}
    for name, value in raw_targets.items():
        clock, seconds = _clock(name), _number(value)
        if clock is None:
            faults[f"targets.{str(name)[:80]}"] = Sentence(
                "there is no such clock; there are {known}", known=", ".join(Clock)
            )
        elif seconds is None or not 0 < seconds <= _LONGEST_S:
            faults[f"targets.{clock}"] = Sentence("is not a time in seconds above 0")
        else:
            targets[clock] = seconds
    paused_in = _words(given.get("paused_in", []), "paused_in", faults)
    raw_steps = given.get("steps", [])
    if not isinstance(raw_steps, list) or not raw_steps:
        faults["steps"] = Sentence("has no step")
        raw_steps = []
    elif len(raw_steps) > _MAX_STEPS:
        faults["steps"] = Sentence("has more than {count} steps", count=_MAX_STEPS)
    steps: list[Step] = []
    for number, raw in enumerate(raw_steps[:_MAX_STEPS]):
        step = _read_step(raw, f"steps.{number}", targets, faults)
        if step is not None and any(step.id == other.id for other in steps):
            faults[f"steps.{number}.id"] = Sentence("stands here twice")
        elif step is not None:
            steps.append(step)
    return Faults(faults) if faults else Policy(policy_id, version, tuple(steps), targets, paused_in)


def policy_record(policy: Policy) -> dict[str, object]:
    """As read_policy reads it."""
    return {
        "targets": {clock.value: seconds for clock, seconds in policy.targets.items()},
        "paused_in": sorted(policy.paused_in),
        "steps": [
            {
                "id": step.id,
                "clock": step.clock.value,
                **({"after_s": step.after_s} if step.after_s is not None else {"share": step.share}),
                **({"in_states": sorted(step.in_states)} if step.in_states else {}),
                "actions": [action_record(action) for action in step.actions],
            }
            for step in policy.steps
        ],
    }


def action_record(action: Action) -> dict[str, object]:
    return {"kind": action.kind, **{each.name: getattr(action, each.name) for each in fields(action)}}


def _read_step(raw: object, name: str, targets: Mapping[Clock, float], faults: dict[str, str]) -> Step | None:
    before = len(faults)
    if not isinstance(raw, Mapping):
        faults[name] = Sentence("is not a step")
        return None
    for extra in raw.keys() - {"id", "clock", "after_s", "share", "in_states", "actions"}:
        faults[f"{name}.{str(extra)[:80]}"] = Sentence("is not a known field")
    step_id = raw.get("id")
    if not isinstance(step_id, str) or not 1 <= len(step_id) <= 64:
        faults[f"{name}.id"] = Sentence("is not a name of 1 to 64 characters")
    clock = _clock(raw.get("clock"))
    if clock is None:
        faults[f"{name}.clock"] = Sentence("there is no such clock; there are {known}", known=", ".join(Clock))
    after_s, share = raw.get("after_s"), raw.get("share")
    if (after_s is None) == (share is None):
        faults[f"{name}.after_s"] = Sentence("give exactly one of after_s and share")
    elif after_s is not None:
        seconds = _number(after_s)
        if seconds is None or not 0 <= seconds <= _LONGEST_S:
            faults[f"{name}.after_s"] = Sentence("is not a time in seconds")
    else:
        number = _number(share)
        if number is None or not 0 < number <= 100:
            faults[f"{name}.share"] = Sentence("is not a share of the target, above 0")
        elif clock is not None and clock not in targets:
            faults[f"{name}.share"] = Sentence(
                "is a share of a target that is not set: targets.{clock}", clock=clock.value
            )
    in_states = _words(raw.get("in_states", []), f"{name}.in_states", faults)
    raw_actions = raw.get("actions", [])
    if not isinstance(raw_actions, list) or not 1 <= len(raw_actions) <= 20:
        faults[f"{name}.actions"] = Sentence("wants 1 to 20 actions")
        raw_actions = []
    actions = [_read_action(each, f"{name}.actions.{number}", faults) for number, each in enumerate(raw_actions)]
    if len(faults) > before or clock is None:
        return None
    return Step(
        str(step_id),
        clock,
        tuple(action for action in actions if action is not None),
        _number(after_s),
        _number(share),
        in_states,
    )


def _read_action(raw: object, name: str, faults: dict[str, str]) -> Action | None:
    kind = raw.get("kind") if isinstance(raw, Mapping) else None
    if not isinstance(raw, Mapping) or not isinstance(kind, str) or kind not in ACTIONS:
        faults[f"{name}.kind"] = Sentence("there is no such action; there are {known}", known=", ".join(ACTIONS))
        return None
    made = ACTIONS[kind]
    wanted = {each.name: each.type for each in fields(made)}
    before = len(faults)
    for extra in raw.keys() - wanted.keys() - {"kind"}:
        faults[f"{name}.{str(extra)[:80]}"] = Sentence("is not a known field")
    values: dict[str, int | str] = {}
    for each, kind_of in wanted.items():
        value = raw.get(each)
        if kind_of == "int":
            least, most = _BOUNDS[each]
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                faults[f"{name}.{each}"] = Sentence(
                    "must be a whole number from {least} to {most}", least=least, most=most
                )
                continue
        elif not isinstance(value, str):
            faults[f"{name}.{each}"] = Sentence("must be text")
            continue
        elif each == "role":
            if value not in set(Role):
                faults[f"{name}.{each}"] = Sentence("there is no such role; there are {known}", known=", ".join(Role))
        elif not _BOUNDS[each][0] <= len(value.strip()) <= _BOUNDS[each][1]:
            faults[f"{name}.{each}"] = Sentence("must be 1 to {count} characters", count=_BOUNDS[each][1])
        values[each] = value
    return None if len(faults) > before else made(**values)  # type: ignore[arg-type]


def _clock(name: object) -> Clock | None:
    return Clock(name) if isinstance(name, str) and name in set(Clock) else None


def _number(value: object) -> float | None:
    """A finite number; truth is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) > _LONGEST_S:
        return None
    return float(value)


def _words(raw: object, name: str, faults: dict[str, str]) -> frozenset[str]:
    if not isinstance(raw, list) or not all(isinstance(each, str) and 0 < len(each) <= 64 for each in raw):
        faults[name] = Sentence("is not a list of names of states")
        return frozenset()
    return frozenset(raw)
