"""The command line as a person uses it, in a process of its own where that matters."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hub.__main__ import main

PASSWORD = "correct horse battery"


class Terminal:
    def __init__(self, data_dir: Path) -> None:
        self.env: dict[str, str | None] = {
            "HUB_DATA_DIR": str(data_dir),
            "HUB_DATABASE_URL": None,
            "HUB_SECRET_KEY": None,
            "HUB_PUBLIC_URL": None,
        }

    def run(self, *arguments: str, typed: str = "", env: dict[str, str] | None = None) -> Result:
        return CliRunner().invoke(main, arguments, input=typed, env={**self.env, **(env or {})})


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """The commands set up the log of their process, which here is the tests': it is put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield Terminal(tmp_path / "data")
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def test_first_administrator_is_made_from_standard_input(terminal: Terminal) -> None:
    made = terminal.run(
        "user", "add", "--email", "Ada@x.test", "--name", "Ada", "--role", "admin", typed=PASSWORD + "\n"
    )
    assert (made.exit_code, made.output) == (0, "ada@x.test is admin (id 1)\n")
    assert "ada@x.test" in terminal.run("user", "list").output


def test_weak_password_is_refused_in_words(terminal: Terminal) -> None:
    made = terminal.run("user", "add", "--email", "a@x", "--name", "A", typed="short\n")
    assert made.exit_code == 1
    assert "password: " in made.output
    assert "Traceback" not in made.output


def test_password_is_never_an_argument(terminal: Terminal) -> None:
    assert "--password" not in terminal.run("user", "add", "--help").output
    assert terminal.run("user", "add", "--password", PASSWORD).exit_code == 2


def test_deactivated_and_new_password(terminal: Terminal) -> None:
    terminal.run("user", "add", "--email", "a@x", "--name", "A", "--role", "agent", typed=PASSWORD + "\n")
    assert terminal.run("user", "password", "a@x", typed="another long one\n").exit_code == 0
    assert terminal.run("user", "deactivate", "A@X").exit_code == 0
    assert "(not active)" in terminal.run("user", "list").output
    missing = terminal.run("user", "deactivate", "nobody@x")
    assert (missing.exit_code, missing.output) == (1, "error: there is no user nobody@x\n")


def test_doctor_is_content_with_a_hub_that_can_run(terminal: Terminal) -> None:
    terminal.run("migrate")
    terminal.run("user", "add", "--email", "a@x", "--name", "A", "--role", "admin", typed=PASSWORD + "\n")
    found = terminal.run("doctor", env={"HUB_PUBLIC_URL": "https://hub.example.org"})
    assert found.exit_code == 0
    lines = found.output.splitlines()
    # Where nothing speaks, that is said; the rest is well.
    silent = [line for line in lines if "install espeak-ng" in line]
    assert len(silent) == (shutil.which("espeak-ng") is None)
    assert {line.split()[0] for line in lines if line not in silent} == {"ok"}


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"HUB_PUBLIC_URL": "http://hub.example.org"}, "is not https"),
        ({"HUB_LOG_LEVEL": "loud"}, "HUB_LOG_LEVEL"),
        ({"HUB_SECRET_KEY": "short"}, "at least 22 characters"),
        ({"HUB_DATABASE_URL": "mysql://x"}, "HUB_DATABASE_URL"),
        ({"HUB_DATA_DIR": "/proc/nothing"}, "HUB_DATA_DIR"),
        ({"HUB_SMTP_LISTEN": "2525"}, "must look like 127.0.0.1:2525"),
        ({"HUB_SMTP_LISTEN": "/run/hub/smtp"}, "must look like 127.0.0.1:2525"),
        ({"HUB_LMTP_LISTEN": "run/hub/lmtp"}, "the full path of a socket"),
        ({"HUB_SMTP_TLS_CERT": "/proc/nothing"}, "cannot be read"),
        ({"HUB_SMTP_TLS_KEY": "/dev/null"}, "belong together"),
        ({"HUB_MAIL_LIMIT_BYTES": "12"}, "must be between"),
        (
            {"HUB_DATABASE_URL": "postgresql://x@127.0.0.1:1/x", "HUB_SECRET_KEY": "long enough for a secret key"},
            "does not answer",
        ),
    ],
)
def test_doctor_says_what_is_wrong(terminal: Terminal, env: dict[str, str], words: str) -> None:
    found = terminal.run("doctor", env=env)
    assert found.exit_code == 1
    assert words in " ".join(line for line in found.output.splitlines() if line.startswith("fault"))


