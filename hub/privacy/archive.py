"""All that is kept of a customer, as one ZIP: written while it is sent, page by page, so that memory holds a page.

    README.txt                    what is what, in the customer's language, else in that of whoever makes it
    customer.json                 card, addresses, consents, what they are called elsewhere, activities, tasks, merges
    timeline.html                 the card in words and everything that was said, to be read by people, in the same language;
                                  texts are text there. Its lines are those of a transcript (timeline.transcripts), and scores
    conversations/ID.json         the same for programs: lines, mails with their HTML, forms, calls, surveys with answers
    attachments/ID-name           files
    recordings/ID.ogg             calls and voice mails

Of others only what belongs to a conversation is in it: who took part in a mail, and who of the company wrote. Blind copies
are not. What colleagues wrote for each other (notes, the note on the card, of tasks and of calls) comes along only where it
is asked for: whether a customer may have it is not the same in every country.
"""

from __future__ import annotations

import asyncio
import html
import io
import json
import re
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from sqlalchemy import Row, Select, select, update

from hub.agents.viewer import Viewer
from hub.domain.fields import FieldKind, Subject
from hub.domain.states import AttachmentState
from hub.domain.values import Happening
from hub.domain.views import CustomFieldView, EntryView
from hub.errors import Conflict, NotFound, OperatorError, Unavailable
from hub.privacy import requests
from hub.privacy.words import Words, words_in
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.files import Files
from hub.store.recordings import Recordings
from hub.timeline import custom_fields, transcripts

_PAGE = 200
_PIECE_BYTES = 256 << 10
_SAFE = re.compile(r"[^\w.\- ]+")
# Of UTF-8: with what stands before it, a name is none too long for any file system (255).
_NAME_BYTES = 200

_d, _cu, _cp, _c = tables.data_request.c, tables.customer.c, tables.contact_point.c, tables.conversation.c
_e, _u = tables.entry.c, tables.user_account.c

# The page is opened from a disk, where no server says what it may do.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


@dataclass(frozen=True, slots=True)
class Wanted:
    """`ids`: the customer's card, and those that were found to be theirs as well. `head`: whose it is, in their language if
    it is one of ours, else in that of whoever makes it."""

    request_id: int
    ids: tuple[int, ...]
    head: transcripts.Head
    with_notes: bool
    made_at: datetime


def begin(tx: Tx, viewer: Viewer, request_id: int, *, with_notes: bool) -> Wanted:
    """Writes down that the file is made, before its first byte. Conflict `request_state` unless it is an open request for
    the data."""
    row = requests.lock(tx, viewer, request_id)
    if row.kind != "access" or row.state != "open":
        raise Conflict("this is no open request for a customer's data", code="request_state")
    tx.execute(update(tables.data_request).where(_d.id == row.id).values(made_at=tx.now, version=_d.version + 1))
    requests.note(tx, viewer, "file_made", row.id, row.living_id, kind=row.kind, with_notes=with_notes)
    followers = tx.rows(select(_cu.id).where(_cu.merged_into == row.living_id).order_by(_cu.id))
    ids = (row.living_id, *(each.id for each in followers))
    house, zone = transcripts.load_house(tx)
    spoken = tx.scalar(select(_cu.language).where(_cu.id == row.living_id))
    language = transcripts.language_of(spoken, viewer.language)
    head = transcripts.Head(house, row.customer_name, "", language, zone)
    return Wanted(row.id, ids, head, with_notes, tx.now)


