"""Recordings from the provider's shelf to ours, and off both again: nothing is lost on the way, nothing stays that was
deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.agents.viewer import Viewer
from hub.calls import recordings
from hub.calls.recording_fetcher import claim
from hub.channels.voice import LegName, RecordingRef, VoicemailLeft
from hub.domain.values import Role
from hub.errors import Conflict, NotFound
from hub.store import tables
from hub.store.database import Database, Tx
from tests.calls.recorded import SID, Studio, open_studio, wav
from tests.support.clock import FrozenClock

pytestmark = pytest.mark.anyio


@pytest.fixture
async def studio(database: Database, tmp_path: Path) -> AsyncIterator[Studio]:
    async with open_studio(database, tmp_path) as opened:
        yield opened


async def read(studio: Studio, key: str, start: int = 0, end: int = 1 << 30) -> bytes:
    return b"".join([piece async for piece in studio.store.read(key, start, end)])


async def a_supervisor(studio: Studio) -> Viewer:
    return await studio.scene.agent(role=Role.SUPERVISOR, queue_ids=set())


# --- fetching -----------------------------------------------------------------------------------------------------------


async def test_a_recording_is_fetched_kept_and_then_removed_at_the_provider(studio: Studio) -> None:
    sound = wav(2.0)
    recording_id = await studio.recorded(sound=sound)
    assert (await studio.row(recording_id))["state"] == "fetching"
    await studio.work_off()
    row = await studio.row(recording_id)
    assert (row["state"], row["media_type"], row["size_bytes"]) == ("stored", "audio/wav", len(sound))
    assert (row["channels"], row["duration_s"], row["reason"]) == (2, 2.0, None)
    assert await read(studio, row["file_key"]) == sound
    assert studio.shelf.sounds == {}
    assert row["delete_at"] is None
    customer, agent = row["peaks"]
    assert (max(customer[:9]), max(customer[11:])) == (60, 0)
    assert (max(agent[:9]), max(agent[11:])) == (0, 30)


async def test_whoever_sees_the_call_is_told_that_it_can_be_heard(studio: Studio) -> None:
    recording_id = await studio.recorded()
    call_id = (await studio.row(recording_id))["call_id"]
    before = (await studio.line.call(call_id)).version
    await studio.work_off()
    call = await studio.line.call(call_id)
    assert [each.state for each in call.recordings] == ["stored"]
    assert call.version == before + 1
    assert (await studio.line.facts("call.changed"))[-1]["call"]["recordings"][0]["state"] == "stored"


async def test_two_processes_fetch_one_recording_once(studio: Studio) -> None:
    recording_id = await studio.recorded()
    studio.shelf.gate = asyncio.Event()
    first = asyncio.create_task(studio.work_off())
    while not studio.shelf.asked:  # noqa: ASYNC110 - the provider's side has no event for it
        await asyncio.sleep(0.01)
    second = studio.another_process()
    assert await second._round() is False
    studio.shelf.gate.set()
    await first
    assert (await studio.row(recording_id))["state"] == "stored"
    assert studio.shelf.asked == [f"GET {SID}", f"DELETE {SID}"]


async def test_what_a_killed_process_had_in_hand_is_taken_up_and_leaves_one_file(
    studio: Studio, clock: FrozenClock
) -> None:
    recording_id = await studio.recorded()
    claimed = await studio.scene.database.transaction(claim, studio.store.new_key())
    assert claimed is not None
    # It had written the file when it was killed.
    await studio.store.write(claimed.file_key, wav())
    await studio.work_off()
    assert (await studio.row(recording_id))["state"] == "fetching"
    clock.advance(hours=1)
    await studio.work_off()
    row = await studio.row(recording_id)
    assert (row["state"], row["file_key"]) == ("stored", claimed.file_key)
    assert len(studio.kept) == 1


@pytest.mark.parametrize("status", [500, 503, 429, 401])
async def test_a_provider_that_cannot_now_is_asked_again(studio: Studio, clock: FrozenClock, status: int) -> None:
    recording_id = await studio.recorded()
    studio.shelf.status = status
    await studio.work_off()
    row = await studio.row(recording_id)
    assert (row["state"], row["attempts"]) == ("fetching", 1)
    assert row["reason"] is not None
    studio.shelf.status = None
    await studio.work_off()
    assert (await studio.row(recording_id))["state"] == "fetching"
    clock.advance(10)
    await studio.work_off()
    row = await studio.row(recording_id)
    assert (row["state"], row["reason"]) == ("stored", None)


async def test_after_a_week_of_refusals_it_has_failed_and_may_be_asked_for_again(
    studio: Studio, clock: FrozenClock
) -> None:
    recording_id = await studio.recorded()
    studio.shelf.status = 500
    begun = clock.now
    for _ in range(60):
        await studio.work_off()
        clock.advance(hours=6)
    row = await studio.row(recording_id)
    assert (row["state"], row["reason"], row["attempts"]) == ("failed", "gave_up", 40)
    assert (clock.now - begun).days >= 7
    boss = await a_supervisor(studio)
    studio.shelf.status = None
    await studio.scene.database.transaction(recordings.fetch_again, boss, recording_id)
    await studio.work_off()
    assert (await studio.row(recording_id))["state"] == "stored"
    with pytest.raises(Conflict):
        await studio.scene.database.transaction(recordings.fetch_again, boss, recording_id)


async def test_what_the_provider_no_longer_has_has_failed(studio: Studio) -> None:
    recording_id = await studio.recorded()
    studio.shelf.sounds.clear()
    await studio.work_off()
    row = await studio.row(recording_id)
    assert (row["state"], row["reason"], studio.kept) == ("failed", "media_gone", [])


@pytest.mark.parametrize("content", [b"<html>Sorry</html>", b"", b"OggS" + b"\0" * 500, b"RIFF\0\0\0\0WAVEjunk"])
async def test_what_is_no_sound_is_not_kept_and_stays_with_the_provider(studio: Studio, content: bytes) -> None:
    recording_id = await studio.recorded(sound=content)
    await studio.work_off()
    row = await studio.row(recording_id)
    assert (row["state"], row["reason"], studio.kept) == ("failed", "no_sound", [])
    assert SID in studio.shelf.sounds


async def test_a_line_that_is_switched_off_is_waited_for(studio: Studio, clock: FrozenClock) -> None:
    recording_id = await studio.recorded()
    ch = tables.channel

    def switch(tx: Tx, *, on: bool) -> None:
        tx.execute(ch.update().where(ch.c.id == "phone").values(enabled=on))

    await studio.scene.database.transaction(switch, on=False)
    await studio.work_off()
    row = await studio.row(recording_id)
    assert (row["state"], row["reason"]) == ("fetching", "channel_off")
    await studio.scene.database.transaction(switch, on=True)
    clock.advance(10)
    await studio.work_off()
    assert (await studio.row(recording_id))["state"] == "stored"


async def test_no_room_is_told_and_nothing_is_lost_however_long_it_lasts(
    studio: Studio, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording_id = await studio.recorded()
    with monkeypatch.context() as patch:
        patch.setattr("hub.store.files._FREE_BYTES_LIMIT", 1 << 60)
        for _ in range(50):
            await studio.work_off()
            clock.advance(hours=6)
    row = await studio.row(recording_id)
    assert (row["state"], row["reason"]) == ("fetching", "no_space")
    assert SID in studio.shelf.sounds
    # Told once, and not at each try.
    told = [e["call"]["recordings"] for e in await studio.line.facts("call.changed")]
    assert sum(1 for each in told if each and each[0]["reason"] == "no_space") == 1
    await studio.work_off()
    assert (await studio.row(recording_id))["state"] == "stored"


# --- deleting -----------------------------------------------------------------------------------------------------------


async def test_a_deleted_recording_leaves_no_file_anywhere_and_says_who_did_it(studio: Studio) -> None:
    boss = await a_supervisor(studio)
    recording_id = await studio.recorded()
    await studio.work_off()
    assert len(studio.kept) == 1
    await studio.delete(boss, recording_id)
    await studio.work_off()
    row = await studio.row(recording_id)
    assert (row["state"], row["deleted_by"], row["file_key"], row["peaks"]) == ("deleted", boss.user_id, None, None)
    assert (row["delete_at"], studio.kept) == (None, [])
    await studio.delete(boss, recording_id)


async def test_one_deleted_before_it_was_fetched_is_removed_at_the_provider(studio: Studio) -> None:
    boss = await a_supervisor(studio)
    recording_id = await studio.recorded()
    await studio.delete(boss, recording_id)
    await studio.work_off()
    assert (studio.shelf.sounds, studio.kept) == ({}, [])
    assert (await studio.row(recording_id))["state"] == "deleted"


async def test_one_deleted_while_it_is_fetched_leaves_no_file(studio: Studio) -> None:
    boss = await a_supervisor(studio)
    recording_id = await studio.recorded()
    studio.shelf.gate = asyncio.Event()
    fetching = asyncio.create_task(studio.work_off())
    while not studio.shelf.asked:  # noqa: ASYNC110 - the provider's side has no event for it
        await asyncio.sleep(0.01)
    await studio.delete(boss, recording_id)
    studio.shelf.gate.set()
    await fetching
    assert ((await studio.row(recording_id))["state"], studio.kept, studio.shelf.sounds) == ("deleted", [], {})


async def test_a_deletion_is_carried_out_until_the_provider_has_understood(studio: Studio, clock: FrozenClock) -> None:
    boss = await a_supervisor(studio)
    recording_id = await studio.recorded()
    studio.shelf.status = 500
    await studio.delete(boss, recording_id)
    await studio.work_off()
    assert (await studio.row(recording_id))["delete_at"] > clock.now
    studio.shelf.status = None
    clock.advance(hours=1)
    await studio.work_off()
    assert (studio.shelf.sounds, (await studio.row(recording_id))["delete_at"]) == ({}, None)


async def test_a_deletion_by_a_process_that_was_killed_is_carried_out_by_another(
    studio: Studio, clock: FrozenClock
) -> None:
    boss = await a_supervisor(studio)
    recording_id = await studio.recorded()
    await studio.work_off()
    await studio.delete(boss, recording_id)
    # Nothing but the commit happened before it was killed.
    await studio.work_off(studio.another_process())
    assert studio.kept == []


async def test_recordings_go_when_their_queue_says_today(studio: Studio, clock: FrozenClock) -> None:
    recording_id = await studio.recorded()
    await studio.work_off()
    database, queue = studio.scene.database, tables.queue

    def keep(tx: Tx, days: int | None) -> None:
        tx.execute(queue.update().values(recording_days=days))

    async def expired() -> list[int]:
        found = await database.read(recordings.find_expired)
        await database.transaction(recordings.expire, found)
        return found

    clock.advance(days=40)
    assert await expired() == []
    await database.transaction(keep, 60)
    assert await expired() == []
    await database.transaction(keep, 30)
    found = await database.read(recordings.find_expired)
    # Kept longer again in the last moment.
    await database.transaction(keep, 60)
    await database.transaction(recordings.expire, found)
    assert (await studio.row(recording_id))["state"] == "stored"
    await database.transaction(keep, 30)
    assert await expired() == [recording_id]
    await studio.work_off()
    row = await studio.row(recording_id)
    assert (row["state"], row["deleted_by"], studio.kept) == ("deleted", None, [])
    assert await expired() == []


# --- who may hear -------------------------------------------------------------------------------------------------------

SUPERVISOR, TOOK_IT, COLLEAGUE, STRANGER = "supervisor", "took it", "colleague", "stranger"


async def who_may_hear(studio: Studio, recording_id: int, people: dict[str, Any]) -> set[str]:
    heard = set()
    for name, viewer in people.items():
        try:
            await studio.scene.database.read(recordings.access, viewer, recording_id)
        except NotFound:
            continue
        heard.add(name)
    return heard


async def cast(studio: Studio) -> dict[str, Any]:
    other = await studio.scene.queue("Other")
    took_it = await studio.scene.agent("Took it")
    return {
        TOOK_IT: took_it,
        COLLEAGUE: await studio.scene.agent("Colleague", capacity=0),
        STRANGER: await studio.scene.agent("Stranger", queue_ids={other}),
        SUPERVISOR: await studio.scene.agent("Supervisor", queue_ids={other}, role=Role.SUPERVISOR),
        "admin": await studio.scene.agent("Admin", queue_ids={other}, role=Role.ADMIN),
    }


@pytest.mark.parametrize(
    ("rule", "agents"),
    [("own", {TOOK_IT}), ("seen", {TOOK_IT, COLLEAGUE}), ("none", set())],
    ids=["own", "seen", "none"],
)
async def test_who_may_hear_a_call(studio: Studio, rule: str, agents: set[str]) -> None:
    people = await cast(studio)
    recording_id = await studio.recorded(people[TOOK_IT])
    await studio.scene.database.transaction(recordings.set_rule, rule)
    assert await who_may_hear(studio, recording_id, people) == agents | {SUPERVISOR, "admin"}


@pytest.mark.parametrize("rule", ["own", "seen", "none"])
async def test_a_message_left_is_heard_by_whoever_may_see_the_conversation(studio: Studio, rule: str) -> None:
    people = await cast(studio)
    call_id = await studio.line.call_in()
    leg = (await studio.line.call(call_id)).legs[0]
    row = await studio.scene.row(tables.leg, id=leg.id)
    left = VoicemailLeft(
        provider_id=studio.line.key(),
        leg=LegName(token=row["token"]),
        recording=RecordingRef(SID, "", 1),
        duration_s=12.0,
        received_at=studio.scene.database.clock(),
    )
    await studio.line.tell(left)
    recording = await studio.scene.row(tables.recording)
    assert recording["kind"] == "voicemail"
    await studio.scene.database.transaction(recordings.set_rule, rule)
    heard = await who_may_hear(studio, recording["id"], people)
    assert heard == {TOOK_IT, COLLEAGUE, SUPERVISOR, "admin"}


async def test_each_listening_is_written_down_once(studio: Studio, clock: FrozenClock) -> None:
    boss = await a_supervisor(studio)
    agent = await studio.scene.agent()
    recording_id = await studio.recorded(agent)
    database = studio.scene.database
    with pytest.raises(Conflict):
        await database.transaction(recordings.note_play, boss, recording_id)
    await studio.work_off()
    for viewer, seconds in ((boss, 0), (boss, 20), (agent, 5), (boss, 20), (boss, 120), (agent, 1)):
        clock.advance(seconds)
        await database.transaction(recordings.note_play, viewer, recording_id)
    plays = await database.read(recordings.load_plays, recording_id, 10)
    assert [play.user_id for play in plays] == [agent.user_id, boss.user_id, agent.user_id, boss.user_id]


async def test_ranges_asked_for_at_once_are_one_play(studio: Studio) -> None:
    boss = await a_supervisor(studio)
    recording_id = await studio.recorded()
    await studio.work_off()
    database = studio.scene.database
    await asyncio.gather(*(database.transaction(recordings.note_play, boss, recording_id) for _ in range(6)))
    assert len(await database.read(recordings.load_plays, recording_id, 10)) == 1


async def test_the_overview_adds_up_what_is_kept_and_names_what_is_not(studio: Studio) -> None:
    agent = await studio.scene.agent()
    first = await studio.recorded(agent, wav(2.0))
    await studio.work_off()
    call_id = (await studio.row(first))["call_id"]
    await studio.ready(call_id, b"no sound", "RE" + "b" * 32)
    await studio.work_off()
    studio.shelf.status = 503
    await studio.ready(call_id, wav(), "RE" + "c" * 32)
    await studio.work_off()
    found = await studio.scene.database.read(recordings.load_overview)
    (queue,) = found.queues
    assert (queue.queue_id, queue.count, queue.size_bytes, queue.duration_s) == (
        studio.scene.queue_id,
        1,
        len(wav(2.0)),
        2.0,
    )
    assert (found.fetching, len(found.troubled), found.failed) == (1, 1, {"no_sound": 1})
