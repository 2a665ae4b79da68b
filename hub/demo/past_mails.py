"""A few days of mail before the demo began. Each mail is written once and kept twice, as it would have been: in the hub's
tables (seed.py) and in the box of whoever wrote or got it (the post office).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.demo import letters
from hub.demo.letters import Reading
from hub.demo.people import CALLERS, PEOPLE, Dialogue, dialogues_of


@dataclass(frozen=True, slots=True)
class PastMail:
    """`agent` None: the customer wrote it. `text` is what was written this time, `content` the mail as it was on the wire."""

    at: datetime
    text: str
    agent: str | None
    content: bytes
    reading: Reading


@dataclass(frozen=True, slots=True)
class PastThread:
    """A resolved conversation by mail with the owner of a box."""

    owner: str
    name: str
    subject: str
    mails: tuple[PastMail, ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    owner: str
    name: str
    dialogue: Dialogue
    agent: str
    ago: timedelta


# All older than a channel's reopen window (three days): an answer to them begins a conversation of its own.
_PLANS: tuple[_Plan, ...] = (
    _Plan(PEOPLE[0].email, PEOPLE[0].name, dialogues_of("hy")[0], "agent1@demo.test", timedelta(days=12, hours=5)),
    _Plan(PEOPLE[2].email, PEOPLE[2].name, dialogues_of("uk")[0], "agent3@demo.test", timedelta(days=10, hours=2)),
    _Plan(PEOPLE[1].email, PEOPLE[1].name, dialogues_of("ka")[0], "agent2@demo.test", timedelta(days=8, hours=7)),
    _Plan(CALLERS[13].email, CALLERS[13].name, dialogues_of("en")[0], "agent4@demo.test", timedelta(days=6, hours=3)),
    _Plan(PEOPLE[4].email, PEOPLE[4].name, dialogues_of("en")[1], "agent4@demo.test", timedelta(days=4, hours=6)),
)


def past_threads(now: datetime, *, house: str, house_name: str, agents: Mapping[str, str]) -> tuple[PastThread, ...]:
    """`house` is the hub's address, `agents` the names of those who sign in: address → name."""
    return tuple(_thread(plan, now, (house_name, house), agents) for plan in _PLANS)


def _thread(plan: _Plan, now: datetime, house: tuple[str, str], agents: Mapping[str, str]) -> PastThread:
    mails: list[PastMail] = []
    at = now - plan.ago
    subject = plan.dialogue.subject
    for number, (line, reply) in enumerate(zip(plan.dialogue.lines, plan.dialogue.replies, strict=True)):
        mails.append(_mail(plan, at, line, None, house, subject, mails))
        subject = f"Re: {plan.dialogue.subject}"
        at += timedelta(minutes=11 + 7 * number)
        mails.append(_mail(plan, at, reply, agents[plan.agent], house, subject, mails))
        at += timedelta(minutes=34 + 18 * number)
    return PastThread(plan.owner, plan.name, plan.dialogue.subject, tuple(mails))


def _mail(
    plan: _Plan,
    at: datetime,
    text: str,
    agent: str | None,
    house: tuple[str, str],
    subject: str,
    before: list[PastMail],
) -> PastMail:
    customer = (plan.name, plan.owner)
    content = letters.write(
        author=customer if agent is None else (f"{agent}, {house[0]}", house[1]),
        to=[house if agent is None else customer],
        subject=subject,
        text=text,
        at=at,
        answers=(before[-1].reading, before[-1].at) if before else None,
    )
    return PastMail(at, text, None if agent is None else plan.agent, content, letters.read(content))
