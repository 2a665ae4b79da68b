"""Figures of this moment (kpi.moments), read where they stand; and beside them the measures of today, for limits."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select

from hub.domain.states import AgentState
from hub.errors import InvalidInput
from hub.kpi.belonging import load_placing
from hub.kpi.cells import NOTHING, Dim
from hub.kpi.days import local_day
from hub.kpi.defaults import load_params
from hub.kpi.figures import Query, load_figures
from hub.kpi.measures import MEASURES, Better, Unit
from hub.kpi.moments import MOMENTS
from hub.kpi.open_work import load_backlog, load_waiting
from hub.kpi.remaking import load_progress
from hub.kpi.targets import Scope
from hub.routing.estimates import load_estimates
from hub.store import tables
from hub.store.database import Tx

log = logging.getLogger(__name__)

_a, _u = tables.agent.c, tables.user_account.c
_qm, _tm = tables.queue_member.c, tables.team_member.c


@dataclass(frozen=True, slots=True)
class Watched:
    """A figure that somebody wants to know. `scope_id` None: of all."""

    figure: str
    scope: Scope
    scope_id: int | None


def unit_of(figure: str) -> Unit:
    return MOMENTS[figure].unit if figure in MOMENTS else MEASURES[figure].unit


def name_of(figure: str) -> str:
    return MOMENTS[figure].name if figure in MOMENTS else MEASURES[figure].name


def better_of(figure: str) -> Better | None:
    return MOMENTS[figure].better if figure in MOMENTS else MEASURES[figure].better


def is_told(figure: str, scope: Scope) -> bool:
    """Whether there is such a figure, of such a scope."""
    about = MOMENTS.get(figure) or MEASURES.get(figure)
    return about is not None and Dim(scope) in about.by


def load_values(tx: Tx, watched: Iterable[Watched]) -> dict[Watched, float | None]:
    """As they are now; None: there is no case. One that cannot be told now (figures are being made anew) is not in it."""
    wanted = {each for each in watched if is_told(each.figure, each.scope)}
    live = {each for each in wanted if each.figure in MOMENTS}
    values: dict[Watched, float | None] = {}
    for figure in sorted({each.figure for each in live}):
        of_figure = _LOADERS[figure](tx)
        for each in live:
            if each.figure == figure:
                values[each] = of_figure(each)
    return values | _load_measures(tx, wanted - live)


_Value = Callable[[Watched], float | None]


def _waiting(tx: Tx) -> _Value:
    return _counted({queue_id: each.count for queue_id, each in load_waiting(tx).items()})


def _backlog(tx: Tx) -> _Value:
    return _counted(load_backlog(tx))


def _counted(counts: Mapping[int, int]) -> _Value:
    total = sum(counts.values())
    return lambda each: float(total if each.scope_id is None else counts.get(each.scope_id, 0))


def _longest_waiting(tx: Tx) -> _Value:
    since = {queue_id: each.since for queue_id, each in load_waiting(tx).items()}

    def of(each: Watched) -> float:
        first = min(since.values(), default=tx.now) if each.scope_id is None else since.get(each.scope_id, tx.now)
        return max(0.0, (tx.now - first).total_seconds())

    return of


def _expected_wait(tx: Tx) -> _Value:
    expected = {each.queue_id: each.ewt_s for each in load_estimates(tx)}
    return lambda each: None if each.scope_id is None else expected.get(each.scope_id)


def _error_of_wait(tx: Tx) -> _Value:
    errors = {each.queue_id: each.error_s for each in load_estimates(tx)}
    return lambda each: None if each.scope_id is None else errors.get(each.scope_id)


def _available(tx: Tx) -> _Value:
    is_available = (_a.state == AgentState.AVAILABLE.value) & _a.connected & _u.active
    agents = set(
        tx.execute(select(_a.user_id).join(tables.user_account, _u.id == _a.user_id).where(is_available)).scalars()
    )
    members: dict[Scope, dict[int, set[int]]] = {
        "queue": _members(tx, select(_qm.queue_id.label("group_id"), _qm.user_id)),
        "team": _members(tx, select(_tm.team_id.label("group_id"), _tm.user_id).where(_tm.until.is_(None))),
    }

    def of(each: Watched) -> float:
        if each.scope_id is None:
            return float(len(agents))
        return float(len(agents & members[each.scope].get(each.scope_id, set())))

    return of


def _members(tx: Tx, query: Select[Any]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    for row in tx.rows(query):
        found[row.group_id].add(row.user_id)
    return found


_LOADERS: Mapping[str, Callable[[Tx], _Value]] = {
    "waiting": _waiting,
    "longest_waiting_s": _longest_waiting,
    "backlog": _backlog,
    "available_agents": _available,
    "ewt_s": _expected_wait,
    "ewt_error_s": _error_of_wait,
}


def _load_measures(tx: Tx, wanted: Collection[Watched]) -> dict[Watched, float | None]:
    """Measures of today, by the clock of whoever's they are: one report for each dim and day."""
    if not wanted:
        return {}
    placing, params = load_placing(tx), load_params(tx)
    if not load_progress(tx, tx.now, placing).is_current:
        return {}
    reports: dict[tuple[Dim, Any], list[Watched]] = defaultdict(list)
    for each in sorted(wanted, key=lambda each: (each.scope, each.scope_id or 0, each.figure)):
        zone = placing.zone
        if each.scope_id is not None and each.scope == "agent":
            zone = placing.zone_of_agent(each.scope_id, tx.now)
        elif each.scope_id is not None and each.scope == "team":
            zone = placing.zone_of_team(each.scope_id)
        reports[Dim(each.scope), local_day(tx.now, zone).date].append(each)
    values: dict[Watched, float | None] = {}
    for (dim, day), of_report in reports.items():
        ids = tuple(dict.fromkeys(str(each.scope_id) for each in of_report if each.scope_id is not None))
        figures = tuple(dict.fromkeys(each.figure for each in of_report))
        try:
            report = load_figures(tx, Query(figures, day, day, by=dim, ids=ids, params=params), tx.now)
        except InvalidInput:
            # One report that cannot be told must not keep the limits of all others from being looked at.
            log.exception("kpi.limits_untold")
            continue
        told = {row.key: row.figures for row in report.rows}
        for each in of_report:
            # A day that has begun elsewhere is a gap to us until something happens in it.
            figure = told.get(None if each.scope_id is None else str(each.scope_id), {}).get(each.figure)
            values[each] = (figure or MEASURES[each.figure].of(NOTHING, params)).value
    return values
