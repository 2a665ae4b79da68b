"""Calls of the demo carrier over real HTTP: Twilio's own client and signature check are the judges; time is driven."""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from twilio.base.exceptions import TwilioRestException  # type: ignore[import-untyped, unused-ignore]
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped, unused-ignore]

from hub.demo.carrier_calls import Call, Reaction, hears
from hub.demo.carrier_voice import VoiceFault
from hub.errors import Conflict, InvalidInput, NotFound
from tests.demo.conftest import Serving
from tests.demo.line import ACCOUNT_SID, ANNA, AUTH_TOKEN, DESK, NINO, NUMBER, Line, open_line
from tests.demo.voice_hub import Webhook

pytestmark = pytest.mark.anyio


@pytest.fixture
async def line(serving: Serving) -> AsyncIterator[Line]:
    async with open_line(serving) as opened:
        yield opened


def is_genuine(webhook: Webhook) -> bool:
    return bool(RequestValidator(AUTH_TOKEN).validate(webhook.url, webhook.form, webhook.headers["x-twilio-signature"]))


# --- a call comes in ------------------------------------------------------------------------------------------------------


async def test_a_call_is_asked_for_answered_said_and_hung_up(line: Line) -> None:
    call = line.call(document="<Say language='en-GB'>Welcome to Sevan Coffee</Say><Hangup/>")
    before = str(call.status)
    await line.hears(call, "Welcome to Sevan Coffee")
    assert [before, call.direction, call.status] == ["ringing", "inbound", "in-progress"]
    await line.next(call)
    await line.ends(call)
    (asked,) = line.hub.of("voice")
    assert is_genuine(asked)
    assert asked.form["CallSid"] == call.sid
    assert (asked.form["From"], asked.form["To"], asked.form["CallStatus"]) == (ANNA, NUMBER, "ringing")
    assert (asked.form["Direction"], asked.form["FromCountry"], asked.form["AccountSid"]) == (
        "inbound",
        "AM",
        ACCOUNT_SID,
    )
    await line.hub.wait_for(lambda: bool(line.hub.of("status")))
    (told,) = line.hub.of("status")
    assert is_genuine(told)
    assert (told.form["CallStatus"], told.form["SequenceNumber"]) == ("completed", "0")
    assert told.form["CallbackSource"] == "call-progress-events"


async def test_a_say_lasts_as_long_as_its_words(line: Line) -> None:
    call = line.call(document="<Say>Twenty-eight characters here</Say>")
    await line.hears(call, "Twenty-eight")
    await line.time.forward(1.9)
    assert call.status == "in-progress"
    await line.time.forward(0.2)
    await line.ends(call)


async def test_the_caller_hangs_up_and_the_account_is_told_how_long_it_was(line: Line) -> None:
    call = line.call(document="<Say>Hello there</Say><Pause length='100'/>")
    await line.hears(call, "Hello")
    await line.time.forward(42)
    line.voice.put_down(call)
    await line.ends(call)
    assert call.hung_up_by == "phone"
    await line.hub.wait_for(lambda: bool(line.hub.of("status")))
    assert line.hub.told("status", "CallDuration") == ["42"]
    assert line.hub.told("status", "Duration") == ["1"]


async def test_a_pause_before_all_else_lets_it_ring(line: Line) -> None:
    call = line.call(document="<Pause length='4'/><Say>Hello</Say>")
    await line.hears(call, "silence")
    before = str(call.status)
    await line.time.forward(4)
    await line.hears(call, "Hello")
    assert [before, call.status] == ["ringing", "in-progress"]


@pytest.mark.parametrize(("reason", "status"), [("busy", "busy"), ("rejected", "no-answer")])
async def test_a_rejected_call_was_never_answered(line: Line, reason: str, status: str) -> None:
    call = line.call(document=f"<Reject reason='{reason}'/>")
    await line.ends(call, status)
    assert call.started_at is None


async def test_one_telephone_is_in_one_call(line: Line) -> None:
    call = line.call(document="<Pause length='60'/>")
    with pytest.raises(Conflict):
        line.call()
    line.voice.put_down(call)
    await line.ends(call, "no-answer")
    with pytest.raises(NotFound):
        line.voice.call(ANNA, "+15005550007")
    with pytest.raises(InvalidInput):
        line.voice.call("12", NUMBER)


# --- gather ---------------------------------------------------------------------------------------------------------------


async def test_keys_are_gathered_while_the_menu_is_being_said(line: Line) -> None:
    line.hub.documents["chosen"] = "<Say>Sales it is</Say>"
    call = line.call(document="<Gather numDigits='1' action='/chosen?scene=4'><Say>One for sales</Say></Gather>")
    await line.hears(call, "One for sales")
    await line.press(call, "1")
    await line.hears(call, "Sales it is")
    (chosen,) = line.hub.of("chosen")
    assert is_genuine(chosen)
    assert chosen.url.endswith("/chosen?scene=4")
    assert chosen.form["Digits"] == "1"


