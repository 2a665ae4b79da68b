"""Visitors' windows over real sockets: what agents' screens are told of who comes, leaves, and only seems to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.agents import presence
from hub.domain.values import ChannelKind, ContactKind, Role
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.stream import Wakes
from hub.timeline import visitor_presence
from hub.timeline.visitor_presence import Visitor
from hub.web import visitor_windows
from hub.web.visitor_windows import VisitorWindows
from tests.support.clock import FrozenClock
from tests.support.running_hub import PATIENCE_S, House, Person, Screen, Widget, hub_process, line_to, run_hub
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

# So short that a test need not wait long, and long enough for another window to open on a busy machine (`LONG_S`).
SHORT_S = 0.5
LONG_S = 600.0

Json = dict[str, Any]


@pytest.fixture
async def scene(database: Database) -> Scene:
    return await Scene(database).set_up()


@dataclass
class Shop:
    house: House
    nare: Person
    visitor: str

    @property
    def windows(self) -> VisitorWindows:
        return self.house.hub.visitor_windows

    async def rows(self, table: Any) -> list[Json]:
        return await self.house.hub.database.read(lambda tx: [dict(row._mapping) for row in tx.rows(table.select())])


async def open_shop(house: House) -> Shop:
    await house.channel("chat", ChannelKind.CHAT)
    return Shop(house, await house.person("Nare"), await house.visit())


@pytest.fixture
async def shop(database_url: str, tmp_path: Path) -> AsyncIterator[Shop]:
    async with run_hub(database_url, tmp_path, visitor_grace_s=SHORT_S) as house:
        yield await open_shop(house)


@pytest.fixture
async def patient(database_url: str, tmp_path: Path) -> AsyncIterator[Shop]:
    """A shop whose grace is over when a test says so."""
    async with run_hub(database_url, tmp_path, visitor_grace_s=LONG_S) as house:
        yield await open_shop(house)


async def say(widget: Widget, text: str, client_id: str) -> None:
    await widget.send(type="message", client_id=client_id, text=text)
    await widget.until(type="ack", client_id=client_id)


def told(screen: Screen) -> list[str | None]:
    """What the screen heard of whether they are there, as it changed."""
    views = [event["conversation"] for event in screen.events if event.get("conversation")]
    words = [view["visitor_away_since"] for view in views]
    return [word for index, word in enumerate(words) if index == 0 or words[index - 1] != word]


async def until(is_so: Any) -> None:
    """Looks again until it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not await is_so():  # noqa: ASYNC110 - rows of a table tell nobody that they changed
            await asyncio.sleep(0.02)


async def test_a_visitor_leaves_and_comes_back_and_the_screen_hears_both(shop: Shop) -> None:
    async with shop.house.screen(shop.nare) as screen:
        async with shop.house.widget(shop.visitor) as widget:
            await say(widget, "Hello", "c1")
            await screen.until_text("Hello")
        await screen.until(lambda one: len(told(one)) == 2)
        listed = (await shop.house.api(shop.nare).get("/conversations")).json()["items"][0]
        snapshot = await shop.house.snapshot(shop.nare)
        assert listed["visitor_away_since"] == snapshot["conversations"][0]["visitor_away_since"] == told(screen)[1]
        assert listed["queued_since"], "nothing is dropped: it goes on waiting"
        async with shop.house.widget(shop.visitor):
            await screen.until(lambda one: len(told(one)) == 3)
        assert told(screen)[0] is None
        assert told(screen)[2] is None
        changes = [event for event in screen.events if event["kind"] == "conversation.changed"]
        assert {event["conversation"]["last_entry_at"] for event in changes} == {listed["last_entry_at"]}


async def test_a_reload_within_the_grace_writes_and_tells_nothing(patient: Shop) -> None:
    async with patient.house.screen(patient.nare) as screen:
        async with patient.house.widget(patient.visitor) as widget:
            await say(widget, "Hello", "c1")
        before = await patient.rows(tables.visitor_window)
        assert len(before) == 1
        for number in range(3):
            async with patient.house.widget(patient.visitor) as widget:
                await say(widget, f"Still here {number}", f"again{number}")
        await screen.until_text("Still here 2")
        assert told(screen) == [None]
        assert "conversation.changed" not in screen.kinds
        assert await patient.rows(tables.visitor_window) == before
        assert await patient.rows(tables.visitor_away) == []


