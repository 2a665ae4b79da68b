"""Tells lines what the hub wants: the loop between the rows of legs and their providers.

    leg.scene_version > leg.applied_version → claim with a lease, committed → the adapter's verb, outside any transaction
                                            → record: applied | again later | the leg is broken

A scene is told until it is understood: telling it twice is harmless. Dialling is not: after an attempt whose fate is not
known the provider is asked first (find_leg), and only a call that surely never began is made again.

Beside that, in the same loop: what recording is wanted, deadlines (conductor.end_what_is_due), the place of waiting callers,
and whether legs that we believe in are still there: a line that knows all its legs is asked often, any other when nothing was
heard of a leg for a minute. So a missing callback leaves nobody ringing and nobody busy.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, or_, select, update

from hub.calls import conductor, records, sounds
from hub.calls.records import TALKS, WAITS
from hub.calls.scenes import read_scene, with_addresses
from hub.channels import hubline
from hub.channels.voice import LegOrder, Over, Scene, VoiceChannel
from hub.domain.calls import LegEnd, Party, Recording
from hub.domain.states import CallState, LegState
from hub.domain.values import ChannelKind
from hub.errors import DatabaseAway, HubError, NotFound, ProviderError, Refused, Unavailable, Uncertain
from hub.routing import estimates
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.stream import Wakes
from hub.store.vault import Vault
from hub.timeline import outbox
from hub.timeline.adapters import Adapters

log = logging.getLogger(__name__)

_ca, _l, _ch = tables.call.c, tables.leg.c, tables.channel.c

WAKE = "calls"
_LIMIT = 50
# A provider answers within seconds (channels.twilio: 10 + 20 s); after this somebody else may try.
_LEASE_S = 40.0
_ATTEMPT_TIMEOUT_S = 30.0
_LOOK_EVERY_S = 10.0
_RETRY_S = 0.5
# An answer to "is this leg there?" is worth so much; a leg that young may not be known everywhere yet.
_CHECK_EVERY_S = 5.0
_SETTLED_S = 10.0
# The line itself does not answer: after so long its legs count as gone.
_LINE_GONE_S = 20.0
# … and before that the account's health says so: a media process that is being started needs a moment.
_LINE_DOWN_S = 8.0
_SILENT_S = 60.0
_RECORD_AGAIN_S = 2.0
_PLACES_EVERY_S = 15.0
_LONGEST_PAUSE_S = 10.0
_FIRST_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Wanted:
    """A leg whose line has to be told something. `before`: what it was told last; `attempts`: how often that has failed."""

    channel_id: str
    order: LegOrder
    before: Scene | None
    attempts: int


def order_of(tx: Tx, leg: Row[Any], vault: Vault, public_url: str) -> LegOrder:
    call = records.load_row(tx, leg.call_id)
    queue_line = tx.scalar(select(_ch.settings).where(_ch.id == call.channel_id)) or {}
    peers = {
        other.id: other.provider_leg_id
        for other in records.load_legs(tx, call.id)
        if other.id != leg.id and other.provider_leg_id is not None
    }
    scene = with_addresses(read_scene(leg.scene), lambda key: sounds.signed_sound_url(vault, public_url, key, tx.now))
    return LegOrder(
        leg_id=leg.id,
        token=leg.token,
        call_id=call.id,
        room=call.room,
        party=Party(leg.party),
        scene=scene,
        scene_version=leg.scene_version,
        provider_leg_id=leg.provider_leg_id,
        address=leg.address,
        caller_id=str(queue_line.get("number", "")),
        ring_s=conductor.RING_S,
        detects_machine=leg.party == Party.CUSTOMER.value and call.direction == "out",
        recording=Recording(call.recording),
        peers=peers,
    )


def claim(tx: Tx, vault: Vault, public_url: str) -> list[Wanted]:
    """Legs to tell about, leased to whoever asks. A browser that has not connected yet is told when it does."""
    to_tell = and_(
        _l.scene_version > _l.applied_version,
        or_(_l.provider_leg_id.is_not(None), _l.address != ""),
        or_(_l.retry_at.is_(None), _l.retry_at <= tx.now),
        or_(_l.leased_until.is_(None), _l.leased_until <= tx.now),
    )
    rows = tx.rows(select(tables.leg).where(to_tell).order_by(_l.id).limit(_LIMIT).with_for_update(skip_locked=True))
    wanted = []
    for row in rows:
        tx.execute(
            update(tables.leg)
            .where(_l.id == row.id)
            .values(leased_until=tx.now + timedelta(seconds=_LEASE_S), attempts=row.attempts + 1)
        )
        before = read_scene(row.applied_scene) if row.applied_scene is not None else None
        wanted.append(Wanted(row.channel_id, order_of(tx, row, vault, public_url), before, row.attempts))
    return wanted


def note_applied(tx: Tx, order: LegOrder, *, provider_leg_id: str | None = None) -> None:
    """The line was told this scene."""
    row = tx.first(select(tables.leg).where(_l.id == order.leg_id).with_for_update())
    if row is None:
        return
    values: dict[str, Any] = {"leased_until": None, "retry_at": None, "attempts": 0, "error_code": None}
    if order.scene_version >= row.applied_version:
        # Addresses of sounds are signed anew each time, so what is kept is what stands in the row. If something else stands
        # there by now, nobody knows any more what was told: not what was before it.
        told = row.scene if order.scene_version == row.scene_version else None
        values |= {"applied_version": order.scene_version, "applied_scene": told}
    if provider_leg_id is not None:
        values["provider_leg_id"] = provider_leg_id
    tx.execute(update(tables.leg).where(_l.id == row.id).values(**values))
    tx.wake(WAKE)


def note_again(tx: Tx, leg_id: int, error: ProviderError, attempts: int) -> None:
    """It did not work now; it is tried again, later each time."""
    pause_s = min(_FIRST_PAUSE_S * 2.0**attempts, _LONGEST_PAUSE_S)
    if isinstance(error, Unavailable) and error.retry_after_s is not None:
        pause_s = max(pause_s, error.retry_after_s)
    values: dict[str, Any] = {
        "leased_until": None,
        "retry_at": tx.now + timedelta(seconds=pause_s),
        "error_code": error.provider_code or error.code,
    }
    if isinstance(error, Uncertain):
        # It may have been done: what the leg hears now is not known, and going back to what was there is no change of ours.
        values["applied_scene"] = None
    tx.execute(update(tables.leg).where(_l.id == leg_id).values(**values))
    # Whoever waits for what is due next has reckoned with the lease.
    tx.wake(WAKE)


def next_wanted(tx: Tx) -> datetime | None:
    """When something has to be told next."""
    rows = tx.rows(
        select(_l.retry_at, _l.leased_until).where(
            _l.scene_version > _l.applied_version, or_(_l.provider_leg_id.is_not(None), _l.address != "")
        )
    )
    due = [max((at for at in row if at is not None), default=tx.now) for row in rows]
    return min(due, default=None)


# --- recordings ---------------------------------------------------------------------------------------------------------


def load_to_record(tx: Tx, vault: Vault, public_url: str) -> list[Wanted]:
    """The customer's leg of each call whose recording is not as it is wanted; who waits again is not recorded on."""
    going_on = [state.value for state in (*TALKS, *WAITS, CallState.FORWARDED)]
    calls = tx.rows(select(_ca.id).where(_ca.state.in_(going_on), _ca.recording != _ca.recording_applied))
    wanted = []
    for row in calls:
        leg = records.find_leg(records.load_legs(tx, row.id), Party.CUSTOMER)
        if leg is not None and leg.state == LegState.CONNECTED.value:
            wanted.append(Wanted(leg.channel_id, order_of(tx, leg, vault, public_url), None, 0))
    return wanted


