"""Reports that go out by mail: when, to whom, what they say, and that nobody gets one twice."""

from __future__ import annotations

import asyncio
import email
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from sqlalchemy import select, update

from hub.app import Hub
from hub.domain.values import ChannelKind
from hub.reports import runs
from hub.reports.runs import ReportSender
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import channels
from tests.channels.mailserver import MailServer, Mishap, running_mail_server
from tests.support.clock import FrozenClock
from tests.web.conftest import Call, Caller, People
from tests.web.test_reports import contact, tell

pytestmark = pytest.mark.anyio

# One o'clock on Sunday in Berlin; the clocks change at two.
NOW = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)
DUE = datetime(2026, 3, 29, 5, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
async def server(hub: Hub, people: People) -> AsyncIterator[MailServer]:
    async with running_mail_server() as running:

        def lay(tx: Tx) -> None:
            channels.create_channel(
                tx,
                hub.vault,
                channel_id="mail",
                kind=ChannelKind.EMAIL,
                name="Mail",
                queue_id=people.sales_id,
                settings={
                    "address": "support@shop.test",
                    "smtp_host": "127.0.0.1",
                    "smtp_port": str(running.port),
                    "smtp_security": "none",
                },
                secrets={"webhook_key": "webhook-key"},
            )

        await hub.database.transaction(lay)
        await tell(hub, contact(1, NOW - timedelta(hours=5), people.sales_id))
        yield running


def body(people: People, **changes: Any) -> dict[str, Any]:
    """Yesterday's contacts by queue, every day at 7, to Sue and somebody outside."""
    query = {"measures": ["contacts"], "range": "yesterday", "by": "queue", **changes.pop("query", {})}
    return {
        "name": "Contacts <of> yesterday",
        "query": query,
        "every": "day",
        "at": "07:00",
        "recipient_ids": [people.supervisor.id],
        "addresses": ["owner@shop.test"],
        **changes,
    }


async def schedule(caller: Caller, people: People, **changes: Any) -> dict[str, Any]:
    answer = await caller.post("/report-schedules", body(people, **changes))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def work(sender: ReportSender) -> None:
    while await sender.step():
        pass


async def last_run(call: Call, people: People, schedule_id: int) -> dict[str, Any]:
    """Asked by somebody who signs in anew: hours have gone by."""
    caller = await call(people.admin)
    run: dict[str, Any] = (await caller.get(f"/report-schedules/{schedule_id}")).json()["last_run"]
    return run


def mails(server: MailServer) -> list[tuple[str, EmailMessage]]:
    found = []
    for one in server.received:
        message = email.message_from_bytes(one.content, policy=default)
        assert isinstance(message, EmailMessage)
        found.append((one.recipients[0], message))
    return found


# --- sent ---------------------------------------------------------------------------------------------------------------


async def test_a_report_is_sent_when_it_is_due_and_once(
    hub: Hub, people: People, call: Call, server: MailServer, clock: FrozenClock
) -> None:
    sue = await call(people.supervisor)
    made = await schedule(sue, people)
    assert (made["next_at"], made["hindrance"]) == ("2026-03-29T05:00:00Z", None)
    await work(hub.report_sender)
    assert server.received == []
    clock.now = DUE
    another = ReportSender(hub.database, hub.wakes, hub.channels, hub.settings.public_url)
    await asyncio.gather(work(hub.report_sender), work(another))
    # Two senders: which of the mails is there first is nobody's promise.
    assert sorted(address for address, _ in mails(server)) == ["owner@shop.test", "sue@hub.test"]
    [(_, message), _] = mails(server)
    assert message["Subject"] == "Contacts <of> yesterday: 2026-03-28"
    assert message["Auto-Submitted"] == "auto-generated"
    html = message.get_body(("html",))
    assert html is not None
    assert "Contacts &lt;of&gt; yesterday" in html.get_content()
    assert "Sales" in html.get_content()
    # It leads back to the same figures, and says who can stop it.
    link = "/reports?measures=contacts&amp;from=2026-03-28&amp;to=2026-03-28&amp;by=queue"
    assert f'href="{hub.settings.public_url}{link}' in html.get_content()
    assert f"{hub.settings.public_url}/reports/mail/{made['id']}" in html.get_content()
    assert "sue@hub.test" in html.get_content()
    assert [part.get_filename() for part in message.iter_attachments()] == [
        "figures_2026-03-28_2026-03-28_by_queue.xlsx"
    ]
    run = await last_run(call, people, made["id"])
    assert (run["state"], run["due_at"], run["code"]) == ("sent", "2026-03-29T05:00:00Z", None)
    assert (await sue.get(f"/report-schedules/{made['id']}")).json()["next_at"] == "2026-03-30T05:00:00Z"


async def test_of_several_that_were_missed_the_latest_is_sent(
    hub: Hub, people: People, call: Call, server: MailServer, clock: FrozenClock
) -> None:
    sue = await call(people.supervisor)
    made = await schedule(sue, people, addresses=[])
    clock.now = DUE + timedelta(days=3, hours=2)
    await work(hub.report_sender)
    assert [message["Subject"] for _, message in mails(server)] == ["Contacts <of> yesterday: 2026-03-31"]
    assert (await last_run(call, people, made["id"]))["due_at"] == "2026-04-01T05:00:00Z"


async def test_a_report_by_hand_is_sent_at_once_and_not_twice(
    hub: Hub, people: People, call: Call, server: MailServer
) -> None:
    sue = await call(people.supervisor)
    made = await schedule(sue, people, active=False, addresses=[])
    assert made["next_at"] is None
    first = await sue.post(f"/report-schedules/{made['id']}/send")
    again = await sue.post(f"/report-schedules/{made['id']}/send")
    assert (first.status_code, again.status_code, again.json()["code"]) == (202, 409, "under_way")
    await work(hub.report_sender)
    assert len(server.received) == 1
    assert (await last_run(call, people, made["id"]))["state"] == "sent"


# --- not sent -----------------------------------------------------------------------------------------------------------


async def test_what_surely_was_not_sent_is_tried_again(
    hub: Hub, people: People, call: Call, server: MailServer, clock: FrozenClock
) -> None:
    sue = await call(people.supervisor)
    made = await schedule(sue, people, addresses=[])
    server.play("MAIL", "451 4.3.2 later")
    clock.now = DUE
    await work(hub.report_sender)
    run = await last_run(call, people, made["id"])
    assert (run["state"], run["mails"][0]["state"], run["mails"][0]["attempts"]) == ("waiting", "waiting", 1)
    clock.advance(61)
    await work(hub.report_sender)
    assert len(server.received) == 1
    assert (await last_run(call, people, made["id"]))["state"] == "sent"


@pytest.mark.parametrize(
    ("gone", "of_mail", "of_run"),
    [("owner", "owner_inactive", "owner_inactive"), ("recipient", "recipient_gone", None)],
)
async def test_who_works_here_no_longer_sends_and_gets_nothing_that_was_on_its_way(
    hub: Hub,
    people: People,
    call: Call,
    server: MailServer,
    clock: FrozenClock,
    gone: str,
    of_mail: str | None,
    of_run: str | None,
) -> None:
    sue = await call(people.supervisor)
    made = await schedule(sue, people, recipient_ids=[people.bert.id], addresses=[])
    server.play("MAIL", "451 4.3.2 later")
    clock.now = DUE
    await work(hub.report_sender)
    u = tables.user_account.c
    user_id = people.supervisor.id if gone == "owner" else people.bert.id
    await hub.database.transaction(
        lambda tx: tx.execute(update(tables.user_account).where(u.id == user_id).values(active=False))
    )
    clock.advance(61)
    await work(hub.report_sender)
    assert server.received == []
    run = await last_run(call, people, made["id"])
    (mail,) = run["mails"]
    assert (run["state"], run["code"], mail["state"], mail["code"]) == ("failed", of_run, "failed", of_mail)


async def test_what_may_have_been_sent_is_not_repeated(
    hub: Hub, people: People, call: Call, server: MailServer, clock: FrozenClock
) -> None:
    sue = await call(people.supervisor)
    made = await schedule(sue, people, addresses=[])
    server.play("CONTENT", Mishap.DROP)
    clock.now = DUE
    await work(hub.report_sender)
    clock.advance(7_200)
    await work(hub.report_sender)
    assert len(server.received) == 1
    run = await last_run(call, people, made["id"])
    assert (run["state"], run["mails"][0]["code"]) == ("failed", "fate_unknown")


async def test_a_process_that_died_over_a_mail_leaves_it_unrepeated_and_the_others_sent(
    hub: Hub, people: People, call: Call, server: MailServer, clock: FrozenClock
) -> None:
    sue = await call(people.supervisor)
    made = await schedule(sue, people)
    clock.now = DUE
    await hub.database.transaction(runs.begin_due)
    due = await hub.database.read(runs.load_due_run)
    assert due is not None
    assert await hub.database.transaction(runs.lease, due.mails[0].id)
    await work(hub.report_sender)
    assert [address for address, _ in mails(server)] == ["owner@shop.test"]
    assert (await last_run(call, people, made["id"]))["state"] == "waiting"
    clock.advance(181)
    await work(hub.report_sender)
    run = await last_run(call, people, made["id"])
    assert (run["state"], [mail["code"] for mail in run["mails"]]) == ("failed", ["fate_unknown", None])
    assert len(server.received) == 1


async def test_a_report_about_what_is_gone_says_so(
    hub: Hub, people: People, call: Call, server: MailServer, clock: FrozenClock
) -> None:
    """Its owner is a supervisor no more, and may see their own figures only."""
    made = await schedule(await call(people.supervisor), people)

    def demote(tx: Tx) -> None:
        tx.execute(
            update(tables.user_account).where(tables.user_account.c.id == people.supervisor.id).values(role="agent")
        )

    await hub.database.transaction(demote)
    clock.now = DUE
    await work(hub.report_sender)
    run = await last_run(call, people, made["id"])
    assert (run["state"], run["code"], server.received) == ("failed", "forbidden", [])


async def test_without_a_mail_channel_nothing_is_sent_and_it_is_said(
    hub: Hub, people: People, call: Call, clock: FrozenClock
) -> None:
    sue = await call(people.supervisor)
    await tell(hub)
    made = await schedule(sue, people)
    assert made["hindrance"] == "no_mail_channel"
    answer = await sue.post(f"/report-schedules/{made['id']}/send")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_mail_channel")
    clock.now = DUE
    await work(hub.report_sender)
    run = await last_run(call, people, made["id"])
    assert (run["state"], run["code"]) == ("failed", "no_mail_channel")


# --- kept ---------------------------------------------------------------------------------------------------------------


async def test_a_schedule_is_changed_and_deleted(hub: Hub, people: People, call: Call, server: MailServer) -> None:
    sue = await call(people.supervisor)
    made = await schedule(sue, people)
    path = f"/report-schedules/{made['id']}"
    weekly = body(people, every="week", weekday=1, time_zone="Asia/Tokyo")
    changed = await sue.put(path, {**weekly, "expected_version": made["version"]})
    assert (changed.status_code, changed.json()["next_at"]) == (200, "2026-03-29T22:00:00Z")
    late = await sue.put(path, {**weekly, "expected_version": made["version"]})
    assert (late.status_code, late.json()["code"]) == (409, "version_conflict")
    assert len((await sue.get("/report-schedules")).json()["items"]) == 1
    await sue.post(f"{path}/send")
    assert (await sue.delete(path)).status_code == 204
    await work(hub.report_sender)
    assert server.received == []
    assert (await sue.get(path)).status_code == 404
    assert await hub.database.read(lambda tx: tx.rows(select(tables.report_mail.c.id))) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"every": "week"}, "weekday"),
        ({"every": "month"}, "day"),
        ({"at": "25:00"}, "at"),
        ({"time_zone": "Europe/Atlantis"}, "time_zone"),
        ({"recipient_ids": [999_999]}, "recipient_ids"),
        ({"recipient_ids": [], "addresses": []}, "recipient_ids"),
        ({"addresses": ["nobody"]}, "addresses.0"),
        ({"addresses": ["owner@shop.test", "a,b@c.test"]}, "addresses.1"),
        ({"addresses": ["x<y>@z.test"]}, "addresses.0"),
        ({"query": {"measures": ["nonsense"]}}, "query.measures"),
        ({"query": {"queue": "999999"}}, "query.queue"),
        ({"name": ""}, "name"),
    ],
)
async def test_what_is_wrong_is_told_by_its_field(
    call: Call, people: People, changes: dict[str, Any], field: str
) -> None:
    sue = await call(people.supervisor)
    answer = await sue.post("/report-schedules", body(people, **changes))
    assert answer.status_code == 422, answer.text
    assert list(answer.json()["fields"]) == [field]
