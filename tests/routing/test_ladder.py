"""Steps of escalation policies: each action, once whatever happens, late after an outage, by the real loop in time."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any, Literal

import pytest
from sqlalchemy import update

from hub.agents import alerts, roster
from hub.agents.viewer import Viewer
from hub.domain.states import AgentState
from hub.domain.values import AuthorKind, ContactKind, Role
from hub.domain.views import Author
from hub.routing import dispatcher, ladder
from hub.store import tables
from hub.store.database import Database, Tx, open_database, utc_now
from hub.store.stream import Wakes
from hub.timeline import outbox
from tests.routing.stair import Json, catch_up, fire, put_policy, step
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

WAIT_S = 60


async def put_action(scene: Scene, *actions: Json, **more: Any) -> None:
    """A policy whose one step comes when work has waited for a minute."""
    await put_policy(scene, {"steps": [step("only", "waiting", WAIT_S, *actions, **more)]})


async def escalated(scene: Scene, clock: FrozenClock, *, conversation_id: int = 0) -> Json:
    """A customer waits until the step fires; what its line in the timeline says."""
    found = conversation_id or await scene.opened()
    clock.advance(WAIT_S)
    assert await fire(scene) == 1
    return await told(scene, found)


async def told(scene: Scene, conversation_id: int) -> Json:
    entry = await scene.row(tables.entry, conversation_id=conversation_id, happening="escalated")
    data: Json = entry["data"]
    return data


async def conversation(scene: Scene) -> Json:
    return await scene.row(tables.conversation)


# --- actions --------------------------------------------------------------------------------------------------------------


async def test_a_step_leaves_a_line_that_says_what_it_did(scene: Scene, clock: FrozenClock) -> None:
    await put_action(scene, {"kind": "tag", "name": "late"}, {"kind": "raise_priority", "minutes": 15})
    said = await escalated(scene, clock)
    assert said["policy"] == "Ladder"
    assert (said["step"], said["clock"], said["elapsed_s"]) == ("only", "waiting", WAIT_S)
    assert (said["actions"], said["failed"]) == ("tag,raise_priority", None)
    assert said["due_at"] == clock().isoformat()
    row = await conversation(scene)
    assert (row["tags"], row["priority"], row["escalated"]) == (["late"], 15, 1)


async def test_nothing_fires_before_it_is_due(scene: Scene, clock: FrozenClock) -> None:
    await put_action(scene)
    await scene.say()
    clock.advance(WAIT_S - 0.001)
    assert await fire(scene) == 0
    clock.advance(0.001)
    assert await fire(scene) == 1


async def test_priority_rises_no_higher_than_a_supervisor_could_raise_it(scene: Scene, clock: FrozenClock) -> None:
    await put_action(scene, {"kind": "raise_priority", "minutes": 5_000})
    await escalated(scene, clock)
    assert (await conversation(scene))["priority"] == 600


async def test_skills_are_required_at_lower_levels(scene: Scene, clock: FrozenClock) -> None:
    await put_action(scene, {"kind": "widen_skills", "levels": 2}, {"kind": "widen_skills", "levels": 1})
    await escalated(scene, clock)
    assert (await conversation(scene))["lowered"] == 3


async def test_waiting_work_moves_to_another_queue_at_its_age(scene: Scene, clock: FrozenClock) -> None:
    second = await scene.queue("Second")
    began = clock()
    await put_action(scene, {"kind": "move_to_queue", "queue_id": second})
    said = await escalated(scene, clock)
    row = await conversation(scene)
    assert (row["queue_id"], row["queued_since"], row["assignee_id"]) == (second, began, None)
    assert said["queue_name"] == "Second"


async def test_work_that_rings_is_taken_back_and_moved(scene: Scene, clock: FrozenClock) -> None:
    second = await scene.queue("Second")
    await scene.agent()
    await put_action(scene, {"kind": "move_to_queue", "queue_id": second})
    await scene.say()
    clock.advance(WAIT_S)
    await scene.database.transaction(dispatcher.dispatch, 3_600.0)
    assert len(await scene.rows(tables.offer, ended_at=None)) == 1
    await fire(scene)
    assert (await scene.row(tables.offer))["outcome"] == "withdrawn"
    assert (await conversation(scene))["queue_id"] == second


async def test_held_work_moves_from_whoever_holds_it(scene: Scene, clock: FrozenClock) -> None:
    second = await scene.queue("Second")
    agent = await scene.agent()
    move = {"kind": "move_to_queue", "queue_id": second}
    await put_policy(scene, {"steps": [step("only", "next_response", WAIT_S, move)]})
    conversation_id = await scene.opened()
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    clock.advance(WAIT_S)
    await fire(scene)
    row = await conversation(scene)
    assert (row["queue_id"], row["assignee_id"]) == (second, None)
    assert (await scene.row(tables.assignment))["end_reason"] == "taken"


async def test_people_and_roles_are_notified(scene: Scene, clock: FrozenClock) -> None:
    someone = await scene.agent("Aram")
    lead = await scene.agent("Lead", role=Role.SUPERVISOR)
    await scene.agent("Elsewhere", role=Role.SUPERVISOR, queue_ids=set())
    user = {"kind": "notify_user", "user_id": someone.user_id}
    await put_action(scene, user, {"kind": "notify_role", "role": "supervisor"})
    said = await escalated(scene, clock)
    raised = await scene.rows(tables.alert)
    assert [(row["user_id"], row["level"], row["reason"]) for row in raised] == [
        (someone.user_id, "notify", "escalation"),
        (lead.user_id, "notify", "escalation"),
    ]
    assert raised[0]["data"]["customer"] == "ani"
    assert (raised[0]["data"]["policy"], raised[0]["data"]["queue"]) == ("Ladder", "Support")
    assert (said["notified"], said["notified_count"]) == ("Aram", 1)


async def test_a_role_without_people_in_the_queue_is_told_wherever_they_are(scene: Scene, clock: FrozenClock) -> None:
    elsewhere = await scene.agent("Elsewhere", role=Role.SUPERVISOR, queue_ids=set())
    await put_action(scene, {"kind": "notify_role", "role": "supervisor"})
    await escalated(scene, clock)
    assert [row["user_id"] for row in await scene.rows(tables.alert)] == [elsewhere.user_id]


async def test_all_supervisors_are_paged_and_administrators_only_without_any(scene: Scene, clock: FrozenClock) -> None:
    await scene.agent("Ada", role=Role.ADMIN)
    await put_action(scene, {"kind": "page_supervisor"})
    await escalated(scene, clock)
    assert [(row["user_id"], row["level"]) for row in await scene.rows(tables.alert)] == [(1, "page")]
    sue = await scene.agent("Sue", role=Role.SUPERVISOR)
    other = await scene.opened(sender="other")
    await escalated(scene, clock, conversation_id=other)
    assert [row["user_id"] for row in await scene.rows(tables.alert, conversation_id=other)] == [sue.user_id]


async def test_work_is_assigned(scene: Scene, clock: FrozenClock) -> None:
    lead = await scene.agent("Lead", role=Role.SUPERVISOR)
    await put_action(scene, {"kind": "assign_to", "user_id": lead.user_id})
    said = await escalated(scene, clock)
    assert (await conversation(scene))["assignee_id"] == lead.user_id
    assert said["agent_name"] == "Lead"
    assert (await scene.row(tables.assignment))["how"] == "transfer"


async def test_work_that_is_held_is_assigned_to_somebody_else(scene: Scene, clock: FrozenClock) -> None:
    lead, agent = await scene.agent("Lead", role=Role.SUPERVISOR), await scene.agent()
    give = {"kind": "assign_to", "user_id": lead.user_id}
    await put_policy(scene, {"steps": [step("only", "resolution", WAIT_S, give)]})
    conversation_id = await scene.opened()
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    clock.advance(WAIT_S)
    await fire(scene)
    assert (await conversation(scene))["assignee_id"] == lead.user_id
    assert len(await scene.rows(tables.assignment, ended_at=None)) == 1


@pytest.mark.parametrize(
    ("kind", "holder", "failed", "alerted"), [("sms", True, None, 0), ("chat", False, "assign_to:user_away", 1)]
)
async def test_a_chat_waits_for_nobody_who_is_not_there_and_a_text_lies_ready(
    scene: Scene, clock: FrozenClock, kind: str, holder: bool, failed: str | None, alerted: int
) -> None:
    lead = await scene.agent("Lead")
    await scene.database.transaction(roster.change_agent_state, lead.user_id, AgentState.OFFLINE)
    await put_action(scene, {"kind": "assign_to", "user_id": lead.user_id})
    channel = await scene.channel(kind, kind)
    await scene.say(channel_id=channel)
    clock.advance(WAIT_S)
    await fire(scene)
    row = await conversation(scene)
    assert (row["assignee_id"] == lead.user_id, row["pinned_agent_id"]) == (holder, None)
    assert (await told(scene, row["id"]))["failed"] == failed
    assert len(await scene.rows(tables.alert, reason="escalation")) == alerted


async def test_the_customer_is_told_something_and_still_waits(scene: Scene, clock: FrozenClock) -> None:
    await put_action(scene, {"kind": "auto_reply", "text": "We have not forgotten you."})
    await escalated(scene, clock)
    sent = await scene.row(tables.entry, direction="out")
    assert (sent["author_kind"], sent["text"]) == ("system", "We have not forgotten you.")
    assert (await scene.row(tables.outbox))["state"] == "queued"
    row = await conversation(scene)
    assert row["unanswered_since"] == clock() - timedelta(seconds=WAIT_S)
    assert row["queued_since"] is not None


async def test_the_same_words_are_not_said_twice(scene: Scene, clock: FrozenClock) -> None:
    reply = {"kind": "auto_reply", "text": "One moment."}
    await put_policy(scene, {"steps": [step("a", "waiting", WAIT_S, reply), step("b", "resolution", WAIT_S, reply)]})
    await scene.say()
    clock.advance(WAIT_S)
    await fire(scene)
    assert len(await scene.rows(tables.outbox)) == 1
    failed = [entry["data"]["failed"] for entry in await scene.rows(tables.entry, happening="escalated")]
    assert failed == [None, "auto_reply:already_said"]


async def test_who_asked_for_silence_is_told_nothing(scene: Scene, clock: FrozenClock) -> None:
    await put_action(scene, {"kind": "auto_reply", "text": "One moment."}, {"kind": "tag", "name": "late"})
    await scene.say()
    await scene.set(tables.contact_point, {"opted_out_at": clock()})
    clock.advance(WAIT_S)
    await fire(scene)
    assert await scene.rows(tables.outbox) == []
    assert (await conversation(scene))["tags"] == ["late"]
    entry = await scene.row(tables.entry, happening="escalated")
    assert (entry["data"]["actions"], entry["data"]["failed"]) == ("tag", "auto_reply:opted_out")


async def test_a_channel_that_cannot_carry_words_is_not_asked_to(scene: Scene, clock: FrozenClock) -> None:
    await put_action(scene, {"kind": "auto_reply", "text": "One moment."})
    channel = await scene.channel("calls", "phone")
    said = await escalated(
        scene,
        clock,
        conversation_id=await scene.opened(channel_id=channel, kind=ContactKind.PHONE, sender="+37411223344"),
    )
    assert said["failed"] == "auto_reply:channel_cannot"


async def test_what_cannot_be_done_is_told_and_the_rest_is_done(scene: Scene, clock: FrozenClock) -> None:
    second, gone = await scene.queue("Second"), await scene.agent("Gone")
    await put_action(
        scene,
        {"kind": "move_to_queue", "queue_id": second},
        {"kind": "notify_user", "user_id": gone.user_id},
        {"kind": "assign_to", "user_id": gone.user_id},
        {"kind": "notify_role", "role": "supervisor"},
        {"kind": "page_supervisor"},
        {"kind": "tag", "name": "late"},
    )

    def remove(tx: Tx) -> None:
        tx.execute(tables.queue.delete().where(tables.queue.c.id == second))
        tx.execute(update(tables.user_account).where(tables.user_account.c.id == gone.user_id).values(active=False))

    await scene.database.transaction(remove)
    said = await escalated(scene, clock)
    assert said["actions"] == "tag"
    assert said["failed"].split(",") == [
        "move_to_queue:queue_gone",
        "notify_user:user_gone",
        "assign_to:user_gone",
        "notify_role:nobody",
        "page_supervisor:nobody",
    ]
    assert (await conversation(scene))["tags"] == ["late"]


async def test_a_moved_conversation_goes_on_by_its_new_queue_s_ladder(scene: Scene, clock: FrozenClock) -> None:
    second = await scene.queue("Second")
    await put_action(scene, {"kind": "move_to_queue", "queue_id": second})
    await put_policy(scene, {"steps": [step("next", "waiting", WAIT_S + 30)]}, name="Second", queue_id=second)
    await scene.say()
    clock.advance(WAIT_S)
    await fire(scene)
    assert (await conversation(scene))["next_step_at"] == clock() + timedelta(seconds=30)
    clock.advance(30)
    await fire(scene)
    assert [row["step_id"] for row in await scene.rows(tables.escalation_fired)] == ["only", "next"]
    assert (await conversation(scene))["escalated"] == 2


# --- alerts end -----------------------------------------------------------------------------------------------------------


async def test_alerts_end_when_it_is_resolved(scene: Scene, clock: FrozenClock) -> None:
    sue = await scene.agent("Sue", role=Role.SUPERVISOR)
    await put_action(scene, {"kind": "page_supervisor"})
    await escalated(scene, clock)
    assert len(await scene.database.read(alerts.load_unseen, sue.user_id)) == 1
    conversation_id = (await conversation(scene))["id"]
    await scene.database.transaction(dispatcher.claim, sue, conversation_id, None)
    await scene.database.transaction(dispatcher.resolve, sue, conversation_id)
    assert await scene.database.read(alerts.load_unseen, sue.user_id) == []
    assert [event.kind for event in await scene.events()].count("alert.changed") == 2


# --- once -----------------------------------------------------------------------------------------------------------------


async def test_a_step_fires_once_however_often_it_is_asked(scene: Scene, clock: FrozenClock) -> None:
    await put_action(scene)
    await scene.say()
    for _ in range(3):
        clock.advance(WAIT_S)
        await fire(scene)
    assert len(await scene.rows(tables.escalation_fired)) == 1
    assert len(await scene.rows(tables.entry, happening="escalated")) == 1


async def test_two_processes_at_once_fire_each_step_once(scene: Scene, database_url: str, clock: FrozenClock) -> None:
    await scene.agent("Sue", role=Role.SUPERVISOR)
    await put_action(scene, {"kind": "page_supervisor"})
    for number in range(30):
        await scene.say(sender=f"customer {number}")
    clock.advance(WAIT_S)
    other = open_database(database_url, clock)
    try:
        rounds = [each.transaction(ladder.fire_due) for each in (scene.database, other) * 4]
        await asyncio.gather(*rounds)
    finally:
        await other.close()
    assert len(await scene.rows(tables.escalation_fired)) == 30
    assert len(await scene.rows(tables.alert)) == 30


async def test_a_step_that_has_fired_does_not_fire_again_after_a_restart(
    scene: Scene, database_url: str, clock: FrozenClock
) -> None:
    await put_policy(scene, {"steps": [step("a", "waiting", WAIT_S), step("b", "waiting", 2 * WAIT_S)]})
    await scene.say()
    clock.advance(WAIT_S)
    await fire(scene)
    # Even if what was reckoned is lost: what has fired is known.
    await scene.set(tables.conversation, {"next_step_at": clock()})
    clock.advance(WAIT_S)
    again = open_database(database_url, clock)
    try:
        assert await again.transaction(ladder.fire_due) == 1
        assert await again.transaction(ladder.fire_due) == 0
    finally:
        await again.close()
    assert [row["step_id"] for row in await scene.rows(tables.escalation_fired)] == ["a", "b"]
    assert len(await scene.rows(tables.entry, happening="escalated")) == 2


async def test_an_instant_that_nothing_stands_behind_is_forgotten(scene: Scene, clock: FrozenClock) -> None:
    await scene.say()
    await scene.set(tables.conversation, {"next_step_at": clock()})
    assert await fire(scene) == 1
    assert (await conversation(scene))["next_step_at"] is None


async def test_a_step_fires_again_in_the_next_run_of_its_clock(scene: Scene, clock: FrozenClock) -> None:
    await put_policy(scene, {"steps": [step("only", "next_response", WAIT_S)]})
    agent = await scene.agent()
    conversation_id = await scene.opened()
    clock.advance(WAIT_S)
    await fire(scene)
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    await answer(scene, conversation_id, agent)
    await scene.say("And?")
    clock.advance(WAIT_S)
    await fire(scene)
    assert [(row["step_id"], row["run"]) for row in await scene.rows(tables.escalation_fired)] == [
        ("only", 1),
        ("only", 2),
    ]


async def test_of_very_many_alerts_the_pages_and_the_newest_are_told_in_their_order(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "_UNSEEN_LIMIT", 3)
    sue = await scene.agent("Sue", role=Role.SUPERVISOR)

    levels: list[Literal["notify", "page"]] = ["notify", "page", "notify", "notify", "page"]

    def raise_all(tx: Tx) -> None:
        for level in levels:
            alerts.raise_alert(tx, [sue.user_id], level=level, reason="x", conversation_id=None, data={"n": 1})

    await scene.database.transaction(raise_all)
    unseen = await scene.database.read(alerts.load_unseen, sue.user_id)
    raised = [row["id"] for row in await scene.rows(tables.alert)]
    assert [alert.id for alert in unseen] == [raised[1], raised[3], raised[4]]
    assert (unseen[0].data, unseen[0].version) == ({"n": 1}, 1)
    told = [json.loads(event.body)["alert"] for event in await scene.events() if event.kind == "alert.changed"]
    assert [each["id"] for each in told] == raised


# --- late -----------------------------------------------------------------------------------------------------------------


async def test_after_an_outage_what_still_matters_is_done_and_the_rest_is_only_noted(
    scene: Scene, clock: FrozenClock
) -> None:
    sue = await scene.agent("Sue", role=Role.SUPERVISOR)
    page = {"kind": "page_supervisor"}
    await put_policy(scene, {"steps": [step("page", "next_response", WAIT_S, page)]})
    answered, forgotten = await scene.opened(sender="answered"), await scene.opened(sender="forgotten")
    due_at = clock() + timedelta(seconds=WAIT_S)
    # For an hour nothing fires; meanwhile somebody answers one of the two.
    clock.advance(1_800)
    await scene.database.transaction(dispatcher.claim, sue, answered, None)
    await answer(scene, answered, sue)
    clock.advance(1_800)
    await fire(scene)
    fired = {row["conversation_id"]: row for row in await scene.rows(tables.escalation_fired)}
    assert (fired[answered]["is_over"], fired[forgotten]["is_over"]) == (True, False)
    assert (fired[forgotten]["due_at"], fired[forgotten]["fired_at"]) == (due_at, clock())
    assert [row["conversation_id"] for row in await scene.rows(tables.alert)] == [forgotten]
    assert [row["conversation_id"] for row in await scene.rows(tables.entry, happening="escalated")] == [forgotten]
    assert [row["next_step_at"] for row in await scene.rows(tables.conversation)] == [None, None]


async def test_a_step_that_was_only_noted_fires_when_its_wait_goes_on(scene: Scene, clock: FrozenClock) -> None:
    await put_action(scene)
    agent = await scene.agent()
    conversation_id = await scene.opened()
    clock.advance(2 * WAIT_S)
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    await fire(scene)
    assert (await scene.row(tables.escalation_fired))["is_over"] is True
    await scene.database.transaction(dispatcher.release, agent, conversation_id)
    await fire(scene)
    assert (await scene.row(tables.escalation_fired))["is_over"] is False
    row = await conversation(scene)
    assert (row["escalated"], row["tags"], row["next_step_at"]) == (1, ["only"], None)


async def test_what_is_resolved_meanwhile_is_left_alone(scene: Scene, clock: FrozenClock) -> None:
    await put_policy(scene, {"steps": [step("only", "resolution", WAIT_S)]})
    agent = await scene.agent()
    conversation_id = await scene.opened()
    clock.advance(WAIT_S)
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    await scene.database.transaction(dispatcher.resolve, agent, conversation_id)
    await fire(scene)
    assert (await scene.row(tables.escalation_fired))["is_over"] is True
    row = await conversation(scene)
    assert (row["escalated"], row["tags"], row["next_step_at"]) == (0, None, None)


async def test_a_long_queue_of_due_steps_is_fired_in_bounded_rounds(scene: Scene, clock: FrozenClock) -> None:
    await put_action(scene)
    arrivals = [scene.message(sender=f"customer {number}") for number in range(45)]
    await scene.intake.accept(scene.channel_id, arrivals)
    clock.advance(WAIT_S)
    assert await fire(scene) == 5
    assert len(await scene.rows(tables.escalation_fired)) == 45


async def test_where_no_policy_holds_any_more_nothing_fires(scene: Scene, clock: FrozenClock) -> None:
    await put_action(scene)
    await scene.say()
    clock.advance(WAIT_S / 2)
    await scene.set(tables.queue, {"policy_id": None})
    await catch_up(scene)
    clock.advance(WAIT_S)
    assert await fire(scene) == 0


async def test_what_was_due_before_its_policy_went_is_fired_all_the_same(scene: Scene, clock: FrozenClock) -> None:
    await put_action(scene)
    await scene.say()
    clock.advance(WAIT_S)
    await scene.set(tables.queue, {"policy_id": None})
    assert await fire(scene) == 1
    assert len(await scene.rows(tables.escalation_fired)) == 1


# --- the loop -------------------------------------------------------------------------------------------------------------


class Timed:
    """A database by the real clock, with the loops of one process."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.wakes = Wakes()
        self.committed = asyncio.Event()
        database.on_notice.append(self._wake)
        self.tasks: list[asyncio.Task[None]] = []

    def _wake(self, notice: Any) -> None:
        for name in notice.wakes:
            self.wakes.set(name)
        self.committed.set()

    def start(self) -> None:
        escalations = ladder.Escalations(self.database, self.wakes)
        self.tasks = [asyncio.create_task(escalations.run()), asyncio.create_task(escalations.keep_up())]

    async def until_fired(self, scene: Scene, count: int) -> list[Json]:
        async with asyncio.timeout(20):
            while True:
                self.committed.clear()
                rows = await scene.rows(tables.escalation_fired)
                if len(rows) >= count:
                    return rows
                await self.committed.wait()

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def test_the_loop_fires_within_a_second_of_the_due_time(database: Database) -> None:
    database.clock = utc_now
    scene = await Scene(database).set_up()
    await put_policy(scene, {"steps": [step("a", "waiting", 0.3), step("b", "waiting", 0.9)]})
    timed = Timed(database)
    timed.start()
    try:
        await scene.say()
        rows = await timed.until_fired(scene, 2)
    finally:
        await timed.stop()
    late = [(row["fired_at"] - row["due_at"]).total_seconds() for row in rows]
    assert all(0 <= each < 1 for each in late), late


