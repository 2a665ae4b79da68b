"""Menus and their sounds by the API: kept in versions, refused at the node, tried out, not removed while in use."""

from __future__ import annotations

import io
import wave
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from hub.app import Hub
from hub.calls import flows, sounds
from hub.calls.flow import Spoken
from hub.channels.voice import Prompt
from hub.store import tables
from hub.store.database import Tx
from tests.support.clock import FrozenClock
from tests.web.conftest import PUBLIC_URL, Call, Caller, People

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
NEVER_OPEN_TODAY = {"name": "Sundays", "zone": "UTC", "week": [[]] * 6 + [[["09:00", "18:00"]]], "special": []}


def said(text: str, sound_id: int | None = None) -> list[Json]:
    return [{"text": text, "language": "en", "sound_id": sound_id}]


def say(next_: str, text: str = "Welcome.", sound_id: int | None = None) -> Json:
    return {"kind": "say", "title": "", "said": said(text, sound_id), "next": next_}


def menu(queue_id: int, **nodes: Json) -> Json:
    """A greeting, and a choice between the queue and a goodbye."""
    return {
        "start": "hello",
        "language": "en",
        "nodes": {
            "hello": say("main"),
            "main": {
                "kind": "menu",
                "title": "Main menu",
                "choices": [
                    {"key": "1", "label": "Sales", "words": ["sales"], "to": "sales"},
                    {"key": "2", "label": "", "words": [], "to": "end"},
                ],
                "tries": 2,
                "timeout_s": 6,
                "otherwise": "sales",
                "said": said("Press 1 for sales."),
            },
            "sales": {"kind": "queue", "title": "", "queue_id": queue_id, "after_s": 60, "else": "end", "said": []},
            "end": {"kind": "hang_up", "title": "", "said": []},
            **nodes,
        },
    }


def wav(seconds: float = 0.5) -> bytes:
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setparams((1, 2, 8_000, 0, "NONE", ""))
        file.writeframes(b"\x00\x10" * int(8_000 * seconds))
    return written.getvalue()


async def made(caller: Caller, body: Json, name: str = "Main menu") -> Json:
    answer = await caller.post("/flows", {"name": name, "body": body})
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


async def uploaded(caller: Caller, name: str = "greeting.wav", content: bytes | None = None, **query: str) -> Any:
    files = {"file": (name, content if content is not None else wav(), "audio/wav")}
    return await caller.request("POST", "/sounds", files=files, params=query)


def path_of(url: str) -> str:
    return url.removeprefix(PUBLIC_URL)


async def give_to_line(hub: Hub, flow_id: int, queue_id: int) -> None:
    def write(tx: Tx) -> None:
        row = {"id": "line", "kind": "phone", "name": "Main number", "queue_id": queue_id, "flow_id": flow_id}
        tx.execute(insert(tables.channel).values(**row, settings={}, secrets="", health_since=tx.now))

    await hub.database.transaction(write)


# --- menus --------------------------------------------------------------------------------------------------------------


async def test_a_menu_is_made_shown_changed_and_removed(as_admin: Caller, call: Call, people: People, hub: Hub) -> None:
    body = menu(people.sales_id)
    first = await made(as_admin, body)
    assert first == {
        "id": first["id"],
        "name": "Main menu",
        "version": 1,
        "body": body,
        "lines": [],
        "missing": {},
    }
    path = f"/flows/{first['id']}"
    as_supervisor = await call(people.supervisor)
    assert (await as_supervisor.get(path)).json() == first
    assert (await as_supervisor.get("/flows")).json()["items"] == [first]
    changed = await as_admin.patch(path, {"name": "Number one", "expected_version": 1})
    assert (changed.json()["version"], changed.json()["name"]) == (2, "Number one")
    assert (await as_admin.patch(path, {"name": "Number one"})).json()["version"] == 2, "nothing has changed"
    assert (await as_admin.delete(path)).status_code == 204
    assert [(await as_admin.get(path)).status_code, (await as_admin.delete(path)).status_code] == [404, 404]


