"""Places and callbacks by the API."""

from __future__ import annotations

import pytest

from hub.agents import queues
from hub.agents.queues import QueueSettings
from hub.app import Hub
from hub.domain.values import ChannelKind, ContactKind
from hub.routing import estimates
from hub.store import tables
from hub.web import chat_socket
from tests.support.clock import FrozenClock
from tests.support.scene import Scene
from tests.web.conftest import Call, Caller, People

pytestmark = pytest.mark.anyio


@pytest.fixture
async def scene(hub: Hub, people: People) -> Scene:
    scene = Scene(hub.database, queue_id=people.sales_id)
    await scene.channel("chat", ChannelKind.CHAT.value)
    return scene


async def waits(scene: Scene, sender: str = "visitor") -> int:
    return await scene.opened("Hello", channel_id="chat", sender=sender, kind=ContactKind.CHAT)


async def test_an_agent_sees_the_place_of_what_waits(scene: Scene, as_anna: Caller) -> None:
    await waits(scene)
    second = await waits(scene, "second")
    answer = await as_anna.get(f"/conversations/{second}/place")
    assert answer.json() == {"position": 2, "ewt_s": None, "opens_at": None}
    await as_anna.post(f"/conversations/{second}/claim", {})
    answer = await as_anna.get(f"/conversations/{second}/place")
    assert answer.json() == {"position": None, "ewt_s": None, "opens_at": None}


async def test_a_callback_is_entered_settled_and_cancelled(scene: Scene, as_anna: Caller) -> None:
    conversation = f"/conversations/{await waits(scene)}"
    entered = await as_anna.post(f"{conversation}/callback", {"address": " +374 10 123456 "})
    assert entered.json()["callback"] == {
        "address": "+37410123456",
        "state": "waiting",
        "attempts": 0,
        "next_attempt_at": None,
    }
    # Nobody has it in hand yet.
    early = await as_anna.post(f"{conversation}/callback/outcome", {"outcome": "reached"})
    assert (early.status_code, early.json()["code"]) == (409, "no_callback")
    await as_anna.post(f"{conversation}/claim", {})
    missed = await as_anna.post(f"{conversation}/callback/outcome", {"outcome": "no_answer"})
    assert missed.json()["callback"]["attempts"] == 1
    assert missed.json()["parked_until"] == missed.json()["callback"]["next_attempt_at"]
    cancelled = await as_anna.delete(f"{conversation}/callback")
    assert (cancelled.status_code, cancelled.json()["callback"]) == (200, None)
    assert (await as_anna.delete(f"{conversation}/callback")).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"address": "call me"}, "address"),
        ({"address": "12"}, "address"),
        ({}, "address"),
        ({"address": "+37410123456", "when": "now"}, "when"),
    ],
)
async def test_what_cannot_be_called_is_refused_by_its_name(
    scene: Scene, as_anna: Caller, body: dict[str, str], field: str
) -> None:
    answer = await as_anna.post(f"/conversations/{await waits(scene)}/callback", body)
    assert (answer.status_code, list(answer.json()["fields"])) == (422, [field])


async def test_an_outcome_is_one_of_two(scene: Scene, as_anna: Caller) -> None:
    conversation = f"/conversations/{await waits(scene)}"
    answer = await as_anna.post(f"{conversation}/callback/outcome", {"outcome": "busy"})
    assert (answer.status_code, list(answer.json()["fields"])) == (422, ["outcome"])


async def test_what_one_may_not_see_has_no_place_and_no_callback(scene: Scene, call: Call, people: People) -> None:
    conversation = f"/conversations/{await waits(scene)}"
    as_bert = await call(people.bert)
    answers = [
        await as_bert.get(f"{conversation}/place"),
        await as_bert.post(f"{conversation}/callback", {"address": "+37410123456"}),
        await as_bert.post(f"{conversation}/callback/outcome", {"outcome": "reached"}),
        await as_bert.delete(f"{conversation}/callback"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 4


async def test_a_national_number_is_read_by_the_region_of_the_channels(scene: Scene, as_anna: Caller) -> None:
    await scene.set(tables.channel, {"default_region": "AM"}, id="chat")
    answer = await as_anna.post(f"/conversations/{await waits(scene)}/callback", {"address": "010 123456"})
    assert answer.json()["callback"]["address"] == "+37410123456"


async def test_a_waiting_customer_is_told_a_rounded_wait_where_the_queue_tells_it(
    scene: Scene, clock: FrozenClock
) -> None:
    conversation_id = await waits(scene)
    await scene.set(tables.queue, {"ewt_s": 200.0}, id=scene.queue_id)
    point = (await scene.row(tables.conversation, id=conversation_id))["contact_point_id"]

    async def told() -> dict[str, object]:
        found = await scene.database.read(chat_socket._load_places, {(point, "chat")})
        return found[point, "chat"]

    # Of two places the first: half of what whoever joins now may expect, in whole minutes.
    assert await told() == {
        "position": 1,
        "wait_s": 120,
        "opens_at": None,
        "offers_callback": False,
        "callback": None,
    }
    settings = QueueSettings(tells_place=False, offers_callback=True)
    await scene.database.transaction(queues.update_queue, scene.queue_id, settings)
    quiet = await told()
    assert (quiet["position"], quiet["wait_s"], quiet["offers_callback"]) == (None, None, True)
    assert await scene.database.read(estimates.place_of, conversation_id) != estimates.NOWHERE