@pytest.mark.parametrize(
    ("attributes", "keys", "digits"),
    [
        ("numDigits='3'", "1234", "123"),
        ("", "12#", "12"),
        ("finishOnKey='*'", "1#*", "1#"),
        ("finishOnKey='' numDigits='2'", "#*", "#*"),
    ],
)
async def test_a_gather_ends_by_number_or_key(line: Line, attributes: str, keys: str, digits: str) -> None:
    line.hub.documents["chosen"] = "<Pause length='60'/>"
    call = line.call(document=f"<Gather {attributes} action='/chosen'/>")
    await line.press(call, keys)
    await line.hub.wait_for(lambda: bool(line.hub.of("chosen")))
    assert line.hub.told("chosen", "Digits") == [digits]


async def test_digits_that_stop_coming_are_taken_after_the_timeout(line: Line) -> None:
    line.hub.documents["chosen"] = "<Pause length='60'/>"
    call = line.call(document="<Gather timeout='7' action='/chosen'/>")
    await line.press(call, "4")
    await line.time.forward(6.9)
    assert line.hub.of("chosen") == []
    await line.pass_until(lambda: bool(line.hub.of("chosen")))
    assert line.hub.told("chosen", "Digits") == ["4"]


async def test_words_are_gathered_as_recognisers_write_them(line: Line) -> None:
    line.hub.documents["chosen"] = "<Pause length='60'/>"
    call = line.call(
        document="<Gather input='dtmf speech' hints='sales, support' action='/chosen'><Say>Yes?</Say></Gather>"
    )
    await line.say(call, "sales please")
    await line.hub.wait_for(lambda: bool(line.hub.of("chosen")))
    (chosen,) = line.hub.of("chosen")
    assert (chosen.form["SpeechResult"], chosen.form["Confidence"]) == ("Sales please.", "0.9")
    assert "Digits" not in chosen.form


async def test_nothing_gathered_goes_on_to_the_next_verb(line: Line) -> None:
    call = line.call(document="<Gather timeout='3' action='/chosen'><Say>One or two?</Say></Gather><Say>Nothing</Say>")
    await line.hears(call, "One or two?")
    await line.next(call)
    await line.pass_until(lambda: call.hearing is not None and call.hearing.text == "Nothing")
    assert line.hub.of("chosen") == []


async def test_nothing_gathered_is_told_where_that_is_asked_for(line: Line) -> None:
    line.hub.documents["chosen"] = "<Say>Again</Say>"
    call = line.call(document="<Gather timeout='3' actionOnEmptyResult='true' action='/chosen'/>")
    await line.pass_until(lambda: call.hearing is not None and call.hearing.text == "Again")
    assert line.hub.told("chosen", "Digits") == [""]


async def test_keys_that_nobody_listens_to_are_lost(line: Line) -> None:
    call = line.call(document="<Say>Long</Say><Gather timeout='2' action='/chosen'/><Say>After</Say>")
    await line.hears(call, "Long")
    line.voice.press(call, "5")
    await line.next(call)
    await line.pass_until(lambda: call.hearing is not None and call.hearing.text == "After")
    assert line.hub.of("chosen") == []


# --- sounds, redirects, faults of documents -----------------------------------------------------------------------------


async def test_a_sound_is_fetched_and_lasts_as_long_as_it_is(line: Line) -> None:
    call = line.call(document="<Play>/music.wav</Play><Say>Done</Say>")
    await line.hears(call, "sound")
    await line.time.forward(2.9)
    assert call.hearing is not None
    assert call.hearing.kind == "sound"
    await line.time.forward(0.2)
    await line.hears(call, "Done")


async def test_a_sound_that_is_not_there_is_noted_and_passed_over(line: Line) -> None:
    call = line.call(document="<Play>/nothing</Play><Say>Done</Say>")
    line.hub.documents["nothing"] = 404
    await line.hears(call, "Done")
    assert [each.code for each in call.notifications] == [11200]


async def test_a_language_without_a_voice_is_noted_and_not_said(line: Line) -> None:
    call = line.call(document="<Say language='hy-AM'>Բարև</Say><Say>Done</Say>")
    await line.hears(call, "Done")
    assert [each.code for each in call.notifications] == [13511]


