"""The demo as a whole, on a real hub: robots write and answer, the handset hears back, the seed is there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import select

from hub.calls import flows, sounds
from hub.demo import seed
from hub.demo.carrier_calls import hears
from hub.demo.people import CALLERS, PEOPLE, dialogues_of, find_reply
from hub.domain.states import Delivery
from hub.routing import policies
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.files import Files
from hub.store.vault import Vault
from hub.timeline import topics
from tests.demo.house import demo

pytestmark = pytest.mark.anyio


async def test_a_robot_customer_is_answered_by_a_robot_agent(sqlite_url: str, tmp_path: Path, unused_port: int) -> None:
    async with demo(sqlite_url, tmp_path / "data", unused_port, quiet=False) as (hub, house, url):
        # A number that no robot uses: with another line of a robot's in between, this one would get no answer of its own.
        phone = "+37410999001"
        dialogue = dialogues_of("hy")[0]
        house.carrier.text(phone, seed.SMS_NUMBER, dialogue.lines[0])
        async with asyncio.timeout(30):
            while True:
                changed = house.carrier.changed
                thread = house.carrier.conversation(phone, seed.SMS_NUMBER)
                if any(m.body == dialogue.replies[0] and m.status == "delivered" for m in thread):
                    break
                await changed.wait()
        async with aiohttp.ClientSession() as http:
            async with http.post(f"{url}/demo/robots", json={"running": False}) as answer:
                assert await answer.json() == {"present": True, "running": False}
            async with http.get(f"{url}/demo/now") as answer:
                assert (await answer.json())["recent"]
        e = tables.entry.c

        def is_delivered(tx: Tx) -> bool:
            query = select(e.delivery).where(e.text == dialogue.replies[0], e.attempts > 0).order_by(e.id.desc())
            row = tx.first(query)
            return row is not None and row.delivery == Delivery.DELIVERED.value

        async with asyncio.timeout(10):
            while not await hub.database.read(is_delivered):  # noqa: ASYNC110 - asks the database, which rings no bell
                await asyncio.sleep(0.05)


async def test_the_pages_allow_nothing_inline_and_nothing_foreign(
    sqlite_url: str, tmp_path: Path, unused_port: int
) -> None:
    async with (
        demo(sqlite_url, tmp_path / "data", unused_port, quiet=True) as (_, _, url),
        aiohttp.ClientSession() as http,
    ):
        for path in ("/demo", "/demo/mail", "/demo/shop"):
            async with http.get(url + path) as answer:
                page = await answer.text()
                policy = answer.headers["Content-Security-Policy"]
            assert "script-src 'self'; style-src 'self'" in policy
            assert "unsafe" not in policy
            assert "<style" not in page
            assert " style=" not in page
            assert "onclick" not in page
        async with http.post(f"{url}/demo/robots", json={"running": True}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (409, "no_robots")


async def test_the_seed_is_sown_once(database: Database) -> None:
    vault = Vault("x" * 40)
    assert await seed.seed(database, vault, hub_url="http://127.0.0.1:8080", smtp_port=2525) is True
    assert await seed.seed(database, vault, hub_url="http://127.0.0.1:9090", smtp_port=2626) is False

    def counts(tx: Tx) -> tuple[int, int, str, str]:
        read = tx.rows
        base = read(select(tables.channel.c.settings).where(tables.channel.c.id == "sms-demo"))[0].settings["api_base"]
        mail = read(select(tables.channel.c.settings).where(tables.channel.c.id == "email-demo"))[0].settings[
            "smtp_port"
        ]
        return len(read(select(tables.user_account.c.id))), len(read(select(tables.conversation.c.id))), base, mail

    places = ("http://127.0.0.1:9090/demo/carrier", "2626")
    assert await database.read(counts) == (len(seed.USERS), len(seed.PAST), *places)


async def test_the_seed_has_topics_and_ladders(database: Database) -> None:
    await seed.seed(database, Vault("x" * 40), hub_url="http://127.0.0.1:8080", smtp_port=2525)
    known = {topic.name: topic for topic in await database.read(topics.load_topics)}
    assert list(known) == [topic.name for topic in seed.TOPICS]
    assert known["Complaint"].is_complaint
    assert known["Complaint"].owner_id is not None
    assert {each.name for each in await database.read(policies.load_policies)} == {seed.NOTHING_WAITS, seed.COMPLAINTS}


def kept_in(directory: Path) -> list[Path]:
    return sorted(directory.rglob("*"))


async def test_the_seed_has_a_menu_for_each_line_whose_words_are_recorded(database: Database, tmp_path: Path) -> None:
    files = Files(tmp_path)
    vault = Vault("x" * 40)
    await seed.seed(database, vault, hub_url="http://127.0.0.1:8080", smtp_port=2525, files=files)
    menus = await database.read(flows.load_flows)
    assert {menu.name: menu.missing for menu in menus} == {seed.MAIN_MENU: {}, seed.WEB_MENU: {}}
    said = [each for menu in menus for node in menu.body["nodes"].values() for each in node.get("said", ())]
    assert len(said) == len(menus) * sum(len(words) for words in seed.MENU_WORDS.values())
    assert all(each["sound_id"] is not None for each in said)
    stored = await database.read(sounds.load_sounds)
    assert all(files.path(each.file_key).stat().st_size == each.size_bytes for each in stored)
    before = kept_in(tmp_path)
    await seed.seed(database, vault, hub_url="http://127.0.0.1:8080", smtp_port=2525, files=files)
    assert kept_in(tmp_path) == before


def test_every_line_has_its_reply_and_every_caller_a_dialogue() -> None:
    for person in PEOPLE:
        for dialogue in person.dialogues:
            assert [find_reply(line).text for line in dialogue.lines] == list(dialogue.replies)
            assert [find_reply(line).closes for line in dialogue.lines][-1] is True
    assert all(dialogues_of(caller.language) for caller in CALLERS)
    assert {caller.phone for caller in CALLERS}.isdisjoint(person.phone for person in PEOPLE)


@pytest.mark.parametrize(
    ("text", "start"),
    [("Ի՞նչ արժե", "Շնորհակալություն"), ("რა ღირს?", "გმადლობთ"), ("Скільки?", "Дякуємо"), ("?", "Thank")],
)
def test_unknown_words_get_a_polite_answer_in_their_alphabet(text: str, start: str) -> None:
    reply = find_reply(text)
    assert reply.text.startswith(start)
    assert not reply.closes


async def test_a_robot_customer_who_calls_is_talked_to_by_a_robot_agent(
    sqlite_url: str, tmp_path: Path, unused_port: int
) -> None:
    async with demo(sqlite_url, tmp_path / "data", unused_port, quiet=False) as (hub, house, _):
        assert house.robots is not None
        voice = house.carrier.voice
        caller = CALLERS[0]
        async with asyncio.timeout(10):
            while not house.carrier.is_running:  # noqa: ASYNC110 - a carrier that starts rings no bell
                await asyncio.sleep(0.02)
        calling = asyncio.create_task(house.robots.call(caller))
        await voice.until(lambda: any(hears(call) for call in voice.calls_of(caller.phone)), timeout_s=30)
        await asyncio.wait_for(calling, 30)

        def ended(tx: Tx) -> list[str]:
            c = tables.call.c
            query = select(c.end_reason).where(c.address == caller.phone, c.ended_at.is_not(None))
            return [row.end_reason for row in tx.rows(query)]

        async with asyncio.timeout(30):
            while "completed" not in await hub.database.read(ended):  # noqa: ASYNC110 - asks the database, which rings no bell
                await asyncio.sleep(0.1)
        assert all(not call.notifications for call in voice.calls.values())
