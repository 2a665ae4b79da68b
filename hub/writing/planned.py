"""Messages that go out later: at a time that was chosen, or a moment after "send" was pressed, so that it can be undone.

    plan / hold      the message as it would be posted, in a row                                  waiting
    the loop ──due──► nothing in the way? ──► message, outbox row and this row in one transaction  sent
                                          └─► stopped, with the reason; its author is told         stopped
    change           another time, other words; also of what was stopped                           waiting
    send_now         by somebody who looks at it: whatever came in between, they have seen it      sent
    cancel           the words go back into a draft, in the same transaction                       cancelled

A row is taken behind its conversation's lock and read again there, and what it becomes is written with it: two loops, a
killed process and a clock that jumps post it once or not yet. Everything counts from the real sending: clocks, facts, the
outbox.

A planned message stops by itself when the customer has written since, or somebody has resolved the conversation: what was
right to say then may be wrong now. `despite` says that it goes all the same; into a resolved conversation without opening
it, for the customer's answer will. What is held has been sent as far as its author is concerned: it is stopped by what would
refuse any message, and by nothing else but a day in which the hub was off, as what waits in the outbox is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, exists, func, or_, select, update

from hub.agents import alerts
from hub.agents.viewer import Viewer, find_granted
from hub.domain.events import PlannedChanged
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence, from_text, to_text
from hub.domain.states import PLANNED, ConversationStatus, PlannedState, check_move
from hub.domain.values import ChannelKind, Direction, EntryKind, Happening, Role
from hub.domain.views import ConversationView, DraftView, PlannedView
from hub.errors import Conflict, DatabaseAway, Forbidden, HubError, InvalidInput, NotFound
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.idempotency import once, record_answer
from hub.store.stream import Wakes
from hub.timeline import conversations, tasks
from hub.timeline.mails import MailWish
from hub.writing import drafts, posting, uploads
from hub.writing.drafts import Ending, Words
from hub.writing.heads import MailHead, files_of, read_head, store_head, view_head
from hub.writing.posting import Message

log = logging.getLogger(__name__)

_p, _c, _e, _u = tables.planned_message.c, tables.conversation.c, tables.entry.c, tables.user_account.c

# Further ahead nobody remembers what it was about.
LONGEST = timedelta(days=366)
# As long as nobody waits for their own message (the console offers 5, 10 and 20 s).
LONGEST_HOLD_S = 60
# The hub was off when it was due: nobody wants yesterday's words today (as timeline.outbox gives up).
TOO_LATE = timedelta(hours=24)
# What its author is told, until they have seen to it.
STOPPED, TAKEN = "planned_stopped", "planned_taken"
_STEP = 50
# Missed wakes and clocks that jump are made good by this.
_LOOK_EVERY_S = 30.0
# While anything waits that words of the customer's would stop: its author is told within this.
_WATCH_EVERY_S = 3.0
_RETRY_S = 1.0
# What whoever presses "send now" has seen.
_SEEN = frozenset({"customer_wrote", "resolved", "too_late"})
_STANDING = (PlannedState.WAITING.value, PlannedState.STOPPED.value)


class PlannedMessages:
    """Sends what is due, and stops what was overtaken, for as long as the process lives."""

    def __init__(self, database: Database, wakes: Wakes) -> None:
        self._database = database
        self._wakes = wakes

    async def run(self) -> None:
        while True:
            try:
                for planned_id in await self._database.read(find_due):
                    await self._post(planned_id)
                for planned_id in await self._database.read(find_overtaken):
                    await self._database.transaction(stop_overtaken, planned_id)
                nearest, is_watched = await self._database.read(load_nearest)
            except DatabaseAway:
                await asyncio.sleep(_RETRY_S)
                continue
            wait_s = _WATCH_EVERY_S if is_watched else _LOOK_EVERY_S
            if nearest is not None:
                # What is due still was not to be had now.
                until_s = (nearest - self._database.clock()).total_seconds()
                wait_s = min(until_s if until_s > 0 else _RETRY_S, wait_s)
            await self._wakes.wait("planned", wait_s)

    async def _post(self, planned_id: int) -> None:
        """One that cannot be posted stops no other."""
        try:
            await self._database.transaction(post_due, planned_id)
        except DatabaseAway:
            raise
        except HubError as error:
            # The code has its sentence on the screen; which field it was is said by the faults.
            await self._database.transaction(stop, planned_id, error.code, _words_of(error))
        except Exception:
            log.exception("planned.not_posted", extra={"planned_id": planned_id})
            await self._database.transaction(stop, planned_id, "failed", None)


def find_due(tx: Tx) -> list[int]:
    due = select(_p.id).where(_p.state == PlannedState.WAITING.value, _p.send_at <= tx.now)
    return [row.id for row in tx.rows(due.order_by(_p.send_at, _p.id).limit(_STEP))]


def load_nearest(tx: Tx) -> tuple[datetime | None, bool]:
    """When the next one is due, and whether any waits that may be overtaken."""
    waiting = _p.state == PlannedState.WAITING.value
    nearest: datetime | None = tx.scalar(select(func.min(_p.send_at)).where(waiting))
    return nearest, tx.first(select(_p.id).where(waiting, ~_p.is_held, ~_p.despite).limit(1)) is not None


def find_overtaken(tx: Tx) -> list[int]:
    """Those that wait though the customer has written, or somebody resolved the conversation, since they were planned."""
    since = (_e.conversation_id == _p.conversation_id, _e.id > _p.after_entry_id)
    query = (
        select(_p.id)
        .join(tables.conversation, _c.id == _p.conversation_id)
        .where(
            _p.state == PlannedState.WAITING.value,
            ~_p.is_held,
            ~_p.despite,
            or_(
                exists().where(*since, *_CUSTOMERS),
                (_c.status == ConversationStatus.RESOLVED.value)
                & exists().where(*since, _e.happening == Happening.RESOLVED.value),
            ),
        )
    )
    return [row.id for row in tx.rows(query.order_by(_p.id).limit(_STEP))]


_CUSTOMERS = (_e.direction == Direction.IN.value, _e.kind == EntryKind.MESSAGE.value)


# --- planning -----------------------------------------------------------------------------------------------------------


def plan(
    tx: Tx,
    viewer: Viewer,
    conversation_id: int,
    message: Message,
    *,
    head: MailHead | None,
    segments: int | None,
    send_at: datetime | None,
    hold_s: int,
    despite: bool,
    key: str | None,
    request_hash: str,
    ending: Ending | None,
) -> PlannedView:
    """Plans it for `send_at`, or, where that is None, holds it for `hold_s`. What the same person holds there already goes
    out first. InvalidInput names a faulty field."""
    seen = conversations.access_conversation(tx, viewer, conversation_id)
    if send_at is None and seen.assignee_id is None:
        tx.lock_routing()  # first in the lock order: whoever answers what nobody holds, holds it
    view = conversations.lock_conversation(tx, conversation_id)
    earlier = once(tx, viewer.user_id, key, request_hash)
    if earlier is not None:
        return load_planned(tx, earlier)
    conversations.check_is_own(view)
    if send_at is None and seen.assignee_id is not None and view.assignee_id is None:
        raise Conflict("this conversation was let go a moment ago; send it again", code="assignment_changed")
    if send_at is not None:
        _check_time(tx, send_at)
    uploads.check_unsent(tx, viewer.user_id, message.attachment_ids)
    if send_at is None:
        post_held(tx, viewer, view)
        view = conversations.load_conversation(tx, conversation_id)
        if view.assignee_id is None and view.status is ConversationStatus.OPEN:
            dispatcher.hold_for_reply(tx, viewer, conversation_id)
    planned_id = tx.insert(
        tables.planned_message,
        {
            "conversation_id": conversation_id,
            "author_id": viewer.user_id,
            "is_held": send_at is None,
            "text": message.text,
            "attachment_ids": list(message.attachment_ids),
            "mail": store_head(head),
            "segments": segments,
            "send_at": send_at or tx.now + timedelta(seconds=hold_s),
            "despite": despite,
            "after_entry_id": _newest_entry(tx, conversation_id),
            "client_key": key,
            "state": PlannedState.WAITING.value,
            "created_at": tx.now,
        },
    )
    sent = drafts.Words(message.text, attachment_ids=tuple(message.attachment_ids))
    drafts.end(tx, viewer.user_id, conversation_id, ending, "answer", sent)
    record_answer(tx, viewer.user_id, key, planned_id)
    tx.wake("planned")
    return _tell(tx, planned_id)


def _check_time(tx: Tx, send_at: datetime) -> None:
    if send_at <= tx.now:
        raise InvalidInput("that time is over", fields={"send_at": Sentence("must be in the future")})
    if send_at > tx.now + LONGEST:
        raise InvalidInput(
            "that is too far ahead", fields={"send_at": Sentence("at most {count} days ahead", count=LONGEST.days)}
        )


def _newest_entry(tx: Tx, conversation_id: int) -> int:
    return int(tx.scalar(select(func.max(_e.id)).where(_e.conversation_id == conversation_id)) or 0)


def change(
    tx: Tx,
    viewer: Viewer,
    planned_id: int,
    *,
    expected_version: int,
    text: str | None,
    send_at: datetime | None,
    despite: bool | None,
    segments: int | None,
) -> PlannedView:
    """None leaves a thing as it is. What was stopped waits again: whoever changes it has seen why. Only its author puts
    words into their own mouth. Conflict `planned_changed` if somebody was faster."""
    row, view = _access(tx, viewer, planned_id)
    _check_standing(row, expected_version)
    values: dict[str, Any] = {"despite": row.despite if despite is None else despite, "send_at": send_at or row.send_at}
    if text is not None and text != row.text:
        if row.author_id != viewer.user_id:
            raise Forbidden("only its author changes what it says", code="not_yours")
        if not text and not row.attachment_ids and (row.mail or {}).get("kind") != "forward":
            raise InvalidInput("nothing to send", fields={"text": Sentence("write something or attach a file")})
        values |= {"text": text, "segments": segments}
    _check_time(tx, values["send_at"])
    values |= {"after_entry_id": _newest_entry(tx, view.id), "is_held": False}
    return _move(tx, row, PlannedState.WAITING, reason=None, detail=None, **values)


def cancel(
    tx: Tx, viewer: Viewer, planned_id: int, *, gives_back: bool, writer: str
) -> tuple[PlannedView, DraftView | None]:
    """Takes it back; `gives_back`: its words are the viewer's draft then, files of a colleague's as copies. Conflict
    `planned_sent` if it has gone. Its author may, also of a conversation that they see no more: it would go out in their
    name."""
    row, view = _access(tx, viewer, planned_id, or_own=True)
    _check_standing(row, None)
    planned = _move(tx, row, PlannedState.CANCELLED, reason=None, detail=None)
    draft = None
    if gives_back:
        words = Words(row.text, "", tuple(row.attachment_ids), read_head(row.mail))
        if row.author_id != viewer.user_id:
            copies = uploads.copy(tx, uploads.load_unsent(tx, row.author_id, words.attachment_ids), viewer.user_id)
            words = replace(words, text=uploads.renamed_in(row.text, copies), attachment_ids=tuple(copies.values()))
        draft = drafts.give_back(tx, viewer.user_id, view.id, words, writer=writer)
    if row.author_id != viewer.user_id:
        _raise(tx, row, view, TAKEN, {"by": viewer.name})
    return planned, draft


# --- posting ------------------------------------------------------------------------------------------------------------


def post_due(tx: Tx, planned_id: int) -> bool:
    """Posts it, or stops it and says why; False if it was neither: somebody was faster, or it is not due any more."""
    found = tx.first(select(_p.conversation_id, _p.is_held).where(_p.id == planned_id))
    if found is None:
        return False
    seen = conversations.load_conversation(tx, found.conversation_id)
    may_hold = found.is_held and seen.assignee_id is None
    if may_hold:
        tx.lock_routing()
    view = conversations.lock_conversation(tx, found.conversation_id)
    row = _lock(tx, planned_id)
    if row is None or row.state != PlannedState.WAITING or row.send_at > tx.now:
        return False
    if row.is_held and view.assignee_id is None and not may_hold:
        return False  # let go a moment ago; ROUTING can no longer be taken first
    refusal = _refusal(tx, row, view)
    if refusal is not None:
        _stop(tx, row, view, *refusal)
        return True
    _post(tx, row, view, holds=row.is_held)
    return True


def post_held(tx: Tx, viewer: Viewer, view: ConversationView) -> None:
    """Something comes after it: what this person holds back in this conversation goes out now, in its order. The caller has
    the conversation's lock, and ROUTING if nobody holds it."""
    held = (_p.conversation_id == view.id, _p.author_id == viewer.user_id, _p.is_held)
    query = select(_p.id).where(*held, _p.state == PlannedState.WAITING.value).order_by(_p.id)
    for planned_id in [each.id for each in tx.rows(query)]:
        row = _lock(tx, planned_id)
        if row is None or row.state != PlannedState.WAITING:
            continue
        refusal = _refusal(tx, row, view)
        if refusal is not None:
            _stop(tx, row, view, *refusal)
        else:
            _post(tx, row, conversations.load_conversation(tx, view.id), holds=True)


