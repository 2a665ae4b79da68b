"""The file store: what is written is whole, and what nobody names can be found again."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.errors import NotFound
from hub.store.files import Files

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def age(path: Path, days: float) -> None:
    moment = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (moment, moment))


def test_files_written_in_a_time_are_found_and_no_others(tmp_path: Path) -> None:
    files = Files(tmp_path)
    keys = [files.write(b"x") for _ in range(3)]
    for key, days in zip(keys, (0.5, 2, 20), strict=True):
        age(files.path(key), days)
    assert list(files.written_between(NOW - timedelta(days=8), NOW - timedelta(days=1))) == [keys[1]]


def test_what_a_crash_left_unfinished_is_found_and_deleted(tmp_path: Path) -> None:
    files = Files(tmp_path)
    part = tmp_path / "ab" / f"{'ab' * 20}.part"
    part.parent.mkdir()
    part.write_bytes(b"half")
    age(part, 2)
    (key,) = files.written_between(NOW - timedelta(days=8), NOW - timedelta(days=1))
    files.delete(key)
    assert not part.exists()


@pytest.mark.parametrize("key", ["../../etc/passwd", "ab/../cd", "", "ab/short"])
def test_a_key_that_is_none_leads_nowhere(tmp_path: Path, key: str) -> None:
    files = Files(tmp_path)
    files.delete(key)
    with pytest.raises(NotFound):
        files.path(key)
