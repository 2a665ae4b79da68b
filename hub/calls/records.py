"""The rows of calls, and the only functions that write `call`, `leg` and `call_segment`.

    call ─ leg       a leg's scene is what it shall hear; each change raises its number, and calls.lines tells the provider
    call ─ segment   an agent's part: seconds of talk, hold and wrap-up, summed at each change of stretch

Everything here runs in a unit of work that holds the lock of the call's conversation (for what gives work to people: ROUTING
before it). What changed of a call is told once, at the end of that unit of work.

Two parties change calls: the conductor (what lines tell, what people want) and the dispatcher, which alone gives work to
people. The second part of this file is what the dispatcher says to a call; it decides nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select, update

from hub.calls.phrases import place_prompts, spoken
from hub.calls.scenes import read_scene, write_scene
from hub.calls.views import load_calls
from hub.channels.voice import Hold, Over, Prompt, Say, Scene, Talk, Wait
from hub.domain.calls import CallEnd, LegEnd, LegNow, Party, Presence, Recording, talking_state
from hub.domain.events import (
    FACTS,
    CallChanged,
    CallEnded,
    CallMissed,
    CallSegmentEnded,
    conversation_topics,
    customer_topic,
    user_topic,
)
from hub.domain.states import CALL, LEG, CallState, LegState, OfferOutcome, can_move, check_move
from hub.domain.values import AuthorKind
from hub.domain.views import PlaceView
from hub.errors import Conflict, NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations, visits
from hub.timeline.participants import read_ids
from hub.timeline.visits import Leaving

_ca, _l, _s, _c = tables.call.c, tables.leg.c, tables.call_segment.c, tables.conversation.c
_q, _u = tables.queue.c, tables.user_account.c

# An agent's line must come to stand within the queue's connect_timeout_s; that of a colleague who is asked rings this long.
CONSULT_RING_S = 30
# A line that broke may come back within this: a page takes some 5 s to reload, a telephone some 20 s to find the network.
REJOIN_S = 30
# As long as any goodbye takes; then the leg is ended, whether or not the provider has told that it is over.
_GOODBYE_S = 60
# How often a waiting caller is told the place.
PLACE_EVERY_S = 45
# In `call.flow`: when the menu has something else for a caller who waits, as ISO text.
WAITS_UNTIL = "waits_until"
# In `call.flow`: the survey that the customer is asked after the talk.
SURVEY = "survey_id"
TALKS = frozenset({CallState.TALKING, CallState.HELD, CallState.CONSULT, CallState.CONFERENCE})
WAITS = frozenset({CallState.QUEUED, CallState.OFFERED, CallState.CONNECTING})


def new_token() -> str:
    """Unguessable, and of letters that every provider takes in an address."""
    return secrets.token_hex(16)


# --- reading ------------------------------------------------------------------------------------------------------------


def load_row(tx: Tx, call_id: int) -> Row[Any]:
    row = tx.first(select(tables.call).where(_ca.id == call_id))
    if row is None:
        raise NotFound("there is no such call")
    return row


def load_legs(tx: Tx, call_id: int, *, live: bool = True) -> list[Row[Any]]:
    query = select(tables.leg).where(_l.call_id == call_id).order_by(_l.id)
    return list(tx.rows(query.where(_l.ended_at.is_(None)) if live else query))


def find_leg(legs: Iterable[Row[Any]], party: Party, user_id: int | None = None) -> Row[Any] | None:
    """The newest of that party (and person)."""
    found = [leg for leg in legs if leg.party == party.value and user_id in (None, leg.user_id)]
    return found[-1] if found else None


def load_leg_of(tx: Tx, user_id: int) -> Row[Any] | None:
    """The live leg of a person; they have one at most."""
    return tx.first(select(tables.leg).where(_l.user_id == user_id, _l.ended_at.is_(None)).order_by(_l.id.desc()))


def load_segment(tx: Tx, call_id: int) -> Row[Any] | None:
    """The live one."""
    return tx.first(select(tables.call_segment).where(_s.call_id == call_id, _s.ended_at.is_(None)))


# --- writing ------------------------------------------------------------------------------------------------------------


def tell(tx: Tx, call_id: int) -> None:
    """The call has changed: told at the end of the unit of work, as it is then."""
    tx.gather("calls", [call_id], _tell_gathered)


def _tell_gathered(tx: Tx, call_ids: set[int]) -> None:
    tx.execute(update(tables.call).where(_ca.id.in_(call_ids)).values(version=_ca.version + 1))
    places = {
        row.id: row
        for row in tx.rows(
            select(_ca.id, _c.queue_id, _c.assignee_id, _c.participants)
            .join(tables.conversation, _c.id == _ca.conversation_id)
            .where(_ca.id.in_(call_ids))
        )
    }
    for call_id, view in sorted(load_calls(tx, call_ids).items()):
        place = places[call_id]
        topics = conversation_topics(place.queue_id, place.assignee_id, read_ids(place.participants))
        parties = {user_topic(leg.user_id) for leg in view.legs if leg.user_id is not None}
        tx.emit(CallChanged(view), topics | parties | {customer_topic(view.customer_id)})


def change(
    tx: Tx, row: Row[Any], state: CallState | None = None, *, by: AuthorKind = AuthorKind.SYSTEM, **values: Any
) -> Row[Any]:
    """Writes new values, and the next state if it is another one: IllegalMove if the table has no such move. With the state
    begins or ends the caller's stay in a queue; `by`: who moves them from one to another."""
    if state is not None and state.value != row.state:
        check_move(CALL, CallState(row.state), state)
        # A deadline is that of a state.
        values = {"state": state.value, "state_since": tx.now, "due_at": None, **values}
    if values:
        tx.execute(update(tables.call).where(_ca.id == row.id).values(**values))
        tell(tx, row.id)
        tx.wake("calls")
    after = load_row(tx, row.id)
    if not values.keys().isdisjoint({"state", "queue_id", "hung_up_at"}):
        _keep_visit(tx, row, after, by)
    return after


