"""Merging over HTTP: who may, what is shown before, and that the screens of others follow."""

from __future__ import annotations

import pytest

from tests.support.running_hub import Api, House
from tests.web.test_customers import house, nare, running, text_from

__all__ = ["house", "nare", "running"]

pytestmark = pytest.mark.anyio


async def two(house: House, nare: Api) -> tuple[int, int]:
    for number in (1, 2):
        await text_from(house, f"+3749100000{number}", f"Hello {number}", f"SM{number}")
    conversations = (await nare.get("/conversations")).json()["items"]
    first, second = sorted(each["customer_id"] for each in conversations)
    for customer_id in (first, second):
        await nare.patch(
            f"/customers/{customer_id}", {"name": "Ани  Саргсян" if customer_id == first else "Ани Саргсян"}
        )
    return first, second


async def test_somebody_of_the_same_name_is_proposed_compared_merged_and_parted(house: House, nare: Api) -> None:
    first, second = await two(house, nare)
    (maybe,) = (await nare.get(f"/customers/{first}/duplicates")).json()["items"]
    assert (maybe["customer"]["id"], maybe["why"]) == (second, "name")
    await nare.patch(f"/customers/{second}", {"note": "Rings at nine"})
    preview = (await nare.get(f"/customers/{first}/merge-preview", other_id=second)).json()
    assert (preview["conversations"], preview["other_conversations"]) == (1, 1)
    proposed = {field["name"]: field["proposed"] for field in preview["fields"]}
    assert proposed == {"name": "ours", "note": "theirs"}
    versions = {
        "expected_version": preview["customer"]["version"],
        "expected_other_version": preview["other"]["version"],
    }
    stale = await nare.post(f"/customers/{first}/merges", {"other_id": second, **versions, "expected_version": 1})
    assert (stale.status_code, stale.json()["code"]) == (409, "version_conflict")
    async with house.screen(nare.person) as screen:  # type: ignore[arg-type]
        merged = await nare.post(f"/customers/{first}/merges", {"other_id": second, **versions})
        assert merged.status_code == 201, merged.text
        moved = await screen.until_kind("conversation.changed")
    assert moved["conversation"]["customer_id"] == first
    card = (await nare.get(f"/customers/{second}")).json()
    assert (card["customer"]["id"], card["customer"]["note"]) == (first, "Rings at nine")
    assert len(card["conversations"]) == 2
    (known,) = (await nare.get(f"/customers/{first}/merges")).json()["items"]
    assert (known["from_id"], known["by_name"], known["addresses"]) == (second, "Nare", ["+37491000002"])
    undone = await nare.post(f"/customer-merges/{known['id']}/undo")
    assert (undone.status_code, undone.json()["other"]["id"], undone.json()["kept"]) == (200, second, [])
    assert (await nare.get(f"/customers/{first}/merges")).json()["items"] == []
    assert (await nare.get(f"/customers/{second}")).json()["customer"]["note"] == "Rings at nine"


async def test_nearly_the_same_mailbox_is_proposed(nare: Api) -> None:
    ids = []
    for name, address in (
        ("A", "ani.sargsyan@example.am"),
        ("B", "ani.sargsyan+shop@example.am"),
        ("C", "ani.sargsyan@mail.example"),
        ("D", "besik@example.am"),
        ("E", "ani_sargsyan@example.am"),
    ):
        ids.append((await nare.post("/customers", {"name": name})).json()["id"])
        await nare.post(f"/customers/{ids[-1]}/contact-points", {"kind": "email", "address": address})
    found = (await nare.get(f"/customers/{ids[0]}/duplicates")).json()["items"]
    assert {(each["customer"]["name"], each["why"]) for each in found} == {("B", "mailbox"), ("C", "mailbox")}
    back = (await nare.get(f"/customers/{ids[1]}/duplicates")).json()["items"]
    assert {each["customer"]["name"] for each in back} == {"A", "C"}


async def test_whoever_may_not_see_one_of_them_merges_and_parts_nothing(house: House, nare: Api) -> None:
    first, second = await two(house, nare)
    merge = (await nare.post(f"/customers/{first}/merges", {"other_id": second})).json()["merge"]
    stranger = house.api(await house.person("Vahe", queue_ids=()))
    own = (await stranger.post("/customers", {"name": "Own"})).json()["id"]
    answer = await stranger.post(f"/customers/{own}/merges", {"other_id": first})
    assert (answer.status_code, answer.json()["fields"]) == (422, {"other_id": "there is no such customer"})
    assert (await stranger.get(f"/customers/{first}/merges")).status_code == 404
    assert (await stranger.post(f"/customer-merges/{merge['id']}/undo")).status_code == 404
    assert (await stranger.post("/customer-merges/999999/undo")).status_code == 404


async def test_an_agent_does_not_raise_a_tier_by_a_merge(house: House, nare: Api) -> None:
    first, second = await two(house, nare)
    body = {"other_id": second, "choices": {"tier": "theirs", "birthday!": "ours"}}
    answer = await nare.post(f"/customers/{first}/merges", body)
    assert (answer.status_code, answer.json()["fields"].keys()) == (422, {"choices.birthday!"})
    itself = await nare.post(f"/customers/{first}/merges", {"other_id": first})
    assert (itself.status_code, itself.json()["fields"]) == (422, {"other_id": "is this very customer"})
