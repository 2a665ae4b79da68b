"""What happens to calls, and why: the one place where what lines tell and what people want becomes states and scenes.

    a line tells something   accept(events)  ─┐
    somebody wants something verbs below     ─┼→ decide → rows and scenes (calls.records) → work (routing.dispatcher)
    a deadline has passed    end_what_is_due ─┘             │
                                                            └→ calls.lines tells the provider after the commit

Invariants:
  * Each event once: its `arrival` row is the first insert. Late and unordered ones are harmless: a leg only moves forward,
    and an answer counts only for the scene it answers.
  * Whatever ends the customer's leg ends the call: no leg is left ringing or billed, and no agent is left busy.
  * A caller who waited and was not answered is called back, or stands on the timeline as missed: no inquiry is lost.

Everything takes ROUTING, then the conversation's lock. No provider is asked here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, func, or_, select, update

from hub.agents import audit, roster
from hub.agents.viewer import Viewer
from hub.calls import flow, flows, line_tests, records, sounds
from hub.calls.flow import (
    AskStep,
    CallbackStep,
    Flow,
    HangUpStep,
    NumberStep,
    Place,
    QueueStep,
    Step,
    TellStep,
    VoicemailStep,
    World,
)
from hub.calls.phrases import language_of, spoken
from hub.calls.records import TALKS, WAITS
from hub.calls.scenes import read_scene
from hub.calls.views import load_call
from hub.channels.voice import (
    CallArrived,
    Chosen,
    Hold,
    LegChanged,
    LegName,
    Menu,
    Prompt,
    RecordingReady,
    RecordingRef,
    Ringback,
    Say,
    SceneEnded,
    Talk,
    VoiceEvent,
    Voicemail,
    VoicemailLeft,
    Wait,
)
from hub.domain.calls import SHORT_ABANDON_S, CallEnd, LegEnd, Party, Presence, Recording
from hub.domain.events import FACTS, ContactBegan
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.domain.states import AgentState, CallState, ConversationStatus, LegState
from hub.domain.values import AuthorKind, ChannelKind, ContactKind, Direction, Happening, Role
from hub.domain.views import Author, CallView, ConversationView
from hub.errors import Conflict, Forbidden, InvalidInput, NotFound
from hub.routing import callbacks, dispatcher, estimates
from hub.routing.calendars import is_open_now
from hub.routing.placement import Newcomer, Placer
from hub.store import tables
from hub.store.database import Tx
from hub.surveys import by_phone
from hub.timeline import belongings, conversations, custom_fields, customers, task_rows, visits
from hub.timeline.visits import Leaving

_ca, _l, _c, _q, _ch = tables.call.c, tables.leg.c, tables.conversation.c, tables.queue.c, tables.channel.c

# A message left is told of after the caller has hung up, by some providers a while after.
_MESSAGE_WITHIN_S = 60
# An agent's own line must stand this soon when they call out.
_DIAL_WITHIN_S = 30
_LOOK_AGAIN_S = 60
# A survey's question said twice, and twice the wait for a key.
_SURVEY_WITHIN_S = 120
# So long a customer's or an outside telephone rings.
RING_S = 30
# Of a number that is withheld: one customer for each call, for nobody knows whether it is the same.
_WITHHELD = "withheld:"

# --- what lines tell ----------------------------------------------------------------------------------------------------


def accept(tx: Tx, channel_id: str, events: Sequence[VoiceEvent]) -> None:
    """Takes in what a line told: each event once, in the order given."""
    if not events:
        return
    tx.lock_routing()
    rows = [
        {
            "channel_id": channel_id,
            "provider_id": event.provider_id,
            "received_at": event.received_at,
            "raw": _raw(event),
        }
        for event in events
        if event.kind != "asks"
    ]
    is_new = dict(zip([row["provider_id"] for row in rows], tx.insert_new(tables.arrival, rows), strict=True))
    for event in events:
        if is_new.pop(event.provider_id, False):
            _apply(tx, channel_id, event)


def _raw(event: VoiceEvent) -> str:
    return getattr(event, "raw", "")


def _apply(tx: Tx, channel_id: str, event: VoiceEvent) -> None:
    if isinstance(event, CallArrived):
        _arrive(tx, channel_id, event)
        return
    if isinstance(event, RecordingReady):
        _note_recording(tx, channel_id, event)
        return
    leg = find_leg(tx, channel_id, event.leg)
    if leg is None:
        line_tests.note(tx, channel_id, event)
        return
    call = _lock(tx, leg.call_id)
    leg = _reload(tx, leg)
    match event:
        case LegChanged():
            leg_changed(tx, call, leg, event.state, event.end, is_machine=event.is_machine)
        case Chosen():
            _chosen(tx, call, leg, event)
        case SceneEnded():
            _scene_ended(tx, call, leg, event)
        case VoicemailLeft():
            _message_left(tx, call, event)


def find_leg(tx: Tx, channel_id: str, name: LegName) -> Row[Any] | None:
    """The leg that a line means, live or over."""
    if name.token is not None:
        return tx.first(select(tables.leg).where(_l.channel_id == channel_id, _l.token == name.token))
    if name.provider_leg_id is not None:
        named = (_l.channel_id == channel_id, _l.provider_leg_id == name.provider_leg_id)
        return tx.first(select(tables.leg).where(*named))
    return None


def _lock(tx: Tx, call_id: int) -> Row[Any]:
    """ROUTING, the conversation's lock, and the call as it is under them."""
    tx.lock_routing()
    tx.lock_conversations([records.load_row(tx, call_id).conversation_id])
    return records.load_row(tx, call_id)


def _reload(tx: Tx, leg: Row[Any]) -> Row[Any]:
    row = tx.first(select(tables.leg).where(_l.id == leg.id))
    assert row is not None
    return row


# --- a customer calls ---------------------------------------------------------------------------------------------------


def _arrive(tx: Tx, channel_id: str, event: CallArrived) -> None:
    if find_leg(tx, channel_id, event.leg) is not None:
        return  # told twice under two names
    channel = tx.first(select(tables.channel).where(_ch.id == channel_id))
    assert channel is not None
    token = event.leg.token or records.new_token()
    address = event.caller or _WITHHELD + token[:12]
    wanted = {(event.caller_kind.value, address): {"name": event.caller_name, "language": event.language}}
    reach = next(iter(customers.ensure_reaches(tx, wanted).values()))
    customer_language = tx.scalar(select(tables.customer.c.language).where(tables.customer.c.id == reach.customer_id))
    known_language = event.language or customer_language or ""
    language = language_of(known_language)
    # On the hub's own line their room was named by their token, before there was a call.
    room = event.leg.token or records.new_token()
    owner_id = belongings.load_owner(tx, reach.contact_point_id) or reach.customer_id
    view = _conversation_of(tx, channel, owner_id, reach.contact_point_id, room)
    call_id = tx.insert(
        tables.call,
        {
            "channel_id": channel_id,
            "conversation_id": view.id,
            "customer_id": view.customer_id,
            "direction": Direction.IN.value,
            "state": CallState.RINGING.value,
            "state_since": tx.now,
            "address": event.caller if event.caller_kind is ContactKind.PHONE else "",
            "line": event.line,
            "room": room,
            "language": language,
            "started_at": tx.now,
        },
    )
    _tell_of_call(tx, view, call_id, Direction.IN, Author(AuthorKind.CUSTOMER, reach.customer_name))
    call = records.load_row(tx, call_id)
    records.add_leg(
        tx,
        call,
        Party.CUSTOMER,
        Ringback(),
        address=call.address,
        state=LegState.CONNECTED,
        presence=Presence.HELD,
        token=token,
        provider_leg_id=event.leg.provider_leg_id or token,
    )
    _begin_flow(tx, call, channel, known_language)


