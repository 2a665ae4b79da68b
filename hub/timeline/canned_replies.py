"""Canned replies: what is written often, kept once in every language it is needed in, and filled in where it is used.

    personal   its owner's alone, whoever else asks: a colleague's, an administrator's too, is not there
    all        everybody's
    queues     of some queues: members of one of them see it, and so do supervisors

Shared ones are written by supervisors and administrators. Filling in happens here and nowhere else (`render`), with the
rights and the names of whoever asks; a screen keeps the list and is told of each change (`CannedReplyChanged`, which names
the reply and says no more: whoever may see it asks).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Row, delete, func, insert, or_, select, true, update

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.domain.events import STAFF, CannedReplyChanged, user_topic
from hub.domain.folding import composed, words_in
from hub.domain.permissions import Permission
from hub.domain.placeholders import (
    CannedText,
    Filled,
    Name,
    choose_text,
    fill,
    find_fault,
    first_name,
    written_day,
)
from hub.domain.sentences import Sentence
from hub.domain.values import ChannelKind, ContactKind, Role
from hub.domain.views import CannedReplyView, CannedScope, CannedTextView, ConversationView, CustomerView
from hub.errors import Conflict, Forbidden, InvalidInput, NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.surveys.words import LANGUAGES
from hub.timeline import conversations, customers

_r, _q, _used = tables.canned_reply.c, tables.canned_reply_queue.c, tables.canned_reply_use.c

# Typed after a slash, so it has no spaces; long enough for "refund-after-30-days".
CODE_LIMIT = 40
TITLE_LIMIT = 120
# "Orders/Delivery/Abroad": deeper trees nobody walks.
FOLDER_LIMIT, FOLDER_LEVELS = 120, 4
TEXT_LIMIT = 10_000
# As a mail's own subject may be (web.schemas).
SUBJECT_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """A reply as somebody wants it. `texts`: the first is said where nothing speaks for another language."""

    title: str
    code: str
    folder: str
    scope: CannedScope
    queue_ids: tuple[int, ...]
    texts: tuple[CannedText, ...]


@dataclass(frozen=True, slots=True)
class Rendered:
    """What goes into the writing field. `missing`: names without a value, which still stand in the text in braces."""

    text: str
    subject: str | None
    language: str
    missing: tuple[Name, ...]


# --- reading ------------------------------------------------------------------------------------------------------------


def visible_to(viewer: Viewer) -> ColumnElement[bool]:
    """The condition on `canned_reply`."""
    own = _r.owner_id == viewer.user_id
    if viewer.covers(Role.SUPERVISOR):
        return own | _r.owner_id.is_(None)
    of_my_queues = select(_q.reply_id).where(_q.queue_id.in_(sorted(viewer.queue_ids)))
    return or_(own, _r.scope == "all", (_r.scope == "queues") & _r.id.in_(of_my_queues))


def load_page(
    tx: Tx,
    viewer: Viewer,
    *,
    words: str | None = None,
    folder: str | None = None,
    scope: CannedScope | None = None,
    reply_id: int | None = None,
    after_id: int = 0,
    limit: int | None = None,
) -> list[CannedReplyView]:
    """By id, as far as the viewer may see. `words`: all of them stand somewhere in code, title, folder or text, whatever
    their case and accents; `folder`: this one and those in it."""
    query = select(tables.canned_reply).where(visible_to(viewer), _r.id > after_id).order_by(_r.id)
    if reply_id is not None:
        query = query.where(_r.id == reply_id)
    if scope is not None:
        query = query.where(_r.scope == scope)
    if folder is not None and (path := normal_folder(folder)):
        query = query.where((_r.folder == path) | (func.substr(_r.folder, 1, len(path) + 1) == path + "/"))
    wanted = _folded(words or "")
    if not wanted:
        return _views(tx, viewer, tx.rows(query.limit(limit)))
    found = [row for row in tx.rows(query) if all(word in _haystack(row) for word in wanted)]
    return _views(tx, viewer, found[:limit])


def access_reply(tx: Tx, viewer: Viewer, reply_id: int) -> CannedReplyView:
    """NotFound if there is none that the viewer may see."""
    rows = tx.rows(select(tables.canned_reply).where(_r.id == reply_id, visible_to(viewer)))
    if not rows:
        raise _nothing()
    return _views(tx, viewer, rows)[0]


def _haystack(row: Row[Any]) -> str:
    said = (words for each in row.texts for words in (each["text"], each["subject"] or ""))
    return " ".join(_folded("\n".join((row.code, row.title, row.folder, *said))))


def _folded(text: str) -> list[str]:
    return [word.folded for word in words_in(composed(text))]


def _views(tx: Tx, viewer: Viewer, rows: Sequence[Row[Any]]) -> list[CannedReplyView]:
    ids = [row.id for row in rows]
    queue_ids: dict[int, list[int]] = {}
    for row in tx.rows(select(_q.reply_id, _q.queue_id).where(_q.reply_id.in_(ids)).order_by(_q.queue_id)):
        queue_ids.setdefault(row.reply_id, []).append(row.queue_id)
    totals = select(_used.reply_id, func.sum(_used.uses).label("uses"), func.max(_used.last_used_at).label("last"))
    used = {row.reply_id: row for row in tx.rows(totals.where(_used.reply_id.in_(ids)).group_by(_used.reply_id))}
    own = select(tables.canned_reply_use).where(_used.reply_id.in_(ids), _used.user_id == viewer.user_id)
    by_me = {row.reply_id: row for row in tx.rows(own)}
    return [
        CannedReplyView(
            id=row.id,
            title=row.title,
            code=row.code,
            folder=row.folder,
            scope=row.scope,
            queue_ids=tuple(queue_ids.get(row.id, ())),
            texts=tuple(CannedTextView(each["language"], each["text"], each["subject"]) for each in row.texts),
            used=int(used[row.id].uses) if row.id in used else 0,
            last_used_at=used[row.id].last if row.id in used else None,
            used_by_me=by_me[row.id].uses if row.id in by_me else 0,
            last_used_by_me_at=by_me[row.id].last_used_at if row.id in by_me else None,
            changed_at=row.changed_at,
            changed_by=row.changed_by,
            version=row.version,
        )
        for row in rows
    ]


# --- writing ------------------------------------------------------------------------------------------------------------


def create_reply(tx: Tx, viewer: Viewer, wanted: Wanted) -> CannedReplyView:
    """Forbidden if it is to be shared by somebody who may not; InvalidInput naming what is wrong; Conflict `code_taken`."""
    _check_may_share(viewer, wanted.scope)
    wanted = check_reply(tx, wanted)
    values = _values(tx, viewer, wanted)
    _check_code_is_free(tx, wanted.code, values["owner_id"], None)
    row = tx.first(tx.insert_if_new(tables.canned_reply).values(**values, created_at=tx.now).returning(_r.id))
    if row is None:  # somebody made it at this very moment
        raise _taken()
    _write_queues(tx, row.id, wanted.queue_ids)
    tx.emit(CannedReplyChanged(row.id), _audience(values["owner_id"]))
    if wanted.scope != "personal":
        named = {"name": wanted.title, "code": wanted.code}
        audit.note(tx, viewer, "canned_reply.created", "canned_reply", row.id, named)
    return access_reply(tx, viewer, row.id)


def replace_reply(
    tx: Tx, viewer: Viewer, reply_id: int, wanted: Wanted, expected_version: int | None
) -> CannedReplyView:
    """The same errors, and Conflict `version_conflict` if somebody changed it meanwhile. A personal one that is shared is
    everybody's from then on; a shared one made personal becomes that of whoever does it."""
    before = _lock(tx, viewer, reply_id)
    _check_may_share(viewer, wanted.scope)
    if expected_version is not None and expected_version != before.version:
        raise Conflict("somebody changed this reply meanwhile", code="version_conflict")
    wanted = check_reply(tx, wanted)
    values = _values(tx, viewer, wanted)
    _check_code_is_free(tx, wanted.code, values["owner_id"], reply_id)
    tx.execute(update(tables.canned_reply).where(_r.id == reply_id).values(version=_r.version + 1, **values))
    queues_before = [
        row.queue_id for row in tx.rows(select(_q.queue_id).where(_q.reply_id == reply_id).order_by(_q.queue_id))
    ]
    tx.execute(delete(tables.canned_reply_queue).where(_q.reply_id == reply_id))
    _write_queues(tx, reply_id, wanted.queue_ids)
    tx.emit(CannedReplyChanged(reply_id), _audience(before.owner_id) | _audience(values["owner_id"]))
    if before.owner_id is None or wanted.scope != "personal":
        was, now = _audited(dict(before._mapping), queues_before), _audited(values, wanted.queue_ids)
        audit.note_change(
            tx, viewer, "canned_reply.changed", "canned_reply", reply_id, was, now, name=before.title, secret={"texts"}
        )
    return access_reply(tx, viewer, reply_id)


