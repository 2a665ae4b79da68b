"""Drafts: what somebody has typed in a conversation and not sent, one row for each person and conversation.

    save        the console's, about a second after the last key, with the version it knows
    end         in the transaction that accepts the message or the note: either there is a draft or there is a message
    give_back   what was to be sent is to be written on
    take_over   a colleague's words into one's own field; there they stay, marked as taken, until their author writes on
    sweep       housekeeping

Who may see the conversation may read its drafts. Begin and end are events, of the writer alone (the mark in their lists);
the words between are none: they are saved every second by everybody who types, so screens are told "ask again" by a word
that is not stored (domain.events.Drafting). A version never goes back while its row stands, and the row outlives the words: a
save that was overtaken by the message, or comes from a page that slept, meets a version that it does not know.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, delete, insert, or_, select, update

from hub.agents.viewer import Viewer
from hub.domain.events import DraftBegun, DraftEnded, user_topic
from hub.domain.states import ConversationStatus
from hub.domain.views import DraftMark, DraftView
from hub.errors import Conflict
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations
from hub.writing import uploads
from hub.writing.heads import MailHead, files_of, read_head, store_head, view_head

_d, _c = tables.draft.c, tables.conversation.c

# Untouched in a conversation that has been resolved for so long a draft is of no more use; nor is one that was taken over.
KEPT_FOR = timedelta(days=14)
# What was typed where the line was lost is no older than this when it comes: two pages know by the time whose words are the
# newer, but so does the sweep, which would take at once what a device brings that was away for longer than KEPT_FOR.
OLDEST_WHEN_SAVED = timedelta(days=1)
# Rows without words, for pages that slept: a console that was away for longer asks anew anyway.
EMPTY_KEPT_FOR = timedelta(days=30)
_STEP = 500


@dataclass(frozen=True, slots=True)
class Words:
    """All that a draft holds. `attachment_ids` are uploads of the writer's, for the answer; `note_attachment_ids` for the
    note, and never sent to the customer."""

    text: str = ""
    note: str = ""
    attachment_ids: tuple[int, ...] = ()
    mail: MailHead | None = None
    note_attachment_ids: tuple[int, ...] = ()

    @property
    def are_begun(self) -> bool:
        """Whether there is anything to lose; a head alone, with nobody's words below it, is not."""
        forwards = self.mail is not None and bool(self.mail.wish.forwarded_attachment_ids)
        has_words = bool(self.text.strip() or self.note.strip())
        return has_words or bool(self.attachment_ids or self.note_attachment_ids or forwards)


@dataclass(frozen=True, slots=True)
class Ending:
    """The draft that a message was: its version as the page knew it, and the page; a save of its may be on its way."""

    version: int
    writer: str


def load_of(tx: Tx, conversation_id: int, user_id: int) -> DraftView | None:
    """Somebody's own, also without words; None if they have not written there lately."""
    found = load_drafts(tx, (_d.conversation_id == conversation_id, _d.user_id == user_id))
    return found[0] if found else None


def load_others(tx: Tx, conversation_id: int, user_id: int) -> list[DraftView]:
    """What colleagues have begun there, the oldest first."""
    begun = (_d.began_at.is_not(None), _d.taken_by.is_(None))
    return load_drafts(tx, (_d.conversation_id == conversation_id, _d.user_id != user_id, *begun))


def load_drafts(tx: Tx, conditions: Iterable[Any]) -> list[DraftView]:
    u = tables.user_account.c
    query = select(tables.draft, u.name).join(tables.user_account, u.id == _d.user_id).where(*conditions)
    rows = tx.rows(query.order_by(_d.began_at, _d.user_id))
    files = uploads.load_views(tx, {each for row in rows for each in _files_of(row)})
    return [
        DraftView(
            conversation_id=row.conversation_id,
            user_id=row.user_id,
            user_name=row.name,
            text=row.text,
            note=row.note,
            attachments=tuple(files[each] for each in row.attachment_ids if each in files),
            note_attachments=tuple(files[each] for each in row.note_attachment_ids or () if each in files),
            mail=view_head(row.mail, files),
            began_at=row.began_at,
            updated_at=row.updated_at,
            writer=row.writer,
            taken_by=row.taken_by,
            taken_at=row.taken_at,
            version=row.version,
        )
        for row in rows
    ]


