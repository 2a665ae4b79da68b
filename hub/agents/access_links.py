"""Links that let somebody in once: invitations of people who will work here, and links to set a new password.

    create / renew ──► open ──► used (by whoever holds the link)   or withdrawn, or it ends by itself

The link's token has 256 random bits and is kept as a hash; whoever made the link sees it once, the table can give nobody
away. It stands behind the `#` of an address, which no browser sends to any server: it is in no log and no Referer.
There is one open link of a kind for an address; making another ends the first. What a link gives is looked at anew when it
is used: whoever invites must still be allowed to give it, and a queue that is gone is left out.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, delete, select, update

from hub.agents import accounts, audit, roles, skills, teams
from hub.agents.teams import Team
from hub.agents.viewer import Viewer, hash_token
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.domain.values import Role
from hub.domain.views import UserView
from hub.errors import Conflict, InvalidInput, NotFound
from hub.store import tables
from hub.store.database import Tx

_l, _u, _q, _s = tables.access_link.c, tables.user_account.c, tables.queue.c, tables.skill.c
_r = tables.staff_role.c

# Long enough for a holiday's weekend, short enough that a mailbox read by somebody else later is of no use.
INVITATION_FOR = timedelta(days=7)
# A link that an administrator hands over; whoever forgot their password reads their mail now.
PASSWORD_FOR = timedelta(days=1)
FORGOTTEN_FOR = timedelta(hours=1)
# Links that are over are shown nowhere; what became of them is in the audit log.
_KEPT_FOR = timedelta(days=30)

Kind = Literal["invitation", "password"]


@dataclass(frozen=True, slots=True)
class Invited:
    """Who is invited, and what they will be: of a built-in `role`, or of one's own. `skills`: skill's id → level."""

    email: str
    role: Role | None = None
    role_id: int | None = None
    language: str = "en"
    queue_ids: Collection[int] = ()
    team_ids: Collection[int] = ()
    skills: Mapping[int, int] | None = None


@dataclass(frozen=True, slots=True)
class AccessLink:
    """One that is open. `name`: of whose password it is, "" for an invitation. `created_by_name` None: they asked
    themselves. `mail_state`: sent, failed, or None: no mail was sent."""

    id: int
    kind: Kind
    email: str
    name: str
    role: Role
    role_name: str | None
    language: str
    queue_ids: tuple[int, ...]
    team_ids: tuple[int, ...]
    skills: Mapping[int, int]
    created_by_name: str | None
    created_at: datetime
    expires_at: datetime
    mail_state: str | None
    mail_code: str | None


@dataclass(frozen=True, slots=True)
class IssuedLink:
    """The token in the clear: shown and sent once, kept nowhere."""

    link: AccessLink
    token: str


def url_of(public_url: str, issued: IssuedLink) -> str:
    page = "join" if issued.link.kind == "invitation" else "new-password"
    return f"{public_url}/{page}#{issued.token}"


# --- making them --------------------------------------------------------------------------------------------------------


def invite(tx: Tx, actor: Viewer, invited: Invited) -> IssuedLink:
    """Conflict `email_taken` if they work here already, `already_invited` if they are invited already; InvalidInput naming
    what is not there; Forbidden `beyond_you` for a role that holds more than the actor's."""
    # Whoever gives a role holds it, so that it is not removed meanwhile.
    tx.lock_routing()
    given = roles.find_given(tx, invited.role, invited.role_id)
    roles.check_may_give(actor, given)
    email = accounts.normal_email(invited.email)
    if accounts.find_user_by_email(tx, email) is not None:
        raise Conflict(
            "there is a user with this e-mail address", code="email_taken", fields={"email": Sentence("is taken")}
        )
    if tx.first(select(_l.id).where(_open(tx, "invitation"), _l.email == email)) is not None:
        raise Conflict(
            "this address is invited already", code="already_invited", fields={"email": Sentence("is invited already")}
        )
    wanted_skills = dict(invited.skills or {})
    known = {
        "queue_ids": {row.id for row in tx.rows(select(_q.id))},
        "team_ids": {team.id for team in teams.load_teams(tx)},
        "skills": {row.id for row in tx.rows(select(_s.id))},
    }
    wanted = {"queue_ids": set(invited.queue_ids), "team_ids": set(invited.team_ids), "skills": set(wanted_skills)}
    faults = {
        name: Sentence("there is no {ids}", ids=", ".join(map(str, sorted(ids - known[name]))))
        for name, ids in wanted.items()
        if ids - known[name]
    }
    if faults:
        raise InvalidInput("the invitation cannot be so", fields=faults)
    values = {
        "role": given.role.value,
        "role_id": given.role_id,
        "language": invited.language,
        "queue_ids": sorted(wanted["queue_ids"]),
        "team_ids": sorted(wanted["team_ids"]),
        "skills": {str(skill_id): level for skill_id, level in sorted(wanted_skills.items())},
    }
    issued = _issue(tx, "invitation", email, INVITATION_FOR, created_by=actor.user_id, **values)
    data: dict[str, audit.JSON] = {"name": email, "role": given.name or given.role.value}
    audit.note(tx, actor, "invitation.sent", "invitation", issued.link.id, data)
    return issued


