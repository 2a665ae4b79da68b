"""A customer whose every word is marked is erased: the mark is nowhere any more, and every figure is what it was."""

from __future__ import annotations

import asyncio
import sqlite3
import zlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.calls.views import load_calls
from hub.domain.permissions import Permission
from hub.domain.states import ConversationStatus
from hub.domain.values import ContactKind, Happening, Role
from hub.errors import Conflict, InvalidInput, NotFound
from hub.kpi.contacts import ContactsQuery, load_contacts
from hub.kpi.facts import begin_rebuild
from hub.privacy import erasing, requests
from hub.privacy.erasing import Eraser
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Database, SqliteDatabase, Tx
from hub.store.recordings import Recordings
from hub.store.stream import Wakes
from hub.surveys import lists
from hub.timeline import belongings, cards, conversations, customers, merging, search_index, tasks
from hub.webhooks import deliveries
from hub.writing import drafts
from tests.kpi.random_facts import project_all
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

MARK = "zmarkz"


@pytest.fixture
async def admin(scene: Scene) -> Viewer:
    return await scene.agent("Ada", role=Role.ADMIN)


def eraser(scene: Scene) -> Eraser:
    return Eraser(scene.database, Wakes(), scene.files, Recordings(scene.files))


async def solved(scene: Scene, who: Viewer, text: str, **message: Any) -> int:
    conversation_id = await scene.opened(text, **message)
    await scene.database.transaction(dispatcher.claim, who, conversation_id, None)
    await scene.database.transaction(dispatcher.resolve, who, conversation_id)
    return conversation_id


async def owner_of(scene: Scene, conversation_id: int) -> int:
    return int((await scene.row(tables.conversation, id=conversation_id))["customer_id"])


async def asked(scene: Scene, who: Viewer, customer_id: int, kind: requests.Kind = "erasure") -> int:
    wish = requests.Wish(kind, f"Called back at the number we know ({MARK})", f"{MARK} was angry")
    return int((await scene.database.transaction(requests.create, who, customer_id, wish)).id)


async def erase(scene: Scene, who: Viewer, request_id: int, name: str) -> None:
    await scene.database.transaction(erasing.begin, who, request_id, name=name)
    await eraser(scene).work_off(request_id)


