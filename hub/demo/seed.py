"""What a fresh demo holds, as data: people, queues, topics, ladders, channel accounts and a few days of past.

`seed` puts it into an empty hub; one that has users is left as it is, but for the address of the carrier.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import delete, insert, select, update

from hub.agents import accounts, queues
from hub.agents.queues import QueueSettings
from hub.agents.viewer import Viewer
from hub.calls import flows, sounds
from hub.demo.canned_replies import write_canned_replies
from hub.demo.cards import write_cards
from hub.demo.history import DAYS, write_history
from hub.demo.pages import Login
from hub.demo.past_mails import PastThread
from hub.demo.people import CALLERS, CORRESPONDENTS, PEOPLE
from hub.demo.schedules import write_schedules
from hub.domain.mail import MailKind, SpanKind
from hub.domain.states import ConversationStatus, Delivery
from hub.domain.values import AuthorKind, ChannelKind, ContactKind, Direction, EntryKind, Role
from hub.domain.views import UserView
from hub.media.sound_file import SoundFile, telephone_sound
from hub.routing import calendars, holidays, placement
from hub.routing import policies as escalation_policies
from hub.routing.calendar import SpecialDay, SpecialDayText
from hub.routing.calendars import CalendarText
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.files import Files
from hub.store.vault import Vault
from hub.timeline import channels as timeline_channels
from hub.timeline import customers, threads, topics

SMS_NUMBER = "+15005550006"  # Twilio's magic number that may send
# Telephones on the agents' desks. The carrier lets them pick up by themselves after one ring.
DESK_PHONES = ("+15005551001", "+15005551002", "+15005551003", "+15005551004", "+15005551005")
ACCOUNT_SID = "AC" + "5e7a0c0ffee0de305e7a0c0ffee0de30"  # the shape of one; nobody's
CARRIER_PATH = "/demo/carrier"
MAIL_DOMAIN = "shop.demo.test"
MAIL_ADDRESS = f"support@{MAIL_DOMAIN}"
ORGANISATION_NAME = "Sevan Coffee"
TIME_ZONE = "Asia/Yerevan"


def password() -> str:
    return os.environ.get("HUB_DEMO_PASSWORD", "demo")


def twilio_token() -> str:
    return os.environ.get("HUB_DEMO_TWILIO_TOKEN", "demo-token")


def wanted_history_days() -> int:
    """So many days of past work the reports begin with; 0: none."""
    return int(os.environ.get("HUB_DEMO_HISTORY_DAYS", DAYS))


@dataclass(frozen=True, slots=True)
class SeedUser:
    email: str
    name: str
    role: Role
    language: str
    queues: tuple[str, ...]
    signature: str = ""
    # The telephone on the desk: on the demo's carrier it picks up by itself.
    desk_phone: str | None = None


SUPPORT, SALES = "Support", "Sales"
DISPOSITIONS = ("Question", "Order", "Delivery", "Complaint", "Wrong number")
# Calls from browsers go to people alone: robots have no ears.
WEB_CALLS = "Web calls"

USERS: tuple[SeedUser, ...] = (
    SeedUser("admin@demo.test", "Նարեկ Սահակյան", Role.ADMIN, "en", ()),
    SeedUser(
        "supervisor@demo.test",
        "Gayane Harutyunyan",
        Role.SUPERVISOR,
        "en",
        (SUPPORT, SALES, WEB_CALLS),
        desk_phone=DESK_PHONES[4],
    ),
    SeedUser(
        "agent1@demo.test",
        "Արփի Մելքոնյան",
        Role.AGENT,
        "en",
        (SUPPORT, SALES, WEB_CALLS),
        "Արփի Մելքոնյան\nՀաճախորդների սպասարկում",
        DESK_PHONES[0],
    ),
    SeedUser("agent2@demo.test", "ეკა ჯაფარიძე", Role.AGENT, "en", (SUPPORT, SALES), "ეკა ჯაფარიძე", DESK_PHONES[1]),
    SeedUser("agent3@demo.test", "Богдан Ткаченко", Role.AGENT, "en", (SUPPORT,), "Богдан Ткаченко", DESK_PHONES[2]),
    SeedUser(
        "agent4@demo.test", "Aysel Quliyeva", Role.AGENT, "en", (SUPPORT, SALES), "Aysel Quliyeva", DESK_PHONES[3]
    ),
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
    signature: str


@dataclass(frozen=True, slots=True)
class SeedTopic:
    name: str
    is_complaint: bool = False
    queue: str | None = None
    owner: str | None = None
    policy: str | None = None


NOTHING_WAITS, COMPLAINTS = "Nothing waits for long", "Complaints"


def policies(supervisor_id: int) -> dict[str, Mapping[str, object]]:
    """Name → ladder (hub.routing.escalation.read_policy). Minutes, so that whoever tries the demo sees it happen."""
    return {
        NOTHING_WAITS: {
            "targets": {"first_response": 300.0, "resolution": 86_400.0},
            "paused_in": ["pending_customer", "parked"],
            "steps": [
                _step("waits-2-minutes", "waiting", after_s=120.0, kind="raise_priority", minutes=15),
                _step("first-answer-due", "first_response", share=1.0, kind="notify_role", role=Role.SUPERVISOR.value),
                _step("solution-due", "resolution", share=1.0, kind="tag", name="overdue"),
            ],
        },
        COMPLAINTS: {
            "targets": {"first_response": 120.0, "resolution": 14_400.0},
            "paused_in": ["parked"],
            "steps": [
                _step("complaint-comes", "resolution", after_s=0.0, kind="notify_user", user_id=supervisor_id),
                _step("complaint-unheard", "first_response", share=1.0, kind="page_supervisor"),
                _step("complaint-unsolved", "resolution", share=1.0, kind="page_supervisor"),
            ],
        },
    }


def _step(
    step_id: str, clock: str, *, after_s: float | None = None, share: float | None = None, **action: object
) -> dict[str, object]:
    return {"id": step_id, "clock": clock, "after_s": after_s, "share": share, "actions": [action]}


QUEUE_POLICIES = {SUPPORT: NOTHING_WAITS}
ORDER = "Order"
TOPICS: tuple[SeedTopic, ...] = (
    SeedTopic(ORDER),
    SeedTopic("Delivery"),
    SeedTopic("Complaint", is_complaint=True, queue=SUPPORT, owner="supervisor@demo.test", policy=COMPLAINTS),
)

SIGNATURE = f"{ORGANISATION_NAME}, 14 Abovyan Street, Yerevan\n+1 500 555 0006"
QUEUES: tuple[SeedQueue, ...] = (
    SeedQueue(SUPPORT, 25, SIGNATURE),
    SeedQueue(SALES, 25, SIGNATURE),
    SeedQueue(WEB_CALLS, 25, SIGNATURE),
)
ACKNOWLEDGEMENT = (
    "Շնորհակալություն նամակի համար։ Այն ստացվել է, շուտով Ձեզ կպատասխանի մեր աշխատակիցը։\n\n"
    "Thank you for your mail. It has arrived, and one of us will answer you soon. Your number is {number}."
)


WORKING_WEEK = [[("09:00", "18:00")]] * 5 + [[], []]
# What people write when they want their money back, in the languages of those who write here.
REFUND_WORDS = (
    "refund*",
    "money back",
    "վերադարձ*",
    "geri qaytar*",
    "повернення",
    "повернути гроші",
    "თანხის დაბრუნება",
)
CLOSED = (
    "Շնորհակալություն նամակի համար։ Այն ստացվել է, Ձեր հարցման համարն է {number}։\n\n"
    "Thank you for your mail. It has arrived; its number is {number}.\n\n"
    "Բացվում ենք / We open: {opens} (Yerevan)"
)


MAIN_MENU = "Main menu"
WEB_MENU = "Calls from the web"
# Always open but for one day, at which the preview of the menu shows how it sounds when we are closed: whoever tries the demo
# at night wants somebody to answer.
TELEPHONE_WEEK = [[("00:00", "24:00")]] * 7


# What the menu says, by step and language. Each is recorded, too (hub/demo/sounds), for machines that cannot speak.
MENU_WORDS: Mapping[str, Mapping[str, str]] = {
    "language": {"hy": "Հայերենի համար սեղմեք մեկ։", "en": "For English, press two."},
    "main": {
        "hy": "Սևան Կոֆի, բարև Ձեզ։ Պատվերների և առաքման համար սեղմեք մեկ։ Գնումների համար՝ երկու։ "
        "Աշխատանքային ժամերը լսելու համար՝ երեք։ Հաղորդագրություն թողնելու համար՝ զրո։",
        "en": "Sevan Coffee, good day. For orders and delivery, press one. To buy something, two. "
        "For our opening hours, three. To leave a message, zero.",
    },
    "opening": {
        "hy": "Մեր խանութը բաց է ամեն օր, առավոտյան իննից մինչև երեկոյան ինը։",
        "en": "Our shop is open every day from nine in the morning to nine in the evening.",
    },
    "closed": {
        "hy": "Սևան Կոֆի, բարև Ձեզ։ Այսօր մենք փակ ենք։ Խնդրում ենք ազդանշանից հետո թողնել հաղորդագրություն։",
        "en": "Sevan Coffee, good day. We are closed today. Please leave a message after the tone.",
    },
}
_SOUNDS = Path(__file__).resolve().parent / "sounds"


def main_menu(
    support_id: int, sales_id: int, calendar_id: int, sound_ids: Mapping[tuple[str, str], int]
) -> dict[str, object]:
    """What callers hear (hub.calls.flow.read_flow): language, hours, and then a choice that everybody gets out of.
    `sound_ids`: (step, language) → the recording of its words, where there is one."""

    def said(step: str) -> list[dict[str, object]]:
        return [
            {"text": text, "language": language, "sound_id": sound_ids.get((step, language))}
            for language, text in MENU_WORDS[step].items()
        ]

    def choice(key: str, to: str, label: str, *words: str) -> dict[str, object]:
        return {"key": key, "to": to, "label": label, "words": list(words)}

    return {
        "start": "language",
        "language": "en",
        "nodes": {
            "language": {
                "kind": "language",
                "title": "Language",
                "said": said("language"),
                "choices": [
                    {"key": "1", "language": "hy", "to": "hours"},
                    {"key": "2", "language": "en", "to": "hours"},
                ],
                "timeout_s": 5,
                "otherwise": "hours",
            },
            "hours": {"kind": "hours", "calendar_id": calendar_id, "open": "main", "closed": "closed"},
            "main": {
                "kind": "menu",
                "title": "Main menu",
                "said": said("main"),
                "choices": [
                    choice("1", "support", "Orders and delivery", "order", "delivery", "support"),
                    choice("2", "sales", "Buy something", "buy", "sales"),
                    choice("3", "opening", "Opening hours", "hours"),
                    choice("0", "message", "Leave a message", "message"),
                ],
                "otherwise": "support",
            },
            "support": {"kind": "queue", "queue_id": support_id},
            "sales": {"kind": "queue", "queue_id": sales_id},
            "opening": {"kind": "say", "said": said("opening"), "next": "main"},
            "closed": {"kind": "voicemail", "title": "Closed", "said": said("closed")},
            "message": {"kind": "voicemail"},
        },
    }


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording of the menu's words, its file in place."""

    step: str
    language: str
    file_key: str
    sound: SoundFile


