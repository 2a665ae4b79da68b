"""Each formula over a few facts whose answer is counted by hand, and the edge cases that make formulas differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hub.domain.events import (
    AgentSpellEnded,
    CallSegmentEnded,
    ContactBegan,
    ConversationResolved,
    CustomerAnswered,
    CustomerJoined,
    CustomerParted,
    FactEvent,
    OfferOver,
    QueueVisitEnded,
    SegmentEnded,
    SurveyAnswered,
    SurveySent,
)
from hub.domain.states import OfferOutcome
from hub.kpi.cells import ABANDONED, ANSWERED, LADDER_S, NOTHING, OFFER_OUTCOMES, Cell, Dim, rung
from hub.kpi.fact_rows import Kept
from hub.kpi.folding import Extra, fold
from hub.kpi.measures import DEFAULTS, MEASURES, Figure, Params
from hub.kpi.placing import Membership, Placing
from hub.kpi.refolding import Wanted, fold_facts
from hub.kpi.sequels import was_consulted, weigh, what_followed, who_is
from hub.kpi.sketch import RELATIVE_ERROR
from hub.timeline.visits import Leaving
from tests.kpi.random_facts import CHANNELS
from tests.kpi.reference import ANNA, BORIS, CARE, NOON, SALES, after, part

KYIV, ALMATY = ZoneInfo("Europe/Kyiv"), ZoneInfo("Asia/Almaty")
DAY = timedelta(days=1)
EVER = Wanted(NOON - 1000 * DAY, NOON + 1000 * DAY, {})


def keep(facts: Iterable[FactEvent]) -> list[Kept]:
    """With what each turns out to have been by the others."""
    facts = list(facts)

    def extra(fact: FactEvent) -> Extra:
        match fact:
            case ConversationResolved():
                came = [one for one in facts if isinstance(one, ContactBegan)]
                ended = [one for one in facts if isinstance(one, ConversationResolved)]
                joins = [one for one in facts if isinstance(one, CustomerJoined)]
                partings = [one for one in facts if isinstance(one, CustomerParted)]
                return what_followed(fact, came, ended, who_is(joins, partings))
            case SegmentEnded():
                return Extra(weighted_s=weigh(fact, [one for one in facts if isinstance(one, AgentSpellEnded)]))
            case CallSegmentEnded():
                parts = [one for one in facts if isinstance(one, CallSegmentEnded)]
                return Extra(is_consult=was_consulted(fact, parts))
            case _:
                return Extra()

    return [Kept(fact, extra(fact)) for fact in facts]


def cells(facts: Iterable[FactEvent], by: Dim, placing: Placing) -> dict[tuple[date, str], Cell]:
    """By local day and id."""
    found = fold_facts(keep(facts), EVER, CHANNELS, placing, placing.day, by)
    return {(date.fromordinal(day), dim_id): cell for (day, dim_id), cell in found.items()}


def figure(
    measure: str, facts: Iterable[FactEvent], params: Params = DEFAULTS, by: Dim = Dim.ALL, dim_id: int | str = "0"
) -> Figure:
    """Of all days together."""
    found = fold_facts(keep(facts), EVER, CHANNELS, Placing(ZoneInfo("UTC")), lambda at, zone: 0, by)
    return MEASURES[measure].of(found.get((0, str(dim_id)), NOTHING), params)


# --- service level: one set, every formula ------------------------------------------------------------------------------


def visit(number: int, wait_s: float, reason: str, **others: object) -> QueueVisitEnded:
    """A request that had arrived 10 s before it joined the queue."""
    agent = ANNA if reason == "answered" else None
    joined = NOON - timedelta(seconds=wait_s)
    fact = QueueVisitEnded(
        number, 1, number, "line", CARE, joined - timedelta(seconds=10), joined, joined, NOON, reason, agent
    )
    return replace(fact, **others)  # type: ignore[arg-type]


# 6 answered, 4 of them within 20 s; 6 abandoned, 2 before 5 s and 4 before 20 s; 3 went elsewhere, 1 was cut off by us: 16
# were offered. One was withdrawn, which is none.
WAITS = (
    *((wait, "answered") for wait in (0.0, 5.0, 19.999, 20.0, 20.001, 300.0)),
    *((wait, "abandoned") for wait in (2.0, 4.999, 5.0, 19.0, 20.0, 60.0)),
    *((30.0, reason) for reason in ("overflow", "transferred", "callback", "system_drop", "withdrawn")),
)
VISITS = [visit(number, wait, reason) for number, (wait, reason) in enumerate(WAITS, start=1)]


@pytest.mark.parametrize(
    ("measure", "params", "value", "n"),
    [
        ("service_level", Params(), 4 / 14, 14),
        ("service_level", Params(threshold_s=15), 2 / 14, 14),
        ("service_level", Params(threshold_s=300), 6 / 14, 14),
        ("service_level", Params(short_s=10), 4 / 13, 13),
        ("service_level_icmi_1", Params(), 8 / 12, 12),
        ("service_level_icmi_3", Params(), 4 / 12, 12),
        ("service_level_icmi_4", Params(), 4 / 8, 8),
        ("service_level_icmi_5", Params(), 6 / 12, 12),
        ("service_level_asterisk", Params(), 4 / 6, 6),
        ("service_level_asterisk_2", Params(), 8 / 12, 12),
        ("service_level_connect", Params(), 8 / 16, 16),
        ("service_level_connect", Params(threshold_s=30), 11 / 16, 16),
        ("service_level_genesys", Params(), 4 / 12, 12),
        ("service_level_genesys", Params(with_short_abandons=False), 4 / 10, 10),
        ("service_level_genesys", Params(with_abandons=False), 4 / 6, 6),
        ("service_level_genesys", Params(with_flow_outs=True), 4 / 15, 15),
        ("service_level_genesys", Params(with_abandons=False, with_flow_outs=True), 4 / 9, 9),
        ("abandonment_rate", Params(), 4 / 16, 16),
        ("abandonment_rate", Params(short_s=20), 2 / 16, 16),
        ("offered", Params(), 16, 16),
        ("answered", Params(), 6, 6),
        ("asa_queue", Params(), 60.833333, 6),
        ("asa_arrival", Params(), 70.833333, 6),
    ],
)
def test_one_day_of_a_queue_reads_differently_by_each_formula(
    measure: str, params: Params, value: float, n: int
) -> None:
    found = figure(measure, VISITS, params)
    assert found.value == pytest.approx(value)
    assert found.n == n


def test_short_abandons_are_told_apart() -> None:
    assert figure("abandonment_rate", VISITS).parts == {"short": 2 / 16}


def test_what_waits_again_after_an_agent_had_it_arrived_only_once() -> None:
    """10 s to the first agent, who had it for ten minutes; 20 s more to the second: half a minute of waiting, no more."""
    again = visit(2, 20, "answered", arrived_at=NOON - timedelta(seconds=630), is_first=False)
    facts = [visit(1, 0, "answered"), again]
    first = figure("asa_arrival", facts)
    assert (first.value, first.n) == (10, 1)
    assert (figure("asa_queue", facts).value, figure("answered", facts).n) == (10, 2)


def test_percentiles_of_waits_are_within_their_error() -> None:
    wait = figure("wait_s", VISITS)
    assert wait.value == pytest.approx((19.999 + 20.0) / 2, rel=RELATIVE_ERROR)
    assert wait.mean == pytest.approx(60.833333)
    assert figure("longest_wait_s", VISITS).value == pytest.approx(300, rel=RELATIVE_ERROR)


def test_where_nobody_can_be_told_to_have_left_there_is_no_abandonment() -> None:
    """Chats alone have none, and beside calls they do not make it smaller."""
    chats = [visit(100 + n, 600, "answered", channel_id="chat") for n in range(4)]
    assert (figure("abandonment_rate", chats).value, figure("abandonment_rate", chats).n) == (None, 0)
    assert figure("abandonment_rate", [*chats, *VISITS]) == figure("abandonment_rate", VISITS)


def test_an_answer_is_the_agents_and_an_abandon_nobodys() -> None:
    assert figure("answered", VISITS, by=Dim.AGENT, dim_id=ANNA).n == 6
    assert figure("offered", VISITS, by=Dim.QUEUE, dim_id=CARE).n == 16
    assert figure("offered", VISITS, by=Dim.QUEUE, dim_id=SALES).n == 0


def test_every_way_to_leave_a_queue_counts_as_something() -> None:
    for reason in Leaving:
        [left, _] = fold(visit(1, 7, reason.value), Extra(), CHANNELS)
        assert (
            sum(left.counts.get(name, 0) for name in left.counts if not name.endswith(("_ms", "_first", "_known"))) == 1
        )


@pytest.mark.parametrize("step", range(len(LADDER_S)))
def test_answered_at_the_bound_is_within_and_abandoned_at_it_is_not_before(step: int) -> None:
    bound = LADDER_S[step] * 1000
    assert (rung(bound, inclusive=True), rung(bound + 1, inclusive=True)) == (step, step + 1)
    assert (rung(bound - 1, inclusive=False), rung(bound, inclusive=False)) == (step, step + 1)
    assert len(ANSWERED) == len(ABANDONED) == len(LADDER_S) + 1


def test_a_clock_that_ran_backwards_makes_no_wait_below_zero() -> None:
    late = visit(1, 0, "answered", queued_at=after(5), arrived_at=after(5))
    assert figure("asa_queue", [late]).value == 0
    assert figure("service_level", [late]).value == 1


# --- handling -----------------------------------------------------------------------------------------------------------


def hold(number: int, agent: int, ended_at: datetime, held_s: float = 90, **others: object) -> SegmentEnded:
    began = ended_at - timedelta(seconds=held_s)
    fact = SegmentEnded(number, number, agent, "chat", CARE, began, ended_at, "offer", "resolved")
    return replace(fact, **others)  # type: ignore[arg-type]


def test_a_call_passed_on_twice_is_three_segments_and_one_contact() -> None:
    facts = [
        hold(number, agent, after(number), conversation_id=1, call_id=1, channel_id="line")
        for number, agent in enumerate((ANNA, BORIS, ANNA), start=1)
    ]
    assert figure("handled_segments", facts).value == 3
    assert figure("handled_contacts", facts).value == 1
    assert figure("handled_contacts", facts, by=Dim.AGENT, dim_id=ANNA).value == 1
    assert figure("handle_s", facts).n == 0


def test_a_contact_counts_on_every_day_on_which_a_hold_of_it_ended() -> None:
    facts = [hold(1, ANNA, NOON), hold(2, ANNA, NOON + DAY, conversation_id=1)]
    found = cells(facts, Dim.AGENT, Placing(KYIV))
    assert {key: cell["contacts"] for key, cell in found.items()} == {
        (date(2026, 3, 10), str(ANNA)): 1,
        (date(2026, 3, 11), str(ANNA)): 1,
    }


def test_handle_time_of_calls_is_talk_hold_and_wrap_up_of_all_parts() -> None:
    facts = [
        part(1, ANNA, NOON, 100, 20, 30),
        part(2, BORIS, NOON, 50, 0, 4, direction="out"),
        part(3, ANNA, NOON, 0.5),
    ]
    aht = figure("aht", facts)
    assert aht.n == 3
    assert aht.value == pytest.approx(204.5 / 3)
    assert figure("talk_s", facts).value == 150.5
    assert figure("hold_s", facts).value == 20
    assert figure("wrap_up_s", facts).value == 34
    assert figure("calls_per_day", facts).parts == {"in": 2, "out": 1, "internal": 0, "missed": 0}


def test_signing_out_during_wrap_up_keeps_the_wrap_up_there_was() -> None:
    assert figure("aht", [part(1, ANNA, NOON, 60, 0, 7.25)]).value == 67.25


def test_shared_time_counts_each_second_once_for_all_work_in_it() -> None:
    """90 s: 30 alone, 40 beside another, 20 while it was put aside. A hold that no stretch covers is left out."""
    bounds = [(-90, -60, 1), (-60, -20, 2), (-20, 0, 0)]
    spells = [
        AgentSpellEnded(ANNA, after(since), after(until), "available", None, 20 * work, 100, work)
        for since, until, work in bounds
    ]
    facts: list[FactEvent] = [hold(1, ANNA, NOON), hold(2, BORIS, NOON), *spells]
    shared = figure("handle_weighted_s", facts)
    assert (shared.value, shared.n) == (30 + 40 / 2, 1)
    assert figure("handle_s", facts).value == 90


def test_work_put_aside_is_nobodys_time() -> None:
    """A mail put aside for most of an hour, in which a text message is answered: never more than one was at hand."""
    mail = hold(1, ANNA, after(3600), 3600, put_aside=(after(60), after(3540)))
    text = hold(2, ANNA, after(3540), 3480)
    bounds = ((0, 60), (60, 3540), (3540, 3600))
    spells = [AgentSpellEnded(ANNA, after(a), after(b), "available", None, 20, 100, 1) for a, b in bounds]
    shared = figure("handle_weighted_s", [mail, text, *spells])
    assert (shared.value, shared.n) == ((120 + 3480) / 2, 2)


def test_transfers_are_told_apart() -> None:
    """Of six: one blind by call, one after a consultation, one written work given back; the colleague's part, one that went
    through, and one that was taken from its agent, are none."""
    facts: list[FactEvent] = [
        part(1, ANNA, NOON, 60, end="transferred", call_id=1),
        part(2, ANNA, NOON, 60, end="transferred", call_id=2),
        part(3, BORIS, after(90), 90, how="consult", call_id=2),
        hold(4, ANNA, NOON, end_reason="released"),
        hold(5, ANNA, NOON),
        hold(6, ANNA, NOON, end_reason="taken"),
    ]
    found = figure("transfer_rate", facts)
    assert (found.value, found.n) == (3 / 6, 6)
    assert found.parts == {"blind": 1 / 6, "consult": 1 / 6, "requeue": 1 / 6}


def test_every_outcome_of_an_offer_has_its_share() -> None:
    outcomes = [*OfferOutcome, OfferOutcome.ACCEPTED]
    facts = [
        OfferOver(number, number, ANNA, "line", CARE, NOON, after(9), outcome.value)
        for number, outcome in enumerate(outcomes, start=1)
    ]
    found = figure("offer_outcomes", facts)
    assert (found.value, found.n) == (2 / 8, 8)
    assert found.parts == {outcome: (2 if outcome == "accepted" else 1) / 8 for outcome in OFFER_OUTCOMES}


# --- answers ------------------------------------------------------------------------------------------------------------


def answer(number: int, took_s: float, *, is_first: bool = True, business_s: float | None = None) -> CustomerAnswered:
    asked = NOON - timedelta(seconds=took_s)
    return CustomerAnswered(number, number, ANNA, "chat", CARE, asked, NOON, is_first=is_first, business_s=business_s)


def test_a_first_response_is_the_first_once_a_conversation() -> None:
    facts = [answer(1, 30), answer(2, 90), answer(3, 9_000, is_first=False)]
    found = figure("first_response_s", facts)
    assert (found.value, found.mean, found.n) == (60, 60, 2)


def test_nights_do_not_count_by_the_business_clock() -> None:
    """Asked 30 minutes before closing, answered an hour after opening: 15.5 hours on the wall."""
    found = figure("first_response_business_s", [answer(1, 15.5 * 3600, business_s=5_400)])
    assert (found.value, found.n) == (5_400, 1)
    # A queue without hours tells no such figure, and takes no part in it.
    assert figure("first_response_business_s", [answer(1, 60)]).n == 0


# --- resolutions, and what came after -----------------------------------------------------------------------------------


def resolved(number: int, at: datetime, again: int = 0, **others: object) -> ConversationResolved:
    fact = ConversationResolved(
        number * 10 + again, number, ANNA, "chat", CARE, NOON - timedelta(hours=1), at, again, 1, 7, None, None, 300.0
    )
    return replace(fact, **others)  # type: ignore[arg-type]


def came(number: int, episode: int, at: datetime, **others: object) -> ContactBegan:
    fact = ContactBegan(number, episode, 7, "chat", CARE, "in", at, by_call=False, topic_id=1)
    known: dict[str, object] = {"reopened_by": "customer" if episode else None}
    return replace(fact, **known | others)  # type: ignore[arg-type]


def joined(customer_id: int, into_id: int, merge_id: int = 0) -> CustomerJoined:
    return CustomerJoined(customer_id, into_id, NOON + 3 * DAY, merge_id)


def parted(customer_id: int, into_id: int, merge_id: int, *conversation_ids: int) -> CustomerParted:
    return CustomerParted(merge_id, customer_id, into_id, NOON + 4 * DAY, conversation_ids)


REOPENED = (
    came(1, 0, NOON - timedelta(hours=1)),
    resolved(1, NOON),
    came(1, 1, NOON + DAY),
    resolved(1, NOON + 2 * DAY, 1),
)


def test_a_later_reopening_rewrites_no_first_resolution() -> None:
    first, full = figure("resolution_s", REOPENED), figure("resolution_full_s", REOPENED)
    assert (first.value, first.n) == (3600, 1)
    assert (full.value, full.n) == (3600 + 2 * 86_400, 1)
    assert figure("resolved", REOPENED).value == 2
    handling = figure("resolution_handling_s", REOPENED)
    assert (handling.value, handling.n) == (300, 2)


@pytest.mark.parametrize(
    ("facts", "days", "reopened", "resolved_at_once"),
    [
        (REOPENED, 7, 1 / 2, 1 / 2),
        (REOPENED, 1, 1 / 2, 1 / 2),
        # By us: nobody complained.
        ([resolved(1, NOON), came(1, 1, NOON + DAY, reopened_by="agent")], 7, 0, 1),
        # A second too late for 7 days, in time for 10.
        ([resolved(1, NOON), came(1, 1, NOON + 7 * DAY + timedelta(seconds=1))], 7, 0, 1),
        ([resolved(1, NOON), came(1, 1, NOON + 7 * DAY)], 7, 1, 0),
        ([resolved(1, NOON), came(1, 1, NOON + 7 * DAY + timedelta(seconds=1))], 10, 1, 0),
        # Another conversation, on another channel, about the same, or about nobody knows what.
        ([resolved(1, NOON), came(2, 0, NOON + DAY, channel_id="mail")], 7, 0, 0),
        ([resolved(1, NOON), came(2, 0, NOON + DAY, topic_id=None)], 7, 0, 0),
        # … about something else; of somebody else; before; begun by us; beyond all windows.
        ([resolved(1, NOON), came(2, 0, NOON + DAY, topic_id=2)], 7, 0, 1),
        ([resolved(1, NOON), came(2, 0, NOON + DAY, customer_id=8)], 7, 0, 1),
        ([resolved(1, NOON), came(2, 0, NOON - DAY)], 7, 0, 1),
        ([resolved(1, NOON), came(2, 0, NOON + DAY, direction="out")], 7, 0, 1),
        ([resolved(1, NOON), came(2, 0, NOON + 31 * DAY)], 30, 0, 1),
        # As a stranger who turned out to be that customer, or as somebody with whom both were joined to a third.
        ([resolved(1, NOON), came(2, 0, NOON + DAY, customer_id=8), joined(8, 7)], 7, 0, 0),
        ([resolved(1, NOON), came(2, 0, NOON + DAY, customer_id=8), joined(7, 9), joined(8, 9)], 7, 0, 0),
        ([resolved(1, NOON), came(2, 0, NOON + DAY, customer_id=8), joined(8, 6), joined(6, 7)], 7, 0, 0),
        ([resolved(1, NOON), came(2, 0, NOON + DAY, customer_id=8), joined(8, 6)], 7, 0, 1),
        # They were two after all: also where it was called the other's meanwhile; and one again.
        ([resolved(1, NOON), came(2, 0, NOON + DAY, customer_id=8), joined(8, 7, 1), parted(8, 7, 1)], 7, 0, 1),
        ([resolved(1, NOON), came(2, 0, NOON + DAY), joined(8, 7, 1), parted(8, 7, 1, 2)], 7, 0, 1),
        ([resolved(1, NOON), came(2, 0, NOON + DAY), joined(8, 7, 1), parted(8, 7, 1, 2), joined(8, 7, 2)], 7, 0, 0),
        # Given back along with whoever had it then, and once more by itself.
        ([resolved(1, NOON), came(2, 0, NOON + DAY), parted(9, 7, 2, 1, 2), parted(8, 9, 1, 2)], 7, 0, 1),
        # What a call is about is known when it is resolved: of two resolutions one was followed by the other.
        ([resolved(1, NOON), came(2, 0, NOON + DAY, topic_id=None), resolved(2, NOON + 2 * DAY)], 7, 0, 1 / 2),
        ([resolved(1, NOON), came(2, 0, NOON + DAY, topic_id=None), resolved(2, NOON + 2 * DAY, topic_id=2)], 7, 0, 1),
        ([resolved(1, NOON), came(2, 0, NOON + DAY, topic_id=2), resolved(2, NOON + 2 * DAY)], 7, 0, 1 / 2),
        ([resolved(1, NOON), came(2, 0, NOON + DAY, topic_id=2), resolved(2, NOON + 2 * DAY, topic_id=None)], 7, 0, 1),
        # Of a customer nobody knows it cannot be told.
        ([resolved(1, NOON, customer_id=None), came(2, 0, NOON + DAY)], 7, 0, None),
    ],
)
def test_what_came_after_a_resolution(
    facts: Iterable[FactEvent], days: int, reopened: float, resolved_at_once: float | None
) -> None:
    params = Params(days=days)
    assert figure("reopen_rate", facts, params).value == reopened
    assert figure("fcr", facts, params).value == resolved_at_once


def test_contacts_are_counted_by_who_began_them() -> None:
    facts = [came(1, 0, NOON), came(1, 1, NOON + DAY), came(2, 0, NOON, direction="out")]
    assert figure("contacts", facts).value == 2
    assert figure("contacts_out", facts).value == 1


# --- surveys ------------------------------------------------------------------------------------------------------------


def surveys(kind: str, scores: Iterable[int], unanswered: int) -> list[FactEvent]:
    facts: list[FactEvent] = []
    for number, score in enumerate(scores, start=1):
        facts.append(SurveySent(number, kind, number, number, "chat", CARE, NOON, ANNA))
        facts.append(SurveyAnswered(number, kind, score, number, number, "chat", CARE, NOON, after(60), ANNA))
    return facts + [SurveySent(100 + n, kind, n, n, "chat", CARE, NOON, ANNA) for n in range(unanswered)]


@pytest.mark.parametrize(
    ("kind", "scores", "value", "mean", "parts"),
    [
        ("csat", (1, 3, 4, 5, 5), 3 / 5, 18 / 5, {}),
        ("nps", (0, 6, 7, 8, 9, 10, 10), 100 / 7, None, {"promoters": 3 / 7, "detractors": 2 / 7}),
        ("nps", (0, 3), -100, None, {"promoters": 0, "detractors": 1}),
        ("ces", (1, 5, 5), 11 / 3, None, {}),
    ],
)
def test_scores_stand_with_how_many_gave_one(
    kind: str, scores: tuple[int, ...], value: float, mean: float | None, parts: dict[str, float]
) -> None:
    found = figure(kind, surveys(kind, scores, unanswered=3))
    assert found.value == pytest.approx(value)
    assert (found.n, found.mean) == (len(scores), mean)
    assert found.parts == parts | {"response_rate": len(scores) / (len(scores) + 3)}


def test_a_survey_counts_when_it_was_answered_and_its_return_when_it_was_sent() -> None:
    sent = SurveySent(1, "csat", 1, 1, "chat", CARE, NOON)
    back = SurveyAnswered(1, "csat", 5, 1, 1, "chat", CARE, NOON, NOON + DAY)
    found = cells([sent, back], Dim.ALL, Placing(KYIV))
    first, second = (MEASURES["csat"].of(cell, DEFAULTS) for _, cell in sorted(found.items()))
    assert (first.n, first.parts["response_rate"]) == (0, 1)
    assert (second.n, second.parts["response_rate"]) == (1, None)


# --- time ---------------------------------------------------------------------------------------------------------------


def spell(since_s: float, until_s: float, state: str, work: int = 0, agent: int = ANNA) -> AgentSpellEnded:
    return AgentSpellEnded(agent, after(since_s), after(until_s), state, None, 40 * work, 100, work)


SHIFT = (
    spell(0, 600, "available"),
    spell(600, 1800, "available", 1),
    spell(1800, 2100, "available", 2),
    spell(2100, 2400, "away"),
    # Away with work at hand is time with work, too.
    spell(2400, 2500, "away", 1),
    spell(2500, 2600, "not_responding"),
    spell(2600, 9000, "offline", 1),
)


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        ("occupancy", (1200 + 300 + 100) / (1600 + 600)),
        ("load", (1200 * 40 + 300 * 80 + 100 * 40) / (2600 * 100)),
        ("worked_s", 2600),
        ("work_s", 1600),
        ("available_s", 600),
        ("away_s", 400),
    ],
)
def test_time_is_told_by_what_was_done_in_it(measure: str, value: float) -> None:
    assert figure(measure, SHIFT, by=Dim.AGENT, dim_id=ANNA).value == pytest.approx(value)


def test_a_stretch_of_an_agent_lies_where_it_was_spent() -> None:
    """From 23:30 to 01:00 in Kyiv."""
    night = replace(spell(0, 0, "available", 1), since=kyiv(3, 10, 23, 30), until=kyiv(3, 11, 1))
    found = cells([night], Dim.AGENT, Placing(KYIV))
    assert {day.day: cell["work_ms"] for (day, _), cell in found.items()} == {10: 1_800_000, 11: 3_600_000}


# --- days ---------------------------------------------------------------------------------------------------------------


def kyiv(month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=KYIV).astimezone(UTC)


def test_what_ends_after_midnight_belongs_to_the_new_day() -> None:
    found = cells([hold(1, ANNA, kyiv(3, 11, 0), 7_200), hold(2, ANNA, kyiv(3, 10, 23, 59))], Dim.ALL, Placing(KYIV))
    assert {day.day: cell["segments"] for (day, _), cell in found.items()} == {10: 1, 11: 1}


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_a_day_is_worked_as_long_as_it_is_where_clocks_change(day: str, hours: int) -> None:
    began = datetime.combine(date.fromisoformat(day) - DAY, datetime.min.time(), tzinfo=UTC)
    always = replace(spell(0, 0, "available"), since=began, until=began + 3 * DAY)
    found = cells([always], Dim.AGENT, Placing(KYIV))
    assert found[date.fromisoformat(day), str(ANNA)]["staffed_ms"] == hours * 3_600_000


def test_an_agent_and_a_team_have_the_day_of_the_teams_zone_and_a_queue_the_organisations() -> None:
    """22:30 in Kyiv is already tomorrow in Almaty."""
    member = Membership(ANNA, 5, NOON - 9 * DAY)
    placing = Placing(KYIV, {5: ALMATY}, {ANNA: (member,)})
    facts = [hold(1, ANNA, kyiv(3, 10, 22, 30)), hold(2, BORIS, kyiv(3, 10, 22, 30))]
    assert set(cells(facts, Dim.AGENT, placing)) == {(date(2026, 3, 11), str(ANNA)), (date(2026, 3, 10), str(BORIS))}
    assert set(cells(facts, Dim.TEAM, placing)) == {(date(2026, 3, 11), "5")}
    assert set(cells(facts, Dim.QUEUE, placing)) == {(date(2026, 3, 10), str(CARE))}


def test_a_fact_belongs_to_the_team_its_agent_was_in_at_that_instant() -> None:
    moved = (Membership(ANNA, 5, NOON - DAY, NOON), Membership(ANNA, 6, NOON))
    facts = [hold(1, ANNA, NOON - timedelta(seconds=1)), hold(2, ANNA, NOON), hold(3, ANNA, NOON - 2 * DAY)]
    found = cells(facts, Dim.TEAM, Placing(KYIV, {}, {ANNA: moved}))
    assert defaultdict(int, {team: cell["segments"] for (_, team), cell in found.items()}) == {"5": 1, "6": 1}
