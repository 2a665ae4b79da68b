"""The links of a survey by mail: signed, so that nobody can make one, and written into the mail only as it leaves, so that no
agent can press one.

    /s/{token}   token = the survey's number and its signature; `?score=4` is the choice that the mail's reader made

A link ends with its survey (`expires_at`), and with the survey's row. A test's link names no survey but the setting it shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.domain.values import SurveyKind
from hub.store.vault import Vault
from hub.surveys import words

_PURPOSE = "survey"
_TEST = "t"
# A 64-bit number, a dot, 22 characters of signature.
TOKEN_LIMIT = 60


@dataclass(frozen=True, slots=True)
class Named:
    """What a good token names: a survey, or (a test) the kind and the language that are shown."""

    survey_id: int | None
    kind: SurveyKind = SurveyKind.CSAT
    language: str = "en"


def token_of(vault: Vault, survey_id: int) -> str:
    return f"{survey_id}.{vault.sign(_PURPOSE, str(survey_id))}"


def test_token(vault: Vault, kind: SurveyKind, language: str) -> str:
    name = f"{_TEST}-{kind.value}-{language}"
    return f"{name}.{vault.sign(_PURPOSE, name)}"


def read_token(vault: Vault, token: str) -> Named | None:
    """None for what we did not sign."""
    name, dot, signature = token.partition(".")
    if not dot or len(token) > TOKEN_LIMIT or not vault.is_signed(_PURPOSE, name, signature):
        return None
    if name.isascii() and name.isdecimal():
        return Named(int(name))
    _, kind, language = name.split("-")
    return Named(None, SurveyKind(kind), language)


def letter(told: Mapping[str, str | int | None], question: str, vault: Vault, public_url: str) -> str:
    """The text of the mail; `told` is what the survey's line of the timeline says of itself (surveys.asking)."""
    url = f"{public_url}/s/{token_of(vault, int(told['survey_id'] or 0))}"
    return words.letter(SurveyKind(str(told["survey"])), str(told["language"]), question, url)