def _conversation_of(tx: Tx, channel: Row[Any], customer_id: int, contact_point_id: int, room: str) -> ConversationView:
    """The customer's open conversation on this line that waits for somebody and in which no call goes on, else a new one. It
    is nobody's work before the caller has come to a queue, so a new one begins resolved. What an agent has kept open stays
    on their desk, whoever takes this call. Several people may call from one number: each call of a number whose
    conversation is in use has one of its own (`thread`)."""
    found = tx.first(
        select(_c.id)
        .where(
            _c.contact_point_id == contact_point_id,
            _c.channel_id == channel.id,
            _c.status == ConversationStatus.OPEN.value,
            _c.call_id.is_(None),
            _c.assignee_id.is_(None),
        )
        .order_by(_c.id)
    )
    if found is not None:
        return conversations.lock_conversation(tx, found.id)
    conversation_id = tx.insert(
        tables.conversation,
        {
            "customer_id": customer_id,
            "contact_point_id": contact_point_id,
            "channel_id": channel.id,
            "queue_id": channel.queue_id,
            "thread": room,
            "status": ConversationStatus.RESOLVED.value,
            "created_at": tx.now,
            "resolved_at": tx.now,
            "last_entry_at": tx.now,
            "arrived_at": tx.now,
        },
    )
    task_rows.keep_sight(tx, [conversation_id], are_new=True)
    tx.emit(
        ContactBegan(
            conversation_id=conversation_id,
            episode=0,
            customer_id=customer_id,
            channel_id=channel.id,
            queue_id=channel.queue_id,
            direction=Direction.IN.value,
            arrived_at=tx.now,
            by_call=True,
        ),
        {FACTS},
    )
    return conversations.load_conversation(tx, conversation_id)


def _tell_of_call(
    tx: Tx, view: ConversationView, call_id: int, direction: Direction, author: Author
) -> ConversationView:
    """Its line on the timeline; from now on the conversation has this call."""
    entry, view = conversations.add_happening(
        tx,
        view,
        Happening.CALL,
        author,
        {"direction": direction.value},
        entry_call_id=call_id,
        call_id=call_id,
    )
    tx.execute(update(tables.call).where(_ca.id == call_id).values(entry_id=entry.id))
    return view


# --- the flow -----------------------------------------------------------------------------------------------------------


def _begin_flow(tx: Tx, call: Row[Any], channel: Row[Any], known_language: str) -> None:
    """`known_language` is empty where nobody knows it: the flow says then what it assumes."""
    current = flows.current(tx, channel.flow_id) if channel.flow_id is not None else None
    version, its_flow = current if current is not None else (0, flow.simple(channel.queue_id, call.language))
    state = {
        "flow_id": channel.flow_id if current is not None else None,
        "version": version,
        "queue_id": channel.queue_id,
    }
    call = records.change(tx, call, flow=state)
    _take(tx, call, flow.begin(its_flow, replace(_world(tx, call), language=known_language)))


def _world(tx: Tx, call: Row[Any]) -> World:
    return World(
        is_open=lambda calendar_id: is_open_now(tx, calendar_id), has_number=bool(call.address), language=call.language
    )


def _flow_of(tx: Tx, call: Row[Any]) -> tuple[Flow, Place]:
    """The flow in which the call began, and where it is."""
    state: Mapping[str, Any] = call.flow
    found = flows.load_version(tx, state["flow_id"], state["version"]) if state["flow_id"] is not None else None
    return found or flow.simple(state["queue_id"], call.language), flow.read_place(state["place"])


def _take(tx: Tx, call: Row[Any], step: Step) -> None:
    """What the step wants of the call and its customer."""
    legs = records.load_legs(tx, call.id)
    customer = records.find_leg(legs, Party.CUSTOMER)
    if customer is None:
        return
    place = step.place
    state = {**call.flow, "place": flow.write_place(place), "chosen": list(place.chosen), records.WAITS_UNTIL: None}
    call = records.change(tx, call, flow=state, language=language_of(place.language))
    said = sounds.prompts(tx, step.said)
    match step:
        case AskStep():
            records.change(tx, call, CallState.MENU)
            scene = Menu(said, step.keys, step.timeout_s, dict(step.words), call.language)
            records.set_scene(tx, customer, scene, Presence.HELD)
        case TellStep():
            records.change(tx, call, CallState.MENU)
            records.set_scene(tx, customer, Say(said), Presence.HELD)
        case QueueStep():
            _join_queue(tx, call, customer, step.queue_id, said, after_s=step.after_s)
        case VoicemailStep():
            call = records.change(tx, call, CallState.VOICEMAIL, queue_id=step.queue_id or call.queue_id)
            prompts = said or (spoken("leave_message", call.language),)
            records.set_scene(tx, customer, Voicemail(prompts, step.limit_s), Presence.HELD)
        case CallbackStep():
            _ask_for_callback(tx, call, step.queue_id or call.queue_id or state["queue_id"], said)
        case NumberStep():
            call = records.change(tx, call, CallState.FORWARDED)
            prompts = said or (spoken("transferring", call.language),)
            records.set_scene(tx, customer, Wait(prompts, 0), Presence.HELD)
            due_at = tx.now + timedelta(seconds=step.ring_s)
            records.add_leg(tx, call, Party.OUTSIDE, Talk(), address=step.number, due_at=due_at)
        case HangUpStep():
            prompts = said or (spoken("goodbye", call.language),)
            records.hang_up(tx, call, CallEnd.INFORMED, goodbye=prompts)
            _close(tx, records.load_row(tx, call.id), CallEnd.INFORMED)


def _join_queue(
    tx: Tx, call: Row[Any], customer: Row[Any], queue_id: int, said: tuple[Prompt, ...], *, after_s: int | None
) -> None:
    if tx.scalar(select(_q.id).where(_q.id == queue_id)) is None:
        queue_id = call.flow["queue_id"]  # what the flow names is gone: the line's own queue takes the caller
    view = conversations.load_conversation(tx, call.conversation_id)
    values: dict[str, Any] = {}
    if view.status is ConversationStatus.RESOLVED:
        newcomer = Newcomer(call.channel_id, ChannelKind.PHONE, queue_id, call.customer_id, call.address, "")
        start = Placer(tx).start([newcomer])[0]
        if start is not None:
            values = dict(start.values)
            conversations.add_happening(tx, view, Happening.PLACED, conversations.SYSTEM, dict(start.told))
            # A menu has let the customer choose; without one the rules choose.
            placed_in = values.pop("queue_id", queue_id)
            queue_id = placed_in if call.flow["flow_id"] is None else queue_id
            view = conversations.load_conversation(tx, view.id)
    since = call.queued_at or tx.now
    promised = view.callback.address if view.callback is not None else call.flow.get(_PROMISED)
    view = dispatcher.enqueue_call(tx, view, queue_id, since, **values)
    due_at = tx.now + timedelta(seconds=after_s) if after_s is not None else None
    state = {**call.flow, _PROMISED: promised, records.WAITS_UNTIL: due_at.isoformat() if due_at is not None else None}
    call = records.change(
        tx, call, CallState.QUEUED, queue_id=queue_id, queued_at=since, agent_id=None, due_at=due_at, flow=state
    )
    place = estimates.place_of(tx, view.id)
    records.set_scene(tx, customer, records.waiting_scene(tx, call, queue_id, place, said), Presence.HELD)


def _chosen(tx: Tx, call: Row[Any], leg: Row[Any], event: Chosen) -> None:
    if leg.party != Party.CUSTOMER.value or leg.ended_at is not None:
        return
    scene = read_scene(leg.scene)
    if isinstance(scene, Wait) and event.key in scene.keys:
        if call.state in WAITS:
            _ask_for_callback(tx, call, call.queue_id, ())
    elif isinstance(scene, Menu) and event.scene_version == leg.scene_version:
        if call.hung_up_at is not None:
            _score(tx, call, leg, scene, event.key)
            return
        its_flow, place = _flow_of(tx, call)
        key = event.key if event.key in scene.keys else None
        _take(tx, call, flow.answer(its_flow, place, key, _world(tx, call)))


def _scene_ended(tx: Tx, call: Row[Any], leg: Row[Any], event: SceneEnded) -> None:
    if event.scene_version != leg.scene_version or call.state != CallState.MENU.value or call.hung_up_at is not None:
        return
    its_flow, place = _flow_of(tx, call)
    _take(tx, call, flow.finished(its_flow, place, _world(tx, call)))


# --- instead of waiting -------------------------------------------------------------------------------------------------


