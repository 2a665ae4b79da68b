"""How a fact counts: each kind of fact becomes what it adds to the cells of its agent, queue, channel and topic.

A fact may add to several instants (an hour of work to four intervals; a survey to when it was sent and when it was
answered). What a row knows that its event does not (that a request came back a week later, say) is `extra`, kept beside the
row by the projector (kpi.facts); it may change, and then what the row added before is taken out again.

Only how many different conversations were handled needs more than one fact: `count_contacts`.

Pure: standard library only, and no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from hub.domain.calls import SHORT_ABANDON_S, CallEnd
from hub.domain.events import (
    AgentSpellEnded,
    CallEnded,
    CallMissed,
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
from hub.domain.values import ChannelKind, Direction
from hub.kpi.cells import ABANDONED, ANSWERED, CALLED_BACK, REOPENED, REPEAT_DAYS, REPEATED, rung
from hub.kpi.days import cut, wall_ms

_MILLISECOND = timedelta(milliseconds=1)
_COUNTED_AS = {ChannelKind.CHAT.value: "chats", ChannelKind.EMAIL.value: "mails", ChannelKind.SMS.value: "texts"}
_PASSED_AS = {"transferred": "passed_blind", "released": "passed_requeue"}
_LEFT_AS = {
    "overflow": "overflowed",
    "transferred": "moved",
    "system_drop": "dropped",
    "withdrawn": "withdrawn",
}
_WENT_AS = {
    Direction.IN.value: "parts_in",
    Direction.OUT.value: "parts_out",
    Direction.INTERNAL.value: "parts_internal",
}
_SPENT_AS = {"away": "away_ms", "not_responding": "not_responding_ms"}
# Scores of 4 and 5 of 5 are satisfied; 9 and 10 of 10 promote, 0 to 6 detract (Reichheld 2003).
CSAT_TOP, NPS_PROMOTES, NPS_DETRACTS = 4, 9, 6


@dataclass(frozen=True, slots=True)
class Extra:
    """What a row knows beyond its event: of a resolution, when the customer opened it again, when they came with the same
    again (this or anything else of that topic), and whether it was resolved once more; of a hold, its seconds each
    divided by the work held in it (None: not known); of a part in a call, whether its agent asked a colleague before they
    passed it on."""

    reopened_at: datetime | None = None
    repeated_at: datetime | None = None
    is_superseded: bool = False
    weighted_s: float | None = None
    is_consult: bool = False


BARE = Extra()


class Part(NamedTuple):
    """What a fact adds at an instant: to counters, and durations in milliseconds to sketches."""

    at: datetime
    agent_id: int | None
    queue_id: int | None
    channel_id: str | None
    topic_id: int | None
    counts: dict[str, int]
    durations: dict[str, int]


def fold(fact: FactEvent, extra: Extra, kinds: Mapping[str, str]) -> list[Part]:
    """`kinds`: channel → its kind."""
    match fact:
        case QueueVisitEnded():
            return _visit(fact, kinds)
        case SegmentEnded():
            return _segment(fact, extra, kinds)
        case CallEnded():
            return _call(fact)
        case CallSegmentEnded():
            return _call_segment(fact, extra)
        case CallMissed():
            return [_part(fact.ended_at, fact, {"calls_missed": 1})]
        case ContactBegan():
            return _contact(fact)
        case OfferOver():
            return [_part(fact.ended_at, fact, {f"offers_{fact.outcome}": 1})]
        case CustomerAnswered():
            return _response(fact)
        case ConversationResolved():
            return _resolution(fact, extra)
        case SurveySent():
            return [_part(fact.sent_at, fact, {f"{fact.survey}_sent": 1})]
        case SurveyAnswered():
            return _survey(fact)
        case AgentSpellEnded():
            return _spell(fact)
        case CustomerJoined() | CustomerParted():
            # It makes a difference to what others add (kpi.sequels).
            return []


def _part(
    at: datetime,
    fact: FactEvent,
    counts: dict[str, int],
    durations: dict[str, int] | None = None,
) -> Part:
    return Part(
        at,
        getattr(fact, "agent_id", None),
        getattr(fact, "queue_id", None),
        getattr(fact, "channel_id", None),
        getattr(fact, "topic_id", None),
        counts,
        durations or {},
    )


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))


def _visit(fact: QueueVisitEnded, kinds: Mapping[str, str]) -> list[Part]:
    wait = wall_ms(fact.queued_at, fact.removed_at)
    durations = {"wait": wait}
    if fact.reason == "answered":
        counts = {ANSWERED[rung(wait, inclusive=True)]: 1, "answered_wait_ms": wait}
        if fact.is_first:
            since_arrival = wall_ms(fact.arrived_at, fact.removed_at)
            counts |= {"answered_first": 1, "answered_since_arrival_ms": since_arrival}
        durations["answered_wait"] = wait
    elif fact.reason == "abandoned":
        counts = {ABANDONED[rung(wait, inclusive=False)]: 1, "abandoned_wait_ms": wait}
    elif fact.reason == "callback":
        counts = {CALLED_BACK[rung(wait, inclusive=True)]: 1}
    else:
        counts = {_LEFT_AS[fact.reason]: 1}
        if fact.reason == "withdrawn":
            durations = {}
    if fact.reason == "abandoned" or (fact.reason != "withdrawn" and is_voice(fact, kinds)):
        # Only of who is on the line is it told that they left.
        counts["leaving_known"] = 1
    return [_part(fact.removed_at, fact, counts, durations), _part(fact.queued_at, fact, {"joined": 1})]


def is_voice(fact: SegmentEnded | QueueVisitEnded, kinds: Mapping[str, str]) -> bool:
    """Facts of before calls were named in them are told by their channel."""
    return fact.call_id is not None or kinds.get(fact.channel_id) == ChannelKind.PHONE.value


def _segment(fact: SegmentEnded, extra: Extra, kinds: Mapping[str, str]) -> list[Part]:
    if is_voice(fact, kinds):
        # How it went on the line is told by the part in the call.
        return [_part(fact.ended_at, fact, {"segments": 1})]
    held = wall_ms(fact.connected_at, fact.ended_at)
    counts = {"segments": 1, "digital": 1, "held_ms": held}
    if (kind := _COUNTED_AS.get(kinds.get(fact.channel_id, ""))) is not None:
        counts[kind] = 1
    if (passed := _PASSED_AS.get(fact.end_reason)) is not None:
        counts[passed] = 1
    if extra.weighted_s is not None:
        counts |= {"weighted": 1, "weighted_ms": _ms(extra.weighted_s)}
    return [_part(fact.ended_at, fact, counts, {"handle": held})]


def is_offered(call: CallEnded) -> bool:
    """Whether a call came to wait in a queue; ours do not."""
    return call.direction == Direction.IN.value and call.queue_id is not None and call.queued_at is not None


def _call(fact: CallEnded) -> list[Part]:
    if not is_offered(fact) or fact.queued_at is None:
        return []
    counts = {"calls_offered": 1}
    if fact.end_reason == CallEnd.ABANDONED.value:
        is_short = wall_ms(fact.queued_at, fact.ended_at) < SHORT_ABANDON_S * 1000
        counts["calls_short" if is_short else "calls_abandoned"] = 1
    elif fact.answered_at is not None:
        counts |= {"calls_answered": 1, "calls_wait_ms": wall_ms(fact.queued_at, fact.answered_at)}
    return [_part(fact.ended_at, fact, counts)]


def _call_segment(fact: CallSegmentEnded, extra: Extra) -> list[Part]:
    talk, hold, wrap_up = _ms(fact.talk_s), _ms(fact.hold_s), _ms(fact.wrap_up_s)
    counts = {_WENT_AS[fact.direction]: 1, "talk_ms": talk, "hold_ms": hold, "wrap_up_ms": wrap_up}
    if (passed := _PASSED_AS.get(fact.end_reason)) is not None:
        counts["passed_consult" if extra.is_consult else passed] = 1
    return [_part(fact.ended_at, fact, counts, {"call_handle": talk + hold + wrap_up})]


def _contact(fact: ContactBegan) -> list[Part]:
    return [_part(fact.arrived_at, fact, {"arrived_out" if fact.direction == "out" else "arrived_in": 1})]


def _response(fact: CustomerAnswered) -> list[Part]:
    if not fact.is_first:
        return []
    took = wall_ms(fact.asked_at, fact.answered_at)
    counts, durations = {"first_answers": 1, "first_answer_ms": took}, {"first_answer": took}
    if fact.business_s is not None:
        business = _ms(fact.business_s)
        counts |= {"first_answers_business": 1, "first_answer_business_ms": business}
        durations["first_answer_business"] = business
    return [_part(fact.answered_at, fact, counts, durations)]


def _resolution(fact: ConversationResolved, extra: Extra) -> list[Part]:
    took = wall_ms(fact.opened_at, fact.resolved_at)
    counts, durations = {"resolved": 1}, {}
    if fact.reopened_count == 0:
        counts |= {"resolved_first": 1, "resolved_first_ms": took}
        durations["resolved_first"] = took
    if not extra.is_superseded:
        counts |= {"resolved_full": 1, "resolved_full_ms": took}
        durations["resolved_full"] = took
    if fact.handling_s is not None:
        handling = _ms(fact.handling_s)
        counts |= {"resolved_handling": 1, "resolved_handling_ms": handling}
        durations["resolved_handling"] = handling
    if (days := _days_until(fact.resolved_at, extra.reopened_at)) is not None:
        counts[REOPENED[days]] = 1
    if fact.customer_id is not None:
        counts["resolved_known"] = 1
        if (days := _days_until(fact.resolved_at, extra.repeated_at)) is not None:
            counts[REPEATED[days]] = 1
    return [_part(fact.resolved_at, fact, counts, durations)]


def _days_until(since: datetime, until: datetime | None) -> int | None:
    """The step of REPEAT_DAYS within which it was; None: not at all, or later than the last."""
    if until is None:
        return None
    return next((step for step, days in enumerate(REPEAT_DAYS) if until - since <= timedelta(days=days)), None)


def _survey(fact: SurveyAnswered) -> list[Part]:
    counts = {fact.survey: 1}
    if fact.survey == "nps":
        counts |= {
            "nps_promoters": int(fact.score >= NPS_PROMOTES),
            "nps_detractors": int(fact.score <= NPS_DETRACTS),
        }
    else:
        counts[f"{fact.survey}_sum"] = fact.score
    if fact.survey == "csat":
        counts["csat_top"] = int(fact.score >= CSAT_TOP)
    return [_part(fact.answered_at, fact, counts), _part(fact.sent_at, fact, {f"{fact.survey}_returned": 1})]


def _spell(fact: AgentSpellEnded) -> list[Part]:
    """Whoever is signed out works nothing, whatever they still hold."""
    if fact.state == "offline":
        return []
    parts = []
    for since, until in cut(fact.since, fact.until):
        spent = (until - since) // _MILLISECOND
        counts = {"staffed_ms": spent, "load_ms": spent * fact.load, "capacity_ms": spent * fact.capacity}
        if fact.work_count > 0:
            counts["work_ms"] = spent
        elif fact.state == "available":
            counts["available_ms"] = spent
        if (kind := _SPENT_AS.get(fact.state)) is not None:
            counts[kind] = spent
        parts.append(_part(since, fact, counts))
    return parts
