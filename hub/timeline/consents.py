"""Consent, kept: what customers allowed and forbade us, when, how and by whose hand, and the check before anything is sent.

    STOP / START (inbound) ─┐
    an agent was told so ───┼─► note ─► a row of `consent`, for ever; of service in writing also contact_point.opted_out_at
    another system ─────────┘
    outbox.enqueue, dispatcher.open_conversation ─► check_may_write, check_may_call

There is one writer, so the column that senders read beside the address they write to never says anything else than the last
row. History is only added to; it stays with the address, whoever's card that address comes to stand on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from hub.domain.consent import CHANNELS_OF, How, Purpose, Word, is_allowed, refusal, written_channel
from hub.domain.sentences import Sentence
from hub.domain.values import ChannelKind, ContactKind
from hub.domain.views import ConsentView
from hub.errors import Conflict, InvalidInput, NotFound
from hub.store import tables
from hub.store.database import Tx

_k, _cp, _u = tables.consent.c, tables.contact_point.c, tables.user_account.c


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """A line of the history. `by_name`: who wrote it down (null: the customer's own word, or the hub)."""

    id: int
    contact_point_id: int
    contact_kind: ContactKind
    address: str
    channel: ChannelKind
    purpose: Purpose
    given: bool
    how: How
    by_id: int | None
    by_name: str | None
    note: str
    at: datetime


def load_standing(tx: Tx, contact_point_ids: Collection[int]) -> dict[int, tuple[ConsentView, ...]]:
    """The last word on each channel and purpose, where there is one, by contact point."""
    if not contact_point_ids:
        return {}
    last: dict[tuple[int, str, str], ConsentView] = {}
    for row in tx.rows(select(tables.consent).where(_k.contact_point_id.in_(contact_point_ids)).order_by(_k.id)):
        last[row.contact_point_id, row.channel, row.purpose] = ConsentView(
            channel=ChannelKind(row.channel),
            purpose=Purpose(row.purpose),
            given=row.given,
            how=How(row.how),
            by_id=row.by_id,
            note=row.note,
            at=row.at,
        )
    standing: dict[int, list[ConsentView]] = {}
    for (point_id, _, _), view in sorted(last.items(), key=lambda item: item[0]):
        standing.setdefault(point_id, []).append(view)
    return {point_id: tuple(views) for point_id, views in standing.items()}


def load_history(tx: Tx, customer_id: int, *, before: int | None, limit: int) -> list[ConsentRecord]:
    """Newest first, of all addresses the card has or had; `before` is the id of the last one already held."""
    query = (
        select(tables.consent, _cp.kind, _cp.address, _u.name.label("by_name"))
        .join(tables.contact_point, _cp.id == _k.contact_point_id)
        .outerjoin(tables.user_account, _u.id == _k.by_id)
        .where(_cp.customer_id == customer_id)
    )
    if before is not None:
        query = query.where(_k.id < before)
    return [
        ConsentRecord(
            id=row.id,
            contact_point_id=row.contact_point_id,
            contact_kind=ContactKind(row.kind),
            address=row.address,
            channel=ChannelKind(row.channel),
            purpose=Purpose(row.purpose),
            given=row.given,
            how=How(row.how),
            by_id=row.by_id,
            by_name=row.by_name,
            note=row.note,
            at=row.at,
        )
        for row in tx.rows(query.order_by(_k.id.desc()).limit(limit))
    ]


def note(
    tx: Tx,
    contact_point_id: int,
    *,
    channel: str,
    purpose: Purpose,
    given: bool,
    how: How,
    by_id: int | None = None,
    words: str = "",
) -> bool:
    """Writes down what was said; False if the same had been said in the same way already. Locks the contact point. Conflict
    `stop_stands` where only the customer's own START counts; InvalidInput for a channel that does not lead there."""
    point = tx.first(select(tables.contact_point).where(_cp.id == contact_point_id).with_for_update())
    if point is None:
        raise NotFound("there is no such contact point")
    kind = ContactKind(point.kind)
    if channel not in CHANNELS_OF[kind]:
        raise InvalidInput(
            "this channel does not reach that address",
            fields={"channel": Sentence("does not reach an address of this kind")},
        )
    last = _last_word(tx, contact_point_id, channel, purpose)
    if refusal(last, given, how) is not None:
        raise Conflict(
            "the customer sent STOP: only their own START lifts it",
            code="stop_stands",
            fields={"given": Sentence("STOP stands")},
        )
    if last == Word(given, how) and not words:
        return False
    tx.execute(
        insert(tables.consent).values(
            contact_point_id=contact_point_id,
            channel=channel,
            purpose=purpose.value,
            given=given,
            how=how.value,
            by_id=by_id,
            note=words,
            at=tx.now,
        )
    )
    if purpose is Purpose.SERVICE and channel == written_channel(kind) and (point.opted_out_at is None) is not given:
        tx.execute(
            update(tables.contact_point)
            .where(_cp.id == contact_point_id)
            .values(opted_out_at=None if given else tx.now)
        )
    return True


def note_imported(tx: Tx, said: Iterable[tuple[int, str, Purpose, bool]], *, by_id: int | None) -> set[int]:
    """Writes down what another system told of many addresses: (contact point, channel, purpose, allowed). A yes counts only
    where nobody has said anything yet, so that no import undoes a refusal; a no counts. Locks the contact points. Returns
    those of which anything was written."""
    wanted = list(said)
    ids = {point_id for point_id, *_ in wanted}
    if not ids:
        return set()
    query = select(_cp.id, _cp.kind, _cp.opted_out_at).where(_cp.id.in_(ids)).order_by(_cp.id).with_for_update()
    points = {row.id: row for row in tx.rows(query)}
    last: dict[tuple[int, str, str], bool] = {}
    for row in tx.rows(select(tables.consent).where(_k.contact_point_id.in_(ids)).order_by(_k.id)):
        last[row.contact_point_id, row.channel, row.purpose] = row.given
    rows: list[dict[str, Any]] = []
    silenced: set[int] = set()
    for point_id, channel, purpose, given in wanted:
        kind = ContactKind(points[point_id].kind)
        key = (point_id, channel, purpose.value)
        is_refused_already = purpose is Purpose.SERVICE and points[point_id].opted_out_at is not None
        if (
            channel not in CHANNELS_OF[kind]
            or (given and (key in last or is_refused_already))
            or last.get(key) is given
        ):
            continue
        last[key] = given
        rows.append(
            {
                "contact_point_id": point_id,
                "channel": channel,
                "purpose": purpose.value,
                "given": given,
                "how": How.IMPORT.value,
                "by_id": by_id,
                "note": "",
                "at": tx.now,
            }
        )
        if purpose is Purpose.SERVICE and not given and channel == written_channel(kind):
            silenced.add(point_id)
    tx.insert_many(tables.consent, rows)
    if silenced:
        quiet = update(tables.contact_point).where(_cp.id.in_(silenced), _cp.opted_out_at.is_(None))
        tx.execute(quiet.values(opted_out_at=tx.now))
    return {row["contact_point_id"] for row in rows}


def carry_refusals(tx: Tx, from_id: int, to_id: int) -> None:
    """What was forbidden at an address before it was taken off its card holds where the same address comes to stand by
    nobody's own doing: whoever is behind it may be the one who said so."""
    for each in load_standing(tx, [from_id]).get(from_id, ()):
        if not each.given:
            note(tx, to_id, channel=each.channel, purpose=each.purpose, given=False, how=each.how, words=each.note)


def note_keyword(tx: Tx, contact_point_id: int, *, given: bool) -> bool:
    """The customer sent STOP or START by the channel in which we write to them. STOP ends advertising, too; START does not
    begin it. Whether this changed what may be written."""
    point = tx.first(select(_cp.kind, _cp.opted_out_at).where(_cp.id == contact_point_id).with_for_update())
    channel = written_channel(ContactKind(point.kind)) if point is not None else None
    if point is None or channel is None or (given and point.opted_out_at is None):
        return False
    note(tx, contact_point_id, channel=channel, purpose=Purpose.SERVICE, given=given, how=How.KEYWORD)
    if not given and is_allowed(_last_word(tx, contact_point_id, channel, Purpose.MARKETING), Purpose.MARKETING):
        note(tx, contact_point_id, channel=channel, purpose=Purpose.MARKETING, given=False, how=How.KEYWORD)
    return (point.opted_out_at is None) is not given


def check_may_write(tx: Tx, contact_point_id: int) -> None:
    """Conflict `opted_out` if whoever is behind the contact point asked for silence, `address_removed` if it is nobody's any
    more."""
    point = tx.first(select(_cp.opted_out_at, _cp.removed_at).where(_cp.id == contact_point_id))
    if point is None:
        return
    if point.opted_out_at is not None:
        raise Conflict(
            "this customer asked not to be written to here",
            code="opted_out",
            fields={"text": Sentence("the customer opted out of this channel")},
        )
    if point.removed_at is not None:
        raise Conflict(
            "this address was taken off the customer's card",
            code="address_removed",
            fields={"text": Sentence("the address is not this customer's any more")},
        )


def check_may_try(tx: Tx, kind: ContactKind, address: str) -> None:
    """Conflict `opted_out` naming `address` if whoever is there asked for silence: a test is a message like others."""
    here = (_cp.kind == kind.value, _cp.address == address, _cp.opted_out_at.is_not(None))
    if tx.scalar(select(_cp.id).where(*here).limit(1)) is not None:
        fault = {"address": Sentence("whoever is there opted out of messages")}
        raise Conflict("whoever is there asked not to be written to", code="opted_out", fields=fault)


def check_may_try_call(tx: Tx, number: str) -> None:
    """Conflict `calls_refused` naming `address` if whoever is behind the number asked not to be called."""
    here = (_cp.kind == ContactKind.PHONE.value, _cp.address == number)
    for row in tx.rows(select(_cp.id).where(*here)):
        if not is_allowed(_last_word(tx, row.id, "phone", Purpose.SERVICE), Purpose.SERVICE):
            fault = {"address": Sentence("whoever is there asked not to be called")}
            raise Conflict("whoever is there asked not to be called", code="calls_refused", fields=fault)


def check_may_call(tx: Tx, contact_point_id: int) -> None:
    """Conflict `calls_refused` if whoever is behind the number asked not to be called, `address_removed` as above."""
    if tx.scalar(select(_cp.removed_at).where(_cp.id == contact_point_id)) is not None:
        raise Conflict("this number was taken off the customer's card", code="address_removed")
    if not is_allowed(_last_word(tx, contact_point_id, "phone", Purpose.SERVICE), Purpose.SERVICE):
        raise Conflict("this customer asked not to be called here", code="calls_refused")


def _last_word(tx: Tx, contact_point_id: int, channel: str, purpose: Purpose) -> Word | None:
    row = tx.first(
        select(_k.given, _k.how)
        .where(_k.contact_point_id == contact_point_id, _k.channel == channel, _k.purpose == purpose.value)
        .order_by(_k.id.desc())
        .limit(1)
    )
    return Word(row.given, How(row.how)) if row is not None else None
