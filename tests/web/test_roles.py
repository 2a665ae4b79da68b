"""Roles of one's own: what they let people do, at once, and what nobody can give."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from hub.agents import accounts, roster
from hub.app import ENDPOINTS, Hub
from hub.domain.permissions import BUILT_IN, Permission
from hub.domain.states import AgentState
from hub.domain.values import ChannelKind, Role
from hub.domain.views import UserView
from hub.store import tables
from hub.web.api import Access
from tests.support.scene import Scene
from tests.web.conftest import PASSWORD, Call, Caller, People
from tests.web.test_access import concrete

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

# Writes that need no permission, and why.
FREE = {
    ("PUT", "/me/state"): "one's own; `available` asks for conversations.take_part",
    ("POST", "/session/screen"): "one's own session becomes less",
    ("DELETE", "/session"): "one's own",
    ("DELETE", "/me/sessions"): "one's own",
    ("DELETE", "/me/sessions/{session_id}"): "one's own",
    ("PATCH", "/me"): "one's own",
    ("PUT", "/me/password"): "one's own",
    ("PUT", "/me/notice-rules"): "one's own",
    ("POST", "/alerts/seen"): "one's own",
    ("POST", "/alerts/{alert_id}/seen"): "one's own",
    ("DELETE", "/alerts/{alert_id}/seen"): "one's own",
    ("POST", "/views"): "one's own; sharing asks for views.share",
    ("PATCH", "/views/{view_id}"): "one's own; others' ask for views.share",
    ("DELETE", "/views/{view_id}"): "one's own; others' ask for views.share",
    ("POST", "/canned-replies"): "one's own; sharing asks for canned.share",
    ("PUT", "/canned-replies/{reply_id}"): "one's own; sharing asks for canned.share",
    ("DELETE", "/canned-replies/{reply_id}"): "one's own; shared ones ask for canned.share",
    ("POST", "/canned-replies/preview"): "changes nothing",
    ("POST", "/canned-replies/{reply_id}/render"): "changes nothing",
    ("POST", "/staffing/what-if"): "computes",
    ("POST", "/flows/{flow_id}/try"): "changes nothing",
    ("POST", "/conversations/{conversation_id}/notes"): "colleagues read it, customers do not",
    ("DELETE", "/conversations/{conversation_id}/participants/{user_id}"): "oneself; others ask for board.act",
    ("POST", "/conversations/{conversation_id}/typing"): "tells that somebody types, a note too",
    ("PUT", "/conversations/{conversation_id}/draft"): "one's own; sending it asks for conversations.take_part",
    ("POST", "/conversations/{conversation_id}/drafts/{user_id}/take"): "becomes one's own draft",
    ("POST", "/planned-messages/{planned_id}/cancel"): "one's own is taken back, whatever one may by now",
    ("POST", "/attachments"): "of one's own draft, or of a note",
    ("POST", "/tasks"): "for colleagues, nothing reaches a customer",
    ("PUT", "/tasks/{task_id}"): "for colleagues, nothing reaches a customer",
    ("POST", "/tasks/{task_id}/end"): "for colleagues, nothing reaches a customer",
    ("DELETE", "/tasks/{task_id}/end"): "for colleagues, nothing reaches a customer",
    ("POST", "/calls/{call_id}/line"): "one's own leg of a call that one was let into",
    ("POST", "/calls/{call_id}/mute"): "one's own leg",
    ("POST", "/calls/{call_id}/leave"): "one's own leg",
    ("POST", "/calls/{call_id}/refuse"): "one's own leg",
    ("POST", "/calls/{call_id}/hang_up"): "one's own call; a colleague's asks for board.act",
}


def test_each_write_names_its_permission_or_its_reason() -> None:
    writes = {
        (item.method, item.path)
        for item in ENDPOINTS
        if item.method != "GET" and item.access is not Access.NOBODY_NEEDED and item.permission is None
    }
    assert writes == FREE.keys()


async def make_role(as_admin: Caller, base: Role, *permissions: Permission, name: str = "Team lead") -> int:
    body = {"name": name, "base": base.value, "permissions": [each.value for each in permissions]}
    answer = await as_admin.post("/roles", body)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


async def give(as_admin: Caller, person: UserView, **role: Any) -> Json:
    answer = await as_admin.patch(f"/users/{person.id}", role)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def test_each_endpoint_is_denied_without_its_permission_and_allowed_with_it(
    hub: Hub, people: People, as_admin: Caller, call: Call
) -> None:
    """Sue has a role with all permissions but those of one half, then of the other."""
    needing = [item for item in ENDPOINTS if item.permission is not None]
    as_sue = await call(people.supervisor)
    all_ = list(Permission)
    for held in (all_[::2], all_[1::2]):
        role_id = await make_role(as_admin, Role.SUPERVISOR, *held, name=f"with {held[0].value}")
        assert (await give(as_admin, people.supervisor, role_id=role_id))["role_name"] == f"with {held[0].value}"
        for item in needing:
            answer = await as_sue.request(item.method, concrete(item), json={"no": "such field"})
            denied = answer.status_code == 403 and answer.json()["code"] == "no_permission"
            assert denied is (item.permission not in held), (item.method, item.path, answer.text)


async def test_a_role_holds_at_once_and_its_person_is_told(
    hub: Hub, people: People, as_admin: Caller, call: Call
) -> None:
    as_sue = await call(people.supervisor)
    assert "customers.export" not in (await as_sue.get("/session")).json()["permissions"]
    role_id = await make_role(as_admin, Role.SUPERVISOR, Permission.EXPORT_CUSTOMERS)
    told = await hub.database.read(lambda tx: tx.scalar(select(tables.event.c.seq).order_by(tables.event.c.seq.desc())))
    await give(as_admin, people.supervisor, role_id=role_id)

    for answer in (await as_sue.get("/session"), await as_sue.get("/snapshot")):
        assert answer.json()["permissions"] == ["customers.export"]
        assert answer.json()["user"]["role"] == "supervisor"  # what she sees is what she saw
    events = await hub.database.read(
        lambda tx: [row.kind for row in tx.rows(select(tables.event.c.kind).where(tables.event.c.seq > told))]
    )
    assert "access.changed" in events
    fewer = {"name": "Lead", "permissions": [], "expected_version": 1}
    assert (await as_admin.put(f"/roles/{role_id}", fewer)).json()["people"] == 1
    assert (await as_admin.put(f"/roles/{role_id}", fewer)).json()["code"] == "version_conflict"
    answer = (await as_sue.get("/session")).json()
    assert (answer["permissions"], answer["user"]["role_name"]) == ([], "Lead")

    assert (await as_admin.delete(f"/roles/{role_id}")).json()["fields"] == {"people": "1", "invitations": "0"}
    assert (await give(as_admin, people.supervisor, role="supervisor"))["role_id"] is None
    assert (await as_admin.delete(f"/roles/{role_id}")).status_code == 204
    assert len((await as_sue.get("/session")).json()["permissions"]) == len(BUILT_IN[Role.SUPERVISOR])


async def test_nobody_gives_what_they_have_not(people: People, as_admin: Caller, call: Call) -> None:
    """Sue manages people and roles, and is no administrator."""
    held = (Permission.MANAGE_USERS, Permission.MANAGE_ROLES, Permission.MANAGE_KEYS, Permission.TAKE_PART)
    await give(as_admin, people.supervisor, role_id=await make_role(as_admin, Role.SUPERVISOR, *held))
    more = await make_role(as_admin, Role.SUPERVISOR, Permission.LISTEN, name="Listener")
    as_sue = await call(people.supervisor)
    ada, bert = f"/users/{people.admin.id}", f"/users/{people.bert.id}"
    new = {"email": "new@hub.test", "name": "New", "password": PASSWORD}
    role = {"name": "Mine", "base": "supervisor", "permissions": ["audit.read"]}
    refused = [
        await as_sue.post("/roles", role),
        await as_sue.post("/roles", {**role, "base": "admin", "permissions": []}),
        await as_sue.put(f"/roles/{more}", {"name": "Listener", "permissions": [], "expected_version": 1}),
        await as_sue.delete(f"/roles/{more}"),
        await as_sue.post("/users", {**new, "role": "admin"}),
        await as_sue.post("/users", {**new, "role_id": more}),
        await as_sue.post("/invitations", {"email": "new@hub.test", "role": "supervisor"}),
        await as_sue.patch(ada, {"password": "another long password"}),
        await as_sue.patch(ada, {"active": False}),
        await as_sue.post(f"{ada}/password-link"),
        await as_sue.patch(f"/users/{people.supervisor.id}", {"role": "admin"}),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(403, "beyond_you")] * len(refused)
    # Bert is a plain agent, who may do more than Sue: merge customers, among others.
    assert (await as_sue.patch(bert, {"active": False})).status_code == 403
    own = await make_role(as_admin, Role.AGENT, Permission.TAKE_PART, name="Writer")
    await give(as_admin, people.bert, role_id=own)
    assert (await as_sue.patch(bert, {"name": "Berta"})).status_code == 200
    assert (await as_sue.post("/users", {**new, "role_id": own})).json()["role"] == "agent"
    # A key of hers is no more than she is, whatever role it is given.
    token = (await as_sue.post("/api-keys", {"name": "mine", "role": "admin"})).json()["token"]
    program = await call(None)
    program.headers["Authorization"] = f"Bearer {token}"
    assert (await program.get("/session")).json()["permissions"] == [each.value for each in Permission if each in held]


async def test_a_link_to_a_password_is_as_good_as_whoever_made_it(
    people: People, as_admin: Caller, as_nobody: Caller, call: Call
) -> None:
    """Sue makes a link for Bert, whose role holds more than hers a moment later."""
    held = (Permission.MANAGE_USERS, Permission.TAKE_PART)
    await give(as_admin, people.supervisor, role_id=await make_role(as_admin, Role.SUPERVISOR, *held))
    writer = await make_role(as_admin, Role.AGENT, Permission.TAKE_PART, name="Writer")
    await give(as_admin, people.bert, role_id=writer)
    made = await (await call(people.supervisor)).post(f"/users/{people.bert.id}/password-link")
    assert made.status_code == 200, made.text
    token = {"token": made.json()["url"].partition("#")[2]}
    assert (await as_nobody.post("/links/look", token)).status_code == 200
    more = {"name": "Writer", "permissions": ["customers.export"], "expected_version": 1}
    assert (await as_admin.put(f"/roles/{writer}", more)).status_code == 200
    used = await as_nobody.post("/links/use", {**token, "password": PASSWORD})
    assert (used.status_code, used.json()["code"]) == (404, "link_ended")


async def test_who_comes_back_has_no_more_than_they_had(people: People, as_admin: Caller) -> None:
    role_id = await make_role(as_admin, Role.ADMIN, Permission.READ_AUDIT, name="Auditor")
    await give(as_admin, people.bert, role_id=role_id)
    await give(as_admin, people.bert, active=False)
    assert (await as_admin.delete(f"/roles/{role_id}")).status_code == 204
    back = await give(as_admin, people.bert, active=True)
    assert (back["role"], back["role_id"]) == ("agent", None)


async def test_doing_it_to_many_asks_for_what_doing_it_to_one_asks_for(
    people: People, as_admin: Caller, as_anna: Caller
) -> None:
    await give(as_admin, people.anna, role_id=await make_role(as_admin, Role.AGENT, Permission.BULK))
    for more in ({"action": "resolve"}, {"action": "tag", "tags": ["x"]}, {"action": "priority", "priority": 1}):
        answer = await as_anna.post("/bulk/conversations", {"ids": [1], **more})
        assert (answer.status_code, answer.json()["code"]) == (403, "no_permission"), more


async def test_the_last_administrator_stays_whatever_others_may(people: People, as_admin: Caller) -> None:
    role_id = await make_role(as_admin, Role.ADMIN, *Permission, name="Like an administrator")
    await give(as_admin, people.bert, role_id=role_id)
    for change in ({"role_id": role_id}, {"role": "agent"}, {"active": False}):
        answer = await as_admin.patch(f"/users/{people.admin.id}", change)
        assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")


async def test_what_is_wrong_with_a_role_is_named(people: People, as_admin: Caller) -> None:
    await make_role(as_admin, Role.AGENT, Permission.EXPORT_CUSTOMERS)
    senseless = await as_admin.post("/roles", {"name": "Spy", "base": "agent", "permissions": ["calls.listen"]})
    assert (senseless.status_code, list(senseless.json()["fields"])) == (422, ["permissions"])
    taken = await as_admin.post("/roles", {"name": "TEAM  lead", "base": "agent", "permissions": []})
    assert (taken.status_code, taken.json()["fields"]) == (409, {"name": "is taken"})
    nobodys = await as_admin.patch(f"/users/{people.bert.id}", {"role_id": 9_999})
    assert (nobodys.status_code, list(nobodys.json()["fields"])) == (422, ["role_id"])


async def test_who_takes_part_no_more_holds_nothing_and_is_offered_nothing(
    hub: Hub, people: People, as_admin: Caller, as_anna: Caller
) -> None:
    scene = Scene(hub.database, queue_id=people.sales_id)
    held = await scene.opened(channel_id=await scene.channel("loop", "loopback"))
    await hub.database.transaction(roster.change_agent_state, people.anna.id, AgentState.AVAILABLE)
    assert (await as_anna.post(f"/conversations/{held}/claim", {"expected_assignee_id": None})).status_code == 200
    await give(as_admin, people.anna, role_id=await make_role(as_admin, Role.AGENT, name="Reader"))

    conversation = (await as_anna.get(f"/conversations/{held}")).json()
    assert (conversation["status"], conversation["assignee_id"]) == ("open", None)
    said = await as_anna.post(f"/conversations/{held}/messages", {"text": "Hello"})
    assert said.json()["code"] == "no_permission"
    assert (await as_anna.put("/me/state", {"state": "available"})).json()["code"] == "no_permission"
    assert (await as_anna.put("/me/state", {"state": "away"})).status_code == 200
    by_admin = await as_admin.put(f"/agents/{people.anna.id}/state", {"state": "available"})
    assert by_admin.json()["code"] == "takes_no_part"
    passed_on = await as_admin.post(f"/conversations/{held}/transfer", {"agent_id": people.anna.id})
    assert passed_on.json()["code"] == "takes_no_part"
    assert await hub.database.read(roster.find_worth_waiting_for, people.anna.id, ChannelKind.SMS) is None


async def test_an_invitation_to_a_role_of_ones_own_gives_it_while_its_maker_may(
    hub: Hub, people: People, as_admin: Caller, as_nobody: Caller
) -> None:
    role_id = await make_role(as_admin, Role.AGENT, Permission.EXPORT_CUSTOMERS)
    invited = (await as_admin.post("/invitations", {"email": "new@hub.test", "role_id": role_id})).json()
    assert invited["invitation"]["role_name"] == "Team lead"
    assert (await as_admin.delete(f"/roles/{role_id}")).json()["fields"] == {"people": "0", "invitations": "1"}
    use = {"token": invited["url"].partition("#")[2], "name": "New", "password": PASSWORD}
    assert (await as_nobody.post("/links/use", use)).status_code == 200
    made = await hub.database.read(accounts.find_user_by_email, "new@hub.test")
    assert made is not None
    assert (made.role, made.role_id) == (Role.AGENT, role_id)