# How the stay of a caller ends who is still in the queue as the call ends; any other end: the flow led them out.
_LEFT_BY = {
    CallEnd.ABANDONED: Leaving.ABANDONED,
    CallEnd.CALLBACK: Leaving.CALLBACK,
    CallEnd.CANCELLED: Leaving.WITHDRAWN,
    CallEnd.FAILED: Leaving.SYSTEM_DROP,
}


def _waits(row: Row[Any]) -> bool:
    return row.state in WAITS and row.hung_up_at is None


def _keep_visit(tx: Tx, before: Row[Any], after: Row[Any], by: AuthorKind) -> None:
    if _waits(before) and _waits(after) and before.queue_id != after.queue_id:
        visits.leave(tx, before, visits.moved(by), is_first=before.answered_at is None)
        visits.join(tx, after, after.queue_id)
    elif _waits(after) and not _waits(before):
        visits.join(tx, after, after.queue_id)
    elif _waits(before) and not _waits(after):
        reason = Leaving.ANSWERED if after.state in TALKS else Leaving.OVERFLOW
        if after.hung_up_at is not None:
            reason = _LEFT_BY.get(CallEnd(after.end_reason), Leaving.OVERFLOW)
        visits.leave(tx, after, reason, is_first=before.answered_at is None)


def add_leg(
    tx: Tx,
    call: Row[Any],
    party: Party,
    scene: Scene,
    *,
    user_id: int | None = None,
    address: str = "",
    state: LegState = LegState.PENDING,
    presence: Presence = Presence.TALK,
    token: str | None = None,
    provider_leg_id: str | None = None,
    due_at: datetime | None = None,
) -> Row[Any]:
    leg_id = tx.insert(
        tables.leg,
        {
            "call_id": call.id,
            "channel_id": call.channel_id,
            "party": party.value,
            "user_id": user_id,
            "address": address,
            "state": state.value,
            "presence": presence.value,
            "token": token or new_token(),
            "provider_leg_id": provider_leg_id,
            "scene": write_scene(scene),
            "created_at": tx.now,
            "connected_at": tx.now if state is LegState.CONNECTED else None,
            "due_at": due_at,
        },
    )
    tell(tx, call.id)
    tx.wake("calls")
    return _leg(tx, leg_id)


