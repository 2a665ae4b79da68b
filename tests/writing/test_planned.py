"""Messages that go out later: once, from their time on, and never into something that their author did not know of."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from hub.agents.viewer import Viewer
from hub.domain.values import Role
from hub.domain.views import PlannedView
from hub.errors import Conflict, Forbidden, InvalidInput, NotFound
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Database, open_database
from hub.store.stream import Wakes
from hub.timeline import conversations, customers
from hub.writing import drafts, planned
from hub.writing.drafts import Ending
from hub.writing.planned import PlannedMessages
from tests.writing.conftest import Desk

pytestmark = pytest.mark.anyio


def tomorrow(desk: Desk) -> datetime:
    return desk.clock.now + timedelta(days=1)


async def why(desk: Desk, planned_id: int) -> tuple[str, str | None]:
    view = await desk.planned(planned_id)
    return view.state.value, view.reason


async def alerts(desk: Desk) -> list[tuple[str, object]]:
    """What Nare is told and has not seen."""
    rows = await desk.scene.rows(tables.alert, user_id=desk.nare.user_id, seen_at=None)
    return [(row["reason"], row["data"].get("why")) for row in rows]


async def test_it_goes_out_at_its_time_and_counts_from_there(desk: Desk) -> None:
    view = await desk.plan(at=tomorrow(desk))
    await desk.look()
    assert await desk.said() == []
    desk.clock.advance(days=1)
    await desk.look()
    await desk.look()
    assert await desk.said() == ["Good morning!"]
    (fact,) = [event for event in await desk.scene.events() if event.kind == "fact.response"]
    assert desk.clock.now.date().isoformat() in fact.body
    entry = await desk.scene.row(tables.entry, direction="out", kind="message")
    assert (entry["author_id"], entry["at"]) == (desk.nare.user_id, desk.clock.now)
    assert (await desk.planned(view.id)).entry_id == entry["id"]
    assert len(await desk.scene.rows(tables.outbox)) == 1


async def test_two_loops_at_once_post_it_once(desk: Desk, database_url: str) -> None:
    others = [open_database(database_url, desk.clock) for _ in range(2)]
    ids = [(await desk.plan(f"message {number}", hold_s=5 + number, despite=True)).id for number in range(1)]
    ids += [(await desk.plan(f"later {number}", at=tomorrow(desk), despite=True)).id for number in range(6)]
    desk.clock.advance(days=1)

    async def loop(database: Database) -> None:
        for planned_id in ids:
            await database.transaction(planned.post_due, planned_id)

    try:
        await asyncio.gather(*map(loop, [desk.database, *others]))
    finally:
        for database in others:
            await database.close()
    assert sorted(await desk.said()) == sorted(["message 0", *(f"later {number}" for number in range(6))])


async def test_the_loop_finds_what_a_dead_process_left(desk: Desk) -> None:
    view = await desk.plan(hold_s=5)
    desk.clock.advance(hours=1)
    running = asyncio.create_task(PlannedMessages(desk.database, Wakes()).run())
    async with asyncio.timeout(20):
        while True:
            if (await desk.planned(view.id)).state.value == "sent":
                break
            await asyncio.sleep(0.01)
    running.cancel()
    assert await desk.said() == ["Good morning!"]


async def test_it_survives_that_somebody_else_has_the_conversation_by_then(desk: Desk) -> None:
    await desk.plan(at=tomorrow(desk))
    await desk.database.transaction(
        dispatcher.transfer, desk.nare, desk.id, agent_id=desk.bert.user_id, queue_id=None, note=None
    )
    desk.clock.advance(days=1)
    await desk.look()
    assert await desk.said() == ["Good morning!"]
    view = await desk.database.read(conversations.load_conversation, desk.id)
    assert view.assignee_id == desk.bert.user_id


async def test_words_of_the_customers_stop_it_at_once_and_its_author_is_told(desk: Desk) -> None:
    view = await desk.plan(at=tomorrow(desk))
    await desk.look()
    await desk.scene.say("Never mind")
    await desk.look()
    assert await why(desk, view.id) == ("stopped", "customer_wrote")
    assert await alerts(desk) == [("planned_stopped", "customer_wrote")]
    desk.clock.advance(days=1)
    await desk.look()
    assert await desk.said() == []


async def test_despite_them_it_goes_if_its_author_said_so(desk: Desk) -> None:
    await desk.plan(at=tomorrow(desk), despite=True)
    await desk.scene.say("Are you there?")
    await desk.look()
    desk.clock.advance(days=1)
    await desk.look()
    assert await desk.said() == ["Good morning!"]
    assert await alerts(desk) == []


async def test_what_was_stopped_is_planned_again_as_it_is(desk: Desk) -> None:
    view = await desk.plan(at=tomorrow(desk))
    await desk.scene.say("Never mind")
    await desk.look()
    stopped = await desk.planned(view.id)
    again = await desk.database.transaction(
        planned.change,
        desk.nare,
        view.id,
        expected_version=stopped.version,
        text="As you like.",
        send_at=None,
        despite=None,
        segments=None,
    )
    assert (again.state.value, again.reason, again.send_at) == ("waiting", None, view.send_at)
    assert await alerts(desk) == []
    await desk.look()
    desk.clock.advance(days=1)
    await desk.look()
    assert await desk.said() == ["As you like."]


async def test_a_resolution_stops_it_and_a_follow_up_leaves_it_resolved(desk: Desk) -> None:
    stopped = await desk.plan("Is it well again?", at=tomorrow(desk))
    await desk.plan("How was it?", at=tomorrow(desk), despite=True)
    await desk.database.transaction(dispatcher.resolve, desk.nare, desk.id)
    await desk.look()
    assert await why(desk, stopped.id) == ("stopped", "resolved")
    desk.clock.advance(days=1)
    await desk.look()
    assert await desk.said() == ["How was it?"]
    view = await desk.database.read(conversations.load_conversation, desk.id)
    assert view.status == "resolved"


async def test_one_that_was_planned_after_the_resolution_goes(desk: Desk) -> None:
    await desk.database.transaction(dispatcher.resolve, desk.nare, desk.id)
    await desk.plan("How was it?", at=tomorrow(desk))
    await desk.look()
    desk.clock.advance(days=1)
    await desk.look()
    assert await desk.said() == ["How was it?"]


async def opt_out(desk: Desk) -> None:
    point = await desk.scene.row(tables.contact_point)
    await desk.database.transaction(customers.set_opt_out, point["id"], opted_out=True)


async def switch_off(desk: Desk) -> None:
    await desk.scene.set(tables.channel, {"enabled": False}, id="loop")


async def leave(desk: Desk) -> None:
    await desk.scene.set(tables.user_account, {"active": False}, id=desk.nare.user_id)


async def sleep(desk: Desk) -> None:
    desk.clock.advance(days=2)


@pytest.mark.parametrize(
    ("happens", "reason"),
    [(opt_out, "opted_out"), (switch_off, "channel_off"), (leave, "author_gone"), (sleep, "too_late")],
)
async def test_what_is_in_its_way_is_said_and_nothing_is_lost(desk: Desk, happens: object, reason: str) -> None:
    view = await desk.plan(at=tomorrow(desk), despite=True)
    await happens(desk)  # type: ignore[operator]
    desk.clock.advance(days=1)
    await desk.look()
    assert await why(desk, view.id) == ("stopped", reason)
    assert await desk.said() == []
    assert (await desk.planned(view.id)).text == "Good morning!"
    assert len(await desk.scene.rows(tables.alert, reason="planned_stopped")) == 1


async def test_a_file_of_it_is_not_swept_and_one_that_is_gone_stops_it(desk: Desk) -> None:
    file_id = await desk.upload()
    view = await desk.plan(at=tomorrow(desk), attachment_ids=(file_id,))
    gone = await desk.upload()
    other = await desk.plan("and this", at=tomorrow(desk), attachment_ids=(gone,))
    await desk.scene.set(tables.attachment, {"state": "failed"}, id=gone)
    desk.clock.advance(days=1)
    await desk.look()
    assert (await desk.scene.row(tables.attachment, id=file_id))["entry_id"] == (await desk.planned(view.id)).entry_id
    assert await why(desk, other.id) == ("stopped", "file_gone")


async def test_sending_it_now_holds_and_opens_what_nobody_has(desk: Desk) -> None:
    view = await desk.plan(at=tomorrow(desk))
    await desk.database.transaction(dispatcher.resolve, desk.nare, desk.id)
    await desk.look()
    sent = await desk.database.transaction(planned.send_now, desk.bert, view.id)
    assert sent.state.value == "sent"
    entry = await desk.scene.row(tables.entry, direction="out", kind="message")
    assert entry["author_id"] == desk.nare.user_id
    now = await desk.database.read(conversations.load_conversation, desk.id)
    assert (now.status, now.assignee_id) == ("open", desk.bert.user_id)
    again = await desk.database.transaction(planned.send_now, desk.bert, view.id)
    assert again.entry_id == sent.entry_id
    with pytest.raises(Conflict, match="has been sent"):
        await desk.database.transaction(planned.cancel, desk.bert, view.id, gives_back=True, writer="")


async def test_sending_it_now_does_not_get_round_a_stop(desk: Desk) -> None:
    view = await desk.plan(at=tomorrow(desk))
    await opt_out(desk)
    with pytest.raises(Conflict) as refused:
        await desk.database.transaction(planned.send_now, desk.nare, view.id)
    assert refused.value.code == "opted_out"


async def test_taken_back_it_is_a_draft_again_in_the_same_transaction(desk: Desk) -> None:
    draft = await desk.save("Good morning!")
    view = await desk.plan(hold_s=5, ending=Ending(draft.version, "page"))
    ended = await desk.draft()
    assert ended is not None
    assert (ended.text, ended.began_at) == ("", None)
    await desk.save("P.S.", version=ended.version)
    _, back = await desk.database.transaction(planned.cancel, desk.nare, view.id, gives_back=True, writer="page")
    assert back is not None
    assert back.text == "Good morning!\n\nP.S."
    desk.clock.advance(5)
    await desk.look()
    assert await desk.said() == []
    with pytest.raises(Conflict, match="faster"):
        await desk.database.transaction(planned.cancel, desk.nare, view.id, gives_back=True, writer="page")


async def test_a_colleague_takes_it_into_their_own_field_and_its_author_is_told(desk: Desk) -> None:
    file_id = await desk.upload()
    view = await desk.plan(at=tomorrow(desk), attachment_ids=(file_id,))
    _, back = await desk.database.transaction(planned.cancel, desk.bert, view.id, gives_back=True, writer="")
    assert back is not None
    assert (back.user_id, back.text) == (desk.bert.user_id, "Good morning!")
    assert back.attachments[0].id != file_id
    assert await alerts(desk) == [("planned_taken", None)]


async def test_what_is_held_is_taken_back_by_a_colleague_only_so_that_its_author_hears_of_it(desk: Desk) -> None:
    view = await desk.plan(hold_s=30)
    await desk.database.transaction(planned.cancel, desk.bert, view.id, gives_back=False, writer="")
    assert await alerts(desk) == [("planned_taken", None)]


async def test_whoever_sees_the_conversation_no_more_can_still_take_their_own_words_back(desk: Desk) -> None:
    view = await desk.plan(at=tomorrow(desk))
    await desk.database.transaction(dispatcher.release, desk.nare, desk.id)
    moved = replace(desk.nare, queue_ids=frozenset())
    for act in (
        desk.database.transaction(planned.send_now, moved, view.id),
        desk.database.transaction(planned.cancel, desk.stranger, view.id, gives_back=True, writer=""),
    ):
        with pytest.raises(NotFound):
            await act
    taken, back = await desk.database.transaction(planned.cancel, moved, view.id, gives_back=True, writer="page")
    assert (taken.state.value, back and back.text) == ("cancelled", "Good morning!")


async def test_of_what_nobody_is_there_to_see_to_supervisors_are_told(desk: Desk) -> None:
    sue = await desk.scene.agent("Sue", role=Role.SUPERVISOR, queue_ids=set())
    await desk.plan(at=tomorrow(desk))
    await desk.database.transaction(dispatcher.release, desk.nare, desk.id)
    await leave(desk)
    desk.clock.advance(days=1)
    await desk.look()
    (alert,) = await desk.scene.rows(tables.alert, reason="planned_stopped")
    assert (alert["user_id"], alert["data"]["why"]) == (sue.user_id, "author_gone")


async def test_what_was_held_when_the_hub_went_off_for_days_waits_for_its_author(desk: Desk) -> None:
    view = await desk.plan(hold_s=10)
    await sleep(desk)
    await desk.look()
    assert (await desk.said(), await why(desk, view.id)) == ([], ("stopped", "too_late"))
    assert [each.id for each in await desk.database.read(planned.load_of_author, desk.nare.user_id)] == [view.id]


async def test_what_is_held_goes_before_what_comes_after_it(desk: Desk) -> None:
    await desk.plan("first", hold_s=10)
    await desk.plan("second", hold_s=10)
    assert await desk.said() == ["first"]
    desk.clock.advance(10)
    await desk.look()
    assert await desk.said() == ["first", "second"]


async def test_whoever_sends_what_nobody_holds_has_it_while_it_can_be_undone(desk: Desk) -> None:
    await desk.database.transaction(dispatcher.release, desk.nare, desk.id)
    await desk.plan(hold_s=10)
    view = await desk.database.read(conversations.load_conversation, desk.id)
    assert view.assignee_id == desk.nare.user_id


@pytest.mark.parametrize(("resolved_first", "status"), [(True, "open"), (False, "resolved")])
async def test_what_is_held_opens_what_was_resolved_before_and_not_since(
    desk: Desk, resolved_first: bool, status: str
) -> None:
    steps = [
        lambda: desk.database.transaction(dispatcher.resolve, desk.nare, desk.id),
        lambda: desk.plan(hold_s=10),
    ]
    for step in steps if resolved_first else reversed(steps):
        await step()
    desk.clock.advance(10)
    await desk.look()
    assert await desk.said() == ["Good morning!"]
    view = await desk.database.read(conversations.load_conversation, desk.id)
    assert view.status == status


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(seconds=-1), timedelta(days=367)])
async def test_a_time_that_makes_no_sense_is_named(desk: Desk, ahead: timedelta) -> None:
    with pytest.raises(InvalidInput) as refused:
        await desk.plan(at=desk.clock.now + ahead)
    assert list(refused.value.fields) == ["send_at"]


async def test_only_its_author_changes_what_it_says_and_a_stranger_sees_nothing(desk: Desk) -> None:
    view = await desk.plan(at=tomorrow(desk))

    async def change(by: Viewer, text: str | None, send_at: datetime | None = None) -> PlannedView:
        return await desk.database.transaction(
            planned.change,
            by,
            view.id,
            expected_version=view.version,
            text=text,
            send_at=send_at,
            despite=None,
            segments=None,
        )

    with pytest.raises(Forbidden):
        await change(desk.bert, "Something else")
    with pytest.raises(NotFound):
        await change(desk.stranger, None)
    moved = await change(desk.bert, None, tomorrow(desk) + timedelta(hours=1))
    assert moved.send_at == tomorrow(desk) + timedelta(hours=1)
    with pytest.raises(Conflict):
        await change(desk.nare, None)


async def test_a_clock_that_goes_back_sends_nothing_twice(desk: Desk) -> None:
    await desk.plan(at=tomorrow(desk))
    desk.clock.advance(days=1)
    await desk.look()
    desk.clock.advance(days=-1)
    await desk.look()
    desk.clock.advance(days=1)
    await desk.look()
    assert await desk.said() == ["Good morning!"]


async def test_its_author_finds_all_that_is_planned(desk: Desk) -> None:
    await desk.plan("held", hold_s=10)
    later = await desk.plan("later", at=tomorrow(desk) + timedelta(hours=1))
    sooner = await desk.plan("sooner", at=tomorrow(desk))
    found = await desk.database.read(planned.load_of_author, desk.nare.user_id)
    assert [view.id for view in found] == [sooner.id, later.id]
    assert await desk.database.read(planned.load_of_author, desk.bert.user_id) == []
    assert await desk.database.read(drafts.load_marks, desk.nare.user_id) == []
    assert desk.nare.role is Role.AGENT
