"""The people who work here: accounts, passwords, sessions, API keys.

    sign in    `begin_attempt` counts the try before the password is looked at, so that many tries at once are no more
               than many tries in a row; `end_attempt` takes it back when it was right; `open_session` gives the tokens
    tokens     256 random bits; the tables hold only their SHA-256, so a stolen backup signs nobody in
    passwords  Argon2id, in threads of their own; a wrong e-mail takes as long as a wrong password

Every change is told: AgentChanged to all, AccessChanged to the person, whose screens and sockets then look who they
are.
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import ColumnElement, Select, delete, insert, select, update

from hub.agents import alerts, audit, roles, roster
from hub.agents.queues import emit_access, emit_queues, set_user_queues
from hub.agents.teams import emit_teams_of
from hub.agents.viewer import SCREEN_MAX, Viewer, find_granted, hash_token, is_used
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.domain.values import ChannelKind, ContactKind, Role
from hub.domain.views import UserView
from hub.errors import Conflict, InvalidInput, NotFound, TooMany, Unauthenticated
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Tx
from hub.store.vault import Vault
from hub.timeline import customers, tasks, topics

_u, _s, _k, _a = tables.user_account.c, tables.session.c, tables.api_key.c, tables.agent.c
_f, _m = tables.sign_in_failure.c, tables.queue_member.c
_l, _r = tables.access_link.c, tables.staff_role.c

API_KEY_PREFIX = "hub_"

# OWASP's password storage cheat sheet (2025-05): Argon2id with 19 MiB, 2 passes, 1 lane; some 25 ms here.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Two at a time: a flood of sign-ins takes its time, not the machine's memory or the threads of others.
_HASHING = ThreadPoolExecutor(2, thread_name_prefix="hub-password")

# An e-mail may be tried so often before tries are slowed down; an address more often, for a whole office is behind one.
FREE_TRIES_PER_EMAIL = 5
FREE_TRIES_PER_ADDRESS = 25
# From then on the wait doubles from 1 s up to this.
LONGEST_WAIT_S = 900
# So many failures of an hour are written into the audit log: nobody reads more, and each is a row for years.
FAILURES_NOTED = 500
# After so long without a failure, the count begins anew.
_FORGIVEN_AFTER = timedelta(hours=1)


# --- passwords --------------------------------------------------------------------------------------------------------


async def hash_password(password: str) -> str:
    return await asyncio.get_running_loop().run_in_executor(_HASHING, _HASHER.hash, password)


async def is_password(password: str, password_hash: str | None) -> bool:
    """Whether the password is right. None (there is no such account) takes as long and is never right."""
    verified = await asyncio.get_running_loop().run_in_executor(
        _HASHING, _verify, password, password_hash or _nobodys_hash()
    )
    return verified and password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Made with weaker parameters than today's: hash anew at the next sign-in."""
    return _HASHER.check_needs_rehash(password_hash)


