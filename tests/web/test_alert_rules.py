"""Limits from the administrator's rule to the people and programs that are told, over a real mail server and web server."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import func, insert, select, update

from hub.app import Hub
from hub.kpi import limits, tellings
from hub.settings import Settings
from hub.store import tables
from hub.store.database import Tx
from hub.webhooks.guarded_post import url_fault
from tests.channels.mailserver import MailServer, running_mail_server
from tests.support.clock import FrozenClock
from tests.support.scene import Scene
from tests.web.conftest import Call, Caller, People

pytestmark = pytest.mark.anyio

SECRET = "a secret of the receiver"
RULE: dict[str, Any] = {
    "name": "Nobody there",
    "measure": "available_agents",
    "scope": "all",
    "scope_id": None,
    "raise_at": 1,
    "clear_at": 1,
    "for_s": 0,
    "enabled": True,
    "to_console": True,
    "emails": [],
    "webhook_url": None,
}


@dataclass
class Receiver:
    """A web server that answers with `answers`, one by one, then with 204."""

    port: int = 0
    answers: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/alerts?of=hub"

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        self.came.set()
        status = self.answers.pop(0) if self.answers else 204
        return web.Response(status=status, headers={"Location": self.url} if status == 302 else {})

    @property
    def said(self) -> list[tuple[str, float | None]]:
        bodies = [json.loads(body) for _, body in self.got]
        return [(body["event"], body["alert"]["value"]) for body in bodies]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/alerts", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    made.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    yield made
    await runner.cleanup()


@pytest.fixture
async def mail_server(hub: Hub, people: People) -> AsyncIterator[MailServer]:
    """Where the organisation's mail account hands its mails in."""
    async with running_mail_server() as server:
        account = {
            "address": "support@hub.test",
            "smtp_host": "127.0.0.1",
            "smtp_port": str(server.port),
            "smtp_security": "none",
        }

        def add(tx: Tx) -> None:
            tx.execute(
                insert(tables.channel).values(
                    id="mail",
                    kind="email",
                    name="Mail",
                    queue_id=people.sales_id,
                    settings=account,
                    secrets=hub.vault.seal({}),
                    health_since=tx.now,
                )
            )

        await hub.database.transaction(add)
        yield server


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, private_webhooks=True)


async def put_rule(as_admin: Caller, **given: Any) -> dict[str, Any]:
    answer = await as_admin.post("/alert-rules", {**RULE, **given})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def watch(hub: Hub, *, seconds: float = 5) -> None:
    """Some time passes, and the hub looks."""
    hub.database.clock.advance(seconds)  # type: ignore[attr-defined]
    looked = await hub.database.read(limits.look)
    assert looked is not None
    await hub.database.transaction(limits.judge, looked)


async def come(hub: Hub, user_id: int, state: str = "available") -> None:
    a = tables.agent.c

    def set_state(tx: Tx) -> None:
        values = {"state": state, "connected": True}
        if not tx.execute(update(tables.agent).where(a.user_id == user_id).values(**values)).rowcount:
            tx.execute(insert(tables.agent).values(user_id=user_id, state_since=tx.now, idle_since=tx.now, **values))

    await hub.database.transaction(set_state)


def told(tx: Tx) -> list[tuple[str, str, bool]]:
    """(topics, name, is broken) of each KpiAlertChanged so far."""
    e = tables.event.c
    rows = tx.rows(select(e.topics, e.body).where(e.kind == "kpi_alert.changed").order_by(e.seq))
    alerts = [(row.topics, json.loads(row.body)["alert"]) for row in rows]
    return [(topics, alert["name"], alert["healed_at"] is None) for topics, alert in alerts]


# --- breaking and healing -----------------------------------------------------------------------------------------------


