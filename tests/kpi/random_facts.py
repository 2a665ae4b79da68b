"""Facts of two weeks drawn at random, over a change of the clocks and of the month: whatever they are, cells must agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from hub.domain.events import (
    FACTS,
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
from hub.kpi.facts import project
from hub.store.database import Database, Tx
from tests.kpi.reference import ANNA, BORIS, CARE, SALES

# Kyiv's clocks change on the 29th, its months on the 1st.
FIRST = datetime(2026, 3, 24, 20, 0, tzinfo=UTC)
DAYS = 14
CHANNELS = {"chat": "chat", "line": "phone", "mail": "email", "sms": "sms"}


def emit(tx: Tx, events: Iterable[FactEvent]) -> None:
    for event in events:
        tx.emit(event, {FACTS})


async def project_all(database: Database) -> None:
    while await database.transaction(project):
        pass


def draw_facts(random: Random, count: int = 150) -> list[FactEvent]:
    """In the order of a stream: mostly, but not always, that of their instants."""
    facts = [fact for number in range(1, count + 1) for fact in _draw(random, number)]
    facts += _spells(random)
    theirs = [fact.conversation_id for fact in facts if isinstance(fact, ContactBegan) and fact.customer_id in (3, 4)]
    facts += _joins(random, theirs)
    facts.sort(key=lambda fact: (_when(fact), repr(fact)))
    for _ in range(count // 10):
        one, other = random.randrange(len(facts)), random.randrange(len(facts))
        facts[one], facts[other] = facts[other], facts[one]
    return facts


def _when(fact: FactEvent) -> datetime:
    names = (
        "resolved_at",
        "answered_at",
        "removed_at",
        "ended_at",
        "until",
        "sent_at",
        "arrived_at",
        "joined_at",
        "parted_at",
    )
    found: list[datetime | None] = [getattr(fact, name, None) for name in names]
    return next(at for at in found if at is not None)


def _draw(random: Random, number: int) -> list[FactEvent]:
    """One request of one of a few customers, and what became of it."""
    channel = random.choice(list(CHANNELS))
    queue, agent = random.choice((CARE, SALES)), random.choice((ANNA, BORIS))
    topic, customer = random.choice((None, 1, 2)), random.randrange(1, 7)
    at = FIRST + timedelta(seconds=random.randrange(DAYS * 86_400 * 10) / 10)
    wait = timedelta(
        milliseconds=random.choice((0, 4_999, 5_000, 19_999, 20_000, 20_001, 300_000, random.randrange(90_000)))
    )
    held = timedelta(milliseconds=random.randrange(3_600_000))
    answered, ended = at + wait, at + wait + held
    reason = random.choice(
        ("answered",) * 6
        + ("abandoned", "abandoned", "overflow", "transferred", "callback", "system_drop", "withdrawn")
    )
    outcome = random.choice(("accepted", "declined", "no_answer", "device_lost", "customer_left", "withdrawn"))
    of = (channel, queue)
    facts: list[FactEvent] = [
        ContactBegan(number, 0, customer, *of, random.choice(("in", "in", "out")), at, channel == "line", None, topic),
        QueueVisitEnded(
            *(number, 1, customer, *of, at, at, at + wait / 3, answered, reason, agent, None, topic),
            is_first=random.random() < 0.8,
        ),
        OfferOver(number, number, agent, *of, at, answered, outcome, None, customer, topic),
    ]
    if reason != "answered":
        return facts
    if channel == "line":
        facts += _call(random, number, queue, agent, (at, answered, ended), topic, customer)
    else:
        facts.append(
            CustomerAnswered(
                number, number, agent, *of, at, ended, random.random() < 0.8, topic, customer, held.seconds / 2
            )
        )
    call_id = number if channel == "line" else None
    ways = ("resolved", "resolved", "transferred", "released", "taken")
    facts.append(
        SegmentEnded(
            *(number * 3, number, agent, *of, answered, ended, "offer", random.choice(ways), topic, customer, call_id),
            put_aside=random.choice(((), (answered + held / 4, answered + held / 2))),
        )
    )
    if random.random() < 0.4:
        # Held twice, by whomever, on the same day or another.
        again = ended + timedelta(hours=random.randrange(40))
        other = random.choice((ANNA, BORIS))
        facts.append(
            SegmentEnded(number * 3 + 1, number, other, *of, ended, again, "transfer", "resolved", topic, customer)
        )
        ended = again
    if random.random() < 0.9:
        facts += _resolutions(random, number, agent, of, at, ended, topic, customer)
    return facts


def _resolutions(
    random: Random,
    number: int,
    agent: int,
    of: tuple[str, int],
    at: datetime,
    ended: datetime,
    topic: int | None,
    customer: int,
) -> list[FactEvent]:
    facts: list[FactEvent] = []
    for again in range(random.choice((1, 1, 1, 2, 3))):
        known = random.choice((customer, customer, None))
        whose = random.choice((agent, None))
        about = random.choice((topic, topic, None, 1, 2))
        entry = number * 10 + again
        facts.append(
            ConversationResolved(
                entry, number, whose, *of, at, ended, again, about, known, at, 5.0, random.random() * 900
            )
        )
        survey = random.choice(("csat", "nps", "ces"))
        facts.append(SurveySent(entry, survey, number, customer, *of, ended, whose, topic))
        if random.random() < 0.6:
            score = random.randrange(11) if survey == "nps" else random.randrange(1, 6)
            back = ended + timedelta(hours=random.randrange(60))
            facts.append(SurveyAnswered(entry, survey, score, number, customer, *of, ended, back, whose, topic))
        back = ended + timedelta(hours=random.randrange(1, 100))
        by = random.choice(("customer", "customer", "agent"))
        facts.append(ContactBegan(number, again + 1, customer, *of, "in", back, False, by, topic))  # type: ignore[arg-type]
        ended = back + timedelta(minutes=random.randrange(1, 300))
    return facts


def _call(
    random: Random,
    number: int,
    queue: int,
    agent: int,
    at: tuple[datetime, datetime, datetime],
    topic: int | None,
    customer: int,
) -> list[FactEvent]:
    began, answered, ended = at
    end = random.choice(("completed", "abandoned", "callback", "failed"))
    direction = random.choice(("in", "in", "out"))
    talk = (ended - answered).total_seconds()
    way = random.choice(("completed", "transferred"))
    of = (number, number, agent, "line", queue, direction)
    facts: list[FactEvent] = [
        CallEnded(number, number, "line", queue, direction, began, began, answered, ended, end, topic, customer),
        CallMissed(number, number, number, agent, "line", queue, began, answered, topic, customer),
        CallSegmentEnded(number * 2, *of, "answered", answered, talk, 1.5, 2.25, ended, way, None, topic, customer),
    ]
    if way == "transferred":
        how, until = random.choice(("consult", "transferred")), ended + timedelta(seconds=61)
        other = (number, number, ANNA + BORIS - agent, "line", queue, direction)
        part = (number * 2 + 1, *other, how, ended, 60.0, 0.0, 1.0, until, "completed", None, topic, customer)
        facts.append(CallSegmentEnded(*part))
    return facts


def _joins(random: Random, theirs: Sequence[int]) -> list[FactEvent]:
    """Of six customers three turn out to be others, the last of whom had become somebody else before, or does later. One is
    taken back, with half of the conversations (`theirs`: of both), and becomes a third."""
    when = sorted(FIRST + timedelta(seconds=random.randrange(DAYS * 86_400)) for _ in range(5))
    given_back = tuple(sorted(random.sample(theirs, len(theirs) // 2)))
    return [
        CustomerJoined(6, 5, when[0]),
        CustomerJoined(5, 2, when[1]),
        CustomerJoined(4, 3, when[2], 1),
        CustomerParted(1, 4, 3, when[3], given_back),
        CustomerJoined(4, 2, when[4], 2),
    ]


def _spells(random: Random) -> list[FactEvent]:
    facts: list[FactEvent] = []
    for agent in (ANNA, BORIS):
        at, beyond = FIRST, FIRST + timedelta(days=DAYS)
        while at < beyond:
            until = at + timedelta(milliseconds=random.randrange(1, 5 * 3_600_000))
            state = random.choice(("available", "available", "busy", "away", "offline", "not_responding"))
            work = random.randrange(4)
            facts.append(AgentSpellEnded(agent, at, until, state, None, work * 20, 100, work))
            at = until
    return facts