def send_now(tx: Tx, viewer: Viewer, planned_id: int) -> PlannedView:
    """Posts it, in its author's name; what has gone stays as it is. Whoever does holds what nobody held, and opens what was
    resolved. Conflict with the reason as its code if nothing may be sent."""
    found = tx.first(select(_p.conversation_id).where(_p.id == planned_id))
    before = None if found is None else conversations.load_conversation(tx, found.conversation_id)
    if before is not None and before.assignee_id is None:
        tx.lock_routing()
    row, view = _access(tx, viewer, planned_id)
    if before is not None and before.assignee_id is not None and view.assignee_id is None:
        raise Conflict("this conversation was let go a moment ago; send it again", code="assignment_changed")
    if row.state == PlannedState.SENT:
        return load_planned(tx, planned_id)
    _check_standing(row, None)
    refusal = _refusal(tx, row, view)
    if refusal is not None and refusal[0] not in _SEEN:
        fields = {} if refusal[1] is None else {"detail": refusal[1]}
        raise Conflict(refusal[1] or "it cannot be sent now", code=refusal[0], fields=fields)
    if view.assignee_id is None:
        dispatcher.hold_for_reply(tx, viewer, view.id)
    return _post(tx, row, view, holds=False)


def stop(tx: Tx, planned_id: int, reason: str, detail: str | None) -> None:
    """It cannot be posted; for what nobody foresaw."""
    conversation_id = tx.scalar(select(_p.conversation_id).where(_p.id == planned_id))
    if conversation_id is None:
        return
    view = conversations.lock_conversation(tx, conversation_id)
    row = _lock(tx, planned_id)
    if row is not None and row.state == PlannedState.WAITING:
        _stop(tx, row, view, reason, detail)