async def test_a_changed_policy_reaches_waiting_work_by_the_loop(database: Database) -> None:
    database.clock = utc_now
    scene = await Scene(database).set_up()
    await scene.say()
    timed = Timed(database)
    timed.start()
    try:
        await put_policy(scene, {"steps": [step("a", "waiting", 0)]})
        await database.transaction(lambda tx: tx.wake("clocks"))
        (row,) = await timed.until_fired(scene, 1)
    finally:
        await timed.stop()
    assert row["is_over"] is False


async def test_one_that_cannot_be_fired_stops_no_other(database: Database) -> None:
    database.clock = utc_now
    scene = await Scene(database).set_up()
    await put_policy(scene, {"steps": [step("a", "waiting", 0.5)]})
    broken, sound = await scene.opened(sender="broken"), await scene.opened(sender="sound")
    # No list of tags: no view of it can be made.
    await scene.set(tables.conversation, {"tags": 5}, id=broken)
    timed = Timed(database)
    timed.start()
    try:
        (row,) = await timed.until_fired(scene, 1)
        # It was due before the other.
        assert (await scene.row(tables.conversation, id=broken))["next_step_at"] > database.clock()
        assert not any(task.done() for task in timed.tasks)
    finally:
        await timed.stop()
    assert row["conversation_id"] == sound


async def answer(scene: Scene, conversation_id: int, viewer: Viewer) -> None:
    author = Author(AuthorKind.AGENT, viewer.name, viewer.user_id)
    await scene.database.transaction(outbox.enqueue, conversation_id, author, "Good day")
