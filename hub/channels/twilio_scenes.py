"""Scenes as TwiML documents: what a call hears and does, and where it comes back to.

`Scenes` writes the documents of one account, and the addresses in them; what those say stands in channels.twilio_callbacks.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import urlencode

from hub.calls import phrases
from hub.channels import twiml
from hub.channels.channel import ChannelAccount
from hub.channels.twilio_callbacks import (
    CALL,
    PAGE_LABEL,
    QUEUE,
    ROOM,
    Told,
    is_unanswered,
    mark,
    was_refused_by_queue,
    write_keys,
    write_words,
)
from hub.channels.twiml import Verb
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
from hub.domain.calls import Presence
from hub.domain.sentences import Sentence
from hub.errors import BadRequest
from hub.media import phrase_files

S = TypeVar("S", bound=Scene)

# The tune that callers hear while they wait, as hub/web/line_sounds.py serves it: so long, and in pieces of so many seconds.
# With each piece the document is asked for anew, so this is also how late a changed prompt may come.
MUSIC_S = 60
PIECE_S = 20
# A shorter piece would be more silence than music.
_SHORT_PIECE_S = 5
# How long a call waits before it asks again, while the hub decides.
_IDLE_S = 2
# A name for a queue has at most 64 characters (docs/voice/twiml/enqueue).
_QUEUE_NAME_LIMIT = 64
# Twilio ends a call after four hours (docs/voice/twiml/dial, "timeLimit").
_RECORD_LIMIT_S = 14_400
# More silence than anybody leaves on purpose.
_SILENCE_LIMIT_S = 60

# A piece of the tune: from which second, and for how many.
Music = Callable[[int, int], Verb]


@dataclass(frozen=True, slots=True)
class _Address:
    """Writes the addresses that a leg's documents name."""

    voice: str
    token: str
    version: int

    def to(self, did: str = "", **more: str | int) -> str:
        named = {"leg": self.token, "v": self.version, "did": did, **more}
        return f"{self.voice}?{urlencode({name: value for name, value in named.items() if value != ''})}"


