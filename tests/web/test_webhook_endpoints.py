"""Webhooks from the administrator's page to the receiver, over a real web server, on both databases."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from hub.agents import roster
from hub.app import Hub
from hub.domain.states import AgentState, Delivery
from hub.domain.values import AuthorKind
from hub.domain.views import Author
from hub.errors import NotFound
from hub.settings import Settings
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import customers, outbox
from hub.webhooks import deliveries
from hub.webhooks.deliveries import BACK_OFF_S, BREAKER_LIMIT, TRIES
from hub.webhooks.sending import WebhookSender
from tests.channels.mailserver import Mishap, running_mail_server
from tests.support.clock import FrozenClock
from tests.support.scene import Scene
from tests.support.webhook_receiver import WebhookReceiver, is_signed_with, running_receiver
from tests.web.conftest import Call, Caller, People

pytestmark = pytest.mark.anyio

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, private_webhooks=True)


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with running_receiver() as made:
        yield made


@pytest.fixture
async def as_admin(call: Call, people: People) -> Caller:
    """A program's key, which outlives the days that pass here."""
    caller = await call(people.admin)
    token = (await caller.post("/api-keys", {"name": "test", "role": "admin"})).json()["token"]
    program = await call(None)
    program.headers["Authorization"] = f"Bearer {token}"
    return program


@pytest.fixture
async def scene(hub: Hub, people: People) -> Scene:
    made = Scene(hub.database, queue_id=people.support_id, files_dir=hub.settings.files_dir)
    await hub.database.transaction(made._insert_channel, made.channel_id, "loopback", made.queue_id)
    return made