async def test_a_redirect_leads_to_another_document(line: Line) -> None:
    line.hub.documents["next"] = "<Say>Second</Say>"
    call = line.call(document="<Redirect method='GET'>/next?leg=7</Redirect>")
    await line.hears(call, "Second")
    (asked,) = line.hub.of("next")
    assert (asked.method, asked.form) == ("GET", {})
    assert is_genuine(asked)
    assert f"CallSid={call.sid}" in asked.url


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("<Sey>Hello</Sey>", 12200),
        ("<say>Hello</say>", 12200),
        ("<Say langage='en'>Hello</Say>", 12200),
        ("<Say></Say>", 13520),
        ("<Say>Hello</Say> there", 12200),
        ("<Say>Hello", 12100),
        ("<Gather numDigits='0'/>", 12200),
        ("<Gather timeout='soon'/>", 12200),
        ("<Gather><Hangup/></Gather>", 12200),
        ("<Gather input='voice'/>", 12200),
        ("<Gather timeout='auto'/>", 12200),
        ("<Enqueue/>", 12200),
        (f"<Enqueue>{'q' * 65}</Enqueue>", 12200),
        ("<Enqueue method='PUT'>q</Enqueue>", 12200),
        ("<Dial></Dial>", 12200),
        ("<Dial>12</Dial>", 12200),
        ("<Dial><Conference>a</Conference><Number>+37491234567</Number></Dial>", 12200),
        ("<Dial><Conference startConferenceOnEnter='yes'>a</Conference></Dial>", 12200),
        ("<Dial><Conference statusCallbackEvent='start ended'>a</Conference></Dial>", 12200),
        ("<Dial><Conference coach='1'>a</Conference></Dial>", 12200),
        ("<Dial timeout='0'><Number>+37491234567</Number></Dial>", 12200),
        ("<Conference>a</Conference>", 12200),
        ("<Pause length='0'/>", 12200),
        ("<Record maxLength='20000'/>", 12200),
        ("<Redirect/>", 12200),
        ("<Reject reason='closed'/>", 12200),
        ("<Play/>", 12200),
        ("<Hangup when='now'/>", 12200),
        ("<Dial callerId='+15005559999'><Number>+37491234567</Number></Dial>", 13214),
    ],
)
async def test_a_document_with_a_fault_ends_the_call(line: Line, document: str, code: int) -> None:
    call = line.call(document=document)
    await line.hears(call, "application error")
    assert [each.code for each in call.notifications] == [code]
    await line.next(call)
    await line.ends(call)


@pytest.mark.parametrize(
    ("document", "media_type", "code"),
    [(503, "text/xml", 11200), (404, "text/xml", 11200), ("<Say>Hi</Say>", "application/json", 12300)],
)
async def test_no_document_is_an_application_error(line: Line, document: Any, media_type: str, code: int) -> None:
    line.hub.documents["voice"] = document
    line.hub.media_types["voice"] = media_type
    call = line.call()
    await line.hears(call, "application error")
    assert [each.code for each in call.notifications] == [code]


async def test_a_failed_document_is_asked_for_at_the_fallback(line: Line) -> None:
    line.carrier.numbers[NUMBER]["voice_fallback_url"] = f"{line.hub.url}/fallback"
    line.hub.documents["voice"] = 500
    line.hub.documents["fallback"] = "<Say>We are back soon</Say>"
    call = line.call()
    await line.hears(call, "We are back soon")
    (asked,) = line.hub.of("fallback")
    assert (asked.form["ErrorCode"], asked.form["ErrorUrl"]) == ("11200", f"{line.hub.url}/voice")


async def test_a_webhook_is_tried_again_as_its_address_says(line: Line) -> None:
    line.carrier.numbers[NUMBER]["voice_url"] = f"{line.hub.url}/voice#rc=3&rp=5xx,ct"
    line.hub.documents["voice"] = 503
    call = line.call()
    await line.hears(call, "application error")
    assert len(line.hub.of("voice")) == 4
    assert all(is_genuine(each) for each in line.hub.of("voice"))


# --- the queue ------------------------------------------------------------------------------------------------------------

QUEUED = "<Enqueue action='/left' waitUrl='/wait'>calls</Enqueue>"


async def test_a_queued_call_hears_the_wait_address_again_and_again(line: Line) -> None:
    line.hub.documents["wait"] = "<Say>You are next</Say>"
    call = line.call(document=QUEUED)
    await line.hears(call, "You are next")
    await line.pass_until(lambda: len(line.hub.of("wait")) >= 3)
    first, second = line.hub.of("wait")[:2]
    assert (first.form["QueuePosition"], first.form["QueueTime"], first.form["CurrentQueueSize"]) == ("1", "0", "1")
    assert int(second.form["QueueTime"]) >= 1
    assert first.form["QueueSid"].startswith("QU")


async def test_a_key_in_the_wait_music_leaves_the_queue(line: Line) -> None:
    line.hub.documents |= {
        "wait": "<Gather numDigits='1' action='/pressed'><Play>/music.wav</Play></Gather>",
        "pressed": "<Leave/>",
        "left": "<Say>We shall call you</Say>",
    }
    call = line.call(document=QUEUED)
    await line.hears(call, "music")
    await line.time.forward(1)
    await line.press(call, "1")
    await line.hears(call, "We shall call you")
    (left,) = line.hub.of("left")
    assert (left.form["QueueResult"], left.form["QueueTime"]) == ("leave", "1")
    assert line.voice.queue("calls").members == []


async def test_who_hangs_up_in_the_queue_is_out_of_it_and_that_is_told(line: Line) -> None:
    line.hub.documents["wait"] = "<Play>/music.wav</Play>"
    call = line.call(document=QUEUED)
    await line.hears(call, "music")
    line.voice.put_down(call)
    await line.hub.wait_for(lambda: bool(line.hub.of("left")))
    (left,) = line.hub.of("left")
    assert (left.form["QueueResult"], left.form["CallStatus"]) == ("hangup", "completed")
    assert line.voice.queue("calls").members == []


