"""Every document that the telephone line can answer with is one that Twilio documents: verbs, attributes, values, nesting,
and what may stand where. Checked against tests/payloads/twilio_voice/twiml.json, which says where each fact comes from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.channels import twiml
from hub.channels.phone import TwilioLine
from hub.channels.twilio_scenes import Scenes
from hub.channels.twiml import Verb, heard_language, hints, prompts, render, voice_for
from hub.channels.voice import (
    Hold,
    LegOrder,
    Menu,
    Over,
    Prompt,
    Ringback,
    Say,
    Scene,
    Talk,
    Voicemail,
    Wait,
)
from hub.domain.calls import Party, Presence
from tests.channels.lines import AGENT_SID, CALL_SID, HELLO, TOKEN, line_account, order, webhook
from tests.channels.support import PAYLOADS

DOCUMENTED: Mapping[str, Any] = json.loads((PAYLOADS / "twilio_voice" / "twiml.json").read_text("utf-8"))
LINE = TwilioLine(line_account())

# --- the judge ----------------------------------------------------------------------------------------------------------


def check_document(body: bytes, place: str) -> Element:
    """Fails unless `body` is a document that Twilio documents for `place` (call, queue, room); its root."""
    assert len(body) <= DOCUMENTED["document_limit_bytes"]
    root = ElementTree.fromstring(body)  # noqa: S314 - it is our own
    assert root.tag == "Response"
    assert not root.attrib
    names = [verb.tag for verb in root]
    assert set(names) <= set(DOCUMENTED["places"][place])
    # Whatever follows a verb that ends the document is never reached.
    assert not set(names[:-1]) & set(DOCUMENTED["last_only"])
    assert not set(names[1:]) & set(DOCUMENTED["first_only"])
    for verb in root:
        check_verb(verb)
    return root


def check_verb(verb: Element) -> None:
    rule = DOCUMENTED["verbs"][verb.tag]
    for name, value in verb.attrib.items():
        assert fits(value, rule["attributes"][name]), f"{verb.tag} {name}={value!r}"
    assert [child.tag for child in verb if child.tag not in rule["children"]] == []
    assert bool(verb.text) == (rule["text"] is not None)
    assert rule["text"] is None or fits(verb.text or "", rule["text"]), f"{verb.tag}: {verb.text!r}"
    for child in verb:
        check_verb(child)


def fits(value: str, rule: Mapping[str, Any]) -> bool:
    if value in rule.get("or", ()):
        return True
    if "enum" in rule:
        return value in rule["enum"]
    if "words" in rule:
        return bool(value) and set(value.split(" ")) <= set(rule["words"])
    return _KINDS[rule["type"]](value, rule)


_KINDS: Mapping[str, Callable[[str, Mapping[str, Any]], bool]] = {
    # Twilio takes no address of more than some 4,000 characters; none of ours comes near.
    "url": lambda value, _: urlsplit(value).scheme == "https" and bool(urlsplit(value).hostname) and len(value) < 4_000,
    "integer": lambda value, rule: (
        value.isascii()
        and value.isdecimal()
        and rule["min"] <= int(value) <= (rule["max"] if rule["max"] is not None else int(value))
    ),
    "text": lambda value, rule: 0 < len(value) <= rule["max"],
    "call": lambda value, _: len(value) == 34 and value.startswith("CA"),
    "phrases": lambda value, rule: (
        len(value.split(", ")) <= rule["most"] and all(0 < len(each) <= rule["longest"] for each in value.split(", "))
    ),
}

# --- what may be asked --------------------------------------------------------------------------------------------------

# Anything an administrator may write, the characters included that XML cannot hold.
texts = st.text(max_size=60) | st.sampled_from(["<&>\"'", "]]>", "\x00\x0b", "Բարև Ձեզ", "👋", "a" * 9_000, " "])
languages = st.sampled_from(["en", "en-GB", "hy", "ka", "az", "ru", "pt-BR", "zh-TW", "xx", "", "no", "fil", "zz-ZZ"])
sounds = st.sampled_from(["https://hub.example.com/sounds/a/b?x=1&y=2", "https://hub.example.com/sounds/c/d"])
said = st.lists(
    st.builds(Prompt, texts, languages) | st.builds(lambda url: Prompt(audio_url=url), sounds), max_size=4
).map(tuple)
keys = st.lists(st.sampled_from("0123456789*#"), min_size=1, max_size=12, unique=True).map(tuple)
words = st.dictionaries(st.sampled_from("0123456789*#"), st.lists(texts, max_size=3).map(tuple), max_size=12)
seconds = st.integers(-5, 20_000)
scenes: st.SearchStrategy[Scene] = st.one_of(
    st.builds(Say, said, st.booleans()),
    st.builds(Menu, said, keys, seconds, words, languages),
    st.builds(Wait, said, st.integers(0, 600), keys | st.just(())),
    st.builds(
        Talk,
        st.sampled_from([Presence.TALK, Presence.LISTEN, Presence.WHISPER]),
        st.booleans(),
        st.sampled_from([None, 7, 8]),
    ),
    st.builds(Hold, said),
    st.builds(Voicemail, said, seconds, seconds),
    st.builds(Ringback),
    st.builds(Over, st.booleans()),
)
orders = st.builds(
    lambda scene, version, party, coached: order(
        scene, version=version, party=party, peers={7: coached} if coached else {}
    ),
    scenes,
    st.integers(1, 5),
    st.sampled_from(Party),
    st.sampled_from([None, AGENT_SID]),
)
asked = st.fixed_dictionaries(
    {"leg": st.just(TOKEN)},
    optional={
        "v": st.integers(1, 5),
        "did": st.sampled_from(
            ["said", "menu", "key", "left", "queued", "voicemail", "silence", "wait", "held", "idle", "what?"]
        ),
        "n": st.integers(0, 9),
        "t": st.integers(0, 100_000),
        "s": st.integers(0, 1_000),
        "p": st.sampled_from(["", "0badc0de"]),
        "keys": st.sampled_from(["", "12#"]),
    },
)
statuses = st.sampled_from(["ringing", "in-progress", "completed"])
senders = st.sampled_from(["+37491234567", "client:agent_7"])


@given(orders, asked, statuses, senders, st.sampled_from(["", "queue-full", "leave", "error"]))
def test_whatever_a_call_is_to_hear_is_a_documented_document(
    wanted: LegOrder, query: dict[str, str | int], status: str, sender: str, queue_result: str
) -> None:
    request = webhook("voice", query, CallStatus=status, From=sender, QueueResult=queue_result)
    check_document(LINE.answer(request, wanted).body, "call")


@given(orders, asked)
def test_whatever_a_queue_plays_is_documented_for_queues(wanted: LegOrder, query: dict[str, str | int]) -> None:
    request = webhook("voice", {**query, "at": "queue"})
    check_document(LINE.answer(request, wanted).body, "queue")


@given(said, st.integers(0, 100_000))
def test_whatever_a_room_plays_is_documented_for_rooms(spoken: tuple[Prompt, ...], waited_s: int) -> None:
    first = webhook("voice", {"at": "room", "did": "held", "t": waited_s})
    for request in (first, replace(first, url=Scenes(LINE.account).hold_url(Hold(spoken)))):
        check_document(LINE.answer(request, None).body, "room")


@pytest.mark.parametrize("status", ["ringing", "in-progress", "completed"])
def test_a_call_of_which_nobody_knows_gets_a_documented_document(status: str) -> None:
    check_document(LINE.answer(webhook("voice", CallStatus=status), None).body, "call")


@pytest.mark.parametrize("kind", ["status", "conference", "recording", "amd"])
def test_what_is_only_told_is_answered_with_nothing_to_do(kind: str) -> None:
    assert list(check_document(LINE.answer(webhook(kind), None).body, "call")) == []


@given(orders, asked)
def test_every_address_in_a_document_leads_back_to_its_leg(wanted: LegOrder, query: dict[str, str | int]) -> None:
    root = check_document(LINE.answer(webhook("voice", query), wanted).body, "call")
    named = [
        value for verb in root.iter() for name, value in verb.attrib.items() if name in ("action", "waitUrl") and value
    ]
    for url in [*named, *(verb.text or "" for verb in root.iter("Redirect"))]:
        parts = dict(parse_qsl(urlsplit(url).query))
        assert url.startswith("https://hub.example.com/webhooks/phone-demo/voice?")
        assert (parts["leg"], parts["v"]) == (TOKEN, str(wanted.scene_version))
        # What comes back from there can be read.
        LINE.parse(replace(webhook("voice", Digits="1", RecordingSid="RE" + "0" * 32), url=url))


def refused(document: str, place: str = "call") -> bool:
    try:
        check_document(f"<Response>{document}</Response>".encode(), place)
    except (AssertionError, KeyError):
        return True
    return False


@pytest.mark.parametrize(
    "document",
    [
        "<Shout>Hello</Shout>",
        '<Say mood="merry">Hello</Say>',
        '<Say language="hy-AM">Hello</Say>',
        "<Say/>",
        "<Hangup/><Say>Hello</Say>",
        "<Say>Hello</Say><Reject/>",
        "<Play>music.wav</Play>",
        '<Gather numDigits="0"/>',
        '<Gather input="morse"/>',
        "<Gather><Hangup/></Gather>",
        "<Dial><Say>Hello</Say></Dial>",
        '<Dial><Conference beep="loudly">room</Conference></Dial>',
        '<Dial><Conference statusCallbackEvent="join dance">room</Conference></Dial>',
        "<Leave/>",
        "<Enqueue/>",
    ],
)
def test_an_undocumented_document_is_noticed(document: str) -> None:
    assert refused(document)


@pytest.mark.parametrize(("verb", "place"), [("<Gather/>", "room"), ("<Dial/>", "queue"), ("<Hangup/>", "room")])
def test_a_verb_in_the_wrong_place_is_noticed(verb: str, place: str) -> None:
    assert refused(verb, place)


# --- what is said -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", sorted(twiml.VOICES))
def test_every_voice_is_one_of_twilios(language: str) -> None:
    locale, voice = twiml.VOICES[language]
    rules = DOCUMENTED["verbs"]["Say"]["attributes"]
    assert fits(locale, rules["language"])
    assert fits(voice, rules["voice"])
    assert voice.startswith(f"Google.{locale}-")


@pytest.mark.parametrize("language", sorted(twiml.HEARD))
def test_every_language_that_is_understood_is_one_of_twilios(language: str) -> None:
    assert fits(twiml.HEARD[language], DOCUMENTED["verbs"]["Gather"]["attributes"]["language"])


@pytest.mark.parametrize("language", ["hy", "hy-AM", "ka", "az", "kk", "xx", ""])
def test_a_language_that_nobody_speaks_has_no_voice(language: str) -> None:
    assert voice_for(language) is None


@pytest.mark.parametrize("language", ["hy", "ka", "az"])
def test_what_nobody_speaks_is_understood_all_the_same(language: str) -> None:
    assert heard_language(language) is not None


def test_a_country_has_its_own_voice() -> None:
    assert voice_for("pt-BR") != voice_for("pt-PT") == voice_for("pt")
    assert voice_for("en-NZ") == voice_for("en-US")


def test_a_sound_goes_before_a_text() -> None:
    (verb,) = prompts([Prompt("Բարև", "hy", audio_url="https://hub.example.com/sounds/a/b")])
    assert (verb.name, verb.text) == ("Play", "https://hub.example.com/sounds/a/b")


def test_a_text_in_a_language_that_nobody_speaks_is_left_out() -> None:
    (verb,) = prompts([Prompt("Բարև", "hy"), HELLO])
    assert (verb.name, verb.text) == ("Say", "Hello!")


def test_a_long_text_is_said_in_parts_that_end_with_words() -> None:
    text = "longish " * 2_000
    verbs = prompts([Prompt(text, "en")])
    assert " ".join(verb.text for verb in verbs) == text.strip()
    assert all(len(verb.text) <= twiml.SAY_LIMIT for verb in verbs)


@given(st.text())
def test_no_text_breaks_a_document(text: str) -> None:
    root = ElementTree.fromstring(render([Verb("Say", {"voice": text}, text=text)]))  # noqa: S314 - our own
    assert root[0].tag == "Say"
    assert len(root) == 1


def test_hints_are_parted_by_commas_and_come_once() -> None:
    assert hints(["new, order", "sales", "new  order", " ", ""]) == "new order, sales"
    assert hints([]) is None
    assert len((hints(str(n) for n in range(600)) or "").split(", ")) == 500


def test_a_call_sid_of_ours_is_one_of_twilios() -> None:
    assert fits(CALL_SID, {"type": "call"})
