"""Letting the hub into a mailbox at Google, Microsoft or another provider, from the administrator's browser.

    POST /api/v1/channels/{id}/sign-in   → {url}: the browser goes there, the provider asks
    GET  /oauth/callback?code=…&state=…  ← it comes back here; the refresh token is sealed into the channel's secrets

`state` says which channel, for whom and until when, and is signed; the administrator who comes back must be the one who
left. Nothing the provider says is shown or logged.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from hub.agents.viewer import Viewer
from hub.channels.consent import consent_url, exchange
from hub.domain.permissions import Permission
from hub.domain.values import ChannelKind
from hub.errors import Conflict, HubError, ProviderError
from hub.store.vault import Vault
from hub.timeline import channels
from hub.web.api import Context, access_viewer, endpoint, hub_of
from hub.web.schemas import SignInAddress

log = logging.getLogger(__name__)

CALLBACK = "/oauth/callback"
# As long as somebody may take to find their password and their phone.
_STATE_FOR = timedelta(minutes=15)


def _verifier(vault: Vault, state: str) -> str:
    """PKCE wants 43 characters or more that nobody else can know; derived, so that nothing has to be kept meanwhile."""
    return vault.sign("oauth-verifier", state) + vault.sign("oauth-verifier-2", state)


@endpoint(
    "POST", "/channels/{channel_id}/sign-in", access=Permission.MANAGE_CHANNELS, summary="Let the hub into a mailbox"
)
async def begin_sign_in(context: Context, channel_id: str) -> SignInAddress:
    """The provider's page to send the browser to. It comes back to `/oauth/callback`, which must be registered there."""
    hub = context.hub
    adapter = await hub.channels.get(channel_id)
    if adapter.account.kind is not ChannelKind.EMAIL:
        raise Conflict("this kind of channel signs in nowhere", code="nothing_to_check")
    until = int((hub.database.clock() + _STATE_FOR).timestamp())
    told = f"{channel_id}.{context.viewer.user_id}.{until}"
    state = f"{told}.{hub.vault.sign('oauth-state', told)}"
    return SignInAddress(
        url=consent_url(
            adapter.account.settings,
            redirect_url=hub.settings.public_url + CALLBACK,
            state=state,
            verifier=_verifier(hub.vault, state),
        )
    )


async def callback(request: Request) -> Response:
    """Ends in the console whatever happened; the page there says how it went."""
    hub = hub_of(request)
    state = request.query_params.get("state", "")
    told, _, signature = state.rpartition(".")
    if not hub.vault.is_signed("oauth-state", told, signature):
        return _back("", "failed")
    channel_id, user_id, until = told.split(".")
    try:
        viewer = await access_viewer(hub, request)
        if (
            viewer is None
            or viewer.is_screen
            or not _is_the_one(viewer, int(user_id))
            or hub.database.clock().timestamp() > int(until)
        ):
            return _back(channel_id, "expired")
        code = request.query_params.get("code", "")
        if not code:
            return _back(channel_id, "refused")
        account = (await hub.channels.get(channel_id)).account
        token = await exchange(
            account.settings,
            account.secrets,
            code=code,
            redirect_url=hub.settings.public_url + CALLBACK,
            verifier=_verifier(hub.vault, state),
        )
        await hub.database.transaction(
            channels.update_channel, hub.vault, channel_id, secrets={"oauth_refresh_token": token}, actor=viewer
        )
        await hub.channels.reload(channel_id)
    except HubError as error:
        log.warning("mail.sign_in_failed", extra={"code": error.code, "provider_code": _provider_code(error)})
        return _back(channel_id, "failed")
    return _back(channel_id, "ok")


def _is_the_one(viewer: Viewer, user_id: int) -> bool:
    return viewer.user_id == user_id and viewer.may(Permission.MANAGE_CHANNELS)


def _provider_code(error: HubError) -> str | None:
    return error.provider_code if isinstance(error, ProviderError) else None


def _back(channel_id: str, outcome: str) -> Response:
    # Channel ids are letters, digits and dashes: nothing to escape.
    where = f"&channel={channel_id}" if channel_id else ""
    return RedirectResponse(f"/admin/channels?sign_in={outcome}{where}", 303, headers={"Cache-Control": "no-store"})
