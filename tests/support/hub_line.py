"""When the hub's own line takes calls: its media process is a child of the hub, and ready some time after it."""

from __future__ import annotations

import http.client
import json
import time
from contextlib import closing
from urllib.parse import urlsplit

from websockets.sync.client import connect
from websockets.typing import Origin

_READY_S = 60.0
_LOOK_S = 0.25


def visit(url: str, channel_id: str) -> str:
    """A new visitor's cookie."""
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)) as connection:
        connection.request("POST", f"/chat/{channel_id}/visit", headers={"Origin": url})
        answer = connection.getresponse()
        cookie = answer.headers["set-cookie"]
        assert cookie, answer.status
    return str(cookie).partition(";")[0]


def await_line(url: str, channel_id: str) -> None:
    """Calls with an offer that no media process takes until one says so. Each time it is another visitor: who calls again
    and again is refused for a while."""
    path = f"{url.replace('http', 'ws', 1)}/chat/{channel_id}/call"
    deadline = time.monotonic() + _READY_S
    told = ""
    while told != "bad_offer":
        assert time.monotonic() < deadline, f"the line does not answer: {told}"
        cookie = {"Cookie": visit(url, channel_id)}
        with connect(path, additional_headers=cookie, origin=Origin(url), proxy=None) as socket:
            socket.send(json.dumps({"type": "call", "sdp": "v=0 and nothing else"}))
            told = json.loads(socket.recv(timeout=10)).get("code", "")
        time.sleep(_LOOK_S)  # nobody is told when a process is ready
