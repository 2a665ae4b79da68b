"""`hub serve` has a media process beside it, which lives and dies with it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hub.errors import Misconfigured
from hub.media_child import media_beside
from hub.settings import load_settings
from tests.support.hub_process import HubProcess

_PATIENCE_S = 30.0


def _until(is_so: Callable[[], object], words: str) -> None:
    """What another process does, nobody tells."""
    deadline = time.monotonic() + _PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, f"it never came to be: {words}"
        time.sleep(0.05)


def _media_processes(data_dir: Path) -> list[int]:
    """Those whose environment names this data directory; `hub media` is in their command."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (path / "cmdline").read_bytes(), (path / "environ").read_bytes()
        except OSError:
            continue
        if b"\0media\0" in command and f"HUB_DATA_DIR={data_dir}\0".encode() in environment:
            found.append(int(path.name))
    return found


def _one(data_dir: Path) -> int:
    _until(lambda: len(_media_processes(data_dir)) == 1, "one media process runs")
    return _media_processes(data_dir)[0]


def _is_up(hub: HubProcess, times: int) -> bool:
    return hub.log.count("media.started") >= times


def test_a_media_process_that_died_is_started_again_and_ends_with_the_hub(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with HubProcess(["serve"], data_dir, media_url="", log_level="info") as hub:
        first = _one(data_dir)
        _until(lambda: _is_up(hub, 1), "it answers")
        os.kill(first, signal.SIGKILL)
        _until(lambda: _is_up(hub, 2), "another one answers")
        assert "media.died" in hub.log
        assert _one(data_dir) != first
        hub.stop()
        _until(lambda: not _media_processes(data_dir), "it has ended")


def test_a_hub_that_is_killed_leaves_no_media_process_behind(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with HubProcess(["serve"], data_dir, media_url="", log_level="info") as hub:
        _one(data_dir)
        _until(lambda: _is_up(hub, 1), "it answers")
        hub.kill()
        _until(lambda: not _media_processes(data_dir), "it has ended")


@pytest.mark.parametrize(("given", "address"), [("off", ""), ("http://media.test:8090", "http://media.test:8090")])
def test_none_is_started_where_another_is_named_or_none_is_wanted(tmp_path: Path, given: str, address: str) -> None:
    settings = replace(load_settings({"HUB_DATA_DIR": str(tmp_path)}), media_url=given)
    with media_beside(settings) as found:
        assert found.line_url == address
    assert _media_processes(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("HUB_MEDIA_CODEC", "g729", "must be opus or pcmu"),
        ("HUB_MEDIA_ADDRESSES", "127.0.0.1, media.test", "must be IP addresses"),
        ("HUB_MEDIA_PORTS", "5000", "must look like 40000-40999"),
        ("HUB_MEDIA_PORTS", "41000-40000", "must look like 40000-40999"),
        ("HUB_MEDIA_PUBLIC_ADDRESS", "hub.test", "must be an IP address"),
        ("HUB_MEDIA_CALLS", "many", "is not a number"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, name: str, value: str, words: str) -> None:
    with pytest.raises(Misconfigured, match=words):
        load_settings({"HUB_DATA_DIR": str(tmp_path), name: value})


def test_settings_of_the_media_process_are_read(tmp_path: Path) -> None:
    settings = load_settings(
        {
            "HUB_DATA_DIR": str(tmp_path),
            "HUB_MEDIA_ADDRESSES": "192.0.2.7, ::1",
            "HUB_MEDIA_PORTS": "40000-40999",
            "HUB_MEDIA_PUBLIC_ADDRESS": "198.51.100.1",
            "HUB_MEDIA_CODEC": "PCMU",
        }
    )
    assert settings.media_addresses == ("192.0.2.7", "::1")
    assert settings.media_ports == (40_000, 40_999)
    assert (settings.media_public_address, settings.media_codec) == ("198.51.100.1", "pcmu")
