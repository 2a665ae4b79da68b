"""The audit log from outside: whatever an administrator or a supervisor writes leaves a row, or stands in a list with the
reason why it need not; and the log is read, filtered, paged and exported."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.app import ENDPOINTS, Hub
from hub.domain.values import Role
from hub.store import tables
from hub.store.database import Tx
from hub.web.api import Access
from tests.support.clock import FrozenClock
from tests.support.scene import Scene
from tests.web.conftest import PASSWORD, Call, Caller, People
from tests.web.test_alert_rules import RULE
from tests.web.test_calendars import calendar
from tests.web.test_escalation import policy
from tests.web.test_flows import menu, wav
from tests.web.test_report_schedules import body as report
from tests.web.test_rules import rule
from tests.web.test_shifts import MONDAY, TUESDAY, WEEK
from tests.web.test_surveys import SETTING

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

# Writes of supervisors and administrators that leave no row of their own, and why.
UNNOTED = {
    ("PUT", "/set-up"): "says only which step comes next",
    ("PUT", "/custom-fields/order"): "says only in which order fields are shown",
    ("PUT", "/organisation/mail-account"): "needs a mail account: tests/web/test_organisation.py",
    ("POST", "/webhook-endpoints/{endpoint_id}/test"): "sends a sample",
    ("POST", "/webhook-endpoints/{endpoint_id}/replay"): "needs dead letters: tests/web/test_webhook_endpoints.py",
    ("POST", "/webhook-deliveries/{delivery_id}/replay"): "needs a dead letter: tests/web/test_webhook_endpoints.py",
    ("PUT", "/customer-imports/{import_id}/mapping"): "says how a file would be read; what is brought is noted",
    ("POST", "/customer-imports/{import_id}/trial"): "writes nobody",
    ("POST", "/flows/check"): "changes nothing",
    ("POST", "/flows/try"): "changes nothing",
    ("POST", "/flows/{flow_id}/try"): "changes nothing",
    ("POST", "/calendars/country-holidays"): "reads a table of holidays",
    ("POST", "/calendars/read-ical"): "reads a file",
    ("POST", "/rules/try"): "changes nothing",
    ("POST", "/staffing/what-if"): "computes",
    ("POST", "/surveys/preview"): "changes nothing",
    ("POST", "/surveys/test"): "sends whoever asks a sample",
    ("POST", "/channels/{channel_id}/test"): "needs a provider: tests/browser/test_channel_test.py",
    ("POST", "/channels/{channel_id}/test-calls"): "needs a line: tests/calls/test_line_tests.py",
    ("POST", "/channels/{channel_id}/test-calls/{test_id}/hang-up"): "ends what was noted when it began",
    ("POST", "/channels/{channel_id}/check"): "looks whether a channel works",
    (
        "POST",
        "/channels/{channel_id}/sign-in",
    ): "leads to the provider; what comes back changes the channel, and is noted",
    ("POST", "/alert-rules/{rule_id}/test"): "sends a sample to those who are told anyway",
    ("POST", "/recordings/{recording_id}/fetch"): "asks the provider once more for what should be here",
    ("DELETE", "/recordings/{recording_id}"): "kept with the recording, and shown in the log (below)",
    ("POST", "/calls/{call_id}/supervise"): "needs somebody on the line: tests/calls/test_conductor.py",
    ("POST", "/calls/{call_id}/take_over"): "needs somebody on the line: tests/calls/test_conductor.py",
    ("POST", "/report-schedules/{schedule_id}/send"): "needs a mail account: tests/web/test_report_schedules.py",
    ("PUT", "/surveys/{survey_id}/follow-up"): "needs a customer's answer: tests/web/test_surveys.py",
}

SMS = {"account_sid": "AC" + "0" * 32, "from_number": "+15005550006"}


@dataclass
class Walk:
    """An administrator's day: each step is a write, and must leave a row."""

    hub: Hub
    caller: Caller
    walked: set[tuple[str, str]] = field(default_factory=set)
    silent: list[str] = field(default_factory=list)

    async def step(self, method: str, template: str, path: str = "", /, body: Any = None, **more: Any) -> Json:
        before = await self.count()
        sent = more if body is None else {"json": body, **more}
        answer = await self.caller.request(method, path or template, **sent)
        assert answer.status_code in (200, 201, 202, 204), (method, template, answer.text)
        if await self.count() == before:
            self.silent.append(f"{method} {template}")
        self.walked.add((method, template))
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        found: Json = answer.json() if is_json else {}
        return found

    async def count(self) -> int:
        return int(await self.hub.database.read(lambda tx: tx.scalar(select(func.count()).select_from(tables.audit))))


