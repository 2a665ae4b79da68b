"""Mails of the house to its own people (reports, alerts): sent through a mail account of the organisation, in no timeline.

    find_mail_channel(tx)            which account, None: there is none that can send
    send_house_mail(adapters, …)     one mail to one address; Refused, Unavailable or Uncertain say why not

Nothing is queued here: whoever sends keeps when it was tried, and gives each mail one `delivery_id` for all attempts, by
which mail programs show it once. The mail says of itself that a machine wrote it, so no machine answers.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, update

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.channels.channel import OutgoingFile, OutgoingMessage
from hub.domain.mail import Mailbox, MailKind, OutgoingMail
from hub.domain.sentences import Sentence
from hub.domain.states import ChannelHealth
from hub.domain.values import ChannelKind
from hub.errors import HubError, InvalidInput, NotFound, ProviderError, Refused, Unavailable, Uncertain
from hub.store import tables
from hub.store.database import Tx
from hub.timeline.adapters import Adapters

_ch = tables.channel.c

# As long as the outbox gives an attempt: the adapter itself gives up a little sooner.
_ATTEMPT_TIMEOUT_S = 75.0


@dataclass(frozen=True, slots=True)
class HouseFile:
    name: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HouseMail:
    """`html` is a whole document, `text` says the same for programs that show none. `delivery_id`: unguessable, the same at
    every attempt (`secrets.token_urlsafe(18)`)."""

    delivery_id: str
    address: str
    name: str
    subject: str
    text: str
    html: str
    created_at: datetime
    files: tuple[HouseFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """A mail account that is switched on and has a server to send through."""

    channel_id: str
    name: str
    address: str
    is_down: bool


def load_accounts(tx: Tx) -> list[Account]:
    """Those that work first, by name."""
    rows = tx.rows(
        select(_ch.id, _ch.name, _ch.settings, _ch.health)
        .where(_ch.kind == ChannelKind.EMAIL.value, _ch.enabled)
        .order_by(_ch.name, _ch.id)
    )
    able = [
        Account(row.id, row.name, row.settings.get("address", ""), row.health == ChannelHealth.DOWN.value)
        for row in rows
        if row.settings.get("smtp_host", "").strip()
    ]
    return sorted(able, key=lambda account: account.is_down)


def load_chosen(tx: Tx) -> str | None:
    """The account that an administrator chose for the house's own mails."""
    chosen: str | None = tx.scalar(select(tables.organisation.c.mail_channel_id))
    return chosen


def choose_mail_channel(tx: Tx, channel_id: str | None, *, actor: Viewer | None = None) -> None:
    """None: whichever can send. InvalidInput naming `channel_id` if it is no account that can send."""
    if channel_id is not None and all(account.channel_id != channel_id for account in load_accounts(tx)):
        raise InvalidInput("no mail account", fields={"channel_id": Sentence("is no mail account that can send")})
    before = load_chosen(tx)
    tx.execute(update(tables.organisation).values(mail_channel_id=channel_id))
    changed = {"mail_account": before}, {"mail_account": channel_id}
    audit.note_change(tx, actor, "organisation.changed", "organisation", "", *changed, name="")


def find_mail_channel(tx: Tx) -> str | None:
    """The account through which the house writes to its own people: of those that can send the chosen one, unless it is down,
    else the first by name of those that work. None: there is none."""
    accounts, chosen = load_accounts(tx), load_chosen(tx)
    best = sorted(accounts, key=lambda account: (account.is_down, account.channel_id != chosen))
    return best[0].channel_id if best else None


async def send_house_mail(adapters: Adapters, channel_id: str, mail: HouseMail) -> None:
    """Hands it to the account's server. Uncertain may be sent again, whole: mail is repeatable."""
    message = OutgoingMessage(
        delivery_id=mail.delivery_id,
        recipient=mail.address,
        text=mail.text,
        files=tuple(
            OutgoingFile(file.name, file.media_type, len(file.content), "", content=file.content) for file in mail.files
        ),
        created_at=mail.created_at,
        mail=OutgoingMail(
            kind=MailKind.NOTICE,
            subject=mail.subject,
            thread="",
            to=(Mailbox(mail.address, mail.name),),
            html=mail.html,
        ),
    )
    try:
        channel = await adapters.get(channel_id)
        channel.check_outgoing(message)
        async with asyncio.timeout(_ATTEMPT_TIMEOUT_S):
            await channel.send(message)
    except ProviderError:
        raise
    except TimeoutError as error:
        raise Uncertain("The mail server did not answer in time.", code="timed_out") from error
    except NotFound as error:
        raise Unavailable("The mail account is switched off.", code="channel_off") from error
    except InvalidInput as error:
        raise Refused("; ".join(error.fields.values()) or error.message, code="not_supported") from error
    except HubError as error:
        raise Unavailable(error.message, code=error.code) from error