def stop_overtaken(tx: Tx, planned_id: int) -> None:
    """See `find_overtaken`; read again behind the lock."""
    conversation_id = tx.scalar(select(_p.conversation_id).where(_p.id == planned_id))
    if conversation_id is None:
        return
    view = conversations.lock_conversation(tx, conversation_id)
    row = _lock(tx, planned_id)
    if row is None or row.state != PlannedState.WAITING:
        return
    reason = _overtaken_by(tx, row, view)
    if reason is not None:
        _stop(tx, row, view, reason, None)


def _post(tx: Tx, row: Row[Any], view: ConversationView, *, holds: bool) -> PlannedView:
    author = _load_author(tx, row.author_id)
    assert author is not None
    is_open = view.status is ConversationStatus.OPEN
    # Whose role takes no part by now holds nothing, though what they have sent goes out.
    holds = holds and author.may(Permission.TAKE_PART)
    if holds and (view.assignee_id is None if is_open else not _was_resolved_since(tx, row)):
        dispatcher.hold_for_reply(tx, author, view.id)
    entry = posting.post(tx, view, author, _message(row), segments=row.segments, client_key=row.client_key)
    return _move(tx, row, PlannedState.SENT, entry_id=entry.id, reason=None, detail=None)


def _was_resolved_since(tx: Tx, row: Row[Any]) -> bool:
    """What was resolved already when "send" was pressed is opened by it; what was resolved since stays so."""
    return _has_since(tx, row, _e.happening == Happening.RESOLVED.value)