async def test_every_write_of_administrators_and_supervisors_is_noted(
    hub: Hub, people: People, as_admin: Caller, call: Call
) -> None:
    scene = Scene(hub.database, queue_id=people.sales_id)
    conversation = await scene.opened(channel_id=await scene.channel("loop", "loopback"))
    walk = Walk(hub, as_admin)
    sales = people.sales_id

    queue = await walk.step("POST", "/queues", body={"name": "New"})
    await walk.step("PATCH", "/queues/{queue_id}", f"/queues/{queue['id']}", body={"offer_timeout_s": 30})
    user = {"email": "new@hub.test", "name": "New", "role": "agent", "password": PASSWORD, "queue_ids": []}
    made = await walk.step("POST", "/users", body=user)
    await walk.step("PATCH", "/users/{user_id}", f"/users/{made['id']}", body={"role": "supervisor"})
    await walk.step("PUT", "/agents/{user_id}/state", f"/agents/{people.anna.id}/state", body={"state": "available"})

    role = {"name": "Team lead", "base": "supervisor", "permissions": ["customers.export"]}
    role_id = (await walk.step("POST", "/roles", body=role))["id"]
    fewer = {"name": "Team lead", "permissions": [], "expected_version": 1}
    await walk.step("PUT", "/roles/{role_id}", f"/roles/{role_id}", body=fewer)
    await walk.step("DELETE", "/roles/{role_id}", f"/roles/{role_id}")

    house = {"name": "Shop", "time_zone": "Asia/Yerevan"}
    await walk.step("PUT", "/organisation", body=house)
    await walk.step("PUT", "/organisation/retention", body={"events": 3})
    invitation = (await walk.step("POST", "/invitations", body={"email": "ani@hub.test"}))["invitation"]
    path = f"/invitations/{invitation['id']}"
    await walk.step("POST", "/invitations/{invitation_id}/send", f"{path}/send")
    await walk.step("DELETE", "/invitations/{invitation_id}", path)
    await walk.step("POST", "/users/{user_id}/password-link", f"/users/{people.anna.id}/password-link")

    skill = await walk.step("POST", "/skills", body={"name": "Refunds"})
    await walk.step("PATCH", "/skills/{skill_id}", f"/skills/{skill['id']}", body={"name": "Refund"})
    levels = {"levels": {str(skill["id"]): 3}}
    await walk.step("PUT", "/users/{user_id}/skills", f"/users/{people.anna.id}/skills", body=levels)
    await walk.step("DELETE", "/skills/{skill_id}", f"/skills/{skill['id']}")

    hours = await walk.step("POST", "/calendars", body=calendar())
    path = f"/calendars/{hours['id']}"
    await walk.step("PUT", "/calendars/{calendar_id}", path, body=calendar(zone="UTC", expected_version=1))
    await walk.step("DELETE", "/calendars/{calendar_id}", path)

    rules = await walk.step(
        "POST", "/rules", body={"mode": "all", "rules": [rule(priority=1)], "expected_version": None}
    )
    await walk.step("POST", "/rules/{version}/activate", f"/rules/{rules['version']}/activate")
    await walk.step("POST", "/rules/deactivate")

    channel = {"id": "sms-2", "kind": "sms", "name": "Texts", "queue_id": sales, "settings": SMS}
    await walk.step("POST", "/channels", body={**channel, "secrets": {"auth_token": "a" * 32}})
    await walk.step("PATCH", "/channels/{channel_id}", "/channels/sms-2", body={"secrets": {"auth_token": "b" * 32}})

    await walk.step("POST", "/channels", body={"id": "chat-2", "kind": "chat", "name": "Chat", "queue_id": sales})
    window = (await as_admin.get("/channels/chat-2/widget")).json()
    left_out = ("channel_id", "name", "allowed_origins", "has_identity_secret", "embed", "version")
    kept = {name: value for name, value in window.items() if name not in left_out}
    saved = {**kept, "launcher": "Questions?", "expected_version": window["version"]}
    await walk.step("PUT", "/channels/{channel_id}/widget", "/channels/chat-2/widget", body=saved)
    secret = ("/channels/{channel_id}/identity-secret", "/channels/chat-2/identity-secret")
    await walk.step("POST", *secret)
    await walk.step("DELETE", *secret)

    key = await walk.step("POST", "/api-keys", body={"name": "CRM", "role": "agent"})
    await walk.step("DELETE", "/api-keys/{key_id}", f"/api-keys/{key['id']}")

    topic = await walk.step("POST", "/topics", body={"name": "Complaint", "is_complaint": True})
    await walk.step("PATCH", "/topics/{topic_id}", f"/topics/{topic['id']}", body={"owner_id": people.anna.id})

    ladder = await walk.step("POST", "/escalation-policies", body=policy())
    path = f"/escalation-policies/{ladder['id']}"
    await walk.step("PUT", "/escalation-policies/{policy_id}", path, body={**policy("Other"), "expected_version": 1})
    await walk.step("DELETE", "/escalation-policies/{policy_id}", path)

    flow = await walk.step("POST", "/flows", body={"name": "Menu", "body": menu(sales)})
    await walk.step("PATCH", "/flows/{flow_id}", f"/flows/{flow['id']}", body={"name": "Main menu"})
    await walk.step("DELETE", "/flows/{flow_id}", f"/flows/{flow['id']}")
    sound = await walk.step("POST", "/sounds", files={"file": ("a.wav", wav(), "audio/wav")})
    await walk.step("DELETE", "/sounds/{sound_id}", f"/sounds/{sound['id']}")

    team = await walk.step("POST", "/teams", body={"name": "East"})
    changed: Json = {"name": "West", "time_zone": None, "leaderboard": True, "member_ids": [], "expected_version": 1}
    await walk.step("PUT", "/teams/{team_id}", f"/teams/{team['id']}", body=changed)
    await walk.step("DELETE", "/teams/{team_id}", f"/teams/{team['id']}")

    target = {"measure": "csat", "scope": "all", "target": 0.9}
    set_ = await walk.step("POST", "/targets", body=target)
    await walk.step("PUT", "/targets/{target_id}", f"/targets/{set_['id']}", body={**target, "target": 0.8})
    await walk.step("DELETE", "/targets/{target_id}", f"/targets/{set_['id']}")

    limit = await walk.step("POST", "/alert-rules", body=RULE)
    path = f"/alert-rules/{limit['id']}"
    await walk.step("PUT", "/alert-rules/{rule_id}", path, body={**RULE, "name": "Nobody", "expected_version": 1})
    await walk.step("DELETE", "/alert-rules/{rule_id}", path)

    await walk.step("PUT", "/survey-settings/{queue_id}", f"/survey-settings/{sales}", body=SETTING)
    await walk.step("PUT", "/organisation/recordings", body={"recordings_for_agents": "none"})
    figures = {"service_level": "service_level", "threshold_s": 30, "short_s": 5}
    await _organisation(hub)
    await walk.step("PUT", "/organisation/figures", body={**figures, "expected_version": 1})
    await walk.step("PUT", "/routing/interruptions", body={"interrupts": {"phone": ["email"]}, "exclusive": []})

    shifts = f"/shifts/{people.anna.id}"
    await walk.step("PUT", "/shifts/{user_id}/week", f"{shifts}/week", body={"since": MONDAY, "week": WEEK})
    await walk.step("PUT", "/shifts/{user_id}/days/{day}", f"{shifts}/days/{TUESDAY}", body={"pieces": []})
    await walk.step("DELETE", "/shifts/{user_id}/days/{day}", f"{shifts}/days/{TUESDAY}")
    await walk.step("POST", "/shifts/copy", body={"source": MONDAY, "target": "2026-03-09"})
    lines = f"agent,day,starts,ends,activity\n{people.anna.email},2026-03-18,09:00,18:00,work\n"
    await walk.step("POST", "/shifts/import", body={"csv": lines})
    plan = {"service_level": 0.9, "within_s": 30, "shrinkage": 0.25, "expected_version": 0}
    await walk.step("PUT", "/staffing/plans/{queue_id}", f"/staffing/plans/{sales}", body=plan)

    schedule = await walk.step("POST", "/report-schedules", body=report(people))
    path = f"/report-schedules/{schedule['id']}"
    await walk.step("PUT", "/report-schedules/{schedule_id}", path, body=report(people, name="Other"))
    await walk.step("DELETE", "/report-schedules/{schedule_id}", path)

    custom = {"subject": "customer", "key": "tier", "name": "Tier", "kind": "text"}
    field_id = (await walk.step("POST", "/custom-fields", body=custom))["id"]
    await walk.step("PATCH", "/custom-fields/{field_id}", f"/custom-fields/{field_id}", body={"name": "Level"})
    await walk.step("DELETE", "/custom-fields/{field_id}", f"/custom-fields/{field_id}")

    hook = {"url": "https://example.org/hook", "events": ["message.received"]}
    endpoint_id = (await walk.step("POST", "/webhook-endpoints", body=hook))["id"]
    path = f"/webhook-endpoints/{endpoint_id}"
    told = {**hook, "description": "CRM", "queue_ids": [], "channel_ids": [], "enabled": True, "expected_version": 1}
    await walk.step("PUT", "/webhook-endpoints/{endpoint_id}", path, body=told)
    await walk.step("POST", "/webhook-endpoints/{endpoint_id}/secret", f"{path}/secret")
    await walk.step("DELETE", "/webhook-endpoints/{endpoint_id}", path)

    file = {"file": ("people.csv", b"Name\nAni\n", "text/csv")}
    import_id = (await walk.step("POST", "/customer-imports", files=file))["id"]
    path = f"/customer-imports/{import_id}"
    await walk.step("POST", "/customer-imports/{import_id}/start", f"{path}/start")
    await walk.step("POST", "/customer-imports/{import_id}/pause", f"{path}/pause")
    await walk.step("DELETE", "/customer-imports/{import_id}", path)

    ani = (await as_admin.post("/customers", {"name": "Ani"})).json()["id"]
    for kind in ("access", "erasure"):
        wish = {"kind": kind, "identity": "Known by voice"}
        path = f"/customers/{ani}/data-requests"
        request_id = (await walk.step("POST", "/customers/{customer_id}/data-requests", path, body=wish))["id"]
        path = f"/data-requests/{request_id}"
        if kind == "access":
            await walk.step("POST", "/data-requests/{request_id}/file", f"{path}/file")
            await walk.step("POST", "/data-requests/{request_id}/end", f"{path}/end", body={"state": "done"})
        else:
            await walk.step("POST", "/data-requests/{request_id}/erase", f"{path}/erase", body={"name": "Ani"})

    path = f"/conversations/{conversation}/routing"
    await walk.step("PATCH", "/conversations/{conversation_id}/routing", path, body={"priority": 20})
    await walk.step("POST", "/session/screen")

    assert walk.silent == []
    writes = {
        (item.method, item.path)
        for item in ENDPOINTS
        if item.access in (Access.SUPERVISOR, Access.ADMIN) and item.method != "GET"
    }
    assert writes - walk.walked == UNNOTED.keys()


