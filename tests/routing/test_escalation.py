"""Ladders of steps over business clocks: due when, once only, right through changes, late rather than never."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.routing.calendar import ALWAYS, Calendar, Faults, Hours
from hub.routing.engine import Skill
from hub.routing.escalation import (
    ACTIONS,
    AutoReply,
    Clock,
    Fired,
    History,
    MoveToQueue,
    NotifyRole,
    PageSupervisor,
    Policy,
    RaisePriority,
    Run,
    Segment,
    Step,
    Tag,
    WidenSkills,
    due_steps,
    elapsed_s,
    next_due,
    policy_record,
    read_policy,
    widened,
)

# A Monday.
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
OFFICE = Calendar("UTC", (*((Hours(540, 1020),) for _ in range(5)), (), ()))
HALF_DAY = Calendar("UTC", (*((Hours(540, 780),) for _ in range(5)), (), ()))
HOUR = 3600.0


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def step(name: str, hours: float, clock: Clock = Clock.WAITING, **values: object) -> Step:
    return Step(name, clock, (PageSupervisor(),), after_s=hours * HOUR, **values)  # type: ignore[arg-type]


def policy(*steps: Step, version: int = 1, **values: object) -> Policy:
    return Policy("support", version, steps, **values)  # type: ignore[arg-type]


def history(*segments: Segment, runs: list[Run] | None = None) -> History:
    return History(segments, runs if runs is not None else [Run(Clock.WAITING, 1, START)])


def told(given: History, now: datetime, fired: set[Fired] | None = None) -> list[tuple[str, datetime]]:
    return [(due.step.id, due.due_at) for due in due_steps(given, fired or set(), now)]


LADDER = policy(step("raise", 1), step("page", 2))
SIMPLE = history(Segment(START, "queued", ALWAYS, LADDER))


@pytest.mark.parametrize(
    ("hours", "due", "coming"),
    [
        (0, [], at(1)),
        (0.999, [], at(1)),
        (1, [("raise", at(1))], at(2)),
        (1.5, [("raise", at(1))], at(2)),
        (9, [("raise", at(1)), ("page", at(2))], None),
    ],
)
def test_steps_become_due_one_after_the_other(
    hours: float, due: list[tuple[str, datetime]], coming: datetime | None
) -> None:
    assert told(SIMPLE, at(hours)) == due
    assert next_due(SIMPLE, set(), at(hours)) == coming


def test_what_has_fired_does_not_fire_again() -> None:
    assert told(SIMPLE, at(9), {("support", "raise", "waiting", 1)}) == [("page", at(2))]
    assert next_due(SIMPLE, {("support", "page", "waiting", 1)}, at(1.5)) is None


def test_a_step_of_the_same_name_is_another_step_in_another_policy_and_by_another_clock() -> None:
    """First line pages after an hour and the work moves on: second line's own "page" is not the one that has fired."""
    second = Policy("second line", 1, (step("page", 3),))
    moved = history(Segment(START, "queued", ALWAYS, policy(step("page", 1))), Segment(at(2), "queued", ALWAYS, second))
    assert told(moved, at(9)) == [("page", at(1)), ("page", at(3))]
    assert told(moved, at(9), {("support", "page", "waiting", 1)}) == [("page", at(3))]
    by_another = policy(step("page", 4, Clock.RESOLUTION), version=2)
    changed = history(
        Segment(START, "queued", ALWAYS, policy(step("page", 1))),
        Segment(at(2), "queued", ALWAYS, by_another),
        runs=[Run(Clock.WAITING, 1, START), Run(Clock.RESOLUTION, 1, START)],
    )
    assert told(changed, at(9), {("support", "page", "waiting", 1)}) == [("page", at(4))]


def test_a_clock_runs_in_business_hours_only() -> None:
    weekend = history(Segment(START, "queued", OFFICE, policy(step("first", 1), step("late", 41))))
    assert told(weekend, at(1000)) == [("first", at(2)), ("late", at(7 * 24 + 2))]
    assert elapsed_s(weekend, weekend.runs[0], at(48)) == 16 * HOUR


def test_a_pause_stops_all_clocks_but_idle() -> None:
    paused = policy(
        step("page", 2), step("nag", 3, Clock.IDLE, in_states=frozenset({"pending"})), paused_in=frozenset({"pending"})
    )
    runs = [Run(Clock.WAITING, 1, START), Run(Clock.IDLE, 1, START)]
    whole = history(
        Segment(START, "queued", ALWAYS, paused),
        Segment(at(1), "pending", ALWAYS, paused),
        Segment(at(5), "queued", ALWAYS, paused),
        runs=runs,
    )
    assert told(whole, at(9)) == [("nag", at(4)), ("page", at(6))]
    assert elapsed_s(whole, runs[0], at(4)) == HOUR
    stopped = history(*whole.segments[:2], runs=runs)
    assert next_due(stopped, {("support", "nag", "idle", 1)}, at(4)) is None


