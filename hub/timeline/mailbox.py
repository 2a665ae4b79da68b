"""How far each IMAP folder has been read, who reads it, and how it fares: the rows behind `timeline.fetching`.

A folder is read by one process at a time, which holds the lease of its row. What is written here counts only while the
lease is held: a process that was suspended and finds another in its place raises LeaseLost and stops.

    uid_validity 0    nobody has looked at it yet
    last_uid          every mail up to this one has been taken, or was none of ours to take
    newest_at         the server's date of the newest mail taken: where a search begins when the UIDs are no longer good
    began_at          mails that the server had before this were there before the hub, and are never taken
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, select, update

from hub.domain.states import ChannelHealth
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import channels

_m, _ch = tables.mailbox.c, tables.channel.c

# A mail that was passed over is said to be for so long, unless an administrator changes the account before: whoever looks
# after it may be on leave for two weeks, and a complaint that stood for longer would hide the next one from nobody who reads.
PASSED_OVER_SHOWN = timedelta(days=14)
PASSED_OVER = "mail_passed_over"

# A process that dies leaves its folders alone after so long; the lease is renewed well before.
LEASE = timedelta(seconds=60)


class LeaseLostError(Exception):
    """Another process reads the folder now."""


@dataclass(frozen=True, slots=True)
class Place:
    """One folder of one account, and who is reading it."""

    channel_id: str
    folder: str
    process: str


@dataclass(frozen=True, slots=True)
class Position:
    uid_validity: int
    last_uid: int
    newest_at: datetime | None
    began_at: datetime | None


@dataclass(frozen=True, slots=True)
class Marks:
    """What a mail is surely known by without reading it: a Message-ID alone is no proof, since some senders repeat them."""

    message_id: str
    sent_at: datetime
    sender: str


def take_lease(tx: Tx, place: Place) -> Position | None:
    """Where to go on reading; None while another process reads the folder."""
    key = {"channel_id": place.channel_id, "folder": place.folder}
    tx.execute(tx.insert_if_new(tables.mailbox).values(**key, uid_validity=0, last_uid=0, looked_at=tx.now))
    row = tx.first(select(tables.mailbox).where(_is(place)).with_for_update())
    assert row is not None
    is_held = row.leased_by not in (None, place.process) and row.lease_until is not None and row.lease_until > tx.now
    if is_held:
        return None
    tx.execute(update(tables.mailbox).where(_is(place)).values(leased_by=place.process, lease_until=tx.now + LEASE))
    return Position(row.uid_validity, row.last_uid, row.newest_at, row.began_at)


def renew_lease(tx: Tx, place: Place) -> None:
    _write(tx, place, lease_until=tx.now + LEASE)


def give_up_lease(tx: Tx, place: Place) -> None:
    """Another process may go on at once."""
    tx.execute(
        update(tables.mailbox).where(_is(place), _m.leased_by == place.process).values(leased_by=None, lease_until=None)
    )
    tx.wake("mailboxes")


def end_leases(tx: Tx) -> None:
    """At the start of the only process there is (SQLite): whoever holds a lease is dead."""
    tx.execute(update(tables.mailbox).values(leased_by=None, lease_until=None))


def begin(
    tx: Tx, place: Place, uid_validity: int, last_uid: int, newest_at: datetime, began_at: datetime | None
) -> Position:
    """The folder's UIDs are these from now on. Dates are the server's; none is believed that is still to come."""
    newest_at = min(newest_at, tx.now)
    began_at = None if began_at is None else min(began_at, tx.now)
    _write(
        tx,
        place,
        uid_validity=uid_validity,
        last_uid=last_uid,
        newest_at=newest_at,
        began_at=began_at,
        looked_at=tx.now,
    )
    return Position(uid_validity, last_uid, newest_at, began_at)


def advance(tx: Tx, place: Place, position: Position, last_uid: int, newest_at: datetime | None) -> Position:
    """Everything up to `last_uid` is stored."""
    dates = [at for at in (position.newest_at, newest_at) if at is not None]
    newest_at = min(max(dates), tx.now) if dates else None
    _write(tx, place, last_uid=last_uid, newest_at=newest_at, looked_at=tx.now)
    return Position(position.uid_validity, last_uid, newest_at, position.began_at)


def note_look(tx: Tx, place: Place) -> None:
    """There was nothing new."""
    _write(tx, place, looked_at=tx.now)


def find_known(tx: Tx, channel_id: str, marks: Collection[Marks]) -> set[Marks]:
    """Those that a mail of this account bears already."""
    mail = tables.mail.c
    query = select(mail.message_id, mail.sent_at, mail.senders).where(
        mail.channel_id == channel_id,
        mail.message_id.in_(sorted({each.message_id for each in marks})),
        mail.sent_at.is_not(None),
    )
    found = (Marks(row.message_id, row.sent_at, row.senders[0][0]) for row in tx.rows(query) if row.senders)
    return set(marks).intersection(found)


def note_passed_over(tx: Tx, place: Place, words: str) -> None:
    """A mail of the folder stays there and cannot be taken: `words` say which one, without anybody's address."""
    before = tx.first(select(_m.passed_over, _m.passed_over_at).where(_is(place)))
    if before is not None and _is_shown(tx, before.passed_over_at):
        words += " It was not the first one."
    _write(tx, place, passed_over=words, passed_over_at=tx.now)