def _leg(tx: Tx, leg_id: int) -> Row[Any]:
    row = tx.first(select(tables.leg).where(_l.id == leg_id))
    assert row is not None
    return row


def set_scene(tx: Tx, leg: Row[Any], scene: Scene, presence: Presence | None = None) -> Row[Any]:
    """What the leg shall hear from now on; the same again is no change."""
    written = write_scene(scene)
    is_present = presence is None or presence.value == leg.presence
    if written == leg.scene and is_present:
        return leg
    values: dict[str, Any] = {"presence": leg.presence if presence is None else presence.value}
    if written != leg.scene:
        values |= {"scene": written, "scene_version": leg.scene_version + 1, "retry_at": None}
        # Whether dialling was ever tried must not be forgotten before its fate is known: nobody is dialled blindly twice.
        if leg.provider_leg_id is not None:
            values["attempts"] = 0
    tx.execute(update(tables.leg).where(_l.id == leg.id).values(**values))
    tell(tx, leg.call_id)
    tx.wake("calls")
    return _leg(tx, leg.id)


def write_leg(tx: Tx, leg: Row[Any], **values: Any) -> Row[Any]:
    """Other values of a leg."""
    tx.execute(update(tables.leg).where(_l.id == leg.id).values(**values))
    tell(tx, leg.call_id)
    return _leg(tx, leg.id)


def move_leg(tx: Tx, leg: Row[Any], state: LegState, end: LegEnd | None = None) -> Row[Any] | None:
    """The leg in its next state; None when that is no move forward (told late, or twice)."""
    if not can_move(LEG, LegState(leg.state), state):
        return None
    values: dict[str, Any] = {"state": state.value}
    if state is LegState.CONNECTED:
        values |= {"connected_at": tx.now, "due_at": None}
    if state is LegState.ENDED:
        # Nothing is left to be told about it.
        values |= {
            "ended_at": tx.now,
            "end_reason": (end or LegEnd.HUNG_UP).value,
            "due_at": None,
            "applied_version": _l.scene_version,
        }
    tx.execute(update(tables.leg).where(_l.id == leg.id).values(**values))
    tell(tx, leg.call_id)
    tx.wake("calls")
    return _leg(tx, leg.id)


def end_leg(tx: Tx, leg: Row[Any], goodbye: tuple[Prompt, ...] = ()) -> None:
    """We end a leg: it counts as over at once, and the provider is told (calls.lines) until it has understood. With a
    `goodbye` the leg hears that first, and is over when the provider says so."""
    if leg.ended_at is not None:
        return
    if goodbye:
        set_scene(tx, leg, Say(goodbye, then_hang_up=True))
        write_leg(tx, leg, due_at=tx.now + timedelta(seconds=_GOODBYE_S))
        return
    set_scene(tx, leg, Over())
    tx.execute(
        update(tables.leg)
        .where(_l.id == leg.id)
        .values(state=LegState.ENDED.value, ended_at=tx.now, end_reason=LegEnd.CANCELLED.value, due_at=None)
    )
    tell(tx, leg.call_id)


def end_legs(tx: Tx, legs: Iterable[Row[Any]], *, but: Collection[Party] = ()) -> None:
    for leg in legs:
        if Party(leg.party) not in but:
            end_leg(tx, leg)


# --- an agent's part ----------------------------------------------------------------------------------------------------