def _ask_for_callback(tx: Tx, call: Row[Any], queue_id: int, said: tuple[Prompt, ...]) -> None:
    """The caller wants to be called back, keeps the place and may hang up. With a withheld number they hear why not, and
    go on as they were."""
    customer = records.find_leg(records.load_legs(tx, call.id), Party.CUSTOMER)
    assert customer is not None
    view = conversations.load_conversation(tx, call.conversation_id)
    if not call.address or not callbacks.may_be_called(tx, view, call.address):
        refusal = (spoken("callback_no_number", call.language),)
        if call.state in WAITS:
            scene = read_scene(customer.scene)
            assert isinstance(scene, Wait)
            records.set_scene(tx, customer, Wait((*refusal, *scene.prompts), scene.every_s, ()))
        else:
            its_flow, place = _flow_of(tx, call)
            _take(tx, call, flow.failed(its_flow, place, _world(tx, call)))
        return
    view = dispatcher.end_waiting(tx, conversations.load_conversation(tx, call.conversation_id))
    if view.queued_since is None:
        view = dispatcher.enqueue_call(tx, view, queue_id, call.queued_at or tx.now)
    prompts = (*said, spoken("callback_taken", call.language))
    if call.queued_at is None:
        # Asked for in the menu: they were in the queue for no time at all.
        call = records.change(tx, call, queue_id=queue_id, queued_at=tx.now)
        visits.join(tx, call, queue_id)
        visits.leave(tx, call, Leaving.CALLBACK, is_first=call.answered_at is None)
    call = records.end_call(tx, call, CallEnd.CALLBACK, goodbye=prompts)
    author = Author(AuthorKind.CUSTOMER, view.customer_name)
    callbacks.ask_for_caller(tx, conversations.load_conversation(tx, view.id), call.address, author)


def _message_left(tx: Tx, call: Row[Any], event: VoicemailLeft) -> None:
    """What was said after the tone. It is work, though nobody is on the line: it waits as what it is."""
    if event.recording is None or event.duration_s <= 0:
        if call.state == CallState.VOICEMAIL.value:
            records.end_call(tx, call, CallEnd.NO_MESSAGE)
        return
    _insert_recording(tx, call, "voicemail", event.recording, event.duration_s)
    if call.state == CallState.ENDED.value and call.end_reason == CallEnd.NO_MESSAGE.value:
        # It was told of long after the caller had gone.
        records.change(tx, call, end_reason=CallEnd.VOICEMAIL.value)
    elif call.state != CallState.VOICEMAIL.value:
        return
    view = conversations.load_conversation(tx, call.conversation_id)
    queue_id = call.queue_id or call.flow["queue_id"]
    if call.state == CallState.VOICEMAIL.value:
        call = records.change(tx, call, queue_id=queue_id)
        records.end_call(tx, call, CallEnd.VOICEMAIL, goodbye=(spoken("message_saved", call.language),))
    view = conversations.load_conversation(tx, view.id)
    if view.assignee_id is None:
        dispatcher.enqueue_call(
            tx, view, queue_id, call.queued_at or tx.now, unanswered_since=view.unanswered_since or tx.now
        )


def _note_recording(tx: Tx, channel_id: str, event: RecordingReady) -> None:
    call_id = None
    if event.room is not None:
        call_id = tx.scalar(select(_ca.id).where(_ca.channel_id == channel_id, _ca.room == event.room))
    elif event.leg is not None:
        leg = find_leg(tx, channel_id, event.leg)
        call_id = leg.call_id if leg is not None else None
    if call_id is None:
        return
    call = _lock(tx, call_id)
    _insert_recording(
        tx, call, "call", event.recording, event.duration_s, started_at=event.started_at, failed=event.failed
    )


def _insert_recording(
    tx: Tx,
    call: Row[Any],
    kind: str,
    ref: RecordingRef,
    duration_s: float,
    *,
    started_at: Any = None,
    failed: bool = False,
) -> None:
    row = {
        "call_id": call.id,
        "kind": kind,
        "provider_id": ref.provider_id,
        "url": ref.url,
        "state": "failed" if failed else "fetching",
        "reason": "provider" if failed else None,
        "channels": ref.channels,
        "duration_s": duration_s,
        "started_at": started_at or call.answered_at or call.started_at,
        "created_at": tx.now,
    }
    # Told by two events (of the leg, of the room), it is one recording.
    tx.execute(tx.insert_if_new(tables.recording).values(**row))
    records.tell(tx, call.id)
    tx.wake("recordings")


# --- legs ---------------------------------------------------------------------------------------------------------------


def leg_changed(
    tx: Tx,
    call: Row[Any],
    leg: Row[Any],
    state: LegState,
    end: LegEnd | None = None,
    *,
    is_machine: bool | None = None,
) -> None:
    """A leg rings, stands or is over: what that means for its call. The caller holds ROUTING and the conversation's lock."""
    if is_machine and leg.party == Party.CUSTOMER.value and call.direction == Direction.OUT.value:
        if leg.ended_at is not None or call.hung_up_at is not None:
            return  # the verdict came late: the call is over
        records.end_leg(tx, leg)
        view = conversations.load_conversation(tx, call.conversation_id)
        if call.answered_at is not None and view.assignee_id is not None:
            callbacks.unreach(tx, view, call.answered_at)
        _customer_not_reached(tx, call, LegEnd.MACHINE)
        return
    moved = records.move_leg(tx, leg, state, end)
    if moved is None:
        return
    if moved.state == LegState.CONNECTED.value:
        _connected(tx, call, moved)
    elif moved.state == LegState.ENDED.value:
        _ended(tx, call, moved, end or LegEnd.HUNG_UP)


def _connected(tx: Tx, call: Row[Any], leg: Row[Any]) -> None:
    match Party(leg.party):
        case Party.AGENT:
            _agent_connected(tx, call, leg)
        case Party.CUSTOMER:
            _customer_reached(tx, call)
        case Party.CONSULTED:
            records.settle(tx, call)
        case Party.OUTSIDE:
            if call.state == CallState.FORWARDED.value:
                _outside_answers_forwarded(tx, call)
            else:
                records.settle(tx, call)
        case Party.SUPERVISOR:
            records.tell(tx, call.id)


def _agent_connected(tx: Tx, call: Row[Any], leg: Row[Any]) -> None:
    if call.hung_up_at is not None:
        records.end_leg(tx, leg)
        return
    customer = records.find_leg(records.load_legs(tx, call.id), Party.CUSTOMER)
    if call.state == CallState.DIALLING.value:
        if customer is None:
            records.add_leg(
                tx, call, Party.CUSTOMER, Talk(), address=call.address, due_at=tx.now + timedelta(seconds=RING_S + 15)
            )
        return
    if call.state == CallState.CONNECTING.value:
        try:
            dispatcher.connected(tx, leg.user_id, call.conversation_id)
        except Conflict:
            records.end_leg(tx, leg)  # the deadline has passed, or somebody else has the work
            return
        how = "transferred" if call.answered_at is not None else "answered"
        call = records.change(tx, call, answered_at=call.answered_at or tx.now, recording=_wanted_recording(tx, call))
        records.begin_segment(tx, call, leg.user_id, call.queue_id, how)
        conversations.note_answered_by_voice(tx, call.conversation_id, call.entry_id, leg.user_id)
    if customer is not None and (call.flow or {}).get(_HELD_BEFORE) is not True:
        records.set_scene(tx, customer, Talk(), Presence.TALK)
    elif customer is not None:
        # On hold, or listening to music while a colleague is asked: so it was before the line broke.
        records.set_scene(tx, customer, Hold(), Presence.HELD)
    call = records.change(tx, call, flow={**(call.flow or {}), _HELD_BEFORE: None})
    _coach(tx, call.id)
    records.settle(tx, call)


# In `call.flow`: the customer was on hold when the agent's line broke.
_HELD_BEFORE = "held_before"


def _coach(tx: Tx, call_id: int) -> None:
    """Whoever whispers is heard by the agent that there is now."""
    legs = records.load_legs(tx, call_id)
    agent = records.find_leg(legs, Party.AGENT)
    for leg in legs:
        if agent is not None and leg.party == Party.SUPERVISOR.value and leg.presence == Presence.WHISPER.value:
            records.set_scene(tx, leg, Talk(Presence.WHISPER, False, agent.id), Presence.WHISPER)