def remove_reply(tx: Tx, viewer: Viewer, reply_id: int) -> None:
    """What was written with it stays written."""
    before = _lock(tx, viewer, reply_id)
    tx.execute(delete(tables.canned_reply).where(_r.id == reply_id))
    tx.emit(CannedReplyChanged(reply_id), _audience(before.owner_id))
    if before.owner_id is None:
        named = {"name": before.title, "code": before.code}
        audit.note(tx, viewer, "canned_reply.removed", "canned_reply", reply_id, named)


def check_reply(tx: Tx, wanted: Wanted) -> Wanted:
    """The same, in its normal form; InvalidInput naming every fault."""
    faults: dict[str, str] = {}
    title = " ".join(wanted.title.split())
    code = unicodedata.normalize("NFC", wanted.code.strip().removeprefix("/").lower())
    folder = normal_folder(wanted.folder)
    if not title or not title.isprintable() or len(title) > TITLE_LIMIT:
        faults["title"] = Sentence("must be 1 to {count} visible characters", count=TITLE_LIMIT)
    if not _is_code(code):
        faults["code"] = Sentence(
            "must be 1 to {count} letters, digits, hyphens, dots and underscores", count=CODE_LIMIT
        )
    if not folder.isprintable() or len(folder) > FOLDER_LIMIT or folder.count("/") >= FOLDER_LEVELS:
        faults["folder"] = Sentence(
            "must be up to {count} names with / between them, {limit} characters in all",
            count=FOLDER_LEVELS,
            limit=FOLDER_LIMIT,
        )
    queue_ids = tuple(sorted(set(wanted.queue_ids))) if wanted.scope == "queues" else ()
    known = tx.rows(select(tables.queue.c.id).where(tables.queue.c.id.in_(queue_ids)))
    if len(known) != len(queue_ids):
        faults["queue_ids"] = Sentence("there is no such queue")
    elif wanted.scope == "queues" and not queue_ids:
        faults["queue_ids"] = Sentence("choose at least one, or share it with everybody")
    texts = tuple(
        CannedText(each.language, _lines(each.text), " ".join((each.subject or "").split()) or None)
        for each in wanted.texts
    )
    faults |= _faults_of_texts(texts)
    if faults:
        words = "; ".join(f"{name}: {fault}" for name, fault in faults.items())
        raise InvalidInput(words, fields=faults)
    return Wanted(title, code, folder, wanted.scope, queue_ids, texts)


