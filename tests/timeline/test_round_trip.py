"""Real mail, there and back, through servers that are not ours: exim carries it, dovecot keeps it, the hub fetches, answers
and hears what became of the answer."""

from __future__ import annotations

import asyncio
import email
import functools
import smtplib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import make_msgid, parseaddr
from pathlib import Path
from typing import Any

import pytest

from hub.domain.values import ChannelKind
from hub.timeline import channels
from tests.support.dovecot import PASSWORD, Dovecot, run_dovecot
from tests.support.mta import Mta, run_mta
from tests.support.running_hub import Api, House, Json, Screen, run_hub

pytestmark = pytest.mark.anyio

BOX = "support@hub.test"
ANI = "ani@customers.test"
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with run_dovecot({BOX: PASSWORD}) as server:
        yield server


@pytest.fixture(scope="module")
def mta(dovecot: Dovecot) -> Iterator[Mta]:
    with run_mta(lmtp_port=dovecot.lmtp_port, mailboxes=[BOX]) as server:
        yield server


@dataclass
class Office:
    """The hub with an agent who looks on, and the world outside."""

    house: House
    nare: Api
    screen: Screen
    mta: Mta

    async def write(self, message: EmailMessage, sender: str) -> None:
        """A customer hands a mail to their provider."""

        def hand_in() -> None:
            with smtplib.SMTP("127.0.0.1", self.mta.port) as client:
                client.send_message(message, from_addr=sender)

        await asyncio.to_thread(hand_in)

    async def taken(self, text: str) -> Json:
        """The entry with this text, once it stands in the timeline."""
        entry: Json = (await self.screen.until_text(text))["entry"]
        return entry

    async def answer(self, entry: Json, text: str, **mail: Any) -> Json:
        body: Json = {"text": text} | ({"mail": mail} if mail else {})
        answer = await self.nare.post(f"/conversations/{entry['conversation_id']}/messages", body)
        assert answer.status_code == 201, answer.text
        told: Json = answer.json()
        return told

    async def received(self, address: str, count: int = 1) -> list[EmailMessage]:
        """The mails that lie at a customer's, once there are so many."""
        async with asyncio.timeout(PATIENCE_S):
            while len(raws := await asyncio.to_thread(self.mta.received, address)) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # a Maildir rings no bell
        return [email.message_from_bytes(raw, policy=email.policy.default) for raw in raws]

    async def until_delivery(self, text: str, state: str) -> Json:
        """What stands on our message, once it has come to this state."""

        def found(screen: Screen) -> Json | None:
            told = [event["entry"] for event in screen.events if event["kind"] in ("entry.added", "entry.changed")]
            mine = [entry for entry in told if entry["text"] == text and entry["direction"] == "out"]
            return mine[-1] if mine and mine[-1]["delivery"]["state"] == state else None

        await self.screen.until(lambda screen: found(screen) is not None)
        entry = found(self.screen)
        assert entry is not None
        return entry


@pytest.fixture(params=["off", "on"], ids=["without plus addresses", "with plus addresses"])
async def office(
    request: pytest.FixtureRequest, sqlite_url: str, tmp_path: Path, dovecot: Dovecot, mta: Mta
) -> AsyncIterator[Office]:
    dovecot.clear(BOX)
    mta.clear()
    async with run_hub(sqlite_url, tmp_path) as house:
        create = functools.partial(
            channels.create_channel,
            vault=house.hub.vault,
            channel_id="mail",
            kind=ChannelKind.EMAIL,
            name="Mail",
            queue_id=house.queue_id,
            settings={
                "address": BOX,
                "display_name": "The shop",
                "smtp_host": "127.0.0.1",
                "smtp_port": str(mta.port),
                "smtp_security": "none",
                "imap_host": "127.0.0.1",
                "imap_port": str(dovecot.imap_port),
                "imap_security": "none",
                "imap_username": BOX,
                # The box is empty, and nothing may be missed before the first look.
                "imap_since": "2026-01-01",
                "plus_addressing": request.param,
            },
            secrets={"imap_password": PASSWORD},
        )
        await house.hub.database.transaction(create)
        nare = await house.person("Nare")
        async with house.screen(nare) as screen:
            yield Office(house, house.api(nare), screen, mta)