async def add(as_admin: Caller, receiver: WebhookReceiver, *events: str, **given: Any) -> dict[str, Any]:
    body = {"url": receiver.url, "events": list(events) or ["message.received"], **given}
    answer = await as_admin.post("/webhook-endpoints", body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def send(hub: Hub) -> None:
    """Writes down what there is to tell, and sends until nothing is due."""
    while await hub.database.transaction(deliveries.plan):
        pass
    sent = -1
    while sent != (sent := await hub.database.read(_count_attempts)):
        await hub.webhook_sender.step()
        await hub.webhook_sender.settle()


def _count_attempts(tx: Tx) -> int:
    d = tables.webhook_delivery.c
    return int(tx.scalar(select(func.count(d.attempted_at) + func.coalesce(func.sum(d.attempts), 0))) or 0)


async def log_of(as_admin: Caller, made: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    """The oldest first."""
    answer = await as_admin.get(f"/webhook-endpoints/{made['id']}/deliveries", params={"limit": 200, **query})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items[::-1]


async def one(as_admin: Caller, made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await as_admin.get(f"/webhook-endpoints/{made['id']}")).json()
    return found


# --- what is told -------------------------------------------------------------------------------------------------------


async def test_a_message_is_told_signed_once_and_in_order_with_the_views_of_the_api(
    hub: Hub, as_admin: Caller, scene: Scene, receiver: WebhookReceiver, clock: FrozenClock
) -> None:
    await scene.say("before it was there")
    clock.advance(1)
    made = await add(as_admin, receiver, "message.received", "conversation.opened", "customer.created")
    conversation_id = await scene.opened("one", sender="bo")
    await scene.say("two", sender="bo")
    await send(hub)
    # What is of one conversation is in order; of a customer it may come at any time.
    bodies = [body for body in receiver.bodies if body["type"] != "customer.created"]
    assert [body["type"] for body in bodies] == ["conversation.opened", "message.received", "message.received"]
    assert receiver.texts == ["one", "two"]
    assert all(is_signed_with(made["secret"], headers, body) for headers, body in receiver.got)
    assert not is_signed_with("whsec_" + "A" * 44, *receiver.got[0])
    told = bodies[1]
    assert (told["version"], told["timestamp"]) == (1, "2026-03-02T09:00:01Z")
    shown = (await as_admin.get(f"/conversations/{conversation_id}/timeline")).json()["items"]
    assert told["data"]["message"] in shown
    assert told["data"]["conversation"].keys() == (await as_admin.get("/conversations")).json()["items"][0].keys()
    customer_id = told["data"]["message"]["customer_id"]
    created = next(body["data"] for body in receiver.bodies if body["type"] == "customer.created")
    assert created["customer"] == (await as_admin.get(f"/customers/{customer_id}")).json()["customer"]
    # However often the stream is read.
    p = tables.webhook_endpoint.c
    await hub.database.transaction(lambda tx: tx.execute(update(tables.webhook_endpoint).values(**{p.cursor.name: 0})))
    await send(hub)
    assert len(receiver.got) == 4
    seen = await one(as_admin, made)
    assert (seen["health"], seen["waiting"], seen["dead"], seen["last_delivered_at"] is None) == ("ok", 0, 0, False)
    assert "secret" not in seen


async def test_what_becomes_of_a_conversation_is_told(
    hub: Hub, as_admin: Caller, call: Call, people: People, scene: Scene, receiver: WebhookReceiver
) -> None:
    events = ("conversation.assigned", "conversation.transferred", "conversation.resolved", "conversation.reopened")
    made = await add(as_admin, receiver, *events, "note.added", "message.sent", "agent.state_changed")
    conversation_id = await scene.opened("hello")
    path = f"/conversations/{conversation_id}"
    assert (await as_admin.post(f"{path}/claim", {})).status_code == 200
    assert (await as_admin.post(f"{path}/notes", {"text": "a regular"})).status_code == 201
    assert (await as_admin.post(f"{path}/transfer", {"queue_id": people.sales_id})).status_code == 200
    assert (await as_admin.post(f"{path}/resolve")).status_code == 200
    await scene.say("hello again")
    as_anna = await call(people.anna)
    await hub.database.transaction(lambda tx: roster.change_agent_state(tx, people.anna.id, AgentState.AVAILABLE))
    assert as_anna is not None
    await send(hub)
    told = [body["type"] for body in receiver.bodies if body["type"] != "agent.state_changed"]
    assert told == ["conversation.assigned", "note.added", "conversation.transferred", *events[2:]]
    note = next(body["data"]["note"] for body in receiver.bodies if body["type"] == "note.added")
    assert note["text"] == "a regular"
    resolved = next(body["data"] for body in receiver.bodies if body["type"] == "conversation.resolved")
    assert (resolved["conversation"]["status"], resolved["entry"]["author"]["name"]) == ("resolved", "Ada")
    states = [body["data"]["agent"] for body in receiver.bodies if body["type"] == "agent.state_changed"]
    assert ("Anna", "available") in {(agent["name"], agent["state"]) for agent in states}
    assert len({row["message_id"] for row in await log_of(as_admin, made)}) == len(receiver.got)


async def test_filters_by_queue_and_channel_hold_back_what_is_of_others(
    hub: Hub, as_admin: Caller, people: People, scene: Scene, receiver: WebhookReceiver
) -> None:
    events = ["message.received", "customer.created"]
    mine = await add(as_admin, receiver, *events, queue_ids=[scene.queue_id], channel_ids=["loop"])
    others = await add(as_admin, receiver, *events, queue_ids=[people.sales_id])
    await scene.say("hello")
    await hub.database.transaction(customers.create_customer, "Zara", None)
    await send(hub)
    assert [row["type"] for row in await log_of(as_admin, mine)] == [*events, "customer.created"]
    # Customers belong to no queue.
    assert [row["type"] for row in await log_of(as_admin, others)] == ["customer.created", "customer.created"]


@on_sqlite
async def test_customers_that_become_one_are_told(
    hub: Hub, as_admin: Caller, scene: Scene, receiver: WebhookReceiver
) -> None:
    await add(as_admin, receiver, "customer.merged", "customer.created", "customer.changed")
    first, second = [
        (await hub.database.transaction(customers.create_customer, name, None)).id for name in ("Ani", "A. Petrosyan")
    ]
    await as_admin.patch(f"/customers/{second}", {"note": "calls on Mondays", "expected_version": 1})
    await hub.database.transaction(customers.join, first, second)
    await send(hub)
    assert sorted(receiver.types) == ["customer.changed", "customer.created", "customer.created", "customer.merged"]
    merged = next(body["data"] for body in receiver.bodies if body["type"] == "customer.merged")
    assert (merged["merged_id"], merged["customer"]["id"]) == (first, second)


@on_sqlite
async def test_receipts_are_told_once_each_also_when_one_overtakes_another(
    hub: Hub, as_admin: Caller, people: People, scene: Scene, receiver: WebhookReceiver
) -> None:
    await add(as_admin, receiver, "message.sent", "message.delivered", "message.read", "message.failed")
    conversation_id = await scene.opened("hello")
    ada = Author(AuthorKind.AGENT, "Ada", people.admin.id)
    await hub.database.transaction(outbox.enqueue, conversation_id, ada, "one moment")
    o = tables.outbox.c
    delivery_id = await hub.database.read(lambda tx: tx.scalar(select(o.delivery_id)))
    assert len(await hub.database.transaction(outbox.claim, "test")) == 1
    for state in (Delivery.DELIVERED, Delivery.DELIVERED, Delivery.READ):
        await scene.receipt(delivery_id, state)
    await send(hub)
    assert receiver.types == ["message.sent", "message.delivered", "message.read"]
    assert receiver.bodies[0]["data"]["conversation"]["queue_id"] == scene.queue_id


# --- trying again -------------------------------------------------------------------------------------------------------


async def test_what_fails_is_tried_again_in_its_time_under_the_same_id_and_holds_up_its_own_conversation_alone(
    hub: Hub, as_admin: Caller, scene: Scene, receiver: WebhookReceiver, clock: FrozenClock
) -> None:
    made = await add(as_admin, receiver)
    receiver.refuses = {"poison"}
    await scene.say("poison", sender="ani")
    await scene.say("after it", sender="ani")
    await scene.say("elsewhere", sender="bo")
    await send(hub)
    assert sorted(receiver.texts) == ["elsewhere", "poison"]
    assert [row["state"] for row in await log_of(as_admin, made)] == ["waiting", "waiting", "delivered"]
    clock.advance(3)
    await scene.say("behind both", sender="ani")
    await send(hub)
    assert len(receiver.got) == 2
    clock.advance(4)
    receiver.refuses = set()
    await send(hub)
    assert receiver.texts[2:] == ["poison", "after it", "behind both"]
    ids = [receiver.ids[receiver.texts.index("poison")], receiver.ids[2]]
    assert ids[0] == ids[1]
    timestamps = {headers["webhook-timestamp"] for headers, _ in receiver.got}
    assert len(timestamps) == 2  # of the try, not of the event
    first = (await log_of(as_admin, made))[0]
    details = (await as_admin.get(f"/webhook-deliveries/{first['id']}")).json()
    assert (details["state"], details["status"], details["attempts"], details["answer"]) == ("delivered", 204, 2, "")
    assert [(failure["status"], failure["code"]) for failure in details["failures"]] == [(500, None)]
    assert json.loads(details["body"]) == receiver.bodies[2]


@on_sqlite
async def test_what_fails_for_three_days_is_a_dead_letter_and_can_be_replayed(
    hub: Hub, as_admin: Caller, scene: Scene, receiver: WebhookReceiver, clock: FrozenClock
) -> None:
    made = await add(as_admin, receiver)
    receiver.refuses = {"poison"}
    began = clock.now
    await scene.say("poison", sender="ani")
    await scene.say("poison behind it", sender="ani")
    for wait_s in BACK_OFF_S:
        await send(hub)
        # Others get through, so the endpoint is well.
        await scene.say("well", sender="bo")
        clock.advance(wait_s * 1.2)
    assert clock.now - began < timedelta(hours=90)
    await send(hub)
    dead, behind = (await log_of(as_admin, made))[:2]
    assert (dead["state"], dead["attempts"], dead["status"]) == ("dead", TRIES, 500)
    assert (behind["state"], behind["attempts"]) == ("waiting", 1)
    assert (await one(as_admin, made))["health"] == "failing"
    receiver.refuses = set()
    assert (await as_admin.post(f"/webhook-deliveries/{dead['id']}/replay")).json()["state"] == "waiting"
    await send(hub)
    clock.advance(6)
    await send(hub)
    assert [row["state"] for row in (await log_of(as_admin, made))[:2]] == ["delivered", "delivered"]
    assert len({name for name, text in zip(receiver.ids, receiver.texts, strict=True) if text == "poison"}) == 1
    # What arrived may be sent again, too; whoever has it knows it by its id.
    count = len(receiver.got)
    await as_admin.post(f"/webhook-deliveries/{dead['id']}/replay")
    await send(hub)
    assert (len(receiver.got), receiver.ids[-1]) == (count + 1, dead["message_id"])


async def test_all_dead_letters_since_then_are_replayed(
    hub: Hub, as_admin: Caller, scene: Scene, receiver: WebhookReceiver, clock: FrozenClock
) -> None:
    made = await add(as_admin, receiver)
    for text in ("old", "one", "two"):
        await scene.say(text)
        await hub.database.transaction(deliveries.plan)
        await hub.database.transaction(_give_up)
        clock.advance(hours=1)
    assert (await one(as_admin, made))["dead"] == 3
    since = (clock.now - timedelta(hours=2.5)).isoformat()
    answer = await as_admin.post(f"/webhook-endpoints/{made['id']}/replay", {"since": since})
    assert answer.json() == {"count": 2}
    await send(hub)
    assert receiver.texts == ["one", "two"]
    assert [row["state"] for row in await log_of(as_admin, made, state="dead")] == ["dead"]


def _give_up(tx: Tx) -> None:
    d = tables.webhook_delivery.c
    died = {"state": "dead", "due_at": None, "done_at": tx.now}
    tx.execute(update(tables.webhook_delivery).where(d.state == "waiting").values(**died))


@on_sqlite
async def test_an_endpoint_that_is_down_is_asked_by_one_at_a_time_and_gets_everything_when_it_is_back(
    hub: Hub, as_admin: Caller, scene: Scene, receiver: WebhookReceiver, clock: FrozenClock
) -> None:
    made = await add(as_admin, receiver)
    receiver.answers = [503] * 100
    for number in range(30):
        await scene.say(f"text {number}", sender=f"customer {number}")
    for _ in range(10):
        await send(hub)
        clock.advance(1)
    tried = len(receiver.got)
    assert BREAKER_LIMIT <= tried <= 12
    seen = await one(as_admin, made)
    assert (seen["health"], seen["waiting"], seen["paused_until"] is None) == ("failing", 30, False)
    receiver.answers = []
    clock.advance(minutes=6)
    await send(hub)
    assert len(receiver.got) == tried + 30
    assert (await one(as_admin, made))["health"] == "ok"
    assert len(set(receiver.ids)) == 30


@on_sqlite
async def test_retry_after_is_heeded(
    hub: Hub, as_admin: Caller, scene: Scene, receiver: WebhookReceiver, clock: FrozenClock
) -> None:
    await add(as_admin, receiver)
    receiver.answers, receiver.headers = [429], {"Retry-After": "120"}
    await scene.say("hello")
    await send(hub)
    clock.advance(60)
    await send(hub)
    assert len(receiver.got) == 1
    clock.advance(61)
    await send(hub)
    assert receiver.texts == ["hello", "hello"]


@on_sqlite
async def test_an_endpoint_that_fails_for_days_is_switched_off_and_administrators_told(
    hub: Hub, as_admin: Caller, people: People, scene: Scene, receiver: WebhookReceiver, clock: FrozenClock
) -> None:
    async with running_mail_server() as server:
        await _add_mail_account(hub, people, server.port)
        made = await add(as_admin, receiver, description="CRM")
        receiver.answers = [500] * 1_000
        await scene.say("hello")
        for _ in range(10):
            await send(hub)
            clock.advance(hours=12)
        seen = await one(as_admin, made)
        assert (seen["health"], seen["enabled"], seen["off_reason"]) == ("off", False, "failing")
        [alert] = (await as_admin.get("/snapshot")).json()["alerts"]
        assert (alert["reason"], alert["data"]["name"], alert["data"]["why"]) == ("webhook_off", "CRM", "failing")
        [mail] = server.received
        assert mail.recipients == (people.admin.email,)
        assert "Subject: Webhook switched off: CRM" in mail.content.decode()
    # Nothing of what happens now is for it, and what waited is.
    tried = len(receiver.got)
    await scene.say("while it was off")
    await send(hub)
    assert len(receiver.got) == tried
    refused = await as_admin.post(f"/webhook-endpoints/{made['id']}/replay", {"since": "2026-01-01T00:00:00Z"})
    assert refused.json()["code"] == "webhook_off"
    receiver.answers = []
    body = {"url": receiver.url, "description": "CRM", "events": ["message.received"], "enabled": True}
    answer = await as_admin.put(f"/webhook-endpoints/{made['id']}", {**body, "expected_version": seen["version"]})
    assert (answer.json()["health"], answer.json()["off_reason"]) == ("ok", None)
    await scene.say("on again")
    await send(hub)
    assert receiver.texts[tried:] == ["hello", "on again"]


@on_sqlite
async def test_a_mail_server_that_keeps_silent_holds_no_webhook_up(
    hub: Hub, as_admin: Caller, people: People, scene: Scene, receiver: WebhookReceiver
) -> None:
    async with running_mail_server() as server, running_receiver() as gone:
        await _add_mail_account(hub, people, server.port)
        server.play("EHLO", Mishap.HANG)
        gone.answers = [410]
        await add(as_admin, gone)
        await add(as_admin, receiver)
        await scene.say("one")
        await hub.database.transaction(deliveries.plan)
        await hub.webhook_sender.step()
        await receiver.until(1)
        async with asyncio.timeout(10):
            while not server.verbs:
                await hub.webhook_sender.step()
        await scene.say("two")
        await hub.database.transaction(deliveries.plan)
        async with asyncio.timeout(10):
            await hub.webhook_sender.step()
            await receiver.until(2)
        assert (receiver.texts, server.received) == (["one", "two"], [])
        server.drop_all()
        await hub.webhook_sender.settle()


async def _add_mail_account(hub: Hub, people: People, port: int) -> None:
    settings = {
        "address": "support@hub.test",
        "smtp_host": "127.0.0.1",
        "smtp_port": str(port),
        "smtp_security": "none",
    }

    def insert_account(tx: Tx) -> None:
        row = {"id": "mail", "kind": "email", "name": "Mail", "queue_id": people.sales_id, "settings": settings}
        tx.execute(tables.channel.insert().values(**row, secrets=hub.vault.seal({}), health_since=tx.now))

    await hub.database.transaction(insert_account)


@on_sqlite
async def test_an_endpoint_that_is_gone_is_switched_off_at_once(
    hub: Hub, as_admin: Caller, scene: Scene, receiver: WebhookReceiver
) -> None:
    made = await add(as_admin, receiver)
    receiver.answers = [410]
    await scene.say("hello")
    await send(hub)
    seen = await one(as_admin, made)
    assert (seen["health"], seen["off_reason"]) == ("off", "gone")
    assert [row["state"] for row in await log_of(as_admin, made)] == ["dead"]


# --- processes ----------------------------------------------------------------------------------------------------------


async def test_two_processes_at_once_write_and_send_once(
    hub: Hub, as_admin: Caller, scene: Scene, receiver: WebhookReceiver
) -> None:
    await add(as_admin, receiver)
    for number in range(12):
        await scene.say(f"text {number}", sender=f"customer {number % 4}")
    await asyncio.gather(*(hub.database.transaction(deliveries.plan) for _ in range(2)))
    other = WebhookSender(
        hub.database, hub.wakes, hub.channels, hub.vault, public_url="http://hub.test", may_be_private=True
    )
    while await hub.database.read(_count_waiting):
        await asyncio.gather(hub.webhook_sender.step(), other.step())
        await asyncio.gather(hub.webhook_sender.settle(), other.settle())
    assert len(set(receiver.ids)) == len(receiver.got) == 12
    for customer in range(4):
        texts = [text for text in receiver.texts if int(text.split()[1]) % 4 == customer]
        assert texts == [f"text {number}" for number in range(customer, 12, 4)]


def _count_waiting(tx: Tx) -> int:
    return int(tx.scalar(select(func.count()).where(tables.webhook_delivery.c.due_at.is_not(None))) or 0)


async def test_what_a_killed_process_had_in_hand_is_sent_again_under_its_id(
    hub: Hub, as_admin: Caller, scene: Scene, receiver: WebhookReceiver, clock: FrozenClock
) -> None:
    await add(as_admin, receiver)
    await scene.say("one")
    await scene.say("two")
    await hub.database.transaction(deliveries.plan)
    [claimed] = await hub.database.transaction(deliveries.claim)
    await send(hub)
    assert receiver.got == []
    clock.advance(61)
    await send(hub)
    assert (receiver.texts, receiver.ids[0]) == (["one", "two"], claimed.message_id)
    # What it had to say comes too late.
    await hub.database.transaction(deliveries.record, claimed, deliveries.Attempt(500, None, "", 1))
    assert await hub.database.read(_count_waiting) == 0


@on_sqlite
async def test_a_slow_endpoint_holds_nobody_else_up(
    hub: Hub, as_admin: Caller, scene: Scene, receiver: WebhookReceiver
) -> None:
    async with running_receiver() as slow:
        slow.hold.clear()
        await add(as_admin, slow)
        await add(as_admin, receiver)
        for number in range(20):
            await scene.say(f"text {number}", sender=f"customer {number}")
        running = [asyncio.create_task(loop) for loop in (hub.webhook_planner.run(), hub.webhook_sender.run())]
        await receiver.until(20)
        await slow.until(deliveries.IN_FLIGHT)
        assert len(slow.got) == deliveries.IN_FLIGHT
        for task in running:
            task.cancel()
        slow.hold.set()
        await asyncio.gather(*running, return_exceptions=True)


# --- secrets and settings -----------------------------------------------------------------------------------------------


@on_sqlite
async def test_a_new_secret_signs_at_once_and_the_old_one_too_for_a_day(
    hub: Hub, as_admin: Caller, scene: Scene, receiver: WebhookReceiver, clock: FrozenClock
) -> None:
    made = await add(as_admin, receiver)
    rolled = (await as_admin.post(f"/webhook-endpoints/{made['id']}/secret")).json()
    a = tables.audit.c
    noted = await hub.database.read(lambda tx: tx.rows(select(a.action, a.actor_name, a.data).order_by(a.id)))
    assert [(row.action, row.actor_name) for row in noted if row.action.startswith("webhook.")] == [
        ("webhook.created", "Ada"),
        ("webhook.secret_made", "Ada"),
    ]
    assert not any("whsec_" in json.dumps(row.data) for row in noted)
    assert rolled["secret"] != made["secret"]
    kept = await hub.database.read(lambda tx: tx.scalar(select(tables.webhook_endpoint.c.secrets)))
    assert rolled["secret"] not in kept
    for _ in range(2):
        await scene.say("hello")
        await send(hub)
        clock.advance(hours=24, seconds=1)
    signed = [
        [is_signed_with(secret, headers, body) for secret in (rolled["secret"], made["secret"])]
        for headers, body in receiver.got
    ]
    assert signed == [[True, True], [True, False]]
    assert (await one(as_admin, made))["old_secret_until"] is None


@on_sqlite
async def test_a_test_says_what_was_answered_and_stands_in_no_log(
    hub: Hub, as_admin: Caller, receiver: WebhookReceiver
) -> None:
    made = await add(as_admin, receiver, enabled=False)
    receiver.answers = [418]
    told = (await as_admin.post(f"/webhook-endpoints/{made['id']}/test")).json()
    assert (told["arrived"], told["status"], told["code"], told["answer"]) == (False, 418, None, "said 418")
    told = (await as_admin.post(f"/webhook-endpoints/{made['id']}/test")).json()
    assert (told["arrived"], told["status"]) == (True, 204)
    assert receiver.types == ["webhook.test", "webhook.test"]
    assert is_signed_with(made["secret"], *receiver.got[0])
    assert await log_of(as_admin, made) == []
    hub.webhook_sender._may_be_private = False
    told = (await as_admin.post(f"/webhook-endpoints/{made['id']}/test")).json()
    assert (told["arrived"], told["status"], told["code"]) == (False, None, "webhook_not_allowed")


BAD_WEBHOOKS: list[tuple[dict[str, Any], str]] = [
    ({"url": "http://example.org/hook"}, "url"),
    ({"url": "ftp://example.org/hook"}, "url"),
    ({"url": "https://user:pw@example.org/hook"}, "url"),
    ({"events": []}, "events"),
    ({"events": ["conversation.eaten"]}, "events.0"),
    ({"queue_ids": [999]}, "queue_ids"),
    ({"channel_ids": ["no-such"]}, "channel_ids"),
    ({"description": "x" * 201}, "description"),
    ({"secret": "chosen"}, "secret"),
]


@on_sqlite
async def test_a_webhook_that_cannot_be_is_refused_by_field(as_admin: Caller) -> None:
    good = {"url": "https://example.org/hook", "events": ["note.added"]}
    answers = [await as_admin.post("/webhook-endpoints", {**good, **given}) for given, _ in BAD_WEBHOOKS]
    assert [answer.status_code for answer in answers] == [422] * len(BAD_WEBHOOKS)
    named = [name in answer.json()["fields"] for (_, name), answer in zip(BAD_WEBHOOKS, answers, strict=True)]
    assert named == [True] * len(BAD_WEBHOOKS)
    made = (await as_admin.post("/webhook-endpoints", good)).json()
    late = await as_admin.put(f"/webhook-endpoints/{made['id']}", {**good, "expected_version": 7})
    assert late.json()["code"] == "version_conflict"


async def test_a_webhook_that_is_removed_takes_its_log_along(
    hub: Hub, as_admin: Caller, scene: Scene, receiver: WebhookReceiver
) -> None:
    made = await add(as_admin, receiver)
    await scene.say("hello")
    await hub.database.transaction(deliveries.plan)
    [claimed] = await hub.database.transaction(deliveries.claim)
    assert (await as_admin.delete(f"/webhook-endpoints/{made['id']}")).status_code == 204
    await hub.database.transaction(deliveries.record, claimed, deliveries.Attempt(204, None, "", 1))
    assert (await as_admin.get("/webhook-endpoints")).json()["items"] == []
    with pytest.raises(NotFound):
        await hub.database.read(deliveries.load_delivery, claimed.id)
    assert (await as_admin.get(f"/webhook-endpoints/{made['id']}/deliveries")).status_code == 404


@on_sqlite
async def test_the_log_is_paged_filtered_and_forgotten_in_its_time(
    hub: Hub, as_admin: Caller, scene: Scene, receiver: WebhookReceiver, clock: FrozenClock
) -> None:
    made = await add(as_admin, receiver, "message.received", "customer.created")
    for number in range(3):
        await scene.say(f"text {number}", sender=f"customer {number}")
    await send(hub)
    path = f"/webhook-endpoints/{made['id']}/deliveries"
    first = (await as_admin.get(path, params={"limit": 4})).json()
    rest = (await as_admin.get(path, params={"limit": 4, "cursor": first["next_cursor"]})).json()
    assert (len(first["items"]), len(rest["items"]), rest["next_cursor"]) == (4, 2, None)
    assert {row["type"] for row in await log_of(as_admin, made, type="customer.created")} == {"customer.created"}
    assert await log_of(as_admin, made, state="dead") == []
    clock.advance(days=8)
    while await hub.database.transaction(deliveries.prune, timedelta(days=7)):
        pass
    assert await log_of(as_admin, made) == []


@on_sqlite
async def test_only_administrators_have_to_do_with_webhooks(call: Call, people: People) -> None:
    as_supervisor = await call(people.supervisor)
    assert (await as_supervisor.get("/webhook-endpoints")).status_code == 403
    assert (await as_supervisor.get("/webhook-events")).status_code == 403