async def _organisation(hub: Hub) -> None:
    row = {"id": 1, "name": "Shop", "time_zone": "UTC"}
    await hub.database.transaction(lambda tx: tx.execute(tx.insert_if_new(tables.organisation).values(**row)))


async def test_take_over_reassignment_and_release_by_a_supervisor_are_noted_and_an_agents_own_work_is_not(
    hub: Hub, people: People, call: Call, as_anna: Caller, as_admin: Caller
) -> None:
    scene = Scene(hub.database, queue_id=people.sales_id)
    number = await scene.opened(channel_id=await scene.channel("loop", "loopback"))
    path = f"/conversations/{number}"
    sue = await call(people.supervisor)
    assert (await as_anna.post(f"{path}/claim", {"expected_assignee_id": None})).status_code == 200
    assert (await sue.post(f"{path}/transfer", {"agent_id": people.bert.id})).status_code == 200
    assert (await sue.post(f"{path}/claim", {"expected_assignee_id": people.bert.id})).status_code == 200
    assert (await sue.post(f"{path}/transfer", {"agent_id": people.anna.id})).status_code == 200
    assert (await sue.post(f"{path}/release")).status_code == 200
    acts = [act for act in await _acts(as_admin, "&area=conversation")]
    assert [(act["actor_name"], act["action"], act["data"]) for act in reversed(acts)] == [
        ("Sue", "conversation.reassigned", {"name": str(number), "before": "Anna", "after": "Bert"}),
        ("Sue", "conversation.taken", {"name": str(number), "before": "Bert"}),
        ("Sue", "conversation.released", {"name": str(number), "before": "Anna"}),
    ]