def _files_of(row: Row[Any]) -> set[int]:
    return {*files_of(row.attachment_ids, row.mail), *(row.note_attachment_ids or ())}


def load_marks(tx: Tx, user_id: int) -> list[DraftMark]:
    """Where this person has begun something."""
    mine = (_d.user_id == user_id, _d.began_at.is_not(None), _d.taken_by.is_(None))
    rows = tx.rows(select(_d.conversation_id, _d.began_at).where(*mine).order_by(_d.conversation_id))
    return [DraftMark(row.conversation_id, row.began_at) for row in rows]


def save(
    tx: Tx,
    viewer: Viewer,
    conversation_id: int,
    words: Words,
    *,
    expected_version: int,
    typed_at: datetime | None = None,
    writer: str,
) -> DraftView:
    """Keeps them. Conflict `draft_changed` if another page of the same person wrote, sent or emptied it since; files that
    are gone are left out. `typed_at`: by this, not by when they came, two pages know whose words are the newer; it counts
    as OLDEST_WHEN_SAVED at most. NotFound for whoever may not see the conversation."""
    conversations.check_is_own(conversations.access_conversation(tx, viewer, conversation_id))
    row = _lock(tx, conversation_id, viewer.user_id)
    if row is not None and row.version != expected_version:
        raise Conflict("this draft was changed on another page", code="draft_changed")
    named = {*words.attachment_ids, *words.note_attachment_ids}
    there = {file.id for file in uploads.load_unsent(tx, viewer.user_id, named)}
    kept = replace(
        words,
        attachment_ids=tuple(each for each in words.attachment_ids if each in there),
        note_attachment_ids=tuple(each for each in words.note_attachment_ids if each in there),
    )
    at = tx.now if typed_at is None else max(min(typed_at, tx.now), tx.now - OLDEST_WHEN_SAVED)
    _write(tx, conversation_id, viewer.user_id, row, kept, writer, at)
    view = load_of(tx, conversation_id, viewer.user_id)
    assert view is not None
    return view


def end(
    tx: Tx, user_id: int, conversation_id: int, ending: Ending | None, part: Literal["answer", "note"], sent: Words
) -> None:
    """It has been sent: this part of the draft has no more words. What another page wrote since stays, unless it is the
    very text that was sent, with no file that was not: the pages of one browser share what is typed, and either may have
    saved it."""
    if ending is None:
        return
    row = _lock(tx, conversation_id, user_id)
    held = _words(row)
    is_sent = _is_all_in(held, sent) if part == "answer" else _is_the_note(held, sent)
    if row is not None and row.version != ending.version and row.writer != ending.writer and not is_sent:
        return
    if part == "answer":
        left = Words(note=held.note, note_attachment_ids=held.note_attachment_ids)
    else:
        left = replace(held, note="", note_attachment_ids=())
    _write(tx, conversation_id, user_id, row, left, ending.writer)


def give_back(tx: Tx, user_id: int, conversation_id: int, back: Words, *, writer: str) -> DraftView:
    """Puts words into a draft, above what has been begun since."""
    row = _lock(tx, conversation_id, user_id)
    begun = _words(row)
    words = Words(
        text=_joined(back.text, begun.text),
        note=_joined(back.note, begun.note),
        attachment_ids=_both(back.attachment_ids, begun.attachment_ids),
        mail=back.mail or begun.mail,
        note_attachment_ids=_both(back.note_attachment_ids, begun.note_attachment_ids),
    )
    _write(tx, conversation_id, user_id, row, words, writer)
    view = load_of(tx, conversation_id, user_id)
    assert view is not None
    return view


