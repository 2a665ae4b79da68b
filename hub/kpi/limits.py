"""Limits that are watched: rules of administrators, and the alerts they raise.

    load_watched ─► live_figures.load_values (reads only) ─► judge: limit_state.next_standing ─► kpi_alert, KpiAlertChanged,
                                                              one transaction                    kpi_telling (kpi.tellings)

Invariants:
  * How a rule stands is in its row, so a restart goes on where it was: nothing is told twice and nothing is forgotten.
  * A rule is judged under its row's lock, by figures that are newer than those it was judged by before; at most one alert of
    a rule stands (an index sees to it). Several processes may look at the same time; mostly one does (`find_due`).
  * An alert and who is to be told of it are one transaction: what broke is told, whoever dies when.

While figures are made anew, limits on them are not judged (is_judged): what was broken stays so, what may break is not told.

An alert keeps the limit as it was. A rule that is changed in what it watches, switched off or removed ends its alert: there
is no longer anything to be broken, and who was told of it is told so.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, delete, func, select, update

from hub.agents import alerts, audit
from hub.agents.viewer import Viewer
from hub.domain.events import SUPERVISORS, KpiAlertChanged
from hub.domain.sentences import Sentence
from hub.domain.values import Role
from hub.domain.views import KpiAlertView
from hub.errors import Conflict, InvalidInput, NotFound
from hub.kpi.cells import DIM_WORDS, Dim
from hub.kpi.limit_state import Limit, Standing, next_standing
from hub.kpi.live_figures import Watched, better_of, is_told, load_values
from hub.kpi.moments import MOMENTS
from hub.kpi.remaking import load_progress
from hub.kpi.targets import Scope, scope_faults
from hub.store import tables
from hub.store.database import Tx
from hub.store.vault import Vault
from hub.webhooks.guarded_post import url_fault

_r, _al, _u = tables.kpi_alert_rule.c, tables.kpi_alert.c, tables.user_account.c
_SUPERVISING = [role.value for role in Role if role.covers(Role.SUPERVISOR)]
# Of an alert in the list of those who are to look at it.
_REASON = "limit"

# Wakes the loop that tells (kpi.tellings).
WAKE = "kpi_tellings"
# A rule that another process has looked at within this is left to it.
_FRESH = timedelta(seconds=3)
# After so long without a look a figure has not been beyond its limit "without a break".
_BLIND = timedelta(seconds=60)

RULE_LIMIT = 200
EMAIL_LIMIT = 20
_LONGEST_S = 86_400
_EMAIL = re.compile(r"[^@\s,;<>]{1,64}@[^@\s,;<>]{1,190}")
# Fewer characters are guessed.
_SECRET_LENGTH = range(16, 201)


@dataclass(frozen=True, slots=True)
class Rule:
    """What of a rule is set. `measure`: a measure's id, or a live figure's. `webhook_secret` None: as it was."""

    name: str
    measure: str
    scope: Scope
    scope_id: int | None
    raise_at: float
    clear_at: float
    for_s: int = 0
    enabled: bool = True
    to_console: bool = True
    emails: tuple[str, ...] = ()
    webhook_url: str | None = None
    webhook_secret: str | None = None


# --- rules --------------------------------------------------------------------------------------------------------------


def load_rules(tx: Tx) -> list[tuple[Row[Any], datetime | None]]:
    """Each with since when it is broken (None: it is not), by id."""
    rules = (
        select(tables.kpi_alert_rule, _al.raised_at)
        .outerjoin(tables.kpi_alert, (_al.rule_id == _r.id) & _al.healed_at.is_(None))
        .order_by(_r.id)
    )
    return [(row, row.raised_at) for row in tx.rows(rules)]


def is_judged(tx: Tx, row: Row[Any]) -> bool:
    """Whether the figure that a rule watches is told now: measures are not while they are made anew."""
    return row.measure in MOMENTS or load_progress(tx, tx.now).is_current


def load_rule(tx: Tx, rule_id: int) -> tuple[Row[Any], datetime | None]:
    found = [each for each in load_rules(tx) if each[0].id == rule_id]
    if not found:
        raise NotFound("there is no such limit")
    return found[0]


def create_rule(tx: Tx, vault: Vault, given: Rule, *, may_be_private: bool, actor: Viewer | None = None) -> int:
    """The id. InvalidInput naming every fault. `may_be_private`: webhooks may lead into our own network."""
    if (tx.scalar(select(func.count()).select_from(tables.kpi_alert_rule)) or 0) >= RULE_LIMIT:
        raise Conflict(f"there are {RULE_LIMIT} limits already", code="too_many")
    _check(tx, given, has_secret=False, may_be_private=may_be_private)
    rule_id = tx.insert(tables.kpi_alert_rule, _values(vault, given, None))
    audit.note(tx, actor, "alert_rule.created", "alert_rule", rule_id, {"name": given.name.strip()})
    return rule_id


def replace_rule(
    tx: Tx,
    vault: Vault,
    rule_id: int,
    given: Rule,
    expected_version: int,
    *,
    may_be_private: bool,
    actor: Viewer | None = None,
) -> None:
    """The rule whole. Conflict `version_conflict` if somebody changed it meanwhile."""
    before = _lock(tx, rule_id)
    if before.version != expected_version:
        raise Conflict("somebody changed this limit meanwhile", code="version_conflict")
    _check(tx, given, has_secret=before.webhook_secret is not None, may_be_private=may_be_private)
    values = _values(vault, given, before.webhook_secret)
    is_other = any(before._mapping[name] != values[name] for name in _WATCHES) or not given.enabled
    if is_other:
        _end_alert(tx, before, value=None)
        values |= {"beyond_since": None, "looked_at": None, "value": None}
    # With another secret another webhook may listen.
    same = (*values["emails"], *((given.webhook_url,) if given.webhook_secret is None else ()))
    values["troubles"] = {each: words for each, words in (before.troubles or {}).items() if each in same} or None
    tx.execute(update(tables.kpi_alert_rule).where(_r.id == rule_id).values(version=_r.version + 1, **values))
    # The path of a webhook's address may be a secret.
    secret = {"webhook_url", "webhook_secret"}
    after = _lock(tx, rule_id)
    told = [{name: row._mapping[name] for name in (*_TOLD, *secret)} for row in (before, after)]
    audit.note_change(tx, actor, "alert_rule.changed", "alert_rule", rule_id, *told, name=before.name, secret=secret)


# What a rule watches: with another of these it is another limit.
_WATCHES = ("measure", "scope", "scope_id", "raise_at", "clear_at")
# What the audit log says of a change.
_TOLD = ("name", *_WATCHES, "for_s", "enabled", "to_console", "emails")


def remove_rule(tx: Tx, rule_id: int, *, actor: Viewer | None = None) -> None:
    """Its alerts of before stay in the list."""
    row = _lock(tx, rule_id)
    _end_alert(tx, row, value=None)
    audit.note(tx, actor, "alert_rule.removed", "alert_rule", rule_id, {"name": row.name})
    tx.execute(delete(tables.kpi_alert_rule).where(_r.id == rule_id))


def _lock(tx: Tx, rule_id: int) -> Row[Any]:
    row = tx.first(select(tables.kpi_alert_rule).where(_r.id == rule_id).with_for_update())
    if row is None:
        raise NotFound("there is no such limit")
    return row


def _check(tx: Tx, given: Rule, *, has_secret: bool, may_be_private: bool) -> None:
    faults = scope_faults(tx, given.scope, given.scope_id)
    if not given.name.strip().isprintable() or not 0 < len(given.name.strip()) <= 80:
        faults["name"] = Sentence("must have {least} to {most} visible characters", least=1, most=80)
    if not is_told(given.measure, given.scope):
        exists = any(is_told(given.measure, scope) for scope in ("all", "queue", "team", "agent"))
        not_by = Sentence("is not told by {dim}", dim=DIM_WORDS[Dim(given.scope)])
        faults["measure"] = not_by if exists else Sentence("there is no such figure")
    else:
        faults |= Limit(given.raise_at, given.clear_at, given.for_s, better_of(given.measure)).faults()
    if not 0 <= given.for_s <= _LONGEST_S:
        faults["for_s"] = Sentence("must be {least} to {most}", least=0, most=_LONGEST_S)
    if len(given.emails) > EMAIL_LIMIT:
        faults["emails"] = Sentence("must be at most {count}", count=EMAIL_LIMIT)
    elif wrong := [address for address in given.emails if not _EMAIL.fullmatch(address)]:
        faults["emails"] = Sentence(
            "no e-mail address: {addresses}", addresses=", ".join(address[:80] for address in wrong)
        )
    if given.webhook_url is not None:
        if fault := url_fault(given.webhook_url, may_be_private=may_be_private):
            faults["webhook_url"] = fault
        if given.webhook_secret is None and not has_secret:
            faults["webhook_secret"] = Sentence("is needed: whoever gets the message knows by it that it is ours")
    if given.webhook_secret is not None and len(given.webhook_secret) not in _SECRET_LENGTH:
        faults["webhook_secret"] = Sentence(
            "must have {least} to {most} characters", least=_SECRET_LENGTH.start, most=_SECRET_LENGTH.stop - 1
        )
    if faults:
        raise InvalidInput("the limit cannot be so", fields=faults)


def _values(vault: Vault, given: Rule, sealed: str | None) -> dict[str, Any]:
    if given.webhook_secret is not None:
        sealed = vault.seal({"secret": given.webhook_secret})
    return {
        "name": given.name.strip(),
        "measure": given.measure,
        "scope": given.scope,
        "scope_id": given.scope_id,
        "raise_at": given.raise_at,
        "clear_at": given.clear_at,
        "for_s": given.for_s,
        "enabled": given.enabled,
        "to_console": given.to_console,
        "emails": list(dict.fromkeys(address.lower() for address in given.emails)),
        "webhook_url": given.webhook_url,
        "webhook_secret": sealed if given.webhook_url is not None else None,
    }


# --- alerts -------------------------------------------------------------------------------------------------------------


def load_standing(tx: Tx) -> list[KpiAlertView]:
    """Those of the console that are not well again, by id."""
    standing = select(tables.kpi_alert).where(_al.healed_at.is_(None), _al.to_console).order_by(_al.id)
    return [_view(row) for row in tx.rows(standing)]


def load_alerts(tx: Tx, limit: int, rule_id: int | None = None) -> list[KpiAlertView]:
    """Those that stand first, then the others; the newest first. None: of all rules."""
    newest = select(tables.kpi_alert).order_by(_al.healed_at.is_not(None), _al.id.desc()).limit(limit)
    if rule_id is not None:
        newest = newest.where(_al.rule_id == rule_id)
    return [_view(row) for row in tx.rows(newest)]


# --- looking ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Looked:
    """The figures of one moment, by the id and version of the rule that watches them."""

    at: datetime
    values: Mapping[tuple[int, int], float | None]


def look(tx: Tx) -> Looked | None:
    """The figures that are watched, as they are now; None: nobody watches any, or somebody else has just looked. Only
    reads."""
    # What was looked at in the future was so before the clock was set back.
    is_due = _r.looked_at.is_(None) | (_r.looked_at <= tx.now - _FRESH) | (_r.looked_at > tx.now)
    rules = tx.rows(select(_r.id, _r.version, _r.measure, _r.scope, _r.scope_id).where(_r.enabled, is_due))
    if not rules:
        return None
    watched = {(row.id, row.version): Watched(row.measure, row.scope, row.scope_id) for row in rules}
    values = load_values(tx, watched.values())
    return Looked(tx.now, {rule: values[each] for rule, each in watched.items() if each in values})


def judge(tx: Tx, looked: Looked) -> None:
    """Says which limits broke and which are well again, and who is to be told. A rule that was changed since `looked`, or
    judged by newer figures, is left alone. What is beyond now is no newer: the clock was set back, and nothing is known of
    how long a figure has been beyond its limit."""
    rules = tx.rows(
        select(tables.kpi_alert_rule)
        .where(_r.enabled, _r.id.in_([rule_id for rule_id, _ in looked.values]))
        .order_by(_r.id)
        .with_for_update(skip_locked=True)
    )
    broken = set(
        tx.execute(
            select(_al.rule_id).where(_al.healed_at.is_(None), _al.rule_id.in_([row.id for row in rules]))
        ).scalars()
    )
    seen: list[dict[str, Any]] = []
    for row in rules:
        looked_at = None if row.looked_at is None or row.looked_at > tx.now else row.looked_at
        if (row.id, row.version) not in looked.values or (looked_at is not None and looked_at >= looked.at):
            continue
        value = looked.values[row.id, row.version]
        limit = Limit(row.raise_at, row.clear_at, row.for_s, better_of(row.measure))
        # What was so while nobody looked, nobody knows.
        is_unbroken = looked_at is not None and looked.at - looked_at <= _BLIND
        before = Standing(row.beyond_since if is_unbroken else None, row.id in broken)
        after, what = next_standing(limit, before, value, looked.at)
        seen.append({"id": row.id, "looked_at": looked.at, "value": value, "beyond_since": after.beyond_since})
        if what == "raised" and value is not None:
            _raise_alert(tx, row, value)
        elif what == "healed":
            _end_alert(tx, row, value)
    tx.update_many(tables.kpi_alert_rule, seen)


def _raise_alert(tx: Tx, rule: Row[Any], value: float) -> None:
    kept = ("name", "measure", "scope", "scope_id", "raise_at", "clear_at", "to_console")
    alert_id = tx.insert(
        tables.kpi_alert,
        {"rule_id": rule.id, "raised_at": tx.now, "value": value, **{name: rule._mapping[name] for name in kept}},
    )
    _tell(tx, alert_id, rule, "raised")
    if rule.to_console:
        told = {name: rule._mapping[name] for name in ("name", "measure", "scope", "scope_id")}
        told |= {"alert_id": alert_id, "value": str(value)}
        supervisors = {row.id for row in tx.rows(select(_u.id).where(_u.active, _u.role.in_(_SUPERVISING)))}
        alerts.raise_alert(tx, supervisors, level="notify", reason=_REASON, conversation_id=None, data=told)


def _end_alert(tx: Tx, rule: Row[Any], value: float | None) -> None:
    """It is well again, or (None) there is nothing any more to be broken. Nothing happens if it is not broken."""
    ended = (
        update(tables.kpi_alert)
        .where(_al.rule_id == rule.id, _al.healed_at.is_(None))
        .values(healed_at=tx.now, healed_value=value, version=_al.version + 1)
        .returning(_al.id)
    )
    for row in tx.rows(ended):
        _tell(tx, row.id, rule, "healed")
        # Whoever has not looked yet learns that it was broken, and that it is well again.
        alerts.add_to_alerts(tx, _REASON, {"alert_id": row.id}, {"healed_at": tx.now.isoformat()})


def _tell(tx: Tx, alert_id: int, rule: Row[Any], what: Literal["raised", "healed"]) -> None:
    row = tx.first(select(tables.kpi_alert).where(_al.id == alert_id))
    assert row is not None
    if row.to_console:
        tx.emit(KpiAlertChanged(_view(row)), {SUPERVISORS})
    places = [("email", address, None) for address in rule.emails]
    if rule.webhook_url is not None:
        places.append(("webhook", rule.webhook_url, rule.webhook_secret))
    tellings = [
        {
            "alert_id": alert_id,
            "what": what,
            "channel": channel,
            "address": address,
            "secret": secret,
            "delivery_id": secrets.token_urlsafe(18),
            "due_at": tx.now,
        }
        for channel, address, secret in places
    ]
    tx.insert_many(tables.kpi_telling, tellings)
    if tellings:
        tx.wake(WAKE)


def _view(row: Row[Any]) -> KpiAlertView:
    return KpiAlertView(
        id=row.id,
        rule_id=row.rule_id,
        name=row.name,
        measure=row.measure,
        scope=row.scope,
        scope_id=row.scope_id,
        raise_at=row.raise_at,
        clear_at=row.clear_at,
        raised_at=row.raised_at,
        value=row.value,
        healed_at=row.healed_at,
        healed_value=row.healed_value,
        version=row.version,
    )
