"""A customer is erased: everything that says who they were goes, and every figure stays what it was.

    begin    one unit of work: all rows, in the database's own statements; what is left over is written into the request
    step     the rest in bounded steps: the stream, what providers handed in, deliveries of webhooks; then the files
    Eraser   the loop that takes the steps, in any process, until nothing is left

What stays: the card (nameless), its conversations without words, calls without numbers, scores without comments, and all
facts, which are numbers and ids. So `hub kpi rebuild` makes the very figures that were told before.

Invariants:
  * Nothing is erased in part: `begin` is one commit, and from then on the request stands at `erasing`, which leads nowhere
    but to `done`. A step that is taken twice takes nothing the second time, so a kill between any two of them costs nothing.
  * Files go after the commit that forgets them, and the request holds their keys until they are gone.
  * What is open is not erased: a customer who waits, an agent who writes and a message on its way are seen to first. So no
    fact has to be made up to close something.
  * Locks: ROUTING → MAIL → the request → webhooks' endpoints → imports → all of contact_point → cards → conversations →
    tasks → STREAM. Whoever has a card and looks up an address at that moment is met head on: PostgreSQL ends one of the two,
    which begins again (store.database).
  * The stream keeps its facts. Of the rest, events that tell of this customer are deleted; whoever was behind is told how
    everything is now, by the events of `begin`, and resyncs (CustomerErased).
  * A payload as its provider handed it in may hold anything in any encoding: all of them that came on the customer's channels
    since their first contact are emptied. Their keys stay, so what comes again is still known.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, Select, delete, func, select, text, update
from sqlalchemy.exc import DBAPIError

from hub.agents.viewer import Viewer
from hub.customer_files import imports as customer_imports
from hub.domain.events import (
    FACT_KINDS,
    SUPERVISORS,
    AlertsSeen,
    CustomerErased,
    conversation_topics,
    customer_topic,
    user_topic,
)
from hub.domain.sentences import Sentence
from hub.errors import Conflict, DatabaseAway, InvalidInput, OperatorError, Unavailable
from hub.privacy import requests
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.files import Files
from hub.store.recordings import Recordings
from hub.store.stream import Wakes
from hub.timeline import belongings, conversations, customers, task_rows, visitor_presence
from hub.timeline.participants import read_ids

log = logging.getLogger(__name__)

WAKE = "erasures"
# What the card is called from then on. Whatever names a customer says beside it that they were erased, and screens go by
# that: they say it in their reader's language (words.ts).
ERASED_NAME = "Erased customer"

# Rows that are looked at in one step: nobody waits long for the writer.
_STEP = 1_000
# Of an index of words, in one step.
_MERGED_PAGES = 500
# Providers' clocks, and what came before the conversation that it opened.
_BEFORE = timedelta(days=1)
# A backup reads a table for as long as it runs.
_HOLD_WITHIN = "2s"
_LOCK_NOT_AVAILABLE = "55P03"
_CANNOT_DELETE = (OperatorError, Unavailable, OSError)
_LOOK_EVERY_S = 30.0
_RETRY_S = 5.0

_d, _cu, _cp, _c = tables.data_request.c, tables.customer.c, tables.contact_point.c, tables.conversation.c
_e, _t, _a, _p = tables.entry.c, tables.task.c, tables.audit.c, tables.webhook_endpoint.c

# All columns of the card that say anything, as they are empty.
_EMPTY_CARD: Mapping[str, Any] = {
    **dict.fromkeys(("note", "company", "job_title", "country", "region", "town", "district", "street"), ""),
    **dict.fromkeys(("postcode", "time_zone", "birthday", "source"), ""),
    **dict.fromkeys(("language", "owner_id", "preferred_channel", "tags", "fields")),
    "name": ERASED_NAME,
    "tier": 0,
}
# What the audit log keeps of an act of which they were the subject; acts on other customers that may name them.
_TOLD_OF_THEM = ("other_id", "merge_id", "from_id", "into_id", "fields", "kept")
_TELL_OF_OTHERS = ("customer.merged", "customer.unmerged", "customer.exported")
_IMPORT_IS_OVER = ("done", "failed")

Hindrance = Literal["call_live", "conversations_open", "sending", "import_open"]
_HINDERS: Mapping[Hindrance, str] = {
    "call_live": "a call with this customer goes on in conversation #{id}, or is being written up",
    "conversations_open": "conversation #{id} is open; resolve it first",
    "sending": "a message to this customer is planned or on its way in conversation #{id}; cancel it, or wait",
    "import_open": "the import {file} is not finished, and may name this customer; run it or remove it first",
}
# Where whoever asks may not see what it is.
_HINDERS_UNSEEN: Mapping[Hindrance, str] = {
    "call_live": "a call with this customer goes on in a conversation that you may not see, or is being written up",
    "conversations_open": "a conversation that you may not see is open; it must be resolved first",
    "sending": "a message to this customer is planned or on its way in a conversation that you may not see",
    "import_open": "an import that you may not see is not finished, and may name this customer",
}
# Of each kind; whoever sees to these asks again.
_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What goes on still. `id`: of the conversation; of the import, where it is `import_open`. None: something that whoever
    asks may not see; all of a kind are one."""

    code: Hindrance
    id: int | None
    file_name: str | None = None