def _wanted_recording(tx: Tx, call: Row[Any]) -> str:
    records_calls = tx.scalar(select(_q.records_calls).where(_q.id == call.queue_id))
    if records_calls or call.recording != Recording.OFF.value:
        return Recording.ON.value
    return Recording.OFF.value


def _customer_reached(tx: Tx, call: Row[Any]) -> None:
    """Whom we called has answered."""
    if call.state != CallState.DIALLING.value:
        records.settle(tx, call)
        return
    legs = records.load_legs(tx, call.id)
    agent = records.find_leg(legs, Party.AGENT)
    if agent is None:
        records.end_call(tx, call, CallEnd.FAILED)
        return
    records.set_scene(tx, agent, Talk())
    view = conversations.load_conversation(tx, call.conversation_id)
    is_callback = view.callback is not None
    call = records.change(tx, call, answered_at=tx.now, recording=_wanted_recording(tx, call))
    records.begin_segment(tx, call, agent.user_id, call.queue_id, "callback" if is_callback else "outbound")
    conversations.note_answered_by_voice(tx, view.id, call.entry_id, agent.user_id)
    if is_callback:
        dispatcher.settle_callback(tx, _viewer_of(tx, agent.user_id), view.id, reached=True)
    records.settle(tx, call)


_NOT_REACHED = {
    LegEnd.NO_ANSWER: CallEnd.NO_ANSWER,
    LegEnd.BUSY: CallEnd.BUSY,
    LegEnd.REJECTED: CallEnd.REJECTED,
    LegEnd.MACHINE: CallEnd.MACHINE,
    LegEnd.CANCELLED: CallEnd.CANCELLED,
    LegEnd.HUNG_UP: CallEnd.REJECTED,
}


def _customer_not_reached(tx: Tx, call: Row[Any], end: LegEnd) -> None:
    """Whom we called did not come to the telephone. A callback is tried again later, as its queue says."""
    call = records.end_call(tx, call, _NOT_REACHED.get(end, CallEnd.FAILED))
    view = conversations.load_conversation(tx, call.conversation_id)
    if view.callback is not None and view.assignee_id is not None:
        dispatcher.settle_callback(tx, _viewer_of(tx, view.assignee_id), view.id, reached=False)
    elif view.assignee_id is not None:
        dispatcher.keep_open(tx, view)


def _ended(tx: Tx, call: Row[Any], leg: Row[Any], end: LegEnd) -> None:
    match Party(leg.party):
        case Party.CUSTOMER:
            _customer_gone(tx, call, end)
        case Party.AGENT:
            _agent_gone(tx, call, leg, end)
        case Party.CONSULTED | Party.OUTSIDE:
            _other_gone(tx, call, leg, end)
        case Party.SUPERVISOR:
            records.settle(tx, call)


def _customer_gone(tx: Tx, call: Row[Any], end: LegEnd) -> None:
    if call.hung_up_at is not None:
        return
    state = CallState(call.state)
    if state is CallState.DIALLING:
        _customer_not_reached(tx, call, end)
    elif state is CallState.MENU and call.queued_at is not None and call.answered_at is None:
        _abandoned(tx, call)  # they had waited, and the menu had nothing else for them
    elif state in (CallState.RINGING, CallState.MENU):
        records.end_call(tx, call, CallEnd.LEFT_MENU)
        _close(tx, call, CallEnd.LEFT_MENU)
    elif state in WAITS:
        _abandoned(tx, call)
    elif state is CallState.VOICEMAIL:
        # What they said is told of in its own time.
        records.change(tx, call, due_at=tx.now + timedelta(seconds=_MESSAGE_WITHIN_S))
    elif state is CallState.FORWARDED:
        outside = records.find_leg(records.load_legs(tx, call.id, live=False), Party.OUTSIDE)
        has_talked = outside is not None and outside.connected_at is not None
        reason = CallEnd.FORWARDED if has_talked else CallEnd.COMPLETED if call.answered_at else CallEnd.LEFT_MENU
        records.end_call(tx, call, reason)
        _close(tx, call, reason)
    else:
        finish_talk(tx, call)


def _abandoned(tx: Tx, call: Row[Any]) -> None:
    """The customer left while waiting. Whoever can be called back will be; else it stands on the timeline as missed."""
    waited_s = (tx.now - (call.queued_at or call.started_at)).total_seconds()
    view = dispatcher.end_waiting(tx, conversations.load_conversation(tx, call.conversation_id))
    call = records.end_call(tx, call, CallEnd.ABANDONED)
    view = conversations.load_conversation(tx, view.id)
    promised = (call.flow or {}).get(_PROMISED)
    # Whoever hangs up so soon had the wrong number, and nobody calls back; but what was promised before is kept.
    if promised or waited_s >= SHORT_ABANDON_S:
        number = promised or (call.address if _dials(tx, call.channel_id) else "")
        if number and _call_back(tx, call, view, number):
            return
    if view.callback is None and view.unanswered_since is None:
        dispatcher.close_by_itself(tx, view, CallEnd.ABANDONED.value)


# In `call.flow`: the number at which this caller was to be called back when they called by themselves.
_PROMISED = "promised"


def _call_back(tx: Tx, call: Row[Any], view: ConversationView, number: str) -> bool:
    """They are called back at their place; False for a number that nobody should be able to make us call."""
    if view.status is ConversationStatus.RESOLVED:
        view = dispatcher.enqueue_call(tx, view, call.queue_id or view.queue_id, call.queued_at or tx.now)
    try:
        callbacks.ask_for_caller(tx, view, number, conversations.SYSTEM)
    except InvalidInput:
        return False
    return True


def _dials(tx: Tx, channel_id: str) -> bool:
    return bool(tx.scalar(select(_ch.provider).where(_ch.id == channel_id)) != records.OWN_LINE)


def _close(tx: Tx, call: Row[Any], reason: CallEnd) -> None:
    """The caller wanted nothing that is still to be done: an open conversation of theirs stays as it is."""
    view = conversations.load_conversation(tx, call.conversation_id)
    is_work = view.assignee_id is not None or view.callback is not None or view.unanswered_since is not None
    if view.status is ConversationStatus.OPEN and not is_work:
        dispatcher.close_by_itself(tx, view, reason.value)


def finish_talk(tx: Tx, call: Row[Any], reason: CallEnd = CallEnd.COMPLETED) -> None:
    """Customer and agent have talked, and it is over: everybody hangs up, and the agent writes down what it was about."""
    customer = records.find_leg(records.load_legs(tx, call.id), Party.CUSTOMER)
    question = by_phone.ask(tx, call) if customer is not None else None
    call = records.hang_up(tx, call, reason, keeps_customer=question is not None)
    if customer is not None and question is not None:
        call = records.change(tx, call, flow={**(call.flow or {}), records.SURVEY: question.survey_id})
        records.set_scene(tx, customer, Menu(question.prompts, question.keys, language=call.language), Presence.HELD)
        # Whatever the line tells of it, or does not, it is over by then.
        records.write_leg(tx, customer, due_at=tx.now + timedelta(seconds=_SURVEY_WITHIN_S))
    if records.begin_wrap_up(tx, call):
        return
    end_wrap_up(tx, call)


def _score(tx: Tx, call: Row[Any], leg: Row[Any], scene: Menu, key: str | None) -> None:
    """The customer, alone on the line, answers the survey after the call. What is no answer is asked again once."""
    state = call.flow or {}
    survey_id = state.get(records.SURVEY)
    if survey_id is None:
        return
    if key not in scene.keys:
        key = None
    if key is None and not state.get(_ASKED_AGAIN):
        records.change(tx, call, flow={**state, _ASKED_AGAIN: True})
        prompts = (spoken("not_understood", call.language), *scene.prompts)
        records.set_scene(tx, leg, replace(scene, prompts=prompts))
        return
    records.end_leg(tx, leg, goodbye=by_phone.take(tx, survey_id, key, call.language))


# In `call.flow`: the survey's question was said twice.
_ASKED_AGAIN = "asked_again"