async def test_a_call_goes_on_in_the_version_in_which_it_began(as_admin: Caller, people: People, hub: Hub) -> None:
    first = await made(as_admin, menu(people.sales_id))
    shorter = {"start": "end", "language": "en", "nodes": {"end": {"kind": "hang_up"}}}
    answer = await as_admin.patch(f"/flows/{first['id']}", {"body": shorter, "expected_version": 1})
    assert answer.json()["version"] == 2
    then = await hub.database.read(flows.load_version, first["id"], 1)
    now = await hub.database.read(flows.current, first["id"])
    assert then is not None
    assert now is not None
    assert (then.start, now[0], now[1].start) == ("hello", 2, "end")
    await as_admin.delete(f"/flows/{first['id']}")
    assert await hub.database.read(flows.load_version, first["id"], 1) is None
    assert await hub.database.read(flows.current, first["id"]) is None


async def test_two_who_change_a_menu_at_once_are_told(as_admin: Caller, people: People) -> None:
    first = await made(as_admin, menu(people.sales_id))
    path = f"/flows/{first['id']}"
    await as_admin.patch(path, {"name": "One", "expected_version": 1})
    late = await as_admin.patch(path, {"name": "Two", "expected_version": 1})
    assert (late.status_code, late.json()["code"]) == (409, "version_conflict")


async def test_a_name_is_given_once(as_admin: Caller, people: People) -> None:
    await made(as_admin, menu(people.sales_id))
    again = await as_admin.post("/flows", {"name": "Main menu", "body": menu(people.sales_id)})
    assert (again.status_code, again.json()["fields"]) == (409, {"name": "is taken"})
    other = await made(as_admin, menu(people.sales_id), "Other")
    taken = await as_admin.patch(f"/flows/{other['id']}", {"name": "Main menu"})
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")


async def test_faults_are_named_at_their_node(as_admin: Caller, people: People) -> None:
    body = menu(999_999, hello=say("hello"), lost={"kind": "hours", "calendar_id": 77, "open": "end", "closed": ""})
    refused = await as_admin.post("/flows", {"name": "Broken", "body": body})
    assert refused.status_code == 422
    assert refused.json()["fields"] == {"body.nodes.lost.closed": "leads nowhere: say how it goes on"}
    body["nodes"]["lost"]["closed"] = "end"
    checked = await as_admin.post("/flows/check", {"body": body})
    assert set(checked.json()["fields"]) == {
        "body.nodes.hello.next",
        "body.nodes.main",
        "body.nodes.sales",
        "body.nodes.end",
        "body.nodes.lost",
    }


async def test_what_a_menu_names_must_be_there(as_admin: Caller) -> None:
    body = menu(
        999_999,
        hello=say("when", sound_id=888_888),
        when={"kind": "hours", "calendar_id": 777_777, "open": "main", "closed": "end"},
    )
    checked = await as_admin.post("/flows/check", {"body": body})
    assert checked.json()["fields"] == {
        "body.nodes.hello.said.0.sound_id": "there is no such sound",
        "body.nodes.when.calendar_id": "there are no such business hours",
        "body.nodes.sales.queue_id": "there is no such queue",
    }
    refused = await as_admin.post("/flows", {"name": "Broken", "body": body})
    assert (refused.status_code, refused.json()["fields"]) == (422, checked.json()["fields"])


async def test_a_menu_without_faults_is_told_so(as_admin: Caller, people: People) -> None:
    assert (await as_admin.post("/flows/check", {"body": menu(people.sales_id)})).json() == {"fields": {}}


@pytest.mark.parametrize("body", [None, 7, "menu", [], {}, {"nodes": {"a": 1}}, {"start": [], "nodes": {"a": {}}}])
async def test_what_is_no_menu_is_refused(as_admin: Caller, body: Any) -> None:
    assert (await as_admin.post("/flows", {"name": "None", "body": body})).status_code == 422


