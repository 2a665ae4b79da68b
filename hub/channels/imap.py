"""IMAP as the hub needs it (RFC 3501): what is new in one folder of one account, and a bell when there is more.

    read_account(channel account) → ImapAccount → ImapSession.open → look · search · list_mails · fetch · wait … → close

`ImapSession` blocks and belongs to a thread of its own; only `interrupt` and `abort` may be called from another. Every
failure is one of hub.errors: Unavailable with a code that the administrator's screen has a sentence for (account_refused,
no_such_folder, folder_read_only, tls_failed, unreachable, connection_lost, server_busy, imap_error), or Misconfigured.

The folder is left as it is: it is opened read-only (EXAMINE) and read with BODY.PEEK, unless the account says that what
was taken be marked as read or moved away. Nothing is ever deleted: a server that can neither MOVE nor expunge one single
mail (RFC 6851, RFC 4315) keeps the original, marked as deleted, beside the copy.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import select
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, IMAPClientReadOnlyError, LoginError

from hub.channels.channel import ChannelAccount
from hub.channels.oauth import xoauth2
from hub.channels.tls import Security, is_loopback
from hub.errors import HubError, Misconfigured, Unavailable

# imapclient writes every line of the protocol at debug level: what customers wrote.
logging.getLogger("imapclient").setLevel(logging.WARNING)

_CONNECT_TIMEOUT_S = 20.0
# A server that says nothing for so long in the middle of an answer is gone. Gmail takes some 10 s to select a large box.
_READ_TIMEOUT_S = 60.0
# A dead line is found by the kernel between two IDLEs: after a minute of silence it asks, and gives up after a minute.
_KEEPALIVE_S, _KEEPALIVE_TRIES = 60, 4
# imaplib takes no line over 1,000,000 bytes, and UIDs have up to ten digits: a search is told to find no more than so many.
_SEARCH_LIMIT = 80_000
# RFC 5530: "not now". Everything else that a server says to a sign-in is a refusal.
_BUSY = re.compile(r"\[(UNAVAILABLE|INUSE|SERVERBUG|LIMIT)\]", re.IGNORECASE)
# The headers that a mail without its body is known by.
_MAIN_HEADERS = (
    "FROM SENDER REPLY-TO TO CC SUBJECT DATE MESSAGE-ID IN-REPLY-TO REFERENCES DELIVERED-TO "
    "AUTO-SUBMITTED PRECEDENCE LIST-ID RETURN-PATH"
)


class AfterTaking(StrEnum):
    """What becomes of a mail in the mailbox once the hub has it."""

    LEAVE = "leave"
    SEEN = "seen"
    MOVE = "move"


@dataclass(frozen=True, slots=True)
class ImapAccount:
    """`since`: mails that the server got before this day are no business of the hub's. `is_oauth`: the sign-in needs an
    access token instead of the password."""

    host: str
    port: int
    security: Security
    username: str
    password: str = field(repr=False)
    folder: str = "INBOX"
    after: AfterTaking = AfterTaking.LEAVE
    move_to: str = ""
    since: date | None = None
    is_oauth: bool = False


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder as it was opened. UIDs rise and are never used again while `uid_validity` stays the same."""

    uid_validity: int
    uid_next: int
    count: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A mail in the folder. `arrived_at`: when the server got it (INTERNALDATE). A server that does not tell one of them
    leaves 0 and None."""

    uid: int
    size_bytes: int
    arrived_at: datetime | None


def read_account(account: ChannelAccount) -> ImapAccount | None:
    """The mailbox that `account` is told to fetch from; None when it fetches from none. Raises Misconfigured."""
    settings = account.settings
    host = settings.get("imap_host", "").strip()
    if not host:
        return None
    try:
        security = Security(settings.get("imap_security") or "tls")
        after = AfterTaking(settings.get("imap_after") or "leave")
        port = int(settings.get("imap_port") or (993 if security is Security.TLS else 143))
        since = date.fromisoformat(settings["imap_since"]) if settings.get("imap_since") else None
    except ValueError as error:
        raise Misconfigured(f"the mailbox is not set up right: {error}") from error
    if security is Security.NONE and not is_loopback(host):
        raise Misconfigured("a mailbox without TLS may only be on this very machine", code="tls_required")
    if after is AfterTaking.MOVE and not settings.get("imap_move_to"):
        raise Misconfigured("the mailbox is told to move mails, but not where to")
    return ImapAccount(
        host=host,
        port=port,
        security=security,
        username=settings.get("imap_username") or settings.get("smtp_username") or settings.get("address", ""),
        password=account.secrets.get("imap_password") or account.secrets.get("smtp_password", ""),
        folder=settings.get("imap_folder") or "INBOX",
        after=after,
        move_to=settings.get("imap_move_to", ""),
        since=since,
        is_oauth=bool(settings.get("oauth_provider")),
    )


class ImapSession:
    """One connection: signed in, with the account's folder open. Not for two threads at once."""

    def __init__(self, account: ImapAccount) -> None:
        self.account = account
        self._client: IMAPClient | None = None
        self._capabilities: frozenset[str] = frozenset()
        self._folder = Folder(0, 0, 0)
        self._told_count = 0
        # Something to read on it ends a `wait`.
        self._bell, self._button = socket.socketpair()
        self._bell.setblocking(False)

    @property
    def can_idle(self) -> bool:
        return "IDLE" in self._capabilities

    # --- connecting

    def open(self, access_token: str | None = None) -> Folder:
        """Connects, signs in and opens the folder. On any failure there is no connection left."""
        try:
            with _told("unreachable", "imap_error"):
                self._client = client = self._connect()
            self._sign_in(client, access_token)
            with _told("connection_lost"):
                self._capabilities = frozenset(word.decode("ascii", "replace") for word in client.capabilities())
            return self.look()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> IMAPClient:
        account = self.account
        context = None if account.security is Security.NONE else ssl.create_default_context()
        client = IMAPClient(
            account.host,
            account.port,
            ssl=account.security is Security.TLS,
            ssl_context=context,
            timeout=SocketTimeout(_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S),
        )
        # Times with their zone; and no formatting of every line for a log that nobody keeps.
        client.normalise_times = False
        client._imap.debug = 0
        _keep_alive(client.socket())
        if account.security is Security.STARTTLS:
            try:
                client.starttls(context)
            except BaseException:
                with contextlib.suppress(OSError):
                    client.shutdown()
                raise
        return client

    def _sign_in(self, client: IMAPClient, access_token: str | None) -> None:
        account = self.account
        try:
            with _told("connection_lost"):
                if account.is_oauth:
                    client.sasl_login("XOAUTH2", _Once(xoauth2(account.username, access_token or "")))
                elif client.has_capability("AUTH=PLAIN"):
                    # Carries passwords in any script; LOGIN knows ASCII only.
                    client.sasl_login("PLAIN", _Once(f"\0{account.username}\0{account.password}"))
                else:
                    client.login(account.username, account.password)
        except LoginError as error:
            # imapclient makes a broken line in the middle of it look like a refusal.
            if isinstance(error.__context__, IMAPClientAbortError):
                raise Unavailable("the connection broke during the sign-in", code="connection_lost") from error
            if _BUSY.search(str(error)):
                raise Unavailable("the server takes no sign-in now", code="server_busy") from error
            raise Unavailable(f"the server refused the sign-in: {_words(error)}", code="account_refused") from error

    def look(self) -> Folder:
        """Opens the folder (anew), read-only unless mails are to be marked or moved."""
        client, account = self._connected(), self.account
        try:
            with _told("connection_lost"):
                told = client.select_folder(account.folder, readonly=account.after is AfterTaking.LEAVE)
        except IMAPClientReadOnlyError as error:
            raise Unavailable("the folder can only be read", code="folder_read_only") from error
        except IMAPClientError as error:
            if _BUSY.search(str(error)):
                raise Unavailable(_words(error), code="server_busy") from error
            raise Unavailable(f"the folder cannot be opened: {_words(error)}", code="no_such_folder") from error
        try:
            count = int(told.get(b"EXISTS", 0))
            uid_next = told.get(b"UIDNEXT")
            # Old servers do not say UIDNEXT.
            validity, end = int(told[b"UIDVALIDITY"]), int(uid_next) if uid_next else self._highest_uid() + 1
        except (KeyError, ValueError) as error:
            raise Unavailable("the server gives its mails no lasting numbers", code="imap_error") from error
        self._folder = Folder(validity, end, count)
        return self._folder

    def _highest_uid(self) -> int:
        with _told("connection_lost", "imap_error"):
            return max((int(uid) for uid in self._connected().search(["UID", "*"])), default=0)

    # --- reading

    def search(self, after_uid: int, since: date | None = None) -> list[int]:
        """The UIDs above `after_uid`, rising, of mails that came on or after the day `since`; of a very full folder, the
        first of them. It asks the server for news first."""
        client = self._connected()
        with _told("connection_lost", "imap_error"):
            client.noop()
            self._has_grown()
            first = after_uid + 1
            while True:
                # In windows as long as there may be more than one answer can hold; then all the rest.
                last: int | str = "*"
                if self._folder.count > _SEARCH_LIMIT and first + _SEARCH_LIMIT <= self._folder.uid_next:
                    last = first + _SEARCH_LIMIT - 1
                criteria: list[object] = ["UID", f"{first}:{last}"]
                if since is not None:
                    criteria += ["SINCE", since]
                # `n:*` finds the last mail even if its number is below n.
                found = sorted(uid for uid in map(int, client.search(criteria)) if uid > after_uid)
                if found or isinstance(last, str):
                    return found
                first = last + 1

    def list_mails(self, uids: Sequence[int]) -> list[Listed]:
        """Those of `uids` that are still there, rising."""
        if not uids:
            return []
        with _told("connection_lost", "imap_error"):
            found = self._connected().fetch(uids, ["RFC822.SIZE", "INTERNALDATE"])
        listed = []
        for uid, told in found.items():
            size, at = told.get(b"RFC822.SIZE"), told.get(b"INTERNALDATE")
            size_bytes = size if isinstance(size, int) else 0
            listed.append(Listed(uid, size_bytes, _aware(at) if isinstance(at, datetime) else None))
        return sorted(listed, key=lambda mail: mail.uid)

    def fetch(self, uids: Sequence[int]) -> dict[int, bytes]:
        """The mails as they are; what is no longer there is missing in the answer."""
        with _told("connection_lost", "imap_error"):
            found = self._connected().fetch(uids, ["BODY.PEEK[]"])
        return {uid: bytes(told[b"BODY[]"]) for uid, told in found.items() if told.get(b"BODY[]") is not None}

    def fetch_main_headers(self, uids: Sequence[int]) -> dict[int, bytes]:
        """The headers by which mails are known, without the rest of them, of those that are still there."""
        if not uids:
            return {}
        with _told("connection_lost", "imap_error"):
            found = self._connected().fetch(uids, [f"BODY.PEEK[HEADER.FIELDS ({_MAIN_HEADERS})]"])
        return {
            uid: bytes(value)
            for uid, told in found.items()
            for name, value in told.items()
            if name.startswith(b"BODY[HEADER") and value is not None
        }

    # --- writing, only if told to

    def mark_seen(self, uids: Sequence[int]) -> None:
        with _told("connection_lost", "imap_error"):
            self._connected().add_flags(uids, [b"\\Seen"], silent=True)

    def move(self, uids: Sequence[int], folder: str) -> None:
        """Raises Unavailable(code="no_such_folder") when there is nowhere to move them."""
        client = self._connected()
        try:
            with _told("connection_lost"):
                if "MOVE" in self._capabilities:
                    client.move(uids, folder)
                    return
                client.copy(uids, folder)
                client.add_flags(uids, [b"\\Deleted"], silent=True)
                if "UIDPLUS" in self._capabilities:
                    client.uid_expunge(uids)
        except IMAPClientError as error:
            if _BUSY.search(str(error)):
                raise Unavailable(_words(error), code="server_busy") from error
            raise Unavailable(f"mails cannot be moved: {_words(error)}", code="no_such_folder") from error

    # --- waiting

    def wait(self, timeout_s: float) -> None:
        """Returns when the server says anything, when `interrupt` is called, or when the time is over. Without IDLE
        only the latter two end it."""
        client = self._connected()
        with _told("connection_lost", "imap_error"):
            # A server tells of new mails at the end of any answer, and then only once: that of the search, say.
            if self._has_grown():
                return
            if not self.can_idle or not self._begin_idle(client):
                self._listen(client, timeout_s)
                return
            try:
                # What came right behind the server's "+" lies in imaplib's buffer, where no poll sees it.
                if not self._has_grown() and not _has_unread(client):
                    self._listen(client, timeout_s)
            finally:
                client.idle_done()

    def _begin_idle(self, client: IMAPClient) -> bool:
        """As imapclient's `idle`, but for servers that have something to tell before their "+", or will not have it."""
        imap = client._imap
        client._idle_tag = tag = imap._command("IDLE")
        while imap._get_response() is not None:
            if imap.tagged_commands[tag] is not None:
                self._capabilities -= {"IDLE"}
                return False
        return True

    def _has_grown(self) -> bool:
        """Whether the server said, since the last call, that the folder has another number of mails."""
        told = self._connected()._imap.response("EXISTS")[1]
        count = int(told[-1]) if told and told[-1] is not None else self._told_count
        has_grown, self._told_count = count != self._told_count, count
        return has_grown

    def _listen(self, client: IMAPClient, timeout_s: float) -> None:
        poll = select.poll()
        poll.register(client.socket().fileno(), select.POLLIN)
        poll.register(self._bell.fileno(), select.POLLIN)
        poll.poll(timeout_s * 1000)
        with contextlib.suppress(BlockingIOError):
            self._bell.recv(64)

    def interrupt(self) -> None:
        """From any thread: ends the `wait` that runs, or the next one at once."""
        with contextlib.suppress(OSError):
            self._button.send(b"!")

    def abort(self) -> None:
        """From any thread: breaks the connection, so whatever waits for the server fails."""
        client = self._client
        if client is None:
            return
        with contextlib.suppress(OSError, ValueError):
            # Past any TLS object, which is not made for two threads.
            line = socket.socket(fileno=os.dup(client.socket().fileno()))
            try:
                line.shutdown(socket.SHUT_RDWR)
            finally:
                line.close()

    def close(self) -> None:
        """Signs out if that is still possible; never raises, and may be called again."""
        client, self._client = self._client, None
        if client is not None:
            # A server that does not say goodbye must not hold us up.
            with contextlib.suppress(Exception):
                client.socket().settimeout(2)
                client.logout()
            with contextlib.suppress(Exception):
                client.shutdown()
        self._bell.close()
        self._button.close()

    def _connected(self) -> IMAPClient:
        if self._client is None:
            raise Unavailable("there is no connection to the mailbox", code="connection_lost")
        return self._client


