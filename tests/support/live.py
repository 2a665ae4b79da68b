"""Live = historical: what the board shows and what screens were told, beside the report of the same day."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter
from sqlalchemy import select

from hub.domain.views import NumbersView, QueueNumbersView
from hub.kpi.board import load_agent_numbers, load_level, load_numbers_of, load_numbers_of_queues, load_queue_numbers
from hub.kpi.cells import Dim
from hub.kpi.figures import Query, load_figures
from hub.kpi.measures import MEASURES, Figure
from hub.store import tables
from hub.store.database import Tx

Shown = dict[str, float | None]

VIEWS: dict[str, TypeAdapter[Any]] = {
    "numbers.changed": TypeAdapter(NumbersView),
    "queue_numbers.changed": TypeAdapter(QueueNumbersView),
}


def check_live(tx: Tx) -> None:
    """Of everybody and every queue, now. Everything that was told is projected already."""
    users = [row.id for row in tx.rows(select(tables.user_account.c.id))]
    queues = [row.id for row in tx.rows(select(tables.queue.c.id))]
    agents, by_queue = load_numbers_of(tx, users, tx.now), load_numbers_of_queues(tx, queues, tx.now)
    for user_id, numbers in agents.items():
        shown, reported = shown_of_agent(numbers, tx.now), _reported(tx, Dim.AGENT, user_id, numbers.day)
        assert shown == pytest.approx(reported_of_agent(reported), abs=1e-9), user_id
    for queue_id, of_queue in by_queue.items():
        assert shown_of_queue(of_queue) == reported_of_queue(tx, _reported(tx, Dim.QUEUE, queue_id, of_queue.day)), (
            queue_id
        )


def check_told(tx: Tx) -> None:
    """What was told last of everybody and every queue is what a screen that comes now is shown."""
    told = load_told(tx)
    shown: dict[tuple[str, int], Any] = {("agent", each.user_id): each for each in load_agent_numbers(tx)}
    shown |= {("queue", each.queue_id): each for each in load_queue_numbers(tx, None)}
    for key, view in shown.items():
        assert _figures(told[key]) == _figures(view), key


def load_told(tx: Tx) -> dict[tuple[str, int], NumbersView | QueueNumbersView]:
    """What was told last of each agent and each queue."""
    found = select(tables.event).where(tables.event.c.kind.in_(VIEWS)).order_by(tables.event.c.seq)
    told: dict[tuple[str, int], NumbersView | QueueNumbersView] = {}
    for row in tx.rows(found):
        view = VIEWS[row.kind].validate_python(json.loads(row.body)["numbers"])
        told[("agent", view.user_id) if row.kind == "numbers.changed" else ("queue", view.queue_id)] = view
    return told


def _figures(view: Any) -> dict[str, Any]:
    return {name: getattr(view, name) for name in view.__slots__ if name != "as_of_seq"}


def _reported(tx: Tx, by: Dim, whose: int, day: str) -> dict[str, Figure]:
    on = date.fromisoformat(day)
    measures = tuple(name for name, measure in MEASURES.items() if by in measure.by)
    _, params = load_level(tx)
    report = load_figures(tx, Query(measures, on, on, by=by, ids=(str(whose),), params=params), tx.now)
    # Before the first fact of all there is nothing to report of.
    return {name: report.rows[0].figures.get(name, Figure(None, 0)) for name in measures}


def shown_of_agent(n: NumbersView, now: datetime) -> Shown:
    """With the stretch of time that goes on, as screens add it."""
    since_ms = (now - n.spell_since) // timedelta(milliseconds=1) if n.spell_since else 0
    work_ms = n.work_ms + (since_ms if n.spell == "work" else 0)
    available_ms = n.available_ms + (since_ms if n.spell == "available" else 0)
    time_ms = work_ms + available_ms
    names = ("handled_contacts", "handled_segments", "chats", "mails", "texts", "calls_in", "calls_out", "calls_missed")
    seconds = ("talk_s", "hold_s", "wrap_up_s", "aht_s", "handle_mean_s", "handle_count")
    spreads = ("first_response_mean_s", "first_response_median_s", "first_response_count")
    resolution = ("resolution_median_s", "resolution_p90_s", "resolution_count")
    rest = ("calls_internal", "csat_share", "csat_mean", "csat_count", "transfer_cases")
    passed = n.transfers_blind + n.transfers_consult + n.transfers_requeue
    return {
        **{name: getattr(n, name) for name in (*names, *seconds, *spreads, *resolution, *rest)},
        "transfers": passed / n.transfer_cases if n.transfer_cases else None,
        "offers": n.offers,
        "declined": n.offers_declined / n.offers if n.offers else None,
        "missed": n.offers_missed / n.offers if n.offers else None,
        "occupancy": work_ms / time_ms if time_ms else None,
        "work_s": work_ms / 1000,
        "available_s": available_ms / 1000,
    }


def reported_of_agent(f: dict[str, Figure]) -> Shown:
    calls, first, resolution, csat = f["calls_per_day"], f["first_response_s"], f["resolution_s"], f["csat"]
    return {
        "handled_contacts": f["handled_contacts"].n,
        "handled_segments": f["handled_segments"].n,
        "chats": f["chats_handled"].n,
        "mails": f["mails_handled"].n,
        "texts": f["texts_handled"].n,
        "calls_in": calls.parts.get("in", 0),
        "calls_out": calls.parts.get("out", 0),
        "calls_internal": calls.parts.get("internal", 0),
        "calls_missed": f["calls_missed"].n,
        "offers": f["offer_outcomes"].n,
        "declined": f["offer_outcomes"].parts.get("declined"),
        "missed": f["offer_outcomes"].parts.get("no_answer"),
        "talk_s": f["talk_s"].value or 0.0,
        "hold_s": f["hold_s"].value or 0.0,
        "wrap_up_s": f["wrap_up_s"].value or 0.0,
        "aht_s": f["aht"].value,
        "handle_mean_s": f["handle_s"].mean,
        "handle_count": f["handle_s"].n,
        "first_response_mean_s": first.mean,
        "first_response_median_s": first.value,
        "first_response_count": first.n,
        "resolution_median_s": resolution.value,
        "resolution_p90_s": resolution.p90,
        "resolution_count": resolution.n,
        "csat_share": csat.value,
        "csat_mean": csat.mean,
        "csat_count": csat.n,
        "transfers": f["transfer_rate"].value,
        "transfer_cases": f["transfer_rate"].n,
        "occupancy": f["occupancy"].value,
        "work_s": f["work_s"].value or 0.0,
        "available_s": f["available_s"].value or 0.0,
    }


def shown_of_queue(n: QueueNumbersView) -> dict[str, Any]:
    left_out = ("queue_id", "day", "as_of_seq", "backlog", "threshold_s", "short_abandoned")
    return {name: getattr(n, name) for name in n.__slots__ if name not in left_out}


def reported_of_queue(tx: Tx, f: dict[str, Figure]) -> dict[str, Any]:
    level, _ = load_level(tx)
    reached, abandonment = f[level.id], f["abandonment_rate"]
    return {
        "calls_offered": f["calls_offered"].n,
        "calls_answered": f["calls_answered"].n,
        "calls_abandoned": f["calls_abandoned"].n,
        "calls_short_abandoned": f["calls_short_abandoned"].n,
        "calls_missed": f["calls_missed"].n,
        "wait_mean_s": f["asa_calls"].value,
        "talk_s": f["talk_s"].value or 0.0,
        "hold_s": f["hold_s"].value or 0.0,
        "wrap_up_s": f["wrap_up_s"].value or 0.0,
        "aht_s": f["aht"].value,
        "service_level": reached.value,
        "answered_in_threshold": round((reached.value or 0.0) * reached.n),
        "service_level_offered": reached.n,
        "service_level_id": level.id,
        "offered": f["offered"].n,
        "answered": f["answered"].n,
        "abandoned": round((abandonment.value or 0.0) * abandonment.n),
        "abandonment": abandonment.value,
        "abandonment_count": abandonment.n,
        "asa_s": f["asa_queue"].value,
        "asa_count": f["asa_queue"].n,
    }
