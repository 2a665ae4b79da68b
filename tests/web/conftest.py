"""The whole app of one process, driven without a port: real Hub, real database of both kinds, no background loops.

hub       hub.app.Hub on a fresh database, its clock frozen (fixture `clock`)
people    one account of each role, and queues; see People
call      call(person) → a Caller: `await caller.get("/users")`; nobody is call(None)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import pytest

from hub.agents import accounts, queues
from hub.app import Hub, make_app
from hub.domain.values import Role
from hub.domain.views import UserView
from hub.settings import Settings
from hub.store.database import Tx
from tests.support.clock import FrozenClock

PASSWORD = "correct horse battery"
PUBLIC_URL = "http://hub.test"


@cache
def password_hash() -> str:
    return accounts._HASHER.hash(PASSWORD)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path,
        database_url=database_url,
        public_url=PUBLIC_URL,
        secret_key="a-secret-key-for-tests-only",
        body_limit_bytes=10_000,
    )


@pytest.fixture
async def hub(settings: Settings, clock: FrozenClock) -> AsyncIterator[Hub]:
    made = Hub(settings)
    made.database.clock = clock
    await made.tail.start()
    yield made
    await made.channels.close()
    await made.database.close()


@dataclass(frozen=True, slots=True)
class People:
    """Everybody's password is PASSWORD. Anna and Bert are agents, Anna in the queue `sales`."""

    admin: UserView
    supervisor: UserView
    anna: UserView
    bert: UserView
    sales_id: int
    support_id: int


@pytest.fixture
async def people(hub: Hub) -> People:
    def make(tx: Tx) -> People:
        sales_id = queues.create_queue(tx, name="Sales").id
        support_id = queues.create_queue(tx, name="Support").id

        def person(name: str, role: Role, *queue_ids: int) -> UserView:
            email = f"{name.lower()}@hub.test"
            return accounts.create_user(
                tx, email=email, name=name, role=role, password_hash=password_hash(), queue_ids=queue_ids
            )

        return People(
            admin=person("Ada", Role.ADMIN),
            supervisor=person("Sue", Role.SUPERVISOR),
            anna=person("Anna", Role.AGENT, sales_id),
            bert=person("Bert", Role.AGENT),
            sales_id=sales_id,
            support_id=support_id,
        )

    return await hub.database.transaction(make)


@dataclass
class Caller:
    """Somebody's browser. Writes carry the CSRF token; `headers` are added to every request."""

    client: httpx2.AsyncClient
    headers: dict[str, str] = field(default_factory=dict)

    async def sign_in(self, email: str, password: str = PASSWORD) -> httpx2.Response:
        answer = await self.post("/session", {"email": email, "password": password})
        if answer.status_code == 200:
            self.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        return answer

    async def request(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """`path` under /api/v1, or from the root when it begins with /api, /assets …: then say `root=True`."""
        prefix = "" if more.pop("root", False) else "/api/v1"
        headers = {**self.headers, **more.pop("headers", {})}
        return await self.client.request(method, prefix + path, headers=headers, **more)

    async def get(self, path: str, **more: Any) -> httpx2.Response:
        return await self.request("GET", path, **more)

    async def post(self, path: str, body: Any = None, **more: Any) -> httpx2.Response:
        return await self.request("POST", path, json=body, **more)

    async def patch(self, path: str, body: Any, **more: Any) -> httpx2.Response:
        return await self.request("PATCH", path, json=body, **more)

    async def put(self, path: str, body: Any, **more: Any) -> httpx2.Response:
        return await self.request("PUT", path, json=body, **more)

    async def delete(self, path: str, **more: Any) -> httpx2.Response:
        return await self.request("DELETE", path, **more)


Call = Callable[[UserView | None], Awaitable[Caller]]


@pytest.fixture
async def call(hub: Hub) -> AsyncIterator[Call]:
    app = make_app(hub)
    async with AsyncExitStack() as stack:

        async def make(person: UserView | None) -> Caller:
            transport = httpx2.ASGITransport(app, client=("203.0.113.9", 40_000))
            caller = Caller(
                await stack.enter_async_context(httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL))
            )
            if person is not None:
                answer = await caller.sign_in(person.email)
                assert answer.status_code == 200, answer.text
            return caller

        yield make


@pytest.fixture
async def as_admin(call: Call, people: People) -> Caller:
    return await call(people.admin)


@pytest.fixture
async def as_anna(call: Call, people: People) -> Caller:
    return await call(people.anna)


@pytest.fixture
async def as_nobody(call: Call) -> Caller:
    return await call(None)
