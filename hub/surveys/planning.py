"""Whether a resolution is worth a question: the first half of a survey, in the transaction of the resolution itself.

Planned is what a person resolved and an agent had answered, where the queue asks on that kind of channel. What closes by
itself is never asked about: nobody solved anything. Whether the question may be sent is decided when it is due
(surveys.asking).
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from hub.domain.values import AuthorKind, ChannelKind, Direction, EntryKind, Happening
from hub.domain.views import ConversationView
from hub.store import tables
from hub.store.database import Tx
from hub.surveys.settings import find_setting

_e = tables.entry.c


def plan(tx: Tx, view: ConversationView, resolved_entry_id: int) -> None:
    """Plans the survey of this resolution, if there is to be one. The caller holds the conversation's lock. It is about the
    work of whoever wrote to the customer last: that is whom the customer knows."""
    setting = find_setting(tx, view.queue_id)
    if setting is None or not setting.enabled or view.channel_kind not in setting.channels:
        return
    if view.channel_kind is ChannelKind.PHONE:
        return  # asked on the line, before anything was written up (surveys.by_phone)
    answered_by = _last_answer_by(tx, view.id)
    if answered_by is None:
        return
    tx.insert(
        tables.survey,
        {
            "conversation_id": view.id,
            "resolved_entry_id": resolved_entry_id,
            "customer_id": view.customer_id,
            "queue_id": view.queue_id,
            "channel_id": view.channel_id,
            "agent_id": answered_by,
            "topic_id": view.topic_id,
            "kind": setting.kind.value,
            "state": "planned",
            "resolved_at": tx.now,
            "due_at": tx.now + timedelta(seconds=setting.delay_s),
        },
    )
    tx.wake("surveys")


def _last_answer_by(tx: Tx, conversation_id: int) -> int | None:
    """The agent who wrote to the customer last, since the conversation began or was reopened; None if nobody did."""
    reopened = select(func.max(_e.id)).where(
        _e.conversation_id == conversation_id, _e.happening == Happening.REOPENED.value
    )
    since = tx.scalar(reopened) or 0
    answers = select(_e.author_id).where(
        _e.conversation_id == conversation_id,
        _e.id > since,
        _e.kind == EntryKind.MESSAGE.value,
        _e.direction == Direction.OUT.value,
        _e.author_kind == AuthorKind.AGENT.value,
    )
    found: int | None = tx.scalar(answers.order_by(_e.id.desc()).limit(1))
    return found
