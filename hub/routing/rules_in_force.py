"""What the rules in force name: whoever would remove such a thing asks here first."""

from __future__ import annotations

from sqlalchemy import select

from hub.routing.calendar import Faults
from hub.routing.rules import RuleSet, Thing, read_rules, references
from hub.store import tables
from hub.store.database import Tx

_rs = tables.rule_set.c


def load_active(tx: Tx) -> RuleSet | None:
    """The rule set in force."""
    row = tx.first(select(_rs.mode, _rs.rules).where(_rs.active))
    read = read_rules(row.mode, row.rules) if row is not None else None
    return None if isinstance(read, Faults) else read


def rules_naming(tx: Tx, thing: Thing) -> dict[int | str, list[str]]:
    """Id of such a thing → the names of the rules in force that name it, each once."""
    rules = load_active(tx)
    if rules is None:
        return {}
    names = {rule.id: rule.name for rule in rules.rules}
    found: dict[int | str, dict[str, None]] = {}
    for each in references(rules):
        if each.thing == thing:
            found.setdefault(each.id, {})[names[each.rule_id]] = None
    return {key: list(rules_) for key, rules_ in found.items()}
