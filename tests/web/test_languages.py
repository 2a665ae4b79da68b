"""Whoever asks in one of the five languages is told in it what is wrong, in errors and in answers that tell of faults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from hub.domain.languages import STAFF_LANGUAGES, StaffLanguage
from hub.errors import Conflict
from hub.web.api import error_body
from tests.web.conftest import Call, Caller, People

pytestmark = pytest.mark.anyio

SCRIPTS = {"hy": "[Ա-և]", "uk": "[А-яіїєґ]", "ka": "[ა-ჰ]", "az": "[əğıöüşç]"}
TARGET = {"measure": "no_such", "scope": "queue", "scope_id": None, "target": 1, "warning": None}
FAR_DAYS = "/reports/figures?measures=offered&from=2026-05-09&to=2026-05-02"

# Who asks, what, and which fields are faulty: of pydantic's finding, of a report's, of a decision in the database.
ASKED: Mapping[str, tuple[str, str, Any, set[str]]] = {
    "a name that is too long": ("POST", "/queues", {"name": "q" * 200}, {"name"}),
    "days in the wrong order": ("GET", FAR_DAYS, None, {"from"}),
    "a target without a figure": ("POST", "/targets", TARGET, {"measure", "scope_id"}),
    "no word of a message": ("POST", "/bulk/conversations", {"ids": [1], "action": "tag"}, {"tags"}),
}


async def ask(caller: Caller, asked: str, language: str) -> Any:
    method, path, body, _ = ASKED[asked]
    return await caller.request(method, path, json=body, headers={"Accept-Language": language})


@pytest.mark.parametrize("asked", ASKED)
async def test_an_error_is_told_in_the_language_that_is_asked_for(call: Call, people: People, asked: str) -> None:
    admin = await call(people.admin)
    told: dict[StaffLanguage, dict[str, str]] = {}
    for language in STAFF_LANGUAGES:
        answer = await ask(admin, asked, language)
        assert answer.status_code == 422, answer.text
        assert answer.headers["content-language"] == language
        assert "accept-language" in answer.headers["vary"].lower()
        error = answer.json()
        assert error["code"] == "invalid"
        assert set(error["fields"]) == ASKED[asked][3]
        told[language] = error["fields"]
        if language != "en":
            for name, fault in error["fields"].items():
                assert re.search(SCRIPTS[language], fault), (language, fault)
                assert f"{name}: {fault}" in error["message"]
    assert len({tuple(fields.values()) for fields in told.values()}) == len(STAFF_LANGUAGES)


@pytest.mark.parametrize(
    ("header", "language"), [("hy-AM,hy;q=0.9,en;q=0.5", "hy"), ("fr, ka;q=0.5", "ka"), ("de", "en"), ("", "en")]
)
async def test_a_browsers_own_header_is_understood(call: Call, people: People, header: str, language: str) -> None:
    answer = await ask(await call(people.admin), "days in the wrong order", header)
    assert answer.headers["content-language"] == language


async def test_english_is_what_it_was(call: Call, people: People) -> None:
    error = (await ask(await call(people.admin), "days in the wrong order", "en")).json()
    assert error["fields"] == {"from": "must not be after the last day"}
    assert error["message"] == "from: must not be after the last day"


async def test_an_answer_that_tells_of_faults_tells_them_in_that_language(call: Call, people: People) -> None:
    admin = await call(people.admin)
    body = {"action": "resolve", "ids": [987_654]}
    for language in STAFF_LANGUAGES:
        headers = {"Accept-Language": language}
        answer = await admin.post(
            "/flows/check", {"body": {"start": "", "language": "en", "nodes": {}}}, headers=headers
        )
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-language"] == language
        assert answer.json()["fields"]
        (item,) = (await admin.post("/bulk/conversations", body, headers=headers)).json()["items"]
        assert item["code"] == "not_found"


def test_a_conflict_that_names_somebody_is_not_told_by_the_name_of_the_field() -> None:
    error = Conflict("already assigned to Ani", code="already_assigned", fields={"assignee": "Ani"})
    assert error_body(error, "uk")["message"] == error_body(error, "en")["message"] == "already assigned to Ani"


async def test_what_a_channel_needs_is_told_in_the_readers_language(call: Call, people: People) -> None:
    """Every label and help is put into another language, unless it is the same there ("SMS")."""
    admin = await call(people.admin)

    def texts(kinds: Any) -> list[str]:
        of_kinds = [text for kind in kinds for text in (kind["label"], kind["description"])]
        of_fields = [(field["label"], field["help"], field["group"]) for kind in kinds for field in kind["fields"]]
        return [*of_kinds, *(text for each in of_fields for text in each if text)]

    async def told(language: str) -> list[str]:
        answer = await admin.request("GET", "/channel-kinds", headers={"Accept-Language": language})
        return texts(answer.json()["items"])

    english = await told("en")
    assert len(english) > 100
    for language in STAFF_LANGUAGES[1:]:
        same = {text for text, other in zip(english, await told(language), strict=True) if text == other}
        assert same <= {"SMS", "Loopback"}, language
