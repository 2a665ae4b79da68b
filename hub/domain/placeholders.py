"""What stands in double braces in a canned reply: the closed list of names, checking a text, filling it in. Pure.

    {{customer.first_name}}          the value; where there is none, it stays as it is
    {{customer.first_name|there}}    the value; where there is none, "there"; nothing after the bar: nothing

A text is checked when it is saved, so what is filled in later knows every name. What has no value stays in its braces:
whoever writes sees it, the writing field finds it again (after a reload, too) and asks before it is sent. A value is put in
once and never read for braces again, and where the text is markup (mails) it is escaped: a name is only ever a name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, cast, get_args

from hub.domain.sentences import Sentence

Name = Literal[
    "customer.name",
    "customer.first_name",
    "customer.phone",
    "customer.email",
    "customer.company",
    "agent.name",
    "agent.first_name",
    "queue.name",
    "organisation.name",
    "conversation.number",
    "conversation.subject",
    "today",
]
NAMES: tuple[Name, ...] = get_args(Name)
# A fallback is a word or a few.
FALLBACK_LIMIT = 200

_OPENING = "{{"
_PLACEHOLDER = re.compile(rf"\{{\{{[ \t]*([^{{}}|\n]{{1,80}}?)[ \t]*(?:\|([^{{}}\n]{{0,{FALLBACK_LIMIT}}}))?\}}\}}")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@dataclass(frozen=True, slots=True)
class Filled:
    """`missing`: the names that had neither value nor fallback, in their order, each once."""

    text: str
    missing: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True)
class CannedText:
    """What is said in one language. `subject`: of a mail that has none yet; None: the reply leaves it alone."""

    language: str
    text: str
    subject: str | None = None


def find_fault(text: str) -> str | None:
    """What is wrong with the placeholders of a text, naming the first that is; None: nothing is."""
    at = text.find(_OPENING)
    while at >= 0:
        found = _PLACEHOLDER.match(text, at)
        if found is None:
            return Sentence(
                "“{words}” begins with {sign} and is not a placeholder", words=_shown(text[at : at + 40]), sign="{{"
            )
        if found[1].lower() not in NAMES:
            return Sentence("there is no {placeholder}", placeholder=f"{{{{{_shown(found[1])}}}}}")
        at = text.find(_OPENING, found.end())
    return None


def fill(text: str, values: Mapping[str, str], *, is_markup: bool = False) -> Filled:
    """The text with the values of those names that have one. `is_markup`: the text is the small Markdown of mails."""
    missing: dict[Name, None] = {}

    def put(found: re.Match[str]) -> str:
        name = found[1].lower()
        value = plain(values.get(name, ""))
        if value:
            return escape_markup(value) if is_markup else value
        if found[2] is not None:
            return found[2].strip()
        if name in NAMES:
            missing[cast(Name, name)] = None
        return found[0]

    return Filled(_PLACEHOLDER.sub(put, text), tuple(missing))


def choose_text(texts: Sequence[CannedText], *wanted: str | None) -> CannedText:
    """The text in the first wanted language there is one in ("hy-AM" is "hy"), else the first. There is at least one."""
    by_language = {each.language: each for each in texts}
    for language in wanted:
        found = by_language.get((language or "").replace("_", "-").partition("-")[0].lower())
        if found is not None:
            return found
    return texts[0]


def plain(value: str) -> str:
    """One line without what cannot be seen: a name may come from outside, and characters that turn the direction of what
    follows would reach into our own words. The joiners that some scripts need stay."""
    seen = "".join(
        character if unicodedata.category(character) != "Cf" or character in "\u200c\u200d" else ""
        for character in value
    )
    return " ".join(seen.split())


def first_name(name: str) -> str:
    """The given name, as far as a name tells: its first word, or what follows the comma of "Petrosyan, Ani"."""
    family, comma, given = plain(name).partition(",")
    words = (given if comma and given.strip() else family).split()
    return words[0] if words else ""


def written_day(day: date, language: str) -> str:
    """A day as a letter in this language writes it. Numbers as in the locale data of CLDR 46 for hy, ka, az, uk and ru,
    day first; English spells the month, for its readers do not agree which number that is."""
    if language == "en":
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
    return f"{day:%d.%m.%Y}"


# --- values in the markup of mails (hub.mail.markup) ----------------------------------------------------------------------

# A backslash means something before punctuation only (CommonMark 0.31, section 2.4); underscores inside a word mean nothing.
_MARKUP = re.compile(r"\\(?=[!-/:-@\[-`{-~])|[*`\[\]<]|(?<![^\W_])_+|_+(?![^\W_])")
# At the beginning of a line: a quote, a list, a fence.
_BLOCK = re.compile(r"^(?:[>+-]|~(?=~~)|(\d{1,9})(?=[.)]))")


def escape_markup(value: str) -> str:
    """The value so that it reads as it is, wherever in the text it stands."""
    escaped = _MARKUP.sub(lambda found: "".join("\\" + sign for sign in found[0]), value)
    block = _BLOCK.match(escaped)
    if block is None:
        return escaped
    at = block.end() if block[1] else 0
    return f"{escaped[:at]}\\{escaped[at:]}"


def _shown(text: str) -> str:
    """Of a stranger's text, as much as fits a sentence."""
    return " ".join(text.split())[:60]
