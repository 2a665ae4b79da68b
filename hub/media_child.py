"""The media process of the hub's own line as a child of the hub: started with it, watched, ended with it.

    hub serve | demo ──start──▶ hub media --with-parent     on a free port of 127.0.0.1, the same one in all its lives

It is started where the extra `voice` is installed and HUB_MEDIA_URL is empty. A child that dies is started again, with
back-off; the calls it carried are over, which the hub finds out by asking. The child ends when its standard input does, so
it does not outlive a hub that was killed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from hub.settings import Settings
from hub.store.vault import Vault

if TYPE_CHECKING:
    from hub.media.process import Plan

log = logging.getLogger(__name__)

_FIRST_S, _LONGEST_S = 0.5, 30.0
# A child that lived so long was well: the next one is started at once.
_WELL_S = 60.0
_STOP_S = 10.0


def voice_is_installed() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("aiortc", "av"))


def plan_of(settings: Settings, host: str, port: int) -> Plan:
    # Late: it brings 30 MB, and only the media process needs it.
    from hub.media.peer import Addresses
    from hub.media.process import DEFAULT_CALLS, Plan

    return Plan(
        host,
        port,
        key=Vault(settings.secret_key).key("media"),
        data_dir=settings.data_dir,
        files_dir=settings.files_dir,
        codec=settings.media_codec,
        calls=settings.media_calls or DEFAULT_CALLS[settings.media_codec],
        addresses=Addresses(settings.media_addresses, settings.media_ports, settings.media_public_address),
    )


@contextlib.contextmanager
def media_beside(settings: Settings) -> Iterator[Settings]:
    """The settings with the address of the media process in them: one of our own, if it is to be, which lives as long as
    the block. Workers and children of this process get it as HUB_MEDIA_URL."""
    if settings.media_url or not voice_is_installed():
        yield settings
        return
    child = MediaChild()
    child.start()
    before = os.environ.get("HUB_MEDIA_URL")
    os.environ["HUB_MEDIA_URL"] = child.url
    try:
        yield replace(settings, media_url=child.url)
    finally:
        child.stop()
        if before is None:
            del os.environ["HUB_MEDIA_URL"]
        else:
            os.environ["HUB_MEDIA_URL"] = before


class MediaChild:
    """A thread that starts the process again whenever it ended."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._is_stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._watch = threading.Thread(target=self._keep_up, name="media child", daemon=True)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        self._process = self._spawn()
        self._watch.start()

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "hub", "media", "--with-parent", "--listen", f"127.0.0.1:{self._port}"]
        # A session of its own: Ctrl-C is for the hub, which ends it when its own calls are told.
        return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def _keep_up(self) -> None:
        delay_s = _FIRST_S
        while self._process is not None:
            began = time.monotonic()
            code = self._process.wait()
            if self._is_stopping.is_set():
                return
            log.error("media.died", extra={"code": code})
            if time.monotonic() - began > _WELL_S:
                delay_s = _FIRST_S
            if self._is_stopping.wait(delay_s):
                return
            delay_s = min(2 * delay_s, _LONGEST_S)
            with self._lock:
                if self._is_stopping.is_set():
                    return
                self._close_input()
                self._process = self._spawn()

    def _close_input(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def stop(self) -> None:
        with self._lock:
            self._is_stopping.set()
            self._close_input()
        if self._process is not None:
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._watch.join(_STOP_S)