async def test_of_two_tabs_one_is_enough(shop: Shop) -> None:
    async with shop.house.screen(shop.nare) as screen, shop.house.widget(shop.visitor) as widget:
        async with shop.house.widget(shop.visitor) as second:
            await second.until(type="state")
            await say(widget, "Hello", "c1")
        # Another visitor leaves later and is told of: had the first been taken for gone, that would have come before.
        other = await shop.house.visit()
        async with shop.house.widget(other) as theirs:
            await say(theirs, "I am another", "c2")
        await screen.until(lambda one: any(told(one)))
        gone = {event["conversation"]["preview"] for event in screen.events if is_away(event)}
        assert gone == {"I am another"}
        assert len(await shop.rows(tables.visitor_window)) == 1


def is_away(event: Json) -> bool:
    return bool((event.get("conversation") or {}).get("visitor_away_since"))


async def test_the_first_word_is_stored_with_its_window(patient: Shop) -> None:
    """Else a kill between the two would leave somebody here for ever."""
    async with patient.house.widget(patient.visitor) as widget:
        await widget.until(type="state")
        assert await patient.rows(tables.visitor_window) == [], "who never wrote is nobody's visitor"
        await say(widget, "Hello", "c1")
        (row,) = await patient.rows(tables.visitor_window)
        assert row["process"] == patient.windows.process


async def test_a_visitor_who_is_back_is_here_before_their_word_is(shop: Shop) -> None:
    """However quickly they write: no screen shows their new words beside "they have left"."""
    async with shop.house.screen(shop.nare) as screen:
        async with shop.house.widget(shop.visitor) as widget:
            await say(widget, "Hello", "c1")
        await screen.until(lambda one: len(told(one)) == 2)
        async with shop.house.widget(shop.visitor) as widget:
            await say(widget, "Back again", "c2")
            event = await screen.until_text("Back again")
            assert event["conversation"]["visitor_away_since"] is None


async def test_a_second_window_that_opened_before_the_first_word_counts_too(shop: Shop) -> None:
    async with shop.house.screen(shop.nare) as screen, shop.house.widget(shop.visitor) as silent:
        await silent.until(type="state")
        async with shop.house.widget(shop.visitor) as widget:
            await say(widget, "Hello", "c1")
            await silent.until(type="entry")
        other = await shop.house.visit()
        async with shop.house.widget(other) as theirs:
            await say(theirs, "I am another", "c2")
        await screen.until(lambda one: any(told(one)))
        assert {event["conversation"]["preview"] for event in screen.events if is_away(event)} == {"I am another"}


