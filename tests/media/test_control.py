"""The media process as the hub's adapter sees it: over HTTP, with real connections on 127.0.0.1."""

from __future__ import annotations

import random
import socket
from dataclasses import asdict
from pathlib import Path

import pytest

from hub.channels.voice import Menu, Talk, Wait
from hub.domain.calls import Party
from hub.media import peer
from tests.media.line import media_line

pytestmark = pytest.mark.anyio


async def test_who_does_not_sign_is_refused_but_for_the_health(tmp_path: Path) -> None:
    async with media_line(tmp_path) as line:
        assert (await line.client.get(line.url + "/healthz")).text == "ok\n"
        assert "hub_media_calls 0.0" in (await line.client.get(line.url + "/metrics")).text
        refused = await line.client.get(line.url + "/status")
        assert (refused.status_code, refused.json()["code"]) == (403, "bad_signature")
        assert (await line.request("GET", "/status")).status_code == 200


async def test_an_offer_that_is_none_leaves_no_leg(tmp_path: Path) -> None:
    async with media_line(tmp_path) as line:
        body = {
            "webhook_url": line.hub_url,
            "party": "customer",
            "room": "r",
            "scene": asdict(Wait()),
            "scene_version": 1,
            "sdp": "v=0",
        }
        answer = await line.post("/legs/x/connect", body)
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_offer")
        assert (await line.request("GET", "/legs")).json() == {"tokens": []}


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (
            "/legs/x/scene",
            {"scene": {"kind": "talk"}, "scene_version": 1, "room": "r", "party": "agent"},
            404,
            "no_leg",
        ),
        ("/legs/x/key", {"key": "1"}, 404, "no_leg"),
        ("/rooms/r/recording", {"recording": "on", "webhook_url": "http://hub.test/"}, 404, "no_room"),
        ("/rooms/r/recording", {"recording": "on"}, 422, "invalid"),
        ("/rooms/r/recording", {"recording": "off"}, 204, None),
        ("/rooms/r/recording", {"recording": "loud"}, 422, "invalid"),
        ("/legs/x/connect", {"sdp": "v=0"}, 422, "invalid"),
    ],
)
async def test_what_cannot_be_done_is_told_by_its_code(
    tmp_path: Path, path: str, body: dict[str, object], status: int, code: str | None
) -> None:
    async with media_line(tmp_path) as line:
        answer = await line.post(path, body)
        assert answer.status_code == status
        assert (answer.json()["code"] if answer.content else None) == code


async def test_customers_are_refused_when_all_lines_are_busy_and_agents_are_not(tmp_path: Path) -> None:
    async with media_line(tmp_path, calls=1) as line:
        await line.call("one", Party.CUSTOMER)
        refused = await line.dial("two", Party.CUSTOMER, Talk())
        assert (refused.status_code, refused.json()["code"]) == (503, "all_busy")
        await line.call("agent", Party.AGENT)
        status = (await line.request("GET", "/status")).json()
        assert (status["legs"], status["calls"], status["limit"]) == (2, 1, 1)
        await line.request("DELETE", "/legs/one")
        await line.call("two", Party.CUSTOMER)


async def test_a_key_of_the_callers_key_pad_chooses(tmp_path: Path) -> None:
    async with media_line(tmp_path) as line:
        await line.call("anna", Party.CUSTOMER, Menu((), keys=("1", "2")))
        assert (await line.post("/legs/anna/key", {"key": "x"})).status_code == 422
        assert (await line.post("/legs/anna/key", {"key": "2"})).status_code == 204
        assert (await line.hook("chosen"))["key"] == "2"


async def test_a_leg_is_ended_once_however_often_it_is_asked(tmp_path: Path) -> None:
    async with media_line(tmp_path) as line:
        await line.call("anna", Party.CUSTOMER)
        assert (await line.request("GET", "/legs/anna")).json() == {"state": "connected", "end": None}
        for _ in range(2):
            assert (await line.request("DELETE", "/legs/anna")).status_code == 204
        assert (await line.hook("leg", state="ended"))["end"] == "cancelled"
        assert (await line.request("GET", "/legs/anna")).json() == {"state": "ended", "end": "cancelled"}
        assert (await line.request("GET", "/legs/nobody")).status_code == 404