# --- the first unit of work ---------------------------------------------------------------------------------------------


def begin(tx: Tx, viewer: Viewer, request_id: int, *, name: str, expected_version: int | None = None) -> Row[Any]:
    """Erases the customer of a request for erasure. InvalidInput unless `name` is the card's. Conflict `conversations_open`,
    `call_live`, `sending` and `import_open` name what is to be seen to first (`check` names all of it), `request_state` if it
    is over, `database_busy` while something else reads it for long. Begun twice is begun once."""
    tx.lock_routing()
    tx.lock_mail()
    row = requests.lock(tx, viewer, request_id)
    if row.kind == "erasure" and row.state in ("erasing", "done"):
        return row
    if expected_version is not None and row.version != expected_version:
        raise Conflict("somebody has seen to this request meanwhile", code="version_conflict")
    if row.kind != "erasure" or row.state != "open":
        raise Conflict("this is no open request for erasure", code="request_state")
    # Whoever is writing down what webhooks tell has done so; nobody begins before the commit.
    tx.rows(select(_p.id).order_by(_p.id).with_for_update())
    # Nor does anybody go on with an import that failed: it would find its file gone.
    kept = tables.customer_import.c
    tx.rows(select(kept.id).where(kept.file_key.is_not(None)).order_by(kept.id).with_for_update())
    _hold_addresses(tx)
    belongings.lock_owners(tx, row.living_id)
    customer = tx.execute(select(tables.customer).where(_cu.id == row.living_id)).one()
    if name.strip() != customer.name.strip():
        raise InvalidInput("that is not the customer's name", fields={"name": Sentence("is not the name on the card")})
    ids = _cards(tx, customer.id)
    theirs = [each.id for each in tx.rows(select(_c.id).where(_c.customer_id.in_(ids)).order_by(_c.id))]
    tx.lock_conversations(theirs)
    # One whose time comes at this very moment has told people of it, or does not.
    tx.rows(select(_t.id).where(_t.customer_id.in_(ids)).order_by(_t.id).with_for_update())
    _check_nothing_goes_on(tx, viewer, ids)
    topics = _topics(tx, ids)
    until = tx.scalar(select(func.max(tables.event.c.seq))) or 0
    work: dict[str, Any] = {"until": until, "seq": 0, "since": None, "channels": [], "files": [], "recordings": []}
    work["told"] = tx.scalar(select(func.max(tables.webhook_delivery.c.id))) or 0
    work["words"] = [] if tx.is_postgresql else ["-search_entry", "-search_customer"]
    _note_arrivals(tx, ids, work)
    _erase_untold(tx, ids, until)
    _erase_audit(tx, ids)
    _erase_search(tx, ids)
    _erase_writing(tx, ids, work)
    _erase_entries(tx, ids, work)
    _erase_calls(tx, ids, work)
    _erase_conversations(tx, ids)
    _erase_cards(tx, ids)
    _erase_work(tx, ids)
    _erase_imports(tx, work)
    tx.execute(
        update(tables.data_request)
        .where(_d.customer_id.in_(ids))
        .values(identity="", note="", reason="", version=_d.version + 1)
    )
    tx.execute(update(tables.data_request).where(_d.id == row.id).values(state="erasing", work=work))
    # Nobody is left who could want the rest.
    others = (_d.customer_id.in_(ids), _d.id != row.id, _d.state == "open")
    over = {"state": "withdrawn", "ended_at": tx.now, "ended_by": viewer.user_id}
    tx.execute(update(tables.data_request).where(*others).values(**over))
    tx.emit(CustomerErased(customer.id), topics)
    for view in conversations.load_conversations(tx, theirs).values():
        conversations.emit_conversation(tx, view)
    customers.emit_customer(tx, customer.id)
    requests.note(tx, viewer, "erasing", row.id, customer.id, kind="erasure")
    tx.wake(WAKE)
    return requests.load(tx, viewer, row.id)