def take_over(
    tx: Tx, viewer: Viewer, conversation_id: int, author_id: int, *, expected_version: int, writer: str
) -> DraftView:
    """The colleague's words below one's own; their files as copies. Conflict `draft_changed` if they have written on, sent
    it, or somebody else was faster."""
    conversations.access_conversation(tx, viewer, conversation_id, lock=True)
    row = _lock(tx, conversation_id, author_id)
    is_there = row is not None and row.began_at is not None and row.taken_by is None and author_id != viewer.user_id
    if row is None or not is_there or row.version != expected_version:
        raise Conflict("this draft has changed meanwhile", code="draft_changed")
    tx.execute(
        update(tables.draft)
        .where(_d.conversation_id == conversation_id, _d.user_id == author_id)
        .values(taken_by=viewer.user_id, taken_at=tx.now, version=_d.version + 1)
    )
    tx.emit(DraftEnded(conversation_id, ""), {user_topic(author_id)})
    theirs = _words(row)
    named = {*theirs.attachment_ids, *theirs.note_attachment_ids}
    copies = uploads.copy(tx, uploads.load_unsent(tx, author_id, named), viewer.user_id)
    mine = _lock(tx, conversation_id, viewer.user_id)
    begun = _words(mine)
    words = Words(
        text=_joined(begun.text, uploads.renamed_in(theirs.text, copies)),
        note=_joined(begun.note, theirs.note),
        attachment_ids=(*begun.attachment_ids, *_copied(theirs.attachment_ids, copies)),
        mail=begun.mail or theirs.mail,
        note_attachment_ids=(*begun.note_attachment_ids, *_copied(theirs.note_attachment_ids, copies)),
    )
    _write(tx, conversation_id, viewer.user_id, mine, words, writer)
    view = load_of(tx, conversation_id, viewer.user_id)
    assert view is not None
    return view


def move(tx: Tx, from_id: int, into_id: int, user_ids: Collection[int] | None = None, *, are_mails: bool) -> list[int]:
    """What people (`user_ids`; None: all) have begun in one conversation is begun in another, below what they have there;
    of whom. `are_mails`: both are by mail, so that the head of one fits the other. The caller holds both locks."""
    here = (_d.conversation_id == from_id, _d.began_at.is_not(None), _d.taken_by.is_(None))
    movers = [row.user_id for row in tx.rows(select(_d.user_id).where(*here).order_by(_d.user_id))]
    moved = []
    for user_id in movers if user_ids is None else sorted(set(movers) & set(user_ids)):
        row = _lock(tx, from_id, user_id)
        theirs, begun = _words(row), _words(mine := _lock(tx, into_id, user_id))
        words = Words(
            text=_joined(begun.text, theirs.text),
            note=_joined(begun.note, theirs.note),
            attachment_ids=_both(begun.attachment_ids, theirs.attachment_ids),
            mail=(begun.mail or theirs.mail) if are_mails else begun.mail,
            note_attachment_ids=_both(begun.note_attachment_ids, theirs.note_attachment_ids),
        )
        _write(tx, into_id, user_id, mine, words, "")
        _write(tx, from_id, user_id, row, Words(), "")
        moved.append(user_id)
    return moved


def load_begun(tx: Tx, conversation_id: int) -> set[int]:
    """Who has words of their own there."""
    here = (_d.conversation_id == conversation_id, _d.began_at.is_not(None), _d.taken_by.is_(None))
    return {row.user_id for row in tx.rows(select(_d.user_id).where(*here))}


