"""The description is right, whole, and says all that the console's types are made from."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any, get_args

import pytest

from hub.app import ENDPOINTS
from hub.domain.events import HubEvent, VolatileEvent
from hub.web.openapi import document
from tests.web.conftest import Caller

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return document(ENDPOINTS)


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(inner) for inner in value.values()), set())
    return set().union(*(references(inner) for inner in value), set()) if isinstance(value, list) else set()


def test_each_endpoint_is_described(described: dict[str, Any]) -> None:
    operations = {(method.upper(), path) for path, operations in described["paths"].items() for method in operations}
    assert operations == {(item.method, item.template) for item in ENDPOINTS}


def test_operation_ids_are_unique_and_parameters_match_the_path(described: dict[str, Any]) -> None:
    ids = []
    for path, operations in described["paths"].items():
        for operation in operations.values():
            ids.append(operation["operationId"])
            named = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path))
            assert operation["summary"]
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    known = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    assert references(described) <= known


def test_who_may_call_is_described(described: dict[str, Any]) -> None:
    assert described["paths"]["/api/v1/session"]["post"]["security"] == []
    assert described["paths"]["/api/v1/users"]["get"]["security"] == [{"session": []}, {"apiKey": []}]
    assert described["paths"]["/api/v1/users"]["post"]["security"] == [{"session": [], "csrf": []}, {"apiKey": []}]
    assert described["paths"]["/api/v1/users"]["post"]["x-access"] == "admin"


@pytest.mark.parametrize(("name", "union"), [("HubEvent", HubEvent), ("VolatileEvent", VolatileEvent)])
def test_events_are_told_apart_by_their_kind(described: dict[str, Any], name: str, union: Any) -> None:
    schema = described["components"]["schemas"][name]
    assert schema["discriminator"]["propertyName"] == "kind"
    assert schema["discriminator"]["mapping"] == {
        event.KIND: f"#/components/schemas/{event.__name__}" for event in get_args(union)
    }


def test_frames_carry_events(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    assert schemas["EventsFrame"]["properties"]["events"]["items"] == {"$ref": "#/components/schemas/HubEvent"}
    assert {"$ref": "#/components/schemas/EventsFrame"} in schemas["Frame"]["anyOf"]


def test_answers_always_carry_all_their_fields_and_requests_need_not(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    assert set(schemas["EntryView"]["required"]) == set(schemas["EntryView"]["properties"])
    assert schemas["NewQueue"]["required"] == ["name"]
    assert schemas["NewQueue"]["additionalProperties"] is False
    assert schemas["ErrorBody"]["required"] == ["code", "message"]


def test_whatever_names_a_customer_says_whether_they_were_erased(described: dict[str, Any]) -> None:
    named = {
        name: set(shape["properties"])
        for name, shape in described["components"]["schemas"].items()
        if "customer_name" in shape.get("properties", {})
    }
    assert len(named) > 6
    assert [name for name, known in named.items() if "customer_is_erased" not in known] == []


def test_no_two_shapes_share_a_name(described: dict[str, Any]) -> None:
    """pydantic then writes out modules, or -Input and -Output: the console's types would have two names for a thing."""
    assert not [name for name in described["components"]["schemas"] if "-" in name or "__" in name]


async def test_document_is_served_to_anybody(as_nobody: Caller, described: dict[str, Any]) -> None:
    answer = await as_nobody.get("/api/openapi.json", root=True)
    assert answer.json() == described
    assert answer.json()["openapi"] == "3.1.0"


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: set[str] = set()
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links |= {given["href"] or ""} if tag == "a" else set()
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        self.inline += [tag] if tag == "style" or (tag == "script" and "src" not in given) else []


async def test_docs_page_shows_each_operation_under_the_strict_policy(as_nobody: Caller) -> None:
    answer = await as_nobody.get("/api/docs", root=True)
    page = Page(answer.text)
    assert answer.headers["content-type"].startswith("text/html")
    assert {item.name for item in ENDPOINTS} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert page.inline == []
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert (await as_nobody.get("/api/docs/docs.css", root=True)).headers["content-type"].startswith("text/css")
    assert "javascript" in (await as_nobody.get("/api/docs/docs.js", root=True)).headers["content-type"]