def _hold_addresses(tx: Tx) -> None:
    """Whoever takes a message in looks an address up and locks nothing. So all who have done so are waited for, and all who
    come later find that the address is nobody's. While this waits everybody waits behind it: it gives up soon."""
    if not tx.is_postgresql:
        return
    tx.connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_HOLD_WITHIN}'")
    try:
        tx.connection.exec_driver_sql("LOCK TABLE contact_point IN ACCESS EXCLUSIVE MODE")
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise Conflict(
            "something reads the database for long now, as a backup does; try again later", code="database_busy"
        ) from error
    tx.connection.exec_driver_sql("SET LOCAL lock_timeout = DEFAULT")


def check(tx: Tx, viewer: Viewer, request_id: int) -> list[Obstacle]:
    """What is to be seen to before the customer of a request can be erased. Conflict `request_state` if it is no open one."""
    row = requests.load(tx, viewer, request_id)
    if row.kind != "erasure" or row.state != "open":
        raise Conflict("this is no open request for erasure", code="request_state")
    return _find_obstacles(tx, viewer, _cards(tx, row.living_id))


def _cards(tx: Tx, customer_id: int) -> list[int]:
    """The customer's, and those that were merged into it."""
    return [customer_id, *(each.id for each in tx.rows(select(_cu.id).where(_cu.merged_into == customer_id)))]


def _find_obstacles(tx: Tx, viewer: Viewer, ids: Collection[int]) -> list[Obstacle]:
    """Whoever may erase a customer need not see all of it: what is not theirs to see is told without its name and number."""
    of_theirs = _conversations(ids)
    call, outbox, planned, imports = tables.call.c, tables.outbox.c, tables.planned_message.c, tables.customer_import.c
    live = select(call.conversation_id).where(call.conversation_id.in_(of_theirs), call.ended_at.is_(None))
    opened = select(_c.id).where(_c.customer_id.in_(ids), _c.status == "open")
    leaving = select(outbox.conversation_id).where(
        outbox.conversation_id.in_(of_theirs), outbox.state.in_(("queued", "leased"))
    )
    waiting = select(planned.conversation_id).where(planned.conversation_id.in_(of_theirs), planned.state == "waiting")
    found: list[Obstacle] = []
    named: tuple[tuple[Hindrance, Any], ...] = (
        ("call_live", live),
        ("conversations_open", opened),
        ("sending", leaving.union(waiting)),
    )
    for code, query in named:
        some = sorted(tx.execute(query.distinct() if isinstance(query, Select) else query).scalars())
        seen = conversations.load_visible(tx, viewer, some)
        found += _named(code, {each: None for each in some if each in seen}, is_more=len(seen) < len(some))
    unfinished = select(imports.id, imports.file_name).where(
        imports.file_key.is_not(None), imports.state.not_in(_IMPORT_IS_OVER)
    )
    files = {row.id: row.file_name for row in tx.rows(unfinished.order_by(imports.id))}
    theirs = customer_imports.load_visible(tx, viewer, files)
    open_files = {each: name for each, name in files.items() if each in theirs}
    return found + _named("import_open", open_files, is_more=len(theirs) < len(files))


def _named(code: Hindrance, seen: Mapping[int, str | None], *, is_more: bool) -> list[Obstacle]:
    """`seen`: names of files by the ids. `is_more`: there are others, which are not the viewer's to see."""
    named = [Obstacle(code, each, name) for each, name in seen.items()][:_MOST_NAMED]
    return [*named, Obstacle(code, None)] if is_more else named


def _check_nothing_goes_on(tx: Tx, viewer: Viewer, ids: Collection[int]) -> None:
    first = next(iter(_find_obstacles(tx, viewer, ids)), None)
    if first is None:
        return
    if first.id is None:
        raise Conflict(_HINDERS_UNSEEN[first.code], code=first.code)
    words = _HINDERS[first.code].format(id=first.id, file=first.file_name)
    raise Conflict(words, code=first.code, fields={"id": str(first.id)})


