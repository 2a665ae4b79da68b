"""Facts to test with: made briefly, and one day of them whose figures can be counted by hand."""

from datetime import UTC, datetime, timedelta

from hub.domain.events import ConversationResolved, CustomerAnswered, FactEvent, SegmentEnded

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)  # 14:00 in Kyiv
ANNA, BORIS = 11, 12


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
