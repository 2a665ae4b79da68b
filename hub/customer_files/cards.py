"""Many lines to many cards at once: who is known already, what becomes of them, and all of it written by a few statements.

    keys of the lines (addresses, ids of another system) → who has them → new, same, changed or refused → rows

A line is of whoever has one of its keys. Of two different people it is nobody's: it is refused, and both are named. What an
earlier line of the same file has claimed counts as well, so of two equal lines the second meets the first.

Cards that screens may show are told of one by one; of all others one event names the ids, for the search index
(timeline.search_index). An import is no single act upon a customer, so webhooks hear nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select, update

from hub.agents.viewer import Viewer
from hub.customer_files.lines import Address, Line
from hub.domain.card import MOST_TAGS, merge_tags
from hub.domain.consent import CHANNELS_OF, Purpose
from hub.domain.events import FACTS, CustomersBrought
from hub.domain.sentences import Sentence
from hub.domain.states import ConversationStatus
from hub.domain.values import ContactKind
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import consents, customers

_cu, _cp, _r = tables.customer.c, tables.contact_point.c, tables.customer_reference.c
_c, _k = tables.conversation.c, tables.connection.c

# Columns of a card that a line can say something about, with what says that nothing is known.
_EMPTY: Mapping[str, Any] = {
    "name": "",
    "language": None,
    "note": "",
    "owner_id": None,
    "preferred_channel": None,
    "company": "",
    "job_title": "",
    "country": "",
    "region": "",
    "town": "",
    "district": "",
    "street": "",
    "postcode": "",
    "time_zone": "",
    "birthday": "",
    "source": "",
    "tags": None,
    "fields": None,
}
Key = tuple[str, str]
_REFERENCE = "external_id"


class Duplicates(StrEnum):
    """What becomes of a line whose customer is known: nothing, what is empty is filled in, or the line has the last word.
    Tags and addresses are only ever added; a consent that was refused stays so."""

    SKIP = "skip"
    FILL = "fill"
    OVERWRITE = "overwrite"


@dataclass(slots=True)
class Taken:
    """What became of some lines. `refused`: those with faults."""

    made: int = 0
    changed: int = 0
    same: int = 0
    refused: list[Line] = field(default_factory=list)


@dataclass(slots=True)
class Claims:
    """Keys that earlier lines of the file have, when nothing is written: a number of the key → the row of its line, negative,
    or the id of the customer who would get it. Numbers, since a file may have a million keys."""

    by_key: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Card:
    """One that is there (`id`), or will be (0); `is_stub`: it would be there if earlier lines had been written."""

    id: int
    row: int
    values: dict[str, Any]
    is_stub: bool = False
    is_unnamed: bool = False
    is_changed: bool = False
    is_renamed: bool = False
    # By which whoever has the card is reached already.
    points: list[Key] = field(default_factory=list)
    addresses: list[Address] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    # (an address, channel, purpose, allowed)
    said: list[tuple[Key, str, Purpose, bool]] = field(default_factory=list)

    @property
    def identity(self) -> int:
        return self.id or -self.row


def take(
    tx: Tx,
    lines: Sequence[Line],
    how: Duplicates,
    *,
    system: str,
    viewer: Viewer | None,
    by_id: int | None,
    import_id: int,
    claims: Claims | None = None,
) -> Taken:
    """Writes what the lines say; with `claims` nothing is written, and they are told from the earlier lines by it. `viewer`:
    whose customers these may be (None: anybody's). `system`: whose ids `external_id` holds."""
    taken = Taken()
    # A unit of work may be run again: what it finds wrong with a line stays inside.
    lines = [replace(line, faults=dict(line.faults)) for line in lines]
    sound = [line for line in lines if not line.faults]
    known = _find_cards(tx, sound, system, is_locked=claims is None)
    seen = _visible(tx, viewer, {card.id for card in known.values()})
    fresh: list[_Card] = []
    for line in lines:
        card = None if line.faults else _meet(line, known, claims, seen)
        if line.faults:
            taken.refused.append(line)
        elif card is None:
            made = _Card(0, line.number, dict(_EMPTY))
            made.values["name"] = line.default_name
            made.is_unnamed = True
            _apply(line, made, Duplicates.FILL, known, claims)
            fresh.append(made)
            taken.made += 1
        elif how is Duplicates.SKIP:
            taken.same += 1
        elif (fault := _too_many_tags(line, card)) is not None:
            line.faults[line.headings.get("tags", "tags")] = fault
            taken.refused.append(line)
        elif _apply(line, card, how, known, claims):
            taken.changed += 1
        else:
            taken.same += 1
    if claims is None:
        touched = {id(card): card for card in known.values() if card.id and not card.is_stub}
        _write(tx, fresh, list(touched.values()), system, by_id=by_id, import_id=import_id)
    return taken


# --- who is known ---------------------------------------------------------------------------------------------------------


def _keys(line: Line) -> list[Key]:
    keys = [address.key for address in line.addresses]
    return [*keys, (_REFERENCE, line.reference)] if line.reference else keys


def _find_cards(tx: Tx, lines: Iterable[Line], system: str, *, is_locked: bool) -> dict[Key, _Card]:
    """Key → the card of whoever has it, one object a customer."""
    wanted = {key for line in lines for key in _keys(line)}
    owners: dict[Key, int] = {
        key: reach.customer_id
        for key, reach in customers.find_reaches(tx, {key for key in wanted if key[0] != _REFERENCE}).items()
    }
    references = [value for kind, value in wanted if kind == _REFERENCE]
    if references:
        # Of a card that was merged into another it is the other one.
        living = func.coalesce(_cu.merged_into, _cu.id).label("living_id")
        query = select(_r.value, living).join(tables.customer, _cu.id == _r.customer_id)
        for row in tx.rows(query.where(_r.system == system, _r.value.in_(references))):
            owners[_REFERENCE, row.value] = row.living_id
    ids = sorted(set(owners.values()))
    if not ids:
        return {}
    query = select(tables.customer).where(_cu.id.in_(ids)).order_by(_cu.id)
    cards: dict[int, _Card] = {}
    for row in tx.rows(query.with_for_update() if is_locked else query):
        if row.merged_into is not None:
            # Between the look and the lock; what they had is the other one's by now.
            return _find_cards(tx, lines, system, is_locked=is_locked)
        cards[row.id] = _Card(row.id, 0, {name: row._mapping[name] for name in _EMPTY})
    called = select(_cp.customer_id, _cp.kind, _cp.address, _cp.removed_at).where(_cp.customer_id.in_(ids))
    for point in tx.rows(called):
        card = cards[point.customer_id]
        card.is_unnamed |= card.values["name"] == customers.default_name(ContactKind(point.kind), point.address)
        if point.removed_at is None:
            card.points.append((point.kind, point.address))
    return {key: cards[customer_id] for key, customer_id in owners.items() if customer_id in cards}


def _visible(tx: Tx, viewer: Viewer | None, ids: set[int]) -> set[int]:
    condition = None if viewer is None else customers.visible_to(viewer)
    if condition is None or not ids:
        return ids
    return {row.id for row in tx.rows(select(_cu.id).where(_cu.id.in_(ids), condition))}


def _meet(line: Line, known: dict[Key, _Card], claims: Claims | None, seen: set[int]) -> _Card | None:
    """Whose line it is; None: nobody's yet. Of two, or of somebody who is not to be seen, it gets faults."""
    found: dict[int, tuple[_Card, list[Key]]] = {}
    for key in _keys(line):
        card = known.get(key)
        if card is None and claims is not None and (claimed := claims.by_key.get(hash(key))) is not None:
            card = _Card(max(claimed, 0), max(-claimed, 0), dict(_EMPTY), is_stub=True)
        if card is not None:
            found.setdefault(card.identity, (card, []))[1].append(key)
    for card, keys in found.values():
        if card.id and not card.is_stub and card.id not in seen:
            line.faults[_heading(line, keys[0])] = Sentence("belongs to a customer you do not see")
        elif len(found) > 1:
            for key in keys:
                heading, told = _heading(line, key), _belongs(key, card)
                before = line.faults.get(heading)
                line.faults[heading] = told if before is None else Sentence.joined("; ", (before, told))
    return next((card for card, _ in found.values()), None)


def _belongs(key: Key, card: _Card) -> Sentence:
    if not card.id:
        return Sentence("{key} belongs to row {row}", key=key[1], row=card.row)
    if not card.values["name"]:
        return Sentence("{key} belongs to customer {id}", key=key[1], id=card.id)
    return Sentence("{key} belongs to {name} (customer {id})", key=key[1], name=card.values["name"], id=card.id)


def _heading(line: Line, key: Key) -> str:
    target = f"handle.{key[1].partition(':')[0]}" if key[0] == ContactKind.HANDLE.value else key[0]
    return line.headings.get(target, target)


# --- what becomes of a card -----------------------------------------------------------------------------------------------


def _tags(line: Line, card: _Card) -> list[str]:
    """Those of the card and what the line adds, which is nothing where only capital letters differ."""
    held = card.values["tags"] or ()
    known = {tag.casefold() for tag in held}
    return merge_tags(held, [tag for tag in line.tags if tag.casefold() not in known], ())


def _too_many_tags(line: Line, card: _Card) -> str | None:
    return (
        Sentence("would be more than {count} on the card", count=MOST_TAGS)
        if len(_tags(line, card)) > MOST_TAGS
        else None
    )


def _apply(line: Line, card: _Card, how: Duplicates, known: dict[Key, _Card], claims: Claims | None) -> bool:
    """What the line says, put into the card; whether that changes it."""
    before = card.is_changed
    # What an earlier line would have made is not here to be compared: it counts as changed.
    card.is_changed = card.is_stub
    values = card.values
    for name, value in line.facts.items():
        is_empty = values[name] in (None, "") or (name == "name" and card.is_unnamed)
        if (is_empty or how is Duplicates.OVERWRITE) and values[name] != value:
            card.is_changed = True
            card.is_renamed |= name == "name"
            values[name] = value
            card.is_unnamed &= name != "name"
    tags = _tags(line, card)
    if len(tags) > len(values["tags"] or ()):
        values["tags"], card.is_changed = tags, True
    held = values["fields"] or {}
    more = {
        key: value
        for key, value in line.fields.items()
        if held.get(key) != value and (how is Duplicates.OVERWRITE or held.get(key) is None)
    }
    if more:
        values["fields"], card.is_changed = {**held, **more}, True
    for key in _keys(line):
        if key in known or (claims is not None and hash(key) in claims.by_key):
            continue
        card.is_changed = True
        if claims is not None:
            claims.by_key[hash(key)] = card.identity
        known[key] = card
        if key[0] == _REFERENCE:
            card.references.append(key[1])
    card.addresses += [each for each in line.addresses if known.get(each.key) is card and each not in card.addresses]
    for (channel, purpose), is_allowed in line.said.items():
        about = [address.key for address in line.addresses if channel in CHANNELS_OF[address.kind]]
        if not about and not is_allowed:
            # Whoever forbids it and names no address means all they have.
            about = [key for key in card.points if channel in CHANNELS_OF[ContactKind(key[0])]]
        card.said += [(key, channel, purpose, is_allowed) for key in about]
    is_changed, card.is_changed = card.is_changed, card.is_changed or before
    return is_changed


# --- written --------------------------------------------------------------------------------------------------------------


def _write(
    tx: Tx, fresh: Sequence[_Card], touched: Sequence[_Card], system: str, *, by_id: int | None, import_id: int
) -> None:
    ids = tx.insert_many(tables.customer, [{**card.values, "created_at": tx.now} for card in fresh])
    for card, customer_id in zip(fresh, ids, strict=True):
        card.id = customer_id
    changed = {card.id for card in touched if card.is_changed}
    cards = [*fresh, *touched]
    points = _write_addresses(tx, cards)
    tx.insert_many(
        tables.customer_reference,
        [
            {"customer_id": card.id, "system": system, "value": value, "created_at": tx.now}
            for card in cards
            for value in card.references
        ],
    )
    said = [
        (points[key], channel, purpose, is_allowed)
        for card in cards
        for key, channel, purpose, is_allowed in card.said
        if key in points
    ]
    noted = consents.note_imported(tx, said, by_id=by_id)
    owner_of = {points[key]: card.id for card in touched for key, *_ in card.said if key in points}
    changed |= {owner_of[point_id] for point_id in noted if point_id in owner_of}
    versions = (
        {row.id: row.version for row in tx.rows(select(_cu.id, _cu.version).where(_cu.id.in_(changed)))}
        if changed
        else {}
    )
    tx.update_many(
        tables.customer,
        [{"id": card.id, **card.values, "version": versions[card.id] + 1} for card in touched if card.id in changed],
    )
    if ids or changed:
        tx.emit(CustomersBrought(import_id, (*ids, *sorted(changed))), {FACTS})
    _tell(tx, [card for card in touched if card.id in changed])


def _write_addresses(tx: Tx, cards: Sequence[_Card]) -> dict[Key, int]:
    """Key → id of all addresses of these cards' lines. One that was taken off the same card comes back as it was; of one that
    was taken off another, what was forbidden there holds on."""
    wanted = {address.key: (card, address) for card in cards for address in card.addresses}
    by_kind: dict[str, list[str]] = {}
    for kind, text in {*wanted, *(key for card in cards for key, *_ in card.said)}:
        by_kind.setdefault(kind, []).append(text)
    points: dict[Key, int] = {}
    former: dict[Key, Any] = {}
    for kind, addresses in by_kind.items():
        found = select(_cp.id, _cp.address, _cp.customer_id, _cp.removed_at).where(
            _cp.kind == kind, _cp.address.in_(addresses)
        )
        for row in tx.rows(found.order_by(_cp.id)):
            if row.removed_at is None:
                points[kind, row.address] = row.id
            elif (kind, row.address) in wanted:
                own = wanted[kind, row.address][0].id == row.customer_id
                former[kind, row.address] = (
                    row if own or (kind, row.address) not in former else former[kind, row.address]
                )
    fresh = []
    silenced: dict[Key, int] = {}
    for key, (card, address) in sorted(wanted.items()):
        if key in points:
            continue
        past = former.get(key)
        if past is not None and past.customer_id == card.id:
            tx.execute(update(tables.contact_point).where(_cp.id == past.id).values(removed_at=None))
            points[key] = past.id
            continue
        if past is not None:
            silenced[key] = past.id
        fresh.append((key, card, address))
    ids = tx.insert_many(
        tables.contact_point,
        [
            {
                "customer_id": card.id,
                "kind": key[0],
                "address": key[1],
                # Somebody else's word: nobody has written from there yet.
                "verified": False,
                "label": address.label,
                "created_at": tx.now,
            }
            for key, card, address in fresh
        ],
    )
    points |= {key: point_id for (key, _, _), point_id in zip(fresh, ids, strict=True)}
    for key, past_id in silenced.items():
        consents.carry_refusals(tx, past_id, points[key])
    return points


def _tell(tx: Tx, changed: Sequence[_Card]) -> None:
    """Screens that may show these cards: those with work, and those somebody looks at."""
    ids = [card.id for card in changed]
    if not ids:
        return
    open_work = select(_c.customer_id).where(_c.customer_id.in_(ids), _c.status == ConversationStatus.OPEN.value)
    at_work = {row.customer_id for row in tx.rows(open_work)}
    looked_at = {row.customer_id for row in tx.rows(select(_k.customer_id).where(_k.customer_id.in_(ids)))}
    for card in changed:
        if card.id in at_work and card.is_renamed:
            customers.tell_new_name(tx, card.id)
        if card.id in at_work or card.id in looked_at:
            customers.emit_customer(tx, card.id)
    if at_work:
        # A language or an owner may decide who is offered what waits.
        tx.wake("routing")