def begin_segment(tx: Tx, call: Row[Any], agent_id: int, queue_id: int, how: str) -> None:
    tx.insert(
        tables.call_segment,
        {
            "call_id": call.id,
            "agent_id": agent_id,
            "queue_id": queue_id,
            "how": how,
            "connected_at": tx.now,
            "stretch": "talk",
            "stretch_since": tx.now,
        },
    )
    tell(tx, call.id)


def _summed(tx: Tx, segment: Row[Any]) -> dict[str, float]:
    """The sum of the stretch that goes on, up to now."""
    name = f"{segment.stretch}_s"
    return {name: getattr(segment, name) + max(0.0, (tx.now - segment.stretch_since).total_seconds())}


def set_stretch(tx: Tx, call_id: int, stretch: str) -> None:
    """talk, hold or wrap_up from now on."""
    segment = load_segment(tx, call_id)
    if segment is None or segment.stretch == stretch:
        return
    values: dict[str, Any] = {**_summed(tx, segment), "stretch": stretch, "stretch_since": tx.now}
    tx.execute(update(tables.call_segment).where(_s.id == segment.id).values(**values))
    tell(tx, call_id)


def end_segment(tx: Tx, call: Row[Any], reason: str) -> None:
    """A fact for the KPIs: the agent's part is over, its wrap-up too."""
    segment = load_segment(tx, call.id)
    if segment is None:
        return
    sums = {name: getattr(segment, name) for name in ("talk_s", "hold_s", "wrap_up_s")} | _summed(tx, segment)
    values: dict[str, Any] = {**sums, "stretch_since": tx.now, "ended_at": tx.now, "end_reason": reason}
    tx.execute(update(tables.call_segment).where(_s.id == segment.id).values(**values))
    tell(tx, call.id)
    tx.emit(
        CallSegmentEnded(
            segment_id=segment.id,
            call_id=call.id,
            conversation_id=call.conversation_id,
            agent_id=segment.agent_id,
            channel_id=call.channel_id,
            queue_id=segment.queue_id,
            direction=call.direction,
            how=segment.how,
            connected_at=segment.connected_at,
            talk_s=sums["talk_s"],
            hold_s=sums["hold_s"],
            wrap_up_s=sums["wrap_up_s"],
            ended_at=tx.now,
            end_reason=reason,
            disposition=segment.disposition,
            topic_id=_topic_of(tx, call),
            customer_id=call.customer_id,
        ),
        {FACTS},
    )


# --- the talk -----------------------------------------------------------------------------------------------------------


def settle(tx: Tx, call: Row[Any]) -> Row[Any]:
    """The state of a talk after a leg of it changed, with what follows for the agent's stretch and the recording."""
    state = talking_state(
        LegNow(Party(leg.party), LegState(leg.state), Presence(leg.presence)) for leg in load_legs(tx, call.id)
    )
    if state is None:
        return call
    is_held = state in (CallState.HELD, CallState.CONSULT)
    set_stretch(tx, call.id, "hold" if is_held else "talk")
    return change(tx, call, state, **_recording_in(call, is_held=is_held))


# In `call.flow`: the hub itself has paused the recording.
PAUSED_BY_HOLD = "paused_by_hold"


def _recording_in(call: Row[Any], *, is_held: bool) -> dict[str, Any]:
    """What is said while the customer is on hold is not theirs to be recorded with."""
    kept = call.flow or {}
    if is_held and call.recording == Recording.ON.value:
        return {"recording": Recording.PAUSED.value, "flow": {**kept, PAUSED_BY_HOLD: True}}
    if not is_held and kept.get(PAUSED_BY_HOLD):
        return {"recording": Recording.ON.value, "flow": {**kept, PAUSED_BY_HOLD: False}}
    return {}


def hold(tx: Tx, call: Row[Any], prompts: tuple[Prompt, ...] = ()) -> Row[Any]:
    """The customer hears music, and nobody hears the customer."""
    customer = find_leg(load_legs(tx, call.id), Party.CUSTOMER)
    if customer is not None:
        set_scene(tx, customer, Hold(prompts), Presence.HELD)
    return settle(tx, call)