def _conversations(ids: Collection[int]) -> Any:
    return select(_c.id).where(_c.customer_id.in_(ids)).scalar_subquery()


def _entries(ids: Collection[int]) -> Any:
    return select(_e.id).where(_e.conversation_id.in_(_conversations(ids))).scalar_subquery()


def _points(ids: Collection[int]) -> Any:
    return select(_cp.id).where(_cp.customer_id.in_(ids)).scalar_subquery()


def _topics(tx: Tx, ids: Collection[int]) -> set[str]:
    """Of everybody who may have something of theirs on a screen."""
    topics = {SUPERVISORS, *(customer_topic(each) for each in ids)}
    places = select(_c.queue_id, _c.assignee_id, _c.participants).where(_c.customer_id.in_(ids))
    for row in tx.rows(places):
        topics |= conversation_topics(row.queue_id, row.assignee_id, read_ids(row.participants))
    held = select(_t.assignee_id).where(_t.customer_id.in_(ids), _t.assignee_id.is_not(None))
    return topics | {user_topic(row.assignee_id) for row in tx.rows(held)}


def _note_arrivals(tx: Tx, ids: Collection[int], work: dict[str, Any]) -> None:
    first = tx.scalar(select(func.min(_c.created_at)).where(_c.customer_id.in_(ids)))
    if first is not None:
        work["since"] = (first - _BEFORE).isoformat()
        used = tx.rows(select(_c.channel_id).where(_c.customer_id.in_(ids)).distinct().order_by(_c.channel_id))
        work["channels"] = [row.channel_id for row in used]


def _erase_untold(tx: Tx, ids: Collection[int], until: int) -> None:
    """What webhooks have not read yet, they shall not read: a delivery would be made of it. It is little: they are awake."""
    seq = tx.scalar(select(func.min(_p.cursor)).where(_p.enabled))
    while seq is not None and seq < until:
        seq = _erase_events(tx, ids, seq, until)


def _erase_audit(tx: Tx, ids: Collection[int]) -> None:
    """Who did what and when stays; whom it was done to is a number. Nobody reads the whole log for that: it may be long."""
    for kind, query in (
        ("customer", select(_cu.id).where(_cu.id.in_(ids))),
        ("conversation", select(_c.id).where(_c.customer_id.in_(ids))),
        ("task", select(_t.id).where(_t.customer_id.in_(ids))),
    ):
        theirs = [str(row.id) for row in tx.rows(query.order_by("id"))]
        for start in range(0, len(theirs), _STEP):
            for row in _audited(tx, _a.subject == kind, _a.subject_id.in_(theirs[start : start + _STEP])):
                kept = {key: row.data[key] for key in _TOLD_OF_THEM if key in row.data}
                _put_audit(tx, row, {"name": f"#{row.subject_id}", **kept})
    wanted = {str(each) for each in ids}
    names = {row.name.lower() for row in tx.rows(select(_cu.name).where(_cu.id.in_(ids)))}
    names |= {row.address.lower() for row in tx.rows(select(_cp.address).where(_cp.customer_id.in_(ids)))}
    for row in _audited(tx, _a.subject == "customer", _a.action.in_(_TELL_OF_OTHERS)):
        data = dict(row.data)
        if str(data.get("other_id")) in wanted and "other" in data:
            data["other"] = f"#{data['other_id']}"
        words = str(data.get("words", "")).lower()
        if words and any(words in name or name in words for name in names):
            del data["words"]
        _put_audit(tx, row, data)


def _audited(tx: Tx, *which: Any) -> Iterator[Row[Any]]:
    last = 0
    while rows := tx.rows(select(tables.audit).where(_a.id > last, *which).order_by(_a.id).limit(_STEP)):
        last = rows[-1].id
        yield from rows


def _put_audit(tx: Tx, row: Row[Any], data: dict[str, Any]) -> None:
    if data != row.data:
        tx.execute(update(tables.audit).where(_a.id == row.id).values(data=data))


def _erase_search(tx: Tx, ids: Collection[int]) -> None:
    found = tables.search_entry
    tx.execute(delete(found).where(found.c.entry_id.in_(_entries(ids))))
    cards = tables.search_customer
    tx.execute(delete(cards).where(cards.c.customer_id.in_(ids)))


