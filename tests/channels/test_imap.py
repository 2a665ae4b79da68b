"""The IMAP client against a real dovecot: signing in, looking, fetching, waiting, and every way in which it fails."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from hub.channels.channel import ChannelAccount
from hub.channels.imap import AfterTaking, ImapAccount, ImapSession, read_account
from hub.channels.tls import Security
from hub.domain.values import ChannelKind
from hub.errors import Misconfigured, Unavailable
from tests.support.dovecot import PASSWORD, Dovecot, run_dovecot
from tests.support.postgres import find_free_port

BOX = "support@hub.test"
ARMENIAN = "ani@hub.test"
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with run_dovecot({BOX: PASSWORD, ARMENIAN: "գաղտնաբառ"}) as server:
        yield server


@pytest.fixture
def box(dovecot: Dovecot) -> ImapAccount:
    """A mailbox, empty again."""
    dovecot.clear(BOX)
    return ImapAccount("127.0.0.1", dovecot.imap_port, Security.NONE, BOX, PASSWORD)


@pytest.fixture
def trusted(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(dovecot.ca_file))


@pytest.fixture
def opened(box: ImapAccount) -> Iterator[Callable[..., ImapSession]]:
    """`opened(after=…)`: a session of the box, signed in; it is closed with the test."""
    sessions: list[ImapSession] = []

    def make(**changes: object) -> ImapSession:
        session = ImapSession(replace(box, **changes))  # type: ignore[arg-type]
        sessions.append(session)
        session.open()
        return session

    yield make
    for session in sessions:
        session.close()


def mail(subject: str, body: str = "Hello") -> bytes:
    return f"From: ani@elsewhere.test\r\nTo: {BOX}\r\nSubject: {subject}\r\n\r\n{body}\r\n".encode()


def test_an_empty_folder_has_nothing_new(opened: Callable[..., ImapSession]) -> None:
    session = opened()
    folder = session.look()
    assert (folder.uid_next, folder.count) == (1, 0)
    assert folder.uid_validity > 0
    assert session.search(0) == []


def test_new_mails_are_found_in_the_order_of_their_arrival(
    dovecot: Dovecot, opened: Callable[..., ImapSession]
) -> None:
    session = opened()
    dovecot.deliver_many(BOX, [mail("one"), mail("two"), mail("three")])
    assert session.search(0) == [1, 2, 3]
    assert session.search(1) == [2, 3]
    assert session.search(3) == []


def test_mails_come_as_they_were_sent(dovecot: Dovecot, opened: Callable[..., ImapSession]) -> None:
    dovecot.deliver_many(BOX, [mail("one", "né à la\r\n.\r\nfin"), mail("two")])
    session = opened()
    found = session.fetch([1, 2, 7])
    assert sorted(found) == [1, 2]
    assert found[1].endswith(mail("one", "né à la\r\n.\r\nfin"))
    (first, second) = session.list_mails([1, 2])
    assert (first.uid, first.size_bytes) == (1, len(found[1]))
    assert second.arrived_at is not None
    assert abs(datetime.now(UTC) - second.arrived_at) < timedelta(minutes=1)


def test_a_mail_that_is_gone_meanwhile_is_not_listed(dovecot: Dovecot, opened: Callable[..., ImapSession]) -> None:
    session, other = opened(), opened(after=AfterTaking.MOVE)
    dovecot.deliver_many(BOX, [mail("one"), mail("two")])
    assert session.search(0) == [1, 2]
    client = other._connected()
    client.noop()
    client.delete_messages([1])
    client.expunge()
    session.search(0)
    assert [listed.uid for listed in session.list_mails([1, 2])] == [2]
    assert list(session.fetch([1, 2])) == [2]
    assert session.fetch_main_headers([1]) == {}


def test_the_main_headers_come_without_the_body(dovecot: Dovecot, opened: Callable[..., ImapSession]) -> None:
    session = opened()
    dovecot.deliver(BOX, mail("Large", "x" * 100_000))
    session.search(0)
    headers = session.fetch_main_headers([1])[1]
    assert headers is not None
    assert b"Subject: Large" in headers
    assert len(headers) < 1_000


def test_reading_leaves_no_trace(dovecot: Dovecot, opened: Callable[..., ImapSession]) -> None:
    dovecot.deliver(BOX, mail("one"))
    session = opened()
    session.fetch(session.search(0))
    session.close()
    assert dovecot.flags(BOX) == [""]
    assert len(dovecot.mails(BOX)) == 1


def test_mails_are_marked_as_read_where_wanted(dovecot: Dovecot, opened: Callable[..., ImapSession]) -> None:
    dovecot.deliver_many(BOX, [mail("one"), mail("two")])
    session = opened(after=AfterTaking.SEEN)
    session.mark_seen([2])
    session.close()
    assert sorted(dovecot.flags(BOX)) == ["", "S"]


def test_mails_are_moved_where_wanted(dovecot: Dovecot, opened: Callable[..., ImapSession]) -> None:
    dovecot.deliver_many(BOX, [mail("one"), mail("two")])
    session = opened(after=AfterTaking.MOVE)
    session._connected().create_folder("Done")
    session.move([1], "Done")
    session.close()
    assert [b"Subject: two" in raw for raw in dovecot.mails(BOX)] == [True]
    assert [b"Subject: one" in raw for raw in dovecot.mails(BOX, "Done")] == [True]


@pytest.mark.parametrize(("has_uidplus", "left"), [(True, [""]), (False, ["", "T"])])
def test_a_server_that_cannot_move_copies_and_expunges_that_one_mail_or_none(
    dovecot: Dovecot, opened: Callable[..., ImapSession], has_uidplus: bool, left: list[str]
) -> None:
    dovecot.deliver_many(BOX, [mail("one"), mail("two")])
    session = opened(after=AfterTaking.MOVE)
    session._connected().create_folder("Done")
    session._capabilities = frozenset({"UIDPLUS"} if has_uidplus else ())
    session.move([1], "Done")
    session.close()
    assert sorted(dovecot.flags(BOX)) == left
    assert len(dovecot.mails(BOX, "Done")) == 1


def test_a_move_to_nowhere_is_told(dovecot: Dovecot, opened: Callable[..., ImapSession]) -> None:
    dovecot.deliver(BOX, mail("one"))
    with pytest.raises(Unavailable) as caught:
        opened(after=AfterTaking.MOVE).move([1], "Nowhere")
    assert caught.value.code == "no_such_folder"


def test_only_mails_since_a_day_are_found(dovecot: Dovecot, opened: Callable[..., ImapSession]) -> None:
    session = opened(after=AfterTaking.MOVE)
    client = session._connected()
    for day in (1, 2, 3):
        client.append("INBOX", mail(f"day {day}"), msg_time=datetime(2026, 5, day, 12, tzinfo=UTC))
    assert session.search(0, date(2026, 5, 2)) == [2, 3]
    assert session.list_mails([2])[0].arrived_at == datetime(2026, 5, 2, 12, tzinfo=UTC)


def test_a_very_full_folder_is_searched_in_windows(
    dovecot: Dovecot, opened: Callable[..., ImapSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.channels.imap._SEARCH_LIMIT", 2)
    dovecot.deliver_many(BOX, [mail(str(number)) for number in range(5)])
    session = opened()
    found: list[int] = []
    while more := session.search(found[-1] if found else 0):
        assert len(more) <= 3
        found += more
    assert found == [1, 2, 3, 4, 5]


def test_folders_have_names_in_any_script(dovecot: Dovecot, opened: Callable[..., ImapSession]) -> None:
    opened(after=AfterTaking.MOVE)._connected().create_folder("Պատասխանված & done")
    assert opened(folder="Պատասխանված & done").look().count == 0


# --- waiting


def test_idle_rings_within_a_second(dovecot: Dovecot, opened: Callable[..., ImapSession]) -> None:
    session = opened()
    assert session.can_idle
    delivered: list[float] = []

    def deliver() -> None:
        dovecot.deliver(BOX, mail("one"))
        delivered.append(time.monotonic())

    thread = threading.Timer(0.2, deliver)
    thread.start()
    session.wait(PATIENCE_S)
    rang = time.monotonic()
    thread.join()
    assert session.search(0) == [1]
    assert rang - delivered[0] < 1


def test_what_comes_before_the_wait_begins_ends_it_at_once(
    dovecot: Dovecot, opened: Callable[..., ImapSession]
) -> None:
    session = opened()
    for number in range(10):
        # Told right behind the server's "+", often in one packet with it.
        dovecot.deliver(BOX, mail(str(number)))
        before = time.monotonic()
        session.wait(PATIENCE_S)
        assert time.monotonic() - before < 2


def test_what_is_told_at_the_end_of_a_search_is_not_forgotten(
    dovecot: Dovecot, opened: Callable[..., ImapSession]
) -> None:
    session = opened()
    assert session.search(0) == []
    dovecot.deliver(BOX, mail("one"))
    # Any command's answer brings the news, and IDLE does not bring it again.
    session._connected().search(["UID", "7"])
    before = time.monotonic()
    session.wait(PATIENCE_S)
    assert time.monotonic() - before < 0.3
    assert session.search(0) == [1]


def test_another_thread_ends_the_wait(opened: Callable[..., ImapSession]) -> None:
    session = opened()
    thread = threading.Timer(0.05, session.interrupt)
    before = time.monotonic()
    thread.start()
    session.wait(PATIENCE_S)
    assert time.monotonic() - before < 2
    thread.join()
    # The session is as good as before.
    assert session.search(0) == []


def test_an_interrupt_that_comes_early_is_not_lost(opened: Callable[..., ImapSession]) -> None:
    session = opened()
    session.interrupt()
    before = time.monotonic()
    session.wait(PATIENCE_S)
    assert time.monotonic() - before < 2


def test_a_wait_without_idle_ends_with_its_time(opened: Callable[..., ImapSession]) -> None:
    session = opened()
    session._capabilities = frozenset()
    before = time.monotonic()
    session.wait(0.05)
    assert 0.04 < time.monotonic() - before < 2


def test_an_aborted_connection_fails_whatever_waits_on_it(opened: Callable[..., ImapSession]) -> None:
    session = opened()
    thread = threading.Timer(0.05, session.abort)
    thread.start()
    with pytest.raises(Unavailable) as caught:
        session.wait(PATIENCE_S)
    assert caught.value.code == "connection_lost"
    thread.join()


# --- TLS


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(("security", "port"), [(Security.TLS, "imaps_port"), (Security.STARTTLS, "imap_port")])
def test_a_mailbox_is_read_over_tls(
    dovecot: Dovecot, opened: Callable[..., ImapSession], security: Security, port: str
) -> None:
    dovecot.deliver(BOX, mail("one"))
    session = opened(security=security, port=getattr(dovecot, port))
    assert session.fetch(session.search(0))[1].endswith(mail("one"))
    thread = threading.Timer(0.05, dovecot.deliver, (BOX, mail("two")))
    thread.start()
    session.wait(PATIENCE_S)
    thread.join()
    assert session.search(1) == [2]


@pytest.mark.parametrize(("security", "port"), [(Security.TLS, "imaps_port"), (Security.STARTTLS, "imap_port")])
def test_a_certificate_of_nobody_we_trust_is_refused(
    dovecot: Dovecot, opened: Callable[..., ImapSession], security: Security, port: str
) -> None:
    with pytest.raises(Unavailable) as caught:
        opened(security=security, port=getattr(dovecot, port))
    assert caught.value.code == "tls_failed"


@pytest.mark.usefixtures("trusted")
def test_a_certificate_for_another_name_is_refused(dovecot: Dovecot, opened: Callable[..., ImapSession]) -> None:
    with pytest.raises(Unavailable) as caught:
        opened(security=Security.TLS, port=dovecot.imaps_port, host="127.0.0.2")
    assert caught.value.code in ("tls_failed", "unreachable")


def test_tls_spoken_to_a_port_without_it_is_told(dovecot: Dovecot, opened: Callable[..., ImapSession]) -> None:
    with pytest.raises(Unavailable) as caught:
        opened(security=Security.TLS, port=dovecot.imap_port)
    assert caught.value.code == "tls_failed"


# --- failures


def test_a_wrong_password_is_told(opened: Callable[..., ImapSession]) -> None:
    with pytest.raises(Unavailable) as caught:
        opened(password="wrong")
    assert caught.value.code == "account_refused"


def test_passwords_may_be_in_any_script(opened: Callable[..., ImapSession]) -> None:
    assert opened(username=ARMENIAN, password="գաղտնաբառ").look().count == 0


def test_a_folder_that_is_not_there_is_told(opened: Callable[..., ImapSession]) -> None:
    with pytest.raises(Unavailable) as caught:
        opened(folder="Nowhere")
    assert caught.value.code == "no_such_folder"


def test_a_server_that_is_not_there_is_told(opened: Callable[..., ImapSession]) -> None:
    with pytest.raises(Unavailable) as caught:
        opened(port=find_free_port())
    assert caught.value.code == "unreachable"


@pytest.mark.parametrize(
    "greeting",
    [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"* BYE not now\r\n", b"\xff\xfe\x00\r\n", b"* OK hi\r\n* NO \r\nx" * 50],
    ids=["nothing", "ssh", "bye", "bytes", "nonsense"],
)
def test_a_server_that_speaks_no_imap_is_told(box: ImapAccount, greeting: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(greeting)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(Unavailable):
            ImapSession(replace(box, port=server.getsockname()[1])).open()
        thread.join()


def test_a_session_that_is_closed_can_be_closed_again(opened: Callable[..., ImapSession]) -> None:
    session = opened()
    session.close()
    session.close()
    session.abort()
    session.interrupt()
    with pytest.raises(Unavailable):
        session.search(0)


# --- the account


def account(**settings: str) -> ChannelAccount:
    secrets = {"imap_password": "in", "smtp_password": "out"}
    return ChannelAccount("mail", ChannelKind.EMAIL, {"address": BOX, **settings}, secrets)


def test_an_account_without_a_host_fetches_from_nowhere() -> None:
    assert read_account(account()) is None


def test_an_account_is_read_with_what_is_usual() -> None:
    found = read_account(account(imap_host="imap.hub.test"))
    assert found == ImapAccount("imap.hub.test", 993, Security.TLS, BOX, "in")
    assert "in" not in repr(found).split("'")


def test_an_account_is_read_whole() -> None:
    told = account(
        imap_host="127.0.0.1",
        imap_security="none",
        imap_port="1143",
        imap_username="ani",
        imap_folder="Support",
        imap_after="move",
        imap_move_to="Done",
        imap_since="2026-05-01",
        oauth_provider="google",
    )
    since = date(2026, 5, 1)
    expected = ImapAccount(
        "127.0.0.1", 1143, Security.NONE, "ani", "in", "Support", AfterTaking.MOVE, "Done", since, is_oauth=True
    )
    assert read_account(told) == expected


@pytest.mark.parametrize(
    "settings",
    [
        {"imap_host": "imap.hub.test", "imap_security": "none"},
        {"imap_host": "imap.hub.test", "imap_security": "perhaps"},
        {"imap_host": "imap.hub.test", "imap_since": "yesterday"},
        {"imap_host": "imap.hub.test", "imap_after": "move"},
    ],
    ids=["no TLS to far away", "no such security", "no day", "moved to nowhere"],
)
def test_an_account_that_is_set_up_wrong_is_told(settings: dict[str, str]) -> None:
    with pytest.raises(Misconfigured):
        read_account(account(**settings))


# --- OAuth 2


class _Authority(BaseHTTPRequestHandler):
    """Tells dovecot whose a token is, as Google's tokeninfo does: `token-of-<user>` is a good one."""

    def do_GET(self) -> None:
        token = parse_qs(urlsplit(self.path).query)["token"][0]
        is_good = token.startswith("token-of-")
        body = json.dumps({"email": token.removeprefix("token-of-"), "aud": "hub", "expires_in": 3600}).encode()
        self.send_response(200 if is_good else 400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_more: object) -> None:
        pass


@pytest.fixture(scope="module")
def oauth_dovecot() -> Iterator[Dovecot]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Authority) as authority:
        thread = threading.Thread(target=authority.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{authority.server_address[1]}/tokeninfo?token="
        try:
            with run_dovecot({BOX: PASSWORD}, mechanisms="plain xoauth2", tokeninfo_url=url) as server:
                yield server
        finally:
            authority.shutdown()
            thread.join()


def test_a_token_signs_in_where_no_password_does(oauth_dovecot: Dovecot) -> None:
    account = ImapAccount("127.0.0.1", oauth_dovecot.imap_port, Security.NONE, BOX, "", is_oauth=True)
    session = ImapSession(account)
    assert session.open(f"token-of-{BOX}").count == 0
    session.close()


def test_a_token_that_is_no_longer_good_is_told(oauth_dovecot: Dovecot) -> None:
    account = ImapAccount("127.0.0.1", oauth_dovecot.imap_port, Security.NONE, BOX, "", is_oauth=True)
    with pytest.raises(Unavailable) as caught:
        ImapSession(account).open("an old one")
    assert caught.value.code == "account_refused"
