"""A card's facts and custom fields: what may stand there, and what becomes of two edits at once."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from hub.domain.card import LINE_LIMIT, MOST_TAGS, merge, merge_tags, read_facts
from hub.domain.consent import How, Purpose, Word, is_allowed, refusal
from hub.domain.countries import COUNTRIES
from hub.domain.fields import Fault, FieldKind, FieldKindOf, FieldOption, read_value

TODAY = date(2026, 11, 26)
GOLD, SILVER, OLD = (
    FieldOption("gold", "Gold"),
    FieldOption("silver", "Silver"),
    FieldOption("old", "Old", active=False),
)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"town": "  Գյումրի   քաղաք "}, {"town": "Գյումրի քաղաք"}),
        ({"country": "am"}, {"country": "AM"}),
        ({"country": ""}, {"country": ""}),
        ({"time_zone": "Asia/Yerevan"}, {"time_zone": "Asia/Yerevan"}),
        ({"birthday": "1990-05-17"}, {"birthday": "1990-05-17"}),
        ({"birthday": "--02-29"}, {"birthday": "--02-29"}),
        ({"birthday": "2026-11-26"}, {"birthday": "2026-11-26"}),
        ({"preferred_channel": None}, {"preferred_channel": None}),
        ({"tags": ["VIP", " vip ", "İzmir  müştərisi"]}, {"tags": ["VIP", "İzmir müştərisi"]}),
    ],
)
def test_a_fact_is_kept_in_its_normal_form(given: dict[str, Any], kept: dict[str, Any]) -> None:
    assert read_facts(given, TODAY) == (kept, {})


@pytest.mark.parametrize(
    "given",
    [
        {"country": "XX"},
        {"country": "Armenia"},
        {"time_zone": "Europe"},
        {"time_zone": "../etc/passwd"},
        {"birthday": "17.05.1990"},
        {"birthday": "1990-02-30"},
        {"birthday": "--13-01"},
        {"birthday": "2027-01-01"},
        {"birthday": "0990-05-17"},
        {"birthday": "--00-00"},
        {"preferred_channel": "pigeon"},
        {"town": "x" * (LINE_LIMIT + 1)},
        {"tags": [""]},
        {"tags": ["a\u0007b"]},
        {"tags": ["x" * 51]},
        {"tags": [f"tag {n}" for n in range(MOST_TAGS + 1)]},
    ],
)
def test_what_is_no_fact_is_named(given: dict[str, Any]) -> None:
    _, faults = read_facts(given, TODAY)
    assert faults.keys() == given.keys()


def test_there_are_as_many_countries_as_the_standard_has() -> None:
    assert len(COUNTRIES) == 249
    assert {"AM", "GE", "AZ", "UA"} <= COUNTRIES


@pytest.mark.parametrize(
    ("wanted", "seen", "changes", "conflicts"),
    [
        ({"town": "Gyumri"}, {}, {"town": "Gyumri"}, {}),
        ({"town": "Gyumri"}, {"town": "Yerevan"}, {"town": "Gyumri"}, {}),
        ({"town": "Gyumri"}, {"town": "Vanadzor"}, {"town": "Gyumri"}, {"town": "Yerevan"}),
        # Both say the same: nobody has to decide.
        ({"town": "Yerevan"}, {"town": "Vanadzor"}, {}, {}),
        # A colleague changed another fact.
        ({"town": "Gyumri"}, {"town": "Yerevan", "street": "x"}, {"town": "Gyumri"}, {}),
        ({"tags": ["a", "c"]}, {"tags": ["a"]}, {"tags": ["a", "b", "c"]}, {}),
        ({"tags": []}, {"tags": ["a"]}, {"tags": ["b"]}, {}),
    ],
)
def test_an_edit_is_merged_by_facts(
    wanted: dict[str, Any], seen: dict[str, Any], changes: dict[str, Any], conflicts: dict[str, Any]
) -> None:
    merged = merge({"town": "Yerevan", "street": "y", "tags": ["a", "b"]}, wanted, seen)
    assert (merged.changes, merged.conflicts) == (changes, conflicts)


def test_without_what_was_seen_tags_are_replaced() -> None:
    assert merge_tags(["a", "b"], ["c"], None) == ["c"]


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        (FieldKind.TEXT, "  Ջերմուկ ", "Ջերմուկ"),
        (FieldKind.TEXT, " ", None),
        (FieldKind.NUMBER, 12.0, 12),
        (FieldKind.NUMBER, -0.5, -0.5),
        (FieldKind.DATE, "2028-02-29", "2028-02-29"),
        (FieldKind.DATE, "", None),
        (FieldKind.YES_NO, False, False),
        (FieldKind.CHOICE, "gold", "gold"),
        (FieldKind.CHOICE, "", None),
        (FieldKind.CHOICES, ["silver", "gold", "gold"], ["gold", "silver"]),
        (FieldKind.CHOICES, [], None),
        (FieldKind.LINK, " https://example.am/ա?b=1#c ", "https://example.am/ա?b=1#c"),
        (FieldKind.LINK, None, None),
    ],
)
def test_a_value_is_kept_in_its_normal_form(kind: FieldKind, value: object, kept: object) -> None:
    read = read_value(FieldKindOf(kind, (GOLD, SILVER, OLD)), value)
    assert (read, type(read)) == (kept, type(kept))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (FieldKind.TEXT, 5),
        (FieldKind.TEXT, "x" * 2_001),
        (FieldKind.NUMBER, True),
        (FieldKind.NUMBER, "5"),
        (FieldKind.NUMBER, float("nan")),
        (FieldKind.NUMBER, float("inf")),
        (FieldKind.NUMBER, 1e300),
        (FieldKind.DATE, "2026-02-30"),
        (FieldKind.DATE, "20260230"),
        (FieldKind.DATE, 20260203),
        (FieldKind.YES_NO, "yes"),
        (FieldKind.YES_NO, 1),
        (FieldKind.CHOICE, "bronze"),
        (FieldKind.CHOICE, "old"),
        (FieldKind.CHOICE, ["gold"]),
        (FieldKind.CHOICES, "gold"),
        (FieldKind.CHOICES, ["gold", None]),
        (FieldKind.LINK, "javascript:alert(1)"),
        (FieldKind.LINK, "https://"),
        (FieldKind.LINK, "https://a b"),
        (FieldKind.LINK, {"href": "https://a"}),
    ],
)
def test_what_is_no_value_of_the_kind_is_told(kind: FieldKind, value: object) -> None:
    assert isinstance(read_value(FieldKindOf(kind, (GOLD, SILVER, OLD)), value), Fault)


def test_an_option_that_was_switched_off_stays_where_it_was_chosen() -> None:
    field = FieldKindOf(FieldKind.CHOICE, (GOLD, OLD))
    assert read_value(field, "old", before="old") == "old"
    several = FieldKindOf(FieldKind.CHOICES, (GOLD, OLD))
    assert read_value(several, ["gold", "old"], before=["old"]) == ["gold", "old"]


@pytest.mark.parametrize(
    ("word", "service", "marketing"),
    [(None, True, False), (Word(True, How.TOLD), True, True), (Word(False, How.TOLD), False, False)],
)
def test_service_is_allowed_until_it_is_forbidden_and_marketing_forbidden_until_it_is_allowed(
    word: Word | None, service: bool, marketing: bool
) -> None:
    assert (is_allowed(word, Purpose.SERVICE), is_allowed(word, Purpose.MARKETING)) == (service, marketing)


@pytest.mark.parametrize(
    ("last", "given", "how", "why"),
    [
        (Word(False, How.KEYWORD), True, How.TOLD, "stop_stands"),
        (Word(False, How.KEYWORD), True, How.IMPORT, "stop_stands"),
        (Word(False, How.KEYWORD), True, How.KEYWORD, None),
        (Word(False, How.KEYWORD), False, How.TOLD, None),
        (Word(False, How.TOLD), True, How.TOLD, None),
        (None, True, How.FORM, None),
    ],
)
def test_only_the_customers_own_start_lifts_a_stop(last: Word | None, given: bool, how: How, why: str | None) -> None:
    assert refusal(last, given, how) == why