def _message(row: Row[Any]) -> Message:
    head = read_head(row.mail)
    return Message(row.text, tuple(row.attachment_ids), head.wish if head is not None else None)


def _refusal(tx: Tx, row: Row[Any], view: ConversationView) -> tuple[str, str | None] | None:
    """Why it does not go out now: a machine word, and what is wrong in words. The same in every process."""
    author = _load_author(tx, row.author_id)
    if author is None:
        return "author_gone", None
    if not tx.scalar(select(tables.channel.c.enabled).where(tables.channel.c.id == view.channel_id)):
        return "channel_off", None
    point = tables.contact_point.c
    if tx.scalar(select(point.opted_out_at).where(point.id == view.contact_point_id)) is not None:
        return "opted_out", None
    if tx.now - row.send_at > TOO_LATE:
        return "too_late", None
    overtaken = _overtaken_by(tx, row, view)
    if overtaken is not None:
        return overtaken, None
    if len(uploads.load_unsent(tx, row.author_id, row.attachment_ids)) < len(row.attachment_ids):
        return "file_gone", None
    if view.channel_kind is ChannelKind.EMAIL:
        try:
            posting.draft_mail(tx, view, _message(row).mail or MailWish(), author.user_id, author.name)
        except InvalidInput as error:
            return "mail_faulty", _words_of(error)
    return None


