"""Carries out TwiML on a call of the demo carrier, verb by verb.

    run(voice, call, source)     from the first document until nothing is left to do; then the carrier hangs up

A script is one task for each call. Whoever changes its course from outside (a hand that hangs up, a REST call that redirects)
cancels the task; every verb tidies up in `finally`, without waiting. A document that cannot be had is asked for at the
fallback address; with none, the caller hears that an application error has occurred, and the call ends.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from hub.demo import carrier_twiml
from hub.demo.carrier_calls import Call, Heard, HeardKind, Member, Participant
from hub.demo.carrier_recordings import Recording, wav_duration_s
from hub.demo.carrier_twiml import TwimlError, Verb
from hub.demo.carrier_webhook import Callback, Source, resolve

if TYPE_CHECKING:
    from hub.demo.carrier_voice import Voice

T = TypeVar("T")

# A voice speaks some 14 characters a second; nothing is said in less than a second.
SPEAKS_CHARACTERS_PER_S, SHORTEST_SAY_S = 14, 1.0
# An address that plays itself in a circle (wait music) is asked at most this often.
SHORTEST_LOOP_S = 1.0
# MP3 at 128 kbit/s, for sounds whose length is not written in their head.
BYTES_PER_S = 16_000
BEEP_S = 0.5
# Documents that do nothing but lead to others: Twilio ends such a call (docs/api/errors/11217 for wait addresses).
REDIRECT_LIMIT = 100
CONFIDENCE = "0.9"
MUSIC = Source(twiml="<Response/>")


class ScriptError(Exception):
    """The document cannot be had or cannot be carried out; it is noted already."""


class _HangUp(Exception):
    pass


class _Leave(Exception):
    pass


@dataclass(frozen=True, slots=True)
class _Setting:
    """Where a document is played: what it may hold, how its sounds are shown, what is sent with its requests."""

    allowed: frozenset[str] = carrier_twiml.IN_CALL
    sound: HeardKind = "sound"
    params: tuple[tuple[str, str], ...] = ()


IN_CALL = _Setting()


async def run(voice: Voice, call: Call, source: Source) -> None:
    """Returns when the call is to be hung up."""
    try:
        await _play(voice, call, source, IN_CALL)
    except (_HangUp, _Leave):
        pass
    except ScriptError:
        voice.answer(call)
        await _sound(voice, call, "error", 3.0, "We are sorry, an application error has occurred. Goodbye.")
    voice.hang_up(call, by="document")


async def _play(voice: Voice, call: Call, source: Source | None, setting: _Setting) -> None:
    """Documents, one after the other, until one leads nowhere."""
    for _ in range(REDIRECT_LIMIT):
        if source is None:
            return
        base, verbs = await fetch(voice, call, source, setting)
        source = await _perform(voice, call, verbs, base, setting)
    voice.note(call, 11200, "Too many redirections", source.url if source else "")
    raise ScriptError


async def fetch(
    voice: Voice, call: Call, source: Source, setting: _Setting = IN_CALL
) -> tuple[Source, tuple[Verb, ...]]:
    """The document and where it came from; from the fallback address when the first fails. Raises ScriptError."""
    asked, failure = source, (0, "")
    for each in (source, call.fallback):
        if each is None:
            continue
        asked = each
        params = (*setting.params, *source.params)
        if failure[0]:
            params = (*params, ("ErrorCode", str(failure[0])), ("ErrorUrl", source.url))
        try:
            text = each.twiml
            if not text:
                answer = await voice.ask(call, each, params)
                if answer.fault:
                    raise TwimlError(answer.fault, f"HTTP retrieval failure: {answer.status or 'no answer'}")
                if answer.media_type.startswith("audio/"):
                    return asked, (Verb("Play", {}, each.url),)
                if answer.media_type not in ("text/xml", "application/xml", "text/html"):
                    raise TwimlError(12300, f"Invalid Content-Type: {answer.media_type}")
                text = answer.text
            return asked, carrier_twiml.parse(text, setting.allowed)
        except TwimlError as error:
            failure = (error.code, error.message)
            voice.note(call, error.code, error.message, each.url, each.method)
    raise ScriptError


async def _perform(voice: Voice, call: Call, verbs: Sequence[Verb], base: Source, setting: _Setting) -> Source | None:
    """The verbs of one document; the next document, if a verb leads to one."""
    for verb in verbs:
        if verb.name == "Reject" and call.status == "ringing" and call.direction == "inbound":
            voice.end(call, "busy" if verb.get("reason") == "busy" else "no-answer", by="document")
            raise _HangUp
        if verb.name != "Pause":
            voice.answer(call)
        after: Source | None = None
        match verb.name:
            case "Say" | "Play" | "Pause":
                await _utter(voice, call, verb, base, setting)
            case "Gather":
                after = await _gather(voice, call, verb, base, setting)
            case "Enqueue":
                after = await _enqueue(voice, call, verb, base)
            case "Dial":
                after = await _dial(voice, call, verb, base)
            case "Record":
                after = await _record(voice, call, verb, base)
            case "Redirect":
                after = Source(resolve(base.url, verb.text), verb.get("method", "POST"))
            case "Leave":
                if "Leave" in setting.allowed and call.member is not None:
                    raise _Leave
            case "Hangup" | "Reject":
                raise _HangUp
        if after is not None:
            return after
    voice.answer(call)
    return None


# --- sound --------------------------------------------------------------------------------------------------------------


async def _utter(voice: Voice, call: Call, verb: Verb, base: Source, setting: _Setting) -> None:
    if verb.name == "Pause":
        await _sound(voice, call, "silence", verb.number("length", 1))
        return
    loops = verb.number("loop", 1) or REDIRECT_LIMIT * 10
    if verb.name == "Say":
        language = verb.get("language")
        if not carrier_twiml.speaks(language):
            voice.note(call, carrier_twiml.SAY_LANGUAGE, f"Say: Invalid language {language}", base.url)
            return
        seconds = max(SHORTEST_SAY_S, len(verb.text) / SPEAKS_CHARACTERS_PER_S)
        for _ in range(loops):
            await _sound(voice, call, "say", seconds, verb.text, language)
        return
    if not verb.text:
        await _sound(voice, call, "tone", 0.5 * len(verb.get("digits")), verb.get("digits"))
        return
    url = resolve(base.url, verb.text)
    answer = await voice.get(url)
    if answer.fault or not answer.media_type.startswith(("audio/", "application/octet-stream")):
        code = answer.fault or 12300
        voice.note(call, code, f"Play: {answer.status or 'no answer'} {answer.media_type}".strip(), url, "GET")
        return
    seconds = wav_duration_s(answer.content) or max(1.0, len(answer.content) / BYTES_PER_S)
    # In a queue or a room most of what is played is music; what is not says so by its name.
    kind = setting.sound if "music" in url.rsplit("/", 1)[-1] else "sound"
    for _ in range(loops):
        await _sound(voice, call, kind, seconds, url=url)


async def _sound(
    voice: Voice, call: Call, kind: HeardKind, seconds: float, text: str = "", language: str = "", url: str = ""
) -> None:
    """Something is heard for so long, or until somebody has heard enough."""
    call.skip.clear()
    voice.hear(call, Heard(kind, voice.time.now(), text, language, url))
    try:
        await _first(voice.time.sleep(seconds), call.skip.wait())
    finally:
        voice.hear(call, None)


async def _first(*awaitables: Awaitable[object]) -> int:
    """Waits for the first; which one. The others are cancelled; a fault of any is raised."""
    tasks = [asyncio.ensure_future(each) for each in awaitables]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    which = next(index for index, task in enumerate(tasks) if task in done)
    tasks[which].result()
    return which


async def _any_of(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


# --- what the caller does -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _listening(voice: Voice, call: Call, inputs: frozenset[str]) -> Iterator[None]:
    while not call.entered.empty():
        call.entered.get_nowait()
    call.listens_for = inputs
    voice.touch(call)
    try:
        yield
    finally:
        call.listens_for = frozenset()
        voice.touch(call)


async def _gather(voice: Voice, call: Call, verb: Verb, base: Source, setting: _Setting) -> Source | None:
    inputs = frozenset(verb.get("input", "dtmf").split())
    finish, most = verb.get("finishOnKey", "#"), verb.number("numDigits", 0)
    timeout_s = verb.number("timeout", 5)
    digits, words = "", ""

    async def say() -> None:
        for each in verb.children:
            await _utter(voice, call, each, base, setting)

    with _listening(voice, call, inputs):
        saying: asyncio.Future[None] | None = asyncio.ensure_future(say())
        try:
            while True:
                entry = asyncio.ensure_future(call.entered.get())
                pause: Awaitable[object] = saying if saying is not None else voice.time.sleep(timeout_s)
                patience = asyncio.ensure_future(pause)
                try:
                    await asyncio.wait({entry, patience}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    if not entry.done():
                        entry.cancel()
                    if patience is not saying:
                        patience.cancel()
                if not entry.done() or entry.cancelled():
                    if saying is not None:
                        saying.result()
                        saying = None
                        continue
                    break
                kind, value = entry.result()
                if saying is not None and verb.flag("bargeIn", True):
                    saying.cancel()
                    saying = None
                if kind == "words":
                    words = value
                    break
                if value == finish:
                    break
                digits += value
                if len(digits) == most:
                    break
        finally:
            if saying is not None:
                saying.cancel()
    params: list[tuple[str, str]] = [("msg", "Gather End")]
    if words:
        params += [
            ("SpeechResult", _as_heard(words)),
            ("Confidence", CONFIDENCE),
            ("Language", verb.get("language", "en-US")),
        ]
    elif digits:
        params += [("Digits", digits), ("FinishedOnKey", finish if len(digits) != most else "")]
    elif verb.flag("actionOnEmptyResult", False):
        params += [("Digits", "")] if "dtmf" in inputs else [("SpeechResult", "")]
    else:
        return None
    return _action(verb, base, params, default=base.url)


def _as_heard(words: str) -> str:
    """As recognisers write: a sentence, with its capital and its full stop."""
    sentence = words[:1].upper() + words[1:]
    return sentence if sentence.endswith((".", "?", "!", "։")) else sentence + "."


def _action(verb: Verb, base: Source, params: Sequence[tuple[str, str]], *, default: str = "") -> Source | None:
    """The document that a verb's `action` leads to; None without one."""
    url = verb.get("action") or default
    if not url:
        return None
    return Source(resolve(base.url, url), verb.get("method", "POST"), params=tuple(params))