def _store_recordings(files: Files) -> list[Recorded]:
    """None where this machine cannot read them (it lacks the extra `voice`): the words are spoken then."""
    stored: list[Recorded] = []
    for step, words in MENU_WORDS.items():
        for language in words:
            try:
                sound = telephone_sound((_SOUNDS / f"{step}.{language}.ogg").read_bytes())
            except ValueError:
                return []
            stored.append(Recorded(step, language, files.write(sound.content), sound))
    return stored


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
    provider: str = ""


def channels(hub_url: str, smtp_port: int) -> tuple[SeedChannel, ...]:
    """The demo's channel accounts for a hub that answers at `hub_url` and hands its mails to the post office's port."""
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
            "phone-demo",
            ChannelKind.PHONE,
            "Telephone",
            SUPPORT,
            {"account_sid": ACCOUNT_SID, "number": SMS_NUMBER, "api_base": hub_url.rstrip("/") + CARRIER_PATH},
            {"auth_token": twilio_token()},
            default_region="AM",
            provider="twilio",
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
        SeedChannel(
            "line-demo",
            ChannelKind.PHONE,
            "Calls from the web",
            WEB_CALLS,
            {"chat_channel_id": "chat-demo", "title": ORGANISATION_NAME},
            provider="hub",
        ),
        SeedChannel(
            "email-demo",
            ChannelKind.EMAIL,
            "Mail",
            SUPPORT,
            {
                "address": MAIL_ADDRESS,
                "display_name": ORGANISATION_NAME,
                "smtp_host": "127.0.0.1",
                "smtp_port": str(smtp_port),
                "smtp_security": "none",
                "plus_addressing": "on",
                "acknowledgement": ACKNOWLEDGEMENT,
            },
        ),
    )


