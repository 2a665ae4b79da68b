"""What the hub plays to callers, for a provider to fetch: `GET /line-sounds/{name}`.

    music-START-LENGTH.wav   a piece of the tune, in full seconds
    ringback.wav             the ringing tone
    phrase-LANGUAGE-NAME.wav one of the hub's own phrases, for providers who do not speak the language

The same for everybody and of nobody's making but ours, so there is nothing to sign or to hide. Providers keep what they have
fetched; the names say all, so it may be kept for ever.
"""

from __future__ import annotations

import asyncio
import re

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.media import hold_music, phrase_files

PUBLIC_ROUTES = {"/line-sounds/{name}": "music on hold, which telephone providers fetch; no data"}

_MUSIC = re.compile(r"music-([0-9]{1,2})-([0-9]{1,2})\.wav")
_PHRASE = re.compile(r"phrase-([a-z]{2,3})-([a-z0-9_]{1,64})\.wav")
_KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}


async def _sound(request: Request) -> Response:
    name = request.path_params["name"]
    if name == "ringback.wav":
        samples = hold_music.ringback()
    elif match := _MUSIC.fullmatch(name):
        start_s, length_s = int(match[1]), int(match[2])
        if not length_s or start_s + length_s > hold_music.TUNE_S:
            raise HTTPException(404)
        # The whole tune takes half a second to reckon, once in a process's life.
        samples = await asyncio.to_thread(hold_music.piece, start_s, length_s)
    elif match := _PHRASE.fullmatch(name):
        try:
            samples = await asyncio.to_thread(phrase_files.samples, match[1], match[2], hold_music.RATE_HZ)
        except LookupError as error:
            raise HTTPException(404) from error
    else:
        raise HTTPException(404)
    return Response(hold_music.wav(samples), media_type="audio/wav", headers=_KEPT)


def routes() -> list[Route]:
    return [Route("/line-sounds/{name}", _sound, methods=["GET"])]
