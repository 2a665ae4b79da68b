"""Test calls: the hub rings somebody through a telephone line, says one sentence and hangs up.

    begin ─► dialled ─► ringing ─► answered ─► heard ─► over
                 │          └ busy, not answered, refused …
                 └ the provider refuses, and says why

It is a row of its own (`line_test`), not a call: no conversation, no customer, no fact and no figure can come of it, because
nothing that makes those ever sees it. To the line it is a leg like any other, named by a token of ours.

No leg is left, as of calls: the attempt is committed before the provider is asked, a dial of unknown fate is asked after and
never repeated, the provider is told that it is over until it has understood, and what nobody tells of is asked for every few
seconds. One test at a time goes through a line, and none lasts longer than `_LIMIT_S`. Nobody begins more than
`_MOST_AN_HOUR` of them, nor do more go through a line, however many processes are asked; and none rings a line of the hub's
own, where it would be a call that counts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, delete, func, select, update

from hub.agents import audit
from hub.agents.set_up import load_house
from hub.agents.viewer import Viewer
from hub.calls.phrases import PHRASES, spoken
from hub.calls.records import new_token
from hub.channels.voice import LegChanged, LegName, LegOrder, Over, Prompt, Say, SceneEnded, VoiceChannel, VoiceEvent
from hub.domain.calls import LegEnd, Party
from hub.domain.sentences import Sentence
from hub.domain.states import LEG, LegState, can_move
from hub.domain.values import ChannelKind
from hub.errors import (
    Conflict,
    DatabaseAway,
    HubError,
    InvalidInput,
    NotFound,
    ProviderError,
    Refused,
    TooMany,
    Unavailable,
    Uncertain,
)
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.stream import Wakes
from hub.timeline import channels, consents, outbox
from hub.timeline.adapters import Adapters

log = logging.getLogger(__name__)

_t, _l, _ch = tables.line_test.c, tables.leg.c, tables.channel.c

WAKE = "line tests"
# So long their telephone rings, and so long a test may last in all: ringing, a sentence, and a provider that is slow.
_RING_S = 30
_LIMIT_S = 90.0
# Whoever is at an attempt has so long; then somebody else takes it up.
_LEASE_S = 45.0
_ATTEMPT_TIMEOUT_S = 30.0
# What the provider has not told is asked for.
_LOOK_EVERY_S = 5.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
# A line that does not answer for so long holds nothing any more: its own time limits have passed.
_GIVE_UP_S = 900.0
_KEPT_S = 3600.0
# By one person, and through one line. Counted in the rows, which are kept for so long.
_MOST_AN_HOUR = 20
_IDLE_S = 10.0
_RETRY_S = 0.5


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done at the provider. `is_new`: dial it; it was never tried."""

    channel_id: str
    order: LegOrder
    is_new: bool


# --- people -------------------------------------------------------------------------------------------------------------


def begin(tx: Tx, viewer: Viewer, channel_id: str, *, address: str, language: str) -> Row[Any]:
    """A test to be dialled at once; without an address it waits for the browser of whoever tries it. Conflict `test_running`,
    `calls_refused`; TooMany; InvalidInput for a number of the hub's own."""
    if language not in PHRASES:
        raise InvalidInput("no such language", fields={"language": Sentence("the hub does not speak this language")})
    tx.execute(delete(tables.line_test).where(_t.due_at.is_(None), _t.ended_at < tx.now - timedelta(seconds=_KEPT_S)))
    # Two who begin at once: one of them waits here and finds the other's.
    tx.execute(update(tables.channel).where(_ch.id == channel_id).values(id=channel_id))
    if tx.scalar(select(_t.id).where(_t.channel_id == channel_id, _t.ended_at.is_(None))) is not None:
        raise Conflict("a test call is going on through this line already", code="test_running")
    _check_few(tx, viewer.user_id, channel_id)
    if address:
        _check_not_own(tx, address)
        consents.check_may_try_call(tx, address)
    values = {
        "channel_id": channel_id,
        "user_id": viewer.user_id,
        "address": address,
        "language": language,
        "token": new_token(),
        "created_at": tx.now,
        # A browser connects by itself, within the same request.
        "dialled_at": None if address else tx.now,
        "due_at": tx.now if address else tx.now + timedelta(seconds=_LEASE_S),
    }
    test_id = tx.insert(tables.line_test, values)
    (view,) = channels.load_channel_views(tx, {channel_id})
    audit.note(tx, viewer, "channel.test_called", "channel", channel_id, {"name": view.name})
    tx.wake(WAKE)
    return load(tx, channel_id, test_id)