# What depends on where the demo runs this time; the rest of a kept channel is as it was left.
_PLACES = ("api_base", "smtp_port")


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


@dataclass(frozen=True, slots=True)
class SeedCustomer:
    name: str
    language: str
    phone: str | None
    email: str


# Known customers.
CUSTOMERS: tuple[SeedCustomer, ...] = (
    *(SeedCustomer(person.name, person.language, person.phone, person.email) for person in PEOPLE),
    *(SeedCustomer(caller.name, caller.language, caller.phone, caller.email) for caller in CALLERS),
    *(
        SeedCustomer(someone.name, someone.language, None, someone.email)
        for someone in CORRESPONDENTS
        if someone.email not in {person.email for person in PEOPLE}
    ),
)
_NAMES: dict[str, str] = {customer.phone: customer.name for customer in CUSTOMERS if customer.phone}


# --- filling -----------------------------------------------------------------------------------------------------------


async def seed(
    database: Database,
    vault: Vault,
    *,
    hub_url: str,
    smtp_port: int,
    mails: Sequence[PastThread] = (),
    files: Files | None = None,
    history_days: int = 0,
) -> bool:
    """Fills an empty hub, in one transaction, with `mails` among its past, the menu's recordings in `files` and so many days
    of work done before (demo.history). In one that
    has users already only the demo's channel accounts are pointed at `hub_url` and `smtp_port` (they may be others this
    time); False then."""
    password_hash = await accounts.hash_password(password())
    year = database.clock().year
    closed = await asyncio.to_thread(holidays.country_holidays, "AM", (year, year + 1))
    is_empty = not await database.read(lambda tx: accounts.load_users(tx, limit=1))
    recorded = await asyncio.to_thread(_store_recordings, files) if is_empty and files is not None else []
    wanted = channels(hub_url, smtp_port)
    return await database.transaction(_fill, vault, wanted, password_hash, mails, closed, recorded, history_days)


