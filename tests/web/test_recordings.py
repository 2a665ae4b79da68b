"""Hearing recordings over HTTP: ranges, who may, who has, and what a browser may do with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from hub.domain.values import ChannelKind, Role
from hub.errors import NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import channels
from tests.calls.caller import Line
from tests.calls.recorded import ACCOUNT_SID, Shelf, told_ready, wav
from tests.demo.conftest import serving
from tests.support.running_hub import PATIENCE_S, Api, House, Person, run_hub
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

SOUND = wav(1.0)
SIZE = len(SOUND)


@pytest.fixture(scope="module")
async def running(module_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with run_hub(module_sqlite_url, tmp_path_factory.mktemp("hub")) as house:
        yield house


@dataclass
class Played:
    house: House
    shelf: Shelf
    nare: Person
    boss: Person
    stranger: Person
    recording_id: int = 0

    def api(self, person: Person | None) -> Api:
        return self.house.api(person)

    async def until(self, **wanted: Any) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            while not wanted.items() <= (row := await self.row()).items():  # noqa: ASYNC110 - a row has no event
                await asyncio.sleep(0.02)
        return row

    async def row(self) -> dict[str, Any]:
        return await Scene(self.house.hub.database).row(tables.recording, id=self.recording_id)

    async def hear(self, person: Person | None, **headers: str) -> Any:
        return await self.api(person).request("GET", f"/recordings/{self.recording_id}/content", headers=headers)

    async def plays(self) -> list[dict[str, Any]]:
        detail = (await self.api(self.boss).get(f"/recordings/{self.recording_id}")).json()
        found: list[dict[str, Any]] = detail["plays"]
        return found


@pytest.fixture
async def played(running: House) -> AsyncIterator[Played]:
    """A recorded call of Nare's, with its sound still at the provider until `until(state="stored")`."""
    house = await running.empty()
    shelf = Shelf()
    async with serving(shelf.app) as url:
        settings = {"account_sid": ACCOUNT_SID, "number": "+15005550006", "api_base": url}

        def add_line(tx: Tx) -> None:
            channels.create_channel(
                tx,
                house.hub.vault,
                channel_id="phone",
                kind=ChannelKind.PHONE,
                provider="twilio",
                name="Telephone",
                queue_id=house.queue_id,
                settings=settings,
                secrets={"auth_token": "demo-token"},
            )

        await house.hub.database.transaction(add_line)
        await house.hub.channels.reload("phone")
        line = Line(Scene(house.hub.database))
        call_id = await line.call_in()
        nare, boss = await house.person("Nare"), await house.person("Boss", Role.SUPERVISOR, [])
        stranger = await house.person("Stranger", queue_ids=[])

        def take_part(tx: Tx) -> None:
            tx.insert(
                tables.call_segment,
                {
                    "call_id": call_id,
                    "agent_id": nare.user_id,
                    "queue_id": house.queue_id,
                    "how": "answered",
                    "connected_at": tx.now,
                    "stretch_since": tx.now,
                    "ended_at": tx.now,
                },
            )

        await house.hub.database.transaction(take_part)
        shelf.sounds["RE" + "a" * 32] = SOUND
        recording_id = await told_ready(line, call_id, "RE" + "a" * 32)
        yield Played(house, shelf, nare, boss, stranger, recording_id)


@pytest.fixture
async def stored(played: Played) -> Played:
    await played.until(state="stored")
    return played


async def test_a_recording_is_played_in_place_and_kept_in_no_cache(stored: Played) -> None:
    got = await stored.hear(stored.nare)
    assert (got.status_code, got.content) == (200, SOUND)
    assert got.headers["content-type"] == "audio/wav"
    assert got.headers["content-disposition"].startswith("inline;")
    assert got.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert (got.headers["cache-control"], got.headers["accept-ranges"]) == ("no-store", "bytes")
    assert got.headers["content-length"] == str(SIZE)


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-", 0, SIZE),
        ("bytes=0-99", 0, 100),
        ("bytes=100-199", 100, 200),
        (f"bytes={SIZE - 10}-", SIZE - 10, SIZE),
        ("bytes=-10", SIZE - 10, SIZE),
        ("bytes=100-99999999", 100, SIZE),
        ("bytes=-99999999", 0, SIZE),
    ],
)
async def test_a_range_is_what_was_asked_for(stored: Played, wanted: str, start: int, end: int) -> None:
    got = await stored.hear(stored.nare, range=wanted)
    assert (got.status_code, got.content) == (206, SOUND[start:end])
    assert got.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"


@pytest.mark.parametrize("wanted", [f"bytes={SIZE}-", "bytes=99999999-", "bytes=-0"])
async def test_a_range_beyond_the_end_is_416(stored: Played, wanted: str) -> None:
    got = await stored.hear(stored.nare, range=wanted)
    assert (got.status_code, got.headers["content-range"]) == (416, f"bytes */{SIZE}")


