"""The permissions' sets: what the built-in roles may do, and what a role of one's own may hold."""

from __future__ import annotations

import itertools

from hub.agents.viewer import Viewer
from hub.domain.permissions import BUILT_IN, Permission, allowed, least_role
from hub.domain.values import Role


def test_each_built_in_role_may_all_that_those_before_may() -> None:
    sets = [BUILT_IN[role] for role in Role]
    assert sets == sorted(sets, key=len)
    assert all(fewer < more for fewer, more in itertools.pairwise(sets))
    assert BUILT_IN[Role.ADMIN] == set(Permission)
    assert all(BUILT_IN[role] <= allowed(role) for role in Role)


def test_customers_leave_and_enter_by_administrators_alone_unless_a_role_of_ones_own_says_so() -> None:
    for permission in (Permission.EXPORT_CUSTOMERS, Permission.IMPORT_CUSTOMERS):
        assert least_role(permission) is Role.ADMIN
        assert all(permission in allowed(role) for role in Role)


def test_what_a_role_of_ones_own_grants_takes_the_place_of_the_built_in_set() -> None:
    def viewer(granted: frozenset[Permission] | None) -> Viewer:
        return Viewer(1, Role.SUPERVISOR, "Sona", "hy", frozenset(), granted=granted)

    assert viewer(None).permissions == BUILT_IN[Role.SUPERVISOR]
    lead = viewer(frozenset({Permission.EXPORT_CUSTOMERS, Permission.TAKE_PART}))
    assert lead.may(Permission.EXPORT_CUSTOMERS)
    assert not lead.may(Permission.LISTEN)
    assert lead.listed_permissions == [Permission.TAKE_PART, Permission.EXPORT_CUSTOMERS]
    assert lead.covers(Role.SUPERVISOR)
    assert not lead.covers(Role.ADMIN)
