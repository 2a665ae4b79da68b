"""What may interrupt what: the organisation's own rules, or the usual ones. Every round of the dispatcher reads them, so a
change reaches work that waits already at once.

A kind of work that may interrupt another finds room as if that other were not there. An exclusive kind suffers no other live
work beside it, in either order. Rules that would make capacity mean nothing (a kind that interrupts itself, a circle) are
refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import select, update

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.domain.sentences import Sentence
from hub.domain.values import ChannelKind
from hub.errors import InvalidInput
from hub.routing import engine
from hub.store import tables
from hub.store.database import Tx

USUAL = engine.USUAL_RULES

_routing = select(tables.organisation.c.routing)


def load_rules(tx: Tx) -> engine.Rules:
    return read_rules(tx.scalar(_routing))


def read_rules(stored: Mapping[str, Any] | None) -> engine.Rules:
    """As they stand in the column; None for the usual ones."""
    if stored is None:
        return USUAL
    return engine.Rules(
        interrupts={
            ChannelKind(kind): frozenset(ChannelKind(each) for each in others)
            for kind, others in stored["interrupts"].items()
        },
        exclusive=frozenset(ChannelKind(kind) for kind in stored["exclusive"]),
    )


def set_rules(
    tx: Tx,
    interrupts: Mapping[ChannelKind, Collection[ChannelKind]],
    exclusive: Collection[ChannelKind],
    *,
    actor: Viewer | None = None,
) -> engine.Rules:
    """Replaces the rules. InvalidInput naming `interrupts.KIND` or `exclusive`."""
    wanted = engine.Rules(
        {kind: frozenset(others) for kind, others in interrupts.items() if others}, frozenset(exclusive)
    )
    check_rules(wanted)
    before, stored = _stored(load_rules(tx)), _stored(wanted)
    tx.execute(update(tables.organisation).values(routing=None if wanted == USUAL else stored))
    tx.wake("routing")
    audit.note_change(tx, actor, "organisation.interruptions_changed", "organisation", "", before, stored)
    return wanted


def _stored(rules: engine.Rules) -> dict[str, Any]:
    return {
        "interrupts": {kind.value: sorted(others) for kind, others in sorted(rules.interrupts.items())},
        "exclusive": sorted(rules.exclusive),
    }


def check_rules(rules: engine.Rules) -> None:
    """InvalidInput if they would make capacity mean nothing, or say what has no effect."""
    faults = {}
    for kind, others in rules.interrupts.items():
        if kind in others:
            faults[f"interrupts.{kind}"] = Sentence("interrupts itself")
        elif _comes_back(rules.interrupts, kind):
            faults[f"interrupts.{kind}"] = Sentence("is part of a circle of interruptions")
    idle = ", ".join(sorted(rules.exclusive - engine.LIVE_KINDS))
    if idle:
        live = ", ".join(sorted(engine.LIVE_KINDS))
        faults["exclusive"] = Sentence("{unknown}: only this work can be exclusive: {known}", unknown=idle, known=live)
    if faults:
        raise InvalidInput("the rules cannot be so", fields=faults)


def _comes_back(interrupts: Mapping[ChannelKind, frozenset[ChannelKind]], start: ChannelKind) -> bool:
    seen: set[ChannelKind] = set()
    ahead = set(interrupts[start])
    while ahead:
        kind = ahead.pop()
        if kind is start:
            return True
        seen.add(kind)
        ahead |= set(interrupts.get(kind, ())) - seen
    return False