async def _acts(caller: Caller, filters: str = "") -> list[Json]:
    answer = await caller.get(f"/audit?limit=200{filters}")
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["items"]
    return found


async def test_row_says_who_from_where_and_what_was_and_never_a_secret(
    as_admin: Caller, call: Call, people: People
) -> None:
    token = (await as_admin.post("/api-keys", {"name": "CRM", "role": "admin"})).json()["token"]
    program = await call(None)
    program.headers["Authorization"] = f"Bearer {token}"
    await program.patch(f"/queues/{people.sales_id}", {"offer_timeout_s": 45})
    new = {"password": "a new secret password", "name": "Anne"}
    await as_admin.patch(f"/users/{people.anna.id}", new)
    acts = await _acts(as_admin)
    changed, queue = acts[0], acts[1]
    assert (queue["actor_name"], queue["api_key_name"], queue["address"]) == ("Ada", "CRM", "203.0.113.9")
    assert queue["data"] == {"name": "Sales", "changes": {"offer_timeout_s": [20, 45]}}
    assert changed["data"] == {"name": "Anna", "changes": {"name": ["Anna", "Anne"], "password": "changed"}}
    assert token not in str(acts)


async def test_sign_ins_and_failures_are_noted_also_for_accounts_that_there_are_not(
    as_admin: Caller, as_anna: Caller, call: Call, people: People
) -> None:
    nobody = await call(None)
    await nobody.sign_in(people.anna.email, "wrong password")
    await nobody.sign_in("no-such@hub.test", "wrong password")
    await as_anna.delete("/session")
    acts = await _acts(as_admin, "&area=session")
    assert [(act["action"], act["actor_name"], act["data"]["name"]) for act in reversed(acts)] == [
        ("session.opened", "Ada", "Ada"),
        ("session.opened", "Anna", "Anna"),
        ("session.refused", "", "Anna"),
        ("session.refused", "", ""),
        ("session.closed", "Anna", "Anna"),
    ]
    assert "no-such" not in str(acts)