def _fill(
    tx: Tx,
    vault: Vault,
    wanted: Sequence[SeedChannel],
    password_hash: str,
    mails: Sequence[PastThread],
    closed: Sequence[SpecialDay],
    recorded: Sequence[Recorded],
    history_days: int,
) -> bool:
    if accounts.load_users(tx, limit=1):
        _point_channels(tx, vault, wanted)
        return False
    tx.insert_new(tables.organisation, [{"id": 1, "name": ORGANISATION_NAME, "time_zone": TIME_ZONE}])
    tx.execute(update(tables.organisation).values(name=ORGANISATION_NAME, time_zone=TIME_ZONE, set_up_step=None))
    queue_ids = {
        queue.name: queues.create_queue(
            tx, name=queue.name, offer_timeout_s=queue.offer_timeout_s, signature=queue.signature
        ).id
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
    for user in USERS:
        if user.signature or user.desk_phone:
            accounts.update_user(tx, None, users[user.email].id, signature=user.signature, desk_phone=user.desk_phone)
    _lay_ladders(tx, queue_ids, {email: user.id for email, user in users.items()})
    for channel in wanted:
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
            provider=channel.provider,
        )
    for known in CUSTOMERS:
        customer = customers.create_customer(tx, known.name, known.language)
        if known.phone is not None:
            customers.add_contact_point(tx, customer.id, ContactKind.PHONE, known.phone, verified=True)
        customers.add_contact_point(tx, customer.id, ContactKind.EMAIL, known.email, verified=True)
    write_cards(tx, {email: user.id for email, user in users.items()})
    agents = {email: (user.id, user.name) for email, user in users.items()}
    for past in PAST:
        _write_past(tx, past, queue_ids[SUPPORT], agents)
    for thread in mails:
        _write_past_mails(tx, thread, queue_ids[SUPPORT], agents)
    calendar_id = _write_hours(tx, closed)
    _write_rules(tx, calendar_id, users["admin@demo.test"].id)
    _write_menus(tx, queue_ids, recorded)
    _write_call_settings(tx, queue_ids)
    _write_replies(tx, users, queue_ids)
    if history_days:
        working = [user.email for user in USERS if user.role is Role.AGENT]
        house, zone = (MAIL_ADDRESS, ORGANISATION_NAME), ZoneInfo(TIME_ZONE)
        write_history(tx, {email: agents[email] for email in working}, house, zone, history_days)
        today = tx.now.astimezone(zone).date()
        write_schedules(tx, [users[email].id for email in working], today, history_days)
    # Nobody did any of this: the log begins with what the people of the demo do.
    tx.execute(delete(tables.audit))
    return True