async def _record(voice: Voice, call: Call, verb: Verb, base: Source) -> Source | None:
    """Until a key, silence, or the most. Whoever says nothing at all leaves nothing, and the next verb follows."""
    longest_s, silence_s = verb.number("maxLength", 3600), verb.number("timeout", 5)
    finish = verb.get("finishOnKey", "1234567890*#")
    recording: Recording | None = None
    spoken, digits = False, ""
    try:
        with _listening(voice, call, frozenset({"dtmf", "speech"})):
            if verb.flag("playBeep", True):
                await _sound(voice, call, "tone", BEEP_S, "beep")
            recording = voice.begin_recording(call, "RecordVerb", 1, _recording_callback(verb, base))
            began = voice.time.now()
            while True:
                left_s = longest_s - (voice.time.now() - began).total_seconds()
                if left_s <= 0:
                    break
                entry = asyncio.ensure_future(call.entered.get())
                if await _first(entry, voice.time.sleep(min(silence_s, left_s))):
                    break
                kind, value = entry.result()
                if kind == "words":
                    spoken = True
                    await voice.time.sleep(min(len(value) / SPEAKS_CHARACTERS_PER_S, left_s))
                elif value in finish:
                    digits = value
                    break
    finally:
        if recording is not None:
            if spoken or call.is_over:
                voice.stop_recording(recording)
            else:
                voice.drop_recording(recording)
        if call.is_over and recording is not None:
            digits = "hangup"
            action = _action(verb, base, _record_params(voice, recording, digits), default=base.url)
            if action is not None:
                voice.tell_action(call, action)
    if not spoken:
        return None
    return _action(verb, base, _record_params(voice, recording, digits), default=base.url)


