"""The loop that sends scheduled reports: at most one mail for each recipient and due time, whoever dies when.

    begin_due      a schedule that is due ─► a run, a mail for each recipient, and the next due time: one transaction
    load_report    the run's figures ─► files and texts, in memory
    lease ─► send_house_mail ─► record      one mail after the other

A run is unique by its due time, so several processes that find the same schedule due begin it once. A mail is handed over by
whoever has leased it, and is repeated only when it surely was not sent (Unavailable: after minutes, for a day). When nobody
can tell, because the process died over it or the server did not answer at the end, it is not repeated: it may have arrived,
and is told as failed (`fate_unknown`); somebody may send the report by hand. A hub that was down sends the latest report it
missed, and not the ones before.

Figures are computed when the mail is made and not when it was due, from days that are over, so it makes no difference but
for what is corrected later (kpi.cells). They are those that the owner may see at that moment. Who works here no longer sends
and gets nothing, however long a report has been on its way: owner and recipients are looked at before each attempt.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import delete, func, select, update

from hub.agents import audit
from hub.agents.viewer import Viewer, find_granted
from hub.domain.permissions import Permission
from hub.domain.values import Role
from hub.errors import (
    CallerError,
    Conflict,
    DatabaseAway,
    HubError,
    ProviderError,
    Unavailable,
    Uncertain,
)
from hub.kpi.belonging import load_zone
from hub.kpi.cells import Dim
from hub.kpi.days import Grain
from hub.kpi.figures import Report, load_figures
from hub.reports import asking
from hub.reports.files import CSV_TYPE, XLSX_TYPE, csv_parts, file_name, write_xlsx
from hub.reports.mail import ReportDocument, Sender, make_document
from hub.reports.recurrence import latest_due, next_due
from hub.reports.schedules import (
    WAKE,
    Draft,
    Schedule,
    draft_of,
    load_query,
    load_recipients,
    load_schedule,
    recurrence_of,
)
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.stream import Wakes
from hub.timeline.adapters import Adapters
from hub.timeline.house_mail import HouseFile, HouseMail, find_mail_channel, send_house_mail

log = logging.getLogger(__name__)

_s, _r, _m, _u = tables.report_schedule.c, tables.report_run.c, tables.report_mail.c, tables.user_account.c

# Longer than an attempt takes at most (timeline.house_mail).
_LEASE = timedelta(minutes=3)
# The same as messages to customers: soon at first, then every hour, for a day.
_BACK_OFF_S = (60.0, 300.0, 900.0, 3_600.0)
_GIVE_UP_AFTER = timedelta(days=1)
# What became of reports is told for so long.
_KEEP_RUNS = timedelta(days=90)
_DUE_AT_ONCE = 50
_LOOK_EVERY_S = 30.0
_RETRY_S = 1.0
_PARTING_S = 5.0

FATE_UNKNOWN = "fate_unknown"
_DIED = "The hub stopped while it handed the mail over. It may have arrived; send the report by hand if it has not."
_GONE = "The report is not sent to this address any more."
_HINDRANCES = {
    "no_mail_channel": "There is no e-mail channel to send it from.",
    "owner_inactive": "Whoever made it works here no longer.",
    "no_recipient": "There is nobody left to send it to.",
}


# --- beginning ----------------------------------------------------------------------------------------------------------


def begin_due(tx: Tx) -> int:
    """Begins a run of each schedule that is due; answers how many schedules were. Whoever holds one at the moment is left
    out."""
    due = tx.rows(
        select(tables.report_schedule)
        .where(_s.active, _s.next_at <= tx.now)
        .order_by(_s.next_at, _s.id)
        .limit(_DUE_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    zone = load_zone(tx)
    for row in due:
        recurrence = recurrence_of(draft_of(row), zone)
        due_at = latest_due(recurrence, row.next_at, tx.now)
        _begin(tx, row.id, due_at, is_manual=False)
        following = next_due(recurrence, tx.now)
        tx.execute(update(tables.report_schedule).where(_s.id == row.id).values(next_at=following))
        tx.execute(
            delete(tables.report_run).where(
                _r.schedule_id == row.id, _r.due_at < tx.now - _KEEP_RUNS, _r.state != "waiting"
            )
        )
    return len(due)


def _begin(tx: Tx, schedule_id: int, due_at: datetime, *, is_manual: bool) -> None:
    """Once for each due time; where nothing can be sent the run has failed at once, and says why."""
    schedule = load_schedule(tx, schedule_id)
    hindrance = schedule.hindrance
    values = {
        "schedule_id": schedule_id,
        "due_at": due_at,
        "is_manual": is_manual,
        "state": "waiting" if hindrance is None else "failed",
        "finished_at": None if hindrance is None else tx.now,
        "code": hindrance,
        "message": None if hindrance is None else _HINDRANCES[hindrance],
    }
    run = tx.first(tx.insert_if_new(tables.report_run).values(**values).returning(_r.id))
    if run is None or hindrance is not None:
        return
    tx.insert_many(
        tables.report_mail,
        [
            {
                "run_id": run.id,
                "address": recipient.address,
                "name": recipient.name,
                "delivery_id": secrets.token_urlsafe(18),
                "state": "waiting",
                "next_attempt_at": tx.now,
            }
            for recipient in load_recipients(tx, schedule.draft)
        ],
    )


def send_now(tx: Tx, schedule_id: int, *, actor: Viewer | None = None) -> Schedule:
    """The report as if it were due at this moment. Conflict with the code of what hinders it, or `under_way`."""
    tx.first(select(_s.id).where(_s.id == schedule_id).with_for_update())
    schedule = load_schedule(tx, schedule_id)
    if schedule.hindrance is not None:
        raise Conflict(_HINDRANCES[schedule.hindrance], code=schedule.hindrance)
    waiting = select(_r.id).where(_r.schedule_id == schedule_id, _r.is_manual, _r.state == "waiting")
    if tx.first(waiting) is not None:
        raise Conflict("the last one is still on its way", code="under_way")
    _begin(tx, schedule_id, tx.now, is_manual=True)
    tx.wake(WAKE)
    audit.note(tx, actor, "report_schedule.sent", "report_schedule", schedule_id, {"name": schedule.draft.name})
    return load_schedule(tx, schedule_id)


def next_moment(tx: Tx) -> datetime | None:
    """When there is something to do next; None: nothing is planned."""
    moments = (
        tx.scalar(select(func.min(_s.next_at)).where(_s.active)),
        tx.scalar(select(func.min(_m.next_attempt_at)).where(_m.state == "waiting")),
        tx.scalar(select(func.min(_m.lease_until)).where(_m.state == "leased")),
    )
    return min((moment for moment in moments if moment is not None), default=None)


# --- what was being handed over when its process died ------------------------------------------------------------------


def give_up_lost(tx: Tx) -> None:
    """Mails whose lease ran out: nobody can say whether they were sent."""
    lost = tx.rows(
        update(tables.report_mail)
        .where(_m.state == "leased", _m.lease_until <= tx.now)
        .values(state="failed", lease_until=None, next_attempt_at=None, code=FATE_UNKNOWN, message=_DIED)
        .returning(_m.run_id)
    )
    for run_id in sorted({row.run_id for row in lost}):
        _finish(tx, run_id)


# --- one run ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DueMail:
    id: int
    address: str
    name: str
    delivery_id: str
    language: str
    # Whether the schedule still sends to this address, and whoever has it still works here.
    is_wanted: bool


@dataclass(frozen=True, slots=True)
class DueRun:
    """A run that has mails to send now. `owner`: whose eyes it is seen with."""

    id: int
    schedule_id: int
    draft: Draft
    owner: Viewer
    owner_address: str
    is_owner_active: bool
    due_at: datetime
    channel_id: str | None
    mails: tuple[DueMail, ...]


def load_due_run(tx: Tx) -> DueRun | None:
    """The oldest run with a mail that is due, as a whole; None: there is none."""
    is_due = (_m.state == "waiting") & (_m.next_attempt_at <= tx.now)
    row = tx.first(
        select(
            tables.report_schedule,
            _r.id.label("run_id"),
            _r.due_at,
            _u.name.label("owner_name"),
            _u.email.label("owner_address"),
            _u.role.label("owner_role"),
            _u.language.label("owner_language"),
            _u.active.label("is_owner_active"),
        )
        .join(tables.report_run, _r.schedule_id == _s.id)
        .join(tables.user_account, _u.id == _s.owner_id)
        .where(_r.id == select(func.min(_m.run_id)).where(is_due).scalar_subquery())
    )
    if row is None:
        return None
    draft = draft_of(row)
    languages = {recipient.address: recipient.language for recipient in load_recipients(tx, draft)}
    mails = tuple(
        DueMail(
            mail.id,
            mail.address,
            mail.name,
            mail.delivery_id,
            languages.get(mail.address) or row.owner_language,
            is_wanted=mail.address in languages,
        )
        for mail in tx.rows(select(tables.report_mail).where(_m.run_id == row.run_id, is_due).order_by(_m.id))
    )
    granted = find_granted(tx, row.owner_id)
    owner = Viewer(row.owner_id, Role(row.owner_role), row.owner_name, row.owner_language, frozenset(), granted=granted)
    channel_id = find_mail_channel(tx)
    return DueRun(
        row.run_id, row.id, draft, owner, row.owner_address, row.is_owner_active, row.due_at, channel_id, mails
    )


def load_report(tx: Tx, due: DueRun) -> tuple[Report, Report | None]:
    """The report, and the same of all its rows together where that is something else. CallerError when what it asks can no
    longer be told, or not to its owner."""
    query = load_query(tx, due.draft, due.due_at)
    asking.check_may_see(due.owner, query)
    asking.check_exists(tx, query)
    with asking.api_names():
        report = load_figures(tx, query, tx.now)
        if len(report.rows) < 2 or query.ids or not due.owner.may(Permission.READ_REPORTS):
            return report, None
        return report, load_figures(tx, replace(query, grain=Grain.TOTAL, by=Dim.ALL), tx.now)


def fail_run(tx: Tx, run_id: int, code: str, message: str) -> None:
    """The report cannot be made: nothing of it is sent."""
    values = {"state": "failed", "code": code, "message": message, "next_attempt_at": None}
    tx.execute(update(tables.report_mail).where(_m.run_id == run_id, _m.state == "waiting").values(values))
    _finish(tx, run_id, code, message)


def drop_mails(tx: Tx, run_id: int, mail_ids: Collection[int]) -> None:
    """Nobody gets these any more."""
    tx.first(select(_r.id).where(_r.id == run_id).with_for_update())
    values = {"state": "failed", "code": "recipient_gone", "message": _GONE, "next_attempt_at": None}
    tx.execute(update(tables.report_mail).where(_m.id.in_(mail_ids), _m.state == "waiting").values(values))
    _finish(tx, run_id)


def _finish(tx: Tx, run_id: int, code: str | None = None, message: str | None = None) -> None:
    """Once nothing of a run is left to be sent. Two processes may record its last two mails at the same time, and neither
    sees what the other has not committed: so the run is locked first, and whoever comes second sees both."""
    tx.first(select(_r.id).where(_r.id == run_id).with_for_update())
    states = set(tx.execute(select(_m.state).where(_m.run_id == run_id)).scalars())
    if states & {"waiting", "leased"}:
        return
    state = "failed" if "failed" in states else "sent"
    tx.execute(
        update(tables.report_run)
        .where(_r.id == run_id, _r.state == "waiting")
        .values(state=state, finished_at=tx.now, code=code, message=message)
    )


# --- one mail -----------------------------------------------------------------------------------------------------------


def lease(tx: Tx, mail_id: int) -> bool:
    """Whether this mail is now this process's to hand over."""
    taken = tx.execute(
        update(tables.report_mail)
        .where(_m.id == mail_id, _m.state == "waiting", _m.next_attempt_at <= tx.now)
        .values(state="leased", lease_until=tx.now + _LEASE, attempts=_m.attempts + 1)
    )
    return taken.rowcount == 1


