"""The console's and the widget's files, as Vite has built them.

    /assets/NAME   named after their contents, so kept for ever
    /widget.js     for other people's pages: may be fetched from any origin, asked anew each hour
    anything else  the console's one page, for its router reads the address; never kept, so a new release is seen at
    once

Texts are compressed once and held in memory. What has a path under /api, /webhooks or the like and is no route is not a
page: it is a 404 in the shape of the API.
"""

from __future__ import annotations

import gzip
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hub.errors import HubError
from hub.web.api import HubLike, hub_of
from hub.web.security import page_policy

STATIC = Path(__file__).resolve().parent / "static"
_CONSOLE = STATIC / "console"

PUBLIC_ROUTES: Mapping[str, str] = {
    "/widget.js": "the chat widget, which other sites embed",
    "/assets/{name:path}": "the console's files; no data",
    "/{path:path}": "the console's page; no data",
}

# First parts of paths that belong to programs: a page would only hide the mistake.
_NO_PAGES = frozenset({"api", "webhooks", "live", "chat", "files", "healthz", "readyz", "metrics", "demo"})
_COMPRESSED = ("text/", "application/javascript", "application/json", "image/svg+xml")
# Smaller than a packet: compressing gains nothing.
_COMPRESS_FROM_BYTES = 1_400


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    compressed: bytes | None
    media_type: str


@lru_cache(maxsize=256)
def _read(path: Path, _changed: int) -> _File:
    content = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    small = None
    if media_type.startswith(_COMPRESSED) and len(content) >= _COMPRESS_FROM_BYTES:
        small = gzip.compress(content, 9, mtime=0)
    return _File(content, small, media_type)


def _answer(request: Request, path: Path, headers: Mapping[str, str]) -> Response:
    """404 if there is no such file."""
    try:
        file = _read(path, path.stat().st_mtime_ns)
    except OSError:
        raise HTTPException(404) from None
    all_headers = {**headers, "Vary": "Accept-Encoding"}
    if file.compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        all_headers["Content-Encoding"] = "gzip"
        return Response(file.compressed, media_type=file.media_type, headers=all_headers)
    return Response(file.content, media_type=file.media_type, headers=all_headers)


def _asset(request: Request) -> Response:
    root = _CONSOLE / "assets"
    path = (root / request.path_params["name"]).resolve()
    if not path.is_relative_to(root.resolve()) or "\0" in str(path):
        raise HTTPException(404)
    return _answer(request, path, {"Cache-Control": "public, max-age=31536000, immutable"})


def _widget(request: Request) -> Response:
    headers = {
        "Cache-Control": "public, max-age=3600",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Access-Control-Allow-Origin": "*",
    }
    return _answer(request, STATIC / "widget.js", headers)


async def _page(request: Request) -> Response:
    """The console, or one of the few files beside it (its icon)."""
    wanted = request.path_params["path"]
    first = wanted.partition("/")[0]
    if first in _NO_PAGES:
        raise HTTPException(404)
    if wanted and "/" not in wanted and "." in wanted and not wanted.startswith("."):
        return _answer(request, _CONSOLE / wanted, {"Cache-Control": "no-cache"})
    policy = await _policy(hub_of(request))
    if not (_CONSOLE / "index.html").is_file():
        return PlainTextResponse("The console is not built here: run `make console`.\n", 503, policy)
    return _answer(request, _CONSOLE / "index.html", {"Cache-Control": "no-cache", **policy})


async def _policy(hub: HubLike) -> dict[str, str]:
    """The page's own policy, where agents talk through a provider's page library; else every page's."""
    try:
        hosts = await hub.channels.page_hosts()
    except HubError:
        # The database is away, or a line cannot be served here: the page is of use all the same.
        hosts = ()
    return {"Content-Security-Policy": page_policy(hub.settings.public_url, hosts)} if hosts else {}


def routes() -> list[Route]:
    """The last routes of the app: the page takes every GET that nothing else took."""
    return [
        Route("/widget.js", _widget),
        Route("/assets/{name:path}", _asset),
        Route("/{path:path}", _page),
    ]
