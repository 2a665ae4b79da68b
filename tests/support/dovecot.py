"""A real IMAP and LMTP server for tests: Debian's dovecot, in a temporary directory of its own, on free ports.

    with run_dovecot({"support@hub.test": PASSWORD}) as dovecot:
        dovecot.deliver("support@hub.test", raw)      by LMTP, as a mail server does
        dovecot.imap_port, dovecot.imaps_port, dovecot.lmtp_port

It runs as an ordinary user always (as `nobody` when the tests run as root), so one configuration does for everybody.
The TLS certificate is for 127.0.0.1, signed by `dovecot.ca_file`.
"""

from __future__ import annotations

import contextlib
import datetime
import grp
import imaplib
import ipaddress
import os
import pwd
import shutil
import signal
import smtplib
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.postgres import DISKS, MEMORY, find_free_port, identity, own_folder, pick_parent, pick_server_user

PASSWORD = "mail-password"
# Where Debian puts it; it is not on an ordinary user's PATH.
PROGRAMS = ("dovecot", "/usr/sbin/dovecot")
LMTP_PROGRAMS = (Path("/usr/lib/dovecot/lmtp"), Path("/usr/libexec/dovecot/lmtp"))
START_S = 20.0

CONFIGURATION = """\
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = {uid}
first_valid_gid = {gid}
default_vsz_limit = 512M
mail_max_userip_connections = 100
auth_mechanisms = {mechanisms}
disable_plaintext_auth = no
auth_failure_delay = 0
auth_username_format = %Lu
recipient_delimiter = +
mail_location = maildir:~/Maildir
# What a real mailbox has: dovecot's own folders are made when they are first used.
lda_mailbox_autocreate = yes
postmaster_address = postmaster@hub.test
ssl = yes
ssl_cert = <{home}/server.pem
ssl_key = <{home}/server.key
# The tests deliver and read at once: whatever there is must be told at once.
maildir_very_dirty_syncs = no
mailbox_idle_check_interval = 1 secs
imap_idle_notify_interval = 2 mins
{imap_capability}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {home}/users
}}
{oauth}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}/mail/%Lu
}}
protocol lmtp {{
  auth_username_format = %Lu
}}
service anvil {{
  chroot =
  # No waiting after a wrong password.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
    ssl = yes
  }}
}}
service lmtp {{
  user = {user}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp_port}
  }}
}}
"""

OAUTH = """\
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {home}/oauth2.conf
}}
"""


class DovecotMissingError(Exception):
    """There is no dovecot here, or it did not start; the message says what to do."""


def find_dovecot() -> str | None:
    return next((path for path in map(shutil.which, PROGRAMS) if path is not None), None)


def find_dovecot_lmtp() -> Path | None:
    """Its LMTP server, which Debian has in a package of its own."""
    return next((path for path in LMTP_PROGRAMS if path.is_file()), None)


def check_dovecot() -> str:
    """The program's path. Skips the test where there is none, but never in CI: a test that is not run finds nothing."""
    path = find_dovecot()
    if path is None or find_dovecot_lmtp() is None:
        words = "The tests of real mail need Debian's packages `dovecot-imapd` and `dovecot-lmtpd`."
        if os.environ.get("CI"):
            raise DovecotMissingError(words)
        pytest.skip(words)
    return path


