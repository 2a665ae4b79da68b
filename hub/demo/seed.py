"""What a fresh demo holds, as data: people, queues, channel accounts and a few days of past.

`seed` puts it into a hub through the services given as `Seeding`; nothing here knows the database. It is run once on an
empty hub, and leaves one that already has something in it alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from hub.demo.pages import Login
from hub.demo.people import CALLERS, PEOPLE
from hub.domain.values import ChannelKind, Role

SMS_NUMBER = "+15005550006"  # Twilio's magic number that may send
ACCOUNT_SID = "AC" + "5e7a0c0ffee0de305e7a0c0ffee0de30"  # the shape of one; nobody's
CARRIER_PATH = "/demo/carrier"
ORGANISATION_NAME = "Sevan Coffee"
TIME_ZONE = "Asia/Yerevan"


def password() -> str:
    return os.environ.get("HUB_DEMO_PASSWORD", "demo")


def twilio_token() -> str:
    return os.environ.get("HUB_DEMO_TWILIO_TOKEN", "demo-token")


@dataclass(frozen=True, slots=True)
class SeedUser:
    email: str
    name: str
    role: Role
    language: str
    queues: tuple[str, ...]


SUPPORT, SALES = "Support", "Sales"

USERS: tuple[SeedUser, ...] = (
    SeedUser("admin@demo.test", "Նարեկ Սահակյան", Role.ADMIN, "en", ()),
    SeedUser("supervisor@demo.test", "Gayane Harutyunyan", Role.SUPERVISOR, "en", (SUPPORT, SALES)),
    SeedUser("agent1@demo.test", "Արփի Մելքոնյան", Role.AGENT, "en", (SUPPORT, SALES)),
    SeedUser("agent2@demo.test", "ეკა ჯაფარიძე", Role.AGENT, "en", (SUPPORT, SALES)),
    SeedUser("agent3@demo.test", "Богдан Ткаченко", Role.AGENT, "en", (SUPPORT,)),
    SeedUser("agent4@demo.test", "Aysel Quliyeva", Role.AGENT, "en", (SUPPORT, SALES)),
)

ROBOT_AGENTS = ("agent2@demo.test", "agent3@demo.test", "agent4@demo.test")


def logins() -> list[Login]:
    """Those a person signs in with, as the demo page and the start-up lines show them."""
    words = {Role.AGENT: "Agent", Role.SUPERVISOR: "Supervisor", Role.ADMIN: "Administrator"}
    mine = [user for user in USERS if user.email not in ROBOT_AGENTS]
    order = [Role.AGENT, Role.SUPERVISOR, Role.ADMIN]
    return [Login(words[user.role], user.email) for user in sorted(mine, key=lambda user: order.index(user.role))]


@dataclass(frozen=True, slots=True)
class SeedQueue:
    name: str
    offer_timeout_s: int


QUEUES: tuple[SeedQueue, ...] = (SeedQueue(SUPPORT, 25), SeedQueue(SALES, 25))


@dataclass(frozen=True, slots=True)
class SeedChannel:
    """`settings` and `secrets` in the words of the channel's kind (GET /channel-kinds)."""

    id: str
    kind: ChannelKind
    name: str
    queue: str
    settings: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    default_region: str | None = None


def channels(hub_url: str) -> tuple[SeedChannel, ...]:
    """The demo's channel accounts for a hub that answers at `hub_url`; e-mail and phone come with their own issues."""
    return (
        SeedChannel(
            "sms-demo",
            ChannelKind.SMS,
            "Text messages",
            SUPPORT,
            {"account_sid": ACCOUNT_SID, "number": SMS_NUMBER, "api_base": hub_url.rstrip("/") + CARRIER_PATH},
            {"auth_token": twilio_token()},
            default_region="AM",
        ),
        SeedChannel(
            "chat-demo",
            ChannelKind.CHAT,
            "Web shop chat",
            SALES,
            {
                "title": ORGANISATION_NAME,
                "greeting": "Hello! Ask us about beans, orders or delivery. A person answers.",
                "accent": "#0f766e",
            },
        ),
    )


