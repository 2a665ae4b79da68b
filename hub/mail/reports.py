"""Machines' reports about a mail that was sent: delivery status (RFC 3464), complaints (RFC 5965), and the old bounces
without structure that are safe to recognise (qmail's, Exim's).

A report is believed to be one only where the message as a whole is one: a multipart/report, or a status part in a
mail without a person as sender. Somebody who forwards a bounce to ask what it means has written a mail.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hub.domain.mail import RecipientReport, Report, ReportAction
from hub.mail.addresses import normal_address, parse_mailboxes
from hub.mail.charsets import decode
from hub.mail.headers import Headers, split, text_of
from hub.mail.structure import Entity

# A list server may report on hundreds of recipients at once.
RECIPIENT_LIMIT = 1_000
# What is looked at of a text bounce, and of the headers that came back.
TEXT_LIMIT_BYTES = 200_000
DETAIL_LIMIT = 1_000

_ACTIONS = {
    "failed": ReportAction.FAILED,
    "failure": ReportAction.FAILED,
    "fail": ReportAction.FAILED,
    "delayed": ReportAction.DELAYED,
    "delay": ReportAction.DELAYED,
    "delivered": ReportAction.DELIVERED,
    "relayed": ReportAction.RELAYED,
    "expanded": ReportAction.EXPANDED,
}
# RFC 5965, section 7.3 (abuse, fraud, other, virus) and the earlier "opt-out"; "not-spam" is the opposite, and RFC 6591's
# auth-failure is about signatures.
_COMPLAINTS = frozenset(("abuse", "fraud", "other", "virus", "opt-out", "opt-out-list", "miscategorized"))

_STATUS_TYPES = frozenset(("message/delivery-status", "message/global-delivery-status"))
_RETURNED_TYPES = frozenset(
    ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers", "message/rfc822-headers")
)
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_BLANK = re.compile(rb"\r?\n(?:[ \t]*\r?\n)+")
_MACHINE_SENDER = re.compile(rb"(?:mailer-?daemon|postmaster|mail delivery (?:sub)?system|mail-daemon)", re.IGNORECASE)


def is_read_receipt(tree: Entity) -> bool:
    """RFC 8098: "your message was displayed", which is no delivery report."""
    return tree.media_type == "multipart/report" and any(
        entity.media_type == "message/disposition-notification" for entity in tree.children
    )


def find_report(tree: Entity) -> Report | None:
    """The report that this message is; None for any other mail."""
    is_machine = _is_from_machine(tree.headers)
    if tree.media_type == "multipart/report" or is_machine:
        entities = list(tree.walk())
        for entity in entities:
            if entity.media_type == "message/feedback-report":
                return _complaint(entity, entities)
        statuses = [entity for entity in entities if entity.media_type in _STATUS_TYPES]
        if statuses:
            return _delivery(statuses, entities)
    return _text_bounce(tree) if is_machine else None


def _is_from_machine(headers: Headers) -> bool:
    paths = headers.all("return-path")
    if paths and paths[0].strip() == b"<>":
        return True
    return bool(_MACHINE_SENDER.search((headers.first("from") or b"")[:1_000])) or "x-failed-recipients" in headers


# --- delivery status --------------------------------------------------------------------------------------------------


def _blocks(entity: Entity) -> Iterator[Headers]:
    content = entity.content()[: TEXT_LIMIT_BYTES * 5].strip(b"\r\n\t ")
    for number, block in enumerate(_BLANK.split(content)):
        if number > RECIPIENT_LIMIT:
            return
        yield split(block + b"\n", 0, len(block) + 1)[0]


def _delivery(statuses: list[Entity], entities: list[Entity]) -> Report:
    envelope_id: str | None = None
    recipients: list[RecipientReport] = []
    for status in statuses:
        if len(recipients) >= RECIPIENT_LIMIT:
            break
        for block in _blocks(status):
            envelope_id = envelope_id or _xtext(block.text("original-envelope-id"))
            recipient = _recipient(block)
            if recipient is not None:
                recipients.append(recipient)
    return Report(tuple(recipients[:RECIPIENT_LIMIT]), _original_id(entities), envelope_id)


def _recipient(block: Headers) -> RecipientReport | None:
    word = block.word("action")
    # Some put everything into one block, some leave the action out and give a status alone.
    if not word and "status" not in block and "final-recipient" not in block:
        return None
    found = _STATUS.search(block.text("status"))
    status = found[1] if found else None
    diagnostic = block.text("diagnostic-code")
    detail = diagnostic.partition(";")[2].strip() if diagnostic[:20].partition(";")[1] else diagnostic.strip()
    if status is None:
        found = _STATUS.search(detail)
        status = found[1] if found else None
    action = _ACTIONS.get(word)
    if not word and status is not None:
        action = {"2": ReportAction.DELIVERED, "4": ReportAction.DELAYED, "5": ReportAction.FAILED}[status[0]]
    # Original-Recipient is the address we wrote to; Final-Recipient may be where it was forwarded.
    recipient = _typed_address(block.text("original-recipient")) or _typed_address(block.text("final-recipient"))
    return RecipientReport(recipient, word[:40], action, status, detail[:DETAIL_LIMIT] or None)


def _typed_address(value: str) -> str | None:
    """`rfc822; person@host`; the type is left out by some, the address stands in brackets with others."""
    kind, semicolon, rest = value.partition(";")
    text = _xtext(rest.strip() if semicolon else kind.strip()) or ""
    found = normal_address(text)
    if found is None and "@" in text:
        found = next((mailbox.address for mailbox in parse_mailboxes(text[:1_000])), None)
    return found


def _xtext(value: str) -> str | None:
    """RFC 3461, section 4: +3D is an equals sign."""
    if not value.strip():
        return None
    return re.sub(r"\+([0-9A-F]{2})", lambda code: chr(int(code[1], 16)), value.strip()[:1_000])


def _returned_headers(entities: list[Entity]) -> Headers | None:
    for entity in entities:
        if entity.media_type in _RETURNED_TYPES:
            content = entity.content().lstrip(b"\r\n\t >")
            returned = split(content, 0, len(content))[0]
            if returned.fields:
                return returned
    return None


def _original_id(entities: list[Entity]) -> str | None:
    returned = _returned_headers(entities)
    return None if returned is None else message_id(returned.text("message-id"))


# A line of a header has 998 bytes (RFC 5322, 2.1.1); what is longer names nothing, and no index of a database takes it.
ID_LIMIT_BYTES = 990


def message_id(value: str) -> str | None:
    """The Message-ID in `value` without its brackets."""
    found = re.search(r"<([^<>]+)>", value)
    text = re.sub(r"\s+", "", found[1] if found else value.partition(" ")[0].strip("<>"))
    return text if text and len(text.encode()) <= ID_LIMIT_BYTES else None


# --- complaints -------------------------------------------------------------------------------------------------------


def _complaint(entity: Entity, entities: list[Entity]) -> Report:
    content = entity.content()[:TEXT_LIMIT_BYTES].lstrip(b"\r\n")
    fields = split(content + b"\n", 0, len(content) + 1)[0]
    word = fields.word("feedback-type") or "abuse"
    action = ReportAction.COMPLAINT if word in _COMPLAINTS else None
    addresses = [
        box.address
        for value in fields.all("original-rcpt-to")
        for box in parse_mailboxes(value.partition(b";")[2] or value)
    ]
    returned = _returned_headers(entities)
    if not addresses and returned is not None:
        # Large providers leave the recipient out on purpose; where the returned To was left in, it is the one.
        addresses = [box.address for value in returned.all("to") for box in parse_mailboxes(value)]
    detail = fields.text("user-agent")[:DETAIL_LIMIT] or None
    recipients = tuple(
        RecipientReport(address, word[:40], action, None, detail) for address in addresses[:RECIPIENT_LIMIT]
    )
    return Report(
        recipients or (RecipientReport(None, word[:40], action, None, detail),),
        None if returned is None else message_id(returned.text("message-id")),
        _xtext(fields.text("original-envelope-id")),
    )


# --- old bounces ------------------------------------------------------------------------------------------------------

_QMAIL_START = re.compile(rb"\s*Hi\. This is the ", re.IGNORECASE)
# qmail: the address in brackets at the start of a line with a colon, the reason below; then the message itself.
_QMAIL_RECIPIENT = re.compile(r"^<([^<>\n]{3,320})>:[ \t]*\n((?:[^\n]*\S[^\n]*\n?){1,12})", re.MULTILINE)
_RETURNED_BELOW = re.compile(
    r"^-{2,}[^\n]*(?:copy of (?:the|your) (?:message|original)|original message|returned message|below this line)[^\n]*$",
    re.MULTILINE | re.IGNORECASE,
)
_RETURNED_ID = re.compile(r"^Message-ID:\s*(<[^<>\n]{3,990}>)", re.MULTILINE | re.IGNORECASE)
_DELAY = re.compile(r"has not (?:yet )?been delivered|delayed|no action is required", re.IGNORECASE)


def _text_bounce(tree: Entity) -> Report | None:
    leaf = next(
        (entity for entity in tree.walk() if entity.media_type == "text/plain" and not entity.is_multipart), None
    )
    if leaf is None:
        return None
    content = leaf.content()[:TEXT_LIMIT_BYTES]
    failed = [
        box.address
        for value in tree.headers.all("x-failed-recipients")
        for box in parse_mailboxes(value[:TEXT_LIMIT_BYTES])
    ]
    is_qmail = bool(_QMAIL_START.match(content))
    if not is_qmail and not failed:
        return None
    text = decode(content, leaf.type_parameters.get("charset")).replace("\r\n", "\n")
    below = _RETURNED_BELOW.search(text)
    told = text[: below.start()] if below else text
    found = _RETURNED_ID.search(text, below.end() if below else 0)
    original = message_id(found[1]) if found else _original_id(list(tree.walk()))
    if is_qmail:
        recipients = []
        for match in _QMAIL_RECIPIENT.finditer(told):
            recipients.append(_told(normal_address(match[1]), match[2], ReportAction.FAILED))
            if len(recipients) >= RECIPIENT_LIMIT:
                break
        return Report(tuple(recipients), original) if recipients else None
    subject = text_of(tree.headers.first("subject") or b"")
    action = ReportAction.DELAYED if _DELAY.search(subject + "\n" + told[:2_000]) else ReportAction.FAILED
    details = {address: told.find(address) for address in failed[:RECIPIENT_LIMIT]}
    return Report(
        tuple(
            _told(
                address,
                told[at + len(address) : at + len(address) + DETAIL_LIMIT].partition("\n\n")[0] if at >= 0 else "",
                action,
            )
            for address, at in details.items()
        ),
        original,
    )


def _told(address: str | None, reason: str, action: ReportAction) -> RecipientReport:
    found = _STATUS.search(reason)
    detail = " ".join(reason.split())[:DETAIL_LIMIT]
    return RecipientReport(address, action.value, action, found[1] if found else None, detail or None)