async def test_a_menu_of_a_line_is_not_removed(as_admin: Caller, people: People, hub: Hub) -> None:
    first = await made(as_admin, menu(people.sales_id))
    await give_to_line(hub, first["id"], people.sales_id)
    path = f"/flows/{first['id']}"
    assert (await as_admin.get(path)).json()["lines"] == [{"id": "line", "name": "Main number"}]
    refused = await as_admin.delete(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
    assert refused.json()["fields"] == {"channels": "Main number"}


async def test_hours_that_a_menu_asks_are_not_removed(as_admin: Caller, people: People) -> None:
    hours = (await as_admin.post("/calendars", NEVER_OPEN_TODAY)).json()
    when = {"kind": "hours", "calendar_id": hours["id"], "open": "main", "closed": "end"}
    first = await made(as_admin, menu(people.sales_id, hello=say("when"), when=when))
    refused = await as_admin.delete(f"/calendars/{hours['id']}")
    assert (refused.status_code, refused.json()["fields"]) == (409, {"flows": "Main menu"})
    await as_admin.delete(f"/flows/{first['id']}")
    assert (await as_admin.delete(f"/calendars/{hours['id']}")).status_code == 204


async def test_what_is_gone_all_the_same_is_told_and_passed_over(as_admin: Caller, people: People, hub: Hub) -> None:
    first = await made(as_admin, menu(people.sales_id))

    def remove_queue_from_body(tx: Tx) -> None:
        body = menu(999_999, hello=say("main", "Hello.", 888_888))
        tx.execute(update(tables.flow_version).values(body=body))

    await hub.database.transaction(remove_queue_from_body)
    shown = (await as_admin.get(f"/flows/{first['id']}")).json()
    assert shown["missing"] == {
        "nodes.hello.said.0.sound_id": "there is no such sound",
        "nodes.sales.queue_id": "there is no such queue",
    }
    prompts = await hub.database.read(sounds.prompts, (Spoken("Hello.", "en", 888_888), Spoken("", "en", 888_888)))
    assert prompts == (Prompt("Hello.", "en"),)


async def test_a_menu_that_cannot_be_read_stops_no_caller_and_can_be_mended(
    as_admin: Caller, people: People, hub: Hub
) -> None:
    first = await made(as_admin, menu(people.sales_id))
    await hub.database.transaction(lambda tx: tx.execute(update(tables.flow_version).values(body={"old": 1})))
    assert await hub.database.read(flows.current, first["id"]) is None
    shown = (await as_admin.get(f"/flows/{first['id']}")).json()
    assert (shown["body"]["nodes"], shown["missing"]) == ({}, {"nodes": "cannot be read any more"})
    mended = await as_admin.patch(f"/flows/{first['id']}", {"body": menu(people.sales_id), "expected_version": 1})
    assert (mended.json()["version"], mended.json()["missing"]) == (2, {})


# --- trying out ---------------------------------------------------------------------------------------------------------


async def test_a_menu_is_tried_out_key_by_key(as_admin: Caller, call: Call, people: People) -> None:
    first = await made(as_admin, menu(people.sales_id))
    path = f"/flows/{first['id']}/try"
    as_supervisor = await call(people.supervisor)
    begun = (await as_supervisor.post(path, {})).json()["heard"]
    assert [(each["kind"], each["said"][0]["text"]) for each in begun] == [
        ("tell", "Welcome."),
        ("ask", "Press 1 for sales."),
    ]
    assert begun[-1]["keys"] == ["1", "2"]
    heard = (await as_supervisor.post(path, {"steps": ["9", "1", "wait"]})).json()["heard"]
    assert [each["node"] for each in heard] == ["hello", "main", "main", "sales", "end"]
    assert [each["phrase"] for each in heard[2]["said"]] == ["not_understood", ""]
    assert (heard[3]["queue_id"], heard[3]["after_s"], heard[3]["chosen"]) == (people.sales_id, 60, ["Sales"])
    assert heard[4]["said"][0]["phrase"] == "goodbye"


async def test_an_unsaved_menu_is_tried_out_at_any_time(as_admin: Caller, people: People) -> None:
    hours = (await as_admin.post("/calendars", NEVER_OPEN_TODAY)).json()
    when = {"kind": "hours", "calendar_id": hours["id"], "open": "main", "closed": "tone"}
    body = menu(people.sales_id, hello=say("when"), when=when, tone={"kind": "voicemail", "limit_s": 60})
    now = (await as_admin.post("/flows/try", {"body": body})).json()["heard"]
    assert [(each["kind"], each["limit_s"]) for each in now] == [("tell", None), ("voicemail", 60)]
    sunday = (await as_admin.post("/flows/try", {"body": body, "at": "2026-03-08T10:00:00Z"})).json()["heard"]
    assert [each["kind"] for each in sunday] == ["tell", "ask"]
    assert (await as_admin.get("/flows")).json()["items"] == []


async def test_a_menu_with_faults_is_not_tried_out(as_admin: Caller) -> None:
    body = {"start": "a", "nodes": {"a": say("a")}}
    refused = await as_admin.post("/flows/try", {"body": body})
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["body.nodes.a.next"])


