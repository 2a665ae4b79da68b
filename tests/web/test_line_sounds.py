"""Music on hold, as telephone providers fetch it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.applications import Starlette

from hub.media import hold_music, phrase_files
from hub.web import line_sounds

pytestmark = pytest.mark.anyio


@pytest.fixture
async def provider() -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=Starlette(routes=line_sounds.routes()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://hub.test") as client:
        yield client


@pytest.mark.parametrize(
    ("name", "samples"),
    [
        ("ringback", hold_music.ringback()),
        ("music-0-20", hold_music.piece(0, 20)),
        ("music-40-20", hold_music.piece(40, 20)),
        ("music-55-5", hold_music.piece(55, 5)),
    ],
)
async def test_a_provider_fetches_sounds_without_asking(
    provider: httpx2.AsyncClient, name: str, samples: bytes
) -> None:
    answer = await provider.get(f"/line-sounds/{name}.wav")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "audio/wav"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.content == hold_music.wav(samples)


async def test_a_phrase_is_fetched_where_the_provider_cannot_speak(provider: httpx2.AsyncClient) -> None:
    answer = await provider.get("/line-sounds/phrase-hy-place_3.wav")
    assert answer.status_code == 200
    assert answer.content == hold_music.wav(phrase_files.samples("hy", "place_3", hold_music.RATE_HZ))
    # It is said in more than a second.
    assert len(answer.content) > 2 * hold_music.RATE_HZ


@pytest.mark.parametrize(
    "name", ["phrase-hy-place_99.wav", "phrase-xx-goodbye.wav", "phrase-hy-.wav", "phrase-..-x.wav"]
)
async def test_what_is_not_recorded_is_not_there(provider: httpx2.AsyncClient, name: str) -> None:
    assert (await provider.get(f"/line-sounds/{name}")).status_code == 404


@pytest.mark.parametrize(
    "name", ["music.wav", "music-0-0.wav", "music-50-20.wav", "music-60-1.wav", "music-0-999.wav", "silence.wav", "x"]
)
async def test_there_are_no_other_sounds(provider: httpx2.AsyncClient, name: str) -> None:
    assert (await provider.get(f"/line-sounds/{name}")).status_code == 404