def unhold(tx: Tx, call: Row[Any]) -> Row[Any]:
    customer = find_leg(load_legs(tx, call.id), Party.CUSTOMER)
    if customer is not None:
        set_scene(tx, customer, Talk(), Presence.TALK)
    return settle(tx, call)


def hang_up(
    tx: Tx, call: Row[Any], reason: CallEnd, *, goodbye: tuple[Prompt, ...] = (), keeps_customer: bool = False
) -> Row[Any]:
    """Nobody is to be on the line any more, and that is how the call ended: a fact for the KPIs. What is to be written
    down may follow. `keeps_customer`: their line goes on by itself, to be asked for a score, and no longer counts."""
    if call.hung_up_at is not None:
        return call
    for leg in load_legs(tx, call.id):
        if keeps_customer and leg.party == Party.CUSTOMER.value:
            continue
        end_leg(tx, leg, goodbye if leg.party == Party.CUSTOMER.value else ())
    off = Recording.OFF.value
    call = change(tx, call, hung_up_at=tx.now, end_reason=reason.value, recording=off, recording_applied=off)
    tx.emit(
        CallEnded(
            call_id=call.id,
            conversation_id=call.conversation_id,
            channel_id=call.channel_id,
            queue_id=call.queue_id,
            direction=call.direction,
            started_at=call.started_at,
            queued_at=call.queued_at,
            answered_at=call.answered_at,
            ended_at=tx.now,
            end_reason=reason.value,
            topic_id=_topic_of(tx, call),
            customer_id=call.customer_id,
        ),
        {FACTS},
    )
    return call


def _topic_of(tx: Tx, call: Row[Any]) -> int | None:
    """What the conversation is about, as far as somebody has said by now."""
    topic_id: int | None = tx.scalar(select(_c.topic_id).where(_c.id == call.conversation_id))
    return topic_id


def end_call(tx: Tx, call: Row[Any], reason: CallEnd | None = None, *, goodbye: tuple[Prompt, ...] = ()) -> Row[Any]:
    """The call is over, wrap-up and all. `reason` where it has not been hung up yet."""
    if call.ended_at is not None:
        return call
    call = hang_up(tx, call, reason or CallEnd.FAILED, goodbye=goodbye)
    end_segment(tx, call, call.end_reason)
    call = change(tx, call, CallState.ENDED, ended_at=tx.now)
    view = conversations.load_conversation(tx, call.conversation_id)
    if view.call_id == call.id:
        conversations.emit_conversation(tx, conversations.change(tx, view.id, call_id=None))
    tx.wake("routing")
    return call


# --- waiting ------------------------------------------------------------------------------------------------------------


def waiting_scene(
    tx: Tx, call: Row[Any], queue_id: int, place: PlaceView | None, said: tuple[Prompt, ...] = ()
) -> Wait:
    """What a caller hears in a queue: `said` when they join it, then that they should wait, their place and wait if they
    are told, and that they may be called back if they may."""
    queue = tx.first(select(_q.tells_place, _q.offers_callback, _q.records_calls).where(_q.id == queue_id))
    assert queue is not None
    prompts = [*said, spoken("please_wait", call.language)]
    if queue.records_calls:
        prompts.append(spoken("recorded", call.language))
    if queue.tells_place and place is not None:
        prompts += place_prompts(place.position, place.ewt_s, call.language)
    may_ask = queue.offers_callback and bool(call.address)
    if may_ask:
        prompts.append(spoken("callback_offer", call.language))
    return Wait(tuple(prompts), PLACE_EVERY_S, ("1",) if may_ask else ())


# --- what the dispatcher says to a call ---------------------------------------------------------------------------------