async def test_a_caller_who_hides_the_number_is_tried_out(as_admin: Caller, people: People) -> None:
    body = menu(people.sales_id, hello={"kind": "callback", "otherwise": "main", "queue_id": None})
    known = (await as_admin.post("/flows/try", {"body": body})).json()["heard"]
    hidden = (await as_admin.post("/flows/try", {"body": body, "hides_number": True})).json()["heard"]
    assert ([each["kind"] for each in known], [each["kind"] for each in hidden]) == (["callback"], ["ask"])


@pytest.mark.parametrize(
    "wrong", [{"at": "2026-03-08T10:00:00"}, {"steps": ["1"] * 101}, {"steps": [1]}, {"steps": "1"}, {"at": "noon"}]
)
async def test_a_trial_is_asked_for_in_order(as_admin: Caller, people: People, wrong: Json) -> None:
    answer = await as_admin.post("/flows/try", {"body": menu(people.sales_id), **wrong})
    assert answer.status_code == 422


async def test_a_trial_of_nothing_is_not_found(as_admin: Caller) -> None:
    assert (await as_admin.post("/flows/999999/try", {})).status_code == 404


# --- sounds -------------------------------------------------------------------------------------------------------------


async def test_a_sound_is_uploaded_played_and_removed(as_admin: Caller, call: Call, people: People, hub: Hub) -> None:
    sound = (await uploaded(as_admin, language="hy")).json()
    assert (sound["name"], sound["language"], sound["media_type"]) == ("greeting", "hy", "audio/wav")
    assert (sound["duration_s"], sound["used_by"]) == (pytest.approx(0.5, abs=0.01), [])
    as_supervisor = await call(people.supervisor)
    assert (await as_supervisor.get("/sounds")).json()["items"] == [sound]
    played = await as_supervisor.get(f"/sounds/{sound['id']}/content")
    assert (played.status_code, played.headers["content-type"], played.content[:4]) == (200, "audio/wav", b"RIFF")
    assert len(played.content) == sound["size_bytes"]
    part = await as_supervisor.request("GET", f"/sounds/{sound['id']}/content", headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"RIFF")
    assert (await as_admin.delete(f"/sounds/{sound['id']}")).status_code == 204
    assert [path for path in hub.settings.files_dir.rglob("*") if path.is_file()] == []
    assert (await as_admin.delete(f"/sounds/{sound['id']}")).status_code == 404