def end_wrap_up(tx: Tx, call: Row[Any], *, keeps_open: bool = False) -> None:
    """Everything is written down. What was wanted is done, unless the agent says that it is not, or a field must be filled in
    before."""
    agent_id = call.agent_id
    call = records.end_call(tx, call)
    view = conversations.load_conversation(tx, call.conversation_id)
    if view.assignee_id is None or view.assignee_id != agent_id:
        return
    if keeps_open or view.callback is not None or custom_fields.find_gaps(tx, view):
        dispatcher.keep_open(tx, view)
    else:
        dispatcher.resolve(tx, _viewer_of(tx, view.assignee_id), view.id)


def _agent_gone(tx: Tx, call: Row[Any], leg: Row[Any], end: LegEnd) -> None:
    if call.hung_up_at is not None:
        return
    state = CallState(call.state)
    if state is CallState.DIALLING:
        # No line of one's own, or one gave up before anybody answered.
        reason = CallEnd.CANCELLED if end in (LegEnd.HUNG_UP, LegEnd.CANCELLED) else CallEnd.FAILED
        records.end_call(tx, call, reason)
        view = conversations.load_conversation(tx, call.conversation_id)
        if view.assignee_id is not None:
            dispatcher.keep_open(tx, view)
    elif state is CallState.CONNECTING:
        view = conversations.load_conversation(tx, call.conversation_id)
        if view.assignee_id == leg.user_id:
            dispatcher.fail_setup(tx, view, leg.user_id)
    elif state in TALKS and end in (LegEnd.LOST, LegEnd.FAILED):
        _await_return(tx, call, leg)
    elif state in TALKS:
        _leave_to_who_is_there(tx, call, leg)


def _leave_to_who_is_there(tx: Tx, call: Row[Any], leg: Row[Any]) -> None:
    """The agent has put down the telephone: the customer goes on with whoever else has answered; alone, the talk is over."""
    here = [each for each in records.load_legs(tx, call.id) if each.state == LegState.CONNECTED.value]
    colleague = records.find_leg(here, Party.CONSULTED)
    if colleague is not None:
        view = conversations.load_conversation(tx, call.conversation_id)
        _pass_to(tx, call, view, colleague, _viewer_of(tx, leg.user_id), "consult")
    elif records.find_leg(here, Party.OUTSIDE) is not None:
        _leave_to_outside(tx, call)
    else:
        finish_talk(tx, call)


def _await_return(tx: Tx, call: Row[Any], leg: Row[Any]) -> None:
    """The agent's line broke: it may come back for a while, and the customer hears why nobody answers."""
    due_at = tx.now + timedelta(seconds=records.REJOIN_S)
    records.add_leg(tx, call, Party.AGENT, Talk(), user_id=leg.user_id, address=leg.address, due_at=due_at)
    legs = records.load_legs(tx, call.id)
    customer = records.find_leg(legs, Party.CUSTOMER)
    others = [
        each
        for each in legs
        if each.party in (Party.CONSULTED.value, Party.OUTSIDE.value) and each.state == LegState.CONNECTED.value
    ]
    if customer is None or (others and customer.presence == Presence.TALK.value):
        return  # the others talk with the customer meanwhile
    is_held = customer.presence == Presence.HELD.value
    records.set_scene(tx, customer, Hold((spoken("one_moment", call.language),)), Presence.HELD)
    records.set_stretch(tx, call.id, "hold")
    records.change(tx, call, CallState.HELD, flow={**(call.flow or {}), _HELD_BEFORE: is_held})


def _other_gone(tx: Tx, call: Row[Any], leg: Row[Any], end: LegEnd) -> None:
    """A consulted colleague or a number outside has hung up, or never answered."""
    if call.hung_up_at is not None:
        return
    if call.state == CallState.FORWARDED.value:
        if leg.connected_at is not None:
            records.end_call(tx, call, CallEnd.FORWARDED)
            _close(tx, call, CallEnd.FORWARDED)
        else:
            _outside_did_not_answer(tx, call)
        return
    _talk_again(tx, call)


def _talk_again(tx: Tx, call: Row[Any]) -> None:
    """After a consultation: the customer is back, if no other who was asked is still there."""
    legs = records.load_legs(tx, call.id)
    asked = [leg for leg in legs if leg.party in (Party.CONSULTED.value, Party.OUTSIDE.value)]
    call = records.load_row(tx, call.id)
    agent = records.find_leg(legs, Party.AGENT)
    if asked or call.state not in TALKS or agent is None or agent.state != LegState.CONNECTED.value:
        records.settle(tx, call)
        return
    records.unhold(tx, call)


def _outside_answers_forwarded(tx: Tx, call: Row[Any]) -> None:
    customer = records.find_leg(records.load_legs(tx, call.id), Party.CUSTOMER)
    if customer is not None:
        records.set_scene(tx, customer, Talk(), Presence.TALK)
    _close(tx, call, CallEnd.FORWARDED)


def _outside_did_not_answer(tx: Tx, call: Row[Any]) -> None:
    if call.agent_id is not None:
        # An agent sent them there and has gone: back in line, at their old age.
        view = conversations.load_conversation(tx, call.conversation_id)
        since = call.queued_at or call.answered_at or tx.now
        view = dispatcher.enqueue_call(tx, view, view.queue_id, since)
        records.back_to_queue(tx, call.id, view.queue_id, estimates.place_of(tx, view.id), "not_reached")
        return
    its_flow, place = _flow_of(tx, call)
    _take(tx, call, flow.failed(its_flow, place, _world(tx, call)))


def _leave_to_outside(tx: Tx, call: Row[Any]) -> None:
    """The agent leaves customer and number outside to each other."""
    legs = records.load_legs(tx, call.id)
    records.end_legs(tx, legs, but={Party.CUSTOMER, Party.OUTSIDE})
    call = records.change(tx, call, CallState.FORWARDED, recording=Recording.OFF.value)
    records.end_segment(tx, call, "transferred")
    view = conversations.load_conversation(tx, call.conversation_id)
    dispatcher.close_by_itself(tx, view, CallEnd.FORWARDED.value)
    _outside_answers_forwarded(tx, call)


# --- deadlines ----------------------------------------------------------------------------------------------------------


def next_due(tx: Tx) -> Any:
    """When something is due next; None if nothing is."""
    rows = tx.rows(
        select(
            select(func.min(_ca.due_at)).scalar_subquery().label("call"),
            select(func.min(_l.due_at)).scalar_subquery().label("leg"),
        )
    )[0]
    return min((at for at in rows if at is not None), default=None)


def find_due(tx: Tx) -> list[int]:
    """Calls with something that has waited for its end long enough: wrap-ups, callers for whom the flow has something else,
    lines that did not come to stand or did not come back."""
    due = tx.rows(
        select(_ca.id)
        .outerjoin(tables.leg, _l.call_id == _ca.id)
        .where(or_(_ca.due_at <= tx.now, _l.due_at <= tx.now))
        .distinct()
        .order_by(_ca.id)
    )
    return [row.id for row in due]


def end_due(tx: Tx, call_id: int) -> None:
    _end_due(tx, _lock(tx, call_id))


def end_what_is_due(tx: Tx) -> None:
    """All of it, in one unit of work."""
    for call_id in find_due(tx):
        end_due(tx, call_id)


def postpone(tx: Tx, call_id: int) -> None:
    """What could not be ended is looked at again later."""
    later = tx.now + timedelta(seconds=_LOOK_AGAIN_S)
    tx.execute(update(tables.call).where(_ca.id == call_id, _ca.due_at <= tx.now).values(due_at=later))
    tx.execute(update(tables.leg).where(_l.call_id == call_id, _l.due_at <= tx.now).values(due_at=later))


def _end_due(tx: Tx, call: Row[Any]) -> None:
    if call.due_at is not None and call.due_at <= tx.now:
        call = records.change(tx, call, due_at=None)
        match CallState(call.state):
            case CallState.WRAP_UP:
                end_wrap_up(tx, call)
            case CallState.QUEUED | CallState.OFFERED:
                _waited_too_long(tx, call)
            case CallState.VOICEMAIL:
                records.end_call(tx, call, CallEnd.NO_MESSAGE)
            case _:
                pass
    for leg in records.load_legs(tx, call.id):
        if leg.due_at is None or leg.due_at > tx.now:
            continue
        call = records.load_row(tx, call.id)
        if leg.party == Party.AGENT.value and call.state in TALKS:
            _did_not_return(tx, call, leg)
            continue
        records.end_leg(tx, leg)
        _ended(tx, call, _reload(tx, leg), LegEnd.NO_ANSWER)


