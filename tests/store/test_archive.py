"""A whole hub in one file: what was there is there again, and what is not whole is refused before anything changes."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from hub.errors import Conflict, InvalidInput, Misconfigured
from hub.settings import Settings, load_settings
from hub.store import archive
from hub.store.database import Tx, open_database
from hub.store.files import Files
from hub.store.migrate import migrate
from hub.store.tables import organisation

pytestmark = pytest.mark.anyio


def settings_for(monkeypatch: pytest.MonkeyPatch, data_dir: Path, url: str | None) -> Settings:
    for name in [each for each in os.environ if each.startswith("HUB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HUB_DATA_DIR", str(data_dir))
    if url is not None:
        monkeypatch.setenv("HUB_DATABASE_URL", url)
        monkeypatch.setenv("HUB_SECRET_KEY", "k" * 40)
    return load_settings(port=8080)


async def name_house(settings: Settings, name: str) -> None:
    await migrate(settings.database_url)
    database = open_database(settings.database_url)
    await database.transaction(lambda tx: tx.execute(organisation.update().values(name=name)))
    await database.close()


async def house_name(settings: Settings) -> str:
    def read(tx: Tx) -> str:
        return str(tx.scalar(organisation.select().with_only_columns(organisation.c.name)))

    database = open_database(settings.database_url)
    found = await database.read(read)
    await database.close()
    return found


async def in_thread(work: object, *args: object, **kwargs: object) -> object:
    import asyncio

    return await asyncio.to_thread(work, *args, **kwargs)  # type: ignore[arg-type]


async def test_a_hub_is_there_again_with_its_files(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_sqlite = database_url.startswith("sqlite")
    here = settings_for(monkeypatch, tmp_path / "here", None if is_sqlite else database_url)
    await name_house(here, "Before")
    files = Files(here.files_dir)
    key, other = files.write(b"a picture"), files.write(b"")
    file = tmp_path / "hub.tar"
    counted = await in_thread(archive.back_up, here, file, with_key=is_sqlite)
    assert counted == archive.Counted(2, 9)
    assert file.stat().st_mode & 0o777 == 0o600
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".hub")]

    await name_house(here, "After")
    files.delete(key)
    if is_sqlite:
        # On a fresh machine, with another key of its own.
        there = settings_for(monkeypatch, tmp_path / "there", None)
        assert there.secret_key != here.secret_key
    else:
        there = here
        with pytest.raises(Conflict, match="holds a hub already"):
            await in_thread(archive.restore, there, file)
        assert await house_name(there) == "After"
    done = await in_thread(archive.restore, there, file, replace=True)
    assert isinstance(done, archive.Restored)
    assert (done.counted, done.has_other_key) == (archive.Counted(2, 9), False)
    assert await house_name(there) == "Before"
    restored = Files(there.files_dir)
    assert (restored.path(key).read_bytes(), restored.path(other).read_bytes()) == (b"a picture", b"")
    if is_sqlite:
        assert settings_for(monkeypatch, tmp_path / "there", None).secret_key == here.secret_key


async def test_what_is_not_whole_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = settings_for(monkeypatch, tmp_path / "here", None)
    await name_house(here, "Before")
    Files(here.files_dir).write(b"a picture" * 1000)
    file = tmp_path / "hub.tar"
    await in_thread(archive.back_up, here, file)
    await name_house(here, "After")
    whole = file.read_bytes()

    changed = bytearray(whole)
    changed[whole.index(b"Before")] ^= 1
    evil = io.BytesIO()
    with tarfile.open(fileobj=evil, mode="w") as tar:
        info = tarfile.TarInfo("files/../../escaped")
        tar.addfile(info, io.BytesIO(b""))
    link = io.BytesIO()
    with tarfile.open(fileobj=link, mode="w") as tar:
        info = tarfile.TarInfo("hub.db")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    for content in (whole[: len(whole) // 2], whole[:-20_480], bytes(changed), evil.getvalue(), link.getvalue()):
        file.write_bytes(content)
        with pytest.raises(InvalidInput):
            await in_thread(archive.restore, here, file)
    assert await house_name(here) == "After"
    assert not (tmp_path / "escaped").exists()


async def test_without_the_key_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = settings_for(monkeypatch, tmp_path / "here", None)
    await name_house(here, "Before")
    file = tmp_path / "hub.tar"
    await in_thread(archive.back_up, here, file)
    there = settings_for(monkeypatch, tmp_path / "there", None)
    done = await in_thread(archive.restore, there, file)
    assert isinstance(done, archive.Restored)
    assert done.has_other_key


async def test_a_hub_that_runs_keeps_its_database_and_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = settings_for(monkeypatch, tmp_path / "there", None)
    await name_house(there, "Theirs")
    file = tmp_path / "hub.tar"
    await in_thread(archive.back_up, there, file, with_key=True)
    here = settings_for(monkeypatch, tmp_path / "here", None)
    await name_house(here, "Ours")
    database = open_database(here.database_url)
    await database.read(lambda tx: tx.scalar(organisation.select()))
    with pytest.raises(Conflict, match="in use"):
        await in_thread(archive.restore, here, file)
    await database.close()
    assert await house_name(here) == "Ours"
    assert settings_for(monkeypatch, tmp_path / "here", None).secret_key == here.secret_key


async def test_a_key_from_the_environment_is_the_one_in_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = settings_for(monkeypatch, tmp_path / "there", None)
    await name_house(there, "Theirs")
    file = tmp_path / "hub.tar"
    await in_thread(archive.back_up, there, file, with_key=True)
    monkeypatch.setenv("HUB_SECRET_KEY", "e" * 40)
    monkeypatch.setenv("HUB_DATA_DIR", str(tmp_path / "here"))
    here = load_settings(port=8080)
    done = await in_thread(archive.restore, here, file)
    assert isinstance(done, archive.Restored)
    assert done.has_other_key
    with pytest.raises(Misconfigured, match="not kept"):
        await in_thread(archive.back_up, here, tmp_path / "second.tar", with_key=True)
