"""A real mail server for tests that is not ours: Debian's exim, in a temporary directory, unprivileged, on a free port.

with run_mta(lmtp_port=dovecot.lmtp_port, mailboxes=["support@hub.test"]) as mta:
    smtplib.SMTP("127.0.0.1", mta.port)       takes mail for everybody, as a provider's relay does for its customers
    mta.received("ani@customers.test")        what was delivered to a customer (any name at this domain), in order

support@hub.test        delivered to dovecot by LMTP (with +anything, too), and so into its mailbox
…@customers.test        delivered into a Maildir
later…@customers.test   not now: 451 while `mta.defer` is on, which the sender hears
nobody…@customers.test  taken and then found to be nobody's: the sender gets exim's bounce (RFC 3464)
refused…@customers.test 550 at once
everybody elsewhere     taken and bounced: there is no way out of here
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import signal
import smtplib
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.postgres import DISKS, MEMORY, find_free_port, identity, own_folder, pick_parent, pick_server_user

CUSTOMERS = "customers.test"
PROGRAMS = ("exim4", "/usr/sbin/exim4", "exim", "/usr/sbin/exim")
START_S = 20.0

CONFIGURATION = """\
exim_path = {program}
exim_user = {user}
exim_group = {group}
# An ordinary user delivers for everybody, as himself.
deliver_drop_privilege = true
never_users =
spool_directory = {home}/spool
log_file_path = {home}/log/%slog
pid_file_path = {home}/exim.pid
primary_hostname = mx.customers.test
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
smtp_accept_max = 200
smtp_accept_queue_per_connection = 0
queue_run_max = 5
host_lookup =
rfc1413_hosts =
dns_ipv4_lookup = *
disable_ipv6 = true
tls_advertise_hosts =
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
message_size_limit = 50M
acl_smtp_rcpt = rcpt
# Bounces that cannot be delivered are not kept.
ignore_bounce_errors_after = 0s
delay_warning =

begin acl
rcpt:
  defer local_parts = ^later
        condition   = ${{if exists{{{home}/defer}}}}
        message     = 4.2.1 not now
  deny  local_parts = ^refused
        domains     = {customers}
        message     = 5.1.1 no such mailbox
  accept

begin routers
hub:
  driver = accept
  domains = {domains}
  local_parts = {local_parts}
  local_part_suffix = +*
  local_part_suffix_optional
  transport = dovecot
nobody:
  driver = redirect
  domains = {customers}
  local_parts = ^nobody
  allow_fail
  data = :fail: there is no such mailbox
customers:
  driver = accept
  domains = {customers}
  transport = maildir

begin transports
dovecot:
  driver = smtp
  protocol = lmtp
  hosts = 127.0.0.1
  port = {lmtp_port}
  allow_localhost
  hosts_override
  rcpt_include_affixes
maildir:
  driver = appendfile
  # One for all of them: exim lets no sender's word name a file.
  directory = {home}/customers
  maildir_format
  create_directory
  delivery_date_add
  envelope_to_add
  return_path_add
  user = {user}

begin retry
* * F,1h,1s
"""


class MtaMissingError(Exception):
    """There is no exim here, or it did not start; the message says what to do."""


def find_mta() -> str | None:
    return next((path for path in map(shutil.which, PROGRAMS) if path is not None), None)


def check_mta() -> str:
    """The program's path. Skips the test where there is none, but never in CI."""
    path = find_mta()
    if path is None or shutil.which("setpriv") is None:
        words = "The round trip of real mail needs Debian's package `exim4-daemon-light` (and util-linux' setpriv)."
        if os.environ.get("CI"):
            raise MtaMissingError(words)
        pytest.skip(words)
    return path


@dataclass
class Mta:
    home: Path
    port: int
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def received(self, address: str) -> list[bytes]:
        """What was delivered to this customer, in the order of its arrival."""
        folder = self.home / "customers" / "new"
        paths = sorted(folder.glob("*"), key=lambda path: path.stat().st_mtime_ns)
        line = f"Envelope-to: {address}\n".encode()
        return [raw for raw in (path.read_bytes() for path in paths) if line in raw]

    def clear(self) -> None:
        """No customer has any mail, and nobody is told to come again."""
        self.defer(False)
        for path in (self.home / "customers" / "new").glob("*"):
            path.unlink()

    def defer(self, is_on: bool) -> None:
        """Whether later…@ is told to come again."""
        if is_on:
            (self.home / "defer").touch()
        else:
            (self.home / "defer").unlink(missing_ok=True)

    @property
    def log(self) -> str:
        return "".join(path.read_text(errors="replace") for path in sorted((self.home / "log").glob("*")))


@contextlib.contextmanager
def run_mta(*, lmtp_port: int, mailboxes: Sequence[str]) -> Iterator[Mta]:
    """`mailboxes`: the addresses that dovecot has."""
    program = check_mta()
    user = pick_server_user()
    account = user or pwd.getpwuid(os.geteuid())
    with own_folder(pick_parent(MEMORY, *DISKS), user) as home:
        mta = Mta(home, find_free_port())
        for folder in ("spool", "log", "customers"):
            (home / folder).mkdir()
        (home / "exim.conf").write_text(
            CONFIGURATION.format(
                program=program,
                home=home,
                user=account.pw_name,
                group=grp.getgrgid(account.pw_gid).gr_name,
                port=mta.port,
                lmtp_port=lmtp_port,
                customers=CUSTOMERS,
                domains=" : ".join(sorted({address.rpartition("@")[2] for address in mailboxes})),
                local_parts=" : ".join(sorted({address.rpartition("@")[0] for address in mailboxes})),
            )
        )
        if user is not None:
            for path in (home, *home.rglob("*")):
                os.chown(path, user.pw_uid, user.pw_gid)
        with (home / "output.log").open("ab") as output:
            # It is installed setuid root: it must not become root for us. Should the tests be killed, it goes with them.
            process = subprocess.Popen(
                [
                    "setpriv",
                    "--no-new-privs",
                    "--pdeathsig",
                    "TERM",
                    program,
                    "-C",
                    str(home / "exim.conf"),
                    "-bdf",
                    "-q1s",
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=home,
                env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "TZ": "UTC"},
                start_new_session=True,
                **identity(user),
            )
        mta._process = process
        try:
            _wait_until_it_answers(mta, process)
            yield mta
        finally:
            for order in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, order)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)
                    break


def _wait_until_it_answers(mta: Mta, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while True:
        with (
            contextlib.suppress(OSError, smtplib.SMTPException),
            smtplib.SMTP("127.0.0.1", mta.port, timeout=5) as client,
        ):
            client.noop()
            return
        if process.poll() is not None or time.monotonic() > deadline:
            words = (mta.home / "output.log").read_text(errors="replace") + mta.log
            raise MtaMissingError(f"exim did not start:\n{words[-3_000:]}")
        time.sleep(0.02)  # a server that is starting tells nobody
