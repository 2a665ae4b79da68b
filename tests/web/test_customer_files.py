"""Customers by file, as an administrator's programs ask: upload, mapping, trial, run, refused lines; and out again."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from sqlalchemy import select, update

from hub.app import Hub
from hub.store import tables
from tests.web.conftest import Call, Caller, People

pytestmark = pytest.mark.anyio

FILE = "Name;Телефон;Tags\nԱնի;+37491111111;vip\n=cmd();+37491222222;\nBad;12;\n".encode("utf-16")


async def upload(caller: Caller, raw: bytes = FILE) -> Any:
    return await caller.post("/customer-imports", files={"file": ("../people.csv", raw, "text/csv")})


async def test_refused_lines_are_told_in_the_readers_language(hub: Hub, call: Call, people: People) -> None:
    """A screen's request says which; a file is in the language of whose it will be. Lines of before sentences are as they
    were."""
    caller = await call(people.admin)
    raw = "Name;Line;Phone;\nԱնի;1;12;x\n;2;;\n".encode()
    made = (await upload(caller, raw)).json()
    place = f"/customer-imports/{made['id']}"
    mapping = [{"column": 0, "target": "name"}, {"column": 2, "target": "phone"}, {"column": 3, "target": "country"}]
    body = {"mapping": mapping, "options": made["options"], "expected_version": 1}
    mapped = await caller.put(f"{place}/mapping", body)
    assert mapped.status_code == 200, mapped.text
    hub.importer.rest = 0
    await caller.post(f"{place}/start")
    await hub.importer.work_off()

    async def told(language: str) -> list[dict[str, str]]:
        answer = await caller.get(f"{place}/refused", headers={"Accept-Language": language})
        return [each["faults"] for each in answer.json()["items"]]

    english = await told("en")
    assert english[0].keys() == {"Phone", "column 4"}
    assert english[1] == {"line": "has neither a name nor an address"}
    armenian = await told("hy-AM, en;q=0.5")
    assert armenian[0].keys() == {"Phone", "սյունակ 4"}
    assert armenian[1] == {"տող": "չունի ո՛չ անուն, ո՛չ հասցե"}

    assert (await caller.patch("/me", {"language": "hy"})).status_code == 200
    file = await caller.get(f"{place}/refused.csv", headers={"Accept-Language": "en-GB"})
    rows = list(csv.reader(io.StringIO(file.content.decode("utf-8-sig")), delimiter=";"))
    assert rows[0] == ["Row", "Reason", "Name", "Line", "Phone", ""]
    assert rows[2] == ["3", "տող: չունի ո՛չ անուն, ո՛չ հասցե", "", "2", "", ""]

    old = update(tables.customer_import_line).values(faults={"Phone": "is not a phone number"})
    await hub.database.transaction(lambda tx: tx.execute(old))
    assert (await told("hy"))[0] == {"Phone": "is not a phone number"}


async def test_a_file_comes_in_and_goes_out(hub: Hub, call: Call, people: People) -> None:
    caller = await call(people.admin)
    made = (await upload(caller)).json()
    assert (made["encoding"], made["delimiter"], made["progress"]["state"]) == ("utf-16", ";", "new")
    assert [each["target"] for each in made["mapping"]] == ["name", "phone", "tags"]
    assert "/" not in made["file_name"]
    place = f"/customer-imports/{made['id']}"
    body = {"mapping": made["mapping"], "options": {**made["options"], "system": "NO!"}, "expected_version": 1}
    refused = await caller.put(f"{place}/mapping", body)
    assert (refused.status_code, refused.json()["fields"].keys()) == (422, {"system"})
    mapped = await caller.put(f"{place}/mapping", {**body, "options": made["options"]})
    assert mapped.status_code == 200, mapped.text
    stale = await caller.put(f"{place}/mapping", {**body, "options": made["options"]})
    assert (stale.status_code, stale.json()["code"]) == (409, "version_conflict")

    assert (await caller.post(f"{place}/trial")).json()["progress"]["state"] == "trying"
    hub.importer.rest = 0
    await hub.importer.work_off()
    tried = (await caller.get(place)).json()["progress"]
    assert (tried["state"], tried["made"], tried["refused"]) == ("tried", 2, 1)
    assert (await caller.post(f"{place}/start")).json()["progress"]["done"] == 0
    assert (await caller.delete(place)).json()["code"] == "import_state"
    await hub.importer.work_off()
    done = (await caller.get(place)).json()["progress"]
    assert {name: done[name] for name in ("state", "made", "refused")} == {"state": "done", "made": 2, "refused": 1}
    lines = (await caller.get(f"{place}/refused")).json()["items"]
    assert [(each["line"], list(each["faults"])) for each in lines] == [(4, ["Телефон"])]
    text = (await caller.get(f"{place}/refused.csv")).content.decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text), delimiter=";"))[1][2:] == ["Bad", "12", ""]

    answer = await caller.get("/customer-exports/customers.csv?columns=name,phone,tags")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0] == ["Name", "Phone", "Tags"]
    assert rows[1:] == [["Անի", "'+37491111111", "vip"], ["'=cmd()", "'+37491222222", ""]]
    assert len(list(csv.reader(io.StringIO((await caller.get("/customer-exports/customers.csv?tag=vip")).text)))) == 2
    assert (await caller.get("/customer-exports/count?q=cmd")).json() == {"count": 1}
    assert (await caller.get("/customer-exports/customers.csv?columns=secret")).status_code == 422
    # What went out comes in again, and nobody is new.
    again = (await upload(caller, answer.content)).json()
    await caller.post(f"/customer-imports/{again['id']}/start")
    await hub.importer.work_off()
    back = (await caller.get(f"/customer-imports/{again['id']}")).json()["progress"]
    assert (back["made"], back["same"], back["refused"]) == (0, 2, 0)
    assert (await caller.delete(place)).status_code == 204
    acts = await hub.database.read(lambda tx: [(row.action, row.data) for row in tx.rows(select(tables.audit))])
    exported = [data for action, data in acts if action == "customer.exported"]
    assert [data.get("tag") for data in exported] == [None, "vip"]
    assert exported[0]["name"] == "2"
    keys = [row.file_key for row in await hub.database.read(lambda tx: tx.rows(select(tables.customer_import)))]
    assert len(keys) == 1, "the other's file and row are gone"


async def test_a_failed_import_says_whether_it_can_be_taken_up_again(hub: Hub, call: Call, people: People) -> None:
    caller = await call(people.admin)
    made = (await upload(caller)).json()
    assert made["may_resume"] is False, "it has not failed"
    place = f"/customer-imports/{made['id']}"
    key = await hub.database.read(lambda tx: tx.scalar(select(tables.customer_import.c.file_key)))
    kept = hub.files.path(key).read_bytes()
    await caller.post(f"{place}/start")
    hub.files.delete(key)
    hub.importer.rest = 0
    await hub.importer.work_off()
    failed = (await caller.get(place)).json()
    assert (failed["progress"]["state"], failed["may_resume"]) == ("failed", False)
    assert failed["fault"]
    for way in ("start", "trial"):
        gone = await caller.post(f"{place}/{way}")
        assert (gone.status_code, gone.json()["code"]) == (409, "file_forgotten")
    hub.files.put(key, io.BytesIO(kept))
    assert [each["may_resume"] for each in (await caller.get("/customer-imports")).json()["items"]] == [True]
    assert (await caller.post(f"{place}/trial")).json()["code"] == "import_state"
    resumed = (await caller.post(f"{place}/start")).json()
    assert (resumed["progress"]["state"], resumed["fault"], resumed["finished_at"]) == ("running", None, None)
    await hub.importer.work_off()
    done = (await caller.get(place)).json()
    assert (done["progress"]["state"], done["progress"]["made"], done["may_resume"]) == ("done", 2, False)


async def test_only_whoever_may_and_only_what_can_be_read(call: Call, people: People, hub: Hub) -> None:
    for person in (people.anna, people.supervisor):
        caller = await call(person)
        assert (await upload(caller)).json()["code"] == "no_permission"
        assert (await caller.get("/customer-exports/customers.csv")).json()["code"] == "no_permission"
        assert (await caller.get("/customer-imports")).json()["code"] == "no_permission"
    admin = await call(people.admin)
    for raw in (b'Name\n"open', b"Name\n", b""):
        answer = await upload(admin, raw)
        assert (answer.status_code, answer.json()["code"]) == (422, "unreadable_file"), answer.text
    assert (await admin.get("/customer-imports")).json()["items"] == []
    assert not [path for path in hub.settings.files_dir.glob("*/*") if path.is_file()], "refused files do not stay"
    assert (await admin.post("/customer-imports/7/start")).status_code == 404
