"""Requests about data by the API: whose it is to answer them, what the file holds and what not, and the end of a customer."""

from __future__ import annotations

import io
import json
from typing import Any
from zipfile import ZipFile
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, select

from hub.app import Hub
from hub.privacy.erasing import Eraser
from hub.store import tables
from hub.store.database import Tx
from hub.store.recordings import Recordings
from tests.web.conftest import Call, Caller, People

pytestmark = pytest.mark.anyio

EVIL = "<script>alert(1)</script>"


async def customer(hub: Hub, people: People, name: str, *, queue_id: int | None = None) -> int:
    """With a resolved conversation: a message, a mail, a note, a file and a recording."""
    file, sound = hub.files.write(f"file of {name}".encode()), hub.files.write(f"sound of {name}".encode())

    def make(tx: Tx) -> int:
        now, queue = tx.now, queue_id or people.sales_id
        if tx.first(select(tables.channel.c.id).where(tables.channel.c.id == "loop")) is None:
            channel = {
                "id": "loop",
                "kind": "loopback",
                "name": "loop",
                "queue_id": queue,
                "settings": {},
                "secrets": "",
            }
            tx.execute(insert(tables.channel).values(**channel, health_since=now))
        customer_id = tx.insert(tables.customer, {"name": name, "note": "Card note", "created_at": now})
        point = {"customer_id": customer_id, "kind": "loopback", "address": name.lower(), "created_at": now}
        point_id = tx.insert(tables.contact_point, point)
        begun = {"customer_id": customer_id, "contact_point_id": point_id, "channel_id": "loop", "queue_id": queue}
        begun |= {"status": "resolved", "created_at": now, "last_entry_at": now, "resolved_at": now}
        conversation_id = tx.insert(tables.conversation, begun)

        def line(kind: str, text: str, author: str = "customer") -> int:
            entry = {"conversation_id": conversation_id, "customer_id": customer_id, "kind": kind, "direction": "in"}
            return tx.insert(
                tables.entry, {**entry, "author_kind": author, "author_name": name, "text": text, "at": now}
            )

        mailed = line("message", f"{EVIL} said {name}")
        line("note", "Between colleagues", "agent")
        mail: dict[str, Any] = {key: [] for key in ("refs", "reply_to", "recipients", "cc")} | {
            "senders": [[f"{name}@x.test", name]]
        }
        head = {"entry_id": mailed, "conversation_id": conversation_id, "channel_id": "loop", "kind": "in"}
        body = {"subject": "Help", "spans": [["text", f"{EVIL} whole mail"]], "html": "<b>whole</b>"}
        tx.execute(insert(tables.mail).values(**mail, **head, **body, bcc=[["secret@x.test", ""]]))
        tx.execute(tables.entry.update().where(tables.entry.c.id == mailed).values(has_attachments=True))
        kept = {"name": "../bill.pdf", "media_type": "application/pdf", "state": "stored", "created_at": now}
        tx.insert(tables.attachment, {**kept, "entry_id": mailed, "file_key": file})
        call = {
            "channel_id": "loop",
            "conversation_id": conversation_id,
            "customer_id": customer_id,
            "room": f"r-{name}",
        }
        call |= {
            "direction": "in",
            "state": "ended",
            "state_since": now,
            "address": name,
            "line": "+1",
            "started_at": now,
        }
        call_id = tx.insert(tables.call, {**call, "hung_up_at": now, "ended_at": now, "end_reason": ""})
        record = {"call_id": call_id, "kind": "call", "provider_id": "p", "state": "stored", "file_key": sound}
        record |= {"media_type": "audio/ogg", "size_bytes": len(f"sound of {name}"), "started_at": now}
        tx.insert(tables.recording, {**record, "created_at": now})
        return customer_id

    return await hub.database.transaction(make)


def body(kind: str = "access", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "identity": "Called back at the number we know", **more}


