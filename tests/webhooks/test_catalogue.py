"""What webhooks can tell: read from events of the stream, described in the docs, and checked as the docs say."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hub.app import ENDPOINTS
from hub.web import openapi
from hub.webhooks.catalogue import CATALOGUE, KINDS, Told, read
from hub.webhooks.signatures import new_secret, signed_headers

DOCS = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NOW = "2026-03-02T09:00:00Z"


def test_docs_tell_every_event_as_the_catalogue_does() -> None:
    rows = re.findall(r"^\| `([a-z_.]+)` \| (.+) \| (.+) \|$", DOCS, re.MULTILINE)
    wanted = [
        (name.value, about.words, ", ".join(f"`{field}` {view}" for field, view in about.data.items()))
        for name, about in CATALOGUE.items()
    ]
    assert rows == wanted
    assert set(CATALOGUE) == set(Told)


def test_views_in_bodies_are_those_of_the_api() -> None:
    named = {view for about in CATALOGUE.values() for view in about.data.values()} - {"integer"}
    schemas = openapi.document(ENDPOINTS)["components"]["schemas"]
    assert named <= set(schemas)


def test_the_check_that_the_docs_show_takes_what_the_hub_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    found = re.search(r"```python\n(.+?)```", DOCS, re.DOTALL)
    assert found is not None
    shown: dict[str, Any] = {}
    exec(found[1], shown)  # noqa: S102 - our own page
    monkeypatch.setattr(shown["time"], "time", lambda: AT.timestamp() + 60)
    old, new = new_secret(), new_secret()
    body = '{"type":"webhook.test","words":"Բարև"}'.encode()
    headers = dict(signed_headers([new, old], "msg_1", int(AT.timestamp()), body))
    check = shown["is_from_the_hub"]
    assert [check(secret, headers, body) for secret in (new, old, new_secret())] == [True, True, False]
    assert not check(new, headers, body + b" ")
    assert not check(new, {**headers, "webhook-id": "msg_2"}, body)
    monkeypatch.setattr(shown["time"], "time", lambda: AT.timestamp() + 301)
    assert not check(new, headers, body)


def test_the_example_of_the_specification_is_signed_as_it_is_there() -> None:
    """The content that the specification prints, by a secret of our own: id, timestamp and body between full stops."""
    import base64
    import hashlib
    import hmac

    body = b'{"type":"contact.created","data":{"id":"1f81eb52-5198-4599-803e-771906343485"}}'
    content = b"msg_2KWPBgLlAfxdpx2AI54pPJ85f4W.1674087231." + body
    secret = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
    digest = hmac.new(b"0123456789abcdef0123456789abcdef", content, hashlib.sha256).digest()
    headers = signed_headers([secret], "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", 1674087231, body)
    assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()


def told(kind: str, **event: Any) -> list[tuple[str, str]]:
    return [(one.told.value, one.key) for one in read(kind, AT, 7, json.dumps(event))]


CONVERSATION: dict[str, Any] = {
    "id": 3,
    "queue_id": 1,
    "channel_id": "sms",
    "assignee_id": None,
    "assigned_at": None,
    "created_at": NOW,
    "version": 5,
}
OPENED = ("conversation.opened", "conversation:3:opened")
CHANGED = ("conversation.changed", "conversation:3:5")
MINE = {**CONVERSATION, "assignee_id": 2, "assigned_at": NOW}
ASSIGNED = ("conversation.assigned", f"conversation:3:2:{NOW}")


def line(kind: str, direction: str = "internal", happening: str | None = None) -> dict[str, Any]:
    return {"id": 9, "conversation_id": 3, "kind": kind, "direction": direction, "happening": happening}


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        (line("message", "in"), [("message.received", "entry:9")]),
        (line("message", "out"), []),
        (line("note"), [("note.added", "entry:9")]),
        (line("event", happening="resolved"), [("conversation.resolved", "entry:9")]),
        (line("event", happening="reopened"), [("conversation.reopened", "entry:9")]),
        (line("event", happening="transferred"), [("conversation.transferred", "entry:9")]),
        (line("event", happening="escalated"), [("escalation.fired", "entry:9")]),
        (line("event", happening="tagged"), [CHANGED]),
        (line("event", happening="missed"), []),
    ],
)
def test_a_line_tells_what_came_about(entry: dict[str, Any], wanted: list[tuple[str, str]]) -> None:
    assert told("entry.added", entry=entry, conversation=CONVERSATION) == [OPENED, *wanted]


def test_every_view_of_a_conversation_says_when_it_began_and_who_has_it() -> None:
    assert told("conversation.changed", conversation=MINE) == [OPENED, ASSIGNED, CHANGED]


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        ("queued", []),
        ("uncertain", []),
        ("sent", ["sent"]),
        ("delivered", ["sent", "delivered"]),
        ("read", ["sent", "delivered", "read"]),
        ("failed", [f"failed:{NOW}"]),
    ],
)
def test_what_is_delivered_was_sent(state: str, wanted: list[str]) -> None:
    entry = {**line("message", "out"), "channel_id": "sms", "delivery": {"state": state, "at": NOW}}
    keys = [key.removeprefix("entry:9:") for _, key in told("entry.changed", entry=entry)]
    assert [key.removeprefix("message.") for key in keys] == wanted
    assert told("entry.changed", entry={**entry, "delivery": None}) == []


def test_a_call_tells_its_moments_and_its_recordings() -> None:
    stored = {"id": 4, "state": "stored", "started_at": NOW}
    call: dict[str, Any] = {"id": 8, "conversation_id": 3, "queue_id": None, "channel_id": "line", "started_at": NOW}
    call |= {"answered_at": NOW, "hung_up_at": None, "ended_at": None, "recordings": [{**stored, "state": "fetching"}]}
    assert [name for name, _ in told("call.changed", call=call)] == ["call.started", "call.answered"]
    over = {**call, "hung_up_at": NOW, "ended_at": NOW, "recordings": [stored]}
    assert [name for name, _ in told("call.changed", call=over)][2:] == [
        "call.ended",
        "call.completed",
        "recording.ready",
    ]


def test_a_task_tells_that_it_is_given_due_and_done_each_time() -> None:
    task = {"id": 5, "created_at": NOW, "fired_at": None, "ended_at": None}
    assert told("task.changed", task=task) == [("task.created", f"task:5:created_at:{NOW}")]
    later = {**task, "fired_at": "2026-03-02T10:00:00Z"}
    again = {**task, "fired_at": "2026-03-03T10:00:00Z", "ended_at": "2026-03-03T11:00:00Z"}
    assert [name for name, _ in told("task.changed", task=again)] == ["task.created", "task.due", "task.ended"]
    assert told("task.changed", task=later)[1] != told("task.changed", task=again)[1]


def test_an_agents_load_is_no_news_and_another_reason_is() -> None:
    agent = {"user_id": 2, "state": "away", "reason": "lunch", "state_since": NOW}
    [(_, lunch)] = told("agent.changed", agent={**agent, "load": 0})
    [(_, busier)] = told("agent.changed", agent={**agent, "load": 50})
    [(_, training)] = told("agent.changed", agent={**agent, "reason": "training"})
    assert lunch == busier != training


def test_no_event_is_read_that_tells_nothing() -> None:
    assert len(set(KINDS)) == len(KINDS)
    assert read("queue.changed", AT, 1, "{}") == []
