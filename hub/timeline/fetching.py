"""The loop that fetches mail: one watcher for each e-mail account that has an IMAP mailbox.

    lease of the folder → connect → catch up → wait (IDLE, or some seconds) → catch up → …

Catching up takes the mails above the last UID in their order. Each is stored and committed, then marked or moved if the
account says so, and only then does the last UID move on: whatever dies in between, the mail is fetched again, and the
intake knows it. Nothing is skipped while the database is away, and nothing is taken twice when the server numbers its
mails anew (UIDVALIDITY): then the folder is searched by date from a day before the newest mail taken, and what is surely
known already, by Message-ID, date and sender together, is left out; of everything else the intake knows whether it came
before.

A mail that is too large, or that three attempts could not bring over, is not lost and does not hold up the others: a
short one with its headers takes its place and says where the whole of it lies. Where not even that can be stored, the mail
is passed over: it stays as it is in the mailbox, neither marked nor moved, and the account's health says so for two weeks
or until its settings are saved again.

How an account fares is written to its channel when it changes, and logged then: once when it breaks, once when it heals.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from hub.channels.channel import CheckResult
from hub.channels.email import EmailChannel
from hub.channels.imap import AfterTaking, Folder, ImapAccount, ImapSession, Listed, read_account
from hub.channels.oauth import TokenSource
from hub.domain.states import ChannelHealth
from hub.errors import DatabaseAway, HubError, NotFound, OperatorError, ProviderError, Unavailable
from hub.mail.parse import MailUnreadable, parse_mail
from hub.store.database import Database
from hub.store.stream import Stored, Wakes
from hub.timeline import mailbox
from hub.timeline.adapters import Adapters
from hub.timeline.mailbox import LeaseLostError, Marks, Place, Position
from hub.timeline.mailroom import Mailroom, load_mail_channels
from hub.timeline.outbox import backoff_s

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

# RFC 2177 allows 29 minutes; routers forget a silent connection sooner (often after ten), so IDLE is begun anew earlier.
IDLE_S = 9 * 60.0
POLL_S = 30.0
# Three renewals may fail before a lease runs out.
RENEW_S = mailbox.LEASE.total_seconds() / 4
# How soon another process notices that a folder has become free without having been given up (that one wakes everybody).
_LEASE_LOOK_S = 10.0
_LOOK_EVERY_S = 30.0
_RETRY_S = 1.0
# What one round trip brings: enough that the line is not idle, little enough to lie in memory.
BATCH_BYTES, BATCH_COUNT = 4 << 20, 50
# So many mails are asked for their sizes at once.
_LIST_COUNT = 500
# Mails do not come into a folder exactly in the order of their dates; a day covers every queue that still delivers.
RECOVERY_MARGIN = timedelta(days=1)
# How many of a folder's last mails say how new its newest is.
_NEWEST_OF = 50
# A mail that fails so often is replaced by a note; if that fails as often again, it is passed over.
_TRIES = 3
# These will not go away by themselves: the account is down at once. Everything else may be a passing cloud.
_LASTING = frozenset(
    {"account_refused", "no_such_folder", "folder_read_only", "tls_failed", "misconfigured", "tls_required"}
)
# Providers renew it by themselves, again and again: that is no reason to begin anew.
_RENEWED = frozenset({"oauth_refresh_token"})
# The server's fault with one mail and not with the line.
_OF_ONE_MAIL = frozenset({"imap_error"})
_DOWN_AFTER = 5


@dataclass(frozen=True, slots=True)
class _Watched:
    """What a watcher was begun with; another one is begun when it changes."""

    imap: ImapAccount
    settings: tuple[tuple[str, str], ...]
    secrets: tuple[tuple[str, str], ...] = field(repr=False)


class MailFetcher:
    """`follow` is one of the stream's followers; `run` is the loop."""

    def __init__(
        self,
        database: Database,
        wakes: Wakes,
        adapters: Adapters,
        mailroom: Mailroom,
        *,
        process: str,
        mail_limit_bytes: int,
    ) -> None:
        self._database = database
        self._wakes = wakes
        self._adapters = adapters
        self._mailroom = mailroom
        self._process = process
        self._mail_limit_bytes = mail_limit_bytes
        self._watchers: dict[str, tuple[_Watched, Watcher, asyncio.Task[None]]] = {}

    def follow(self, events: list[Stored]) -> None:
        if any(event.kind == "channel.changed" for event in events):
            self._wakes.set("mailboxes")

    async def run(self) -> None:
        try:
            while True:
                try:
                    await self._look()
                except DatabaseAway:
                    await asyncio.sleep(_RETRY_S)
                    continue
                await self._wakes.wait("mailboxes", _LOOK_EVERY_S)
        finally:
            tasks = [task for _, _, task in self._watchers.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> None:
        """Watchers for the accounts there are now."""
        wanted: dict[str, tuple[_Watched, EmailChannel]] = {}
        faulty: set[str] = set()
        health = await self._database.read(mailbox.load_health)
        for channel_id in await self._database.read(load_mail_channels):
            try:
                channel = await self._adapters.get(channel_id)
                imap = read_account(channel.account)
            except NotFound:
                continue
            except DatabaseAway:
                raise
            except HubError as error:
                faulty.add(channel_id)
                await self._tell(channel_id, ChannelHealth.DOWN, error.code, error.message)
                continue
            if imap is not None and isinstance(channel, EmailChannel):
                settings, secrets = channel.account.settings, channel.account.secrets
                watched = _Watched(
                    imap,
                    tuple(sorted(settings.items())),
                    tuple(sorted((name, value) for name, value in secrets.items() if name not in _RENEWED)),
                )
                wanted[channel_id] = (watched, channel)
        for channel_id, (watched, _, task) in list(self._watchers.items()):
            if channel_id not in wanted or wanted[channel_id][0] != watched or task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                del self._watchers[channel_id]
                if channel_id not in wanted and channel_id not in faulty:
                    # Nothing is fetched here any more, so nothing is wrong with it.
                    await self._tell(channel_id, ChannelHealth.OK)
        for channel_id, (watched, channel) in wanted.items():
            if channel_id in self._watchers:
                watcher = self._watchers[channel_id][1]
                watcher.tokens = channel.oauth
                # It fails, and yet its channel is said to be well: somebody saved its settings, and wants to see it work.
                if not watcher.is_failing or health.get(channel_id) == ChannelHealth.OK.value:
                    watcher.kick()
                continue
            watcher = Watcher(
                self._database,
                self._mailroom,
                Place(channel_id, watched.imap.folder, self._process),
                watched.imap,
                channel.oauth,
                mail_limit_bytes=self._mail_limit_bytes,
            )
            task = asyncio.create_task(watcher.run(), name=f"mailbox {channel_id}")
            self._watchers[channel_id] = (watched, watcher, task)

    async def _tell(
        self, channel_id: str, health: ChannelHealth, code: str | None = None, detail: str | None = None
    ) -> None:
        if await self._database.transaction(mailbox.set_health, channel_id, health, code, detail):
            log.warning("mailbox.health", extra={"channel": channel_id, "health": health.value, "code": code})


class Watcher:
    """Reads one folder of one account for as long as it is let."""

    def __init__(
        self,
        database: Database,
        mailroom: Mailroom,
        place: Place,
        account: ImapAccount,
        tokens: TokenSource | None,
        *,
        mail_limit_bytes: int,
    ) -> None:
        self._database = database
        self._mailroom = mailroom
        self._place = place
        self._account = account
        # The adapter's of now: a new adapter is made when its account was changed in whatever way.
        self.tokens = tokens
        self._mail_limit_bytes = mail_limit_bytes
        self._kicked = asyncio.Event()
        self._failures_in_row = 0
        # Something went wrong with a batch: mails come one by one until the folder is read, so that it is seen which.
        self._is_careful = False
        self._tries: Counter[int] = Counter()
        # What is wrong though mails do come in: a folder to move them to that is missing.
        self._complaints: list[HubError] = []

    @property
    def is_failing(self) -> bool:
        return self._failures_in_row > 0

    def kick(self) -> None:
        """Another process may have let go of the folder, or somebody has seen to what was wrong: try now."""
        self._kicked.set()

    async def run(self) -> None:
        """Never returns; failures are told and tried again."""
        while True:
            try:
                position = await self._database.transaction(mailbox.take_lease, self._place)
                if position is None:
                    await self._pause(_LEASE_LOOK_S)
                    continue
                await self._read_under_lease(position)
            except DatabaseAway:
                await asyncio.sleep(_RETRY_S)
            except LeaseLostError:
                log.warning("mailbox.lease_lost", extra={"channel": self._place.channel_id})
            except Exception as error:
                if not isinstance(error, (HubError, OSError)):
                    log.exception("mailbox.fetch_failed", extra={"channel": self._place.channel_id})
                self._failures_in_row += 1
                with contextlib.suppress(DatabaseAway):
                    await self._tell_failure(error)
                await self._pause(backoff_s(self._failures_in_row, random.random()))

    async def _pause(self, timeout_s: float) -> None:
        self._kicked.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._kicked.wait()

    async def _read_under_lease(self, position: Position) -> None:
        reading = asyncio.create_task(self._read(position), name=f"read {self._place.channel_id}")
        keeping = asyncio.create_task(self._keep_lease(), name=f"lease of {self._place.channel_id}")
        try:
            done, _ = await asyncio.wait({reading, keeping}, return_when=asyncio.FIRST_COMPLETED)
            await done.pop()
        finally:
            for task in (reading, keeping):
                task.cancel()
            await asyncio.gather(reading, keeping, return_exceptions=True)
            with contextlib.suppress(DatabaseAway):
                await self._database.transaction(mailbox.give_up_lease, self._place)

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            # While the database is away nobody else can take the lease either.
            with contextlib.suppress(DatabaseAway):
                await self._database.transaction(mailbox.renew_lease, self._place)

    async def _read(self, position: Position) -> None:
        async with _connected(self._account, self.tokens) as (session, folder):
            position = await self._find_position(session, folder, position)
            while True:
                self._complaints.clear()
                position = await self._catch_up(session, position)
                self._is_careful = False
                self._tries.clear()
                self._failures_in_row = 0
                if self._complaints:
                    await self._tell(ChannelHealth.DEGRADED, self._complaints[0].code, self._complaints[0].message)
                else:
                    await self._tell(ChannelHealth.OK)
                await _in_thread(session, session.wait, IDLE_S if session.can_idle else POLL_S)

    # --- where to begin

    async def _find_position(self, session: ImapSession, folder: Folder, position: Position) -> Position:
        if position.uid_validity == folder.uid_validity:
            return position
        if position.uid_validity == 0:
            return await self._begin(session, folder)
        return await self._recover(session, folder, position)

    async def _begin(self, session: ImapSession, folder: Folder) -> Position:
        """The first look: only what comes from now on, or since the day that the account names."""
        now = self._database.clock()
        if self._account.since is not None:
            start = datetime.combine(self._account.since, datetime.min.time(), now.tzinfo)
            return await self._database.transaction(mailbox.begin, self._place, folder.uid_validity, 0, start, None)
        newest_at = None
        if folder.count:
            first = max(1, folder.uid_next - _NEWEST_OF)
            last = await _in_thread(session, session.list_mails, range(first, folder.uid_next))
            newest_at = max((mail.arrived_at for mail in last if mail.arrived_at is not None), default=now)
        return await self._database.transaction(
            mailbox.begin, self._place, folder.uid_validity, folder.uid_next - 1, newest_at or now, newest_at
        )

    async def _recover(self, session: ImapSession, folder: Folder, position: Position) -> Position:
        """The server numbers its mails anew. What is new is taken, what is known is not, and only when all of it is done
        are the new numbers believed: if it is cut short, it is done again."""
        log.warning("mailbox.uid_validity_changed", extra={"channel": self._place.channel_id})
        newest_at = position.newest_at or self._database.clock()
        floor = newest_at - RECOVERY_MARGIN
        # SINCE goes by the day in the server's own time zone.
        since = max(filter(None, ((floor - timedelta(days=1)).date(), self._account.since)))
        last_uid = 0
        while uids := await _in_thread(session, session.search, last_uid, since):
            last_uid = uids[-1]
            for some in _chunks([uid for uid in uids if uid < folder.uid_next], _LIST_COUNT):
                listed = [
                    mail
                    for mail in await _in_thread(session, session.list_mails, some)
                    if mail.arrived_at is None
                    or (mail.arrived_at >= floor and (position.began_at is None or mail.arrived_at > position.began_at))
                ]
                headers = await _in_thread(session, session.fetch_main_headers, [mail.uid for mail in listed])
                marks = await asyncio.to_thread(_read_marks, headers)
                known = await self._database.read(mailbox.find_known, self._place.channel_id, frozenset(marks.values()))
                unknown = [mail for mail in listed if marks.get(mail.uid) not in known]
                for batch in self._batches(unknown):
                    await self._take_batch(session, batch)
                newest_at = max([newest_at, *(mail.arrived_at for mail in unknown if mail.arrived_at is not None)])
        return await self._database.transaction(
            mailbox.begin, self._place, folder.uid_validity, folder.uid_next - 1, newest_at, position.began_at
        )

    # --- what is new

    async def _catch_up(self, session: ImapSession, position: Position) -> Position:
        before = position
        while uids := await _in_thread(session, session.search, position.last_uid, self._account.since):
            for some in _chunks(uids, _LIST_COUNT):
                # One that is gone meanwhile is not listed.
                for batch in self._batches(await _in_thread(session, session.list_mails, some)):
                    await self._take_batch(session, batch)
                    newest_at = max((mail.arrived_at for mail in batch if mail.arrived_at is not None), default=None)
                    position = await self._advance(position, batch[-1].uid, newest_at)
                if position.last_uid < some[-1]:
                    position = await self._advance(position, some[-1], None)
        if position is before:
            await self._database.transaction(mailbox.note_look, self._place)
        return position

    async def _advance(self, position: Position, last_uid: int, newest_at: datetime | None) -> Position:
        moved = await self._database.transaction(mailbox.advance, self._place, position, last_uid, newest_at)
        if self._failures_in_row:
            # It goes on, though there may be much left to catch up with.
            self._failures_in_row = 0
            await self._tell(ChannelHealth.OK)
        return moved

    def _batches(self, listed: Sequence[Listed]) -> list[list[Listed]]:
        """Neighbours that are fetched, and stored, together."""
        if self._is_careful:
            return [[mail] for mail in listed]
        batches: list[list[Listed]] = []
        size_bytes = 0
        for mail in listed:
            # One over the limit comes alone, for it does not come at all.
            if (
                not batches
                or size_bytes + mail.size_bytes > min(BATCH_BYTES, self._mail_limit_bytes)
                or len(batches[-1]) >= BATCH_COUNT
            ):
                batches.append([])
                size_bytes = 0
            batches[-1].append(mail)
            size_bytes += mail.size_bytes
        return batches

    async def _take_batch(self, session: ImapSession, batch: Sequence[Listed]) -> None:
        """Every mail of the batch is stored, and then marked or moved, when this returns. But one that cannot be stored at
        all stays as it is, and the account says so."""
        try:
            if len(batch) == 1 and (
                batch[0].size_bytes > self._mail_limit_bytes or self._tries[batch[0].uid] >= _TRIES
            ):
                await self._take_note(session, batch[0])
            else:
                await self._store(await self._fetch(session, [mail.uid for mail in batch]))
        except (DatabaseAway, OperatorError, LeaseLostError):
            raise
        except Exception as error:
            if not self._may_be_the_mail(error):
                raise
            self._is_careful = True
            if len(batch) > 1:
                raise
            uid = batch[0].uid
            self._tries[uid] += 1
            if self._tries[uid] < 2 * _TRIES:
                raise
            log.exception("mailbox.mail_passed_over", extra={"channel": self._place.channel_id, "uid": uid})
            await self._database.transaction(mailbox.note_passed_over, self._place, self._passed_over_words(batch[0]))
            return
        await self._after_taking(session, [mail.uid for mail in batch])

    def _passed_over_words(self, mail: Listed) -> str:
        came_at = (mail.arrived_at or self._database.clock()).astimezone(UTC)
        return (
            f"The mail that came at {came_at:%Y-%m-%d %H:%M:%S} UTC could not be taken into the hub, nor could a note about "
            f"it. It lies untouched in the folder {self._account.folder} of the mailbox: read it there."
        )

    async def _fetch(self, session: ImapSession, uids: Sequence[int]) -> list[bytes]:
        """The mails that are still there, in their order."""
        raws = await _in_thread(session, session.fetch, uids)
        missing = [uid for uid in uids if uid not in raws]
        still_there = await _in_thread(session, session.list_mails, missing)
        if still_there:
            raise Unavailable("the mail server lists a mail and does not give it", code="imap_error")
        return [raws[uid] for uid in uids if uid in raws]

    def _may_be_the_mail(self, error: Exception) -> bool:
        """Whether it is this mail's fault. A line that breaks says nothing of the kind, unless it does so again and again
        at the same mail: then a server dies of it."""
        return (
            not isinstance(error, ProviderError) or error.code in _OF_ONE_MAIL or self._failures_in_row >= _DOWN_AFTER
        )

    async def _store(self, raws: Sequence[bytes]) -> None:
        await self._mailroom.take_all(self._place.channel_id, raws, via="imap")

    async def _take_note(self, session: ImapSession, mail: Listed) -> None:
        headers = (await _in_thread(session, session.fetch_main_headers, [mail.uid])).get(mail.uid)
        if headers is None:
            return
        is_too_large = mail.size_bytes > self._mail_limit_bytes
        log.warning(
            "mailbox.mail_left", extra={"channel": self._place.channel_id, "uid": mail.uid, "too_large": is_too_large}
        )
        limit_bytes = self._mail_limit_bytes if is_too_large else None
        await self._store([write_note(headers, self._account.folder, mail.size_bytes, limit_bytes)])

    async def _after_taking(self, session: ImapSession, uids: Sequence[int]) -> None:
        try:
            if self._account.after is AfterTaking.SEEN:
                await _in_thread(session, session.mark_seen, uids)
            elif self._account.after is AfterTaking.MOVE:
                await _in_thread(session, session.move, uids, self._account.move_to)
        except ProviderError as error:
            if error.code not in ("no_such_folder", "imap_error"):
                raise
            # They are stored; that they lie where they lay must not keep the next ones away.
            self._complaints.append(error)

    # --- how it fares

    async def _tell_failure(self, error: Exception) -> None:
        code = error.code if isinstance(error, HubError) else "fetch_failed"
        detail = error.message if isinstance(error, HubError) else type(error).__name__
        if code in _LASTING or self._failures_in_row >= _DOWN_AFTER:
            await self._tell(ChannelHealth.DOWN, code, detail)
        elif self._failures_in_row > 1:
            # The first time may be a server that restarts: two seconds later it is there again.
            await self._tell(ChannelHealth.DEGRADED, code, detail)

    async def _tell(self, health: ChannelHealth, code: str | None = None, detail: str | None = None) -> None:
        channel_id = self._place.channel_id
        told = await self._database.transaction(mailbox.set_health, channel_id, health, code, detail)
        if told is ChannelHealth.OK:
            log.info("mailbox.healed", extra={"channel": channel_id})
        elif told is not None and health is not ChannelHealth.OK:
            log.warning("mailbox.failing", extra={"channel": channel_id, "health": health.value, "code": code})


def _read_marks(headers: Mapping[int, bytes]) -> dict[int, Marks]:
    """Of those mails that have all three."""
    marks: dict[int, Marks] = {}
    for uid, head in headers.items():
        # What cannot be read has no marks, and is fetched.
        with contextlib.suppress(MailUnreadable):
            mail = parse_mail(head)
            if mail.message_id and mail.sent_at and mail.senders:
                marks[uid] = Marks(mail.message_id, mail.sent_at, mail.senders[0].address)
    return marks


def write_note(headers: bytes, folder: str, size_bytes: int, limit_bytes: int | None) -> bytes:
    """A mail that stands in for one that stays in the mailbox: its own main headers, and where it is. `limit_bytes` None:
    it could not be brought over, whatever its size."""
    lines = [line for line in headers.replace(b"\r\n", b"\n").split(b"\n") if line]
    size = f"{size_bytes / (1 << 20):.1f} MB"
    if limit_bytes is None:
        why = f"[This mail ({size}) could not be read by the hub."
    else:
        why = f"[This mail is too large for the hub: {size}, and the limit is {limit_bytes / (1 << 20):.0f} MB."
    text = f"{why} It lies in the mailbox, in the folder {folder}.]"
    own = [
        b"MIME-Version: 1.0",
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Transfer-Encoding: 8bit",
        f"X-Hub-Stands-In-For: {size_bytes} bytes".encode(),
    ]
    return b"\r\n".join([*lines, *own, b"", text.encode(), b""])


def _chunks(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


async def check_mailbox(channel: EmailChannel) -> CheckResult | None:
    """Tries to sign in and to open the folder, changes nothing; None when the account fetches from nowhere."""
    try:
        account = read_account(channel.account)
        if account is None:
            return None
        async with _connected(account, channel.oauth) as (_, folder):
            return CheckResult("imap", True, "ok", f"{account.folder} holds {folder.count} mail(s)")
    except HubError as error:
        return CheckResult("imap", False, error.code, error.message)


# --- threads ------------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _connected(account: ImapAccount, tokens: TokenSource | None) -> AsyncIterator[tuple[ImapSession, Folder]]:
    """A session and its folder, open; signed out at the end, however it comes."""
    if account.is_oauth and tokens is None:
        raise Unavailable("nobody has signed in at the mail provider yet", code="account_refused")
    token = await tokens.access_token() if account.is_oauth and tokens is not None else None
    session = ImapSession(account)
    try:
        try:
            folder = await _in_thread(session, session.open, token)
        except ProviderError as error:
            if error.code == "account_refused" and tokens is not None and token is not None:
                tokens.forget(token)
            raise
        yield session, folder
    finally:
        await _in_thread(session, session.close)


async def _in_thread(session: ImapSession, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """A call of the session in a thread of its own: waiting for a mail takes minutes, for which the event loop's few
    threads are too good. Cancelled, it returns when the thread has let go of the session."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    def work() -> None:
        result, error = None, None
        try:
            result = function(*args, **kwargs)
        except BaseException as caught:
            error = caught
        # The loop may be gone when a server took its time.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, name=f"imap {session.account.host}", daemon=True).start()
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        session.interrupt()
        await asyncio.wait([future], timeout=1)
        if not future.done():
            session.abort()
            await asyncio.wait([future], timeout=1)
        raise