def _paint(tx: Tx, customer_id: int, conversation_id: int, other_id: int, user_id: int, keys: list[str]) -> None:
    """The mark in every text that may say something of the customer, as the parts of the hub would have written it there."""
    now, row = tx.now, tx.execute(select(tables.conversation).where(tables.conversation.c.id == conversation_id)).one()
    point, channel, queue = row.contact_point_id, row.channel_id, row.queue_id
    entry_id = tx.scalar(select(tables.entry.c.id).where(tables.entry.c.conversation_id == conversation_id).limit(1))
    later = {"subject": f"About {MARK}", "thread": f"t{MARK}", "tags": [MARK], "fields": {"x": MARK}, "preview": MARK}
    tx.execute(tables.conversation.update().where(tables.conversation.c.id == conversation_id).values(**later))
    card: dict[str, Any] = dict.fromkeys(
        ("company", "job_title", "region", "town", "district", "street", "postcode", "source"), MARK
    )
    card |= {"note": MARK, "tags": [MARK], "fields": {"x": MARK}, "birthday": "--05-17"}
    tx.execute(tables.customer.update().where(tables.customer.c.id == customer_id).values(**card))
    tx.execute(tables.contact_point.update().where(tables.contact_point.c.id == point).values(label=MARK))
    visitor = {"customer_id": customer_id, "kind": "chat", "address": f"v{MARK}", "created_at": now}
    tx.insert(tables.contact_point, visitor)
    identity = {"channel_id": channel, "subject": MARK, "visitor_id": f"v{MARK}", "told": {"name": MARK}}
    tx.execute(insert(tables.chat_identity).values(**identity, created_at=now))
    given = {"channel": "sms", "purpose": "service", "given": True, "how": "told", "note": MARK, "at": now}
    tx.insert(tables.consent, {"contact_point_id": point, **given})
    tx.insert(
        tables.customer_reference, {"customer_id": customer_id, "system": "shop", "value": MARK, "created_at": now}
    )
    told = {"source": "shop", "external_id": MARK, "kind": "order", "title": MARK, "text": MARK, "url": MARK}
    owner = {"customer_id": customer_id, "given_id": customer_id, "at": now, "created_at": now}
    tx.insert(tables.activity, {**told, **owner})
    for number in (0, 1):
        about = {"kind": "call_back", "title": MARK, "note": MARK, "customer_id": customer_id, "due_at": now}
        over = {"outcome": "done", "ended_at": now} if number else {}
        tx.insert(tables.task, {**about, **over, "assignee_id": user_id, "created_at": now})
    mail = {key: [[MARK, MARK]] for key in ("refs", "senders", "reply_to", "recipients", "cc", "bcc")}
    head = {"entry_id": entry_id, "conversation_id": conversation_id, "channel_id": channel, "kind": "in"}
    body = {
        "subject": MARK,
        "message_id": MARK,
        "spans": [["text", MARK]],
        "html": f"<p>{MARK}</p>",
        "raw_key": keys[0],
    }
    tx.execute(insert(tables.mail).values(**mail, **head, **body))
    file = {"name": f"{MARK}.pdf", "media_type": "application/pdf", "state": "stored", "created_at": now}
    tx.insert(tables.attachment, {**file, "entry_id": entry_id, "file_key": keys[1]})
    upload = tx.insert(tables.attachment, {**file, "uploaded_by": user_id, "file_key": keys[2]})
    of_note = tx.insert(tables.attachment, {**file, "uploaded_by": user_id, "file_key": keys[5]})
    sent = {"delivery_id": f"d{MARK}", "entry_id": entry_id, "conversation_id": conversation_id, "channel_id": channel}
    tx.insert(tables.outbox, {**sent, "recipient": MARK, "state": "done", "next_attempt_at": now, "created_at": now})
    tx.insert(
        tables.receipt,
        {
            "channel_id": channel,
            "delivery_id": "d1",
            "message_provider_id": None,
            "word": "?",
            "at": now,
            "applied": False,
        },
    )
    written = {"text": MARK, "note": MARK, "attachment_ids": [upload], "updated_at": now, "writer": "page"}
    written["note_attachment_ids"] = [of_note]
    tx.execute(insert(tables.draft).values(conversation_id=conversation_id, user_id=user_id, **written))
    planned = {"conversation_id": conversation_id, "author_id": user_id, "is_held": False, "text": MARK, "send_at": now}
    planned |= {"attachment_ids": [], "despite": False, "after_entry_id": 0, "created_at": now, "state": "cancelled"}
    tx.insert(tables.planned_message, planned)
    call = {"channel_id": channel, "conversation_id": conversation_id, "customer_id": customer_id, "direction": "in"}
    call |= {"state": "ended", "state_since": now, "address": MARK, "line": "+15550100", "room": "r", "started_at": now}
    call |= {"flow": {"x": MARK}, "hung_up_at": now, "ended_at": now, "end_reason": "completed"}
    call_id = tx.insert(tables.call, call)
    leg = {
        "call_id": call_id,
        "channel_id": channel,
        "party": "customer",
        "address": MARK,
        "state": "ended",
        "token": "t",
    }
    tx.insert(
        tables.leg, {**leg, "scene": {"x": MARK}, "applied_scene": {"x": MARK}, "created_at": now, "ended_at": now}
    )
    segment = {"call_id": call_id, "agent_id": user_id, "queue_id": queue, "how": "answered", "connected_at": now}
    tx.insert(tables.call_segment, {**segment, "stretch_since": now, "ended_at": now, "note": MARK})
    recording = {"call_id": call_id, "kind": "call", "provider_id": "p", "state": "stored", "file_key": keys[3]}
    tx.insert(tables.recording, {**recording, "started_at": now, "created_at": now, "peaks": [[1]]})
    tx.insert(
        tables.callback,
        {
            **{"conversation_id": conversation_id, "address": MARK, "requested_at": now, "place_since": now},
            **{"state": "reached", "ended_at": now},
        },
    )
    offer = {"conversation_id": conversation_id, "agent_id": user_id, "queue_id": queue, "offered_at": now, "weight": 1}
    offer |= {"expires_at": now, "ended_at": now, "outcome": "withdrawn", "why": {}, "explanation": {"x": MARK}}
    tx.insert(tables.offer, offer)
    alert = {
        "user_id": user_id,
        "conversation_id": conversation_id,
        "level": "notify",
        "reason": "mentioned",
        "at": now,
    }
    tx.insert(tables.alert, {**alert, "data": {"name": MARK}})
    survey = {
        "conversation_id": conversation_id,
        "resolved_entry_id": 77,
        "customer_id": customer_id,
        "queue_id": queue,
    }
    survey |= {"channel_id": channel, "kind": "csat", "state": "answered", "resolved_at": now, "due_at": now}
    tx.insert(tables.survey, {**survey, "sent_at": now, "answered_at": now, "score": 4, "comment": MARK})
    imported = {"file_name": "list.csv", "file_key": keys[4], "size_bytes": 1, "encoding": "utf-8", "delimiter": ","}
    imported |= {
        "columns": ["Name", MARK],
        "sample": [[MARK]],
        "mapping": [],
        "options": {},
        "state": "done",
        "total": 1,
    }
    import_id = tx.insert(tables.customer_import, {**imported, "created_at": now})
    tx.execute(insert(tables.customer_import_line).values(import_id=import_id, line=2, faults={}, cells=[MARK]))
    endpoint = {"url": "https://x.test", "events": [], "queue_ids": [], "channel_ids": [], "secrets": "", "cursor": 0}
    endpoint_id = tx.insert(tables.webhook_endpoint, {**endpoint, "secret_since": now, "since": now, "created_at": now})
    for number, lane in enumerate((f"customer:{customer_id}", f"conversation:{conversation_id}")):
        delivery = {"endpoint_id": endpoint_id, "message_id": str(number), "occurrence": str(number), "type": "x"}
        delivery |= {"lane": lane, "body": zlib.compress(MARK.encode()), "state": "dead", "answer": MARK}
        tx.insert(tables.webhook_delivery, {**delivery, "created_at": now - timedelta(seconds=1)})
    audit.note(
        tx, None, "customer.merged", "customer", customer_id, {"name": MARK, "other": MARK, "other_id": other_id}
    )
    audit.note(tx, None, "customer.unmerged", "customer", 999, {"name": "Bob", "other": MARK, "other_id": customer_id})
    audit.note(tx, None, "customer.exported", "customer", "", {"name": "3", "words": MARK})
    customers.emit_customer(tx, customer_id)