async def test_a_redirect_takes_a_call_out_of_the_queue(line: Line) -> None:
    line.hub.documents["wait"] = "<Play>/music.wav</Play>"
    call = line.call(document=QUEUED)
    await line.hears(call, "music")
    await line.rest(lambda c: c.calls(call.sid).update(twiml="<Response><Say>Out</Say></Response>"))
    await line.hears(call, "Out")
    await line.hub.wait_for(lambda: bool(line.hub.of("left")))
    assert line.hub.told("left", "QueueResult") == ["redirected"]


async def test_a_dial_to_the_queue_talks_to_the_first(line: Line) -> None:
    line.hub.documents["wait"] = "<Play>/music.wav</Play>"
    first, second = line.call(document=QUEUED), line.call(NINO)
    await line.until(lambda: len(line.voice.queue("calls").members) == 2)
    agent = await line.answered(DESK, "<Dial action='/over'><Queue>calls</Queue></Dial>")
    await line.hears(agent, "talk")
    head = min(first, second, key=lambda c: c.hearing is None or c.hearing.kind != "talk")
    assert hears(head) == {agent.sid}
    line.voice.put_down(agent)
    await line.hub.wait_for(lambda: bool(line.hub.of("left")))
    assert line.hub.told("left", "QueueResult") == ["bridged"]


async def test_queues_are_seen_and_a_member_is_taken_out_over_rest(line: Line) -> None:
    line.hub.documents |= {"wait": "<Play>/music.wav</Play>", "taken": "<Say>Taken</Say>"}
    call = line.call(document=QUEUED)
    await line.hears(call, "music")
    (queue,) = await line.rest(lambda c: c.queues.list())
    assert (queue.friendly_name, queue.current_size) == ("calls", 1)
    (member,) = await line.rest(lambda c: c.queues(queue.sid).members.list())
    assert (member.call_sid, member.position) == (call.sid, 1)
    await line.rest(lambda c: c.queues(queue.sid).members("Front").update(url=f"{line.hub.url}/taken"))
    await line.hears(call, "Taken")


# --- rooms ----------------------------------------------------------------------------------------------------------------


def room(line: Line, **attributes: str) -> str:
    written = "".join(f" {name}='{value}'" for name, value in attributes.items())
    events, url = "start end join leave mute hold modify", line.hub.url
    return (
        f"<Dial action='{url}/out'><Conference statusCallback='{url}/room' statusCallbackEvent='{events}'{written}>"
        "room-1</Conference></Dial>"
    )


async def test_a_room_starts_when_two_are_there_and_ends_with_the_last(line: Line) -> None:
    line.hub.documents["out"] = "<Say>Thank you</Say>"
    caller = line.call(document=room(line))
    await line.hears(caller, "music")
    assert hears(caller) == frozenset()
    agent = await line.answered(DESK, room(line))
    await line.hears(agent, "talk")
    await line.hears(caller, "talk")
    assert hears(caller) == {agent.sid}
    assert hears(agent) == {caller.sid}
    line.voice.put_down(agent)
    await line.ends(agent)
    assert caller.status == "in-progress"
    assert hears(caller) == frozenset()
    line.voice.put_down(caller)
    await line.ends(caller)
    await line.hub.wait_for(lambda: len(line.hub.of("room")) == 6)
    told = sorted(line.hub.of("room"), key=lambda w: int(w.form["SequenceNumber"]))
    assert [each.form["StatusCallbackEvent"] for each in told] == [
        "participant-join",
        "conference-start",
        "participant-join",
        "participant-leave",
        "participant-leave",
        "conference-end",
    ]
    assert [each.form["SequenceNumber"] for each in told] == list("123456")
    assert all(is_genuine(each) for each in told)
    assert told[-1].form["ReasonConferenceEnded"] == "last-participant-left"
    assert {each.form["FriendlyName"] for each in told} == {"room-1"}


async def test_a_room_ends_with_who_ends_it_and_the_others_go_on(line: Line) -> None:
    line.hub.documents["out"] = "<Say>How was it?</Say>"
    caller = line.call(document=room(line))
    agent = await line.answered(DESK, room(line, endConferenceOnExit="true"))
    await line.hears(caller, "talk")
    line.voice.put_down(agent)
    await line.hears(caller, "How was it?")
    assert line.hub.told("out", "DialCallStatus")[-1] == "answered"
    (found,) = await line.rest(lambda c: c.conferences.list(friendly_name="room-1", status="completed"))
    assert found.reason_conference_ended == "participant-with-end-conference-on-exit-left"
    assert found.call_sid_ending_conference == agent.sid