def _waited_too_long(tx: Tx, call: Row[Any]) -> None:
    """The flow has something else for who has waited so long; their age is kept if it leads to a queue again."""
    its_flow, place = _flow_of(tx, call)
    step = flow.waited(its_flow, place, _world(tx, call))
    view = conversations.load_conversation(tx, call.conversation_id)
    if not isinstance(step, QueueStep):
        view = dispatcher.end_waiting(tx, view)
        if view.callback is None and view.unanswered_since is None and not isinstance(step, CallbackStep):
            dispatcher.close_by_itself(tx, view, "overflow")
    _take(tx, records.load_row(tx, call.id), step)


def _did_not_return(tx: Tx, call: Row[Any], leg: Row[Any]) -> None:
    records.end_leg(tx, leg)
    view = conversations.load_conversation(tx, call.conversation_id)
    if view.assignee_id is not None:
        dispatcher.lose_call(tx, view)


# --- what people want ---------------------------------------------------------------------------------------------------


def _viewer_of(tx: Tx, user_id: int) -> Viewer:
    """An agent in whose name the hub does what follows from a call."""
    u = tables.user_account.c
    row = tx.first(select(u.id, u.role, u.name, u.language).where(u.id == user_id))
    assert row is not None
    return Viewer(row.id, Role(row.role), row.name, row.language, frozenset())


def access(tx: Tx, viewer: Viewer, call_id: int) -> tuple[Row[Any], ConversationView]:
    """The call under its locks, for whoever may see its conversation or takes part; NotFound for all others."""
    absent = NotFound("there is no such call")
    try:
        call = _lock(tx, call_id)
    except NotFound:
        raise absent from None
    view = conversations.load_conversation(tx, call.conversation_id)
    takes_part = any(leg.user_id == viewer.user_id for leg in records.load_legs(tx, call_id))
    if not conversations.may_see(viewer, view) and not takes_part:
        raise absent
    return call, view


def _access_own(
    tx: Tx, viewer: Viewer, call_id: int, states: frozenset[CallState]
) -> tuple[Row[Any], ConversationView]:
    """For whoever is the call's agent, in one of these states: Conflict `not_talking` in another."""
    call, view = access(tx, viewer, call_id)
    if call.agent_id != viewer.user_id:
        raise Forbidden("this call is a colleague's")
    if CallState(call.state) not in states:
        raise Conflict(f"the call is {call.state}", code="not_talking")
    return call, view


def _check_no_line(tx: Tx, user_id: int) -> None:
    if records.load_leg_of(tx, user_id) is not None:
        raise Conflict("you are in a call already", code="in_call")


def get(tx: Tx, viewer: Viewer, call_id: int) -> CallView:
    view = load_call(tx, call_id)
    conversation = conversations.load_conversation(tx, view.conversation_id)
    takes_part = any(leg.user_id == viewer.user_id and leg.ended_at is None for leg in view.legs)
    if not conversations.may_see(viewer, conversation) and not takes_part:
        raise NotFound("there is no such call")
    return view


def start_call(
    tx: Tx,
    viewer: Viewer,
    *,
    contact_point_id: int | None = None,
    conversation_id: int | None = None,
    channel_id: str | None = None,
) -> int:
    """The viewer calls a customer: at a contact point, or where a callback of the conversation in their hands is to go.
    Their own line is set up first. Conflict `in_call`, `already_assigned`; InvalidInput naming what is wrong."""
    tx.lock_routing()
    _check_no_line(tx, viewer.user_id)
    if conversation_id is not None:
        view = conversations.access_conversation(tx, viewer, conversation_id, lock=True)
        address = _number_of(view)
        channel_id = channel_id or _line_for(tx, view.queue_id)
        _check_line(tx, channel_id)
        view = dispatcher.hold_for_reply(tx, viewer, view.id)
    else:
        if contact_point_id is None:
            raise InvalidInput("whom?", fields={"contact_point_id": Sentence("name a contact point or a conversation")})
        point = tx.first(select(tables.contact_point).where(tables.contact_point.c.id == contact_point_id))
        if point is None or point.kind != ContactKind.PHONE.value:
            raise InvalidInput("no such number", fields={"contact_point_id": Sentence("is no telephone number")})
        address = point.address
        channel_id = channel_id or _line_for(tx, None, viewer)
        _check_line(tx, channel_id)
        view = dispatcher.open_conversation(tx, viewer, channel_id, contact_point_id)
        tx.lock_conversations([view.id])
        view = dispatcher.hold_for_reply(tx, viewer, view.id)
    if view.assignee_id != viewer.user_id:
        raise Conflict("a colleague holds this conversation", code="already_assigned")
    if view.call_id is not None:
        raise Conflict("a call goes on in this conversation", code="in_call")
    view = dispatcher.take_up(tx, view)
    number = tx.scalar(select(_ch.settings).where(_ch.id == channel_id)) or {}
    call_id = tx.insert(
        tables.call,
        {
            "channel_id": channel_id,
            "conversation_id": view.id,
            "customer_id": view.customer_id,
            "direction": Direction.OUT.value,
            "state": CallState.DIALLING.value,
            "state_since": tx.now,
            "queue_id": view.queue_id,
            "agent_id": viewer.user_id,
            "address": address,
            "line": number.get("number", ""),
            "room": records.new_token(),
            "language": language_of(viewer.language),
            "started_at": tx.now,
        },
    )
    _tell_of_call(tx, view, call_id, Direction.OUT, Author(AuthorKind.AGENT, viewer.name, viewer.user_id))
    call = records.load_row(tx, call_id)
    records.add_leg(
        tx,
        call,
        Party.AGENT,
        Ringback(),
        user_id=viewer.user_id,
        address=records.phone_of(tx, call, viewer.user_id),
        due_at=tx.now + timedelta(seconds=_DIAL_WITHIN_S),
    )
    return call_id


def _number_of(view: ConversationView) -> str:
    """Where whoever is behind a conversation is called."""
    if view.callback is not None:
        return view.callback.address
    if view.address.startswith("+"):
        return view.address
    raise InvalidInput(
        "no number", fields={"conversation_id": Sentence("nobody knows a telephone number to call here")}
    )


def _line_for(tx: Tx, queue_id: int | None, viewer: Viewer | None = None) -> str:
    """The line by which a queue's agents call out: its own, else any that can dial. InvalidInput `channel_id`."""
    queue_ids = [queue_id] if queue_id is not None else sorted(viewer.queue_ids if viewer else ())
    chosen = select(_q.caller_channel_id).where(_q.id.in_(queue_ids), _q.caller_channel_id.is_not(None)).order_by(_q.id)
    found = tx.scalar(chosen)
    if found is None:
        lines = select(_ch.id).where(_ch.kind == "phone", _ch.enabled, _ch.provider != records.OWN_LINE)
        mine = lines.where(_ch.queue_id.in_(queue_ids)).order_by(_ch.id)
        found = tx.scalar(mine) or tx.scalar(lines.order_by(_ch.id))
    if found is None:
        raise InvalidInput("no line", fields={"channel_id": Sentence("there is no line that can call numbers")})
    return str(found)


def _check_line(tx: Tx, channel_id: str) -> None:
    row = tx.first(select(_ch.kind, _ch.provider, _ch.enabled).where(_ch.id == channel_id))
    if row is None or not row.enabled or row.kind != "phone" or row.provider == records.OWN_LINE:
        raise InvalidInput("no such line", fields={"channel_id": Sentence("is no line that can call numbers")})


def set_hold(tx: Tx, viewer: Viewer, call_id: int, *, held: bool) -> None:
    call, _ = _access_own(tx, viewer, call_id, TALKS)
    if held:
        records.hold(tx, call)
    else:
        records.unhold(tx, call)