def _record_params(voice: Voice, recording: Recording | None, digits: str) -> list[tuple[str, str]]:
    assert recording is not None
    return [
        ("RecordingUrl", voice.recording_url(recording)),
        ("RecordingSid", recording.sid),
        ("RecordingDuration", str(recording.duration_s)),
        ("Digits", digits),
    ]


def _recording_callback(verb: Verb, base: Source) -> Callback | None:
    url = verb.get("recordingStatusCallback")
    if not url:
        return None
    return Callback(
        resolve(base.url, url),
        verb.get("recordingStatusCallbackMethod", "POST"),
        verb.words("recordingStatusCallbackEvent") or frozenset({"completed"}),
    )


# --- the queue ------------------------------------------------------------------------------------------------------------


async def _enqueue(voice: Voice, call: Call, verb: Verb, base: Source) -> Source | None:
    queue = voice.queue(verb.text)
    if len(queue.members) >= queue.max_size:
        return _action(verb, base, [("QueueResult", "queue-full")])
    member = voice.enqueue(call, queue)
    wait = None
    if verb.get("waitUrl"):
        wait = Source(resolve(base.url, verb.get("waitUrl")), verb.get("waitUrlMethod", "POST"))
    result = "system-error"
    try:
        waiting = asyncio.ensure_future(_wait_in_queue(voice, member, wait))
        try:
            await _any_of(waiting, member.released)
        finally:
            waiting.cancel()
        if member.released.done():
            result = member.released.result()
        else:
            try:
                waiting.result()
            except _Leave:
                result = "leave"
            except _HangUp:
                result = "hangup"
                raise
            except ScriptError:
                result = "error"
        if result == "bridged" and call.bridge_over is not None:
            voice.dequeue(member)
            await call.bridge_over.wait()
    finally:
        voice.dequeue(member)
        waited_s = int((voice.time.now() - member.at).total_seconds())
        if call.is_over or call.wanted is not None:
            result = "bridged" if result == "bridged" else "hangup" if call.is_over else "redirected"
        params = [("QueueResult", result), ("QueueSid", queue.sid), ("QueueTime", str(waited_s))]
        action = _action(verb, base, params)
        if action is not None and (call.is_over or call.wanted is not None or result == "hangup"):
            voice.tell_action(call, action)
    return action