def note_recording(tx: Tx, call_id: int, told: Recording, *, refused: bool = False) -> None:
    values = {"recording_applied": told.value} | ({"recording": Recording.OFF.value} if refused else {})
    if refused:
        values["recording_applied"] = Recording.OFF.value
    tx.execute(update(tables.call).where(_ca.id == call_id).values(**values))
    records.tell(tx, call_id)


# --- is it still there? -------------------------------------------------------------------------------------------------


def load_believed(tx: Tx) -> list[Row[Any]]:
    """Legs that the line ought to hold."""
    return list(
        tx.rows(
            select(_l.id, _l.channel_id, _l.token, _l.created_at, _l.connected_at, _l.provider_leg_id)
            .where(
                _l.ended_at.is_(None),
                _l.provider_leg_id.is_not(None),
                _l.created_at <= tx.now - timedelta(seconds=_SETTLED_S),
            )
            .order_by(_l.id)
        )
    )


def load_lines(tx: Tx) -> dict[str, str | None]:
    """Each line that is switched on, and what its health says is wrong."""
    lines = select(_ch.id, _ch.health_code).where(_ch.kind == ChannelKind.PHONE.value, _ch.enabled)
    return {row.id: row.health_code for row in tx.rows(lines.order_by(_ch.id))}


def load_order(tx: Tx, leg_id: int, vault: Vault, public_url: str) -> LegOrder | None:
    row = tx.first(select(tables.leg).where(_l.id == leg_id))
    return None if row is None else order_of(tx, row, vault, public_url)


def renew_places(tx: Tx) -> None:
    """Callers who wait hear where they stand now."""
    waiting = [CallState.QUEUED.value, CallState.OFFERED.value]
    ids = [row.conversation_id for row in tx.rows(select(_ca.conversation_id).where(_ca.state.in_(waiting)))]
    if ids:
        tx.lock_conversations(ids)
        records.renew_places(tx, estimates.load_places(tx, ids))