def _check_few(tx: Tx, user_id: int, channel_id: str) -> None:
    """In the database: a process more, or one that starts anew, gives nobody any more of them."""
    for which in (_t.user_id == user_id, _t.channel_id == channel_id):
        begun = list(tx.rows(select(_t.created_at).where(which, _t.created_at > tx.now - timedelta(seconds=_KEPT_S))))
        if len(begun) >= _MOST_AN_HOUR:
            first = min(row.created_at for row in begun)
            left_s = (first + timedelta(seconds=_KEPT_S) - tx.now).total_seconds()
            raise TooMany("too many tests for now", retry_after_s=max(left_s, 1.0))


def _check_not_own(tx: Tx, address: str) -> None:
    """A line that is rung by the hub itself would take it for a caller: with a conversation, a customer, and figures."""
    lines = tx.rows(select(_ch.settings).where(_ch.kind == ChannelKind.PHONE.value))
    if any(_digits(str((line.settings or {}).get("number", ""))) == _digits(address) for line in lines):
        raise InvalidInput("a line of ours", fields={"address": Sentence("is the number of a line of this hub")})


def _digits(number: str) -> str:
    return "".join(each for each in number if each.isdecimal())


def load(tx: Tx, channel_id: str, test_id: int) -> Row[Any]:
    row = tx.first(select(tables.line_test).where(_t.id == test_id, _t.channel_id == channel_id))
    if row is None:
        raise NotFound("there is no such test call")
    return row


def cancel(tx: Tx, channel_id: str, test_id: int) -> Row[Any]:
    """Hangs up; twice is the same as once."""
    row = _lock(tx, load(tx, channel_id, test_id).id)
    if row.ended_at is None and row.over_at is None:
        _end_there(tx, row, LegEnd.CANCELLED)
    return load(tx, channel_id, test_id)


def order_of(tx: Tx, row: Row[Any]) -> LegOrder:
    line = tx.scalar(select(_ch.settings).where(_ch.id == row.channel_id)) or {}
    is_over = row.over_at is not None or row.ended_at is not None
    # Of two calls to one number the provider cannot say which is which.
    others = tx.rows(
        select(_l.id, _l.provider_leg_id).where(
            _l.channel_id == row.channel_id,
            _l.address == row.address,
            _l.ended_at.is_(None),
            _l.provider_leg_id.is_not(None),
        )
    )
    return LegOrder(
        # No leg of a call has this number.
        leg_id=0,
        token=row.token,
        call_id=0,
        room=row.token,
        party=Party.AGENT,
        scene=Over() if is_over else Say((_said(tx, row.language),)),
        scene_version=2 if is_over else 1,
        provider_leg_id=row.provider_leg_id,
        address=row.address,
        caller_id=str(line.get("number", "")),
        ring_s=_RING_S,
        peers={other.id: other.provider_leg_id for other in others} if row.address else {},
    )


def _said(tx: Tx, language: str) -> Prompt:
    """With the organisation's name where a voice speaks it; recordings, for lines without one, name nobody."""
    prompt = spoken("test_call", language)
    name = load_house(tx).name
    return Prompt(_NAMED[language].format(organisation=name), language, phrase=prompt.phrase) if name else prompt


_NAMED = {
    "en": "This is a test call from {organisation}. Your telephone line works.",
    "hy": "Սա փորձնական զանգ է։ Զանգահարում է՝ {organisation}։ Ձեր հեռախոսագիծն աշխատում է։",
    "ka": "ეს სატესტო ზარია. გირეკავთ: {organisation}. თქვენი სატელეფონო ხაზი მუშაობს.",
    "az": "Bu, sınaq zəngidir. Zəng edən: {organisation}. Telefon xəttiniz işləyir.",
    "uk": "Це пробний дзвінок. Вам телефонує {organisation}. Ваша телефонна лінія працює.",
}


# --- what the line tells ------------------------------------------------------------------------------------------------


def find(tx: Tx, channel_id: str, name: LegName) -> Row[Any] | None:
    """The test that a line means, live or over."""
    if name.token is not None:
        return tx.first(select(tables.line_test).where(_t.channel_id == channel_id, _t.token == name.token))
    if name.provider_leg_id is not None:
        named = (_t.channel_id == channel_id, _t.provider_leg_id == name.provider_leg_id)
        return tx.first(select(tables.line_test).where(*named))
    return None


