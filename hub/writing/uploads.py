"""Files that were uploaded and are not sent yet: whose they are, and which of them something still needs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Row, select, union_all

from hub.domain.sentences import Sentence
from hub.domain.views import AttachmentView
from hub.errors import InvalidInput
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations

_a, _d, _p = tables.attachment.c, tables.draft.c, tables.planned_message.c

# What a copy has of its original; the stored bytes are the same.
_COPIED = ("channel_id", "name", "media_type", "size_bytes", "state", "file_key", "content_id", "is_inline")
# A file in the text of a mail, as the console writes it (web_console/src/markup.ts).
_PICTURE = re.compile(r"\(attachment:(\d{1,12})\)")


def load_unsent(tx: Tx, user_id: int, attachment_ids: Collection[int], *, lock: bool = False) -> list[Row[Any]]:
    """Those of the files that this person uploaded and has not sent yet, by id."""
    if not attachment_ids:
        return []
    query = select(tables.attachment).where(
        _a.id.in_(attachment_ids), _a.uploaded_by == user_id, _a.entry_id.is_(None), _a.state == "stored"
    )
    return list(tx.rows(query.order_by(_a.id).with_for_update() if lock else query.order_by(_a.id)))


def check_unsent(tx: Tx, user_id: int, attachment_ids: Collection[int]) -> None:
    """Locks them. InvalidInput naming one that is not there, is somebody else's or was sent."""
    missing = set(attachment_ids) - {file.id for file in load_unsent(tx, user_id, attachment_ids, lock=True)}
    if missing:
        raise InvalidInput(
            "no such attachment", fields={"attachment_ids": Sentence("{id} is not a file of yours", id=min(missing))}
        )


def load_views(tx: Tx, attachment_ids: Collection[int]) -> dict[int, AttachmentView]:
    if not attachment_ids:
        return {}
    rows = tx.rows(select(tables.attachment).where(_a.id.in_(attachment_ids)))
    return {row.id: conversations.attachment_view(row) for row in rows}


def copy(tx: Tx, rows: Iterable[Row[Any]], user_id: int) -> dict[int, int]:
    """Rows of this person's own on the same stored bytes: id of the original → id of the copy."""
    return {
        row.id: tx.insert(
            tables.attachment,
            {name: row._mapping[name] for name in _COPIED} | {"uploaded_by": user_id, "created_at": tx.now},
        )
        for row in rows
    }


def renamed_in(text: str, copies: Mapping[int, int]) -> str:
    """The text with its pictures being the copies."""
    return _PICTURE.sub(lambda found: f"(attachment:{copies.get(int(found[1]), int(found[1]))})", text)


def load_needed(tx: Tx) -> set[int]:
    """Every file that a draft or a planned message names: it is not swept. One statement, which sees one moment: between two
    a message that is taken back would go from the one to the other unseen."""
    standing = select(_d.attachment_ids).where(_d.began_at.is_not(None))
    notes = select(_d.note_attachment_ids).where(_d.began_at.is_not(None))
    planned = select(_p.attachment_ids).where(_p.state.in_(("waiting", "stopped")))
    return {
        attachment_id
        for row in tx.rows(union_all(standing, notes, planned))
        for attachment_id in row.attachment_ids or ()
    }
