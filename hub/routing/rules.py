"""The rules that place new work: what a conversation that begins has to be like, and where it goes then. Pure.

A rule set is a list in order and a mode: `first` asks until a rule fits, `all` asks every rule; then of what can be said once
(queue, priority, topic, automatic answer) the first rule that says it counts, and what can be said often (required skills,
tags) adds up. A rule may look at the topic that one above it has set. Where no rule fits, work goes as it always did.

Words are compared without their case in the sense of Unicode, whole, and in their order: "my refund" is found in "Where is
my REFUND?", and `refund*` in "refunded". Letters that people write in two ways are one: dotted and dotless i (Turkish,
Azerbaijani), և and եւ and եվ; the marks that Armenian sets inside words (՞ ՛ ՜) and stress marks are not looked at. A word
is a run of letters and digits, so an apostrophe divides words, in rules and texts alike. What is compared is bounded,
and the patterns are made here from plain words, never taken from anybody: a hostile text costs no more than a long one.

`read_rules` is the door for what people typed and for what is stored: it answers with a rule set or with every fault by its
name (`rules.2.then.priority`). Whether queues, skills, topics, calendars and channels exist is not known here: `references`
lists what a set names, `RuleSet.broken` says which rules name something that is gone, and these are passed over.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

from hub.domain.sentences import Sentence
from hub.domain.values import ChannelKind
from hub.domain.views import RequirementView
from hub.routing.calendar import Faults

Mode = Literal["first", "all"]
Where = Literal["text", "subject", "both"]
Thing = Literal["queue", "skill", "topic", "calendar", "channel"]

# A house with more rules than these has forgotten what they say; and every new conversation asks them all.
RULES_LIMIT = 200
_PHRASES_LIMIT = 1_000
_VALUES_LIMIT = 100
_PHRASE_LENGTH = 100
_NAME_LENGTH = 120
# So much of a text is looked at: some 1,500 words, in which anybody has said what it is about. (All phrases there may be,
# each as bad as can be, take 0.1 s for a text that was made for them; 200 usual ones 1 ms, and a usual text 0.05 ms.)
TEXT_LENGTH = 10_000
# As a supervisor may set it by hand (dispatcher.change_turn), and as conversations carry tags.
_PRIORITIES = (-60, 600)
_TAGS_LIMIT, _TAG_LENGTH = 20, 50
_REPLY_LENGTH = 1_000
_REQUIRED_LIMIT = 20
_HIGHEST_TIER = 3

_ID = re.compile(r"[A-Za-z0-9_-]{1,60}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")
_DOMAIN = re.compile(r"[^\s@.]+(\.[^\s@.]+)+")
_PLACEHOLDER = re.compile(r"\{(\w*)\}")
PLACEHOLDERS = ("name", "number", "opens")


@dataclass(frozen=True, slots=True)
class RuleHours:
    """Whether the calendar must be open or closed when the conversation begins."""

    calendar_id: int
    open: bool


@dataclass(frozen=True, slots=True)
class RuleWords:
    """`any`: at least one of these words or phrases; `all`: every one; `none`: not one. A word with `*` at its end stands
    for all that begin so."""

    any: tuple[str, ...] = ()
    all: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    where: Where = "both"


@dataclass(frozen=True, slots=True)
class RuleConditions:
    """All that is given must hold; nothing given: every new conversation. Empty lists and null are not looked at.
    `languages`: `hy` is also hy-AM; `is_known`: the customer was here before; `sender_domains`: of mails, theirs and what
    lies below them."""

    channel_ids: tuple[str, ...] = ()
    kinds: tuple[ChannelKind, ...] = ()
    hours: RuleHours | None = None
    words: RuleWords | None = None
    languages: tuple[str, ...] = ()
    tier_at_least: int | None = None
    is_known: bool | None = None
    topic_ids: tuple[int, ...] = ()
    sender_domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleEffects:
    """`priority` counts in minutes of waiting. `auto_reply` may name {name}, {number} and {opens}: when the calendar of
    the rule's own hours opens next."""

    queue_id: int | None = None
    priority: int | None = None
    required: tuple[RequirementView, ...] = ()
    tags: tuple[str, ...] = ()
    topic_id: int | None = None
    auto_reply: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """`id` is the rule's own for ever, through all versions of the set."""

    id: str
    name: str
    enabled: bool
    when: RuleConditions
    then: RuleEffects