async def test_only_whoever_has_the_permission_sees_or_does_anything(
    hub: Hub, people: People, call: Call, as_admin: Caller, as_anna: Caller
) -> None:
    customer_id = await customer(hub, people, "Ani")
    made = await as_admin.post(f"/customers/{customer_id}/data-requests", body())
    assert made.status_code == 201, made.text
    request_id = made.json()["id"]
    as_sue = await call(people.supervisor)
    for caller in (as_anna, as_sue):
        assert (await caller.get("/data-requests")).status_code == 403
        assert (await caller.post(f"/customers/{customer_id}/data-requests", body("erasure"))).status_code == 403
        for path in ("end", "erase", "file"):
            answer = await caller.post(f"/data-requests/{request_id}/{path}", {"name": "Ani", "state": "withdrawn"})
            assert answer.status_code == 403
    role = {"name": "Data officer", "base": "supervisor", "permissions": ["customers.privacy"]}
    role_id = (await as_admin.post("/roles", role)).json()["id"]
    given = await as_admin.patch(f"/users/{people.supervisor.id}", {"role_id": role_id})
    assert given.status_code == 200, given.text
    as_officer = await call(people.supervisor)
    assert [one["id"] for one in (await as_officer.get("/data-requests")).json()["items"]] == [request_id]
    for_agents = {"name": "Too much", "base": "agent", "permissions": ["customers.privacy"]}
    assert (await as_admin.post("/roles", for_agents)).status_code == 422