def test_doctor_notices_another_secret_key(terminal: Terminal, tmp_path: Path) -> None:
    terminal.run("migrate")
    with closing(sqlite3.connect(tmp_path / "data" / "hub.db", isolation_level=None)) as database:
        database.execute("INSERT INTO queue (name) VALUES ('q')")
        database.execute(
            "INSERT INTO channel (id, kind, name, queue_id, settings, secrets, health_since)"
            " VALUES ('sms', 'sms', 's', 1, '{}', 'sealed with another key', 0)"
        )
    found = terminal.run("doctor")
    assert found.exit_code == 1
    assert "does not open the secrets of sms" in found.output


def test_doctor_says_how_mailboxes_fare(terminal: Terminal, tmp_path: Path) -> None:
    terminal.run("migrate")
    with closing(sqlite3.connect(tmp_path / "data" / "hub.db", isolation_level=None)) as database:
        database.execute("INSERT INTO queue (name) VALUES ('q')")
        for channel_id, health, code in (
            ("good", "ok", None),
            ("bad", "down", "account_refused"),
            ("none", "ok", None),
        ):
            database.execute(
                "INSERT INTO channel"
                " (id, kind, name, queue_id, settings, secrets, health_since, inbound_health, inbound_code)"
                " VALUES (?, 'email', 'e', 1, '{}', '', 0, ?, ?)",
                (channel_id, health, code),
            )
        database.execute(
            "INSERT INTO mailbox (channel_id, folder, uid_validity, last_uid, looked_at) VALUES ('good', 'INBOX', 1, 1, 0)"
        )
    found = [" ".join(line.split()) for line in terminal.run("doctor").output.splitlines() if "mailbox of" in line]
    assert found == [
        "note mailbox of bad cannot be read as it should: account_refused",
        "ok mailbox of good was looked at last at 1970-01-01 00:00:00 UTC",
    ]


def test_restored_database_has_a_new_epoch(terminal: Terminal, tmp_path: Path) -> None:
    terminal.run("user", "add", "--email", "a@x", "--name", "A", "--role", "admin", typed=PASSWORD + "\n")
    assert terminal.run("backup", str(tmp_path / "copy")).exit_code == 0
    terminal.run("user", "add", "--email", "b@x", "--name", "B", "--role", "admin", typed=PASSWORD + "\n")
    before = _epoch(tmp_path)
    restored = terminal.run("restore", str(tmp_path / "copy"))
    assert restored.exit_code == 0, restored.output
    assert _epoch(tmp_path) != before
    listed = terminal.run("user", "list").output
    assert "a@x" in listed
    assert "b@x" not in listed
    assert len(list((tmp_path / "data").glob("hub.db.before-*"))) == 1


def test_restore_refuses_while_the_database_is_in_use(terminal: Terminal, tmp_path: Path) -> None:
    terminal.run("migrate")
    terminal.run("backup", str(tmp_path / "copy"))
    with closing(sqlite3.connect(tmp_path / "data" / "hub.db")) as running:
        running.execute("PRAGMA journal_mode=WAL")
        running.execute("SELECT * FROM stream").fetchall()
        refused = terminal.run("restore", str(tmp_path / "copy"))
    assert (refused.exit_code, refused.output) == (1, "error: the database is in use: stop the hub first\n")


def test_restore_refuses_what_is_no_copy(terminal: Terminal, tmp_path: Path) -> None:
    terminal.run("migrate")
    (tmp_path / "other").write_bytes(b"not a database at all, and long enough to be read as one" * 40)
    refused = terminal.run("restore", str(tmp_path / "other"))
    assert refused.exit_code == 1
    assert "not a whole copy" in refused.output
    assert (tmp_path / "data" / "hub.db").exists()


def test_description_is_printed(terminal: Terminal) -> None:
    printed = terminal.run("openapi")
    assert '"openapi": "3.1.0"' in printed.output


def _epoch(tmp_path: Path) -> str:
    with closing(sqlite3.connect(tmp_path / "data" / "hub.db")) as database:
        return str(database.execute("SELECT epoch FROM stream").fetchone()[0])
