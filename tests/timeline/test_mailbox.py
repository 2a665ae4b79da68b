"""Mail fetched from a real dovecot: each once, in its order, whatever happens to the server, the line, the database or us."""

from __future__ import annotations

import asyncio
import contextlib
import email
import imaplib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from hub.channels.channel import ChannelAccount, CheckResult
from hub.channels.email import EmailChannel
from hub.channels.imap import ImapAccount, ImapSession
from hub.channels.tls import Security
from hub.domain.states import ChannelHealth
from hub.domain.values import ChannelKind
from hub.errors import DatabaseAway
from hub.store import tables
from hub.store.database import Database, Tx, open_database
from hub.store.files import Files
from hub.store.notices import Notices
from hub.store.stream import Tail, Wakes, load_events
from hub.store.vault import Vault
from hub.timeline import channels, fetching, mailbox
from hub.timeline.adapters import Adapters
from hub.timeline.fetching import MailFetcher, check_mailbox, write_note
from hub.timeline.inbound import Intake
from hub.timeline.mailbox import Place
from hub.timeline.mailroom import Mailroom
from tests.support.clock import FrozenClock
from tests.support.dovecot import PASSWORD, Dovecot, make_folder, run_dovecot
from tests.support.running_hub import SECRET_KEY, Line, line_to

pytestmark = pytest.mark.anyio

BOX = "support@hub.test"
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with run_dovecot({BOX: PASSWORD}) as server:
        yield server


@pytest.fixture(scope="module")
def dovecot_without_idle() -> Iterator[Dovecot]:
    with run_dovecot({BOX: PASSWORD}, capability="IMAP4rev1 SASL-IR AUTH=PLAIN UIDPLUS MOVE") as server:
        yield server


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch, dovecot: Dovecot) -> None:
    monkeypatch.setattr(fetching, "backoff_s", lambda failures, chance: min(0.05 * failures, 0.2))
    monkeypatch.setattr(fetching, "POLL_S", 0.1)
    monkeypatch.setattr(fetching, "_RETRY_S", 0.05)
    dovecot.clear(BOX)


def mail(subject: str, *, message_id: str = "", body: str = "") -> bytes:
    message_id = message_id or f"{subject.replace(' ', '.')}@elsewhere.test"
    head = f"From: ani@elsewhere.test\r\nTo: {BOX}\r\nSubject: {subject}\r\nMessage-ID: <{message_id}>"
    return f"{head}\r\n\r\n{subject}{body}\r\n".encode()


def dated(raw: bytes, date: str) -> bytes:
    return f"Date: {date}\r\n".encode() + raw