def record(tx: Tx, mail_id: int, failure: ProviderError | None) -> None:
    """What became of the attempt; of a mail that is gone meanwhile, nothing. Locks the run before its mail, as whoever
    deletes it does."""
    of_mail = select(_m.run_id).where(_m.id == mail_id).scalar_subquery()
    tx.first(select(_r.id).where(_r.id == of_mail).with_for_update())
    row = tx.first(
        select(_m.run_id, _m.attempts, _r.due_at)
        .join(tables.report_run, _r.id == _m.run_id)
        .where(_m.id == mail_id, _m.state == "leased")
        .with_for_update(of=tables.report_mail)
    )
    if row is None:
        return
    values: dict[str, Any] = {"state": "sent", "lease_until": None, "next_attempt_at": None}
    if failure is not None:
        code = FATE_UNKNOWN if isinstance(failure, Uncertain) else failure.code
        values |= {"state": "failed", "code": code, "message": failure.message}
    else:
        values |= {"code": None, "message": None}
    if isinstance(failure, Unavailable) and tx.now < row.due_at + _GIVE_UP_AFTER:
        wait_s = max(_BACK_OFF_S[min(row.attempts, len(_BACK_OFF_S)) - 1], failure.retry_after_s or 0.0)
        values |= {"state": "waiting", "next_attempt_at": tx.now + timedelta(seconds=wait_s)}
    tx.execute(update(tables.report_mail).where(_m.id == mail_id).values(values))
    _finish(tx, row.run_id)


