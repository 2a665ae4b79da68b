"""Drafts: kept for one person and conversation, never lost to a page that knows less, ended by the message that they were."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime, timedelta
from typing import Any, Literal

import pytest

from hub.agents.viewer import Viewer
from hub.app import _sweep_uploads
from hub.domain.views import DraftView
from hub.errors import Conflict, NotFound
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Tx, open_database
from hub.writing import drafts, planned, uploads
from hub.writing.drafts import Ending, Words
from tests.writing.conftest import Desk

pytestmark = pytest.mark.anyio


async def test_a_page_that_knows_less_overwrites_nothing(desk: Desk) -> None:
    first = await desk.save("We will", writer="desk")
    second = await desk.save("We will send it", version=first.version, writer="phone")
    with pytest.raises(Conflict, match="another page"):
        await desk.save("We can", version=first.version, writer="desk")
    kept = await desk.draft()
    assert kept is not None
    assert (kept.text, kept.writer, kept.version) == ("We will send it", "phone", second.version)


async def test_a_draft_is_as_old_as_its_last_key_and_never_of_tomorrow(desk: Desk) -> None:
    now = desk.database.clock()

    async def kept(version: int, typed_at: datetime | None) -> DraftView:
        return await desk.database.transaction(
            drafts.save,
            desk.nare,
            desk.id,
            Words("We"),
            expected_version=version,
            typed_at=typed_at,
            writer="page",
        )

    first = await kept(0, now - timedelta(seconds=40))
    assert first.updated_at == now - timedelta(seconds=40)
    second = await kept(first.version, now + timedelta(days=1))
    assert now <= second.updated_at < now + timedelta(minutes=10)


async def test_words_from_a_device_that_was_away_for_weeks_are_not_swept_as_they_come(desk: Desk) -> None:
    typed_at = desk.database.clock()
    await desk.database.transaction(dispatcher.resolve, desk.nare, desk.id)
    desk.clock.advance(days=40)
    brought = await desk.database.transaction(
        drafts.save, desk.nare, desk.id, Words("We"), expected_version=0, typed_at=typed_at, writer="phone"
    )
    assert desk.database.clock() - brought.updated_at <= timedelta(days=1, minutes=1)
    assert await desk.database.transaction(drafts.sweep) == 0
    desk.clock.advance(days=14)
    assert await desk.database.transaction(drafts.sweep) == 1


async def test_begin_and_end_are_events_and_the_words_between_are_not(desk: Desk) -> None:
    view = await desk.save("W")
    for text in ("We", "We w", "We will"):
        view = await desk.save(text, version=view.version)
    assert await desk.kinds() == ["draft.begun"]
    assert [mark.conversation_id for mark in await desk.database.read(drafts.load_marks, desk.nare.user_id)] == [
        desk.id
    ]
    await desk.save("", version=view.version)
    assert await desk.kinds() == ["draft.begun", "draft.ended"]
    assert await desk.database.read(drafts.load_marks, desk.nare.user_id) == []
    told = [event for event in await desk.scene.events() if event.kind.startswith("draft")]
    assert {event.topics for event in told} == {frozenset({f"user:{desk.nare.user_id}"})}
    assert "We" not in "".join(event.body for event in told)


@pytest.mark.parametrize(("part", "left"), [("answer", ("", "for us")), ("note", ("for them", ""))])
async def test_what_is_sent_ends_its_part_of_the_draft(desk: Desk, part: str, left: tuple[str, str]) -> None:
    view = await desk.save("for them", note="for us")
    ending = Ending(view.version, "elsewhere")
    await desk.database.transaction(drafts.end, desk.nare.user_id, desk.id, ending, part, Words())  # type: ignore[arg-type]
    kept = await desk.draft()
    assert kept is not None
    assert (kept.text, kept.note) == left


async def test_what_another_page_wrote_since_outlives_the_message(desk: Desk) -> None:
    view = await desk.save("At nine", writer="desk")
    await desk.save("At nine. Bring the invoice", version=view.version, writer="phone")
    ending = Ending(view.version, "desk")
    await desk.database.transaction(drafts.end, desk.nare.user_id, desk.id, ending, "answer", Words("At nine"))
    kept = await desk.draft()
    assert kept is not None
    assert kept.text == "At nine. Bring the invoice"


async def test_the_very_words_that_were_sent_do_not_stay_because_another_page_saved_them(desk: Desk) -> None:
    view = await desk.save("At ni", writer="first")
    await desk.save("At nine", version=view.version, writer="second")
    ending = Ending(view.version, "third")
    await desk.database.transaction(drafts.end, desk.nare.user_id, desk.id, ending, "answer", Words("At nine"))
    kept = await desk.draft()
    assert kept is not None
    assert kept.text == ""


async def test_a_file_that_another_page_put_to_the_same_words_outlives_the_message(desk: Desk) -> None:
    file_id = await desk.upload()
    view = await desk.save("At nine", writer="first")
    await desk.save("At nine", version=view.version, writer="second", attachment_ids=(file_id,))
    ending = Ending(view.version, "first")
    await desk.database.transaction(drafts.end, desk.nare.user_id, desk.id, ending, "answer", Words("At nine"))
    kept = await desk.draft()
    assert kept is not None
    assert [file.id for file in kept.attachments] == [file_id]


@pytest.mark.parametrize("part", ["answer", "note"])
async def test_files_without_a_word_that_were_sent_do_not_stay_because_another_page_saved_them(
    desk: Desk, part: Literal["answer", "note"]
) -> None:
    file_id, later = await desk.upload(), await desk.upload()
    name = "attachment_ids" if part == "answer" else "note_attachment_ids"
    one: dict[str, Any] = {name: (file_id,)}
    both: dict[str, Any] = {name: (file_id, later)}
    known = await desk.save(writer="desk", **one)
    held = await desk.save(version=known.version, writer="window", **both)
    ending, sent = Ending(known.version, "desk"), Words(**one)
    await desk.database.transaction(drafts.end, desk.nare.user_id, desk.id, ending, part, sent)
    kept = await desk.draft()
    assert kept == held  # with a file more it is another
    held = await desk.save(version=held.version, writer="window", **one)
    await desk.database.transaction(drafts.end, desk.nare.user_id, desk.id, ending, part, sent)
    kept = await desk.draft()
    assert kept is not None
    assert (kept.attachments, kept.note_attachments, kept.began_at) == ((), (), None)


async def test_a_save_that_the_message_overtook_brings_nothing_back(desk: Desk) -> None:
    """The first save of a page was on its way when the message was sent: it comes to a draft that has ended."""
    await desk.database.transaction(drafts.end, desk.nare.user_id, desk.id, Ending(0, "page"), "answer", Words())
    with pytest.raises(Conflict):
        await desk.save("At nine", version=0)
    kept = await desk.draft()
    assert kept is not None
    assert (kept.text, kept.began_at) == ("", None)


async def test_a_save_of_the_same_page_that_came_first_ends_with_the_message(desk: Desk) -> None:
    view = await desk.save("At ni")
    await desk.save("At nine", version=view.version)
    ending = Ending(view.version, "page")
    await desk.database.transaction(drafts.end, desk.nare.user_id, desk.id, ending, "answer", Words("At nine"))
    kept = await desk.draft()
    assert kept is not None
    assert kept.text == ""


async def test_who_may_not_see_the_conversation_may_not_write_or_read_there(desk: Desk) -> None:
    await desk.save("secret")
    with pytest.raises(NotFound):
        await desk.save("hello", by=desk.stranger)
    with pytest.raises(NotFound):
        await desk.database.transaction(
            drafts.take_over, desk.stranger, desk.id, desk.nare.user_id, expected_version=1, writer=""
        )


async def test_a_colleague_takes_it_over_and_its_author_loses_nothing(desk: Desk) -> None:
    file_id = await desk.upload()
    view = await desk.save(f"See ![a](attachment:{file_id})", note="VIP", attachment_ids=(file_id,))
    await desk.save("Dear Ani,", by=desk.bert)
    (seen,) = await desk.database.read(drafts.load_others, desk.id, desk.bert.user_id)
    assert (seen.user_name, seen.version) == ("Nare", view.version)

    taken = await desk.database.transaction(
        drafts.take_over, desk.bert, desk.id, desk.nare.user_id, expected_version=view.version, writer="bert"
    )
    (copied,) = taken.attachments
    assert copied.id != file_id
    assert taken.text == f"Dear Ani,\n\nSee ![a](attachment:{copied.id})"
    assert taken.note == "VIP"
    hers = await desk.draft()
    assert hers is not None
    assert (hers.taken_by, hers.text, hers.note) == (desk.bert.user_id, view.text, "VIP")
    assert await desk.database.read(drafts.load_others, desk.id, desk.bert.user_id) == []
    assert await desk.database.read(drafts.load_marks, desk.nare.user_id) == []

    again = await desk.save(hers.text, version=hers.version, attachment_ids=(file_id,))
    assert (again.taken_by, again.text, again.attachments[0].id) == (None, view.text, file_id)


async def test_only_one_takes_it_over_and_nobody_what_has_changed(desk: Desk) -> None:
    view = await desk.save("We will")
    taker = await desk.scene.agent("Cara")

    async def take(by: Viewer, version: int) -> None:
        await desk.database.transaction(
            drafts.take_over, by, desk.id, desk.nare.user_id, expected_version=version, writer=""
        )

    with pytest.raises(Conflict):
        await take(desk.bert, view.version + 1)
    await take(desk.bert, view.version)
    with pytest.raises(Conflict):
        await take(taker, view.version + 1)
    with pytest.raises(Conflict):
        await take(desk.nare, view.version + 1)


async def test_files_of_a_draft_are_swept_after_it_and_not_before(desk: Desk) -> None:
    kept, forgotten = await desk.upload(key="aa/kept"), await desk.upload(key="aa/forgotten")
    view = await desk.save("See the picture", attachment_ids=(kept,))
    taken = await desk.database.transaction(
        drafts.take_over, desk.bert, desk.id, desk.nare.user_id, expected_version=view.version, writer=""
    )
    desk.clock.advance(days=2)
    assert await desk.database.transaction(_sweep_uploads) == ["aa/forgotten"]
    rows = await desk.scene.rows(tables.attachment)
    assert {row["id"] for row in rows} == {kept, taken.attachments[0].id}
    assert forgotten not in {row["id"] for row in rows}
    # The colleague's copy goes, the bytes stay: they are the author's, too.
    await desk.save("", by=desk.bert, version=taken.version)
    desk.clock.advance(days=2)
    assert await desk.database.transaction(_sweep_uploads) == []
    hers = await desk.draft()
    assert hers is not None
    await desk.save("", version=hers.version)
    desk.clock.advance(days=2)
    assert await desk.database.transaction(_sweep_uploads) == ["aa/kept"]


async def test_files_that_are_gone_are_left_out_and_a_colleagues_are_no_ones(desk: Desk) -> None:
    theirs = await desk.upload(desk.bert)
    view = await desk.save("See it", attachment_ids=(theirs, 999_999))
    assert view.attachments == ()


async def test_what_was_begun_in_a_resolved_conversation_is_swept_after_two_weeks(desk: Desk) -> None:
    await desk.save("We will")
    await desk.database.transaction(dispatcher.resolve, desk.nare, desk.id)
    desk.clock.advance(days=13)
    assert await desk.database.transaction(drafts.sweep) == 0
    desk.clock.advance(days=2)
    assert await desk.database.transaction(drafts.sweep) == 1
    assert await desk.draft() is None
    assert (await desk.kinds())[-1] == "draft.ended"


async def test_a_draft_in_an_open_conversation_stays_however_old_it_is(desk: Desk) -> None:
    await desk.save("We will")
    desk.clock.advance(days=400)
    assert await desk.database.transaction(drafts.sweep) == 0


async def test_what_is_given_back_stands_above_what_was_begun_since(desk: Desk) -> None:
    await desk.save("P.S.", note="a note")
    back = await desk.database.transaction(
        drafts.give_back, desk.nare.user_id, desk.id, Words("At nine."), writer="page"
    )
    assert (back.text, back.note) == ("At nine.\n\nP.S.", "a note")


async def test_a_file_that_goes_from_a_message_back_into_a_draft_is_needed_all_the_while(
    desk: Desk, database_url: str
) -> None:
    """Whatever of it the sweeper has read already. (On SQLite it is alone.)"""
    if not desk.database.is_postgresql:
        return
    file_id = await desk.upload()
    view = await desk.plan(at=desk.clock.now + timedelta(days=1), attachment_ids=(file_id,))

    def take_back() -> None:
        async def act() -> None:
            database = open_database(database_url, desk.clock)
            await database.transaction(planned.cancel, desk.nare, view.id, gives_back=True, writer="")
            await database.close()

        thread = threading.Thread(target=lambda: asyncio.run(act()))
        thread.start()
        thread.join(20)

    class Interrupted(Tx):
        """The message is taken back when the first statement has been read."""

        def rows(self, *args: Any, **more: Any) -> Any:
            found = Tx.rows(self, *args, **more)
            if not has_happened:
                has_happened.append(True)
                take_back()
            return found

    has_happened: list[bool] = []
    needed = await desk.database.transaction(lambda tx: uploads.load_needed(Interrupted(tx.connection, tx.now)))
    assert (has_happened, needed) == ([True], {file_id})


async def test_files_of_a_note_stand_beside_those_of_the_answer(desk: Desk) -> None:
    picture, plan = await desk.upload(), await desk.upload()
    view = await desk.save(
        "See it", note="Not for them", attachment_ids=(picture,), note_attachment_ids=(plan, 999_999)
    )
    assert [each.id for each in view.attachments] == [picture]
    assert [each.id for each in view.note_attachments] == [plan]
    assert await desk.database.read(uploads.load_needed) == {picture, plan}
    # The answer goes, the note stays with its file; then the other way round.
    ending = Ending(view.version, "page")
    sent = Words("See it", attachment_ids=(picture,))
    await desk.database.transaction(drafts.end, desk.nare.user_id, desk.id, ending, "answer", sent)
    left = await desk.draft()
    assert left is not None
    assert (left.text, left.note, left.attachments) == ("", "Not for them", ())
    assert [each.id for each in left.note_attachments] == [plan]
    ending = Ending(left.version, "page")
    sent = Words(note="Not for them", note_attachment_ids=(plan,))
    await desk.database.transaction(drafts.end, desk.nare.user_id, desk.id, ending, "note", sent)
    left = await desk.draft()
    assert left is None or (left.note_attachments, left.began_at) == ((), None)


async def test_a_file_alone_is_a_note_that_is_begun_and_goes_along_when_taken_over(desk: Desk) -> None:
    plan = await desk.upload()
    view = await desk.save("", note_attachment_ids=(plan,))
    assert view.began_at is not None
    taken = await desk.database.transaction(
        drafts.take_over,
        desk.bert,
        desk.id,
        desk.nare.user_id,
        expected_version=view.version,
        writer="other",
    )
    assert [each.name for each in taken.note_attachments] == [each.name for each in view.note_attachments]
    assert taken.attachments == ()
    assert taken.note_attachments[0].id != plan
