"""Rules as values: what is refused by its name, what fits, and what follows; the words of six languages and of nobody."""

from __future__ import annotations

import string
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.values import ChannelKind
from hub.domain.views import RequirementView
from hub.routing.calendar import Faults
from hub.routing.rules import (
    Facts,
    Mode,
    Placement,
    RuleSet,
    fold_words,
    passing_over,
    place,
    read_rules,
    references,
    write_rules,
)


def rule(number: int = 0, *, when: dict[str, Any] | None = None, **then: Any) -> dict[str, Any]:
    return {"id": f"rule{number}", "name": f"Rule {number}", "enabled": True, "when": when or {}, "then": then}


def read(*rules: dict[str, Any], mode: Mode = "all") -> RuleSet:
    found = read_rules(mode, rules)
    assert isinstance(found, RuleSet), found
    return found


def facts(text: str = "Hello", **other: Any) -> Facts:
    return Facts(**{"channel_id": "sms", "kind": ChannelKind.SMS, "text": text, **other})


def fits(when: dict[str, Any], given_: Facts) -> bool:
    return bool(place(read(rule(when=when, priority=1)), given_).matched)


# --- what follows -------------------------------------------------------------------------------------------------------


def test_where_no_rule_fits_work_goes_as_it_always_did() -> None:
    assert place(read(), facts()) == Placement()
    assert place(read(rule(when={"kinds": ["chat"]}, priority=5)), facts()) == Placement()


def test_the_first_rule_that_fits_counts_where_one_is_asked_for() -> None:
    rules = read(rule(0, when={"kinds": ["chat"]}, queue_id=1), rule(1, queue_id=2), rule(2, priority=9), mode="first")
    placed = place(rules, facts())
    assert (placed.matched, placed.queue_id, placed.priority) == (("rule1",), 2, None)


def test_of_all_rules_the_first_word_counts_and_lists_add_up() -> None:
    placed = place(
        read(
            rule(0, priority=5, tags=["a"], required=[{"skill_id": 1, "level": 2}]),
            rule(1, priority=9, queue_id=3, tags=["b", "a"], required=[{"skill_id": 1, "level": 4}]),
            rule(2, queue_id=4, auto_reply="Hello {name}", required=[{"skill_id": 2, "level": 1}]),
        ),
        facts(),
    )
    assert placed == Placement(
        matched=("rule0", "rule1", "rule2"),
        queue_id=3,
        priority=5,
        required=(RequirementView(1, 4), RequirementView(2, 1)),
        tags=("a", "b"),
        auto_reply="Hello {name}",
        given_by={
            "priority": ("rule0",),
            "queue_id": ("rule1",),
            "auto_reply": ("rule2",),
            "tags": ("rule0", "rule1"),
            "required": ("rule0", "rule1", "rule2"),
        },
    )


def test_a_rule_may_look_at_the_topic_that_one_above_has_set() -> None:
    rules = [
        rule(0, when={"topic_ids": [7]}, tags=["too early"]),
        rule(1, when={"words": {"any": ["refund"]}}, topic_id=7),
        rule(2, when={"topic_ids": [7, 8]}, queue_id=5),
        rule(3, topic_id=8),
    ]
    placed = place(read(*rules), facts("My refund"))
    assert (placed.matched, placed.topic_id, placed.queue_id) == (("rule1", "rule2", "rule3"), 7, 5)


def test_what_is_switched_off_or_names_what_is_gone_is_passed_over() -> None:
    rules = read(rule(0, queue_id=1) | {"enabled": False}, rule(1, queue_id=2), rule(2, queue_id=3))
    assert [each.field for each in references(rules)] == [f"rules.{n}.then.queue_id" for n in range(3)]
    assert place(passing_over(rules, {"rules.1.then.queue_id"}), facts()).matched == ("rule2",)


def test_the_answer_is_told_by_the_calendar_of_its_own_rule() -> None:
    hours = {"hours": {"calendar_id": 4, "open": False}}
    rules = read(rule(0, when=hours, tags=["night"]), rule(1, when=hours, auto_reply="We open {opens}"))
    assert place(rules, facts()).reply_calendar_id == 4
    assert place(rules, facts(open_calendars=frozenset({4}))) == Placement()


# --- what fits ----------------------------------------------------------------------------------------------------------

MAIL = {"kind": ChannelKind.EMAIL, "channel_id": "mail", "subject": "Order 17", "sender_domain": "mail.example.com"}


