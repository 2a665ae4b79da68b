"""What a fresh demo holds, as data: people, queues, channel accounts and a few days of past.

`seed` puts it into an empty hub; one that has users is left as it is, but for the address of the carrier.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import select, update

from hub.agents import accounts, queues
from hub.demo.pages import Login
from hub.demo.people import CALLERS, PEOPLE
from hub.domain.states import ConversationStatus, Delivery
from hub.domain.values import AuthorKind, ChannelKind, ContactKind, Direction, EntryKind, Role
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.vault import Vault
from hub.timeline import channels as timeline_channels
from hub.timeline import customers

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
            {"account_sid": ACCOUNT_SID, "from_number": SMS_NUMBER, "api_base": hub_url.rstrip("/") + CARRIER_PATH},
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
                "colour": "#0f766e",
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


# All older than a channel's reopen window (three days): what happens now begins a conversation of its own.
PAST: tuple[SeedConversation, ...] = (
    _scripted(PEOPLE[0].phone, "hy", 1, "agent1@demo.test", timedelta(days=11, hours=3)),
    _scripted(PEOPLE[1].phone, "ka", 1, "agent2@demo.test", timedelta(days=9, hours=1)),
    _scripted(CALLERS[0].phone, "hy", 0, "agent1@demo.test", timedelta(days=8, hours=5)),
    _scripted(PEOPLE[2].phone, "uk", 1, "agent3@demo.test", timedelta(days=7, hours=2)),
    _scripted(PEOPLE[3].phone, "az", 0, "agent4@demo.test", timedelta(days=6, hours=6)),
    _scripted(PEOPLE[4].phone, "en", 0, "agent4@demo.test", timedelta(days=5, hours=4)),
    _scripted(PEOPLE[5].phone, "hy", 2, "agent1@demo.test", timedelta(days=5, hours=1)),
    _scripted(CALLERS[8].phone, "uk", 0, "agent3@demo.test", timedelta(days=4, hours=2)),
)

# Known customers: phone → (name, language).
CUSTOMERS: dict[str, tuple[str, str]] = {
    **{person.phone: (person.name, person.language) for person in PEOPLE},
    **{caller.phone: (caller.name, caller.language) for caller in CALLERS},
}


# --- filling -----------------------------------------------------------------------------------------------------------


async def seed(database: Database, vault: Vault, *, hub_url: str) -> bool:
    """Fills an empty hub, in one transaction. In one that has users already only the demo's channel accounts are pointed
    at `hub_url` (the port may be another this time); False then."""
    password_hash = await accounts.hash_password(password())
    return await database.transaction(_fill, vault, hub_url, password_hash)


def _fill(tx: Tx, vault: Vault, hub_url: str, password_hash: str) -> bool:
    if accounts.load_users(tx, limit=1):
        _point_channels(tx, vault, hub_url)
        return False
    tx.insert_new(tables.organisation, [{"id": 1, "name": ORGANISATION_NAME, "time_zone": TIME_ZONE}])
    tx.execute(update(tables.organisation).values(name=ORGANISATION_NAME, time_zone=TIME_ZONE))
    queue_ids = {
        queue.name: queues.create_queue(tx, name=queue.name, offer_timeout_s=queue.offer_timeout_s).id
        for queue in QUEUES
    }
    users = {
        user.email: accounts.create_user(
            tx,
            email=user.email,
            name=user.name,
            role=user.role,
            password_hash=password_hash,
            queue_ids=[queue_ids[name] for name in user.queues],
            language=user.language,
        )
        for user in USERS
    }
    for channel in channels(hub_url):
        timeline_channels.create_channel(
            tx,
            vault,
            channel_id=channel.id,
            kind=channel.kind,
            name=channel.name,
            queue_id=queue_ids[channel.queue],
            settings=channel.settings,
            secrets=channel.secrets,
            default_region=channel.default_region,
        )
    for phone, (name, language) in CUSTOMERS.items():
        customer = customers.create_customer(tx, name, language)
        customers.add_contact_point(tx, customer.id, ContactKind.PHONE, phone, verified=True)
    for past in PAST:
        _write_past(tx, past, queue_ids[SUPPORT], {email: (user.id, user.name) for email, user in users.items()})
    return True


def _point_channels(tx: Tx, vault: Vault, hub_url: str) -> None:
    kept = {view.id for view in timeline_channels.load_channel_views(tx)}
    for channel in channels(hub_url):
        if channel.id in kept and "api_base" in channel.settings:
            timeline_channels.update_channel(tx, vault, channel.id, settings=channel.settings, secrets=channel.secrets)


def _write_past(tx: Tx, past: SeedConversation, queue_id: int, agents: Mapping[str, tuple[int, str]]) -> None:
    """Rows alone, with their old times: history to read, not work that happened, so no event tells of it and no figure
    counts it."""
    p = tables.contact_point.c
    point = tx.first(select(p.id, p.customer_id).where(p.kind == ContactKind.PHONE.value, p.address == past.phone))
    if point is None:
        return
    began_at = tx.now - past.ago
    last = past.lines[-1]
    ended_at = began_at + last.after
    cu = tables.customer.c
    tx.execute(
        update(tables.customer).where(cu.id == point.customer_id, cu.created_at > began_at).values(created_at=began_at)
    )
    conversation_id = tx.insert(
        tables.conversation,
        {
            "customer_id": point.customer_id,
            "contact_point_id": point.id,
            "channel_id": "sms-demo",
            "queue_id": queue_id,
            "status": ConversationStatus.RESOLVED.value,
            "created_at": began_at,
            "last_entry_at": ended_at,
            "resolved_at": ended_at,
            "preview": last.text[:140],
            "preview_direction": (Direction.OUT if last.agent else Direction.IN).value,
        },
    )
    for line in past.lines:
        row: dict[str, object] = {
            "conversation_id": conversation_id,
            "customer_id": point.customer_id,
            "kind": EntryKind.MESSAGE.value,
            "text": line.text,
            "at": began_at + line.after,
        }
        if line.agent is None:
            row |= {
                "direction": Direction.IN.value,
                "author_kind": AuthorKind.CUSTOMER.value,
                "author_name": CUSTOMERS[past.phone][0],
            }
        else:
            author_id, author_name = agents[line.agent]
            row |= {
                "direction": Direction.OUT.value,
                "author_kind": AuthorKind.AGENT.value,
                "author_id": author_id,
                "author_name": author_name,
                "delivery": Delivery.DELIVERED.value,
                "delivery_at": began_at + line.after,
                "attempts": 1,
            }
        tx.insert(tables.entry, row)
