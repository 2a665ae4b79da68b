"""Custom fields: what kinds of value there are, and whether a value is one of them. Pure.

A value is kept in its normal form: texts and links as they stand, numbers as numbers, dates as 2026-05-17, yes or no as true
or false, a choice by the key of its option, several choices as keys in the definition's order. Nothing is None: whoever says
None takes the value away.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from hub.domain.sentences import Sentence

FieldValue = bool | int | float | str | list[str]


class FieldKind(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    YES_NO = "yes_no"
    CHOICE = "choice"
    CHOICES = "choices"
    LINK = "link"


class Subject(StrEnum):
    """What a field is of."""

    CUSTOMER = "customer"
    CONVERSATION = "conversation"


@dataclass(frozen=True, slots=True)
class FieldOption:
    """One of a choice. Values name it by `key`, so that its label may change; one that is switched off is offered no more
    and stays where it was chosen."""

    key: str
    label: str
    active: bool = True


@dataclass(frozen=True, slots=True)
class FieldKindOf:
    """What of a definition decides about values."""

    kind: FieldKind
    options: tuple[FieldOption, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a value, in words that follow its name."""

    words: str


# It stands in addresses of the API and in exports. Forty letters are enough for a name.
KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
TEXT_LIMIT = 2_000
# Beyond it a JSON number is no longer what was typed (2^53).
_NUMBER_LIMIT = 9_007_199_254_740_992
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_LINK = re.compile(r"https?://[^\s/?#]+[^\s]*", re.IGNORECASE)


def read_value(field: FieldKindOf, value: object, before: object = None) -> FieldValue | Fault | None:
    """The value in its normal form, None for one that says nothing, or what is wrong with it. `before`: what is kept now; an
    option that is switched off may stay."""
    if value is None:
        return None
    return _READERS[field.kind](field, value, before)


def missing(required: Sequence[tuple[str, str]], values: Mapping[str, object]) -> dict[str, str]:
    """Of the required (key, name) those without a value: key → name."""
    return {key: name for key, name in required if values.get(key) is None}


def _text(_field: FieldKindOf, value: object, _before: object) -> FieldValue | Fault | None:
    if not isinstance(value, str):
        return Fault(Sentence("must be text"))
    text = value.strip()
    if len(text) > TEXT_LIMIT:
        return Fault(Sentence("must not be longer than {count} characters", count=TEXT_LIMIT))
    return text or None


def _number(_field: FieldKindOf, value: object, _before: object) -> FieldValue | Fault | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return Fault(Sentence("must be a number"))
    if abs(value) > _NUMBER_LIMIT:
        return Fault(Sentence("is too large a number"))
    return int(value) if float(value).is_integer() else value


def _date(_field: FieldKindOf, value: object, _before: object) -> FieldValue | Fault | None:
    if value == "":
        return None
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return Fault(Sentence("must be a date, like 2026-05-17"))
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        return Fault(Sentence("is no day of the calendar"))


def _yes_no(_field: FieldKindOf, value: object, _before: object) -> FieldValue | Fault | None:
    return value if isinstance(value, bool) else Fault(Sentence("must be yes or no"))


def _choice(field: FieldKindOf, value: object, before: object) -> FieldValue | Fault | None:
    if value == "":
        return None
    known = {option.key for option in field.options if option.active or option.key == before}
    return value if isinstance(value, str) and value in known else Fault(Sentence("is none of its choices"))


def _choices(field: FieldKindOf, value: object, before: object) -> FieldValue | Fault | None:
    if not isinstance(value, (list, tuple)):
        return Fault(Sentence("must be a list of its choices"))
    kept = before if isinstance(before, list) else ()
    known = {option.key for option in field.options if option.active or option.key in kept}
    if any(not isinstance(each, str) or each not in known for each in value):
        return Fault(Sentence("has something that is none of its choices"))
    return [option.key for option in field.options if option.key in value] or None


def _link(_field: FieldKindOf, value: object, _before: object) -> FieldValue | Fault | None:
    text = value.strip() if isinstance(value, str) else value
    if text == "":
        return None
    if not isinstance(text, str) or len(text) > TEXT_LIMIT or not _LINK.fullmatch(text):
        return Fault(Sentence("must be an address of the web, like https://example.com"))
    return text


_READERS: Mapping[FieldKind, Callable[[FieldKindOf, object, object], FieldValue | Fault | None]] = {
    FieldKind.TEXT: _text,
    FieldKind.NUMBER: _number,
    FieldKind.DATE: _date,
    FieldKind.YES_NO: _yes_no,
    FieldKind.CHOICE: _choice,
    FieldKind.CHOICES: _choices,
    FieldKind.LINK: _link,
}