def set_mute(tx: Tx, viewer: Viewer, call_id: int, *, muted: bool) -> None:
    call, _ = access(tx, viewer, call_id)
    leg = records.find_leg(records.load_legs(tx, call.id), Party.AGENT, viewer.user_id) or _leg_of(tx, call.id, viewer)
    scene = read_scene(leg.scene)
    if not isinstance(scene, Talk):
        raise Conflict("you are not talking", code="not_talking")
    records.set_scene(tx, leg, Talk(scene.presence, muted, scene.coached_leg_id))
    records.write_leg(tx, leg, muted=muted)


def _leg_of(tx: Tx, call_id: int, viewer: Viewer) -> Row[Any]:
    mine = [leg for leg in records.load_legs(tx, call_id) if leg.user_id == viewer.user_id]
    if not mine:
        raise Conflict("you are not in this call", code="no_leg")
    return mine[-1]


def set_recording(tx: Tx, viewer: Viewer, call_id: int, wanted: Recording) -> None:
    call, _ = _access_own(tx, viewer, call_id, TALKS)
    if wanted is Recording.PAUSED and call.recording == Recording.OFF.value:
        raise Conflict("this call is not recorded", code="not_recorded")
    # A pause by hand outlasts hold.
    records.change(tx, call, recording=wanted.value, flow={**(call.flow or {}), records.PAUSED_BY_HOLD: False})


def transfer(
    tx: Tx,
    viewer: Viewer,
    call_id: int,
    *,
    agent_id: int | None = None,
    queue_id: int | None = None,
    number: str | None = None,
    note: str | None = None,
) -> None:
    """Blind: the viewer leaves, the customer goes to an agent, a queue or a number outside. Exactly one of the three."""
    if sum(each is not None for each in (agent_id, queue_id, number)) != 1:
        raise InvalidInput(
            "where to?", fields={"agent_id": Sentence("give exactly one of agent_id, queue_id and number")}
        )
    call, view = _access_own(tx, viewer, call_id, TALKS)
    if number is None:
        dispatcher.transfer(tx, viewer, view.id, agent_id=agent_id, queue_id=queue_id, note=note)
        return
    address = _read_number(tx, call, number)
    legs = records.load_legs(tx, call.id)
    records.end_legs(tx, legs, but={Party.CUSTOMER})
    customer = records.find_leg(legs, Party.CUSTOMER)
    assert customer is not None
    records.set_scene(tx, customer, Wait((spoken("transferring", call.language),), 0), Presence.HELD)
    call = records.change(tx, call, CallState.FORWARDED, recording=Recording.OFF.value)
    records.add_leg(tx, call, Party.OUTSIDE, Talk(), address=address, due_at=tx.now + timedelta(seconds=RING_S))
    records.end_segment(tx, call, "transferred")
    _tell_transfer(tx, view, viewer, address, note)
    # The agent is done with it. If nobody answers there, it is in the queue again.
    dispatcher.close_by_itself(tx, conversations.load_conversation(tx, view.id), CallEnd.FORWARDED.value)


def _tell_transfer(tx: Tx, view: ConversationView, viewer: Viewer, address: str, note: str | None) -> None:
    author = Author(AuthorKind.AGENT, viewer.name, viewer.user_id)
    data: dict[str, str | int | None] = {"reason": "transferred", "number": address, "note": note}
    conversations.add_happening(tx, conversations.load_conversation(tx, view.id), Happening.TRANSFERRED, author, data)


def _read_number(tx: Tx, call: Row[Any], number: str) -> str:
    if not _dials(tx, call.channel_id):
        raise InvalidInput("this line cannot dial", fields={"number": Sentence("this line reaches no numbers outside")})
    try:
        return customers.parse_address(ContactKind.PHONE, number, customers.load_home_region(tx))
    except InvalidInput as error:
        raise InvalidInput(error.message, fields={"number": next(iter(error.fields.values()))}) from error


def consult(tx: Tx, viewer: Viewer, call_id: int, *, agent_id: int | None = None, number: str | None = None) -> None:
    """Asks a colleague or a number outside while the customer hears music. Conflict `agent_busy`, `consulting`."""
    if (agent_id is None) == (number is None):
        raise InvalidInput("whom?", fields={"agent_id": Sentence("give exactly one of agent_id and number")})
    call, _ = _access_own(tx, viewer, call_id, TALKS)
    legs = records.load_legs(tx, call.id)
    if any(leg.party in (Party.CONSULTED.value, Party.OUTSIDE.value) for leg in legs):
        raise Conflict("somebody is being asked already", code="consulting")
    due_at = tx.now + timedelta(seconds=records.CONSULT_RING_S)
    if number is not None:
        records.add_leg(tx, call, Party.OUTSIDE, Talk(), address=_read_number(tx, call, number), due_at=due_at)
    else:
        assert agent_id is not None
        _check_may_be_asked(tx, viewer, agent_id)
        records.add_leg(
            tx,
            call,
            Party.CONSULTED,
            Talk(),
            user_id=agent_id,
            address=records.phone_of(tx, call, agent_id),
            state=LegState.PENDING,
            due_at=due_at,
        )
    records.hold(tx, call)


def _check_may_be_asked(tx: Tx, viewer: Viewer, agent_id: int) -> None:
    found = roster.load_agent_views(tx, [agent_id])
    if not found or agent_id == viewer.user_id:
        raise InvalidInput("no such agent", fields={"agent_id": Sentence("there is no such colleague")})
    is_here = found[0].state not in (AgentState.OFFLINE, AgentState.NOT_RESPONDING)
    if not is_here or records.load_leg_of(tx, agent_id) is not None:
        raise Conflict(f"{found[0].name} cannot come to the telephone now", code="agent_busy")


def join(tx: Tx, viewer: Viewer, call_id: int) -> None:
    """A colleague who is asked takes the ring: their browser connects next (a telephone has been answered by itself)."""
    call, _ = access(tx, viewer, call_id)
    leg = _leg_of(tx, call.id, viewer)
    if leg.party != Party.CONSULTED.value:
        raise Conflict("nobody asks you", code="no_leg")
    records.move_leg(tx, leg, LegState.RINGING)


def refuse(tx: Tx, viewer: Viewer, call_id: int) -> None:
    call, _ = access(tx, viewer, call_id)
    leg = _leg_of(tx, call.id, viewer)
    if leg.party != Party.CONSULTED.value:
        raise Conflict("nobody asks you", code="no_leg")
    records.end_leg(tx, leg)
    records.write_leg(tx, leg, end_reason=LegEnd.REJECTED.value)
    _other_gone(tx, call, _reload(tx, leg), LegEnd.REJECTED)


def cancel_consult(tx: Tx, viewer: Viewer, call_id: int) -> None:
    call, _ = _access_own(tx, viewer, call_id, TALKS)
    for leg in records.load_legs(tx, call.id):
        if leg.party in (Party.CONSULTED.value, Party.OUTSIDE.value):
            records.end_leg(tx, leg)
    _talk_again(tx, call)


def complete_consult(tx: Tx, viewer: Viewer, call_id: int) -> None:
    """Whoever was asked gets the call, and the viewer leaves. Conflict `not_connected` before they have answered."""
    call, view = _access_own(tx, viewer, call_id, TALKS)
    legs = records.load_legs(tx, call.id)
    asked = [leg for leg in legs if leg.party in (Party.CONSULTED.value, Party.OUTSIDE.value)]
    if not asked or asked[-1].state != LegState.CONNECTED.value:
        raise Conflict("nobody has answered yet", code="not_connected")
    other = asked[-1]
    if other.party == Party.OUTSIDE.value:
        _tell_transfer(tx, view, viewer, other.address, None)
        _leave_to_outside(tx, call)
        return
    _pass_to(tx, call, view, other, viewer, "consult")


