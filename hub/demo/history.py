"""Some weeks before the demo began, so that the board and every report have something to tell at once.

Written by the road that real work takes: conversations that are over with what was said in them, and facts on the stream,
which the projector turns into rows and cells once the hub runs (kpi.facts). Nothing is written to a cell directly, so the
figures can be opened, and made anew, like any other. Facts name offers, assignments, calls and surveys of which there are no
rows: their numbers are below zero, where no row ever is.

The same seed draws the same weeks, up to the day. Each agent does one thing after another between nine and six, with lunch in
the middle; more comes around eleven and four, on Mondays, and less at weekends.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select, update

from hub.agents import teams
from hub.agents.teams import Team
from hub.demo.people import CALLERS, Dialogue, dialogues_of
from hub.domain.events import (
    FACTS,
    AgentSpellEnded,
    CallEnded,
    CallMissed,
    CallSegmentEnded,
    ContactBegan,
    ConversationResolved,
    CustomerAnswered,
    FactEvent,
    OfferOver,
    QueueVisitEnded,
    SegmentEnded,
    SurveyAnswered,
    SurveySent,
)
from hub.domain.mail import MailKind, SpanKind
from hub.domain.states import ConversationStatus, Delivery
from hub.domain.values import AuthorKind, ContactKind, Direction, EntryKind
from hub.kpi.fact_rows import DATED_BY
from hub.kpi.targets import Target, create_target
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import threads

DAYS = 28
TEAM = "Front desk"
# Against what the board's figures are held: the usual 80 % in 20 s, and what a small shop can keep.
TARGETS = (
    ("service_level", 0.8, 0.7),
    ("abandonment_rate", 0.05, 0.1),
    ("csat", 0.8, 0.65),
    ("first_response_s", 600.0, 1200.0),
)

_SEED = 1991
_OPENS, _LUNCH, _CLOSES = time(9), time(13), time(18)
_LUNCH_TAKES = timedelta(minutes=45)
# Minutes without work between two contacts, by the hour: the fewer, the more comes.
_IDLE_MINUTES: Mapping[int, float] = {9: 40, 10: 28, 11: 18, 12: 24, 13: 35, 14: 30, 15: 24, 16: 18, 17: 32}
_IDLE_BY_WEEKDAY = (0.75, 0.9, 1.0, 1.0, 0.9, 1.9, 2.6)
# So long before now the past ends: nobody is in the middle of anything.
_ENDS = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a channel's contacts go: how often, in which queues, seconds of waiting, of a first answer and of the rest (median,
    each log-normal)."""

    channel_id: str
    weight: int
    queues: tuple[str, ...]
    wait_s: float
    answer_s: float
    rest_s: float
    load: int


_KINDS = (
    _Kind("phone-demo", 30, ("Support", "Support", "Sales"), 9, 0, 190, 100),
    _Kind("chat-demo", 30, ("Sales",), 12, 35, 420, 25),
    _Kind("email-demo", 20, ("Support",), 900, 260, 200, 10),
    _Kind("sms-demo", 20, ("Support",), 40, 70, 380, 20),
)
_SPREAD = 0.8
_PHONE = "phone-demo"
_MAIL = "email-demo"
_PAST = "past.demo.test"


@dataclass(slots=True)
class _Conversation:
    """What its rows are made of."""

    customer: int
    kind: _Kind
    queue_id: int
    agent: tuple[int, str] | None
    began_at: datetime
    answered_at: datetime
    ended_at: datetime
    topic_id: int | None
    dialogue: int


@dataclass(slots=True)
class _Plan:
    """Facts are made once conversations and customers have their numbers."""

    random: Random
    queue_ids: Mapping[str, int]
    topic_ids: Sequence[int]
    conversations: list[_Conversation] = field(default_factory=list)
    spells: list[AgentSpellEnded] = field(default_factory=list)