def test_a_change_of_calendar_is_right_for_the_past_and_the_future() -> None:
    ladder = policy(step("page", 7))
    changed = history(Segment(START, "queued", OFFICE, ladder), Segment(at(26), "queued", HALF_DAY, ladder))
    # Nine hours (eight on Monday, one on Tuesday) have passed at the change: due on Monday at 16:00, whatever comes after.
    assert told(changed, at(500)) == [("page", at(8))]
    longer = policy(step("page", 14))
    later = history(Segment(START, "queued", OFFICE, longer), Segment(at(26), "queued", HALF_DAY, longer))
    # Three more until Tuesday 13:00, and two on Wednesday from 9.
    assert told(later, at(500)) == [("page", at(2 * 24 + 3))]


@pytest.mark.parametrize(
    ("before_h", "after_h", "expected"),
    [
        (6, 8, [("page", at(8))]),  # loosened before it was due
        (8, 4, [("page", at(5))]),  # tightened: passed already, so due at the change at once
        (2, 8, [("page", at(2))]),  # was due before the change: due then, and not again
        (8, 6, [("page", at(6))]),
    ],
)
def test_a_change_of_policy_counts_from_when_it_was_made(
    before_h: float, after_h: float, expected: list[tuple[str, datetime]]
) -> None:
    changed = history(
        Segment(START, "queued", ALWAYS, policy(step("page", before_h))),
        Segment(at(5), "queued", ALWAYS, policy(step("page", after_h), version=2)),
    )
    assert told(changed, at(20)) == expected


def test_what_ends_at_the_very_instant_was_due_for_whoever_asked_just_then() -> None:
    ladder = policy(step("page", 1))
    stopped = history(Segment(START, "queued", ALWAYS, ladder), runs=[Run(Clock.WAITING, 1, START, at(1))])
    replaced = history(Segment(START, "queued", ALWAYS, ladder), Segment(at(1), "queued", ALWAYS, policy(version=2)))
    assert told(stopped, at(9)) == told(replaced, at(9)) == [("page", at(1))]


def test_a_step_of_a_policy_that_no_longer_holds_is_not_due_and_time_without_a_policy_counts() -> None:
    changed = history(
        Segment(START, "queued", ALWAYS, policy(step("old", 2))),
        Segment(at(1), "queued", ALWAYS, None),
        Segment(at(3), "queued", ALWAYS, policy(step("new", 4), version=2)),
    )
    assert told(changed, at(20)) == [("new", at(4))]


def test_after_an_outage_everything_is_told_late_and_whether_it_still_matters() -> None:
    answered = history(*SIMPLE.segments, runs=[Run(Clock.WAITING, 1, START, stopped_at=at(1.5))])
    (due,) = due_steps(answered, set(), at(100))
    assert (due.step.id, due.due_at, due.is_over, due.policy_version) == ("raise", at(1), True, 1)


def test_each_run_of_a_clock_has_its_own_ladder() -> None:
    ladder = policy(step("nudge", 1, Clock.NEXT_RESPONSE))
    runs = [
        Run(Clock.NEXT_RESPONSE, 1, START, at(2)),
        Run(Clock.NEXT_RESPONSE, 2, at(3), at(3.5)),
        Run(Clock.NEXT_RESPONSE, 3, at(4)),
    ]
    both = history(Segment(START, "assigned", ALWAYS, ladder), runs=runs)
    assert [(due.fired, due.due_at) for due in due_steps(both, set(), at(9))] == [
        (("support", "nudge", "next_response", 1), at(1)),
        (("support", "nudge", "next_response", 3), at(5)),
    ]


@pytest.mark.parametrize(("share", "hours"), [(0.5, 2), (0.8, 3.2), (1, 4), (1.5, 6)])
def test_a_threshold_may_be_a_share_of_the_target(share: float, hours: float) -> None:
    part = Step("warn", Clock.RESOLUTION, (Tag("late"),), share=share)
    ladder = policy(part, targets={Clock.RESOLUTION: 4 * HOUR})
    given = history(Segment(START, "assigned", ALWAYS, ladder), runs=[Run(Clock.RESOLUTION, 1, START)])
    assert told(given, at(10)) == [("warn", at(hours))]