def _words_of(error: HubError) -> str | None:
    return Sentence.joined("; ", list(error.fields.values())) if error.fields else None


def _overtaken_by(tx: Tx, row: Row[Any], view: ConversationView) -> str | None:
    if row.is_held or row.despite:
        return None
    if _has_since(tx, row, *_CUSTOMERS):
        return "customer_wrote"
    is_resolved = view.status is ConversationStatus.RESOLVED
    return "resolved" if is_resolved and _was_resolved_since(tx, row) else None


def _has_since(tx: Tx, row: Row[Any], *conditions: Any) -> bool:
    since = (_e.conversation_id == row.conversation_id, _e.id > row.after_entry_id)
    return tx.first(select(_e.id).where(*since, *conditions).limit(1)) is not None


def _load_author(tx: Tx, user_id: int) -> Viewer | None:
    """In whose name it goes out, whatever they may see by now; None if they work here no more."""
    row = tx.first(select(_u.id, _u.role, _u.name, _u.language, _u.active).where(_u.id == user_id))
    if row is None or not row.active:
        return None
    m = tables.queue_member.c
    queue_ids = frozenset(each.queue_id for each in tx.rows(select(m.queue_id).where(m.user_id == user_id)))
    granted = find_granted(tx, user_id)
    return Viewer(row.id, Role(row.role), row.name, row.language, queue_ids, granted=granted)


# --- conversations that become one --------------------------------------------------------------------------------------

# Why it stopped: it was to go out by another channel or to another address than those of the conversation it is in now.
MERGED = "merged"


def move(tx: Tx, from_id: int, into_id: int, *, is_same_way: bool) -> list[int]:
    """What was to go out in one conversation goes out in another; which. Unless it goes the same way there (`is_same_way`:
    channel and address) it is stopped, for its author to look at. The caller holds both locks."""
    standing = (_p.conversation_id == from_id, _p.state.in_(_STANDING))
    ids = [row.id for row in tx.rows(select(_p.id).where(*standing).order_by(_p.id))]
    for planned_id in ids:
        if _lock(tx, planned_id) is not None:
            _take_along(tx, planned_id, into_id, is_same_way=is_same_way)
    return ids


def _take_along(tx: Tx, planned_id: int, into_id: int, *, is_same_way: bool) -> None:
    row = _lock(tx, planned_id)
    assert row is not None
    goes_on = row.state == PlannedState.STOPPED and row.reason == MERGED and is_same_way and row.send_at > tx.now
    if goes_on:
        alerts.end_about(tx, row.conversation_id, STOPPED, "planned_id", row.id)
    values = {"conversation_id": into_id, "version": _p.version + 1}
    tx.execute(update(tables.planned_message).where(_p.id == planned_id).values(**values))
    row = _lock(tx, planned_id)
    assert row is not None
    if row.state == PlannedState.WAITING and not is_same_way:
        _stop(tx, row, conversations.load_conversation(tx, into_id), MERGED, None)
    elif goes_on:
        _move(tx, row, PlannedState.WAITING, reason=None, detail=None)
    else:
        _tell(tx, planned_id)


def move_back(tx: Tx, planned_ids: Collection[int], from_id: int, into_id: int) -> None:
    """Those of these that still stand in the first are the other's again; what was stopped for it waits on."""
    standing = (_p.id.in_(planned_ids), _p.conversation_id == from_id, _p.state.in_(_STANDING))
    for row in tx.rows(select(_p.id).where(*standing).order_by(_p.id)):
        _take_along(tx, row.id, into_id, is_same_way=True)


# --- the row ------------------------------------------------------------------------------------------------------------


def _lock(tx: Tx, planned_id: int) -> Row[Any] | None:
    """Behind its conversation, as an outbox row."""
    query = select(tables.planned_message).where(_p.id == planned_id)
    return tx.first(query.with_for_update() if tx.is_postgresql else query)


def _access(tx: Tx, viewer: Viewer, planned_id: int, *, or_own: bool = False) -> tuple[Row[Any], ConversationView]:
    """Conversation and row, locked; NotFound for whoever may not see the conversation. `or_own`: its author may all the
    same."""
    absent = NotFound("there is no such planned message")
    found = tx.first(select(_p.conversation_id, _p.author_id).where(_p.id == planned_id))
    if found is None:
        raise absent
    view = conversations.lock_conversation(tx, found.conversation_id)
    if not conversations.may_see(viewer, view) and not (or_own and found.author_id == viewer.user_id):
        raise absent
    row = _lock(tx, planned_id)
    if row is None:
        raise absent
    return row, view