async def test_a_limit_breaks_once_and_heals_once_over_restarts(
    hub: Hub, as_admin: Caller, as_anna: Caller, people: People
) -> None:
    rule = await put_rule(as_admin, for_s=8)
    await watch(hub)
    # What is beyond is in the row: another process, or the same after a restart, goes on from there.
    await watch(hub)
    assert await hub.database.read(told) == []
    await watch(hub)
    await watch(hub)
    assert await hub.database.read(told) == [("supervisors", "Nobody there", True)]
    standing = (await as_admin.get("/snapshot")).json()["kpi_alerts"]
    assert [(each["rule_id"], each["value"], each["healed_at"]) for each in standing] == [(rule["id"], 0.0, None)]
    assert (await as_anna.get("/snapshot")).json()["kpi_alerts"] == []
    shown = (await as_admin.get("/alert-rules")).json()["items"][0]
    assert (shown["value"], shown["raised_at"]) == (0.0, standing[0]["raised_at"])
    await come(hub, people.anna.id)
    await watch(hub)
    await watch(hub)
    assert await hub.database.read(told) == [
        ("supervisors", "Nobody there", True),
        ("supervisors", "Nobody there", False),
    ]
    assert (await as_admin.get("/snapshot")).json()["kpi_alerts"] == []
    recent = (await as_admin.get("/kpi-alerts")).json()["items"]
    assert [(each["value"], each["healed_value"]) for each in recent] == [(0.0, 1.0)]


async def test_two_processes_at_once_tell_it_once(hub: Hub, as_admin: Caller) -> None:
    await put_rule(as_admin)
    hub.database.clock.advance(5)  # type: ignore[attr-defined]
    looked = [await hub.database.read(limits.look) for _ in range(2)]
    found = [each for each in looked if each is not None]
    assert len(found) == 2
    await asyncio.gather(*(hub.database.transaction(limits.judge, each) for each in found))
    assert len(await hub.database.read(told)) == 1
    # Whoever comes just after the other has nothing to do.
    assert await hub.database.read(limits.look) is None


async def test_time_in_which_nobody_looked_does_not_count(hub: Hub, as_admin: Caller) -> None:
    await put_rule(as_admin, for_s=30)
    await watch(hub)
    await watch(hub, seconds=3_600)
    assert await hub.database.read(told) == []
    await watch(hub, seconds=30)
    assert len(await hub.database.read(told)) == 1


@pytest.mark.parametrize("change", ["changed", "off", "removed"])
async def test_a_rule_that_is_other_or_gone_ends_its_alert(hub: Hub, as_admin: Caller, change: str) -> None:
    rule = await put_rule(as_admin)
    await watch(hub)
    body = {**RULE, "raise_at": 1 if change == "off" else 2, "clear_at": 2, "enabled": change != "off"}
    looked = await _looked_before(hub)
    if_removed = as_admin.delete(f"/alert-rules/{rule['id']}")
    if_saved = as_admin.put(f"/alert-rules/{rule['id']}", {**body, "expected_version": rule["version"]})
    chosen, other = (if_removed, if_saved) if change == "removed" else (if_saved, if_removed)
    other.close()
    assert (await chosen).status_code in (200, 204)
    assert [is_broken for _, _, is_broken in await hub.database.read(told)] == [True, False]
    # What was seen of the rule as it was is not judged by what it is.
    await hub.database.transaction(limits.judge, looked)
    assert len(await hub.database.read(told)) == 2
    recent = (await as_admin.get("/kpi-alerts")).json()["items"]
    assert [(each["healed_at"] is None, each["healed_value"]) for each in recent] == [(False, None)]


async def _looked_before(hub: Hub) -> limits.Looked:
    hub.database.clock.advance(5)  # type: ignore[attr-defined]
    looked = await hub.database.read(limits.look)
    assert looked is not None
    return looked