# --- the loop -----------------------------------------------------------------------------------------------------------


class Lines:
    """One process's share of telling lines what is wanted."""

    def __init__(self, database: Database, wakes: Wakes, adapters: Adapters, vault: Vault, *, public_url: str) -> None:
        self._database = database
        self._wakes = wakes
        self._adapters = adapters
        self._vault = vault
        self._public_url = public_url
        self._running: set[asyncio.Task[None]] = set()
        self._checking: asyncio.Task[None] | None = None
        # Since when a line has not answered, and when a silent leg is asked for again.
        self._silent_since: dict[str, float] = {}
        self._ask_again_at: dict[int, float] = {}
        self._record_again_at: dict[int, float] = {}

    async def run(self) -> None:
        clock = asyncio.get_running_loop().time
        check_at = places_at = clock()
        try:
            while True:
                try:
                    wait_s = await self._round()
                    if clock() >= check_at:
                        check_at = clock() + _CHECK_EVERY_S
                        if self._checking is None or self._checking.done():
                            self._checking = self._later(self._check_legs())
                    if clock() >= places_at:
                        places_at = clock() + _PLACES_EVERY_S
                        await self._database.transaction(renew_places)
                except DatabaseAway:
                    await asyncio.sleep(_RETRY_S)
                    continue
                await self._wakes.wait(WAKE, min(wait_s, max(check_at - clock(), 0.05)))
        finally:
            if self._running:
                await asyncio.wait(self._running, timeout=5)

    def _later(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("calls.task_failed", exc_info=task.exception())

    async def _round(self) -> float:
        """Tells what is to be told; how long there is nothing to do."""
        due = await self._database.read(conductor.next_due)
        now = self._database.clock()
        if due is not None and due <= now:
            await self._end_what_is_due()
        for wanted in await self._database.transaction(claim, self._vault, self._public_url):
            self._later(self._tell(wanted))
        for wanted in await self._database.read(load_to_record, self._vault, self._public_url):
            self._later(self._record(wanted))
        moments = [
            at
            for at in (await self._database.read(conductor.next_due), await self._database.read(next_wanted))
            if at is not None
        ]
        if not moments:
            return _LOOK_EVERY_S
        return min(max((min(moments) - self._database.clock()).total_seconds(), 0.02), _LOOK_EVERY_S)

    async def _end_what_is_due(self) -> None:
        """Each call by itself: one that cannot be ended must not keep the others, and is looked at again later."""
        for call_id in await self._database.read(conductor.find_due):
            try:
                await self._database.transaction(conductor.end_due, call_id)
            except DatabaseAway:
                raise
            except Exception:
                log.exception("calls.deadline_failed", extra={"call": call_id})
                await self._database.transaction(conductor.postpone, call_id)

    async def _settle(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """What a provider said must not be forgotten while the database is away."""
        while True:
            try:
                await self._database.transaction(work, *args, **kwargs)
                return
            except DatabaseAway:
                await asyncio.sleep(_RETRY_S)

    async def _tell(self, wanted: Wanted) -> None:
        order = wanted.order
        try:
            line = await self._adapters.get_line(wanted.channel_id)
            async with asyncio.timeout(_ATTEMPT_TIMEOUT_S):
                await self._attempt(line, wanted)
        except NotFound:
            await self._failed(wanted, Refused("this line is switched off", code="channel_off"))
        except ProviderError as error:
            await self._failed(wanted, error)
        except TimeoutError:
            await self._failed(wanted, Uncertain("the provider did not answer in time", code="timed_out"))
        except HubError as error:
            await self._failed(wanted, Unavailable(error.message, code=error.code))
        except Exception as error:
            log.exception("calls.adapter_failed", extra={"channel": wanted.channel_id, "leg": order.leg_id})
            await self._failed(wanted, Uncertain(f"the adapter failed: {type(error).__name__}", code="adapter_failed"))

    async def _attempt(self, line: VoiceChannel, wanted: Wanted) -> None:
        order = wanted.order
        is_new = order.provider_leg_id is None
        if is_new and wanted.attempts:
            found = await line.find_leg(order)
            if found is not None:
                if isinstance(order.scene, Over):
                    await line.hang_up(replace(order, provider_leg_id=found.provider_leg_id))
                await self._settle(note_applied, order, provider_leg_id=found.provider_leg_id)
                await self._note_state(order, found.state)
                return
        if isinstance(order.scene, Over):
            # One that never began has nothing to end.
            if not is_new:
                await line.hang_up(order)
            await self._settle(note_applied, order)
        elif is_new:
            dialled = await line.dial(order)
            await self._settle(note_applied, order, provider_leg_id=dialled.provider_leg_id)
            await self._note_state(order, dialled.state)
        else:
            await line.apply(order, wanted.before)
            await self._settle(note_applied, order)
        await self._settle(outbox.note_success, wanted.channel_id)

    async def _note_state(self, order: LegOrder, state: LegState | None) -> None:
        """What the provider said of the leg while we spoke with it, as if it had told."""
        if state is not None and state is not LegState.PENDING and not isinstance(order.scene, Over):
            await self._settle(conductor.note_state, order.leg_id, state)

    async def _failed(self, wanted: Wanted, error: ProviderError) -> None:
        order = wanted.order
        log.info("calls.attempt_failed", extra={"channel": wanted.channel_id, "leg": order.leg_id, "code": error.code})
        if isinstance(error, Refused):
            if isinstance(order.scene, Over):
                await self._settle(note_applied, order)
                return
            if order.provider_leg_id is None:
                await self._settle(conductor.note_broken, order.leg_id, LegEnd.FAILED)
                await self._settle(note_applied, order)
            else:
                # It holds a leg there that does not do what it is told: that leg is ended, which is told next.
                await self._settle(conductor.give_up, order.leg_id)
                await self._settle(note_again, order.leg_id, error, 0)
            return
        if isinstance(error, Unavailable) and not error.channel_works:
            await self._settle(outbox.note_failure, wanted.channel_id, error)
        await self._settle(note_again, order.leg_id, error, wanted.attempts)

    async def _record(self, wanted: Wanted) -> None:
        order = wanted.order
        clock = asyncio.get_running_loop().time
        if self._record_again_at.get(order.call_id, 0.0) > clock():
            return
        # Until this has an answer, no other round asks.
        self._record_again_at[order.call_id] = clock() + _LEASE_S
        try:
            line = await self._adapters.get_line(wanted.channel_id)
            async with asyncio.timeout(_ATTEMPT_TIMEOUT_S):
                await line.record(order, order.recording)
            await self._settle(note_recording, order.call_id, order.recording)
            self._record_again_at.pop(order.call_id, None)
        except Refused as error:
            log.warning("calls.recording_refused", extra={"channel": wanted.channel_id, "code": error.code})
            await self._settle(note_recording, order.call_id, order.recording, refused=True)
            self._record_again_at.pop(order.call_id, None)
        except (HubError, TimeoutError):
            self._record_again_at[order.call_id] = clock() + _RECORD_AGAIN_S
            asyncio.get_running_loop().call_later(_RECORD_AGAIN_S, self._wakes.set, WAKE)

    async def _check_legs(self) -> None:
        """Legs that the line no longer holds are over, whether or not it has told. A line that does not answer is down, even
        while nobody calls."""
        clock = asyncio.get_running_loop().time
        try:
            believed = await self._database.read(load_believed)
            health = await self._database.read(load_lines)
        except DatabaseAway:
            return
        by_line: dict[str, list[Row[Any]]] = {channel_id: [] for channel_id in health}
        for row in believed:
            by_line.setdefault(row.channel_id, []).append(row)
        self._ask_again_at = {row.id: self._ask_again_at.get(row.id, clock() + _SILENT_S) for row in believed}
        for channel_id, legs in by_line.items():
            line = None
            try:
                line = await self._adapters.get_line(channel_id)
                held = await line.find_live()
            except HubError as error:
                silent_s = clock() - self._silent_since.setdefault(channel_id, clock())
                if isinstance(error, ProviderError) and silent_s >= _LINE_DOWN_S:
                    await self._settle(outbox.note_down, channel_id, error)
                if silent_s < _LINE_GONE_S:
                    continue
                held = frozenset()
            else:
                self._silent_since.pop(channel_id, None)
                if held is not None and health.get(channel_id) == hubline.NO_MEDIA:
                    await self._settle(outbox.note_success, channel_id)
            if line is not None and held is None:
                await self._ask_for(line, legs)
                continue
            for leg in legs:
                if leg.token not in (held or ()):
                    await self._settle(conductor.note_broken, leg.id, LegEnd.LOST)

    async def _ask_for(self, line: VoiceChannel, legs: list[Row[Any]]) -> None:
        clock = asyncio.get_running_loop().time
        for leg in legs:
            if self._ask_again_at.get(leg.id, 0.0) > clock():
                continue
            self._ask_again_at[leg.id] = clock() + _SILENT_S
            order = await self._database.read(load_order, leg.id, self._vault, self._public_url)
            if order is None:
                continue
            try:
                found = await line.find_leg(order)
            except HubError:
                continue
            if found is None or found.state is LegState.ENDED:
                end = LegEnd.LOST if found is None else found.end or LegEnd.HUNG_UP
                await self._settle(conductor.note_broken, leg.id, end)
            elif found.state is LegState.CONNECTED and leg.connected_at is None:
                await self._settle(conductor.note_state, leg.id, LegState.CONNECTED)
