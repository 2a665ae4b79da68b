"""Twilio Voice: what its webhooks say, what calls are told, and what is asked of Twilio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from hub.calls.phrases import spoken
from hub.channels.channel import WebhookRequest
from hub.channels.phone import TwilioLine
from hub.channels.twilio_callbacks import read_caller, read_status
from hub.channels.twilio_scenes import MUSIC_S, PIECE_S
from hub.channels.twilio_voice import CALL_STATES
from hub.channels.voice import (
    CallArrived,
    Chosen,
    Hold,
    LegAsks,
    LegChanged,
    LegName,
    LegOrder,
    Menu,
    Over,
    Prompt,
    RecordingReady,
    RecordingRef,
    Ringback,
    Say,
    Scene,
    SceneEnded,
    Talk,
    VoiceEvent,
    Voicemail,
    VoicemailLeft,
    Wait,
)
from hub.domain.calls import LegEnd, Party, Presence, Recording
from hub.domain.states import LegState
from hub.errors import BadRequest, BadSignature, Refused, Unavailable, Uncertain
from hub.media import hold_music
from tests.channels.lines import (
    AGENT_SID,
    CALL_SID,
    HELLO,
    RECORDING_SID,
    ROOM,
    ROOM_SID,
    TOKEN,
    captured,
    line_account,
    order,
    webhook,
)
from tests.channels.provider import Fault, Provider, Reply, running_provider
from tests.channels.support import ACCOUNT_SID, NOW, NUMBER, PAYLOADS, PUBLIC_URL

LINE = TwilioLine(line_account())
LEG = LegName(TOKEN, CALL_SID)
STRANGER = LegName(None, CALL_SID)
AT_LEG: Mapping[str, str | int] = {"leg": TOKEN, "v": 3}


def told(request: WebhookRequest) -> VoiceEvent:
    (event,) = LINE.parse(request)
    return event


def document(wanted: LegOrder | None, request: WebhookRequest) -> Element:
    answer = LINE.answer(request, wanted)
    assert answer.media_type == "text/xml"
    return ElementTree.fromstring(answer.body)  # noqa: S314 - it is our own


def verbs(scene: Scene, request: WebhookRequest | None = None, **wanted: object) -> list[str]:
    root = document(order(scene, **wanted), request or webhook("voice", AT_LEG))  # type: ignore[arg-type]
    return [verb.tag for verb in root]


def parameters(url: str) -> Mapping[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, keep_blank_values=True).items()}


# --- what webhooks say --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [path.stem for path in sorted((PAYLOADS / "twilio_voice").glob("*.form"))])
def test_each_captured_webhook_is_signed_and_read(name: str) -> None:
    request = captured(name, AT_LEG)
    LINE.verify(request)
    first, second = LINE.parse(request), LINE.parse(request)
    # What comes again has the same key, so it is taken once.
    assert [event.provider_id for event in first] == [event.provider_id for event in second]
    assert all(event.received_at == NOW for event in first)


@pytest.mark.parametrize("name", [path.stem for path in sorted((PAYLOADS / "twilio_voice").glob("*.form"))])
def test_a_changed_webhook_is_refused(name: str) -> None:
    request = captured(name, AT_LEG)
    with pytest.raises(BadSignature):
        LINE.verify(replace(request, url=request.url.replace("v=3", "v=4")))
    with pytest.raises(BadSignature):
        LINE.verify(replace(request, body=request.body + b"&Digits=1"))


def test_without_a_token_nothing_is_ours() -> None:
    keyless = TwilioLine(line_account(token=""))
    with pytest.raises(BadSignature):
        keyless.verify(captured("voice_arrives"))


def test_a_customer_calls() -> None:
    event = told(captured("voice_arrives_with_name"))
    assert isinstance(event, CallArrived)
    assert (event.provider_id, event.leg) == (CALL_SID, STRANGER)
    assert (event.caller, event.line, event.caller_name) == ("+37491234567", NUMBER, "ANI HAKOBYAN")


@pytest.mark.parametrize("name", ["voice_arrives_withheld", "voice_arrives_withheld_keypad"])
def test_a_withheld_number_is_empty(name: str) -> None:
    event = told(captured(name))
    assert isinstance(event, CallArrived)
    assert event.caller == ""


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("+37491234567", "+37491234567"),
        ("091234567", "+37491234567"),
        ("sip:+37491234567@pbx.example.com", "+37491234567"),
        ("sip:reception@pbx.example.com", ""),
        ("Anonymous", ""),
        ("RESTRICTED", ""),
        ("+7378742833", ""),
        ("+86282452253", ""),
        ("", ""),
        ("7", ""),
        ("\x00", ""),
    ],
)
def test_a_caller_is_read_as_a_number_or_as_nobody(address: str, caller: str) -> None:
    assert read_caller(address, "AM") == caller


def test_an_agents_page_connects_its_own_leg() -> None:
    event = told(captured("voice_page"))
    assert isinstance(event, LegChanged)
    assert (event.leg, event.state) == (LEG, LegState.CONNECTED)


def test_a_page_that_names_no_leg_calls_nobody() -> None:
    request = captured("voice_page_without_leg")
    assert isinstance(told(request), LegAsks)
    assert [verb.tag for verb in document(None, request)] == ["Hangup"]


def test_a_leg_that_a_customer_claims_in_a_field_is_not_theirs() -> None:
    assert isinstance(told(webhook("voice", CallStatus="ringing", leg=TOKEN)), CallArrived)


def test_whom_we_called_is_there_when_they_answer() -> None:
    event = told(captured("voice_answered", AT_LEG))
    assert isinstance(event, LegChanged)
    assert (event.leg, event.state) == (LEG, LegState.CONNECTED)


def test_an_answer_is_told_once_by_whoever_tells_it_first() -> None:
    by_document = told(captured("voice_answered", AT_LEG))
    by_status = told(captured("status_in_progress", {"leg": TOKEN}))
    by_room = told(captured("conference_join"))
    assert by_document.provider_id == by_status.provider_id == by_room.provider_id


@pytest.mark.parametrize(
    ("name", "state", "end"),
    [
        ("status_initiated", LegState.PENDING, None),
        ("status_ringing", LegState.RINGING, None),
        ("status_in_progress", LegState.CONNECTED, None),
        ("status_completed", LegState.ENDED, LegEnd.HUNG_UP),
        ("status_busy", LegState.ENDED, LegEnd.BUSY),
        ("status_declined", LegState.ENDED, LegEnd.REJECTED),
        ("status_no_answer", LegState.ENDED, LegEnd.NO_ANSWER),
        ("status_failed", LegState.ENDED, LegEnd.FAILED),
        ("status_canceled", LegState.ENDED, LegEnd.CANCELLED),
    ],
)
def test_a_status_moves_its_leg(name: str, state: LegState, end: LegEnd | None) -> None:
    event = told(captured(name, {"leg": TOKEN}))
    assert isinstance(event, LegChanged)
    assert (event.leg, event.state, event.end) == (LEG, state, end)
    assert event.occurred_at is not None
    assert event.occurred_at.date() == NOW.date()


def test_an_unknown_word_says_nothing() -> None:
    assert LINE.parse(captured("status_unknown_word", {"leg": TOKEN})) == []
    assert read_status("pondering", is_page=False) == (None, None)


@pytest.mark.parametrize("name", ["status_page_completed", "conference_leave_page"])
def test_a_page_that_goes_away_is_a_lost_line(name: str) -> None:
    event = told(captured(name))
    assert isinstance(event, LegChanged)
    assert (event.leg, event.state, event.end) == (STRANGER, LegState.ENDED, LegEnd.LOST)


@pytest.mark.parametrize("word", sorted(set(CALL_STATES) - {"completed"}))
def test_a_page_is_like_any_other_call_until_it_goes_away(word: str) -> None:
    assert read_status(word, is_page=True) == CALL_STATES[word]


def test_leaving_a_room_is_no_end_unless_the_call_is_over() -> None:
    assert LINE.parse(captured("conference_leave")) == []
    event = told(captured("conference_leave_hung_up"))
    assert isinstance(event, LegChanged)
    assert (event.state, event.end) == (LegState.ENDED, LegEnd.HUNG_UP)
    assert event.provider_id == told(captured("status_completed", {"leg": TOKEN})).provider_id


@pytest.mark.parametrize("name", ["conference_hold", "recording_in_progress", "amd_unknown"])
def test_what_changes_nothing_says_nothing(name: str) -> None:
    assert LINE.parse(captured(name, {"leg": TOKEN})) == []


@pytest.mark.parametrize("name", ["conference_start", "conference_end"])
def test_what_is_about_no_call_says_nothing(name: str) -> None:
    assert LINE.parse(captured(name)) == []


@pytest.mark.parametrize(("name", "is_machine"), [("amd_human", False), ("amd_machine", True), ("amd_fax", True)])
def test_who_answered_is_told(name: str, is_machine: bool) -> None:
    event = told(captured(name, {"leg": TOKEN}))
    assert isinstance(event, LegChanged)
    assert (event.state, event.is_machine) == (LegState.CONNECTED, is_machine)


def test_a_recording_can_be_fetched() -> None:
    event = told(captured("recording_completed", {"leg": TOKEN, "room": ROOM}))
    assert isinstance(event, RecordingReady)
    assert event.recording.provider_id == RECORDING_SID
    assert event.recording.channels == 2
    assert (event.room, event.duration_s, event.failed) == (ROOM, 61.0, False)
    assert event.started_at == datetime(2026, 11, 22, 12, 0, 2, tzinfo=UTC)


@pytest.mark.parametrize("name", ["recording_absent", "recording_failed"])
def test_a_recording_that_came_to_nothing_is_told(name: str) -> None:
    event = told(captured(name, {"leg": TOKEN, "room": ROOM}))
    assert isinstance(event, RecordingReady)
    assert event.failed


def test_a_message_is_told_once_by_the_document_and_by_its_recording() -> None:
    by_document = told(captured("voice_recorded", {**AT_LEG, "did": "voicemail"}))
    by_recording = told(captured("recording_voicemail", {"leg": TOKEN, "did": "voicemail"}))
    assert isinstance(by_document, VoicemailLeft)
    assert isinstance(by_recording, VoicemailLeft)
    assert by_document.provider_id == by_recording.provider_id
    assert by_document.duration_s == by_recording.duration_s == 7.0
    assert by_document.recording == by_recording.recording


def test_a_message_of_one_who_hangs_up_is_told_before_the_end() -> None:
    message, end = LINE.parse(captured("voice_recorded_hung_up", {**AT_LEG, "did": "voicemail"}))
    assert isinstance(message, VoicemailLeft)
    assert isinstance(end, LegChanged)
    assert end.state is LegState.ENDED


def test_silence_after_the_tone_is_a_message_without_sound() -> None:
    event = told(webhook("voice", {**AT_LEG, "did": "silence"}))
    assert isinstance(event, VoicemailLeft)
    assert (event.recording, event.duration_s) == (None, 0.0)


def test_a_scene_that_was_said_is_over() -> None:
    event = told(webhook("voice", {**AT_LEG, "did": "said"}))
    assert isinstance(event, SceneEnded)
    assert (event.leg, event.scene_version) == (LEG, 3)


def test_one_who_hangs_up_in_a_room_is_gone() -> None:
    event = told(captured("voice_hung_up_in_room", {**AT_LEG, "did": "left"}))
    assert isinstance(event, LegChanged)
    assert (event.state, event.end) == (LegState.ENDED, LegEnd.HUNG_UP)


def test_a_call_that_is_over_asks_for_nothing() -> None:
    request = captured("voice_hung_up_in_room", {**AT_LEG, "did": "left"})
    assert LINE.asked_leg(request) is None


def test_the_end_of_an_old_call_is_not_the_end_of_a_leg_that_has_a_new_one() -> None:
    event = told(captured("voice_hung_up_in_room", {**AT_LEG, "did": "left"}))
    assert isinstance(event, LegChanged)
    assert event.leg == STRANGER


@pytest.mark.parametrize("did", ["", "said", "menu", "left", "queued", "wait", "idle"])
def test_a_call_asks_for_the_scene_of_its_leg(did: str) -> None:
    assert LINE.asked_leg(webhook("voice", {**AT_LEG, "did": did})) == LEG


@pytest.mark.parametrize("kind", ["status", "conference", "recording", "amd"])
def test_what_is_only_told_asks_for_nothing(kind: str) -> None:
    assert LINE.asked_leg(webhook(kind, {"leg": TOKEN})) is None


@pytest.mark.parametrize(
    "request_",
    [
        webhook("voice", CallSid=""),
        webhook("voice", CallSid="CA/../x"),
        webhook("voice", {"leg": "a b"}),
        webhook("voice", {"leg": TOKEN, "v": "x"}),
        webhook("voice", {"leg": TOKEN, "v": "1", "did": "voicemail"}),
        webhook("recording", {"leg": TOKEN}, RecordingStatus="completed"),
        webhook("fax"),
        replace(webhook("voice"), body=b"\xff"),
    ],
)
def test_a_malformed_webhook_is_refused(request_: WebhookRequest) -> None:
    with pytest.raises(BadRequest):
        LINE.parse(request_)


# --- keys and words -----------------------------------------------------------------------------------------------------

MENU = Menu((HELLO,), ("1", "2", "#"), 5, {"1": ("sales", "new order"), "2": ("order", "պատվեր")}, "en")


def answered(menu: Menu, **fields: str) -> Chosen:
    """What is told when the caller does this in that menu."""
    gather = document(order(menu), webhook("voice", AT_LEG))[0]
    url = gather.attrib["action"]
    event = told(replace(webhook("voice", None, **fields), url=url))
    assert isinstance(event, Chosen)
    return event


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"Digits": "2"}, "2"),
        ({"Digits": "#"}, "#"),
        ({"Digits": "7"}, None),
        ({"Digits": "12"}, None),
        ({"Digits": ""}, None),
        ({}, None),
        ({"SpeechResult": "Sales."}, "1"),
        ({"SpeechResult": "I'd like to talk to SALES, please"}, "1"),
        ({"SpeechResult": "my order"}, "2"),
        # The longest that was offered counts.
        ({"SpeechResult": "a new order please"}, "1"),
        ({"SpeechResult": "Պատվե՛ր"}, "2"),
        ({"SpeechResult": "sales or order"}, None),
        ({"SpeechResult": "the weather"}, None),
        ({"SpeechResult": "..."}, None),
    ],
)
def test_a_caller_chooses_by_key_or_word(fields: dict[str, str], key: str | None) -> None:
    event = answered(MENU, **fields)
    assert (event.key, event.scene_version) == (key, 3)
    assert event.heard == (fields.get("SpeechResult") or None)


def test_a_menu_without_words_takes_keys_only() -> None:
    gather = document(order(replace(MENU, words={})), webhook("voice", AT_LEG))[0]
    assert gather.attrib["input"] == "dtmf"
    assert "hints" not in gather.attrib


def test_a_menu_takes_each_of_its_keys() -> None:
    gather = document(order(MENU), webhook("voice", AT_LEG))[0]
    assert (gather.attrib["input"], gather.attrib["finishOnKey"], gather.attrib["numDigits"]) == (
        "dtmf speech",
        "",
        "1",
    )
    assert gather.attrib["hints"] == "sales, new order, order, պատվեր"


def test_the_same_menu_once_more_is_another_question() -> None:
    first = document(order(MENU), webhook("voice", AT_LEG))[0].attrib["action"]
    silent = replace(webhook("voice"), url=first)
    second = document(order(MENU), silent)[0].attrib["action"]
    assert told(silent).provider_id != told(replace(silent, url=second)).provider_id


def test_an_address_of_a_menu_does_not_grow_with_its_words() -> None:
    wordy = replace(MENU, words={key: ("very long words indeed " * 20,) * 5 for key in MENU.keys})
    assert len(document(order(wordy), webhook("voice", AT_LEG))[0].attrib["action"]) < 500


# --- what calls are told ------------------------------------------------------------------------------------------------


def test_what_was_said_leads_on() -> None:
    root = document(order(Say((HELLO,))), webhook("voice", CallStatus="ringing"))
    assert [verb.tag for verb in root] == ["Say", "Redirect"]
    assert parameters(root[1].text or "") == {"leg": TOKEN, "v": "3", "did": "said"}


def test_a_goodbye_is_the_last_word() -> None:
    assert verbs(Say((HELLO,), then_hang_up=True)) == ["Say", "Hangup"]


@pytest.mark.parametrize("did", ["said", "voicemail", "silence", "idle"])
def test_a_call_whose_scene_is_over_waits_for_the_next(did: str) -> None:
    assert verbs(Say((HELLO,)), webhook("voice", {**AT_LEG, "did": did})) == ["Pause", "Redirect"]
    assert verbs(Say((HELLO,)), webhook("voice", {**AT_LEG, "did": did, "v": 2})) == ["Say", "Redirect"]


def test_a_waiting_caller_stands_in_a_queue_that_is_not_made_for_them() -> None:
    (enqueue,) = document(order(Wait((HELLO,))), webhook("voice", AT_LEG))
    assert enqueue.tag == "Enqueue"
    assert enqueue.text == "hub-phone-demo"
    assert parameters(enqueue.attrib["waitUrl"])["at"] == "queue"


def test_where_the_queue_is_full_one_waits_all_the_same() -> None:
    root = document(order(Wait((HELLO,))), captured("voice_queue_full", {**AT_LEG, "did": "queued"}))
    assert [verb.tag for verb in root] == ["Say", "Play", "Redirect"]
    assert "at" not in parameters(root[-1].text or "")


def heard(scene: Wait, pieces: int, place: str = "queue") -> list[str]:
    """What a waiting caller hears, piece by piece, as Twilio would fetch it."""
    request, told_ = webhook("voice", {**AT_LEG, "did": "wait", "at": place}), []
    for _ in range(pieces):
        root = document(order(scene), request)
        told_ += [(verb.text or "").rpartition("/")[2] for verb in root.iter() if verb.tag in ("Say", "Play")]
        request = replace(request, url=root[-1].text or "")
    return told_


def test_the_tune_goes_on_from_piece_to_piece() -> None:
    assert heard(Wait((HELLO,), every_s=30), 5) == [
        *("Hello!", "music-0-20.wav", "music-20-10.wav"),
        *("Hello!", "music-30-20.wav", "music-50-10.wav"),
        *("Hello!", "music-0-20.wav"),
    ]


def test_what_is_said_once_is_not_said_again() -> None:
    assert heard(Wait((HELLO,), every_s=0), 4) == [
        *("Hello!", "music-0-20.wav", "music-20-20.wav", "music-40-20.wav", "music-0-20.wav")
    ]


def test_a_changed_prompt_is_said_with_the_next_piece_and_the_tune_goes_on() -> None:
    first = document(order(Wait((HELLO,))), webhook("voice", {**AT_LEG, "did": "wait", "at": "queue"}))
    onwards = replace(webhook("voice"), url=first[-1].text or "")
    next_ = document(order(Wait((Prompt("You are next.", "en"),)), version=4), onwards)
    assert [(verb.text or "").rpartition("/")[2] for verb in next_][:2] == ["You are next.", "music-20-20.wav"]


def test_a_sound_whose_address_was_signed_anew_is_the_same_sound() -> None:
    def waiting(signature: str) -> Wait:
        return Wait((Prompt("x", "hy", f"{PUBLIC_URL}/sounds/a/{signature}", "a"),), every_s=0)

    first = document(order(waiting("1")), webhook("voice", {**AT_LEG, "did": "wait", "at": "queue"}))
    again = document(order(waiting("2")), replace(webhook("voice"), url=first[-1].text or ""))
    assert [verb.tag for verb in again] == ["Play", "Redirect"]


def test_a_key_is_taken_while_one_waits() -> None:
    gather, redirect = document(
        order(Wait((HELLO,), 30, ("1",))), webhook("voice", {**AT_LEG, "did": "wait", "at": "queue"})
    )
    pressed = replace(webhook("voice", Digits="1"), url=gather.attrib["action"])
    event = told(pressed)
    assert isinstance(event, Chosen)
    assert event.key == "1"
    # The music goes on.
    after = document(order(Wait((HELLO,), 30, ("1",))), pressed)
    assert [verb.tag for verb in after] == ["Gather", "Redirect"]
    assert isinstance(told(replace(pressed, url=redirect.text or "")), LegAsks)
    # Another key is nothing, and one pressed again is another.
    assert isinstance(told(replace(webhook("voice", Digits="5"), url=gather.attrib["action"])), LegAsks)
    again = replace(pressed, url=after[0].attrib["action"])
    assert told(again).provider_id != event.provider_id


@pytest.mark.parametrize("scene", [Talk(), Menu((), ("1",)), Say((HELLO,)), Hold(), Over(), Voicemail(())])
def test_one_who_is_to_hear_something_else_leaves_the_queue(scene: Scene) -> None:
    assert verbs(scene, webhook("voice", {**AT_LEG, "did": "wait", "at": "queue"})) == ["Leave"]
    assert verbs(Talk(), captured("voice_left_queue", {**AT_LEG, "did": "queued"})) == ["Dial"]


def conference(wanted: LegOrder, request: WebhookRequest | None = None) -> Element:
    room = document(wanted, request or webhook("voice", AT_LEG)).find("Dial/Conference")
    assert room is not None
    return room


def test_whoever_talks_is_in_the_room() -> None:
    room = conference(order(Talk()))
    assert room.text == ROOM
    assert room.attrib["muted"] == "false"
    assert room.attrib["endConferenceOnExit"] == "false"
    assert room.attrib["beep"] == "false"
    assert room.attrib["waitUrl"] == ""
    assert "coach" not in room.attrib


@pytest.mark.parametrize("scene", [Talk(Presence.LISTEN), Talk(muted=True)])
def test_whoever_listens_or_is_muted_is_not_heard(scene: Talk) -> None:
    assert conference(order(scene)).attrib["muted"] == "true"


def test_a_whisperer_is_heard_by_one_alone() -> None:
    room = conference(order(Talk(Presence.WHISPER, coached_leg_id=7), party=Party.SUPERVISOR, peers={7: AGENT_SID}))
    assert (room.attrib["coach"], room.attrib["muted"]) == (AGENT_SID, "false")


@pytest.mark.parametrize("coached", [None, 8])
def test_a_whisperer_whose_colleague_is_gone_is_heard_by_nobody(coached: int | None) -> None:
    room = conference(order(Talk(Presence.WHISPER, coached_leg_id=coached), peers={7: AGENT_SID}))
    assert room.attrib["muted"] == "true"
    assert "coach" not in room.attrib


def test_a_page_is_known_by_its_label_in_the_room() -> None:
    assert (
        conference(order(Talk(), party=Party.AGENT), captured("voice_page"))
        .attrib["participantLabel"]
        .startswith("page-agent-")
    )
    assert conference(order(Talk())).attrib["participantLabel"].startswith("customer-12-")


def test_one_thrown_out_of_the_room_comes_back_after_a_moment() -> None:
    assert verbs(Talk(), captured("voice_left_room", {**AT_LEG, "did": "left"})) == ["Pause", "Dial"]
    assert verbs(Talk(), captured("voice_left_room", {**AT_LEG, "did": "left", "v": 2})) == ["Dial"]


def test_one_on_hold_outside_a_room_hears_music() -> None:
    first = document(order(Hold((HELLO,))), webhook("voice", AT_LEG))
    assert [verb.tag for verb in first] == ["Say", "Play", "Redirect"]
    second = document(order(Hold((HELLO,))), replace(webhook("voice"), url=first[-1].text or ""))
    assert [verb.tag for verb in second] == ["Play", "Redirect"]


def test_a_message_is_taken_after_the_tone() -> None:
    root = document(order(Voicemail((HELLO,), limit_s=90, silence_s=4)), webhook("voice", AT_LEG))
    assert [verb.tag for verb in root] == ["Say", "Record", "Redirect"]
    record = root[1]
    assert (record.attrib["maxLength"], record.attrib["timeout"], record.attrib["finishOnKey"]) == ("90", "4", "#")
    assert parameters(record.attrib["recordingStatusCallback"])["did"] == "voicemail"


def first_prompt(prompt: Prompt) -> tuple[str, str]:
    said = document(order(Say((prompt,))), webhook("voice", AT_LEG))[0]
    return said.tag, (said.text or "").removeprefix(PUBLIC_URL)


def test_a_phrase_that_twilio_cannot_speak_is_played() -> None:
    assert first_prompt(spoken("place", "hy", 3)) == ("Play", "/line-sounds/phrase-hy-place_3.wav")
    assert first_prompt(spoken("goodbye", "ka")) == ("Play", "/line-sounds/phrase-ka-goodbye.wav")


def test_a_phrase_that_twilio_can_speak_is_spoken() -> None:
    assert first_prompt(spoken("goodbye", "uk"))[0] == first_prompt(spoken("goodbye", "en"))[0] == "Say"


def test_a_phrase_of_which_there_is_no_recording_is_said_in_english() -> None:
    assert first_prompt(Prompt("…", "xx", phrase="place_3")) == ("Say", spoken("place", "en", 3).text)
    assert first_prompt(Prompt("…", "xx", phrase="goodbye")) == ("Say", spoken("goodbye", "en").text)
    assert first_prompt(Prompt("…", "xx", phrase="never_heard_of"))[0] == "Redirect"


async def held_first(prompt: Prompt) -> str:
    ((_, form),) = await applied(order(Hold((prompt,))), Talk(), IN_ROOM, PARTICIPANT)
    return document(None, replace(webhook("voice"), url=form["HoldUrl"]))[0].tag


@pytest.mark.anyio
async def test_a_phrase_on_hold_is_played_too() -> None:
    assert await held_first(spoken("one_moment", "hy")) == "Play"
    assert await held_first(spoken("one_moment", "en")) == "Say"


def test_a_ringing_tone_has_no_end() -> None:
    (play,) = document(order(Ringback()), webhook("voice", AT_LEG))
    assert (play.tag, play.attrib["loop"]) == ("Play", "0")


def test_a_call_that_was_never_answered_is_refused_with_the_busy_tone() -> None:
    assert verbs(Over(is_busy=True), webhook("voice", CallStatus="ringing")) == ["Reject"]
    assert verbs(Over(is_busy=True)) == ["Hangup"]
    assert verbs(Over()) == ["Hangup"]
    assert [verb.tag for verb in document(None, webhook("voice", CallStatus="ringing"))] == ["Reject"]


# --- what is asked of Twilio --------------------------------------------------------------------------------------------

GONE = Reply.json(404, {"code": 20404, "message": "The requested resource was not found"})
NOT_LIVE = Reply.json(400, {"code": 21220, "message": "Call is not in-progress. Cannot redirect."})
A_CALL = {"sid": CALL_SID, "status": "in-progress", "from": NUMBER}
IN_ROOM = Reply.json(200, {"conferences": [{"sid": ROOM_SID, "status": "in-progress"}], "page": 0})
NO_ROOM = Reply.json(200, {"conferences": [{"sid": ROOM_SID, "status": "completed"}], "page": 0})
PARTICIPANT = Reply.json(200, {"call_sid": CALL_SID, "conference_sid": ROOM_SID, "muted": False})
CALL = Reply.json(200, A_CALL)
API = f"/2010-04-01/Accounts/{ACCOUNT_SID}"
ROOM_PATH = f"{API}/Conferences/{ROOM_SID}/Participants/{CALL_SID}.json"
CALL_PATH = f"{API}/Calls/{CALL_SID}.json"


def line_of(provider: Provider, **settings: str) -> TwilioLine:
    return TwilioLine(line_account(api_base=provider.url, **settings))


async def applied(wanted: LegOrder, before: Scene | None, *answers: Reply) -> list[tuple[str, dict[str, str]]]:
    """What Twilio is asked: path and form of each request that changes something."""
    async with running_provider() as provider:
        provider.play(*answers)
        line = line_of(provider)
        await line.apply(wanted, before)
        await line.aclose()
    return [(seen.path, dict(seen.form)) for seen in provider.seen if seen.method == "POST"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "scene",
    [Say((HELLO,)), MENU, Wait((HELLO,)), Voicemail((HELLO,)), Ringback(), Talk(), Hold()],
    ids=lambda scene: scene.kind,
)
async def test_one_who_is_in_no_room_is_redirected(scene: Scene) -> None:
    before = Say((), then_hang_up=True)
    ((path, form),) = await applied(order(scene), before, CALL)
    assert path == CALL_PATH
    assert form["Method"] == "POST"
    assert parameters(form["Url"]) == {"leg": TOKEN, "v": "3"}


@pytest.mark.anyio
@pytest.mark.parametrize("before", [Talk(), Hold(), None])
async def test_one_in_the_room_is_held_there(before: Scene | None) -> None:
    ((path, form),) = await applied(order(Hold((HELLO,))), before, IN_ROOM, PARTICIPANT)
    assert path == ROOM_PATH
    assert (form["Hold"], form["HoldMethod"]) == ("true", "POST")
    music = replace(webhook("voice"), url=form["HoldUrl"])
    assert LINE.asked_leg(music) is None
    first = document(None, music)
    assert [verb.tag for verb in first] == ["Say", "Play", "Redirect"]
    assert [verb.tag for verb in document(None, replace(music, url=first[-1].text or ""))] == ["Play", "Redirect"]
    assert isinstance(told(music), LegAsks)


@pytest.mark.anyio
async def test_one_is_fetched_back_from_hold() -> None:
    ((path, form),) = await applied(order(Talk()), Hold(), IN_ROOM, PARTICIPANT)
    assert path == ROOM_PATH
    assert form == {"Hold": "false", "Muted": "false", "Coaching": "false"}


@pytest.mark.anyio
async def test_a_listener_comes_to_whisper() -> None:
    whisper = order(Talk(Presence.WHISPER, coached_leg_id=7), party=Party.SUPERVISOR, peers={7: AGENT_SID})
    ((_, form),) = await applied(whisper, Talk(Presence.LISTEN), IN_ROOM, PARTICIPANT)
    assert form == {"Hold": "false", "Muted": "false", "Coaching": "true", "CallSidToCoach": AGENT_SID}


@pytest.mark.anyio
async def test_a_whisperer_who_takes_the_call_over_is_heard_by_the_customer() -> None:
    whispered = Talk(Presence.WHISPER, coached_leg_id=7)
    ((_, form),) = await applied(order(Talk(), party=Party.AGENT), whispered, IN_ROOM, PARTICIPANT)
    assert (form["Coaching"], form["Muted"]) == ("false", "false")


@pytest.mark.anyio
@pytest.mark.parametrize("answers", [(NO_ROOM, CALL), (IN_ROOM, GONE, CALL)])
async def test_one_who_is_not_in_the_room_after_all_is_redirected_there(answers: tuple[Reply, ...]) -> None:
    asked = await applied(order(Talk()), None, *answers)
    assert asked[-1][0] == CALL_PATH


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("wanted", "before"),
    [
        (order(Talk(), sid=None), None),
        (order(Wait((HELLO,), 30)), Wait((), 30)),
        (order(Say((HELLO,))), Say((HELLO,))),
    ],
)
async def test_what_comes_to_pass_by_itself_is_asked_of_nobody(wanted: LegOrder, before: Scene | None) -> None:
    assert await applied(wanted, before, GONE) == []


@pytest.mark.anyio
@pytest.mark.parametrize("answer", [NOT_LIVE, GONE])
async def test_a_call_that_is_not_live_is_let_be(answer: Reply) -> None:
    assert len(await applied(order(Say((HELLO,))), None, answer)) == 1


@pytest.mark.anyio
async def test_a_call_that_is_to_end_is_ended() -> None:
    assert await applied(order(Over()), Talk(), CALL) == [(CALL_PATH, {"Status": "completed"})]


@pytest.mark.anyio
async def test_a_customer_is_called() -> None:
    async with running_provider() as provider:
        provider.play(Reply.json(201, {**A_CALL, "status": "queued"}))
        line = line_of(provider)
        dialled = await line.dial(order(Talk(), sid=None, address="+37491234567", detects_machine=True))
        await line.aclose()
    form = dict(provider.seen[0].form)
    assert (dialled.provider_leg_id, dialled.state) == (CALL_SID, LegState.PENDING)
    assert (form["To"], form["From"], form["Timeout"]) == ("+37491234567", NUMBER, "30")
    assert parameters(form["Url"]) == {"leg": TOKEN, "v": "3"}
    assert parameters(form["StatusCallback"]) == {"leg": TOKEN}
    assert (form["MachineDetection"], form["AsyncAmd"]) == ("Enable", "true")
    assert urlsplit(form["AsyncAmdStatusCallback"]).path == "/webhooks/phone-demo/amd"
    events = [value for name, value in provider.seen[0].form if name == "StatusCallbackEvent"]
    assert events == ["initiated", "ringing", "answered", "completed"]


@pytest.mark.anyio
async def test_another_number_is_shown_where_the_queue_has_one() -> None:
    async with running_provider() as provider:
        provider.play(Reply.json(201, A_CALL))
        line = line_of(provider)
        await line.dial(order(Talk(), sid=None, address="client:agent_7", caller_id="+15005550007"))
        await line.aclose()
    form = dict(provider.seen[0].form)
    assert (form["To"], form["From"]) == ("client:agent_7", "+15005550007")
    assert "MachineDetection" not in form


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (Reply.json(400, {"code": 21211, "message": "Invalid 'To' Phone Number"}), Refused, "invalid_number"),
        (Reply.json(400, {"code": 21215, "message": "Not authorized to call"}), Refused, "country_not_allowed"),
        (Reply.json(400, {"code": 21210, "message": "Source not verified"}), Refused, "invalid_sender"),
        (Reply.json(401, {"code": 20003, "message": "Authenticate"}), Refused, "account_refused"),
        (Reply.json(429, {"code": 20429, "message": "Too Many Requests"}), Unavailable, "rate_limited"),
        (Reply(503), Uncertain, "no_answer"),
        (Reply.json(201, {"sid": ""}), Uncertain, "unreadable_answer"),
        (Reply.json(201, {**A_CALL, "status": "failed"}), Refused, "unknown"),
        (Fault.RESET, Uncertain, "no_answer"),
    ],
)
async def test_a_call_that_does_not_come_about_says_whether_it_may_have(
    answer: Reply | Fault, error: type[Exception], code: str
) -> None:
    async with running_provider() as provider:
        provider.play(answer)
        line = line_of(provider)
        with pytest.raises(error) as raised:
            await line.dial(order(Talk(), sid=None, address="+37491234567"))
        await line.aclose()
    assert raised.value.code == code  # type: ignore[attr-defined]


@pytest.mark.anyio
async def test_nobody_is_called_without_an_address() -> None:
    with pytest.raises(Refused):
        await LINE.dial(order(Talk(), sid=None))


@pytest.mark.anyio
async def test_a_page_of_the_hubs_own_cannot_connect_here() -> None:
    with pytest.raises(Refused):
        await LINE.connect(order(Talk()), "v=0")
    assert await LINE.find_live() is None


def calls(*found: tuple[str, str]) -> Reply:
    return Reply.json(
        200, {"calls": [{"sid": sid, "status": status, "from": NUMBER} for sid, status in found], "page": 0}
    )


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "state", "end"),
    [
        (CALL, LegState.CONNECTED, None),
        (Reply.json(200, {**A_CALL, "status": "no-answer"}), LegState.ENDED, LegEnd.NO_ANSWER),
        (Reply.json(200, {**A_CALL, "status": "pondering"}), None, None),
        (Reply.json(200, {**A_CALL, "status": "completed", "from": "client:agent_7"}), LegState.ENDED, LegEnd.LOST),
    ],
)
async def test_a_leg_is_found_by_twilios_name_of_it(answer: Reply, state: LegState | None, end: LegEnd | None) -> None:
    async with running_provider() as provider:
        provider.play(answer)
        line = line_of(provider)
        found = await line.find_leg(order(Talk()))
        await line.aclose()
    assert found is not None
    assert (found.provider_leg_id, found.state, found.end) == (CALL_SID, state, end)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "sid"),
    [
        (calls(), None),
        (calls((CALL_SID, "completed")), None),
        (calls((CALL_SID, "ringing"), (AGENT_SID, "completed")), CALL_SID),
        # Somebody else's, as far as the hub knows.
        (calls(("CA" + "f" * 32, "in-progress")), None),
    ],
)
async def test_a_leg_whose_call_may_have_come_about_is_found_by_its_number(answer: Reply, sid: str | None) -> None:
    async with running_provider() as provider:
        provider.play(answer)
        line = line_of(provider)
        wanted = order(Talk(), sid=None, address="+37491234567", peers={3: "CA" + "f" * 32})
        found = await line.find_leg(wanted)
        await line.aclose()
    assert (found.provider_leg_id if found else None) == sid


@pytest.mark.anyio
async def test_of_two_calls_to_one_number_nobody_says_which_it_is() -> None:
    async with running_provider() as provider:
        provider.play(calls((CALL_SID, "ringing"), (AGENT_SID, "in-progress")))
        line = line_of(provider)
        with pytest.raises(Uncertain):
            await line.find_leg(order(Talk(), sid=None, address="+37491234567"))
        await line.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("answer", [CALL, NOT_LIVE, GONE])
async def test_hanging_up_what_is_over_is_no_fault(answer: Reply) -> None:
    async with running_provider() as provider:
        provider.play(answer)
        line = line_of(provider)
        await line.hang_up(order(Over()))
        await line.aclose()
    assert [(seen.method, seen.path) for seen in provider.seen] == [("POST", CALL_PATH)]


@pytest.mark.anyio
async def test_a_call_that_may_have_come_about_is_hung_up_too() -> None:
    async with running_provider() as provider:
        provider.play(calls((CALL_SID, "ringing")), CALL)
        line = line_of(provider)
        await line.hang_up(order(Over(), sid=None, address="+37491234567"))
        await line.aclose()
    assert provider.seen[-1].path == CALL_PATH


# --- recordings ---------------------------------------------------------------------------------------------------------


def recordings(*statuses: str) -> Reply:
    return Reply.json(200, {"recordings": [{"sid": RECORDING_SID, "status": status} for status in statuses], "page": 0})


A_RECORDING = Reply.json(200, {"sid": RECORDING_SID, "status": "in-progress"})
RECORDINGS_PATH = f"{API}/Calls/{CALL_SID}/Recordings.json"
RECORDING_PATH = f"{API}/Calls/{CALL_SID}/Recordings/{RECORDING_SID}.json"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("wanted", "found", "path", "status"),
    [
        (Recording.ON, recordings(), RECORDINGS_PATH, None),
        (Recording.ON, recordings("completed"), RECORDINGS_PATH, None),
        (Recording.ON, recordings("paused"), RECORDING_PATH, "in-progress"),
        (Recording.PAUSED, recordings("in-progress"), RECORDING_PATH, "paused"),
        (Recording.OFF, recordings("paused"), RECORDING_PATH, "stopped"),
        (Recording.ON, recordings("in-progress"), None, None),
        (Recording.PAUSED, recordings("paused"), None, None),
        (Recording.PAUSED, recordings(), None, None),
        (Recording.OFF, recordings(), None, None),
    ],
)
async def test_recording_becomes_as_wanted(
    wanted: Recording, found: Reply, path: str | None, status: str | None
) -> None:
    async with running_provider() as provider:
        provider.play(found, A_RECORDING)
        line = line_of(provider)
        await line.record(order(Talk()), wanted)
        await line.aclose()
    changed = [(seen.path, dict(seen.form).get("Status")) for seen in provider.seen if seen.method == "POST"]
    assert changed == ([(path, status)] if path else [])


@pytest.mark.anyio
async def test_the_customers_call_is_recorded_in_two_channels_whoever_asks() -> None:
    participants = [
        {"call_sid": AGENT_SID, "label": "page-agent-13-aaaaaaaa", "conference_sid": ROOM_SID},
        {"call_sid": CALL_SID, "label": "customer-12-89abcdef", "conference_sid": ROOM_SID},
    ]
    async with running_provider() as provider:
        provider.play(
            IN_ROOM,
            Reply.json(200, {"participants": participants, "page": 0}),
            recordings(),
            Reply.json(201, {"sid": RECORDING_SID}),
        )
        line = line_of(provider)
        await line.record(order(Talk(), party=Party.AGENT, sid=AGENT_SID), Recording.ON)
        await line.aclose()
    made = provider.seen[-1]
    assert made.path == RECORDINGS_PATH
    assert dict(made.form)["RecordingChannels"] == "dual"
    assert parameters(dict(made.form)["RecordingStatusCallback"]) == {"leg": TOKEN, "room": ROOM}


@pytest.mark.anyio
@pytest.mark.parametrize("answers", [(NO_ROOM,), (IN_ROOM, Reply.json(200, {"participants": [], "page": 0}))])
async def test_nobody_is_recorded_before_the_customer_is_there(answers: tuple[Reply, ...]) -> None:
    async with running_provider() as provider:
        provider.play(*answers)
        line = line_of(provider)
        with pytest.raises(Unavailable):
            await line.record(order(Talk(), party=Party.AGENT, sid=AGENT_SID), Recording.ON)
        await line.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize(("channels", "query"), [(2, [("RequestedChannels", "2")]), (1, [])])
async def test_a_recording_is_fetched_by_its_sid(channels: int, query: list[tuple[str, str]]) -> None:
    ref = RecordingRef(RECORDING_SID, "https://elsewhere.example.com/sound", channels)
    async with running_provider() as provider:
        provider.play(Reply(200, b"RIFF", {"Content-Type": "audio/x-wav"}))
        line = line_of(provider)
        fetched = await line.fetch_recording(ref)
        await line.aclose()
    assert (fetched.content, fetched.media_type) == (b"RIFF", "audio/x-wav")
    assert (provider.seen[0].path, provider.seen[0].query) == (f"{API}/Recordings/{RECORDING_SID}.wav", query)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (Reply.json(200, {"sid": RECORDING_SID, "status": "processing"}), Unavailable, "not_ready"),
        (Reply.json(200, {"sid": RECORDING_SID, "status": "deleted"}), Refused, "media_gone"),
        (GONE, Refused, "media_gone"),
    ],
)
async def test_a_recording_that_is_not_there_may_come_yet(answer: Reply, error: type[Exception], code: str) -> None:
    async with running_provider() as provider:
        provider.play(Reply(404), answer)
        line = line_of(provider)
        with pytest.raises(error) as raised:
            await line.fetch_recording(RecordingRef(RECORDING_SID))
        await line.aclose()
    assert raised.value.code == code  # type: ignore[attr-defined]


@pytest.mark.anyio
async def test_what_is_no_sid_is_no_recording() -> None:
    with pytest.raises(Refused):
        await LINE.fetch_recording(RecordingRef("../Accounts"))
    await LINE.delete_recording(RecordingRef("../Accounts"))


@pytest.mark.anyio
@pytest.mark.parametrize("answer", [Reply(204), GONE])
async def test_a_recording_is_removed_once(answer: Reply) -> None:
    async with running_provider() as provider:
        provider.play(answer)
        line = line_of(provider)
        await line.delete_recording(RecordingRef(RECORDING_SID))
        await line.aclose()
    assert (provider.seen[0].method, provider.seen[0].path) == ("DELETE", f"{API}/Recordings/{RECORDING_SID}.json")


def test_the_tune_is_as_long_as_the_documents_believe() -> None:
    assert MUSIC_S == hold_music.TUNE_S
    assert MUSIC_S % PIECE_S == 0