def sweep(tx: Tx) -> int:
    """Deletes what has served its time, a bounded step of it; returns how many rows."""
    is_old = or_(
        _d.began_at.is_not(None)
        & (_c.status == ConversationStatus.RESOLVED.value)
        & (_c.resolved_at < tx.now - KEPT_FOR)
        & (_d.updated_at < tx.now - KEPT_FOR),
        _d.taken_at < tx.now - KEPT_FOR,
        _d.began_at.is_(None) & (_d.updated_at < tx.now - EMPTY_KEPT_FOR),
    )
    query = select(_d.conversation_id, _d.user_id, _d.began_at, _d.taken_by)
    query = query.join(tables.conversation, _c.id == _d.conversation_id).where(is_old)
    rows = tx.rows(query.limit(_STEP).with_for_update(of=tables.draft, skip_locked=True))
    for row in rows:
        tx.execute(delete(tables.draft).where(_d.conversation_id == row.conversation_id, _d.user_id == row.user_id))
        if row.began_at is not None and row.taken_by is None:
            tx.emit(DraftEnded(row.conversation_id, ""), {user_topic(row.user_id)})
    return len(rows)


# --- the row ------------------------------------------------------------------------------------------------------------


def _lock(tx: Tx, conversation_id: int, user_id: int) -> Row[Any] | None:
    """As late as an outbox row in the lock order."""
    query = select(tables.draft).where(_d.conversation_id == conversation_id, _d.user_id == user_id)
    return tx.first(query.with_for_update() if tx.is_postgresql else query)


def _words(row: Row[Any] | None) -> Words:
    """Those that are the writer's own still."""
    if row is None or row.taken_by is not None:
        return Words()
    own, notes = tuple(row.attachment_ids), tuple(row.note_attachment_ids or ())
    return Words(row.text, row.note, own, read_head(row.mail), notes)


def _is_all_in(held: Words, sent: Words) -> bool:
    """Whether the answer that is held is the one that was sent."""
    return _is_same(held.text, held.attachment_ids, sent.text, sent.attachment_ids)


def _is_the_note(held: Words, sent: Words) -> bool:
    return _is_same(held.note, held.note_attachment_ids, sent.note, sent.note_attachment_ids)


def _is_same(held: str, held_files: tuple[int, ...], sent: str, sent_files: tuple[int, ...]) -> bool:
    """Of files without a word they are the sign."""
    is_something = bool(sent.strip() or held_files)
    return is_something and held.strip() == sent.strip() and set(held_files) <= set(sent_files)


def _both(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _copied(attachment_ids: tuple[int, ...], copies: Mapping[int, int]) -> list[int]:
    return [copies[each] for each in attachment_ids if each in copies]


def _joined(above: str, below: str) -> str:
    return "\n\n".join(part for part in (above, below) if part.strip())


def _write(
    tx: Tx,
    conversation_id: int,
    user_id: int,
    row: Row[Any] | None,
    words: Words,
    writer: str,
    at: datetime | None = None,
) -> None:
    """`at`: when they were typed; None: now."""
    was = row.began_at if row is not None and row.taken_by is None else None
    began_at: datetime | None = (was or tx.now) if words.are_begun else None
    values: dict[str, Any] = {
        "text": words.text,
        "note": words.note,
        "attachment_ids": list(words.attachment_ids),
        "note_attachment_ids": list(words.note_attachment_ids),
        "mail": store_head(words.mail),
        "began_at": began_at,
        "updated_at": at or tx.now,
        "writer": writer,
        "taken_by": None,
        "taken_at": None,
    }
    if row is None:
        tx.execute(insert(tables.draft).values(conversation_id=conversation_id, user_id=user_id, **values))
    else:
        here = (_d.conversation_id == conversation_id, _d.user_id == user_id)
        tx.execute(update(tables.draft).where(*here).values(version=_d.version + 1, **values))
    if was is None and began_at is not None:
        tx.emit(DraftBegun(DraftMark(conversation_id, began_at), writer), {user_topic(user_id)})
    elif was is not None and began_at is None:
        tx.emit(DraftEnded(conversation_id, writer), {user_topic(user_id)})
