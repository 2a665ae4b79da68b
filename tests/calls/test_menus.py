"""Calls that go through a menu: from the first key to the queue, the tone, the callback, and what happens when the menu is
changed or gone meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from hub.calls import flows
from hub.channels.voice import Menu, Prompt, Say, Voicemail, Wait
from hub.domain.calls import CallEnd, LegEnd, Party
from hub.domain.states import CallState
from hub.routing import calendars
from hub.routing.calendars import CalendarText
from hub.store import tables
from hub.store.database import Tx
from tests.calls.caller import Line
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio


def said(hy: str, en: str) -> list[dict[str, str]]:
    return [{"text": hy, "language": "hy"}, {"text": en, "language": "en"}]


def body(queue_id: int, calendar_id: int) -> dict[str, Any]:
    return {
        "start": "hours",
        "language": "hy",
        "nodes": {
            "hours": {"kind": "hours", "calendar_id": calendar_id, "open": "hello", "closed": "closed"},
            "hello": {"kind": "say", "said": said("Բարև։", "Hello."), "next": "main"},
            "main": {
                "kind": "menu",
                "said": said("Սեղմեք մեկ։", "Press one."),
                "choices": [
                    {"key": "1", "label": "Support", "to": "support"},
                    {"key": "2", "label": "Back", "to": "back"},
                    {"key": "3", "label": "Boss", "to": "boss"},
                ],
                "tries": 2,
                "otherwise": "support",
            },
            "support": {"kind": "queue", "queue_id": queue_id, "after_s": 60, "else": "offer"},
            "offer": {
                "kind": "menu",
                "said": said("Մեկ՝ սպասել։", "One to wait on."),
                "choices": [{"key": "1", "label": "Waits on", "to": "support"}],
                "otherwise": "closed",
            },
            "back": {"kind": "callback", "otherwise": "support"},
            "boss": {"kind": "number", "number": "+37410500500", "ring_s": 20, "otherwise": "main"},
            "closed": {"kind": "voicemail", "said": said("Փակ ենք։", "We are closed."), "limit_s": 90},
        },
    }


async def add_menu(line: Line, *, is_open: bool = True) -> int:
    """The line's menu; its id."""

    def make(tx: Tx) -> int:
        week = [[("00:00", "24:00")]] * 7 if is_open else [[]] * 6 + [[("00:00", "00:01")]]
        calendar_id = calendars.create_calendar(tx, CalendarText("Hours", "UTC", week)).id
        flow_id = flows.create_flow(tx, "Main", body(line.scene.queue_id, calendar_id)).id
        tx.execute(update(tables.channel).where(tables.channel.c.id == line.channel_id).values(flow_id=flow_id))
        return flow_id

    return await line.scene.database.transaction(make)


def texts(scene: Any) -> list[str]:
    return [prompt.text for prompt in scene.prompts]


@pytest.fixture
async def flow_id(line: Line) -> int:
    return await add_menu(line)


async def in_menu(line: Line, language: str | None = "en") -> int:
    """A caller who has heard the greeting; the call's id."""
    call_id = await line.call_in(language=language)
    await line.has_heard(call_id)
    return call_id


async def test_a_caller_is_greeted_chooses_and_waits(line: Line, flow_id: int) -> None:
    call_id = await line.call_in(language="en")
    greeting = await line.hears(call_id)
    assert greeting == Say((Prompt("Hello.", "en"),))
    await line.has_heard(call_id)
    asked = await line.hears(call_id)
    assert isinstance(asked, Menu)
    assert (texts(asked), asked.keys, asked.timeout_s, asked.language) == (["Press one."], ("1", "2", "3"), 8, "en")
    assert (await line.call(call_id)).state is CallState.MENU
    assert (await line.conversation(call_id))["queued_since"] is None
    await line.presses(call_id, "1")
    call = await line.call(call_id)
    assert (call.state, call.queue_id, call.chosen) == (CallState.QUEUED, line.scene.queue_id, ("Support",))
    assert (await line.conversation(call_id))["queued_since"] is not None


@pytest.mark.parametrize(("known", "heard"), [(None, "Բարև։"), ("en-GB", "Hello."), ("hy", "Բարև։"), ("uk", "Բարև։")])
async def test_a_caller_is_greeted_in_their_language_or_the_assumed_one(
    line: Line, flow_id: int, known: str | None, heard: str
) -> None:
    assert texts(await line.hears(await line.call_in(language=known))) == [heard]


async def test_who_chooses_nothing_comes_to_people_all_the_same(line: Line, flow_id: int) -> None:
    call_id = await in_menu(line)
    await line.presses(call_id, None)
    again = await line.hears(call_id)
    assert isinstance(again, Menu)
    await line.presses(call_id, "9")
    assert (await line.call(call_id)).state is CallState.QUEUED