@dataclass
class Hub:
    """One process' part that fetches mail."""

    database: Database
    process: str
    files_dir: Path
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self, *, limit_bytes: int = 1 << 20) -> None:
        wakes = Wakes()
        tail = Tail(self.database, wakes)
        adapters = Adapters(self.database, Vault(SECRET_KEY), "http://127.0.0.1:9")
        mailroom = Mailroom(self.database, adapters, Intake(self.database, Files(self.files_dir)))
        fetcher = MailFetcher(
            self.database, wakes, adapters, mailroom, process=self.process, mail_limit_bytes=limit_bytes
        )
        for follower in (adapters.follow, mailroom.follow, fetcher.follow):
            tail.follow(follower)
        await tail.start()
        loops = (tail.run(), fetcher.run(), Notices(self.database).run())
        self.tasks = [asyncio.create_task(loop) for loop in loops]

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        done = await asyncio.gather(*self.tasks, return_exceptions=True)
        # There are no notices to wait for on SQLite.
        assert all(each is None or isinstance(each, asyncio.CancelledError) for each in done), done

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def texts(self) -> list[str]:
        """The first words of what was taken, which are the subjects, in the order of the timeline."""
        e = tables.entry.c
        rows = await self.database.read(lambda tx: tx.rows(select(e.text).where(e.kind == "message").order_by(e.id)))
        return [row.text.partition("\n")[0] for row in rows]

    async def until(self, is_so: Callable[[], Awaitable[Any]]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not await is_so():  # noqa: ASYNC110 - the database rings no bell here
                await asyncio.sleep(0.01)

    async def until_texts(self, *texts: str) -> None:
        async def is_so() -> bool:
            with contextlib.suppress(DatabaseAway):
                return await self.texts() == list(texts)
            return False

        try:
            await self.until(is_so)
        except TimeoutError:
            raise AssertionError(f"{await self.texts()} instead of {list(texts)}") from None

    async def until_begun(self) -> None:
        """The folder was looked at: what comes from now on is taken."""

        async def is_so() -> bool:
            return any(row.uid_validity for row in await self.rows(tables.mailbox))

        await self.until(is_so)

    async def until_uid(self, uid: int) -> None:
        """Everything up to there is ticked off."""

        async def is_so() -> bool:
            return [row.last_uid for row in await self.rows(tables.mailbox)] == [uid]

        await self.until(is_so)

    async def until_health(self, health: ChannelHealth, code: str | None = None) -> None:
        async def is_so() -> bool:
            (row,) = await self.rows(tables.channel)
            return (row.inbound_health, row.inbound_code) == (health.value, code)

        await self.until(is_so)

    async def rows(self, table: Any) -> Sequence[Any]:
        return await self.database.read(lambda tx: tx.rows(select(table)))

    async def change_channel(self, **changes: Any) -> None:
        def change(tx: Tx) -> None:
            tx.execute(update(tables.channel).values(**changes))
            channels.tell(tx, "mail")

        await self.database.transaction(change)


def settings_of(dovecot: Dovecot, **more: str) -> dict[str, str]:
    return {
        "address": BOX,
        "imap_host": "127.0.0.1",
        "imap_port": str(dovecot.imap_port),
        "imap_security": "none",
        "imap_username": BOX,
        **more,
    }


async def lay(database: Database, settings: dict[str, str], password: str = PASSWORD) -> None:
    def work(tx: Tx) -> None:
        queue_id = tx.insert(tables.queue, {"name": "Support"})
        tx.execute(
            insert(tables.channel).values(
                id="mail",
                kind="email",
                name="Mail",
                queue_id=queue_id,
                settings=settings,
                secrets=Vault(SECRET_KEY).seal({"imap_password": password}),
                health_since=tx.now,
            )
        )

    await database.transaction(work)


@contextlib.asynccontextmanager
async def hub_on(url: str, files_dir: Path, process: str = "one") -> AsyncIterator[Hub]:
    database = open_database(url)
    hub = Hub(database, process, files_dir)
    try:
        yield hub
        await hub.stop()
    finally:
        for task in hub.tasks:
            task.cancel()
        await asyncio.gather(*hub.tasks, return_exceptions=True)
        await database.close()


@pytest.fixture
async def hub(sqlite_url: str, dovecot: Dovecot, tmp_path: Path) -> AsyncIterator[Hub]:
    """With the account `mail` that reads BOX; not started."""
    async with hub_on(sqlite_url, tmp_path) as made:
        await lay(made.database, settings_of(dovecot))
        yield made


async def deliver(dovecot: Dovecot, *raws: bytes) -> None:
    await asyncio.to_thread(dovecot.deliver_many, BOX, list(raws))


# --- what comes in


async def test_only_what_comes_after_the_first_look_is_taken(hub: Hub, dovecot: Dovecot) -> None:
    await deliver(dovecot, mail("before"))
    await hub.start()
    await hub.until_begun()
    await deliver(dovecot, mail("one"), mail("two"))
    await hub.until_texts("one", "two")
    assert dovecot.flags(BOX) == ["", "", ""]


async def test_mails_since_a_day_are_taken_at_the_first_look(hub: Hub, dovecot: Dovecot) -> None:
    await hub.change_channel(settings=settings_of(dovecot, imap_since="2026-05-02"))
    await asyncio.to_thread(append_on, dovecot, {1: "first of May", 2: "second of May", 3: "third of May"})
    await hub.start()
    await hub.until_texts("second of May", "third of May")
    await deliver(dovecot, mail("today"))
    await hub.until_texts("second of May", "third of May", "today")


async def test_idle_brings_a_mail_within_a_second(hub: Hub, dovecot: Dovecot) -> None:
    await hub.start()
    await hub.until_begun()
    # Once round: it idles now.
    await deliver(dovecot, mail("one"))
    await hub.until_texts("one")
    await deliver(dovecot, mail("two"))
    before = time.monotonic()
    await hub.until_texts("one", "two")
    assert time.monotonic() - before < 1


async def test_a_server_without_idle_is_asked_now_and_then(hub: Hub, dovecot_without_idle: Dovecot) -> None:
    dovecot_without_idle.clear(BOX)
    await hub.change_channel(settings=settings_of(dovecot_without_idle))
    await hub.start()
    await hub.until_begun()
    await deliver(dovecot_without_idle, mail("one"))
    await hub.until_texts("one")
    await deliver(dovecot_without_idle, mail("two"))
    await hub.until_texts("one", "two")


async def test_many_mails_come_in_their_order(hub: Hub, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "BATCH_COUNT", 7)
    monkeypatch.setattr(fetching, "_LIST_COUNT", 20)
    await hub.start()
    await hub.until_begun()
    await hub.stop()
    # Every tenth is large and is read in a thread.
    await deliver(dovecot, *(mail(f"{n:02d}", body="\n" + "long " * (20_000 if n % 10 == 5 else 1)) for n in range(60)))
    await hub.start()
    await hub.until_texts(*(f"{n:02d}" for n in range(60)))
    await hub.until_uid(60)


async def test_what_came_while_nobody_looked_is_taken_at_the_next_start(hub: Hub, dovecot: Dovecot) -> None:
    await hub.start()
    await hub.until_begun()
    await deliver(dovecot, mail("one"))
    await hub.until_texts("one")
    await hub.stop()
    await deliver(dovecot, mail("two"))
    await hub.start()
    await hub.until_texts("one", "two")


async def test_a_mail_that_was_stored_but_not_ticked_off_is_taken_once(
    hub: Hub, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a crash between the commit and the next one, which says how far it came."""
    await hub.start()
    await hub.until_begun()
    advance = mailbox.advance
    advanced = 0

    def crash_twice(*args: Any) -> Any:
        nonlocal advanced
        advanced += 1
        if advanced < 3:
            raise RuntimeError("crashed")
        return advance(*args)

    monkeypatch.setattr(mailbox, "advance", crash_twice)
    await deliver(dovecot, mail("one"), mail("two"))
    await hub.until_uid(2)
    assert advanced >= 3
    assert sorted(await hub.texts()) == ["one", "two"]


# --- UIDVALIDITY


async def uid_validity_changed(hub: Hub, dovecot: Dovecot) -> None:
    """Dovecot makes it from the clock: two within a second would be the same."""
    (row,) = await hub.rows(tables.mailbox)
    await asyncio.sleep(max(0, row.uid_validity + 1.1 - time.time()))
    dovecot.forget_uids(BOX)


async def test_new_uids_import_nothing_twice_and_lose_nothing(hub: Hub, dovecot: Dovecot) -> None:
    await deliver(dovecot, mail("before the hub"))
    await asyncio.sleep(1.1)  # the server's dates are whole seconds
    await hub.start()
    await hub.until_begun()
    await deliver(dovecot, mail("one"), mail("two"))
    await hub.until_texts("one", "two")
    await hub.stop()
    before = (await hub.rows(tables.mailbox))[0].uid_validity
    await uid_validity_changed(hub, dovecot)
    await deliver(dovecot, mail("three"))
    await hub.start()
    await hub.until_texts("one", "two", "three")
    await deliver(dovecot, mail("four"))
    await hub.until_texts("one", "two", "three", "four")
    await hub.until_uid(5)
    assert (await hub.rows(tables.mailbox))[0].uid_validity != before


async def test_new_uids_hide_no_new_mail_behind_an_old_ones_message_id(hub: Hub, dovecot: Dovecot) -> None:
    """Some senders give every mail the same one."""
    same = {"message_id": "1@shop.test"}
    await hub.start()
    await hub.until_begun()
    await deliver(
        dovecot, dated(mail("order one", **same), "Mon, 4 May 2026 10:00:00 +0400"), mail("undated one", **same)
    )
    await hub.until_texts("order one", "undated one")
    await hub.stop()
    await uid_validity_changed(hub, dovecot)
    await deliver(
        dovecot, dated(mail("order two", **same), "Mon, 4 May 2026 11:00:00 +0400"), mail("undated two", **same)
    )
    await hub.start()
    await hub.until_texts("order one", "undated one", "order two", "undated two")


async def test_new_uids_bring_nothing_over_again_that_is_surely_known(
    hub: Hub, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hub.start()
    await hub.until_begun()
    await deliver(dovecot, dated(mail("one"), "Mon, 4 May 2026 10:00:00 +0400"))
    await hub.until_texts("one")
    await hub.stop()
    await uid_validity_changed(hub, dovecot)
    await deliver(dovecot, dated(mail("two"), "Mon, 4 May 2026 10:00:00 +0400"))
    fetch, fetched = ImapSession.fetch, list[int]()

    def note(self: ImapSession, uids: Sequence[int]) -> dict[int, bytes]:
        fetched.extend(uids)
        return fetch(self, uids)

    monkeypatch.setattr(ImapSession, "fetch", note)
    await hub.start()
    await hub.until_texts("one", "two")
    assert len(fetched) == 1


async def test_new_uids_under_an_open_connection_are_noticed(hub: Hub, dovecot: Dovecot) -> None:
    await hub.start()
    await hub.until_begun()
    await deliver(dovecot, mail("one"))
    await hub.until_texts("one")
    await uid_validity_changed(hub, dovecot)
    await deliver(dovecot, mail("two"))
    await asyncio.to_thread(dovecot.stop)
    await asyncio.to_thread(dovecot.start)
    await hub.until_texts("one", "two")
    assert len(await hub.rows(tables.arrival)) == 2


async def test_new_uids_that_are_cut_short_are_looked_at_again(
    hub: Hub, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hub.start()
    await hub.until_begun()
    await deliver(dovecot, mail("one"))
    await hub.until_texts("one")
    await hub.stop()
    await uid_validity_changed(hub, dovecot)
    await deliver(dovecot, mail("two"), mail("three"))
    begin, begun = mailbox.begin, 0

    def crash_once(*args: Any) -> Any:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise RuntimeError("crashed")
        return begin(*args)

    monkeypatch.setattr(mailbox, "begin", crash_once)
    await hub.start()
    await hub.until_texts("one", "two", "three")

    async def is_begun() -> bool:
        return begun >= 2

    await hub.until(is_begun)
    await deliver(dovecot, mail("four"))
    await hub.until_texts("one", "two", "three", "four")


async def test_a_folder_that_was_made_anew_and_is_empty_goes_on(hub: Hub, dovecot: Dovecot) -> None:
    await hub.start()
    await hub.until_begun()
    await deliver(dovecot, mail("one"))
    await hub.until_texts("one")
    await hub.stop()
    (row,) = await hub.rows(tables.mailbox)
    await asyncio.sleep(max(0, row.uid_validity + 1.1 - time.time()))
    dovecot.clear(BOX)
    await hub.start()

    async def is_seen() -> bool:
        (now,) = await hub.rows(tables.mailbox)
        return bool(now.uid_validity != row.uid_validity)

    await hub.until(is_seen)
    await deliver(dovecot, mail("two"))
    await hub.until_texts("one", "two")


# --- what becomes of them in the mailbox


async def test_mails_are_marked_as_read_after_they_are_stored(hub: Hub, dovecot: Dovecot) -> None:
    await hub.change_channel(settings=settings_of(dovecot, imap_after="seen"))
    await deliver(dovecot, mail("before"))
    await hub.start()
    await hub.until_begun()
    await deliver(dovecot, mail("one"))

    async def is_marked() -> bool:
        return sorted(dovecot.flags(BOX)) == ["", "S"]

    await hub.until(is_marked)
    assert await hub.texts() == ["one"]


async def test_mails_are_moved_after_they_are_stored(hub: Hub, dovecot: Dovecot) -> None:
    await asyncio.to_thread(make_folder, dovecot, BOX, "Done")
    await hub.change_channel(settings=settings_of(dovecot, imap_after="move", imap_move_to="Done"))
    await hub.start()
    await hub.until_begun()
    await deliver(dovecot, mail("one"), mail("two"))

    async def are_moved() -> bool:
        return (len(dovecot.mails(BOX)), len(dovecot.mails(BOX, "Done"))) == (0, 2)

    await hub.until(are_moved)
    await hub.until_texts("one", "two")
    assert (await hub.rows(tables.channel))[0].inbound_health == "ok"


async def test_a_folder_to_move_to_that_is_missing_keeps_no_mail_away(hub: Hub, dovecot: Dovecot) -> None:
    await hub.change_channel(settings=settings_of(dovecot, imap_after="move", imap_move_to="Nowhere"))
    await hub.start()
    await hub.until_begun()
    await deliver(dovecot, mail("one"))
    await hub.until_health(ChannelHealth.DEGRADED, "no_such_folder")
    await hub.until_texts("one")
    assert len(dovecot.mails(BOX)) == 1


# --- mails that do not come over


async def test_a_mail_over_the_limit_leaves_a_note_and_stays_where_it_is(hub: Hub, dovecot: Dovecot) -> None:
    await hub.start(limit_bytes=50_000)
    await hub.until_begun()
    await deliver(dovecot, mail("one"), mail("huge", body="\n" + "x" * 200_000), mail("two"))
    note = "[This mail is too large for the hub: 0.2 MB, and the limit is 0 MB. It lies in the mailbox, in the folder INBOX.]"
    await hub.until_texts("one", note, "two")
    assert len(dovecot.mails(BOX)) == 3


async def test_a_mail_that_the_server_lists_and_does_not_give_leaves_a_note(
    hub: Hub, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = ImapSession.fetch
    monkeypatch.setattr(
        ImapSession, "fetch", lambda self, uids: {uid: raw for uid, raw in fetch(self, uids).items() if uid != 2}
    )
    await hub.start()
    await hub.until_begun()
    await deliver(dovecot, mail("one"), mail("withheld"), mail("three"))
    note = "[This mail (0.0 MB) could not be read by the hub. It lies in the mailbox, in the folder INBOX.]"
    await hub.until_texts("one", note, "three")


async def test_a_mail_that_is_gone_before_it_is_fetched_is_passed_over(
    hub: Hub, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody deletes it between our look at the list and our asking for it."""
    fetch, asked = ImapSession.fetch, 0

    def delete_first(self: ImapSession, uids: Sequence[int]) -> dict[int, bytes]:
        nonlocal asked
        asked += 1
        if asked == 1:
            with imaplib.IMAP4("127.0.0.1", dovecot.imap_port) as client:
                client.login(BOX, PASSWORD)
                client.select()
                client.uid("STORE", "2", "+FLAGS", r"(\Deleted)")
                client.expunge()
        return fetch(self, uids)

    monkeypatch.setattr(ImapSession, "fetch", delete_first)
    await hub.start()
    await hub.until_begun()
    await hub.stop()
    await deliver(dovecot, mail("one"), mail("deleted"), mail("three"))
    await hub.start()
    await hub.until_texts("one", "three")
    await hub.until_uid(3)


@pytest.fixture
def _poisonous(monkeypatch: pytest.MonkeyPatch) -> None:
    """The adapter fails at mails with this word, as if it had a bug."""
    parse_message = EmailChannel.parse_message

    def fail(self: EmailChannel, raw: bytes, **more: Any) -> Any:
        if b"POISON" in raw:
            raise ZeroDivisionError
        return parse_message(self, raw, **more)

    monkeypatch.setattr(EmailChannel, "parse_message", fail)


@pytest.mark.usefixtures("_poisonous")
async def test_a_mail_that_cannot_be_taken_leaves_a_note_and_holds_up_nobody(hub: Hub, dovecot: Dovecot) -> None:
    await hub.start()
    await hub.until_begun()
    await deliver(dovecot, mail("one"), mail("bad", body="POISON"), mail("two"))
    note = "[This mail (0.0 MB) could not be read by the hub. It lies in the mailbox, in the folder INBOX.]"
    await hub.until_texts("one", note, "two")
    await hub.until_health(ChannelHealth.OK)


@pytest.mark.usefixtures("_poisonous")
async def test_a_mail_whose_note_cannot_be_taken_either_stays_where_it_is_and_the_channel_says_so(
    hub: Hub, dovecot: Dovecot
) -> None:
    await asyncio.to_thread(make_folder, dovecot, BOX, "Done")
    settings = settings_of(dovecot, imap_after="move", imap_move_to="Done")
    await hub.change_channel(settings=settings)
    await hub.start()
    await hub.until_begun()
    await deliver(dovecot, mail("one"), mail("POISON"), mail("two"))
    await hub.until_texts("one", "two")
    await hub.until_uid(3)
    await hub.until_health(ChannelHealth.DEGRADED, "mail_passed_over")
    (row,) = await hub.rows(tables.channel)
    assert re.search(r"came at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC .* the folder INBOX ", row.inbound_detail)
    assert "@" not in row.inbound_detail
    assert len(dovecot.mails(BOX, "Done")) == 2
    (left,) = dovecot.mails(BOX)
    assert b"POISON" in left

    # Neither the next mail nor a new beginning makes one forget it; an administrator who saves the settings does.
    await deliver(dovecot, mail("three"))
    await hub.until_texts("one", "two", "three")
    await hub.restart()
    await deliver(dovecot, mail("four"))
    await hub.until_texts("one", "two", "three", "four")
    await hub.until_uid(5)
    await hub.until_health(ChannelHealth.DEGRADED, "mail_passed_over")
    await hub.database.transaction(
        channels.update_channel, vault=Vault(SECRET_KEY), channel_id="mail", settings=settings, secrets={}
    )
    await deliver(dovecot, mail("five"))
    await hub.until_uid(6)
    await hub.until_health(ChannelHealth.OK)


async def test_a_mail_passed_over_is_said_for_two_weeks_and_after_worse_things(
    database: Database, clock: FrozenClock
) -> None:
    place = Place("mail", "INBOX", "one")

    async def health(told: ChannelHealth, code: str | None = None) -> tuple[str, str | None, str | None]:
        await database.transaction(mailbox.set_health, "mail", told, code)
        (row,) = await database.read(lambda tx: tx.rows(select(tables.channel)))
        return row.inbound_health, row.inbound_code, row.inbound_detail

    await lay(database, {"address": BOX})
    await database.transaction(mailbox.take_lease, place)
    await database.transaction(mailbox.note_passed_over, place, "The first lies there.")
    assert await health(ChannelHealth.OK) == ("degraded", "mail_passed_over", "The first lies there.")
    assert await health(ChannelHealth.DOWN, "account_refused") == ("down", "account_refused", None)
    clock.advance(86_400)
    await database.transaction(mailbox.take_lease, place)
    await database.transaction(mailbox.note_passed_over, place, "The second lies there.")
    second = "The second lies there. It was not the first one."
    assert await health(ChannelHealth.OK) == ("degraded", "mail_passed_over", second)
    clock.advance(14 * 86_400)
    assert await health(ChannelHealth.OK) == ("ok", None, None)


# --- servers and lines that come and go


async def test_a_server_that_restarts_is_found_again(hub: Hub, dovecot: Dovecot) -> None:
    await hub.start()
    await hub.until_begun()
    await deliver(dovecot, mail("one"))
    await hub.until_texts("one")
    await asyncio.to_thread(dovecot.stop)
    await hub.until_health(ChannelHealth.DOWN, "unreachable")
    await asyncio.to_thread(dovecot.start)
    await deliver(dovecot, mail("two"))
    await hub.until_texts("one", "two")
    await hub.until_health(ChannelHealth.OK)


async def test_a_line_that_is_cut_heals_by_itself(hub: Hub, dovecot: Dovecot) -> None:
    line = Line(dovecot.imap_port)
    await line.mend()
    await hub.change_channel(settings=settings_of(dovecot, imap_port=str(line.port)))
    await hub.start()
    await hub.until_begun()
    await line.cut()
    await deliver(dovecot, mail("one"))
    await hub.until_health(ChannelHealth.DOWN, "unreachable")
    await line.mend()
    await hub.until_texts("one")
    await hub.until_health(ChannelHealth.OK)
    told = [event.body for event in await hub.database.read(load_events, 0) if event.kind == "channel.changed"]
    assert '"inbound_code":"unreachable"' in told[-2]
    assert '"inbound_health":"ok"' in told[-1]
    # It may have looked a little ill before it was down, but it was not told again and again.
    assert len(told) <= 6
    await hub.stop()
    await line.cut()
    hub.tasks.clear()


async def test_a_password_that_was_wrong_is_told_and_a_new_one_is_tried_at_once(hub: Hub, dovecot: Dovecot) -> None:
    vault = Vault(SECRET_KEY)
    await hub.change_channel(secrets=vault.seal({"imap_password": "wrong"}))
    await hub.start()
    await hub.until_health(ChannelHealth.DOWN, "account_refused")
    await hub.change_channel(secrets=vault.seal({"imap_password": PASSWORD}))
    await hub.until_health(ChannelHealth.OK)


async def test_a_box_without_tls_far_away_is_not_even_tried(hub: Hub, dovecot: Dovecot) -> None:
    await hub.change_channel(settings=settings_of(dovecot, imap_host="mail.hub.test"))
    await hub.start()
    await hub.until_health(ChannelHealth.DOWN, "tls_required")


async def test_accounts_come_and_go_while_it_runs(hub: Hub, dovecot: Dovecot) -> None:
    await hub.start()
    await hub.until_begun()
    await hub.change_channel(enabled=False)

    async def is_left_alone() -> bool:
        (row,) = await hub.rows(tables.mailbox)
        return row.leased_by is None

    await hub.until(is_left_alone)
    await deliver(dovecot, mail("one"))
    await hub.change_channel(enabled=True)
    await hub.until_texts("one")


async def test_a_token_that_the_provider_renews_ends_no_connection(hub: Hub, dovecot: Dovecot) -> None:
    await hub.start()
    await hub.until_begun()
    await deliver(dovecot, mail("one"))
    await hub.until_texts("one")
    signed_in = dovecot.log.count("Login: user=")
    renewed = {"imap_password": PASSWORD, "oauth_refresh_token": "another"}
    await hub.change_channel(secrets=Vault(SECRET_KEY).seal(renewed))
    await deliver(dovecot, mail("two"))
    await hub.until_texts("one", "two")
    assert dovecot.log.count("Login: user=") == signed_in
    await hub.change_channel(secrets=Vault(SECRET_KEY).seal({**renewed, "imap_password": "wrong"}))
    await hub.until_health(ChannelHealth.DOWN, "account_refused")


# --- several processes, a database that is away


async def test_of_two_processes_one_reads_and_the_other_takes_over(
    postgresql_url: str, dovecot: Dovecot, tmp_path: Path
) -> None:
    async with hub_on(postgresql_url, tmp_path) as one, hub_on(postgresql_url, tmp_path, "two") as two:
        await lay(one.database, settings_of(dovecot))
        await one.start()
        await one.until_begun()
        signed_in = dovecot.log.count("Login: user=")
        await two.start()
        await deliver(dovecot, mail("one"))
        await one.until_texts("one")
        assert [row.leased_by for row in await one.rows(tables.mailbox)] == ["one"]
        assert dovecot.log.count("Login: user=") == signed_in
        await one.stop()
        await deliver(dovecot, mail("two"))

        async def is_taken_over() -> bool:
            return [row.leased_by for row in await two.rows(tables.mailbox)] == ["two"]

        await two.until(is_taken_over)
        await two.until_texts("one", "two")
        one.tasks.clear()


async def test_the_folder_of_a_process_that_died_is_free_when_its_lease_is_over(
    postgresql_url: str, dovecot: Dovecot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_LEASE_LOOK_S", 0.05)
    async with hub_on(postgresql_url, tmp_path) as hub:
        await lay(hub.database, settings_of(dovecot))
        dead = Place("mail", "INBOX", "dead")
        await hub.database.transaction(mailbox.take_lease, dead)
        await hub.start()
        assert await hub.database.transaction(mailbox.take_lease, Place("mail", "INBOX", "other")) is None

        def age(tx: Tx) -> None:
            tx.execute(update(tables.mailbox).values(lease_until=tx.now - timedelta(seconds=1)))

        await hub.database.transaction(age)
        await hub.until_begun()
        with pytest.raises(mailbox.LeaseLostError):
            await hub.database.transaction(mailbox.renew_lease, dead)


async def test_a_process_that_lost_its_lease_stops_reading(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "RENEW_S", 0.05)
    await hub.start()
    await hub.until_begun()

    def steal(tx: Tx) -> None:
        tx.execute(update(tables.mailbox).values(leased_by="thief", lease_until=tx.now + timedelta(seconds=60)))

    await hub.database.transaction(steal)
    await asyncio.sleep(0.2)  # two renewals
    (row,) = await hub.rows(tables.mailbox)
    assert row.leased_by == "thief"


async def test_mail_waits_for_a_database_that_is_away(postgresql_url: str, dovecot: Dovecot, tmp_path: Path) -> None:
    async with line_to(postgresql_url) as (line, url), hub_on(url, tmp_path) as hub:
        await lay(hub.database, settings_of(dovecot))
        await hub.start()
        await hub.until_begun()
        await deliver(dovecot, mail("one"))
        await hub.until_texts("one")
        await line.cut()
        await deliver(dovecot, mail("two"), mail("three"))
        await asyncio.sleep(0.5)  # it hears of them, and cannot store them
        await line.mend()
        await hub.until_texts("one", "two", "three")


# --- the administrator's test button


async def test_an_account_is_tried_without_touching_it(hub: Hub, dovecot: Dovecot) -> None:
    await deliver(dovecot, mail("one"))
    account = ChannelAccount("mail", ChannelKind.EMAIL, settings_of(dovecot), {"imap_password": PASSWORD})
    assert await check_mailbox(EmailChannel(account)) == CheckResult("imap", True, "ok", "INBOX holds 1 mail(s)")
    wrong = await check_mailbox(EmailChannel(replace(account, secrets={"imap_password": "wrong"})))
    assert wrong is not None
    assert (wrong.ok, wrong.code) == (False, "account_refused")
    assert await check_mailbox(EmailChannel(replace(account, settings={"address": BOX}))) is None
    assert dovecot.flags(BOX) == [""]
    # Google's sign-in was begun and not finished: there is no token to show, and dovecot is not bothered.
    unfinished = await check_mailbox(
        EmailChannel(replace(account, settings=settings_of(dovecot, oauth_provider="google")))
    )
    assert unfinished is not None
    assert unfinished.code == "account_refused"


# --- parts


def test_a_note_keeps_the_headers_that_bring_it_to_its_place() -> None:
    headers = b"From: ani@elsewhere.test\r\nReferences: <a@hub.test>\r\n <b@hub.test>\r\nSubject: Photos\r\n\r\n"
    note = email.message_from_bytes(write_note(headers, "INBOX", 60 << 20, 40 << 20))
    assert (note["From"], note["Subject"]) == ("ani@elsewhere.test", "Photos")
    assert note["References"].split() == ["<a@hub.test>", "<b@hub.test>"]
    assert "60.0 MB, and the limit is 40 MB" in note.get_payload()


# --- what this file needs of dovecot beside its support


def _session(dovecot: Dovecot) -> ImapSession:
    session = ImapSession(ImapAccount("127.0.0.1", dovecot.imap_port, Security.NONE, BOX, PASSWORD))
    session.open()
    return session


def append_on(dovecot: Dovecot, days: dict[int, str]) -> None:
    session = _session(dovecot)
    for day, subject in days.items():
        session._connected().append("INBOX", mail(subject), msg_time=datetime(2026, 5, day, 12, tzinfo=UTC))
    session.close()