class _Once:
    """The answer to a sign-in's first challenge; what a server asks further is bad news, and answered with nothing."""

    def __init__(self, answer: str) -> None:
        self._answer = answer.encode()

    def __call__(self, _challenge: bytes) -> bytes:
        answer, self._answer = self._answer, b""
        return answer


@contextlib.contextmanager
def _told(lost: str, refused: str | None = None) -> Iterator[None]:
    """Says every failure of a connection in the hub's words: `lost` is the code when the line broke, `refused` when the
    server said no (without it imapclient's own error goes on, for the caller to judge)."""
    try:
        yield
    except HubError:
        raise
    except (ssl.SSLCertVerificationError, ssl.CertificateError) as error:
        raise Unavailable(f"the server's certificate is not good: {_words(error)}", code="tls_failed") from error
    except ssl.SSLError as error:
        raise Unavailable(f"TLS failed: {_words(error)}", code="tls_failed") from error
    except (IMAPClientAbortError, OSError) as error:
        raise Unavailable(f"the mail server: {_words(error)}", code=lost) from error
    except IMAPClientReadOnlyError:
        raise
    except LoginError:
        raise
    except IMAPClientError as error:
        if refused is None:
            raise
        raise Unavailable(f"the mail server: {_words(error)}", code=refused) from error
    except (ValueError, TypeError, LookupError, AttributeError, AssertionError, RecursionError) as error:
        # What imaplib and imapclient make of an answer that is no IMAP.
        raise Unavailable("the mail server's answer makes no sense", code="imap_error") from error


def _words(error: BaseException) -> str:
    """The far side's words, short and on one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _aware(at: datetime) -> datetime:
    return at.astimezone(UTC) if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _keep_alive(line: socket.socket) -> None:
    options: Mapping[str, int] = {
        "TCP_KEEPIDLE": _KEEPALIVE_S,
        "TCP_KEEPINTVL": _KEEPALIVE_S // _KEEPALIVE_TRIES,
        "TCP_KEEPCNT": _KEEPALIVE_TRIES,
    }
    with contextlib.suppress(OSError):
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in options.items():
            # macOS has other names for some of them.
            if hasattr(socket, name):
                line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _has_unread(client: IMAPClient) -> bool:
    """Whether imaplib has read more of the line than it has looked at. Python 3.14 calls its buffer `_file`."""
    line, imap = client.socket(), client._imap
    timeout_s = line.gettimeout()
    line.setblocking(False)
    try:
        return bool((getattr(imap, "_file", None) or imap.file).peek(1))
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return False
    finally:
        line.settimeout(timeout_s)