def test_a_share_of_no_target_is_never_due() -> None:
    ladder = policy(Step("warn", Clock.WAITING, (Tag("late"),), share=0.5))
    assert told(history(Segment(START, "queued", ALWAYS, ladder)), at(1000)) == []


def test_at_once_is_a_threshold() -> None:
    ladder = policy(Step("greet", Clock.WAITING, (AutoReply("We have it."),), after_s=0))
    assert told(history(Segment(START, "queued", ALWAYS, ladder)), START) == [("greet", START)]


@pytest.mark.parametrize(
    ("levels", "expected"), [(1, (Skill("billing", 2),)), (2, (Skill("billing", 1),)), (3, ()), (5, ())]
)
def test_widened_skills(levels: int, expected: tuple[Skill, ...]) -> None:
    assert widened((Skill("billing", 3), Skill("french", 1)), levels) == expected


# --- whatever the history -------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from([Clock.WAITING, Clock.IDLE]),
        st.just((PageSupervisor(),)),
        after_s=st.sampled_from([0.0, 600.0, 3600.0, 5400.0, 20_000.0]),
        in_states=st.sampled_from([frozenset(), frozenset(), frozenset({"pending"})]),
    ),
    max_size=3,
    unique_by=lambda each: each.id,
).map(tuple)
POLICIES = st.none() | st.builds(
    Policy, st.just("p"), st.just(1), STEPS, paused_in=st.sampled_from([frozenset(), frozenset({"pending"})])
)
MOMENTS = st.integers(0, 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes))
SEGMENTS = st.lists(
    st.builds(
        Segment, MOMENTS, st.sampled_from(["queued", "pending"]), st.sampled_from([ALWAYS, OFFICE, HALF_DAY]), POLICIES
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda each: each.start,
).map(lambda segments: sorted(segments, key=lambda each: each.start))
RUNS = st.lists(
    st.tuples(st.sampled_from([Clock.WAITING, Clock.IDLE]), MOMENTS, st.none() | MOMENTS), min_size=1, max_size=3
).map(
    lambda runs: [
        Run(clock, number, start, None if stop is None else max(start, stop))
        for number, (clock, start, stop) in enumerate(runs)
    ]
)
HISTORIES = st.builds(History, SEGMENTS, RUNS)


def as_known(whole: History, now: datetime) -> History:
    """What had been written down by `now`."""
    return History(
        [segment for segment in whole.segments if segment.start <= now],
        [
            Run(
                run.clock,
                run.number,
                run.started_at,
                run.stopped_at if run.stopped_at and run.stopped_at <= now else None,
            )
            for run in whole.runs
            if run.started_at <= now
        ],
    )


@given(HISTORIES, st.lists(MOMENTS, max_size=40).map(sorted))
def test_asking_often_and_asking_once_tell_the_same(whole: History, moments: list[datetime]) -> None:
    end = START + timedelta(hours=40)
    often: list[tuple[Fired, datetime]] = []
    fired: set[Fired] = set()
    for now in [*moments, end]:
        for due in due_steps(as_known(whole, now), fired, now):
            often.append((due.fired, due.due_at))
            fired.add(due.fired)
    once = [(due.fired, due.due_at) for due in due_steps(whole, set(), end)]
    assert sorted(often) == sorted(once)
    assert len(fired) == len(often)


@given(HISTORIES, MOMENTS)
def test_steps_come_in_order_within_their_runs_and_never_from_the_future(whole: History, now: datetime) -> None:
    found = due_steps(whole, set(), now)
    assert [due.due_at for due in found] == sorted(due.due_at for due in found)
    assert all(due.run.started_at <= due.due_at <= (due.run.stopped_at or now) for due in found)
    assert len({due.fired for due in found}) == len(found)


@given(HISTORIES, MOMENTS, MOMENTS)
def test_what_is_due_stays_due(whole: History, one: datetime, other: datetime) -> None:
    earlier, later = sorted([one, other])
    before, after = told(whole, earlier), told(whole, later)
    assert after[: len(before)] == before


@given(HISTORIES, MOMENTS)
def test_nothing_becomes_due_before_the_next_due(whole: History, now: datetime) -> None:
    coming = next_due(whole, set(), now)
    before = (coming or now + timedelta(days=60)) - timedelta(microseconds=1)
    assert told(whole, max(before, now)) == told(whole, now)
    assert coming is None or len(told(whole, coming)) > len(told(whole, now))


@given(HISTORIES, MOMENTS, MOMENTS)
def test_a_clock_never_runs_backwards_nor_faster_than_time(whole: History, one: datetime, other: datetime) -> None:
    earlier, later = sorted([one, other])
    for run in whole.runs:
        passed = elapsed_s(whole, run, later) - elapsed_s(whole, run, earlier)
        assert -1e-6 <= passed <= (later - earlier).total_seconds() + 1e-6


# --- policies as people write them ------------------------------------------------------------------------------------------

GOOD: dict[str, object] = {
    "targets": {"first_response": 3600},
    "paused_in": ["pending"],
    "steps": [
        {"id": "warn", "clock": "first_response", "share": 0.8, "actions": [{"kind": "raise_priority", "minutes": 10}]},
        {
            "id": "move",
            "clock": "waiting",
            "after_s": 600,
            "in_states": ["queued"],
            "actions": [
                {"kind": "widen_skills", "levels": 2},
                {"kind": "move_to_queue", "queue_id": 3},
                {"kind": "notify_role", "role": "supervisor"},
            ],
        },
    ],
}


def test_a_policy_is_read_and_written_the_same() -> None:
    read = read_policy("support", 4, GOOD)
    assert isinstance(read, Policy)
    assert read.steps[1].actions == (WidenSkills(2), MoveToQueue(3), NotifyRole("supervisor"))
    assert read.steps[0].actions == (RaisePriority(10),)
    assert read_policy("support", 4, json.loads(json.dumps(policy_record(read)))) == read


def first_step(**values: object) -> dict[str, object]:
    return {"steps": [{"id": "x", "clock": "waiting", "after_s": 1, "actions": [{"kind": "page_supervisor"}]} | values]}


def action(**values: object) -> dict[str, object]:
    return first_step(actions=[values])


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "steps"),
        ({"steps": []}, "steps"),
        ({"steps": [1]}, "steps.0"),
        ({**GOOD, "stepz": 1}, "stepz"),
        ({**GOOD, "targets": {"wating": 3}}, "targets.wating"),
        ({**GOOD, "targets": {"waiting": -3}}, "targets.waiting"),
        ({**GOOD, "targets": {"waiting": float("nan")}}, "targets.waiting"),
        ({**GOOD, "paused_in": "pending"}, "paused_in"),
        (first_step(id=""), "steps.0.id"),
        (first_step(clock="sand"), "steps.0.clock"),
        (first_step(after_s=None), "steps.0.after_s"),
        (first_step(share=1), "steps.0.after_s"),
        (first_step(after_s=-1), "steps.0.after_s"),
        (first_step(after_s=True), "steps.0.after_s"),
        (first_step(after_s=1e300), "steps.0.after_s"),
        (first_step(after_s=None, share=0.5), "steps.0.share"),
        (first_step(after_s=None, share=0), "steps.0.share"),
        (first_step(in_states=[3]), "steps.0.in_states"),
        (first_step(actions=[]), "steps.0.actions"),
        (first_step(colour="red"), "steps.0.colour"),
        (action(kind="explode"), "steps.0.actions.0.kind"),
        (action(kind="raise_priority"), "steps.0.actions.0.minutes"),
        (action(kind="raise_priority", minutes=0), "steps.0.actions.0.minutes"),
        (action(kind="move_to_queue", queue_id="3"), "steps.0.actions.0.queue_id"),
        (action(kind="notify_role", role="king"), "steps.0.actions.0.role"),
        (action(kind="tag", name=" "), "steps.0.actions.0.name"),
        (action(kind="auto_reply", text="x" * 1601), "steps.0.actions.0.text"),
        (action(kind="page_supervisor", loud=True), "steps.0.actions.0.loud"),
        ({"steps": [*first_step()["steps"], *first_step()["steps"]]}, "steps.1.id"),  # type: ignore[misc]
        ({"steps": [first_step()["steps"][0]] * 51}, "steps"),  # type: ignore[index]
    ],
)
def test_every_fault_of_a_policy_is_named(given: dict[str, object], name: str) -> None:
    read = read_policy("support", 1, given)
    assert isinstance(read, Faults)
    assert name in read.fields


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5) | st.sampled_from(list(ACTIONS)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["steps", "id", "clock", "after_s", "actions", "kind", "targets"]), inner)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["steps", "targets", "paused_in", "other"]), ANYTHING))
def test_no_nonsense_breaks_the_reading(given: dict[str, object]) -> None:
    assert isinstance(read_policy("x", 1, given), Policy | Faults)
