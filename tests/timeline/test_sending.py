"""The loop that sends, with a real mail server at the other end that falls silent when it matters."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.channels import email
from hub.channels.smtp import Limits
from hub.domain.mail import IncomingMail, Mailbox
from hub.domain.values import AuthorKind, ContactKind
from hub.domain.views import Author
from hub.store import tables
from hub.store.database import open_database
from hub.store.files import Files
from hub.store.stream import Tail, Wakes
from hub.store.vault import Vault
from hub.timeline import outbox, sending
from hub.timeline.adapters import Adapters
from hub.timeline.sending import Sender
from tests.channels.mailserver import MailServer, Mishap, running_mail_server
from tests.support.running_hub import SECRET_KEY
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

CHANNEL, ANI = "mail", "ani@example.am"


@asynccontextmanager
async def sending_from(scene: Scene) -> AsyncIterator[None]:
    vault = Vault(SECRET_KEY)
    adapters = Adapters(scene.database, vault, "http://127.0.0.1:9")
    wakes, files = Wakes(), Files(scene.files_dir)
    sender = Sender(scene.database, wakes, adapters, vault, files, public_url="http://127.0.0.1:9", process="test")
    # It rings the bells: on SQLite a commit is all the notice there is.
    tail = Tail(scene.database, wakes)
    await tail.start()
    running = [asyncio.create_task(loop) for loop in (tail.run(), sender.run())]
    try:
        yield
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await adapters.close()


@pytest.fixture
async def mail_server() -> AsyncIterator[MailServer]:
    async with running_mail_server() as server:
        yield server


@pytest.fixture
async def scene(sqlite_url: str, tmp_path: Path, mail_server: MailServer) -> AsyncIterator[Scene]:
    """By the real clock, with an e-mail account that sends through the mail server."""
    database = open_database(sqlite_url)
    try:
        scene = await Scene(database, files_dir=tmp_path / "files").set_up()
        await scene.channel(CHANNEL, "email")
        settings = {
            "address": "support@hub.test",
            "smtp_host": "127.0.0.1",
            "smtp_port": str(mail_server.port),
            "smtp_security": "none",
        }
        secrets = Vault(SECRET_KEY).seal({})
        await scene.set(tables.channel, {"settings": settings, "secrets": secrets}, id=CHANNEL)
        yield scene
    finally:
        await database.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    # Long enough for a busy machine to answer in where it does answer: after three silences a mail is the agent's.
    monkeypatch.setattr(email, "_limits", lambda _settings: Limits(data_s=3.0, domain_spacing_s=0.0))
    monkeypatch.setattr(outbox, "_BACKOFF_BASE_S", 0.05)


async def answer_ani(scene: Scene) -> None:
    mail = IncomingMail(message_id="q@example.am", subject="Order", senders=(Mailbox(ANI),))
    arrival = scene.message(sender=ANI, kind=ContactKind.EMAIL)
    arrival = replace(arrival, mail=mail, message=b"Subject: Order\r\n\r\nHello\r\n")
    (outcome,) = await scene.intake.accept(CHANNEL, [arrival])
    assert outcome.conversation_id is not None
    author = Author(AuthorKind.AGENT, "Nare", None)
    await scene.database.transaction(outbox.enqueue, outcome.conversation_id, author, "It is on its way.")


async def until(is_so: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(30):
        while not await is_so():  # noqa: ASYNC110 - the database rings no bell here
            await asyncio.sleep(0.01)


async def delivery(scene: Scene) -> tuple[object, object]:
    (entry,) = await scene.rows(tables.entry, direction="out")
    return entry["delivery"], entry["delivery_reason"]


async def test_a_mail_whose_fate_is_not_known_is_sent_again_with_an_attempt_of_its_own(
    scene: Scene, mail_server: MailServer
) -> None:
    mail_server.play("CONTENT", Mishap.HANG)
    await answer_ani(scene)
    async with sending_from(scene):

        async def is_sent() -> bool:
            return await delivery(scene) == ("sent", None)

        await until(is_sent)
    first, second = mail_server.received
    # One mail, to the byte: mail programs show it once.
    assert first.content == second.content
    assert (await scene.row(tables.outbox))["attempts"] == 2


async def test_an_attempt_that_is_cut_short_is_made_again(
    scene: Scene, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email, "_limits", lambda _settings: Limits())
    monkeypatch.setattr(sending, "_ATTEMPT_TIMEOUT_S", 4.0)
    mail_server.play("CONTENT", Mishap.HANG)
    await answer_ani(scene)
    async with sending_from(scene):

        async def is_sent() -> bool:
            return await delivery(scene) == ("sent", None)

        await until(is_sent)
    assert len(mail_server.received) == 2


async def test_a_server_that_never_says_whether_it_has_the_mail_is_left_to_the_agent(
    scene: Scene, mail_server: MailServer
) -> None:
    mail_server.play("CONTENT", *[Mishap.HANG] * 9)
    await answer_ani(scene)
    async with sending_from(scene):

        async def is_uncertain() -> bool:
            return await delivery(scene) == ("uncertain", "no_answer")

        await until(is_uncertain)
    assert len(mail_server.received) == 3
    assert (await scene.row(tables.outbox))["state"] == "parked"
