"""TwiML for voice, read strictly: what a document may say, as one table, and the document as values.

    parse(text, allowed)   the verbs of a <Response>, checked; raises TwimlError with Twilio's number of the fault

Pure. Verbs, nouns and attributes are those of docs/voice/twiml, and none that Twilio's Python library cannot write (a test
compares). Stricter than Twilio on purpose: what Twilio would ignore with a warning (an unknown verb or attribute, a value
out of range: 12200, schema validation) ends the call here, because a document that only works by kindness is a fault.

Known and not played here: <Sip>, <Sim>, <Pay>, <Stream> and other verbs that the hub has no use for are refused, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

# docs/api/errors
PARSE_FAILURE, WRONG_ROOT, SCHEMA, SAY_TEXT, SAY_LANGUAGE = 12100, 12102, 12200, 13520, 13511
# Document size, docs/api/errors/11750; a Say of more than 4,096 characters is cut there (docs/voice/twiml/say).
DOCUMENT_LIMIT_BYTES, SAY_LIMIT = 64 * 1024, 4096


class TwimlError(Exception):
    """A document that cannot be carried out. `code` is Twilio's number."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb or noun. `text` is what stands in it, SSML flattened."""

    name: str
    attributes: Mapping[str, str]
    text: str = ""
    children: tuple[Verb, ...] = ()

    def get(self, name: str, default: str = "") -> str:
        return self.attributes.get(name, default)

    def number(self, name: str, default: int) -> int:
        value = self.attributes.get(name, "")
        return int(value) if value.isdecimal() else default

    def flag(self, name: str, default: bool) -> bool:
        value = self.attributes.get(name)
        return default if value is None else value == "true"

    def words(self, name: str) -> frozenset[str]:
        return frozenset(self.attributes.get(name, "").split())


# --- values -------------------------------------------------------------------------------------------------------------

Check = Callable[[str], bool]


def _is_url(value: str) -> bool:
    """Absolute, or relative to the document's own address."""
    return bool(re.fullmatch(r"(https?://[^\s/?#]+)?[^\s]*", value)) and not re.match(
        r"[a-z][a-z0-9+.-]*:(?!//)", value
    )


def _whole(low: int, high: int = 1_000_000_000) -> Check:
    return lambda value: value.isascii() and value.isdecimal() and low <= int(value) <= high


def _one_of(*values: str) -> Check:
    return lambda value: value in values


def _some_of(*values: str) -> Check:
    return lambda value: bool(value.split()) and set(value.split()) <= set(values)


def _text(limit: int) -> Check:
    return lambda value: 0 < len(value) <= limit


def _or(*checks: Check) -> Check:
    return lambda value: any(check(value) for check in checks)


_flag = _one_of("true", "false")
_method = _one_of("GET", "POST")
_keys: Check = lambda value: re.fullmatch(r"[0-9*#]*", value) is not None  # noqa: E731 - a row of the table
_language: Check = lambda value: re.fullmatch(r"[a-z]{2,3}(-[A-Za-z]{2,4})?(-[A-Z]{2})?", value) is not None  # noqa: E731
_trim = _one_of("trim-silence", "do-not-trim")
_phone: Check = lambda value: re.fullmatch(r"\+[1-9]\d{6,14}|client:[\w.-]{1,121}", value) is not None  # noqa: E731
_call_events = _some_of("initiated", "ringing", "answered", "completed")
_recording_events = _some_of("in-progress", "completed", "absent")
_machine = _one_of("Enable", "DetectMessageEnd")

# What <Say> can speak, by language (docs/voice/twiml/say: a wrong combination of voice and language fails): those of the
# Amazon and Google voices that Twilio lists, none in doubt. No Armenian, Georgian, Azerbaijani: such prompts must be sounds.
SPOKEN = frozenset(
    {"af", "am", "ar", "bg", "bn", "ca", "cmn", "cs", "cy", "da", "de", "el", "en", "es", "eu", "fi", "fil", "fr", "gl"}
    | {"gu", "he", "hi", "hu", "id", "is", "it", "ja", "kn", "ko", "lt", "lv", "ml", "mr", "ms", "nb", "nl", "pa", "pl"}
    | {"pt", "ro", "ru", "sk", "sr", "sv", "ta", "te", "th", "tr", "uk", "vi", "yue", "zh"}
)

_NUMBER_AMD: Mapping[str, Check] = {
    "machineDetection": _machine,
    "machineDetectionTimeout": _whole(3, 120),
    "machineDetectionSpeechThreshold": _whole(1000, 6000),
    "machineDetectionSpeechEndThreshold": _whole(500, 5000),
    "machineDetectionSilenceTimeout": _whole(2000, 10000),
    "amdStatusCallback": _is_url,
    "amdStatusCallbackMethod": _method,
}
_PROGRESS: Mapping[str, Check] = {
    "url": _is_url,
    "method": _method,
    "statusCallback": _is_url,
    "statusCallbackMethod": _method,
    "statusCallbackEvent": _call_events,
}
_RECORDED: Mapping[str, Check] = {
    "recordingStatusCallback": _is_url,
    "recordingStatusCallbackMethod": _method,
    "recordingStatusCallbackEvent": _recording_events,
    "trim": _trim,
}