def _write_replies(tx: Tx, users: Mapping[str, UserView], queue_ids: Mapping[str, int]) -> None:
    def viewer(email: str) -> Viewer:
        user = users[email]
        return Viewer(user.id, user.role, user.name, user.language, frozenset(user.queue_ids))

    write_canned_replies(tx, viewer("supervisor@demo.test"), viewer("agent1@demo.test"), queue_ids)


def _write_hours(tx: Tx, closed: Sequence[SpecialDay]) -> int:
    """For the rule alone: whoever tries the demo at night wants queues that are open, clocks that run and waits foretold."""
    special = [SpecialDayText(each.day.isoformat(), (), each.name, each.source) for each in closed]
    text = CalendarText("Yerevan", TIME_ZONE, WORKING_WEEK, special)
    return calendars.create_calendar(tx, text).id


def _write_call_settings(tx: Tx, queue_ids: Mapping[str, int]) -> None:
    """Calls are recorded and summed up in a word, and who waits may be called back."""
    for name in (SUPPORT, SALES, WEB_CALLS):
        settings = QueueSettings(records_calls=True, offers_callback=True, dispositions=DISPOSITIONS, recording_days=90)
        queues.update_queue(tx, queue_ids[name], settings)


def _write_menus(tx: Tx, queue_ids: Mapping[str, int], recorded: Sequence[Recorded]) -> None:
    """What callers hear first: the same on both lines, but calls from the web go to the people who have ears."""
    new_year = SpecialDayText(f"{tx.now.year + 1}-01-01", (), "New Year")
    calendar_id = calendars.create_calendar(tx, CalendarText("Telephone", TIME_ZONE, TELEPHONE_WEEK, [new_year])).id
    sound_ids = {
        (each.step, each.language): sounds.create_sound(
            tx, f"{MAIN_MENU}: {each.step} ({each.language})", each.language, each.file_key, each.sound
        ).id
        for each in recorded
    }
    web_calls = queue_ids[WEB_CALLS]
    menus = {
        "phone-demo": (MAIN_MENU, queue_ids[SUPPORT], queue_ids[SALES]),
        "line-demo": (WEB_MENU, web_calls, web_calls),
    }
    for channel_id, (name, support, sales) in menus.items():
        flow_id = flows.create_flow(tx, name, main_menu(support, sales, calendar_id, sound_ids)).id
        channel = tables.channel
        tx.execute(update(channel).where(channel.c.id == channel_id).values(flow_id=flow_id))


def _write_rules(tx: Tx, calendar_id: int, user_id: int) -> None:
    """Two that show what rules are for. The one for closed hours answers where an acknowledgement would go out anyway."""
    order = next(topic.id for topic in topics.load_topics(tx) if topic.name == ORDER)
    rules = [
        {
            "id": "refunds1",
            "name": "Money back",
            "when": {"words": {"any": REFUND_WORDS}},
            "then": {"topic_id": order, "priority": 15, "tags": ["refund"]},
        },
        {
            "id": "closed01",
            "name": "Outside our hours",
            "when": {"channel_ids": ["email-demo"], "hours": {"calendar_id": calendar_id, "open": False}},
            "then": {"auto_reply": CLOSED},
        },
    ]
    version = placement.create_version(tx, user_id, "all", rules, expected_version=None).version
    placement.activate(tx, version)


def _lay_ladders(tx: Tx, queue_ids: Mapping[str, int], user_ids: Mapping[str, int]) -> None:
    """Escalation policies, the queues they hold for, and topics."""
    made = {
        name: escalation_policies.create_policy(tx, name, given).id
        for name, given in policies(user_ids["supervisor@demo.test"]).items()
    }
    for queue, policy in QUEUE_POLICIES.items():
        queues.update_queue(tx, queue_ids[queue], QueueSettings(policy_id=made[policy]))
    for topic in TOPICS:
        topics.create_topic(
            tx,
            name=topic.name,
            is_complaint=topic.is_complaint,
            queue_id=queue_ids[topic.queue] if topic.queue else None,
            owner_id=user_ids[topic.owner] if topic.owner else None,
            policy_id=made[topic.policy] if topic.policy else None,
        )


def _point_channels(tx: Tx, vault: Vault, wanted: Sequence[SeedChannel]) -> None:
    kept = {view.id for view in timeline_channels.load_channel_views(tx)}
    for channel in wanted:
        places = {name: channel.settings[name] for name in _PLACES if name in channel.settings}
        if channel.id in kept and places:
            kept_settings = timeline_channels.load_channel_setup(tx, vault, "", channel.id).settings
            timeline_channels.update_channel(
                tx, vault, channel.id, settings={**kept_settings, **places}, secrets=channel.secrets
            )