def _faults_of_texts(texts: Sequence[CannedText]) -> dict[str, str]:
    if not texts:
        return {"texts": Sentence("say it in one language at least")}
    faults: dict[str, str] = {}
    seen: set[str] = set()
    for index, each in enumerate(texts):
        if each.language not in LANGUAGES:
            faults[f"texts.{index}.language"] = Sentence("must be one of {known}", known=", ".join(LANGUAGES))
        elif each.language in seen:
            faults[f"texts.{index}.language"] = Sentence("is there twice")
        seen.add(each.language)
        if not each.text or len(each.text) > TEXT_LIMIT:
            faults[f"texts.{index}.text"] = Sentence("must be 1 to {count} characters", count=TEXT_LIMIT)
        elif fault := find_fault(each.text):
            faults[f"texts.{index}.text"] = fault
        if each.subject is not None and len(each.subject) > SUBJECT_LIMIT:
            faults[f"texts.{index}.subject"] = Sentence("must be up to {count} characters", count=SUBJECT_LIMIT)
        elif each.subject is not None and (fault := find_fault(each.subject)):
            faults[f"texts.{index}.subject"] = fault
    return faults


def normal_folder(folder: str) -> str:
    names = (" ".join(name.split()) for name in folder.split("/"))
    return "/".join(name for name in names if name)


def _is_code(code: str) -> bool:
    return 0 < len(code) <= CODE_LIMIT and all(
        character in "-._" or unicodedata.category(character)[0] in "LNM" for character in code
    )