async def test_hold_mute_and_coach_decide_who_hears_whom(line: Line) -> None:
    line.hub.documents |= {"hold": "<Say>One moment</Say><Play>/music.wav</Play>", "out": "<Hangup/>"}
    caller = line.call(document=room(line))
    agent = await line.answered(DESK, room(line))
    await line.hears(caller, "talk")
    (conference,) = await line.rest(lambda c: c.conferences.list(status="in-progress"))
    sid = conference.sid

    async def update(call: Call, **fields: Any) -> Any:
        return await line.rest(lambda c: c.conferences(sid).participants(call.sid).update(**fields))

    held = await update(caller, hold=True, hold_url=f"{line.hub.url}/hold")
    assert held.hold is True
    await line.hears(caller, "One moment")
    assert hears(caller) == hears(agent) == frozenset()
    await update(caller, hold=False)
    await line.hears(caller, "talk")
    await update(agent, muted=True)
    assert hears(caller) == frozenset()
    assert hears(agent) == {caller.sid}
    await update(agent, muted=False)
    boss = await line.answered("+15005551002", room(line, coach=agent.sid))
    await line.hears(boss, "talk")
    assert hears(agent) == {caller.sid, boss.sid}
    assert hears(caller) == {agent.sid}
    assert hears(boss) == {caller.sid, agent.sid}
    await update(boss, coaching=False)
    assert hears(caller) == {agent.sid, boss.sid}
    with pytest.raises(TwilioRestException):
        await update(boss, coaching=True, call_sid_to_coach="CA" + "0" * 32)
    await line.rest(lambda c: c.conferences(sid).participants(boss.sid).delete())
    await line.ends(boss)
    assert set(line.voice.rooms[sid].participants) == {caller.sid, agent.sid}
    await line.rest(lambda c: c.conferences(sid).update(status="completed"))
    await line.ends(agent)


async def test_a_room_records_from_its_start_and_can_be_paused(line: Line) -> None:
    caller = line.call(
        document=room(
            line,
            record="record-from-start",
            recordingStatusCallback=f"{line.hub.url}/recorded",
            recordingStatusCallbackEvent="in-progress completed",
        )
    )
    agent = await line.answered(DESK, room(line))
    await line.hears(caller, "talk")
    (conference,) = await line.rest(lambda c: c.conferences.list())
    await line.time.forward(10)

    async def record(**fields: Any) -> None:
        await line.rest(lambda c: c.conferences(conference.sid).recordings("Twilio.CURRENT").update(**fields))

    await record(status="paused", pause_behavior="skip")
    await line.time.forward(30)
    await record(status="in-progress")
    await line.time.forward(5)
    line.voice.put_down(agent)
    line.voice.put_down(caller)
    await line.pass_until(lambda: len(line.hub.of("recorded")) == 2)
    done = line.hub.of("recorded")[1]
    assert done.form["RecordingStatus"] == "completed"
    assert int(done.form["RecordingDuration"]) == pytest.approx(15, abs=1)
    assert done.form["ConferenceSid"] == conference.sid
    assert done.form["RecordingSource"] == "Conference"


# --- a call goes out ------------------------------------------------------------------------------------------------------

EVERY_STEP = ["initiated", "ringing", "answered", "completed"]


async def test_a_call_out_is_told_step_by_step(line: Line) -> None:
    call = await line.dial(status_callback=f"{line.hub.url}/told?leg=9", status_callback_event=EVERY_STEP)
    assert (call.status, call.direction) == ("queued", "outbound-api")
    await line.pass_until(lambda: call.status == "ringing")
    line.voice.pick_up(call)
    await line.until(lambda: call.status == "in-progress")
    await line.time.forward(5)
    line.voice.put_down(call)
    await line.hub.wait_for(lambda: len(line.hub.of("told")) == 4)
    told = sorted(line.hub.of("told"), key=lambda w: int(w.form["SequenceNumber"]))
    assert [w.form["CallStatus"] for w in told] == ["initiated", "ringing", "in-progress", "completed"]
    assert [w.form["SequenceNumber"] for w in told] == list("0123")
    assert all(is_genuine(w) for w in told)
    assert told[-1].form["CallDuration"] == "5"
    assert {w.form["Direction"] for w in told} == {"outbound-api"}


@pytest.mark.parametrize(
    ("reaction", "status"),
    [
        (Reaction("busy"), "busy"),
        (Reaction("decline", 2), "busy"),
        (Reaction("ring"), "no-answer"),
        (Reaction("unreachable"), "failed"),
    ],
)
async def test_a_call_that_nobody_takes_ends_as_twilio_says(line: Line, reaction: Reaction, status: str) -> None:
    line.voice.set_reaction(ANNA, reaction)
    call = await line.dial(status_callback=f"{line.hub.url}/told", timeout=20)
    await line.pass_until(lambda: call.is_over)
    assert call.status == status
    await line.hub.wait_for(lambda: bool(line.hub.of("told")))
    assert line.hub.told("told", "CallStatus") == [status]
    assert line.hub.told("told", "CallDuration") == ["0"]


async def test_a_telephone_that_talks_is_busy(line: Line) -> None:
    await line.answered()
    second = await line.dial()
    await line.pass_until(lambda: second.is_over)
    assert second.status == "busy"