def note(tx: Tx, channel_id: str, event: VoiceEvent) -> None:
    """An event about a leg of no call."""
    if not isinstance(event, LegChanged | SceneEnded):
        return
    found = find(tx, channel_id, event.leg)
    if found is None:
        return
    row = _lock(tx, found.id)
    if event.leg.provider_leg_id is not None and row.provider_leg_id is None:
        # Whoever dials may have come to grief: what is to end has a name to be ended by now.
        ends = row.over_at is not None and row.ended_at is None
        row = _write(tx, row, provider_leg_id=event.leg.provider_leg_id, due_at=tx.now if ends else row.due_at)
    if isinstance(event, LegChanged):
        _move(tx, row, event.state, event.end)
    elif event.scene_version == 1 and row.ended_at is None and row.heard_at is None:
        row = _write(tx, row, heard_at=tx.now)
        _end_there(tx, row, LegEnd.CANCELLED)


def load_asked(tx: Tx, channel_id: str, name: LegName) -> LegOrder | None:
    """What the leg of a test is to hear, whose line asks."""
    row = find(tx, channel_id, name)
    if row is None:
        return None
    if name.provider_leg_id is not None and row.provider_leg_id is None:
        row = _write(tx, row, provider_leg_id=name.provider_leg_id)
    return order_of(tx, row)


def _lock(tx: Tx, test_id: int) -> Row[Any]:
    row = tx.first(select(tables.line_test).where(_t.id == test_id).with_for_update())
    if row is None:
        raise NotFound("there is no such test call")
    return row


def _write(tx: Tx, row: Row[Any], **values: Any) -> Row[Any]:
    tx.execute(update(tables.line_test).where(_t.id == row.id).values(**values))
    tx.wake(WAKE)
    found = tx.first(select(tables.line_test).where(_t.id == row.id))
    assert found is not None
    return found


def _move(tx: Tx, row: Row[Any], state: LegState, end: LegEnd | None = None) -> None:
    """Told late, or twice: no move, and no harm."""
    if not can_move(LEG, LegState(row.state), state):
        return
    if state is LegState.ENDED:
        _over(tx, row, end or LegEnd.HUNG_UP)
    elif state is LegState.CONNECTED:
        _write(tx, row, state=state.value, answered_at=tx.now)
        outbox.note_success(tx, row.channel_id)
    else:
        _write(tx, row, state=state.value)


def _end_there(tx: Tx, row: Row[Any], end: LegEnd) -> None:
    """It is to end: the provider is told until it has understood. While it is being dialled it has no name to be ended by,
    and the provider may not know of it yet: then whoever dials ends it, or whoever finds that they never came back."""
    is_being_dialled = row.dialled_at is not None and row.provider_leg_id is None and row.due_at is not None
    due_at = row.due_at if is_being_dialled else tx.now
    _write(tx, row, over_at=tx.now, end_reason=end.value, due_at=due_at, attempts=0)


def _over(tx: Tx, row: Row[Any], end: LegEnd, error: ProviderError | None = None) -> None:
    """It is over, and nothing is left of it. Why we ended it, if we did, stays what was said first; whom it rang goes."""
    told: dict[str, Any] = {"error_code": error.provider_code or error.code, "error": error.message} if error else {}
    _write(
        tx,
        row,
        state=LegState.ENDED.value,
        ended_at=tx.now,
        end_reason=row.end_reason or end.value,
        due_at=None,
        address="",
        **told,
    )


# --- what is to be done -------------------------------------------------------------------------------------------------


def claim(tx: Tx) -> list[Step]:
    """Tests that somebody must see to now, leased to whoever asks. Those that have gone on for too long are to end."""
    due = (_t.due_at.is_not(None), _t.due_at <= tx.now)
    rows: Sequence[Row[Any]] = tx.rows(
        select(tables.line_test).where(*due).order_by(_t.id).limit(20).with_for_update(skip_locked=True)
    )
    steps = []
    for found in rows:
        row = found
        if row.over_at is None and row.created_at + timedelta(seconds=_LIMIT_S) <= tx.now:
            end = LegEnd.LOST if row.answered_at else LegEnd.NO_ANSWER if row.state == "ringing" else LegEnd.FAILED
            row = _write(tx, row, over_at=tx.now, end_reason=end.value)
        if row.over_at is not None and row.over_at + timedelta(seconds=_GIVE_UP_S) <= tx.now:
            _over(tx, row, LegEnd.LOST)
            continue
        is_new = row.dialled_at is None
        if is_new and row.over_at is not None:
            _over(tx, row, LegEnd.CANCELLED)  # nobody was rung yet
            continue
        tx.execute(
            update(tables.line_test)
            .where(_t.id == row.id)
            .values(
                due_at=tx.now + timedelta(seconds=_LEASE_S),
                attempts=row.attempts + 1,
                dialled_at=row.dialled_at or tx.now,
            )
        )
        steps.append(Step(row.channel_id, order_of(tx, row), is_new))
    return steps


