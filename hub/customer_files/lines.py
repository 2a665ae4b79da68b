"""A line of a file to what it says of a customer, by the very checks that a card has (domain.card, domain.fields).

Cells are what people and other programs write, so they are read more kindly than the API's fields: several addresses in one
cell, days with dots, countries and languages by their names, yes and no in six languages. What cannot be read makes the
line's fault, named by the heading of its column; a line with a fault is refused whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any

from hub.customer_files.columns import FIELD, Mapped
from hub.customer_files.reading import Record
from hub.domain import card
from hub.domain.consent import REACHED_BY, Purpose
from hub.domain.countries import COUNTRIES
from hub.domain.fields import Fault, FieldKind, FieldKindOf, FieldValue, read_value
from hub.domain.sentences import Sentence
from hub.domain.values import ContactKind
from hub.domain.views import CustomFieldView
from hub.errors import InvalidInput
from hub.timeline.customers import default_name, parse_address

NAME_LIMIT, NOTE_LIMIT, REFERENCE_LIMIT = 120, 4_000, 200
# Of one line: more belong to no one person.
MOST_ADDRESSES = 20

_SEVERAL = re.compile(r"[;|\n]")
_SEVERAL_TAGS = re.compile(r"[;|,\n]")
_LANGUAGE = re.compile(r"[a-z]{2}(-[A-Z]{2})?")
_DAY = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})(?:[T ]\d{1,2}:\d{2}.*)?")
_YEARLESS = re.compile(r"--\d{2}-\d{2}")
_YES = frozenset({"1", "yes", "y", "true", "on", "x", "այո", "да", "так", "კი", "დიახ", "hə", "bəli"})
_NO = frozenset({"0", "no", "n", "false", "off", "ոչ", "нет", "ні", "არა", "yox", "xeyr"})
_LANGUAGES: Mapping[str, str] = {
    name: code
    for code, names in {
        "en": "english, английский, անգլերեն, англійська, ინგლისური, ingilis",
        "hy": "armenian, հայերեն, армянский, вірменська, სომხური, erməni",
        "ru": "russian, русский, ռուսերեն, російська, რუსული, rus",
        "uk": "ukrainian, українська, украинский, ուկրաիներեն, უკრაინული, ukrayna",
        "ka": "georgian, ქართული, грузинский, վրացերեն, грузинська, gürcü",
        "az": "azerbaijani, azeri, azərbaycan, азербайджанский, ադրբեջաներեն, азербайджанська, აზერბაიჯანული",
        "tr": "turkish, türkçe, турецкий",
        "fa": "persian, farsi, فارسی",
        "fr": "french, français",
        "de": "german, deutsch",
        "es": "spanish, español",
        "it": "italian, italiano",
        "pl": "polish, polski",
    }.items()
    for name in names.split(", ")
}
_CARD_LINES = frozenset(
    {"company", "job_title", "region", "town", "district", "street", "postcode", "source", "time_zone"}
)


@dataclass(frozen=True, slots=True)
class Known:
    """What lines are read against. `colleagues`: mail addresses and full names of active ones in small letters → their id;
    a name that two have leads to none. `region`: by which national phone numbers are read."""

    today: date
    region: str | None
    fields: Mapping[str, CustomFieldView]
    colleagues: Mapping[str, int]
    day_first: bool = True
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Address:
    kind: ContactKind
    address: str
    label: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.kind.value, self.address


@dataclass(slots=True)
class Line:
    """What a line says. `facts`: columns of a card, never empty; `name` is among them if the line has one. `said`: (channel,
    purpose) → allowed. `faults`: heading → words; then the rest is of no use."""

    number: int
    cells: Sequence[str]
    facts: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, FieldValue] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    addresses: list[Address] = field(default_factory=list)
    reference: str = ""
    said: dict[tuple[str, Purpose], bool] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    # Target → heading of its column, for faults that are found later.
    headings: Mapping[str, str] = field(default_factory=dict)

    @property
    def default_name(self) -> str:
        """What to call somebody of whom no name is known."""
        company = self.facts.get("company")
        if company:
            return str(company)
        if self.addresses:
            return default_name(self.addresses[0].kind, self.addresses[0].address)
        return self.reference


class LineReader:
    """Reads lines by one mapping; cheap to make."""

    def __init__(self, headings: Sequence[str], mapping: Sequence[Mapped], known: Known) -> None:
        self._mapping = [each for each in mapping if each.column < len(headings)]
        self._named = {each.column: headings[each.column] or f"column {each.column + 1}" for each in self._mapping}
        self._headings = {each.target: self._named[each.column] for each in reversed(self._mapping)}
        self._known = known

    def read(self, record: Record) -> Line:
        line = Line(record.number, record.cells, headings=self._headings)
        parts: dict[str, str] = {}
        notes: list[str] = []
        tags: list[str] = list(self._known.tags)
        for mapped in self._mapping:
            text = record.cells[mapped.column] if mapped.column < len(record.cells) else ""
            if not text:
                continue
            try:
                self._take(line, mapped, text, parts, notes, tags)
            except InvalidInput as error:
                line.faults[self._named[mapped.column]] = next(iter(error.fields.values()), error.message)
        self._name(line, parts)
        if notes:
            line.facts["note"] = "\n".join(notes)
            if len(line.facts["note"]) > NOTE_LIMIT:
                line.faults[self._headings["note"]] = Sentence(
                    "must not be longer than {count} characters", count=NOTE_LIMIT
                )
        if tags:
            line.facts["tags"] = tags
        facts, faults = card.read_facts(line.facts, self._known.today)
        for name, words in faults.items():
            line.faults[self._headings.get(name, name)] = words
        line.tags = facts.pop("tags", None) or []
        line.facts = facts
        if len(line.addresses) > MOST_ADDRESSES:
            line.faults[self._headings.get("phone", "line")] = Sentence(
                "has more than {count} addresses", count=MOST_ADDRESSES
            )
        if not line.faults and not (line.facts.get("name") or line.default_name):
            line.faults["line"] = Sentence("has neither a name nor an address")
        return line

    def _name(self, line: Line, parts: Mapping[str, str]) -> None:
        given = parts.get("name") or " ".join(
            parts[each] for each in ("first_name", "middle_name", "last_name") if each in parts
        )
        name = " ".join(given.split())
        if not name:
            return
        line.facts["name"] = name
        heading = (
            self._headings.get("name") or self._headings.get("last_name") or self._headings.get("first_name", "name")
        )
        if len(name) > NAME_LIMIT:
            line.faults[heading] = Sentence("must not be longer than {count} characters", count=NAME_LIMIT)
        elif not name.isprintable():
            line.faults[heading] = Sentence("has signs that cannot be seen")

    def _take(
        self, line: Line, mapped: Mapped, text: str, parts: dict[str, str], notes: list[str], tags: list[str]
    ) -> None:
        """One cell; InvalidInput for what cannot be read."""
        target, _, rest = mapped.target.partition(".")
        match target:
            case "name" | "first_name" | "middle_name" | "last_name":
                parts[target] = text
            case "phone" | "email" | "handle":
                self._address(line, mapped, text, rest)
            case "external_id":
                if len(text) > REFERENCE_LIMIT:
                    raise _fault(Sentence("must not be longer than {count} characters", count=REFERENCE_LIMIT))
                line.reference = text
            case "note":
                notes.append(text)
            case "tags":
                tags += [part.strip() for part in _SEVERAL_TAGS.split(text) if part.strip()]
            case "country":
                line.facts["country"] = _country(text)
            case "language":
                line.facts["language"] = _language(text)
            case "birthday":
                line.facts["birthday"] = text if _YEARLESS.fullmatch(text) else self._day(text)
            case "owner":
                line.facts["owner_id"] = self._colleague(text)
            case "preferred_channel":
                line.facts["preferred_channel"] = _way(text)
            case "ads" | "no_ads" | "silence":
                _consent(line, target, rest, _yes_or_no(text))
            case "field":
                self._field(line, mapped.target.removeprefix(FIELD), text)
            case _ if target in _CARD_LINES:
                line.facts[target] = text
            case _:
                raise _fault(Sentence("is nothing that is known here"))

    def _address(self, line: Line, mapped: Mapped, text: str, network: str) -> None:
        kind = ContactKind(mapped.target.partition(".")[0])
        for part in _SEVERAL.split(text) if kind is not ContactKind.EMAIL else re.split(r"[;|,\s]+", text):
            if not part.strip():
                continue
            written = f"{network}:{part}" if network else part
            address = Address(kind, parse_address(kind, written, self._known.region), mapped.label)
            if address.key not in {each.key for each in line.addresses}:
                line.addresses.append(address)

    def _colleague(self, text: str) -> int:
        found = self._known.colleagues.get(text.strip().casefold())
        if found is None:
            raise _fault(Sentence("no active colleague is “{name}”", name=text[:80]))
        return found

    def _day(self, text: str) -> str:
        """As 2026-05-17. With dots the day comes first; with strokes as the file's options say; a year of four digits at the
        beginning is always one."""
        found = _DAY.fullmatch(text)
        if found is None:
            raise _fault(Sentence("is no day that can be read, like 2026-05-17"))
        first, sign, second, third = found.groups()
        if len(first) == 4:
            year, month, day = first, second, third
        elif len(third) == 4:
            year = third
            day, month = (first, second) if sign == "." or self._known.day_first else (second, first)
        else:
            raise _fault(Sentence("must have a year of four digits, like 2026-05-17"))
        try:
            return date(int(year), int(month), int(day)).isoformat()
        except ValueError:
            raise _fault(Sentence("is no day of the calendar")) from None

    def _field(self, line: Line, key: str, text: str) -> None:
        about = self._known.fields.get(key)
        if about is None or not about.active:
            raise _fault(Sentence("is no field any more"))
        value = read_value(FieldKindOf(about.kind, about.options), self._value(about, text))
        if isinstance(value, Fault):
            raise _fault(value.words)
        if value is not None:
            line.fields[key] = value

    def _value(self, about: CustomFieldView, text: str) -> object:
        match about.kind:
            case FieldKind.NUMBER:
                return _number(text)
            case FieldKind.DATE:
                return self._day(text)
            case FieldKind.YES_NO:
                return _yes_or_no(text)
            case FieldKind.CHOICE:
                return _option(about, text)
            case FieldKind.CHOICES:
                return [_option(about, part.strip()) for part in _SEVERAL_TAGS.split(text) if part.strip()]
            case _:
                return text


def _fault(words: str) -> InvalidInput:
    return InvalidInput(words, fields={"cell": words})


def _option(about: CustomFieldView, text: str) -> str:
    """By its key or its label; what is neither is refused by the field itself."""
    said = text.casefold()
    return next((each.key for each in about.options if said in (each.key, each.label.casefold())), text)


def _number(text: str) -> float:
    """Spaces between thousands; a comma is a decimal one unless three digits stand behind it, which may mean thousands."""
    plain = re.sub(r"[\s\u00a0\u202f']", "", text)
    if "," in plain and "." not in plain and re.fullmatch(r"-?\d+,(\d{1,2}|\d{4,})", plain):
        plain = plain.replace(",", ".")
    if not re.fullmatch(r"-?\d+(\.\d+)?", plain):
        raise _fault(Sentence("must be a number, like 1234.5"))
    return float(plain)


def _yes_or_no(text: str) -> bool:
    said = text.casefold()
    if said in _YES:
        return True
    if said in _NO:
        return False
    raise _fault(Sentence("must be yes or no"))


def _language(text: str) -> str:
    """Two letters, perhaps with a region; or a name."""
    code = text.replace("_", "-")
    language, _, region = code.partition("-")
    code = f"{language.lower()}-{region.upper()}" if region else language.lower()
    if _LANGUAGE.fullmatch(code):
        return code
    found = _LANGUAGES.get(text.casefold())
    if found is None:
        raise _fault(Sentence("is no language that is known here; its two letters are"))
    return found


def _way(text: str) -> str:
    said = re.sub(r"[\W_]", "", text).casefold()
    words = {
        "sms": "sms",
        "text": "sms",
        "phone": "phone",
        "call": "phone",
        "email": "email",
        "mail": "email",
        "chat": "chat",
    }
    if said not in words:
        raise _fault(Sentence("must be one of {known}", known=", ".join(REACHED_BY)))
    return words[said]


def _country(text: str) -> str:
    code = text.upper()
    if code in COUNTRIES:
        return code
    found = _countries().get(text.casefold())
    if found is None:
        raise _fault(Sentence("is neither the name nor the two letters of a country"))
    return found


@cache
def _countries() -> Mapping[str, str]:
    """Names in all languages of phonenumbers' tables, to letters. Late, and once: reading them takes a second."""
    from phonenumbers.geodata.locale import LOCALE_DATA

    names: dict[str, str] = {}
    for code, by_language in LOCALE_DATA.items():
        if code not in COUNTRIES:
            continue
        for name in by_language.values():
            # A star stands for "as in that other language".
            if not name.startswith("*"):
                names.setdefault(name.casefold(), code)
    # What people write besides, and what those tables do not have in the languages of this part of the world.
    more = {
        "AM": "հայաստան, հհ, вірменія, სომხეთი, ermənistan, republic of armenia",
        "GE": "վրաստան, საქართველო, грузія, gürcüstan",
        "AZ": "ադրբեջան, азербайджан, აზერბაიჯანი, azərbaycan",
        "UA": "ուկրաինա, україна, უკრაინა, ukrayna",
        "RU": "ռուսաստան, росія, რუსეთი, rusiya, russian federation, рф",
        "US": "usa, u.s.a., u.s., us, united states of america, ամն, сша, აშშ, abş",
        "GB": "uk, u.k., great britain, england, великобритания",
        "TR": "türkiye, turkiye",
        "CZ": "czech republic",
        "KR": "south korea",
        "NL": "the netherlands, holland",
        "AE": "uae",
    }
    return names | {name: code for code, said in more.items() for name in said.split(", ")}


def _consent(line: Line, what: str, way: str, is_yes: bool) -> None:
    if what == "ads":
        line.said[way, Purpose.MARKETING] = is_yes
    elif is_yes:
        # Whoever wants to hear nothing wants no advertising either.
        line.said[way, Purpose.MARKETING] = False
        if what == "silence":
            line.said[way, Purpose.SERVICE] = False
