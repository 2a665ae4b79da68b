"""Whole hubs on one PostgreSQL: what they share, and what they do when it is stopped and started again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from hub.domain.values import ChannelKind, Role
from hub.store import tables
from hub.store.migrate import migrate
from tests.support.postgres import StoppablePostgres, stoppable_postgres
from tests.support.running_hub import House, Person, Screen, run_hub

pytestmark = pytest.mark.anyio


@pytest.fixture
def own_postgres() -> Iterator[StoppablePostgres]:
    """A server of its own, because the session's is everybody's."""
    if os.environ.get("HUB_TEST_NO_POSTGRES") == "1":
        pytest.skip("HUB_TEST_NO_POSTGRES=1")
    with stoppable_postgres() as stoppable:
        yield stoppable


async def serve_customer(house: House, nare: Person, screen: Screen, name: str) -> None:
    """Every loop has a part in it: what came in is shown, offered, accepted, answered, sent and counted."""
    api = house.api(nare)
    conversation_id = (await screen.until_text(f"question of {name}"))["conversation"]["id"]
    await screen.until(lambda one: offers_of(one, conversation_id))
    (offer_id,) = offers_of(screen, conversation_id)
    assert (await api.post(f"/offers/{offer_id}/accept")).status_code == 200
    answered = await api.post(f"/conversations/{conversation_id}/messages", {"text": f"answer to {name}"})
    assert answered.status_code == 201, answered.text
    entry_id = answered.json()["id"]
    await screen.until(lambda one: (entry_id, "sent") in deliveries(one))
    assert (await api.post(f"/conversations/{conversation_id}/resolve")).status_code == 200


def offers_of(screen: Screen, conversation_id: int) -> list[int]:
    made = [event["offer"] for event in screen.events if event["kind"] == "offer.made"]
    return [offer["id"] for offer in made if offer["conversation_id"] == conversation_id]


def deliveries(screen: Screen) -> list[tuple[int, str]]:
    entries = [event["entry"] for event in screen.events if event["kind"] == "entry.changed"]
    return [(entry["id"], entry["delivery"]["state"]) for entry in entries if entry["delivery"]]


def handled(screen: Screen) -> int:
    told = [event["numbers"]["handled_contacts"] for event in screen.events if event["kind"] == "numbers.changed"]
    return max(told, default=0)


async def test_a_database_that_is_stopped_and_started_again_needs_no_new_start_of_the_hub(
    own_postgres: StoppablePostgres, tmp_path: Path
) -> None:
    url = own_postgres.server.create_database()
    await migrate(url)
    async with run_hub(url, tmp_path) as house:
        nare = await house.person("Nare")
        async with house.screen(nare) as screen:
            await house.api(nare).put("/me/state", {"state": "available"})
            await retry(house, question_of("before"))
            await serve_customer(house, nare, screen, "before")
            for number in range(2):
                await asyncio.to_thread(own_postgres.stop)
                answer = await house.post_loopback(question_of(f"away {number}"))
                assert (answer.status_code, answer.json()["code"]) == (503, "database_away")
                assert "retry-after" in answer.headers
                await asyncio.to_thread(own_postgres.start)
                await retry(house, question_of(f"away {number}"))
                await serve_customer(house, nare, screen, f"away {number}")
            await screen.until(lambda one: handled(one) == 3)
        stored = await house.hub.database.read(
            lambda tx: tx.scalar(select(func.count()).where(tables.entry.c.text.like("question%")))
        )
        assert stored == 3


def question_of(name: str) -> dict[str, str]:
    return {"id": f"m {name}", "from": name, "text": f"question of {name}"}


async def retry(house: House, told: dict[str, str]) -> None:
    """As Twilio does it: again until it is taken."""
    statuses = [503]
    while statuses[-1] == 503:
        statuses.append((await house.post_loopback(told)).status_code)
        assert len(statuses) < 50
    assert statuses[-1] == 200


async def test_two_processes_share_the_work_and_do_nothing_twice(postgresql_url: str, tmp_path: Path) -> None:
    async with run_hub(postgresql_url, tmp_path) as here, run_hub(postgresql_url, tmp_path) as there:
        nare = await here.person("Nare", capacity=1000)
        async with there.screen(nare) as screen:
            await there.api(nare).put("/me/state", {"state": "available"})
            await asyncio.gather(
                *(
                    (here, there)[n % 2].write(f"text {n}", sender=f"c{n % 5}", message_id=f"m{n // 2}")
                    for n in range(40)
                )
            )
            for _ in range(5):
                await screen.until(open_offers)
                offer_id = open_offers(screen)[0]
                accepted = await there.api(nare).post(f"/offers/{offer_id}/accept")
                assert accepted.status_code == 200, accepted.text
                view = accepted.json()
                answer = {"text": f"answer {view['id']}"}
                assert (await here.api(nare).post(f"/conversations/{view['id']}/messages", answer)).status_code == 201
                while offer_id in open_offers(screen):
                    await screen.receive()
            await screen.until(lambda one: [state for _, state in deliveries(one)].count("sent") == 5)
        entries = await here.hub.database.read(
            lambda tx: tx.scalar(select(func.count()).where(tables.entry.c.direction == "in"))
        )
        assert entries == 20
        sent = [await house.hub.channels.get("loop") for house in (here, there)]
        texts = [one.message.text for channel in sent for one in channel.sent]  # type: ignore[attr-defined]
        assert len(texts) == len(set(texts)) == 5


def open_offers(screen: Screen) -> list[int]:
    made = [event["offer"]["id"] for event in screen.events if event["kind"] == "offer.made"]
    ended = {event["offer"]["id"] for event in screen.events if event["kind"] == "offer.ended"}
    return [offer_id for offer_id in made if offer_id not in ended]


async def test_a_channel_that_one_process_changes_is_changed_in_the_other(postgresql_url: str, tmp_path: Path) -> None:
    async with run_hub(postgresql_url, tmp_path) as here, run_hub(postgresql_url, tmp_path) as there:
        admin = here.api(await here.person("Ada", Role.ADMIN))
        for house in (here, there):
            await house.write("Hello")
        async with there.screen(admin.person) as screen:  # type: ignore[arg-type]
            changed = await admin.patch("/channels/loop", {"secrets": {"signing_key": "a-new-key"}})
            assert changed.status_code == 200, changed.text
            await screen.until_kind("channel.changed")
            told = {"id": "m1", "from": "ani", "text": "Hi"}
            assert (await there.post_loopback(told)).status_code == 403
            assert (await there.post_loopback(told, key="a-new-key")).status_code == 200


async def test_what_postgresql_cannot_hold_names_nothing(postgresql_url: str, tmp_path: Path) -> None:
    """A NUL in a path or a query never reaches the database: SQLite would take it, PostgreSQL would not."""
    async with run_hub(postgresql_url, tmp_path) as house:
        await house.channel("chat", ChannelKind.CHAT)
        nare = await house.person("Nare")
        origin = {"origin": house.url}
        for method, path in (
            ("POST", "/webhooks/loop%00/message"),
            ("POST", "/webhooks/%00/%00"),
            ("POST", "/chat/chat%00/visit"),
            ("GET", "/chat/chat%00/attachments/1"),
            ("GET", "/files/1%00/x"),
            ("GET", "/api/v1/channels/loop%00"),
        ):
            answer = await house.client.request(method, path, headers={**origin, "cookie": nare.cookie})
            assert answer.status_code in (403, 404), f"{path}: {answer.text}"
        async with house.connect("/live?since=a%00b-1&customer=1%00", cookie=nare.cookie) as connection:
            screen = Screen(connection, "")
            await screen.until_other("resync")