def _erase_writing(tx: Tx, ids: Collection[int], work: dict[str, Any]) -> None:
    """Drafts and planned messages, with files that nobody sent; and how messages went on their way."""
    draft, planned, attachment = tables.draft, tables.planned_message, tables.attachment
    of_theirs = _conversations(ids)
    uploads: set[int] = set()
    for table in (draft, planned):
        held = [column for column in table.c if column.name in ("attachment_ids", "note_attachment_ids")]
        rows = tx.execute(delete(table).where(table.c.conversation_id.in_(of_theirs)).returning(*held)).all()
        uploads.update(each for row in rows for some in row for each in some or ())
    gone = (attachment.c.entry_id.is_(None)) & attachment.c.id.in_(sorted(uploads))
    gone |= attachment.c.contact_point_id.in_(_points(ids)) & attachment.c.entry_id.is_(None)
    _forget_attachments(tx, gone, work)


def _forget_attachments(tx: Tx, which: Any, work: dict[str, Any]) -> None:
    attachment = tables.attachment
    rows = tx.execute(delete(attachment).where(which).returning(attachment.c.file_key)).all()
    work["files"] += _nobodys(tx, {row.file_key for row in rows if row.file_key})


def _nobodys(tx: Tx, keys: Collection[str]) -> list[str]:
    """Those of the files that nothing refers to: one that was passed on belongs to whoever has it, too. It is asked again
    before they go: somebody may have been passing one on at that very moment."""
    left = set(keys)
    for column in (tables.attachment.c.file_key, tables.mail.c.raw_key):
        wanted = sorted(left)
        for start in range(0, len(wanted), _STEP):
            some = column.in_(wanted[start : start + _STEP])
            left -= set(tx.execute(select(column).where(some)).scalars())
    return sorted(left)


def _erase_entries(tx: Tx, ids: Collection[int], work: dict[str, Any]) -> None:
    of_theirs, lines = _conversations(ids), _entries(ids)
    mail, outbox, receipt = tables.mail, tables.outbox, tables.receipt
    _forget_attachments(tx, tables.attachment.c.entry_id.in_(lines), work)
    told = select(outbox.c.delivery_id).where(outbox.c.conversation_id.in_(of_theirs)).scalar_subquery()
    known = select(outbox.c.provider_id).where(outbox.c.conversation_id.in_(of_theirs)).scalar_subquery()
    about = receipt.c.delivery_id.in_(told) | receipt.c.message_provider_id.in_(known)
    tx.execute(update(receipt).where(about).values(detail=None))
    tx.execute(update(mail).where(mail.c.quoted_entry_id.in_(lines)).values(quoted_entry_id=None))
    raws = {
        row.raw_key
        for row in tx.execute(delete(mail).where(mail.c.entry_id.in_(lines)).returning(mail.c.raw_key))
        if row.raw_key
    }
    work["files"] += _nobodys(tx, raws)
    tx.execute(delete(outbox).where(outbox.c.conversation_id.in_(of_theirs)))
    tx.execute(delete(tables.entry).where(_e.conversation_id.in_(of_theirs)))


def _erase_calls(tx: Tx, ids: Collection[int], work: dict[str, Any]) -> None:
    call, leg, segment, recording = tables.call, tables.leg, tables.call_segment, tables.recording
    calls = select(call.c.id).where(call.c.conversation_id.in_(_conversations(ids))).scalar_subquery()
    nothing: dict[str, Any] = {"address": "", "scene": {}, "applied_scene": None}
    tx.execute(update(leg).where(leg.c.call_id.in_(calls)).values(**nothing))
    tx.execute(update(segment).where(segment.c.call_id.in_(calls)).values(note=""))
    theirs = select(recording.c.file_key).where(recording.c.call_id.in_(calls), recording.c.file_key.is_not(None))
    work["recordings"] += [row.file_key for row in tx.rows(theirs)]
    # The provider's copy is removed by whoever fetches recordings.
    gone = {"state": "deleted", "reason": None, "peaks": None, "file_key": None, "retry_at": None, "leased_until": None}
    living = (recording.c.call_id.in_(calls), recording.c.state != "deleted")
    leaves = {"deleted_at": tx.now, "delete_at": tx.now, "attempts": 0}
    tx.execute(update(recording).where(*living).values(**gone, **leaves))
    tx.execute(update(recording).where(recording.c.call_id.in_(calls)).values(peaks=None, file_key=None))
    values: dict[str, Any] = {"address": "", "flow": None, "entry_id": None, "version": call.c.version + 1}
    tx.execute(update(call).where(call.c.id.in_(calls)).values(**values))
    tx.wake("recordings")