class Scenes:
    """The documents of one account."""

    def __init__(self, account: ChannelAccount) -> None:
        self._account = account

    def document(self, order: LegOrder, told: Told) -> tuple[Verb, ...]:
        scene, address = self._sounding(order.scene), self._address(order)
        if told.place == QUEUE:
            # Only what a queue may play; whoever is to hear anything else leaves it, and asks again as a call.
            return _waiting(scene, told, address, QUEUE, self._music) if isinstance(scene, Wait) else (Verb("Leave"),)
        is_over = told.number("v") == order.scene_version and told.did in ("said", "voicemail", "silence", "idle")
        if is_over:
            # This very scene is over, and what comes after it is not decided yet.
            return _idle(address)
        match scene:
            case Say():
                said = twiml.prompts(scene.prompts)
                return (*said, Verb("Hangup")) if scene.then_hang_up else (*said, _redirect(address.to("said")))
            case Menu():
                return (_menu(scene, told, order, address),)
            case Wait():
                if was_refused_by_queue(told) or told.did in ("wait", "key"):
                    return _waiting(scene, told, address, CALL, self._music)
                return (self._enqueue(address),)
            case Talk():
                return self._talk(order, scene, told, address)
            case Hold():
                return self._held_in_call(scene, told, address)
            case Voicemail():
                return self._voicemail(scene, address)
            case Ringback():
                return (twiml.play(f"{self._account.public_url}/line-sounds/ringback.wav", loop=0),)
            case Over():
                return _reject() if scene.is_busy and is_unanswered(told) else (Verb("Hangup"),)

    def _sounding(self, scene: S) -> S:
        """The scene with a sound for each of the hub's own phrases that Twilio cannot speak: a shipped recording, else the
        same in English, which is better than nothing."""
        if not isinstance(scene, Say | Menu | Wait | Hold | Voicemail):
            return scene
        return replace(scene, prompts=tuple(self._sounding_prompt(prompt) for prompt in scene.prompts))

    def _sounding_prompt(self, prompt: Prompt) -> Prompt:
        if prompt.audio_url or not prompt.phrase or twiml.voice_for(prompt.language) is not None:
            return prompt
        language = prompt.language.partition("-")[0].lower()
        if phrase_files.can_be_read() and phrase_files.is_recorded(language, prompt.phrase):
            url = f"{self._account.public_url}/line-sounds/phrase-{language}-{prompt.phrase}.wav"
            return replace(prompt, audio_url=url)
        name, number = prompt.phrase, None
        if name not in phrases.PHRASES["en"]:
            name, _, last = prompt.phrase.rpartition("_")
            number = int(last) if last.isdecimal() else None
        return phrases.spoken(name, "en", number) if name in phrases.PHRASES["en"] else prompt

    def _held_in_call(self, scene: Hold, told: Told, address: _Address) -> tuple[Verb, ...]:
        """Music on hold for a call that is in no room, the prompts once before it."""
        mark = _prompts_mark(scene.prompts)
        said = () if told.query.get("p") == mark else twiml.prompts(scene.prompts)
        waited_s, piece = self._piece(told)
        return (*said, piece, _redirect(address.to("held", t=waited_s, p=mark)))

    def held_in_room(self, told: Told) -> tuple[Verb, ...]:
        """The same in a room, until the hub takes the participant off hold. All that it needs stands in its address."""
        waited_s, piece = self._piece(told)
        onwards = _redirect(self._voice_url(at=ROOM, did="held", t=waited_s))
        return (*twiml.prompts(_read_said(told.query.get("say", ""))), piece, onwards)

    def _piece(self, told: Told) -> tuple[int, Verb]:
        """The next piece of the tune, and how long it has sounded after it."""
        waited_s = told.number("t")
        start_s = waited_s % MUSIC_S
        length_s = min(PIECE_S, MUSIC_S - start_s)
        return waited_s + length_s, self._music(start_s, length_s)

    def leg_url(self, order: LegOrder) -> str:
        """Where a call asks what its leg is to hear."""
        return self._address(order).to()

    def hold_url(self, scene: Hold) -> str:
        """Where a room asks for the music of one who is held in it."""
        return self._voice_url(at=ROOM, did="held", say=_write_said(self._sounding(scene).prompts))

    def callback(self, kind: str, token: str, **more: str) -> str:
        """Where Twilio tells of a leg."""
        return f"{self._account.webhook_url(kind)}?{urlencode({'leg': token, **more})}"

    def _voice_url(self, **named: str | int) -> str:
        given = {name: value for name, value in named.items() if value != ""}
        return f"{self._account.webhook_url('voice')}?{urlencode(given)}"

    def _address(self, order: LegOrder) -> _Address:
        return _Address(self._account.webhook_url("voice"), order.token, order.scene_version)

    def _music(self, start_s: int, length_s: int) -> Verb:
        return twiml.play(f"{self._account.public_url}/line-sounds/music-{start_s}-{length_s}.wav")

    def _enqueue(self, address: _Address) -> Verb:
        return Verb(
            "Enqueue",
            {
                "action": address.to("queued"),
                "method": "POST",
                "waitUrl": address.to("wait", at=QUEUE),
                "waitUrlMethod": "POST",
            },
            text=f"hub-{self._account.id}"[:_QUEUE_NAME_LIMIT],
        )

    def _talk(self, order: LegOrder, scene: Talk, told: Told, address: _Address) -> tuple[Verb, ...]:
        coached, muted = coaching(order, scene)
        conference = Verb(
            "Conference",
            {
                "startConferenceOnEnter": True,
                "endConferenceOnExit": False,
                "beep": "false",
                # Nothing: the hub decides what somebody alone hears.
                "waitUrl": "",
                "muted": muted,
                "coach": coached,
                # Two of the same in one room are refused (docs/api/errors, "Participant label is in use by another
                # participant"), and one leg may have a call that ends while another begins.
                "participantLabel": f"{PAGE_LABEL if told.is_page else ''}{order.party}-{order.leg_id}-{told.sid[-8:]}",
                # The first one to come decides for all, so nothing in it is about one leg.
                "statusCallback": self._account.webhook_url("conference"),
                "statusCallbackMethod": "POST",
                "statusCallbackEvent": "join leave",
            },
            text=order.room,
        )
        dial = Verb("Dial", {"action": address.to("left"), "method": "POST"}, (conference,))
        # Put out of the room, and wanted there all the same: not at once again, whatever threw it out.
        came_from_there = told.did == "left" and told.number("v") == order.scene_version
        return (twiml.pause(1), dial) if came_from_there else (dial,)

    def _voicemail(self, scene: Voicemail, address: _Address) -> tuple[Verb, ...]:
        record = Verb(
            "Record",
            {
                "action": address.to("voicemail"),
                "method": "POST",
                "finishOnKey": "#",
                "playBeep": True,
                "maxLength": within(scene.limit_s, 1, _RECORD_LIMIT_S),
                "timeout": within(scene.silence_s, 1, _SILENCE_LIMIT_S),
                "recordingStatusCallback": self.callback("recording", address.token, did="voicemail"),
                "recordingStatusCallbackMethod": "POST",
                "recordingStatusCallbackEvent": "completed absent",
            },
        )
        # Where nothing is said at all, the action is not asked and the document goes on (docs/voice/twiml/record).
        return (*twiml.prompts(scene.prompts), record, _redirect(address.to("silence")))


# --- what is said to one on hold ------------------------------------------------------------------------------------------
#
# Music in a room is asked for without looking at the leg, so its address carries what is said before it.

