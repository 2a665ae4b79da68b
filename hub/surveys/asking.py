"""The second half of a survey: when it is due, the customer is asked, or it is dropped and says why.

    planned ── due ──► still resolved? may be asked? not lately? ──► message and outbox row, fact.survey_sent       sent
                                                             └────► dropped: reopened, throttled, opted_out …

The row was written with the resolution, so a process that dies in between leaves it for the next one. One asks at a time
(under ROUTING, as the survey after a call does): two surveys of one customer that are due together are one question. The
message is the hub's own: it answers nothing, opens nothing, and stands in the timeline as a survey.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select, update

from hub.domain.events import FACTS, SurveySent
from hub.domain.mail import Mailbox, MailKind
from hub.domain.states import SURVEY, ConversationStatus, SurveyState, check_move
from hub.domain.values import ChannelKind, Happening
from hub.domain.views import ConversationView
from hub.errors import DatabaseAway
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.stream import Wakes
from hub.surveys import words
from hub.surveys.settings import SurveySetting, find_setting
from hub.timeline import automatic_replies, conversations, outbox
from hub.timeline.mails import MailWish

log = logging.getLogger(__name__)

_s, _c, _cp = tables.survey.c, tables.conversation.c, tables.contact_point.c

# After a long outage nobody wants to be asked about last week.
TOO_LATE = timedelta(hours=24)
_STEP = 50
# Missed wakes and clocks that jump are made good by this.
_LOOK_EVERY_S = 30.0
_RETRY_S = 1.0


class Surveys:
    """Asks when it is time, for as long as the process lives."""

    def __init__(self, database: Database, wakes: Wakes) -> None:
        self._database = database
        self._wakes = wakes

    async def run(self) -> None:
        while True:
            try:
                for survey_id in await self._database.read(find_due):
                    await self._ask(survey_id)
                nearest = await self._database.read(load_nearest)
            except DatabaseAway:
                await asyncio.sleep(_RETRY_S)
                continue
            wait_s = _LOOK_EVERY_S
            if nearest is not None:
                wait_s = min(max((nearest - self._database.clock()).total_seconds(), 0.0), wait_s)
            await self._wakes.wait("surveys", wait_s)

    async def _ask(self, survey_id: int) -> None:
        """One that cannot be asked stops no other."""
        try:
            await self._database.transaction(ask, survey_id)
        except DatabaseAway:
            raise
        except Exception:
            log.exception("survey.not_asked", extra={"survey_id": survey_id})
            await self._database.transaction(drop, survey_id, "failed")


def find_due(tx: Tx) -> list[int]:
    due = select(_s.id).where(_s.state == SurveyState.PLANNED.value, _s.due_at <= tx.now)
    return [row.id for row in tx.rows(due.order_by(_s.due_at, _s.id).limit(_STEP))]


def load_nearest(tx: Tx) -> datetime | None:
    nearest: datetime | None = tx.scalar(select(func.min(_s.due_at)).where(_s.state == SurveyState.PLANNED.value))
    return nearest


def ask(tx: Tx, survey_id: int) -> bool:
    """Asks the customer, or drops the survey; False if it was dropped, or somebody else saw to it."""
    tx.lock_routing()
    conversation_id = tx.scalar(select(_s.conversation_id).where(_s.id == survey_id))
    if conversation_id is None:
        return False
    view = conversations.lock_conversation(tx, conversation_id)
    # Read behind the locks: a merge may have moved it, another process may have asked.
    row = tx.first(select(tables.survey).where(_s.id == survey_id).with_for_update())
    if row is None or row.state != SurveyState.PLANNED or row.due_at > tx.now:
        return False
    setting = find_setting(tx, row.queue_id)
    reason = _refusal(tx, row, view, setting)
    if setting is None or reason is not None:
        drop(tx, survey_id, reason or "switched_off")
        return False
    _send(tx, row, view, setting)
    return True


def drop(tx: Tx, survey_id: int, reason: str) -> None:
    """Nobody is asked."""
    planned = (_s.id == survey_id, _s.state == SurveyState.PLANNED.value)
    tx.execute(update(tables.survey).where(*planned).values(state=SurveyState.DROPPED.value, dropped=reason))


def _refusal(tx: Tx, row: Row[Any], view: ConversationView, setting: SurveySetting | None) -> str | None:
    if setting is None or not setting.enabled or view.channel_kind not in setting.channels:
        return "switched_off"
    is_resolved = view.status is ConversationStatus.RESOLVED and view.merged_into_id is None
    if not is_resolved or view.resolved_at != row.resolved_at:
        return "reopened"
    if tx.now - row.due_at > TOO_LATE:
        return "too_late"
    talks = (_c.contact_point_id == view.contact_point_id, _c.channel_id == view.channel_id, _c.status == "open")
    if tx.first(select(_c.id).where(*talks).limit(1)) is not None:
        return "in_talk"
    unreachable = automatic_replies.unreachable_because(tx, view)
    if unreachable is not None:
        return unreachable
    if tx.scalar(select(_cp.bounced_at).where(_cp.id == view.contact_point_id)) is not None:
        return "nobody_reads"
    return "throttled" if is_throttled(tx, row.customer_id, setting) else None


def is_throttled(tx: Tx, customer_id: int, setting: SurveySetting) -> bool:
    """Whether the customer was asked lately, on whatever channel."""
    lately = tx.now - timedelta(days=setting.throttle_days)
    asked = (_s.customer_id == customer_id, _s.sent_at > lately)
    return tx.first(select(_s.id).where(*asked).limit(1)) is not None


def _send(tx: Tx, row: Row[Any], view: ConversationView, setting: SurveySetting) -> None:
    spoken = tx.scalar(select(tables.customer.c.language).where(tables.customer.c.id == row.customer_id))
    language = words.language_of(spoken, setting.language)
    questions = dict(setting.questions)
    asked = words.asked(setting.kind, language, questions)
    expires_at = tx.now + timedelta(hours=setting.open_h)
    text, wish = asked.question, None
    if view.channel_kind in (ChannelKind.SMS, ChannelKind.LOOPBACK):
        text = words.sms(setting.kind, language, questions)
    elif view.channel_kind is ChannelKind.EMAIL:
        wish = MailWish(MailKind.ACKNOWLEDGEMENT, to=(Mailbox(view.address, view.customer_name),), quote=False)
    entry = outbox.enqueue(
        tx,
        view.id,
        conversations.SYSTEM,
        text,
        mail=wish,
        happening=Happening.SURVEY,
        data={
            "survey": setting.kind.value,
            "survey_id": row.id,
            "language": language,
            "low": asked.low,
            "high": asked.high,
            "expires_at": expires_at.isoformat(),
            "answered": 0,
        },
    )
    tx.execute(
        update(tables.survey)
        .where(_s.id == row.id)
        .values(
            state=check_move(SURVEY, SurveyState(row.state), SurveyState.SENT).value,
            kind=setting.kind.value,
            language=language,
            entry_id=entry.id,
            sent_at=tx.now,
            expires_at=expires_at,
        )
    )
    tx.emit(
        SurveySent(
            survey_id=row.id,
            survey=setting.kind.value,
            conversation_id=view.id,
            customer_id=row.customer_id,
            channel_id=view.channel_id,
            queue_id=row.queue_id,
            sent_at=tx.now,
            agent_id=row.agent_id,
            topic_id=row.topic_id,
        ),
        {FACTS},
    )
