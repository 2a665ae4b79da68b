"""The store of recordings: the same promises in a directory and in a bucket (moto's S3 server, over HTTP)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.errors import NotFound, OperatorError, Unavailable
from hub.store.files import Files
from hub.store.recordings import Recordings
from tests.support.bucket import BUCKET, run_bucket
from tests.support.postgres import find_free_port

pytestmark = pytest.mark.anyio

SOUND = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def bucket_url() -> Iterator[str]:
    with run_bucket() as url:
        yield url


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ACCESS_KEY_ID", "key"), ("SECRET_ACCESS_KEY", "secret"), ("REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)


@pytest.fixture
def in_bucket(bucket_url: str, keys: None, tmp_path: Path) -> Recordings:
    return Recordings(Files(tmp_path), f"s3://{BUCKET}/hub/calls", bucket_url)


@pytest.fixture
def in_directory(tmp_path: Path) -> Recordings:
    return Recordings(Files(tmp_path))


@pytest.fixture(params=["in_directory", "in_bucket"])
def store(request: pytest.FixtureRequest) -> Recordings:
    found: Recordings = request.getfixturevalue(request.param)
    return found


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*/*") if path.is_file()]


async def read(store: Recordings, key: str, start: int = 0, end: int = len(SOUND)) -> bytes:
    return b"".join([piece async for piece in store.read(key, start, end)])


async def test_what_is_written_comes_back_whole_and_in_parts(store: Recordings) -> None:
    key = store.new_key()
    await store.write(key, SOUND)
    assert await read(store, key) == SOUND
    assert await read(store, key, 1000, 1010) == SOUND[1000:1010]
    assert await read(store, key, len(SOUND) - 1, len(SOUND)) == SOUND[-1:]


async def test_a_large_one_comes_in_pieces(store: Recordings) -> None:
    key = store.new_key()
    await store.write(key, SOUND * 12)
    sizes = [len(piece) async for piece in store.read(key, 0, 12 * len(SOUND))]
    assert sum(sizes) == 12 * len(SOUND)
    assert max(sizes) <= 4 << 20
    assert len(sizes) > 3


async def test_writing_one_key_twice_keeps_the_second(store: Recordings) -> None:
    key = store.new_key()
    await store.write(key, b"first")
    await store.write(key, b"second")
    assert await read(store, key, 0, 6) == b"second"


async def test_what_is_deleted_is_gone_and_may_be_deleted_again(store: Recordings) -> None:
    key = store.new_key()
    await store.write(key, SOUND)
    await store.delete(key)
    await store.delete(key)
    with pytest.raises(NotFound):
        await read(store, key)


async def test_a_store_that_works_passes_its_check_and_keeps_nothing_of_it(store: Recordings, tmp_path: Path) -> None:
    await store.check()
    assert files_in(tmp_path) == []


async def test_what_was_stored_before_there_was_a_bucket_is_still_there(
    in_directory: Recordings, in_bucket: Recordings
) -> None:
    key = in_directory.new_key()
    await in_directory.write(key, SOUND)
    assert await read(in_bucket, key) == SOUND
    await in_bucket.delete(key)
    with pytest.raises(NotFound):
        await read(in_directory, key)


async def test_a_bucket_that_is_no_longer_named_is_away(in_directory: Recordings, in_bucket: Recordings) -> None:
    key = in_bucket.new_key()
    await in_bucket.write(key, SOUND)
    with pytest.raises(Unavailable) as told:
        await read(in_directory, key)
    assert told.value.code == "store_away"


@pytest.mark.parametrize("fault", ["nobody listens", "no such bucket"])
async def test_a_bucket_that_does_not_answer_is_away(bucket_url: str, keys: None, tmp_path: Path, fault: str) -> None:
    stores = {
        "nobody listens": Recordings(Files(tmp_path), f"s3://{BUCKET}", f"http://127.0.0.1:{find_free_port()}"),
        "no such bucket": Recordings(Files(tmp_path), "s3://nowhere", bucket_url),
    }
    store = stores[fault]
    for work in (store.write(store.new_key(), SOUND), store.check()):
        with pytest.raises(Unavailable) as told:
            await work
        assert (told.value.code, "secret" in told.value.message) == ("store_away", False)


async def test_a_full_disk_is_told_as_such(in_directory: Recordings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.store.files._FREE_BYTES_LIMIT", 1 << 60)
    with pytest.raises(OperatorError) as told:
        await in_directory.write(in_directory.new_key(), SOUND)
    assert told.value.code == "no_space"


@pytest.fixture
def no_directory(tmp_path: Path) -> Path:
    path = tmp_path / "files"
    path.write_text("no directory")
    return path


async def test_a_directory_that_cannot_be_written_is_away(no_directory: Path) -> None:
    store = Recordings(Files(no_directory))
    with pytest.raises(Unavailable) as told:
        await store.write(store.new_key(), SOUND)
    assert told.value.code == "store_away"
