"""What may be asked of the figures, and by whom: from the words of the API to a query, or to a fault that names the word.

    Asked ─► make_query (what can be read of the words alone) ─► check_may_see ─► check_exists ─► kpi.figures

Agents are told their own figures, supervisors and administrators all. Whatever is named must exist: a queue that nobody
knows has no figures, and zeros for it would be false.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType
from typing import Any

from sqlalchemy import select

from hub.agents.viewer import Viewer
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.errors import Forbidden, InvalidInput, ReportTooLarge
from hub.kpi.cells import Dim
from hub.kpi.days import Grain
from hub.kpi.defaults import load_params
from hub.kpi.figures import ID_DIGITS, Filters, Query, check_query
from hub.kpi.measures import DEFAULTS, Params
from hub.store import tables
from hub.store.database import Tx

# `by` as the API says it; none: everything together.
BY: Mapping[str, Dim] = {"none": Dim.ALL, **{dim.value: dim for dim in Dim if dim is not Dim.ALL}}
# What the API calls the fields of a query.
_API_NAMES = {
    "since": "from",
    "until": "to",
    "agents": "agent",
    "teams": "team",
    "queues": "queue",
    "channels": "channel",
    "topics": "topic",
}
# No report is read with more columns.
MEASURES_LIMIT = 20
IDS_LIMIT = 500
_ID_LENGTH = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """`filters`: dim → id. Ids are texts."""

    measures: tuple[str, ...]
    grain: str = Grain.TOTAL.value
    by: str = "none"
    ids: tuple[str, ...] = ()
    filters: Mapping[str, str] = field(default_factory=dict)
    compare: bool = False
    before: date | None = None
    params: Params = DEFAULTS


def make_params(said: Mapping[str, Any]) -> Params:
    """By the names of Params; None: nothing was said."""
    return replace(DEFAULTS, **{name: value for name, value in said.items() if value is not None})


def with_defaults(tx: Tx, query: Query, said: Mapping[str, Any]) -> Query:
    """What nobody said is as the organisation counts (kpi.defaults)."""
    chosen = {name: value for name, value in said.items() if value is not None}
    return replace(query, params=replace(load_params(tx), **chosen))


def split(words: str) -> tuple[str, ...]:
    """What stands between commas, each once."""
    return tuple(dict.fromkeys(word.strip() for word in words.split(",") if word.strip()))


def make_query(asked: Asked, since: date, until: date) -> Query:
    """InvalidInput names each fault by the API's words."""
    faults: dict[str, str] = {}
    if len(asked.measures) > MEASURES_LIMIT:
        faults["measures"] = Sentence("ask for at most {count} at once", count=MEASURES_LIMIT)
    if len(asked.ids) > IDS_LIMIT:
        faults["ids"] = Sentence("name at most {count} at once", count=IDS_LIMIT)
    if asked.before is not None and not asked.compare:
        faults["before"] = Sentence("goes with `compare`")
    if asked.ids and asked.by == "none":
        faults["ids"] = Sentence("go with `by`: say whose ids they are")
    if any(len(one) > _ID_LENGTH for one in asked.ids):
        faults["ids"] = Sentence("are too long")
    faults |= {dim: Sentence("is too long") for dim, one in asked.filters.items() if len(one) > _ID_LENGTH}
    if faults:
        raise InvalidInput("The report cannot be asked like this.", fields=faults)

    query = Query(
        measures=asked.measures,
        since=since,
        until=until,
        grain=Grain(asked.grain),
        by=BY[asked.by],
        ids=tuple(dict.fromkeys(_spelt(BY[asked.by], one) for one in asked.ids)),
        filters=make_filters(asked.filters),
        compare=asked.compare,
        params=asked.params,
        before=asked.before,
    )
    with api_names():
        check_query(query)
    return query


def _spelt(dim: Dim, one: str) -> str:
    """As ids are written where cells are kept: 7, and not 07. What is no number is left for check_query to refuse."""
    return str(int(one)) if dim is not Dim.CHANNEL and one.isascii() and one.isdecimal() else one


def make_filters(said: Mapping[str, str]) -> Filters:
    """`said`: dim → id."""

    def only(dim: Dim) -> tuple[str, ...]:
        return (_spelt(dim, said[dim.value]),) if dim.value in said else ()

    return Filters(only(Dim.AGENT), only(Dim.TEAM), only(Dim.QUEUE), only(Dim.CHANNEL), only(Dim.TOPIC))