# --- the loop -----------------------------------------------------------------------------------------------------------


class ReportSender:
    """Begins what is due and sends it, one run after the other."""

    def __init__(self, database: Database, wakes: Wakes, adapters: Adapters, public_url: str) -> None:
        self._database = database
        self._wakes = wakes
        self._adapters = adapters
        self._public_url = public_url

    async def run(self) -> None:
        while True:
            try:
                if not await self.step():
                    await self._wait()
            except DatabaseAway:
                await asyncio.sleep(_RETRY_S)

    async def _wait(self) -> None:
        moment = await self._database.read(next_moment)
        wait_s = _LOOK_EVERY_S
        if moment is not None:
            wait_s = min(max((moment - self._database.clock()).total_seconds(), 0.05), _LOOK_EVERY_S)
        await self._wakes.wait(WAKE, wait_s)

    async def step(self) -> bool:
        """Does what is due at this moment; False: there was nothing."""
        moment = await self._database.read(next_moment)
        if moment is None or moment > self._database.clock():
            return False
        await self._database.transaction(give_up_lost)
        begun = await self._database.transaction(begin_due)
        due = await self._database.read(load_due_run)
        if due is None:
            return begun > 0
        if not due.is_owner_active:
            await self._database.transaction(fail_run, due.id, "owner_inactive", _HINDRANCES["owner_inactive"])
            return True
        gone = [mail.id for mail in due.mails if not mail.is_wanted]
        if gone:
            await self._database.transaction(drop_mails, due.id, gone)
            return True
        try:
            letters = await self._write(due)
        except DatabaseAway:
            raise
        except CallerError as error:
            log.info("report.failed", extra={"run": due.id, "code": error.code})
            await self._database.transaction(fail_run, due.id, error.code, error.message)
            return True
        except Exception:
            # One report that cannot be made must not keep all others, and this process, from their work.
            log.exception("report.broken", extra={"run": due.id})
            await self._database.transaction(fail_run, due.id, "internal", "The report could not be made.")
            return True
        for mail in due.mails:
            sending = asyncio.create_task(self._send(due, mail, letters), name=f"report mail {mail.id}")
            try:
                await asyncio.shield(sending)
            except asyncio.CancelledError:
                # What the server says is worth more than a quick exit.
                await asyncio.wait([sending], timeout=_PARTING_S)
                raise
        return True

    async def _write(self, due: DueRun) -> Letters:
        report, totals = await self._database.read(load_report, due)
        files = await asyncio.to_thread(_make_files, report, due.draft.files)
        languages = {mail.language for mail in due.mails}
        sender = _sender(due, report, self._public_url)
        documents = {language: make_document(report, sender, language, totals) for language in languages}
        return Letters(documents, tuple(files))

    async def _send(self, due: DueRun, mail: DueMail, letters: Letters) -> None:
        document = letters.documents[mail.language]
        if not await self._database.transaction(lease, mail.id):
            return
        failure: ProviderError | None = None
        try:
            if due.channel_id is None:
                raise Unavailable(_HINDRANCES["no_mail_channel"], code="no_mail_channel")
            await send_house_mail(
                self._adapters,
                due.channel_id,
                HouseMail(
                    delivery_id=mail.delivery_id,
                    address=mail.address,
                    name=mail.name,
                    subject=document.subject,
                    text=document.text,
                    html=document.html,
                    created_at=self._database.clock(),
                    files=letters.files,
                ),
            )
        except ProviderError as error:
            failure = error
            log.info("report.mail_failed", extra={"channel": due.channel_id, "code": error.code})
        except HubError as error:
            failure = Unavailable(error.message, code=error.code)
        except Exception as error:
            # An adapter's bug: whether the mail left is not known.
            log.exception("report.adapter_failed", extra={"channel": due.channel_id})
            failure = Uncertain(f"The e-mail adapter failed: {type(error).__name__}", code="adapter_failed")
        while True:
            try:
                await self._database.transaction(record, mail.id, failure)
                return
            except DatabaseAway:
                # That it was sent must not be forgotten; the lease bounds how long this is of use.
                await asyncio.sleep(_RETRY_S)