def _erase_conversations(tx: Tx, ids: Collection[int]) -> None:
    of_theirs = _conversations(ids)
    merge, callback, offer, survey = tables.conversation_merge, tables.callback, tables.offer, tables.survey
    # It keeps what stood in the rows; what was one matter stays one.
    tx.execute(delete(merge).where(merge.c.from_id.in_(of_theirs) | merge.c.into_id.in_(of_theirs)))
    tx.execute(update(callback).where(callback.c.conversation_id.in_(of_theirs)).values(address=""))
    tx.execute(update(offer).where(offer.c.conversation_id.in_(of_theirs)).values(explanation=None))
    asked = survey.c.conversation_id.in_(of_theirs)
    tx.execute(update(survey).where(asked).values(comment="", entry_id=None, answer_entry_id=None))
    tx.execute(update(survey).where(asked, survey.c.state == "planned").values(state="dropped", dropped="erased"))
    tx.execute(update(survey).where(asked, survey.c.expires_at > tx.now).values(expires_at=tx.now))
    # The random word in the addresses of its mails leads nowhere any more: who answers one is somebody new.
    nothing: dict[str, Any] = {"subject": None, "thread": "", "preview": "", "tags": None, "fields": None}
    nothing |= {"callback": None, "unanswered_since": None}
    tx.execute(update(tables.conversation).where(_c.id.in_(of_theirs)).values(version=_c.version + 1, **nothing))


def _erase_work(tx: Tx, ids: Collection[int]) -> None:
    """Tasks about them, and what people were told of them."""
    alert = tables.alert
    tasks = select(_t.id).where(_t.customer_id.in_(ids)).scalar_subquery()
    about = alert.c.conversation_id.in_(_conversations(ids)) | alert.c.task_id.in_(tasks)
    told: dict[int, list[int]] = {}
    for row in tx.execute(delete(alert).where(about).returning(alert.c.id, alert.c.user_id)):
        told.setdefault(row.user_id, []).append(row.id)
    for user_id, alert_ids in sorted(told.items()):
        tx.emit(AlertsSeen(tuple(sorted(alert_ids))), {user_topic(user_id)})
    theirs = _t.customer_id.in_(ids)
    # While they are open, so that whoever has them is told.
    for row in tx.rows(task_rows.TASKS.where(theirs, task_rows.IS_OPEN).order_by(_t.id)):
        tx.execute(
            update(tables.task)
            .where(_t.id == row.id)
            .values(title="", note="", outcome="dropped", ended_at=tx.now, version=_t.version + 1)
        )
        task_rows.tell(tx, task_rows.task_view(tx.execute(task_rows.TASKS.where(_t.id == row.id)).one()))
    tx.execute(update(tables.task).where(theirs).values(title="", note=""))


def _erase_imports(tx: Tx, work: dict[str, Any]) -> None:
    """Of files that customers were read from only what came of them is kept: nobody knows whom a line names."""
    imports, line = tables.customer_import, tables.customer_import_line
    for row in tx.rows(select(imports.c.id, imports.c.file_key, imports.c.columns)):
        if row.file_key:
            work["files"].append(row.file_key)
        values: dict[str, Any] = {"file_key": None, "sample": [], "columns": [""] * len(row.columns)}
        tx.execute(update(imports).where(imports.c.id == row.id).values(version=imports.c.version + 1, **values))
    tx.execute(delete(line))