def _verify(password: str, password_hash: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    return _HASHER.hash(secrets.token_urlsafe(16))


# --- people -----------------------------------------------------------------------------------------------------------

_USERS: Select[Any] = (
    select(
        _u.id,
        _u.email,
        _u.name,
        _u.role,
        _u.language,
        _u.active,
        _u.version,
        _u.signature,
        _u.desk_phone,
        _u.undo_mail_s,
        _u.undo_text_s,
        _u.role_id,
        _r.name.label("role_name"),
        _a.capacity,
        _a.weights,
    )
    .join(tables.agent, _a.user_id == _u.id)
    .outerjoin(tables.staff_role, _r.id == _u.role_id)
)


@dataclass(frozen=True, slots=True)
class Credentials:
    user_id: int
    password_hash: str


def normal_email(email: str) -> str:
    return email.strip().lower()


def load_users(tx: Tx, after_id: int = 0, limit: int | None = None) -> list[UserView]:
    """All accounts, also those that are not active, by id."""
    return _load(tx, _USERS.where(_u.id > after_id).order_by(_u.id).limit(limit))


def load_user(tx: Tx, user_id: int) -> UserView:
    found = _load(tx, _USERS.where(_u.id == user_id))
    if not found:
        raise NotFound("there is no such user")
    return found[0]


def find_user_by_email(tx: Tx, email: str) -> UserView | None:
    found = _load(tx, _USERS.where(_u.email == normal_email(email)))
    return found[0] if found else None


def find_credentials(tx: Tx, email: str) -> Credentials | None:
    """None if there is no such account or it is not active."""
    row = tx.first(select(_u.id, _u.password_hash).where(_u.email == normal_email(email), _u.active))
    return None if row is None else Credentials(row.id, row.password_hash)


def find_password_hash(tx: Tx, user_id: int) -> str | None:
    found: str | None = tx.scalar(select(_u.password_hash).where(_u.id == user_id, _u.active))
    return found


def create_user(
    tx: Tx,
    *,
    email: str,
    name: str,
    role: Role | None = None,
    role_id: int | None = None,
    password_hash: str,
    queue_ids: Collection[int] = (),
    capacity: int = 100,
    language: str = "en",
    actor: Viewer | None = None,
) -> UserView:
    """With a built-in `role`, or one of one's own. Conflict `email_taken`; InvalidInput if there is no such queue or role;
    Forbidden `beyond_you` for a role that holds more than the actor's. `actor` does it (None: the command line)."""
    tx.lock_routing()
    given = roles.find_given(tx, role, role_id)
    roles.check_may_give(actor, given)
    email = normal_email(email)
    if tx.scalar(select(_u.id).where(_u.email == email)) is not None:
        raise Conflict(
            "there is a user with this e-mail address", code="email_taken", fields={"email": Sentence("is taken")}
        )
    user_id = tx.insert(
        tables.user_account,
        {
            "email": email,
            "name": name,
            "role": given.role.value,
            "role_id": given.role_id,
            "language": language,
            "password_hash": password_hash,
            "created_at": tx.now,
        },
    )
    agent = {"user_id": user_id, "state_since": tx.now, "idle_since": tx.now, "capacity": capacity}
    tx.execute(insert(tables.agent).values(**agent))
    set_user_queues(tx, user_id, queue_ids)
    roster.emit_agents(tx, [user_id])
    audit.note(tx, actor, "user.created", "user", user_id, {"name": name, "role": given.name or given.role.value})
    return load_user(tx, user_id)


def update_user(
    tx: Tx,
    actor: Viewer | None,
    user_id: int,
    *,
    name: str | None = None,
    role: Role | None = None,
    role_id: int | None = None,
    active: bool | None = None,
    language: str | None = None,
    password_hash: str | None = None,
    queue_ids: Collection[int] | None = None,
    capacity: int | None = None,
    signature: str | None = None,
    weights: Mapping[ChannelKind, int] | None = None,
    desk_phone: str | None = None,
    undo_mail_s: int | None = None,
    undo_text_s: int | None = None,
    expected_version: int | None = None,
    shown_hash: str | None = None,
) -> UserView:
    """None leaves a thing as it is; `role` without `role_id` is the built-in one. `actor` does it (None: the command line).
    Conflict `version_conflict` if somebody changed it since `expected_version`; Forbidden `beyond_you` if the person has more
    than the actor, or would. `shown_hash`: of the password they have just shown; Unauthenticated if it is theirs no longer.

    Whoever is deactivated is signed out everywhere and all their work goes back to its queues; a new password ends
    their sessions but the actor's own. Conflict `last_admin` if nobody would be left to administer the hub.
    """
    # First in the lock order: work may have to be taken away, and two administrators must not remove each other at
    # once.
    tx.lock_routing()
    if password_hash is not None or active is False or role is not None or role_id is not None:
        # Whoever opens a session at this moment is through with it before it ends, or finds that it may not; and so is
        # whoever places work with them.
        _check_shown(tx, user_id, shown_hash, is_to_change=True)
    before = load_user(tx, user_id)
    if expected_version is not None and expected_version != before.version:
        raise Conflict("somebody changed this user meanwhile", code="version_conflict")
    had = roles.find_given(tx, before.role, before.role_id)
    given = had if role is None and role_id is None else roles.find_given(tx, role, role_id)
    if actor is None or actor.user_id != user_id:
        roles.check_may_give(actor, had)
    if given != had:
        roles.check_may_give(actor, given)
    # Whoever has the built-in role has everything: what they have can always be given anew.
    loses_admin = _is_whole(had) and (active is False or not _is_whole(given))
    if before.active and loses_admin:
        others = select(_u.id).where(_u.role == Role.ADMIN.value, _u.role_id.is_(None), _u.active, _u.id != user_id)
        if tx.scalar(others.limit(1)) is None:
            raise Conflict("this is the last administrator", code="last_admin")
    if active is False and before.active:
        _take_everything(tx, actor, user_id)
    elif Permission.TAKE_PART in had.permissions - given.permissions:
        dispatcher.take_all(tx, actor, user_id)
    wanted: dict[str, Any] = {
        "name": name,
        "active": active,
        "language": language,
        "signature": signature,
    }
    wanted |= {"undo_mail_s": undo_mail_s, "undo_text_s": undo_text_s}
    values: dict[str, Any] = {field: value for field, value in wanted.items() if value is not None}
    if given != had:
        values |= {"role": given.role.value, "role_id": given.role_id}
    if desk_phone is not None:
        values["desk_phone"] = _read_desk_phone(tx, desk_phone)
    if Permission.MANAGE_USERS in had.permissions and (
        active is False or Permission.MANAGE_USERS not in given.permissions
    ):
        # Whom they invited does not come in by it.
        _withdraw_links(tx, _l.created_by == user_id)
    if password_hash is not None or active is False or given != had:
        # Of a new role: whoever made a link for somebody may hold less than they have now.
        _withdraw_links(tx, (_l.user_id == user_id) & (_l.kind == "password"))
    if password_hash is not None:
        values["password_hash"] = password_hash
        end_sessions(tx, user_id, keep=actor.session_hash if actor is not None else None)
    changed_queues = queue_ids is not None and set_user_queues(tx, user_id, queue_ids)
    if values or changed_queues or capacity is not None or weights is not None:
        tx.execute(update(tables.user_account).where(_u.id == user_id).values(version=_u.version + 1, **values))
    if capacity is not None and capacity != before.capacity:
        tx.execute(update(tables.agent).where(_a.user_id == user_id).values(capacity=capacity))
    if weights is not None and dict(weights) != before.weights:
        stored = {kind.value: weight for kind, weight in sorted(weights.items())} or None
        tx.execute(update(tables.agent).where(_a.user_id == user_id).values(weights=stored))
        tx.wake("routing")
    after = load_user(tx, user_id)
    if (given, after.active) != (had, before.active) and not changed_queues:
        emit_access(tx, [user_id])
    if after.active != before.active:
        # Queues and teams show their active members.
        emit_queues(tx, after.queue_ids)
        emit_teams_of(tx, user_id)
    if (after.name, after.role, after.active, after.capacity) != (
        before.name,
        before.role,
        before.active,
        before.capacity,
    ):
        roster.emit_agents(tx, [user_id])
        tx.wake("routing")
    _note_update(tx, actor, before, after, has_new_password=password_hash is not None)
    return after


def _is_whole(given: roles.Given) -> bool:
    return given.role is Role.ADMIN and given.role_id is None


def _check_shown(tx: Tx, user_id: int, shown_hash: str | None, *, is_to_change: bool) -> None:
    """Holds the account's password until the commit. Checking a password takes its time, in which it may have been changed,
    or its owner signed out everywhere: Unauthenticated `bad_credentials` then."""
    held = select(_u.password_hash, _u.active).where(_u.id == user_id)
    row = tx.first(held.with_for_update(key_share=True) if is_to_change else held.with_for_update(read=True))
    if shown_hash is not None and (row is None or not row.active or row.password_hash != shown_hash):
        raise Unauthenticated("the e-mail address or the password is wrong", code="bad_credentials")


def _withdraw_links(tx: Tx, which: ColumnElement[bool]) -> None:
    ended = {"ended_at": tx.now, "outcome": "withdrawn"}
    tx.execute(update(tables.access_link).where(which, _l.ended_at.is_(None)).values(**ended))


def _note_update(tx: Tx, actor: Viewer | None, before: UserView, after: UserView, *, has_new_password: bool) -> None:
    """What people set for themselves (their name, language, signature) is their own affair; their password is not."""
    found = audit.changes(before, after)
    # The name alone: a role's id says nothing to whoever reads it.
    if found.keys() & {"role_id", "role_name"}:
        found = {field: value for field, value in found.items() if field not in ("role", "role_id", "role_name")}
        found["role"] = [before.role_name or before.role.value, after.role_name or after.role.value]
    if has_new_password:
        found["password"] = audit.CHANGED
    is_own = actor is not None and actor.user_id == before.id and not found.keys() & {"password", "role", "name"}
    if found and not is_own:
        audit.note(tx, actor, "user.changed", "user", before.id, {"name": before.name, "changes": found})


def _read_desk_phone(tx: Tx, written: str) -> str | None:
    """E.164; None for an empty one. InvalidInput naming `desk_phone`."""
    if not written:
        return None
    try:
        return customers.parse_address(ContactKind.PHONE, written, customers.load_home_region(tx))
    except InvalidInput as error:
        raise InvalidInput(error.message, fields={"desk_phone": next(iter(error.fields.values()))}) from error


def _take_everything(tx: Tx, actor: Viewer | None, user_id: int) -> None:
    """Sessions end, the agent goes offline, and all work goes back, SMS and mail too: nobody will come back for it."""
    end_sessions(tx, user_id)
    dispatcher.take_all(tx, actor, user_id)
    topics.disown(tx, user_id, actor=actor)
    heirs = _find_heirs(tx, user_id)
    # Tasks before alerts, as whoever brings one back locks them.
    tasks.hand_over(tx, user_id, heirs)
    alerts.hand_over(tx, user_id, heirs)


def _find_heirs(tx: Tx, user_id: int) -> list[int]:
    """Who is paged in somebody's place: the other supervisors, else the other administrators."""
    for role in (Role.SUPERVISOR, Role.ADMIN):
        others = select(_u.id).where(_u.active, _u.role == role.value, _u.id != user_id).order_by(_u.id)
        found = [row.id for row in tx.rows(others)]
        if found:
            return found
    return []


def _load(tx: Tx, query: Select[Any]) -> list[UserView]:
    rows = tx.rows(query)
    queues: dict[int, list[int]] = {}
    if rows:
        members = select(_m.user_id, _m.queue_id).where(_m.user_id.in_([row.id for row in rows]))
        for row in tx.rows(members.order_by(_m.queue_id)):
            queues.setdefault(row.user_id, []).append(row.queue_id)
    return [
        UserView(
            id=row.id,
            email=row.email,
            name=row.name,
            role=Role(row.role),
            language=row.language,
            active=row.active,
            capacity=row.capacity,
            queue_ids=tuple(queues.get(row.id, ())),
            version=row.version,
            signature=row.signature,
            weights={ChannelKind(kind): weight for kind, weight in (row.weights or {}).items()},
            desk_phone=row.desk_phone,
            undo_mail_s=row.undo_mail_s,
            undo_text_s=row.undo_text_s,
            role_id=row.role_id,
            role_name=row.role_name,
        )
        for row in rows
    ]


# --- signing in -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Throttle:
    """Something whose failed tries are counted. `key` is a keyed hash: the table names nobody."""

    key: str
    free_tries: int


def throttles(vault: Vault, email: str, address: str | None) -> tuple[Throttle, ...]:
    """Those of one try: the account's, and the address's that it comes from (an IPv6 host owns a whole /64)."""
    found = [Throttle("email:" + vault.sign("sign-in", f"email {normal_email(email)}"), FREE_TRIES_PER_EMAIL)]
    if address is not None:
        found.append(
            Throttle("address:" + vault.sign("sign-in", f"address {network(address)}"), FREE_TRIES_PER_ADDRESS)
        )
    return tuple(found)


def network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def wait_s(failures: int, free_tries: int) -> int:
    """How long after the last failure the next try may come: 0 while tries are free, then 1, 2, 4 … seconds."""
    return 0 if failures < free_tries else min(2 ** min(failures - free_tries, 20), LONGEST_WAIT_S)


def begin_attempt(tx: Tx, tried: Collection[Throttle]) -> None:
    """Counts a try as failed before it is known whether it is. TooMany if it comes too early; that one is not counted,
    so whoever waits as told always gets in."""
    ordered = sorted(tried, key=lambda throttle: throttle.key)
    tx.insert_new(
        tables.sign_in_failure, [{"key": throttle.key, "count": 0, "last_at": tx.now} for throttle in ordered]
    )
    keys = [throttle.key for throttle in ordered]
    query = select(_f.key, _f.count.label("failures"), _f.last_at).where(_f.key.in_(keys)).order_by(_f.key)
    found = {row.key: row for row in tx.rows(query.with_for_update())}
    left = 0.0
    for throttle in ordered:
        row = found[throttle.key]
        wait = timedelta(seconds=wait_s(row.failures, throttle.free_tries))
        left = max(left, (row.last_at + wait - tx.now).total_seconds())
    if left > 0:
        raise TooMany("too many failed sign-ins; try again later", retry_after_s=left)
    for throttle in ordered:
        row = found[throttle.key]
        count = 0 if tx.now - row.last_at > _FORGIVEN_AFTER else row.failures
        tx.execute(update(tables.sign_in_failure).where(_f.key == throttle.key).values(count=count + 1, last_at=tx.now))


def end_attempt(tx: Tx, tried: Collection[Throttle]) -> None:
    """The password was right: the account's count begins anew, the address gets this one try back. (Not all of them:
    somebody with one account of their own could otherwise go on guessing at others for ever.)"""
    for throttle in sorted(tried, key=lambda throttle: throttle.key):
        values = {"count": 0} if throttle.key.startswith("email:") else {"count": _f.count - 1}
        tx.execute(update(tables.sign_in_failure).where(_f.key == throttle.key).values(**values))


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """The tokens in the clear, for the browser alone."""

    user: UserView
    permissions: list[Permission]
    token: str
    csrf_token: str


def note_failed_sign_in(tx: Tx, user_id: int | None, address: str | None) -> None:
    """Somebody did not show the right password; `user_id` None: for an account that there is not. What they typed is not
    written down: people type passwords where e-mail addresses belong. A flood fills no log: what comes after
    FAILURES_NOTED within an hour is counted by the throttle alone."""
    lately = (
        select(tables.audit.c.id)
        .where(tables.audit.c.at > tx.now - _FORGIVEN_AFTER, tables.audit.c.action == "session.refused")
        .offset(FAILURES_NOTED - 1)
        .limit(1)
    )
    if tx.first(lately) is None:
        name = "" if user_id is None else load_user(tx, user_id).name
        audit.note(tx, None, "session.refused", "user", user_id or "", {"name": name}, address=address)


def open_session(
    tx: Tx,
    user_id: int,
    tried: Collection[Throttle],
    max_s: int,
    *,
    shown_hash: str | None = None,
    new_password_hash: str | None = None,
    address: str | None = None,
    browser: str | None = None,
) -> OpenedSession:
    """A session for whoever has just shown their password, of which `shown_hash` was the hash; Unauthenticated if it is
    theirs no longer. Their state is left alone: an agent is offline until the console's socket connects, and then chooses.
    `address`, `browser`: where they sign in from."""
    end_attempt(tx, tried)
    _check_shown(tx, user_id, shown_hash, is_to_change=new_password_hash is not None)
    if new_password_hash is not None:
        tx.execute(update(tables.user_account).where(_u.id == user_id).values(password_hash=new_password_hash))
    token, csrf_token = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    row = {
        "token_hash": hash_token(token),
        "user_id": user_id,
        "csrf_token": csrf_token,
        "created_at": tx.now,
        "seen_at": tx.now,
        "expires_at": tx.now + timedelta(seconds=max_s),
        "address": address,
        "browser": browser,
    }
    tx.execute(insert(tables.session).values(**row))
    user = load_user(tx, user_id)
    viewer = viewer_of(tx, user, address)
    _note_own(tx, viewer, "session.opened")
    return OpenedSession(user, viewer.listed_permissions, token, csrf_token)


def viewer_of(tx: Tx, user: UserView, address: str | None = None) -> Viewer:
    """Somebody who acts without a session: who signs in, or whose work is given back for them."""
    granted = find_granted(tx, user.id)
    queue_ids = frozenset(user.queue_ids)
    return Viewer(user.id, user.role, user.name, user.language, queue_ids, address=address, granted=granted)


def _note_own(tx: Tx, viewer: Viewer, action: str) -> None:
    audit.note(tx, viewer, action, "user", viewer.user_id, {"name": viewer.name})


def close_session(tx: Tx, viewer: Viewer) -> None:
    """The person signs out: this session ends, the agent goes offline, ringing and live work goes back to the queue. A screen
    that is taken from the wall is nobody's leaving."""
    tx.execute(delete(tables.session).where(_s.token_hash == viewer.session_hash))
    if not viewer.is_screen:
        dispatcher.sign_out(tx, viewer.user_id)
    _note_own(tx, viewer, "session.closed")
    emit_access(tx, [viewer.user_id])


def make_screen(tx: Tx, viewer: Viewer) -> datetime:
    """This session is of a screen on a wall from now on: it lasts for SCREEN_MAX, and cannot become another one again.
    Returns when it ends. The person's other sessions stay as they are."""
    ends = tx.now + SCREEN_MAX
    tx.execute(
        update(tables.session).where(_s.token_hash == viewer.session_hash).values(is_screen=True, expires_at=ends)
    )
    _note_own(tx, viewer, "session.made_screen")
    emit_access(tx, [viewer.user_id])
    return ends


def end_sessions(tx: Tx, user_id: int, *, keep: str | None = None) -> None:
    """Ends all sessions of a person but the one with the hash `keep`; their sockets hear of it."""
    condition = _s.user_id == user_id
    if keep is not None:
        condition &= _s.token_hash != keep
    if tx.execute(delete(tables.session).where(condition)).rowcount:
        emit_access(tx, [user_id])


@dataclass(frozen=True, slots=True)
class OwnSession:
    """One of a person's sessions; `id` names it and is no secret."""

    id: str
    address: str | None
    browser: str | None
    created_at: datetime
    seen_at: datetime
    is_screen: bool
    is_this: bool


def load_sessions(tx: Tx, viewer: Viewer, idle_s: int) -> list[OwnSession]:
    """The viewer's own that have not ended, the one used last first."""
    mine = select(tables.session).where(_s.user_id == viewer.user_id, _s.expires_at > tx.now, is_used(tx.now, idle_s))
    return [
        OwnSession(
            id=_session_id(row.token_hash),
            address=row.address,
            browser=row.browser,
            created_at=row.created_at,
            seen_at=row.seen_at,
            is_screen=row.is_screen,
            is_this=row.token_hash == viewer.session_hash,
        )
        for row in tx.rows(mine.order_by(_s.seen_at.desc(), _s.token_hash))
    ]


def _session_id(token_hash: str) -> str:
    """So much of the hash that no two are the same, and so little that it is of no use."""
    return token_hash[:16]


def end_other_sessions(tx: Tx, viewer: Viewer, session_id: str | None = None) -> None:
    """The viewer signs out elsewhere: everywhere but here, or of one session. NotFound if it is none of theirs."""
    others = select(_s.token_hash).where(_s.user_id == viewer.user_id)
    hashes = [row.token_hash for row in tx.rows(others) if row.token_hash != viewer.session_hash]
    ended = [each for each in hashes if session_id is None or _session_id(each) == session_id]
    if session_id is not None and not ended:
        raise NotFound("there is no such session")
    if ended:
        tx.execute(delete(tables.session).where(_s.token_hash.in_(ended)))
        _note_own(tx, viewer, "session.ended_elsewhere")
        emit_access(tx, [viewer.user_id])


def forget_expired(tx: Tx, idle_s: int) -> int:
    """Deletes sessions that have expired and failures that are forgiven; returns how many rows went."""
    sessions = delete(tables.session).where((_s.expires_at <= tx.now) | ~is_used(tx.now, idle_s))
    failures = delete(tables.sign_in_failure).where(_f.last_at < tx.now - _FORGIVEN_AFTER)
    return int(tx.execute(sessions).rowcount + tx.execute(failures).rowcount)


# --- API keys ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeptApiKey:
    """A key as the tables know it; `hint` is its beginning, to tell one from another."""

    id: int
    name: str
    role: Role
    created_at: datetime
    last_used_at: datetime | None
    hint: str


def load_api_keys(tx: Tx, before_id: int | None = None, limit: int | None = None) -> list[KeptApiKey]:
    """The keys that are not revoked, newest first."""
    query = select(tables.api_key).where(_k.revoked_at.is_(None)).order_by(_k.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(_k.id < before_id)
    return [
        KeptApiKey(row.id, row.name, Role(row.role), row.created_at, row.last_used_at, row.hint)
        for row in tx.rows(query)
    ]


def create_api_key(
    tx: Tx, created_by: int, name: str, role: Role, *, actor: Viewer | None = None
) -> tuple[KeptApiKey, str]:
    """The key, and its token in the clear: shown once, kept nowhere."""
    token = API_KEY_PREFIX + secrets.token_urlsafe(32)
    hint = token[: len(API_KEY_PREFIX) + 4]
    row = {
        "name": name,
        "role": role.value,
        "token_hash": hash_token(token),
        "hint": hint,
        "created_by": created_by,
        "created_at": tx.now,
    }
    key_id = tx.insert(tables.api_key, row)
    audit.note(tx, actor, "api_key.created", "api_key", key_id, {"name": name, "role": role.value})
    return KeptApiKey(key_id, name, role, tx.now, None, hint), token


def revoke_api_key(tx: Tx, key_id: int, *, actor: Viewer | None = None) -> None:
    """From the next request on it is good for nothing; NotFound if there is no such key or it is revoked already."""
    row = tx.first(select(_k.created_by, _k.name).where(_k.id == key_id, _k.revoked_at.is_(None)))
    if row is None:
        raise NotFound("there is no such API key")
    tx.execute(update(tables.api_key).where(_k.id == key_id).values(revoked_at=tx.now))
    audit.note(tx, actor, "api_key.revoked", "api_key", key_id, {"name": row.name})
    emit_access(tx, [row.created_by])