def _found(tx: Tx) -> list[str]:
    found = []
    for table in tables.metadata.sorted_tables:
        for row in tx.rows(select(table)):
            for name, value in row._mapping.items():
                if isinstance(value, bytes):
                    try:
                        value = zlib.decompress(value).decode()  # noqa: PLW2901
                    except zlib.error:
                        value = value.decode("latin-1")  # noqa: PLW2901
                if MARK in str(value).lower():
                    found.append(f"{table.name}.{name}: {str(value)[:80]}")
    return sorted(set(found))


def marked_files(scene: Scene, folder: Path) -> list[Path]:
    if isinstance(scene.database, SqliteDatabase):
        # What was committed last lies beside the file until it is taken over.
        with sqlite3.connect(scene.database.path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return [path for path in folder.rglob("*") if path.is_file() and MARK.encode() in path.read_bytes().lower()]


async def kept_cells(database: Database) -> list[tuple[Any, ...]]:
    await project_all(database)
    cells = tables.kpi_cell
    return await database.read(lambda tx: [tuple(row) for row in tx.rows(select(cells).order_by(*cells.primary_key))])


async def facts(scene: Scene) -> list[str]:
    return [stored.body for stored in await scene.events() if stored.kind.startswith("fact.")]


async def index(database: Database) -> None:
    await search_index.rebuild_index(database)


async def test_nothing_that_says_who_they_were_is_left(
    scene: Scene, admin: Viewer, clock: FrozenClock, tmp_path: Path
) -> None:
    first = await solved(scene, admin, f"I am {MARK}", sender=f"{MARK}@x.test")
    customer_id = await owner_of(scene, first)
    clock.advance(60)
    second = await solved(scene, admin, f"{MARK} again", sender=f"{MARK}-work")
    other = await owner_of(scene, second)
    await scene.database.transaction(cards.change_card, admin, other, {"name": f"Second {MARK}"})
    await scene.database.transaction(cards.change_card, admin, customer_id, {"name": f"Ani {MARK}"})
    await scene.database.transaction(merging.merge, admin, customer_id, other, choices={"name": "ours"})
    nobody = await scene.opened("I have nothing to do with it", sender="bob")
    keys = [scene.files.write(MARK.encode()) for _ in range(6)]
    await scene.database.transaction(_paint, customer_id, first, other, admin.user_id, keys)
    await index(scene.database)
    request_id = await asked(scene, admin, customer_id)
    await asked(scene, admin, customer_id, "access")
    cells, told = await kept_cells(scene.database), await facts(scene)
    assert len(await scene.database.read(_found)) > 60, "the mark is where it should be erased from"
    assert len(marked_files(scene, tmp_path)) == len(keys) + isinstance(scene.database, SqliteDatabase)
    await erase(scene, admin, request_id, f"Ani {MARK}")
    assert await scene.database.read(_found) == []
    assert marked_files(scene, tmp_path) == [], "SQLite's own file among them"
    assert await kept_cells(scene.database) == cells
    assert await facts(scene) == told
    await scene.database.transaction(begin_rebuild)
    assert await kept_cells(scene.database) == cells, "made anew, they are the same"
    done = await scene.row(tables.data_request, id=request_id)
    assert (done["state"], done["work"], done["identity"]) == ("done", None, "")
    # Whoever has nothing to do with it has everything.
    assert await scene.rows(tables.entry, conversation_id=nobody)
    assert [stored for stored in await scene.events() if "nothing to do with it" in stored.body]


async def test_who_comes_again_is_somebody_new(scene: Scene, admin: Viewer) -> None:
    conversation_id = await solved(scene, admin, "Hello", sender="ani")
    customer_id = await owner_of(scene, conversation_id)
    await erase(scene, admin, await asked(scene, admin, customer_id), "ani")
    again = await scene.opened("Hello again", sender="ani")
    assert again != conversation_id
    assert await owner_of(scene, again) != customer_id
    view = await scene.database.read(customers.load_customer, customer_id)
    assert (view.name, view.is_erased, view.contact_points) == ("Erased customer", True, ())


async def test_nothing_is_written_where_somebody_was_erased(scene: Scene, admin: Viewer, clock: FrozenClock) -> None:
    conversation_id = await solved(scene, admin, "Hello", sender="ani")
    customer_id = await owner_of(scene, conversation_id)
    other = await owner_of(scene, await solved(scene, admin, "Hello", sender="bob"))
    run = scene.database.transaction
    wish = tasks.Wish(kind="follow_up", title="Ring them", note="", due_at=clock() + timedelta(days=1))
    task = await run(tasks.create_task, admin, wish, customer_id=customer_id)
    await erase(scene, admin, await asked(scene, admin, customer_id), "ani")

    def note_in(tx: Tx, conversation_id: int) -> None:
        before = conversations.lock_conversation(tx, conversation_id)
        conversations.add_happening(tx, before, Happening.TAGGED, conversations.SYSTEM)

    for attempt in (
        lambda: run(cards.change_card, admin, customer_id, {"name": "Ani"}),
        lambda: run(customers.add_contact_point, customer_id, ContactKind.PHONE, "+37491123456"),
        lambda: run(merging.merge, admin, other, customer_id, choices={}),
        lambda: run(tasks.create_task, admin, wish, customer_id=customer_id),
        lambda: run(tasks.create_task, admin, wish, conversation_id=conversation_id),
        lambda: run(tasks.reopen_task, admin, task.id),
        lambda: run(dispatcher.reopen, admin, conversation_id),
        lambda: asked(scene, admin, customer_id),
        lambda: run(note_in, conversation_id),
        lambda: run(drafts.save, admin, conversation_id, drafts.Words("Hi"), expected_version=0, writer="page"),
    ):
        with pytest.raises(Conflict) as refused:
            await attempt()
        assert refused.value.code == "erased"


async def test_what_goes_on_is_seen_to_first(scene: Scene, admin: Viewer) -> None:
    conversation_id = await scene.opened("Hello", sender="ani")
    request_id = await asked(scene, admin, await owner_of(scene, conversation_id))
    begin = erasing.begin
    with pytest.raises(Conflict) as refused:
        await scene.database.transaction(begin, admin, request_id, name="ani")
    assert refused.value.code == "conversations_open"
    await scene.database.transaction(dispatcher.claim, admin, conversation_id, None)
    await scene.database.transaction(dispatcher.resolve, admin, conversation_id)
    with pytest.raises(InvalidInput) as wrong:
        await scene.database.transaction(begin, admin, request_id, name="Ani?")
    assert wrong.value.fields == {"name": "is not the name on the card"}
    assert (await scene.row(tables.data_request, id=request_id))["state"] == "open"
    assert "Hello" in [row["text"] for row in await scene.rows(tables.entry, conversation_id=conversation_id)]


async def test_what_is_not_theirs_to_see_is_in_the_way_without_its_number_and_name(
    scene: Scene, admin: Viewer, clock: FrozenClock
) -> None:
    seen = await solved(scene, admin, "Hello", sender="ani")
    elsewhere = await scene.queue("Elsewhere")
    others = []
    for name in ("second", "third"):
        channel_id = await scene.channel(name, "loopback")
        others.append(await scene.opened("Hello again", sender="ani", channel_id=channel_id))
        await scene.set(tables.conversation, {"queue_id": elsewhere}, id=others[-1])
    assert {await owner_of(scene, each) for each in others} == {await owner_of(scene, seen)}
    file = {"file_name": "secret.csv", "file_key": "k", "size_bytes": 1, "encoding": "utf-8", "delimiter": ","}
    file |= {"columns": [], "sample": [], "mapping": [], "options": {}, "state": "new", "total": 1}

    def upload(tx: Tx) -> int:
        return tx.insert(tables.customer_import, {**file, "created_by": admin.user_id, "created_at": tx.now})

    import_id = await scene.database.transaction(upload)
    request_id = await asked(scene, admin, await owner_of(scene, seen))
    permissions = frozenset({Permission.PRIVACY, Permission.IMPORT_CUSTOMERS})
    officer = replace(await scene.agent("Nare"), granted=permissions)

    async def told(who: Viewer) -> list[tuple[str, int | None, str | None]]:
        found = await scene.database.read(erasing.check, who, request_id)
        return [(each.code, each.id, each.file_name) for each in found]

    of_admin = [("conversations_open", each, None) for each in others]
    assert await told(admin) == [*of_admin, ("import_open", import_id, "secret.csv")]
    nameless = [("conversations_open", None, None), ("import_open", None, None)]
    assert await told(officer) == nameless
    opened: dict[str, object] = {"status": "open", "resolved_at": None, "queued_since": clock.now}
    await scene.set(tables.conversation, opened, id=seen)
    assert await told(officer) == [("conversations_open", seen, None), *nameless]
    await scene.set(tables.conversation, {"status": "resolved", "resolved_at": clock.now, "queued_since": None})
    for who, fields in ((admin, {"id": str(import_id)}), (officer, {})):
        with pytest.raises(Conflict) as refused:
            await scene.database.transaction(erasing.begin, who, request_id, name="ani")
        assert (refused.value.code, refused.value.fields) == ("import_open", fields)
        assert ("secret.csv" in str(refused.value)) is (who is admin)
    await scene.set(tables.customer_import, {"created_by": officer.user_id})
    assert await told(officer) == [("import_open", import_id, "secret.csv")]


async def test_what_comes_in_at_that_very_moment_goes_to_somebody_new_or_is_seen_to_first(
    scene: Scene, admin: Viewer
) -> None:
    for number in range(5):
        sender = f"ani-{number}"
        customer_id = await owner_of(scene, await solved(scene, admin, "Hello", sender=sender))
        request_id = await asked(scene, admin, customer_id)
        texts = [scene.say(f"Are you there? {each}", sender=sender) for each in range(4)]
        begun = scene.database.transaction(erasing.begin, admin, request_id, name=sender)
        *_, ended = await asyncio.gather(*texts[:2], begun, return_exceptions=True)
        await asyncio.gather(*texts[2:])
        theirs = await scene.rows(tables.conversation, customer_id=customer_id)
        if isinstance(ended, BaseException):
            assert isinstance(ended, Conflict), ended
            assert ended.code == "conversations_open"
        else:
            assert {row["status"] for row in theirs} == {"resolved"}
            assert await scene.rows(tables.entry, customer_id=customer_id) == []
    said = [row["text"] for row in await scene.rows(tables.entry) if row["text"].startswith("Are you there?")]
    assert len(said) == 5 * 4, "nothing is lost"


async def test_a_kill_between_any_two_steps_costs_nothing(scene: Scene, admin: Viewer) -> None:
    conversation_id = await solved(scene, admin, MARK, sender="ani")
    request_id = await asked(scene, admin, await owner_of(scene, conversation_id))
    await scene.database.transaction(erasing.begin, admin, request_id, name="ani")
    again = await scene.database.transaction(erasing.begin, admin, request_id, name="whatever")
    assert again.state == "erasing"
    for _ in range(2):
        await scene.database.transaction(erasing.step, request_id)
    # Another process finds it, and goes on.
    assert await scene.database.read(erasing.find_unfinished) == [request_id]
    await eraser(scene).work_off(request_id)
    await eraser(scene).work_off(request_id)
    assert await scene.database.read(erasing.find_unfinished) == []
    ended = [row for row in await scene.rows(tables.audit) if row["action"] == "data_request.erased"]
    assert len(ended) == 1
    assert await scene.database.read(_found) == []


async def test_a_file_that_cannot_be_deleted_is_in_nobody_elses_way(scene: Scene, admin: Viewer) -> None:
    keys = ["s3:aa/none", scene.files.write(b"ours"), scene.files.write(b"theirs")]
    request_ids = []
    for sender, own in (("ani", keys[:2]), ("bob", keys[2:])):
        conversation_id = await solved(scene, admin, "Hello", sender=sender)
        request_ids.append(await asked(scene, admin, await owner_of(scene, conversation_id)))
        await scene.database.transaction(erasing.begin, admin, request_ids[-1], name=sender)
        work = (await scene.row(tables.data_request, id=request_ids[-1]))["work"] | {"recordings": own}
        row = tables.data_request.c.id == request_ids[-1]
        await scene.database.transaction(_put_work, row, work)
    loop = asyncio.ensure_future(eraser(scene).run())
    try:
        for _ in range(500):
            if (await scene.row(tables.data_request, id=request_ids[1]))["state"] == "done":
                break
            await asyncio.sleep(0.02)
    finally:
        loop.cancel()
    states = [(await scene.row(tables.data_request, id=each))["state"] for each in request_ids]
    assert states == ["erasing", "done"], "there is no such bucket"
    for key in keys[1:]:
        with pytest.raises(NotFound):
            scene.files.path(key)


def _put_work(tx: Tx, row: Any, work: dict[str, Any]) -> None:
    tx.execute(tables.data_request.update().where(row).values(work=work))


async def test_a_file_that_was_passed_on_stays_with_whoever_has_it(scene: Scene, admin: Viewer) -> None:
    ours = await solved(scene, admin, "See the file", sender="ani")
    theirs = await scene.opened("Hello", sender="bob")
    key = scene.files.write(b"shared")

    def attach(tx: Tx) -> None:
        for conversation_id in (ours, theirs):
            entry = select(tables.entry.c.id).where(tables.entry.c.conversation_id == conversation_id).limit(1)
            file = {"name": "a.pdf", "media_type": "application/pdf", "state": "stored", "created_at": tx.now}
            tx.insert(tables.attachment, {**file, "entry_id": tx.scalar(entry), "file_key": key})

    await scene.database.transaction(attach)
    await erase(scene, admin, await asked(scene, admin, await owner_of(scene, ours)), "ani")
    assert scene.files.path(key).read_bytes() == b"shared"
    assert len(await scene.rows(tables.attachment)) == 1


async def test_a_file_that_is_passed_on_at_that_very_moment_stays(scene: Scene, admin: Viewer) -> None:
    ours = await solved(scene, admin, "See the file", sender="ani")
    theirs = await scene.opened("Hello", sender="bob")
    key = scene.files.write(b"shared")

    def attach(tx: Tx, conversation_id: int) -> None:
        entry = select(tables.entry.c.id).where(tables.entry.c.conversation_id == conversation_id).limit(1)
        file = {"name": "a.pdf", "media_type": "application/pdf", "state": "stored", "created_at": tx.now}
        tx.insert(tables.attachment, {**file, "entry_id": tx.scalar(entry), "file_key": key})

    await scene.database.transaction(attach, ours)
    request_id = await asked(scene, admin, await owner_of(scene, ours))
    await scene.database.transaction(erasing.begin, admin, request_id, name="ani")
    # Whoever passed it on had read its row before that commit.
    await scene.database.transaction(attach, theirs)
    await eraser(scene).work_off(request_id)
    assert scene.files.path(key).read_bytes() == b"shared"


async def test_webhooks_that_are_behind_tell_nothing_of_whoever_is_erased(scene: Scene, admin: Viewer) -> None:
    conversation_id = await solved(scene, admin, f"I am {MARK}", sender="ani")
    customer_id = await owner_of(scene, conversation_id)
    nobody = await scene.opened("I have nothing to do with it", sender="bob")

    def listen(tx: Tx) -> None:
        endpoint: dict[str, Any] = {
            "url": "https://x.test",
            "events": ["message.received", "customer.changed"],
            "queue_ids": [],
        }
        endpoint |= {"channel_ids": [], "secrets": "", "cursor": 0, "secret_since": tx.now, "created_at": tx.now}
        tx.insert(tables.webhook_endpoint, {**endpoint, "enabled": True, "since": tx.now - timedelta(days=1)})

    await scene.database.transaction(listen)
    await scene.database.transaction(cards.change_card, admin, customer_id, {"name": f"Ani {MARK}"})
    request_id = await asked(scene, admin, customer_id)
    await scene.database.transaction(erasing.begin, admin, request_id, name=f"Ani {MARK}")
    await scene.database.transaction(deliveries.plan)
    await eraser(scene).work_off(request_id)
    assert await scene.database.read(_found) == []
    told = [(row["type"], row["lane"]) for row in await scene.rows(tables.webhook_delivery)]
    assert ("message.received", f"conversation:{nobody}") in told
    assert ("customer.changed", f"customer:{customer_id}") in told, "that the card is nameless is told"


async def test_a_task_whose_time_comes_at_that_very_moment_leaves_no_alert(
    scene: Scene, admin: Viewer, clock: FrozenClock
) -> None:
    customer_id = await owner_of(scene, await solved(scene, admin, "Hello", sender="ani"))
    wish = tasks.Wish(
        kind="follow_up", title=MARK, note="", due_at=clock() + timedelta(minutes=1), assignee_id=admin.user_id
    )
    task = await scene.database.transaction(tasks.create_task, admin, wish, customer_id=customer_id)
    request_id = await asked(scene, admin, customer_id)
    clock.advance(120)

    def fire(tx: Tx) -> bool:
        is_fired = tasks.fire(tx, task.id)
        if tx.is_postgresql:
            tx.connection.exec_driver_sql("SELECT pg_sleep(0.5)")
        return is_fired

    firing = asyncio.ensure_future(scene.database.transaction(fire))
    await asyncio.sleep(0.2)
    await erase(scene, admin, request_id, "ani")
    assert await firing, "it was first"
    assert await scene.database.read(_found) == []


async def test_whoever_reads_for_long_does_not_make_everybody_wait(scene: Scene, admin: Viewer) -> None:
    if not scene.database.is_postgresql:
        pytest.skip("on SQLite nobody who reads is in a writer's way")
    request_id = await asked(scene, admin, await owner_of(scene, await solved(scene, admin, "Hello", sender="ani")))

    def back_up(tx: Tx) -> None:
        tx.rows(select(tables.contact_point))
        tx.connection.exec_driver_sql("SELECT pg_sleep(5)")

    reading = asyncio.ensure_future(scene.database.read(back_up))
    await asyncio.sleep(0.2)
    erased = asyncio.ensure_future(scene.database.transaction(erasing.begin, admin, request_id, name="ani"))
    await asyncio.sleep(0.2)
    await scene.opened("Is anybody there?", sender="bob")
    assert not reading.done(), "nobody waited for the backup to end"
    with pytest.raises(Conflict) as refused:
        await erased
    assert refused.value.code == "database_busy"
    await reading
    await erase(scene, admin, request_id, "ani")


async def test_requests_are_taken_down_once_and_end_once(scene: Scene, admin: Viewer, clock: FrozenClock) -> None:
    customer_id = await owner_of(scene, await solved(scene, admin, "Hello", sender="ani"))
    run = scene.database.transaction
    late = requests.Wish("access", " ", asked_at=clock() + timedelta(days=1), due_at=clock(), conversation_id=999)
    with pytest.raises(InvalidInput) as wrong:
        await run(requests.create, admin, customer_id, late)
    assert wrong.value.fields is not None
    assert set(wrong.value.fields) == {"identity", "asked_at", "due_at", "conversation_id"}
    request_id = await asked(scene, admin, customer_id, "access")
    with pytest.raises(Conflict) as twice:
        await asked(scene, admin, customer_id, "access")
    assert twice.value.code == "already_asked"
    with pytest.raises(Conflict) as unmade:
        await run(requests.end, admin, request_id, "done")
    assert unmade.value.code == "not_made"
    with pytest.raises(InvalidInput):
        await run(requests.end, admin, request_id, "refused")
    row = await run(requests.end, admin, request_id, "refused", reason="Could not say who they are")
    assert (row.state, row.reason) == ("refused", "Could not say who they are")
    with pytest.raises(Conflict) as over:
        await run(requests.end, admin, request_id, "withdrawn")
    assert over.value.code == "request_state"
    stranger = await scene.agent("Nobody", queue_ids=set())
    with pytest.raises(NotFound):
        await scene.database.read(requests.load, stranger, request_id)


async def test_two_who_take_the_same_down_at_once_do_so_once(scene: Scene, admin: Viewer) -> None:
    customer_id = await owner_of(scene, await solved(scene, admin, "Hello", sender="ani"))
    wish, runs = requests.Wish("access", "Called back"), []

    def take_down(tx: Tx) -> None:
        runs.append(belongings.hold_living(tx, customer_id))
        if tx.is_postgresql:
            tx.connection.exec_driver_sql("SELECT pg_sleep(0.3)")
        requests.create(tx, admin, customer_id, wish)

    attempts = (scene.database.transaction(take_down) for _ in range(2))
    ended = await asyncio.gather(*attempts, return_exceptions=True)
    assert sorted(getattr(each, "code", "") for each in ended) == ["", "already_asked"]
    assert len(await scene.rows(tables.data_request)) == 1
    assert len(runs) == 2, "neither had to begin again"


def test_a_month_is_the_same_day_of_the_next_or_its_last(clock: FrozenClock) -> None:
    at = clock().replace(year=2027, month=1, day=31)
    assert (requests.a_month_after(at).month, requests.a_month_after(at).day) == (2, 28)
    assert requests.a_month_after(at.replace(month=12)).year == 2028


def _named(tx: Tx, viewer: Viewer, customer_id: int, conversation_id: int) -> dict[str, tuple[str | None, bool]]:
    """In each view that names the customer: as whom, and whether it says that they were erased."""
    call = tx.scalar(select(tables.call.c.id).where(tables.call.c.customer_id == customer_id))
    asked_for = lists.Wanted(customer_id=customer_id)
    views: dict[str, Any] = {
        "conversation": conversations.load_conversation(tx, conversation_id),
        "call": load_calls(tx, [call])[call],
        "task": tasks.load_page(tx, viewer, state="ended", whose="any", customer_id=customer_id, after=None, limit=9)[
            0
        ],
        "survey": lists.load_page(tx, viewer, asked_for, None, 9)[0],
        "contact": next(
            each
            for each in load_contacts(tx, ContactsQuery("resolved", tx.now.date(), tx.now.date()), tx.now).items
            if each.conversation_id == conversation_id
        ),
    }
    return {what: (view.customer_name, view.customer_is_erased) for what, view in views.items()}


async def test_whatever_names_an_erased_customer_says_that_they_were(scene: Scene, admin: Viewer) -> None:
    conversation_id = await solved(scene, admin, "Hello", sender="ani")
    customer_id = await owner_of(scene, conversation_id)
    other = await owner_of(scene, await solved(scene, admin, "Hello", sender="bob"))
    await scene.database.transaction(cards.change_card, admin, customer_id, {"name": erasing.ERASED_NAME})
    keys = [scene.files.write(b"x") for _ in range(6)]
    await scene.database.transaction(_paint, customer_id, conversation_id, other, admin.user_id, keys)
    await project_all(scene.database)
    before = await scene.database.read(_named, admin, customer_id, conversation_id)
    assert set(before.values()) == {(erasing.ERASED_NAME, False)}, "a name is no proof"
    await erase(scene, admin, await asked(scene, admin, customer_id), erasing.ERASED_NAME)
    after = await scene.database.read(_named, admin, customer_id, conversation_id)
    assert after == dict.fromkeys(before, (erasing.ERASED_NAME, True))
    found = await scene.database.read(
        lambda tx: conversations.load_page(
            tx,
            admin,
            status=ConversationStatus.RESOLVED,
            assignee="any",
            queue_id=None,
            words="erased",
            before=None,
            limit=9,
        )
    )
    assert found == []