@dataclass(frozen=True, slots=True)
class _Line:
    """A message of the past, whichever way it went. `agent` None: the customer's."""

    at: datetime
    text: str
    agent: tuple[int, str] | None


def _write_past(tx: Tx, past: SeedConversation, queue_id: int, agents: Mapping[str, tuple[int, str]]) -> None:
    began_at = tx.now - past.ago
    lines = [_Line(began_at + line.after, line.text, agents[line.agent] if line.agent else None) for line in past.lines]
    _write_lines(tx, "sms-demo", (ContactKind.PHONE, past.phone), _NAMES[past.phone], queue_id, lines)


def _write_past_mails(tx: Tx, past: PastThread, queue_id: int, agents: Mapping[str, tuple[int, str]]) -> None:
    lines = [_Line(mail.at, mail.text, agents[mail.agent] if mail.agent else None) for mail in past.mails]
    conversation_id, entry_ids = _write_lines(
        tx, "email-demo", (ContactKind.EMAIL, past.owner), past.name, queue_id, lines, subject=past.subject
    )
    for entry_id, mail in zip(entry_ids, past.mails, strict=True):
        reading = mail.reading
        tx.execute(
            insert(tables.mail).values(
                entry_id=entry_id,
                conversation_id=conversation_id,
                channel_id="email-demo",
                kind=MailKind.REPLY.value if mail.agent else "in",
                message_id=reading.message_id.strip("<>"),
                refs=[each.strip("<>") for each in reading.references],
                subject=reading.subject,
                senders=[] if mail.agent else [[past.owner, past.name]],
                reply_to=[],
                recipients=[[past.owner, past.name]] if mail.agent else [[MAIL_ADDRESS, ORGANISATION_NAME]],
                cc=[],
                bcc=[],
                sent_at=None if mail.agent else mail.at,
                spans=[[SpanKind.WRITTEN.value, mail.text]],
                size_bytes=len(mail.content),
            )
        )


def _write_lines(
    tx: Tx,
    channel_id: str,
    contact: tuple[ContactKind, str],
    name: str,
    queue_id: int,
    lines: Sequence[_Line],
    *,
    subject: str | None = None,
) -> tuple[int, list[int]]:
    """A resolved conversation and its entries. Rows alone, with their old times: history to read, not work that happened,
    so no event tells of it and no figure counts it."""
    p, cu = tables.contact_point.c, tables.customer.c
    point = tx.first(select(p.id, p.customer_id).where(p.kind == contact[0].value, p.address == contact[1]))
    assert point is not None
    began_at, last = lines[0].at, lines[-1]
    tx.execute(
        update(tables.customer).where(cu.id == point.customer_id, cu.created_at > began_at).values(created_at=began_at)
    )
    conversation_id = tx.insert(
        tables.conversation,
        {
            "customer_id": point.customer_id,
            "contact_point_id": point.id,
            "channel_id": channel_id,
            "queue_id": queue_id,
            "subject": subject,
            "thread": "" if subject is None else threads.new_thread(),
            "status": ConversationStatus.RESOLVED.value,
            "created_at": began_at,
            "last_entry_at": last.at,
            "resolved_at": last.at,
            "preview": last.text[:140],
            "preview_direction": (Direction.OUT if last.agent else Direction.IN).value,
        },
    )
    entry_ids: list[int] = []
    for line in lines:
        row: dict[str, object] = {
            "conversation_id": conversation_id,
            "customer_id": point.customer_id,
            "kind": EntryKind.MESSAGE.value,
            "text": line.text,
            "at": line.at,
        }
        if line.agent is None:
            row |= {
                "direction": Direction.IN.value,
                "author_kind": AuthorKind.CUSTOMER.value,
                "author_name": name,
            }
        else:
            author_id, author_name = line.agent
            row |= {
                "direction": Direction.OUT.value,
                "author_kind": AuthorKind.AGENT.value,
                "author_id": author_id,
                "author_name": author_name,
                "delivery": Delivery.DELIVERED.value if subject is None else Delivery.SENT.value,
                "delivery_at": line.at,
                "attempts": 1,
            }
        entry_ids.append(tx.insert(tables.entry, row))
    return conversation_id, entry_ids