def next_due(tx: Tx) -> Any:
    return tx.scalar(select(func.min(_t.due_at)))


def _by_token(tx: Tx, token: str) -> Row[Any]:
    row = tx.first(select(tables.line_test).where(_t.token == token).with_for_update())
    if row is None:
        raise NotFound("there is no such test call")
    return row


def note_dialled(tx: Tx, token: str, provider_leg_id: str | None, state: LegState | None, end: LegEnd | None) -> None:
    """The provider knows the leg, and says how it is."""
    row = _by_token(tx, token)
    if row.ended_at is not None:
        return
    due_at = tx.now if row.over_at is not None else tx.now + timedelta(seconds=_LOOK_EVERY_S)
    known = {"provider_leg_id": row.provider_leg_id or provider_leg_id, "error_code": None, "error": None}
    row = _write(tx, row, due_at=due_at, attempts=0, **known)
    if state is not None:
        _move(tx, row, state, end)


def note_over(tx: Tx, token: str, end: LegEnd, error: ProviderError | None = None) -> None:
    row = _by_token(tx, token)
    if row.ended_at is None:
        _over(tx, row, end, error)


def note_again(tx: Tx, token: str, error: ProviderError | None = None) -> None:
    """It is tried, or asked for, once more; later each time. What was said stays, for if it comes to nothing."""
    row = _by_token(tx, token)
    if row.ended_at is None:
        pause_s = min(_FIRST_PAUSE_S * 2.0 ** max(row.attempts - 1, 0), _LONGEST_PAUSE_S)
        told: dict[str, Any] = (
            {"error_code": error.provider_code or error.code, "error": error.message} if error else {}
        )
        _write(tx, row, due_at=tx.now + timedelta(seconds=pause_s), **told)


class LineTests:
    """One process's share of carrying test calls out."""

    def __init__(self, database: Database, wakes: Wakes, adapters: Adapters) -> None:
        self._database = database
        self._wakes = wakes
        self._adapters = adapters
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        try:
            while True:
                try:
                    for step in await self._database.transaction(claim):
                        task = asyncio.create_task(self._take(step))
                        self._running.add(task)
                        task.add_done_callback(self._finished)
                    due_at = await self._database.read(next_due)
                except DatabaseAway:
                    await asyncio.sleep(_RETRY_S)
                    continue
                wait_s = _IDLE_S if due_at is None else (due_at - self._database.clock()).total_seconds()
                await self._wakes.wait(WAKE, min(max(wait_s, 0.05), _IDLE_S))
        finally:
            if self._running:
                await asyncio.wait(self._running, timeout=5)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # Its lease runs out, and it is taken up again.
            log.error("line_tests.task_failed", exc_info=task.exception())

    async def _settle(self, work: Callable[..., Any], *args: Any) -> None:
        """What a provider said must not be forgotten while the database is away."""
        while True:
            try:
                await self._database.transaction(work, *args)
                return
            except DatabaseAway:
                await asyncio.sleep(_RETRY_S)

    async def _take(self, step: Step) -> None:
        token, settle = step.order.token, self._settle
        try:
            line = await self._adapters.get_line(step.channel_id)
            async with asyncio.timeout(_ATTEMPT_TIMEOUT_S):
                work, *told = await self._do(line, step)
            await settle(work, token, *told)
        except NotFound:
            await settle(note_over, token, LegEnd.FAILED, Refused("this line is switched off", code="channel_off"))
        except TimeoutError:
            await settle(note_again, token)
        except Uncertain as error:
            await settle(note_again, token, error)
        except ProviderError as error:
            if isinstance(error, Unavailable) and not error.channel_works:
                await settle(outbox.note_failure, step.channel_id, error)
            if step.is_new:
                # It surely rings nowhere, and why is what whoever tries wants to know.
                await settle(note_over, token, LegEnd.FAILED, error)
            elif isinstance(error, Refused) and isinstance(step.order.scene, Over):
                await settle(note_over, token, LegEnd.CANCELLED)
            else:
                await settle(note_again, token)
        except HubError:
            await settle(note_again, token)

    async def _do(self, line: VoiceChannel, step: Step) -> tuple[Any, ...]:
        """What the provider is asked for, and what is to be noted of its answer."""
        order = step.order
        if isinstance(order.scene, Over):
            await line.hang_up(order)
            return note_over, LegEnd.CANCELLED
        if step.is_new:
            dialled = await line.dial(order)
            return note_dialled, dialled.provider_leg_id, dialled.state, None
        found = await line.find_leg(order)
        if found is None:
            return note_over, LegEnd.LOST if order.provider_leg_id else LegEnd.FAILED
        return note_dialled, found.provider_leg_id, found.state, found.end
