"""How a chat's window is set up beside its colours: where it stands, what it asks before a chat, and what it does when nobody
is there.

Kept as one JSON object with the channel (`channel.widget`). `read_widget` makes it of whatever is kept there: what is missing
or no longer known is as usual, so an older row never closes a chat. `check_widget` judges what an administrator saves,
`check_answers` what a visitor filled in; both name every faulty field.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from hub.domain.sentences import Sentence
from hub.errors import InvalidInput

LAUNCHER_LIMIT = 40
WORDS_LIMIT = 400
LABEL_LIMIT = 120
ANSWER_LIMIT = 500
OPTIONS_LIMIT = 20

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")
_PHONE = re.compile(r"\+?[0-9 ().\-/]{3,40}")
_ANSWER_LIMITS = {"name": 120, "phone": 40, "email": 254}


_Word = TypeVar("_Word", bound=StrEnum)


class Position(StrEnum):
    RIGHT = "right"
    LEFT = "left"


class Scheme(StrEnum):
    AUTO = "auto"
    LIGHT = "light"
    DARK = "dark"


class Asked(StrEnum):
    """What a form may ask. TOPIC is one of the field's `options`, QUESTION free text; both have a label of the shop's own."""

    NAME = "name"
    EMAIL = "email"
    PHONE = "phone"
    TOPIC = "topic"
    QUESTION = "question"


_ASKED = frozenset(each.value for each in Asked)


class OfflineWhen(StrEnum):
    """CLOSED: outside the queue's hours. AWAY: then, and whenever no agent of the queue is there."""

    CLOSED = "closed"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class AskedField:
    name: Asked
    required: bool = False
    label: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Offline:
    """`channel_id`: the mail account in which what is left there becomes a conversation."""

    enabled: bool = False
    channel_id: str = ""
    when: OfflineWhen = OfflineWhen.AWAY
    text: str = ""


@dataclass(frozen=True, slots=True)
class Widget:
    """Texts that are empty are the widget's own, in the visitor's language."""

    position: Position = Position.RIGHT
    scheme: Scheme = Scheme.AUTO
    launcher: str = ""
    form_enabled: bool = False
    intro: str = ""
    fields: tuple[AskedField, ...] = ()
    offline: Offline = field(default_factory=Offline)


def read_widget(kept: Mapping[str, Any] | None) -> Widget:
    """Never fails: see above."""
    kept = kept or {}
    offline = kept.get("offline") or {}
    fields = []
    for each in kept.get("fields") or ():
        if each.get("name") in _ASKED:
            options = tuple(str(option) for option in each.get("options") or ())
            fields.append(
                AskedField(Asked(each["name"]), bool(each.get("required")), str(each.get("label", "")), options)
            )
    return Widget(
        position=_one(Position, kept.get("position"), Position.RIGHT),
        scheme=_one(Scheme, kept.get("scheme"), Scheme.AUTO),
        launcher=str(kept.get("launcher", "")),
        form_enabled=bool(kept.get("form_enabled")),
        intro=str(kept.get("intro", "")),
        fields=tuple(fields),
        offline=Offline(
            enabled=bool(offline.get("enabled")),
            channel_id=str(offline.get("channel_id", "")),
            when=_one(OfflineWhen, offline.get("when"), OfflineWhen.AWAY),
            text=str(offline.get("text", "")),
        ),
    )


def write_widget(widget: Widget) -> dict[str, Any]:
    """What `read_widget` reads."""
    return {
        "position": widget.position.value,
        "scheme": widget.scheme.value,
        "launcher": widget.launcher,
        "form_enabled": widget.form_enabled,
        "intro": widget.intro,
        "fields": [
            {"name": each.name.value, "required": each.required, "label": each.label, "options": list(each.options)}
            for each in widget.fields
        ],
        "offline": {
            "enabled": widget.offline.enabled,
            "channel_id": widget.offline.channel_id,
            "when": widget.offline.when.value,
            "text": widget.offline.text,
        },
    }


def _one(kind: type[_Word], word: object, usual: _Word) -> _Word:
    return kind(word) if isinstance(word, str) and word in {each.value for each in kind} else usual


def check_widget(widget: Widget) -> dict[str, str]:
    """What is wrong with it, by field (`fields.2.label`); empty: nothing."""
    problems: dict[str, str] = {}
    _check_line(problems, "launcher", widget.launcher, LAUNCHER_LIMIT)
    _check_text(problems, "intro", widget.intro)
    _check_text(problems, "offline.text", widget.offline.text)
    seen: set[Asked] = set()
    for place, asked in enumerate(widget.fields):
        at = f"fields.{place}"
        if asked.name in seen:
            problems[f"{at}.name"] = Sentence("is asked already")
        seen.add(asked.name)
        _check_line(problems, f"{at}.label", asked.label, LABEL_LIMIT)
        if asked.name in (Asked.TOPIC, Asked.QUESTION) and not asked.label.strip():
            problems[f"{at}.label"] = Sentence("must not be empty")
        if asked.name is Asked.TOPIC:
            _check_options(problems, f"{at}.options", asked.options)
        elif asked.options:
            problems[f"{at}.options"] = Sentence("only a topic is chosen from a list")
    if widget.form_enabled and not widget.fields:
        problems["fields"] = Sentence("choose what the form asks")
    if widget.offline.enabled and not widget.offline.channel_id:
        problems["offline.channel_id"] = Sentence("choose the mail account that takes the messages")
    return problems