@dataclass
class Dovecot:
    program: str
    home: Path
    user: pwd.struct_passwd | None
    imap_port: int
    imaps_port: int
    lmtp_port: int
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def ca_file(self) -> Path:
        return self.home / "ca.pem"

    @property
    def log(self) -> str:
        path = self.home / "dovecot.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def clear(self, address: str) -> str:
        """The mailbox as it was when it was new."""
        shutil.rmtree(self.home / "mail" / address, ignore_errors=True)
        return address

    def deliver(self, address: str, raw: bytes, sender: str = "customer@elsewhere.test") -> None:
        """Returns when the mail lies in the INBOX of `address`."""
        with smtplib.LMTP("127.0.0.1", self.lmtp_port) as lmtp:
            lmtp.sendmail(sender, [address], raw)

    def deliver_many(self, address: str, mails: list[bytes]) -> None:
        with smtplib.LMTP("127.0.0.1", self.lmtp_port) as lmtp:
            for raw in mails:
                lmtp.sendmail("customer@elsewhere.test", [address], raw)

    def maildir(self, address: str, folder: str = "INBOX") -> Path:
        root = self.home / "mail" / address / "Maildir"
        return root if folder == "INBOX" else root / f".{folder}"

    def mails(self, address: str, folder: str = "INBOX") -> list[bytes]:
        """What lies in a folder, in the order of its arrival."""
        files = [path for part in ("new", "cur") for path in (self.maildir(address, folder) / part).glob("*")]
        return [path.read_bytes() for path in sorted(files, key=lambda path: path.name)]

    def flags(self, address: str, folder: str = "INBOX") -> list[str]:
        """The Maildir flags of each mail (S: seen, T: deleted); those in `new` have none."""
        files = [path for part in ("new", "cur") for path in (self.maildir(address, folder) / part).glob("*")]
        return [path.name.partition(":2,")[2] for path in sorted(files, key=lambda path: path.name)]

    def forget_uids(self, address: str, folder: str = "INBOX") -> None:
        """As after a restore or a move to another server: the same mails, new UIDs, another UIDVALIDITY."""
        for path in self.maildir(address, folder).glob("dovecot*"):
            path.unlink()

    def start(self) -> None:
        with (self.home / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                [self.program, "-F", "-c", str(self.home / "dovecot.conf")],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.home,
                env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.home), "TZ": "UTC"},
                start_new_session=True,
                **identity(self.user),
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                words = (self.home / "output.log").read_text(errors="replace") + self.log
                self.stop()
                raise DovecotMissingError(f"dovecot did not start:\n{words[-3_000:]}")
            time.sleep(0.02)  # a server that is starting tells nobody

    def _answers(self) -> bool:
        for port in (self.imap_port, self.lmtp_port):
            try:
                with socket.create_connection(("127.0.0.1", port), 5) as connection:
                    if not connection.recv(3):
                        return False
            except OSError:
                return False
        return True

    def stop(self) -> None:
        """All connections end, too."""
        if self._process is None:
            return
        for order in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, order)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
                break
        self._process = None


def make_folder(dovecot: Dovecot, address: str, name: str, password: str = PASSWORD) -> None:
    with imaplib.IMAP4("127.0.0.1", dovecot.imap_port) as client:
        client.login(address, password)
        client.create(name)


@contextlib.contextmanager
def run_dovecot(
    users: Mapping[str, str], *, mechanisms: str = "plain login", capability: str = "", tokeninfo_url: str | None = None
) -> Iterator[Dovecot]:
    """A running server with these mailboxes and their passwords. `capability` replaces what it says it can do;
    `tokeninfo_url`: where it asks whose an OAuth2 token is."""
    program = check_dovecot()
    user = pick_server_user()
    with own_folder(pick_parent(MEMORY, *DISKS), user) as home:
        account = user or pwd.getpwuid(os.geteuid())
        dovecot = Dovecot(program, home, user, find_free_port(), find_free_port(), find_free_port())
        for folder in ("run", "state", "mail"):
            (home / folder).mkdir()
        (home / "users").write_text("".join(f"{name}:{password}::::::\n" for name, password in users.items()))
        write_certificates(home)
        if tokeninfo_url is not None:
            (home / "oauth2.conf").write_text(
                f"tokeninfo_url = {tokeninfo_url}\nintrospection_mode =\nusername_attribute = email\n"
            )
        (home / "dovecot.conf").write_text(
            CONFIGURATION.format(
                home=home,
                user=account.pw_name,
                group=grp.getgrgid(account.pw_gid).gr_name,
                uid=account.pw_uid,
                gid=account.pw_gid,
                mechanisms=mechanisms,
                imap_capability=f"imap_capability = {capability}" if capability else "",
                oauth=OAUTH.format(home=home) if tokeninfo_url is not None else "",
                imap_port=dovecot.imap_port,
                imaps_port=dovecot.imaps_port,
                lmtp_port=dovecot.lmtp_port,
            )
        )
        if user is not None:
            for path in (home, *home.rglob("*")):
                os.chown(path, user.pw_uid, user.pw_gid)
        dovecot.start()
        try:
            yield dovecot
        finally:
            dovecot.stop()


def write_certificates(folder: Path) -> None:
    """ca.pem, and server.pem with server.key for 127.0.0.1 and localhost, good for a day."""
    now = datetime.datetime.now(datetime.UTC)
    ca_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tests' own authority")])

    def builder(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )

    ca = (
        builder(ca_name, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    server = builder(subject, server_key).add_extension(names, critical=False).sign(ca_key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(ca.public_bytes(pem))
    (folder / "server.pem").write_bytes(server.public_bytes(pem))
    (folder / "server.key").write_bytes(
        server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
