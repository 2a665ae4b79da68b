"""The head of a mail that is not sent yet, as drafts and planned messages keep it: a small JSON, read into values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from hub.domain.mail import Mailbox, MailKind
from hub.domain.views import AttachmentView, MailHeadView
from hub.timeline.mails import MailWish, mailboxes, pairs


@dataclass(frozen=True, slots=True)
class MailHead:
    """`wish` is what is asked of the mail; `everybody` is how the writer chose its recipients, for the screen alone."""

    wish: MailWish
    everybody: bool = False


def store_head(head: MailHead | None) -> dict[str, Any] | None:
    if head is None:
        return None
    wish = head.wish
    return {
        "kind": wish.kind.value,
        "everybody": head.everybody,
        "subject": wish.subject,
        "to": pairs(wish.to) if wish.to is not None else None,
        "cc": pairs(wish.cc),
        "bcc": pairs(wish.bcc),
        "about_entry_id": wish.about_entry_id,
        "quote": wish.quote,
        "forwarded_attachment_ids": list(wish.forwarded_attachment_ids),
    }


def read_head(kept: Mapping[str, Any] | None) -> MailHead | None:
    if kept is None:
        return None
    return MailHead(
        MailWish(
            kind=MailKind(kept["kind"]),
            subject=kept["subject"],
            to=mailboxes(kept["to"]) if kept["to"] is not None else None,
            cc=mailboxes(kept["cc"]),
            bcc=mailboxes(kept["bcc"]),
            about_entry_id=kept["about_entry_id"],
            quote=kept["quote"],
            forwarded_attachment_ids=tuple(kept["forwarded_attachment_ids"]),
        ),
        everybody=kept["everybody"],
    )


def view_head(kept: Mapping[str, Any] | None, files: Mapping[int, AttachmentView]) -> MailHeadView | None:
    """`files`: at least those that are forwarded; what is gone is left out."""
    if kept is None:
        return None
    to: tuple[Mailbox, ...] | None = mailboxes(kept["to"]) if kept["to"] is not None else None
    return MailHeadView(
        kind=kept["kind"],
        everybody=kept["everybody"],
        subject=kept["subject"],
        to=to,
        cc=mailboxes(kept["cc"]),
        bcc=mailboxes(kept["bcc"]),
        about_entry_id=kept["about_entry_id"],
        quote=kept["quote"],
        forwarded=tuple(files[each] for each in kept["forwarded_attachment_ids"] if each in files),
    )


def files_of(attachment_ids: Collection[int], mail: Mapping[str, Any] | None) -> set[int]:
    """All the files that a row names: those of its own, and those that are forwarded."""
    return {*attachment_ids, *(mail["forwarded_attachment_ids"] if mail else ())}
