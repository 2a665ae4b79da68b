"""Figures in the languages of those who work here, for mails: what each is called and what it means.

The words are those of the console's catalogues (`measure_name`, `measure`), which the hub does not have when it runs; a test
compares the two. English is the registry's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from hub.domain.languages import StaffLanguage
from hub.kpi.live_figures import name_of
from hub.kpi.measures import MEASURES, Params

# Hours, minutes and seconds.
UNITS: Mapping[StaffLanguage, tuple[str, str, str]] = {
    "en": ("h", "min", "s"),
    "uk": ("год", "хв", "с"),
    "hy": ("ժ", "ր", "վրկ"),
    "ka": ("სთ", "წთ", "წმ"),
    "az": ("saat", "dəq", "san"),
}


def seconds_text(seconds: float, language: StaffLanguage) -> str:
    """1 h 2 min 5 s."""
    whole = round(seconds)
    hour, minute, second = UNITS[language]
    parts = [(whole // 3600, hour), (whole // 60 % 60, minute), (whole % 60, second)]
    return " ".join(f"{number} {name}" for number, name in parts if number) or f"0 {second}"


def measure_name(figure: str, language: StaffLanguage) -> str:
    """Of a measure or a figure of a moment, by its id."""
    return name_of(figure) if language == "en" else _words(language)["names"].get(figure) or name_of(figure)


def measure_meaning(measure: str, language: StaffLanguage, params: Params) -> str:
    """Its formula in words, with the bounds it was counted with."""
    said = None if language == "en" else _words(language)["meanings"].get(measure)
    if said is None:
        return MEASURES[measure].formula
    bounds = {
        "threshold": seconds_text(params.threshold_s, language),
        "short": seconds_text(params.short_s, language),
        "days": str(params.days),
    }
    for name, bound in bounds.items():
        said = said.replace(f"{{{name}}}", bound)
    return said


@cache
def _words(language: StaffLanguage) -> Mapping[str, Mapping[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(_path(language).read_text(encoding="utf-8"))
    return found


def _path(language: StaffLanguage) -> Path:
    return Path(__file__).with_name(f"measure_words_{language}.json")
