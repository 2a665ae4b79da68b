"""Who hears whom in a talk, to the last sample, and what a recording of it holds."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import pytest

from hub.channels.voice import Hold, Talk, Wait
from hub.domain.calls import Party, Presence, Recording
from hub.errors import NotFound
from hub.media.codec import OPUS, PCMU, Codec
from tests.media.handset import Hall, Handset, hall
from tests.media.line import strength

pytestmark = pytest.mark.anyio

CUSTOMER, AGENT, SUPERVISOR = 440.0, 1200.0, 2500.0
THERE, ABSENT = 3000.0, 20.0


def _talk(house: Hall) -> tuple[Handset, Handset]:
    return (
        house.call("c", Party.CUSTOMER, Talk(), says=CUSTOMER),
        house.call("a", Party.AGENT, Talk(), says=AGENT),
    )


def _pitches(handset: Handset) -> set[float]:
    """Which of the three are heard; each is clearly there or clearly not."""
    found = {hertz: handset.strength(hertz) for hertz in (CUSTOMER, AGENT, SUPERVISOR)}
    assert all(each > THERE or each < ABSENT for each in found.values()), found
    return {hertz for hertz, each in found.items() if each > THERE}


async def test_each_hears_the_others_and_not_themselves(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        customer, agent = _talk(house)
        third = house.call("x", Party.OUTSIDE, Talk(), says=SUPERVISOR)
        await house.seconds(0.5)
        assert _pitches(customer) == {AGENT, SUPERVISOR}
        assert _pitches(agent) == {CUSTOMER, SUPERVISOR}
        assert _pitches(third) == {CUSTOMER, AGENT}


async def test_rooms_know_nothing_of_each_other(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        customer, _agent = _talk(house)
        house.call("y", Party.AGENT, Talk(), says=SUPERVISOR, room="another")
        await house.seconds(0.5)
        assert _pitches(customer) == {AGENT}


@pytest.mark.parametrize(
    ("scene", "customer_hears", "agent_hears"),
    [
        (Talk(Presence.LISTEN), {AGENT}, {CUSTOMER}),
        (Talk(Presence.WHISPER, coached_leg_id=7), {AGENT}, {CUSTOMER, SUPERVISOR}),
        (Talk(Presence.WHISPER), {AGENT}, {CUSTOMER}),
        (Talk(Presence.WHISPER, muted=True, coached_leg_id=7), {AGENT}, {CUSTOMER}),
        (Talk(), {AGENT, SUPERVISOR}, {CUSTOMER, SUPERVISOR}),
        (Talk(muted=True), {AGENT}, {CUSTOMER}),
    ],
    ids=["listens", "whispers", "whispers to nobody", "whispers muted", "takes part", "is muted"],
)
async def test_a_supervisor_is_heard_by_whom_they_mean(
    tmp_path: Path, scene: Talk, customer_hears: set[float], agent_hears: set[float]
) -> None:
    async with hall(tmp_path) as house:
        customer, agent = _talk(house)
        supervisor = house.call("s", Party.SUPERVISOR, Talk(Presence.LISTEN), says=SUPERVISOR)
        house.order("s", scene, 2, peers={7: "a", 8: "c"})
        await house.seconds(0.5)
        assert _pitches(customer) == customer_hears
        assert _pitches(agent) == agent_hears
        assert _pitches(supervisor) == {CUSTOMER, AGENT}


async def test_the_customer_hears_exactly_the_agent_while_a_supervisor_listens(tmp_path: Path) -> None:
    # The frames themselves, not their sum with silence: there is no way for anything else to be in them.
    async with hall(tmp_path) as house:
        customer, agent = _talk(house)
        house.call("s", Party.SUPERVISOR, Talk(Presence.LISTEN), says=SUPERVISOR)
        taken = []
        take = agent.take

        def taking() -> object:
            taken.append(take())
            return taken[-1]

        agent.take = taking  # type: ignore[assignment, method-assign]
        await house.seconds(1)
        assert customer.heard == taken


async def test_who_is_held_is_out_of_the_talk(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        customer, agent = _talk(house)
        house.order("c", Hold(), 2)
        await house.seconds(0.5)
        assert _pitches(agent) == set()
        assert customer.strength(AGENT) < 200  # there is music


async def test_two_who_shout_are_cut_off_and_not_turned_over(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        listener = house.call("c", Party.CUSTOMER, Talk())
        for name in "vwxyz":
            house.call(name, Party.AGENT, Talk(), says=CUSTOMER)
        await house.seconds(0.5)
        samples = listener.samples(0.2)
        assert max(samples) == 32_767
        # Turned over, neighbours would be 65,535 apart; a sine of 440 Hz moves by a third of its height at most.
        assert max(abs(one - other) for one, other in pairwise(samples)) < 20_000


# --- recording -------------------------------------------------------------------------------------------------------


async def _channels(house: Hall, rate: int) -> tuple[float, list[list[int]]]:
    await house.settle()
    [ready] = house.told("recording_ready")
    path = house.exchange.shelf.find(ready["recording_id"])
    assert path is not None
    left: list[int] = []
    right: list[int] = []
    resampler = av.AudioResampler(format="s16", layout="stereo", rate=rate)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            for part in resampler.resample(frame):
                samples = memoryview(bytes(part.planes[0])[: 4 * part.samples]).cast("h").tolist()
                left += samples[0::2]
                right += samples[1::2]
    return ready["duration_s"], [left, right]


@pytest.mark.parametrize("codec", [PCMU, OPUS], ids=["pcmu", "opus"])
async def test_a_recording_has_the_customer_left_and_the_agent_right(tmp_path: Path, codec: Codec) -> None:
    async with hall(tmp_path, codec=codec) as house:
        _talk(house)
        house.call("s", Party.SUPERVISOR, Talk(Presence.LISTEN), says=SUPERVISOR)
        house.exchange.record("room", Recording.ON, "http://hub.test/room")
        await house.seconds(3)
        house.exchange.record("room", Recording.OFF, "http://hub.test/room")
        duration_s, (left, right) = await _channels(house, codec.rate)
        middle = slice(codec.rate, 2 * codec.rate)
        strengths = [
            [strength(side[middle], hertz, codec.rate) for hertz in (CUSTOMER, AGENT, SUPERVISOR)]  # type: ignore[arg-type]
            for side in (left, right)
        ]
        assert duration_s == pytest.approx(3, abs=0.03)
        assert len(left) / codec.rate == pytest.approx(3, abs=0.1)
        assert strengths[0][0] > THERE
        assert strengths[1][1] > THERE
        # 60 dB between the channels; who listens is not there at all.
        assert strengths[0][1] < strengths[1][1] / 1000
        assert strengths[1][0] < strengths[0][0] / 1000
        assert max(strengths[0][2], strengths[1][2]) < ABSENT


async def test_a_pause_is_cut_out(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        _customer, agent = _talk(house)
        house.exchange.record("room", Recording.ON, "http://hub.test/room")
        await house.seconds(1)
        house.exchange.record("room", Recording.PAUSED, "http://hub.test/room")
        agent.says = SUPERVISOR  # a card number, say
        await house.seconds(2)
        house.exchange.record("room", Recording.ON, "http://hub.test/room")
        agent.says = AGENT
        agent._voice = agent._voice[:0]
        await house.seconds(1)
        house.exchange.hang_up("c")
        house.exchange.hang_up("a")
        duration_s, (_left, right) = await _channels(house, 8000)
        assert duration_s == pytest.approx(2, abs=0.05)
        assert strength(right[2000:14_000], SUPERVISOR, 8000) < ABSENT  # type: ignore[arg-type]


async def test_the_recording_of_a_room_ends_with_its_last_leg(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        _talk(house)
        house.exchange.record("room", Recording.ON, "http://hub.test/room")
        await house.seconds(0.5)
        house.exchange.hang_up("c")
        await house.settle()
        assert house.told("recording_ready") == []
        house.exchange.hang_up("a")
        await house.settle()
        [ready] = house.told("recording_ready")
        assert (ready["room"], ready["channels"], ready["failed"]) == ("room", 2, False)
        assert house.exchange.rooms == {}


async def test_nothing_is_recorded_before_anybody_talks(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        house.call("c", Party.CUSTOMER, Wait(), says=CUSTOMER)
        house.exchange.record("room", Recording.ON, "http://hub.test/room")
        await house.seconds(1)
        house.exchange.hang_up("c")
        await house.settle()
        [ready] = house.told("recording_ready")
        assert (ready["recording_id"], ready["duration_s"]) == (None, 0)


async def test_a_room_that_is_not_there_is_not_recorded(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        with pytest.raises(NotFound, match="no such room"):
            house.exchange.record("nowhere", Recording.ON, "http://hub.test/room")
        house.exchange.record("nowhere", Recording.OFF, "http://hub.test/room")


async def test_a_disk_that_takes_nothing_fails_the_recording_and_not_the_talk(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        customer, _agent = _talk(house)
        (tmp_path / "recordings").write_text("a file where a directory should be")
        house.exchange.record("room", Recording.ON, "http://hub.test/room")
        await house.seconds(2)
        house.exchange.record("room", Recording.OFF, "http://hub.test/room")
        await house.settle()
        [ready] = house.told("recording_ready")
        assert (ready["recording_id"], ready["failed"]) == (None, True)
        assert _pitches(customer) == {AGENT}


async def test_what_a_killed_process_had_recorded_is_told_by_the_next(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        _talk(house)
        house.exchange.record("room", Recording.ON, "http://hub.test/room")
        await house.seconds(3.5)
        house.exchange.shelf.writer.submit(lambda: None).result()
        async with hall(tmp_path) as next_life:
            await next_life.exchange.recover()
            [ready] = next_life.told("recording_ready")
            assert (ready["room"], ready["url"], ready["failed"]) == ("room", "http://hub.test/room", False)
            # The last second or two were not written yet.
            assert ready["duration_s"] == pytest.approx(2.5, abs=1)
            path = next_life.exchange.shelf.find(ready["recording_id"])
            assert path is not None
            next_life.exchange.shelf.delete(ready["recording_id"])
            assert list(path.parent.iterdir()) == []
