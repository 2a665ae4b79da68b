"""What Twilio's voice webhooks say: the form and the address of each, as the hub's events.

The addresses are ours (channels.twilio_scenes writes them) and Twilio signs them, so what stands there is as good as what it
tells itself:

    leg    the token of the leg        v   the number of the scene that was played        n   how often it was asked anew
    at     where the document is played: in the call itself (empty), the queue, a room
    did    what its coming here means; head comment of channels.phone
    keys, words    what a menu offered, for Twilio tells only what was pressed or said
    t, s, p        how long the tune has sounded, how long nothing was said, and what was said last
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl, urlsplit

import phonenumbers

from hub.channels import twilio
from hub.channels.channel import WebhookRequest, clean_text
from hub.channels.twilio_voice import ANSWERED_BY, CALL_STATES, REFUSALS, WITHHELD
from hub.channels.voice import (
    CallArrived,
    Chosen,
    LegAsks,
    LegChanged,
    LegName,
    RecordingReady,
    RecordingRef,
    SceneEnded,
    VoiceEvent,
    VoicemailLeft,
)
from hub.domain.calls import LegEnd
from hub.domain.sentences import Sentence
from hub.domain.states import LegState
from hub.domain.values import ContactKind
from hub.errors import BadRequest

SID = re.compile(r"[A-Za-z0-9]{2,64}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,200}")
_NUMBER = re.compile(r"[0-9]{1,9}")
_E164 = re.compile(r"\+[1-9][0-9]{4,14}")
# How Twilio names a page, and how the label of a participant begins whose call comes from one.
CLIENT = "client:"
PAGE_LABEL = "page-"
# Where a document is played. What may stand in it depends on that.
CALL, QUEUE, ROOM = "", "queue", "room"


@dataclass(frozen=True, slots=True)
class Told:
    """A webhook, read: the form's fields, the address's parameters, and whom it is about."""

    fields: Mapping[str, str]
    query: Mapping[str, str]
    raw: str
    received_at: datetime
    sid: str
    leg: LegName

    @property
    def did(self) -> str:
        return self.query.get("did", "")

    @property
    def place(self) -> str:
        return self.query.get("at", "")

    @property
    def status(self) -> str:
        return self.fields.get("CallStatus", "")

    @property
    def is_page(self) -> bool:
        """Whether the call is one of an agent's page."""
        return any(self.fields.get(name, "").startswith(CLIENT) for name in ("From", "To"))

    def number(self, name: str) -> int:
        """A number that we wrote into the address; 0 when there is none."""
        text = self.query.get(name, "0")
        if not _NUMBER.fullmatch(text):
            raise BadRequest("The address is not one of ours.", fields={name: Sentence("must be a number")})
        return int(text)


def read(request: WebhookRequest) -> Told:
    fields = dict(twilio.form_pairs(request.body))
    query = dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
    sid = fields.get("CallSid", "")
    # What a room or its recording tells may be about no call.
    if not SID.fullmatch(sid) and (sid or request.kind not in ("recording", "conference")):
        raise BadRequest("The payload names no call.", fields={"CallSid": Sentence("must be a call's sid")})
    token = query.get("leg")
    if token is None and fields.get("From", "").startswith(CLIENT):
        # What the agent's page gave to Device.connect comes as a field (docs/voice/sdks/javascript, "params").
        token = fields.get("leg")
    if token is not None and not _TOKEN.fullmatch(token):
        raise BadRequest("The address is not one of ours.", fields={"leg": Sentence("must be a leg's token")})
    return Told(
        fields,
        query,
        # Urlencoded, hence ASCII, unless somebody else wrote it.
        clean_text(request.body.decode()),
        request.received_at,
        sid,
        LegName(token, sid or None),
    )


def parse_voice(told: Told, default_region: str | None) -> list[VoiceEvent]:
    if told.place == ROOM:
        return parse_end(told) or [_asks(told)]
    if told.leg.token is None:
        # A page of ours that names no leg calls nobody; what we dialled carries its token.
        if told.is_page or told.fields.get("Direction", "inbound") != "inbound":
            return [_asks(told)]
        return [_arrived(told, default_region), *parse_end(told)]
    v, n = told.number("v"), told.number("n")
    key, at = f"{told.sid}:{told.did}:{v}:{n}", told.received_at
    match told.did:
        case "":
            # That a document is asked for means that somebody took the telephone: nobody else hears it. A page's call is
            # still `ringing` then, and is taken by our answer.
            is_up = told.status == "in-progress" or (told.is_page and told.status == "ringing")
            events: list[VoiceEvent] = [_connected(told)] if is_up else []
        case "said":
            events = [SceneEnded(key, told.leg, v, at, told.raw)]
        case "menu":
            heard = clean_text(told.fields.get("SpeechResult", "")).strip()[:500] or None
            events = [Chosen(key, told.leg, v, _chosen_key(told), at, heard, told.raw)]
        case "key" if told.fields.get("Digits", "") in _offered(told):
            key = f"{key}:{told.number('t')}"
            events = [Chosen(key, told.leg, v, told.fields["Digits"], at, None, told.raw)]
        case "voicemail":
            recording, duration_s = _read_recording(told)
            events = [VoicemailLeft(recording.provider_id, told.leg, recording, duration_s, at, told.raw)]
        case "silence":
            events = [VoicemailLeft(key, told.leg, None, 0.0, at, told.raw)]
        case _:
            events = []
    events += parse_end(told)
    return events or [_asks(told)]