async def test_a_flood_of_failures_fills_no_log(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from hub.agents import accounts

    monkeypatch.setattr(accounts, "FAILURES_NOTED", 3)
    for _ in range(5):
        await hub.database.transaction(accounts.note_failed_sign_in, None, "203.0.113.9")
    assert await hub.database.read(lambda tx: tx.scalar(select(func.count()).select_from(tables.audit))) == 3


ADA = Viewer(1, Role.ADMIN, "Ada", "en", frozenset())


async def test_log_is_paged_newest_first_with_what_recordings_keep_of_their_own(
    hub: Hub, as_admin: Caller, people: People, clock: FrozenClock
) -> None:
    """Five at one instant, of three tables: each stands on one page, none twice."""

    def lay(tx: Tx) -> None:
        channel = {"id": "line", "kind": "phone", "name": "Line", "queue_id": people.sales_id, "settings": {}}
        tx.execute(insert(tables.channel).values(**channel, secrets="", health_since=tx.now))
        recording_id = _lay_recording(tx, people)
        played = {"recording_id": recording_id, "user_id": people.supervisor.id, "at": tx.now}
        tx.insert(tables.recording_play, played)
        tx.insert(tables.recording_play, played)
        for number in range(2):
            audit.note(tx, ADA, "queue.changed", "queue", number, {"name": str(number)})

    clock.advance(minutes=1)
    since = clock.now
    await hub.database.transaction(lay)
    path = f"/audit?limit=2&since={since.isoformat().replace('+', '%2B')}"
    pages = [(await as_admin.get(path)).json()]
    while pages[-1]["next_cursor"]:
        pages.append((await as_admin.get(f"{path}&cursor={pages[-1]['next_cursor']}")).json())
    assert [[(act["action"], act["actor_name"]) for act in page["items"]] for page in pages] == [
        [("recording.deleted", "Ada"), ("recording.played", "Sue")],
        [("recording.played", "Sue"), ("queue.changed", "Ada")],
        [("queue.changed", "Ada")],
    ]
    assert [act["action"] for act in await _acts(as_admin, f"&actor={people.supervisor.id}&area=recording")] == [
        "recording.played",
        "recording.played",
    ]


def _lay_recording(tx: Tx, people: People) -> int:
    """One that Ada has just deleted."""
    customer_id = tx.insert(tables.customer, {"name": "c", "created_at": tx.now})
    contact = {"customer_id": customer_id, "kind": "phone", "address": "+37491000009", "created_at": tx.now}
    conversation_id = tx.insert(
        tables.conversation,
        {
            "customer_id": customer_id,
            "contact_point_id": tx.insert(tables.contact_point, contact),
            "channel_id": "line",
            "queue_id": people.sales_id,
            "queued_since": tx.now,
            "created_at": tx.now,
            "last_entry_at": tx.now,
        },
    )
    call = {"conversation_id": conversation_id, "customer_id": customer_id, "channel_id": "line", "direction": "in"}
    told = {"address": "+37491000009", "line": "", "room": "room", "state": "ended", "state_since": tx.now}
    call_id = tx.insert(tables.call, {**call, **told, "started_at": tx.now, "ended_at": tx.now})
    recording = {"call_id": call_id, "provider_id": "RE1", "kind": "call", "state": "deleted", "started_at": tx.now}
    return tx.insert(
        tables.recording, {**recording, "deleted_at": tx.now, "deleted_by": people.admin.id, "created_at": tx.now}
    )


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        ("area=queue&subject_id=7", ["queue.changed"]),
        ("subject=queue&subject_id=7", ["queue.changed"]),
        ("area=user&actor=1", []),
        ("until=2000-01-01T00:00Z", []),
    ],
)
async def test_filters_leave_what_they_say(as_admin: Caller, hub: Hub, filters: str, left: list[str]) -> None:
    await hub.database.transaction(audit.note, ADA, "queue.changed", "queue", 7, {"name": "Sales"})
    await hub.database.transaction(audit.note, ADA, "queue.created", "queue", 8, {"name": "Support"})
    assert [act["action"] for act in await _acts(as_admin, f"&{filters}")][-1:] == left


