"""The event stream: reading it, following it, pruning it.

`seq` rises in the order of commits (store.database), so whoever has read up to a cursor finds everything later with
`seq > cursor`. A `Token` names a position together with the stream's epoch. A push is a hint; the rows between two tokens
are the truth. `Tail` is the one reader per process that follows the live end and hands batches on.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, func, insert, select, update

from hub.domain.events import FACT_KINDS
from hub.domain.values import Token
from hub.errors import DatabaseAway
from hub.store import tables
from hub.store.database import Database, Notice, Tx

log = logging.getLogger(__name__)

# One read of the stream takes at most so many events, so that reads finish in bounded steps.
READ_LIMIT = 1_000
# Without any notice the tail looks by itself this often: another process may have written (the command line on SQLite), or
# a notice may have been lost with its connection.
_LOOK_EVERY_S = 1.0
_RETRY_S = 0.5
# How many events one step of pruning looks at.
_PRUNE_STEP = 5_000

_e = tables.event.c
_READ = (
    select(_e.seq, _e.at, _e.kind, _e.topics, _e.unless, _e.body)
    .where(_e.seq > bindparam("cursor"))
    .order_by(_e.seq)
    .limit(bindparam("limit"))
)


@dataclass(frozen=True, slots=True)
class Stored:
    """One event as it was committed. `body` is its JSON, ready to be sent."""

    seq: int
    at: datetime
    kind: str
    topics: frozenset[str]
    unless: frozenset[str]
    body: str


def create_stream(tx: Tx) -> None:
    """A new life: called once for a fresh database, and after a restore (`hub restore`), which ends all old tokens."""
    tx.execute(delete(tables.stream))
    head = int(tx.scalar(select(func.coalesce(func.max(_e.seq), 0))))
    tx.execute(insert(tables.stream).values(id=1, epoch=secrets.token_hex(4), pruned_to=head))


def load_token(tx: Tx) -> Token:
    """The position that this transaction's snapshot shows."""
    row = tx.first(select(tables.stream.c.epoch, tables.stream.c.pruned_to))
    if row is None:
        raise DatabaseAway("the database has no stream yet: run `hub migrate`")
    head = tx.scalar(select(func.max(_e.seq)))
    return Token(row.epoch, max(row.pruned_to, head or 0))


def load_bounds(tx: Tx) -> tuple[Token, int]:
    """(head, pruned_to): a token is good when its epoch is the head's and pruned_to <= seq <= head.seq."""
    token = load_token(tx)
    return token, int(tx.scalar(select(tables.stream.c.pruned_to)) or 0)


def load_events(tx: Tx, cursor: int, limit: int = READ_LIMIT) -> list[Stored]:
    """Up to `limit` events after `cursor`, in order."""
    return [
        Stored(row.seq, row.at, row.kind, frozenset(row.topics.split()), frozenset(row.unless.split()), row.body)
        for row in tx.rows(_READ, {"cursor": cursor, "limit": limit})
    ]


def prune(tx: Tx, before: datetime) -> int:
    """Deletes screen events older than `before`, one bounded step; facts stay, every figure can be recomputed from them.
    Returns how far the step went (0: nothing left to do). Tokens up to there end in a resync."""
    pruned_to = int(tx.scalar(select(tables.stream.c.pruned_to)) or 0)
    window = select(_e.seq, _e.at).where(_e.seq > pruned_to).order_by(_e.seq).limit(_PRUNE_STEP).subquery()
    last = tx.scalar(select(func.max(window.c.seq)).where(window.c.at < before))
    if last is None:
        return 0
    tx.execute(delete(tables.event).where(_e.seq > pruned_to, _e.seq <= last, _e.kind.not_in(FACT_KINDS)))
    tx.execute(update(tables.stream).values(pruned_to=last))
    return int(last) - pruned_to


class Wakes:
    """Named wake-ups for background loops: `wait(name, timeout)` returns at a wake, or when the time is over."""

    def __init__(self) -> None:
        self._events: dict[str, asyncio.Event] = {}

    def _event(self, name: str) -> asyncio.Event:
        return self._events.setdefault(name, asyncio.Event())

    def set(self, name: str) -> None:
        self._event(name).set()

    async def wait(self, name: str, timeout_s: float | None) -> bool:
        """True if woken. A wake that came while nobody waited is not lost."""
        event = self._event(name)
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            return False
        event.clear()
        return True


Follower = Callable[[list[Stored]], None]


def load_epoch(tx: Tx) -> str:
    found = tx.scalar(select(tables.stream.c.epoch))
    if found is None:
        raise DatabaseAway("the database has no stream yet: run `hub migrate`")
    return str(found)


def _look(tx: Tx, cursor: int) -> tuple[str, list[Stored]]:
    return load_epoch(tx), load_events(tx, cursor)


class Tail:
    """Follows the live end of the stream and hands each batch to its followers, in order, on the event loop.

    A database that is away is waited for; the cursor stays, so nothing is skipped. One that was replaced under the running
    process (its epoch is another) is followed from its present end, and `on_new_life` callbacks hear of it. A follower must
    not raise and must not wait: it keeps or forwards.
    """

    def __init__(self, database: Database, wakes: Wakes) -> None:
        self._database = database
        self._wakes = wakes
        self._followers: list[Follower] = []
        self.on_new_life: list[Callable[[], None]] = []
        self.epoch = ""
        self.cursor = 0
        database.on_notice.append(self._noticed)

    def _noticed(self, notice: Notice) -> None:
        for name in notice.wakes:
            self._wakes.set(name)
        if notice.seq is not None:
            self._wakes.set("tail")

    def follow(self, follower: Follower) -> None:
        self._followers.append(follower)

    async def start(self) -> None:
        """Takes the present end as the place to begin; call before `run`."""
        token = await self._database.read(load_token)
        self.epoch, self.cursor = token.epoch, token.seq

    async def run(self) -> None:
        while True:
            try:
                epoch, events = await self._database.read(_look, self.cursor)
                if epoch != self.epoch:
                    await self._begin_anew()
                    continue
            except DatabaseAway as error:
                log.warning("stream.away", extra={"detail": error.message})
                await asyncio.sleep(_RETRY_S)
                continue
            if events:
                self.cursor = events[-1].seq
                for follower in self._followers:
                    follower(events)
            if len(events) < READ_LIMIT:
                await self._wakes.wait("tail", _LOOK_EVERY_S)

    async def _begin_anew(self) -> None:
        await self.start()
        log.warning("stream.new_life", extra={"epoch": self.epoch})
        for callback in self.on_new_life:
            callback()
