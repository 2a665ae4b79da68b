"""TwiML: the documents by which Twilio is told what a call hears and does next.

`Verb` is one element; `render` writes a document. What each verb may hold, and where it may stand, is data of Twilio's
that tests/payloads/twilio/twiml.json keeps and tests/channels/test_twiml.py holds every document against.

    say, play      a prompt: a sound of the house's own where it has one, else its text in a voice that speaks the language
    VOICES         which languages Twilio speaks, and by whom;  HEARD  which it understands
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from hub.channels.voice import Prompt

# What XML 1.0 cannot hold (https://www.w3.org/TR/xml/#charsets).
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# docs/voice/twiml/say (read 2026-11-26): a Say takes 4,096 characters.
SAY_LIMIT = 4_096
# docs/voice/twiml/gather (read 2026-11-26), "hints": up to 500 words or phrases of up to 100 characters each.
HINTS_LIMIT = 500
HINT_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Verb:
    """One element. An attribute that is None is left out; True and False are written as Twilio does."""

    name: str
    attributes: Mapping[str, str | int | bool | None] = field(default_factory=dict)
    children: tuple[Verb, ...] = ()
    text: str = ""


def render(verbs: Iterable[Verb]) -> bytes:
    inner = "".join(_write(verb) for verb in verbs)
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{inner}</Response>'.encode()


def _write(verb: Verb) -> str:
    attributes = "".join(
        f" {name}={quoteattr(_value(value))}" for name, value in verb.attributes.items() if value is not None
    )
    inner = escape(_NO_XML.sub("", verb.text)) + "".join(_write(child) for child in verb.children)
    return f"<{verb.name}{attributes}>{inner}</{verb.name}>" if inner else f"<{verb.name}{attributes}/>"


def _value(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _NO_XML.sub("", str(value))


# --- what is said -------------------------------------------------------------------------------------------------------

# Language → the locale and voice that speak it: those of docs/voice/twiml/say/text-speech as Twilio's own library lists them
# (npm twilio 6.2.0, SayLanguage and SayVoice; read 2026-11-26). One voice for each; the standard ones, which cost least.
# Armenian (hy), Georgian (ka), Azerbaijani (az), Kazakh and Uzbek are spoken by none.
_LOCALES: Mapping[str, str] = {
    "af": "af-ZA",
    "am": "am-ET",
    "ar": "ar-XA",
    "bg": "bg-BG",
    "bn": "bn-IN",
    "ca": "ca-ES",
    "cs": "cs-CZ",
    "da": "da-DK",
    "de": "de-DE",
    "el": "el-GR",
    "en": "en-US",
    "es": "es-ES",
    "fi": "fi-FI",
    "fil": "fil-PH",
    "fr": "fr-FR",
    "gu": "gu-IN",
    "he": "he-IL",
    "hi": "hi-IN",
    "hu": "hu-HU",
    "id": "id-ID",
    "is": "is-IS",
    "it": "it-IT",
    "ja": "ja-JP",
    "kn": "kn-IN",
    "ko": "ko-KR",
    "lv": "lv-LV",
    "ml": "ml-IN",
    "mr": "mr-IN",
    "ms": "ms-MY",
    "nb": "nb-NO",
    "nl": "nl-NL",
    "no": "nb-NO",
    "pa": "pa-IN",
    "pl": "pl-PL",
    "pt": "pt-PT",
    "ro": "ro-RO",
    "ru": "ru-RU",
    "sk": "sk-SK",
    "sr": "sr-RS",
    "sv": "sv-SE",
    "ta": "ta-IN",
    "te": "te-IN",
    "th": "th-TH",
    "tr": "tr-TR",
    "uk": "uk-UA",
    "vi": "vi-VN",
    "yue": "yue-HK",
    "zh": "cmn-CN",
}
# Whoever names a country gets its own voice, where there is one.
_COUNTRIES = ("en-AU", "en-GB", "en-IN", "es-US", "fr-CA", "nl-BE", "pt-BR", "cmn-TW")


def _voice(locale: str) -> tuple[str, str]:
    return locale, f"Google.{locale}-Standard-A"


VOICES: Mapping[str, tuple[str, str]] = {
    **{short: _voice(locale) for short, locale in _LOCALES.items()},
    **{locale.lower(): _voice(locale) for locale in (*_LOCALES.values(), *_COUNTRIES)},
    "zh-cn": _voice("cmn-CN"),
    "zh-tw": _voice("cmn-TW"),
    "zh-hk": _voice("yue-HK"),
}

# Language → the locale in which <Gather> understands words: npm twilio 6.2.0, GatherLanguage (read 2026-11-26). Where a
# language has several, the one with most speakers stands for those who name no country.
# fmt: off
_HEARD = (
    "af-ZA", "am-ET", "ar-AE", "az-AZ", "bg-BG", "bn-BD", "ca-ES", "cs-CZ", "da-DK", "de-DE", "el-GR", "en-US",
    "es-ES", "et-EE", "eu-ES", "fa-IR", "fi-FI", "fil-PH", "fr-FR", "gl-ES", "gu-IN", "he-IL", "hi-IN", "hr-HR",
    "hu-HU", "hy-AM", "id-ID", "is-IS", "it-IT", "ja-JP", "jv-ID", "ka-GE", "km-KH", "kn-IN", "ko-KR", "lo-LA",
    "lt-LT", "lv-LV", "mk-MK", "ml-IN", "mn-MN", "mr-IN", "ms-MY", "my-MM", "nb-NO", "ne-NP", "nl-NL", "pl-PL",
    "pt-PT", "ro-RO", "ru-RU", "si-LK", "sk-SK", "sl-SI", "sq-AL", "sr-RS", "su-ID", "sv-SE", "sw-KE", "ta-IN",
    "te-IN", "th-TH", "tr-TR", "uk-UA", "ur-PK", "uz-UZ", "vi-VN", "zu-ZA",
)
_HEARD_COUNTRIES = (
    "en-AU", "en-CA", "en-GB", "en-IE", "en-IN", "en-NZ", "en-ZA", "es-AR", "es-CL", "es-CO", "es-MX", "es-US",
    "fr-CA", "nl-BE", "pt-BR", "zh-TW",
)
# fmt: on
HEARD: Mapping[str, str] = {
    **{locale.partition("-")[0]: locale for locale in _HEARD},
    **{locale.lower(): locale for locale in (*_HEARD, *_HEARD_COUNTRIES)},
    "no": "nb-NO",
    "zh": "zh",
}


def voice_for(language: str) -> tuple[str, str] | None:
    """The locale and voice that speak `language` (BCP 47); None where Twilio has none."""
    return VOICES.get(language.lower()) or VOICES.get(language.partition("-")[0].lower())


def heard_language(language: str) -> str | None:
    """The locale in which words of `language` are understood; None where they are not."""
    return HEARD.get(language.lower()) or HEARD.get(language.partition("-")[0].lower())


def prompts(said: Iterable[Prompt]) -> tuple[Verb, ...]:
    """What is to be said, in order. A text in a language that nobody speaks and that has no sound is left out: spoken by a
    foreign voice it would be noise."""
    verbs: list[Verb] = []
    for prompt in said:
        if prompt.audio_url:
            verbs.append(play(prompt.audio_url))
        elif (voice := voice_for(prompt.language)) and (text := " ".join(_NO_XML.sub("", prompt.text).split())):
            locale, name = voice
            verbs += [Verb("Say", {"language": locale, "voice": name}, text=part) for part in _parts(text, SAY_LIMIT)]
    return tuple(verbs)


def play(url: str, loop: int | None = None) -> Verb:
    return Verb("Play", {"loop": loop}, text=url)


def pause(seconds: int) -> Verb:
    return Verb("Pause", {"length": seconds})


def _parts(text: str, limit: int) -> list[str]:
    """`text` cut at spaces into parts of at most `limit` characters."""
    parts = []
    while len(text) > limit:
        cut = text.rfind(" ", 1, limit + 1)
        cut = limit if cut < 1 else cut
        parts.append(text[:cut])
        text = text[cut:].lstrip()
    return [*parts, text] if text else parts


def hints(words: Iterable[str]) -> str | None:
    """What a caller is likely to say, as <Gather> wants it told; None for nothing. A comma parts two of them."""
    told = (" ".join(_NO_XML.sub("", word).replace(",", " ").split())[:HINT_LIMIT] for word in words)
    return ", ".join(list(dict.fromkeys(word for word in told if word))[:HINTS_LIMIT]) or None
