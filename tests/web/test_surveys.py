"""Surveys over HTTP: settings, lists, and the page behind a mail's link."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import delete, update

from hub.agents.viewer import Viewer
from hub.app import Hub
from hub.domain.values import ChannelKind, SurveyKind
from hub.domain.views import UserView
from hub.kpi.facts import project
from hub.store import tables
from hub.store.database import Tx
from hub.surveys import links
from tests.support.clock import FrozenClock
from tests.support.scene import Scene
from tests.surveys.conftest import PHONE, Floor
from tests.web.conftest import Call, Caller, People

pytestmark = pytest.mark.anyio

SETTING: Mapping[str, Any] = {
    "enabled": True,
    "kind": "csat",
    "questions": {"hy": "Գո՞հ եք։"},
    "language": "hy",
    "channels": ["chat", "sms", "email"],
    "delay_s": 30,
    "throttle_days": 14,
    "open_h": 48,
    "low_score": 2,
    "told": None,
    "scores_for_agents": "own",
    "expected_version": 0,
}


def viewer(person: UserView, *queue_ids: int) -> Viewer:
    return Viewer(person.id, person.role, person.name, "en", frozenset(queue_ids))


@pytest.fixture
async def floor(hub: Hub, people: People, clock: FrozenClock) -> Floor:
    scene = Scene(hub.database, queue_id=people.sales_id)
    await scene.channel("sms-1", "sms")
    floor = Floor(scene, clock, viewer(people.anna, people.sales_id), viewer(people.supervisor))
    await floor.settle(enabled=True, channels=(ChannelKind.SMS,))
    return floor


@pytest.fixture
async def path(hub: Hub, floor: Floor) -> str:
    """The link of a survey that was sent, without a choice."""
    await floor.served()
    await floor.ask()
    (survey,) = await floor.surveys()
    return f"/s/{links.token_of(hub.vault, int(str(survey['id'])))}"


# --- settings -----------------------------------------------------------------------------------------------------------


async def test_settings_of_every_queue_are_listed_and_saved(as_admin: Caller, people: People) -> None:
    items = (await as_admin.get("/survey-settings")).json()["items"]
    assert [(item["queue_name"], item["enabled"], item["version"]) for item in items] == [
        ("Sales", False, 0),
        ("Support", False, 0),
    ]
    path = f"/survey-settings/{people.sales_id}"
    saved = (await as_admin.put(path, SETTING)).json()
    assert (saved["version"], saved["questions"], saved["channels"]) == (
        1,
        {"hy": "Գո՞հ եք։"},
        ["chat", "sms", "email"],
    )
    assert (await as_admin.put(path, SETTING)).json()["code"] == "version_conflict"
    again = await as_admin.put(path, {**SETTING, "kind": "nps", "low_score": 6, "expected_version": 1})
    assert again.json()["version"] == 2
    assert (await as_admin.put("/survey-settings/999", SETTING)).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"low_score": 6}, "low_score"),
        ({"channels": []}, "channels"),
        ({"channels": ["fax"]}, "channels.0"),
        ({"told": [999]}, "told"),
        ({"questions": {"fr": "?"}}, "questions.fr.[key]"),
        ({"delay_s": -1}, "delay_s"),
        ({"open_h": 0}, "open_h"),
    ],
)
async def test_impossible_settings_are_refused_by_name(
    as_admin: Caller, people: People, wrong: dict[str, Any], field: str
) -> None:
    answer = await as_admin.put(f"/survey-settings/{people.sales_id}", {**SETTING, **wrong})
    assert (answer.status_code, list(answer.json()["fields"])) == (422, [field])


async def test_preview_shows_every_language(as_admin: Caller) -> None:
    answer = await as_admin.post("/surveys/preview", {"kind": "ces", "questions": {"en": "Was it easy?"}})
    items = {item["language"]: item for item in answer.json()["items"]}
    assert sorted(items) == ["az", "en", "hy", "ka", "ru", "uk"]
    assert items["en"]["sms"].startswith("Was it easy? Please reply with a number from 1 (very difficult)")
    assert items["uk"]["question"] == items["uk"]["usual"]


# --- lists --------------------------------------------------------------------------------------------------------------


async def test_agents_see_their_own_scores_and_supervisors_all(
    floor: Floor, call: Call, people: People, as_anna: Caller
) -> None:
    for number in ("1", "2", "3"):
        await floor.served(sender=PHONE + number)
        await floor.ask()
        await floor.reply(f"{number} so", sender=PHONE + number)
    as_supervisor, as_bert = await call(people.supervisor), await call(people.bert)
    first = (await as_supervisor.get("/surveys?limit=2")).json()
    assert [(item["score"], item["comment"], item["agent_name"]) for item in first["items"]] == [
        (3, "so", "Anna"),
        (2, "so", "Anna"),
    ]
    rest = (await as_supervisor.get(f"/surveys?limit=2&cursor={first['next_cursor']}")).json()
    assert ([item["score"] for item in rest["items"]], rest["next_cursor"]) == ([1], None)
    low = (await as_supervisor.get(f"/surveys?low=true&follow_up=open&queue_id={people.sales_id}")).json()["items"]
    assert [item["score"] for item in low] == [2, 1]
    assert len((await as_anna.get("/surveys")).json()["items"]) == 3
    assert (await as_bert.get("/surveys")).json()["items"] == []
    done = await as_supervisor.put(f"/surveys/{low[0]['id']}/follow-up", {"done": True})
    assert (done.json()["follow_up"], done.json()["followed_up_by"]) == ("done", "Sue")
    line = await floor.scene.row(tables.entry, happening="scored", conversation_id=low[0]["conversation_id"])
    assert (line["data"]["follow_up"], line["data"]["followed_up_by"]) == ("done", "Sue")
    high = first["items"][0]["id"]
    refused = await as_supervisor.put(f"/surveys/{high}/follow-up", {"done": True})
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_to_follow_up")


async def test_who_has_left_the_queue_keeps_the_score_and_not_the_customer(
    hub: Hub, floor: Floor, people: People, as_anna: Caller, call: Call
) -> None:
    await floor.served()
    await floor.ask()
    await floor.reply("2 my street is Abovyan")

    def leave(tx: Tx) -> None:
        tx.execute(update(tables.conversation).values(assignee_id=None))
        tx.execute(delete(tables.queue_member).where(tables.queue_member.c.user_id == people.anna.id))

    await hub.database.transaction(project)
    day = hub.database.clock().date()
    behind = f"/reports/contacts?measure=csat&from={day}&to={day}&by=agent&id={people.anna.id}"
    names = ("score", "value", "comment", "customer_name", "is_readable")
    callers = (as_anna, await call(people.supervisor))
    seen = [(await each.get(path)).json()["items"][0] for each in callers for path in ("/surveys", behind)]
    assert [item["is_readable"] for item in seen] == [True] * 4
    await hub.database.transaction(leave)
    seen = [(await each.get(path)).json()["items"][0] for each in callers for path in ("/surveys", behind)]
    told = [[item.get(name) for name in names] for item in seen]
    # An unnamed customer goes by the number.
    name = "+374 77 123456"
    assert told == [
        [2, None, "", "", False],
        [None, 2.0, None, None, False],
        [2, None, "my street is Abovyan", name, True],
        [None, 2.0, None, name, True],
    ]


# --- the page -----------------------------------------------------------------------------------------------------------


async def test_scanners_that_follow_every_link_store_nothing(as_nobody: Caller, floor: Floor, path: str) -> None:
    answers = [await as_nobody.get(f"{path}?score={score}", root=True) for score in range(1, 6)]
    answers.append(await as_nobody.request("HEAD", f"{path}?score=3", root=True))
    assert {answer.status_code for answer in answers} == {200}
    assert (await floor.states(), await floor.facts("fact.survey")) == ([("sent", None)], 0)
    assert re.findall(r'value="(\d+)" required checked', answers[2].text) == ["3"]


async def test_page_is_private_and_runs_nothing(as_nobody: Caller, path: str) -> None:
    answer = await as_nobody.get(f"{path}?score=4", root=True)
    policy = answer.headers["content-security-policy"]
    assert "script" not in policy
    assert "default-src 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in answer.headers["x-robots-tag"]
    assert "set-cookie" not in answer.headers
    assert not [word for word in (PHONE, "Anna", "Where is it?") if word in answer.text]


async def test_choice_is_stored_by_post_and_may_be_changed_until_it_ends(
    as_nobody: Caller, floor: Floor, path: str, clock: FrozenClock
) -> None:
    sent = await as_nobody.request("POST", path, root=True, data={"score": "5", "comment": "quick & <b>kind</b>"})
    assert (sent.status_code, "Your score: 5" in sent.text) == (200, True)
    await as_nobody.request("POST", path, root=True, data={"score": "4", "comment": ""})
    (survey,) = await floor.surveys()
    assert (survey["score"], survey["comment"]) == (4, "quick & <b>kind</b>")
    clock.advance(72 * 3600)
    late = [await as_nobody.request(method, path, root=True, data={"score": "1"}) for method in ("GET", "POST")]
    assert [answer.status_code for answer in late] == [410, 410]
    assert (await floor.surveys())[0]["score"] == 4


@pytest.mark.parametrize("form", [{}, {"score": "6"}, {"score": "-1"}, {"score": "x"}, {"comment": "only words"}])
async def test_post_without_a_score_asks_for_one(
    as_nobody: Caller, floor: Floor, path: str, form: dict[str, str]
) -> None:
    answer = await as_nobody.request("POST", path, root=True, data=form)
    assert (answer.status_code, "Please choose a number." in answer.text) == (422, True)
    assert await floor.states() == [("sent", None)]


async def test_links_that_are_not_ours_all_look_the_same(as_nobody: Caller, hub: Hub, path: str) -> None:
    token = path.removeprefix("/s/")
    number, _, signature = token.partition(".")
    gone = links.token_of(hub.vault, 999_999)
    tampered = [f"{int(number) + 1}.{signature}", f"{number}.{signature[:-1]}", number, "t-csat-en.x", "x" * 500, gone]
    answers = [await as_nobody.get(f"/s/{each}", root=True, headers={"Accept-Language": "hy-AM"}) for each in tampered]
    assert {(answer.status_code, answer.text) for answer in answers} == {(404, answers[0].text)}
    assert "Այս հղումն այլևս չի գործում" in answers[0].text


async def test_page_speaks_the_language_of_the_survey_and_tests_store_nothing(
    as_nobody: Caller, hub: Hub, floor: Floor, path: str
) -> None:
    def speak(tx: Tx) -> None:
        tx.execute(update(tables.survey).values(language="ka"))

    await hub.database.transaction(speak)
    assert '<html lang="ka">' in (await as_nobody.get(path, root=True)).text
    test = f"/s/{links.test_token(hub.vault, SurveyKind.CSAT, 'az')}"
    answer = await as_nobody.request("POST", test, root=True, data={"score": "3"})
    assert (answer.status_code, "Bu sınaqdır" in answer.text) == (200, True)
    assert await floor.states() == [("sent", None)]


async def test_nobody_of_the_house_answers_for_a_customer(as_anna: Caller, floor: Floor, path: str) -> None:
    answer = await as_anna.request("POST", path, root=True, data={"score": "5"})
    assert (answer.status_code, "Nothing was stored" in answer.text) == (403, True)
    assert await floor.states() == [("sent", None)]


async def test_too_much_from_one_address_is_put_off(as_nobody: Caller, path: str) -> None:
    codes = [(await as_nobody.get(path, root=True)).status_code for _ in range(125)]
    assert (codes.count(200), codes.count(429)) == (120, 5)


async def test_page_takes_no_huge_form(as_nobody: Caller, floor: Floor, path: str) -> None:
    answer = await as_nobody.request("POST", path, root=True, data={"score": "3", "comment": "x" * 100_000})
    assert answer.status_code == 400
    assert await floor.states() == [("sent", None)]
