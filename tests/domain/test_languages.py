"""The five languages of those who work here: every text that the hub itself says to people has all of them."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from hub.agents import link_mails, set_up
from hub.calls import phrases
from hub.domain.languages import STAFF_LANGUAGES, StaffLanguage, staff_language
from hub.kpi import measure_words, tellings
from hub.kpi.measures import DEFAULTS, MEASURES
from hub.kpi.moments import MOMENTS
from hub.mail import compose
from hub.reports import mail
from hub.routing import spoken_times
from hub.surveys import words
from hub.timeline import canned_replies
from hub.webhooks import sending

CONSOLE = Path(__file__).parents[2] / "web_console" / "src"
SPOKEN: dict[str, Mapping[Any, Any]] = {
    "invitations and passwords": link_mails._WORDS,
    "limits": tellings._WORDS,
    "units of limits": measure_words.UNITS,
    "webhooks": sending._WORDS,
    "reports": mail._LANGUAGES,
    "the first queue": set_up._FIRST_QUEUE,
    "quoted mails": compose._LANGUAGES,
    "times": spoken_times._WORDS,
    "the line": phrases.PHRASES,
    "survey questions": words._ASKED,
    "surveys by SMS": words._BY_SMS,
    "surveys by key": words._BY_KEY,
    "the ten by key": words._TEN_BY_KEY,
    "tests by SMS": words._TEST_BY_SMS,
    "survey pages": words._PAGES,
    "samples": canned_replies._SAMPLE_NAMES,
}


def _texts(said: object, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(said, str):
        yield path, said
    elif isinstance(said, Mapping):
        for key, value in said.items():
            yield from _texts(value, f"{path}.{key}")
    elif is_dataclass(said) and not isinstance(said, type):
        yield from _texts(asdict(said), path)
    elif isinstance(said, tuple | list):
        for place, value in enumerate(said):
            yield from _texts(value, f"{path}.{place}")


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("what", SPOKEN)
def test_what_the_hub_says_is_said_in_every_language(what: str) -> None:
    said = SPOKEN[what]
    english = dict(_texts(said["en"]))
    assert english
    for language in STAFF_LANGUAGES:
        texts = dict(_texts(said[language]))
        assert texts.keys() == english.keys(), language
        assert [path for path, text in texts.items() if not text.strip()] == []
        named = {path: _placeholders(text) for path, text in texts.items()}
        # A month before its year is still a date: what is filled in is the same, in whatever order.
        assert named == {path: _placeholders(text) for path, text in english.items()}, language


_LETTERS = {
    "uk": re.compile(r"[а-щьюяєіїґ]", re.IGNORECASE),
    "hy": re.compile(r"[\u0531-\u0587]"),
    "ka": re.compile(r"[\u10d0-\u10ff]"),
    "az": re.compile(r"[a-zəğıöüçş]", re.IGNORECASE),
}


@pytest.mark.parametrize("what", SPOKEN)
def test_each_language_is_written_in_its_letters(what: str) -> None:
    english = dict(_texts(SPOKEN[what]["en"]))
    for language, letters in _LETTERS.items():
        for path, text in _texts(SPOKEN[what][language]):
            bare = re.sub(r"\{\w*\}", "", text)
            # Of units and of what is filled in alone nothing is left to read.
            if re.search(r"\w{2}", bare) and text != english[path]:
                assert letters.search(bare), (language, path, text)
            if language == "uk":
                assert not re.search("[ыэёъ]", text, re.IGNORECASE), text


def test_the_console_speaks_the_same_languages() -> None:
    source = (CONSOLE / "i18n.ts").read_text(encoding="utf-8")
    listed = re.search(r"LANGUAGES = \{(.*?)\}", source, re.DOTALL)
    assert listed is not None
    assert set(re.findall(r"(\w+):", listed[1])) == set(STAFF_LANGUAGES)
    assert {each.stem for each in (CONSOLE / "locales").glob("*.json")} == set(STAFF_LANGUAGES)


@pytest.mark.parametrize("language", [each for each in STAFF_LANGUAGES if each != "en"])
def test_figures_are_called_in_mails_as_in_the_console(language: StaffLanguage) -> None:
    catalogue = json.loads((CONSOLE / "locales" / f"{language}.json").read_text(encoding="utf-8"))
    assert measure_words._words(language) == {"names": catalogue["measure_name"], "meanings": catalogue["measure"]}
    assert MEASURES.keys() | MOMENTS.keys() <= catalogue["measure_name"].keys() & catalogue["measure"].keys()
    for measure in MEASURES:
        assert "{" not in measure_words.measure_meaning(measure, language, DEFAULTS)


@pytest.mark.parametrize(
    ("wanted", "spoken"),
    [("uk", "uk"), ("hy-AM", "hy"), ("AZ_az", "az"), ("ka-GE", "ka"), ("de", "en"), ("", "en"), (None, "en")],
)
def test_another_language_is_english(wanted: str | None, spoken: str) -> None:
    assert staff_language(wanted) == spoken