@dataclass(frozen=True, slots=True)
class _Rule:
    """What an element may carry. `text`: "no", "may" or "must" hold text."""

    attributes: Mapping[str, Check]
    children: frozenset[str] = frozenset()
    text: str = "no"
    text_check: Check = lambda _: True


_SSML = frozenset({"break", "emphasis", "lang", "p", "phoneme", "prosody", "s", "say-as", "sub", "w"})
_room_name: Check = lambda value: 0 < len(value) <= 128 and not re.search(r"[\x00-\x1f]", value)  # noqa: E731

RULES: Mapping[str, _Rule] = {
    "Say": _Rule({"voice": _text(64), "language": _language, "loop": _whole(0, 1000)}, _SSML, "must"),
    "Play": _Rule(
        {"loop": _whole(0, 1000), "digits": lambda v: re.fullmatch(r"[0-9*#wW]+", v) is not None}, text="may"
    ),
    "Pause": _Rule({"length": _whole(1, 3600)}),
    "Gather": _Rule(
        {
            "action": _is_url,
            "method": _method,
            "input": _one_of("dtmf", "speech", "dtmf speech", "speech dtmf"),
            "timeout": _or(_whole(1, 600), _one_of("auto")),
            "finishOnKey": lambda v: re.fullmatch(r"[0-9*#]?", v) is not None,
            "numDigits": _whole(1, 1000),
            "actionOnEmptyResult": _flag,
            "language": _language,
            "hints": _text(10_000),
            "speechTimeout": _or(_whole(1, 600), _one_of("auto")),
            "maxSpeechTime": _whole(1, 60),
            "profanityFilter": _flag,
            "bargeIn": _flag,
            "enhanced": _flag,
            "speechModel": _text(64),
            "partialResultCallback": _is_url,
            "partialResultCallbackMethod": _method,
        },
        frozenset({"Say", "Play", "Pause"}),
    ),
    "Enqueue": _Rule(
        {
            "action": _is_url,
            "method": _method,
            "waitUrl": _is_url,
            "waitUrlMethod": _method,
        },
        text="must",
        text_check=_text(64),
    ),
    "Leave": _Rule({}),
    "Dial": _Rule(
        {
            "action": _is_url,
            "method": _method,
            "timeout": _whole(1, 600),
            "timeLimit": _whole(1, 86_400),
            "hangupOnStar": _flag,
            "callerId": _phone,
            "answerOnBridge": _flag,
            "ringTone": _text(16),
            "record": _one_of(
                "do-not-record",
                "record-from-answer",
                "record-from-ringing",
                "record-from-answer-dual",
                "record-from-ringing-dual",
            ),
            "recordingTrack": _one_of("inbound", "outbound", "both"),
            **_RECORDED,
        },
        frozenset({"Number", "Client", "Conference", "Queue"}),
        "may",
        _phone,
    ),
    "Number": _Rule(
        {"sendDigits": lambda v: re.fullmatch(r"[0-9*#wW]+", v) is not None, **_PROGRESS, **_NUMBER_AMD},
        text="must",
        text_check=_phone,
    ),
    "Client": _Rule(_PROGRESS, frozenset({"Identity", "Parameter"}), "may", _text(121)),
    "Identity": _Rule({}, text="must", text_check=_text(121)),
    "Parameter": _Rule({"name": _text(256), "value": lambda _: True}),
    "Queue": _Rule({"url": _is_url, "method": _method}, text="must", text_check=_text(64)),
    "Conference": _Rule(
        {
            "muted": _flag,
            "beep": _one_of("true", "false", "onEnter", "onExit"),
            "startConferenceOnEnter": _flag,
            "endConferenceOnExit": _flag,
            "participantLabel": _text(128),
            "jitterBufferSize": _one_of("small", "medium", "large", "off"),
            "waitUrl": _is_url,
            "waitMethod": _method,
            "maxParticipants": _whole(2, 250),
            "record": _one_of("do-not-record", "record-from-start"),
            "region": _text(16),
            "coach": lambda v: re.fullmatch(r"CA[0-9a-f]{32}", v) is not None,
            "statusCallback": _is_url,
            "statusCallbackMethod": _method,
            "statusCallbackEvent": _some_of(
                "start", "end", "join", "leave", "mute", "hold", "modify", "speaker", "announcement"
            ),
            **_RECORDED,
        },
        text="must",
        text_check=_room_name,
    ),
    "Record": _Rule(
        {
            "action": _is_url,
            "method": _method,
            "timeout": _whole(1, 600),
            "finishOnKey": _keys,
            "maxLength": _whole(1, 14_400),
            "playBeep": _flag,
            "transcribe": _flag,
            "transcribeCallback": _is_url,
            **_RECORDED,
        }
    ),
    "Redirect": _Rule({"method": _method}, text="must", text_check=lambda v: bool(v) and _is_url(v)),
    "Reject": _Rule({"reason": _one_of("rejected", "busy")}),
    "Hangup": _Rule({}),
}

