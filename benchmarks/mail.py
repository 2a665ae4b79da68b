"""Mails: read, and read and stored, against the standard library's bare parse of the very same mails in the same run.

The mails are the corpus of the tests (tests/payloads/mail: real clients' habits in many languages, with and without HTML,
files and bounces), each again and again under a Message-ID of its own, so that every one is new. `parse` is
hub.mail.parse alone. `stored` is the whole way of a mail: read by the adapter, its message written as a file and synced,
one transaction with its customer, conversation, entry and events (SQLite at synchronous=FULL, PostgreSQL at fsync=on).
"""

from __future__ import annotations

import asyncio
import contextlib
import email
import gc
import itertools
import re
import tempfile
from collections.abc import Callable, Iterator
from email.policy import default
from pathlib import Path
from time import perf_counter

import uvloop

from benchmarks.report import Plan, Result, median
from benchmarks.world import lay_world
from hub.channels.channel import ChannelAccount
from hub.channels.email import EmailChannel
from hub.domain.values import ChannelKind
from hub.mail.parse import MailUnreadable, parse_mail
from hub.store.database import Database, Tx, open_database
from hub.store.files import Files
from hub.store.vault import Vault
from hub.timeline import channels
from hub.timeline.inbound import Intake
from tests.support.postgres import PostgresUnavailableError

CHANNEL_ID = "bench-mail"
_ADDRESS = "support@shop.test"
_CORPUS = Path(__file__).resolve().parent.parent / "tests" / "payloads" / "mail"
_SECONDS = 4.0
_REPEATS = 3
_CALLERS = (1, 20)
_MESSAGE_ID = re.compile(rb"^message-id:[^\n]*\n(?:[ \t][^\n]*\n)*", re.IGNORECASE | re.MULTILINE)


def _mails() -> Iterator[bytes]:
    """The corpus over and over, no two mails alike."""
    corpus = [_MESSAGE_ID.sub(b"", path.read_bytes(), count=1) for path in sorted(_CORPUS.glob("*.eml"))]
    assert corpus, f"there are no mails in {_CORPUS}"
    for number in itertools.count():
        yield b"Message-ID: <%d.bench@example.com>\r\n" % number + corpus[number % len(corpus)]


def run(plan: Plan) -> Result:
    return uvloop.run(_measure(plan))


async def _measure(plan: Plan) -> Result:
    result = Result("mail", "mails a second; floor: email.message_from_bytes (policy default) of the same mails")
    seconds, times = plan.seconds(_SECONDS), plan.times(_REPEATS)
    sample = list(itertools.islice(_mails(), 2_000))
    size = sum(map(len, sample)) / len(sample)
    floors = [_rate(_bare, sample, seconds) for _ in range(times)]
    parsed = [_rate(_parse, sample, seconds) for _ in range(times)]
    floor = median(floors)
    _add(result, "floor: bare parse", "–", floor, floor)
    _add(result, "parse_mail", "–", median(parsed), floor)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-bench-")))
        urls: dict[str, Callable[[], str]] = {
            "sqlite": lambda: f"sqlite:///{Path(tempfile.mkdtemp(dir=folder)) / 'hub.db'}"
        }
        try:
            from benchmarks.postgres import run_durable_postgres

            urls["postgresql"] = stack.enter_context(run_durable_postgres()).create_database
        except PostgresUnavailableError as error:
            result.notes.append(f"PostgreSQL was not measured: {error}")
        for (name, make_url), callers in itertools.product(urls.items(), _CALLERS):
            rates = []
            for _ in range(times):
                files = Files(Path(tempfile.mkdtemp(dir=folder)))
                rates.append(await _store(make_url(), files, callers, seconds))
            _add(result, f"stored, {name}", str(callers), median(rates), floor)
    result.notes.append(f"medians of {times} runs of {seconds:g} s; {size / 1000:.1f} kB a mail on average")
    return result


def _add(result: Result, what: str, callers: str, rate: float, floor: float) -> None:
    result.rows.append(
        {"what": what, "callers": callers, "mails_per_s": round(rate), "of_the_floor": round(rate / floor, 3)}
    )


def _rate(read: Callable[[bytes], object], sample: list[bytes], seconds: float) -> float:
    gc.collect()
    begun = perf_counter()
    for done, raw in enumerate(itertools.cycle(sample), 1):
        read(raw)
        if done % 50 == 0 and perf_counter() - begun >= seconds:
            return done / (perf_counter() - begun)
    raise AssertionError("an endless sample ended")


def _bare(raw: bytes) -> object:
    return email.message_from_bytes(raw, policy=default)


def _parse(raw: bytes) -> object:
    try:
        return parse_mail(raw, own_addresses=(_ADDRESS,))
    except MailUnreadable as error:
        return error


async def _store(url: str, files: Files, callers: int, seconds: float) -> float:
    await lay_world(url)
    database = open_database(url)
    try:
        await database.transaction(_lay_channel)
        return await _take(database, files, callers, seconds)
    finally:
        await database.close()


def _lay_channel(tx: Tx) -> None:
    channels.create_channel(
        tx,
        Vault("a-secret-key-for-benchmarks-only"),
        channel_id=CHANNEL_ID,
        kind=ChannelKind.EMAIL,
        name="Bench mail",
        queue_id=1,
        settings={"address": _ADDRESS},
        secrets={},
    )


async def _take(database: Database, files: Files, callers: int, seconds: float) -> float:
    channel = EmailChannel(ChannelAccount(CHANNEL_ID, ChannelKind.EMAIL, {"address": _ADDRESS}, {}))
    intake = Intake(database, files)
    mails = _mails()
    done = 0

    async def caller(deadline: float) -> None:
        nonlocal done
        while perf_counter() < deadline:
            arrivals = channel.parse_message(next(mails), received_at=database.clock(), via="bench")
            await intake.accept(CHANNEL_ID, arrivals)
            done += 1

    gc.collect()
    begun = perf_counter()
    await asyncio.gather(*(caller(begun + seconds) for _ in range(callers)))
    return done / (perf_counter() - begun)