@pytest.mark.parametrize(
    ("when", "other", "expected"),
    [
        ({"channel_ids": ["sms", "x"]}, {}, True),
        ({"channel_ids": ["x"]}, {}, False),
        ({"kinds": ["sms", "email"]}, {}, True),
        ({"kinds": ["email"]}, {}, False),
        ({"is_known": True}, {"is_known": True}, True),
        ({"is_known": True}, {}, False),
        ({"is_known": False}, {}, True),
        ({"tier_at_least": 2}, {"tier": 2}, True),
        ({"tier_at_least": 2}, {"tier": 1}, False),
        ({"languages": ["hy"]}, {"language": "hy-AM"}, True),
        ({"languages": ["HY_am"]}, {"language": "hy-AM"}, True),
        ({"languages": ["hy-AM"]}, {"language": "hy"}, False),
        ({"languages": ["hy"]}, {"language": "hyx"}, False),
        ({"languages": ["hy"]}, {}, False),
        ({"sender_domains": ["example.com"]}, MAIL, True),
        ({"sender_domains": ["@Mail.Example.com"]}, MAIL, True),
        ({"sender_domains": ["ample.com"]}, MAIL, False),
        ({"sender_domains": ["example.com"]}, {}, False),
        ({"hours": {"calendar_id": 1, "open": True}}, {"open_calendars": frozenset({1})}, True),
        ({"hours": {"calendar_id": 1, "open": True}}, {"open_calendars": frozenset({2})}, False),
        ({"hours": {"calendar_id": 1, "open": False}}, {}, True),
        ({"words": {"any": ["order"], "where": "subject"}}, MAIL, True),
        ({"words": {"any": ["order"], "where": "text"}}, MAIL, False),
        ({"words": {"any": ["order"]}}, MAIL, True),
        ({"words": {"any": ["17 hello"]}}, MAIL, False),
        ({"kinds": ["sms"], "tier_at_least": 1}, {}, False),
        ({"channel_ids": [], "words": None, "hours": None}, {}, True),
    ],
)
def test_conditions_hold_or_do_not(when: dict[str, Any], other: dict[str, Any], expected: bool) -> None:
    assert fits(when, facts(**other)) is expected


@pytest.mark.parametrize(
    ("phrase", "text", "expected"),
    [
        ("refund", "Where is my REFUND?", True),
        ("refund", "refunded", False),
        ("refund*", "They refunded me", True),
        ("*", "refund", None),
        ("my refund", "my, refund", True),
        ("my refund", "my late refund", False),
        ("re* mon*", "return the money", False),
        ("re* mon*", "returned money", True),
        ("c++", "I like C", True),
        ("a.c", "abc", False),
        ("straße", "STRASSE", True),
        ("վերադարձ", "Որտե՞ղ է ՎԵՐԱԴԱՐՁԸ", False),
        ("վերադարձ*", "Որտե՞ղ է ՎԵՐԱԴԱՐՁԸ", True),
        ("որտեղ", "Որտե՞ղ է", True),
        ("և", "դու եւ ես", True),
        ("բարև", "ԲԱՐԵՎ Ձեզ", True),
        ("բարեւ", "Բարև", True),
        ("istanbul", "İSTANBUL", True),
        ("ıstanbul", "istanbul", True),
        ("ilıq", "ILIQ", True),
        ("ilıq", "İLİQ", True),
        ("გამარჯობა", "ᲒᲐᲛᲐᲠᲯᲝᲑᲐ", True),
        ("зв'язок", "зв\u02bcязок", True),
        ("зв\u2019язок", "ЗВ'ЯЗОК", True),
        ("замок", "за\u0301мок", True),
        ("й", "и", False),
        ("cafe\u0301", "café", True),
        ("refund", "re\u00adfu\u200bnd", True),
        ("\uff52efund", "refund", True),
    ],
)
def test_words_are_found_whole_whatever_their_case(phrase: str, text: str, expected: bool | None) -> None:
    rules = read_rules("all", [rule(when={"words": {"any": [phrase]}}, priority=1)])
    assert (place(rules, facts(text)).matched != () if isinstance(rules, RuleSet) else None) is expected


@pytest.mark.parametrize(
    ("words", "text", "expected"),
    [
        ({"all": ["late", "order"]}, "My order is late", True),
        ({"all": ["late", "order"]}, "My order", False),
        ({"none": ["thanks"]}, "My order", True),
        ({"none": ["thanks"], "any": ["order"]}, "Order, thanks", False),
        ({"any": ["order", "parcel"], "all": ["late"]}, "parcel late", True),
    ],
)
def test_words_may_be_one_of_many_all_or_none(words: dict[str, Any], text: str, expected: bool) -> None:
    assert fits({"words": words}, facts(text)) is expected


