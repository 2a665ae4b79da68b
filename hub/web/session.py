"""Signing in and out, and one's own account.

The cookie holds the session's token: HttpOnly, SameSite=Lax, Secure when the hub is served over https. The CSRF token
goes to the page in the answer's body, which no other site can read.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

from hub.agents import accounts
from hub.domain.sentences import Sentence
from hub.domain.views import UserView
from hub.errors import Conflict, Forbidden, InvalidInput, Unauthenticated
from hub.store.database import Tx
from hub.web.api import SESSION_COOKIE, Access, Context, endpoint
from hub.web.schemas import ChangePassword, OwnSessionView, Page, Session, SignIn, UpdateMe

# As much as tells one browser from another.
_BROWSER_LENGTH = 300


@endpoint(
    "POST",
    "/session",
    access=Access.NOBODY_NEEDED,
    why="this is how one becomes somebody; tries are counted and slowed down",
    summary="Sign in",
)
async def sign_in(context: Context, body: SignIn) -> Session:
    """Sets the session cookie. 401 `bad_credentials` whatever is wrong; after repeated failures 429 `too_many`, and
    `Retry-After` says how long to wait."""
    hub = context.hub
    client = context.request.client
    address = client.host if client is not None else None
    tried = accounts.throttles(hub.vault, body.email, address)
    await hub.database.transaction(accounts.begin_attempt, tried)
    known = await hub.database.read(accounts.find_credentials, body.email)
    if not await accounts.is_password(body.password, known.password_hash if known is not None else None) or not known:
        # For an account that there is not just the same: time tells nobody which ones there are.
        user_id = known.user_id if known is not None else None
        await hub.database.transaction(accounts.note_failed_sign_in, user_id, address)
        raise Unauthenticated("the e-mail address or the password is wrong", code="bad_credentials")
    better_hash = None
    if accounts.is_outdated(known.password_hash):
        better_hash = await accounts.hash_password(body.password)
    opened = await hub.database.transaction(
        accounts.open_session,
        known.user_id,
        tried,
        hub.settings.session_max_s,
        shown_hash=known.password_hash,
        new_password_hash=better_hash,
        address=address,
        browser=(context.request.headers.get("user-agent") or "")[:_BROWSER_LENGTH] or None,
    )
    set_session_cookie(context, opened.token, hub.settings.session_max_s)
    ends = hub.database.clock() + timedelta(seconds=hub.settings.session_max_s)
    return Session(user=opened.user, permissions=opened.permissions, csrf_token=opened.csrf_token, expires_at=ends)


@endpoint("GET", "/session", access=Access.AGENT, summary="Who is signed in")
async def get_session(context: Context) -> Session:
    """With an API key the CSRF token is empty: keys need none."""
    viewer = context.viewer
    user = await context.hub.database.read(accounts.load_user, viewer.user_id)
    return Session(
        user=user,
        permissions=viewer.listed_permissions,
        csrf_token=viewer.csrf_token or "",
        expires_at=viewer.expires_at,
        is_screen=viewer.is_screen,
    )


@endpoint("POST", "/session/screen", access=Access.SUPERVISOR, summary="Leave this browser signed in on a wall")
async def make_screen(context: Context) -> Session:
    """From now on this session lasts for 90 days, may be unused for 14, and only looks at the board: everything else is
    403 `screen_only`. It counts as nobody's presence, and becomes no other session again: sign out, and in."""
    hub, viewer = context.hub, context.viewer
    if viewer.session_hash is None:
        raise Conflict("an API key has no session", code="no_session")
    ends = await hub.database.transaction(accounts.make_screen, viewer)
    token = context.request.cookies[SESSION_COOKIE]
    set_session_cookie(context, token, int((ends - hub.database.clock()).total_seconds()))
    user = await hub.database.read(accounts.load_user, viewer.user_id)
    return Session(
        user=user,
        permissions=viewer.listed_permissions,
        csrf_token=viewer.csrf_token or "",
        expires_at=ends,
        is_screen=True,
    )


@endpoint("DELETE", "/session", access=Access.AGENT, summary="Sign out")
async def sign_out(context: Context) -> None:
    """The agent goes offline; ringing and live work goes back to its queue."""
    if context.viewer.session_hash is None:
        raise Forbidden("an API key has no session to end; revoke the key instead")
    await context.hub.database.transaction(accounts.close_session, context.viewer)
    set_session_cookie(context, "", 0)


@endpoint("GET", "/me/sessions", access=Access.AGENT, summary="Where you are signed in")
async def list_my_sessions(context: Context) -> Page[OwnSessionView]:
    """The one used last first."""
    hub = context.hub
    found = await hub.database.read(accounts.load_sessions, context.viewer, hub.settings.session_idle_s)
    return Page([OwnSessionView.model_validate(asdict(each)) for each in found])


@endpoint("DELETE", "/me/sessions", access=Access.AGENT, summary="Sign out everywhere else")
async def end_other_sessions(context: Context) -> None:
    """All your sessions but this one end at once, screens on walls too."""
    _check_is_session(context)
    await context.hub.database.transaction(accounts.end_other_sessions, context.viewer)


@endpoint("DELETE", "/me/sessions/{session_id}", access=Access.AGENT, summary="Sign out in one place")
async def end_my_session(context: Context, session_id: str) -> None:
    """404 for the session that asks: that one signs out."""
    _check_is_session(context)
    await context.hub.database.transaction(accounts.end_other_sessions, context.viewer, session_id)


def _check_is_session(context: Context) -> None:
    if context.viewer.session_hash is None:
        raise Forbidden("an API key cannot sign its owner out")


@endpoint("PATCH", "/me", access=Access.AGENT, summary="Change your name, language or signature")
async def update_me(context: Context, body: UpdateMe) -> UserView:
    viewer = context.viewer
    return await context.hub.database.transaction(
        accounts.update_user,
        viewer,
        viewer.user_id,
        name=body.name,
        language=body.language,
        signature=body.signature,
        undo_mail_s=body.undo_mail_s,
        undo_text_s=body.undo_text_s,
    )


@endpoint("PUT", "/me/password", access=Access.AGENT, summary="Change your password")
async def change_password(context: Context, body: ChangePassword) -> None:
    """All your other sessions end. A wrong current password counts as a failed sign-in."""
    hub, viewer = context.hub, context.viewer
    if viewer.session_hash is None:
        raise Forbidden("an API key cannot change its owner's password")
    user = await hub.database.read(accounts.load_user, viewer.user_id)
    tried = accounts.throttles(hub.vault, user.email, None)
    await hub.database.transaction(accounts.begin_attempt, tried)
    known = await hub.database.read(accounts.find_password_hash, viewer.user_id)
    if not await accounts.is_password(body.current_password, known):
        raise InvalidInput("the current password is wrong", fields={"current_password": Sentence("is wrong")})
    password_hash = await accounts.hash_password(body.new_password)

    def change(tx: Tx) -> None:
        accounts.end_attempt(tx, tried)
        accounts.update_user(tx, viewer, viewer.user_id, password_hash=password_hash, shown_hash=known)

    await hub.database.transaction(change)


def set_session_cookie(context: Context, token: str, max_age_s: int) -> None:
    """`max_age_s` 0 takes the cookie away."""
    cookie = f"{SESSION_COOKIE}={token}; HttpOnly; Max-Age={max_age_s}; Path=/; SameSite=Lax"
    context.answer_headers.append("set-cookie", cookie + ("; Secure" if context.hub.settings.secure_cookies else ""))