@contextmanager
def api_names(more: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
    """A fault inside names its field as the API does; `more`: where an endpoint has another word for one."""
    try:
        yield
    except ReportTooLarge as error:
        raise ReportTooLarge(error.message, fields=_renamed(error.fields, more)) from error
    except InvalidInput as error:
        fields = _renamed(error.fields, more)
        words = "; ".join(f"{name}: {fault}" for name, fault in fields.items())
        raise InvalidInput(words or error.message, fields=fields, code=error.code) from error


def _renamed(fields: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    return {more.get(name, _API_NAMES.get(name, name)): fault for name, fault in fields.items()}


# --- who may ------------------------------------------------------------------------------------------------------------


def check_may_see(viewer: Viewer, query: Query) -> None:
    """Forbidden for an agent who asks for more than their own."""
    if viewer.may(Permission.READ_REPORTS):
        return
    own = (str(viewer.user_id),)
    is_own = query.filters.agents == own or (query.by is Dim.AGENT and query.ids == own)
    if not is_own or (query.by is Dim.AGENT and not set(query.ids) <= set(own)):
        raise Forbidden(f"agents see their own figures only: ask with agent={viewer.user_id}")


def check_may_see_agents(viewer: Viewer, agent_ids: Collection[int]) -> None:
    """Forbidden for an agent who asks for anybody else."""
    if not viewer.may(Permission.READ_REPORTS) and set(agent_ids) != {viewer.user_id}:
        raise Forbidden(f"agents see their own days only: ask with agents={viewer.user_id}")


def read_agents(words: str) -> tuple[int, ...]:
    """Ids with commas between, as numbers. InvalidInput names the field."""
    ids = split(words)
    if not all(one.isascii() and one.isdecimal() and len(one) < ID_DIGITS for one in ids):
        raise InvalidInput("agents: must be whole numbers", fields={"agents": Sentence("must be whole numbers")})
    return tuple(int(one) for one in ids)


# --- what exists --------------------------------------------------------------------------------------------------------


def check_exists(tx: Tx, query: Query) -> None:
    """InvalidInput names the field in which something is named that is not there."""
    faults = {}
    for dim, ids in query.filters.by_dim():
        if missing := _missing(tx, dim, ids):
            faults[dim.value] = _none_such(dim, missing)
    if query.by is not Dim.ALL and (missing := _missing(tx, query.by, query.ids)):
        faults["ids"] = _none_such(query.by, missing)
    if faults:
        words = "; ".join(f"{name}: {fault}" for name, fault in faults.items())
        raise InvalidInput(words, fields=faults)


def check_agents_exist(tx: Tx, agent_ids: Collection[int]) -> None:
    """InvalidInput names those who are not there."""
    if missing := _missing(tx, Dim.AGENT, tuple(str(one) for one in agent_ids)):
        raise InvalidInput("Who is that?", fields={"agents": _none_such(Dim.AGENT, missing)})


def read_queue(tx: Tx, word: str | None) -> int | None:
    """Its id as a number. InvalidInput where there is none."""
    if word is None:
        return None
    if not (word.isascii() and word.isdecimal() and len(word) < ID_DIGITS):
        raise InvalidInput("queue: must be a whole number", fields={"queue": Sentence("must be a whole number")})
    if _missing(tx, Dim.QUEUE, (word,)):
        raise InvalidInput("Which queue is that?", fields={"queue": _none_such(Dim.QUEUE, [word])})
    return int(word)


def _none_such(dim: Dim, missing: Sequence[str]) -> str:
    ids = ", ".join(missing[:10])
    match dim:
        case Dim.AGENT:
            return Sentence("there is no agent {ids}", ids=ids)
        case Dim.TEAM:
            return Sentence("there is no team {ids}", ids=ids)
        case Dim.QUEUE:
            return Sentence("there is no queue {ids}", ids=ids)
        case Dim.CHANNEL:
            return Sentence("there is no channel {ids}", ids=ids)
        case _:
            return Sentence("there is no topic {ids}", ids=ids)


_WHERE = {
    Dim.AGENT: tables.user_account.c.id,
    Dim.TEAM: tables.team.c.id,
    Dim.QUEUE: tables.queue.c.id,
    Dim.CHANNEL: tables.channel.c.id,
    Dim.TOPIC: tables.topic.c.id,
}


def _missing(tx: Tx, dim: Dim, ids: tuple[str, ...]) -> list[str]:
    if not ids:
        return []
    column = _WHERE[dim]
    read: Callable[[str], str | int] = str if dim is Dim.CHANNEL else int
    wanted = {read(one): one for one in ids}
    known = {row[0] for row in tx.rows(select(column).where(column.in_(list(wanted))))}
    return [name for key, name in wanted.items() if key not in known]