def _arrived(told: Told, default_region: str | None) -> CallArrived:
    return CallArrived(
        provider_id=told.sid,
        leg=told.leg,
        caller_kind=ContactKind.PHONE,
        caller=read_caller(told.fields.get("From", ""), default_region),
        line=clean_text(told.fields.get("To", ""))[:200],
        received_at=told.received_at,
        raw=told.raw,
        caller_name=clean_text(told.fields.get("CallerName", "")).strip()[:200] or None,
    )


# --- documents


def read_caller(address: str, default_region: str | None) -> str:
    """The caller's number in E.164; empty when it is withheld or no number at all."""
    address = clean_text(address).strip()
    if address.lower() in WITHHELD:
        return ""
    address = address.removeprefix("sip:").removeprefix("sips:").partition("@")[0]
    if _E164.fullmatch(address):
        return address
    digits = re.sub(r"[\s().\-/]", "", address)
    if not re.fullmatch(r"\+?[0-9]{3,20}", digits):
        return ""
    try:
        number = phonenumbers.parse(digits, default_region)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(number):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def parse_status(told: Told) -> list[VoiceEvent]:
    state, end = read_status(told.status, is_page=told.is_page)
    if state is None:
        return []
    if end is LegEnd.BUSY and told.fields.get("SipResponseCode") in REFUSALS:
        end = LegEnd.REJECTED
    return [_changed(told, told.leg, told.status, state, end)]


def parse_conference(told: Told) -> list[VoiceEvent]:
    if not told.sid:
        return []
    match told.fields.get("StatusCallbackEvent", ""):
        case "participant-join":
            return [_connected(told)]
        case "participant-leave":
            # Left by hanging up, as far as Twilio tells; else they go on elsewhere (since 2023-10-25, changelog
            # "ParticipantCallStatus and ReasonParticipantLeft").
            word = told.fields.get("ParticipantCallStatus", "")
            is_page = told.fields.get("ParticipantLabel", "").startswith(PAGE_LABEL)
            state, end = read_status(word, is_page=is_page)
            return [_changed(told, told.leg, word, LegState.ENDED, end)] if state is LegState.ENDED else []
        case _:
            return []


def parse_recording(told: Told) -> list[VoiceEvent]:
    status = told.fields.get("RecordingStatus", "")
    if status not in ("completed", "absent", "failed"):
        return []
    recording, duration_s = _read_recording(told)
    there = status == "completed"
    if told.did == "voicemail":
        kept = recording if there else None
        told_s = duration_s if there else 0.0
        return [VoicemailLeft(recording.provider_id, told.leg, kept, told_s, told.received_at, told.raw)]
    return [
        RecordingReady(
            provider_id=f"{recording.provider_id}:{status}",
            recording=recording,
            duration_s=duration_s,
            received_at=told.received_at,
            leg=told.leg,
            room=told.query.get("room") or None,
            started_at=_read_date(told.fields.get("RecordingStartTime", "")),
            failed=not there,
            raw=told.raw,
        )
    ]


def parse_machine(told: Told) -> list[VoiceEvent]:
    is_machine = ANSWERED_BY.get(told.fields.get("AnsweredBy", ""))
    if is_machine is None:
        return []
    return [
        LegChanged(
            f"{told.sid}:amd", told.leg, LegState.CONNECTED, told.received_at, is_machine=is_machine, raw=told.raw
        )
    ]


def _changed(told: Told, leg: LegName, word: str, state: LegState, end: LegEnd | None) -> LegChanged:
    """`word` is Twilio's for the state: each comes once in a call's life, whichever of the webhooks tells it first."""
    return LegChanged(
        provider_id=f"{told.sid}:{word}",
        leg=leg,
        state=state,
        received_at=told.received_at,
        occurred_at=_read_date(told.fields.get("Timestamp", "")),
        end=end,
        raw=told.raw,
    )