def _erase_cards(tx: Tx, ids: Collection[int]) -> None:
    points, identity, merge = _points(ids), tables.chat_identity, tables.customer_merge
    reference, activity, consent = tables.customer_reference, tables.activity, tables.consent
    visitors = select(_cp.address).where(_cp.customer_id.in_(ids), _cp.kind == "chat").scalar_subquery()
    tx.execute(delete(identity).where(identity.c.visitor_id.in_(visitors)))
    tx.execute(delete(consent).where(consent.c.contact_point_id.in_(points)))
    tx.execute(delete(reference).where(reference.c.customer_id.in_(ids)))
    tx.execute(delete(activity).where(activity.c.customer_id.in_(ids) | activity.c.given_id.in_(ids)))
    # It keeps what stood on the cards; who was one person stays one.
    tx.execute(delete(merge).where(merge.c.from_id.in_(ids) | merge.c.into_id.in_(ids)))
    connection = tables.connection
    tx.execute(update(connection).where(connection.c.customer_id.in_(ids)).values(customer_id=None))
    visitor_presence.forget(tx, points)
    for row in tx.rows(select(_cp.id, _cp.removed_at).where(_cp.customer_id.in_(ids))):
        nothing: dict[str, Any] = {"address": f"erased-{row.id}", "label": "", "is_main": False, "verified": False}
        nothing |= {"opted_out_at": None, "bounced_at": None, "bounce_reason": None}
        nothing["removed_at"] = row.removed_at or tx.now
        tx.execute(update(tables.contact_point).where(_cp.id == row.id).values(**nothing))
    values = {**_EMPTY_CARD, "erased_at": tx.now, "version": _cu.version + 1}
    tx.execute(update(tables.customer).where(_cu.id.in_(ids)).values(**values))


# --- the rest, step by step ---------------------------------------------------------------------------------------------


def find_unfinished(tx: Tx) -> list[int]:
    return [row.id for row in tx.rows(select(_d.id).where(_d.state == "erasing").order_by(_d.id))]


def step(tx: Tx, request_id: int) -> list[tuple[str, str]] | None:
    """One bounded step. None while there are more of them; then the files that are left to be deleted before `finish`, as
    ("files" or "recordings", key)."""
    row = tx.first(select(tables.data_request).where(_d.id == request_id).with_for_update())
    if row is None or row.state != "erasing":
        return []
    work = dict(row.work)
    ids = [row.customer_id, *(each.id for each in tx.rows(select(_cu.id).where(_cu.merged_into == row.customer_id)))]
    living = tx.scalar(select(_cu.merged_into).where(_cu.id == row.customer_id))
    if living is not None:
        ids = [living, *(each.id for each in tx.rows(select(_cu.id).where(_cu.merged_into == living)))]
    if work["seq"] < work["until"]:
        work["seq"] = _erase_events(tx, ids, work["seq"], work["until"])
    elif work["since"] is not None:
        _erase_arrivals(tx, work)
    elif work["words"]:
        _tidy_words(tx, work)
    elif not _erase_deliveries(tx, ids, work):
        return [("files", key) for key in _nobodys(tx, work["files"])] + [
            ("recordings", key) for key in work["recordings"]
        ]
    tx.execute(update(tables.data_request).where(_d.id == row.id).values(work=work))
    return None


def _erase_events(tx: Tx, ids: Collection[int], after: int, until: int) -> int:
    """Deletes those of the next events that tell of the customer; how far it came."""
    event = tables.event.c
    looked = select(event.seq, event.body).where(event.seq > after, event.seq <= until, event.kind.not_in(FACT_KINDS))
    rows = tx.rows(looked.order_by(event.seq).limit(_STEP))
    if not rows:
        return until
    conversation_ids = {row.id for row in tx.rows(select(_c.id).where(_c.customer_id.in_(ids)))}
    task_ids = {row.id for row in tx.rows(select(_t.id).where(_t.customer_id.in_(ids)))}
    whose = {"customer": set(ids), "conversation": conversation_ids, "task": task_ids}
    gone = [row.seq for row in rows if _tells_of(json.loads(row.body), whose)]
    if gone:
        tx.execute(delete(tables.event).where(event.seq.in_(gone)))
    return until if len(rows) < _STEP else int(rows[-1].seq)


def _tells_of(value: Any, whose: Mapping[str, set[int]]) -> bool:
    """Whether a part of it names one of these, by `customer_id` or as `customer: {id}`."""
    if isinstance(value, list):
        return any(_tells_of(each, whose) for each in value)
    if not isinstance(value, dict):
        return False
    for noun, ids in whose.items():
        part = value.get(noun)
        if value.get(f"{noun}_id") in ids or (isinstance(part, dict) and part.get("id") in ids):
            return True
    return any(_tells_of(each, whose) for each in value.values() if isinstance(each, dict | list))