@pytest.mark.parametrize("status", ["canceled", "completed"])
async def test_a_ringing_call_is_taken_back(line: Line, status: str) -> None:
    call = await line.dial()
    await line.pass_until(lambda: call.status == "ringing")
    await line.rest(lambda c: c.calls(call.sid).update(status=status))
    await line.ends(call, "canceled")
    with pytest.raises(Conflict):
        line.voice.pick_up(call)


@pytest.mark.parametrize(
    ("reaction", "detection", "answered_by"),
    [
        (Reaction("answer", 1), "Enable", "human"),
        (Reaction("machine", 1), "Enable", "machine_start"),
        (Reaction("machine", 1), "DetectMessageEnd", "machine_end_beep"),
    ],
)
async def test_who_answered_is_told_while_the_call_goes_on(
    line: Line, reaction: Reaction, detection: str, answered_by: str
) -> None:
    line.voice.set_reaction(ANNA, reaction)
    call = await line.dial(
        machine_detection=detection, async_amd="true", async_amd_status_callback=f"{line.hub.url}/amd"
    )
    await line.pass_until(lambda: bool(line.hub.of("amd")))
    (told,) = line.hub.of("amd")
    assert is_genuine(told)
    assert (told.form["AnsweredBy"], told.form["CallSid"]) == (answered_by, call.sid)
    assert call.status == "in-progress"


async def test_without_async_the_document_is_asked_for_once_it_is_known_who_answered(line: Line) -> None:
    line.voice.set_reaction(ANNA, Reaction("machine", 1))
    line.hub.documents["hello"] = "<Say>Hello</Say>"
    call = await line.rest(
        lambda c: c.calls.create(to=ANNA, from_=NUMBER, url=f"{line.hub.url}/hello", machine_detection="Enable")
    )
    await line.pass_until(lambda: bool(line.hub.of("hello")))
    assert line.hub.told("hello", "AnsweredBy") == ["machine_start"]
    assert line.voice.calls[call.sid].answered_by == "machine_start"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"to": "12"}, 21211),
        ({"to": NUMBER}, 21211),
        ({"to": "client:a b"}, 21211),
        ({"to": "+15005550002"}, 21214),
        ({"to": "+15005550003"}, 21215),
        ({"to": "+15005550004"}, 21216),
        ({"from_": "+15005550001"}, 21212),
        ({"from_": NINO}, 21210),
        ({"twiml": "<Response><Sey/></Response>"}, 12200),
        ({"twiml": None, "url": "nowhere"}, 21205),
        ({"twiml": None}, 21205),
        ({"timeout": 0}, 20001),
        ({"timeout": 601}, 20001),
        ({"status_callback": "nowhere"}, 21205),
        ({"status_callback_event": ["busy"]}, 20001),
        ({"machine_detection": "Perhaps"}, 20001),
        ({"url": "http://example.test/"}, 20001),
    ],
)
async def test_a_wrong_call_is_refused_with_twilios_code(line: Line, fields: dict[str, Any], code: int) -> None:
    arguments = {"to": ANNA, "from_": NUMBER, "twiml": "<Response><Hangup/></Response>", **fields}
    arguments = {name: value for name, value in arguments.items() if value is not None}
    with pytest.raises(TwilioRestException) as refusal:
        await line.rest(lambda c: c.calls.create(**arguments))
    assert (refusal.value.status, refusal.value.code) == (400, code)
    assert line.voice.calls == {}


async def test_a_call_that_is_over_is_not_redirected(line: Line) -> None:
    call = await line.answered()
    line.voice.put_down(call)
    await line.ends(call)
    for fields in ({"twiml": "<Response><Hangup/></Response>"}, {"status": "completed"}):
        with pytest.raises(TwilioRestException) as refusal:
            await line.rest(lambda c, f=fields: c.calls(call.sid).update(**f))  # type: ignore[misc]
        assert refusal.value.code == 21220


async def test_a_redirect_in_a_room_takes_the_call_out_of_it(line: Line) -> None:
    caller = line.call(document=room(line))
    agent = await line.answered(DESK, room(line))
    await line.hears(caller, "talk")
    await line.rest(lambda c: c.calls(caller.sid).update(twiml="<Response><Say>Elsewhere</Say></Response>"))
    await line.hears(caller, "Elsewhere")
    assert hears(agent) == frozenset()
    assert line.hub.of("out") == []


# --- dial -----------------------------------------------------------------------------------------------------------------