async def test_a_page_that_closes_its_connection_has_hung_up_at_once(tmp_path: Path) -> None:
    async with media_line(tmp_path) as line:
        anna = await line.call("anna", Party.CUSTOMER)
        bert = await line.call("bert", Party.AGENT)
        await anna.close()
        assert (await line.hook("leg", token="anna", state="ended"))["end"] == "hung_up"
        await bert.close()
        assert (await line.hook("leg", token="bert", state="ended"))["end"] == "lost"


async def test_a_line_that_falls_silent_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "LOST_S", 0.5)
    async with media_line(tmp_path) as line:
        anna = await line.call("anna", Party.CUSTOMER)
        # Its network is gone: nothing leaves it any more, no goodbye either.
        anna.connection.getTransceivers()[0].sender.transport.transport._connection._nominated.clear()
        assert (await line.hook("leg", token="anna", state="ended"))["end"] == "lost"


async def test_who_never_connects_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "CONNECT_S", 0.3)
    async with media_line(tmp_path) as line:
        await line.dial("anna", Party.CUSTOMER, Talk(), answered=False)
        assert (await line.hook("leg", token="anna"))["end"] == "failed"
        assert line.hooks == []


async def test_what_strangers_send_to_a_port_harms_nobody(tmp_path: Path) -> None:
    async with media_line(tmp_path) as line:
        await line.call("customer", Party.CUSTOMER, hertz=440)
        agent = await line.call("agent", Party.AGENT)
        await agent.until_hears(440)
        dice = random.Random(7)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for party in line.media.exchange.parties.values():
                assert isinstance(party.leg, peer.Peer)
                [candidate] = party.leg._ice.local_candidates
                for first in range(256):
                    stranger.sendto(
                        bytes([first]) + dice.randbytes(dice.randrange(0, 60)), (candidate.host, candidate.port)
                    )
        await agent.next_seconds(0.5)
        await agent.until_hears(440)
        assert (await line.request("GET", "/status")).json()["legs"] == 2


async def test_a_page_that_was_reloaded_is_heard_again(tmp_path: Path) -> None:
    async with media_line(tmp_path) as line:
        customer = await line.call("customer", Party.CUSTOMER, hertz=440)
        agent = await line.call("agent", Party.AGENT, hertz=1200)
        await customer.until_hears(1200)
        await agent.close()
        await line.hook("leg", token="agent", state="ended", end="lost")
        again = await line.call("agent", Party.AGENT, hertz=660)
        await customer.until_hears(660)
        await again.until_hears(440)


async def test_a_recording_is_fetched_and_deleted(tmp_path: Path) -> None:
    async with media_line(tmp_path) as line:
        customer = await line.call("customer", Party.CUSTOMER, hertz=440)
        agent = await line.call("agent", Party.AGENT, hertz=1200)
        await customer.until_hears(1200)
        order = {"recording": "on", "webhook_url": f"{line.hub_url}/webhooks/line/voice"}
        await line.post("/rooms/room/recording", order)
        await agent.next_seconds(1)
        await line.post("/rooms/room/recording", {**order, "recording": "off"})
        path = f"/recordings/{(await line.hook('recording_ready', room='room'))['recording_id']}"
        fetched = await line.request("GET", path)
        assert (fetched.status_code, fetched.headers["content-type"]) == (200, "audio/ogg")
        assert fetched.content.startswith(b"OggS")
        assert (await line.request("DELETE", path)).status_code == 204
        assert (await line.request("GET", path)).status_code == 404
        assert (await line.request("GET", "/recordings/..%2fsecret")).status_code == 404


async def test_webhooks_come_in_order_and_again_until_they_are_taken(tmp_path: Path) -> None:
    async with media_line(tmp_path) as line:
        line.answers = [500, 503]
        await line.call("anna", Party.CUSTOMER, Menu((), keys=("1",)), caller={"kind": "visitor"}, line="page")
        await line.post("/legs/anna/key", {"key": "1"})
        await line.hook("chosen")
        assert [hook["kind"] for hook in line.hooks] == ["arrived"]
        assert line.hooks[0]["caller"]["kind"] == "visitor"


async def test_a_webhook_that_the_hub_wants_no_more_is_dropped(tmp_path: Path) -> None:
    async with media_line(tmp_path) as line:
        line.answers = [404]
        await line.call("anna", Party.CUSTOMER)
        assert line.hooks == []


async def test_a_listener_needs_no_microphone(tmp_path: Path) -> None:
    async with media_line(tmp_path) as line:
        await line.call("customer", Party.CUSTOMER, hertz=440)
        listener = await line.call("s", Party.SUPERVISOR, direction="recvonly")
        await listener.until_hears(440)