# --- the past ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SeedLine:
    """`agent` None: the customer wrote it. `after` counts from the start of the conversation."""

    after: timedelta
    text: str
    agent: str | None = None


@dataclass(frozen=True, slots=True)
class SeedConversation:
    """A resolved conversation on sms-demo that began `ago` before the seeding."""

    phone: str
    ago: timedelta
    lines: tuple[SeedLine, ...]


def _scripted(phone: str, language: str, which: int, agent: str, ago: timedelta) -> SeedConversation:
    """A past conversation from the dialogue `which` of the language: a minute or so for each answer."""
    dialogue = [d for person in PEOPLE if person.language == language for d in person.dialogues][which]
    lines: list[SeedLine] = []
    at = timedelta(0)
    for number, (line, reply) in enumerate(zip(dialogue.lines, dialogue.replies, strict=True)):
        lines.append(SeedLine(at, line))
        at += timedelta(seconds=48 + 17 * number)
        lines.append(SeedLine(at, reply, agent))
        at += timedelta(seconds=65 + 21 * number)
    return SeedConversation(phone, ago, tuple(lines))


PAST: tuple[SeedConversation, ...] = (
    _scripted(PEOPLE[0].phone, "hy", 1, "agent1@demo.test", timedelta(days=6, hours=3)),
    _scripted(PEOPLE[1].phone, "ka", 1, "agent2@demo.test", timedelta(days=5, hours=1)),
    _scripted(CALLERS[0].phone, "hy", 0, "agent1@demo.test", timedelta(days=4, hours=5)),
    _scripted(PEOPLE[2].phone, "uk", 1, "agent3@demo.test", timedelta(days=3, hours=2)),
    _scripted(PEOPLE[3].phone, "az", 0, "agent4@demo.test", timedelta(days=2, hours=6)),
    _scripted(PEOPLE[4].phone, "en", 0, "agent4@demo.test", timedelta(days=1, hours=4)),
    _scripted(PEOPLE[5].phone, "hy", 2, "agent1@demo.test", timedelta(days=1, hours=1)),
    _scripted(CALLERS[8].phone, "uk", 0, "agent3@demo.test", timedelta(hours=20)),
)

# Known customers: phone → (name, language).
CUSTOMERS: dict[str, tuple[str, str]] = {
    **{person.phone: (person.name, person.language) for person in PEOPLE},
    **{caller.phone: (caller.name, caller.language) for caller in CALLERS},
}


class Seeding(Protocol):
    """What the hub offers to be filled with; each returns the new thing's id. In one transaction or several, as it likes;
    `add_past` writes a resolved conversation with its old times and must neither send, offer nor notify."""

    async def is_empty(self) -> bool: ...

    async def add_queue(self, queue: SeedQueue) -> int: ...

    async def add_user(self, user: SeedUser, password: str, queue_ids: Sequence[int]) -> int: ...

    async def add_channel(self, channel: SeedChannel, queue_id: int) -> None: ...

    async def add_customer(self, name: str, language: str, phone: str) -> int: ...

    async def add_past(
        self, customer_id: int, conversation: SeedConversation, agent_ids: Mapping[str, int], began_at: datetime
    ) -> None: ...


async def seed(hub: Seeding, *, hub_url: str, now: datetime) -> bool:
    """Fills an empty hub. False, and nothing is touched, when there is something in it already."""
    if not await hub.is_empty():
        return False
    queue_ids = {queue.name: await hub.add_queue(queue) for queue in QUEUES}
    user_ids = {
        user.email: await hub.add_user(user, password(), [queue_ids[name] for name in user.queues]) for user in USERS
    }
    for channel in channels(hub_url):
        await hub.add_channel(channel, queue_ids[channel.queue])
    customer_ids = {
        phone: await hub.add_customer(name, language, phone) for phone, (name, language) in CUSTOMERS.items()
    }
    for conversation in PAST:
        await hub.add_past(customer_ids[conversation.phone], conversation, user_ids, now - conversation.ago)
    return True