async def test_a_dialled_number_is_talked_to_and_the_action_told(line: Line) -> None:
    line.voice.set_reaction(NINO, Reaction("answer", 1))
    line.hub.documents["out"] = "<Say>Thank you</Say>"
    call = line.call(
        document=(
            f"<Dial action='/out' callerId='{NUMBER}' timeout='20'>"
            f"<Number statusCallback='/child' statusCallbackEvent='{' '.join(EVERY_STEP)}'>{NINO}</Number></Dial>"
        )
    )
    await line.pass_until(lambda: bool(hears(call)))
    child = call.bridged
    assert child is not None
    assert (child.sender, child.recipient, child.direction, child.parent) == (NUMBER, NINO, "outbound-dial", call)
    await line.time.forward(7)
    line.voice.put_down(child)
    await line.hears(call, "Thank you")
    (out,) = line.hub.of("out")
    assert (out.form["DialCallStatus"], out.form["DialCallSid"], out.form["DialBridged"]) == (
        "completed",
        child.sid,
        "true",
    )
    assert int(out.form["DialCallDuration"]) >= 7
    await line.hub.wait_for(lambda: len(line.hub.of("child")) == 4)
    assert {w.form["ParentCallSid"] for w in line.hub.of("child")} == {call.sid}


@pytest.mark.parametrize(
    ("reaction", "status"), [("busy", "busy"), ("decline", "busy"), ("ring", "no-answer"), ("unreachable", "failed")]
)
async def test_a_dial_that_fails_says_why(line: Line, reaction: Any, status: str) -> None:
    line.voice.set_reaction(NINO, Reaction(reaction, 1))
    line.hub.documents["out"] = "<Say>Nobody there</Say>"
    call = line.call(document=f"<Dial action='/out' timeout='15'>{NINO}</Dial>")
    await line.pass_until(lambda: bool(line.hub.of("out")))
    assert line.hub.told("out", "DialCallStatus") == [status]
    await line.hears(call, "Nobody there")


async def test_the_caller_hangs_up_while_it_rings(line: Line) -> None:
    call = line.call(document=f"<Dial action='/out'>{NINO}</Dial>")
    await line.until(lambda: len(line.voice.calls) == 2)
    child = next(c for c in line.voice.calls.values() if c.parent is call)
    await line.pass_until(lambda: child.status == "ringing")
    line.voice.put_down(call)
    await line.ends(call)
    await line.ends(child, "canceled")


async def test_a_browser_rings_while_it_is_signed_in(line: Line) -> None:
    line.hub.documents["out"] = "<Dial action='/out2'><Client>agent-7</Client></Dial>"
    line.hub.documents["out2"] = "<Say>Gone</Say>"
    call = line.call(document="<Dial action='/out'><Client>agent-7</Client></Dial>")
    await line.pass_until(lambda: bool(line.hub.of("out")))
    assert line.hub.told("out", "DialCallStatus") == ["no-answer"]
    line.voice.put_down(call)
    line.voice.sign_in("agent-7")
    again = line.call(document="<Dial><Client>agent-7</Client></Dial>")
    await line.pass_until(lambda: any(c.status == "ringing" and c.parent is again for c in line.voice.calls.values()))
    child = line.voice.live_call("client:agent-7")
    assert child is not None
    line.voice.pick_up(child)
    await line.until(lambda: hears(again) == {child.sid})


# --- recordings -----------------------------------------------------------------------------------------------------------


async def test_a_message_is_recorded_after_the_tone(line: Line) -> None:
    line.hub.documents["left"] = "<Say>Thank you</Say>"
    call = line.call(
        document="<Record action='/left' maxLength='120' timeout='6' finishOnKey='#' recordingStatusCallback='/recorded'/>"
    )
    await line.hears(call, "beep")
    await line.next(call)
    line.voice.speak(call, "Please call me back about my order, it has not come")
    await line.pass_until(lambda: call.hearing is not None and call.hearing.text == "Thank you")
    (left,) = line.hub.of("left")
    assert int(left.form["RecordingDuration"]) >= 4
    assert left.form["Digits"] == ""
    await line.pass_until(lambda: bool(line.hub.of("recorded")))
    (recorded,) = line.hub.of("recorded")
    assert (recorded.form["RecordingStatus"], recorded.form["RecordingSource"]) == ("completed", "RecordVerb")
    assert recorded.form["RecordingUrl"] == left.form["RecordingUrl"]


async def test_the_key_ends_a_message_and_hanging_up_does_too(line: Line) -> None:
    line.hub.documents["left"] = "<Hangup/>"
    call = line.call(document="<Record action='/left' playBeep='false'/>")
    await line.say(call, "Hello")
    await line.time.forward(2)
    await line.press(call, "#")
    await line.ends(call)
    again = line.call()
    await line.say(again, "Hello")
    await line.time.forward(2)
    line.voice.put_down(again)
    await line.hub.wait_for(lambda: len(line.hub.of("left")) == 2)
    assert line.hub.told("left", "Digits") == ["#", "hangup"]


async def test_who_says_nothing_leaves_no_message(line: Line) -> None:
    call = line.call(
        document=(
            "<Record action='/left' playBeep='false' timeout='4' recordingStatusCallback='/recorded' "
            "recordingStatusCallbackEvent='completed absent'/><Say>Nothing heard</Say>"
        )
    )
    await line.pass_until(lambda: call.hearing is not None and call.hearing.text == "Nothing heard")
    assert line.hub.of("left") == []
    await line.hub.wait_for(lambda: bool(line.hub.of("recorded")))
    assert line.hub.told("recorded", "RecordingStatus") == ["absent"]


