"""The languages in which people who work here are spoken to: the console's, the hub's mails to them. Pure.

The console's catalogues (web_console/src/i18n.ts) are the same; a test compares. Customers are another matter: what the hub
says to them is in surveys.words, routing.spoken_times, calls.phrases and mail.compose, and their cards may name any language.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

StaffLanguage = Literal["en", "uk", "hy", "ka", "az"]
# Of a header nobody reads more.
_HEADER_LENGTH = 200
_WEIGHT = re.compile(r"[01](\.[0-9]{0,3})?")
STAFF_LANGUAGES: tuple[StaffLanguage, ...] = get_args(StaffLanguage)


def staff_language(wanted: str | None) -> StaffLanguage:
    """That of the five which `wanted` is (`hy-AM` is hy), English for any other: an account may be older than the list."""
    short = (wanted or "").replace("_", "-").partition("-")[0].lower()
    return next((each for each in STAFF_LANGUAGES if each == short), "en")


def accepted_language(header: str) -> StaffLanguage:
    """Which of the five somebody likes best, by an Accept-Language header (RFC 9110, 12.5.4); English if it names none."""
    best: StaffLanguage = "en"
    best_weight = 0.0
    for each in header[:_HEADER_LENGTH].split(","):
        tag, _, parameters = each.strip().partition(";")
        short = tag.strip().partition("-")[0].lower()
        weight = _weight(parameters)
        for language in STAFF_LANGUAGES:
            if language == short and weight > best_weight:
                best, best_weight = language, weight
    return best


def _weight(parameters: str) -> float:
    name, _, number = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    return float(number) if _WEIGHT.fullmatch(number.strip()) else 0.0