@pytest.mark.parametrize("with_notes", [False, True])
async def test_the_file_holds_all_of_theirs_and_nothing_of_others(
    hub: Hub, people: People, as_admin: Caller, *, with_notes: bool
) -> None:
    customer_id = await customer(hub, people, "Ani")
    await customer(hub, people, "Stranger")
    request_id = (await as_admin.post(f"/customers/{customer_id}/data-requests", body())).json()["id"]
    answer = await as_admin.post(f"/data-requests/{request_id}/file?with_notes={str(with_notes).lower()}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    with ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        held = {name: archive.read(name) for name in archive.namelist()}
    (conversation,) = [json.loads(held[name]) for name in held if name.startswith("conversations/")]
    mail = conversation["lines"][0]["mail"]
    assert (mail["html"], mail["subject"]) == ("<b>whole</b>", "Help")
    assert json.loads(held["customer.json"])["contact_points"][0]["address"] == "ani"
    assert [held[name] for name in held if name.startswith("attachments/")] == [b"file of Ani"]
    assert all(".." not in name for name in held)
    assert [held[name] for name in held if name.startswith("recordings/")] == [b"sound of Ani"]
    page = held["timeline.html"].decode()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; said Ani" in page
    whole = b"".join(held.values())
    assert b"Stranger" not in whole
    assert b"secret@x.test" not in whole, "blind copies are nobody's business"
    assert (b"Between colleagues" in whole, b"Card note" in whole) == (with_notes, with_notes)
    assert "missing.txt" not in held
    noted = (await as_admin.get("/audit?subject=data_request")).json()["items"]
    assert noted[0]["action"] == "data_request.file_made"
    done = await as_admin.post(f"/data-requests/{request_id}/end", {"state": "done"})
    assert done.json()["state"] == "done"
    assert (await as_admin.post(f"/data-requests/{request_id}/file")).status_code == 409


async def test_the_file_holds_what_pages_said_of_them_and_where_they_wanted_to_be_called(
    hub: Hub, people: People, as_admin: Caller
) -> None:
    customer_id = await customer(hub, people, "Ani")
    name = "\N{MATHEMATICAL BOLD CAPITAL A}" * 100 + "/../\x00\n\N{RIGHT-TO-LEFT OVERRIDE}.pdf"

    def add(tx: Tx) -> None:
        now = tx.now
        visitor = {"customer_id": customer_id, "kind": "chat", "address": "v1", "created_at": now}
        tx.insert(tables.contact_point, visitor)
        told = {"channel_id": "loop", "subject": "shop-77", "visitor_id": "v1", "told": {"name": "Ani of the shop"}}
        tx.execute(insert(tables.chat_identity).values(**told, created_at=now))
        conversation_id = tx.scalar(select(tables.conversation.c.id))
        call_back = {"conversation_id": conversation_id, "address": "+37491123456", "state": "reached"}
        tx.insert(tables.callback, {**call_back, "requested_at": now, "place_since": now, "ended_at": now})
        tx.execute(tables.attachment.update().values(name=name.replace("\x00", "")))
        tx.execute(tables.customer.update().values(tags=["half a sign \ud800"]))

    await hub.database.transaction(add)
    request_id = (await as_admin.post(f"/customers/{customer_id}/data-requests", body())).json()["id"]
    answer = await as_admin.post(f"/data-requests/{request_id}/file")
    with ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        (attached,) = [each for each in archive.namelist() if each.startswith("attachments/")]
        card = json.loads(archive.read("customer.json"))
        (conversation,) = [json.loads(archive.read(each)) for each in archive.namelist() if "conversations/" in each]
    assert [(one["subject"], one["told"]) for one in card["signed_in_as"]] == [("shop-77", {"name": "Ani of the shop"})]
    assert [one["address"] for one in conversation["callbacks"]] == ["+37491123456"]
    assert card["customer"]["tags"] == ["half a sign ?"]
    folder, _, file = attached.partition("/")
    assert folder == "attachments"
    assert file.endswith(".pdf")
    assert len(file.encode()) <= 255, "a file system can keep it"
    assert "/" not in file
    assert file.isprintable()


async def test_a_file_that_is_gone_is_named(hub: Hub, people: People, as_admin: Caller) -> None:
    customer_id = await customer(hub, people, "Ani")
    for row in await hub.database.read(lambda tx: tx.rows(select(tables.attachment.c.file_key))):
        hub.files.delete(row.file_key)
    request_id = (await as_admin.post(f"/customers/{customer_id}/data-requests", body())).json()["id"]
    answer = await as_admin.post(f"/data-requests/{request_id}/file")
    with ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.read("missing.txt").decode().startswith("attachments/")


async def test_the_page_names_as_files_only_what_lies_in_the_archive(
    hub: Hub, people: People, as_admin: Caller
) -> None:
    customer_id = await customer(hub, people, "Ani")

    def add(tx: Tx) -> list[int]:
        entry_id = tx.scalar(select(tables.attachment.c.entry_id))
        file = {"entry_id": entry_id, "media_type": "image/png", "created_at": tx.now}
        states = {"lost.png": "failed", "coming.png": "fetching"}
        return [tx.insert(tables.attachment, {**file, "name": name, "state": state}) for name, state in states.items()]

    without = await hub.database.transaction(add)
    request_id = (await as_admin.post(f"/customers/{customer_id}/data-requests", body())).json()["id"]
    answer = await as_admin.post(f"/data-requests/{request_id}/file")
    with ZipFile(io.BytesIO(answer.content)) as archive:
        (stored,) = [name for name in archive.namelist() if name.startswith("attachments/")]
        page = archive.read("timeline.html").decode()
        assert "missing.txt" not in archive.namelist()
    assert stored in page
    assert [f"attachments/{each}-" in page for each in without] == [False, False]
    for name in ("lost.png", "coming.png"):
        assert f": {name}<" in page


async def test_the_file_holds_scores_and_what_was_filled_in_before_a_chat(
    hub: Hub, people: People, as_admin: Caller
) -> None:
    customer_id = await customer(hub, people, "Ani")

    def add(tx: Tx) -> None:
        conversation_id = tx.scalar(select(tables.conversation.c.id))
        line = {"conversation_id": conversation_id, "customer_id": customer_id, "kind": "event", "at": tx.now}
        scored = {"direction": "in", "author_kind": "customer", "author_name": "Ani", "text": "Very slow."}
        tx.insert(tables.entry, {**line, **scored, "happening": "scored", "data": {"survey": "csat", "score": 2}})
        filled_in = {"answers": "Order: A-12", "client_id": "c1"}
        tx.insert(
            tables.entry,
            {
                **line,
                "direction": "internal",
                "author_kind": "system",
                "author_name": "",
                "text": "",
                "happening": "form",
                "data": filled_in,
            },
        )

    await hub.database.transaction(add)
    request_id = (await as_admin.post(f"/customers/{customer_id}/data-requests", body())).json()["id"]
    answer = await as_admin.post(f"/data-requests/{request_id}/file")
    with ZipFile(io.BytesIO(answer.content)) as archive:
        page = archive.read("timeline.html").decode()
        (told,) = [json.loads(archive.read(name)) for name in archive.namelist() if "conversations/" in name]
    assert "Ani · Score: 2 of 5</b></small><p>Very slow.</p>" in page
    assert "Order: A-12" in page
    answers = [line["answers"] for line in told["lines"] if "answers" in line]
    assert answers == ["Order: A-12"]


async def test_requests_are_listed_by_when_they_are_due(hub: Hub, people: People, as_admin: Caller) -> None:
    ids = [await customer(hub, people, name) for name in ("Ani", "Bob", "Cia")]
    now = hub.database.clock()
    for days, customer_id in zip((40, 2, 20), ids, strict=True):
        asked = now.replace(year=now.year - 1)
        due = (now.replace(hour=0) if days == 2 else now.replace(year=now.year + days)).isoformat()
        made = await as_admin.post(
            f"/customers/{customer_id}/data-requests", body(asked_at=asked.isoformat(), due_at=due)
        )
        assert made.status_code == 201, made.text
    page = (await as_admin.get("/data-requests?limit=2")).json()
    assert [one["customer_id"] for one in page["items"]] == [ids[1], ids[2]]
    assert [one["is_overdue"] for one in page["items"]] == [True, False]
    rest = (await as_admin.get(f"/data-requests?limit=2&cursor={page['next_cursor']}")).json()
    assert [one["customer_id"] for one in rest["items"]] == [ids[0]]
    of_one = (await as_admin.get(f"/data-requests?customer_id={ids[0]}")).json()["items"]
    assert [one["customer_name"] for one in of_one] == ["Ani"]
    wrong = await as_admin.post(f"/customers/{ids[0]}/data-requests", body("erasure", identity=" "))
    assert wrong.json()["fields"] == {"identity": "must say how you know that it is they who ask"}


async def test_a_customer_is_erased_and_the_card_says_so(hub: Hub, people: People, as_admin: Caller) -> None:
    customer_id = await customer(hub, people, "Ani")
    request_id = (await as_admin.post(f"/customers/{customer_id}/data-requests", body("erasure"))).json()["id"]
    wrong = await as_admin.post(f"/data-requests/{request_id}/erase", {"name": "Bob"})
    assert (wrong.status_code, wrong.json()["fields"]) == (422, {"name": "is not the name on the card"})
    begun = await as_admin.post(f"/data-requests/{request_id}/erase", {"name": "Ani"})
    assert (begun.status_code, begun.json()["state"]) == (202, "erasing")
    await Eraser(hub.database, hub.wakes, hub.files, Recordings(hub.files)).work_off(request_id)
    assert (await as_admin.get(f"/data-requests/{request_id}")).json()["state"] == "done"
    card = (await as_admin.get(f"/customers/{customer_id}")).json()["customer"]
    assert (card["name"], card["is_erased"], card["contact_points"]) == ("Erased customer", True, [])
    listed = (await as_admin.get("/customers")).json()["items"]
    assert customer_id not in [one["id"] for one in listed]
    changed = await as_admin.patch(f"/customers/{customer_id}", {"name": "Ani"})
    assert (changed.status_code, changed.json()["code"]) == (409, "erased")
    over = (await as_admin.get("/data-requests?state=over")).json()["items"]
    assert [one["id"] for one in over] == [request_id]


async def test_what_is_in_the_way_of_an_erasure_is_told_before_with_its_ids(
    hub: Hub, people: People, call: Call, as_admin: Caller, as_anna: Caller
) -> None:
    customer_id = await customer(hub, people, "Ani")
    request_id = (await as_admin.post(f"/customers/{customer_id}/data-requests", body("erasure"))).json()["id"]
    path = f"/data-requests/{request_id}/erase-check"
    assert (await as_anna.get(path)).status_code == 403
    assert (await as_admin.get(path)).json() == {"in_the_way": []}
    conversation_id = await hub.database.read(lambda tx: tx.scalar(select(tables.conversation.c.id)))

    def disturb(tx: Tx) -> int:
        now = tx.now
        tx.execute(tables.conversation.update().values(status="open", resolved_at=None, queued_since=now))
        tx.execute(tables.call.update().values(state="queued", ended_at=None, hung_up_at=None, end_reason=None))
        planned = {"conversation_id": conversation_id, "author_id": people.supervisor.id, "is_held": False}
        planned |= {"text": "Later", "attachment_ids": [], "despite": False, "after_entry_id": 0, "state": "waiting"}
        tx.insert(tables.planned_message, {**planned, "send_at": now, "created_at": now})
        file = {"file_name": "old.csv", "file_key": "k", "size_bytes": 1, "encoding": "utf-8", "delimiter": ","}
        file |= {"columns": ["Name"], "sample": [], "mapping": [], "options": {}, "state": "tried", "total": 1}
        return tx.insert(tables.customer_import, {**file, "created_at": now})

    import_id = await hub.database.transaction(disturb)
    # What is not theirs to see is in their way as well, without its number and its name.
    role = {"name": "Data officer", "base": "supervisor", "permissions": ["customers.privacy"]}
    role_id = (await as_admin.post("/roles", role)).json()["id"]
    await as_admin.patch(f"/users/{people.supervisor.id}", {"role_id": role_id})
    as_officer = await call(people.supervisor)
    nameless = {"code": "import_open", "conversation_id": None, "import_id": None, "file_name": None}
    assert (await as_officer.get(path)).json()["in_the_way"][3:] == [nameless]

    told = (await as_admin.get(path)).json()["in_the_way"]
    assert [(one["code"], one["conversation_id"], one["import_id"], one["file_name"]) for one in told] == [
        ("call_live", conversation_id, None, None),
        ("conversations_open", conversation_id, None, None),
        ("sending", conversation_id, None, None),
        ("import_open", None, import_id, "old.csv"),
    ]
    refused = await as_admin.post(f"/data-requests/{request_id}/erase", {"name": "Ani"})
    assert (refused.status_code, refused.json()["code"]) == (409, "call_live")
    assert refused.json()["fields"] == {"id": str(conversation_id)}
    of_file = (await as_admin.post(f"/customers/{customer_id}/data-requests", body())).json()["id"]
    not_that = await as_admin.get(f"/data-requests/{of_file}/erase-check")
    assert (not_that.status_code, not_that.json()["code"]) == (409, "request_state")


@pytest.mark.parametrize(
    ("spoken", "words"),
    [
        ("hy", ("Ինչ է պահվում Ani-ի մասին", "Խոսակցություն", "Ժամերը՝ Asia/Yerevan", "Ծննդյան օր", "Այո")),
        ("ru", ("Что хранится: Ani", "Разговор", "Время: Asia/Yerevan", "День рождения", "Да")),
        # Not spoken here: as whoever makes it.
        ("fr", ("Що зберігається про Ani", "Розмова", "Час: Asia/Yerevan", "День народження", "Так")),
    ],
)
async def test_the_page_for_people_says_it_as_a_transcript_does_in_the_customers_language(
    hub: Hub, people: People, as_admin: Caller, spoken: str, words: tuple[str, ...]
) -> None:
    customer_id = await customer(hub, people, "Ani")

    def add(tx: Tx) -> str:
        now = tx.now
        tx.execute(tables.organisation.update().values(time_zone="Asia/Yerevan"))
        tx.execute(tables.user_account.update().values(language="uk"))
        tx.execute(tables.channel.update().values(name="The shop's SMS"))
        for subject, key, name, kind in (
            ("customer", "vip", "Is a VIP", "yes_no"),
            ("conversation", "order", "Order number", "text"),
        ):
            field = {"subject": subject, "key": key, "name": name, "kind": kind, "options": []}
            tx.insert(tables.custom_field, {**field, "created_at": now})
        card = {"language": spoken, "birthday": "--05-17", "town": "Gyumri", "fields": {"vip": True}}
        tx.execute(tables.customer.update().values(**card))
        tx.execute(tables.conversation.update().values(fields={"order": "A-7"}))
        conversation_id = tx.scalar(select(tables.conversation.c.id))
        line = {"conversation_id": conversation_id, "customer_id": customer_id, "direction": "internal", "at": now}
        happened = {"kind": "event", "author_kind": "system", "author_name": "", "happening": "escalated"}
        tx.insert(tables.entry, {**line, **happened, "text": ""})
        call_id = tx.scalar(select(tables.call.c.id))
        called = {"kind": "event", "author_kind": "system", "author_name": "", "happening": "call"}
        tx.insert(tables.entry, {**line, **called, "text": "", "call_id": call_id})
        return f"{now.astimezone(ZoneInfo('Asia/Yerevan')):%H:%M}"

    clock = await hub.database.transaction(add)
    request_id = (await as_admin.post(f"/customers/{customer_id}/data-requests", body())).json()["id"]
    answer = await as_admin.post(f"/data-requests/{request_id}/file")
    with ZipFile(io.BytesIO(answer.content)) as archive:
        held = {name: archive.read(name).decode(errors="replace") for name in archive.namelist()}
    page = held["timeline.html"]
    for each in (*words, "The shop&#x27;s SMS", "Is a VIP", "05-17", "Gyumri", "<dd>ani</dd>", f">{clock}</time>"):
        assert each in page, each
    for never in ("escalated", "loop<", "· loop", "UTC", "None", "between colleagues"):
        assert never not in page, never
    # Files are named as they lie in the archive.
    for name in held:
        assert not name.startswith(("attachments/", "recordings/")) or name in page, name
    assert words[0] in held["README.txt"]
    assert "Asia/Yerevan" in held["README.txt"]
    told = json.loads(held["customer.json"])["customer"]
    assert (told["fields"], told["field_labels"]) == ({"vip": True}, {"vip": "Is a VIP"})
    (conversation,) = [json.loads(text) for name, text in held.items() if name.startswith("conversations/")]
    assert (conversation["fields"], conversation["field_labels"]) == ({"order": "A-7"}, {"order": "Order number"})
