"""Accounts below the API: the arithmetic of waiting, races, and what is cleared away."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import func, select

from hub.agents import accounts, alerts
from hub.agents.accounts import Throttle, wait_s
from hub.agents.viewer import find_viewer_by_session
from hub.domain.values import Role
from hub.errors import Conflict, TooMany, Unauthenticated
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.vault import Vault
from hub.timeline import topics
from tests.support.clock import FrozenClock

pytestmark = pytest.mark.anyio

THROTTLE = Throttle("email:x", 5)


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 0), (4, 0), (5, 1), (6, 2), (9, 16), (14, 512), (15, 900), (10_000, 900)]
)
def test_wait_doubles_after_the_free_tries(failures: int, seconds: int) -> None:
    assert wait_s(failures, 5) == seconds


async def test_many_guesses_at_once_are_no_more_than_in_a_row(database: Database) -> None:
    outcomes = await asyncio.gather(
        *(database.transaction(accounts.begin_attempt, [THROTTLE]) for _ in range(30)), return_exceptions=True
    )
    assert [outcome for outcome in outcomes if outcome is None] == [None] * 5
    assert all(isinstance(outcome, TooMany) for outcome in outcomes if outcome is not None)


async def test_failures_are_forgiven_after_an_hour(database: Database, clock: FrozenClock) -> None:
    for _ in range(5):
        await database.transaction(accounts.begin_attempt, [THROTTLE])
    clock.advance(hours=1, seconds=1)
    for _ in range(5):
        await database.transaction(accounts.begin_attempt, [THROTTLE])
    with pytest.raises(TooMany):
        await database.transaction(accounts.begin_attempt, [THROTTLE])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_ipv6_host_cannot_change_its_address_within_its_network(one: str, other: str, same: bool) -> None:
    vault = Vault("a-secret-key-for-tests-only")
    keys = [accounts.throttles(vault, "a@b", address)[1].key for address in (one, other)]
    assert (keys[0] == keys[1]) is same


async def test_no_account_takes_as_long_as_a_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[str] = []
    real = accounts._verify

    def watched(password: str, password_hash: str) -> bool:
        verified.append(password_hash)
        return real(password, password_hash)

    monkeypatch.setattr(accounts, "_verify", watched)
    assert not await accounts.is_password("anything", None)
    assert len(verified) == 1
    assert verified[0].startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_right_password_is_right() -> None:
    password_hash = await accounts.hash_password("correct horse battery")
    assert await accounts.is_password("correct horse battery", password_hash)
    assert not await accounts.is_password("correct horse batterz", password_hash)
    assert not await accounts.is_password("anything", "not a hash")
    assert not accounts.is_outdated(password_hash)


def _make_admins(tx: Tx) -> tuple[int, int]:
    first, second = (
        accounts.create_user(tx, email=f"{name}@x", name=name, role=Role.ADMIN, password_hash="").id for name in "ab"
    )
    return first, second


async def test_two_administrators_cannot_remove_each_other_at_once(database: Database) -> None:
    first, second = await database.transaction(_make_admins)
    outcomes = await asyncio.gather(
        database.transaction(accounts.update_user, None, first, active=False),
        database.transaction(accounts.update_user, None, second, role=Role.AGENT),
        return_exceptions=True,
    )
    assert sorted(isinstance(outcome, Conflict) for outcome in outcomes) == [False, True]


async def test_all_work_of_a_deactivated_agent_goes_back_to_its_queue(database: Database) -> None:
    """SMS, too, which an agent who only goes home keeps: nobody will come back for it."""

    def make(tx: Tx) -> tuple[int, int]:
        agent, _ = _make_admins(tx)
        queue_id = tx.insert(tables.queue, {"name": "q"})
        channel = {"id": "sms", "kind": "sms", "name": "s", "queue_id": queue_id, "settings": {}, "secrets": ""}
        tx.execute(tables.channel.insert().values(**channel, health_since=tx.now))
        customer_id = tx.insert(tables.customer, {"name": "c", "created_at": tx.now})
        contact = {"customer_id": customer_id, "kind": "phone", "address": "+15005550001", "created_at": tx.now}
        conversation = {
            "customer_id": customer_id,
            "contact_point_id": tx.insert(tables.contact_point, contact),
            "channel_id": "sms",
            "queue_id": queue_id,
            "assignee_id": agent,
            "assigned_at": tx.now,
            "created_at": tx.now,
            "last_entry_at": tx.now,
        }
        conversation_id = tx.insert(tables.conversation, conversation)
        held = {"conversation_id": conversation_id, "agent_id": agent, "assigned_at": tx.now, "how": "claim"}
        tx.insert(tables.assignment, {**held, "weight": 10})
        return agent, conversation_id

    agent, conversation_id = await database.transaction(make)
    await database.transaction(accounts.update_user, None, agent, active=False)
    row = await database.read(lambda tx: tx.first(select(tables.conversation)))
    assert row is not None
    assert (row.id, row.assignee_id, row.queued_since is not None) == (conversation_id, None, True)


async def test_expired_sessions_and_forgiven_failures_are_cleared_away(database: Database, clock: FrozenClock) -> None:
    first, _ = await database.transaction(_make_admins)
    old = await database.transaction(accounts.open_session, first, [], 3600)
    await database.transaction(accounts.begin_attempt, [THROTTLE])
    clock.advance(hours=2)
    new = await database.transaction(accounts.open_session, first, [], 3600)
    assert await database.transaction(accounts.forget_expired, 12 * 3600) == 2
    assert await database.read(find_viewer_by_session, old.token, 600) is None
    assert await database.read(find_viewer_by_session, new.token, 600) is not None


async def test_outdated_hash_is_replaced_at_sign_in(database: Database) -> None:
    first, _ = await database.transaction(_make_admins)
    await database.transaction(accounts.open_session, first, [], 3600, new_password_hash="better")
    assert await database.read(accounts.find_password_hash, first) == "better"


async def test_a_password_that_was_changed_while_it_was_looked_at_opens_and_changes_nothing(
    database: Database,
) -> None:
    first, _ = await database.transaction(_make_admins)
    shown = await database.read(accounts.find_password_hash, first)
    await database.transaction(accounts.begin_attempt, [THROTTLE])
    await database.transaction(accounts.update_user, None, first, password_hash="of a link")
    for late in (
        database.transaction(accounts.open_session, first, [THROTTLE], 3600, shown_hash=shown),
        database.transaction(accounts.update_user, None, first, password_hash="a thief's", shown_hash=shown),
    ):
        with pytest.raises(Unauthenticated):
            await late
    assert await database.read(accounts.find_password_hash, first) == "of a link"
    assert await database.read(lambda tx: tx.scalar(select(func.count()).select_from(tables.session))) == 0
    assert await database.read(lambda tx: tx.scalar(select(tables.sign_in_failure.c.count))) == 1, "it counts"


async def test_version_of_a_user_rises_with_each_change(database: Database) -> None:
    first, _ = await database.transaction(_make_admins)
    made = await database.transaction(accounts.update_user, None, first, name="A")
    again = await database.transaction(accounts.update_user, None, first, language="de")
    assert (made.version, again.version) == (2, 3)
    count = await database.read(lambda tx: tx.scalar(select(func.count()).select_from(tables.user_account)))
    assert count == 2


async def test_whoever_leaves_owns_no_topic_and_their_unseen_pages_go_to_others(database: Database) -> None:
    def people(tx: Tx) -> tuple[int, int]:
        made = [
            accounts.create_user(tx, email=f"{role.value}@demo.test", name=role.value, role=role, password_hash="-").id
            for role in (Role.SUPERVISOR, Role.ADMIN)
        ]
        topics.create_topic(tx, name="Complaint", is_complaint=True, owner_id=made[0])
        for level in ("page", "notify"):
            alerts.raise_alert(tx, made[:1], level=level, reason="escalation", conversation_id=None, data={})
        return made[0], made[1]

    supervisor, admin = await database.transaction(people)
    await database.transaction(accounts.update_user, None, supervisor, active=False)
    (topic,) = await database.read(topics.load_topics)
    assert topic.owner_id is None
    assert [alert.level for alert in await database.read(alerts.load_unseen, admin)] == ["page"]
    assert await database.read(alerts.load_unseen, supervisor) == []


async def test_of_equal_accounts_made_at_once_one_is_made_and_the_others_are_told(database: Database) -> None:
    def make(tx: Tx) -> None:
        accounts.create_user(tx, email="ani@demo.test", name="Ani", role=Role.AGENT, password_hash="-")

    outcomes = await asyncio.gather(*(database.transaction(make) for _ in range(8)), return_exceptions=True)
    assert [outcome for outcome in outcomes if outcome is None] == [None]
    assert {type(outcome) for outcome in outcomes if outcome is not None} == {Conflict}
