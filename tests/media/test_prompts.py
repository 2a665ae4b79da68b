"""Where what is said comes from: uploads, recordings, a machine that speaks, and what happens where there is none."""

from __future__ import annotations

import wave
from array import array
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.calls.phrases import PHRASES
from hub.channels.voice import Prompt
from hub.media.codec import PCMU, tone
from hub.media.prompts import Prompts, speaks
from hub.media.record import recordings
from hub.media.scenes import Sound
from tests.media.line import served, strength

pytestmark = pytest.mark.anyio

_OWN = Path(__file__).resolve().parents[2] / "hub" / "media"


@pytest.fixture
async def prompts(tmp_path: Path) -> AsyncIterator[Prompts]:
    made = Prompts(PCMU, tmp_path / "files", tmp_path)
    yield made
    await made.close()


def _wav(path: Path, hertz: float, rate: int = 8000) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(tone(PCMU, hertz, 1.0, 0.3).tobytes())
    return path.read_bytes()


def _strength(sound: Sound, hertz: float) -> float:
    pcm = array("h")
    for frame in sound:
        pcm += frame.pcm
    return strength(pcm[1600:6400], hertz, 8000)


async def test_an_uploaded_sound_is_read_from_the_hubs_files(tmp_path: Path, prompts: Prompts) -> None:
    key = f"ab/{'ab' * 20}"
    _wav(tmp_path / "files" / key, 700)
    sound = await prompts.load(Prompt("words", audio_key=key, audio_url="http://127.0.0.1:1/none"))
    assert _strength(sound, 700) > 5000


async def test_it_is_fetched_where_the_files_are_elsewhere_and_only_once(tmp_path: Path, prompts: Prompts) -> None:
    content, asked = _wav(tmp_path / "a.wav", 700), []

    async def give(request: Request) -> Response:
        asked.append(request.url.path)
        return Response(content)

    async with served(Starlette(routes=[Route("/sound", give)])) as url:
        prompt = Prompt("words", audio_key=f"ab/{'cd' * 20}", audio_url=f"{url}/sound")
        assert _strength(await prompts.load(prompt), 700) > 5000
        assert _strength(await prompts.load(prompt), 700) > 5000
    assert asked == ["/sound"]


@pytest.mark.parametrize("key", ["../secret.key", "ab/../../secret.key", "/etc/hostname"])
async def test_a_key_that_is_none_reads_nothing(tmp_path: Path, prompts: Prompts, key: str) -> None:
    prompts.speaks = False
    sound = await prompts.load(Prompt("words", audio_key=key))
    assert sound == prompts.tones["unspoken"]


async def test_what_cannot_be_fetched_is_tried_again_the_next_time(tmp_path: Path, prompts: Prompts) -> None:
    content, answers = _wav(tmp_path / "a.wav", 700), [404, 200]
    prompts.speaks = False

    async def give(request: Request) -> Response:
        return Response(content, answers.pop(0))

    async with served(Starlette(routes=[Route("/sound", give)])) as url:
        prompt = Prompt("words", audio_url=f"{url}/sound")
        assert await prompts.load(prompt) == prompts.tones["unspoken"]
        assert _strength(await prompts.load(prompt), 700) > 5000


@pytest.mark.parametrize(
    "content",
    [
        b"GIF89a, or anything else",
        b"RIFF and then nothing",
        b"",
        # What FFmpeg would follow, if it were left to find out what this is.
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
    ],
)
async def test_a_file_that_holds_no_sound_is_a_tone_and_no_fault(
    tmp_path: Path, prompts: Prompts, content: bytes
) -> None:
    key = f"ab/{'ab' * 20}"
    (tmp_path / "files" / "ab").mkdir(parents=True)
    (tmp_path / "files" / key).write_bytes(content)
    assert await prompts.load(Prompt("words", audio_key=key)) == prompts.tones["unspoken"]


async def test_the_houses_own_recording_of_a_phrase_comes_before_ours(tmp_path: Path, prompts: Prompts) -> None:
    ours = await prompts.load(Prompt("Thank you.", "en", phrase="goodbye"))
    assert len(ours) > 50
    _wav(tmp_path / "phrases" / "hy" / "goodbye.ogg", 700)
    assert _strength(await prompts.load(Prompt("…", "hy-AM", phrase="goodbye")), 700) > 5000


@pytest.mark.skipif(not speaks(), reason="espeak-ng is not installed")
async def test_a_text_is_spoken_and_kept(tmp_path: Path, prompts: Prompts) -> None:
    sound = await prompts.load(Prompt("We are closed today.", "en"))
    assert len(sound) > 40
    assert max(map(abs, sound[len(sound) // 3].pcm)) > 500
    assert len(list((tmp_path / "media" / "spoken").glob("*.wav"))) == 1


@pytest.mark.skipif(not speaks(), reason="espeak-ng is not installed")
@pytest.mark.parametrize("language", ["xx", "-f/etc/passwd", "", "../en"])
async def test_a_language_that_nobody_knows_is_spoken_in_english(prompts: Prompts, language: str) -> None:
    assert len(await prompts.load(Prompt("Hello.", language))) > 20


async def test_music_is_there_from_the_start_and_can_be_the_houses_own(tmp_path: Path, prompts: Prompts) -> None:
    await prompts.start()
    assert len(prompts.music) > 20 * 50
    _wav(tmp_path / "music.ogg", 700)
    await prompts.start()
    assert len(prompts.music) == 50


def test_every_phrase_is_recorded_in_every_language() -> None:
    wanted = {(language, name) for language, name, _text in recordings()}
    there = {(path.parent.name, path.stem) for path in (_OWN / "phrases").glob("*/*.ogg")}
    assert there == wanted
    assert {language for language, _name in there} == set(PHRASES)
    assert sum(path.stat().st_size for path in (_OWN / "phrases").glob("*/*.ogg")) < 3_000_000