def needs_line(tx: Tx, call_id: int | None) -> bool:
    """Whether whoever gets the conversation is to be connected with a customer who is on the line."""
    return call_id is not None and CallState(load_row(tx, call_id).state) in WAITS


def note_offered(tx: Tx, call_id: int) -> None:
    call = load_row(tx, call_id)
    if call.state == CallState.QUEUED.value:
        change(tx, call, CallState.OFFERED, due_at=call.due_at)


def note_offer_ended(tx: Tx, call_id: int, offer: Row[Any], outcome: OfferOutcome) -> None:
    """`offer`: its row. One that rang out is a missed call of that agent's."""
    call = load_row(tx, call_id)
    if outcome in (OfferOutcome.NO_ANSWER, OfferOutcome.DEVICE_LOST):
        tx.emit(
            CallMissed(
                offer_id=offer.id,
                call_id=call.id,
                conversation_id=call.conversation_id,
                agent_id=offer.agent_id,
                channel_id=call.channel_id,
                queue_id=offer.queue_id,
                offered_at=offer.offered_at,
                ended_at=tx.now,
                topic_id=_topic_of(tx, call),
                customer_id=call.customer_id,
            ),
            {FACTS},
        )
    if outcome is not OfferOutcome.ACCEPTED and call.state == CallState.OFFERED.value:
        change(tx, call, CallState.QUEUED, due_at=call.due_at)


def bring_in(tx: Tx, call_id: int, agent_id: int, connect_by: datetime) -> None:
    """Somebody has the conversation of a waiting caller: their line is set up."""
    call = load_row(tx, call_id)
    for leg in load_legs(tx, call_id):
        if leg.party == Party.AGENT.value:
            end_leg(tx, leg)
    add_leg(tx, call, Party.AGENT, Talk(), user_id=agent_id, address=phone_of(tx, call, agent_id), due_at=connect_by)
    change(tx, call, CallState.CONNECTING, agent_id=agent_id)


def phone_of(tx: Tx, call: Row[Any], user_id: int) -> str:
    """The telephone of an agent where the line of this call can dial; empty: their browser."""
    line = tx.first(select(tables.channel.c.provider).where(tables.channel.c.id == call.channel_id))
    desk_phone = tx.scalar(select(_u.desk_phone).where(_u.id == user_id))
    return str(desk_phone or "") if line is not None and line.provider != OWN_LINE else ""


# The hub's own line reaches browsers alone (channels.registry.LINE_TYPES).
OWN_LINE = "hub"


def back_to_queue(
    tx: Tx,
    call_id: int,
    queue_id: int,
    place: PlaceView | None,
    reason: str,
    end_reason: str | None = None,
    by: AuthorKind = AuthorKind.SYSTEM,
) -> None:
    """The conversation was taken from its agent while the customer is on the line: they wait again, at their old age.
    `end_reason`: of the agent's part, where that is another."""
    call = load_row(tx, call_id)
    if call.hung_up_at is not None:
        # The customer has gone: whoever let go of it writes nothing more.
        end_call(tx, call)
        return
    state = CallState(call.state)
    if state is CallState.DIALLING:
        # Nobody has been reached, and whoever called has let go of it.
        end_call(tx, call, CallEnd.CANCELLED)
        return
    if state not in TALKS | WAITS and not (state is CallState.FORWARDED and not _is_outside(tx, call_id)):
        # The caller is with the menu, speaks after the tone or talks outside: that goes on, whatever their conversation does.
        return
    end_segment(tx, call, end_reason or reason)
    legs = load_legs(tx, call_id)
    end_legs(tx, legs, but={Party.CUSTOMER})
    customer = find_leg(legs, Party.CUSTOMER)
    # Who has not talked with anybody yet waits no longer than the menu lets them, whatever became of an offer.
    until = (call.flow or {}).get(WAITS_UNTIL) if call.answered_at is None else None
    due_at = max(datetime.fromisoformat(until), tx.now) if until else None
    values = {"queue_id": queue_id, "agent_id": None, "recording": _paused(call), "due_at": due_at}
    call = change(tx, call, CallState.QUEUED, by=by, **values)
    if customer is not None:
        prompt = spoken("transferring" if reason == "transferred" else "one_moment", call.language)
        set_scene(tx, customer, waiting_scene(tx, call, queue_id, place, (prompt,)), Presence.HELD)


