"""Test calls: on the Twilio line with the demo carrier, and on the hub's own with a media process and a real peer.

Whatever happens nothing is left: no leg at the provider, no call, conversation, customer or fact here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.agents.viewer import Viewer
from hub.calls import line_tests
from hub.channels.voice import LegChanged, LegName, Over
from hub.demo.carrier_voice import VoiceFault
from hub.domain.calls import LegEnd
from hub.domain.states import LegState
from hub.domain.values import Role
from hub.errors import InvalidInput, Refused, TooMany
from hub.store import tables
from tests.calls.hub_line import Voice
from tests.calls.hub_stage import HubLine, hub_stage
from tests.calls.stage import Agent, Stage, open_stage
from tests.calls.twilio_line import TwilioLine
from tests.support.clock import FrozenClock
from tests.support.running_hub import Json
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

NUMBER = "+37491204518"


@pytest.fixture
async def stage(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(sqlite_url, tmp_path, TwilioLine()) as opened:
        yield opened


async def administrator(stage: Stage) -> Agent:
    return await stage.agent("Nune", role=Role.ADMIN, available=False)


def carrier_of(stage: Stage) -> TwilioLine:
    assert isinstance(stage.line, TwilioLine)
    return stage.line


def address_of(stage: Stage, test: Json | None = None) -> str:
    return f"/channels/{stage.line.channel_id}/test-calls" + (f"/{test['id']}" if test else "")


async def ring(stage: Stage, who: Agent, **body: object) -> Json:
    told = await who.request("POST", address_of(stage), {"address": NUMBER, "language": "en", **body})
    test: Json = told["test"]
    return test


async def see(stage: Stage, who: Agent, test: Json) -> Json:
    told: Json = await who.request("GET", address_of(stage, test))
    return told


async def until(stage: Stage, who: Agent, test: Json, **wanted: object) -> Json:
    seen: list[Json] = []

    async def is_so() -> bool:
        seen[:] = [await see(stage, who, test)]
        return all(seen[0][name] == value for name, value in wanted.items())

    await stage.until(is_so, f"the test is {wanted}; it is {seen}")
    return seen[0]


async def nothing_came_of_it(stage: Stage) -> None:
    await stage.nothing_is_left()
    for table in (tables.call, tables.leg, tables.conversation, tables.customer, tables.contact_point, tables.entry):
        assert await stage.rows(table) == []
    for row in await stage.rows(tables.line_test):
        assert row["ended_at"] is not None
        assert (row["due_at"], row["address"]) == (None, "")


async def play_whole(stage: Stage) -> None:
    nune = await administrator(stage)
    test = await ring(stage, nune)
    assert (test["state"], test["is_answered"], test["is_heard"]) == ("pending", False, False)
    caller = await carrier_of(stage).rung(NUMBER)
    await caller.hears("This is a test call from")
    await until(stage, nune, test, is_answered=True)
    told = await until(stage, nune, test, state="ended")
    assert (told["is_heard"], told["reason"]) == (True, None)
    await caller.is_over()
    await nothing_came_of_it(stage)
    acts = [(row["action"], row["subject_id"], row["data"]) for row in await stage.rows(tables.audit)]
    assert [act for act in acts if act[0] == "channel.test_called"] == [
        ("channel.test_called", "phone", {"name": "Telephone"})
    ]
    assert NUMBER not in str(acts)


async def test_a_test_call_is_heard_and_leaves_nothing(stage: Stage) -> None:
    await play_whole(stage)


async def test_a_test_call_on_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    async with open_stage(postgresql_url, tmp_path, TwilioLine()) as stage:
        await play_whole(stage)


@pytest.mark.parametrize(("does", "end"), [("busy", "busy"), ("declines", "rejected"), ("rings", "no_answer")])
async def test_nobody_comes_to_the_telephone(does: str, end: str, stage: Stage) -> None:
    nune = await administrator(stage)
    test = await ring(stage, nune)
    await carrier_of(stage).rung(NUMBER, does)
    if does == "rings":
        await until(stage, nune, test, state="ringing")
        await stage.forward(35)
    told = await until(stage, nune, test, state="ended")
    assert (told["is_answered"], told["is_heard"]) == (False, False)
    assert told["end"] in ({end, "busy"} if does == "declines" else {end})
    await nothing_came_of_it(stage)


async def test_whoever_hangs_up_in_the_sentence_has_not_heard_it(stage: Stage) -> None:
    nune = await administrator(stage)
    test = await ring(stage, nune)
    caller = await carrier_of(stage).rung(NUMBER)
    await until(stage, nune, test, is_answered=True)
    await caller.hang_up()
    told = await until(stage, nune, test, state="ended")
    assert (told["is_answered"], told["is_heard"], told["end"]) == (True, False, "hung_up")
    await nothing_came_of_it(stage)


async def test_it_is_called_off_while_it_rings(stage: Stage) -> None:
    nune = await administrator(stage)
    test = await ring(stage, nune)
    caller = await carrier_of(stage).rung(NUMBER, "rings")
    await until(stage, nune, test, state="ringing")
    assert await nune.refused(address_of(stage), {"address": NUMBER}) == "test_running"
    await nune.request("POST", f"{address_of(stage, test)}/hang-up", {})
    await nune.request("POST", f"{address_of(stage, test)}/hang-up", {})
    told = await until(stage, nune, test, state="ended", end="cancelled")
    assert not told["is_heard"]
    await caller.is_over()
    await nothing_came_of_it(stage)


async def test_what_the_provider_refuses_is_told_in_its_words(stage: Stage) -> None:
    nune = await administrator(stage)
    carrier_of(stage).carrier.voice.faults.append(VoiceFault("server_error", "create_call"))
    test = await ring(stage, nune)
    told = await until(stage, nune, test, state="ended", end="failed")
    assert told["reason"]
    assert told["code"]
    await nothing_came_of_it(stage)
    # The next one goes through.
    test = await ring(stage, nune)
    await carrier_of(stage).rung(NUMBER)
    assert (await until(stage, nune, test, state="ended"))["is_heard"]


@pytest.mark.parametrize("kind", ["error_after_accept", "timeout_after_accept"])
async def test_a_dial_of_unknown_fate_is_not_repeated(kind: str, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_tests, "_FIRST_PAUSE_S", 0.1)
    nune = await administrator(stage)
    fault = VoiceFault(kind, "create_call", seconds=0.5)  # type: ignore[arg-type]
    carrier_of(stage).carrier.voice.faults.append(fault)
    test = await ring(stage, nune)
    await carrier_of(stage).rung(NUMBER)
    await until(stage, nune, test, state="ended")
    assert len(carrier_of(stage).carrier.voice.calls) == 1
    await nothing_came_of_it(stage)


async def test_no_webhook_ever_comes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither that it was answered nor that it is over is told: the hub asks by itself."""
    monkeypatch.setattr(line_tests, "_LOOK_EVERY_S", 0.2)
    nune = await administrator(stage)
    carrier_of(stage).carrier.voice.faults.append(VoiceFault("drop", "status", left=None))
    test = await ring(stage, nune)
    caller = await carrier_of(stage).rung(NUMBER)
    await until(stage, nune, test, is_answered=True)
    await caller.hang_up()
    assert (await until(stage, nune, test, state="ended"))["end"] == "hung_up"
    await nothing_came_of_it(stage)