async def test_live_figures_and_measures_of_every_scope_are_watched(hub: Hub, as_admin: Caller, people: People) -> None:
    team = (await as_admin.post("/teams", {"name": "East", "member_ids": [people.anna.id]})).json()["id"]
    await come(hub, people.anna.id)
    await come(hub, people.bert.id)

    scene = Scene(hub.database, queue_id=people.sales_id)
    await scene.channel("loop", "loopback")
    asked = [await scene.opened(sender=sender) for sender in ("ani", "boris", "carine")]

    def wait(tx: Tx) -> None:
        c = tables.conversation.c
        waits = zip(asked, (people.sales_id, people.sales_id, people.support_id), (5, 1, 2), strict=True)
        for conversation_id, queue_id, minutes in waits:
            since = tx.now - timedelta(minutes=minutes)
            mine = update(tables.conversation).where(c.id == conversation_id)
            tx.execute(mine.values(queue_id=queue_id, queued_since=since))
        tx.execute(update(tables.queue).where(tables.queue.c.id == people.sales_id).values(ewt_s=90.0))

    await hub.database.transaction(wait)
    wanted = [
        ("waiting", "all", None, 3.0),
        ("waiting", "queue", people.sales_id, 2.0),
        ("longest_waiting_s", "all", None, 305.0),
        ("longest_waiting_s", "queue", people.support_id, 125.0),
        ("ewt_s", "queue", people.sales_id, 90.0),
        ("ewt_s", "queue", people.support_id, None),
        ("ewt_error_s", "queue", people.sales_id, None),
        ("backlog", "queue", people.sales_id, 2.0),
        ("available_agents", "all", None, 2.0),
        ("available_agents", "queue", people.sales_id, 1.0),
        ("available_agents", "team", team, 1.0),
        ("service_level", "queue", people.sales_id, None),
        ("occupancy", "team", team, None),
        ("occupancy", "agent", people.anna.id, None),
        ("first_response_s", "all", None, None),
    ]
    for figure, scope, scope_id, _ in wanted:
        far = {"raise_at": -9, "clear_at": -9} if figure in ("available_agents", "service_level", "occupancy") else {}
        await put_rule(
            as_admin, measure=figure, scope=scope, scope_id=scope_id, **{"raise_at": 1e9, "clear_at": 1e9} | far
        )
    await watch(hub)
    shown = (await as_admin.get("/alert-rules")).json()["items"]
    assert [(each["measure"], each["scope"], each["scope_id"], each["value"]) for each in shown] == wanted


# --- rules that cannot be -----------------------------------------------------------------------------------------------


BAD_RULES: list[tuple[dict[str, Any], str]] = [
    ({"name": "\u200b\u0007"}, "name"),
    ({"measure": "happiness"}, "measure"),
    ({"measure": "waiting", "scope": "agent", "scope_id": 1, "raise_at": 9, "clear_at": 3}, "measure"),
    ({"scope": "queue", "scope_id": 999_999}, "scope_id"),
    ({"measure": "waiting", "raise_at": 3, "clear_at": 9}, "clear_at"),
    ({"clear_at": 0}, "clear_at"),
    ({"for_s": -1}, "for_s"),
    ({"for_s": 86_401}, "for_s"),
    ({"emails": ["sue@hub.test", "sue"]}, "emails"),
    ({"emails": ["a@b.test, c@d.test"]}, "emails"),
    ({"emails": [f"a{n}@b.test" for n in range(21)]}, "emails"),
    ({"webhook_url": "https://example.org/x"}, "webhook_secret"),
    ({"webhook_url": "https://example.org/x", "webhook_secret": "short"}, "webhook_secret"),
    ({"webhook_url": "file:///etc/passwd", "webhook_secret": SECRET}, "webhook_url"),
    ({"raise_at": "Infinity"}, "raise_at"),
]


async def test_a_rule_that_cannot_be_is_refused_by_field(as_admin: Caller) -> None:
    answers = [await as_admin.post("/alert-rules", {**RULE, **given}) for given, _ in BAD_RULES]
    assert [answer.status_code for answer in answers] == [422] * len(BAD_RULES)
    unnamed = [
        given for (given, name), answer in zip(BAD_RULES, answers, strict=True) if name not in answer.json()["fields"]
    ]
    assert unnamed == []
    assert (await as_admin.get("/alert-rules")).json()["items"] == []


async def test_a_secret_is_kept_told_to_nobody_and_goes_with_its_webhook(hub: Hub, as_admin: Caller) -> None:
    given = {"webhook_url": "https://example.org/x", "webhook_secret": SECRET}
    rule = await put_rule(as_admin, **given)
    assert rule["has_webhook_secret"] is True
    assert SECRET not in json.dumps(rule)
    kept = await hub.database.read(lambda tx: tx.scalar(select(tables.kpi_alert_rule.c.webhook_secret)))
    assert SECRET not in kept
    body = {**RULE, "webhook_url": "https://example.org/y", "expected_version": 1}
    changed = (await as_admin.put(f"/alert-rules/{rule['id']}", body)).json()
    assert (changed["has_webhook_secret"], changed["version"]) == (True, 2)
    late = await as_admin.put(f"/alert-rules/{rule['id']}", body)
    assert late.json()["code"] == "version_conflict"
    bare = (await as_admin.put(f"/alert-rules/{rule['id']}", {**RULE, "expected_version": 2})).json()
    assert (bare["webhook_url"], bare["has_webhook_secret"]) == (None, False)