_SAID_LIMIT = 2_000


def _write_said(said: tuple[Prompt, ...]) -> str:
    """Empty where it would make too long an address: then the music begins at once."""
    rows = [[p.audio_url] if p.audio_url else [p.language, p.text] for p in said]
    written = base64.urlsafe_b64encode(json.dumps(rows).encode()).decode().rstrip("=") if rows else ""
    return written if len(written) <= _SAID_LIMIT else ""


def _read_said(written: str) -> tuple[Prompt, ...]:
    try:
        rows = json.loads(base64.urlsafe_b64decode(written + "=" * (-len(written) % 4))) if written else []
        return tuple(Prompt(audio_url=row[0]) if len(row) == 1 else Prompt(row[1], row[0]) for row in rows)
    except (ValueError, TypeError, LookupError) as error:
        raise BadRequest("The address is not one of ours.", fields={"say": Sentence("must be what is said")}) from error


# --- parts of documents ---------------------------------------------------------------------------------------------------


def _menu(scene: Menu, told: Told, order: LegOrder, address: _Address) -> Verb:
    language = twiml.heard_language(scene.language) if any(scene.words.values()) else None
    # The same menu once more is another question, and its answer another event.
    again = told.number("n") + 1 if told.did == "menu" and told.number("v") == order.scene_version else 0
    words = write_words(scene.words, scene.keys) if language else ""
    return Verb(
        "Gather",
        {
            "input": "dtmf speech" if language else "dtmf",
            "action": address.to("menu", n=again, keys=write_keys(scene.keys), words=words),
            "method": "POST",
            "timeout": within(scene.timeout_s, 1, 60),
            # After a word, a second of silence is the end of it.
            "speechTimeout": "1" if language else None,
            "numDigits": 1,
            # No key ends it, so that # and * may be chosen.
            "finishOnKey": "",
            "actionOnEmptyResult": True,
            "language": language,
            "hints": twiml.hints(word for key in scene.keys for word in scene.words.get(key, ())) if language else None,
        },
        twiml.prompts(scene.prompts),
    )


def _waiting(scene: Wait, told: Told, address: _Address, place: str, music: Music) -> tuple[Verb, ...]:
    """The next piece of music, before it what is to be said, and the way to the piece after it."""
    waited_s, unsaid_s = told.number("t"), told.number("s")
    mark = _prompts_mark(scene.prompts)
    is_due = told.query.get("p") != mark or bool(scene.every_s and unsaid_s >= scene.every_s)
    unsaid_s = 0 if is_due else unsaid_s
    start_s = waited_s % MUSIC_S
    length_s = min(PIECE_S, MUSIC_S - start_s)
    if scene.every_s:
        length_s = min(length_s, max(scene.every_s - unsaid_s, _SHORT_PIECE_S))
    heard = (*(twiml.prompts(scene.prompts) if is_due else ()), music(start_s, length_s))
    place_in_music: dict[str, str | int] = {"at": place, "t": waited_s + length_s, "s": unsaid_s + length_s, "p": mark}
    onwards = _redirect(address.to("wait", **place_in_music))
    if not scene.keys:
        return (*heard, onwards)
    gather = Verb(
        "Gather",
        {
            "input": "dtmf",
            "action": address.to("key", keys=write_keys(scene.keys), **place_in_music),
            "method": "POST",
            "timeout": 1,
            "numDigits": 1,
            "finishOnKey": "",
        },
        heard,
    )
    return (gather, onwards)


def _idle(address: _Address) -> tuple[Verb, ...]:
    return (twiml.pause(_IDLE_S), _redirect(address.to("idle")))


def goodbye(told: Told) -> tuple[Verb, ...]:
    """To a call that the hub knows nothing of."""
    return _reject() if is_unanswered(told) else (Verb("Hangup"),)


def _reject() -> tuple[Verb, ...]:
    return (Verb("Reject", {"reason": "busy"}),)


def _redirect(url: str) -> Verb:
    return Verb("Redirect", {"method": "POST"}, text=url)


def coaching(order: LegOrder, scene: Talk) -> tuple[str | None, bool]:
    """Whom this leg is heard by alone (Twilio's name of that call), and whether it is muted. A whisperer whose colleague has
    no call is muted: to be heard by nobody is the lesser fault."""
    if scene.presence is Presence.WHISPER:
        coached = order.peers.get(scene.coached_leg_id) if scene.coached_leg_id is not None else None
        return coached, scene.muted or coached is None
    return None, scene.muted or scene.presence is Presence.LISTEN


def within(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


def _prompts_mark(prompts: tuple[Prompt, ...]) -> str:
    # A signed address of a sound changes each time it is made; what it leads to does not.
    return mark("\0".join(f"{p.language}\0{p.text}\0{p.audio_key or p.audio_url}" for p in prompts))