def write_history(
    tx: Tx, agents: Mapping[str, tuple[int, str]], house: tuple[str, str], zone: ZoneInfo, days: int = DAYS
) -> int:
    """The past of a demo that has been seeded. `agents`: address → id and name, in their order; `house`: the address for
    mail, and the company's name. Returns how many facts."""
    random = Random(_SEED)
    queue_ids = {row.name: row.id for row in tx.rows(select(tables.queue.c.id, tables.queue.c.name))}
    topic_ids = [row.id for row in tx.rows(select(tables.topic.c.id).order_by(tables.topic.c.id))]
    plan = _Plan(random, queue_ids, topic_ids)
    until = tx.now - _ENDS
    today = tx.now.astimezone(zone).date()
    for back in range(days, -1, -1):
        for number, agent in enumerate(agents.values()):
            _work_a_day(plan, agent, number, today - timedelta(days=back), zone, until)
    plan.conversations.sort(key=lambda each: each.began_at)
    customers = _write_customers(tx, plan)
    conversation_ids = _write_conversations(tx, plan, customers, house)
    facts = [*plan.spells, *_tell(plan, conversation_ids, [customer.id for customer in customers])]
    for fact in sorted(facts, key=_at):
        tx.emit(fact, {FACTS})
    _set_up_team(tx, [agent_id for agent_id, _ in agents.values()], datetime.combine(today, time(), zone), days)
    return len(facts)


def _set_up_team(tx: Tx, agent_ids: Sequence[int], today: datetime, days: int) -> None:
    """One team, in which all have been since the past began, and what is expected."""
    team = teams.create_team(tx, Team(TEAM, member_ids=frozenset(agent_ids)))
    member = tables.team_member
    began = today - timedelta(days=days)
    tx.execute(update(member).where(member.c.team_id == team.id).values(since=began))
    for measure, good, warning in TARGETS:
        create_target(tx, Target(measure, "all", None, good, warning))


# --- what happened ------------------------------------------------------------------------------------------------------


def _work_a_day(plan: _Plan, agent: tuple[int, str], number: int, on: date, zone: ZoneInfo, until: datetime) -> None:
    """One contact after the other; who works at weekends takes turns."""
    random = plan.random
    if on.weekday() >= 5 and (on.toordinal() + number) % 2:
        return
    at = datetime.combine(on, _OPENS, zone) + timedelta(minutes=random.uniform(-5, 10))
    closes = min(until, datetime.combine(on, _CLOSES, zone) + timedelta(minutes=random.uniform(0, 8)))
    lunch = datetime.combine(on, _LUNCH, zone) + timedelta(minutes=15 * number)
    spell = _Spells(plan, agent[0], at)
    while at < closes:
        if at >= lunch:
            at = spell.until(min(closes, at + _LUNCH_TAKES), "away", "lunch")
            lunch = closes + timedelta(days=1)
            continue
        idle = _IDLE_MINUTES[min(17, max(9, at.astimezone(zone).hour))] * _IDLE_BY_WEEKDAY[on.weekday()]
        at += timedelta(minutes=random.expovariate(1 / idle))
        contact = _draw(plan, agent, at)
        if contact.ended_at >= closes:
            break
        plan.conversations.append(contact)
        if contact.agent is None:
            continue
        at = spell.until(contact.answered_at, "available")
        at = spell.until(contact.ended_at, "available", load=contact.kind.load)
    spell.until(max(closes, spell.since), "available")


@dataclass(slots=True)
class _Spells:
    plan: _Plan
    agent_id: int
    since: datetime

    def until(self, until: datetime, state: str, reason: str | None = None, *, load: int = 0) -> datetime:
        if until > self.since:
            work = 1 if load else 0
            self.plan.spells.append(AgentSpellEnded(self.agent_id, self.since, until, state, reason, load, 100, work))
            self.since = until
        return until


def _draw(plan: _Plan, agent: tuple[int, str], answered_at: datetime) -> _Conversation:
    """A contact that this agent answers then, or whose customer gives up just before."""
    random = plan.random
    kind = random.choices(_KINDS, [kind.weight for kind in _KINDS])[0]

    def draw(median_s: float) -> timedelta:
        return timedelta(seconds=round(median_s * random.lognormvariate(0, _SPREAD), 1))

    gives_up = kind.channel_id == _PHONE and random.random() < 0.08
    began_at = answered_at - draw(kind.wait_s * (3 if gives_up else 1))
    return _Conversation(
        customer=random.randrange(_CUSTOMERS),
        kind=kind,
        queue_id=plan.queue_ids[random.choice(kind.queues)],
        agent=None if gives_up else agent,
        began_at=began_at,
        answered_at=answered_at,
        ended_at=answered_at if gives_up else answered_at + draw(kind.answer_s) + draw(kind.rest_s),
        topic_id=random.choice([*plan.topic_ids, None]) if plan.topic_ids else None,
        dialogue=random.randrange(100),
    )


