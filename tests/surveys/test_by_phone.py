"""The survey after a call: asked when the agent has hung up, answered with one key, and in nobody's way."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hub.agents.viewer import Viewer
from hub.calls import conductor
from hub.channels.voice import Menu, Over, Say
from hub.domain.calls import LegEnd, Party
from hub.domain.states import CallState
from hub.domain.values import ChannelKind, SurveyKind
from hub.store import tables
from hub.store.database import Database
from hub.surveys.settings import load_setting, save_setting
from tests.calls.caller import Line
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio


async def settle(scene: Scene, kind: SurveyKind = SurveyKind.CSAT, channels: tuple[ChannelKind, ...] = ()) -> None:
    def save(tx: object) -> None:
        before = load_setting(tx, scene.queue_id)  # type: ignore[arg-type]
        wanted = replace(before, enabled=True, kind=kind, channels=channels or (ChannelKind.PHONE,))
        save_setting(tx, wanted, before.version)  # type: ignore[arg-type]

    await scene.database.transaction(save)


@pytest.fixture
async def line(database: Database) -> Line:
    scene = await Scene(database).set_up()
    await scene.channel("phone", "phone")
    await settle(scene)
    return Line(scene)


async def talked(line: Line) -> tuple[int, Viewer]:
    """A customer and an agent talk; the call's id."""
    agent = await line.scene.agent("Nare")
    call_id = await line.call_in()
    await line.dispatch()
    await line.accept(agent)
    await line.connects(call_id, Party.AGENT)
    return call_id, agent


async def hang_up(line: Line, agent: Viewer, call_id: int) -> None:
    await line.scene.database.transaction(conductor.hang_up, agent, call_id)


async def test_key_after_the_talk_is_a_score_in_the_timeline_and_a_fact_of_the_agent(line: Line) -> None:
    call_id, agent = await talked(line)
    await hang_up(line, agent, call_id)
    heard = await line.hears(call_id)
    assert isinstance(heard, Menu)
    assert heard.keys == ("1", "2", "3", "4", "5")
    assert [each.text for each in heard.prompts] == [
        "How satisfied are you with our help?",
        "Please press a key from 1, very dissatisfied, to 5, very satisfied.",
    ]
    assert (await line.call(call_id)).state is CallState.WRAP_UP
    await line.presses(call_id, "2")
    heard = await line.hears(call_id)
    assert (isinstance(heard, Say), getattr(heard, "then_hang_up", False)) == (True, True)
    survey = await line.scene.row(tables.survey)
    assert (survey["score"], survey["agent_id"], survey["follow_up"]) == (2, agent.user_id, "open")
    asked, scored = (
        await line.scene.row(tables.entry, happening="survey"),
        await line.scene.row(tables.entry, happening="scored"),
    )
    assert (asked["data"]["answered"], scored["data"]["score"]) == (1, 2)
    events = await line.scene.events()
    (fact,) = [json.loads(event.body) for event in events if event.kind == "fact.survey"]
    assert (fact["score"], fact["agent_id"], fact["channel_id"]) == (2, agent.user_id, "phone")


async def test_writing_up_does_not_cut_the_customer_off_and_asks_nothing_again(line: Line) -> None:
    call_id, agent = await talked(line)
    await hang_up(line, agent, call_id)
    await line.scene.database.transaction(
        lambda tx: conductor.write_up(tx, agent, call_id, disposition=None, note=None, done=True, keep_open=False)
    )
    assert (await line.call(call_id)).state is CallState.ENDED
    assert isinstance(await line.hears(call_id), Menu)
    await line.presses(call_id, "5")
    surveys = await line.scene.rows(tables.survey)
    assert [(each["state"], each["score"]) for each in surveys] == [("answered", 5)]
    assert (await line.conversation(call_id))["status"] == "resolved"


async def test_who_presses_nothing_or_a_wrong_key_is_asked_once_more(line: Line) -> None:
    call_id, agent = await talked(line)
    await hang_up(line, agent, call_id)
    await line.presses(call_id, "9")
    heard = await line.hears(call_id)
    assert isinstance(heard, Menu)
    assert heard.prompts[0].phrase == "not_understood"
    await line.presses(call_id, None)
    assert isinstance(await line.hears(call_id), Say)
    assert (await line.scene.row(tables.survey))["state"] == "sent"


async def test_who_hangs_up_first_is_not_asked(line: Line) -> None:
    call_id, _ = await talked(line)
    await line.ends(call_id, Party.CUSTOMER)
    assert await line.scene.rows(tables.survey) == []


async def test_who_hangs_up_at_the_question_has_said_nothing_and_a_late_key_is_no_score(line: Line) -> None:
    call_id, agent = await talked(line)
    await hang_up(line, agent, call_id)
    await line.ends(call_id, Party.CUSTOMER)
    await line.presses(call_id, "5")
    assert (await line.scene.row(tables.survey))["state"] == "sent"
    assert (await line.leg(call_id, Party.CUSTOMER)).end_reason is LegEnd.HUNG_UP


async def test_line_that_tells_nothing_is_ended_in_two_minutes(line: Line, clock: FrozenClock) -> None:
    call_id, agent = await talked(line)
    await hang_up(line, agent, call_id)
    clock.advance(121)
    await line.scene.database.transaction(conductor.end_what_is_due)
    assert isinstance(await line.hears(call_id), Over)


async def test_ten_is_the_star_key(line: Line) -> None:
    await settle(line.scene, SurveyKind.NPS)
    call_id, agent = await talked(line)
    await hang_up(line, agent, call_id)
    heard = await line.hears(call_id)
    assert isinstance(heard, Menu)
    assert heard.keys == (*"0123456789", "*")
    await line.presses(call_id, "*")
    assert (await line.scene.row(tables.survey))["score"] == 10


async def test_customer_who_was_asked_lately_and_a_queue_that_asks_elsewhere_just_end_the_call(line: Line) -> None:
    first, agent = await talked(line)
    await hang_up(line, agent, first)
    await line.presses(first, "5")
    await line.scene.database.transaction(
        lambda tx: conductor.write_up(tx, agent, first, disposition=None, note=None, done=True, keep_open=False)
    )
    again = await line.call_in()
    await line.dispatch()
    await line.accept(agent)
    await line.connects(again, Party.AGENT)
    await hang_up(line, agent, again)
    assert isinstance(await line.hears(again), Over)
    assert len(await line.scene.rows(tables.survey)) == 1
