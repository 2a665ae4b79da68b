"""The loops of webhooks: one writes deliveries down as the stream goes on, one sends them.

Nothing here holds a transaction while a receiver is spoken to. When the process dies between claim and record, the lease runs
out and the delivery is sent again under the same id. Both wait through a database that is away.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from time import monotonic
from typing import Any

from sqlalchemy import Row, select, update

from hub.domain.languages import StaffLanguage, staff_language
from hub.errors import DatabaseAway, Misconfigured, ProviderError, Refused, Unavailable
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.stream import Stored, Wakes
from hub.store.vault import Vault
from hub.timeline.adapters import Adapters
from hub.timeline.house_mail import HouseMail, find_mail_channel, send_house_mail
from hub.webhooks import deliveries, endpoints
from hub.webhooks.catalogue import KINDS, TEST, VERSION
from hub.webhooks.deliveries import ANSWER_BYTES, Attempt, Claimed
from hub.webhooks.endpoints import WAKE_PLAN, WAKE_SEND, endpoint_fault, open_secrets, title_of
from hub.webhooks.guarded_post import guarded_post
from hub.webhooks.signatures import signed_headers

log = logging.getLogger(__name__)

_p = tables.webhook_endpoint.c
_RETRY_S = 0.5
_LOOK_EVERY_S = 30.0
# What many events tell within so short a time is written down by one transaction.
_PACE_S = 0.1
# A stop waits so long for attempts that run.
_STOP_S = 5
# Mails to administrators are tried again an hour later, for a day.
_MAIL_AGAIN, _MAIL_TRIES = timedelta(hours=1), 24


class WebhookPlanner:
    """`follow` hears of new events, `run` writes down who is to be told of them."""

    def __init__(self, database: Database, wakes: Wakes) -> None:
        self._database = database
        self._wakes = wakes

    def follow(self, events: list[Stored]) -> None:
        """A follower for store.stream.Tail."""
        if any(event.kind in KINDS for event in events):
            self._wakes.set(WAKE_PLAN)

    async def run(self) -> None:
        while True:
            began = monotonic()
            try:
                # Most hubs have no webhooks: they pay one look.
                if await self._database.read(deliveries.has_listeners) and await self._database.transaction(
                    deliveries.plan
                ):
                    continue
            except DatabaseAway:
                await asyncio.sleep(_RETRY_S)
                continue
            await self._wakes.wait(WAKE_PLAN, _LOOK_EVERY_S)
            await asyncio.sleep(max(0.0, began + _PACE_S - monotonic()))


class WebhookSender:
    """`run` sends what is due; `test` sends one that says it is a test, and keeps nothing."""

    def __init__(
        self,
        database: Database,
        wakes: Wakes,
        adapters: Adapters,
        vault: Vault,
        *,
        public_url: str,
        may_be_private: bool,
    ) -> None:
        self._database = database
        self._wakes = wakes
        self._adapters = adapters
        self._vault = vault
        self._public_url = public_url
        self._may_be_private = may_be_private
        self._in_flight: dict[asyncio.Task[None], int] = {}
        self._mails: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        try:
            while True:
                try:
                    looked_at = self._database.clock()
                    await self.step()
                    await self._wakes.wait(WAKE_SEND, await self._wait_s(looked_at))
                except DatabaseAway:
                    await asyncio.sleep(_RETRY_S)
        finally:
            # Attempts that run are let finish: an answer not recorded is a delivery sent twice.
            if self._in_flight or self._mails:
                await asyncio.wait({*self._in_flight, *self._mails}, timeout=_STOP_S)

    async def step(self) -> None:
        """Begins to send what is due; whatever is recorded wakes the loop again."""
        in_flight = set(self._in_flight.values())
        for claimed in await self._database.transaction(deliveries.claim, in_flight):
            task = asyncio.create_task(self._deliver(claimed), name=f"webhook {claimed.id}")
            self._in_flight[task] = claimed.id
            task.add_done_callback(self._landed)
        for told in await self._database.transaction(_claim_mails):
            # Beside the loop: a mail server that keeps silent must not hold up those who are told something.
            mail = asyncio.create_task(self._mail(told), name=f"webhook mail {told.endpoint_id}")
            self._mails.add(mail)
            mail.add_done_callback(self._mails.discard)

    async def settle(self) -> None:
        """Waits for everything that is under way."""
        while under_way := {*self._in_flight, *self._mails}:
            await asyncio.wait(under_way)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._in_flight.pop(task)
        # It may have been due again, and passed over because it was in flight still.
        self._wakes.set(WAKE_SEND)

    async def _wait_s(self, looked_at: datetime) -> float:
        due = await self._database.read(deliveries.next_due, looked_at)
        if due is None:
            return _LOOK_EVERY_S
        return min(max((due - self._database.clock()).total_seconds(), 0.05), _LOOK_EVERY_S)

    async def _deliver(self, claimed: Claimed) -> None:
        attempt = await self._attempt(claimed)
        if not attempt.is_taken:
            log.info(
                "webhook.attempt_failed",
                extra={"endpoint": claimed.endpoint_id, "status": attempt.status, "code": attempt.code},
            )
        while True:
            try:
                await self._database.transaction(deliveries.record, claimed, attempt)
                return
            except DatabaseAway:
                # What was answered must not be forgotten; the lease bounds how long this is of use.
                await asyncio.sleep(_RETRY_S)

    async def _attempt(self, claimed: Claimed) -> Attempt:
        try:
            now = self._database.clock()
            keys = open_secrets(self._vault, claimed.secrets, claimed.old_secret_until, now)
            headers = signed_headers(keys, claimed.message_id, int(now.timestamp()), claimed.body)
            return await self._post(claimed.url, claimed.body, headers)
        except Misconfigured:
            return Attempt(None, "secret_closed", "", 0)
        except Exception:
            # One that cannot be sent must not keep all others, and this process, from their work.
            log.exception("webhook.broken", extra={"endpoint": claimed.endpoint_id})
            return Attempt(None, "internal", "", 0)

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Attempt:
        if endpoint_fault(url, may_be_private=self._may_be_private):
            return Attempt(None, "webhook_not_allowed", "", 0)
        began = monotonic()
        try:
            answer = await guarded_post(
                url, body, headers, may_be_private=self._may_be_private, keep_bytes=ANSWER_BYTES
            )
        except (Refused, Unavailable) as error:
            return Attempt(None, error.code, "", round((monotonic() - began) * 1000))
        return Attempt(answer.status, None, answer.text, answer.duration_ms, answer.retry_after_s)

    async def test(self, endpoint_id: int) -> Attempt:
        """Sends `webhook.test` now, on or off, and says what was answered. NotFound if there is no such endpoint."""
        row = await self._database.read(endpoints.load_endpoint, endpoint_id)
        now = self._database.clock()
        at = now.isoformat().replace("+00:00", "Z")
        body = json.dumps({"type": TEST, "timestamp": at, "version": VERSION, "data": {}}, separators=(",", ":"))
        claimed = Claimed(
            id=0,
            endpoint_id=endpoint_id,
            url=row.url,
            secrets=row.secrets,
            old_secret_until=row.old_secret_until,
            message_id=f"msg_{secrets.token_urlsafe(18)}",
            body=body.encode(),
            attempts=1,
            lease_until=now,
        )
        return await self._attempt(claimed)

    # --- that one was switched off --------------------------------------------------------------------------------------

    async def _mail(self, told: SwitchedOff) -> None:
        try:
            await self._write_to_all(told)
        except DatabaseAway:
            pass  # it is due again in an hour
        except Exception:
            log.exception("webhook.mail_broken", extra={"endpoint": told.endpoint_id})

    async def _write_to_all(self, told: SwitchedOff) -> None:
        """To every administrator, if the organisation has a mail account; again later for those it did not reach."""
        channel_id = await self._database.read(find_mail_channel)
        failed = False
        if channel_id is not None:
            for person in told.people:
                mail = write_mail(told, person, self._public_url, self._database.clock())
                try:
                    await send_house_mail(self._adapters, channel_id, mail)
                except ProviderError as error:
                    log.info("webhook.mail_failed", extra={"endpoint": told.endpoint_id, "code": error.code})
                    failed = failed or not isinstance(error, Refused)
        if not failed:
            await self._database.transaction(_end_mails, told.endpoint_id)


@dataclass(frozen=True, slots=True)
class SwitchedOff:
    """An endpoint that the hub has switched off, and who is to be written to."""

    endpoint_id: int
    name: str
    why: str
    people: tuple[Row[Any], ...]
    key: str


def _claim_mails(tx: Tx) -> list[SwitchedOff]:
    """Those whose administrators are to be written to now, put off so that nobody else does."""
    due = select(tables.webhook_endpoint).where(_p.mail_due_at <= tx.now).order_by(_p.id)
    told = []
    for row in tx.rows(due.with_for_update(skip_locked=True)):
        tries = row.mail_tries + 1
        again = tx.now + _MAIL_AGAIN if tries < _MAIL_TRIES else None
        tx.execute(update(tables.webhook_endpoint).where(_p.id == row.id).values(mail_due_at=again, mail_tries=tries))
        people = tuple(deliveries.load_administrators(tx))
        name = title_of(row.description, row.url)
        # The same at every try, so that who gets it twice sees it once.
        key = f"webhook-off-{row.id}-{int(row.off_at.timestamp())}"
        told.append(SwitchedOff(row.id, name, row.off_reason, people, key))
    return told


def _end_mails(tx: Tx, endpoint_id: int) -> None:
    tx.execute(update(tables.webhook_endpoint).where(_p.id == endpoint_id).values(mail_due_at=None))


_WORDS: Mapping[StaffLanguage, Mapping[str, str]] = {
    "en": {
        "subject": "Webhook switched off: {name}",
        "failing": "The webhook “{name}” has answered nothing for three days, so the hub has switched it off.",
        "gone": "The webhook “{name}” says that it is gone for good (410), so the hub has switched it off.",
        "next": "It is told nothing of what happens from now on. What waits for it is kept for 30 days.",
        "link": "See what went wrong, and switch it on again: {link}",
    },
    "hy": {
        "subject": "Վեբհուքն անջատված է՝ {name}",
        "failing": "«{name}» վեբհուքը երեք օր չի պատասխանել, ուստի համակարգն այն անջատել է։",
        "gone": "«{name}» վեբհուքը հայտնում է, որ ընդմիշտ փակված է (410), ուստի համակարգն այն անջատել է։",
        "next": "Այս պահից սկսած նրան ոչինչ չի հաղորդվում։ Սպասող հաղորդումները պահվում են 30 օր։",
        "link": "Տեսեք՝ ինչն է խափանվել, և նորից միացրեք՝ {link}",
    },
    "uk": {
        "subject": "Вебхук вимкнено: {name}",
        "failing": "Вебхук «{name}» три дні не відповідав, тож хаб його вимкнув.",
        "gone": "Вебхук «{name}» повідомляє, що його більше немає (410), тож хаб його вимкнув.",
        "next": "Відтепер йому не кажуть, що відбувається. Те, що на нього чекає, зберігається 30 днів.",
        "link": "Подивіться, що пішло не так, і ввімкніть його знову: {link}",
    },
    "ka": {
        "subject": "ვებჰუკი გამორთულია: {name}",
        "failing": "ვებჰუკი „{name}“ სამი დღე არ პასუხობდა, ამიტომ ჰაბმა ის გამორთო.",
        "gone": "ვებჰუკი „{name}“ იტყობინება, რომ სამუდამოდ დაიხურა (410), ამიტომ ჰაბმა ის გამორთო.",
        "next": "ამიერიდან მას არაფერი ეცნობება. რაც მას ელოდება, 30 დღე ინახება.",
        "link": "ნახეთ, რა შეფერხდა, და ჩართეთ ხელახლა: {link}",
    },
    "az": {
        "subject": "Vebhuk söndürüldü: {name}",
        "failing": "“{name}” vebhuku üç gün cavab vermədi, ona görə də hab onu söndürdü.",
        "gone": "“{name}” vebhuku birdəfəlik bağlandığını bildirir (410), ona görə də hab onu söndürdü.",
        "next": "Bundan sonra baş verənlər ona bildirilmir. Onu gözləyənlər 30 gün saxlanılır.",
        "link": "Nəyin alınmadığına baxın və onu yenidən qoşun: {link}",
    },
}


def write_mail(told: SwitchedOff, person: Row[Any], public_url: str, now: datetime) -> HouseMail:
    language = staff_language(person.language)
    words = _WORDS[language]
    link = f"{public_url}/admin/webhooks/{told.endpoint_id}"
    subject = words["subject"].format(name=told.name)
    said = [words[line].format(name=told.name, link=link) for line in (told.why, "next", "link")]
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in said)
    return HouseMail(
        delivery_id=f"{told.key}-{person.id}",
        address=person.email,
        name=person.name,
        subject=subject,
        text="\n\n".join(said) + "\n",
        html=f'<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8">'
        f"<title>{escape(subject)}</title></head><body><h2>{escape(subject)}</h2>{paragraphs}</body></html>",
        created_at=now,
    )