# --- rows of what is over -------------------------------------------------------------------------------------------------

# So many that most do not come again within a week.
_CUSTOMERS = 400
_EMAIL = f"customer{{:04}}@{_PAST}"


@dataclass(frozen=True, slots=True)
class _Customer:
    """`points`: the contact point of each kind."""

    id: int
    name: str
    email: str
    points: dict[ContactKind, int] = field(default_factory=dict)


def _write_customers(tx: Tx, plan: _Plan) -> list[_Customer]:
    """Names put together from those of the robot customers, language by language; addresses that reach nobody."""
    began_at = min((each.began_at for each in plan.conversations), default=tx.now)
    people: list[tuple[str, str]] = []
    for number in range(_CUSTOMERS):
        first = CALLERS[number % len(CALLERS)]
        same = [caller for caller in CALLERS if caller.language == first.language]
        last = same[number // len(CALLERS) % len(same)]
        people.append((f"{first.name.split()[0]} {last.name.split()[-1]}", first.language))
    ids = tx.insert_many(
        tables.customer, [{"name": name, "language": language, "created_at": began_at} for name, language in people]
    )
    found = [
        _Customer(customer_id, name, _EMAIL.format(number))
        for number, (customer_id, (name, _)) in enumerate(zip(ids, people, strict=True))
    ]
    for kind, address in (
        (ContactKind.PHONE, "+3749190{:04}"),
        (ContactKind.EMAIL, _EMAIL),
        (ContactKind.CHAT, "past-visitor-{:04}"),
    ):
        rows = [
            {"customer_id": customer_id, "kind": kind.value, "address": address.format(number), "created_at": began_at}
            for number, customer_id in enumerate(ids)
        ]
        for customer, point in zip(found, tx.insert_many(tables.contact_point, rows), strict=True):
            customer.points[kind] = point
    return found


_POINT = {"chat-demo": ContactKind.CHAT, "email-demo": ContactKind.EMAIL}


def _write_conversations(tx: Tx, plan: _Plan, customers: Sequence[_Customer], house: tuple[str, str]) -> list[int]:
    said = dialogues_of("en")
    rows: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    for each in plan.conversations:
        customer = customers[each.customer]
        dialogue = said[each.dialogue % len(said)]
        is_mail = each.kind.channel_id == _MAIL
        answered = each.agent is not None and each.kind.channel_id != _PHONE
        rows.append(
            {
                "customer_id": customer.id,
                "contact_point_id": customer.points[_POINT.get(each.kind.channel_id, ContactKind.PHONE)],
                "channel_id": each.kind.channel_id,
                "queue_id": each.queue_id,
                "topic_id": each.topic_id,
                "subject": dialogue.subject if is_mail else None,
                "thread": threads.new_thread() if is_mail else "",
                "status": ConversationStatus.RESOLVED.value,
                "created_at": each.began_at,
                "last_entry_at": each.ended_at,
                "resolved_at": each.ended_at,
                "preview": (dialogue.replies if answered else dialogue.lines)[0][:140],
                "preview_direction": (Direction.OUT if answered else Direction.IN).value,
            }
        )
    ids = tx.insert_many(tables.conversation, rows)
    for conversation_id, row, each in zip(ids, rows, plan.conversations, strict=True):
        dialogue = said[each.dialogue % len(said)]
        of = {"conversation_id": conversation_id, "customer_id": row["customer_id"], "kind": EntryKind.MESSAGE.value}
        none = {"author_id": None, "delivery": None, "delivery_at": None}
        if each.kind.channel_id != _PHONE:
            by = {"direction": Direction.IN.value, "author_kind": AuthorKind.CUSTOMER.value}
            by["author_name"] = customers[each.customer].name
            lines.append({**of, **none, **by, "text": dialogue.lines[0], "at": each.began_at})
        if each.agent is None:
            continue
        agent_id, name = each.agent
        by = {"author_kind": AuthorKind.AGENT.value, "author_name": name}
        if each.kind.channel_id == _PHONE:
            note = {**none, "direction": Direction.INTERNAL.value, "kind": EntryKind.NOTE.value}
            text = dialogue.subject
            lines.append({**of, **note, **by, "author_id": agent_id, "text": text, "at": each.ended_at})
        else:
            sent = {"direction": Direction.OUT.value, "delivery": Delivery.SENT.value, "delivery_at": each.ended_at}
            lines.append({**of, **sent, **by, "author_id": agent_id, "text": dialogue.replies[0], "at": each.ended_at})
    entry_ids = tx.insert_many(tables.entry, lines)
    by_mail = {
        row_id: each for row_id, each in zip(ids, plan.conversations, strict=True) if each.kind.channel_id == _MAIL
    }
    mails: list[dict[str, object]] = []
    for entry_id, line in zip(entry_ids, lines, strict=True):
        if (of_mail := by_mail.get(line["conversation_id"])) is not None:
            mails.append(_mail(entry_id, line, said[of_mail.dialogue % len(said)], customers[of_mail.customer], house))
    tx.insert_new(tables.mail, mails)
    return ids


def _mail(
    entry_id: int, line: Mapping[str, Any], dialogue: Dialogue, customer: _Customer, house: tuple[str, str]
) -> dict[str, object]:
    """What an entry is as a mail: the first of two is the customer's, the other answers it."""
    is_reply = line["direction"] == Direction.OUT.value
    asked = f"past-{line['conversation_id']}@{_PAST}"
    them, us = [[customer.email, customer.name]], [list(house)]
    return {
        "entry_id": entry_id,
        "conversation_id": line["conversation_id"],
        "channel_id": _MAIL,
        "kind": MailKind.REPLY.value if is_reply else "in",
        "message_id": f"re-{asked}" if is_reply else asked,
        "refs": [asked] if is_reply else [],
        "subject": f"Re: {dialogue.subject}" if is_reply else dialogue.subject,
        "senders": [] if is_reply else them,
        "reply_to": [],
        "recipients": them if is_reply else us,
        "cc": [],
        "bcc": [],
        "sent_at": None if is_reply else line["at"],
        "spans": [[SpanKind.WRITTEN.value, line["text"]]],
        "size_bytes": len(line["text"].encode()),
    }


# --- facts --------------------------------------------------------------------------------------------------------------


def _at(fact: FactEvent) -> datetime:
    """When it was told."""
    at: datetime = getattr(fact, DATED_BY[type(fact)])
    return at


def _tell(plan: _Plan, conversation_ids: Sequence[int], customer_ids: Sequence[int]) -> Iterator[FactEvent]:
    numbers = itertools.count(-1, -1)
    for conversation_id, each in zip(conversation_ids, plan.conversations, strict=True):
        customer_id = customer_ids[each.customer]
        where = (each.kind.channel_id, each.queue_id)
        is_call = each.kind.channel_id == _PHONE
        call_id = next(numbers) if is_call else None
        agent_id = None if each.agent is None else each.agent[0]
        yield ContactBegan(
            conversation_id, 0, customer_id, *where, Direction.IN.value, each.began_at, is_call, topic_id=each.topic_id
        )
        yield QueueVisitEnded(
            conversation_id,
            1,
            customer_id,
            *where,
            *(each.began_at,) * 3,
            each.answered_at,
            "abandoned" if agent_id is None else "answered",
            agent_id,
            call_id,
            each.topic_id,
        )
        if call_id is not None:
            yield from _tell_call(plan, call_id, conversation_id, each, numbers, customer_id)
        if agent_id is None:
            continue
        offered_at = max(each.began_at, each.answered_at - timedelta(seconds=plan.random.uniform(1, 8)))
        offer = (conversation_id, agent_id, *where, offered_at, each.answered_at)
        yield OfferOver(next(numbers), *offer, "accepted", call_id, topic_id=each.topic_id, customer_id=customer_id)
        yield SegmentEnded(
            next(numbers),
            conversation_id,
            agent_id,
            *where,
            each.answered_at,
            each.ended_at,
            "offer",
            "released" if plan.random.random() < 0.03 else "resolved",
            each.topic_id,
            customer_id,
            call_id,
        )
        if call_id is None:
            share = 0.3 + 0.4 * plan.random.random()
            replied_at = each.answered_at + (each.ended_at - each.answered_at) * share
            yield CustomerAnswered(
                next(numbers),
                conversation_id,
                agent_id,
                *where,
                each.began_at,
                replied_at,
                is_first=True,
                topic_id=each.topic_id,
                customer_id=customer_id,
            )
        yield ConversationResolved(
            next(numbers),
            conversation_id,
            agent_id,
            *where,
            each.began_at,
            each.ended_at,
            0,
            topic_id=each.topic_id,
            customer_id=customer_id,
        )
        yield from _tell_survey(plan, conversation_id, each, agent_id, next(numbers), customer_id)


def _tell_call(
    plan: _Plan,
    call_id: int,
    conversation_id: int,
    each: _Conversation,
    numbers: Iterator[int],
    customer_id: int,
) -> Iterator[FactEvent]:
    where = (each.kind.channel_id, each.queue_id)
    took_s = (each.ended_at - each.answered_at).total_seconds()
    wrap_up_s = round(min(took_s * 0.2, 45.0), 1)
    hung_up_at = each.ended_at - timedelta(seconds=wrap_up_s)
    yield CallEnded(
        call_id,
        conversation_id,
        *where,
        Direction.IN.value,
        each.began_at,
        each.began_at,
        None if each.agent is None else each.answered_at,
        hung_up_at,
        "abandoned" if each.agent is None else "completed",
        topic_id=each.topic_id,
        customer_id=customer_id,
    )
    if each.agent is None:
        return
    agent_id = each.agent[0]
    if plan.random.random() < 0.06:
        rang = each.answered_at - timedelta(seconds=12), each.answered_at - timedelta(seconds=2)
        yield CallMissed(
            next(numbers),
            call_id,
            conversation_id,
            agent_id,
            *where,
            *rang,
            topic_id=each.topic_id,
            customer_id=customer_id,
        )
    hold_s = round(took_s * 0.1, 1) if plan.random.random() < 0.25 else 0.0
    talk_s = round(took_s - wrap_up_s - hold_s, 3)
    yield CallSegmentEnded(
        next(numbers),
        call_id,
        conversation_id,
        agent_id,
        *where,
        Direction.IN.value,
        "answered",
        each.answered_at,
        talk_s,
        hold_s,
        wrap_up_s,
        each.ended_at,
        "completed",
        None,
        topic_id=each.topic_id,
        customer_id=customer_id,
    )


def _tell_survey(
    plan: _Plan, conversation_id: int, each: _Conversation, agent_id: int, survey_id: int, customer_id: int
) -> Iterator[FactEvent]:
    if plan.random.random() > 0.5:
        return
    survey = plan.random.choices(("csat", "nps", "ces"), (70, 20, 10))[0]
    where = (each.kind.channel_id, each.queue_id)
    yield SurveySent(survey_id, survey, conversation_id, customer_id, *where, each.ended_at, agent_id, each.topic_id)
    if plan.random.random() > 0.45:
        return
    if survey == "nps":
        score = plan.random.choices(range(11), (2, 1, 1, 1, 2, 4, 5, 10, 20, 25, 29))[0]
    else:
        score = plan.random.choices(range(1, 6), (4, 5, 11, 32, 48))[0]
    answered_at = min(each.ended_at + timedelta(minutes=plan.random.uniform(1, 4)), each.ended_at + _ENDS)
    yield SurveyAnswered(
        survey_id,
        survey,
        score,
        conversation_id,
        customer_id,
        *where,
        each.ended_at,
        answered_at,
        agent_id,
        each.topic_id,
    )