class _Sink(io.RawIOBase):
    """What has been written and not yet sent. It cannot be sought in, so the archive is written from front to end."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, part: Any) -> int:
        self._held += part
        return len(part)

    def take(self) -> bytes:
        taken = bytes(self._held)
        self._held.clear()
        return taken


async def parts(database: Database, files: Files, recordings: Recordings, wanted: Wanted) -> AsyncIterator[bytes]:
    """The ZIP, piece by piece. A file that is gone meanwhile is named in `missing.txt`, not left out in silence."""
    sink, missing = _Sink(), []
    words = words_in(wanted.head.language)
    archive = ZipFile(sink, "w", ZIP_DEFLATED)

    async def add(name: str, source: AsyncIterator[bytes], how: int = ZIP_DEFLATED) -> AsyncIterator[bytes]:
        info = ZipInfo(name, wanted.made_at.timetuple()[:6])
        info.compress_type = how
        with archive.open(info, "w", force_zip64=True) as member:
            async for part in source:
                await asyncio.to_thread(member.write, part)
                if sent := sink.take():
                    yield sent
        yield sink.take()

    async for part in add("README.txt", _whole(_readme(words, wanted))):
        yield part
    card = await database.read(_load_card, wanted)
    async for part in add("customer.json", _whole(_dump(card, indent=1))):
        yield part
    async for part in add("timeline.html", _timeline(database, wanted, words, card)):
        yield part
    labels = await database.read(_load_labels, Subject.CONVERSATION)
    async for row in _pages(database, _conversations, wanted):
        async for part in add(f"conversations/{row.id}.json", _conversation(database, wanted, labels, row)):
            yield part
    async for row in _pages(database, _attachments, wanted):
        name = f"attachments/{row.id}-{_safe(row.name)}"
        try:
            path = files.path(row.file_key)
        except NotFound:
            missing.append(name)
            continue
        async for part in add(name, _read(path.open), ZIP_STORED):
            yield part
    async for row in _pages(database, _recordings, wanted):
        name = _recording(row)
        try:
            async for part in add(name, recordings.read(row.file_key, 0, row.size_bytes or 0), ZIP_STORED):
                yield part
        except (NotFound, OperatorError, Unavailable):
            missing.append(name)
    if missing:
        async for part in add("missing.txt", _whole("".join(f"{name}\n" for name in missing).encode())):
            yield part
    archive.close()
    yield sink.take()


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _read(opening: Callable[..., Any]) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(opening, "rb")
    try:
        while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
            yield piece
    finally:
        file.close()


def _safe(name: str) -> str:
    """As a file may be called anywhere; what it is of says the number before it."""
    return _SAFE.sub("_", name).strip(". ").encode()[-_NAME_BYTES:].decode(errors="ignore") or "file"


def _dump(value: Any, *, indent: int | None = None) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_as_json).encode(errors="replace")


def _as_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _recording(row: Row[Any]) -> str:
    return f"recordings/{row.id}.{(row.media_type or 'audio/ogg').partition('/')[2].partition(';')[0]}"


def _readme(words: Words, wanted: Wanted) -> bytes:
    zone = wanted.head.zone
    made_at = f"{wanted.made_at.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"
    lines = [words.title.format(name=wanted.head.customer_name), made_at, "", *words.contents]
    lines += [words.times.format(zone=zone.key), "", words.with_notes if wanted.with_notes else words.without_notes]
    return ("\n".join(lines) + "\n").encode(errors="replace")


# --- reading ------------------------------------------------------------------------------------------------------------


async def _pages(database: Database, query: Callable[[Wanted], Select[Any]], wanted: Wanted) -> AsyncIterator[Row[Any]]:
    """The rows of a query in the order of their ids, some at a time."""
    after = 0
    asked = query(wanted)
    key = asked.selected_columns["id"]

    def load(tx: Tx) -> Sequence[Row[Any]]:
        return tx.rows(asked.where(key > after).order_by(key).limit(_PAGE))

    while rows := await database.read(load):
        for row in rows:
            yield row
        after = rows[-1].id


def _conversations(wanted: Wanted) -> Select[Any]:
    return select(tables.conversation).where(_c.customer_id.in_(wanted.ids))


def _attachments(wanted: Wanted) -> Select[Any]:
    a = tables.attachment.c
    query = (
        select(a.id, a.name, a.file_key)
        .join(tables.entry, _e.id == a.entry_id)
        .join(tables.conversation, _c.id == _e.conversation_id)
        .where(_c.customer_id.in_(wanted.ids), a.file_key.is_not(None))
    )
    return query if wanted.with_notes else query.where(_e.kind != "note")


def _recordings(wanted: Wanted) -> Select[Any]:
    r, call = tables.recording.c, tables.call.c
    return (
        select(r.id, r.file_key, r.media_type, r.size_bytes)
        .join(tables.call, call.id == r.call_id)
        .join(tables.conversation, _c.id == call.conversation_id)
        .where(_c.customer_id.in_(wanted.ids), r.file_key.is_not(None), r.state == "stored")
    )


def _rows(tx: Tx, query: Select[Any], names: Collection[str]) -> list[dict[str, Any]]:
    return [{name: row._mapping[name] for name in names} for row in tx.rows(query)]


_CARD = (
    *("id", "name", "language", "created_at", "company", "job_title", "country", "region", "town", "district"),
    *("street", "postcode", "time_zone", "birthday", "source", "preferred_channel", "tier", "tags", "fields"),
)


def _load_card(tx: Tx, wanted: Wanted) -> dict[str, Any]:
    points, consent, reference = tables.contact_point, tables.consent, tables.customer_reference
    activity, task, merge, request = tables.activity, tables.task, tables.customer_merge, tables.data_request
    identity = tables.chat_identity
    note = ("note",) if wanted.with_notes else ()
    theirs = select(_cp.id).where(_cp.customer_id.in_(wanted.ids))
    cards = _rows(tx, select(tables.customer).where(_cu.id.in_(wanted.ids)).order_by(_cu.id), (*_CARD, *note))
    visitors = select(_cp.address).where(_cp.customer_id.in_(wanted.ids), _cp.kind == "chat")
    consents = select(consent).where(consent.c.contact_point_id.in_(theirs)).order_by(consent.c.id)
    merges = select(merge).where(merge.c.into_id.in_(wanted.ids), merge.c.undone_at.is_(None)).order_by(merge.c.id)
    labels = _load_labels(tx, Subject.CUSTOMER)
    for card in cards:
        card["field_labels"] = {key: labels[key] for key in card["fields"] or {} if key in labels}
    return {
        "customer": next(card for card in cards if card["id"] == wanted.ids[0]),
        "merged_cards": [card for card in cards if card["id"] != wanted.ids[0]],
        "merges": _rows(tx, merges, ("from_id", "into_id", "at", "reason")),
        "contact_points": _rows(
            tx,
            select(points).where(_cp.customer_id.in_(wanted.ids)).order_by(_cp.id),
            (
                *("id", "kind", "address", "label", "verified", "is_main", "opted_out_at", "bounced_at"),
                *("removed_at", "created_at"),
            ),
        ),
        "consents": _rows(tx, consents, ("contact_point_id", "channel", "purpose", "given", "how", "at", *note)),
        "references": _rows(
            tx, select(reference).where(reference.c.customer_id.in_(wanted.ids)), ("system", "value", "created_at")
        ),
        # What pages with a chat said of whoever was signed in there.
        "signed_in_as": _rows(
            tx,
            select(identity).where(identity.c.visitor_id.in_(visitors)).order_by(identity.c.created_at),
            ("channel_id", "subject", "told", "created_at"),
        ),
        "activities": _rows(
            tx,
            select(activity).where(activity.c.customer_id.in_(wanted.ids)).order_by(activity.c.at),
            ("source", "external_id", "kind", "title", "text", "amount", "currency", "url", "at"),
        ),
        "tasks": _rows(
            tx,
            select(task).where(task.c.customer_id.in_(wanted.ids)).order_by(task.c.id),
            ("id", "kind", "title", "due_at", "created_at", "outcome", "ended_at", *note),
        ),
        "data_requests": _rows(
            tx,
            select(request).where(request.c.customer_id.in_(wanted.ids)).order_by(request.c.id),
            ("id", "kind", "state", "asked_at", "due_at", "ended_at", "reason"),
        ),
    }


def _load_labels(tx: Tx, subject: Subject) -> dict[str, str]:
    """What custom fields are called, by their keys."""
    return {field.key: field.name for field in custom_fields.load_fields(tx, subject)}


_CONVERSATION = ("id", "channel_id", "subject", "status", "created_at", "resolved_at", "tags", "fields")
_LINE = ("id", "kind", "direction", "author_kind", "author_name", "at", "happening", "text", "delivery", "delivery_at")
_MAIL = ("kind", "message_id", "subject", "senders", "reply_to", "recipients", "cc", "sent_at", "spans", "html")


def _load_lines(tx: Tx, wanted: Wanted, conversation_id: int, after: tuple[datetime, int] | None) -> list[Row[Any]]:
    query = select(tables.entry).where(_e.conversation_id == conversation_id)
    if not wanted.with_notes:
        query = query.where(_e.kind != "note")
    if after is not None:
        query = query.where((_e.at > after[0]) | ((_e.at == after[0]) & (_e.id > after[1])))
    return list(tx.rows(query.order_by(_e.at, _e.id).limit(_PAGE)))


def _load_mails(tx: Tx, entry_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    m = tables.mail.c
    rows = tx.rows(select(tables.mail).where(m.entry_id.in_(entry_ids)))
    return {row.entry_id: {name: row._mapping[name] for name in _MAIL} for row in rows}


def _load_files(tx: Tx, entry_ids: Sequence[int]) -> dict[int, list[str]]:
    a = tables.attachment.c
    found: dict[int, list[str]] = {}
    stored = select(a.id, a.entry_id, a.name).where(a.entry_id.in_(entry_ids), a.file_key.is_not(None))
    for row in tx.rows(stored.order_by(a.id)):
        found.setdefault(row.entry_id, []).append(f"attachments/{row.id}-{_safe(row.name)}")
    return found


def _load_page(
    tx: Tx, wanted: Wanted, conversation_id: int, after: tuple[datetime, int] | None
) -> list[tuple[Row[Any], Mapping[str, Any] | None, list[str]]]:
    rows = _load_lines(tx, wanted, conversation_id, after)
    ids = [row.id for row in rows]
    mails, files = _load_mails(tx, ids), _load_files(tx, ids)
    return [(row, mails.get(row.id), files.get(row.id, [])) for row in rows]


def _load_calls(tx: Tx, wanted: Wanted, conversation_id: int) -> list[dict[str, Any]]:
    call, segment, recording = tables.call, tables.call_segment, tables.recording
    names = ("id", "direction", "address", "line", "started_at", "answered_at", "hung_up_at", "end_reason")
    calls = _rows(tx, select(call).where(call.c.conversation_id == conversation_id).order_by(call.c.id), names)
    note = ("note",) if wanted.with_notes else ()
    for one in calls:
        theirs = select(segment, _u.name.label("agent")).join(tables.user_account, _u.id == segment.c.agent_id)
        theirs = theirs.where(segment.c.call_id == one["id"]).order_by(segment.c.id)
        one["segments"] = _rows(tx, theirs, ("agent", "connected_at", "ended_at", "disposition", *note))
        stored = select(recording).where(recording.c.call_id == one["id"]).order_by(recording.c.id)
        one["recordings"] = _rows(tx, stored, ("id", "kind", "state", "started_at", "duration_s"))
    return calls


def _load_callbacks(tx: Tx, conversation_id: int) -> list[dict[str, Any]]:
    callback = tables.callback
    query = select(callback).where(callback.c.conversation_id == conversation_id).order_by(callback.c.id)
    return _rows(tx, query, ("id", "address", "state", "requested_at", "ended_at"))


def _load_surveys(tx: Tx, conversation_id: int) -> list[dict[str, Any]]:
    survey = tables.survey
    names = ("id", "kind", "state", "sent_at", "answered_at", "score", "comment")
    query = select(survey).where(survey.c.conversation_id == conversation_id, survey.c.sent_at.is_not(None))
    return _rows(tx, query.order_by(survey.c.id), names)


async def _lines(
    database: Database, wanted: Wanted, conversation_id: int
) -> AsyncIterator[tuple[Row[Any], Mapping[str, Any] | None, list[str]]]:
    after = None
    while page := await database.read(_load_page, wanted, conversation_id, after):
        for each in page:
            yield each
        after = (page[-1][0].at, page[-1][0].id)


async def _conversation(
    database: Database, wanted: Wanted, labels: Mapping[str, str], row: Row[Any]
) -> AsyncIterator[bytes]:
    head = {name: row._mapping[name] for name in _CONVERSATION}
    head["field_labels"] = {key: labels[key] for key in row.fields or {} if key in labels}
    head["calls"] = await database.read(_load_calls, wanted, row.id)
    head["callbacks"] = await database.read(_load_callbacks, row.id)
    head["surveys"] = await database.read(_load_surveys, row.id)
    yield _dump(head)[:-1] + b', "lines": [\n'
    glue = b""
    async for line, mail, files in _lines(database, wanted, row.id):
        told: dict[str, Any] = {name: line._mapping[name] for name in _LINE}
        if mail is not None:
            told["mail"] = mail
        if files:
            told["files"] = files
        if line.happening == Happening.FORM.value:
            # What they filled in before a chat is not the line's text.
            told["answers"] = (line.data or {}).get("answers")
        yield glue + _dump(told)
        glue = b",\n"
    yield b"\n]}\n"


# --- to be read by people -----------------------------------------------------------------------------------------------


async def _timeline(database: Database, wanted: Wanted, words: Words, card: Mapping[str, Any]) -> AsyncIterator[bytes]:
    """The card in words, then each conversation with the lines of its transcript, which name files by where they lie here."""
    head = wanted.head
    yield transcripts.begin_page(head.language, words.title.format(name=head.customer_name), policy=_POLICY).encode(
        errors="replace"
    )
    zone = transcripts.words_in(head.language).zone.format(zone=head.zone.key)
    facts = await database.read(_load_facts, wanted, words, card)
    rows = "".join(f"<dt>{html.escape(what)}</dt><dd>{html.escape(said)}</dd>\n" for what, said in facts)
    about = "".join(f"<p><small>{html.escape(text)}</small></p>" for text in (head.house, zone) if text)
    yield f"{about}</header>\n<dl>\n{rows}</dl>\n".encode(errors="replace")
    names = await database.read(_load_channel_names)
    async for row in _pages(database, _conversations, wanted):
        if row.merged_into is not None:
            continue  # what was said in it stands in the one that it is a part of
        told = [words.conversation.format(id=row.id), names.get(row.channel_id, ""), row.subject or ""]
        yield f'<h2 class="talk">{html.escape(" · ".join(each for each in told if each))}</h2>\n'.encode(
            errors="replace"
        )

        def load(tx: Tx, after: transcripts.Place, conversation_id: int = row.id) -> transcripts.Page | None:
            heard = _load_recorded(tx, conversation_id)

            def remarks(entry: EntryView) -> list[str]:
                of_call = heard.get(entry.call.id, []) if entry.call is not None else []
                return [*_name_files(entry), *of_call]

            which = _e.conversation_id == conversation_id
            return transcripts.load_page(
                tx, head, which, after, with_notes=wanted.with_notes, with_scores=True, remarks=remarks
            )

        async for part in transcripts.said(database, transcripts.Form.HTML, head, load, below="h3"):
            yield part
    yield transcripts.END


def _name_files(entry: EntryView) -> list[str]:
    """Those that a mail's HTML shows, too: here it does not. What never came, or is still on its way, lies nowhere here."""
    return [
        f"attachments/{file.id}-{_safe(file.name)}" if file.state is AttachmentState.STORED else file.name
        for file in entry.attachments
    ]


