"""Calls: calling out, one's own line, hold and transfers, wrap-up, and what supervisors do with the calls of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Row

from hub.calls import conductor, lines
from hub.calls.views import load_call
from hub.channels.voice import LegOrder
from hub.domain.calls import Presence, Recording
from hub.domain.permissions import Permission
from hub.domain.views import CallView
from hub.errors import Conflict
from hub.store.database import Tx
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import (
    BrowserToken,
    CallTransfer,
    Consult,
    Hold,
    LineAnswer,
    LineOffer,
    Mute,
    NewCall,
    SetRecording,
    Supervise,
    WrapUp,
)


async def _do(context: Context, call_id: int, verb: Callable[..., None], **wanted: Any) -> CallView:
    """One verb of the conductor, and the call as it is after it."""

    def work(tx: Tx) -> CallView:
        verb(tx, context.viewer, call_id, **wanted)
        # Whoever has just left may look at it once more.
        return load_call(tx, call_id)

    return await context.hub.database.transaction(work)


@endpoint("POST", "/calls", access=Permission.TAKE_PART, status=201, summary="Call a customer")
async def start_call(context: Context, body: NewCall) -> CallView:
    """At a contact point, or where the callback of a conversation in your hands is to go. Your own line is set up first,
    then their telephone rings. 409 `in_call` while you are in a call, `already_assigned` when a colleague holds it."""

    def work(tx: Tx) -> CallView:
        call_id = conductor.start_call(
            tx,
            context.viewer,
            contact_point_id=body.contact_point_id,
            conversation_id=body.conversation_id,
            channel_id=body.channel_id,
        )
        return conductor.get(tx, context.viewer, call_id)

    return await context.hub.database.transaction(work)


@endpoint("GET", "/calls/{call_id}", access=Access.AGENT, summary="One call")
async def get_call(context: Context, call_id: int) -> CallView:
    return await context.hub.database.read(conductor.get, context.viewer, call_id)


@endpoint("POST", "/calls/{call_id}/line", access=Access.AGENT, summary="Connect your browser to the call")
async def connect_line(context: Context, call_id: int, body: LineOffer) -> LineAnswer:
    """An SDP offer with all its candidates in, the answer out. Again for a line that broke, or after a reload. 409 `no_leg`
    when the call has no line for you (any more); 503 when the line carries no more."""
    hub = context.hub

    def load(tx: Tx) -> tuple[Row[Any], LegOrder]:
        leg = conductor.line_of(tx, context.viewer, call_id)
        return leg, lines.order_of(tx, leg, hub.vault, hub.settings.public_url)

    leg, order = await hub.database.transaction(load)
    line = await hub.channels.get_line(leg.channel_id)
    if not line.voice.by_connect:
        raise Conflict("this line is not connected by the page", code="no_leg")
    answer = await line.connect(order, body.sdp)
    await hub.database.transaction(lines.note_applied, order, provider_leg_id=order.token)
    return LineAnswer(sdp=answer)


@endpoint("GET", "/lines/{channel_id}/token", access=Access.AGENT, summary="Sign in to a provider's page library")
async def get_browser_token(context: Context, channel_id: str) -> BrowserToken:
    """Empty where the line has no such library, or is not set up for it."""
    line = await context.hub.channels.get_line(channel_id)
    return BrowserToken(token=line.browser_token(context.viewer.user_id, context.hub.database.clock()))


@endpoint("GET", "/calls/{call_id}/leg", access=Access.AGENT, summary="Your own leg, for a provider's page library")
async def get_leg_token(context: Context, call_id: int) -> BrowserToken:
    """What the page library passes on as `leg`, so that the line knows which leg it sets up."""

    def load(tx: Tx) -> str:
        return str(conductor.line_of(tx, context.viewer, call_id).token)

    return BrowserToken(token=await context.hub.database.transaction(load))


@endpoint("POST", "/calls/{call_id}/hold", access=Permission.TAKE_PART, summary="Put the customer on hold, or back")
async def hold(context: Context, call_id: int, body: Hold) -> CallView:
    return await _do(context, call_id, conductor.set_hold, held=body.held)


@endpoint("POST", "/calls/{call_id}/mute", access=Access.AGENT, summary="Mute yourself")
async def mute(context: Context, call_id: int, body: Mute) -> CallView:
    return await _do(context, call_id, conductor.set_mute, muted=body.muted)


@endpoint("POST", "/calls/{call_id}/recording", access=Permission.TAKE_PART, summary="Record, or pause the recording")
async def set_recording(context: Context, call_id: int, body: SetRecording) -> CallView:
    return await _do(context, call_id, conductor.set_recording, wanted=Recording(body.recording))


@endpoint("POST", "/calls/{call_id}/transfer", access=Permission.TAKE_PART, summary="Pass the call on at once")
async def transfer_call(context: Context, call_id: int, body: CallTransfer) -> CallView:
    """To an agent, at whom it rings, to a queue, where it keeps its age, or to a number outside. 409 `agent_busy`."""
    return await _do(
        context,
        call_id,
        conductor.transfer,
        agent_id=body.agent_id,
        queue_id=body.queue_id,
        number=body.number,
        note=body.note,
    )


@endpoint(
    "POST",
    "/calls/{call_id}/consult",
    access=Permission.TAKE_PART,
    summary="Ask somebody while the customer is on hold",
)
async def consult_on_call(context: Context, call_id: int, body: Consult) -> CallView:
    """A colleague or a number outside. 409 `agent_busy`, `consulting`."""
    return await _do(context, call_id, conductor.consult, agent_id=body.agent_id, number=body.number)


@endpoint(
    "POST", "/calls/{call_id}/consult/complete", access=Permission.TAKE_PART, summary="Give the call to whom you asked"
)
async def complete_consult(context: Context, call_id: int) -> CallView:
    """409 `not_connected` before they have answered."""
    return await _do(context, call_id, conductor.complete_consult)


@endpoint("POST", "/calls/{call_id}/consult/cancel", access=Permission.TAKE_PART, summary="Go back to the customer")
async def cancel_consult(context: Context, call_id: int) -> CallView:
    return await _do(context, call_id, conductor.cancel_consult)


@endpoint("POST", "/calls/{call_id}/conference", access=Permission.TAKE_PART, summary="Talk all together")
async def confer(context: Context, call_id: int) -> CallView:
    return await _do(context, call_id, conductor.confer)


@endpoint("POST", "/calls/{call_id}/join", access=Permission.TAKE_PART, summary="Answer a colleague who asks you")
async def join(context: Context, call_id: int) -> CallView:
    return await _do(context, call_id, conductor.join)


@endpoint("POST", "/calls/{call_id}/refuse", access=Access.AGENT, summary="Pass on a colleague's question")
async def refuse(context: Context, call_id: int) -> CallView:
    return await _do(context, call_id, conductor.refuse)


@endpoint("POST", "/calls/{call_id}/hang_up", access=Access.AGENT, summary="End the call for everybody")
async def hang_up(context: Context, call_id: int) -> CallView:
    return await _do(context, call_id, conductor.hang_up)


@endpoint("POST", "/calls/{call_id}/wrap_up", access=Permission.TAKE_PART, summary="Write down what the call was about")
async def wrap_up(context: Context, call_id: int, body: WrapUp) -> CallView:
    """`done` ends the wrap-up and resolves the conversation, unless `keep_open`."""
    return await _do(
        context,
        call_id,
        conductor.write_up,
        disposition=body.disposition,
        note=body.note,
        done=body.done,
        keep_open=body.keep_open,
    )


@endpoint("POST", "/calls/{call_id}/supervise", access=Permission.LISTEN, summary="Listen, whisper or barge in")
async def supervise(context: Context, call_id: int, body: Supervise) -> CallView:
    return await _do(context, call_id, conductor.supervise, presence=Presence(body.presence))


@endpoint("POST", "/calls/{call_id}/leave", access=Access.AGENT, summary="Leave a call that goes on")
async def leave(context: Context, call_id: int) -> CallView:
    return await _do(context, call_id, conductor.leave)


@endpoint("POST", "/calls/{call_id}/take_over", access=Permission.LISTEN, summary="Become the call's agent")
async def take_over(context: Context, call_id: int) -> CallView:
    return await _do(context, call_id, conductor.take_over)
