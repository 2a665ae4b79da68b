"""Search over customers and everything that was said or written down."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime
from sqlalchemy import select

from hub.agents.viewer import Viewer
from hub.domain.sentences import Sentence
from hub.domain.states import ConversationStatus
from hub.domain.values import ChannelKind
from hub.errors import InvalidInput
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import search
from hub.timeline.search import Cursor, Filters, Found, HitKind
from hub.web.api import Access, Context, Limit, endpoint, read_cursor, write_cursor
from hub.web.schemas import SearchPage

_PAGE = 30
Moment = date | AwareDatetime


@endpoint("GET", "/search", access=Access.AGENT, summary="Find customers, messages, notes and calls")
async def search_all(
    context: Context,
    q: str = "",
    kind: HitKind | None = None,
    channel: ChannelKind | None = None,
    queue: int | None = None,
    agent: str | None = None,
    status: ConversationStatus | None = None,
    tag: str | None = None,
    topic: int | None = None,
    customer: int | None = None,
    from_: Moment | None = None,
    to: Moment | None = None,
    limit: Limit = _PAGE,
    cursor: str | None = None,
) -> SearchPage:
    """As far as you may see it: the best customers first, then what was said and written down, the newest first. All words
    must be there, the last of them perhaps only begun; words in "quotation marks" stand together; a number is found by any
    part of it that has four digits, however it is written; names are found in any spelling and script. `agent` (`me` or a
    user's id) wrote it or holds its conversation; `from` and `to` are days of the organisation's clock, the last one
    included, or instants. A page may hold fewer hits than asked for, or none, and still have a `next_cursor`: go on until it
    is null. While the index is being made, `building_percent` says how far it is. Of customers the newest 1,000 that fit are
    put in order."""
    if agent is not None and agent != "me" and not (agent.isdecimal() and agent.isascii() and len(agent) < 18):
        raise InvalidInput("bad agent", fields={"agent": Sentence("must be me or a user's id")})
    agent_id = None if agent is None else context.viewer.user_id if agent == "me" else int(agent)
    filters = Filters(kind, channel, queue, agent_id, status, tag, topic, customer)
    start = read_cursor(cursor, str, int)
    found = await context.hub.database.read(_search, context.viewer, q, filters, from_, to, _cursor(start), limit)
    following = None
    if found.cursor is not None:
        at = found.cursor
        following = write_cursor("c", at.customers) if at.customers is not None else write_cursor("p", at.place or 0)
    return SearchPage(
        items=found.hits,
        next_cursor=following,
        building_percent=found.progress.percent if found.progress is not None else None,
    )


def _cursor(parts: tuple[str, int] | None) -> Cursor | None:
    if parts is None:
        return None
    word, number = parts
    if word not in ("c", "p") or (word == "c" and number < 0):
        raise InvalidInput("bad cursor", fields={"cursor": Sentence("is not a cursor that this list gave")})
    return Cursor(customers=number) if word == "c" else Cursor(place=number)


def _search(
    tx: Tx,
    viewer: Viewer,
    query: str,
    filters: Filters,
    since: Moment | None,
    until: Moment | None,
    cursor: Cursor | None,
    limit: int,
) -> Found:
    zone = ZoneInfo(tx.scalar(select(tables.organisation.c.time_zone)) or "UTC")
    return search.search(
        tx, viewer, query, filters.between(_begin(since, zone), _end(until, zone)), cursor=cursor, limit=limit
    )


def _begin(moment: Moment | None, zone: ZoneInfo) -> datetime | None:
    if moment is None or isinstance(moment, datetime):
        return moment
    return datetime(moment.year, moment.month, moment.day, tzinfo=zone)


def _end(moment: Moment | None, zone: ZoneInfo) -> datetime | None:
    if moment is None or isinstance(moment, datetime):
        return moment
    if moment == date.max:
        raise InvalidInput("too late a day", fields={"to": Sentence("is too late")})
    return _begin(moment + timedelta(days=1), zone)