async def test_a_hub_that_starts_again_clears_up_after_its_former_life(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes back meanwhile was never gone."""
    monkeypatch.setattr(presence, "HEARTBEAT_S", 0.2)
    async with run_hub(database_url, tmp_path, visitor_grace_s=LONG_S) as house:
        shop = await open_shop(house)
        other = await house.visit()
        async with house.widget(shop.visitor) as one, house.widget(other) as two:
            await say(one, "I shall stay", "c1")
            await say(two, "I shall go", "c2")
        assert len(await shop.rows(tables.visitor_window)) == 2
    monkeypatch.setattr(presence, "STALE_AFTER", timedelta(seconds=1))
    async with (
        run_hub(database_url, tmp_path, visitor_grace_s=LONG_S) as house,
        house.widget(shop.visitor) as widget,
        house.screen(shop.nare) as screen,
    ):
        await widget.until(type="state")
        again = Shop(house, shop.nare, shop.visitor)

        async def is_back() -> bool:
            return again.windows.process in [row["process"] for row in await again.rows(tables.visitor_window)]

        await until(is_back)
        # The grace is over now, however busy the machine is.
        monkeypatch.setattr(again.windows, "_grace_s", SHORT_S)
        await screen.until(lambda one: any(told(one)))
        assert {event["conversation"]["preview"] for event in screen.events if is_away(event)} == {"I shall go"}

        async def is_cleared() -> bool:
            windows = await again.rows(tables.visitor_window)
            return [row["process"] for row in windows] == [again.windows.process]

        await until(is_cleared)


async def test_the_visitors_of_a_killed_process_are_told_by_another(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "HEARTBEAT_S", 0.2)
    async with run_hub(postgresql_url, tmp_path, visitor_grace_s=0.5) as house:
        shop = await open_shop(house)
        boss = await house.person("Boss", Role.SUPERVISOR)
        async with hub_process(house) as (process, other), house.screen(boss) as screen:
            async with other.widget(shop.visitor, origin=other.url) as widget:
                await say(widget, "Hello", "c1")
                await screen.until_text("Hello")
                process.kill()
                await process.wait()
            # It is silent from now on, not only after three of its heartbeats.
            monkeypatch.setattr(presence, "STALE_AFTER", timedelta(seconds=0.5))
            await screen.until(lambda one: len(told(one)) == 2)
            async with house.widget(shop.visitor):
                await screen.until(lambda one: len(told(one)) == 3)


async def test_a_visitor_who_moves_to_another_process_was_never_gone(postgresql_url: str, tmp_path: Path) -> None:
    async with (
        run_hub(postgresql_url, tmp_path, visitor_grace_s=SHORT_S) as here,
        run_hub(postgresql_url, tmp_path, visitor_grace_s=SHORT_S) as there,
    ):
        shop = await open_shop(here)
        async with here.screen(shop.nare) as screen, there.widget(shop.visitor, origin=there.url) as second:
            async with here.widget(shop.visitor) as widget:
                await say(widget, "Hello", "c1")
                await second.until(type="entry")

            async def has_moved() -> bool:
                windows = await shop.rows(tables.visitor_window)
                return [row["process"] for row in windows] == [there.hub.visitor_windows.process]

            await until(has_moved)
            await say(second, "Here I am", "c2")
            await screen.until_text("Here I am")
            assert told(screen) == [None]


async def test_a_process_that_was_taken_for_dead_writes_down_its_windows_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "HEARTBEAT_S", 0.2)
    async with shop.house.screen(shop.nare) as screen, shop.house.widget(shop.visitor) as widget:
        await say(widget, "Hello", "c1")
        await shop.house.hub.database.transaction(_forget_process)

        async def is_written_again() -> bool:
            return bool(await shop.rows(tables.visitor_window))

        await until(is_written_again)
        await say(widget, "Still here", "c2")
        await screen.until_text("Still here")
        assert told(screen) == [None]


async def test_many_who_are_back_and_write_at_once_wait_for_one_unit_of_work(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows, visitors = await windows_of(scene, 20, grace_s=LONG_S)
    for visitor in visitors:
        windows.opened(visitor)
    noted: list[int] = []
    note = visitor_presence.note

    def count(tx: Tx, process: str, came: Collection[Visitor], left: Mapping[Visitor, datetime]) -> None:
        noted.append(len(came))
        note(tx, process, came, left)

    monkeypatch.setattr(visitor_presence, "note", count)
    monkeypatch.setattr(visitor_windows, "_STEP", 15)
    await asyncio.gather(*(windows.until_noted(visitor) for visitor in visitors))
    assert noted == [15, 5]
    assert len(await scene.rows(tables.visitor_window)) == 20


@pytest.mark.parametrize("jump_h", [-1, 1])
async def test_a_clock_that_is_set_neither_cuts_short_nor_puts_off_the_grace(
    scene: Scene, clock: FrozenClock, jump_h: int
) -> None:
    windows, (first, second) = await windows_of(scene, 2, grace_s=LONG_S)
    windows.opened(first)
    shut_at = clock()
    windows.shut(first)
    clock.advance(hours=jump_h)
    await windows._catch_up()
    assert await scene.rows(tables.visitor_away) == [], "it has only just begun"
    windows._grace_s = 0.0
    windows.opened(second)
    await windows._catch_up()
    (row,) = await scene.rows(tables.visitor_away)
    assert (row["contact_point_id"], row["since"]) == (first[0], shut_at)
    assert [each["contact_point_id"] for each in await scene.rows(tables.visitor_window)] == [second[0]]


async def windows_of(scene: Scene, number: int, *, grace_s: float) -> tuple[VisitorWindows, list[Visitor]]:
    """A process's, and so many who have written."""
    await scene.channel("chat", "chat")
    for index in range(number):
        await scene.opened("Hello", sender=f"v{index}", channel_id="chat", kind=ContactKind.CHAT)
    points = [row["contact_point_id"] for row in await scene.rows(tables.conversation)]
    windows = VisitorWindows(scene.database, Wakes(), process="p1", grace_s=grace_s)
    return windows, [(point, "chat") for point in points]


def _forget_process(tx: Tx) -> None:
    """As another process does that has not heard of it for long."""
    tx.execute(tables.visitor_window.delete())
    tx.execute(tables.process.delete())


async def test_what_happens_while_the_database_is_away_is_told_when_it_is_back(
    postgresql_url: str, tmp_path: Path
) -> None:
    """Of two visitors one stays through it, and one leaves in the middle of it."""
    async with line_to(postgresql_url) as (line, url), run_hub(url, tmp_path, visitor_grace_s=SHORT_S) as house:
        shop = await open_shop(house)
        other = await house.visit()
        async with house.widget(shop.visitor) as stays:
            await say(stays, "I stay", "c1")
            async with house.widget(other) as leaves:
                await say(leaves, "I leave", "c2")
                await line.cut()
            await line.mend()

            async def is_told() -> bool:
                items = (await house.api(shop.nare).get("/conversations")).json().get("items", [])
                return [each["preview"] for each in items if each["visitor_away_since"]] == ["I leave"]

            await until(is_told)
            assert len(await shop.rows(tables.visitor_window)) == 1
