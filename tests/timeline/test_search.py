"""Search: what is found by whom, and that the index follows what changes, whatever happens in between."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update

from hub.agents.viewer import Viewer
from hub.domain.states import ConversationStatus
from hub.domain.values import AuthorKind, ChannelKind, ContactKind, Direction, EntryKind, Happening, Role
from hub.domain.views import Author
from hub.errors import InvalidInput
from hub.store import tables
from hub.store.database import Database, Tx
from hub.timeline import conversations, customers, saved_views, search, search_index
from hub.timeline.saved_views import ConversationFilter
from hub.timeline.search import Cursor, Filters, Found, HitKind, SearchHit
from hub.timeline.search_index import begin_rebuild, index_step, load_progress, place_of, rebuild_index
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio


async def index(database: Database) -> None:
    """Everything that has happened is in the index."""
    while any(await index_step(database)):
        pass


@pytest.fixture
async def sue(scene: Scene) -> Viewer:
    return await scene.agent("Sue", queue_ids=set(), role=Role.SUPERVISOR)


async def find(scene: Scene, viewer: Viewer, query: str, **filters: Any) -> list[SearchHit]:
    await index(scene.database)
    return (await ask(scene, viewer, query, **filters)).hits


async def ask(
    scene: Scene, viewer: Viewer, query: str, *, cursor: Cursor | None = None, limit: int = 50, **filters: Any
) -> Found:
    return await scene.database.read(search.search, viewer, query, Filters(**filters), cursor=cursor, limit=limit)


def texts(hits: Iterable[SearchHit]) -> list[str]:
    return ["".join(part.text for part in hit.snippet) for hit in hits if hit.kind is not HitKind.CUSTOMER]


def names(hits: Iterable[SearchHit]) -> list[str]:
    return ["".join(part.text for part in hit.name) for hit in hits if hit.kind is HitKind.CUSTOMER]


def marked(hits: Iterable[SearchHit]) -> list[str]:
    return [part.text for hit in hits for part in hit.snippet if part.is_match]


async def note(scene: Scene, viewer: Viewer, conversation_id: int, text: str) -> None:
    def write(tx: Tx) -> None:
        conversations.add_entry(
            tx,
            conversations.lock_conversation(tx, conversation_id),
            kind=EntryKind.NOTE,
            direction=Direction.INTERNAL,
            author=Author(AuthorKind.AGENT, viewer.name, viewer.user_id),
            text=text,
        )

    await scene.database.transaction(write)


async def customer(scene: Scene, name: str, *addresses: tuple[ContactKind, str], text: str = "") -> int:
    def make(tx: Tx) -> int:
        made = customers.create_customer(tx, name, None)
        for kind, address in addresses:
            customers.add_contact_point(tx, made.id, kind, address)
        if text:
            change_card(tx, made.id, note=text)
        return made.id

    return await scene.database.transaction(make)


def change_card(tx: Tx, customer_id: int, /, **values: Any) -> None:
    """As whoever changes a card does: the row, and the event that tells of it."""
    tx.execute(update(tables.customer).where(tables.customer.c.id == customer_id).values(**values))
    customers.emit_customer(tx, customer_id)


# --- each kind is found -------------------------------------------------------------------------------------------------


async def test_messages_and_notes_are_found_by_their_words_the_newest_first(
    scene: Scene, sue: Viewer, clock: FrozenClock
) -> None:
    conversation_id = await scene.opened("Where is my parcel? I ordered in May.")
    clock.advance(60)
    await scene.say("The PARCELS came, thanks")
    clock.advance(60)
    await note(scene, sue, conversation_id, "parcel was at the neighbour's")
    found = await find(scene, sue, "parcel")
    assert [hit.kind for hit in found] == [HitKind.NOTE, HitKind.MESSAGE, HitKind.MESSAGE]
    assert marked(found) == ["parcel", "PARCELS", "parcel"]
    assert {hit.conversation_id for hit in found} == {conversation_id}
    assert texts(await find(scene, sue, "may PARCEL")) == ["Where is my parcel? I ordered in May."]
    assert texts(await find(scene, sue, '"my parcel"')) == ["Where is my parcel? I ordered in May."]
    assert texts(await find(scene, sue, '"parcel my"')) == texts(await find(scene, sue, '"parc"')) == []


async def test_a_mail_is_found_by_its_subject_and_its_own_text_but_not_by_what_it_quotes(
    scene: Scene, sue: Viewer
) -> None:
    await scene.opened("Thank you, it works again")
    entry = await scene.row(tables.entry)
    row = {
        "entry_id": entry["id"],
        "conversation_id": entry["conversation_id"],
        "channel_id": scene.channel_id,
        "kind": "in",
        "subject": "Router in the kitchen",
        "spans": [["quoted", "> Did you try the antenna?"]],
        **{name: [] for name in ("refs", "senders", "reply_to", "recipients", "cc", "bcc")},
    }
    await scene.database.transaction(lambda tx: tx.execute(insert(tables.mail).values(**row)))
    (hit,) = await find(scene, sue, "kitchen router")
    assert [part.text for part in hit.title if part.is_match] == ["Router", "kitchen"]
    assert len(await find(scene, sue, "works")) == 1
    assert await find(scene, sue, "antenna") == []


async def test_a_call_is_found_by_what_was_written_down_of_it(scene: Scene, sue: Viewer) -> None:
    def call(tx: Tx) -> None:
        view = conversations.load_conversation(tx, conversation_id)
        line = {
            "channel_id": scene.channel_id,
            "conversation_id": view.id,
            "customer_id": view.customer_id,
            "direction": "in",
            "state": "wrap_up",
            "state_since": tx.now,
            "address": "+37477123456",
            "line": "",
            "room": "room",
            "started_at": tx.now,
        }
        call_id = tx.insert(tables.call, line)
        entry, _ = conversations.add_happening(tx, view, Happening.CALL, conversations.SYSTEM, entry_call_id=call_id)
        tx.execute(update(tables.call).where(tables.call.c.id == call_id).values(entry_id=entry.id))
        part = {
            "call_id": call_id,
            "agent_id": sue.user_id,
            "queue_id": scene.queue_id,
            "how": "answered",
            "connected_at": tx.now,
            "stretch_since": tx.now,
            "disposition": "Refund promised",
            "note": "wants the money by Friday",
        }
        tx.insert(tables.call_segment, part)

    conversation_id = await scene.opened("Hello")
    await scene.database.transaction(call)
    (hit,) = await find(scene, sue, "friday")
    assert (hit.kind, texts([hit])) == (HitKind.CALL, ["wants the money by Friday"])
    assert len(await find(scene, sue, "refund")) == 1


@pytest.mark.parametrize(
    "query",
    [
        *("Hovhannes", "hovhan", "Հովհաննես", "ՀՈՎՀԱՆՆԵՍ petros", "Petrosian", "violin"),
        *("077 12 34 56", "+374 (77) 12-34-56", "123456", "7712"),
        *("petrosyan@mail", "mail.example.am", "anna.petrosyan@mail.example.am"),
    ],
)
async def test_a_customer_is_found_by_name_in_any_script_by_number_in_any_writing_and_by_parts_of_an_address(
    scene: Scene, sue: Viewer, query: str
) -> None:
    wanted = await customer(
        scene,
        "Հովհաննես Պետրոսյան",
        (ContactKind.PHONE, "+37477123456"),
        (ContactKind.EMAIL, "anna.petrosyan@mail.example.am"),
        text="Plays the violin",
    )
    await customer(scene, "Giorgi Beridze", (ContactKind.PHONE, "+995555987654"))
    assert [hit.customer_id for hit in await find(scene, sue, query, kind=HitKind.CUSTOMER)] == [wanted]


async def test_a_customer_is_found_by_what_the_card_says_of_them(scene: Scene, sue: Viewer) -> None:
    made = await customer(scene, "Ani")
    card = {
        "company": "Ромашка",
        "town": "Gyumri",
        "tags": ["wholesale"],
        "fields": {"plan": "gold", "contract": 88123, "old": True},
    }
    await scene.database.transaction(change_card, made, **card)
    for query in ("romashka", "gyumri", "wholesale", "gold", "88123"):
        (hit,) = await find(scene, sue, query)
        assert (hit.kind, hit.customer_id) == (HitKind.CUSTOMER, made)
    assert await find(scene, sue, "true") == []


async def test_who_is_called_just_so_comes_before_who_is_only_mentioned(scene: Scene, sue: Viewer) -> None:
    await customer(scene, "Anna")
    await customer(scene, "Anna Maria Sargsyan")
    await customer(scene, "Annabel Lee")
    await customer(scene, "Bob", text="married to Anna")
    found = await find(scene, sue, "anna", kind=HitKind.CUSTOMER)
    assert names(found) == ["Anna", "Anna Maria Sargsyan", "Annabel Lee", "Bob"]
    assert marked([found[-1]]) == ["Anna"]


async def test_a_number_in_a_message_is_found_however_it_is_written(scene: Scene, sue: Viewer) -> None:
    await scene.opened("call me at 077-12.34 56, order 4711")
    for query in ("077123456", "+374 77 123456", "4711"):
        assert len(await find(scene, sue, query, kind=HitKind.MESSAGE)) == (0 if "374" in query else 1)


# --- filters and pages --------------------------------------------------------------------------------------------------


async def test_filters_leave_what_fits_all_of_them(scene: Scene, sue: Viewer, clock: FrozenClock) -> None:
    began = clock()
    old = await scene.opened("invoice one", sender="ani")
    await scene.channel("text", "sms")
    clock.advance(86_400)
    new = await scene.opened("invoice two", sender="+37477000001", channel_id="text", kind=ContactKind.PHONE)
    await note(scene, sue, new, "invoice is paid")
    await scene.set(tables.conversation, {"tags": ["Ցուցակ", "a%b"], "topic_id": 7}, id=new)
    expected: dict[int, list[dict[str, Any]]] = {
        1: [
            {"channel": ChannelKind.LOOPBACK},
            {"until": began + timedelta(hours=1)},
            {"kind": HitKind.NOTE},
            {"agent_id": sue.user_id},
        ],
        2: [
            {"channel": ChannelKind.SMS},
            {"since": began + timedelta(hours=1)},
            {"tag": "Ցուցակ"},
            {"tag": "a%b"},
            {"topic_id": 7},
        ],
        3: [{}, {"status": ConversationStatus.OPEN}, {"queue_id": scene.queue_id}],
        0: [{"tag": "a"}, {"status": ConversationStatus.RESOLVED}, {"queue_id": 999}, {"kind": HitKind.CALL}],
    }
    await index(scene.database)
    for count, cases in expected.items():
        for filters in cases:
            assert len(await find(scene, sue, "invoice", **filters)) == count, filters
    assert {hit.conversation_id for hit in await find(scene, sue, "invoice", until=clock())} == {old}


async def test_pages_meet_without_a_gap_or_a_repetition_under_any_filter(
    scene: Scene, sue: Viewer, clock: FrozenClock
) -> None:
    hidden = await scene.queue("Hidden")
    agent = await scene.agent("Anna")
    for number in range(30):
        clock.advance(1)
        conversation_id = await scene.opened(f"ticket {number}", sender=f"someone {number}")
        if number % 3:
            await scene.set(tables.conversation, {"queue_id": hidden}, id=conversation_id)
    await index(scene.database)
    for viewer, count in ((sue, 30), (agent, 10)):
        seen: list[str] = []
        cursor: Cursor | None = None
        while True:
            page = await ask(scene, viewer, "ticket", cursor=cursor, limit=4)
            seen += texts(page.hits)
            cursor = page.cursor
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) == count
        assert seen == sorted(seen, key=lambda text: -int(text.split()[1]))


async def test_a_common_word_is_looked_through_in_bounded_stretches(
    scene: Scene, sue: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With stretches of a few rows, as with thousands, everything is found."""
    monkeypatch.setattr(search, "_CHUNKS", (2, 4))
    monkeypatch.setattr(search, "_FEW", 3)
    monkeypatch.setattr(search, "_STRETCH", 3)
    for number in range(12):
        await scene.opened(f"common {number}" if number % 2 else f"other {number}", sender=f"someone {number}")
    await index(scene.database)
    seen: list[str] = []
    cursor: Cursor | None = None
    for _ in range(20):
        page = await ask(scene, sue, "common", cursor=cursor, limit=2)
        seen += texts(page.hits)
        if page.cursor is None:
            break
        cursor = page.cursor
    assert seen == [f"common {number}" for number in range(11, 0, -2)]


