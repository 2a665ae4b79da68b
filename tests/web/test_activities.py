"""What other systems tell of customers: once, changeable, shown live, and nobody's trap."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hub.web import activities
from hub.web.throttle import Throttle
from tests.support.running_hub import Api, House
from tests.web.test_customers import house, nare, running, text_from

__all__ = ["house", "nare", "running"]

pytestmark = pytest.mark.anyio

ORDER: dict[str, Any] = {
    "source": "shop",
    "external_id": "1007",
    "kind": "order",
    "title": "Order 1007",
    "text": "Two kettles",
    "amount": "12500",
    "currency": "AMD",
    "url": "https://shop.example/orders/1007",
}


async def made(nare: Api, **more: str) -> int:
    return int((await nare.post("/customers", {"name": "Ani", **more})).json()["id"])


async def test_a_thing_is_kept_once_however_often_it_is_told(nare: Api) -> None:
    ani = await made(nare)
    answers = await asyncio.gather(*(nare.post(f"/customers/{ani}/activities", ORDER) for _ in range(5)))
    assert [answer.status_code for answer in answers] == [200] * 5, answers[0].text
    assert len({answer.json()["id"] for answer in answers}) == 1
    (kept,) = (await nare.get(f"/customers/{ani}/activities")).json()["items"]
    assert {name: kept[name] for name in ORDER} == ORDER
    assert kept["version"] == 1, "nothing changed"
    told = await nare.post(f"/customers/{ani}/activities", {**ORDER, "title": "Order 1007, sent"})
    assert (told.json()["id"], told.json()["title"], told.json()["version"]) == (kept["id"], "Order 1007, sent", 2)


async def test_what_was_told_of_somebody_else_by_mistake_moves(nare: Api) -> None:
    ani, besik = await made(nare), await made(nare)
    await nare.post(f"/customers/{ani}/activities", ORDER)
    await nare.post(f"/customers/{besik}/activities", ORDER)
    assert (await nare.get(f"/customers/{ani}/activities")).json()["items"] == []
    assert len((await nare.get(f"/customers/{besik}/activities")).json()["items"]) == 1


async def test_a_system_may_know_its_customers_by_number_or_mailbox(nare: Api) -> None:
    ani = await made(nare, phone="091 23-45-67")
    await nare.post(f"/customers/{ani}/contact-points", {"kind": "email", "address": "ani@example.am"})
    for number, reference in enumerate(({"phone": "091234567"}, {"email": " ANI@Example.AM"})):
        answer = await nare.post("/activities", {**ORDER, "external_id": str(number), **reference})
        assert (answer.status_code, answer.json()["customer_id"]) == (200, ani), answer.text
    unknown = await nare.post("/activities", {**ORDER, "phone": "+37499000000"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "no_such_customer")
    for both in ({}, {"phone": "+37491234567", "email": "ani@example.am"}):
        assert (await nare.post("/activities", {**ORDER, **both})).status_code == 422
    typo = await nare.post("/activities", {**ORDER, "email": "nobody"})
    assert (typo.status_code, typo.json()["fields"].keys()) == (422, {"email"})


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"url": "http://shop.example/"}, "url"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"url": "JaVaScRiPt:alert(1)//https://shop.example"}, "url"),
        ({"url": "https://shop.example@evil.example/"}, "url"),
        ({"url": "https://shop.example:a/"}, "url"),
        ({"url": "https:///orders"}, "url"),
        ({"url": "https://shop.example/\\..\\"}, "url"),
        ({"url": "https://[::1"}, "url"),
        ({"url": "https://shop.example/" + "x" * 2_000}, "url"),
        ({"title": ""}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "Order\u202e7001"}, "title"),
        ({"text": "x" * 2_001}, "text"),
        ({"text": "a\u0000b"}, "text"),
        ({"text": "bell\u0007"}, "text"),
        ({"amount": "1e9"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "1234567890123"}, "amount"),
        ({"amount": 12.5}, "amount"),
        ({"currency": "dram"}, "currency"),
        ({"currency": None}, "currency"),
        ({"amount": None}, "amount"),
        ({"kind": "virus"}, "kind"),
        ({"source": "My Shop"}, "source"),
        ({"external_id": "x" * 121}, "external_id"),
        ({"at": "2026-01-01T10:00:00"}, "at"),
        ({"at": "0001-01-01T00:00:00Z"}, "at"),
        ({"at": "9999-12-31T23:59:59Z"}, "at"),
        ({"color": "red"}, "color"),
    ],
)
async def test_what_no_screen_should_show_is_refused(nare: Api, fields: dict[str, Any], named: str) -> None:
    ani = await made(nare)
    answer = await nare.post(f"/customers/{ani}/activities", {**ORDER, **fields})
    assert (answer.status_code, answer.json()["fields"].keys()) == (422, {named}), answer.text
    assert (await nare.get(f"/customers/{ani}/activities")).json()["items"] == []


async def test_pages_go_back_in_time_and_by_kind(nare: Api) -> None:
    ani = await made(nare)
    for day in range(1, 6):
        at = f"2026-01-0{day}T10:00:00Z"
        kind = "payment" if day % 2 else "order"
        told = {**ORDER, "external_id": str(day), "title": str(day), "kind": kind, "at": at}
        await nare.post(f"/customers/{ani}/activities", told)
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while query:
        page = (await nare.get(f"/customers/{ani}/activities", **query)).json()
        seen += [each["title"] for each in page["items"]]
        query = {"limit": 2, "cursor": page["next_cursor"]} if page["next_cursor"] else {}
    assert seen == ["5", "4", "3", "2", "1"]
    orders = (await nare.get(f"/customers/{ani}/activities", kind="order")).json()["items"]
    assert [each["title"] for each in orders] == ["4", "2"]


async def test_it_is_live_for_whoever_looks_at_the_card_and_for_nobody_else(house: House, nare: Api) -> None:
    ani, besik = await made(nare), await made(nare)
    async with house.screen(nare.person) as screen:  # type: ignore[arg-type]
        await screen.send(type="watch", customer_id=ani)
        assert await screen.until_other("watching") == ani
        await nare.post(f"/customers/{besik}/activities", {**ORDER, "external_id": "not for this card"})
        await nare.post(f"/customers/{ani}/activities", ORDER)
        event = await screen.until_kind("activity.changed")
    assert (event["activity"]["customer_id"], event["activity"]["title"]) == (ani, "Order 1007")


async def test_whoever_may_not_see_the_customer_tells_and_reads_nothing(house: House, nare: Api) -> None:
    await text_from(house, "+37491234567", "It is me", "SM1")
    (ani,) = [each["id"] for each in (await nare.get("/customers")).json()["items"]]
    stranger = house.api(await house.person("Vahe", queue_ids=()))
    assert (await stranger.post(f"/customers/{ani}/activities", ORDER)).status_code == 404
    assert (await stranger.get(f"/customers/{ani}/activities")).status_code == 404
    by_number = await stranger.post("/activities", {**ORDER, "phone": "+37491234567"})
    assert (by_number.status_code, by_number.json()["code"]) == (404, "no_such_customer")


async def test_nobody_takes_away_what_was_told_of_a_customer_they_may_not_see(house: House, nare: Api) -> None:
    await text_from(house, "+37491234567", "It is me", "SM1")
    (ani,) = [each["id"] for each in (await nare.get("/customers")).json()["items"]]
    await nare.post(f"/customers/{ani}/activities", ORDER)
    stranger = house.api(await house.person("Vahe", queue_ids=()))
    besik = await made(stranger)
    taken = await stranger.post(f"/customers/{besik}/activities", {**ORDER, "text": "Nothing"})
    assert (taken.status_code, taken.json()["code"]) == (409, "activity_taken"), taken.text
    (kept,) = (await nare.get(f"/customers/{ani}/activities")).json()["items"]
    assert (kept["text"], kept["version"]) == (ORDER["text"], 1)


async def test_a_loop_that_went_wrong_is_slowed_down(nare: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activities, "_throttle", Throttle(3, 60.0, "wait"))
    ani = await made(nare)
    answers = [await nare.post(f"/customers/{ani}/activities", ORDER) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].headers["retry-after"]