def _load_recorded(tx: Tx, conversation_id: int) -> dict[int, list[str]]:
    """Where the recordings of its calls lie in the file, by the call."""
    r, call = tables.recording.c, tables.call.c
    stored = select(r.id, r.call_id, r.media_type).join(tables.call, call.id == r.call_id)
    stored = stored.where(call.conversation_id == conversation_id, r.file_key.is_not(None), r.state == "stored")
    found: dict[int, list[str]] = {}
    for row in tx.rows(stored.order_by(r.id)):
        found.setdefault(row.call_id, []).append(_recording(row))
    return found


def _load_channel_names(tx: Tx) -> dict[str, str]:
    return {row.id: row.name for row in tx.rows(select(tables.channel.c.id, tables.channel.c.name))}


def _load_facts(tx: Tx, wanted: Wanted, words: Words, told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the card says, under the names that people have for it."""
    card, labels = told["customer"], words.card
    town = " ".join(filter(None, (card["postcode"], card["town"])))
    address = [card["street"], town, card["district"], card["region"], card["country"]]
    facts = [
        (labels["name"], card["name"]),
        (labels["number"], str(card["id"])),
        (labels["company"], card["company"]),
        (labels["job_title"], card["job_title"]),
        (labels["birthday"], card["birthday"].removeprefix("--")),
        (labels["address"], ", ".join(each for each in address if each)),
        (labels["language"], _LANGUAGES.get(card["language"] or "", card["language"] or "")),
        (labels["tags"], ", ".join(card["tags"] or ())),
    ]
    # A visitor's address is a number of ours.
    points = [point for point in told["contact_points"] if point["kind"] != "chat" and point["removed_at"] is None]
    for point in points:
        label = f" ({point['label']})" if point["label"] else ""
        facts.append((labels.get(point["kind"], labels["handle"]), point["address"] + label))
    held = card["fields"] or {}
    for field in custom_fields.load_fields(tx, Subject.CUSTOMER):
        if field.key in held:
            facts.append((field.name, _value(words, field, held[field.key])))
    if wanted.with_notes:
        facts.append((labels["note"], card["note"]))
    return [(what, said) for what, said in facts if said]


_LANGUAGES = {
    "en": "English",
    "hy": "Հայերեն",
    "ka": "ქართული",
    "az": "Azərbaycanca",
    "uk": "Українська",
    "ru": "Русский",
}


def _value(words: Words, field: CustomFieldView, value: Any) -> str:
    names = {option.key: option.label for option in field.options}
    if field.kind is FieldKind.YES_NO:
        return words.yes if value else words.no
    if field.kind is FieldKind.CHOICE:
        return names.get(value, str(value))
    if field.kind is FieldKind.CHOICES:
        return ", ".join(names.get(each, each) for each in value)
    return str(value)
