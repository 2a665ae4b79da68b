"""Reports that are sent by mail: what somebody asked for, when it is due, and what became of the latest one.

    create, update ─► report_schedule.next_at ─► reports.runs makes the report that is due, and sends it

A schedule is its owner's: it tells what they may see. Its query is kept in the API's words and checked again when it is due,
for what it names may be gone by then, and its owner may see less.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy import Row, delete, func, select, update

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.domain.sentences import Sentence
from hub.errors import Conflict, InvalidInput, NotFound
from hub.kpi.belonging import load_zone
from hub.kpi.figures import Query
from hub.mail.addresses import normal_address
from hub.reports import asking
from hub.reports.asking import Asked
from hub.reports.recurrence import Every, Recurrence, days_told, next_due
from hub.store import tables
from hub.store.database import Tx
from hub.timeline.house_mail import find_mail_channel

_s, _r, _m, _u = tables.report_schedule.c, tables.report_run.c, tables.report_mail.c, tables.user_account.c

# The loop of reports.runs.
WAKE = "reports"
# What a query's parameters for measures are called.
_PARAMS = ("threshold_s", "short_s", "days", "with_abandons", "with_short_abandons", "with_flow_outs")
_DIMS = ("agent", "team", "queue", "channel", "topic")


@dataclass(frozen=True, slots=True)
class Draft:
    """As somebody asks for it. `query` in the words of GET /reports/figures, its days as a word of recurrence.RANGES
    (`range`); `time_zone` None: the organisation's; `at` HH:MM."""

    name: str
    query: Mapping[str, Any]
    every: str
    weekday: int | None
    day: int | None
    at: str
    time_zone: str | None
    recipient_ids: tuple[int, ...]
    addresses: tuple[str, ...]
    files: tuple[str, ...]
    active: bool


