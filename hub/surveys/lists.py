"""What was asked and answered, for those who may see it: a page of surveys, and the follow-up of low scores."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update

from hub.agents import alerts, audit
from hub.agents.viewer import Viewer
from hub.domain.events import EntryChanged
from hub.domain.states import SurveyState
from hub.domain.values import Role, SurveyKind
from hub.domain.views import ConversationView, SurveyView
from hub.errors import Conflict, NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.surveys.answers import topics_of_line
from hub.timeline import conversations

_s, _set, _e = tables.survey.c, tables.survey_setting.c, tables.entry.c
_agent, _done_by = tables.user_account.alias("agent"), tables.user_account.alias("done_by")

_SURVEYS = (
    select(
        tables.survey,
        tables.customer.c.name.label("customer_name"),
        tables.customer.c.erased_at.label("customer_erased_at"),
        _agent.c.name.label("agent_name"),
        _done_by.c.name.label("followed_up_name"),
    )
    .join(tables.customer, tables.customer.c.id == _s.customer_id)
    .outerjoin(_agent, _agent.c.id == _s.agent_id)
    .outerjoin(_done_by, _done_by.c.id == _s.followed_up_by)
)

# By which instant a list of surveys in this state goes, newest first.
_MOMENT = {
    SurveyState.PLANNED: _s.due_at,
    SurveyState.DROPPED: _s.due_at,
    SurveyState.SENT: _s.sent_at,
    SurveyState.ANSWERED: _s.answered_at,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is asked for; None: everything. `low`: low scores alone; `follow_up`: open or done."""

    state: SurveyState = SurveyState.ANSWERED
    queue_id: int | None = None
    agent_id: int | None = None
    channel_id: str | None = None
    customer_id: int | None = None
    conversation_id: int | None = None
    kind: SurveyKind | None = None
    low: bool = False
    follow_up: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def load_page(
    tx: Tx, viewer: Viewer, wanted: Wanted, before: tuple[datetime, int] | None, limit: int
) -> list[SurveyView]:
    """Newest first, as far as the viewer may see scores; who has left the queue keeps the scores of their own work, without
    customer and comment. `before`: the (moment, id) of the last one held; see `moment_of`."""
    moment = _MOMENT[wanted.state]
    query = _SURVEYS.where(_s.state == wanted.state.value)
    if not viewer.covers(Role.SUPERVISOR):
        query = query.where(_visible_to(viewer))
    for name in ("queue_id", "agent_id", "channel_id", "customer_id", "conversation_id", "kind", "follow_up"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(_s[name] == value)
    if wanted.low:
        query = query.where(_s.is_low)
    if wanted.since is not None:
        query = query.where(moment >= wanted.since)
    if wanted.until is not None:
        query = query.where(moment < wanted.until)
    if before is not None:
        at, survey_id = before
        query = query.where((moment < at) | ((moment == at) & (_s.id < survey_id)))
    views = [_view(row) for row in tx.rows(query.order_by(moment.desc(), _s.id.desc()).limit(limit))]
    readable = conversations.load_visible(tx, viewer, {view.conversation_id for view in views})
    return [view if view.conversation_id in readable else _without_customer(view) for view in views]


def _without_customer(view: SurveyView) -> SurveyView:
    return replace(view, customer_name="", comment="", is_readable=False, customer_is_erased=False)


def load_surveys(tx: Tx, ids: Collection[int]) -> list[SurveyView]:
    """By id, as supervisors see them."""
    return [_view(row) for row in tx.rows(_SURVEYS.where(_s.id.in_(ids)).order_by(_s.id))] if ids else []


def moment_of(view: SurveyView) -> datetime:
    """By what its list is in order."""
    return view.answered_at or view.sent_at or view.due_at


def _visible_to(viewer: Viewer) -> Any:
    """One's own, and those of queues that show all scores to all their agents."""
    open_queues = select(_set.queue_id).where(_set.scores_for_agents == "all", _set.queue_id.in_(viewer.queue_ids))
    return (_s.agent_id == viewer.user_id) | _s.queue_id.in_(open_queues)


def set_followed_up(tx: Tx, viewer: Viewer, survey_id: int, *, done: bool) -> SurveyView:
    """A supervisor has seen to a low score (or, after all, has not). Conflict `nothing_to_follow_up` for any other."""
    conversation_id = tx.scalar(select(_s.conversation_id).where(_s.id == survey_id))
    if conversation_id is None:
        raise NotFound("there is no such survey")
    conversation = conversations.lock_conversation(tx, conversation_id)
    row = tx.first(select(_s.follow_up, _s.answer_entry_id).where(_s.id == survey_id).with_for_update())
    if row is None:
        raise NotFound("there is no such survey")
    if row.follow_up is None:
        raise Conflict("this score needs no follow-up", code="nothing_to_follow_up")
    if row.follow_up != ("done" if done else "open"):
        values = {"follow_up": "done", "followed_up_by": viewer.user_id, "followed_up_at": tx.now}
        if not done:
            values = {"follow_up": "open", "followed_up_by": None, "followed_up_at": None}
        tx.execute(update(tables.survey).where(_s.id == survey_id).values(**values))
        if done:
            alerts.end_about(tx, conversation_id, alerts.LOW_SCORE, "survey_id", survey_id)
        _tell(tx, conversation, row.answer_entry_id, str(values["follow_up"]), viewer.name if done else None)
        said = "survey.followed_up" if done else "survey.reopened"
        audit.note(tx, viewer, said, "conversation", conversation_id, {"name": str(conversation_id)})
    found = tx.first(_SURVEYS.where(_s.id == survey_id))
    assert found is not None
    return _view(found)


def _tell(tx: Tx, conversation: ConversationView, entry_id: int, follow_up: str, by: str | None) -> None:
    """The line with the score says so too, at every screen that shows it."""
    line = tx.first(select(_e.data, _e.private_to).where(_e.id == entry_id))
    if line is None:
        return
    data = {**line.data, "follow_up": follow_up, "followed_up_by": by}
    tx.execute(update(tables.entry).where(_e.id == entry_id).values(data=data, version=_e.version + 1))
    topics = topics_of_line(tx, conversation, line.private_to)
    tx.emit(EntryChanged(conversations.load_entry(tx, entry_id)), topics)


def _view(row: Row[Any]) -> SurveyView:
    return SurveyView(
        id=row.id,
        kind=SurveyKind(row.kind),
        state=SurveyState(row.state),
        conversation_id=row.conversation_id,
        customer_id=row.customer_id,
        customer_name=row.customer_name,
        channel_id=row.channel_id,
        queue_id=row.queue_id,
        agent_id=row.agent_id,
        agent_name=row.agent_name,
        topic_id=row.topic_id,
        due_at=row.due_at,
        sent_at=row.sent_at,
        expires_at=row.expires_at,
        answered_at=row.answered_at,
        score=row.score,
        comment=row.comment,
        is_low=row.is_low,
        dropped=row.dropped,
        follow_up=row.follow_up,
        followed_up_by=row.followed_up_name,
        followed_up_at=row.followed_up_at,
        is_readable=True,
        customer_is_erased=row.customer_erased_at is not None,
    )
