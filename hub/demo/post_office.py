"""The customers' mail provider: real SMTP on this machine, and a mail box for each of the demo's people.

    hub ──SMTP──▶ post_office_smtp ──take()──▶ boxes          (journal first, then 250)
    somebody writes ──write()──▶ journal ──SMTP──▶ hub         (tried again until the hub has it)
    a full box    ──▶ a report to the envelope's sender, a moment later
    somebody away ──▶ a note, once to each who writes

It stands on the far side of the wire, as the carrier does: the hub reaches it by SMTP alone, and it shares no code with the
hub's own reading and writing of mails. The pages' side of it is post_office_boxes.py.

Invariants
  * A mail is in the journal before the one who handed it in is told so, and is tried until it is taken, refused for
    good, or GIVES_UP_AFTER old: through 4xx, refused connections and a restart.
  * A mail without a sender in its envelope, and one that a machine wrote, is never answered.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from aiosmtplib import SMTP, SMTPException, SMTPRecipientsRefused, SMTPResponseException

from hub.demo import letters, post_office_smtp
from hub.demo.letters import Failure, File, Reading
from hub.demo.people import Correspondent, Habit
from hub.errors import InvalidInput, NotFound

HOST = "mail.demo.test"
# Where the demo's people live, so that their mails bear the time of the place.
ZONE = ZoneInfo("Asia/Yerevan")
POSTMASTER = f"MAILER-DAEMON@{HOST}"

# What providers take at most, files and all (Gmail, Outlook.com).
MAIL_LIMIT_BYTES = 25 * 1024 * 1024
FILES_LIMIT_BYTES = 15 * 1024 * 1024
FILES_LIMIT = 10
TEXT_LIMIT = 100_000
SUBJECT_LIMIT = 500

# Seconds, divided by `speed`; the last of the retries repeats.
RETRIES_S = (0.5, 1, 2, 4, 8, 15, 30)
SENDS_AFTER_S = 0.3
BOUNCES_AFTER_S = 2.0
ANSWERS_AWAY_AFTER_S = 3.0
GIVES_UP_AFTER = timedelta(hours=4)
SMTP_TIMEOUT_S = 30.0
# Of an old journal this many mails are kept at start.
JOURNAL_LETTERS = 5_000

FULL_WORDS = "The recipient's mail box is full and takes no mails just now."
AWAY_WORDS = {
    "ka": "გამარჯობა! შვებულებაში ვარ 15-მდე და წერილებს დაბრუნებისას წავიკითხავ.",
    "en": "Hello, I am away until the 15th and will read my mails when I am back.",
}

Folder = Literal["inbox", "sent"]
# received: in the inbox. The rest tell of a sent one whether the servers of its recipients have taken it.
Status = Literal["received", "sending", "sent", "failed"]


@dataclass(slots=True)
class Letter:
    """One mail in one box; its bytes lie beside the journal. `sender` and `recipients` are the envelope: of a sent one
    those who are still to be served. `problem` says in the far side's words why it has failed. `revision` rises with every
    change and orders the live updates."""

    id: str
    owner: str
    folder: Folder
    status: Status
    sender: str
    recipients: list[str]
    at: datetime
    author_name: str
    author: str
    to: str
    subject: str
    snippet: str
    message_id: str
    size_bytes: int
    file_count: int
    is_automatic: bool = False
    is_read: bool = False
    attempts: int = 0
    problem: str | None = None
    revision: int = field(default=0, compare=False)


class PostOffice:
    """`routes` says at which server the mails for a domain of others are handed in: domain → (host, port), None while that
    is not known and they wait. `speed` divides every delay; `journal` None keeps nothing.

    `open()` listens and tells the port, `run()` works until cancelled and closes at its end. What is written before `run()`
    waits.
    """

    def __init__(
        self,
        people: Sequence[Correspondent],
        *,
        routes: Mapping[str, tuple[str, int] | None],
        journal: Path | None = None,
        speed: float = 1.0,
    ) -> None:
        self.people: dict[str, Correspondent] = {person.email: person for person in people}
        self.routes: dict[str, tuple[str, int] | None] = dict(routes)
        self.speed = speed
        self.letters: dict[str, Letter] = {}
        # A new life: live updates of the old one cannot be resumed by revision.
        self.epoch = secrets.token_hex(4)
        self._boxes: dict[str, list[Letter]] = {}
        self._contents: dict[str, bytes] = {}
        self._journal = journal
        self._revision = 0
        self._changed = asyncio.Event()
        self.sessions: set[post_office_smtp.PostSession] = set()
        self._server: asyncio.Server | None = None
        self._group: asyncio.TaskGroup | None = None
        if journal is not None:
            self._load(journal)

    # --- life ---------------------------------------------------------------------------------------------------------

    async def open(self) -> int:
        """Listens on a free port of this machine and returns it."""
        if self._server is None:
            self._server = await post_office_smtp.listen(self, hostname=HOST, limit_bytes=MAIL_LIMIT_BYTES)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def run(self) -> None:
        """Works until cancelled. A bug in a job ends it, and whoever runs it, loudly."""
        await self.open()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for letter in sorted(self.letters.values(), key=lambda each: each.revision):
                    if letter.status == "sending":
                        group.create_task(self._carry(letter))
                await asyncio.Event().wait()
        finally:
            self._group = None
            if self._server is not None:
                self._server.close()
                self._server = None
            for session in list(self.sessions):
                session.close()

    def _spawn(self, job: Coroutine[Any, Any, None]) -> None:
        """What comes before `run()` is found by it in the boxes."""
        if self._group is None:
            job.close()
        else:
            self._group.create_task(job)

    # --- the people's side --------------------------------------------------------------------------------------------

    def write(
        self,
        owner: str,
        *,
        to: str,
        subject: str,
        text: str,
        files: Sequence[File] = (),
        answers: str | None = None,
    ) -> Letter:
        """Somebody writes a mail, or an answer to one of their box. `to`: addresses with commas between them.

        Raises InvalidInput naming the fields, NotFound for an unknown box or mail. Journaled when it returns.
        """
        person = self.person(owner)
        answered = self.letter(owner, answers) if answers else None
        recipients = [address.strip() for address in to.split(",") if address.strip()]
        fields: dict[str, str] = {}
        wrong = [each for each in recipients if not post_office_smtp.is_address(each)]
        if not recipients:
            fields["to"] = "Whom is it for?"
        elif wrong:
            fields["to"] = f"{wrong[0][:100]} is not an e-mail address."
        if not text.strip() and not files:
            fields["text"] = "Write something or add a file."
        if len(text) > TEXT_LIMIT:
            fields["text"] = f"At most {TEXT_LIMIT:,} characters."
        if len(subject) > SUBJECT_LIMIT:
            fields["subject"] = f"At most {SUBJECT_LIMIT} characters."
        if len(files) > FILES_LIMIT:
            fields["files"] = f"At most {FILES_LIMIT} files."
        elif sum(len(file.content) for file in files) > FILES_LIMIT_BYTES:
            fields["files"] = f"At most {FILES_LIMIT_BYTES // 1024 // 1024} MB together."
        if fields:
            raise InvalidInput("The mail cannot be sent.", fields=fields)
        now = datetime.now(UTC)
        reading = None if answered is None else self.read(answered)
        names = {} if reading is None else {reading.reply_to[1]: reading.reply_to[0]}
        content = letters.write(
            author=(person.name, person.email),
            to=[(names.get(each, ""), each) for each in recipients],
            subject=subject,
            text=text,
            at=now.astimezone(ZONE),
            files=files,
            answers=(reading, answered.at.astimezone(ZONE)) if reading and answered else None,
        )
        return self._send(owner, person.email, recipients, content, now, after_s=SENDS_AFTER_S)

    def person(self, owner: str) -> Correspondent:
        """NotFound if nobody has that box."""
        if owner not in self.people:
            raise NotFound(f"Nobody has the mail box {owner}.")
        return self.people[owner]

    def box(self, owner: str) -> Sequence[Letter]:
        """Inbox and sent mails, in the order in which they came about."""
        return self._boxes.get(owner, [])

    def letter(self, owner: str, letter_id: str) -> Letter:
        """NotFound unless it lies in that box."""
        found = self.letters.get(letter_id)
        if found is None or found.owner != owner:
            raise NotFound("There is no such mail in this box.")
        return found

    def content(self, letter: Letter) -> bytes:
        """The mail as it is on the wire. NotFound when its file has gone."""
        if self._journal is None:
            return self._contents[letter.id]
        try:
            return _path(self._journal, letter.id).read_bytes()
        except FileNotFoundError:
            raise NotFound("This mail is no longer kept.") from None

    def read(self, letter: Letter) -> Reading:
        return letters.read(self.content(letter))

    def mark_read(self, letter: Letter) -> None:
        if not letter.is_read:
            letter.is_read = True
            self._touch(letter)

    def unread(self, owner: str) -> int:
        return sum(each.folder == "inbox" and not each.is_read for each in self.box(owner))

    def keep(self, owner: str, folder: Folder, content: bytes, at: datetime, *, is_read: bool = False) -> Letter:
        """Puts a mail into a box as it is; nothing is sent."""
        status: Status = "received" if folder == "inbox" else "sent"
        return self._add(owner, folder, status, "", [], content, at, is_read=is_read)

    @property
    def revision(self) -> int:
        return self._revision

    @property
    def changed(self) -> asyncio.Event:
        """Set at the next change of any mail. Take it before reading the state, wait for it after."""
        return self._changed

    # --- the world's side ---------------------------------------------------------------------------------------------

    def refusal(self, recipient: str) -> str | None:
        """The SMTP answer to somebody for whom we have no box; None if we have one."""
        address = recipient.lower()
        if address.rpartition("@")[2] != HOST:
            return "550 5.7.1 Relaying denied"
        local, _, _ = address.partition("@")
        if address in self.people or local in ("mailer-daemon", "postmaster"):
            return None
        return f"550 5.1.1 <{recipient}>: no such mailbox here"

    def take(self, envelope: post_office_smtp.Envelope, content: bytes) -> None:
        """A mail that was handed in for people of ours; in the journal when this returns."""
        for recipient in envelope.recipients:
            address = recipient.lower()
            person = self.people.get(address)
            if person is None:
                continue  # what the postmaster gets is read by nobody
            if person.habit is Habit.FULL:
                self._return(envelope, recipient, content)
                continue
            if self._holds(address, content):
                continue  # sent twice, after an answer of ours was lost on the way
            stamp = (
                f"Return-Path: <{envelope.sender}>\r\nDelivered-To: {recipient}\r\n"
                f"Received: from {envelope.helo} by {HOST} with ESMTP; {datetime.now(ZONE):%a, %d %b %Y %H:%M:%S %z}\r\n"
            )
            received = self._add(
                address, "inbox", "received", envelope.sender, [], stamp.encode() + content, datetime.now(UTC)
            )
            if person.habit is Habit.AWAY:
                self._tell_away(person, envelope, received)

    def _holds(self, owner: str, content: bytes) -> bool:
        message_id = letters.read(content).message_id
        return bool(message_id) and any(
            each.message_id == message_id and each.folder == "inbox" for each in self.box(owner)
        )

    def _return(self, envelope: post_office_smtp.Envelope, recipient: str, content: bytes) -> None:
        if not envelope.sender or "NEVER" in envelope.notify.get(recipient, ""):
            return
        failure = Failure(
            recipient, "5.2.2", FULL_WORDS, envelope.envelope_id, envelope.original_recipients.get(recipient)
        )
        now = datetime.now(UTC)
        bounce = letters.write_bounce(
            host=HOST, to=envelope.sender, original=content, failure=failure, at=now.astimezone(ZONE)
        )
        self._send(POSTMASTER, "", [envelope.sender], bounce, now, after_s=BOUNCES_AFTER_S)

    def _tell_away(self, person: Correspondent, envelope: post_office_smtp.Envelope, received: Letter) -> None:
        if not envelope.sender or received.is_automatic:
            return
        about = self.read(received)
        told = (each for each in self.box(person.email) if each.folder == "sent" and each.is_automatic)
        if any(each.to == received.author for each in told):
            return
        now = datetime.now(UTC)
        note = letters.write_away(
            author=(person.name, person.email),
            to=received.author,
            about=about,
            text=AWAY_WORDS.get(person.language, AWAY_WORDS["en"]),
            at=now.astimezone(ZONE),
        )
        # To where failures would go, from nobody (RFC 3834 sections 3.3 and 4): two such notes cannot answer each other.
        self._send(person.email, "", [envelope.sender], note, now, after_s=ANSWERS_AWAY_AFTER_S)

    # --- sending ------------------------------------------------------------------------------------------------------

    def _send(
        self, owner: str, sender: str, recipients: list[str], content: bytes, at: datetime, *, after_s: float
    ) -> Letter:
        letter = self._add(owner, "sent", "sending", sender, recipients, content, at, is_read=True)
        self._spawn(self._carry(letter, after_s))
        return letter

    async def _carry(self, letter: Letter, after_s: float = 0.0) -> None:
        """Hands a mail to the servers of its recipients, until each has said yes or no."""
        await asyncio.sleep(after_s / self.speed)
        content = self.content(letter)
        refused: list[str] = []
        while letter.recipients:
            letter.attempts += 1
            by_domain: dict[str, list[str]] = {}
            for recipient in letter.recipients:
                by_domain.setdefault(recipient.rpartition("@")[2].lower(), []).append(recipient)
            for domain, recipients in by_domain.items():
                done, said = await self._hand_in(letter.sender, domain, recipients, content)
                letter.recipients = [each for each in letter.recipients if each not in done]
                refused += said
            if letter.recipients and datetime.now(UTC) - letter.at > GIVES_UP_AFTER:
                refused.append("The server there did not answer in time.")
                letter.recipients = []
            if letter.recipients:
                self._touch(letter)
                await asyncio.sleep(RETRIES_S[min(letter.attempts, len(RETRIES_S)) - 1] / self.speed)
        letter.status = "failed" if refused else "sent"
        letter.problem = " ".join(refused)[:500] or None
        self._touch(letter)

    async def _hand_in(
        self, sender: str, domain: str, recipients: list[str], content: bytes
    ) -> tuple[list[str], list[str]]:
        """One try at one domain: whose matter is settled, and the words of those who were refused for good."""
        if domain == HOST:
            known = [each for each in recipients if self.refusal(each) is None]
            self.take(post_office_smtp.Envelope(HOST, sender, known), content)
            return recipients, [f"{each}: no such mailbox here" for each in recipients if each not in known]
        if domain not in self.routes:
            return recipients, [f"There is no mail server for {domain}."]
        route = self.routes[domain]
        if route is None:
            return [], []
        host, port = route
        client = SMTP(
            hostname=host, port=port, local_hostname=HOST, use_tls=False, start_tls=False, timeout=SMTP_TIMEOUT_S
        )
        try:
            async with client:
                answers, _ = await client.sendmail(sender, recipients, content)
        except SMTPRecipientsRefused as error:
            for_good = {each.recipient: each.message for each in error.recipients if each.code >= 500}
            return list(for_good), list(for_good.values())
        except SMTPResponseException as error:
            return (recipients, [error.message]) if error.code >= 500 else ([], [])
        except (SMTPException, OSError):
            return [], []
        later = {each for each, answer in answers.items() if answer.code < 500}
        return [each for each in recipients if each not in later], [
            answer.message for each, answer in answers.items() if each not in later
        ]

    # --- state and journal --------------------------------------------------------------------------------------------

    def _add(
        self,
        owner: str,
        folder: Folder,
        status: Status,
        sender: str,
        recipients: list[str],
        content: bytes,
        at: datetime,
        *,
        is_read: bool = False,
    ) -> Letter:
        reading = letters.read(content)
        letter = Letter(
            id=secrets.token_hex(12),
            owner=owner,
            folder=folder,
            status=status,
            sender=sender,
            recipients=list(recipients),
            at=at,
            author_name=reading.author[0],
            author=reading.author[1],
            to=", ".join(address for _, address in reading.to),
            subject=reading.subject,
            snippet=reading.snippet,
            message_id=reading.message_id,
            size_bytes=len(content),
            file_count=len(reading.parts),
            is_automatic=reading.is_automatic,
            is_read=is_read,
        )
        if self._journal is None:
            self._contents[letter.id] = content
        else:
            path = _path(self._journal, letter.id)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.letters[letter.id] = letter
        self._boxes.setdefault(owner, []).append(letter)
        self._touch(letter)
        return letter

    def _touch(self, letter: Letter) -> None:
        """Something that a mail page may show has changed."""
        self._revision += 1
        letter.revision = self._revision
        if self._journal is not None:
            with self._journal.open("a", encoding="utf-8") as out:
                out.write(_to_line(letter))
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _load(self, journal: Path) -> None:
        """Reads the journal, keeps the newest JOURNAL_LETTERS and rewrites it without the lines that are overtaken."""
        journal.parent.mkdir(parents=True, exist_ok=True)
        latest: dict[str, Letter] = {}
        if journal.exists():
            for line in journal.read_text("utf-8", "replace").splitlines():
                try:
                    record = json.loads(line)
                except ValueError:
                    continue  # the last line of a process that was killed while it wrote
                letter = Letter(**{**record, "at": datetime.fromisoformat(record["at"])})
                latest[letter.id] = letter
        kept = sorted(latest.values(), key=lambda each: each.at)[-JOURNAL_LETTERS:]
        fresh = journal.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as out:
            for letter in kept:
                out.write(_to_line(letter))
        fresh.replace(journal)
        for letter in kept:
            self._revision += 1
            letter.revision = self._revision
            self.letters[letter.id] = letter
            self._boxes.setdefault(letter.owner, []).append(letter)
        for letter_id in latest.keys() - self.letters.keys():
            _path(journal, letter_id).unlink(missing_ok=True)


def _path(journal: Path, letter_id: str) -> Path:
    return journal.parent / f"{journal.stem}-mails" / f"{letter_id}.eml"


def _to_line(letter: Letter) -> str:
    record = asdict(letter) | {"at": letter.at.isoformat()}
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"
