"""The carrier's documented face for calls: Twilio's REST API 2010-04-01.

    POST|GET         …/Calls.json                                    GET|POST|DELETE …/Calls/{Sid}.json
    GET              …/Calls/{Sid}/Notifications.json
    POST|GET         …/Calls/{Sid}/Recordings.json                   GET|POST|DELETE …/Calls/{Sid}/Recordings/{Sid}.json
    GET              …/Conferences.json                              GET|POST        …/Conferences/{Sid}.json
    POST|GET         …/Conferences/{Sid}/Participants.json           GET|POST|DELETE …/Participants/{CallSid or label}.json
    GET              …/Conferences/{Sid}/Recordings.json             GET|POST|DELETE …/Recordings/{Sid}.json
    GET              …/Recordings.json                               GET|DELETE      …/Recordings/{Sid}.json, .wav, no ending
    POST|GET         …/Queues.json                                   GET|POST|DELETE …/Queues/{Sid}.json
    GET              …/Queues/{Sid}/Members.json                     GET|POST        …/Members/{CallSid or Front}.json

Shapes follow Twilio's OpenAPI document (twilio-oai, api_v2010); a parameter that is not in it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from hub.demo import carrier_recordings, carrier_twiml, twilio_wire
from hub.demo.carrier_calls import Call, Member, Notification, Participant, Queue, Room
from hub.demo.carrier_recordings import Recording
from hub.demo.carrier_twiml import TwimlError
from hub.demo.carrier_webhook import Callback, Source
from hub.demo.twilio_wire import RestError, rfc2822

if TYPE_CHECKING:
    from hub.demo.carrier import Carrier

Handler = Callable[[Request], Awaitable[Response]]
Wrap = Callable[[Handler], Handler]

_CALL_EVENTS = frozenset({"initiated", "ringing", "answered", "completed"})
_RECORDING_EVENTS = frozenset({"in-progress", "completed", "absent"})
_ROOM_EVENTS = frozenset({"start", "end", "join", "leave", "mute", "hold", "modify", "speaker", "announcement"})


def routes(carrier: Carrier, root: str, signed_in: Wrap) -> list[BaseRoute]:
    voice = carrier.voice

    def guarded(place: str, handler: Handler) -> Handler:
        """With the faults of this place in front of it and behind it."""
        from hub.demo.carrier_rest import silence

        async def endpoint(request: Request) -> Response:
            fault = voice.take_fault(("refuse", "too_many_requests", "server_error", "timeout"), place)
            if fault is not None:
                if fault.kind == "refuse":
                    raise RestError(fault.code or 21220)
                if fault.kind == "too_many_requests":
                    raise RestError(20429, retry_after_s=round(fault.seconds or 1))
                if fault.kind == "timeout":
                    await silence(request, fault.seconds)
                raise RestError(20503)
            answer = await handler(request)
            after = voice.take_fault(("timeout_after_accept", "error_after_accept"), place)
            if after is not None:
                if after.kind == "error_after_accept":
                    raise RestError(20500)
                await silence(request, after.seconds)
            return answer

        return signed_in(endpoint)

    def route(path: str, method: str, place: str, handler: Handler) -> Route:
        return Route(f"{root}/{path}", guarded(place, handler), methods=[method])

    def page(request: Request, key: str, resources: Sequence[dict[str, object]], sids: Sequence[str]) -> Response:
        from hub.demo.carrier_rest import page as pages

        return JSONResponse(pages(request, key, resources, sids))

    # --- calls --------------------------------------------------------------------------------------------------------

    async def create_call(request: Request) -> Response:
        form = await _form(request, _CREATE_CALL)
        sender, recipient = _ends(carrier, form)
        source = _source(form)
        if source is None:
            raise RestError(21205)
        call = voice.create_call(
            sender,
            recipient,
            source,
            fallback=_address(form, "FallbackUrl", "FallbackMethod"),
            status_callback=_callback(form, "StatusCallback", _CALL_EVENTS, frozenset({"completed"})),
            ring_s=form.whole("Timeout", 60, 1, 600),
            time_limit_s=form.whole("TimeLimit", 14_400, 1, 86_400),
            machine_detection=form.one_of("MachineDetection", ("Enable", "DetectMessageEnd")),
            amd_callback=_callback(form, "AsyncAmdStatusCallback", frozenset(), frozenset()),
            amd_is_async=form.flag("AsyncAmd", False),
            records_as=_records_as(form),
            send_digits=form.get("SendDigits"),
        )
        return JSONResponse(call_resource(carrier, call), 201)

    async def list_calls(request: Request) -> Response:
        query = request.query_params
        found = [
            call
            for call in reversed(voice.calls.values())
            if query.get("To", call.recipient) == call.recipient
            and query.get("From", call.sender) == call.sender
            and query.get("Status", call.status) == call.status
            and query.get("ParentCallSid", call.parent.sid if call.parent else "")
            == (call.parent.sid if call.parent else "")
            and _when(request, "StartTime", call.created_at)
            and _when(request, "EndTime", call.ended_at)
        ]
        return page(request, "calls", [call_resource(carrier, c) for c in found], [c.sid for c in found])

    async def get_call(request: Request) -> Response:
        return JSONResponse(call_resource(carrier, _call(carrier, request)))

    async def update_call(request: Request) -> Response:
        form = await _form(request, _UPDATE_CALL)
        call = _call(carrier, request)
        status = form.one_of("Status", ("canceled", "completed"))
        source = _source(form)
        if "StatusCallback" in form.values:
            call.status_callback = _callback(form, "StatusCallback", _CALL_EVENTS, frozenset({"completed"}))
        if "FallbackUrl" in form.values:
            call.fallback = _address(form, "FallbackUrl", "FallbackMethod")
        voice.update_call(call, status=status, source=source)
        return JSONResponse(call_resource(carrier, call))

    async def delete_call(request: Request) -> Response:
        call = _call(carrier, request)
        if not call.is_over:
            raise RestError(20009)
        del voice.calls[call.sid]
        return Response(status_code=204)

    async def list_notifications(request: Request) -> Response:
        call = _call(carrier, request)
        resources = [notification_resource(carrier, call, each) for each in call.notifications]
        return page(request, "notifications", resources, [each.sid for each in call.notifications])

    # --- recordings ---------------------------------------------------------------------------------------------------

    async def create_recording(request: Request) -> Response:
        form = await _form(request, _CREATE_RECORDING)
        call = _call(carrier, request)
        if call.status != "in-progress":
            raise RestError(21220)
        recording = voice.begin_recording(
            call,
            "StartCallRecordingAPI",
            _channels(form),
            _callback(form, "RecordingStatusCallback", _RECORDING_EVENTS, frozenset({"completed"})),
            form.one_of("RecordingTrack", ("inbound", "outbound", "both"), "both"),
        )
        return JSONResponse(recording_resource(carrier, recording), 201)

    def recordings_of(request: Request) -> list[Recording]:
        call_sid, room_sid = request.path_params.get("call"), request.path_params.get("room")
        if call_sid is not None:
            _call(carrier, request, "call")
        if room_sid is not None:
            _room(carrier, request, "room")
        return [
            each
            for each in reversed(voice.recordings.values())
            if not each.is_deleted
            and call_sid in (None, each.call_sid)
            and room_sid in (None, each.conference_sid)
            and request.query_params.get("CallSid", each.call_sid) == each.call_sid
            and request.query_params.get("ConferenceSid", each.conference_sid) == each.conference_sid
            and _when(request, "DateCreated", each.created_at)
        ]

    def shown(request: Request, recording: Recording) -> dict[str, object]:
        return recording_resource(carrier, recording, by_parent=bool({"call", "room"} & set(request.path_params)))

    async def list_recordings(request: Request) -> Response:
        found = recordings_of(request)
        return page(request, "recordings", [shown(request, r) for r in found], [r.sid for r in found])

    def access_recording(request: Request) -> Recording:
        sid = request.path_params["sid"]
        for each in recordings_of(request):
            if each.sid == sid or (sid == "Twilio.CURRENT" and each.status in ("in-progress", "paused")):
                return each
        raise _not_found(request)

    async def get_recording(request: Request) -> Response:
        return JSONResponse(shown(request, access_recording(request)))

    async def update_recording(request: Request) -> Response:
        form = await _form(request, _UPDATE_RECORDING)
        recording = access_recording(request)
        status = form.one_of("Status", ("in-progress", "paused", "stopped"))
        behaviour = form.one_of("PauseBehavior", ("skip", "silence"), "skip")
        if not status:
            raise RestError(20001, "Status")
        if recording.status not in ("in-progress", "paused"):
            raise RestError(21220)
        if status == "paused":
            recording.pause(voice.time.now(), skip=behaviour == "skip")
        elif status == "in-progress":
            recording.go_on(voice.time.now())
        else:
            voice.stop_recording(recording)
        voice.touch()
        resource = shown(request, recording)
        return JSONResponse(resource | {"status": "stopped"} if status == "stopped" else resource)

    async def delete_recording(request: Request) -> Response:
        recording = access_recording(request)
        if recording.status in ("in-progress", "paused"):
            raise RestError(20009)
        recording.is_deleted = True
        return Response(status_code=204)

    async def get_media(request: Request) -> Response:
        recording = access_recording(request)
        if recording.status != "completed":
            raise _not_found(request)
        try:
            channels = int(request.query_params.get("RequestedChannels", recording.channels))
        except ValueError:
            raise RestError(20001, "RequestedChannels") from None
        if channels not in (1, 2) or channels > recording.channels:
            raise RestError(20001, "RequestedChannels")
        return Response(carrier_recordings.render(recording.kept_s, channels), media_type="audio/x-wav")

    # --- conferences --------------------------------------------------------------------------------------------------

    async def list_rooms(request: Request) -> Response:
        query = request.query_params
        found = [
            room
            for room in reversed(voice.rooms.values())
            if query.get("FriendlyName", room.name) == room.name
            and query.get("Status", room.status) == room.status
            and _when(request, "DateCreated", room.created_at)
            and _when(request, "DateUpdated", room.updated_at)
        ]
        return page(request, "conferences", [room_resource(carrier, r) for r in found], [r.sid for r in found])

    async def get_room(request: Request) -> Response:
        return JSONResponse(room_resource(carrier, _room(carrier, request)))

    async def update_room(request: Request) -> Response:
        form = await _form(request, _UPDATE_ROOM)
        room = _room(carrier, request)
        if room.status == "completed":
            raise RestError(20001, "Status")
        if form.one_of("Status", ("completed",)):
            voice.end_room(room, "conference-ended-via-api")
        announce = _address(form, "AnnounceUrl", "AnnounceMethod")
        if announce is not None:
            for participant in room.participants.values():
                voice.change_participant(participant, announce=announce)
        return JSONResponse(room_resource(carrier, room))

    async def create_participant(request: Request) -> Response:
        form = await _form(request, _CREATE_PARTICIPANT)
        sender, recipient = _ends(carrier, form)
        name = request.path_params["sid"]
        room = voice.find_room(name)
        if room is None and re.fullmatch(r"CF[0-9a-f]{32}", name):
            raise _not_found(request)
        join = _conference_twiml(form, room.name if room is not None else name)
        call = voice.create_call(
            sender,
            recipient,
            Source(twiml=join),
            status_callback=_callback(form, "StatusCallback", _CALL_EVENTS, frozenset({"completed"})),
            ring_s=form.whole("Timeout", 60, 5, 600),
            time_limit_s=form.whole("TimeLimit", 14_400, 1, 86_400),
            machine_detection=form.one_of("MachineDetection", ("Enable", "DetectMessageEnd")),
            amd_callback=_callback(form, "AmdStatusCallback", frozenset(), frozenset()),
            amd_is_async=True,
            records_as=_records_as(form),
        )
        if room is None:
            room = voice.open_room(name)
        return JSONResponse(pending_participant(carrier, call, room, form), 201)

    async def list_participants(request: Request) -> Response:
        room = _room(carrier, request)
        query = request.query_params
        found = [
            each
            for each in room.participants.values()
            if query.get("Muted", _flag(each.muted)) == _flag(each.muted)
            and query.get("Hold", _flag(each.hold)) == _flag(each.hold)
            and query.get("Coaching", _flag(each.coaching)) == _flag(each.coaching)
        ]
        return page(
            request, "participants", [participant_resource(carrier, p) for p in found], [p.call.sid for p in found]
        )

    async def get_participant(request: Request) -> Response:
        return JSONResponse(participant_resource(carrier, _participant(carrier, request)))

    async def update_participant(request: Request) -> Response:
        form = await _form(request, _UPDATE_PARTICIPANT)
        participant = _participant(carrier, request)
        coached = form.get("CallSidToCoach") or None
        coaching = form.choice("Coaching")
        if coached is not None and coached not in participant.room.participants:
            raise RestError(20001, "CallSidToCoach")
        if coaching and coached is None and participant.coached_sid is None:
            raise RestError(20001, "CallSidToCoach")
        if coached is not None and coaching is None:
            coaching = participant.coaching
        voice.change_participant(
            participant,
            muted=form.choice("Muted"),
            hold=form.choice("Hold"),
            hold_source=_address(form, "HoldUrl", "HoldMethod"),
            announce=_address(form, "AnnounceUrl", "AnnounceMethod"),
            ends_on_exit=form.choice("EndConferenceOnExit"),
            coaching=coaching,
            coached_sid=coached or participant.coached_sid,
            wait=_address(form, "WaitUrl", "WaitMethod"),
        )
        return JSONResponse(participant_resource(carrier, participant))

    async def delete_participant(request: Request) -> Response:
        voice.leave(_participant(carrier, request), "kicked")
        return Response(status_code=204)

    # --- queues -------------------------------------------------------------------------------------------------------

    async def create_queue(request: Request) -> Response:
        form = await _form(request, _QUEUE)
        name = form.get("FriendlyName")
        if not name:
            raise RestError(22001)
        if voice.find_queue(name) is not None:
            raise RestError(22003)
        queue = voice.queue(name)
        queue.max_size = form.whole("MaxSize", 100, 1, 5000)
        return JSONResponse(queue_resource(carrier, queue), 201)

    async def list_queues(request: Request) -> Response:
        found = [*voice.queues.values()]
        return page(request, "queues", [queue_resource(carrier, q) for q in found], [q.sid for q in found])

    async def get_queue(request: Request) -> Response:
        return JSONResponse(queue_resource(carrier, _queue(carrier, request)))

    async def update_queue(request: Request) -> Response:
        form = await _form(request, _QUEUE)
        queue = _queue(carrier, request)
        queue.name = form.get("FriendlyName") or queue.name
        queue.max_size = form.whole("MaxSize", queue.max_size, 1, 5000)
        return JSONResponse(queue_resource(carrier, queue))

    async def delete_queue(request: Request) -> Response:
        queue = _queue(carrier, request)
        if queue.members:
            raise RestError(22002)
        del voice.queues[queue.sid]
        return Response(status_code=204)

    async def list_members(request: Request) -> Response:
        queue = _queue(carrier, request)
        resources = [member_resource(carrier, each) for each in queue.members]
        return page(request, "queue_members", resources, [each.call.sid for each in queue.members])

    async def get_member(request: Request) -> Response:
        return JSONResponse(member_resource(carrier, _member(carrier, request)))

    async def update_member(request: Request) -> Response:
        form = await _form(request, _MEMBER)
        member = _member(carrier, request)
        source = _address(form, "Url", "Method")
        if source is None:
            raise RestError(21205)
        resource = member_resource(carrier, member)
        voice.redirect(member.call, source)
        return JSONResponse(resource)

    call, room = "Calls/{call}", "Conferences/{room}"
    return [
        route("Calls.json", "POST", "create_call", create_call),
        route("Calls.json", "GET", "list_calls", list_calls),
        route("Calls/{sid}.json", "GET", "fetch_call", get_call),
        route("Calls/{sid}.json", "POST", "update_call", update_call),
        route("Calls/{sid}.json", "DELETE", "update_call", delete_call),
        route("Calls/{sid}/Notifications.json", "GET", "fetch_call", list_notifications),
        route("Calls/{sid}/Recordings.json", "POST", "create_recording", create_recording),
        *(
            route(f"{where}Recordings{path}", method, place, handler)
            for where in (f"{call}/", f"{room}/", "")
            for path, method, place, handler in (
                (".json", "GET", "fetch_recording", list_recordings),
                ("/{sid}.json", "GET", "fetch_recording", get_recording),
                ("/{sid}.json", "POST", "update_recording", update_recording),
                ("/{sid}.json", "DELETE", "delete_recording", delete_recording),
            )
            if where or method != "POST"
        ),
        route("Recordings/{sid}.wav", "GET", "media", get_media),
        route("Recordings/{sid}", "GET", "media", get_media),
        route("Conferences.json", "GET", "list_conferences", list_rooms),
        route("Conferences/{sid}.json", "GET", "list_conferences", get_room),
        route("Conferences/{sid}.json", "POST", "update_conference", update_room),
        route("Conferences/{sid}/Participants.json", "POST", "create_participant", create_participant),
        route("Conferences/{sid}/Participants.json", "GET", "list_participants", list_participants),
        route("Conferences/{sid}/Participants/{call}.json", "GET", "list_participants", get_participant),
        route("Conferences/{sid}/Participants/{call}.json", "POST", "update_participant", update_participant),
        route("Conferences/{sid}/Participants/{call}.json", "DELETE", "delete_participant", delete_participant),
        route("Queues.json", "POST", "update_member", create_queue),
        route("Queues.json", "GET", "update_member", list_queues),
        route("Queues/{sid}.json", "GET", "update_member", get_queue),
        route("Queues/{sid}.json", "POST", "update_member", update_queue),
        route("Queues/{sid}.json", "DELETE", "update_member", delete_queue),
        route("Queues/{sid}/Members.json", "GET", "update_member", list_members),
        route("Queues/{sid}/Members/{call}.json", "GET", "update_member", get_member),
        route("Queues/{sid}/Members/{call}.json", "POST", "update_member", update_member),
    ]


# --- resources ------------------------------------------------------------------------------------------------------------


def _uri(carrier: Carrier, path: str) -> str:
    return f"/{twilio_wire.API_VERSION}/Accounts/{carrier.account_sid}/{path}"


def call_resource(carrier: Carrier, call: Call) -> dict[str, object]:
    uri = _uri(carrier, f"Calls/{call.sid}")
    return {
        "sid": call.sid,
        "account_sid": carrier.account_sid,
        "answered_by": call.answered_by,
        "api_version": twilio_wire.API_VERSION,
        "caller_name": call.caller_name or None,
        "date_created": rfc2822(call.created_at),
        "date_updated": rfc2822(call.updated_at),
        "direction": call.direction,
        "duration": str(call.duration_s) if call.is_over else None,
        "end_time": rfc2822(call.ended_at),
        "forwarded_from": None,
        "from": call.sender,
        "from_formatted": call.sender,
        "group_sid": None,
        "parent_call_sid": call.parent.sid if call.parent else None,
        "phone_number_sid": "PN" + format(int(call.number[1:]), "032x") if call.number.startswith("+") else None,
        "price": None,
        "price_unit": "USD",
        "queue_time": "0",
        "start_time": rfc2822(call.started_at),
        "status": call.status,
        "subresource_uris": {
            "notifications": f"{uri}/Notifications.json",
            "recordings": f"{uri}/Recordings.json",
        },
        "to": call.recipient,
        "to_formatted": call.recipient,
        "trunk_sid": None,
        "uri": f"{uri}.json",
    }


def notification_resource(carrier: Carrier, call: Call, each: Notification) -> dict[str, object]:
    return {
        "account_sid": carrier.account_sid,
        "api_version": twilio_wire.API_VERSION,
        "call_sid": call.sid,
        "date_created": rfc2822(each.at),
        "date_updated": rfc2822(each.at),
        "error_code": str(each.code),
        "log": str(each.log),
        "message_date": rfc2822(each.at),
        "message_text": each.message,
        "more_info": f"https://www.twilio.com/docs/errors/{each.code}",
        "request_method": each.method or "POST",
        "request_url": each.url or None,
        "sid": each.sid,
        "uri": _uri(carrier, f"Calls/{call.sid}/Notifications/{each.sid}.json"),
    }


def recording_resource(carrier: Carrier, recording: Recording, *, by_parent: bool = True) -> dict[str, object]:
    """Under its call or conference, or by itself: each of the three has fields of its own."""
    over = recording.status in ("completed", "absent")
    where = f"Calls/{recording.call_sid}" if recording.call_sid else f"Conferences/{recording.conference_sid}"
    resource: dict[str, object] = {
        "sid": recording.sid,
        "account_sid": carrier.account_sid,
        "api_version": twilio_wire.API_VERSION,
        "call_sid": recording.call_sid,
        "channels": recording.channels,
        "conference_sid": recording.conference_sid,
        "date_created": rfc2822(recording.created_at),
        "date_updated": rfc2822(recording.updated_at),
        "duration": str(recording.duration_s) if over else None,
        "encryption_details": None,
        "error_code": 0 if recording.status == "absent" else None,
        "price": None,
        "price_unit": "USD",
        "source": recording.source,
        "start_time": rfc2822(recording.created_at),
        "status": recording.status,
        "uri": _uri(carrier, f"{where}/Recordings/{recording.sid}.json"),
    }
    if not by_parent:
        path = f"Recordings/{recording.sid}"
        resource |= {
            "media_url": carrier.voice.recording_url(recording),
            "subresource_uris": {"transcriptions": _uri(carrier, f"{path}/Transcriptions.json")},
            "uri": _uri(carrier, f"{path}.json"),
        }
    elif recording.call_sid:
        resource["track"] = recording.track
    return resource


def room_resource(carrier: Carrier, room: Room) -> dict[str, object]:
    uri = _uri(carrier, f"Conferences/{room.sid}")
    return {
        "sid": room.sid,
        "account_sid": carrier.account_sid,
        "api_version": twilio_wire.API_VERSION,
        "call_sid_ending_conference": room.ended_by,
        "date_created": rfc2822(room.created_at),
        "date_updated": rfc2822(room.updated_at),
        "friendly_name": room.name,
        "reason_conference_ended": room.reason,
        "region": "us1",
        "status": room.status,
        "subresource_uris": {"participants": f"{uri}/Participants.json", "recordings": f"{uri}/Recordings.json"},
        "uri": f"{uri}.json",
    }


def participant_resource(carrier: Carrier, participant: Participant) -> dict[str, object]:
    return {
        "account_sid": carrier.account_sid,
        "call_sid": participant.call.sid,
        "call_sid_to_coach": participant.coached_sid,
        "coaching": participant.coaching,
        "conference_sid": participant.room.sid,
        "date_created": rfc2822(participant.at),
        "date_updated": rfc2822(participant.updated_at or participant.at),
        "end_conference_on_exit": participant.ends_on_exit,
        "hold": participant.hold,
        "label": participant.label or None,
        "muted": participant.muted,
        "queue_time": None,
        "start_conference_on_enter": participant.starts,
        "status": "connected",
        "uri": _uri(carrier, f"Conferences/{participant.room.sid}/Participants/{participant.call.sid}.json"),
    }


def pending_participant(carrier: Carrier, call: Call, room: Room, form: _Form) -> dict[str, object]:
    """A participant whose telephone is about to ring."""
    return {
        "account_sid": carrier.account_sid,
        "call_sid": call.sid,
        "call_sid_to_coach": form.get("CallSidToCoach") or None,
        "coaching": form.flag("Coaching", False),
        "conference_sid": room.sid,
        "date_created": rfc2822(call.created_at),
        "date_updated": rfc2822(call.created_at),
        "end_conference_on_exit": form.flag("EndConferenceOnExit", False),
        "hold": False,
        "label": form.get("Label") or None,
        "muted": form.flag("Muted", False),
        "queue_time": None,
        "start_conference_on_enter": form.flag("StartConferenceOnEnter", True),
        "status": "queued",
        "uri": _uri(carrier, f"Conferences/{room.sid}/Participants/{call.sid}.json"),
    }


def queue_resource(carrier: Carrier, queue: Queue) -> dict[str, object]:
    uri = _uri(carrier, f"Queues/{queue.sid}")
    return {
        "sid": queue.sid,
        "account_sid": carrier.account_sid,
        "average_wait_time": queue.average_wait_s,
        "current_size": len(queue.members),
        "date_created": rfc2822(queue.created_at),
        "date_updated": rfc2822(queue.updated_at),
        "friendly_name": queue.name,
        "max_size": queue.max_size,
        "uri": f"{uri}.json",
    }


def member_resource(carrier: Carrier, member: Member) -> dict[str, object]:
    return {
        "call_sid": member.call.sid,
        "date_enqueued": rfc2822(member.at),
        "position": member.queue.members.index(member) + 1,
        "queue_sid": member.queue.sid,
        "uri": _uri(carrier, f"Queues/{member.queue.sid}/Members/{member.call.sid}.json"),
        "wait_time": int((carrier.voice.time.now() - member.at).total_seconds()),
    }


# --- requests -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Form:
    values: Mapping[str, Sequence[str]]

    def get(self, name: str, default: str = "") -> str:
        return self.values[name][-1] if self.values.get(name) else default

    def choice(self, name: str) -> bool | None:
        """true, false or nothing said."""
        value = self.get(name).lower()
        if value not in ("", "true", "false"):
            raise RestError(20001, name)
        return value == "true" if value else None

    def flag(self, name: str, default: bool) -> bool:
        choice = self.choice(name)
        return default if choice is None else choice

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        value = self.get(name)
        if value == "":
            return default
        if not (value.isascii() and value.isdecimal() and low <= int(value) <= high):
            raise RestError(20001, name)
        return int(value)

    def one_of(self, name: str, words: Sequence[str], default: str = "") -> str:
        value = self.get(name, default)
        if value not in (*words, default, ""):
            raise RestError(20001, name)
        return value


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Parameters that Twilio's document names for each request. Those that the carrier has no use for do nothing.
_CREATE_CALL = _names(
    "To From Method FallbackUrl FallbackMethod StatusCallback StatusCallbackEvent StatusCallbackMethod SendDigits Timeout "
    "Record RecordingChannels RecordingStatusCallback RecordingStatusCallbackMethod SipAuthUsername SipAuthPassword "
    "MachineDetection MachineDetectionTimeout RecordingStatusCallbackEvent Trim CallerId MachineDetectionSpeechThreshold "
    "MachineDetectionSpeechEndThreshold MachineDetectionSilenceTimeout AsyncAmd AsyncAmdStatusCallback "
    "AsyncAmdStatusCallbackMethod Byoc CallReason CallToken RecordingTrack TimeLimit ClientNotificationUrl Url Twiml "
    "ApplicationSid"
)
_UPDATE_CALL = _names(
    "Url Method Status FallbackUrl FallbackMethod StatusCallback StatusCallbackMethod Twiml TimeLimit"
)
_CREATE_RECORDING = _names(
    "RecordingStatusCallbackEvent RecordingStatusCallback RecordingStatusCallbackMethod Trim RecordingChannels RecordingTrack"
)
_UPDATE_RECORDING = _names("Status PauseBehavior")
_UPDATE_ROOM = _names("Status AnnounceUrl AnnounceMethod")
_CREATE_PARTICIPANT = _names(
    "From To StatusCallback StatusCallbackMethod StatusCallbackEvent Label Timeout Record Muted Beep StartConferenceOnEnter "
    "EndConferenceOnExit WaitUrl WaitMethod EarlyMedia MaxParticipants ConferenceRecord ConferenceTrim "
    "ConferenceStatusCallback ConferenceStatusCallbackMethod ConferenceStatusCallbackEvent RecordingChannels "
    "RecordingStatusCallback RecordingStatusCallbackMethod SipAuthUsername SipAuthPassword Region "
    "ConferenceRecordingStatusCallback ConferenceRecordingStatusCallbackMethod RecordingStatusCallbackEvent "
    "ConferenceRecordingStatusCallbackEvent Coaching CallSidToCoach JitterBufferSize Byoc CallerId CallReason RecordingTrack "
    "TimeLimit MachineDetection MachineDetectionTimeout MachineDetectionSpeechThreshold MachineDetectionSpeechEndThreshold "
    "MachineDetectionSilenceTimeout AmdStatusCallback AmdStatusCallbackMethod Trim CallToken ClientNotificationUrl "
    "CallerDisplayName"
)
_UPDATE_PARTICIPANT = _names(
    "Muted Hold HoldUrl HoldMethod AnnounceUrl AnnounceMethod WaitUrl WaitMethod BeepOnExit EndConferenceOnExit Coaching "
    "CallSidToCoach"
)
_QUEUE = _names("FriendlyName MaxSize")
_MEMBER = _names("Url Method")
# An array is a repeated field; Twilio also takes the words of one field, separated by spaces.
_ARRAYS = _names(
    "StatusCallbackEvent RecordingStatusCallbackEvent ConferenceStatusCallbackEvent ConferenceRecordingStatusCallbackEvent"
)


async def _form(request: Request, known: frozenset[str]) -> _Form:
    from hub.demo.carrier_rest import read_form

    values: dict[str, list[str]] = {}
    for name, value in await read_form(request):
        if name not in known or (name in values and name not in _ARRAYS):
            raise RestError(20001, name)
        values.setdefault(name, []).append(value)
    return _Form(values)


def _ends(carrier: Carrier, form: _Form) -> tuple[str, str]:
    """From and To. Codes: docs/iam/test-credentials, "Magic input: POST Calls"."""
    from hub.demo.carrier import e164

    to, sender = form.get("To"), form.get("From")
    if not to:
        raise RestError(21201)
    if not sender:
        raise RestError(21213)
    if magic := twilio_wire.MAGIC_CALL_TO.get(to):
        raise RestError(magic, to)
    if to.startswith("client:"):
        if not re.fullmatch(r"client:[\w.-]{1,121}", to):
            raise RestError(21211, to)
    elif e164(to) is None or to in carrier.numbers:
        raise RestError(21211, to)
    if sender not in carrier.numbers:
        if sender == "+15005550001" or e164(sender) is None:
            raise RestError(21212, sender)
        raise RestError(21210, sender)
    return sender, to


def _source(form: _Form) -> Source | None:
    """Url or Twiml; both are refused, as is a document that cannot be read."""
    twiml, url = form.get("Twiml"), form.get("Url")
    if twiml and url:
        raise RestError(20001, "Twiml")
    if twiml:
        if len(twiml) > 4000:
            raise RestError(20001, "Twiml")
        try:
            carrier_twiml.parse(twiml)
        except TwimlError as error:
            raise RestError(error.code, error.message) from None
        return Source(twiml=twiml)
    return _address(form, "Url", "Method")


def _address(form: _Form, name: str, method: str) -> Source | None:
    url = form.get(name)
    verb = form.one_of(method, ("GET", "POST"), "POST")
    if not url:
        return None
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s]*", url):
        raise RestError(21205, url)
    return Source(url, verb)


def _callback(form: _Form, name: str, known: frozenset[str], default: frozenset[str]) -> Callback | None:
    source = _address(form, name, f"{name}Method")
    words = frozenset(word for each in form.values.get(f"{name}Event", ()) for word in each.split())
    if not words <= known:
        raise RestError(20001, f"{name}Event")
    return None if source is None else Callback(source.url, source.method, words or default)


def _channels(form: _Form) -> int:
    return 2 if form.one_of("RecordingChannels", ("mono", "dual"), "mono") == "dual" else 1


def _records_as(form: _Form) -> tuple[int, Callback | None, str] | None:
    callback = _callback(form, "RecordingStatusCallback", _RECORDING_EVENTS, frozenset({"completed"}))
    track = form.one_of("RecordingTrack", ("inbound", "outbound", "both"), "both")
    return (_channels(form), callback, track) if form.flag("Record", False) else None


def _conference_twiml(form: _Form, name: str) -> str:
    """What the participant's telephone does once it is answered: the same as a Dial into the room."""
    from xml.sax.saxutils import escape, quoteattr

    _callback(form, "ConferenceStatusCallback", _ROOM_EVENTS, frozenset({"start", "end"}))
    attributes = {
        "muted": form.get("Muted"),
        "beep": form.get("Beep"),
        "startConferenceOnEnter": form.get("StartConferenceOnEnter"),
        "endConferenceOnExit": form.get("EndConferenceOnExit"),
        "participantLabel": form.get("Label"),
        "waitUrl": form.get("WaitUrl"),
        "waitMethod": form.get("WaitMethod"),
        "maxParticipants": form.get("MaxParticipants"),
        "coach": form.get("CallSidToCoach") if form.flag("Coaching", False) else "",
        "record": {"true": "record-from-start", "false": "do-not-record"}.get(
            form.get("ConferenceRecord"), form.get("ConferenceRecord")
        ),
        "statusCallback": form.get("ConferenceStatusCallback"),
        "statusCallbackMethod": form.get("ConferenceStatusCallbackMethod"),
        "statusCallbackEvent": " ".join(form.values.get("ConferenceStatusCallbackEvent", ())),
        "recordingStatusCallback": form.get("ConferenceRecordingStatusCallback"),
        "recordingStatusCallbackMethod": form.get("ConferenceRecordingStatusCallbackMethod"),
        "recordingStatusCallbackEvent": " ".join(form.values.get("ConferenceRecordingStatusCallbackEvent", ())),
    }
    written = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items() if value)
    document = f"<Response><Dial><Conference{written}>{escape(name)}</Conference></Dial></Response>"
    try:
        carrier_twiml.parse(document)
    except TwimlError as error:
        raise RestError(20001, error.message) from None
    return document