def mail(text: str, *, sender: str = ANI, subject: str = "My order", **headers: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = f"Ani Sargsyan <{sender}>"
    message["To"] = headers.pop("To", BOX)
    message["Subject"] = subject
    message["Message-ID"] = make_msgid(domain="customers.test")
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message


async def test_a_mail_is_answered_and_the_customers_answer_comes_home(office: Office) -> None:
    question = mail("Where is my order?")
    await office.write(question, ANI)
    entry = await office.taken("Where is my order?")
    assert entry["mail"]["subject"] == "My order"

    await office.answer(entry, "It is on its way.")
    (answer,) = await office.received(ANI)
    assert answer["In-Reply-To"] == question["Message-ID"]
    assert answer["References"].split()[-1] == question["Message-ID"]
    assert answer["Subject"] == "Re: My order"
    assert parseaddr(answer["From"]) == ("Nare", BOX) or parseaddr(answer["From"])[1] == BOX
    body = answer.get_body(("plain",))
    assert body is not None
    assert body.get_content().startswith("It is on its way.")
    assert (await office.until_delivery("It is on its way.", "sent"))["delivery"]["state"] == "sent"

    thanks = mail(
        "Thank you!",
        subject="Re: My order",
        To=parseaddr(answer["Reply-To"] or answer["From"])[1],
        In_Reply_To=answer["Message-ID"],
        References=f"{answer['References']} {answer['Message-ID']}",
    )
    await office.write(thanks, ANI)
    came = await office.taken("Thank you!")
    assert came["conversation_id"] == entry["conversation_id"]
    # And once more, now that the thread is longer.
    await office.answer(came, "You are welcome.")
    (_, last) = await office.received(ANI, 2)
    assert last["In-Reply-To"] == thanks["Message-ID"]
    assert question["Message-ID"] in last["References"].split()


async def test_a_bounce_is_shown_on_the_message(office: Office) -> None:
    await office.write(mail("Hello?", sender="nobody@customers.test"), "nobody@customers.test")
    entry = await office.taken("Hello?")
    await office.answer(entry, "Hello, nobody.")
    bounced = await office.until_delivery("Hello, nobody.", "failed")
    assert bounced["delivery"]["reason"]
    # The bounce is no mail of a customer's.
    texts = [text for text in office.screen.texts if text]
    assert texts.count("Hello?") == 1
    assert not any("could not be delivered" in text for text in texts)


async def test_a_mailbox_that_is_refused_at_once_is_shown_at_once(office: Office) -> None:
    await office.write(mail("Hello?", sender="refused@customers.test"), "refused@customers.test")
    entry = await office.taken("Hello?")
    await office.answer(entry, "Hello, refused.")
    refused = await office.until_delivery("Hello, refused.", "failed")
    assert "no such mailbox" in refused["delivery"]["detail"]


async def test_an_answer_that_cannot_be_taken_now_arrives_later(office: Office) -> None:
    office.mta.defer(True)
    await office.write(mail("Hello?", sender="later@customers.test"), "later@customers.test")
    entry = await office.taken("Hello?")
    await office.answer(entry, "Hello, later.")
    await office.screen.until(
        lambda screen: any(
            event["entry"]["delivery"]["attempts"] > 0
            for event in screen.events
            if event["kind"] == "entry.changed" and event["entry"]["delivery"]
        )
    )
    office.mta.defer(False)
    (answer,) = await office.received("later@customers.test")
    assert answer["Subject"] == "Re: My order"
    await office.until_delivery("Hello, later.", "sent")