def _erase_arrivals(tx: Tx, work: dict[str, Any]) -> None:
    """Empties the next of the payloads; `since` is None once there are none left."""
    arrival = tables.arrival.c
    since = datetime.fromisoformat(work["since"])
    of_theirs = (arrival.received_at >= since, arrival.raw != "", arrival.channel_id.in_(work["channels"]))
    rows = tx.rows(
        select(arrival.channel_id, arrival.provider_id, arrival.received_at)
        .where(*of_theirs)
        .order_by(arrival.received_at)
        .limit(_STEP)
    )
    for channel_id in {row.channel_id for row in rows}:
        keys = [row.provider_id for row in rows if row.channel_id == channel_id]
        which = (arrival.channel_id == channel_id, arrival.provider_id.in_(keys))
        tx.execute(update(tables.arrival).where(*which).values(raw=""))
    work["since"] = rows[-1].received_at.isoformat() if len(rows) == _STEP else None


def _tidy_words(tx: Tx, work: dict[str, Any]) -> None:
    """SQLite's FTS5 notes that a word is gone, and keeps it until it puts its parts together. It does so now, some pages at a
    time; "-" before a table: that has not begun yet."""
    name = work["words"][0]
    table = f"{name.lstrip('-')}_words"
    before = tx.scalar(text("SELECT total_changes()"))
    pages = -_MERGED_PAGES if name.startswith("-") else _MERGED_PAGES
    tx.execute(text(f"INSERT INTO {table} ({table}, rank) VALUES ('merge', {pages})"))  # noqa: S608
    # Its documentation (6.8): fewer than two changes mean that nothing was left to do.
    is_over = tx.scalar(text("SELECT total_changes()")) - before < 2
    work["words"] = work["words"][1:] if is_over else [name.lstrip("-"), *work["words"][1:]]


def _erase_deliveries(tx: Tx, ids: Collection[int], work: dict[str, Any]) -> bool:
    """Deletes some of what webhooks told of them; whether there may be more. What was written down later tells of nobody."""
    delivery = tables.webhook_delivery.c
    for kind, query in (
        ("customer", select(_cu.id).where(_cu.id.in_(ids))),
        ("conversation", select(_c.id).where(_c.customer_id.in_(ids))),
        ("task", select(_t.id).where(_t.customer_id.in_(ids))),
    ):
        lanes = [f"{kind}:{row.id}" for row in tx.rows(query)]
        for start in range(0, len(lanes), _STEP):
            some = lanes[start : start + _STEP]
            old = delivery.id <= work["told"]
            found = [row.id for row in tx.rows(select(delivery.id).where(delivery.lane.in_(some), old).limit(_STEP))]
            if found:
                tx.execute(delete(tables.webhook_delivery).where(delivery.id.in_(found)))
                return True
    return False


def finish(tx: Tx, request_id: int) -> bool:
    """After the files are gone. False if it was over already: it ends once."""
    row = tx.first(select(tables.data_request).where(_d.id == request_id).with_for_update())
    if row is None or row.state != "erasing":
        return False
    values = {"state": "done", "work": None, "ended_at": tx.now, "version": _d.version + 1}
    tx.execute(update(tables.data_request).where(_d.id == row.id).values(**values))
    requests.note(tx, None, "erased", row.id, row.customer_id, kind="erasure")
    return True


class Eraser:
    """Takes the steps of erasures that have begun. Any process may, several at once, too: a step holds the request's row."""

    def __init__(self, database: Database, wakes: Wakes, files: Files, recordings: Recordings) -> None:
        self._database = database
        self._wakes = wakes
        self._files = files
        self._recordings = recordings

    async def run(self) -> None:
        while True:
            wait_s = _LOOK_EVERY_S
            try:
                for request_id in await self._database.read(find_unfinished):
                    try:
                        await self.work_off(request_id)
                    except _CANNOT_DELETE as error:
                        # It is tried again; the request says that it goes on. Nobody else's waits for that.
                        log.warning("erasure.put_off", extra={"error": type(error).__name__})
            except DatabaseAway:
                wait_s = _RETRY_S
            await self._wakes.wait(WAKE, wait_s)

    async def work_off(self, request_id: int) -> None:
        """To its end. What stands in the way of one file is raised once all others are gone."""
        left, fault = None, None
        while left is None:
            left = await self._database.transaction(step, request_id)
        for store, key in left:
            try:
                if store == "files":
                    await asyncio.to_thread(self._files.delete, key)
                else:
                    await self._recordings.delete(key)
            except _CANNOT_DELETE as error:
                fault = fault or error
        if fault is not None:
            raise fault
        await self._database.transaction(finish, request_id)