@pytest.mark.parametrize("wanted", ["bytes=0-1,5-6", "bytes=9-1", "bytes=-", "lines=0-1", "bytes=a-b", "x" * 500])
async def test_a_range_that_is_none_is_not_heeded(stored: Played, wanted: str) -> None:
    got = await stored.hear(stored.nare, range=wanted)
    assert (got.status_code, got.content) == (200, SOUND)


async def test_every_play_stands_in_the_list_that_supervisors_see(stored: Played) -> None:
    assert await stored.plays() == []
    for wanted in ("bytes=0-99", "bytes=100-", "bytes=0-"):
        await stored.hear(stored.nare, range=wanted)
    await stored.hear(stored.boss)
    assert [play["name"] for play in await stored.plays()] == ["Boss", "Nare"]
    detail = (await stored.api(stored.nare).get(f"/recordings/{stored.recording_id}")).json()
    assert (detail["plays"], detail["recording"]["state"], len(detail["peaks"])) == (None, "stored", 2)


async def test_a_question_about_it_is_no_play(stored: Played) -> None:
    path = f"/recordings/{stored.recording_id}/content"
    got = await stored.api(stored.nare).request("HEAD", path)
    assert (got.status_code, got.headers["content-length"], got.content) == (200, str(SIZE), b"")
    assert await stored.plays() == []


async def test_whoever_may_not_hear_it_learns_nothing_about_it(stored: Played) -> None:
    absent = stored.recording_id + 1_000
    for path in ("/recordings/{}", "/recordings/{}/content"):
        there = await stored.api(stored.stranger).get(path.format(stored.recording_id))
        nowhere = await stored.api(stored.stranger).get(path.format(absent))
        assert (there.status_code, there.json()) == (404, nowhere.json())
    assert await stored.plays() == []
    assert (await stored.hear(None)).status_code == 401


async def test_an_administrator_says_what_agents_may_hear(stored: Played) -> None:
    admin = await stored.house.person("Ada", Role.ADMIN, [])
    colleague = await stored.house.person("Colleague")
    for rule, wanted in (("none", [404, 404]), ("seen", [200, 200]), ("own", [200, 404])):
        answer = await stored.api(admin).put("/organisation/recordings", {"recordings_for_agents": rule})
        assert (answer.status_code, answer.json()["recordings_for_agents"]) == (200, rule)
        assert [(await stored.hear(each)).status_code for each in (stored.nare, colleague)] == wanted
    refused = await stored.api(admin).put("/organisation/recordings", {"recordings_for_agents": "all"})
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["recordings_for_agents"])
    found = (await stored.api(admin).get("/organisation/recordings")).json()
    assert (found["store"], found["fetching"], found["failed"]) == ("directory", 0, {})
    assert [(queue["count"], queue["size_bytes"]) for queue in found["queues"]] == [(1, SIZE)]


async def test_a_supervisor_deletes_it_for_good(stored: Played) -> None:
    path = f"/recordings/{stored.recording_id}"
    file_key = (await stored.until(state="stored"))["file_key"]
    assert (await stored.api(stored.nare).request("DELETE", path)).status_code == 403
    assert (await stored.api(stored.boss).request("DELETE", path)).status_code == 204
    assert (await stored.api(stored.boss).request("DELETE", path)).status_code == 204
    got = await stored.hear(stored.boss)
    assert (got.status_code, got.json()["code"]) == (409, "recording_deleted")
    detail = (await stored.api(stored.boss).get(path)).json()
    assert (detail["recording"]["state"], detail["deleted_by_name"], detail["peaks"]) == ("deleted", "Boss", None)
    await stored.until(state="deleted", file_key=None)
    with pytest.raises(NotFound):
        stored.house.hub.files.path(file_key)


async def test_one_that_is_not_here_yet_is_told_as_such(played: Played) -> None:
    await played.until(state="stored")

    def put_back(tx: Tx) -> None:
        tx.execute(tables.recording.update().values(state="failed", reason="media_gone"))

    await played.house.hub.database.transaction(put_back)
    got = await played.hear(played.nare)
    assert (got.status_code, got.json()["code"]) == (409, "recording_failed")
    assert (await played.api(played.boss).post(f"/recordings/{played.recording_id}/fetch")).status_code == 204
    assert (await played.api(played.nare).post(f"/recordings/{played.recording_id}/fetch")).status_code == 403


async def test_a_file_that_has_gone_is_an_error_and_not_half_an_answer(stored: Played) -> None:
    row = await stored.until(state="stored")
    stored.house.hub.files.path(row["file_key"]).unlink()
    assert (await stored.hear(stored.nare)).status_code == 404


@pytest.mark.parametrize("number", ["0", "-1", "abc", "9" * 30])
async def test_a_number_that_names_no_recording_is_404_or_422(stored: Played, number: str) -> None:
    assert (await stored.api(stored.boss).get(f"/recordings/{number}")).status_code in (404, 422)
