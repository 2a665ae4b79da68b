"""Facts to test with: made briefly, and one day of them whose figures can be counted by hand."""

from datetime import UTC, datetime, timedelta

from hub.domain.calls import CallEnd
from hub.domain.events import (
    CallEnded,
    CallMissed,
    CallSegmentEnded,
    ConversationResolved,
    CustomerAnswered,
    FactEvent,
    SegmentEnded,
)

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)  # 14:00 in Kyiv
ANNA, BORIS = 11, 12
CARE, SALES = 21, 22


def segment(assignment_id: int, agent_id: int, ended_at: datetime, conversation_id: int = 0) -> SegmentEnded:
    begun = ended_at - timedelta(seconds=90)
    of = conversation_id or assignment_id
    return SegmentEnded(assignment_id, of, agent_id, "sms", 1, begun, ended_at, "offer", "resolved")


def response(entry_id: int, agent_id: int, at: datetime, took_s: float, *, is_first: bool = True) -> CustomerAnswered:
    return CustomerAnswered(entry_id, entry_id, agent_id, "sms", 1, at - timedelta(seconds=took_s), at, is_first)


def resolution(
    entry_id: int, agent_id: int | None, at: datetime, took_s: float, reopened_count: int = 0
) -> ConversationResolved:
    begun = at - timedelta(seconds=took_s)
    return ConversationResolved(entry_id, entry_id, agent_id, "sms", 1, begun, at, reopened_count)


def after(seconds: float) -> datetime:
    """So long after noon."""
    return NOON + timedelta(seconds=seconds)


def call(
    call_id: int,
    hung_up_at: datetime,
    end: CallEnd = CallEnd.COMPLETED,
    *,
    queued_at: datetime | None = NOON,
    answered_at: datetime | None = None,
    queue_id: int | None = CARE,
    direction: str = "in",
) -> CallEnded:
    begun = min(at for at in (queued_at, answered_at, hung_up_at) if at is not None) - timedelta(seconds=20)
    return CallEnded(
        call_id, call_id, "line", queue_id, direction, begun, queued_at, answered_at, hung_up_at, end.value
    )


def part(
    segment_id: int,
    agent_id: int,
    ended_at: datetime,
    talk_s: float,
    hold_s: float = 0.0,
    wrap_up_s: float = 0.0,
    *,
    how: str = "answered",
    end: str = "completed",
    call_id: int = 1,
    queue_id: int = CARE,
    direction: str = "in",
) -> CallSegmentEnded:
    """An agent's part in a call: so much talk, hold and wrap-up, the last of which ended then."""
    begun = ended_at - timedelta(seconds=talk_s + hold_s + wrap_up_s)
    named = (segment_id, call_id, call_id, agent_id, "line", queue_id, direction, how)
    return CallSegmentEnded(*named, begun, talk_s, hold_s, wrap_up_s, ended_at, end, None)


def missed(offer_id: int, agent_id: int, ended_at: datetime, call_id: int = 1, queue_id: int = CARE) -> CallMissed:
    begun = ended_at - timedelta(seconds=20)
    return CallMissed(offer_id, call_id, call_id, agent_id, "line", queue_id, begun, ended_at)


DAY: tuple[FactEvent, ...] = (
    response(1, ANNA, NOON, 30.25),
    response(2, BORIS, NOON, 12.0),
    response(3, ANNA, NOON, 4.0, is_first=False),
    segment(1, ANNA, NOON),
    resolution(4, ANNA, NOON, 600.0),
    segment(2, BORIS, NOON),
    resolution(5, None, NOON, 50.0),
    segment(3, ANNA, NOON, conversation_id=1),
    resolution(6, ANNA, NOON, 5_000.0, reopened_count=1),
)
