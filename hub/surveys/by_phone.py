"""The survey after a call: asked on the line itself, as soon as the agent has hung up, and answered with one key.

    the agent hangs up ── ask ──► question for the customer alone, fact.survey_sent ── key ──► take ──► thanks, the line ends

The call is resolved when it is written up, and by then nobody would be on the line. So it is asked about when the talk is
over; the survey's `resolved_entry_id` is the line of the call, of which there is one. Customers who hang up first are not
asked. The agent is not held up: they write down what it was about meanwhile.

The caller holds ROUTING and the conversation's lock (as surveys.asking does: two askings of one customer come one after the
other).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from hub.calls.phrases import spoken
from hub.channels.voice import Prompt
from hub.domain.events import FACTS, EntryAdded, SurveySent
from hub.domain.states import SurveyState
from hub.domain.values import AuthorKind, ChannelKind, Direction, EntryKind, Happening
from hub.errors import Conflict, NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.surveys import answers, words
from hub.surveys.asking import is_throttled
from hub.surveys.settings import find_setting
from hub.timeline import conversations

# One key is one score: what is pressed for the only score of two digits.
TEN = "*"
# The question twice, the waits for a key and what the way to the line takes; nobody answers an old call by its keys.
_OPEN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Question:
    """What the customer hears, and the keys that answer it."""

    survey_id: int
    prompts: tuple[Prompt, ...]
    keys: tuple[str, ...]


def ask(tx: Tx, call: Row[Any]) -> Question | None:
    """The question for a call (its row) in which customer and agent have talked, stored as asked; None if none is to be."""
    setting = find_setting(tx, call.queue_id) if call.queue_id is not None else None
    if setting is None or not setting.enabled or ChannelKind.PHONE not in setting.channels:
        return None
    if call.agent_id is None or call.entry_id is None or is_throttled(tx, call.customer_id, setting):
        return None
    view = conversations.load_conversation(tx, call.conversation_id)
    kind, language = setting.kind, words.language_of(call.language, setting.language)
    asked = words.asked(kind, language, dict(setting.questions))
    survey_id = tx.insert(
        tables.survey,
        {
            "conversation_id": view.id,
            "resolved_entry_id": call.entry_id,
            "customer_id": call.customer_id,
            "queue_id": call.queue_id,
            "channel_id": call.channel_id,
            "agent_id": call.agent_id,
            "topic_id": view.topic_id,
            "kind": kind.value,
            "state": SurveyState.SENT.value,
            "language": language,
            "resolved_at": tx.now,
            "due_at": tx.now,
            "sent_at": tx.now,
            "expires_at": tx.now + _OPEN,
        },
    )
    entry_id = tx.insert(
        tables.entry,
        {
            "conversation_id": view.id,
            "customer_id": view.customer_id,
            "kind": EntryKind.EVENT.value,
            "direction": Direction.OUT.value,
            "author_kind": AuthorKind.SYSTEM.value,
            "author_name": conversations.SYSTEM.name,
            "text": asked.question,
            "at": tx.now,
            "happening": Happening.SURVEY.value,
            "data": {"survey": kind.value, "survey_id": survey_id, "language": language, "answered": 0},
        },
    )
    tx.execute(tables.survey.update().where(tables.survey.c.id == survey_id).values(entry_id=entry_id))
    topics = set(conversations.entry_topics(view, to_visitor=False))
    tx.emit(EntryAdded(conversations.load_entry(tx, entry_id), view), topics)
    tx.emit(
        SurveySent(
            survey_id=survey_id,
            survey=kind.value,
            conversation_id=view.id,
            customer_id=call.customer_id,
            channel_id=call.channel_id,
            queue_id=call.queue_id,
            sent_at=tx.now,
            agent_id=call.agent_id,
            topic_id=view.topic_id,
        ),
        {FACTS},
    )
    # The usual words are recorded, for lines that do not speak the language; a queue's own are spoken, or left out.
    is_usual = asked == words.asked(kind, language)
    question = spoken(f"survey_{kind.value}", language) if is_usual else Prompt(asked.question, language)
    prompts = (question, spoken(f"survey_{kind.value}_keys", language))
    return Question(survey_id, prompts, tuple(TEN if score == 10 else str(score) for score in kind.scale))


def take(tx: Tx, survey_id: int, key: str | None, language: str) -> tuple[Prompt, ...]:
    """Stores the score of the key; what is said before the line ends."""
    if key is not None:
        # Told too late, or erased meanwhile: that is no business of the caller's.
        with contextlib.suppress(Conflict, NotFound):
            answers.answer(tx, survey_id, 10 if key == TEN else int(key))
    return (spoken("goodbye", language),)