@pytest.mark.parametrize("number", ["9" * 30, "\u0664\u0662", "-1", "1.5"])
async def test_a_number_that_no_recording_has_finds_nothing(as_admin: Caller, number: str) -> None:
    answer = await as_admin.get("/audit", params={"subject": "recording", "subject_id": number})
    assert (answer.status_code, answer.json()) == (200, {"items": [], "next_cursor": None})


async def test_what_the_command_line_did_is_found_by_nobody(as_admin: Caller) -> None:
    assert {act["action"] for act in await _acts(as_admin, "&actor=0")} == {"queue.created", "user.created"}


async def test_export_holds_all_pages_disarms_formulas_and_is_noted_itself(
    hub: Hub, as_admin: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.web.audit._ROWS_AT_ONCE", 2)
    for number in range(5):
        await hub.database.transaction(audit.note, ADA, "queue.changed", "queue", number, {"name": f"={number}"})
    answer = await as_admin.get("/audit.csv?area=queue")
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    head, *rows = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert head[:6] == ["at", "who", "who_id", "api_key", "address", "action"]
    assert [row[8] for row in rows[:5]] == ["'=4", "'=3", "'=2", "'=1", "'=0"]
    newest = (await _acts(as_admin))[0]
    assert (newest["action"], newest["data"]["filters"]) == ("audit.exported", {"area": "queue"})


async def test_log_is_for_administrators(call: Call, people: People) -> None:
    sue = await call(people.supervisor)
    assert [(await sue.get(path)).status_code for path in ("/audit", "/audit.csv")] == [403, 403]


async def test_old_rows_go_after_the_retention(hub: Hub, clock: FrozenClock) -> None:
    await hub.database.transaction(audit.note, ADA, "queue.changed", "queue", 1, {})
    clock.advance(days=hub.settings.audit_retention_days + 1)
    before = clock.now - timedelta(days=hub.settings.audit_retention_days)
    assert not await hub.database.transaction(audit.sweep, before)
    assert await hub.database.read(lambda tx: tx.scalar(select(func.count()).select_from(tables.audit))) == 0