@dataclass(frozen=True, slots=True)
class RuleSet:
    """`broken`: rule's id → what it names that is there no longer; the caller's to fill in."""

    mode: Mode
    rules: tuple[Rule, ...]
    broken: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reference:
    """A rule names a thing, in this field (`rules.2.then.queue_id`)."""

    field: str
    rule_id: str
    thing: Thing
    id: int | str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a conversation when it begins. `open_calendars`: those that are open at that moment."""

    channel_id: str
    kind: ChannelKind
    text: str
    subject: str | None = None
    language: str | None = None
    tier: int = 0
    is_known: bool = False
    sender_domain: str | None = None
    topic_id: int | None = None
    open_calendars: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Placement:
    """What the rules say of one conversation; null and empty: as it always was. `matched`: ids of the rules that fit, in
    order; `given_by`: field → ids of the rules it comes from. `reply_calendar_id`: by which {opens} is told."""

    matched: tuple[str, ...] = ()
    queue_id: int | None = None
    priority: int | None = None
    required: tuple[RequirementView, ...] = ()
    tags: tuple[str, ...] = ()
    topic_id: int | None = None
    auto_reply: str | None = None
    reply_calendar_id: int | None = None
    given_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


# --- placing ------------------------------------------------------------------------------------------------------------

_SINGLE = ("queue_id", "priority", "topic_id", "auto_reply")


def place(rules: RuleSet, facts: Facts) -> Placement:
    """Which rules fit, and what follows. The same rules and facts give the same, always."""
    matched: list[str] = []
    single: dict[str, Any] = {}
    required: dict[int, int] = {}
    tags: dict[str, None] = {}
    given_by: dict[str, tuple[str, ...]] = {}
    reply_calendar_id: int | None = None
    topic_id = facts.topic_id
    reading = _Reading(facts)
    for rule in rules.rules:
        if not rule.enabled or rule.id in rules.broken or not _fits(rule.when, facts, topic_id, reading):
            continue
        matched.append(rule.id)
        then = rule.then
        for name in _SINGLE:
            value = getattr(then, name)
            if value is not None and name not in single:
                single[name] = value
                given_by[name] = (rule.id,)
                if name == "auto_reply":
                    reply_calendar_id = rule.when.hours.calendar_id if rule.when.hours else None
        topic_id = single.get("topic_id", topic_id)
        for each in then.required:
            required[each.skill_id] = max(each.level, required.get(each.skill_id, 0))
        tags |= dict.fromkeys(then.tags)
        for name in ("required", "tags"):
            if getattr(then, name):
                given_by[name] = (*given_by.get(name, ()), rule.id)
        if rules.mode == "first":
            break
    if not matched:
        return _USUAL
    return Placement(
        matched=tuple(matched),
        required=tuple(RequirementView(skill_id, level) for skill_id, level in sorted(required.items())),
        tags=tuple(tags)[:_TAGS_LIMIT],
        reply_calendar_id=reply_calendar_id,
        given_by=given_by,
        **single,
    )


_USUAL = Placement()


def _fits(when: RuleConditions, facts: Facts, topic_id: int | None, reading: _Reading) -> bool:
    """What is cheap to know comes first, words last."""
    if when.channel_ids and facts.channel_id not in when.channel_ids:
        return False
    if when.kinds and facts.kind not in when.kinds:
        return False
    if when.is_known is not None and facts.is_known is not when.is_known:
        return False
    if when.tier_at_least is not None and facts.tier < when.tier_at_least:
        return False
    if when.topic_ids and topic_id not in when.topic_ids:
        return False
    if when.hours is not None and (when.hours.calendar_id in facts.open_calendars) is not when.hours.open:
        return False
    if when.languages and not _speaks(facts.language, when.languages):
        return False
    if when.sender_domains and not _lies_in(facts.sender_domain, when.sender_domains):
        return False
    return when.words is None or _says(reading.folded(when.words.where), when.words)


def _speaks(language: str | None, wanted: Sequence[str]) -> bool:
    if not language:
        return False
    spoken = language.strip().lower().replace("_", "-")
    return any(spoken == each or spoken.startswith(each + "-") for each in wanted)


def _lies_in(domain: str | None, wanted: Sequence[str]) -> bool:
    if not domain:
        return False
    given = domain.casefold().rstrip(".")
    return any(given == each or given.endswith("." + each) for each in wanted)


# --- words --------------------------------------------------------------------------------------------------------------


def _says(folded: str, words: RuleWords) -> bool:
    return (
        (not words.any or any(_pattern(phrase).search(folded) for phrase in words.any))
        and all(_pattern(phrase).search(folded) for phrase in words.all)
        and not any(_pattern(phrase).search(folded) for phrase in words.none)
    )


class _Reading:
    """The words of one conversation, folded when somebody asks for them, and once."""

    __slots__ = ("_facts", "_folded")

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._folded: dict[Where, str] = {}

    def folded(self, where: Where) -> str:
        if where not in self._folded:
            self._folded[where] = self._fold(where)
        return self._folded[where]

    def _fold(self, where: Where) -> str:
        if where == "both":
            # The bar is in no word: a phrase does not reach from the one into the other.
            return f"{self.folded('subject')}|{self.folded('text')}"
        return fold_words((self._facts.subject or "") if where == "subject" else self._facts.text)


# Letters that are the same to us; marks that stand inside words and combining marks that are part of no letter; what is not
# seen.
_NOT_LOOKED_AT = (*map(ord, "\u055b\u055c\u055e\u00ad\u200b\u200c\u200d\u2060\ufeff"), *range(0x0300, 0x0370))
_APOSTROPHE_LETTER = 0x02BC
_ALIKE: dict[int, str | None] = {ord("ı"): "i", _APOSTROPHE_LETTER: "'", **dict.fromkeys(_NOT_LOOKED_AT)}
_WORD = re.compile(r"[^\W_]+")
# Putting marks in their order takes the square of their number, so a text is taken in pieces that end with a word where
# there is one: 10,000 marks in a row would take seconds.
_PIECE = re.compile(r"(?s).{1,200}(?!\S)|.{1,200}")


def fold_words(text: str) -> str:
    """The words of a text, folded, each with a blank on both sides: `' where is my refund '`."""
    text = text[:TEXT_LENGTH]
    if text.isascii():
        text = text.casefold()
    else:
        pieces = (unicodedata.normalize("NFKC", piece).casefold() for piece in _PIECE.findall(text))
        # A compatibility form may be eighteen letters long (U+FDFA). To casefold և is եւ; in capitals most write ԵՎ.
        text = "".join(pieces)[: 2 * TEXT_LENGTH].translate(_ALIKE).replace("եվ", "եւ")
    return f" {' '.join(_WORD.findall(text))} "


@lru_cache(maxsize=2 * _PHRASES_LIMIT)
def _pattern(phrase: str) -> re.Pattern[str]:
    """Finds a phrase in a folded text. Made of escaped words and of runs that cannot reach beyond a word."""
    words = []
    for word in phrase.split():
        parts = [re.escape(part) for part in fold_words(word.removesuffix("*")).split()]
        if parts and word.endswith("*"):
            parts[-1] += "[^ ]*"
        words += parts
    return re.compile(f" {' '.join(words)} ")


# --- reading what people typed --------------------------------------------------------------------------------------------


def read_rules(mode: object, rules: object) -> RuleSet | Faults:
    """The rule set that is meant (`rules` as JSON has it), or every fault in it: `mode`, `rules.0.name`,
    `rules.2.when.words.any.1` …"""
    faults: dict[str, str] = {}
    if mode not in ("first", "all"):
        faults["mode"] = Sentence("is first or all")
    if not isinstance(rules, Sequence) or isinstance(rules, str):
        return Faults({**faults, "rules": Sentence("must be a list")})
    if len(rules) > RULES_LIMIT:
        return Faults({**faults, "rules": Sentence("are more than {count}", count=RULES_LIMIT)})
    read = [_read_rule(given, f"rules.{number}", mode == "first", faults) for number, given in enumerate(rules)]
    seen: set[str] = set()
    for number, rule in enumerate(read):
        if rule.id in seen:
            faults.setdefault(f"rules.{number}.id", Sentence("stands here twice"))
        seen.add(rule.id)
    words = [rule.when.words for rule in read if rule.when.words is not None]
    if sum(len(each.any) + len(each.all) + len(each.none) for each in words) > _PHRASES_LIMIT:
        faults.setdefault("rules", Sentence("have more than {count} words and phrases", count=_PHRASES_LIMIT))
    return Faults(faults) if faults else RuleSet("first" if mode == "first" else "all", tuple(read))


def write_rules(rules: RuleSet) -> list[dict[str, Any]]:
    """The rules as `read_rules` takes them: plain JSON."""
    return [asdict(rule) for rule in rules.rules]


def references(rules: RuleSet) -> Iterator[Reference]:
    """Everything that the rules name and that may be there or not."""
    for number, rule in enumerate(rules.rules):
        at, when, then = f"rules.{number}", rule.when, rule.then
        for place_, channel_id in enumerate(when.channel_ids):
            yield Reference(f"{at}.when.channel_ids.{place_}", rule.id, "channel", channel_id)
        if when.hours is not None:
            yield Reference(f"{at}.when.hours.calendar_id", rule.id, "calendar", when.hours.calendar_id)
        for place_, topic_id in enumerate(when.topic_ids):
            yield Reference(f"{at}.when.topic_ids.{place_}", rule.id, "topic", topic_id)
        if then.queue_id is not None:
            yield Reference(f"{at}.then.queue_id", rule.id, "queue", then.queue_id)
        for place_, each in enumerate(then.required):
            yield Reference(f"{at}.then.required.{place_}.skill_id", rule.id, "skill", each.skill_id)
        if then.topic_id is not None:
            yield Reference(f"{at}.then.topic_id", rule.id, "topic", then.topic_id)


def passing_over(rules: RuleSet, missing: Container[str]) -> RuleSet:
    """The set without the rules that name, in these fields, what is not there."""
    return replace(rules, broken={each.rule_id: each.field for each in references(rules) if each.field in missing})


class _Fields:
    """One object of what was typed: its known fields, read one by one; each fault is noted under its whole name. Null and
    what is left out are the same."""

    def __init__(self, given: object, name: str, known: Sequence[str], faults: dict[str, str]) -> None:
        self.name, self._faults = name, faults
        if not isinstance(given, Mapping):
            faults[name] = Sentence("must be an object")
        self._given: Mapping[Any, Any] = given if isinstance(given, Mapping) else {}
        for each in self._given:
            if each not in known:
                self.fault(str(each)[:60], Sentence("is not a known field"))

    def fault(self, field_name: str, words: str) -> None:
        self._faults.setdefault(f"{self.name}.{field_name}", words)

    def get(self, field_name: str) -> Any:
        return self._given.get(field_name)

    def whole(self, field_name: str, least: int, most: int) -> int | None:
        value = self.get(field_name)
        if value is None:
            return None
        if type(value) is not int:
            self.fault(field_name, Sentence("must be a whole number"))
        elif not least <= value <= most:
            self.fault(field_name, Sentence("is not between {least} and {most}", least=least, most=most))
        else:
            return value
        return None

    def flag(self, field_name: str) -> bool | None:
        value = self.get(field_name)
        if value is not None and not isinstance(value, bool):
            self.fault(field_name, Sentence("must be true or false"))
            return None
        return value

    def values(self, field_name: str, limit: int = _VALUES_LIMIT) -> list[Any]:
        value = self.get(field_name)
        if value is None:
            return []
        if not isinstance(value, Sequence) or isinstance(value, str):
            self.fault(field_name, Sentence("must be a list"))
            return []
        if len(value) > limit:
            self.fault(field_name, Sentence("are more than {count}", count=limit))
            return []
        return list(value)

    def texts(self, field_name: str, limit: int = _VALUES_LIMIT) -> list[tuple[str, str]]:
        """(field, text) of each."""
        found = []
        for number, value in enumerate(self.values(field_name, limit)):
            if isinstance(value, str) and value.strip():
                found.append((f"{field_name}.{number}", value.strip()))
            else:
                self.fault(f"{field_name}.{number}", Sentence("must not be empty"))
        return found

    def ids(self, field_name: str) -> tuple[int, ...]:
        found = []
        for number, value in enumerate(self.values(field_name)):
            if type(value) is int and value > 0:
                found.append(value)
            else:
                self.fault(f"{field_name}.{number}", Sentence("is not an id"))
        return tuple(dict.fromkeys(found))


_BIGGEST_ID = 2**63 - 1


def _read_rule(given: object, name: str, is_first: bool, faults: dict[str, str]) -> Rule:
    rule = _Fields(given, name, ("id", "name", "enabled", "when", "then"), faults)
    rule_id, title = rule.get("id"), rule.get("name")
    if not isinstance(rule_id, str) or not _ID.fullmatch(rule_id):
        rule.fault("id", Sentence("must be 1 to 60 letters, digits, - or _"))
        rule_id = f"?{name}"
    title = " ".join(title.split()) if isinstance(title, str) else ""
    if not title or len(title) > _NAME_LENGTH:
        rule.fault("name", Sentence("must be 1 to {count} characters", count=_NAME_LENGTH))
    enabled = rule.flag("enabled")
    when = _read_conditions(rule.get("when") or {}, f"{name}.when", is_first, faults)
    then = _read_effects(rule.get("then") or {}, f"{name}.then", when.hours, faults)
    return Rule(rule_id, title, enabled is not False, when, then)


def _read_conditions(given: object, name: str, is_first: bool, faults: dict[str, str]) -> RuleConditions:
    known = tuple(RuleConditions.__dataclass_fields__)
    when = _Fields(given, name, known, faults)
    kinds = []
    for field_name, text in when.texts("kinds"):
        if text in list(ChannelKind):
            kinds.append(ChannelKind(text))
        else:
            when.fault(field_name, Sentence("is no kind of channel: there are {known}", known=", ".join(ChannelKind)))
    languages = []
    for field_name, text in when.texts("languages"):
        language = text.lower().replace("_", "-")
        languages.append(language)
        if not _LANGUAGE.fullmatch(language):
            when.fault(field_name, Sentence("is not a language; one is written like en, hy or ka"))
    domains = []
    for field_name, text in when.texts("sender_domains"):
        domain = text.removeprefix("@").casefold().rstrip(".")
        domains.append(domain)
        if not _DOMAIN.fullmatch(domain) or len(domain) > 253:
            when.fault(field_name, Sentence("is not a domain; one is written like example.com"))
    topic_ids = when.ids("topic_ids")
    if topic_ids and is_first:
        when.fault("topic_ids", Sentence("can only be so where all rules are asked: nothing has set a topic before"))
    hours, words = when.get("hours"), when.get("words")
    return RuleConditions(
        channel_ids=tuple(dict.fromkeys(text for _, text in when.texts("channel_ids"))),
        kinds=tuple(dict.fromkeys(kinds)),
        hours=None if hours is None else _read_hours(hours, f"{name}.hours", faults),
        words=None if words is None else _read_words(words, f"{name}.words", faults),
        languages=tuple(dict.fromkeys(languages)),
        tier_at_least=when.whole("tier_at_least", 0, _HIGHEST_TIER),
        is_known=when.flag("is_known"),
        topic_ids=topic_ids,
        sender_domains=tuple(dict.fromkeys(domains)),
    )


def _read_hours(given: object, name: str, faults: dict[str, str]) -> RuleHours:
    hours = _Fields(given, name, ("calendar_id", "open"), faults)
    calendar_id, is_open = hours.whole("calendar_id", 1, _BIGGEST_ID), hours.flag("open")
    if calendar_id is None:
        hours.fault("calendar_id", Sentence("is required"))
    if is_open is None:
        hours.fault("open", Sentence("is required"))
    return RuleHours(calendar_id or 0, bool(is_open))


def _read_words(given: object, name: str, faults: dict[str, str]) -> RuleWords | None:
    words = _Fields(given, name, ("any", "all", "none", "where"), faults)
    where: Where = "both"
    wanted = words.get("where") or where
    if wanted in ("text", "subject", "both"):
        where = wanted
    else:
        words.fault("where", Sentence("is text, subject or both"))
    lists: dict[str, tuple[str, ...]] = {}
    for kind in ("any", "all", "none"):
        lists[kind] = tuple(dict.fromkeys(" ".join(text.split()) for _, text in words.texts(kind)))
        for field_name, text in words.texts(kind):
            _check_phrase(words, field_name, text)
    return RuleWords(**lists, where=where) if any(lists.values()) else None


def _check_phrase(words: _Fields, field_name: str, text: str) -> None:
    if len(text) > _PHRASE_LENGTH:
        words.fault(field_name, Sentence("must have at most {count} characters", count=_PHRASE_LENGTH))
    elif any("*" in word.removesuffix("*") for word in text.split()):
        words.fault(field_name, Sentence("has a * that does not stand at the end of a word"))
    elif any(not fold_words(word).strip() for word in text.split() if "*" in word) or not fold_words(text).strip():
        words.fault(field_name, Sentence("has no letters or digits in it"))


def _read_effects(given: object, name: str, hours: RuleHours | None, faults: dict[str, str]) -> RuleEffects:
    then = _Fields(given, name, tuple(RuleEffects.__dataclass_fields__), faults)
    tags = []
    for field_name, text in then.texts("tags", _TAGS_LIMIT):
        tags.append(" ".join(text.split()))
        if len(tags[-1]) > _TAG_LENGTH or not tags[-1].isprintable():
            then.fault(field_name, Sentence("must be 1 to {count} visible characters", count=_TAG_LENGTH))
    reply = then.get("auto_reply")
    if isinstance(reply, str):
        reply = reply.strip() or None
    if reply is not None:
        _check_reply(then, reply, hours)
    read = RuleEffects(
        queue_id=then.whole("queue_id", 1, _BIGGEST_ID),
        priority=then.whole("priority", *_PRIORITIES),
        required=_read_required(then, name, faults),
        tags=tuple(dict.fromkeys(tags)),
        topic_id=then.whole("topic_id", 1, _BIGGEST_ID),
        auto_reply=reply if isinstance(reply, str) else None,
    )
    if read == RuleEffects() and not any(field_name.startswith(f"{name}.") for field_name in faults):
        faults.setdefault(name, Sentence("says nothing: there must be something that the rule does"))
    return read


def _check_reply(then: _Fields, reply: object, hours: RuleHours | None) -> None:
    if not isinstance(reply, str):
        then.fault("auto_reply", Sentence("must be text"))
        return
    if len(reply) > _REPLY_LENGTH:
        then.fault("auto_reply", Sentence("must have at most {count} characters", count=_REPLY_LENGTH))
    unknown = [word for word in _PLACEHOLDER.findall(reply) if word not in PLACEHOLDERS]
    if unknown:
        then.fault(
            "auto_reply",
            Sentence(
                "{unknown} stands for nothing: there are {known}",
                unknown=f"{{{unknown[0][:30]}}}",
                known=", ".join(f"{{{each}}}" for each in PLACEHOLDERS),
            ),
        )
    if "{opens}" in reply and (hours is None or hours.open):
        then.fault(
            "auto_reply",
            Sentence("{placeholder} can only be told by a rule whose hours are closed", placeholder="{opens}"),
        )


def _read_required(then: _Fields, name: str, faults: dict[str, str]) -> tuple[RequirementView, ...]:
    levels: dict[int, int] = {}
    for number, given in enumerate(then.values("required", _REQUIRED_LIMIT)):
        each = _Fields(given, f"{name}.required.{number}", ("skill_id", "level"), faults)
        skill_id, level = each.whole("skill_id", 1, _BIGGEST_ID), each.whole("level", 1, 5)
        if skill_id is None:
            each.fault("skill_id", Sentence("is required"))
        elif level is None:
            each.fault("level", Sentence("is required"))
        elif skill_id in levels:
            each.fault("skill_id", Sentence("stands here twice"))
        else:
            levels[skill_id] = level
    return tuple(RequirementView(skill_id, level) for skill_id, level in levels.items())
