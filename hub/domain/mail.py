"""What a mail is to the hub, whichever way it came or leaves: values only, no bytes, no headers.

`hub.mail` reads these from the raw message and writes raw messages from them. Addresses are in their one normal form:
lower case, the domain in Unicode, no angle brackets. Message-IDs stand without their angle brackets.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Somebody's address, and the name beside it if there was one."""

    address: str
    name: str = ""


# Who wrote, when a mail names nobody.
UNKNOWN_SENDER = "unknown@invalid"


# Faults of a mail whose sender and text were read all the same.
PARTLY_READ = frozenset({"header_cut", "text_cut", "tnef_unreadable"})


class Noise(StrEnum):
    """What sort of sender it was, by the message's own headers (RFC 3834 and what came before it).

    NONE        a person, as far as one can tell
    AUTO_REPLY  an out-of-office note or the like: the answer of a machine to a mail of ours
    AUTOMATIC   sent by a machine on its own account (orders, alarms, forms); nobody reads an automatic answer to it
    LIST        came through a mailing list, or is a newsletter
    REPORT      a delivery report or a complaint about a mail that is not known to be ours
    OWN         a mail from one of our own addresses that comes back to us
    """

    NONE = "none"
    AUTO_REPLY = "auto_reply"
    AUTOMATIC = "automatic"
    LIST = "list"
    REPORT = "report"
    OWN = "own"


class SpanKind(StrEnum):
    WRITTEN = "written"
    QUOTED = "quoted"
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True)
class Span:
    """A run of whole lines of a mail's text. The texts of all spans, joined, are the whole text."""

    kind: SpanKind
    text: str


@dataclass(frozen=True, slots=True)
class MailPart:
    """A file inside a mail. `number` is its place among all parts of the message as `hub.mail.parse.extract_part` counts
    them; `content_id` (no angle brackets) is how the HTML names it. `is_inline`: the HTML shows it."""

    number: int
    name: str
    media_type: str
    size_bytes: int
    content_id: str | None = None
    is_inline: bool = False


class ReportAction(StrEnum):
    """What became of one recipient: RFC 3464's words (section 2.3.3), and COMPLAINT for RFC 5965's reports."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"
    COMPLAINT = "complaint"


@dataclass(frozen=True, slots=True)
class RecipientReport:
    """`recipient` is None where the report names nobody, `word` is the report's own word for the action (`action` None:
    one we do not know), `status` an RFC 3463 code such as 5.1.1, `detail` the far side's words."""

    recipient: str | None
    word: str
    action: ReportAction | None
    status: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A machine's report about a mail that was sent: which one, and what became of it for whom."""

    recipients: tuple[RecipientReport, ...]
    original_message_id: str | None = None
    envelope_id: str | None = None


@dataclass(frozen=True, slots=True)
class IncomingMail:
    """One message as it was read. What could not be read is empty, and `fault` says why in a machine's word.

    `spans` are the text: what was written this time, what was quoted, signatures. `html` is the HTML body as it came,
    decoded and NOT made safe. `recipients` are all addresses this mail is known to have been sent to (envelope,
    Delivered-To, To, Cc …). `noise_word` is the header that betrayed the machine; `refuses_automatic_answers`: whoever wrote,
    person or machine, wants none. `thread` is the conversation whose
    signed token the mail carries (set by the adapter, which alone can check the signature).
    """

    message_id: str | None = None
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    subject: str = ""
    senders: tuple[Mailbox, ...] = ()
    reply_to: tuple[Mailbox, ...] = ()
    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    recipients: tuple[str, ...] = ()
    sent_at: datetime | None = None
    spans: tuple[Span, ...] = ()
    html: str | None = None
    parts: tuple[MailPart, ...] = ()
    noise: Noise = Noise.NONE
    noise_word: str | None = None
    refuses_automatic_answers: bool = False
    report: Report | None = None
    size_bytes: int = 0
    fault: str | None = None
    thread: str | None = None

    @property
    def text(self) -> str:
        """The whole text, quoted history and signature included."""
        return "".join(span.text for span in self.spans)

    @property
    def written(self) -> str:
        """What was written this time; the whole text when everything in it is quoted."""
        return "".join(span.text for span in self.spans if span.kind is SpanKind.WRITTEN).strip() or self.text.strip()

    @property
    def wants_answer(self) -> bool:
        """Whether somebody may be waiting for us. A machine's own alarm may be an order: better a look too many."""
        return self.noise not in (Noise.AUTO_REPLY, Noise.OWN)


class MailKind(StrEnum):
    """What an outgoing mail is. Only REPLY and NEW go to the customer as an answer; NOTICE goes to our own people, from no
    conversation: a report, an alert."""

    REPLY = "reply"
    NEW = "new"
    FORWARD = "forward"
    ACKNOWLEDGEMENT = "acknowledgement"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class QuotedMail:
    """The mail below an answer: who wrote it and when, its whole text, and its HTML as it came (not made safe)."""

    sender: Mailbox
    text: str
    sent_at: datetime | None = None
    to: tuple[Mailbox, ...] = ()
    subject: str = ""
    html: str | None = None


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """What a mail needs beside its text and files. `to` is never empty; the first of them is the one whose bounce is the
    message's. `thread` names the conversation in our signed tokens. `author` is shown as the sender's name; `signature`
    is added below the text. `zone` is the time zone in which a quoted mail's date is written, `language` the language of
    that line. `unsubscribe_url` makes List-Unsubscribe headers (RFC 8058), for what was not asked for. `html` is a NOTICE's
    document, made by the hub itself: then the message's text is plain and no markup."""

    kind: MailKind
    subject: str
    thread: str
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()
    author: str = ""
    signature: str = ""
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    quoted: QuotedMail | None = None
    language: str = "en"
    zone: str = "UTC"
    unsubscribe_url: str | None = None
    html: str | None = None