def _not_found(request: Request) -> RestError:
    return RestError(20404, request.url.path.removeprefix(request.scope.get("root_path", "")))


def _call(carrier: Carrier, request: Request, name: str = "sid") -> Call:
    call = carrier.voice.calls.get(request.path_params[name])
    if call is None:
        raise _not_found(request)
    return call


def _room(carrier: Carrier, request: Request, name: str = "sid") -> Room:
    """By its SID: only a new participant may name a room by its name."""
    room = carrier.voice.rooms.get(request.path_params[name])
    if room is None:
        raise _not_found(request)
    return room


def _participant(carrier: Carrier, request: Request) -> Participant:
    room = _room(carrier, request)
    name = request.path_params["call"]
    for participant in room.participants.values():
        if name in (participant.call.sid, participant.label):
            return participant
    raise _not_found(request)


def _queue(carrier: Carrier, request: Request) -> Queue:
    queue = carrier.voice.queues.get(request.path_params["sid"])
    if queue is None:
        raise _not_found(request)
    return queue


def _member(carrier: Carrier, request: Request) -> Member:
    queue, name = _queue(carrier, request), request.path_params["call"]
    for member in queue.members:
        if name in (member.call.sid, "Front"):
            return member
    raise _not_found(request)


def _when(request: Request, name: str, at: datetime | None) -> bool:
    """The date filters of lists: on that day (UTC), or with < and > up to and from it."""
    for sign in ("", "<", ">"):
        value = request.query_params.get(name + sign)
        if value is None:
            continue
        try:
            bound = date.fromisoformat(value[:10])
        except ValueError:
            raise RestError(20001, name) from None
        if at is None:
            return False
        day = at.date()
        if not (day == bound if not sign else day <= bound if sign == "<" else day >= bound):
            return False
    return True


def _flag(value: bool) -> str:
    return "true" if value else "false"