def _is_outside(tx: Tx, call_id: int) -> bool:
    """A number outside is rung, or talks."""
    return find_leg(load_legs(tx, call_id), Party.OUTSIDE) is not None


def age_of(tx: Tx, call_id: int | None) -> datetime | None:
    """Since when the caller has waited, whoever they have talked with; None where nobody waits."""
    if call_id is None:
        return None
    call = load_row(tx, call_id)
    queued_at: datetime | None = call.queued_at if call.direction == "in" and call.hung_up_at is None else None
    return queued_at


def _paused(call: Row[Any]) -> str:
    return Recording.PAUSED.value if call.recording == Recording.ON.value else str(call.recording)


def check_may_resolve(tx: Tx, call_id: int) -> None:
    """Conflict `in_call` while somebody is on the line; `disposition_missing` if the wrap-up wants one first."""
    call = load_row(tx, call_id)
    if call.hung_up_at is None:
        raise Conflict("the call goes on", code="in_call")
    segment = load_segment(tx, call_id)
    if segment is None or segment.disposition is not None:
        return
    queue = tx.first(select(_q.wrap_up_mandatory, _q.dispositions).where(_q.id == segment.queue_id))
    if queue is not None and queue.wrap_up_mandatory and queue.dispositions:
        raise Conflict("say what the call was about first", code="disposition_missing")


def end_if_hung_up(tx: Tx, call_id: int) -> bool:
    """A wrap-up ends with whoever was writing it: True if there is nothing more to this call."""
    call = load_row(tx, call_id)
    if call.hung_up_at is None:
        return False
    end_call(tx, call)
    return True


def outlasts_absence(tx: Tx, call_id: int, reason: str) -> bool:
    """Whether a call stays whose it is although its agent's console has gone: their telephone has not, while they talk. Who
    signs out leaves it."""
    leg = find_leg(load_legs(tx, call_id), Party.AGENT)
    return reason == "agent_lost" and leg is not None and leg.state == LegState.CONNECTED.value


def begin_wrap_up(tx: Tx, call: Row[Any]) -> bool:
    """The customer has hung up on an agent: they write down what it was about. False if their queue gives no time."""
    segment = load_segment(tx, call.id)
    if segment is None:
        return False
    queue = tx.first(select(_q.wrap_up_s, _q.wrap_up_mandatory, _q.dispositions).where(_q.id == segment.queue_id))
    assert queue is not None
    is_mandatory = queue.wrap_up_mandatory and bool(queue.dispositions)
    if not queue.wrap_up_s and not is_mandatory:
        return False
    set_stretch(tx, call.id, "wrap_up")
    due_at = None if is_mandatory else tx.now + timedelta(seconds=queue.wrap_up_s)
    change(tx, call, CallState.WRAP_UP, due_at=due_at)
    return True


def renew_places(tx: Tx, places: dict[int, PlaceView]) -> None:
    """Callers who wait are told their place as it is now. `places`: by conversation."""
    waiting = select(tables.call).where(_ca.state.in_([CallState.QUEUED.value, CallState.OFFERED.value]))
    for call in tx.rows(waiting.where(_ca.conversation_id.in_(places)).order_by(_ca.id)):
        customer = find_leg(load_legs(tx, call.id), Party.CUSTOMER)
        if customer is None:
            continue
        before = read_scene(customer.scene)
        after = waiting_scene(tx, call, call.queue_id, places[call.conversation_id])
        if isinstance(before, Wait) and before != after:
            set_scene(tx, customer, replace(after))