# Which verbs a document may hold, by where it is played (docs/voice/twiml/enqueue "waitUrl", /conference "waitUrl",
# docs/voice/api/conference-participant-resource "HoldUrl", /number "url").
IN_CALL = frozenset(
    {"Say", "Play", "Pause", "Gather", "Enqueue", "Leave", "Dial", "Record", "Redirect", "Reject", "Hangup"}
)
IN_QUEUE = frozenset({"Say", "Play", "Pause", "Gather", "Redirect", "Leave", "Hangup"})
IN_ROOM = frozenset({"Say", "Play", "Pause", "Redirect"})
BEFORE_BRIDGE = frozenset({"Say", "Play", "Pause", "Gather", "Redirect", "Hangup", "Reject"})


# --- reading ------------------------------------------------------------------------------------------------------------


def parse(document: str, allowed: frozenset[str] = IN_CALL) -> tuple[Verb, ...]:
    """The verbs of a document, in order. Raises TwimlError."""
    if len(document.encode()) > DOCUMENT_LIMIT_BYTES:
        raise TwimlError(11750, "TwiML response body too large")
    if "<!DOCTYPE" in document or "<!ENTITY" in document:
        raise TwimlError(PARSE_FAILURE, "Document parse failure: a document type is not allowed")
    try:
        root = ElementTree.fromstring(document)  # noqa: S314 - no document type, so no entities of its own
    except ElementTree.ParseError as error:
        raise TwimlError(PARSE_FAILURE, f"Document parse failure: {error}") from None
    if root.tag != "Response":
        raise TwimlError(WRONG_ROOT, f"Invalid root element: {root.tag}")
    if root.attrib or (root.text or "").strip():
        raise TwimlError(SCHEMA, "Response holds verbs only")
    return tuple(_read(child, allowed, "Response") for child in root)


def _read(element: ElementTree.Element, allowed: frozenset[str], inside: str) -> Verb:
    name = element.tag
    if name not in allowed:
        raise TwimlError(SCHEMA, f"{name} is not allowed in {inside}")
    if (element.tail or "").strip():
        raise TwimlError(SCHEMA, f"Text after {name} in {inside}")
    rule = RULES[name]
    for attribute, value in element.attrib.items():
        check = rule.attributes.get(attribute)
        if check is None:
            raise TwimlError(SCHEMA, f"{name} has no attribute {attribute}")
        if not check(value):
            raise TwimlError(SCHEMA, f"{name}: invalid {attribute} value {value!r}")
    if name == "Say":
        text = _spoken(element)
        children: tuple[Verb, ...] = ()
        if not text:
            raise TwimlError(SAY_TEXT, "Say: invalid text")
        if len(text) > SAY_LIMIT:
            raise TwimlError(SAY_TEXT, f"Say: more than {SAY_LIMIT} characters")
    else:
        text = (element.text or "").strip()
        children = tuple(_read(child, rule.children, name) for child in element)
    if (rule.text == "no" and text) or (rule.text == "must" and not text):
        raise TwimlError(SCHEMA, f"{name} {'holds no' if text else 'must hold'} text")
    if text and not rule.text_check(text):
        raise TwimlError(SCHEMA, f"{name}: invalid content {text[:80]!r}")
    verb = Verb(name, dict(element.attrib), text, children)
    _check_whole(verb)
    return verb


def _spoken(element: ElementTree.Element) -> str:
    """The text of a <Say>, marks of SSML taken out."""
    for child in element.iter():
        if child is not element and child.tag not in _SSML:
            raise TwimlError(SCHEMA, f"{child.tag} is not allowed in Say")
    return " ".join("".join(element.itertext()).split())


def _check_whole(verb: Verb) -> None:
    """What a table of attributes cannot say."""
    nouns = [child.name for child in verb.children]
    if verb.name == "Play" and not verb.text and "digits" not in verb.attributes:
        raise TwimlError(SCHEMA, "Play: a sound or digits")
    if verb.name == "Play" and verb.text and not _is_url(verb.text):
        raise TwimlError(SCHEMA, "Play: invalid address")
    if verb.name == "Client" and not verb.text and nouns.count("Identity") != 1:
        raise TwimlError(SCHEMA, "Client: no identity")
    if verb.name == "Dial":
        if bool(verb.text) == bool(nouns):
            raise TwimlError(SCHEMA, "Dial: a number, or nouns")
        # Several telephones may ring at once; a room or a queue stands alone (docs/voice/twiml/dial).
        if len(nouns) > 1 and not set(nouns) <= {"Number", "Client"}:
            raise TwimlError(SCHEMA, "Dial: Conference and Queue stand alone")
        if len(nouns) > 10:
            raise TwimlError(SCHEMA, "Dial: at most ten numbers")
    if verb.name == "Gather" and verb.get("timeout") == "auto" and "speech" not in verb.get("input", "dtmf"):
        raise TwimlError(SCHEMA, "Gather: timeout auto is for speech")


def speaks(language: str) -> bool:
    """Whether <Say> has a voice for the language ("" is the default, English)."""
    return not language or language.partition("-")[0] in SPOKEN