async def _wait_in_queue(voice: Voice, member: Member, wait: Source | None) -> None:
    """Music, or the documents of the wait address, again and again."""
    call, queue = member.call, member.queue
    while True:
        if wait is None:
            await _sound(voice, call, "music", 600.0)
            continue
        params = (
            ("QueueSid", queue.sid),
            ("QueuePosition", str(queue.members.index(member) + 1 if member in queue.members else 0)),
            ("QueueTime", str(int((voice.time.now() - member.at).total_seconds()))),
            ("AvgQueueTime", str(queue.average_wait_s)),
            ("CurrentQueueSize", str(len(queue.members))),
        )
        began = voice.time.now()
        await _play(voice, call, wait, _Setting(carrier_twiml.IN_QUEUE, "music", params))
        if (voice.time.now() - began).total_seconds() < SHORTEST_LOOP_S:
            await _sound(voice, call, "silence", SHORTEST_LOOP_S)


# --- talking --------------------------------------------------------------------------------------------------------------


async def _dial(voice: Voice, call: Call, verb: Verb, base: Source) -> Source | None:
    caller_id = verb.get("callerId")
    if caller_id and not voice.may_show(call, caller_id):
        voice.note(call, 13214, f"Dial: Invalid callerId value {caller_id}", base.url)
        raise ScriptError
    nouns = verb.children or (Verb("Number", {}, verb.text),)
    recording = None
    if verb.get("record", "do-not-record") != "do-not-record":
        channels = 2 if verb.get("record").endswith("dual") else 1
        recording = (channels, _recording_callback(verb, base))
    params: list[tuple[str, str]]
    match nouns[0].name:
        case "Conference":
            params = await _confer(voice, call, verb, nouns[0], base)
        case "Queue":
            params = await _dial_queue(voice, call, verb, nouns[0])
        case _:
            params = await _dial_numbers(voice, call, verb, nouns, base, caller_id, recording)
    return _action(verb, base, params)


