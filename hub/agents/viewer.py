"""Who asks: the person behind a session or an API key, and what that lets them see and do.

One query a request, and no cache in the process: a session that is ended, a key that is revoked and a person who is
deactivated or loses a role or a queue is so at the very next request, in every process.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, bindparam, select, update

from hub.domain.events import STAFF, SUPERVISORS, queue_topic, user_topic
from hub.domain.permissions import BUILT_IN, Permission
from hub.domain.values import Role
from hub.store import tables
from hub.store.database import Tx

_s, _u, _k, _m = tables.session.c, tables.user_account.c, tables.api_key.c, tables.queue_member.c

# "Last seen" is written at most this often: a write a request would cost more than the request.
SEEN_EVERY = timedelta(minutes=1)
# A screen on a wall: "runs for weeks", and somebody looks at it once a quarter. It may be off over the holidays.
SCREEN_MAX, SCREEN_IDLE = timedelta(days=90), timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Viewer:
    """The one who asks. Either `session_hash` and `csrf_token` are set (a browser) or `api_key_id` (a program).

    `expires_at` is when the session ends whatever happens (None for keys); `needs_touch` says that "last seen" is due.
    `is_screen`: a screen on a wall, which may only look at the board (web.api says at what). `address`: the network address
    the request came from, if it is known (agents.audit writes it down). `granted`: what a role of one's own holds; None: the
    built-in role's set.
    """

    user_id: int
    role: Role
    name: str
    language: str
    queue_ids: frozenset[int]
    session_hash: str | None = field(default=None, repr=False)
    csrf_token: str | None = field(default=None, repr=False)
    api_key_id: int | None = None
    expires_at: datetime | None = None
    needs_touch: bool = False
    is_screen: bool = False
    address: str | None = None
    granted: frozenset[Permission] | None = None

    def covers(self, role: Role) -> bool:
        """Whether they see what somebody with this role sees."""
        return self.role.covers(role)

    @property
    def permissions(self) -> frozenset[Permission]:
        return BUILT_IN[self.role] if self.granted is None else self.granted

    @property
    def listed_permissions(self) -> list[Permission]:
        """In the order of the list."""
        return [permission for permission in Permission if permission in self.permissions]

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    @property
    def topics(self) -> frozenset[str]:
        """The topics of events this person may see (domain.events), but for customer:ID, which follows the screen."""
        topics = {STAFF, user_topic(self.user_id), *(queue_topic(queue_id) for queue_id in self.queue_ids)}
        if self.covers(Role.SUPERVISOR):
            topics.add(SUPERVISORS)
        return frozenset(topics)


def hash_token(token: str) -> str:
    """Tokens are random and long, so a plain SHA-256 is enough: there is nothing to guess."""
    return hashlib.sha256(token.encode()).hexdigest()


_PERSON = (_u.id.label("user_id"), _u.role.label("user_role"), _u.name, _u.language, _m.queue_id)
_BY_SESSION = (
    select(*_PERSON, _s.csrf_token, _s.seen_at, _s.expires_at, _s.is_screen)
    .join(tables.user_account, _u.id == _s.user_id)
    .outerjoin(tables.queue_member, _m.user_id == _u.id)
    .where(
        _u.active,
        _s.token_hash == bindparam("token_hash"),
        _s.expires_at > bindparam("now"),
        (_s.seen_at > bindparam("seen_after")) | (_s.is_screen & (_s.seen_at > bindparam("screen_seen_after"))),
    )
)
_BY_API_KEY = (
    select(*_PERSON, _k.id, _k.role, _k.last_used_at)
    .join(tables.user_account, _u.id == _k.created_by)
    .outerjoin(tables.queue_member, _m.user_id == _u.id)
    .where(_u.active, _k.revoked_at.is_(None), _k.token_hash == bindparam("token_hash"))
)


def is_used(now: datetime, idle_s: int) -> ColumnElement[bool]:
    """The condition on `session` that it has not been idle for too long."""
    seen = _s.seen_at > now - timedelta(seconds=idle_s)
    return seen | (_s.is_screen & (_s.seen_at > now - SCREEN_IDLE))


def find_viewer_by_session(tx: Tx, token: str, idle_s: int) -> Viewer | None:
    """None if there is no such session, if it has expired (idle for `idle_s`, or too old) or its user is not active. A screen
    on a wall may be switched off for longer than somebody's own."""
    token_hash = hash_token(token)
    now = tx.now
    seen = {"seen_after": now - timedelta(seconds=idle_s), "screen_seen_after": now - SCREEN_IDLE}
    rows = tx.rows(_BY_SESSION, {"token_hash": token_hash, "now": now, **seen})
    if not rows:
        return None
    row = rows[0]
    return Viewer(
        user_id=row.user_id,
        role=Role(row.user_role),
        name=row.name,
        language=row.language,
        queue_ids=frozenset(r.queue_id for r in rows if r.queue_id is not None),
        session_hash=token_hash,
        csrf_token=row.csrf_token,
        expires_at=row.expires_at,
        is_screen=row.is_screen,
        needs_touch=tx.now - row.seen_at >= SEEN_EVERY,
    )


def find_viewer_by_api_key(tx: Tx, token: str) -> Viewer | None:
    """None if there is no such key, if it is revoked, or if its creator is not active. A key never does more than its
    creator may do today."""
    rows = tx.rows(_BY_API_KEY, {"token_hash": hash_token(token)})
    if not rows:
        return None
    row = rows[0]
    key_role, user_role = Role(row.role), Role(row.user_role)
    return Viewer(
        user_id=row.user_id,
        role=key_role if user_role.covers(key_role) else user_role,
        name=row.name,
        language=row.language,
        queue_ids=frozenset(r.queue_id for r in rows if r.queue_id is not None),
        api_key_id=row.id,
        needs_touch=row.last_used_at is None or tx.now - row.last_used_at >= SEEN_EVERY,
    )


def touch(tx: Tx, viewer: Viewer) -> None:
    """Writes "last seen" of the session or "last used" of the key."""
    if viewer.session_hash is not None:
        tx.execute(update(tables.session).where(_s.token_hash == viewer.session_hash).values(seen_at=tx.now))
    if viewer.api_key_id is not None:
        tx.execute(update(tables.api_key).where(_k.id == viewer.api_key_id).values(last_used_at=tx.now))
