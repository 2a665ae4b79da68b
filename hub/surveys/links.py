"""The links of a survey by mail: signed, so that nobody can make one, and written into the mail only as it leaves. They come
back with the customer's answer, which quotes the mail: what comes in is kept without their signatures (`hide`), and the
message as it came is not for agents if it has one (`has_link`).

    /s/{token}   token = the survey's number and its signature; `?score=4` is the choice that the mail's reader made

A link ends with its survey (`expires_at`), and with the survey's row. A test's link names no survey but the setting it shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from hub.channels.channel import MessageArrival
from hub.domain.mail import Span
from hub.domain.values import SurveyKind
from hub.mail.structure import MailUnreadable, read_tree
from hub.store.vault import Vault
from hub.surveys import words

_PURPOSE = "survey"
_TEST = "t"
# A 64-bit number, a dot, 22 characters of signature.
TOKEN_LIMIT = 60
# Of whatever host: the hub may have had another address. Some mail servers wrap links in their own, in which ours is escaped.
_LINK = r"((?:/|%2f)s(?:/|%2f)\d{1,19}(?:\.|%2e))[\w-]{22}"
_LINK_IN_TEXT = re.compile(_LINK, re.ASCII | re.IGNORECASE)
_LINK_IN_BYTES = re.compile(_LINK.encode(), re.IGNORECASE)
_HIDDEN = "\\1…"
_FOUND = re.compile(r"(?:/|%2f)s(?:/|%2f)\d{1,19}(?:\.|%2e)…", re.ASCII | re.IGNORECASE)
# A mail forwarded as a file, in a mail forwarded as a file.
_DEPTH_LIMIT = 5


@dataclass(frozen=True, slots=True)
class Named:
    """What a good token names: a survey, or (a test) the kind and the language that are shown."""

    survey_id: int | None
    kind: SurveyKind = SurveyKind.CSAT
    language: str = "en"


def token_of(vault: Vault, survey_id: int) -> str:
    return f"{survey_id}.{vault.sign(_PURPOSE, str(survey_id))}"


def test_token(vault: Vault, kind: SurveyKind, language: str) -> str:
    name = f"{_TEST}-{kind.value}-{language}"
    return f"{name}.{vault.sign(_PURPOSE, name)}"


def read_token(vault: Vault, token: str) -> Named | None:
    """None for what we did not sign."""
    name, dot, signature = token.partition(".")
    if not dot or len(token) > TOKEN_LIMIT or not vault.is_signed(_PURPOSE, name, signature):
        return None
    if name.isascii() and name.isdecimal():
        return Named(int(name))
    _, kind, language = name.split("-")
    return Named(None, SurveyKind(kind), language)


def letter(told: Mapping[str, str | int | None], question: str, vault: Vault, public_url: str) -> str:
    """The text of the mail; `told` is what the survey's line of the timeline says of itself (surveys.asking)."""
    url = f"{public_url}/s/{token_of(vault, int(told['survey_id'] or 0))}"
    return words.letter(SurveyKind(str(told["survey"])), str(told["language"]), question, url)


# --- coming back ----------------------------------------------------------------------------------------------------------


def hide(arrival: MessageArrival) -> MessageArrival:
    """What came in, with the links in it good for nothing: its texts stand on agents' screens, in searches and in answers."""
    mail = arrival.mail
    if mail is not None:
        spans = tuple(replace(span, text=_hidden(span.text)) for span in mail.spans)
        mail = replace(mail, spans=spans, html=None if mail.html is None else _hidden(mail.html))
    return replace(arrival, text=_hidden(arrival.text), mail=mail)


def is_hidden_in(html: str | None, spans: Iterable[Span]) -> bool:
    """Whether `hide` found a link in these."""
    return any(_FOUND.search(text) for text in (html or "", *(span.text for span in spans)))


def _hidden(text: str) -> str:
    # Nearly every text goes through here, and HTML may be long: two searches in C before the expression.
    if "/s/" not in text and "%2fs" not in text.lower():
        return text
    return _LINK_IN_TEXT.sub(_HIDDEN, text)


def has_link(raw: bytes, depth: int = 0) -> bool:
    """Whether a message has such a link in any of its parts, and in the mails that it has as files."""
    if _LINK_IN_BYTES.search(raw):
        return True
    try:
        leaves = [entity for entity in read_tree(raw).walk() if not entity.is_multipart]
    except MailUnreadable:
        return False
    for leaf in leaves:
        content = leaf.content()
        is_mail = leaf.media_type.startswith("message/") and depth < _DEPTH_LIMIT
        if has_link(content, depth + 1) if is_mail else _LINK_IN_BYTES.search(content):
            return True
    return False
