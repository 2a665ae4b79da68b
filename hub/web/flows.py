"""Menus that callers hear, and the sounds in them: administrators write them, try them out, and give them to lines."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Row
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from hub.calls import flows, sounds
from hub.calls.flow import (
    AskStep,
    CallbackStep,
    Flow,
    HangUpStep,
    NumberStep,
    QueueStep,
    Step,
    TellStep,
    VoicemailStep,
    write_flow,
)
from hub.calls.flows import StoredFlow
from hub.calls.flows_in_force import flows_naming, read_stored
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.errors import InvalidInput, NotFound
from hub.media.sound_file import SoundFile, telephone_sound
from hub.store.database import Tx
from hub.web.api import Access, Context, endpoint, error_answer, hub_of
from hub.web.attachments import read_upload
from hub.web.schemas import (
    CheckFlow,
    FlowBody,
    FlowFaults,
    FlowLine,
    FlowTrial,
    FlowView,
    HeardPrompt,
    HeardStep,
    NewFlow,
    Page,
    SoundView,
    TryFlow,
    TryFlowBody,
    UpdateFlow,
)

_BODY: TypeAdapter[FlowBody] = TypeAdapter(FlowBody)
_KIND: dict[type[Step], Any] = {
    AskStep: "ask",
    TellStep: "tell",
    QueueStep: "queue",
    VoicemailStep: "voicemail",
    CallbackStep: "callback",
    NumberStep: "number",
    HangUpStep: "hang_up",
}
# Five minutes of studio sound without loss, with two channels and 16 bits, have 58 MB; nobody uploads such a prompt.
_SOUND_LIMIT_BYTES = 20 << 20
_SOUND_NAME_LENGTH = 60
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


@endpoint("GET", "/flows", access=Access.SUPERVISOR, summary="All menus that callers hear")
async def list_flows(context: Context) -> Page[FlowView]:
    """By name, each as it is now."""
    return Page([_view(context, each) for each in await context.hub.database.read(flows.load_flows)])


@endpoint("POST", "/flows", access=Permission.MANAGE_CHANNELS, status=201, summary="Create a menu")
async def create_flow(context: Context, body: NewFlow) -> FlowView:
    """409 `name_taken` if there is one of this name. Callers hear it once a line has it (`flow_id` of the channel)."""
    return _view(
        context, await context.hub.database.transaction(flows.create_flow, body.name, body.body, actor=context.viewer)
    )


# Before the paths with an id: routes are tried in their order.
@endpoint("POST", "/flows/check", access=Permission.MANAGE_CHANNELS, summary="Look for faults in a menu")
async def check_flow(context: Context, body: CheckFlow) -> FlowFaults:
    """What saving it would refuse. Changes nothing."""
    try:
        await context.hub.database.read(flows.check_body, body.body)
    except InvalidInput as error:
        return FlowFaults(fields=context.worded(error.fields))
    return FlowFaults(fields={})


@endpoint("POST", "/flows/try", access=Permission.MANAGE_CHANNELS, summary="Try out a menu before it is saved")
async def try_unsaved_flow(context: Context, body: TryFlowBody) -> FlowTrial:
    """What a caller would hear. Changes nothing, calls nobody."""
    return await context.hub.database.read(lambda tx: _try(tx, flows.check_body(tx, body.body), body))


@endpoint("GET", "/flows/{flow_id}", access=Access.SUPERVISOR, summary="One menu")
async def get_flow(context: Context, flow_id: int) -> FlowView:
    return _view(context, await context.hub.database.read(flows.load_flow, flow_id))


@endpoint("PATCH", "/flows/{flow_id}", access=Permission.MANAGE_CHANNELS, summary="Change a menu")
async def update_flow(context: Context, flow_id: int, body: UpdateFlow) -> FlowView:
    """What is given. Calls that come from now on begin in it; those that go on stay in the version they began in. 409
    `version_conflict` if somebody changed it meanwhile."""

    def change(tx: Tx) -> StoredFlow:
        return flows.update_flow(
            tx,
            flow_id,
            name=body.name,
            body=body.body,
            expected_version=body.expected_version,
            actor=context.viewer,
        )

    return _view(context, await context.hub.database.transaction(change))


@endpoint("DELETE", "/flows/{flow_id}", access=Permission.MANAGE_CHANNELS, summary="Remove a menu")
async def delete_flow(context: Context, flow_id: int) -> None:
    """409 `in_use`, naming them, while lines have it."""
    await context.hub.database.transaction(flows.delete_flow, flow_id, actor=context.viewer)


@endpoint("POST", "/flows/{flow_id}/try", access=Access.SUPERVISOR, summary="Try out a menu")
async def try_flow(context: Context, flow_id: int, body: TryFlow) -> FlowTrial:
    """What a caller would hear. Changes nothing, calls nobody."""

    def walk(tx: Tx) -> FlowTrial:
        found = flows.current(tx, flow_id)
        if found is None:
            raise NotFound("there is no such menu")
        return _try(tx, found[1], body)

    return await context.hub.database.read(walk)


def _try(tx: Tx, flow: Flow, body: TryFlow) -> FlowTrial:
    steps = flows.try_out(tx, flow, body.steps, at=body.at, language=body.language, has_number=not body.hides_number)
    return FlowTrial(heard=[_heard(step) for step in steps])


def _heard(step: Step) -> HeardStep:
    return HeardStep(
        node=step.place.node,
        kind=_KIND[type(step)],
        said=[
            HeardPrompt(text=each.text, language=each.language, sound_id=each.sound_id, phrase=each.phrase)
            for each in step.said
        ],
        language=step.place.language,
        chosen=list(step.place.chosen),
        keys=list(step.keys) if isinstance(step, AskStep) else [],
        queue_id=step.queue_id if isinstance(step, QueueStep | VoicemailStep | CallbackStep) else None,
        after_s=step.after_s if isinstance(step, QueueStep) else None,
        limit_s=step.limit_s if isinstance(step, VoicemailStep) else None,
        number=step.number if isinstance(step, NumberStep) else None,
        ring_s=step.ring_s if isinstance(step, NumberStep) else None,
    )


def _view(context: Context, found: StoredFlow) -> FlowView:
    # Written anew, so that one that was stored by hand has all its fields, too.
    flow = read_stored(found.id, found.body)
    return FlowView(
        id=found.id,
        name=found.name,
        version=found.version,
        body=_BODY.validate_python(write_flow(flow) if flow is not None else {**_EMPTY}),
        lines=[FlowLine(id=channel_id, name=name) for channel_id, name in found.channels.items()],
        missing=context.worded(found.missing if flow is not None else {"nodes": Sentence("cannot be read any more")}),
    )


# In place of a menu that cannot be read: an administrator writes it anew, or removes it.
_EMPTY = {"start": "", "language": "en", "nodes": {}}


# --- sounds -------------------------------------------------------------------------------------------------------------


@endpoint("GET", "/sounds", access=Access.SUPERVISOR, summary="All sounds that menus can say")
async def list_sounds(context: Context) -> Page[SoundView]:
    """By name."""

    def load(tx: Tx) -> list[SoundView]:
        users = flows_naming(tx, "sound")
        return [_sound_view(row, users.get(row.id, [])) for row in sounds.load_sounds(tx)]

    return Page(await context.hub.database.read(load))


@endpoint(
    "POST",
    "/sounds",
    access=Permission.MANAGE_CHANNELS,
    status=201,
    summary="Upload a sound",
    accepts="multipart/form-data",
)
async def upload_sound(context: Context, name: str = "", language: str = "en") -> SoundView:
    """One part called `file`: WAV, MP3, OGG, FLAC, AAC, M4A, AIFF or WebM, five minutes at most; `name` is that of the file
    if it is not given. It is kept as a WAV with 16 kHz. 409 `name_taken`."""
    hub = context.hub
    limit = min(_SOUND_LIMIT_BYTES, hub.settings.upload_limit_bytes)
    file_name, _, content = await read_upload(context.request, limit)
    name = name.strip() or file_name.rpartition(".")[0] or file_name
    faults: dict[str, str] = {}
    if len(name) > _SOUND_NAME_LENGTH:
        faults["name"] = Sentence("must have at most {count} characters", count=_SOUND_NAME_LENGTH)
    if not _LANGUAGE.fullmatch(language):
        faults["language"] = Sentence("is not a language; one is written like en, hy or ka")
    if faults:
        raise InvalidInput("the sound cannot be kept so", fields=faults)
    sound = await asyncio.to_thread(_read, content)
    key = await asyncio.to_thread(hub.files.write, sound.content)
    row = await hub.database.transaction(sounds.create_sound, name, language, key, sound, actor=context.viewer)
    return _sound_view(row, [])


def _read(content: bytes) -> SoundFile:
    try:
        return telephone_sound(content)
    except ValueError as error:
        raise InvalidInput("this is no sound for callers", fields={"file": error.args[0]}) from None


@endpoint(
    "GET",
    "/sounds/{sound_id}/content",
    access=Access.SUPERVISOR,
    summary="Play a sound",
    media_type="audio/wav",
)
async def play_sound(context: Context, sound_id: int) -> Response:
    row = await context.hub.database.read(sounds.load_sound, sound_id)
    answer = FileResponse(context.hub.files.path(row.file_key), media_type=row.media_type)
    # One id is one sound for ever.
    answer.headers["Cache-Control"] = "private, max-age=86400"
    return answer


@endpoint("DELETE", "/sounds/{sound_id}", access=Permission.MANAGE_CHANNELS, summary="Remove a sound")
async def delete_sound(context: Context, sound_id: int) -> None:
    """409 `in_use`, naming them, while menus say it."""
    key = await context.hub.database.transaction(sounds.delete_sound, sound_id, actor=context.viewer)
    await asyncio.to_thread(context.hub.files.delete, key)


def _sound_view(row: Row[Any], used_by: list[str]) -> SoundView:
    return SoundView(
        id=row.id,
        name=row.name,
        language=row.language,
        media_type=row.media_type,
        size_bytes=row.size_bytes,
        duration_s=row.duration_s,
        created_at=row.created_at,
        used_by=used_by,
    )


async def public_sound(request: Request) -> Response:
    """`GET /sounds/{name}/{signature}`: what callers hear, for the provider of their line."""
    hub = hub_of(request)
    try:
        key = sounds.signed_key(
            hub.vault, request.path_params["name"], request.path_params["signature"], hub.database.clock()
        )
        if key is None or not await hub.database.read(sounds.is_sound, key):
            raise NotFound("there is no such sound")
        return FileResponse(hub.files.path(key), media_type="audio/wav")
    except Exception as error:
        return error_answer(request, error)