@dataclass(frozen=True, slots=True)
class Letters:
    """What a run says, by language, and what hangs on it."""

    documents: dict[str, ReportDocument]
    files: tuple[HouseFile, ...]


def _sender(due: DueRun, report: Report, public_url: str) -> Sender:
    """The console asks by the same words as the API (reportQuery.ts)."""
    query = due.draft.query
    asked = {
        "measures": ",".join(measure.id for measure in report.measures),
        "from": report.since.isoformat(),
        "to": report.until.isoformat(),
        "by": query["by"],
        "ids": ",".join(query["ids"]),
        "grain": query["grain"] if query["grain"] != Grain.TOTAL.value else "",
        "compare": query["compare"],
        **{dim.value: query.get(dim.value) for dim in Dim if dim is not Dim.ALL},
    }
    words = urlencode({name: value for name, value in asked.items() if value})
    return Sender(
        schedule_name=due.draft.name,
        owner_name=due.owner.name,
        owner_address=due.owner_address,
        report_url=f"{public_url}/reports?{words}",
        schedule_url=f"{public_url}/reports/mail/{due.schedule_id}",
        has_files=bool(due.draft.files),
    )


def _make_files(report: Report, kinds: Sequence[str]) -> list[HouseFile]:
    made = []
    for kind in kinds:
        name = file_name(report, kind)
        if kind == "csv":
            made.append(HouseFile(name, CSV_TYPE, b"".join(csv_parts(report, has_mark=True))))
        else:
            with tempfile.TemporaryDirectory(prefix="hub-report-") as folder:
                path = Path(folder) / name
                write_xlsx(report, path, title=name)
                made.append(HouseFile(name, XLSX_TYPE, path.read_bytes()))
    return made
