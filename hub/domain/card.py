"""A customer's card as it is written: which facts may stand there, and what becomes of two edits at once. Pure.

An edit names what it changes and, if the writer looked first, what they saw there. Two edits of different facts are both
kept; two of one fact are a conflict, unless they say the same. Tags are added and taken away one by one, so theirs never
conflict.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from hub.domain.consent import REACHED_BY
from hub.domain.countries import COUNTRIES
from hub.domain.sentences import Sentence
from hub.routing.calendar import is_zone

# Of one line of a card, and of a tag; so many tags a card has at most.
LINE_LIMIT = 200
TAG_LIMIT = 50
MOST_TAGS = 30
# Nobody alive was born before.
_FIRST_YEAR = 1900
_BIRTHDAY = re.compile(r"(\d{4}|-)-(\d{2})-(\d{2})")
_LINES = ("company", "job_title", "region", "town", "district", "street", "postcode", "source")
# A year that has a 29 February, for those that are not told.
_LEAP_YEAR = 2000


@dataclass(frozen=True, slots=True)
class Merge:
    """`changes`: what is to be written. `conflicts`: fact → what it says by now."""

    changes: dict[str, Any]
    conflicts: dict[str, Any]


def merge(current: Mapping[str, Any], wanted: Mapping[str, Any], seen: Mapping[str, Any]) -> Merge:
    """What of `wanted` is to be written to a card that says `current`, by somebody who saw `seen` (as far as it names it)."""
    changes: dict[str, Any] = {}
    conflicts: dict[str, Any] = {}
    for name, told in wanted.items():
        held = current.get(name)
        value = merge_tags(held or (), told or (), seen.get(name)) if name == "tags" else told
        if name != "tags" and name in seen and held != seen[name] and held != value:
            conflicts[name] = held
        if value != held:
            changes[name] = value
    return Merge(changes, conflicts)


def merge_tags(held: Sequence[str], wanted: Sequence[str], seen: Sequence[str] | None) -> list[str]:
    """The tags that are there, without those the writer took away, and with those they added. Without `seen`: `wanted`."""
    if seen is None:
        return list(wanted)
    kept = [tag for tag in held if tag in wanted or tag not in seen]
    return [*kept, *(tag for tag in wanted if tag not in seen and tag not in kept)]


def read_facts(given: Mapping[str, Any], today: date) -> tuple[dict[str, Any], dict[str, str]]:
    """The facts in their normal form, and what is wrong: fact → words. Facts that are not known here pass as they are."""
    facts: dict[str, Any] = dict(given)
    faults: dict[str, str] = {}
    for name in _LINES:
        if isinstance(given.get(name), str):
            facts[name] = " ".join(given[name].split())
            if len(facts[name]) > LINE_LIMIT:
                faults[name] = Sentence("must not be longer than {count} characters", count=LINE_LIMIT)
    if given.get("country"):
        facts["country"] = given["country"].strip().upper()
        if facts["country"] not in COUNTRIES:
            faults["country"] = Sentence("is not the two letters of a country")
    if given.get("time_zone") and not is_zone(given["time_zone"]):
        faults["time_zone"] = Sentence("is not a time zone, like Asia/Yerevan")
    if given.get("preferred_channel") and given["preferred_channel"] not in REACHED_BY:
        faults["preferred_channel"] = Sentence("must be one of {known}", known=", ".join(REACHED_BY))
    if given.get("birthday"):
        fault = _birthday_fault(given["birthday"], today)
        if fault:
            faults["birthday"] = fault
    if given.get("tags") is not None:
        facts["tags"], fault = _read_tags(given["tags"])
        if fault:
            faults["tags"] = fault
    return facts, faults


def _birthday_fault(text: str, today: date) -> str:
    """A birthday of which the year is not known is --05-17, as in vCard (RFC 6350, section 4.3.1)."""
    found = _BIRTHDAY.fullmatch(text)
    if found is None:
        return Sentence("must be a date, like 1990-05-17, or --05-17 without its year")
    year, month, day = found.groups()
    try:
        born = date(_LEAP_YEAR if year == "-" else int(year), int(month), int(day))
    except ValueError:
        return Sentence("is no day of the calendar")
    if year != "-" and born > today:
        return Sentence("is in the future")
    return Sentence("is too long ago") if born.year < _FIRST_YEAR else ""


def _read_tags(given: Sequence[str]) -> tuple[list[str], str]:
    """Each once, however it is written."""
    tags: dict[str, str] = {}
    for each in given:
        tag = " ".join(each.split())
        if not tag or len(tag) > TAG_LIMIT or not tag.isprintable():
            return [], Sentence("a tag must be 1 to {count} visible characters", count=TAG_LIMIT)
        tags.setdefault(tag.casefold(), tag)
    fault = "" if len(tags) <= MOST_TAGS else Sentence("must not be more than {count}", count=MOST_TAGS)
    return list(tags.values()), fault
