"""What a leg hears and what is told of it, scene by scene, at the pace of the test."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.channels.voice import Hold, Menu, Over, Prompt, Ringback, Say, Scene, Talk, Voicemail, Wait
from hub.domain.calls import LegEnd, Party
from hub.errors import NotFound
from hub.media.codec import OPUS, tone
from hub.media.ogg import OggFile, read_sound
from tests.media.handset import Hall, hall
from tests.media.line import strength

pytestmark = pytest.mark.anyio

GREETING, OTHER = 700.0, 1500.0
# Strengths of tones at a tenth of the loudest and more, and of what is not there.
THERE, ABSENT = 1000.0, 50.0


@pytest.fixture
def prompts(tmp_path: Path) -> tuple[Prompt, Prompt]:
    """Two sounds of half a second, each of a pitch of its own; a quarter of a second of silence follows each."""
    made = []
    for name, hertz in (("a" * 40, GREETING), ("b" * 40, OTHER)):
        key = f"{name[:2]}/{name}"
        path = tmp_path / "files" / key
        path.parent.mkdir(parents=True)
        file = OggFile(path, 48_000, "mono")
        file.write(tone(OPUS, hertz, 0.5, 0.3))
        file.close()
        made.append(Prompt("a text", audio_key=key))
    return made[0], made[1]


async def test_a_say_is_said_once_and_then_told_of(tmp_path: Path, prompts: tuple[Prompt, Prompt]) -> None:
    async with hall(tmp_path) as house:
        customer = house.call("c", Party.CUSTOMER, Say(prompts))
        await house.seconds(0.4)
        assert customer.strength(GREETING) > THERE
        assert house.told("scene_ended") == []
        await house.seconds(0.7)
        assert customer.strength(OTHER) > THERE
        await house.seconds(0.7)
        assert [hook["scene_version"] for hook in house.told("scene_ended")] == [1]
        assert customer.strength(OTHER) < ABSENT


async def test_a_last_word_ends_the_leg(tmp_path: Path, prompts: tuple[Prompt, Prompt]) -> None:
    async with hall(tmp_path) as house:
        customer = house.call("c", Party.CUSTOMER, Say(prompts[:1], then_hang_up=True))
        await house.seconds(1.0)
        await house.settle()
        assert customer.is_closed
        assert house.told("leg")[-1] | {"topic": "", "url": ""} == {
            "topic": "",
            "url": "",
            "kind": "leg",
            "token": "c",
            "state": "ended",
            "end": LegEnd.CANCELLED,
        }


async def test_nothing_is_said_before_the_leg_is_connected(tmp_path: Path, prompts: tuple[Prompt, Prompt]) -> None:
    async with hall(tmp_path) as house:
        customer = house.ring("c", Party.CUSTOMER, Say(prompts[:1]))
        await house.seconds(2)
        customer.pick_up()
        await house.seconds(0.4)
        assert customer.strength(GREETING) > THERE


async def test_a_customer_arrives_once_and_an_agent_never(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        house.call("c", Party.CUSTOMER, Wait())
        house.call("a", Party.AGENT, Talk())
        assert [hook["kind"] for hook in house.hooks] == ["arrived", "leg", "leg"]
        assert house.hooks[0]["caller"] == {"kind": "visitor"}
        assert house.hooks[0]["line"] == "page"
        house.call("c", Party.CUSTOMER, Wait())
        assert [hook["kind"] for hook in house.hooks] == ["arrived", "leg", "leg", "leg"]


@pytest.mark.parametrize(("pressed", "chosen"), [("2", "2"), ("7", None)])
async def test_a_key_is_taken_while_the_menu_is_being_said(
    tmp_path: Path, prompts: tuple[Prompt, Prompt], pressed: str, chosen: str | None
) -> None:
    async with hall(tmp_path) as house:
        customer = house.call("c", Party.CUSTOMER, Menu(prompts, keys=("1", "2")))
        await house.seconds(0.3)
        house.party("c").keys.append(pressed)
        await house.seconds(0.5)
        assert [(hook["key"], hook["scene_version"]) for hook in house.told("chosen")] == [(chosen, 1)]
        assert customer.strength(OTHER) < ABSENT


async def test_a_key_that_belongs_to_the_scene_before_chooses_nothing(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        house.call("c", Party.CUSTOMER, Hold())
        house.party("c").keys.append("1")
        house.order("c", Menu((), keys=("1", "2")), 2)
        house.party("c").keys.append("2")
        await house.seconds(0.1)
        assert [(hook["key"], hook["scene_version"]) for hook in house.told("chosen")] == [("2", 2)]


async def test_a_menu_that_nobody_answers_says_so_after_its_silence(
    tmp_path: Path, prompts: tuple[Prompt, Prompt]
) -> None:
    async with hall(tmp_path) as house:
        house.call("c", Party.CUSTOMER, Menu(prompts[:1], keys=("1",), timeout_s=3))
        await house.seconds(3.0)
        assert house.told("chosen") == []
        await house.seconds(1.0)
        assert [hook["key"] for hook in house.told("chosen")] == [None]


async def test_who_waits_hears_music_and_again_and_again_where_they_stand(
    tmp_path: Path, prompts: tuple[Prompt, Prompt]
) -> None:
    async with hall(tmp_path) as house:
        customer = house.call("c", Party.CUSTOMER, Wait(prompts[:1], every_s=5, keys=("1",)))
        await house.seconds(0.4)
        assert customer.strength(GREETING) > THERE
        await house.seconds(3)
        assert customer.strength(GREETING) < ABSENT
        assert max(map(abs, customer.samples(1.0))) > 100
        house.party("c").keys.extend("91")
        await house.seconds(0.1)
        assert [hook["key"] for hook in house.told("chosen")] == ["1"]
        await house.seconds(2.6)
        assert customer.strength(GREETING) > THERE


async def test_another_place_in_the_queue_is_told_at_its_time_and_the_music_goes_on(
    tmp_path: Path, prompts: tuple[Prompt, Prompt]
) -> None:
    async with hall(tmp_path) as house:
        customer = house.call("c", Party.CUSTOMER, Wait(prompts[:1], every_s=5))
        await house.seconds(3)
        at = house.party("c")._music_at
        house.order("c", Wait(prompts[1:], every_s=5), 2)
        await house.seconds(0.5)
        assert house.party("c")._music_at == at + 25
        assert customer.strength(OTHER) < ABSENT
        await house.seconds(2.7)
        assert customer.strength(OTHER) > THERE


async def test_a_scene_of_the_past_is_not_heard(tmp_path: Path, prompts: tuple[Prompt, Prompt]) -> None:
    async with hall(tmp_path) as house:
        house.call("c", Party.CUSTOMER, Wait())
        house.order("c", Talk(), 3)
        house.order("c", Say(prompts), 2)
        assert house.party("c").scene == Talk()


async def test_hold_says_its_word_and_plays_music(tmp_path: Path, prompts: tuple[Prompt, Prompt]) -> None:
    async with hall(tmp_path) as house:
        customer = house.call("c", Party.CUSTOMER, Hold(prompts[:1]))
        await house.seconds(0.4)
        assert customer.strength(GREETING) > THERE
        await house.seconds(2)
        assert max(map(abs, customer.samples(1.0))) > 100


async def test_ringing_is_heard_as_it_sounds_in_europe(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        agent = house.call("a", Party.AGENT, Ringback())
        await house.seconds(0.8)
        assert agent.strength(425) > THERE
        await house.seconds(2)
        assert agent.strength(425) < ABSENT


@pytest.mark.parametrize(("scene", "left_s"), [(Over(), 0.02), (Over(is_busy=True), 3.02)])
async def test_an_end_is_told_as_ours(tmp_path: Path, scene: Scene, left_s: float) -> None:
    async with hall(tmp_path) as house:
        house.call("c", Party.CUSTOMER, scene)
        await house.seconds(left_s)
        await house.settle()
        assert house.told("leg")[-1]["end"] == LegEnd.CANCELLED
        assert house.exchange.find("c") == ("ended", LegEnd.CANCELLED)


async def test_what_cannot_be_said_is_a_short_tone(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        house.exchange.prompts.speaks = False
        customer = house.call("c", Party.CUSTOMER, Say((Prompt("Words that nobody recorded"),)))
        await house.seconds(0.6)
        assert strength(customer.samples(0.6), 520, 8000) > 200
        assert len(house.told("scene_ended")) == 1


async def test_a_phrase_is_said_without_a_machine_that_speaks(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        house.exchange.prompts.speaks = False
        customer = house.call("c", Party.CUSTOMER, Say((Prompt("Դուք…", "hy", phrase="place_3"),)))
        await house.seconds(1.5)
        assert max(map(abs, customer.samples(1.0))) > 2000


# --- voicemail ---------------------------------------------------------------------------------------------------------


async def _message(house: Hall, tmp_path: Path) -> tuple[float, list[float]]:
    """Its duration as told, and the strengths of 440 Hz in each tenth of a second of the file."""
    await house.settle()
    [left] = house.told("voicemail_left")
    path = house.exchange.shelf.find(left["recording_id"])
    assert path is not None
    pcm = read_sound(path.read_bytes(), 8000)
    return left["duration_s"], [strength(pcm[at : at + 800], 440, 8000) for at in range(0, len(pcm) - 800, 800)]


async def test_a_message_is_kept_until_the_caller_falls_silent(tmp_path: Path, prompts: tuple[Prompt, Prompt]) -> None:
    async with hall(tmp_path) as house:
        customer = house.call("c", Party.CUSTOMER, Voicemail(prompts[:1], silence_s=2))
        await house.seconds(1.3)
        assert strength(customer.samples(0.7), 880, 8000) > THERE
        await house.seconds(1)
        customer.says = 440
        await house.seconds(1.5)
        customer.says = 0
        await house.seconds(1.9)
        assert house.told("voicemail_left") == []
        await house.seconds(0.3)
        duration_s, heard = await _message(house, tmp_path)
        assert 1.5 <= duration_s <= 1.9
        assert min(heard[4:14]) > THERE


async def test_the_hash_key_ends_a_message(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        customer = house.call("c", Party.CUSTOMER, Voicemail(()))
        await house.seconds(0.8)
        customer.says = 440
        await house.seconds(1)
        house.party("c").keys.append("#")
        await house.seconds(0.1)
        duration_s, _heard = await _message(house, tmp_path)
        assert 0.9 <= duration_s <= 1.1


async def test_who_hangs_up_in_the_middle_has_left_a_message_and_that_is_told_first(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        customer = house.call("c", Party.CUSTOMER, Voicemail(()))
        await house.seconds(0.8)
        customer.says = 440
        await house.seconds(2)
        customer.hang_up()
        duration_s, _heard = await _message(house, tmp_path)
        assert 1.9 <= duration_s <= 2.1
        assert [hook["kind"] for hook in house.hooks][-2:] == ["voicemail_left", "leg"]


async def test_who_says_nothing_has_left_nothing(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        house.call("c", Party.CUSTOMER, Voicemail((), silence_s=2))
        await house.seconds(3)
        await house.settle()
        [left] = house.told("voicemail_left")
        assert (left["recording_id"], left["duration_s"], left["scene_version"]) == (None, 0, 1)


async def test_a_message_ends_at_its_limit(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        customer = house.call("c", Party.CUSTOMER, Voicemail((), limit_s=2))
        customer.says = 440
        await house.seconds(3)
        duration_s, _heard = await _message(house, tmp_path)
        assert duration_s == pytest.approx(2, abs=0.05)


# --- legs ----------------------------------------------------------------------------------------------------------------


async def test_a_page_that_went_away_is_a_customer_who_hung_up_but_an_agent_who_comes_again(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        house.call("c", Party.CUSTOMER, Talk()).hang_up()
        house.call("a", Party.AGENT, Talk()).hang_up()
        await house.settle()
        ends = {hook["token"]: hook["end"] for hook in house.told("leg") if hook["state"] == "ended"}
        assert ends == {"c": LegEnd.HUNG_UP, "a": LegEnd.LOST}


async def test_a_new_line_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        customer = house.call("c", Party.CUSTOMER, Talk(), says=440)
        old = house.call("a", Party.AGENT, Talk())
        new = house.ring("a", Party.AGENT, Talk())
        new.pick_up()
        old.ended(LegEnd.LOST)
        await house.seconds(0.3)
        await house.settle()
        assert old.is_closed
        assert new.strength(440) > THERE
        assert house.exchange.find("a") == ("connected", None)
        assert customer.is_connected


async def test_a_leg_that_goes_wrong_is_over_and_the_others_go_on(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        customer = house.call("c", Party.CUSTOMER, Talk(), says=440)
        agent = house.call("a", Party.AGENT, Talk())
        broken = house.call("x", Party.OUTSIDE, Talk())
        broken.give = None  # type: ignore[assignment, method-assign]
        await house.seconds(0.3)
        await house.settle()
        assert house.exchange.find("x") == ("ended", LegEnd.FAILED)
        assert agent.strength(440) > THERE
        assert customer.is_connected


async def test_an_end_that_is_told_to_an_unknown_leg_is_harmless(tmp_path: Path) -> None:
    async with hall(tmp_path) as house:
        house.exchange.hang_up("nobody")
        assert house.exchange.find("nobody") is None
        with pytest.raises(NotFound, match="no such leg"):
            house.exchange.access("nobody")
