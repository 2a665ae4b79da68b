"""How somebody wants to be told of what concerns them: by which kinds with a sound, with a notice of the system's, and when
not at all. They go with the person, to every machine; whether a machine may sound or notify at all is that machine's.

How close rows stand on their screens is kept with them: it goes with the person, too.

Nothing is kept back by them: what is quiet stands in the inbox all the same. What rings and what pages is not quiet by the
clock, for whoever does not want it sets their state.
"""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import select, update

from hub.domain.events import NoticeRulesChanged, user_topic
from hub.domain.sentences import Sentence
from hub.domain.states import AgentState
from hub.domain.views import NoticeRulesView
from hub.errors import Conflict, InvalidInput
from hub.routing.calendar import is_zone
from hub.store import tables
from hub.store.database import Tx

# What may be told of: work that rings, a call that rings, a page; a mention, a task, work given or taken; all other alerts.
KINDS = ("offer", "call", "page", "mention", "task", "work", "alert")
# In these somebody may want their peace.
QUIET_STATES = (AgentState.BUSY.value, AgentState.AWAY.value)

_n = tables.notice_rules.c


def load_rules(tx: Tx, user_id: int) -> NoticeRulesView:
    row = tx.first(select(_n.rules, _n.version).where(_n.user_id == user_id))
    return NoticeRulesView() if row is None else _view(row.rules, row.version)


def set_rules(tx: Tx, user_id: int, wanted: NoticeRulesView) -> NoticeRulesView:
    """`wanted.version` is the one that was seen: Conflict `version_conflict` if another window changed them meanwhile."""
    _check(wanted)
    rules = {name: value for name, value in asdict(wanted).items() if name != "version"}
    if tx.insert_new(tables.notice_rules, [{"user_id": user_id, "rules": rules, "version": 1}])[0]:
        if wanted.version != 0:
            raise Conflict("they were changed meanwhile", code="version_conflict")
    elif not tx.execute(
        update(tables.notice_rules)
        .where(_n.user_id == user_id, _n.version == wanted.version)
        .values(rules=rules, version=_n.version + 1)
    ).rowcount:
        raise Conflict("they were changed meanwhile", code="version_conflict")
    view = load_rules(tx, user_id)
    tx.emit(NoticeRulesChanged(view), {user_topic(user_id)})
    return view


def _check(wanted: NoticeRulesView) -> None:
    if (wanted.quiet_from is None) != (wanted.quiet_until is None):
        raise InvalidInput(
            "a time is missing", fields={"quiet_until": Sentence("quiet hours have a beginning and an end")}
        )
    if wanted.zone is not None and not is_zone(wanted.zone):
        raise InvalidInput("no such time zone", fields={"zone": Sentence("is no time zone that is known here")})


def _view(rules: dict[str, object], version: int) -> NoticeRulesView:
    def words(name: str) -> tuple[str, ...]:
        stored = rules.get(name)
        return tuple(str(word) for word in stored) if isinstance(stored, list | tuple) else ()

    def word(name: str) -> str | None:
        stored = rules.get(name)
        return None if stored is None else str(stored)

    return NoticeRulesView(
        silent=words("silent"),
        hidden=words("hidden"),
        quiet_from=word("quiet_from"),
        quiet_until=word("quiet_until"),
        zone=word("zone"),
        quiet_states=words("quiet_states"),
        # What is stored may be older than the word.
        density="compact" if rules.get("density") == "compact" else "comfortable",
        version=version,
    )