@pytest.mark.parametrize(
    "text",
    ["a" * 50_000, "a " * 25_000, "\u0315\u0301" * 25_000, "\ufdfa" * 50_000, "\u05b0\u0591" * 25_000, "é" * 50_000],
)
def test_a_hostile_text_costs_no_more_than_a_long_one(text: str) -> None:
    phrases = [f"a* a* a* a{number}" for number in range(100)]
    rules = read(*(rule(number, when={"words": {"any": phrases}}, priority=1) for number in range(10)))
    place(rules, facts())
    began = process_time()
    place(rules, facts(text))
    assert process_time() - began < 2.0


# --- what is refused ----------------------------------------------------------------------------------------------------

CLOSED = {"hours": {"calendar_id": 1, "open": False}}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (rule() | {"id": ""}, "rules.0.id"),
        (rule(priority=1) | {"id": "a b"}, "rules.0.id"),
        (rule(priority=1) | {"name": "  "}, "rules.0.name"),
        (rule(priority=1) | {"enabled": "yes"}, "rules.0.enabled"),
        (rule(priority=1) | {"colour": 1}, "rules.0.colour"),
        ("rule", "rules.0"),
        (rule(), "rules.0.then"),
        (rule(priority=601), "rules.0.then.priority"),
        (rule(priority=-61), "rules.0.then.priority"),
        (rule(priority=True), "rules.0.then.priority"),
        (rule(priority=1.5), "rules.0.then.priority"),
        (rule(queue_id=0), "rules.0.then.queue_id"),
        (rule(queue_id="1"), "rules.0.then.queue_id"),
        (rule(topic_id=2**63), "rules.0.then.topic_id"),
        (rule(tags=["x" * 51]), "rules.0.then.tags.0"),
        (rule(tags=["ok", ""]), "rules.0.then.tags.1"),
        (rule(tags=["a\u0007"]), "rules.0.then.tags.0"),
        (rule(tags=[f"t{n}" for n in range(21)]), "rules.0.then.tags"),
        (rule(tags="urgent"), "rules.0.then.tags"),
        (rule(required=[{"skill_id": 1, "level": 6}]), "rules.0.then.required.0.level"),
        (rule(required=[{"skill_id": 1}]), "rules.0.then.required.0.level"),
        (rule(required=[{"skill_id": 1, "level": 1}] * 2), "rules.0.then.required.1.skill_id"),
        (rule(auto_reply="x" * 1_001), "rules.0.then.auto_reply"),
        (rule(auto_reply="{hello}"), "rules.0.then.auto_reply"),
        (rule(auto_reply="We open {opens}"), "rules.0.then.auto_reply"),
        (rule(when={"hours": {"calendar_id": 1, "open": True}}, auto_reply="{opens}"), "rules.0.then.auto_reply"),
        (rule(auto_reply=5), "rules.0.then.auto_reply"),
        (rule(when={"hours": {"open": True}}, priority=1), "rules.0.when.hours.calendar_id"),
        (rule(when={"hours": {"calendar_id": 1}}, priority=1), "rules.0.when.hours.open"),
        (rule(when={"kinds": ["fax"]}, priority=1), "rules.0.when.kinds.0"),
        (rule(when={"languages": ["Armenian"]}, priority=1), "rules.0.when.languages.0"),
        (rule(when={"sender_domains": ["localhost"]}, priority=1), "rules.0.when.sender_domains.0"),
        (rule(when={"tier_at_least": 4}, priority=1), "rules.0.when.tier_at_least"),
        (rule(when={"is_known": 1}, priority=1), "rules.0.when.is_known"),
        (rule(when={"topic_ids": [-1]}, priority=1), "rules.0.when.topic_ids.0"),
        (rule(when={"channel_ids": [5]}, priority=1), "rules.0.when.channel_ids.0"),
        (rule(when={"words": {"any": ["ok", "?!"]}}, priority=1), "rules.0.when.words.any.1"),
        (rule(when={"words": {"all": ["a *"]}}, priority=1), "rules.0.when.words.all.0"),
        (rule(when={"words": {"none": ["a*b"]}}, priority=1), "rules.0.when.words.none.0"),
        (rule(when={"words": {"any": ["x" * 101]}}, priority=1), "rules.0.when.words.any.0"),
        (rule(when={"words": {"any": ["ok"], "where": "body"}}, priority=1), "rules.0.when.words.where"),
        (rule(priority=1) | {"when": [1]}, "rules.0.when"),
    ],
)
def test_every_fault_is_named(wrong: Any, field: str) -> None:
    read_ = read_rules("all", [wrong])
    assert isinstance(read_, Faults)
    assert field in read_.fields
    # And beside one that is right it is named by its own place.
    beside = read_rules("all", [rule(9, priority=1), wrong])
    assert isinstance(beside, Faults)
    assert field.replace("rules.0", "rules.1", 1) in beside.fields


