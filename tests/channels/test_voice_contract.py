"""What every telephone line owes the hub (hub.channels.voice), tried on every line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, replace
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.channels.channel import ChannelAccount, WebhookRequest
from hub.channels.hubline import HubLine
from hub.channels.phone import TwilioLine
from hub.channels.registry import LINE_TYPES, create_line
from hub.channels.voice import (
    CallArrived,
    Hold,
    LegChanged,
    LegOrder,
    Menu,
    Over,
    Prompt,
    RecordingReady,
    RecordingRef,
    Ringback,
    Say,
    Scene,
    Talk,
    VoiceChannel,
    Voicemail,
    Wait,
)
from hub.domain.calls import Party, Presence, Recording
from hub.domain.states import LegState
from hub.domain.values import ChannelKind
from hub.errors import BadRequest, BadSignature, ProviderError, Refused, Unavailable, Uncertain
from hub.media.signature import signed_headers
from tests.channels.lines import RECORDING_SID, captured, line_account, order
from tests.channels.provider import Fault, Reply, running_provider
from tests.channels.support import ACCOUNT_SID, NOW, PAYLOADS, PUBLIC_URL, signed_by_twilio
from tests.channels.test_contract import check_storable

MEDIA_KEY = b"k" * 32
# What the hub adds to Twilio's addresses: the leg and the scene that it was asked for.
AT_LEG = {"leg": "Leg_token-0123456789abcdef", "v": "3"}


def hub_account(url: str = "", *, key: bytes = MEDIA_KEY) -> ChannelAccount:
    return ChannelAccount(
        "line-demo",
        ChannelKind.PHONE,
        {"chat_channel_id": "chat-demo"},
        {},
        PUBLIC_URL,
        provider="hub",
        media_url=url,
        media_key=key,
    )


def told_by_media(body: bytes) -> WebhookRequest:
    return signed_by_media(WebhookRequest("voice", hub_account().webhook_url("voice"), {}, body, NOW))


def signed_by_media(request: WebhookRequest) -> WebhookRequest:
    path = urlsplit(request.url).path
    headers = signed_headers(MEDIA_KEY, int(NOW.timestamp()), "POST", path, request.body)
    return replace(request, headers={name.lower(): value for name, value in headers.items()})


@dataclass(frozen=True)
class Owed:
    """A line under this contract: `make(url)` with its provider at this address."""

    make: Callable[[str], VoiceChannel]
    keyless: Callable[[], VoiceChannel]
    requests: tuple[WebhookRequest, ...]
    sign: Callable[[WebhookRequest], WebhookRequest]


def _payloads(folder: str, read: Callable[[str], WebhookRequest], suffix: str) -> Iterator[WebhookRequest]:
    for path in sorted((PAYLOADS / folder).glob(f"*.{suffix}")):
        yield read(path.stem)


LINES: dict[str, Owed] = {
    "hub": Owed(
        lambda url: HubLine(hub_account(url)),
        lambda: HubLine(hub_account(key=b"")),
        tuple(_payloads("hub", lambda name: told_by_media((PAYLOADS / "hub" / f"{name}.json").read_bytes()), "json")),
        signed_by_media,
    ),
    "twilio": Owed(
        lambda url: TwilioLine(line_account(api_base=url) if url else line_account()),
        lambda: TwilioLine(line_account(token="")),
        tuple(_payloads("twilio_voice", lambda name: captured(name, None if "arrives" in name else AT_LEG), "form")),
        signed_by_twilio,
    ),
}
each_line = pytest.mark.parametrize("name", LINES)
each_payload = pytest.mark.parametrize(
    ("name", "request_"),
    [(name, request) for name, line in LINES.items() for request in line.requests],
    ids=[f"{name}-{at}" for name, line in LINES.items() for at in range(len(line.requests))],
)


def line_of(name: str) -> VoiceChannel:
    return LINES[name].make("")


def test_every_kind_of_line_is_under_this_contract() -> None:
    assert set(LINES) == set(LINE_TYPES)
    assert all(type(create_line(line_of(name).account)) is type(line_of(name)) for name in LINES)


# --- verify -----------------------------------------------------------------------------------------------------------


@each_payload
def test_a_right_signature_is_accepted(name: str, request_: WebhookRequest) -> None:
    line_of(name).check_head(request_.kind, request_.headers)
    line_of(name).verify(request_)


@each_payload
def test_a_missing_forged_or_foreign_signature_is_refused(name: str, request_: WebhookRequest) -> None:
    line = line_of(name)
    header = next(key for key in request_.headers if key.endswith("-signature"))
    for forged in ("", "AAAA", "é" * 28, request_.headers[header][:-1]):
        with pytest.raises(BadSignature):
            line.verify(replace(request_, headers={**request_.headers, header: forged}))
    with pytest.raises(BadSignature):
        line.verify(replace(request_, headers={}))


@each_payload
def test_a_changed_body_or_address_is_refused(name: str, request_: WebhookRequest) -> None:
    line = line_of(name)
    for body in (request_.body + b"&x=1", request_.body[1:], b"", request_.body[::-1]):
        with pytest.raises(BadSignature):
            line.verify(replace(request_, body=body))
    with pytest.raises(BadSignature):
        line.verify(replace(request_, url=request_.url.replace(line.account.id, "other-line")))


@each_line
def test_without_a_key_nothing_is_accepted(name: str) -> None:
    with pytest.raises(BadSignature):
        LINES[name].keyless().verify(LINES[name].requests[0])


# --- parse ------------------------------------------------------------------------------------------------------------


@each_payload
def test_what_comes_twice_has_the_same_keys(name: str, request_: WebhookRequest) -> None:
    first, second = line_of(name).parse(request_), line_of(name).parse(replace(request_, headers={}))
    assert first == second
    assert all(event.provider_id and event.received_at == NOW for event in first)


@each_line
def test_calls_legs_and_recordings_are_told(name: str) -> None:
    told = {type(event) for request in LINES[name].requests for event in line_of(name).parse(request)}
    assert told >= {CallArrived, LegChanged, RecordingReady}


@each_payload
def test_an_end_says_why_and_nothing_else_does(name: str, request_: WebhookRequest) -> None:
    changes = [event for event in line_of(name).parse(request_) if isinstance(event, LegChanged)]
    assert all((change.end is not None) == (change.state is LegState.ENDED) for change in changes)


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("hub", told_by_media((PAYLOADS / "hub" / "leg_unknown_word.json").read_bytes())),
        ("hub", told_by_media((PAYLOADS / "hub" / "unknown_kind.json").read_bytes())),
        ("twilio", captured("status_unknown_word", AT_LEG)),
    ],
)
def test_an_unknown_word_moves_no_leg(name: str, request_: WebhookRequest) -> None:
    assert [event for event in line_of(name).parse(request_) if isinstance(event, LegChanged)] == []


@each_line
def test_an_unknown_kind_of_webhook_is_a_bad_request(name: str) -> None:
    with pytest.raises(BadRequest):
        line_of(name).parse(replace(LINES[name].requests[0], kind="nonsense"))


_text = st.text(alphabet="a1é٣\0 +@:\ud800", max_size=20)
_values = st.none() | st.booleans() | st.integers() | st.floats() | _text | st.sampled_from(["\ud800", "a\0b", "1"])
_told = st.dictionaries(
    st.sampled_from(
        [
            *["id", "kind", "token", "at", "state", "end", "scene_version", "key", "recording_id", "duration_s"],
            *["room", "channels", "failed", "started_at", "caller", "line"],
        ]
    ),
    _values
    | st.sampled_from(["arrived", "leg", "chosen", "scene_ended", "voicemail_left", "recording_ready", "connected"])
    | st.dictionaries(st.sampled_from(["kind", "address", "name", "language"]), _values),
).map(lambda told: json.dumps(told).encode())
_forms = st.dictionaries(
    st.sampled_from(
        [
            *["AccountSid", "CallSid", "CallStatus", "Direction", "From", "To", "Digits", "SpeechResult", "CallerName"],
            *["RecordingSid", "RecordingStatus", "RecordingDuration", "RecordingChannels", "RecordingStartTime"],
            *["ConferenceSid", "FriendlyName", "StatusCallbackEvent", "ParticipantLabel", "AnsweredBy", "Timestamp"],
            *["SequenceNumber", "ReasonParticipantLeft", "ParticipantCallStatus", "QueueResult", "DialCallStatus"],
        ]
    ),
    _text
    | st.sampled_from([ACCOUNT_SID, "CA" + "0" * 32, "1", "-1", "completed", "٣", "+37491234567", "\0", "inbound"]),
).map(lambda form: urlencode(form, errors="surrogatepass").encode())
_bodies = st.binary(max_size=200) | _told | _forms | st.sampled_from([b"[" * 100_000, b"9" * 5_000, b"\xef\xbb\xbf{}"])


@given(
    body=_bodies,
    kind=st.sampled_from(["voice", "status", "conference", "recording", "amd"]),
    name=st.sampled_from(sorted(LINES)),
    query=st.sampled_from(["", "?leg=x&v=3", "?leg=%00%ff&v=-1&at=menu&did=key", "?v=99999999999999999999"]),
)
def test_any_body_is_either_read_or_a_bad_request(body: bytes, kind: str, name: str, query: str) -> None:
    request = WebhookRequest(kind, line_of(name).account.webhook_url(kind) + query, {}, body, NOW)
    try:
        events = line_of(name).parse(request)
        line_of(name).asked_leg(request)
        line_of(name).answer(request, None)
    except BadRequest:
        return
    for event in events:
        for field in fields(event):
            check_storable(getattr(event, field.name))


@each_payload
def test_whatever_was_signed_stays_signed(name: str, request_: WebhookRequest) -> None:
    assert LINES[name].sign(request_) == request_


# --- answer -----------------------------------------------------------------------------------------------------------

HELLO = Prompt("Hello!", "en")
SCENES: tuple[Scene, ...] = (
    Say((HELLO,)),
    Say((HELLO,), then_hang_up=True),
    Menu((HELLO,), ("1", "2")),
    Wait((HELLO,), keys=("1",)),
    Talk(),
    Talk(Presence.LISTEN),
    Talk(Presence.WHISPER, coached_leg_id=7),
    Talk(muted=True),
    Hold((HELLO,)),
    Voicemail((HELLO,)),
    Ringback(),
    Over(),
    Over(is_busy=True),
)
each_scene = pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.kind)


@each_payload
def test_the_answer_for_a_leg_that_nobody_knows_is_a_success(name: str, request_: WebhookRequest) -> None:
    assert line_of(name).answer(request_, None).status == 200


@each_scene
@each_payload
def test_every_scene_has_an_answer(name: str, request_: WebhookRequest, scene: Scene) -> None:
    assert line_of(name).answer(request_, order(scene)).status == 200


@each_payload
def test_only_a_leg_that_is_named_is_asked_for(name: str, request_: WebhookRequest) -> None:
    asked = line_of(name).asked_leg(request_)
    assert asked is None or asked.token or asked.provider_leg_id


# --- out --------------------------------------------------------------------------------------------------------------

Verb = Callable[[VoiceChannel, LegOrder], object]
RECORDING = RecordingRef(RECORDING_SID, channels=2)
VERBS: dict[str, Verb] = {
    "apply": lambda line, wanted: line.apply(wanted, Ringback()),
    "hang_up": lambda line, wanted: line.hang_up(wanted),
    "find_leg": lambda line, wanted: line.find_leg(wanted),
    "record": lambda line, wanted: line.record(wanted, Recording.ON),
    "fetch_recording": lambda line, _: line.fetch_recording(RECORDING),
    "delete_recording": lambda line, _: line.delete_recording(RECORDING),
}
each_verb = pytest.mark.parametrize("verb", VERBS)
WANTED = order(Say((HELLO,)))


@asynccontextmanager
async def live(name: str, *answers: Reply | Fault) -> AsyncIterator[VoiceChannel]:
    async with running_provider() as provider:
        provider.play(*answers)
        line = LINES[name].make(provider.url)
        try:
            yield line
        finally:
            await line.aclose()


async def failure(line: VoiceChannel, verb: str, wanted: LegOrder = WANTED) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await VERBS[verb](line, wanted)  # type: ignore[misc]
    assert caught.value.code
    return caught.value


@pytest.mark.anyio
@each_verb
@each_line
async def test_a_provider_that_is_not_there_is_tried_again(name: str, verb: str) -> None:
    line = LINES[name].make("http://127.0.0.1:9")
    try:
        assert isinstance(await failure(line, verb), Unavailable)
    finally:
        await line.aclose()


@pytest.mark.anyio
@each_verb
@each_line
async def test_a_provider_that_asks_for_patience_gets_it(name: str, verb: str) -> None:
    async with live(name, Reply.json(429, {"code": 20429, "message": "slow down"}, retry_after="7")) as line:
        error = await failure(line, verb)
    assert isinstance(error, Unavailable)


@pytest.mark.anyio
@each_verb
@each_line
@pytest.mark.parametrize("answer", [Reply(500, b"<html>"), Reply(503), Fault.HANG_UP, Fault.RESET, Fault.BREAK_OFF])
async def test_a_provider_in_trouble_is_never_a_refusal(name: str, verb: str, answer: Reply | Fault) -> None:
    async with live(name, answer) as line:
        assert isinstance(await failure(line, verb), Unavailable | Uncertain)


@pytest.mark.anyio
@each_line
async def test_a_leg_that_the_provider_does_not_know_is_none(name: str) -> None:
    gone = Reply.json(404, {"code": 20404 if name == "twilio" else "no_leg", "message": "There is no such call."})
    async with live(name, gone) as line:
        assert await line.find_leg(WANTED) is None


@pytest.mark.anyio
@each_line
async def test_a_line_does_what_its_capabilities_say_and_refuses_the_rest(name: str) -> None:
    async with live(name, Reply(500)) as line:
        cannot: list[type[Exception]] = []
        for can, attempt in (
            (line.voice.dials, lambda: line.dial(order(Ringback(), sid=None, address="+37491234567"))),
            (line.voice.by_connect, lambda: line.connect(order(Ringback(), party=Party.AGENT), "v=0")),
        ):
            with pytest.raises(ProviderError) as caught:
                await attempt()
            assert isinstance(caught.value, Refused) is not can
            cannot.append(type(caught.value))
        assert Refused in cannot
    assert (line.browser_token(5, NOW) == "") or line.voice.in_browser


@each_line
def test_callers_are_known_by_what_the_line_says(name: str) -> None:
    events = [event for request in LINES[name].requests for event in line_of(name).parse(request)]
    arrivals = [event for event in events if isinstance(event, CallArrived)]
    assert {each.caller_kind for each in arrivals} == {line_of(name).voice.contact_kind}
    assert all(each.leg.token or each.leg.provider_leg_id for each in arrivals)
