"""What customers allow: by which channel, for which purpose, and whose word changes it.

Serving somebody who came to us is allowed until they forbid it; advertising is forbidden until they allow it. The last word
on a channel and purpose holds. A STOP that was sent as a text is lifted by the customer alone: the carrier would refuse
whatever we think (Twilio, "Messaging policy: opt-out", error 21610).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hub.domain.values import ContactKind


class Purpose(StrEnum):
    SERVICE = "service"
    MARKETING = "marketing"


class How(StrEnum):
    """How we know: a keyword they sent, they told somebody, a form they filled in, another system, the hub itself."""

    KEYWORD = "keyword"
    TOLD = "told"
    FORM = "form"
    IMPORT = "import"
    SYSTEM = "system"


# A kind of address → the kinds of channel that reach it; by the first of them we write.
CHANNELS_OF: Mapping[ContactKind, tuple[str, ...]] = {
    ContactKind.PHONE: ("sms", "phone"),
    ContactKind.EMAIL: ("email",),
    ContactKind.CHAT: ("chat",),
    ContactKind.LOOPBACK: ("loopback",),
    ContactKind.HANDLE: (),
}
# What a customer may prefer.
REACHED_BY = ("sms", "phone", "email", "chat")


@dataclass(frozen=True, slots=True)
class Word:
    """What was said last about a channel and purpose."""

    given: bool
    how: How


def written_channel(kind: ContactKind) -> str | None:
    """The channel by which one writes to such an address; None: there is none."""
    return next(iter(CHANNELS_OF[kind]), None)


def is_allowed(word: Word | None, purpose: Purpose) -> bool:
    return word.given if word is not None else purpose is Purpose.SERVICE


def refusal(last: Word | None, given: bool, how: How) -> str | None:
    """Why this may not be written down after that, in a machine's word; None: it may."""
    if last is not None and not last.given and last.how is How.KEYWORD and given and how is not How.KEYWORD:
        return "stop_stands"
    return None