def _lines(text: str) -> str:
    """With one sort of line break, and nothing blank around it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _check_may_share(viewer: Viewer, scope: CannedScope) -> None:
    if scope != "personal" and not viewer.may(Permission.SHARE_CANNED):
        raise Forbidden("only supervisors and administrators write replies that are shared")


def _lock(tx: Tx, viewer: Viewer, reply_id: int) -> Row[Any]:
    """The row, for its writer; NotFound if the viewer does not see it, Forbidden if they may only read it."""
    row = tx.first(select(tables.canned_reply).where(_r.id == reply_id, visible_to(viewer)).with_for_update())
    if row is None:
        raise _nothing()
    if row.owner_id is None and not viewer.may(Permission.SHARE_CANNED):
        raise Forbidden("only supervisors and administrators change replies that are shared")
    return row


def _check_code_is_free(tx: Tx, code: str, owner_id: int | None, own_id: int | None) -> None:
    same = _r.owner_id.is_(None) if owner_id is None else _r.owner_id == owner_id
    others = _r.id != own_id if own_id is not None else true()
    if tx.scalar(select(_r.id).where(_r.code == code, same, others)) is not None:
        raise _taken()


def _values(tx: Tx, viewer: Viewer, wanted: Wanted) -> dict[str, Any]:
    return {
        "owner_id": viewer.user_id if wanted.scope == "personal" else None,
        "scope": wanted.scope,
        "title": wanted.title,
        "code": wanted.code,
        "folder": wanted.folder,
        "texts": [{"language": each.language, "text": each.text, "subject": each.subject} for each in wanted.texts],
        "changed_at": tx.now,
        "changed_by": viewer.user_id,
    }


def _audited(values: Mapping[str, Any], queue_ids: Collection[int]) -> dict[str, Any]:
    """What the audit log compares. What is personal is nobody's to read there: only shared ones are noted."""
    return {name: values[name] for name in ("title", "code", "folder", "scope", "texts")} | {
        "queue_ids": list(queue_ids)
    }


def _write_queues(tx: Tx, reply_id: int, queue_ids: Collection[int]) -> None:
    if queue_ids:
        rows = [{"reply_id": reply_id, "queue_id": queue_id} for queue_id in queue_ids]
        tx.execute(insert(tables.canned_reply_queue), rows)


def _audience(owner_id: int | None) -> set[str]:
    """It says which reply, and nothing of what is in it."""
    return {STAFF} if owner_id is None else {user_topic(owner_id)}


def _nothing() -> NotFound:
    return NotFound("there is no such canned reply")


def _taken() -> Conflict:
    return Conflict("there is a canned reply with this code", code="code_taken", fields={"code": Sentence("is taken")})


# --- filling in ---------------------------------------------------------------------------------------------------------


def render(
    tx: Tx,
    viewer: Viewer,
    reply_id: int,
    conversation_id: int,
    *,
    is_note: bool = False,
    language: str | None = None,
) -> Rendered:
    """For this conversation, in `language`, else the customer's, else one of the house's, else the first there is. Values in
    a mail are escaped for its markup. NotFound if the viewer may not see the reply or the conversation."""
    reply = access_reply(tx, viewer, reply_id)
    conversation = conversations.access_conversation(tx, viewer, conversation_id)
    customer = customers.load_customer(tx, conversation.customer_id)
    texts = [CannedText(each.language, each.text, each.subject) for each in reply.texts]
    chosen = choose_text(texts, language, customer.language, *_house_languages(tx))
    values = load_values(tx, viewer, conversation, customer, chosen.language)
    is_markup = conversation.channel_kind is ChannelKind.EMAIL and not is_note
    return fill_in(chosen, values, is_markup=is_markup)


def fill_in(chosen: CannedText, values: Mapping[str, str], *, is_markup: bool) -> Rendered:
    text = fill(chosen.text, values, is_markup=is_markup)
    subject = fill(chosen.subject, values) if chosen.subject is not None else Filled("")
    missing = dict.fromkeys((*text.missing, *subject.missing))
    return Rendered(text.text, subject.text or None, chosen.language, tuple(missing))


