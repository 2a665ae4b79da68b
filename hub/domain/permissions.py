"""What people may do beside looking: a closed list, the sets of the built-in roles, and what a role of one's own may hold.

What somebody sees is a matter of their role (domain.values.Role) and queues; what they do there is a matter of permissions.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from hub.domain.values import Role


class Permission(StrEnum):
    """One thing that somebody may do. The values are stored and part of the API: never renamed, never used again."""

    # Answer customers, call them, take work and be offered it, pass it on, resolve it.
    TAKE_PART = "conversations.take_part"
    # Make one conversation of two, or two of one.
    MERGE_CONVERSATIONS = "conversations.merge"
    # Do one thing to many conversations at once.
    BULK = "conversations.bulk"
    # Add customers; change their cards, contact points and consents.
    CHANGE_CUSTOMERS = "customers.change"
    # Make one customer of two, and take that back.
    MERGE_CUSTOMERS = "customers.merge"
    # Take customers out of the hub as a file, or bring them in with one.
    EXPORT_CUSTOMERS = "customers.export"
    IMPORT_CUSTOMERS = "customers.import"
    # What customers ask about their data: take it down, make the file of all that is kept of them, erase it.
    PRIVACY = "customers.privacy"
    # Canned replies and saved views that others use, too.
    SHARE_CANNED = "canned.share"
    SHARE_VIEWS = "views.share"
    # Listen to colleagues' calls, whisper, barge in, take over.
    LISTEN = "calls.listen"
    # Delete recordings before their time, or fetch them again.
    MANAGE_RECORDINGS = "recordings.manage"
    # Act on colleagues' work: their states, what they hold, what comes first.
    ACT_ON_BOARD = "board.act"
    # Everybody's figures, not only one's own.
    READ_REPORTS = "reports.read"
    # Reports that are sent regularly.
    SCHEDULE_REPORTS = "reports.schedule"
    # Shifts, staffing, and who can do what.
    PLAN_PEOPLE = "people.plan"
    MANAGE_USERS = "users.manage"
    MANAGE_ROLES = "roles.manage"
    MANAGE_TEAMS = "teams.manage"
    MANAGE_CHANNELS = "channels.manage"
    # Queues, skills, rules, calendars, escalation, interruptions.
    MANAGE_ROUTING = "routing.manage"
    # Targets, and limits that are watched.
    MANAGE_TARGETS = "targets.manage"
    # The organisation, retention, topics, custom fields, surveys, how figures are counted.
    MANAGE_SETTINGS = "settings.manage"
    MANAGE_KEYS = "keys.manage"
    MANAGE_WEBHOOKS = "webhooks.manage"
    READ_AUDIT = "audit.read"


_P = Permission
_OF_AGENTS = frozenset({_P.TAKE_PART, _P.MERGE_CONVERSATIONS, _P.BULK, _P.CHANGE_CUSTOMERS, _P.MERGE_CUSTOMERS})
_OF_SUPERVISORS = _OF_AGENTS | {
    _P.SHARE_CANNED,
    _P.SHARE_VIEWS,
    _P.LISTEN,
    _P.MANAGE_RECORDINGS,
    _P.ACT_ON_BOARD,
    _P.READ_REPORTS,
    _P.SCHEDULE_REPORTS,
    _P.PLAN_PEOPLE,
}

# The built-in roles' sets, which nobody changes. Each holds what the roles before it hold.
BUILT_IN: Mapping[Role, frozenset[Permission]] = {
    Role.AGENT: _OF_AGENTS,
    Role.SUPERVISOR: _OF_SUPERVISORS,
    Role.ADMIN: frozenset(Permission),
}

# What makes sense for somebody who sees only what an agent sees: the rest is about what they do not see.
_FOR_AGENTS = _OF_AGENTS | {_P.EXPORT_CUSTOMERS, _P.IMPORT_CUSTOMERS, _P.SHARE_CANNED, _P.SHARE_VIEWS}


def allowed(base: Role) -> frozenset[Permission]:
    """At most these may stand in a role of one's own that sees what `base` sees."""
    return _FOR_AGENTS if base is Role.AGENT else frozenset(Permission)


def least_role(permission: Permission) -> Role:
    """The first built-in role that holds it."""
    return next(role for role in Role if permission in BUILT_IN[role])