def renew(tx: Tx, actor: Viewer, link_id: int) -> IssuedLink:
    """Another link for the same invitation, open for as long as a new one: the one before is good for nothing from now on.
    NotFound if it is over, but for want of time; Forbidden `beyond_you` for a role that holds more than the actor's."""
    row = _lock_invitation(tx, link_id)
    roles.check_may_give(actor, roles.find_given(tx, Role(row.role), row.role_id))
    token = secrets.token_urlsafe(32)
    values = {
        "token_hash": hash_token(token),
        "expires_at": tx.now + INVITATION_FOR,
        # Whoever sends it again answers for it.
        "created_by": actor.user_id,
        "mail_state": None,
        "mail_code": None,
    }
    tx.execute(update(tables.access_link).where(_l.id == link_id).values(**values))
    audit.note(tx, actor, "invitation.sent_again", "invitation", link_id, {"name": row.email})
    return IssuedLink(_load(tx, link_id), token)


def withdraw(tx: Tx, actor: Viewer, link_id: int) -> None:
    row = _lock_invitation(tx, link_id)
    _end(tx, link_id, "withdrawn")
    audit.note(tx, actor, "invitation.withdrawn", "invitation", link_id, {"name": row.email})


def ask_new_password(tx: Tx, actor: Viewer | None, user_id: int) -> IssuedLink:
    """A link by which somebody sets a new password; the password they have is good until then. `actor` None: they have
    forgotten it. NotFound for who is not active; Forbidden `beyond_you` for who has more than the actor."""
    user = accounts.load_user(tx, user_id)
    if actor is None or actor.user_id != user_id:
        roles.check_may_give(actor, roles.find_given(tx, user.role, user.role_id))
    if not user.active:
        raise NotFound("there is no such user")
    issued = _issue(
        tx,
        "password",
        user.email,
        FORGOTTEN_FOR if actor is None else PASSWORD_FOR,
        created_by=None if actor is None else actor.user_id,
        user_id=user_id,
        role=user.role.value,
        language=user.language,
        queue_ids=[],
        team_ids=[],
        skills={},
    )
    audit.note(tx, actor, "invitation.password_link", "user", user_id, {"name": user.name})
    return issued


def _issue(tx: Tx, kind: Kind, email: str, lasts: timedelta, **values: Any) -> IssuedLink:
    earlier = select(_l.id).where(_l.kind == kind, _l.email == email, _l.ended_at.is_(None))
    for row in tx.rows(earlier.with_for_update()):
        _end(tx, row.id, "withdrawn")
    token = secrets.token_urlsafe(32)
    link_id = tx.insert(
        tables.access_link,
        {
            "kind": kind,
            "token_hash": hash_token(token),
            "email": email,
            "created_at": tx.now,
            "expires_at": tx.now + lasts,
            **values,
        },
    )
    return IssuedLink(_load(tx, link_id), token)


def note_mail(tx: Tx, link_id: int, code: str | None) -> AccessLink:
    """What became of the mail with it: `code` says why it did not leave, None: it did."""
    values = {"mail_state": "sent" if code is None else "failed", "mail_code": code}
    tx.execute(update(tables.access_link).where(_l.id == link_id).values(**values))
    return _load(tx, link_id)


def forget_old(tx: Tx) -> None:
    """Those that have been over for long."""
    old = tx.now - _KEPT_FOR
    tx.execute(delete(tables.access_link).where((_l.ended_at < old) | (_l.expires_at < old)))


def _end(tx: Tx, link_id: int, outcome: str, **values: Any) -> None:
    tx.execute(update(tables.access_link).where(_l.id == link_id).values(ended_at=tx.now, outcome=outcome, **values))


# --- looking at them ----------------------------------------------------------------------------------------------------


def load_invitations(tx: Tx) -> list[AccessLink]:
    """Those that nobody has used or withdrawn, also those whose time is over; the newest first."""
    pending = _LINKS.where(_l.kind == "invitation", _l.ended_at.is_(None)).order_by(_l.id.desc())
    return [_link(row) for row in tx.rows(pending)]


def look(tx: Tx, token: str) -> AccessLink:
    """What the link in somebody's hand is. NotFound `link_ended` whatever is wrong with it."""
    return _link(_find(tx, token))


