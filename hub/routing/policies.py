"""Escalation policies as they are kept: each version for ever, so that clocks are read by the policy of their time.

The body of a version is what people typed, read by routing.escalation, which also names what is wrong in it; whether the
queues and people it names are there is looked at here. A change is a new version and reaches the clocks of open work at
once: whoever changes what clocks depend on wakes "clocks" (routing.ladder).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.domain.sentences import Sentence
from hub.errors import Conflict, InvalidInput, NotFound
from hub.routing.calendar import Faults
from hub.routing.escalation import (
    AssignTo,
    MoveToQueue,
    NotifyUser,
    Policy,
    WorkState,
    policy_record,
    read_policy,
)
from hub.store import tables
from hub.store.database import Tx

_p, _v = tables.escalation_policy.c, tables.escalation_policy_version.c


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    id: int
    name: str
    policy: Policy

    @property
    def version(self) -> int:
        return self.policy.version


def load_policies(tx: Tx) -> list[StoredPolicy]:
    """All as they are now, by name."""
    query = (
        select(_p.id, _p.name, _p.version, _v.body)
        .join(tables.escalation_policy_version, (_v.policy_id == _p.id) & (_v.version == _p.version))
        .order_by(_p.name)
    )
    return [StoredPolicy(row.id, row.name, stored(row.id, row.version, row.body)) for row in tx.rows(query)]


def load_policy(tx: Tx, policy_id: int) -> StoredPolicy:
    """As it is now; NotFound if there is none."""
    found = [each for each in load_policies(tx) if each.id == policy_id]
    if not found:
        raise NotFound("there is no such escalation policy")
    return found[0]


def stored(policy_id: int, version: int, body: Mapping[str, object]) -> Policy:
    """The policy that a stored body is."""
    policy = read_policy(str(policy_id), version, body)
    # What is stored was read before it was stored.
    if isinstance(policy, Faults):
        raise ValueError(f"a stored escalation policy cannot be read: {dict(policy.fields)}")
    return policy


def create_policy(tx: Tx, name: str, given: Mapping[str, object], *, actor: Viewer | None = None) -> StoredPolicy:
    """`given`: what routing.escalation.read_policy reads. Conflict if the name is taken; InvalidInput naming every fault."""
    policy = _check(tx, given)
    _check_name(tx, name, None)
    row = tx.first(tx.insert_if_new(tables.escalation_policy).values(name=name).returning(_p.id))
    if row is None:  # somebody made it at this very moment
        raise _taken()
    _insert_version(tx, row.id, 1, policy)
    audit.note(tx, actor, "policy.created", "policy", row.id, {"name": name})
    return load_policy(tx, row.id)


def update_policy(
    tx: Tx,
    policy_id: int,
    name: str,
    given: Mapping[str, object],
    expected_version: int,
    *,
    actor: Viewer | None = None,
) -> StoredPolicy:
    """Replaces all, as a new version. Conflict `version_conflict` if somebody changed it meanwhile."""
    row = tx.first(select(_p.name, _p.version).where(_p.id == policy_id).with_for_update())
    if row is None:
        raise NotFound("there is no such escalation policy")
    if row.version != expected_version:
        raise Conflict("somebody changed this escalation policy meanwhile", code="version_conflict")
    policy = _check(tx, given)
    before = load_policy(tx, policy_id)
    if (before.name, policy_record(before.policy)) != (name, policy_record(policy)):
        if name != before.name:
            _check_name(tx, name, policy_id)
        _insert_version(tx, policy_id, row.version + 1, policy)
        tx.execute(
            update(tables.escalation_policy).where(_p.id == policy_id).values(name=name, version=row.version + 1)
        )
        told = [{"name": before.name, **policy_record(before.policy)}, {"name": name, **policy_record(policy)}]
        audit.note_change(tx, actor, "policy.changed", "policy", policy_id, *told, name=before.name)
        tx.wake("clocks")
    return load_policy(tx, policy_id)


def delete_policy(tx: Tx, policy_id: int, *, actor: Viewer | None = None) -> None:
    """Conflict `in_use`, naming them, while it holds for a queue or a topic."""
    row = tx.first(select(_p.name).where(_p.id == policy_id).with_for_update())
    if row is None:
        raise NotFound("there is no such escalation policy")
    fields: dict[str, str] = {}
    for name, table in (("queues", tables.queue), ("topics", tables.topic)):
        using = tx.rows(select(table.c.name).where(table.c.policy_id == policy_id).order_by(table.c.name))
        if using:
            fields[name] = ", ".join(row.name for row in using)
    if fields:
        raise Conflict(f"used by {', '.join(fields.values())}", code="in_use", fields=fields)
    tx.execute(delete(tables.escalation_policy).where(_p.id == policy_id))
    audit.note(tx, actor, "policy.removed", "policy", policy_id, {"name": row.name})


def _insert_version(tx: Tx, policy_id: int, version: int, policy: Policy) -> None:
    row = {"policy_id": policy_id, "version": version, "since": tx.now, "body": policy_record(policy)}
    tx.execute(insert(tables.escalation_policy_version).values(**row))


# --- checks -------------------------------------------------------------------------------------------------------------


def _check(tx: Tx, given: Mapping[str, object]) -> Policy:
    """The policy that is meant; InvalidInput with every fault in it, also queues and people that are not there."""
    policy = read_policy("", 0, given)
    if isinstance(policy, Faults):
        raise InvalidInput("the escalation policy cannot be so", fields=policy.fields)
    faults = dict(_unknown_states(policy))
    queues = set(tx.execute(select(tables.queue.c.id)).scalars())
    people = set(tx.execute(select(tables.user_account.c.id).where(tables.user_account.c.active)).scalars())
    for name, action in _actions(policy):
        if isinstance(action, MoveToQueue) and action.queue_id not in queues:
            faults[f"{name}.queue_id"] = Sentence("there is no queue {ids}", ids=action.queue_id)
        elif isinstance(action, NotifyUser | AssignTo) and action.user_id not in people:
            faults[f"{name}.user_id"] = Sentence("there is no active user {ids}", ids=action.user_id)
    if faults:
        raise InvalidInput("the escalation policy cannot be so", fields=faults)
    return policy


def _unknown_states(policy: Policy) -> Iterator[tuple[str, str]]:
    named = {
        "paused_in": policy.paused_in,
        **{f"steps.{number}.in_states": step.in_states for number, step in enumerate(policy.steps)},
    }
    for name, states in named.items():
        unknown = sorted(states - set(WorkState))
        if unknown:
            yield (
                name,
                Sentence(
                    "there is no state {unknown}; there are {known}",
                    unknown=", ".join(unknown),
                    known=", ".join(WorkState),
                ),
            )


def _actions(policy: Policy) -> Iterator[tuple[str, object]]:
    """Each action with its name in the body."""
    for number, step in enumerate(policy.steps):
        for place, action in enumerate(step.actions):
            yield f"steps.{number}.actions.{place}", action


def _check_name(tx: Tx, name: str, own_id: int | None) -> None:
    if tx.scalar(select(_p.id).where(_p.name == name, _p.id != (own_id or 0))) is not None:
        raise _taken()


def _taken() -> Conflict:
    return Conflict(
        "there is an escalation policy with this name", code="name_taken", fields={"name": Sentence("is taken")}
    )