def load_values(
    tx: Tx, viewer: Viewer, conversation: ConversationView, customer: CustomerView, language: str
) -> dict[str, str]:
    """Name → value, of those names that have one."""
    name = own_name(customer)
    queue_name = tx.scalar(select(tables.queue.c.name).where(tables.queue.c.id == conversation.queue_id))
    values = {
        "customer.name": name,
        "customer.first_name": first_name(name),
        "customer.phone": _address(customer, conversation, ContactKind.PHONE),
        "customer.email": _address(customer, conversation, ContactKind.EMAIL),
        "customer.company": customer.company,
        "queue.name": str(queue_name or ""),
        "conversation.number": str(conversation.id),
        "conversation.subject": conversation.subject or "",
        **_house_values(tx, viewer, language),
    }
    return {key: value for key, value in values.items() if value}


def own_name(customer: CustomerView) -> str:
    """What the customer is called; empty while the card only repeats an address ("+374 91 …", "Visitor 3F2A"), for nobody
    wants to be greeted by it."""
    called = customer.name.strip()
    is_address = any(called == customers.default_name(point.kind, point.address) for point in customer.contact_points)
    return "" if is_address else called


def _address(customer: CustomerView, conversation: ConversationView, kind: ContactKind) -> str:
    """The one the conversation is with, else the first that works."""
    mine = [point for point in customer.contact_points if point.kind is kind]
    here = [point for point in mine if point.id == conversation.contact_point_id]
    working = [point for point in mine if point.bounced_at is None]
    return next((point.address for point in (*here, *working)), "")


def faults_of(text: CannedText) -> dict[str, str]:
    """Field → why it could not be kept."""
    return {name.removeprefix("texts.0."): fault for name, fault in _faults_of_texts([text]).items()}


# Whoever stands in the preview: nobody, with an address and a number that are kept for examples (RFC 2606; 555-0100 to
# 555-0199 in North America's numbering plan).
_SAMPLE_NAMES: Mapping[str, str] = {
    "en": "Emma Clarke",
    "hy": "Անի Պետրոսյան",
    "ka": "ნინო ბერიძე",
    "az": "Leyla Məmmədova",
    "uk": "Олена Шевченко",
    "ru": "Анна Смирнова",
}


def preview(tx: Tx, viewer: Viewer, text: CannedText, *, queue_id: int | None, is_known: bool) -> Rendered:
    """For a sample customer; `is_known` False: one of whom only a number is known. What is no placeholder stays as it is."""
    queue = tables.queue.c
    wanted = select(queue.name).order_by(queue.id).limit(1)
    name = _SAMPLE_NAMES.get(text.language, _SAMPLE_NAMES["en"])
    known = {
        "customer.name": name,
        "customer.first_name": first_name(name),
        "customer.email": "customer@example.com",
        "customer.company": "Example Ltd",
        "conversation.subject": "#1042",
    }
    values = {
        "customer.phone": "+12025550143",
        "queue.name": str(tx.scalar(wanted if queue_id is None else wanted.where(queue.id == queue_id)) or ""),
        "conversation.number": "1042",
        **_house_values(tx, viewer, text.language),
        **(known if is_known else {}),
    }
    return fill_in(text, values, is_markup=False)


def _house_values(tx: Tx, viewer: Viewer, language: str) -> dict[str, str]:
    """What is so for every customer. The day is that of our own time zone."""
    organisation = tx.first(tables.organisation.select())
    zone = ZoneInfo(organisation.time_zone) if organisation is not None else ZoneInfo("UTC")
    return {
        "agent.name": viewer.name,
        "agent.first_name": first_name(viewer.name),
        "organisation.name": organisation.name if organisation is not None else "",
        "today": written_day(tx.now.astimezone(zone).date(), language),
    }


def _house_languages(tx: Tx) -> tuple[str, ...]:
    """Those of our customers, the usual one first; empty as long as nobody has said it."""
    organisation = tx.first(tables.organisation.select())
    return tuple(organisation.languages or ()) if organisation is not None else ()


def note_use(tx: Tx, viewer: Viewer, reply_id: int) -> None:
    """It was put into a message: it comes up earlier for this person from now on. NotFound if they may not see it."""
    access_reply(tx, viewer, reply_id)
    mine = (_used.reply_id == reply_id, _used.user_id == viewer.user_id)
    counted = update(tables.canned_reply_use).where(*mine).values(uses=_used.uses + 1, last_used_at=tx.now)
    if tx.execute(counted).rowcount:
        return
    row = {"reply_id": reply_id, "user_id": viewer.user_id, "uses": 1, "last_used_at": tx.now}
    if not tx.insert_new(tables.canned_reply_use, [row])[0]:
        tx.execute(counted)