def test_faults_of_the_whole_are_named() -> None:
    def fields(mode: object, rules: object) -> list[str]:
        found = read_rules(mode, rules)
        assert isinstance(found, Faults)
        return list(found.fields)

    assert fields("some", []) == ["mode"]
    assert fields("all", {"a": 1}) == ["rules"]
    assert fields("all", [rule(n, priority=1) for n in range(201)]) == ["rules"]
    assert fields("all", [rule(1, priority=1), rule(1, priority=2)]) == ["rules.1.id"]
    assert fields("first", [rule(when={"topic_ids": [1]}, priority=1)]) == ["rules.0.when.topic_ids"]
    many = [rule(n, when={"words": {"any": [f"w{m}" for m in range(100)]}}, priority=1) for n in range(21)]
    assert fields("all", many) == ["rules"]


# --- whatever the rules -------------------------------------------------------------------------------------------------

IDS = st.integers(1, 4)
WORDS = st.sampled_from(["refund", "late", "order*", "my order", "և", "ı"])
CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "channel_ids": st.lists(st.sampled_from(["sms", "mail"]), max_size=2),
        "kinds": st.lists(st.sampled_from(["sms", "email"]), max_size=2),
        "hours": st.fixed_dictionaries({"calendar_id": IDS, "open": st.booleans()}),
        "words": st.fixed_dictionaries({}, optional={k: st.lists(WORDS, max_size=2) for k in ("any", "all", "none")}),
        "languages": st.lists(st.sampled_from(["hy", "uk"]), max_size=2),
        "tier_at_least": st.integers(0, 3),
        "is_known": st.booleans(),
        "topic_ids": st.lists(IDS, max_size=2),
    },
)
EFFECTS = st.fixed_dictionaries(
    {"priority": st.integers(-60, 600)},
    optional={
        "queue_id": IDS,
        "topic_id": IDS,
        "tags": st.lists(st.sampled_from("abc"), max_size=2),
        "required": st.lists(
            st.fixed_dictionaries({"skill_id": IDS, "level": st.integers(1, 5)}),
            max_size=2,
            unique_by=lambda r: r["skill_id"],
        ),
        "auto_reply": st.sampled_from(["Hello {name}", "{number}"]),
    },
)
RULES = st.lists(st.tuples(CONDITIONS, EFFECTS), max_size=6).map(
    lambda pairs: read(*(rule(n, when=when, **then) for n, (when, then) in enumerate(pairs)))
)
FACTS = st.builds(
    facts,
    text=st.text(alphabet=string.ascii_letters + " ıİև", max_size=30) | st.sampled_from(["My order is late", "refund"]),
    language=st.sampled_from([None, "hy", "uk-UA"]),
    tier=st.integers(0, 3),
    is_known=st.booleans(),
    open_calendars=st.frozensets(IDS, max_size=3),
)


@given(RULES, FACTS)
def test_the_same_rules_and_facts_give_the_same(rules: RuleSet, given_: Facts) -> None:
    again = read_rules(rules.mode, write_rules(rules))
    assert again == rules
    assert place(again, given_) == place(rules, given_)


@given(RULES, FACTS)
def test_rules_fit_in_their_order_and_the_first_word_counts(rules: RuleSet, given_: Facts) -> None:
    placed = place(rules, given_)
    order = [each.id for each in rules.rules]
    assert list(placed.matched) == [rule_id for rule_id in order if rule_id in placed.matched]
    by_id = {each.id: each.then for each in rules.rules}
    for name in ("queue_id", "priority", "topic_id", "auto_reply"):
        said = [value for rule_id in placed.matched if (value := getattr(by_id[rule_id], name)) is not None]
        assert getattr(placed, name) == next(iter(said), None)
    assert {tag for rule_id in placed.matched for tag in by_id[rule_id].tags} == set(placed.tags)


@given(RULES, FACTS)
def test_what_comes_after_the_first_rule_that_fits_does_not_count(rules: RuleSet, given_: Facts) -> None:
    first = RuleSet("first", rules.rules)
    placed = place(first, given_)
    everything = place(rules, given_)
    assert placed.matched == everything.matched[:1]


@given(st.text(max_size=300))
def test_whatever_is_written_folds_to_the_same_words_again(text: str) -> None:
    folded = fold_words(text)
    assert fold_words(folded) == folded