async def test_a_closed_house_takes_a_message_which_is_work(line: Line) -> None:
    await add_menu(line, is_open=False)
    call_id = await line.call_in(language="en")
    assert await line.hears(call_id) == Voicemail((Prompt("We are closed.", "en"),), 90)
    await line.leaves_message(call_id)
    assert (await line.call(call_id)).end_reason is CallEnd.VOICEMAIL
    conversation = await line.conversation(call_id)
    assert (conversation["queue_id"], conversation["queued_since"] is not None) == (line.scene.queue_id, True)


async def test_who_has_waited_is_asked_and_keeps_their_age(line: Line, flow_id: int, clock: FrozenClock) -> None:
    call_id = await in_menu(line)
    await line.presses(call_id, "1")
    since = (await line.call(call_id)).queued_at
    clock.now += timedelta(seconds=60)
    await line.due()
    assert texts(await line.hears(call_id)) == ["One to wait on."]
    assert (await line.conversation(call_id))["queued_since"] is None
    await line.presses(call_id, "1")
    call = await line.call(call_id)
    assert (call.state, call.queued_at, call.chosen) == (CallState.QUEUED, since, ("Support", "Waits on"))
    assert (await line.conversation(call_id))["queued_since"] == since


async def test_a_line_that_did_not_stand_leaves_the_menu_its_say(line: Line, flow_id: int, clock: FrozenClock) -> None:
    agent = await line.scene.agent()
    call_id = await line.call_in()
    await line.has_heard(call_id)
    await line.presses(call_id, "1")
    clock.advance(30)
    await line.accept(agent)
    await line.ends(call_id, Party.AGENT, LegEnd.FAILED)
    assert (await line.call(call_id)).due_at == clock() + timedelta(seconds=30)
    clock.advance(30)
    await line.due()
    assert isinstance(await line.hears(call_id), Menu)


async def test_a_caller_asks_to_be_called_back_in_the_menu(line: Line, flow_id: int) -> None:
    call_id = await in_menu(line)
    await line.presses(call_id, "2")
    assert (await line.call(call_id)).end_reason is CallEnd.CALLBACK
    assert (await line.conversation(call_id))["queued_since"] is not None


async def test_a_hidden_number_waits_and_hears_why(line: Line, flow_id: int) -> None:
    call_id = await line.call_in("", language="en")
    await line.has_heard(call_id)
    await line.presses(call_id, "2")
    heard = await line.hears(call_id)
    assert isinstance(heard, Wait)
    assert heard.prompts[0].phrase == "callback_no_number"


async def test_a_number_where_nobody_answers_leads_back_to_the_menu(line: Line, flow_id: int) -> None:
    call_id = await in_menu(line)
    await line.presses(call_id, "3")
    assert (await line.call(call_id)).state is CallState.FORWARDED
    await line.ends(call_id, Party.OUTSIDE, LegEnd.NO_ANSWER)
    heard = await line.hears(call_id)
    assert isinstance(heard, Menu)
    assert (heard.prompts[0].phrase, heard.prompts[1].text) == ("not_reached", "Press one.")


async def test_who_hangs_up_in_the_menu_is_nobodys_work(line: Line, flow_id: int) -> None:
    call_id = await in_menu(line)
    await line.ends(call_id, Party.CUSTOMER)
    assert (await line.call(call_id)).end_reason is CallEnd.LEFT_MENU
    assert (await line.conversation(call_id))["queued_since"] is None


async def test_a_call_goes_on_in_the_menu_in_which_it_began(line: Line, flow_id: int) -> None:
    call_id = await in_menu(line)
    shorter = {"start": "end", "nodes": {"end": {"kind": "hang_up"}}}
    await line.scene.database.transaction(flows.update_flow, flow_id, body=shorter)
    await line.presses(call_id, "1")
    assert (await line.call(call_id)).state is CallState.QUEUED
    assert (await line.call(await line.call_in(language="en"))).end_reason is CallEnd.INFORMED


async def test_a_menu_that_is_removed_meanwhile_leads_to_the_lines_own_queue(line: Line, flow_id: int) -> None:
    call_id = await in_menu(line)

    def remove(tx: Tx) -> None:
        tx.execute(update(tables.channel).values(flow_id=None))
        flows.delete_flow(tx, flow_id)

    await line.scene.database.transaction(remove)
    await line.presses(call_id, "3")
    call = await line.call(call_id)
    assert (call.state, call.queue_id) == (CallState.QUEUED, line.scene.queue_id)


async def test_hours_and_queues_that_are_gone_stop_nobody(line: Line, scene: Scene, flow_id: int) -> None:
    def break_it(tx: Tx) -> None:
        tx.execute(delete(tables.calendar))
        tx.execute(update(tables.flow_version).values(body=body(999_999, 999_999)))

    await scene.database.transaction(break_it)
    call_id = await in_menu(line)
    await line.presses(call_id, "1")
    call = await line.call(call_id)
    assert (call.state, call.queue_id) == (CallState.QUEUED, scene.queue_id)


async def test_a_menu_that_cannot_be_read_is_none(line: Line, scene: Scene, flow_id: int) -> None:
    await scene.database.transaction(lambda tx: tx.execute(update(tables.flow_version).values(body={"old": True})))
    assert (await line.call(await line.call_in())).state is CallState.QUEUED
