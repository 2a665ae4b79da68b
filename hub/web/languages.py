"""What is said to people here in their language: the catalogues of the hub's sentences (hub.domain.sentences), beside this.

Each is English template → text, in the order of the templates; a test finds what is missing in them and what nobody says.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from hub.domain import sentences
from hub.domain.languages import StaffLanguage
from hub.domain.sentences import Catalogue


def in_language(text: str, language: StaffLanguage) -> str:
    """A sentence in another language; any other text, and what its catalogue does not have, as it is."""
    return sentences.in_language(text, language, catalogue(language))


@cache
def catalogue(language: StaffLanguage) -> Catalogue:
    """Empty for English, which the sentences are written in."""
    if language == "en":
        return {}
    path = Path(__file__).with_name(f"sentences_{language}.json")
    found: dict[str, str | dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return found