def _check_standing(row: Row[Any], expected_version: int | None) -> None:
    if row.state == PlannedState.SENT:
        raise Conflict("it has been sent", code="planned_sent")
    if row.state == PlannedState.CANCELLED or (expected_version is not None and row.version != expected_version):
        raise Conflict("somebody was faster", code="planned_changed")


def _move(tx: Tx, row: Row[Any], state: PlannedState, **values: Any) -> PlannedView:
    if row.state != state:
        check_move(PLANNED, PlannedState(row.state), state)
    tx.execute(
        update(tables.planned_message)
        .where(_p.id == row.id)
        .values(state=state.value, version=_p.version + 1, **values)
    )
    if row.state == PlannedState.STOPPED and state is not PlannedState.STOPPED:
        alerts.end_about(tx, row.conversation_id, STOPPED, "planned_id", row.id)
    if state is PlannedState.WAITING:
        tx.wake("planned")
    return _tell(tx, row.id)


def _stop(tx: Tx, row: Row[Any], view: ConversationView, reason: str, detail: str | None) -> None:
    _move(tx, row, PlannedState.STOPPED, reason=reason, detail=None if detail is None else to_text(detail))
    _raise(tx, row, view, STOPPED, {"why": reason})


def _raise(tx: Tx, row: Row[Any], view: ConversationView, reason: str, data: dict[str, str | int | None]) -> None:
    """Tells its author; if they work here no more, whoever holds the conversation; if nobody does, supervisors."""
    told = row.author_id if _load_author(tx, row.author_id) is not None else view.assignee_id
    people = [told] if told is not None else tasks.find_heads(tx, view.queue_id)
    about = {"planned_id": row.id, "customer": view.customer_name}
    alerts.raise_alert(tx, people, level="notify", reason=reason, conversation_id=view.id, data=about | data)


def _tell(tx: Tx, planned_id: int) -> PlannedView:
    planned = load_planned(tx, planned_id)
    view = conversations.load_conversation(tx, planned.conversation_id)
    tx.emit(PlannedChanged(planned), conversations.entry_topics(view, to_visitor=False))
    return planned


def load_planned(tx: Tx, planned_id: int) -> PlannedView:
    found = load_all(tx, (_p.id == planned_id,))
    if not found:
        raise NotFound("there is no such planned message")
    return found[0]


def load_standing(tx: Tx, conversation_ids: Collection[int]) -> list[PlannedView]:
    """What is to go out there still, the next one first."""
    return load_all(tx, (_p.conversation_id.in_(conversation_ids), _p.state.in_(_STANDING)))


def load_of_author(tx: Tx, user_id: int) -> list[PlannedView]:
    """All that somebody has planned and that has not gone out; also what was held, if it was stopped."""
    is_listed = ~_p.is_held | (_p.state == PlannedState.STOPPED.value)
    return load_all(tx, (_p.author_id == user_id, is_listed, _p.state.in_(_STANDING)))


def load_all(tx: Tx, conditions: tuple[Any, ...]) -> list[PlannedView]:
    rows = tx.rows(
        select(tables.planned_message, _u.name, _c.customer_id)
        .join(tables.user_account, _u.id == _p.author_id)
        .join(tables.conversation, _c.id == _p.conversation_id)
        .where(*conditions)
        .order_by(_p.send_at, _p.id)
    )
    files = uploads.load_views(tx, {each for row in rows for each in files_of(row.attachment_ids, row.mail)})
    return [
        PlannedView(
            id=row.id,
            conversation_id=row.conversation_id,
            customer_id=row.customer_id,
            author_id=row.author_id,
            author_name=row.name,
            is_held=row.is_held,
            text=row.text,
            attachments=tuple(files[each] for each in row.attachment_ids if each in files),
            mail=view_head(row.mail, files),
            send_at=row.send_at,
            despite=row.despite,
            state=PlannedState(row.state),
            reason=row.reason,
            detail=None if row.detail is None else from_text(row.detail),
            entry_id=row.entry_id,
            client_key=row.client_key,
            created_at=row.created_at,
            version=row.version,
        )
        for row in rows
    ]
