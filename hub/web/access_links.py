"""Invitations and new passwords: administrators make links, whoever holds one uses it, once.

A link's token comes in a body, never in an address. What is public here says nothing about who works here: a link that is
not good is 404 whatever is wrong with it, and whoever asks for a new password is answered alike whether there is such an
account or not.
"""

from __future__ import annotations

from hub.agents import access_links, accounts, link_mails
from hub.agents.access_links import AccessLink, Invited, IssuedLink
from hub.agents.accounts import Throttle
from hub.domain.permissions import Permission
from hub.store import tables
from hub.store.database import Tx
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import (
    AskPassword,
    InvitationView,
    IssuedLinkView,
    LinkToken,
    LinkUsed,
    LinkView,
    NewInvitation,
    Page,
    UseLink,
)
from hub.web.throttle import Throttle as Counter

# A token cannot be guessed; this keeps guessing from costing us.
_looks = Counter(60, 600.0, "too many links tried; try again later")
# Asking for a new password: so often for one account, and so often from one address, before it is slowed down.
_FREE_ASKS_PER_EMAIL, _FREE_ASKS_PER_ADDRESS = 3, 15


@endpoint("GET", "/invitations", access=Permission.MANAGE_USERS, summary="Invitations that nobody has used yet")
async def list_invitations(context: Context) -> Page[InvitationView]:
    """The newest first; also those whose time is over, which can be sent again."""
    return Page([_view(link) for link in await context.hub.database.read(access_links.load_invitations)])


@endpoint("POST", "/invitations", access=Permission.MANAGE_USERS, status=201, summary="Invite somebody to work here")
async def invite(context: Context, body: NewInvitation) -> IssuedLinkView:
    """Goes out by mail where the hub has an account to send from; the answer is the only place where the link is ever shown.
    409 `email_taken`, `already_invited`."""
    invited = Invited(
        email=body.email,
        role=None if body.role_id is not None else body.role,
        role_id=body.role_id,
        language=body.language,
        queue_ids=body.queue_ids,
        team_ids=body.team_ids,
        skills=body.skills,
    )
    issued = await context.hub.database.transaction(access_links.invite, context.viewer, invited)
    return await _sent(context, issued)


@endpoint(
    "POST", "/invitations/{invitation_id}/send", access=Permission.MANAGE_USERS, summary="Send an invitation again"
)
async def send_invitation(context: Context, invitation_id: int) -> IssuedLinkView:
    """With a new link, for seven days from now; the one before is good for nothing any more."""
    issued = await context.hub.database.transaction(access_links.renew, context.viewer, invitation_id)
    return await _sent(context, issued)


@endpoint("DELETE", "/invitations/{invitation_id}", access=Permission.MANAGE_USERS, summary="Withdraw an invitation")
async def withdraw_invitation(context: Context, invitation_id: int) -> None:
    """Its link is good for nothing from now on."""
    await context.hub.database.transaction(access_links.withdraw, context.viewer, invitation_id)


@endpoint(
    "POST", "/users/{user_id}/password-link", access=Permission.MANAGE_USERS, summary="Let somebody set a new password"
)
async def make_password_link(context: Context, user_id: int) -> IssuedLinkView:
    """A link for one day; the password they have is good until it is used, and then all their sessions end."""
    issued = await context.hub.database.transaction(access_links.ask_new_password, context.viewer, user_id)
    return await _sent(context, issued)


async def _sent(context: Context, issued: IssuedLink) -> IssuedLinkView:
    hub = context.hub
    issued = await link_mails.send_link(hub.database, hub.channels, hub.settings.public_url, issued)
    return IssuedLinkView(invitation=_view(issued.link), url=access_links.url_of(hub.settings.public_url, issued))


# --- whoever holds one --------------------------------------------------------------------------------------------------


@endpoint(
    "POST",
    "/links/look",
    access=Access.NOBODY_NEEDED,
    why="whoever holds an invitation is nobody yet; the token is unguessable, and tries are counted",
    summary="What a link is for",
)
async def look_at_link(context: Context, body: LinkToken) -> LinkView:
    """404 `link_ended` whatever is wrong with it."""
    _looks.check(_address(context) or "")
    link, house = await context.hub.database.read(_look, body.token)
    return LinkView(
        kind=link.kind,
        email=link.email,
        name=link.name,
        language=link.language,
        organisation=house,
        invited_by=link.created_by_name,
        expires_at=link.expires_at,
    )


def _look(tx: Tx, token: str) -> tuple[AccessLink, str]:
    organisation = tx.first(tables.organisation.select())
    return access_links.look(tx, token), organisation.name if organisation is not None else ""


@endpoint(
    "POST",
    "/links/use",
    access=Access.NOBODY_NEEDED,
    why="whoever holds an invitation or a link to a new password is nobody yet; it works once, and tries are counted",
    summary="Come in by an invitation, or set a new password",
)
async def use_link(context: Context, body: UseLink) -> LinkUsed:
    """Signs nobody in: that is the next step, with the password that was just chosen. 404 `link_ended`; 409 `email_taken` if
    the invited works here by now."""
    address = _address(context)
    _looks.check(address or "")
    hub = context.hub
    # Before the costly hash.
    await hub.database.read(access_links.look, body.token)
    password_hash = await accounts.hash_password(body.password)
    user = await hub.database.transaction(
        access_links.use, body.token, name=body.name, password_hash=password_hash, address=address
    )
    return LinkUsed(email=user.email)


@endpoint(
    "POST",
    "/password-link",
    access=Access.NOBODY_NEEDED,
    why="whoever has forgotten their password cannot sign in; answers alike for every address, and is slowed down",
    summary="Ask for a link to set a new password",
)
async def ask_password(context: Context, body: AskPassword) -> None:
    """204 whether somebody has this address or not; if so, they get a mail."""
    hub = context.hub
    address = _address(context)
    asked = [Throttle("reset-email:" + hub.vault.sign("sign-in", f"reset {body.email}"), _FREE_ASKS_PER_EMAIL)]
    if address is not None:
        key = "reset-address:" + hub.vault.sign("sign-in", f"reset from {accounts.network(address)}")
        asked.append(Throttle(key, _FREE_ASKS_PER_ADDRESS))
    await hub.database.transaction(accounts.begin_attempt, asked)
    hub.forgotten.ask(body.email)


def _address(context: Context) -> str | None:
    client = context.request.client
    return client.host if client is not None else None


def _view(link: AccessLink) -> InvitationView:
    return InvitationView(
        id=link.id,
        email=link.email,
        role=link.role,
        role_name=link.role_name,
        language=link.language,
        queue_ids=list(link.queue_ids),
        team_ids=list(link.team_ids),
        invited_by=link.created_by_name,
        created_at=link.created_at,
        expires_at=link.expires_at,
        mail_state="sent" if link.mail_state == "sent" else "failed" if link.mail_state == "failed" else None,
        mail_code=link.mail_code,
    )