async def test_a_team_that_is_watched_is_not_removed(as_admin: Caller) -> None:
    team = (await as_admin.post("/teams", {"name": "East"})).json()["id"]
    await put_rule(as_admin, scope="team", scope_id=team)
    refused = await as_admin.delete(f"/teams/{team}")
    assert (refused.status_code, refused.json()["fields"]) == (409, {"alert_rules": "Nobody there"})


# --- telling ------------------------------------------------------------------------------------------------------------


async def test_a_webhook_is_signed_and_tells_both_in_their_order(
    hub: Hub, as_admin: Caller, people: People, receiver: Receiver
) -> None:
    await put_rule(as_admin, webhook_url=receiver.url, webhook_secret=SECRET)
    await watch(hub)
    await come(hub, people.anna.id)
    await watch(hub)
    assert await hub.teller.step()
    assert await hub.teller.step()
    assert receiver.said == [("kpi_alert.raised", 0.0), ("kpi_alert.healed", 1.0)]
    headers, body = receiver.got[0]
    signed = hmac.new(SECRET.encode(), f"{headers['X-Hub-Timestamp']}.".encode() + body, hashlib.sha256)
    assert headers["X-Hub-Signature"] == f"sha256={signed.hexdigest()}"
    assert headers["X-Hub-Delivery"] == json.loads(body)["id"]
    assert not await hub.teller.step()


async def test_a_webhook_that_fails_is_tried_again_and_its_trouble_shown(
    hub: Hub, as_admin: Caller, receiver: Receiver, clock: FrozenClock
) -> None:
    receiver.answers = [503]
    await put_rule(as_admin, webhook_url=receiver.url, webhook_secret=SECRET)
    await watch(hub)
    await hub.teller.step()
    shown = (await as_admin.get("/alert-rules")).json()["items"][0]
    assert shown["trouble"] == "The webhook answered 503."
    # Not before its time, and not by two.
    assert not await hub.teller.step()
    clock.advance(5)
    await asyncio.gather(hub.teller.step(), hub.teller.step())
    assert receiver.said == [("kpi_alert.raised", 0.0)] * 2
    assert len({headers["X-Hub-Delivery"] for headers, _ in receiver.got}) == 1
    assert (await as_admin.get("/alert-rules")).json()["items"][0]["trouble"] is None


async def test_trouble_of_one_address_outlives_what_reaches_another(
    hub: Hub, as_admin: Caller, receiver: Receiver, mail_server: MailServer
) -> None:
    receiver.answers = [404]
    given = {"emails": ["duty@hub.test"], "webhook_url": receiver.url}
    rule = await put_rule(as_admin, **given, webhook_secret=SECRET)
    await watch(hub)
    await hub.teller.step()
    assert len(mail_server.received) == 1

    async def trouble() -> Any:
        return (await as_admin.get("/alert-rules")).json()["items"][0]["trouble"]

    assert await trouble() == "webhook: The webhook answered 404."
    body = {**RULE, **given, "name": "Another name", "expected_version": rule["version"]}
    assert (await as_admin.put(f"/alert-rules/{rule['id']}", body)).status_code == 200
    assert await trouble() == "webhook: The webhook answered 404."
    body |= {"webhook_url": None, "expected_version": rule["version"] + 1}
    assert (await as_admin.put(f"/alert-rules/{rule['id']}", body)).status_code == 200
    assert await trouble() is None


@pytest.mark.parametrize(("answer", "tries"), [(404, 1), (302, 1), (500, 10)])
async def test_a_webhook_is_given_up(
    hub: Hub, as_admin: Caller, receiver: Receiver, clock: FrozenClock, answer: int, tries: int
) -> None:
    """Refused at once, silent after an hour; a redirect is not followed."""
    receiver.answers = [answer] * 20
    await put_rule(as_admin, webhook_url=receiver.url, webhook_secret=SECRET)
    await watch(hub)
    for _ in range(15):
        await hub.teller.step()
        clock.advance(minutes=45)
    assert len(receiver.got) == tries
    assert await hub.database.read(tellings.next_moment) is None