def _find(tx: Tx, token: str, *, lock: bool = False) -> Row[Any]:
    query = _LINKS.where(_l.token_hash == hash_token(token), _l.ended_at.is_(None), _l.expires_at > tx.now)
    row = tx.first(query.with_for_update(of=tables.access_link) if lock else query)
    if row is None or not _holds(tx, row):
        raise NotFound("this link is not good any more; ask for a new one", code="link_ended")
    return row


def _holds(tx: Tx, row: Row[Any]) -> bool:
    """What a link gives may be less by now: it is as good as whoever made it, who may have less than they had, or less than
    its person has; a password that somebody has forgotten, as they are."""
    role, role_id = Role(row.role), row.role_id
    if row.kind == "password":
        person = accounts.load_user(tx, row.user_id)
        if not person.active or row.created_by in (None, person.id):
            return person.active
        role, role_id = person.role, person.role_id
    giver = accounts.load_user(tx, row.created_by)
    viewer = accounts.viewer_of(tx, giver)
    given = roles.find_given(tx, role, role_id)
    return giver.active and viewer.may(Permission.MANAGE_USERS) and roles.may_give(viewer, given)


# --- using them ---------------------------------------------------------------------------------------------------------


def use(tx: Tx, token: str, *, name: str | None, password_hash: str, address: str | None) -> UserView:
    """Once: the invited becomes somebody who works here (`name` is needed), or the password is set and all sessions of its
    person end. Two at once: the second finds that it has ended."""
    # First in the lock order: whoever changes a person takes it before the links they end.
    tx.lock_routing()
    row = _find(tx, token, lock=True)
    if row.kind == "password":
        viewer = accounts.viewer_of(tx, accounts.load_user(tx, row.user_id), address)
        user = accounts.update_user(tx, viewer, row.user_id, password_hash=password_hash)
        _end(tx, row.id, "used")
        return user
    if not name:
        raise InvalidInput("say what you are called", fields={"name": Sentence("is required")})
    inviter = accounts.viewer_of(tx, accounts.load_user(tx, row.created_by))
    there = set(tx.execute(select(_q.id).where(_q.id.in_(row.queue_ids))).scalars())
    user = accounts.create_user(
        tx,
        email=row.email,
        name=name,
        role=Role(row.role),
        role_id=row.role_id,
        password_hash=password_hash,
        queue_ids=there,
        language=row.language,
        actor=inviter,
    )
    for team in teams.load_teams(tx, row.team_ids):
        given = Team(team.name, team.time_zone, team.leaderboard, [*team.member_ids, user.id])
        teams.replace_team(tx, team.id, given, team.version, actor=inviter)
    known = set(tx.execute(select(_s.id).where(_s.id.in_([int(each) for each in row.skills]))).scalars())
    levels = {int(skill_id): level for skill_id, level in row.skills.items() if int(skill_id) in known}
    if levels:
        skills.set_agent_skills(tx, user.id, levels, actor=inviter)
    _end(tx, row.id, "used", user_id=user.id)
    audit.note(tx, accounts.viewer_of(tx, user, address), "invitation.accepted", "user", user.id, {"name": user.name})
    return accounts.load_user(tx, user.id)


# --- rows ---------------------------------------------------------------------------------------------------------------

_givers = tables.user_account.alias("giver")
_LINKS = (
    select(tables.access_link, _u.name, _givers.c.name.label("created_by_name"), _r.name.label("role_name"))
    .outerjoin(tables.user_account, _u.id == _l.user_id)
    .outerjoin(_givers, _givers.c.id == _l.created_by)
    .outerjoin(tables.staff_role, _r.id == _l.role_id)
)


def _open(tx: Tx, kind: Kind) -> ColumnElement[bool]:
    return (_l.kind == kind) & _l.ended_at.is_(None) & (_l.expires_at > tx.now)


def _lock_invitation(tx: Tx, link_id: int) -> Row[Any]:
    pending = select(tables.access_link).where(_l.id == link_id, _l.kind == "invitation", _l.ended_at.is_(None))
    row = tx.first(pending.with_for_update())
    if row is None:
        raise NotFound("there is no such invitation")
    return row


def _load(tx: Tx, link_id: int) -> AccessLink:
    row = tx.first(_LINKS.where(_l.id == link_id))
    assert row is not None
    return _link(row)


def _link(row: Row[Any]) -> AccessLink:
    return AccessLink(
        id=row.id,
        kind=row.kind,
        email=row.email,
        name=row.name or "",
        role=Role(row.role),
        role_name=row.role_name,
        language=row.language,
        queue_ids=tuple(row.queue_ids),
        team_ids=tuple(row.team_ids),
        skills={int(skill_id): level for skill_id, level in row.skills.items()},
        created_by_name=row.created_by_name,
        created_at=row.created_at,
        expires_at=row.expires_at,
        mail_state=row.mail_state,
        mail_code=row.mail_code,
    )