def _find_passed_over(tx: Tx, channel_id: str) -> str | None:
    rows = tx.rows(
        select(_m.passed_over, _m.passed_over_at)
        .where(_m.channel_id == channel_id, _m.passed_over.is_not(None))
        .order_by(_m.passed_over_at.desc())
    )
    return next((row.passed_over for row in rows if _is_shown(tx, row.passed_over_at)), None)


def _is_shown(tx: Tx, passed_over_at: datetime | None) -> bool:
    return passed_over_at is not None and tx.now - passed_over_at < PASSED_OVER_SHOWN


def load_health(tx: Tx) -> dict[str, str]:
    """How fetching fares, by channel."""
    return {row.id: row.inbound_health for row in tx.rows(select(_ch.id, _ch.inbound_health))}


def set_health(
    tx: Tx, channel_id: str, health: ChannelHealth, code: str | None = None, detail: str | None = None
) -> ChannelHealth | None:
    """Tells everybody how fetching fares, if that is news; returns what was told. OK is said only when no mail was passed
    over lately."""
    if health is ChannelHealth.OK and (words := _find_passed_over(tx, channel_id)):
        health, code, detail = ChannelHealth.DEGRADED, PASSED_OVER, words
    row = tx.first(
        select(_ch.inbound_health, _ch.inbound_code, _ch.inbound_detail).where(_ch.id == channel_id).with_for_update()
    )
    # A server may put the same fault into other words each time; one mail more that was passed over is news.
    is_known = row is not None and (row.inbound_health, row.inbound_code) == (health.value, code)
    if row is None or (is_known and (code != PASSED_OVER or row.inbound_detail == detail)):
        return None
    values: dict[str, Any] = {
        "inbound_health": health.value,
        "inbound_code": code,
        "inbound_detail": detail,
        "version": _ch.version + 1,
    }
    if row.inbound_health != health.value:
        values["inbound_since"] = tx.now
    tx.execute(update(tables.channel).where(_ch.id == channel_id).values(**values))
    channels.tell(tx, channel_id)
    return health


def _is(place: Place) -> Any:
    return and_(_m.channel_id == place.channel_id, _m.folder == place.folder)


def _write(tx: Tx, place: Place, **values: object) -> None:
    done = tx.execute(update(tables.mailbox).where(_is(place), _m.leased_by == place.process).values(**values))
    if done.rowcount == 0:
        raise LeaseLostError
