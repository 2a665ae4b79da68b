"""The console socket over a real server: nothing missed, nothing twice, nobody sees what they may not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import websockets

from hub.agents import presence
from hub.domain.values import Role
from hub.store import stream, tables
from hub.store.database import Tx
from hub.web import live
from tests.support.running_hub import PATIENCE_S, House, Person, Screen, hub_process, line_to, run_hub

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def running(module_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with run_hub(module_sqlite_url, tmp_path_factory.mktemp("hub")) as house:
        yield house


@pytest.fixture
async def house(running: House) -> House:
    return await running.empty()


@pytest.fixture
async def nare(house: House) -> Person:
    return await house.person("Nare")


async def take(house: House, person: Person, text: str = "Hello", sender: str = "ani") -> dict[str, int]:
    """A customer wrote and the person holds it now; the ids of the conversation and its customer."""
    await house.write(text, sender=sender)
    page = (await house.api(person).get("/conversations", q=sender)).json()
    view = page["items"][0]
    claimed = await house.api(person).post(f"/conversations/{view['id']}/claim", {"expected_assignee_id": None})
    assert claimed.status_code == 200, claimed.text
    return {"id": view["id"], "customer_id": view["customer_id"]}


# --- the chain ----------------------------------------------------------------------------------------------------------


async def test_a_snapshots_token_opens_the_socket_and_frames_follow_in_one_chain(house: House, nare: Person) -> None:
    await house.write("before the snapshot")
    snapshot = await house.snapshot(nare)
    assert [view["preview"] for view in snapshot["conversations"]] == ["before the snapshot"]
    await house.write("between snapshot and socket")
    async with house.screen(nare, since=snapshot["token"]) as screen:
        for number in range(20):
            await house.write(f"live {number}", sender=f"c{number % 3}")
        await screen.until_text("live 19")
        assert screen.texts == ["between snapshot and socket", *(f"live {number}" for number in range(20))]


async def test_a_socket_that_was_cut_resumes_with_its_token_and_gets_exactly_what_it_missed(
    database_url: str, tmp_path: Path
) -> None:
    async with run_hub(database_url, tmp_path) as house:
        nare = await house.person("Nare")
        async with house.screen(nare) as screen:
            await house.write("one")
            await screen.until_text("one")
            screen.connection.transport.abort()
        await asyncio.gather(*(house.write(f"missed {number}", sender=f"c{number}") for number in range(30)))
        async with house.screen(nare, since=screen.token) as again:
            await house.write("the end")
            await again.until_text("the end")
            assert sorted(again.texts) == sorted([*(f"missed {number}" for number in range(30)), "the end"])


async def test_cuts_in_the_middle_of_a_burst_lose_nothing_and_double_nothing(house: House, nare: Person) -> None:
    token = (await house.snapshot(nare))["token"]
    texts: list[str] = []
    burst = asyncio.gather(*(house.write(f"text {number}", sender=f"c{number % 7}") for number in range(120)))
    while len(texts) < 120:
        async with house.screen(nare, since=token) as screen:
            await screen.until(lambda one: one.texts)
            screen.connection.transport.abort()
        texts += screen.texts
        token = screen.token
    await burst
    assert sorted(texts) == sorted(f"text {number}" for number in range(120))


@pytest.mark.parametrize("token", ["", "garbage", "-", "0-0", "otherlife-1", "x" * 200, "{epoch}-999999", "{epoch}--1"])
async def test_a_token_that_is_none_of_ours_ends_in_a_resync_and_the_same_socket_goes_on(
    house: House, nare: Person, token: str
) -> None:
    epoch = house.hub.tail.epoch
    async with house.screen(nare, since=token.format(epoch=epoch)) as screen:
        assert await screen.until_other("resync") == "token_unknown"
        await resume(house, nare, screen)
        await house.write("after the resync")
        await screen.until_text("after the resync")


async def resume(house: House, person: Person, screen: Screen) -> None:
    """What a console does after a resync: a fresh snapshot, then on with its token on the same socket."""
    screen.token = (await house.snapshot(person))["token"]
    screen.others.clear()
    await screen.send(type="resume", since=screen.token)


async def test_a_token_older_than_what_is_kept_ends_in_a_resync(house: House, nare: Person) -> None:
    token = (await house.snapshot(nare))["token"]
    await house.write("one")
    await house.hub.database.transaction(lambda tx: stream.prune(tx, tx.now + timedelta(seconds=1)))
    async with house.screen(nare, since=token) as screen:
        await screen.until_other("resync")


async def test_a_token_of_the_end_of_a_pruned_stream_is_still_good(house: House, nare: Person) -> None:
    await house.write("one")
    token = ""
    # Facts and figures follow the message; none may come between the token and the pruning.
    while token != (token := (await house.snapshot(nare))["token"]):
        await house.hub.database.transaction(lambda tx: stream.prune(tx, tx.now + timedelta(seconds=1)))
    async with house.screen(nare, since=token) as screen:
        await house.write("two")
        await screen.until_text("two")
        assert screen.others == []


async def test_a_backlog_that_is_too_long_ends_in_a_resync(
    house: House, nare: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_BACKLOG_LIMIT", 3)
    token = (await house.snapshot(nare))["token"]
    for number in range(5):
        await house.write(f"text {number}")
    async with house.screen(nare, since=token) as screen:
        assert await screen.until_other("resync") == "backlog_too_long"
        await resume(house, nare, screen)
        await house.write("after the resync")
        await screen.until_text("after the resync")


async def test_a_restored_database_ends_the_tokens_of_its_former_life_on_open_sockets_too(
    house: House, nare: Person
) -> None:
    async with house.screen(nare) as screen:
        old = screen.token
        await house.hub.database.transaction(stream.create_stream)
        await screen.until_other("resync")
        await resume(house, nare, screen)
        await house.write("in the new life")
        await screen.until_text("in the new life")
        assert screen.token.partition("-")[0] != old.partition("-")[0]


async def test_a_tick_tells_the_time_and_moves_the_position_of_a_screen_that_sees_nothing(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "TICK_S", 0.2)
    async with run_hub(sqlite_url, tmp_path) as house:
        outsider = await house.person("Outsider", queue_ids=[])
        async with house.screen(outsider) as screen:
            await house.write("not for everybody")
            async with asyncio.timeout(PATIENCE_S):
                # Facts and figures follow the message.
                while screen.token != (await house.snapshot(outsider))["token"]:
                    await screen.receive()
            await screen.until_other("tick")
            assert screen.texts == []


async def test_a_ping_is_answered_with_the_time(house: House, nare: Person) -> None:
    async with house.screen(nare) as screen:
        await screen.send(type="ping")
        assert await screen.until_other("tick")


@pytest.mark.parametrize(
    "hostile",
    [
        "",
        "[]",
        "null",
        "{",
        "7",
        '{"type": []}',
        '{"type": "watch", "customer_id": "1"}',
        '{"type": "watch"',
        "x" * 9_000,
    ],
)
async def test_a_hostile_message_harms_nobody_not_even_its_sender(house: House, nare: Person, hostile: str) -> None:
    async with house.screen(nare) as screen:
        await screen.connection.send(hostile)
        await screen.send(type="ping")
        await screen.until_other("tick")
        await house.write("still here")
        await screen.until_text("still here")


# --- who may connect ----------------------------------------------------------------------------------------------------


async def closed_with(connection: websockets.ClientConnection) -> int | None:
    async with asyncio.timeout(PATIENCE_S):
        await connection.wait_closed()
    return connection.close_code


async def test_nobody_without_a_session_gets_in(house: House) -> None:
    async with house.connect("/live?since=") as connection:
        assert await closed_with(connection) == live.CLOSE_SIGNED_OUT


@pytest.mark.parametrize("cookie", ["hub_session=", "hub_session=guessed", "hub_session=a%00b", "other=1"])
async def test_a_cookie_that_is_no_session_does_not_get_in(house: House, cookie: str) -> None:
    async with house.connect("/live?since=", cookie=cookie) as connection:
        assert await closed_with(connection) == live.CLOSE_SIGNED_OUT


@pytest.mark.parametrize("origin", ["https://evil.example", "null", None, "http://127.0.0.1:1", "https://127.0.0.1"])
async def test_a_page_of_another_site_does_not_get_in_with_somebodys_cookie(
    house: House, nare: Person, origin: str | None
) -> None:
    async with house.connect("/live?since=", cookie=nare.cookie, origin=origin) as connection:
        assert await closed_with(connection) == live.CLOSE_ORIGIN


async def test_signing_out_closes_every_socket_of_that_session(house: House, nare: Person) -> None:
    other = await house.person("Other")
    async with house.screen(nare) as one, house.screen(nare) as two, house.screen(other) as third:
        assert (await house.api(nare).request("DELETE", "/session")).status_code == 204
        assert await closed_with(one.connection) == live.CLOSE_SIGNED_OUT
        assert await closed_with(two.connection) == live.CLOSE_SIGNED_OUT
        await house.write("for the others")
        await third.until_text("for the others")


async def test_somebody_who_is_deactivated_is_thrown_out_at_once(house: House, nare: Person) -> None:
    admin = await house.person("Ada", Role.ADMIN)
    async with house.screen(nare) as screen:
        answer = await house.api(admin).patch(f"/users/{nare.user_id}", {"active": False})
        assert answer.status_code == 200, answer.text
        assert await closed_with(screen.connection) == live.CLOSE_SIGNED_OUT


# --- who sees what ------------------------------------------------------------------------------------------------------


async def test_each_queue_sees_its_own_and_a_supervisor_sees_both(house: House, nare: Person) -> None:
    sales_id = await house.queue("Sales")
    await house.channel("sales", queue_id=sales_id)
    giorgi = await house.person("Giorgi", queue_ids=[sales_id])
    boss = await house.person("Boss", Role.SUPERVISOR, queue_ids=[])
    async with house.screen(nare) as support, house.screen(giorgi) as sales, house.screen(boss) as all_of_it:
        for number in range(5):
            await house.write(f"support {number}", sender=f"a{number}")
            await house.write(f"sales {number}", sender=f"b{number}", channel_id="sales")
        for screen, last in ((support, "support 4"), (sales, "sales 4"), (all_of_it, "sales 4")):
            await screen.until_text(last)
        assert support.texts == [f"support {number}" for number in range(5)]
        assert sales.texts == [f"sales {number}" for number in range(5)]
        assert len(all_of_it.texts) == 10
        for screen, foreign in ((support, sales_id), (sales, house.queue_id)):
            assert f'"queue_id": {foreign}' not in json.dumps(
                [event for event in screen.events if event["kind"] != "queue.changed"]
            )


async def test_catching_up_shows_no_more_than_the_live_end_did(house: House, nare: Person) -> None:
    sales_id = await house.queue("Sales")
    await house.channel("sales", queue_id=sales_id)
    token = (await house.snapshot(nare))["token"]
    await house.write("for sales", sender="b", channel_id="sales")
    await house.write("for support", sender="a")
    async with house.screen(nare, since=token) as screen:
        await screen.until_text("for support")
        assert screen.texts == ["for support"]


async def test_whoever_loses_sight_of_a_conversation_is_told_to_drop_it_and_hears_no_more_of_it(
    house: House, nare: Person
) -> None:
    sales_id = await house.queue("Sales")
    giorgi = await house.person("Giorgi", queue_ids=[sales_id])
    async with house.screen(nare) as support, house.screen(giorgi) as sales:
        held = await take(house, nare)
        await support.until(lambda one: "accepted" in one.happenings or "claimed" in one.happenings)
        moved = await house.api(nare).post(f"/conversations/{held['id']}/transfer", {"queue_id": sales_id})
        assert moved.status_code == 200, moved.text
        hidden = await support.until_kind("conversation.hidden")
        assert hidden["conversation_id"] == held["id"]
        await house.write("said in sales now", sender="ani")
        await sales.until_text("said in sales now")
        await house.write("another one", sender="besik")
        await support.until_text("another one")
        assert "said in sales now" not in support.texts
        assert "conversation.hidden" not in sales.kinds


async def test_facts_reach_no_screen(house: House, nare: Person) -> None:
    boss = await house.person("Boss", Role.SUPERVISOR)
    async with house.screen(boss) as screen:
        held = await take(house, nare)
        await house.api(nare).post(f"/conversations/{held['id']}/messages", {"text": "Hi"})
        await house.api(nare).post(f"/conversations/{held['id']}/resolve")
        await house.write("the end", sender="besik")
        await screen.until_text("the end")
        assert [kind for kind in screen.kinds if kind.startswith("fact")] == []


async def test_losing_a_queue_ends_in_a_resync_and_the_queue_is_not_heard_any_more(house: House, nare: Person) -> None:
    sales_id = await house.queue("Sales")
    await house.channel("sales", queue_id=sales_id)
    admin = await house.person("Ada", Role.ADMIN)
    async with house.screen(nare) as screen:
        await house.api(admin).patch(f"/users/{nare.user_id}", {"queue_ids": [sales_id]})
        assert await screen.until_other("resync") == "access_changed"
        await resume(house, nare, screen)
        await house.write("for support", sender="a")
        await house.write("for sales", sender="b", channel_id="sales")
        await screen.until_text("for sales")
        assert "for support" not in screen.texts


# --- now and only now ---------------------------------------------------------------------------------------------------


async def test_whoever_opens_a_card_is_shown_to_the_others_who_look_and_gone_when_they_leave(
    house: House, nare: Person
) -> None:
    giorgi = await house.person("Giorgi")
    card = (await take(house, nare))["customer_id"]
    async with house.screen(nare) as first:
        await first.send(type="watch", customer_id=card)
        assert await first.until_other("watching") == card
        async with house.screen(giorgi, customer_id=card):
            await first.until(lambda one: viewers(one, card) == {nare.user_id, giorgi.user_id})
        await first.until(lambda one: viewers(one, card) == {nare.user_id})
        await first.send(type="watch", customer_id=None)
        await first.until(lambda one: {"watching": None} in one.others)


def viewers(screen: Screen, customer_id: int) -> set[int]:
    """Who looks at the card, as it was last told."""
    told = [event for event in screen.volatile if event["kind"] == "viewing" and event["customer_id"] == customer_id]
    return set(told[-1]["user_ids"]) if told else set()


async def test_a_card_one_may_not_see_cannot_be_watched(house: House, nare: Person) -> None:
    card = (await take(house, nare))["customer_id"]
    outsider = await house.person("Outsider", queue_ids=[])
    async with house.screen(outsider) as screen:
        await screen.send(type="watch", customer_id=card)
        assert await screen.until_other("watching") is None
        await screen.send(type="watch", customer_id=10**9)
        await screen.until(lambda one: one.others.count({"watching": None}) == 2)


async def test_typing_is_shown_to_whoever_sees_the_conversation_and_to_nobody_else(house: House, nare: Person) -> None:
    giorgi, outsider = await house.person("Giorgi"), await house.person("Outsider", queue_ids=[])
    held = await take(house, nare)
    async with house.screen(giorgi) as seeing, house.screen(outsider) as blind:
        assert (await house.api(nare).post(f"/conversations/{held['id']}/typing")).status_code == 204
        await seeing.until(lambda one: one.volatile)
        assert seeing.volatile[0] == {
            "kind": "typing",
            "conversation_id": held["id"],
            "user_id": nare.user_id,
            "name": "Nare",
        }
        await blind.send(type="ping")
        await blind.until_other("tick")
        assert blind.volatile == []
        assert (await house.api(outsider).post(f"/conversations/{held['id']}/typing")).status_code == 404


# --- the slow and the others --------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def slow_screen(house: House, person: Person) -> AsyncIterator[Screen]:
    """A console that reads nothing unless it is asked to, with a small window."""
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        door.connect(("127.0.0.1", int(house.url.rpartition(":")[2])))
        door.setblocking(False)
        async with house.screen(person, sock=door.dup(), max_queue=1, max_size=None, ping_interval=None) as screen:
            yield screen


async def flood(house: House, number: int) -> None:
    """Many long messages at once."""
    await asyncio.gather(*(house.write(f"{n} ".ljust(90_000, "x"), sender=f"c{n}") for n in range(number)))


async def test_a_client_that_does_not_read_delays_nobody_and_catches_up_in_order(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with run_hub(sqlite_url, tmp_path, send_buffer_bytes=16_384) as house:
        nare, giorgi = await house.person("Nare"), await house.person("Giorgi")
        async with slow_screen(house, nare) as slow, house.screen(giorgi, max_size=None) as quick:
            for _ in range(4):
                await flood(house, 10)
            await quick.until(lambda one: len(one.texts) == 40)
            assert [screen.is_behind for screen in house.hub.live.screens.values()].count(True) == 1
            await slow.until(lambda one: len(one.texts) == 40)
            assert slow.texts == quick.texts
            assert slow.others == []
            await house.write("live again")
            await slow.until_text("live again")


async def test_a_client_that_fell_too_far_behind_is_told_to_resync_and_goes_on(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_BACKLOG_LIMIT", 5)
    async with run_hub(sqlite_url, tmp_path, send_buffer_bytes=16_384) as house:
        sales_id = await house.queue("Sales")
        await house.channel("sales", queue_id=sales_id)
        nare, giorgi = await house.person("Nare"), await house.person("Giorgi", queue_ids=[sales_id])
        async with slow_screen(house, nare) as slow, house.screen(giorgi) as other:
            for number in range(4):
                await flood(house, 12)
                await house.write(f"round {number} is told", channel_id="sales")
                await other.until_text(f"round {number} is told")
            assert await slow.until_other("resync") == "too_slow"
            snapshot = await house.snapshot(nare)
            assert len(snapshot["conversations"]) == 12
            await resume(house, nare, slow)
            await house.write("live again")
            await slow.until_text("live again")


# --- several processes --------------------------------------------------------------------------------------------------


async def test_what_one_process_commits_reaches_the_sockets_of_another_within_a_second(
    postgresql_url: str, tmp_path: Path
) -> None:
    async with run_hub(postgresql_url, tmp_path) as here, run_hub(postgresql_url, tmp_path) as there:
        nare, giorgi = await here.person("Nare"), await here.person("Giorgi")
        async with there.screen(nare) as far, here.screen(giorgi) as near:
            started = time.monotonic()
            await here.write("from here")
            event = await far.until_text("from here")
            assert time.monotonic() - started < 1
            await there.write("from there")
            await near.until_text("from there")
            # Volatile events, too: what is typed here is seen there.
            conversation_id = event["conversation"]["id"]
            assert (await here.api(giorgi).post(f"/conversations/{conversation_id}/typing")).status_code == 204
            await far.until(lambda one: any(event["kind"] == "typing" for event in one.volatile))
            card = event["conversation"]["customer_id"]
            for screen in (far, near):
                await screen.send(type="watch", customer_id=card)
            for screen in (far, near):
                await screen.until(lambda one: viewers(one, card) == {nare.user_id, giorgi.user_id})
        async with there.screen(nare, since=near.token) as moved:
            await here.write("a token is good in every process")
            await moved.until_text("a token is good in every process")


async def test_the_sockets_of_a_killed_process_are_given_up_after_the_grace_and_their_work_goes_back(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "HEARTBEAT_S", 0.2)
    async with run_hub(postgresql_url, tmp_path, presence_grace_s=0.5) as house:
        nare, boss = await house.person("Nare"), await house.person("Boss", Role.SUPERVISOR)
        async with hub_process(house) as (process, other), house.screen(boss) as watching:
            async with other.screen(nare, origin=other.url):
                await other.api(nare).put("/me/state", {"state": "available"})
                await house.write("Hello")
                offer = (await watching.until_kind("offer.made"))["offer"]
                assert offer["agent_id"] == nare.user_id
                process.kill()
                await process.wait()
            # Its rows are stale from now on, not only after three of its heartbeats.
            monkeypatch.setattr(presence, "STALE_AFTER", timedelta(seconds=0.5))
            ended = (await watching.until_kind("offer.ended"))["offer"]
            assert ended["outcome"] == "device_lost"
            await watching.until(lambda one: state_of(one, nare) == "offline")


def state_of(screen: Screen, person: Person) -> str | None:
    told = [event["agent"] for event in screen.events if event["kind"] == "agent.changed"]
    return next((agent["state"] for agent in reversed(told) if agent["user_id"] == person.user_id), None)


async def test_a_database_that_was_long_away_costs_no_agent_their_place(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process that comes back first takes the rows of this one for stale; its sockets are open all the same."""
    monkeypatch.setattr(presence, "HEARTBEAT_S", 0.2)
    async with line_to(postgresql_url) as (line, url), run_hub(postgresql_url, tmp_path, presence_grace_s=1.0) as there:
        nare = await there.person("Nare")
        async with run_hub(url, tmp_path, presence_grace_s=1.0) as here, here.screen(nare) as screen:
            await screen.until_kind("agent.changed")
            await here.api(nare).put("/me/state", {"state": "available"})
            await line.cut()
            await there.hub.database.transaction(_forget_screens)
            await line.mend()
            await screen.until(lambda one: connected(one, nare) == [True, False, True])
            rows = await there.hub.database.read(lambda tx: tx.rows(tables.connection.select()))
            assert [row.user_id for row in rows] == [nare.user_id]
            assert state_of(screen, nare) == "available"


def _forget_screens(tx: Tx) -> None:
    """What `presence.beat` of another process does with rows that nobody kept fresh."""
    for row in tx.rows(tables.connection.select()):
        presence.disconnect(tx, row.id)


def connected(screen: Screen, person: Person) -> list[bool]:
    """The changes of `connected` of a person, as they were told."""
    told = [event["agent"] for event in screen.events if event["kind"] == "agent.changed"]
    words = [agent["connected"] for agent in told if agent["user_id"] == person.user_id]
    return [word for index, word in enumerate(words) if index == 0 or words[index - 1] != word]