def _connected(told: Told) -> LegChanged:
    return _changed(told, told.leg, "in-progress", LegState.CONNECTED, None)


def parse_end(told: Told) -> list[VoiceEvent]:
    """That the call is over, where a document was asked for only to say so (its caller hung up in a Record, a Dial …). The
    leg is not named by its token: an agent's leg may have another call by now, from a page that was loaded anew."""
    state, end = read_status(told.status, is_page=told.is_page)
    if state is not LegState.ENDED:
        return []
    return [_changed(told, LegName(None, told.sid), told.status, LegState.ENDED, end)]


def _asks(told: Told) -> LegAsks:
    # Nothing is stored of it, so it may come as often as it likes.
    return LegAsks(f"{told.sid}:asks", told.leg, told.received_at)


def _read_recording(told: Told) -> tuple[RecordingRef, float]:
    sid = told.fields.get("RecordingSid", "")
    if not sid:
        # The action of a Record names the recording by its address only, in older accounts.
        sid = urlsplit(told.fields.get("RecordingUrl", "")).path.rpartition("/")[2].partition(".")[0]
    if not SID.fullmatch(sid):
        raise BadRequest(
            "The payload names no recording.", fields={"RecordingSid": Sentence("must be a recording's sid")}
        )
    seconds = told.fields.get("RecordingDuration", "")
    channels = 2 if told.fields.get("RecordingChannels") == "2" else 1
    url = clean_text(told.fields.get("RecordingUrl", ""))[:500]
    return RecordingRef(sid, url, channels), float(seconds) if _NUMBER.fullmatch(seconds) else 0.0


def _read_date(text: str) -> datetime | None:
    """Twilio writes RFC 2822, in UTC."""
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)


def read_status(word: str, *, is_page: bool) -> tuple[LegState | None, LegEnd | None]:
    """Twilio's word for a call in ours; None where we do not know it. Agents hang up by telling the hub; a page's call that
    just ends was lost: the page was closed, loaded anew, or its network is gone."""
    state, end = CALL_STATES.get(word, (None, None))
    return state, LegEnd.LOST if is_page and end is LegEnd.HUNG_UP else end


def is_unanswered(told: Told) -> bool:
    return told.status == "ringing" and not told.is_page


def was_refused_by_queue(told: Told) -> bool:
    """The queue did not take them, or lost them (docs/voice/twiml/enqueue, "QueueResult values")."""
    return told.fields.get("QueueResult", "") in ("queue-full", "error", "system-error")


# --- keys and words -----------------------------------------------------------------------------------------------------
#
# Twilio tells which key was pressed or what was said, not what was offered. So the address of a menu names its keys, and for
# each of its words a short hash: the words themselves would make addresses of kilobytes. Every letter of them is one that no
# proxy and no library writes in another way: the signature covers the address as it is written.

_MARK_LENGTH = 8
_IN_ADDRESS = str.maketrans("*#", "sh")
_FROM_ADDRESS = str.maketrans("sh", "*#")


def write_keys(keys: Iterable[str]) -> str:
    return "".join(keys).translate(_IN_ADDRESS)


def write_words(words: Mapping[str, tuple[str, ...]], keys: Iterable[str]) -> str:
    return ".".join(
        write_keys(key) + mark(_letters(word)) for key in keys for word in words.get(key, ()) if _letters(word)
    )


def _offered(told: Told) -> frozenset[str]:
    return frozenset(told.query.get("keys", "").translate(_FROM_ADDRESS))


def _chosen_key(told: Told) -> str | None:
    """The key that was pressed or said; None where it is none of those offered, or words of two of them were said."""
    digits = told.fields.get("Digits", "")
    if digits:
        return digits if digits in _offered(told) else None
    said = _letters(told.fields.get("SpeechResult", "")).split()[:100]
    words = [(each[0].translate(_FROM_ADDRESS), each[1:]) for each in told.query.get("words", "").split(".") if each]
    for length in range(min(len(said), 8), 0, -1):
        runs = {mark(" ".join(said[start : start + length])) for start in range(len(said) - length + 1)}
        found = {key for key, word in words if word in runs}
        if found:
            # The longest words that were offered: "new order" is not "order".
            return found.pop() if len(found) == 1 else None
    return None


def _letters(text: str) -> str:
    """Words as they are compared: without case, accents and punctuation."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    kept = (c if c.isalnum() else "" if unicodedata.combining(c) or c in "'’՛՜՞" else " " for c in decomposed)
    return " ".join("".join(kept).split())


def mark(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_MARK_LENGTH]
