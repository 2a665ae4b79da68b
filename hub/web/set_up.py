"""The first set-up, step by step."""

from __future__ import annotations

from hub.agents import accounts, link_mails, set_up
from hub.agents.accounts import Throttle
from hub.domain.permissions import Permission
from hub.store.database import Tx
from hub.store.vault import Vault
from hub.web import organisation
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import (
    LinkUsed,
    SetSetUpStep,
    SetUpAccount,
    SetUpKey,
    SetUpOrganisation,
    SetUpView,
    Welcome,
)

# Tries of one address before they are slowed down: typing twelve letters goes wrong sometimes.
_FREE_TRIES = 10
_NOBODY_YET = (
    "nobody works here yet; the code that the hub has printed is checked, tries are slowed down, "
    "and it ends with the first account"
)


@endpoint(
    "GET",
    "/welcome",
    access=Access.NOBODY_NEEDED,
    why="what the page for signing in has to know; says nothing of anybody",
    summary="What may be done before signing in",
)
async def get_welcome(context: Context) -> Welcome:
    def load(tx: Tx) -> Welcome:
        return Welcome(needs_set_up=set_up.is_fresh(tx), can_reset_password=link_mails.can_send(tx))

    return await context.hub.database.read(load)


@endpoint("POST", "/set-up/look", access=Access.NOBODY_NEEDED, why=_NOBODY_YET, summary="Begin the set-up")
async def look_at_set_up(context: Context, body: SetUpKey) -> SetUpView:
    """403 `wrong_code`; 409 `already_set_up` once somebody works here."""
    await _check_code(context, body.code)
    return await context.hub.database.read(_load)


@endpoint("PUT", "/set-up/organisation", access=Access.NOBODY_NEEDED, why=_NOBODY_YET, summary="Say whose hub it is")
async def set_up_organisation(context: Context, body: SetUpOrganisation) -> SetUpView:
    await _check_code(context, body.code)

    def save(tx: Tx, vault: Vault) -> SetUpView:
        # Once more, in the same breath: somebody may have been faster.
        set_up.check_code(tx, vault, body.code)
        set_up.save_house(tx, organisation.house_of(body))
        set_up.set_step(tx, "account")
        return _load(tx)

    return await context.hub.database.transaction(save, context.hub.vault)


@endpoint(
    "POST", "/set-up/account", access=Access.NOBODY_NEEDED, why=_NOBODY_YET, summary="Become the first administrator"
)
async def set_up_account(context: Context, body: SetUpAccount) -> LinkUsed:
    """Signs nobody in: that is the next step, with the password that was just chosen."""
    await _check_code(context, body.code)
    client = context.request.client
    user = await context.hub.database.transaction(
        set_up.create_first_account,
        context.hub.vault,
        body.code,
        name=body.name,
        email=body.email,
        password_hash=await accounts.hash_password(body.password),
        language=body.language,
        address=client.host if client is not None else None,
    )
    return LinkUsed(email=user.email)


async def _check_code(context: Context, code: str) -> None:
    """A wrong one counts as a failed try of its address."""
    hub = context.hub
    client = context.request.client
    network = accounts.network(client.host) if client is not None else ""
    tried = [Throttle("set-up:" + hub.vault.sign("sign-in", f"set up from {network}"), _FREE_TRIES)]
    await hub.database.transaction(accounts.begin_attempt, tried)
    await hub.database.read(set_up.check_code, hub.vault, code)
    await hub.database.transaction(accounts.end_attempt, tried)


# --- an administrator goes on -------------------------------------------------------------------------------------------


@endpoint("GET", "/set-up", access=Permission.MANAGE_SETTINGS, summary="Where the set-up stands")
async def get_set_up(context: Context) -> SetUpView:
    return await context.hub.database.read(_load)


@endpoint("PUT", "/set-up", access=Permission.MANAGE_SETTINGS, summary="Go on with the set-up, or end it")
async def set_set_up_step(context: Context, body: SetSetUpStep) -> SetUpView:
    def save(tx: Tx) -> SetUpView:
        set_up.set_step(tx, body.step)
        return _load(tx)

    return await context.hub.database.transaction(save)


def _load(tx: Tx) -> SetUpView:
    return SetUpView.model_validate(
        {"step": set_up.load_step(tx), "organisation": organisation.view_of(set_up.load_house(tx))}
    )
