"""The carrier's reading of TwiML holds nothing that Twilio's own library cannot write."""

from __future__ import annotations

import inspect
import re

import pytest
from twilio.twiml import voice_response  # type: ignore[import-untyped, unused-ignore]

from hub.demo import carrier_twiml
from hub.demo.carrier_twiml import TwimlError, parse


@pytest.mark.parametrize("name", sorted(carrier_twiml.RULES))
def test_every_attribute_is_one_that_twilios_library_writes(name: str) -> None:
    written = set(inspect.signature(getattr(voice_response, name).__init__).parameters)
    snake = {
        re.sub("(?<=[a-z])(?=[A-Z])", "_", attribute).lower() for attribute in carrier_twiml.RULES[name].attributes
    }
    known = written | _by_append(name)
    assert snake <= known


def _by_append(name: str) -> set[str]:
    """What the library's method on the verb that holds it takes."""
    parameters: set[str] = set()
    for holder in ("VoiceResponse", "Dial", "Gather", "Client", "Enqueue"):
        method = getattr(getattr(voice_response, holder), name.lower(), None)
        if method is not None:
            parameters |= set(inspect.signature(method).parameters)
    return parameters


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("<!DOCTYPE r [<!ENTITY a 'b'>]><Response><Say>&a;</Say></Response>", 12100),
        ("<Reply><Hangup/></Reply>", 12102),
        ("<Response>Hello</Response>", 12200),
        ("<Response><Say>" + "x" * 70_000 + "</Say></Response>", 11750),
        ("<Response><Say>" + "x" * 4_097 + "</Say></Response>", 13520),
        ("", 12100),
    ],
)
def test_a_document_that_is_none_is_refused(document: str, code: int) -> None:
    with pytest.raises(TwimlError) as refusal:
        parse(document)
    assert refusal.value.code == code


def test_marks_of_ssml_are_not_read_out() -> None:
    (verb,) = parse(
        "<Response><Say>Your code: <say-as interpret-as='digits'>42</say-as><break time='1s'/> Thanks</Say></Response>"
    )
    assert verb.text == "Your code: 42 Thanks"


def test_what_may_stand_in_a_document_depends_on_where_it_is_played() -> None:
    for verb in ("<Enqueue>q</Enqueue>", "<Dial>+37491234567</Dial>", "<Record/>"):
        with pytest.raises(TwimlError):
            parse(f"<Response>{verb}</Response>", carrier_twiml.IN_QUEUE)
    with pytest.raises(TwimlError):
        parse("<Response><Gather/></Response>", carrier_twiml.IN_ROOM)