async def test_what_is_no_sound_is_refused_by_its_field(as_admin: Caller, hub: Hub) -> None:
    refused = await uploaded(as_admin, content=b"#EXTM3U\nhttp://127.0.0.1/\n")
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["file"])
    assert not hub.settings.files_dir.exists()


async def test_a_sound_has_a_name_of_its_own_and_a_language(as_admin: Caller) -> None:
    await uploaded(as_admin)
    assert (await uploaded(as_admin)).json()["fields"] == {"name": "is taken"}
    assert (await uploaded(as_admin, name="x.wav", language="Klingon!")).status_code == 422
    refused = await as_admin.request(
        "POST", "/sounds", files={"file": ("a.wav", wav(), "audio/wav")}, params={"name": "x" * 61}
    )
    assert list(refused.json()["fields"]) == ["name"]


async def test_a_sound_of_a_menu_is_not_removed(as_admin: Caller, people: People) -> None:
    sound = (await uploaded(as_admin)).json()
    first = await made(as_admin, menu(people.sales_id, hello=say("main", "", sound["id"])))
    assert (await as_admin.get("/sounds")).json()["items"][0]["used_by"] == ["Main menu"]
    refused = await as_admin.delete(f"/sounds/{sound['id']}")
    assert (refused.status_code, refused.json()["fields"]) == (409, {"flows": "Main menu"})
    await as_admin.patch(f"/flows/{first['id']}", {"body": menu(people.sales_id)})
    assert (await as_admin.delete(f"/sounds/{sound['id']}")).status_code == 204


async def test_a_line_is_told_the_file_and_its_provider_may_fetch_it(
    as_admin: Caller, as_nobody: Caller, hub: Hub, clock: FrozenClock
) -> None:
    sound = (await uploaded(as_admin)).json()
    (prompt,) = await hub.database.read(sounds.prompts, [Spoken("Welcome.", "en", sound["id"])])
    assert prompt == Prompt("Welcome.", "en", audio_key=prompt.audio_key)
    url = sounds.signed_sound_url(hub.vault, hub.settings.public_url, prompt.audio_key, clock())
    assert url == sounds.signed_sound_url(hub.vault, hub.settings.public_url, prompt.audio_key, clock())
    fetched = await as_nobody.get(path_of(url), root=True)
    assert (fetched.status_code, fetched.headers["content-type"], fetched.content[:4]) == (200, "audio/wav", b"RIFF")
    clock.now += timedelta(days=1)
    assert (await as_nobody.get(path_of(url), root=True)).status_code == 200
    clock.now += timedelta(days=1)
    assert (await as_nobody.get(path_of(url), root=True)).status_code == 404


async def test_an_address_that_we_did_not_sign_is_nothing(as_admin: Caller, as_nobody: Caller, hub: Hub) -> None:
    sound = (await uploaded(as_admin)).json()
    (prompt,) = await hub.database.read(sounds.prompts, [Spoken("", "en", sound["id"])])
    url = sounds.signed_sound_url(hub.vault, hub.settings.public_url, prompt.audio_key, hub.database.clock())
    start, _, signature = url.rpartition("/")
    name = start.rpartition("/")[2]
    wrong = [
        f"/sounds/{name}/{signature[:-1]}{'A' if signature[-1] != 'A' else 'B'}",
        f"/sounds/{name}/9{signature}",
        f"/sounds/{name}/x",
        f"/sounds/{name[::-1]}/{signature}",
    ]
    assert [(await as_nobody.get(path, root=True)).status_code for path in wrong] == [404] * len(wrong)
    await as_admin.delete(f"/sounds/{sound['id']}")
    assert (await as_nobody.get(path_of(url), root=True)).status_code == 404


async def test_the_hubs_own_sentences_keep_their_names(hub: Hub) -> None:
    spoken = (Spoken("Goodbye.", "en", phrase="goodbye"),)
    assert await hub.database.read(sounds.prompts, spoken) == (Prompt("Goodbye.", "en", phrase="goodbye"),)