async def test_what_a_killed_process_had_in_hand_is_told(
    hub: Hub, as_admin: Caller, receiver: Receiver, clock: FrozenClock
) -> None:
    await put_rule(as_admin, webhook_url=receiver.url, webhook_secret=SECRET)
    await watch(hub)
    assert len(await hub.database.transaction(tellings.claim)) == 1
    assert not await hub.teller.step()
    clock.advance(minutes=3)
    assert await hub.teller.step()
    assert receiver.said == [("kpi_alert.raised", 0.0)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_limit_that_broke_and_healed_stays_in_the_lists_of_supervisors_until_they_have_seen_it(
    hub: Hub, as_admin: Caller, people: People, clock: FrozenClock
) -> None:
    rule = await put_rule(as_admin)
    await watch(hub)
    clock.advance(minutes=3)
    await come(hub, people.anna.id)
    await watch(hub)
    [alert] = (await as_admin.get("/snapshot")).json()["alerts"]
    assert (alert["reason"], alert["data"]["name"], alert["data"]["value"]) == ("limit", "Nobody there", "0.0")
    assert (datetime.fromisoformat(alert["data"]["healed_at"]) - datetime.fromisoformat(alert["at"])).seconds == 185
    assert (await as_admin.post(f"/alerts/{alert['id']}/seen")).status_code == 200
    assert (await as_admin.get("/snapshot")).json()["alerts"] == []
    # What broke when stands with the rule.
    [broke] = (await as_admin.get(f"/kpi-alerts?rule={rule['id']}")).json()["items"]
    assert (broke["healed_value"], broke["value"]) == (1, 0)
    assert (await as_admin.get("/kpi-alerts?rule=999")).json()["items"] == []


async def test_fault_of_our_own_in_one_telling_keeps_no_other_back(
    hub: Hub, as_admin: Caller, receiver: Receiver, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("an adapter's bug")

    monkeypatch.setattr(tellings, "send_house_mail", broken)
    await put_rule(as_admin, emails=["duty@hub.test"], webhook_url=receiver.url, webhook_secret=SECRET)
    await watch(hub)
    assert await hub.teller.step()
    assert receiver.said == [("kpi_alert.raised", 0.0)]
    assert await hub.database.read(tellings.next_moment) is None


async def test_people_are_told_by_mail_in_their_language(
    hub: Hub, as_admin: Caller, people: People, mail_server: MailServer
) -> None:
    await hub.database.transaction(
        lambda tx: tx.execute(
            update(tables.user_account).where(tables.user_account.c.id == people.supervisor.id).values(language="hy")
        )
    )
    await hub.database.transaction(lambda tx: tx.execute(update(tables.organisation).values(time_zone="Asia/Yerevan")))
    await put_rule(as_admin, emails=[people.supervisor.email, "Duty@Hub.test"])
    await watch(hub)
    assert await hub.teller.step()
    received = {mail.recipients[0]: mail.content.decode() for mail in mail_server.received}
    assert set(received) == {people.supervisor.email, "duty@hub.test"}
    assert "Subject: Broken: Nobody there" in received["duty@hub.test"]
    assert "Available agents is 0; the limit is 1." in received["duty@hub.test"]
    # By the clocks of the organisation: it is 9:00 UTC.
    assert "It broke at 2026-03-02 13:00 (Asia/Yerevan)." in received["duty@hub.test"]
    assert "Broken" not in received[people.supervisor.email]
    assert "Auto-Submitted: auto-generated" in received["duty@hub.test"]


async def test_a_test_tells_everybody_now_and_says_what_did_not_arrive(
    hub: Hub, as_admin: Caller, receiver: Receiver
) -> None:
    rule = await put_rule(as_admin, emails=["duty@hub.test"], webhook_url=receiver.url, webhook_secret=SECRET)
    answer = await as_admin.post(f"/alert-rules/{rule['id']}/test")
    trouble = "duty@hub.test: There is no e-mail channel to send it from."
    assert answer.json() == {"trouble": trouble}
    assert (await as_admin.get("/alert-rules")).json()["items"][0]["trouble"] == trouble
    assert receiver.said == [("kpi_alert.test", None)]
    assert await hub.database.read(told) == []
    assert (await as_admin.post("/alert-rules/999/test")).status_code == 404


async def test_loops_watch_and_tell_by_themselves(
    hub: Hub, as_admin: Caller, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tellings, "LOOK_EVERY_S", 0.02)
    await put_rule(as_admin, webhook_url=receiver.url, webhook_secret=SECRET)
    running = [asyncio.create_task(loop) for loop in (hub.tail.run(), hub.watch.look(), hub.watch.tell())]
    async with asyncio.timeout(10):
        await receiver.came.wait()
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert receiver.said == [("kpi_alert.raised", 0.0)]


async def test_old_alerts_are_forgotten_and_those_that_stand_are_not(
    hub: Hub, as_admin: Caller, people: People, clock: FrozenClock
) -> None:
    await put_rule(as_admin)
    await watch(hub)
    await come(hub, people.anna.id)
    await watch(hub)
    await come(hub, people.anna.id, "away")
    await watch(hub)
    clock.advance(days=91)
    await hub.database.transaction(tellings.prune)
    count = select(func.count()).select_from(tables.kpi_alert)
    assert await hub.database.read(lambda tx: tx.scalar(count)) == 1


# --- where webhooks may lead --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "http://[::1]/x",
        "http://[::ffff:10.0.0.1]/x",
        "http://10.1.2.3/x",
        "http://169.254.169.254/latest/meta-data",
        "http://localhost:8080/x",
        "http://localhost./x",
        "http://127.1/x",
        "http://127.0.0.1./x",
        "http://0177.0.0.1/x",
        "http://2130706433/x",
        "http://0/x",
        "http://[::127.0.0.1]/x",
        "http://[64:ff9b::7f00:1]/x",
        "http://[2002:7f00:1::]/x",
        "http://[fec0::1]/x",
        "http://224.0.0.1/x",
        "https://user:word@example.org/",
        "ftp://example.org/",
        "https:///x",
        "https://example.org:99999/",
        "javascript:alert(1)",
        "https://exa mple.org/",
        "https://example.org/\u0430",
        "",
    ],
)
def test_an_address_that_a_webhook_may_not_have(url: str) -> None:
    assert url_fault(url, may_be_private=False) is not None