async def _dial_numbers(
    voice: Voice,
    call: Call,
    verb: Verb,
    nouns: Sequence[Verb],
    base: Source,
    caller_id: str,
    recorded: tuple[int, Callback | None] | None,
) -> list[tuple[str, str]]:
    """Rings all at once; who answers first is talked to."""
    shown = caller_id or call.sender
    children = [voice.dial_child(call, noun, shown, verb.number("timeout", 30), base.url) for noun in nouns]
    recording = None
    answered: Call | None = None
    over: asyncio.Event | None = None
    try:
        voice.hear(call, Heard("tone", voice.time.now(), "ringback"))
        answered = await voice.first_answer(children)
        for child in children:
            if child is not answered:
                voice.hang_up(child, by="account")
        if answered is None:
            word = "failed" if all(child.status == "failed" for child in children) else children[0].status
            if any(child.status == "busy" for child in children):
                word = "busy"
            return [("DialCallStatus", word), ("DialCallSid", children[0].sid), ("DialBridged", "false")]
        over = voice.bridge(call, answered)
        if recorded is not None:
            recording = voice.begin_recording(call, "DialVerb", *recorded)
        pressed = _star(call) if verb.flag("hangupOnStar", False) else asyncio.Event().wait()
        with _listening(voice, call, frozenset({"dtmf"} if verb.flag("hangupOnStar", False) else ())):
            await _first(over.wait(), voice.time.sleep(verb.number("timeLimit", 14_400)), pressed)
    finally:
        voice.hear(call, None)
        if over is not None:
            voice.part(call)
        for child in children:
            voice.hang_up(child, by="account")
        if recording is not None:
            voice.stop_recording(recording)
        if call.is_over:
            params = _dialled(children, answered)
            if (action := _action(verb, base, params)) is not None:
                voice.tell_action(call, action)
    params = _dialled(children, answered)
    if recording is not None:
        params += [("RecordingUrl", voice.recording_url(recording)), ("RecordingSid", recording.sid)]
    return params


def _dialled(children: Sequence[Call], answered: Call | None) -> list[tuple[str, str]]:
    if answered is None:
        return [("DialCallStatus", "canceled"), ("DialCallSid", children[0].sid), ("DialBridged", "false")]
    return [
        ("DialCallStatus", "completed"),
        ("DialCallSid", answered.sid),
        ("DialCallDuration", str(answered.duration_s)),
        ("DialBridged", "true"),
    ]


async def _star(call: Call) -> None:
    while (await call.entered.get()) != ("key", "*"):
        pass


async def _dial_queue(voice: Voice, call: Call, verb: Verb, noun: Verb) -> list[tuple[str, str]]:
    """Talks to the first of the queue; waits for one as long as the Dial may last."""
    queue = voice.find_queue(noun.text)
    if queue is None:
        return [("DialCallStatus", "failed")]
    over: asyncio.Event | None = None
    try:
        while not queue.members:
            queue.arrived.clear()
            voice.hear(call, Heard("tone", voice.time.now(), "ringback"))
            if await _first(queue.arrived.wait(), voice.time.sleep(verb.number("timeout", 30))):
                return [("DialCallStatus", "no-answer")]
        member = queue.members[0]
        over = voice.bridge(call, member.call)
        voice.release(member, "bridged")
        await over.wait()
    finally:
        voice.hear(call, None)
        if over is not None:
            voice.part(call)
    return [("DialCallStatus", "completed"), ("DialCallSid", member.call.sid), ("DialBridged", "true")]


