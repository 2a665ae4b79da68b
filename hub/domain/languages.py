"""The languages in which people who work here are spoken to: the console's, the hub's mails to them. Pure.

The console's catalogues (web_console/src/i18n.ts) are the same; a test compares. Customers are another matter: what the hub
says to them is in surveys.words, routing.spoken_times, calls.phrases and mail.compose, and their cards may name any language.
"""

from __future__ import annotations

from typing import Literal, get_args

StaffLanguage = Literal["en", "uk", "hy", "ka", "az"]
STAFF_LANGUAGES: tuple[StaffLanguage, ...] = get_args(StaffLanguage)


def staff_language(wanted: str | None) -> StaffLanguage:
    """That of the five which `wanted` is (`hy-AM` is hy), English for any other: an account may be older than the list."""
    short = (wanted or "").replace("_", "-").partition("-")[0].lower()
    return next((each for each in STAFF_LANGUAGES if each == short), "en")
