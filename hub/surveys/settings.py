"""What each queue asks its customers, when and how often, and who hears of low scores.

One row of `survey_setting` a queue; a queue without one asks nobody and is shown with these defaults, switched off.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, insert, select, update

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.domain.sentences import Sentence
from hub.domain.values import ChannelKind, Role, SurveyKind
from hub.errors import Conflict, InvalidInput, NotFound
from hub.store import tables
from hub.store.database import Tx

_s, _q, _u = tables.survey_setting.c, tables.queue.c, tables.user_account.c

# The kinds of channel on which a customer can be asked.
ASKABLE = (ChannelKind.CHAT, ChannelKind.SMS, ChannelKind.EMAIL, ChannelKind.PHONE, ChannelKind.LOOPBACK)
# Somebody who changes their mind reopens at once; and chat customers have not left yet.
DEFAULT_DELAY_S = 60
# Nobody likes to be asked twice in a month.
DEFAULT_THROTTLE_DAYS = 30
DEFAULT_OPEN_H = 72
DEFAULT_LOW_SCORE = 2


@dataclass(frozen=True, slots=True)
class SurveySetting:
    """`questions`: language → the queue's own words. `language`: of customers who have none. `low_score`: a score up to it is
    low; None: none is. `told`: users who hear of low scores; None: every supervisor. `scores_for_agents`: own or all.
    `version` 0: it was never saved."""

    queue_id: int
    queue_name: str
    enabled: bool = False
    kind: SurveyKind = SurveyKind.CSAT
    questions: tuple[tuple[str, str], ...] = ()
    language: str = "en"
    channels: tuple[ChannelKind, ...] = (ChannelKind.CHAT, ChannelKind.SMS, ChannelKind.EMAIL, ChannelKind.PHONE)
    delay_s: int = DEFAULT_DELAY_S
    throttle_days: int = DEFAULT_THROTTLE_DAYS
    open_h: int = DEFAULT_OPEN_H
    low_score: int | None = DEFAULT_LOW_SCORE
    told: tuple[int, ...] | None = None
    scores_for_agents: str = "own"
    version: int = 0


_SETTINGS = select(tables.survey_setting, _q.name.label("queue_name")).join(tables.queue, _q.id == _s.queue_id)


def load_settings(tx: Tx) -> list[SurveySetting]:
    """Of every queue, by name."""
    saved = {row.queue_id: _setting(row) for row in tx.rows(_SETTINGS)}
    queues = tx.rows(select(_q.id, _q.name).order_by(_q.name, _q.id))
    return [saved.get(row.id, SurveySetting(row.id, row.name)) for row in queues]


def find_setting(tx: Tx, queue_id: int) -> SurveySetting | None:
    """None if this queue asks nobody and never did."""
    row = tx.first(_SETTINGS.where(_s.queue_id == queue_id))
    return _setting(row) if row is not None else None


def load_setting(tx: Tx, queue_id: int) -> SurveySetting:
    """Saved or not; NotFound if there is no such queue."""
    found = find_setting(tx, queue_id)
    if found is not None:
        return found
    name = tx.scalar(select(_q.name).where(_q.id == queue_id))
    if name is None:
        raise NotFound("there is no such queue")
    return SurveySetting(queue_id, name)


def save_setting(tx: Tx, wanted: SurveySetting, expected_version: int, *, actor: Viewer | None = None) -> SurveySetting:
    """InvalidInput names what cannot be; Conflict `version_conflict` if somebody was quicker."""
    before = load_setting(tx, wanted.queue_id)
    check_setting(tx, wanted)
    values = {
        "enabled": wanted.enabled,
        "kind": wanted.kind.value,
        "questions": {language: words for language, words in wanted.questions if words.strip()},
        "language": wanted.language,
        "channels": [kind.value for kind in wanted.channels],
        "delay_s": wanted.delay_s,
        "throttle_days": wanted.throttle_days,
        "open_h": wanted.open_h,
        "low_score": wanted.low_score,
        "told": None if wanted.told is None else list(wanted.told),
        "scores_for_agents": wanted.scores_for_agents,
        "version": expected_version + 1,
    }
    stale = Conflict("somebody changed these settings meanwhile", code="version_conflict")
    if before.version != expected_version:
        raise stale
    if expected_version == 0:
        tx.execute(insert(tables.survey_setting).values(queue_id=wanted.queue_id, **values))
    else:
        same = (_s.queue_id == wanted.queue_id, _s.version == expected_version)
        if not tx.execute(update(tables.survey_setting).where(*same).values(**values)).rowcount:
            raise stale
    after = replace(load_setting(tx, wanted.queue_id), queue_name=before.queue_name)
    audit.note_change(tx, actor, "survey.changed", "queue", wanted.queue_id, before, after, name=before.queue_name)
    return after


def check_setting(tx: Tx, wanted: SurveySetting) -> None:
    faults: dict[str, str] = {}
    if wanted.low_score is not None and wanted.low_score not in wanted.kind.scale:
        faults["low_score"] = Sentence(
            "must be from {least} to {most}", least=wanted.kind.scale[0], most=wanted.kind.scale[-1]
        )
    if wanted.enabled and not wanted.channels:
        faults["channels"] = Sentence("choose at least one, or switch the survey off")
    unasked = [kind.value for kind in wanted.channels if kind not in ASKABLE]
    if unasked:
        faults["channels"] = Sentence("nobody can be asked by {channel}", channel=unasked[0])
    if wanted.told is not None:
        supervisors = load_supervisors(tx, wanted.told)
        if set(wanted.told) - supervisors:
            faults["told"] = Sentence("must be active supervisors or administrators")
    if faults:
        raise InvalidInput("these settings cannot be", fields=faults)


def load_supervisors(tx: Tx, among: Collection[int] | None) -> set[int]:
    """Those who are active and may see every score; None: of all."""
    wanted = (_u.active, _u.role.in_([role.value for role in Role if role.covers(Role.SUPERVISOR)]))
    query = select(_u.id).where(*wanted)
    if among is not None:
        query = query.where(_u.id.in_(among))
    return {row.id for row in tx.rows(query)}


def _setting(row: Row[Any]) -> SurveySetting:
    return SurveySetting(
        queue_id=row.queue_id,
        queue_name=row.queue_name,
        enabled=row.enabled,
        kind=SurveyKind(row.kind),
        questions=tuple(sorted(row.questions.items())),
        language=row.language,
        channels=tuple(ChannelKind(each) for each in row.channels),
        delay_s=row.delay_s,
        throttle_days=row.throttle_days,
        open_h=row.open_h,
        low_score=row.low_score,
        told=None if row.told is None else tuple(row.told),
        scores_for_agents=row.scores_for_agents,
        version=row.version,
    )