async def test_hanging_up_is_told_until_it_is_understood(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_tests, "_FIRST_PAUSE_S", 0.1)
    nune = await administrator(stage)
    test = await ring(stage, nune)
    caller = await carrier_of(stage).rung(NUMBER, "rings")
    await until(stage, nune, test, state="ringing")
    carrier_of(stage).carrier.voice.faults.append(VoiceFault("server_error", "update_call", left=2))
    await nune.request("POST", f"{address_of(stage, test)}/hang-up", {})
    await caller.is_over()
    await until(stage, nune, test, state="ended", end="cancelled")
    await nothing_came_of_it(stage)


async def test_no_test_lasts_for_ever(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    nune = await administrator(stage)
    test = await ring(stage, nune)
    await carrier_of(stage).rung(NUMBER, "rings")
    await until(stage, nune, test, state="ringing")
    monkeypatch.setattr(line_tests, "_LIMIT_S", 0.0)
    monkeypatch.setattr(line_tests, "_LOOK_EVERY_S", 0.1)
    await stage.forward(6)
    stage.house.hub.wakes.set(line_tests.WAKE)
    await until(stage, nune, test, state="ended", end="no_answer")
    await nothing_came_of_it(stage)


async def test_who_may_try_and_what_is_refused(stage: Stage) -> None:
    nune = await administrator(stage)
    arpi = await stage.agent("Arpi")
    assert await arpi.refused(address_of(stage), {"address": NUMBER}) == "no_permission"
    api = stage.house.api(nune.person)
    for body, field in (
        ({"address": "nobody"}, "address"),
        ({}, "address"),
        ({"address": NUMBER, "language": "xx"}, "language"),
    ):
        answer = await api.post(address_of(stage), body)
        assert answer.status_code == 422, answer.text
        assert list(answer.json()["fields"]) == [field]
    assert (await api.get(f"{address_of(stage)}/999")).status_code == 404
    assert await stage.rows(tables.line_test) == []


# --- the hub's own line ---------------------------------------------------------------------------------------------------


async def play_in_the_browser(stage: Stage) -> None:
    line = stage.line
    assert isinstance(line, HubLine)
    nune = await administrator(stage)
    assert await nune.refused(address_of(stage), {"address": NUMBER}) == "invalid"
    voice = Voice(1000.0)
    told = await nune.request("POST", address_of(stage), {"offer": await voice.offer(), "language": "uk"})
    await voice.answered(told["answer"])
    seen = await until(stage, nune, told["test"], state="ended")
    assert (seen["is_answered"], seen["is_heard"]) == (True, True)
    assert any("пробний дзвінок" in text for _, text in line.tongue.said.values())
    await voice.close()
    await nothing_came_of_it(stage)


async def test_the_hubs_own_line_rings_the_browser(sqlite_url: str, tmp_path: Path) -> None:
    async with hub_stage(sqlite_url, tmp_path) as stage:
        await play_in_the_browser(stage)


async def test_the_hubs_own_line_rings_the_browser_on_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    async with hub_stage(postgresql_url, tmp_path) as stage:
        await play_in_the_browser(stage)


# --- what is kept in rows, whatever process asks ---------------------------------------------------------------------------


async def begun(scene: Scene, who: Viewer, address: str = NUMBER, channel_id: str = "phone") -> str:
    row = await scene.database.transaction(line_tests.begin, who, channel_id, address=address, language="en")
    return str(row.token)


async def over(scene: Scene, token: str) -> None:
    await scene.database.transaction(line_tests.note_over, token, LegEnd.HUNG_UP)


async def test_nobody_tries_more_often_and_no_line_is_tried_more_often_however_many_processes_there_are(
    scene: Scene, clock: FrozenClock
) -> None:
    for channel_id in ("phone", "second", "third"):
        await scene.channel(channel_id, "phone")
    nune, mher = await scene.agent("Nune", role=Role.ADMIN), await scene.agent("Mher", role=Role.ADMIN)
    for number in range(20):
        await over(scene, await begun(scene, nune, channel_id="phone" if number else "second"))
        clock.advance(10)
    for who, channel_id in ((nune, "phone"), (nune, "third")):
        with pytest.raises(TooMany) as refused:
            await begun(scene, who, channel_id=channel_id)
        assert refused.value.retry_after_s == 3400
    # One more goes through the line, by whoever it is.
    await over(scene, await begun(scene, mher))
    with pytest.raises(TooMany):
        await begun(scene, mher)
    await over(scene, await begun(scene, mher, channel_id="third"))
    clock.advance(3400)
    await begun(scene, nune, channel_id="third")


@pytest.mark.parametrize("written", ["+37410500500", "+374 10 50-05-00"])
async def test_no_line_of_the_hubs_own_is_rung(written: str, scene: Scene) -> None:
    """It would be taken for a caller, with a conversation and figures."""
    await scene.channel("phone", "phone")
    await scene.channel("second", "phone")
    await scene.set(tables.channel, {"settings": {"number": written}}, id="second")
    nune = await scene.agent("Nune", role=Role.ADMIN)
    with pytest.raises(InvalidInput) as refused:
        await begun(scene, nune, "+37410500500")
    assert list(refused.value.fields) == ["address"]
    assert await scene.rows(tables.line_test) == []


async def test_what_is_called_off_while_it_is_dialled_is_ended_when_the_provider_knows_it(
    scene: Scene, clock: FrozenClock
) -> None:
    """Asked before, the provider would know of no call, and one would ring that nobody remembers."""
    await scene.channel("phone", "phone")
    token = await begun(scene, await scene.agent("Nune", role=Role.ADMIN))
    (dialled,) = await scene.database.transaction(line_tests.claim)
    assert dialled.is_new
    (row,) = await scene.rows(tables.line_test)
    await scene.database.transaction(line_tests.cancel, "phone", row["id"])
    clock.advance(5)
    assert await scene.database.transaction(line_tests.claim) == []
    await scene.database.transaction(line_tests.note_dialled, token, "CA1", LegState.PENDING, None)
    (ended,) = await scene.database.transaction(line_tests.claim)
    assert (ended.is_new, ended.order.scene, ended.order.provider_leg_id) == (False, Over(), "CA1")


@pytest.mark.parametrize("is_told", [False, True])
async def test_what_is_called_off_while_whoever_dials_it_dies_is_ended_nevertheless(
    is_told: bool, scene: Scene, clock: FrozenClock
) -> None:
    await scene.channel("phone", "phone")
    token = await begun(scene, await scene.agent("Nune", role=Role.ADMIN))
    await scene.database.transaction(line_tests.claim)
    (row,) = await scene.rows(tables.line_test)
    await scene.database.transaction(line_tests.cancel, "phone", row["id"])
    if is_told:
        event = LegChanged("1", LegName(token=token, provider_leg_id="CA1"), LegState.RINGING, clock())
        await scene.database.transaction(line_tests.note, "phone", event)
    else:
        clock.advance(45)
    (ended,) = await scene.database.transaction(line_tests.claim)
    assert (ended.order.scene, ended.order.provider_leg_id) == (Over(), "CA1" if is_told else None)


@pytest.mark.parametrize("written", [NUMBER, NUMBER.removeprefix("+"), "+374 (91) 20-45-18"])
async def test_the_number_is_not_kept_in_the_providers_words_either(written: str, scene: Scene) -> None:
    await scene.channel("phone", "phone")
    token = await begun(scene, await scene.agent("Nune", role=Role.ADMIN))
    error = Refused(
        f"Twilio: the number {written} is not valid, see 21211.", code="invalid_number", provider_code="21211"
    )
    await scene.database.transaction(line_tests.note_again, token, error)
    (row,) = await scene.rows(tables.line_test)
    assert (row["error"], row["address"]) == ("Twilio: the number … is not valid, see 21211.", NUMBER)
    await scene.database.transaction(line_tests.note_over, token, LegEnd.FAILED, error)
    (row,) = await scene.rows(tables.line_test)
    assert (row["error"], row["address"]) == ("Twilio: the number … is not valid, see 21211.", "")