def _check_options(problems: dict[str, str], at: str, options: Sequence[str]) -> None:
    if not options:
        problems[at] = Sentence("give at least one topic")
    elif len(options) > OPTIONS_LIMIT:
        problems[at] = Sentence("may have at most {count} topics", count=OPTIONS_LIMIT)
    elif len(set(options)) < len(options):
        problems[at] = Sentence("names a topic twice")
    elif any(not each.strip() or len(each) > LABEL_LIMIT or not each.isprintable() for each in options):
        problems[at] = Sentence("topics have 1 to {count} characters each", count=LABEL_LIMIT)


def _check_line(problems: dict[str, str], at: str, text: str, limit: int) -> None:
    if len(text) > limit:
        problems[at] = Sentence("may have at most {count} characters", count=limit)
    elif not text.isprintable():
        problems[at] = Sentence("must be one line of text")


def _check_text(problems: dict[str, str], at: str, text: str) -> None:
    if len(text) > WORDS_LIMIT:
        problems[at] = Sentence("may have at most {count} characters", count=WORDS_LIMIT)


# --- what a visitor filled in -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answers:
    """A form as it was filled in. None: not said. `email` is lower case, `phone` as it was typed; `told` are label and answer
    of what has no place on a customer's card, in the form's order."""

    name: str | None = None
    phone: str | None = None
    email: str | None = None
    topic: str | None = None
    told: tuple[tuple[str, str], ...] = ()


def check_answers(
    fields: Sequence[AskedField],
    values: Mapping[str, Any],
    *,
    known: Collection[Asked] = (),
    demanded: Collection[Asked] = (),
    prefix: str = "form.",
) -> Answers:
    """`known` need not be said again; `demanded` must be said even if the form does not ask. InvalidInput names each faulty
    field as `prefix` and its name, unknown ones included."""
    by_name = {each.name: each for each in fields}
    by_name |= {name: AskedField(name, required=True) for name in demanded}
    problems: dict[str, str] = {}
    said: dict[Asked, str] = {}
    for name, value in values.items():
        if name not in _ASKED or Asked(name) not in by_name:
            problems[f"{prefix}{name[:64]}"] = Sentence("is not asked here")
        elif not isinstance(value, str):
            problems[f"{prefix}{name}"] = Sentence("must be text")
        elif value.strip():
            # One line each, as they are asked: nobody writes a second one under another label.
            said[Asked(name)] = value.strip() if name == Asked.TOPIC else " ".join(value.split())
    for asked in by_name.values():
        problem = _answer_problem(asked, said.get(asked.name, ""), is_known=asked.name in known)
        if problem is not None:
            problems.setdefault(f"{prefix}{asked.name}", problem)
    if problems:
        raise InvalidInput("The form is not filled in right.", fields=problems)
    email = said.get(Asked.EMAIL)
    return Answers(
        name=said.get(Asked.NAME),
        phone=said.get(Asked.PHONE),
        email=email.lower() if email else None,
        topic=said.get(Asked.TOPIC),
        told=tuple(
            (asked.label, said[asked.name])
            for asked in fields
            if asked.name in (Asked.TOPIC, Asked.QUESTION) and asked.name in said
        ),
    )


def _answer_problem(asked: AskedField, value: str, *, is_known: bool) -> str | None:
    if not value:
        return Sentence("must not be empty") if asked.required and not is_known else None
    limit = _ANSWER_LIMITS.get(asked.name, ANSWER_LIMIT)
    if len(value) > limit:
        return Sentence("may have at most {count} characters", count=limit)
    if asked.name is Asked.EMAIL and not _EMAIL.fullmatch(value):
        return Sentence("must be an e-mail address")
    if asked.name is Asked.PHONE and not _PHONE.fullmatch(value):
        return Sentence("must be a phone number")
    if asked.name is Asked.TOPIC and value not in asked.options:
        return Sentence("is not one of the topics")
    return None


def answer_line(label: str, answer: str) -> str:
    """What was asked and what was said, on one line; a question brings its own sign."""
    return f"{label} {answer}" if label.endswith(("?", ":", "։", ".", "…")) else f"{label}: {answer}"