def test_addresses_that_a_webhook_may_have() -> None:
    assert url_fault("https://example.org:8443/hook?x=1", may_be_private=False) is None
    assert url_fault("http://10.0.0.1/hook", may_be_private=True) is None
    assert url_fault("http://[64:ff9b::808:808]/hook", may_be_private=False) is None
    assert url_fault("http://8.8.8.8/hook", may_be_private=False) is None


async def test_a_name_that_leads_into_our_own_network_is_refused_at_the_connection(
    hub: Hub, as_admin: Caller, receiver: Receiver
) -> None:
    """Written so that only the resolver knows it for a number."""
    rule = await put_rule(as_admin, webhook_url=receiver.url, webhook_secret=SECRET)
    r = tables.kpi_alert_rule.c
    hidden = f"http://0x7f.1:{receiver.port}/alerts"
    await hub.database.transaction(
        lambda tx: tx.execute(update(tables.kpi_alert_rule).where(r.id == rule["id"]).values(webhook_url=hidden))
    )
    hub.teller._may_be_private = False
    answer = await as_admin.post(f"/alert-rules/{rule['id']}/test")
    assert answer.json() == {"trouble": "The webhook leads to an address that is not public."}
    assert receiver.got == []


async def test_supervisors_see_where_a_webhook_leads_and_not_its_secret_path(
    as_admin: Caller, call: Call, people: People
) -> None:
    secret = "https://hooks.example.com/services/T0/B0/secret?token=1"
    await put_rule(as_admin, webhook_url=secret, webhook_secret=SECRET)
    callers = (as_admin, await call(people.supervisor))
    shown = [(await each.get("/alert-rules")).json()["items"][0]["webhook_url"] for each in callers]
    assert shown == [secret, "https://hooks.example.com/…"]


async def test_supervisors_see_limits_and_set_none(call: Call, people: People) -> None:
    sue = await call(people.supervisor)
    assert (await sue.get("/alert-rules")).json()["items"] == []
    assert (await sue.post("/alert-rules", RULE)).status_code == 403
