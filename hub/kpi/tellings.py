"""Telling people and programs of alerts: by mail, by webhook, each until it has arrived or is given up.

    claim ─► send_house_mail | post_webhook ─► record       claimed rows are put off by a lease, so one process has each

A telling is repeated (with its own delivery id, by which whoever gets it twice knows it) after an answer that says "later",
after silence, and after a process died over it; what is refused is given up. That a limit is well again is told after that
it broke, never before. Slow receivers keep others waiting for one attempt at most, and nothing but this loop.

`Watch.look` is the other loop: it looks at what is watched every few seconds, whoever is told.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, delete, exists, func, select, update

from hub.domain.languages import StaffLanguage, staff_language
from hub.errors import DatabaseAway, HubError, ProviderError, Refused, Unavailable
from hub.kpi.belonging import load_zone
from hub.kpi.limits import WAKE, judge, load_rule, look
from hub.kpi.live_figures import unit_of
from hub.kpi.measure_words import measure_name, seconds_text
from hub.kpi.measures import MEASURES, Unit
from hub.kpi.moments import MOMENTS
from hub.kpi.webhooks import post_webhook
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.stream import Wakes
from hub.store.vault import Vault
from hub.timeline.adapters import Adapters
from hub.timeline.house_mail import HouseMail, find_mail_channel, send_house_mail

log = logging.getLogger(__name__)

_t, _al, _r = tables.kpi_telling.c, tables.kpi_alert.c, tables.kpi_alert_rule.c

# Waits are told in seconds: an alert shall be, too, and 200 figures every 5 s are little work (docs/performance.md).
LOOK_EVERY_S = 5.0
_RETRY_S = 0.5
_IDLE_S = 30.0
_AT_ONCE = 10
# Longer than an attempt takes at most (timeline.house_mail).
_LEASE = timedelta(minutes=3)
# 5 s, 10 s … 21 min: an hour in all. Who is told later than that learns nothing from it.
_BACK_OFF_S, _TRIES = 5.0, 10
# What was told long ago.
_KEEP = timedelta(days=90)
_PRUNE_EVERY_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Telling:
    """`what`: raised, healed, or test. `value`: at that moment; None: there is no figure any more. `of`: whose it is.
    `zone`: by whose clocks a mail tells times."""

    delivery_id: str
    what: str
    channel: str
    address: str
    secret: str | None
    at: datetime
    alert_id: int | None
    rule_id: int | None
    name: str
    measure: str
    scope: str
    scope_id: int | None
    of: str
    raise_at: float
    clear_at: float
    raised_at: datetime | None
    value: float | None
    language: str = "en"
    zone: str = "UTC"
    telling_id: int | None = None
    tries: int = 0


# --- rows ---------------------------------------------------------------------------------------------------------------


def claim(tx: Tx) -> list[Telling]:
    """What is due, put off so that nobody else takes it up."""
    earlier = tables.kpi_telling.alias()
    is_first = ~exists().where(
        earlier.c.alert_id == _t.alert_id,
        earlier.c.channel == _t.channel,
        earlier.c.address == _t.address,
        earlier.c.id < _t.id,
        earlier.c.due_at.is_not(None),
    )
    due = (
        select(_t.id)
        .where(_t.due_at <= tx.now, is_first)
        .order_by(_t.due_at, _t.id)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    ids = [row.id for row in tx.rows(due)]
    if not ids:
        return []
    tx.execute(update(tables.kpi_telling).where(_t.id.in_(ids)).values(due_at=tx.now + _LEASE, tries=_t.tries + 1))
    rows = tx.rows(
        select(tables.kpi_telling, *(column for column in _al if column.name != "id"))
        .join(tables.kpi_alert, _al.id == _t.alert_id)
        .where(_t.id.in_(ids))
        .order_by(_t.id)
    )
    return [_telling(tx, row) for row in rows]


def _telling(tx: Tx, row: Row[Any]) -> Telling:
    is_raised = row.what == "raised"
    return Telling(
        delivery_id=row.delivery_id,
        what=row.what,
        channel=row.channel,
        address=row.address,
        secret=row.secret,
        at=row.raised_at if is_raised else row.healed_at or tx.now,
        alert_id=row.alert_id,
        rule_id=row.rule_id,
        name=row.name,
        measure=row.measure,
        scope=row.scope,
        scope_id=row.scope_id,
        of=_name_of_scope(tx, row.scope, row.scope_id),
        raise_at=row.raise_at,
        clear_at=row.clear_at,
        raised_at=row.raised_at,
        value=row.value if is_raised else row.healed_value,
        language=_language_of(tx, row.address),
        zone=load_zone(tx).key,
        telling_id=row.id,
        tries=row.tries,
    )


_SCOPES: Mapping[str, Any] = {"queue": tables.queue, "team": tables.team, "agent": tables.user_account}


def _name_of_scope(tx: Tx, scope: str, scope_id: int | None) -> str:
    if scope_id is None:
        return ""
    columns = _SCOPES[scope].c
    return tx.scalar(select(columns.name).where(columns.id == scope_id)) or ""


def _language_of(tx: Tx, address: str) -> str:
    u = tables.user_account.c
    return tx.scalar(select(u.language).where(u.email == address)) or "en"


def record(tx: Tx, telling: Telling, failure: ProviderError | None) -> None:
    """What became of an attempt: done, given up, or to be tried again. Why it failed stands at the rule, for each address."""
    due_at = None
    if failure is not None and not isinstance(failure, Refused) and telling.tries < _TRIES:
        due_at = tx.now + timedelta(seconds=_BACK_OFF_S * 2 ** (telling.tries - 1))
    tx.execute(update(tables.kpi_telling).where(_t.id == telling.telling_id).values(due_at=due_at))
    note_trouble(tx, telling.rule_id, {telling.address: None if failure is None else failure.message})


def note_trouble(tx: Tx, rule_id: int | None, outcomes: Mapping[str, str | None]) -> None:
    """Why these addresses could not be told; None: they were. What is known of others stays, and of those that the rule no
    longer names nothing is kept."""
    row = tx.first(
        select(_r.emails, _r.webhook_url, _r.troubles).where(_r.id == rule_id).with_for_update(of=tables.kpi_alert_rule)
    )
    if row is None:
        return
    known: dict[str, str | None] = {**(row.troubles or {}), **outcomes}
    troubles = {each: known[each] for each in (*row.emails, row.webhook_url) if known.get(each)} or None
    if troubles != row.troubles:
        tx.execute(update(tables.kpi_alert_rule).where(_r.id == rule_id).values(troubles=troubles))


def trouble_of(rule: Row[Any]) -> str | None:
    """In words, with whose it is unless all have the same; None: the last telling reached everybody."""
    whose: dict[str, list[str]] = {}
    troubles: Mapping[str, str] = rule.troubles or {}
    for address, words in troubles.items():
        whose.setdefault(words, []).append("webhook" if address == rule.webhook_url else address)
    if not whose:
        return None
    if len(whose) == 1 and len(troubles) == len(rule.emails) + (rule.webhook_url is not None):
        return next(iter(whose))
    return " ".join(f"{', '.join(addresses)}: {words}" for words, addresses in whose.items())


def next_moment(tx: Tx) -> datetime | None:
    moment: datetime | None = tx.scalar(select(func.min(_t.due_at)))
    return moment


def prune(tx: Tx) -> None:
    """Forgets alerts of long ago, and who was told of them."""
    tx.execute(delete(tables.kpi_alert).where(_al.healed_at < tx.now - _KEEP))


# --- words --------------------------------------------------------------------------------------------------------------

_WORDS: Mapping[StaffLanguage, Mapping[str, str]] = {
    "en": {
        "raised": "Broken: {name}",
        "healed": "Well again: {name}",
        "test": "Test: {name}",
        "is": "{figure}{of} is {value}; the limit is {limit}.",
        "none": "{figure}{of}: there is no figure any more, or nobody watches it. The limit was {limit}.",
        "since": "It was broken from {raised} to {at} ({zone}).",
        "at": "It broke at {at} ({zone}).",
        "tried": "This is a test. Nothing is broken.",
        "why": "You get this mail because an administrator has named your address for this limit.",
    },
    "hy": {
        "raised": "Խախտված է՝ {name}",
        "healed": "Կարգավորվել է՝ {name}",
        "test": "Փորձ՝ {name}",
        "is": "{figure}{of}՝ {value}․ սահմանը՝ {limit}։",
        "none": "{figure}{of}․ արժեք այլևս չկա, կամ այն այլևս չի հսկվում։ Սահմանը՝ {limit}։",
        "since": "Խախտված էր {raised}-ից մինչև {at} ({zone})։",
        "at": "Խախտվել է {at}-ին ({zone})։",
        "tried": "Սա փորձ է։ Ոչինչ խախտված չէ։",
        "why": "Նամակը գալիս է, քանի որ ադմինիստրատորն այս սահմանի համար նշել է ձեր հասցեն։",
    },
    "uk": {
        "raised": "Порушено: {name}",
        "healed": "Знову гаразд: {name}",
        "test": "Проба: {name}",
        "is": "{figure}{of}: {value}; межа — {limit}.",
        "none": "{figure}{of}: значення більше немає або за ним ніхто не стежить. Межа була {limit}.",
        "since": "Було порушено від {raised} до {at} ({zone}).",
        "at": "Порушено {at} ({zone}).",
        "tried": "Це проба. Нічого не порушено.",
        "why": "Ви отримали цей лист, бо адміністратор вказав вашу адресу для цієї межі.",
    },
    "ka": {
        "raised": "დაირღვა: {name}",
        "healed": "ისევ წესრიგშია: {name}",
        "test": "ცდა: {name}",
        "is": "{figure}{of}: {value}; ზღვარი — {limit}.",
        "none": "{figure}{of}: მნიშვნელობა აღარ არის ან მას აღარავინ აკვირდება. ზღვარი იყო {limit}.",
        "since": "დარღვეული იყო: {raised} – {at} ({zone}).",
        "at": "დაირღვა: {at} ({zone}).",
        "tried": "ეს ცდაა. არაფერი დარღვეულა.",
        "why": "ეს წერილი მოგდით, რადგან ადმინისტრატორმა ამ ზღვრისთვის თქვენი მისამართი მიუთითა.",
    },
    "az": {
        "raised": "Pozuldu: {name}",
        "healed": "Yenidən qaydasındadır: {name}",
        "test": "Sınaq: {name}",
        "is": "{figure}{of}: {value}; hədd — {limit}.",
        "none": "{figure}{of}: artıq göstərici yoxdur və ya onu heç kim izləmir. Hədd {limit} idi.",
        "since": "{raised} – {at} arasında pozulmuşdu ({zone}).",
        "at": "{at} pozuldu ({zone}).",
        "tried": "Bu sınaqdır. Heç nə pozulmayıb.",
        "why": "Bu məktubu alırsınız, çünki administrator bu hədd üçün sizin ünvanınızı göstərib.",
    },
}


def value_text(value: float, unit: Unit, language: StaffLanguage = "en") -> str:
    """As people write it: 71.5 %, 1 h 2 min, 12; but in English with a comma before what is less than one."""
    if unit is Unit.SECONDS:
        return seconds_text(value, language)
    text = f"{round(value * 100, 1):g} %" if unit is Unit.SHARE else f"{round(value, 2):g}"
    return text if language == "en" else text.replace(".", ",")


def write_mail(telling: Telling, now: datetime) -> HouseMail:
    language = staff_language(telling.language)
    words = _WORDS[language]
    # A figure of an older release may be gone.
    is_known = telling.measure in MOMENTS or telling.measure in MEASURES
    unit = unit_of(telling.measure) if is_known else Unit.POINTS
    named = {
        "name": telling.name,
        "figure": measure_name(telling.measure, language) if is_known else telling.measure,
        "of": f" ({telling.of})" if telling.of else "",
        "value": "" if telling.value is None else value_text(telling.value, unit, language),
        "limit": value_text(telling.raise_at, unit, language),
        "at": _clock(telling.at, telling.zone),
        "raised": "" if telling.raised_at is None else _clock(telling.raised_at, telling.zone),
        "zone": telling.zone,
    }
    lines = {
        "raised": ("is", "at", "why"),
        "healed": ("none" if telling.value is None else "is", "since", "why"),
        "test": (*(() if telling.value is None else ("is",)), "tried", "why"),
    }[telling.what]
    said = [words[line].format(**named) for line in lines]
    subject = words[telling.what].format(**named)
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in said)
    return HouseMail(
        delivery_id=telling.delivery_id,
        address=telling.address,
        name="",
        subject=subject,
        text="\n\n".join(said) + "\n",
        html=f'<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8">'
        f"<title>{escape(subject)}</title></head><body><h2>{escape(subject)}</h2>{paragraphs}</body></html>",
        created_at=now,
    )


def _clock(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def write_webhook(telling: Telling) -> bytes:
    body = {
        "id": telling.delivery_id,
        "event": f"kpi_alert.{telling.what}",
        "at": telling.at.isoformat(),
        "alert": {
            "id": telling.alert_id,
            "rule_id": telling.rule_id,
            "name": telling.name,
            "measure": telling.measure,
            "scope": telling.scope,
            "scope_id": telling.scope_id,
            "scope_name": telling.of or None,
            "raise_at": telling.raise_at,
            "clear_at": telling.clear_at,
            "raised_at": telling.raised_at.isoformat() if telling.raised_at is not None else None,
            "value": telling.value,
        },
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


# --- sending ------------------------------------------------------------------------------------------------------------


class Teller:
    """Hands one telling over; a ProviderError says why not."""

    def __init__(self, database: Database, adapters: Adapters, vault: Vault, *, may_be_private: bool) -> None:
        self._database = database
        self._adapters = adapters
        self._vault = vault
        self._may_be_private = may_be_private

    async def tell(self, telling: Telling) -> None:
        now = self._database.clock()
        if telling.channel == "email":
            channel_id = await self._database.read(find_mail_channel)
            if channel_id is None:
                raise Unavailable("There is no e-mail channel to send it from.", code="no_mail_channel")
            await send_house_mail(self._adapters, channel_id, write_mail(telling, now))
            return
        try:
            secret = self._vault.unseal(telling.secret or "").get("secret", "")
        except HubError as error:
            raise Refused("The webhook's secret cannot be opened; set it anew.", code=error.code) from error
        await post_webhook(
            telling.address,
            secret,
            write_webhook(telling),
            delivery_id=telling.delivery_id,
            now=now,
            may_be_private=self._may_be_private,
        )

    async def test(self, rule_id: int) -> str | None:
        """Tells everybody the rule names, at once and marked as a test; what went wrong in words, None: nothing. NotFound if
        there is no such rule."""
        tellings = await self._database.read(_load_test, rule_id)
        outcomes = await asyncio.gather(*(self._try(each) for each in tellings))
        said = {
            telling.address: None if failure is None else failure.message
            for telling, failure in zip(tellings, outcomes, strict=True)
        }
        await self._database.transaction(note_trouble, rule_id, said)
        rule, _ = await self._database.read(load_rule, rule_id)
        return trouble_of(rule)

    async def _try(self, telling: Telling) -> ProviderError | None:
        try:
            await self.tell(telling)
        except ProviderError as error:
            log.info("kpi.telling_failed", extra={"channel": telling.channel, "code": error.code})
            return error
        except DatabaseAway:
            raise
        except Exception:
            # One that cannot be told must not keep all others, and this process, from their work.
            log.exception("kpi.telling_broken", extra={"channel": telling.channel})
            return Refused("The hub could not send it: a fault of its own, which its log describes.", code="internal")
        return None

    async def step(self) -> bool:
        """Tells what is due at this moment; False: there was nothing."""
        due = await self._database.transaction(claim)
        await asyncio.gather(*(self._tell_and_record(each) for each in due))
        return bool(due)

    async def _tell_and_record(self, telling: Telling) -> None:
        failure = await self._try(telling)
        while True:
            try:
                await self._database.transaction(record, telling, failure)
                return
            except DatabaseAway:
                # That it was told must not be forgotten.
                await asyncio.sleep(_RETRY_S)


def _load_test(tx: Tx, rule_id: int) -> list[Telling]:
    row, _ = load_rule(tx, rule_id)
    telling = Telling(
        delivery_id="",
        what="test",
        channel="email",
        address="",
        secret=None,
        at=tx.now,
        alert_id=None,
        rule_id=row.id,
        name=row.name,
        measure=row.measure,
        scope=row.scope,
        scope_id=row.scope_id,
        of=_name_of_scope(tx, row.scope, row.scope_id),
        raise_at=row.raise_at,
        clear_at=row.clear_at,
        raised_at=None,
        value=row.value,
    )
    places = [("email", address, None) for address in row.emails]
    if row.webhook_url is not None:
        places.append(("webhook", row.webhook_url, row.webhook_secret))
    return [
        replace(
            telling,
            delivery_id=secrets.token_urlsafe(18),
            channel=channel,
            address=address,
            secret=secret,
            language=_language_of(tx, address),
        )
        for channel, address, secret in places
    ]


class Watch:
    """Two loops that wait through a database that is away: `look` judges what is watched, `tell` tells of it."""

    def __init__(self, database: Database, wakes: Wakes, teller: Teller) -> None:
        self._database = database
        self._wakes = wakes
        self._teller = teller

    async def look(self) -> None:
        while True:
            try:
                looked = await self._database.read(look)
                if looked is not None:
                    await self._database.transaction(judge, looked)
            except DatabaseAway:
                await asyncio.sleep(_RETRY_S)
                continue
            await asyncio.sleep(LOOK_EVERY_S)

    async def tell(self) -> None:
        pruned_at = float("-inf")
        clock = asyncio.get_running_loop().time
        while True:
            try:
                if clock() - pruned_at > _PRUNE_EVERY_S:
                    await self._database.transaction(prune)
                    pruned_at = clock()
                if await self._teller.step():
                    continue
                moment = await self._database.read(next_moment)
            except DatabaseAway:
                await asyncio.sleep(_RETRY_S)
                continue
            wait_s = _IDLE_S
            if moment is not None:
                # At least so long: what is due may be in another process's hands.
                wait_s = min(max((moment - self._database.clock()).total_seconds(), _RETRY_S), _IDLE_S)
            await self._wakes.wait(WAKE, wait_s)
