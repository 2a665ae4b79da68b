"""New conversations begin where the rules in force say; reopened ones stay where they are; nobody is answered twice."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from hub.agents import skills
from hub.channels.channel import Consent, MessageArrival
from hub.domain.events import EntryAdded
from hub.domain.mail import IncomingMail, Mailbox, Noise, Span, SpanKind
from hub.domain.values import ContactKind
from hub.domain.views import RequirementView
from hub.errors import Conflict, InvalidInput, NotFound
from hub.routing import calendars, dispatcher, placement
from hub.routing.calendars import CalendarText
from hub.routing.requirements import read_required
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import automatic_replies
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

_numbers = itertools.count(1)


def rule(*, when: dict[str, Any] | None = None, **then: Any) -> dict[str, Any]:
    number = next(_numbers)
    return {"id": f"rule{number}", "name": f"Rule {number}", "enabled": True, "when": when or {}, "then": then}


async def save(scene: Scene, *rules: dict[str, Any], mode: str = "all") -> int:
    def write(tx: Tx) -> int:
        latest = placement.load_versions(tx).latest
        version = latest.version if latest is not None else None
        return placement.create_version(tx, None, mode, rules, expected_version=version).version

    return await scene.database.transaction(write)


async def put_in_force(scene: Scene, *rules: dict[str, Any], mode: str = "all") -> int:
    version = await save(scene, *rules, mode=mode)
    await scene.database.transaction(placement.activate, version)
    return version


async def a_skill(scene: Scene, name: str) -> int:
    return (await scene.database.transaction(skills.create_skill, name)).id


async def a_topic(scene: Scene, name: str = "Complaint", **values: Any) -> int:
    row = {"name": name, "folded_name": name.casefold(), **values}
    return await scene.database.transaction(lambda tx: tx.insert(tables.topic, row))


WEEK = [[("09:00", "18:00")]] * 5 + [[], []]


async def a_calendar(scene: Scene, zone: str = "Asia/Yerevan") -> int:
    text = CalendarText(f"Hours {next(_numbers)}", zone, WEEK)
    return (await scene.database.transaction(calendars.create_calendar, text)).id


async def conversation(scene: Scene, conversation_id: int) -> dict[str, Any]:
    return await scene.row(tables.conversation, id=conversation_id)


async def answers(scene: Scene) -> list[str]:
    rows = await scene.rows(tables.entry, author_kind="system", direction="out", kind="message")
    return [row["text"] for row in rows]


# --- placed -------------------------------------------------------------------------------------------------------------


async def test_a_conversation_begins_where_the_rules_say_and_a_line_tells_it(scene: Scene) -> None:
    refunds = await scene.queue("Refunds")
    billing = await a_skill(scene, "billing")
    topic_id = await a_topic(scene)
    version = await put_in_force(
        scene,
        rule(
            when={"words": {"any": ["refund"]}},
            queue_id=refunds,
            priority=30,
            required=[{"skill_id": billing, "level": 2}],
            tags=["money", "soon"],
            topic_id=topic_id,
        ),
    )
    before = len(await scene.events())
    row = await conversation(scene, await scene.opened("I want my REFUND"))
    assert (row["queue_id"], row["priority"], row["topic_id"], row["tags"]) == (
        refunds,
        30,
        topic_id,
        ["money", "soon"],
    )
    assert read_required(row["required"]) == (RequirementView(billing, 2),)
    assert row["preview"] == "I want my REFUND"
    (line,) = await scene.rows(tables.entry, happening="placed")
    first = await scene.row(tables.entry, kind="message")
    assert first["id"] < line["id"]
    assert line["data"] == {
        "version": version,
        "rules": line["data"]["rules"],
        "rule_ids": line["data"]["rule_ids"],
        "queue_id": refunds,
        "queue": "Refunds",
        "topic_id": topic_id,
        "topic": "Complaint",
        "priority": 30,
        "required": "billing<2",
        "tags": "money\nsoon",
    }
    told = [event for event in (await scene.events())[before:] if event.kind == EntryAdded.KIND]
    assert len(told) == 2
    assert all(f"queue:{refunds}" in event.topics for event in told)


async def test_where_no_rule_fits_nothing_is_told_and_nothing_is_otherwise(scene: Scene) -> None:
    await put_in_force(scene, rule(when={"words": {"any": ["refund"]}}, priority=30))
    row = await conversation(scene, await scene.opened("Hello"))
    assert (row["queue_id"], row["priority"], row["required"], row["tags"]) == (scene.queue_id, 0, "", None)
    assert await scene.rows(tables.entry, happening="placed") == []


async def test_conversations_that_begin_together_are_each_placed(scene: Scene) -> None:
    other = await scene.queue("Other")
    await put_in_force(scene, rule(when={"words": {"any": ["refund"]}}, queue_id=other, tags=["money"]))
    arrivals = [scene.message(text, sender=text) for text in ("refund", "hello", "refund please", "stop")]
    arrivals[3] = scene.message("refund STOP", sender="stop", consent=Consent.STOP)
    await scene.intake.accept(scene.channel_id, arrivals)
    rows = {row["preview"]: row for row in await scene.rows(tables.conversation)}
    assert {text: (row["queue_id"], row["tags"], row["status"]) for text, row in rows.items()} == {
        "refund": (other, ["money"], "open"),
        "hello": (scene.queue_id, None, "open"),
        "refund please": (other, ["money"], "open"),
        # A wish for silence is no work.
        "refund STOP": (scene.queue_id, None, "resolved"),
    }


async def test_what_is_open_or_reopened_is_not_placed_anew(scene: Scene) -> None:
    other = await scene.queue("Other")
    agent = await scene.agent()
    conversation_id = await scene.opened("Hello")
    await put_in_force(scene, rule(queue_id=other, auto_reply="Hello"))
    assert await scene.opened("And?") == conversation_id
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    await scene.database.transaction(dispatcher.resolve, agent, conversation_id)
    assert await scene.opened("Still not") == conversation_id
    assert (await conversation(scene, conversation_id))["queue_id"] == scene.queue_id
    assert (await scene.rows(tables.entry, happening="placed"), await answers(scene)) == ([], [])


async def test_whoever_was_here_before_is_known(scene: Scene, clock: FrozenClock) -> None:
    await put_in_force(
        scene, rule(when={"is_known": True}, tags=["known"]), rule(when={"is_known": False}, tags=["new"])
    )
    chat = await scene.channel("chat", "chat")
    tags = []
    for sender, channel_id, kind in (
        ("ani", scene.channel_id, ContactKind.LOOPBACK),
        ("ani", chat, ContactKind.LOOPBACK),
        ("visitor", chat, ContactKind.CHAT),
    ):
        conversation_id = await scene.opened(sender=sender, channel_id=channel_id, kind=kind)
        tags.append((await conversation(scene, conversation_id))["tags"])
        clock.advance(1)
    assert tags == [["new"], ["known"], ["new"]]


async def test_the_customers_tier_and_language_are_looked_at(scene: Scene) -> None:
    await put_in_force(scene, rule(when={"tier_at_least": 2, "languages": ["hy"]}, priority=60))
    other = await scene.channel("other", "loopback")
    await scene.opened()
    await scene.set(tables.customer, {"tier": 2, "language": "hy-AM"})
    row = await conversation(scene, await scene.opened(channel_id=other))
    assert row["priority"] == 60


async def test_it_rings_at_whoever_has_what_the_rule_requires(scene: Scene) -> None:
    billing = await a_skill(scene, "billing")
    await scene.agent()
    expert = await scene.agent()
    await scene.database.transaction(skills.set_agent_skills, expert.user_id, {billing: 3})
    await put_in_force(scene, rule(required=[{"skill_id": billing, "level": 3}]))
    await scene.say()
    await scene.database.transaction(dispatcher.dispatch, 15.0)
    assert (await scene.row(tables.offer))["agent_id"] == expert.user_id


# --- topics -------------------------------------------------------------------------------------------------------------


async def test_a_topic_directs_to_its_department_and_its_owner(scene: Scene) -> None:
    department = await scene.queue("Complaints")
    owner = await scene.agent(queue_ids={department})
    topic_id = await a_topic(scene, queue_id=department, owner_id=owner.user_id)
    await put_in_force(scene, rule(topic_id=topic_id))
    row = await conversation(scene, await scene.opened())
    assert (row["queue_id"], row["pinned_agent_id"], row["topic_id"]) == (department, owner.user_id, topic_id)


async def test_a_rule_that_names_a_queue_goes_before_its_topics(scene: Scene) -> None:
    department, chosen = await scene.queue("Complaints"), await scene.queue("Chosen")
    owner = await scene.agent()
    topic_id = await a_topic(scene, queue_id=department, owner_id=owner.user_id)
    await put_in_force(scene, rule(topic_id=topic_id), rule(queue_id=chosen))
    row = await conversation(scene, await scene.opened())
    assert (row["queue_id"], row["pinned_agent_id"], row["topic_id"]) == (chosen, None, topic_id)


async def test_work_is_not_pinned_to_an_owner_who_has_left(scene: Scene) -> None:
    owner = await scene.agent()
    topic_id = await a_topic(scene, owner_id=owner.user_id)
    await put_in_force(scene, rule(topic_id=topic_id))
    await scene.set(tables.user_account, {"active": False}, id=owner.user_id)
    assert (await conversation(scene, await scene.opened()))["pinned_agent_id"] is None


@pytest.mark.parametrize(("kind", "waits"), [("chat", False), ("sms", True)])
async def test_a_chat_waits_for_no_owner_who_is_offline(scene: Scene, kind: str, waits: bool) -> None:
    owner = await scene.agent()
    topic_id = await a_topic(scene, owner_id=owner.user_id)
    await put_in_force(scene, rule(topic_id=topic_id))
    await scene.set(tables.agent, {"state": "offline"}, user_id=owner.user_id)
    channel = await scene.channel(kind, kind)
    row = await conversation(scene, await scene.opened(channel_id=channel))
    assert (row["pinned_agent_id"] == owner.user_id) is waits


# --- what vanishes ------------------------------------------------------------------------------------------------------


async def test_a_rule_whose_topic_is_switched_off_is_passed_over_and_told(scene: Scene) -> None:
    topic_id = await a_topic(scene)
    version = await put_in_force(scene, rule(topic_id=topic_id, priority=60), rule(priority=5))
    await scene.set(tables.topic, {"active": False})
    row = await conversation(scene, await scene.opened())
    assert (row["topic_id"], row["priority"]) == (None, 5)
    stored = await scene.database.read(placement.load_version, version)
    assert dict(stored.faults) == {"rules.0.then.topic_id": "there is no such topic"}


async def test_a_rule_whose_calendar_cannot_be_read_any_more_is_passed_over_and_the_calendar_shown(
    scene: Scene,
) -> None:
    calendar_id = await a_calendar(scene)
    hours = {"hours": {"calendar_id": calendar_id, "open": True}}
    await put_in_force(scene, rule(when=hours, priority=60), rule(priority=5))
    body = {"zone": "Lost/Atlantis", "week": [[]] * 7, "special": []}
    await scene.set(tables.calendar_version, {"body": body}, calendar_id=calendar_id)
    assert (await conversation(scene, await scene.opened()))["priority"] == 5
    (view,) = await scene.database.read(calendars.load_calendar_views)
    assert (view.zone, view.is_open, view.changes_at) == ("Lost/Atlantis", False, None)
    repaired = await scene.database.transaction(
        calendars.save_calendar, calendar_id, CalendarText(view.name, "Asia/Yerevan", WEEK)
    )
    assert repaired.changes_at is not None


async def test_what_rules_in_force_name_is_not_removed(scene: Scene) -> None:
    billing, calendar_id = await a_skill(scene, "billing"), await a_calendar(scene)
    one = rule(required=[{"skill_id": billing, "level": 1}], when={"hours": {"calendar_id": calendar_id, "open": True}})
    await put_in_force(scene, one)
    for remove, thing in ((skills.delete_skill, billing), (calendars.delete_calendar, calendar_id)):
        with pytest.raises(Conflict) as refused:
            await scene.database.transaction(remove, thing)
        assert (refused.value.code, refused.value.fields) == ("in_use", {"rules": one["name"]})
    await scene.database.transaction(placement.deactivate)
    await scene.database.transaction(skills.delete_skill, billing)
    with pytest.raises(InvalidInput) as gone:
        await scene.database.transaction(placement.activate, 1)
    assert list(gone.value.fields) == ["rules.0.then.required.0.skill_id"]


# --- versions -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (rule(queue_id=999), "rules.1.then.queue_id"),
        (rule(topic_id=999), "rules.1.then.topic_id"),
        (rule(required=[{"skill_id": 999, "level": 1}]), "rules.1.then.required.0.skill_id"),
        (rule(when={"topic_ids": [999]}, priority=1), "rules.1.when.topic_ids.0"),
        (rule(when={"channel_ids": ["loop", "fax"]}, priority=1), "rules.1.when.channel_ids.1"),
        (rule(when={"hours": {"calendar_id": 999, "open": True}}, priority=1), "rules.1.when.hours.calendar_id"),
        (rule(priority=601), "rules.1.then.priority"),
    ],
)
async def test_what_is_not_there_is_refused_by_its_field(scene: Scene, wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await save(scene, rule(priority=1), wrong)
    assert list(refused.value.fields) == [field]
    assert await scene.rows(tables.rule_set) == []


async def test_versions_are_kept_and_one_is_in_force(scene: Scene, clock: FrozenClock) -> None:
    first = await put_in_force(scene, rule(priority=1))
    clock.advance(60)
    second = await save(scene, rule(priority=2))
    assert (await conversation(scene, await scene.opened(sender="a")))["priority"] == 1
    await scene.database.transaction(placement.activate, second)
    assert (await conversation(scene, await scene.opened(sender="b")))["priority"] == 2
    await scene.database.transaction(placement.activate, first)
    assert (await conversation(scene, await scene.opened(sender="c")))["priority"] == 1
    await scene.database.transaction(placement.deactivate)
    assert (await conversation(scene, await scene.opened(sender="d")))["priority"] == 0
    versions = await scene.database.read(placement.load_versions)
    assert (versions.active, versions.latest and versions.latest.version) == (None, second)
    assert [row.version for row in versions.versions] == [second, first]


async def test_whoever_saw_other_rules_is_told(scene: Scene) -> None:
    first = await save(scene, rule(priority=1))
    for seen in (None, first - 1, first + 1):
        with pytest.raises(Conflict) as refused:
            await scene.database.transaction(
                placement.create_version, None, "all", [rule(priority=2)], expected_version=seen
            )
        assert refused.value.code == "version_conflict"
    with pytest.raises(NotFound):
        await scene.database.transaction(placement.activate, 999)
    with pytest.raises(Conflict) as off:
        await scene.database.transaction(placement.deactivate)
    assert off.value.code == "not_active"


async def test_of_two_who_switch_at_once_one_is_told(scene: Scene) -> None:
    versions = [await save(scene, rule(priority=number)) for number in range(2)]

    def switch(tx: Tx, version: int) -> str:
        try:
            placement.activate(tx, version, expected_active=None, checks_active=True)
        except Conflict as refused:
            return refused.code
        return "switched"

    told = await asyncio.gather(*(scene.database.transaction(switch, version) for version in versions))
    assert sorted(told) == ["switched", "version_conflict"]
    again = await asyncio.gather(*(scene.database.transaction(switch, version) for version in versions))
    assert sorted(again) == ["already_active", "version_conflict"]
    assert len(await scene.rows(tables.rule_set, active=True)) == 1


async def test_rules_that_change_while_messages_come_in_place_each_by_one_version(scene: Scene) -> None:
    """Each conversation is placed whole by one version, whichever was in force when it was stored."""
    others = [await scene.queue(f"Q{number}") for number in range(2)]
    versions = [await save(scene, rule(queue_id=others[n], priority=n + 1, tags=[f"v{n}"])) for n in range(2)]
    await scene.database.transaction(placement.activate, versions[0])

    async def switch() -> None:
        for number in range(1, 9):
            await scene.database.transaction(placement.activate, versions[number % 2])

    async def write(lane: int) -> None:
        for number in range(8):
            await scene.say(sender=f"c{lane}-{number}")

    await asyncio.gather(switch(), *(write(lane) for lane in range(5)))
    placed = {(row["queue_id"], row["priority"], *row["tags"]) for row in await scene.rows(tables.conversation)}
    assert placed <= {(others[0], 1, "v0"), (others[1], 2, "v1")}
    assert len(await scene.rows(tables.entry, happening="placed")) == 40


# --- answers by itself --------------------------------------------------------------------------------------------------


async def test_a_rule_answers_the_first_words_once(scene: Scene) -> None:
    await put_in_force(scene, rule(auto_reply="Dear {name}, this is #{number}."))
    conversation_id = await scene.opened("Hello")
    await scene.say("Hello?")
    assert await answers(scene) == [f"Dear ani, this is #{conversation_id}."]
    assert len(await scene.rows(tables.outbox)) == 1
    row = await conversation(scene, conversation_id)
    # Somebody still has to answer, and sees what was asked.
    assert (row["preview_direction"], row["unanswered_since"] is not None) == ("in", True)
    assert row["queued_since"] is not None


@pytest.mark.parametrize(
    ("now", "language", "expected"),
    [
        (datetime(2026, 3, 2, 3, tzinfo=UTC), "en", "Monday 2 March, 09:00"),
        (datetime(2026, 3, 6, 20, tzinfo=UTC), "hy-AM", "երկուշաբթի, մարտի 9, 09:00"),
        (datetime(2026, 3, 6, 20, tzinfo=UTC), "uk", "понеділок, 9 березня, 09:00"),
        (datetime(2026, 3, 6, 20, tzinfo=UTC), None, "2026-03-09 09:00"),
    ],
)
async def test_outside_hours_it_says_when_we_open(
    scene: Scene, clock: FrozenClock, now: datetime, language: str | None, expected: str
) -> None:
    calendar_id = await a_calendar(scene)
    hours = {"hours": {"calendar_id": calendar_id, "open": False}}
    await put_in_force(scene, rule(when=hours, auto_reply="{opens}"))
    clock.now = datetime(2026, 3, 2, 6, tzinfo=UTC)
    other = await scene.channel("other", "loopback")
    await scene.opened()
    await scene.set(tables.customer, {"language": language})
    assert await answers(scene) == [], "it is open"
    clock.now = now
    await scene.opened(channel_id=other)
    assert await answers(scene) == [expected]


async def test_whoever_asked_for_silence_gets_no_answer(scene: Scene) -> None:
    await put_in_force(scene, rule(auto_reply="Hello"))
    await scene.say("STOP", consent=Consent.STOP)
    await scene.opened("Hello?")
    assert await answers(scene) == []


async def test_whoever_writes_all_day_is_answered_seldom(scene: Scene, clock: FrozenClock) -> None:
    await put_in_force(scene, rule(auto_reply="Hello"))
    for number in range(10):
        await scene.channel(f"other{number}", "loopback")
        await scene.opened(channel_id=f"other{number}")
        clock.advance(automatic_replies.PAUSE.total_seconds() / 2)
    assert len(await answers(scene)) == automatic_replies.DAILY_LIMIT


async def test_an_automatic_answer_in_which_a_name_looks_like_a_place_is_left_alone(scene: Scene) -> None:
    await put_in_force(scene, rule(auto_reply="Dear {name}"))
    await scene.opened(sender="{number}")
    assert await answers(scene) == ["Dear {number}"]


# --- mails --------------------------------------------------------------------------------------------------------------


@dataclass
class Post:
    scene: Scene

    async def take(self, *mails: MessageArrival) -> list[dict[str, Any]]:
        await self.scene.intake.accept("mail", mails)
        return await self.scene.rows(tables.conversation)


@pytest.fixture
async def post(database: Any, tmp_path: Any) -> Post:
    scene = await Scene(database, files_dir=tmp_path / "files").set_up()
    await scene.channel("mail", "email")
    settings = {"address": "support@shop.test", "acknowledgement": "We have it."}
    await scene.set(tables.channel, {"settings": settings}, id="mail")
    return Post(scene)


def mail(scene: Scene, text: str = "Hello", *, sender: str = "ani@mail.example.com", **other: Any) -> MessageArrival:
    number = next(_numbers)
    facts: dict[str, Any] = {
        "message_id": f"m{number}@example.com",
        "subject": "My order",
        "senders": (Mailbox(sender, "Ani"),),
        "to": (Mailbox("support@shop.test"),),
        "spans": (Span(SpanKind.WRITTEN, text),),
        "size_bytes": 9,
    }
    return MessageArrival(
        provider_id=f"mail:{number}",
        contact_kind=ContactKind.EMAIL,
        sender=sender,
        sender_name="Ani",
        text=text,
        raw="{}",
        received_at=scene.database.clock(),
        mail=IncomingMail(**(facts | other)),
        message=b"Subject: x\r\n\r\nHello\r\n",
    )


async def test_mails_are_placed_by_their_subject_and_their_senders_house(post: Post) -> None:
    other = await post.scene.queue("Other")
    when = {"sender_domains": ["example.com"], "words": {"any": ["order"], "where": "subject"}, "kinds": ["email"]}
    await put_in_force(post.scene, rule(when=when, queue_id=other, tags=["shop"]))
    rows = await post.take(
        mail(post.scene), mail(post.scene, subject="Else"), mail(post.scene, sender="ben@example.org")
    )
    assert [(row["queue_id"], row["tags"]) for row in rows] == [
        (other, ["shop"]),
        (post.scene.queue_id, None),
        (post.scene.queue_id, None),
    ]


async def test_a_rules_answer_stands_in_for_the_channels_acknowledgement(post: Post) -> None:
    await put_in_force(post.scene, rule(when={"words": {"any": ["late"]}}, auto_reply="Sorry, {name}."))
    await post.take(mail(post.scene, "It is late"))
    await post.take(mail(post.scene, "Hello", sender="ben@example.com"))
    assert await answers(post.scene) == ["Sorry, Ani.", "We have it."]
    assert [row["kind"] for row in await post.scene.rows(tables.mail) if row["kind"] != "in"] == ["acknowledgement"] * 2


@pytest.mark.parametrize(
    "other",
    [{"noise": noise} for noise in Noise if noise is not Noise.NONE]
    + [{"sender": "no-reply@example.com"}, {"refuses_automatic_answers": True}],
)
async def test_no_rule_answers_a_machine(post: Post, other: dict[str, Any]) -> None:
    await put_in_force(post.scene, rule(auto_reply="Hello"))
    await post.take(mail(post.scene, **other))
    assert await answers(post.scene) == []


async def test_a_machines_note_that_waits_for_nobody_is_placed_nowhere(post: Post) -> None:
    other = await post.scene.queue("Other")
    await put_in_force(post.scene, rule(queue_id=other))
    (row,) = await post.take(mail(post.scene, noise=Noise.AUTO_REPLY))
    assert (row["status"], row["queue_id"]) == ("resolved", post.scene.queue_id)
