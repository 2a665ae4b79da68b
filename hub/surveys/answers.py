"""What customers answer: a score and perhaps some words, by whatever way they were asked.

    widget, page  ── answer ──►  survey row → line with the score → fact.survey → low? alert and follow-up, ONE transaction
    text message  ── take_replies (inbound asks it before anything else) ──► the same

Doubled answers are one: the same score again changes nothing. Another score counts instead of the first as long as the
survey is open; a lower one, or new words with a low one, is for supervisors to see to again. The line with the score stands
in the timeline beside the conversation's own and changes nothing about the conversation: it opens nothing and answers
nothing. Where agents see their own scores only, the line is the agent's and the supervisors'.

A text message is an answer if it begins with a score of the scale (surveys.replies), the customer was asked at that address
lately and nothing is open there: once the talk goes on, a number belongs to the talk. It becomes no message then, unless it
says more than a score and thanks: that is taken both ways. Once a score is given, nothing but a bare number is another:
"4 more bags, please" belongs to no survey any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update

from hub.agents import alerts
from hub.agents.alerts import LOW_SCORE
from hub.domain.events import FACTS, SUPERVISORS, EntryAdded, EntryChanged, SurveyAnswered, user_topic
from hub.domain.sentences import Sentence
from hub.domain.states import SURVEY, SurveyState, check_move
from hub.domain.values import AuthorKind, ContactKind, Direction, EntryKind, Happening, SurveyKind
from hub.domain.views import ConversationView
from hub.errors import Conflict, InvalidInput, NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.surveys.replies import COMMENT_LIMIT, Reply, may_be_score, parse_reply
from hub.surveys.settings import find_setting, load_supervisors
from hub.timeline import conversations

_s, _c, _cp, _e = tables.survey.c, tables.conversation.c, tables.contact_point.c, tables.entry.c

_ANSWERABLE = (SurveyState.SENT.value, SurveyState.ANSWERED.value)
# Where a survey is a message that one answers with a message.
_BY_TEXT = frozenset({ContactKind.PHONE, ContactKind.LOOPBACK})


@dataclass(frozen=True, slots=True)
class _SeenTo:
    """Whether a low score is seen to: None (it is not low, and never was), open or done; by whom (their id) and when."""

    state: str | None
    by: int | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """A message that has just come in, as far as a survey cares."""

    channel_id: str
    contact_kind: ContactKind
    sender: str
    text: str


@dataclass(frozen=True, slots=True)
class Taken:
    """It was an answer. `goes_on`: it says more than that, so it is a message as well."""

    conversation_id: int
    contact_point_id: int
    entry_id: int
    goes_on: bool


def answer(tx: Tx, survey_id: int, score: int, comment: str = "") -> int:
    """Stores the score; returns the line of the timeline that shows it. NotFound if there is no such survey (any more),
    Conflict `survey_over` when its time is over, InvalidInput for a score that the scale does not have. Without a comment the
    one given before stands."""
    row = _load(tx, survey_id)
    view = conversations.load_living(tx, row.conversation_id, lock=True)
    row = _load(tx, survey_id, lock=True)
    if row.expires_at <= tx.now:
        raise Conflict("this survey is over", code="survey_over")
    kind = SurveyKind(row.kind)
    if score not in kind.scale:
        raise InvalidInput(
            "no such score",
            fields={"score": Sentence("must be from {least} to {most}", least=kind.scale[0], most=kind.scale[-1])},
        )
    comment = comment.strip()[:COMMENT_LIMIT] or row.comment
    if row.state == SurveyState.ANSWERED and (score, comment) == (row.score, row.comment):
        return int(row.answer_entry_id)
    return _store(tx, row, view, score, comment)


def _load(tx: Tx, survey_id: int, *, lock: bool = False) -> Row[Any]:
    query = select(tables.survey).where(_s.id == survey_id, _s.state.in_(_ANSWERABLE))
    row = tx.first(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound("there is no such survey")
    return row


def _store(tx: Tx, row: Row[Any], view: ConversationView, score: int, comment: str) -> int:
    setting = find_setting(tx, row.queue_id)
    is_first = row.state == SurveyState.SENT
    is_low = setting is not None and setting.low_score is not None and score <= setting.low_score
    is_own = setting is None or setting.scores_for_agents == "own"
    # What supervisors do not know yet, even if they have seen to what was said before.
    is_news = is_low and (is_first or score < row.score or comment != row.comment)
    seen_to = _SeenTo("open") if is_news else _SeenTo(row.follow_up, row.followed_up_by, row.followed_up_at)
    entry_id = _write_line(tx, row, view, score, comment, seen_to, is_low=is_low, is_own=is_own)
    answered_at = tx.now if is_first else row.answered_at
    tx.execute(
        update(tables.survey)
        .where(_s.id == row.id)
        .values(
            state=check_move(SURVEY, SurveyState(row.state), SurveyState.ANSWERED).value,
            answered_at=answered_at,
            answer_entry_id=entry_id,
            score=score,
            comment=comment,
            is_low=is_low,
            follow_up=seen_to.state,
            followed_up_by=seen_to.by,
            followed_up_at=seen_to.at,
        )
    )
    if is_first:
        asked = tx.scalar(select(_e.data).where(_e.id == row.entry_id))
        conversations.change_entry(tx, row.entry_id, data={**asked, "answered": 1})
    if is_first or score != row.score:
        tx.emit(
            SurveyAnswered(
                survey_id=row.id,
                survey=row.kind,
                score=score,
                conversation_id=row.conversation_id,
                customer_id=row.customer_id,
                channel_id=row.channel_id,
                queue_id=row.queue_id,
                sent_at=row.sent_at,
                answered_at=answered_at,
                agent_id=row.agent_id,
                topic_id=row.topic_id,
                replaces=None if is_first else row.score,
            ),
            {FACTS},
        )
    if is_news:
        told = load_supervisors(tx, setting.told if setting is not None else None)
        # Whoever has one to look at finds the newest answer behind it: no customer fills their list.
        warned = {alert.user_id for alert in alerts.load_unseen_about(tx, view.id, LOW_SCORE, "survey_id", row.id)}
        alerts.raise_alert(
            tx,
            told - warned,
            level="notify",
            reason=LOW_SCORE,
            conversation_id=view.id,
            data={"customer": view.customer_name, "survey": row.kind, "score": score, "survey_id": row.id},
        )
    return entry_id


def _write_line(
    tx: Tx,
    row: Row[Any],
    view: ConversationView,
    score: int,
    comment: str,
    seen_to: _SeenTo,
    *,
    is_low: bool,
    is_own: bool,
) -> int:
    """The line with the score, written or changed, and told to those who may see it."""
    name = tx.scalar(select(tables.user_account.c.name).where(tables.user_account.c.id == row.agent_id))
    data = {
        "survey": row.kind,
        "survey_id": row.id,
        "score": score,
        "is_low": int(is_low),
        "agent_id": row.agent_id,
        "agent_name": name,
        "follow_up": seen_to.state,
        "followed_up_by": None,
    }
    if seen_to.by is not None:
        u = tables.user_account.c
        data["followed_up_by"] = tx.scalar(select(u.name).where(u.id == seen_to.by))
    private_to = (row.agent_id or 0) if is_own else None
    topics = topics_of_line(tx, view, private_to)
    if row.answer_entry_id is not None:
        changed = {"text": comment, "data": data, "version": _e.version + 1}
        tx.execute(update(tables.entry).where(_e.id == row.answer_entry_id).values(**changed))
        tx.emit(EntryChanged(conversations.load_entry(tx, row.answer_entry_id)), topics)
        return int(row.answer_entry_id)
    entry_id = tx.insert(
        tables.entry,
        {
            "conversation_id": view.id,
            "customer_id": view.customer_id,
            "kind": EntryKind.EVENT.value,
            "direction": Direction.IN.value,
            "author_kind": AuthorKind.CUSTOMER.value,
            "author_name": view.customer_name,
            "text": comment,
            "at": tx.now,
            "happening": Happening.SCORED.value,
            "data": data,
            "private_to": private_to,
        },
    )
    tx.emit(EntryAdded(conversations.load_entry(tx, entry_id), view), topics)
    return entry_id


def topics_of_line(tx: Tx, view: ConversationView, private_to: int | None) -> set[str]:
    """Who may hear of the line with a score: `private_to` is its own."""
    if private_to is None:
        return set(conversations.entry_topics(view, to_visitor=False))
    return {SUPERVISORS, user_topic(private_to)} if _is_member(tx, view.queue_id, private_to) else {SUPERVISORS}


def _is_member(tx: Tx, queue_id: int, agent_id: int | None) -> bool:
    m = tables.queue_member.c
    return tx.first(select(m.user_id).where(m.queue_id == queue_id, m.user_id == agent_id)) is not None


# --- by text message ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asked:
    """The survey that a text may answer."""

    survey_id: int
    conversation_id: int
    contact_point_id: int
    channel_id: str
    reply: Reply


def take_replies(tx: Tx, texts: Sequence[Text]) -> dict[int, Taken]:
    """Those of the texts (by their place) that answer a survey, stored as such. Locks the conversations of all of them at
    once: two groups of the same people, in whatever order they wrote, wait for each other once."""
    likely = [index for index, each in enumerate(texts) if each.contact_kind in _BY_TEXT and may_be_score(each.text)]
    tx.lock_conversations(asked.conversation_id for index in likely if (asked := _find_asked(tx, texts[index])))
    taken: dict[int, Taken] = {}
    for index in likely:
        # Once more: another group, or the text before this one, may have answered it meanwhile.
        asked = _find_asked(tx, texts[index])
        if asked is not None and not _is_in_talk(tx, asked):
            entry_id = answer(tx, asked.survey_id, asked.reply.score, asked.reply.comment)
            goes_on = asked.reply.is_message
            taken[index] = Taken(asked.conversation_id, asked.contact_point_id, entry_id, goes_on=goes_on)
    return taken


def _find_asked(tx: Tx, text: Text) -> _Asked | None:
    row = tx.first(
        select(_s.id, _s.kind, _s.state, _s.conversation_id, _c.contact_point_id)
        .join(tables.conversation, _c.id == _s.conversation_id)
        .join(tables.contact_point, _cp.id == _c.contact_point_id)
        .where(
            _cp.kind == text.contact_kind.value,
            _cp.address == text.sender,
            _s.channel_id == text.channel_id,
            _s.state.in_(_ANSWERABLE),
            _s.expires_at > tx.now,
        )
        .order_by(_s.id.desc())
        .limit(1)
    )
    reply = parse_reply(text.text, SurveyKind(row.kind)) if row is not None else None
    if row is None or reply is None or (row.state == SurveyState.ANSWERED and not reply.is_bare):
        return None
    return _Asked(row.id, row.conversation_id, row.contact_point_id, text.channel_id, reply)


def _is_in_talk(tx: Tx, asked: _Asked) -> bool:
    talks = (_c.contact_point_id == asked.contact_point_id, _c.channel_id == asked.channel_id, _c.status == "open")
    return tx.first(select(_c.id).where(*talks).limit(1)) is not None
