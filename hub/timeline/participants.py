"""Colleagues who were asked into a conversation: they see it wherever it goes, as its queue's members do.

They stand in its row, as their ids between commas (`,3,7,`), so that whoever holds the row knows them: the hot path asks no
further question, and an event's topics are made of the view alone. Who may see a conversation is said in three places, which
all read this: `domain.events.conversation_topics` (live), `conversations.visible_to` (lists) and `conversations.may_see`.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement

from hub.domain.sentences import Sentence
from hub.errors import InvalidInput
from hub.store import tables

_c = tables.conversation.c

# Each is told of every line; a conversation with more is a meeting.
MOST = 60


def read_ids(stored: str) -> tuple[int, ...]:
    return tuple(map(int, stored[1:-1].split(","))) if stored else ()


def write_ids(ids: Iterable[int]) -> str:
    """InvalidInput if they are too many."""
    wanted = sorted(set(ids))
    if len(wanted) > MOST:
        fault = Sentence(
            "so many people cannot be asked into one conversation: {wanted} of {count} at most",
            wanted=len(wanted),
            count=MOST,
        )
        raise InvalidInput("too many participants", fields={"mentions": fault})
    return f",{','.join(map(str, wanted))}," if wanted else ""


def takes_part(user_id: int) -> ColumnElement[bool]:
    """The condition on `conversation` that somebody was asked into it."""
    return _c.participants.contains(f",{user_id},", autoescape=True)