async def test_a_recording_is_started_paused_stopped_fetched_and_deleted(line: Line) -> None:
    call = await line.answered()
    recording = await line.rest(
        lambda c: c.calls(call.sid).recordings.create(
            recording_channels="dual",
            recording_status_callback=f"{line.hub.url}/recorded",
            recording_status_callback_event=["in-progress", "completed"],
        )
    )
    assert (recording.status, recording.channels, recording.source) == ("in-progress", 2, "StartCallRecordingAPI")
    await line.time.forward(3)
    for status in ("paused", "in-progress", "stopped"):
        update = lambda c, s=status: c.calls(call.sid).recordings(recording.sid).update(status=s)  # noqa: E731
        assert (await line.rest(update)).status == status
    await line.pass_until(lambda: len(line.hub.of("recorded")) == 2)
    done = line.hub.of("recorded")[1]
    assert (done.form["RecordingStatus"], done.form["RecordingDuration"]) == ("completed", "3")
    headers = {"Authorization": aiohttp.encode_basic_auth(ACCOUNT_SID, AUTH_TOKEN)}
    async with aiohttp.ClientSession(headers=headers) as http:
        async with http.get(done.form["RecordingUrl"] + ".wav") as answer:
            content = await answer.read()
            assert (answer.status, answer.content_type) == (200, "audio/x-wav")
        async with http.get(done.form["RecordingUrl"], headers={"Authorization": ""}) as answer:
            assert answer.status == 401
    with wave.open(io.BytesIO(content)) as sound:
        assert (sound.getnchannels(), sound.getframerate(), sound.getnframes()) == (2, 8000, 24_000)
        frames = memoryview(sound.readframes(8000)).cast("h")
    assert max(frames[0::2]) > 4000  # the left speaks first
    assert max(frames[1::2]) == 0
    await line.rest(lambda c: c.recordings(recording.sid).delete())
    with pytest.raises(TwilioRestException):
        await line.rest(lambda c: c.recordings(recording.sid).fetch())


# --- faults ---------------------------------------------------------------------------------------------------------------


async def test_rest_calls_fail_as_told(line: Line) -> None:
    line.voice.faults += [
        VoiceFault("refuse", "create_call", code=21216),
        VoiceFault("server_error", "create_call"),
        VoiceFault("too_many_requests", "create_call", seconds=3),
        VoiceFault("error_after_accept", "create_call"),
    ]
    for status, code in ((400, 21216), (503, 20503), (429, 20429), (500, 20500)):
        with pytest.raises(TwilioRestException) as refusal:
            await line.dial()
        assert (refusal.value.status, refusal.value.code) == (status, code)
    assert len(line.voice.calls) == 1
    assert line.voice.faults == []


async def test_webhooks_are_lost_doubled_and_late_as_told(line: Line) -> None:
    line.voice.faults += [
        VoiceFault("drop", "status", event="ringing"),
        VoiceFault("double", "status", event="in-progress"),
        VoiceFault("late", "status", event="initiated", seconds=60),
    ]
    call = await line.answered(status_callback=f"{line.hub.url}/told", status_callback_event=EVERY_STEP)
    await line.hub.wait_for(lambda: len(line.hub.of("told")) == 2)
    assert line.hub.told("told", "CallStatus") == ["in-progress", "in-progress"]
    line.voice.put_down(call)
    await line.hub.wait_for(lambda: len(line.hub.of("told")) == 3)
    await line.pass_until(lambda: len(line.hub.of("told")) == 4, step_s=10)
    assert line.hub.told("told", "CallStatus")[2:] == ["completed", "initiated"]


async def test_a_participant_is_rung_into_a_room_by_its_name(line: Line) -> None:
    caller = line.call(document=room(line))
    await line.hears(caller, "music")
    line.voice.set_reaction(DESK, Reaction("answer", 1))
    made = await line.rest(
        lambda c: c.conferences("room-1").participants.create(
            from_=NUMBER, to=DESK, label="agent", end_conference_on_exit=True
        )
    )
    assert made.status == "queued"
    await line.pass_until(lambda: hears(caller) == {made.call_sid})
    found = await line.rest(lambda c: c.conferences(made.conference_sid).participants("agent").fetch())
    assert (found.status, found.end_conference_on_exit) == ("connected", True)


async def test_errors_of_a_call_are_read_over_rest(line: Line) -> None:
    call = line.call(document="<Sey/>")
    await line.hears(call, "application error")
    (noted,) = await line.rest(lambda c: c.calls(call.sid).notifications.list())
    assert (noted.error_code, noted.log) == ("12200", "0")


async def test_a_label_is_one_participants(line: Line) -> None:
    line.hub.documents["out"] = "<Say>No room</Say>"
    caller = line.call(document=room(line, participantLabel="agent"))
    await line.hears(caller, "music")
    second = await line.answered(DESK, room(line, participantLabel="agent"))
    await line.hears(second, "No room")
    assert [each.code for each in second.notifications] == [16025]
