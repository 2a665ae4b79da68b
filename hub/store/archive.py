"""A whole hub in one file: `hub backup --full FILE`, and what `hub restore FILE` takes back.

    hub-backup.json   what it is: format, when, which migration, which kind of database, whether the key is with it
    hub.db            a consistent copy of SQLite; or hub.dump, pg_dump's custom format, of PostgreSQL
    secret.key        only if asked for: whoever has it and the database opens every channel's secrets
    files/aa/key      attachments, sounds, recordings, files of imports
    end.json          how many files and bytes, and the database's SHA-256: without it the archive is not whole

A tar, so that any machine can look into it. The database is copied before the files: each file that it names was there
then, and what is deleted while files are copied had served its time. Recordings in a bucket are the bucket's to keep.

A restore reads the archive through before it changes anything. Then come the files, which never overwrite one another (a
key is random, and its file never changes), then the database, and last its secret key: where it stops before the database,
the old hub is still whole.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import select, text
from sqlalchemy.engine import URL, make_url

from hub.errors import Conflict, InvalidInput, Misconfigured
from hub.settings import Settings
from hub.store import backup
from hub.store.database import Tx, open_database
from hub.store.files import Files
from hub.store.migrate import migrate
from hub.store.stream import create_stream

FORMAT = 1
_HEAD, _END, _KEY_FILE = "hub-backup.json", "end.json", "secret.key"
_DATABASES = {"sqlite": "hub.db", "postgresql": "hub.dump"}
_FILE = re.compile(r"files/([0-9a-f]{2}/[0-9a-f]{40})")
_PIECE = 1 << 20
# What a small member may hold: nobody fills the memory with a head that is none.
_SMALL = 1 << 16

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Counted:
    """What an archive holds beside its database."""

    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Restored:
    """`kept`: where the SQLite file is that was there before. `has_other_key`: the channels' secrets were sealed with a key
    that this hub has not."""

    counted: Counted
    kept: Path | None
    has_other_key: bool


# --- into the archive -----------------------------------------------------------------------------------------------------


def back_up(settings: Settings, file: Path, *, with_key: bool = False, told: Told = lambda words: None) -> Counted:
    """FILE is whole or absent, and only its owner reads it. Misconfigured where a program is missing (pg_dump) or the key to
    be put in is not kept beside the database."""
    kept_key = settings.data_dir / _KEY_FILE
    if with_key and not _is_kept(settings):
        raise Misconfigured("the secret key is not kept in HUB_DATA_DIR: keep HUB_SECRET_KEY where you keep the backup")
    kind = "sqlite" if settings.is_sqlite else "postgresql"
    beside = file.with_name(file.name + ".part")
    try:
        with tempfile.TemporaryDirectory(prefix=".hub-backup-", dir=file.parent) as folder:
            database = Path(folder) / _DATABASES[kind]
            told("copying the database")
            _copy_database(settings, database)
            head = {
                "format": FORMAT,
                "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "migration": asyncio.run(_read_migration(settings)),
                "database": kind,
                "has_key": with_key,
                "key_print": _key_print(settings.secret_key),
            }
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as raw, tarfile.open(fileobj=raw, mode="w|") as tar:
                _add_text(tar, _HEAD, head)
                tar.add(database, arcname=database.name, recursive=False)
                if with_key:
                    tar.add(kept_key, arcname=_KEY_FILE, recursive=False)
                counted = _add_files(tar, settings.files_dir, told)
                end = {"files": counted.files, "bytes": counted.size_bytes, "sha256": _digest(database)}
                _add_text(tar, _END, end)
        with beside.open("rb") as written:
            os.fsync(written.fileno())
        beside.rename(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return counted


def _copy_database(settings: Settings, target: Path) -> None:
    if settings.is_sqlite:
        return backup.back_up(settings, target)
    _run_postgresql(settings, "pg_dump", "--format=custom", "--no-owner", f"--file={target}")
    return None


def _add_files(tar: tarfile.TarFile, directory: Path, told: Told) -> Counted:
    number = size = 0
    for path in sorted(directory.glob("*/*")):
        name = f"files/{path.parent.name}/{path.name}"
        if not _FILE.fullmatch(name):
            continue  # one that is being written, or no file of ours
        try:
            with path.open("rb") as source:
                info = tar.gettarinfo(arcname=name, fileobj=source)
                tar.addfile(info, source)
        except FileNotFoundError:
            continue  # its time came while we copied
        number, size = number + 1, size + info.size
        if number % 1_000 == 0:
            told(f"{number} files, {size >> 20} MiB")
    return Counted(number, size)


def _add_text(tar: tarfile.TarFile, name: str, content: dict[str, Any]) -> None:
    raw = json.dumps(content, indent=2).encode()
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(raw), 0o600, int(datetime.now(UTC).timestamp())
    tar.addfile(info, io.BytesIO(raw))


async def _read_migration(settings: Settings) -> str:
    database = open_database(settings.database_url)
    try:
        return await database.read(lambda tx: str(tx.scalar(text("SELECT version_num FROM alembic_version")) or ""))
    finally:
        await database.close()


# --- out of it ------------------------------------------------------------------------------------------------------------


def is_archive(file: Path) -> bool:
    return tarfile.is_tarfile(file)


def restore(settings: Settings, file: Path, *, replace: bool = False, told: Told = lambda words: None) -> Restored:
    """Puts it all in place. InvalidInput for what is not whole, or of another kind of database than this hub's; Conflict
    while a hub runs on SQLite, or where a PostgreSQL database holds a hub already and `replace` does not say that it goes."""
    told("reading the archive")
    head, counted = _check(file)
    kind = "sqlite" if settings.is_sqlite else "postgresql"
    if head["database"] != kind:
        raise InvalidInput(f"the backup is of {head['database']}, and HUB_DATABASE_URL is {kind}")
    if kind == "postgresql" and not replace and asyncio.run(_holds_a_hub(settings)):
        raise Conflict("the database holds a hub already: name an empty one, or say --replace", code="in_use")
    files = Files(settings.files_dir)
    kept: Path | None = None
    key: bytes | None = None
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".hub-restore-", dir=settings.data_dir) as folder:
        database = Path(folder) / _DATABASES[kind]
        done = 0
        for member, source in _members(file):
            found = _FILE.fullmatch(member.name)
            if found:
                files.put(found[1], source)
                done += 1
                if done % 1_000 == 0:
                    told(f"{done} of {counted.files} files")
            elif member.name == database.name:
                with database.open("wb") as target:
                    shutil.copyfileobj(source, target, _PIECE)
            elif member.name == _KEY_FILE:
                key = source.read(_SMALL)
        told("putting the database in place")
        if kind == "sqlite":
            kept = asyncio.run(backup.restore(settings, database))
        else:
            asyncio.run(_put_postgresql(settings, database))
    # Last: the database that was there, if it stays, needs the key that was there. One from the environment holds anyway.
    puts_key = key is not None and _is_kept(settings)
    if key is not None and puts_key:
        _put_key(settings.data_dir / _KEY_FILE, key)
    has_key = puts_key or head["key_print"] == _key_print(settings.secret_key)
    return Restored(counted, kept, not has_key)


def _is_kept(settings: Settings) -> bool:
    """Whether the key in force is the one in HUB_DATA_DIR, not one from the environment."""
    path = settings.data_dir / _KEY_FILE
    return path.exists() and path.read_text().strip() == settings.secret_key


def _check(file: Path) -> tuple[dict[str, Any], Counted]:
    """Reads all of it, once, and changes nothing."""
    try:
        return _read_through(file)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InvalidInput(f"{file} is not whole: {error}") from error


def _read_through(file: Path) -> tuple[dict[str, Any], Counted]:
    head: dict[str, Any] = {}
    end: dict[str, Any] = {}
    digest, number, size = "", 0, 0
    for member, source in _members(file):
        if member.name == _HEAD:
            head = _read_text(source)
        elif member.name == _END:
            end = _read_text(source)
        elif member.name in _DATABASES.values():
            digest = _digest_of(source)
        elif _FILE.fullmatch(member.name):
            number, size = number + 1, size + member.size
            while source.read(_PIECE):
                pass
        elif member.name != _KEY_FILE:
            raise InvalidInput(f"{file} is no backup of a hub: it holds {member.name!r}")
    if head.get("format") != FORMAT or head.get("database") not in _DATABASES:
        raise InvalidInput(f"{file} is no backup of a hub, or of a later release")
    if (end.get("files"), end.get("bytes"), end.get("sha256")) != (number, size, digest):
        raise InvalidInput(f"{file} is not whole: it ends early, or was changed")
    return head, Counted(number, size)


def _members(file: Path) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    with tarfile.open(file, mode="r|") as tar:
        for member in tar:
            source = tar.extractfile(member) if member.isreg() else None
            if source is None:
                raise InvalidInput(f"{file} is no backup of a hub: {member.name!r} is no plain file")
            yield member, source


def _read_text(source: IO[bytes]) -> dict[str, Any]:
    try:
        read = json.loads(source.read(_SMALL))
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _put_key(path: Path, key: bytes) -> None:
    """The key that was there is kept beside: what it sealed may still be wanted."""
    if path.exists():
        if path.read_bytes() == key:
            return
        path.rename(path.with_name(f"{path.name}.before-{datetime.now(UTC):%Y%m%d-%H%M%S}"))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)


# --- PostgreSQL -----------------------------------------------------------------------------------------------------------


async def _holds_a_hub(settings: Settings) -> bool:
    database = open_database(settings.database_url)
    try:
        return await database.read(lambda tx: tx.scalar(select(text("to_regclass('alembic_version')"))) is not None)
    finally:
        await database.close()


async def _put_postgresql(settings: Settings, dump: Path) -> None:
    database = open_database(settings.database_url)
    try:
        await database.transaction(_empty)
    finally:
        await database.close()
    whole = ("--no-owner", "--single-transaction", "--exit-on-error")
    await asyncio.to_thread(_run_postgresql, settings, "pg_restore", *whole, "--dbname=", str(dump))
    await migrate(settings.database_url)
    database = open_database(settings.database_url)
    try:
        await database.transaction(create_stream)
    finally:
        await database.close()


def _empty(tx: Tx) -> None:
    """Tables of an older or newer release, too: what is restored is all there is."""
    tx.execute(text("DROP SCHEMA public CASCADE"))
    tx.execute(text("CREATE SCHEMA public"))


def _run_postgresql(settings: Settings, program: str, *arguments: str) -> None:
    """The password goes by the environment: everybody on a machine may read arguments."""
    # A dump is written by a program of the server's release or a later one.
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), key=lambda each: int(each.parts[4]))
    path = str(debian[-1]) if debian else shutil.which(program)
    if path is None:
        raise Misconfigured(f"{program} is not installed: it comes with PostgreSQL's client programs")
    url = make_url(settings.database_url)
    plain = URL.create("postgresql", url.username, None, url.host, url.port, url.database).render_as_string()
    named = [f"--dbname={plain}" if each == "--dbname=" else each for each in arguments]
    command = [path, *named] if "--dbname=" in arguments else [path, *named, plain]
    environment = os.environ | ({"PGPASSWORD": url.password} if url.password else {})
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InvalidInput(f"{program}: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'failed'}")


# --- prints ---------------------------------------------------------------------------------------------------------------


def _key_print(secret_key: str) -> str:
    """Tells keys apart, and nothing of them: a hash of a long random word."""
    return hashlib.sha256(f"hub backup {secret_key}".encode()).hexdigest()[:16]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return _digest_of(file)


def _digest_of(source: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := source.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()
