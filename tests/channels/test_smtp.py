"""Handing mails to a real SMTP server that behaves well, and badly in every way we know."""

from __future__ import annotations

import pytest

from hub.channels.smtp import Letter, Security, Server, Smtp
from hub.errors import Refused
from tests.channels.mailserver import MailServer, running_mail_server

ANI, DAVIT = "ani@example.am", "davit@example.am"
CONTENT = b"Subject: Hello\r\n\r\nHello\r\n.dotted\r\n"


def server(mail_server: MailServer, security: Security = Security.NONE, **account: str) -> Server:
    return Server("127.0.0.1", mail_server.port, security, "example.com", **account)


def letter(*recipients: str) -> Letter:
    return Letter(CONTENT, "support@example.com", recipients or (ANI,))


@pytest.mark.anyio
async def test_a_mail_arrives_as_it_is() -> None:
    async with running_mail_server() as mail_server:
        smtp = Smtp(server(mail_server))
        assert await smtp.deliver(letter(ANI, DAVIT)) == ()
        await smtp.aclose()
    (received,) = mail_server.received
    assert received.content == CONTENT
    assert (received.sender, received.recipients) == ("support@example.com", (ANI, DAVIT))
    assert mail_server.helo_names == ["example.com"]


@pytest.mark.anyio
async def test_nothing_is_sent_when_the_first_recipient_is_refused() -> None:
    async with running_mail_server() as mail_server:
        mail_server.refused[ANI] = "550 5.1.1 No such user here"
        smtp = Smtp(server(mail_server))
        with pytest.raises(Refused) as caught:
            await smtp.deliver(letter(ANI, DAVIT))
        assert caught.value.code == "no_such_mailbox"
        assert await smtp.deliver(letter(DAVIT)) == ()
        await smtp.aclose()
    assert [each.recipients for each in mail_server.received] == [(DAVIT,)]
    assert mail_server.connections == 1