async def _confer(voice: Voice, call: Call, verb: Verb, noun: Verb, base: Source) -> list[tuple[str, str]]:
    wait = None
    if noun.get("waitUrl"):
        wait = Source(resolve(base.url, noun.get("waitUrl")), noun.get("waitMethod", "POST"))
    elif "waitUrl" not in noun.attributes:
        wait = MUSIC
    callback = None
    if noun.get("statusCallback"):
        callback = Callback(
            resolve(base.url, noun.get("statusCallback")),
            noun.get("statusCallbackMethod", "POST"),
            noun.words("statusCallbackEvent") or frozenset({"start", "end"}),
        )
    participant = voice.join(
        call,
        noun.text,
        muted=noun.flag("muted", False),
        starts=noun.flag("startConferenceOnEnter", True),
        ends_on_exit=noun.flag("endConferenceOnExit", False),
        label=noun.get("participantLabel"),
        coached_sid=noun.get("coach") or None,
        wait=wait,
        callback=callback,
        max_participants=noun.number("maxParticipants", 250),
        records=noun.get("record") == "record-from-start",
        recording_callback=_recording_callback(noun, base),
    )
    if participant is None:
        return [("DialCallStatus", "failed")]
    # docs/voice/twiml/dial: "answered" is the word for a room that was entered.
    answered = [("DialCallStatus", "answered")]
    hangs_up_on_star = verb.flag("hangupOnStar", False)
    try:
        with _listening(voice, call, frozenset({"dtmf"} if hangs_up_on_star else ())):
            starred = _star(call) if hangs_up_on_star else asyncio.Event().wait()
            await _first(_stay(voice, participant), voice.time.sleep(verb.number("timeLimit", 14_400)), starred)
    finally:
        voice.leave(participant, "participant_hung_up" if call.is_over else "participant_left")
        if call.is_over and (action := _action(verb, base, answered)) is not None:
            voice.tell_action(call, action)
    return answered


async def _stay(voice: Voice, participant: Participant) -> None:
    """In the room until it is over for this one: music while waiting or held, else the talk."""
    call = participant.call
    while not participant.left.done():
        participant.changed.clear()
        hearing = asyncio.ensure_future(_hear_room(voice, participant))
        changed = asyncio.ensure_future(participant.changed.wait())
        try:
            await _any_of(participant.left, changed, hearing)
        finally:
            hearing.cancel()
            changed.cancel()
        if hearing.done() and not hearing.cancelled():
            hearing.result()
    voice.hear(call, None)


async def _hear_room(voice: Voice, participant: Participant) -> None:
    call = participant.call
    try:
        if participant.announce is not None:
            announce, participant.announce = participant.announce, None
            with contextlib.suppress(ScriptError):
                await _play(voice, call, announce, _Setting(carrier_twiml.IN_ROOM))
        if participant.hold:
            await _wait_in_room(voice, participant, participant.hold_source)
        elif participant.room.status == "init":
            await _wait_in_room(voice, participant, participant.wait)
        else:
            voice.hear(call, Heard("talk", voice.time.now()))
            await asyncio.Event().wait()
    except ScriptError:
        voice.hear(call, Heard("silence", voice.time.now()))
        await asyncio.Event().wait()


async def _wait_in_room(voice: Voice, participant: Participant, wait: Source | None) -> None:
    """Who waits hears the documents again and again; None is silence, MUSIC the carrier's own."""
    params = (("ConferenceSid", participant.room.sid), ("FriendlyName", participant.room.name))
    while True:
        began = voice.time.now()
        if wait is None:
            await _sound(voice, participant.call, "silence", 600.0)
        elif wait is MUSIC:
            await _sound(voice, participant.call, "music", 600.0)
        else:
            await _play(voice, participant.call, wait, _Setting(carrier_twiml.IN_ROOM, "music", params))
        if (voice.time.now() - began).total_seconds() < SHORTEST_LOOP_S:
            await _sound(voice, participant.call, "silence", SHORTEST_LOOP_S)


async def whisper(voice: Voice, child: Call, source: Source) -> bool:
    """What the dialled one hears before the two are joined (Number's `url`); False if it hung up on them."""
    try:
        await _play(voice, child, source, replace(IN_CALL, allowed=carrier_twiml.BEFORE_BRIDGE))
    except (_HangUp, _Leave, ScriptError):
        return False
    return True