def _pass_to(
    tx: Tx,
    call: Row[Any],
    view: ConversationView,
    leg: Row[Any],
    viewer: Viewer,
    how: str,
    happening: Happening = Happening.TRANSFERRED,
) -> None:
    """The person on this leg becomes the call's agent; who was it leaves."""
    for other in records.load_legs(tx, call.id):
        if other.party == Party.AGENT.value:
            records.end_leg(tx, other)
    records.write_leg(tx, leg, party=Party.AGENT.value)
    records.set_scene(tx, _reload(tx, leg), Talk(), Presence.TALK)
    records.end_segment(tx, call, "taken" if happening is Happening.CLAIMED else "transferred")
    call = records.change(tx, call, agent_id=leg.user_id)
    author = Author(AuthorKind.AGENT, viewer.name, viewer.user_id)
    dispatcher.hand_over(tx, view, leg.user_id, author, happening)
    records.begin_segment(tx, call, leg.user_id, call.queue_id, how)
    _coach(tx, call.id)
    records.unhold(tx, records.load_row(tx, call.id))


def confer(tx: Tx, viewer: Viewer, call_id: int) -> None:
    """All talk with each other."""
    call, _ = _access_own(tx, viewer, call_id, TALKS)
    records.unhold(tx, call)


def hang_up(tx: Tx, viewer: Viewer, call_id: int) -> None:
    """Ends the call for everybody: its agent may, and a supervisor. Twice is the same as once."""
    call, view = access(tx, viewer, call_id)
    if call.agent_id != viewer.user_id and not viewer.may(Permission.ACT_ON_BOARD):
        raise Forbidden("this call is a colleague's")
    if call.hung_up_at is not None:
        return
    state = CallState(call.state)
    if state is CallState.DIALLING:
        records.end_call(tx, call, CallEnd.CANCELLED)
        view = conversations.load_conversation(tx, view.id)
        dispatcher.keep_open(tx, view)
    elif state in TALKS:
        finish_talk(tx, call)
    elif viewer.may(Permission.ACT_ON_BOARD):
        goodbye = (spoken("goodbye", call.language),)
        view = dispatcher.end_waiting(tx, view) if state in WAITS else view
        call = records.end_call(tx, records.load_row(tx, call.id), CallEnd.CANCELLED, goodbye=goodbye)
        _close(tx, call, CallEnd.CANCELLED)
    else:
        raise Conflict(f"the call is {state}", code="not_talking")


def write_up(
    tx: Tx,
    viewer: Viewer,
    call_id: int,
    *,
    disposition: str | None,
    note: str | None,
    done: bool,
    keep_open: bool,
) -> None:
    """Keeps what the agent writes down, from the talk on; `done` ends the wrap-up. InvalidInput `disposition` if it is not
    one of the queue's, or missing where it must be there."""
    call, _ = access(tx, viewer, call_id)
    if call.agent_id != viewer.user_id and not viewer.may(Permission.ACT_ON_BOARD):
        raise Forbidden("this call is a colleague's")
    if CallState(call.state) not in TALKS | {CallState.WRAP_UP}:
        raise Conflict(f"the call is {call.state}", code="not_talking")
    segment = records.load_segment(tx, call.id)
    if segment is None:
        raise Conflict("nothing is to be written down", code="not_talking")
    queue = tx.first(select(_q.dispositions, _q.wrap_up_mandatory).where(_q.id == segment.queue_id))
    assert queue is not None
    if disposition is not None and disposition not in (queue.dispositions or ()):
        raise InvalidInput("no such disposition", fields={"disposition": Sentence("is none of this queue's")})
    chosen = disposition if disposition is not None else segment.disposition
    if done and queue.wrap_up_mandatory and queue.dispositions and chosen is None:
        raise InvalidInput("what was it about?", fields={"disposition": Sentence("must be chosen first")})
    s = tables.call_segment.c
    values: dict[str, Any] = {"disposition": chosen} | ({"note": note} if note is not None else {})
    tx.execute(update(tables.call_segment).where(s.id == segment.id).values(**values))
    records.tell(tx, call.id)
    if not done:
        return
    if call.state != CallState.WRAP_UP.value:
        raise Conflict("the call goes on", code="in_call")
    end_wrap_up(tx, call, keeps_open=keep_open)


def supervise(tx: Tx, viewer: Viewer, call_id: int, presence: Presence) -> None:
    """A supervisor listens, whispers to the agent, or talks with both. Conflict `not_talking`, `in_call`."""
    call, _ = access(tx, viewer, call_id)
    if CallState(call.state) not in TALKS:
        raise Conflict(f"the call is {call.state}", code="not_talking")
    if call.agent_id == viewer.user_id:
        raise Conflict("this is your own call", code="in_call")
    legs = records.load_legs(tx, call.id)
    agent = records.find_leg(legs, Party.AGENT)
    coached = agent.id if agent is not None and presence is Presence.WHISPER else None
    scene = Talk(presence, presence is Presence.LISTEN, coached)
    mine = records.find_leg(legs, Party.SUPERVISOR, viewer.user_id)
    if mine is not None:
        records.set_scene(tx, mine, scene, presence)
    else:
        _check_no_line(tx, viewer.user_id)
        records.add_leg(
            tx,
            call,
            Party.SUPERVISOR,
            scene,
            user_id=viewer.user_id,
            address=records.phone_of(tx, call, viewer.user_id),
            presence=presence,
            due_at=tx.now + timedelta(seconds=_DIAL_WITHIN_S),
        )
    records.settle(tx, records.load_row(tx, call.id))
    told: dict[str, audit.JSON] = {"name": str(call.id), "presence": presence.value}
    audit.note(tx, viewer, "call.supervised", "call", call.id, told)


def leave(tx: Tx, viewer: Viewer, call_id: int) -> None:
    """A supervisor, or a colleague who was asked, hangs up; the call goes on."""
    call, _ = access(tx, viewer, call_id)
    leg = _leg_of(tx, call.id, viewer)
    if leg.party == Party.AGENT.value:
        raise Conflict("hang up or pass the call on", code="in_call")
    records.end_leg(tx, leg)
    _ended(tx, call, _reload(tx, leg), LegEnd.HUNG_UP)


def take_over(tx: Tx, viewer: Viewer, call_id: int) -> None:
    """A supervisor who is on the line becomes the call's agent. Conflict `not_connected`."""
    call, view = access(tx, viewer, call_id)
    mine = records.find_leg(records.load_legs(tx, call.id), Party.SUPERVISOR, viewer.user_id)
    if mine is None or mine.state != LegState.CONNECTED.value or CallState(call.state) not in TALKS:
        raise Conflict("listen first, then take it over", code="not_connected")
    _pass_to(tx, call, view, mine, viewer, "transferred", Happening.CLAIMED)
    audit.note(tx, viewer, "call.taken_over", "call", call.id, {"name": str(call.id)})
    call = records.load_row(tx, call.id)
    dispatcher.connected(tx, viewer.user_id, call.conversation_id)


def line_of(tx: Tx, viewer: Viewer, call_id: int) -> Row[Any]:
    """The viewer's own leg that a browser may connect (again). Conflict `no_leg`."""
    call, _ = access(tx, viewer, call_id)
    leg = _leg_of(tx, call.id, viewer)
    if leg.address:
        raise Conflict("your telephone rings", code="no_leg")
    return leg


def note_state(tx: Tx, leg_id: int, state: LegState) -> None:
    """The provider says so when it is spoken with, though it may never have told."""
    row = tx.first(select(tables.leg).where(_l.id == leg_id))
    if row is not None:
        call = _lock(tx, row.call_id)
        leg_changed(tx, call, _reload(tx, row), state, LegEnd.HUNG_UP if state is LegState.ENDED else None)


def give_up(tx: Tx, leg_id: int) -> None:
    """The provider refuses what this leg is to do: it is ended there, and counts as lost here."""
    row = tx.first(select(tables.leg).where(_l.id == leg_id))
    if row is None or row.ended_at is not None:
        return
    call = _lock(tx, row.call_id)
    leg = _reload(tx, row)
    if leg.ended_at is not None:
        return
    records.end_leg(tx, leg)
    _ended(tx, call, _reload(tx, leg), LegEnd.LOST)


def note_broken(tx: Tx, leg_id: int, end: LegEnd) -> None:
    """The provider holds no such leg (any more), or surely cannot set it up."""
    row = tx.first(select(tables.leg).where(_l.id == leg_id))
    if row is not None and row.ended_at is None:
        call = _lock(tx, row.call_id)
        leg_changed(tx, call, _reload(tx, row), LegState.ENDED, end)