@dataclass(frozen=True, slots=True)
class MailState:
    address: str
    state: str
    attempts: int
    next_attempt_at: datetime | None
    code: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class RunState:
    id: int
    due_at: datetime
    is_manual: bool
    state: str
    finished_at: datetime | None
    code: str | None
    message: str | None
    mails: tuple[MailState, ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """`time_zone` is that by which it is due, whoever said it. `hindrance`: why nothing can be sent as things stand:
    no_mail_channel, owner_inactive, no_recipient."""

    id: int
    version: int
    draft: Draft
    time_zone: str
    owner_id: int
    owner_name: str
    next_at: datetime | None
    channel_id: str | None
    hindrance: str | None
    last_run: RunState | None


@dataclass(frozen=True, slots=True)
class Recipient:
    """`language`: None for an address that is nobody's here."""

    address: str
    name: str
    language: str | None


# --- reading ------------------------------------------------------------------------------------------------------------


def load_schedules(tx: Tx, ids: Collection[int] | None = None) -> list[Schedule]:
    """All of them, or those of `ids`; by name."""
    found = (
        select(tables.report_schedule, _u.name.label("owner_name"), _u.active.label("is_owner_active"))
        .join(tables.user_account, _u.id == _s.owner_id)
        .order_by(_s.name, _s.id)
    )
    rows = tx.rows(found if ids is None else found.where(_s.id.in_(ids)))
    zone, channel_id = load_zone(tx).key, find_mail_channel(tx)
    active = set(tx.execute(select(_u.id).where(_u.active)).scalars())
    runs = _load_last_runs(tx, [row.id for row in rows])
    return [_schedule(row, zone, channel_id, active, runs.get(row.id)) for row in rows]


def load_schedule(tx: Tx, schedule_id: int) -> Schedule:
    found = load_schedules(tx, [schedule_id])
    if not found:
        raise NotFound("there is no such scheduled report")
    return found[0]


def _schedule(
    row: Row[Any], zone: str, channel_id: str | None, active: Collection[int], last_run: RunState | None
) -> Schedule:
    draft = draft_of(row)
    hindrance = None
    if not row.is_owner_active:
        hindrance = "owner_inactive"
    elif not draft.addresses and not set(draft.recipient_ids) & set(active):
        hindrance = "no_recipient"
    elif channel_id is None:
        hindrance = "no_mail_channel"
    return Schedule(
        id=row.id,
        version=row.version,
        draft=draft,
        time_zone=draft.time_zone or zone,
        owner_id=row.owner_id,
        owner_name=row.owner_name,
        next_at=row.next_at,
        channel_id=channel_id,
        hindrance=hindrance,
        last_run=last_run,
    )


def draft_of(row: Row[Any]) -> Draft:
    return Draft(
        name=row.name,
        query=row.query,
        every=row.every,
        weekday=row.weekday,
        day=row.day,
        at=row.at,
        time_zone=row.time_zone,
        recipient_ids=tuple(row.recipient_ids),
        addresses=tuple(row.addresses),
        files=tuple(row.files),
        active=row.active,
    )


def _load_last_runs(tx: Tx, schedule_ids: Collection[int]) -> dict[int, RunState]:
    last = select(func.max(_r.id)).where(_r.schedule_id.in_(schedule_ids)).group_by(_r.schedule_id)
    runs = tx.rows(select(tables.report_run).where(_r.id.in_(last)))
    mails: dict[int, list[MailState]] = {run.id: [] for run in runs}
    for row in tx.rows(select(tables.report_mail).where(_m.run_id.in_(list(mails))).order_by(_m.id)):
        mails[row.run_id].append(
            MailState(
                address=row.address,
                # That it is being handed over at this very moment is nobody's business.
                state="waiting" if row.state == "leased" else row.state,
                attempts=row.attempts,
                next_attempt_at=row.next_attempt_at if row.state == "waiting" else None,
                code=row.code,
                message=row.message,
            )
        )
    return {
        run.schedule_id: RunState(
            id=run.id,
            due_at=run.due_at,
            is_manual=run.is_manual,
            state=run.state,
            finished_at=run.finished_at,
            code=run.code,
            message=run.message,
            mails=tuple(mails[run.id]),
        )
        for run in runs
    }


def load_recipients(tx: Tx, draft: Draft) -> list[Recipient]:
    """Who gets it today: colleagues who still work here, then the other addresses; each address once."""
    staff = tx.rows(
        select(_u.email, _u.name, _u.language).where(_u.id.in_(draft.recipient_ids), _u.active).order_by(_u.id)
    )
    found = [Recipient(row.email, row.name, row.language) for row in staff]
    found += [Recipient(address, "", None) for address in draft.addresses]
    return list({recipient.address.casefold(): recipient for recipient in reversed(found)}.values())[::-1]


# --- what it asks -------------------------------------------------------------------------------------------------------


def recurrence_of(draft: Draft, zone: ZoneInfo) -> Recurrence:
    """`zone`: the organisation's."""
    return Recurrence(
        every=Every(draft.every),
        at=time.fromisoformat(draft.at),
        zone=ZoneInfo(draft.time_zone) if draft.time_zone is not None else zone,
        weekday=draft.weekday or 1,
        day=draft.day or 1,
    )


def load_query(tx: Tx, draft: Draft, due_at: datetime) -> Query:
    """What it tells when it is due at this instant. InvalidInput names what can no longer be asked."""
    said = draft.query
    params = {name: said.get(name) for name in _PARAMS}
    asked = Asked(
        measures=tuple(said["measures"]),
        grain=said["grain"],
        by=said["by"],
        ids=tuple(said["ids"]),
        filters={dim: said[dim] for dim in _DIMS if said.get(dim) is not None},
        compare=said["compare"] == "previous",
        params=asking.make_params(params),
    )
    since, until = days_told(said["range"], due_at, load_zone(tx))
    return asking.with_defaults(tx, asking.make_query(asked, since, until), params)


# --- changing -----------------------------------------------------------------------------------------------------------


def create_schedule(tx: Tx, viewer: Viewer, draft: Draft) -> Schedule:
    """InvalidInput names what is wrong, inside the query as `query.…`."""
    _check(tx, viewer, draft)
    schedule_id = tx.insert(tables.report_schedule, {"owner_id": viewer.user_id, **_values(tx, draft)})
    tx.wake(WAKE)
    audit.note(tx, viewer, "report_schedule.created", "report_schedule", schedule_id, {"name": draft.name})
    return load_schedule(tx, schedule_id)


def update_schedule(
    tx: Tx, viewer: Viewer, schedule_id: int, draft: Draft, expected_version: int | None = None
) -> Schedule:
    """All of it anew. One whose owner works here no longer becomes the viewer's. Conflict `version_conflict`."""
    row = tx.first(
        select(tables.report_schedule, _u.active.label("is_owner_active"))
        .join(tables.user_account, _u.id == _s.owner_id)
        .where(_s.id == schedule_id)
        .with_for_update(of=tables.report_schedule)
    )
    if row is None:
        raise NotFound("there is no such scheduled report")
    if expected_version is not None and expected_version != row.version:
        raise Conflict("somebody changed this report meanwhile", code="version_conflict")
    _check(tx, viewer, draft)
    owner_id = row.owner_id if row.is_owner_active else viewer.user_id
    values = {**_values(tx, draft), "owner_id": owner_id, "version": _s.version + 1}
    tx.execute(update(tables.report_schedule).where(_s.id == schedule_id).values(values))
    tx.wake(WAKE)
    after = load_schedule(tx, schedule_id)
    audit.note_change(tx, viewer, "report_schedule.changed", "report_schedule", schedule_id, draft_of(row), after.draft)
    return after


def delete_schedule(tx: Tx, schedule_id: int, *, actor: Viewer | None = None) -> None:
    """With its runs, whose mails are sent no more but for the one that is being handed over."""
    gone = tx.first(delete(tables.report_schedule).where(_s.id == schedule_id).returning(_s.name))
    if gone is None:
        raise NotFound("there is no such scheduled report")
    audit.note(tx, actor, "report_schedule.removed", "report_schedule", schedule_id, {"name": gone.name})


def _values(tx: Tx, draft: Draft) -> dict[str, Any]:
    return {
        "name": draft.name,
        "query": dict(draft.query),
        "every": draft.every,
        "weekday": draft.weekday if draft.every == Every.WEEK.value else None,
        "day": draft.day if draft.every == Every.MONTH.value else None,
        "at": draft.at,
        "time_zone": draft.time_zone,
        "recipient_ids": list(dict.fromkeys(draft.recipient_ids)),
        "addresses": list({address.casefold(): address for address in draft.addresses}.values()),
        "files": list(dict.fromkeys(draft.files)),
        "active": draft.active,
        "next_at": next_due(recurrence_of(draft, load_zone(tx)), tx.now) if draft.active else None,
    }


def _check(tx: Tx, viewer: Viewer, draft: Draft) -> None:
    faults: dict[str, str] = {}
    if draft.every == Every.WEEK.value and draft.weekday is None:
        faults["weekday"] = Sentence("say on which day of the week")
    if draft.every == Every.MONTH.value and draft.day is None:
        faults["day"] = Sentence("say on which day of the month")
    if draft.time_zone is not None and draft.time_zone not in available_timezones():
        faults["time_zone"] = Sentence("there is no such time zone")
    for number, address in enumerate(draft.addresses):
        if normal_address(address) is None:
            faults[f"addresses.{number}"] = Sentence("is not an e-mail address")
    staff = set(tx.execute(select(_u.id).where(_u.id.in_(draft.recipient_ids), _u.active)).scalars())
    if missing := [str(one) for one in draft.recipient_ids if one not in staff]:
        faults["recipient_ids"] = Sentence("there is no active colleague {ids}", ids=", ".join(missing[:10]))
    elif not draft.recipient_ids and not draft.addresses:
        faults["recipient_ids"] = Sentence("say who should get it")
    try:
        query = load_query(tx, draft, tx.now)
        asking.check_may_see(viewer, query)
        asking.check_exists(tx, query)
    except InvalidInput as error:
        faults |= {f"query.{name}": fault for name, fault in error.fields.items()}
    if faults:
        raise InvalidInput("; ".join(f"{name}: {fault}" for name, fault in faults.items()), fields=faults)