# --- rights, and what changes -------------------------------------------------------------------------------------------


async def test_an_agent_finds_what_is_theirs_and_no_more(scene: Scene, sue: Viewer) -> None:
    other = await scene.queue("Other")
    anna = await scene.agent("Anna")
    bert = await scene.agent("Bert", queue_ids={other})
    conversation_id = await scene.opened("secret recipe", sender="ani")
    assert len(await find(scene, anna, "recipe")) == len(await find(scene, sue, "recipe")) == 1
    assert await find(scene, bert, "recipe") == await find(scene, bert, "ani") == []
    # It moves without an event, and the index is as it was: the live row decides.
    await scene.set(tables.conversation, {"queue_id": other}, id=conversation_id)
    assert await ask(scene, anna, "recipe") == Found([], None, None)
    assert len((await ask(scene, bert, "recipe")).hits) == 1


async def test_whom_one_may_not_see_takes_nobodys_place(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a look at a few customers at a time, as with hundreds."""
    monkeypatch.setattr(search, "_SOME_CUSTOMERS", 2)
    monkeypatch.setattr(search, "_CUSTOMERS", 2)
    other = await scene.queue("Other")
    bert = await scene.agent("Bert", queue_ids={other})
    await customer(scene, "Petrosyan Ani")
    for number in range(7):
        conversation_id = await scene.opened(f"hello {number}", sender=f"petrosyan {number}")
        assert conversation_id
    await index(scene.database)
    assert names(await find(scene, bert, "petrosyan")) == ["Petrosyan Ani"]
    assert names(await find(scene, bert, "petrosyan", kind=HitKind.CUSTOMER)) == ["Petrosyan Ani"]


async def test_what_is_one_agents_business_is_found_by_them_and_supervisors(scene: Scene, sue: Viewer) -> None:
    anna, bert = await scene.agent("Anna"), await scene.agent("Bert")
    conversation_id = await scene.opened("Hello")
    await note(scene, anna, conversation_id, "unfriendly score")
    await scene.set(tables.entry, {"private_to": anna.user_id}, text="unfriendly score")
    found = [len(await find(scene, viewer, "unfriendly")) for viewer in (anna, bert, sue)]
    assert found == [1, 0, 1]

    def count(tx: Tx, viewer: Viewer) -> int:
        wanted = ConversationFilter(words="unfriendly")
        return saved_views.create_view(tx, viewer, name="?", is_shared=False, filter_=wanted).count

    assert [await scene.database.transaction(count, viewer) for viewer in (anna, bert, sue)] == [1, 0, 1]


async def test_a_new_name_is_found_and_the_old_one_no_more(scene: Scene, sue: Viewer) -> None:
    made = await customer(scene, "Anna Petrosyan")
    assert names(await find(scene, sue, "petrosyan")) == ["Anna Petrosyan"]
    await scene.database.transaction(change_card, made, name="Anna Sargsyan")
    assert names(await find(scene, sue, "sargsyan")) == ["Anna Sargsyan"]
    assert await find(scene, sue, "petrosyan") == []


async def test_whoever_writes_first_has_a_card_that_is_found(scene: Scene, sue: Viewer) -> None:
    await scene.opened("hello", sender="mysterious stranger")
    assert names(await find(scene, sue, "mysterious")) == ["mysterious stranger"]


async def test_merged_customers_are_one_with_the_addresses_of_both(scene: Scene, sue: Viewer) -> None:
    first = await customer(scene, "Visitor", (ContactKind.PHONE, "+37477123456"))
    second = await customer(scene, "Anna")
    assert [hit.customer_id for hit in await find(scene, sue, "37477123456")] == [first]
    await scene.database.transaction(customers.join, first, second)
    # At once, before the index has heard of it, the one who is no more is not found.
    assert (await ask(scene, sue, "visitor")).hits == []
    assert [hit.customer_id for hit in await find(scene, sue, "37477123456")] == [second]
    assert await find(scene, sue, "visitor") == []


async def test_what_is_deleted_takes_its_words_along(scene: Scene, sue: Viewer) -> None:
    conversation_id = await scene.opened("delete this text")
    await note(scene, sue, conversation_id, "delete this note")
    await customer(scene, "Delete Me")
    assert len(await find(scene, sue, "delete")) == 3
    e, c = tables.entry.c, tables.customer.c
    await scene.database.transaction(lambda tx: tx.execute(delete(tables.entry).where(e.kind == "note")))
    await scene.database.transaction(lambda tx: tx.execute(delete(tables.customer).where(c.name == "Delete Me")))
    assert len(await scene.rows(tables.search_entry)) == 1
    assert texts((await ask(scene, sue, "delete")).hits) == ["delete this text"]


# --- the index ----------------------------------------------------------------------------------------------------------


async def kept(scene: Scene) -> list[list[dict[str, Any]]]:
    def load(tx: Tx) -> list[list[dict[str, Any]]]:
        return [
            [dict(row._mapping) for row in tx.rows(select(table).order_by(next(iter(table.primary_key))))]
            for table in (tables.search_entry, tables.search_customer)
        ]

    return await scene.database.read(load)


async def busy_day(scene: Scene, viewer: Viewer) -> None:
    for number in range(7):
        conversation_id = await scene.opened(f"Message {number}", sender=f"customer {number % 3}")
        await note(scene, viewer, conversation_id, f"Note {number}")
    made = await customer(scene, "Անի", (ContactKind.PHONE, "+37477123456"))
    await scene.database.transaction(change_card, made, name="Ani")


async def test_an_index_made_anew_is_the_index_that_followed(
    scene: Scene, sue: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await index(scene.database)
    await busy_day(scene, sue)
    await index(scene.database)
    followed = await kept(scene)
    assert [len(rows) for rows in followed] == [14, 4]
    monkeypatch.setattr(search_index, "FILL", 3)
    monkeypatch.setattr(search_index, "_FORGET", 5)
    told: list[int] = []
    assert await rebuild_index(scene.database, told.append) == 18
    assert await kept(scene) == followed
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 100)


async def test_while_it_is_made_search_says_how_far_it_is_and_finds_what_there_is(
    scene: Scene, sue: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_index, "FILL", 4)
    await busy_day(scene, sue)
    assert (await ask(scene, sue, "message")).progress == search_index.Progress(0)
    seen = []
    while (progress := await scene.database.read(load_progress)) is not None:
        seen.append(progress.percent)
        await index_step(scene.database)
    assert seen == sorted(seen)
    assert 0 < seen[-1] < 100
    assert (await ask(scene, sue, "message")).progress is None
    # What comes while it fills is found before what is old.
    await scene.database.transaction(begin_rebuild)
    await scene.say("brand new message")
    while texts((await ask(scene, sue, "message")).hits) != ["brand new message"]:
        assert await index_step(scene.database) == (False, True)


async def test_events_that_are_pruned_before_they_were_followed_have_it_made_anew(scene: Scene, sue: Viewer) -> None:
    await index(scene.database)
    await scene.opened("nobody told of this")

    def forget(tx: Tx) -> None:
        head = select(func.max(tables.event.c.seq)).scalar_subquery()
        tx.execute(update(tables.stream).values(pruned_to=head))
        tx.execute(delete(tables.event))

    await scene.database.transaction(forget)
    assert len(await find(scene, sue, "nobody")) == 1


async def test_a_step_that_another_process_has_done_meanwhile_is_not_done_again(scene: Scene, sue: Viewer) -> None:
    await index(scene.database)
    conversation_id = await scene.opened("first words")
    late = await scene.database.read(search_index._look)
    assert late is not None
    await scene.set(tables.entry, {"text": "second words"}, conversation_id=conversation_id)
    await index(scene.database)
    await scene.database.transaction(search_index._keep, late)
    assert texts((await ask(scene, sue, "second")).hits) == ["second words"]
    assert (await ask(scene, sue, "first")).hits == []


async def test_two_entries_that_would_share_a_place_are_both_found(scene: Scene, sue: Viewer) -> None:
    await scene.opened("twin one", sender="ani")
    await scene.opened("twin two", sender="bela")
    one, two = await scene.rows(tables.entry)
    await index(scene.database)
    twin = {"place": place_of(two["at"], two["id"])}
    await scene.database.transaction(lambda tx: tx.execute(delete(tables.search_entry)))
    row = {**twin, "entry_id": one["id"], "words": ("twin", "one")}
    await scene.database.transaction(lambda tx: tx.insert_new(tables.search_entry, [row]))
    await scene.database.transaction(search_index._store_entries, {two["id"]: (twin["place"], ("twin", "two"))})
    assert texts((await ask(scene, sue, "twin")).hits) == ["twin two", "twin one"]


@pytest.mark.parametrize("year", [1, 1969, 2026, 2069, 9999])
def test_any_instant_has_a_place_that_both_databases_can_keep(year: int) -> None:
    earlier, later = place_of(datetime(year, 1, 1, tzinfo=UTC), 5), place_of(datetime(year, 1, 1, 1, tzinfo=UTC), 4)
    assert -(2**63) <= earlier < 2**63
    assert earlier < later or year not in (1969, 2026)


# --- hostile questions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        *(
            "",
            "   ",
            '"',
            '""',
            "'",
            "*",
            "AND",
            "OR NOT",
            "NEAR(a b)",
            "a:b",
            "words : x",
            "^parcel",
            "-parcel",
            "(((",
        ),
        *("\\", "a <-> b", "'parcel':*", "& | !", "parcel*", "%", "_", "\u200b", "\ufeff", "💥", "ա" * 400, "a " * 16),
        *("\ue000parcel", "\ue001077", "x\x00y", "); DROP TABLE entry; --", "{parcel}", "0" * 400, "٣٤٥٦٧", "ﷺ", "ǅ"),
    ],
)
async def test_no_question_breaks_the_index(scene: Scene, sue: Viewer, query: str) -> None:
    await scene.opened("just a parcel")
    await index(scene.database)
    found = await ask(scene, sue, query)
    assert found.cursor is None


@pytest.mark.parametrize("query", ["a" * 401, "a b " * 9, "x" * 10_000])
async def test_a_question_that_is_too_long_is_refused_in_words(scene: Scene, sue: Viewer, query: str) -> None:
    with pytest.raises(InvalidInput) as fault:
        await ask(scene, sue, query)
    assert fault.value.fields["q"].startswith("must have at most")
