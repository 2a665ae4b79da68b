"""A real hub for tests: uvicorn on a port of 127.0.0.1, in the test's own event loop, driven from outside.

    async with run_hub(url, tmp_path) as house:           the whole of hub.app, all loops running, as `hub serve` starts it
        nare = await house.person("Nare", queue_ids=[…])  an account that is signed in: house.api(nare), house.screen(nare)
        await house.write("Hello")                        a customer writes: a signed webhook of the loopback channel
        async with house.screen(nare) as screen:          snapshot → socket; `screen.until(…)` reads on until it is true

Several of them on one PostgreSQL are several processes in all but name: each has its own connections, loops and notices.
`hub_process` is one in truth, to be killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import uvicorn
import websockets
from sqlalchemy.exc import IntegrityError
from websockets.asyncio.client import ClientConnection

from hub.agents import accounts, queues
from hub.app import Hub, make_app, server_options
from hub.channels import loopback, twilio
from hub.domain.values import ChannelKind, Role
from hub.settings import Settings
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import channels
from hub.web.throttle import Throttle
from tests.support.postgres import find_free_port

# Nothing a test waits for takes a second; a machine that is busy may need some.
PATIENCE_S = 30.0
SIGNING_KEY = "loopback-key"
AUTH_TOKEN = "demo-token"
ACCOUNT_SID = "AC" + "0123456789abcdef" * 2
MAIL_ADDRESS = "support@shop.test"
NUMBER = "+15005550006"
SECRET_KEY = "a-secret-key-for-tests-only"

Json = dict[str, Any]
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Person:
    user_id: int
    name: str
    token: str
    csrf_token: str

    @property
    def cookie(self) -> str:
        return f"hub_session={self.token}"


@dataclass
class Api:
    """Somebody's calls under /api/v1; writes carry the CSRF token. `None` calls as nobody."""

    client: httpx2.AsyncClient
    person: Person | None

    async def request(self, method: str, path: str, *, headers: Mapping[str, str] = {}, **more: Any) -> httpx2.Response:
        own = {"cookie": self.person.cookie, "x-csrf-token": self.person.csrf_token} if self.person else {}
        return await self.client.request(method, f"/api/v1{path}", headers={**own, **headers}, **more)

    async def get(self, path: str, **params: Any) -> httpx2.Response:
        return await self.request("GET", path, params=params)

    async def post(self, path: str, body: Any = None, *, key: str | None = None) -> httpx2.Response:
        headers = {"idempotency-key": key} if key is not None else {}
        return await self.request("POST", path, json=body, headers=headers)

    async def put(self, path: str, body: Any) -> httpx2.Response:
        return await self.request("PUT", path, json=body)

    async def patch(self, path: str, body: Any) -> httpx2.Response:
        return await self.request("PATCH", path, json=body)

    async def upload(self, content: bytes, name: str = "picture.png", media_type: str = "image/png") -> httpx2.Response:
        return await self.request("POST", "/attachments", files={"file": (name, content, media_type)})


@dataclass
class Screen:
    """A console as the contract wants it: it applies a frame, then keeps its token. A chain that is broken fails the
    test. What came stands in `events`, `volatile` and `others` in its order."""

    connection: ClientConnection
    token: str
    events: list[Json] = field(default_factory=list)
    volatile: list[Json] = field(default_factory=list)
    others: list[Json] = field(default_factory=list)

    async def receive(self) -> Json:
        """The next frame of any kind, filed."""
        frame: Json = json.loads(await self.connection.recv())
        if "events" in frame:
            assert frame["prev"] == self.token, "the chain of tokens is broken"
            self.events += frame["events"]
            self.token = frame["token"]
        elif "volatile" in frame:
            self.volatile += frame["volatile"]
        else:
            self.others.append(frame)
        return frame

    async def until(self, is_so: Callable[[Screen], Any]) -> None:
        """Reads on until it is so."""
        async with asyncio.timeout(PATIENCE_S):
            while not is_so(self):
                await self.receive()

    async def until_text(self, text: str) -> Json:
        """Reads on until a line with this text has come; the event that told it."""
        await self.until(lambda screen: text in screen.texts)
        return next(event for event in self.events if event["kind"] == "entry.added" and event["entry"]["text"] == text)

    async def until_kind(self, kind: str) -> Json:
        await self.until(lambda screen: kind in screen.kinds)
        return next(event for event in self.events if event["kind"] == kind)

    async def until_other(self, name: str) -> Any:
        """Reads on until a frame `{name: …}` has come (resync, tick, watching); its value."""
        await self.until(lambda screen: any(name in frame for frame in screen.others))
        return next(frame[name] for frame in self.others if name in frame)

    async def send(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    @property
    def texts(self) -> list[str]:
        return [event["entry"]["text"] for event in self.events if event["kind"] == "entry.added"]

    @property
    def happenings(self) -> list[str]:
        return [event["entry"]["happening"] for event in self.events if event["kind"] == "entry.added"]

    @property
    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.events]


@dataclass
class Widget:
    """A visitor's chat window: what came, in its order, by type."""

    connection: ClientConnection
    messages: list[Json] = field(default_factory=list)

    async def until(self, **wanted: Any) -> Json:
        """Reads on until a message has come that holds all this; a message is found once."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for index, message in enumerate(self.messages):
                    if all(message.get(name) == value for name, value in wanted.items()):
                        return self.messages.pop(index)
                self.messages.append(json.loads(await self.connection.recv()))

    async def send(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def settle(self) -> list[Json]:
        """All that came up to now: whatever the hub had to say before it answers a ping."""
        await self.send(type="ping")
        await self.until(type="pong")
        return self.messages


@dataclass
class House:
    hub: Hub
    url: str
    client: httpx2.AsyncClient
    queue_id: int = 0

    @property
    def socket_url(self) -> str:
        return self.url.replace("http", "ws", 1)

    async def empty(self) -> House:
        """As it was when it was new: everybody and everything gone, but for the stream, which only grows. Tests of one
        module share a running hub that way; starting one takes a quarter of a second."""

        def wipe(tx: Tx) -> None:
            for table in reversed(tables.metadata.sorted_tables):
                if table not in (tables.event, tables.stream, tables.organisation, tables.projection):
                    tx.execute(table.delete())

        # The hub goes on working meanwhile: what it wrote of a row behind the wiping's back keeps that row, on PostgreSQL.
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    await self.hub.database.transaction(wipe)
                    break
                except IntegrityError:
                    continue
        sockets = self.hub.chat_sockets
        for throttle in vars(sockets).values():
            if isinstance(throttle, Throttle):
                throttle._times.clear()
        await _furnish(self)
        return self

    # --- who and where

    async def person(
        self, name: str = "", role: Role = Role.AGENT, queue_ids: Collection[int] | None = None, capacity: int = 100
    ) -> Person:
        """A new account with a session; in the house's first queue unless told otherwise."""
        name = name or f"Agent {next(_numbers)}"
        wanted = [self.queue_id] if queue_ids is None else queue_ids

        def make(tx: Tx) -> Person:
            user = accounts.create_user(
                tx,
                email=f"{name.lower().replace(' ', '.')}-{next(_numbers)}@hub.test",
                name=name,
                role=role,
                password_hash="",
                queue_ids=wanted,
                capacity=capacity,
            )
            opened = accounts.open_session(tx, user.id, (), 3600)
            return Person(user.id, name, opened.token, opened.csrf_token)

        return await self.hub.database.transaction(make)

    def api(self, person: Person | None) -> Api:
        return Api(self.client, person)

    async def queue(self, name: str) -> int:
        view = await self.hub.database.transaction(lambda tx: queues.create_queue(tx, name=name))
        return view.id

    async def channel(
        self, channel_id: str, kind: ChannelKind = ChannelKind.LOOPBACK, queue_id: int | None = None, **settings: str
    ) -> str:
        secrets = {
            ChannelKind.LOOPBACK: {"signing_key": SIGNING_KEY},
            ChannelKind.SMS: {"auth_token": AUTH_TOKEN},
            ChannelKind.CHAT: {},
            ChannelKind.EMAIL: {"webhook_key": SIGNING_KEY},
        }[kind]
        if kind is ChannelKind.EMAIL:
            # Nobody listens there: what is sent waits.
            relay = {"smtp_host": "127.0.0.1", "smtp_port": "9", "smtp_security": "none"}
            settings = {"address": MAIL_ADDRESS} | relay | settings
        if kind is ChannelKind.SMS:
            settings = {"account_sid": ACCOUNT_SID, "from_number": NUMBER, "api_base": "http://127.0.0.1:9"} | settings
        create = functools.partial(
            channels.create_channel,
            vault=self.hub.vault,
            channel_id=channel_id,
            kind=kind,
            name=channel_id,
            queue_id=queue_id or self.queue_id,
            settings=settings,
            secrets=secrets,
            default_region="AM",
        )
        await self.hub.database.transaction(create)
        return channel_id

    # --- providers

    async def post_loopback(
        self,
        told: Any,
        *,
        kind: str = "message",
        channel_id: str = "loop",
        key: str = SIGNING_KEY,
        body: bytes | None = None,
    ) -> httpx2.Response:
        content = json.dumps(told).encode() if body is None else body
        headers = {"content-type": "application/json", loopback.SIGNATURE_HEADER: loopback.sign(content, key)}
        return await self.client.post(f"/webhooks/{channel_id}/{kind}", content=content, headers=headers)

    async def write(
        self, text: str, *, sender: str = "ani", message_id: str | None = None, channel_id: str = "loop"
    ) -> httpx2.Response:
        """A customer writes; the answer is the hub's 2xx, given after the commit."""
        told = {"id": message_id or f"m{next(_numbers)}", "from": sender, "text": text}
        answer = await self.post_loopback(told, channel_id=channel_id)
        assert answer.status_code == 200, answer.text
        return answer

    async def post_mail(self, raw: bytes, *, channel_id: str = "mail", key: str = SIGNING_KEY) -> httpx2.Response:
        """A mail provider hands over a raw message."""
        headers = {"content-type": "message/rfc822", "authorization": f"Bearer {key}"}
        return await self.client.post(f"/webhooks/{channel_id}/mime", content=raw, headers=headers)

    async def post_twilio(
        self,
        form: Iterable[tuple[str, str]],
        *,
        kind: str = "message",
        channel_id: str = "sms",
        token: str = AUTH_TOKEN,
    ) -> httpx2.Response:
        pairs = list(form)
        path = f"/webhooks/{channel_id}/{kind}"
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "x-twilio-signature": twilio.signature(self.hub.settings.public_url + path, pairs, token),
        }
        return await self.client.post(path, content=urlencode(pairs).encode(), headers=headers)

    # --- sockets

    async def snapshot(self, person: Person) -> Json:
        answer = await self.api(person).get("/snapshot")
        assert answer.status_code == 200, answer.text
        taken: Json = answer.json()
        return taken

    @contextlib.asynccontextmanager
    async def connect(
        self,
        path: str,
        *,
        cookie: str | None = None,
        origin: str | None = "own",
        headers: Mapping[str, str] = {},
        **more: Any,
    ) -> AsyncIterator[ClientConnection]:
        sent = {**({"Cookie": cookie} if cookie else {}), **headers}
        # `origin` is one of the library's own types; a header is a header.
        if origin is not None:
            sent["Origin"] = self.url if origin == "own" else origin
        async with websockets.connect(
            self.socket_url + path, additional_headers=sent, compression=None, proxy=None, **more
        ) as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def screen(
        self, person: Person, *, since: str | None = None, customer_id: int | None = None, **more: Any
    ) -> AsyncIterator[Screen]:
        """A console: takes a snapshot unless it holds a token, opens the socket and reads its first frame."""
        token = since if since is not None else (await self.snapshot(person))["token"]
        query = {"since": token} | ({"customer": str(customer_id)} if customer_id is not None else {})
        async with self.connect(f"/live?{urlencode(query)}", cookie=person.cookie, **more) as connection:
            screen = Screen(connection, token)
            # The frame that brings it to the present (it may be empty) or a resync says that it is served from now on.
            async with asyncio.timeout(PATIENCE_S):
                while not {"events", "resync"} & (await screen.receive()).keys():
                    pass
            yield screen

    @contextlib.asynccontextmanager
    async def widget(
        self, cookie: str, *, channel_id: str = "chat", since: int = 0, **more: Any
    ) -> AsyncIterator[Widget]:
        async with self.connect(f"/chat/{channel_id}?since={since}", cookie=cookie, **more) as connection:
            yield Widget(connection)

    async def visit(self, channel_id: str = "chat", cookie: str = "") -> str:
        """A visitor's cookie, new or the same for longer."""
        headers = {"origin": self.url} | ({"cookie": cookie} if cookie else {})
        answer = await self.client.post(f"/chat/{channel_id}/visit", headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.headers["set-cookie"].partition(";")[0]


def make_client(url: str) -> httpx2.AsyncClient:
    """Keeps no cookies: one client speaks for many people, and each says their own."""
    jar = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    # No certificates: loading the machine's costs a tenth of a second, and there is no TLS here.
    return httpx2.AsyncClient(base_url=url, timeout=PATIENCE_S, verify=False, cookies=jar)


def make_settings(database_url: str, folder: Path, port: int, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "data_dir": folder,
        "database_url": database_url,
        "public_url": f"http://127.0.0.1:{port}",
        "secret_key": SECRET_KEY,
        "log_level": "warning",
    }
    return Settings(**(values | changes))


@contextlib.contextmanager
def _surviving_dead_loops(hub: Hub) -> Iterator[None]:
    """A loop that dies takes its process down by SIGTERM: here it must fail the test and not end the test run. Anybody
    else's SIGTERM means the run."""
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if heard and not hub.has_failed:
            signal.raise_signal(signal.SIGTERM)


@contextlib.asynccontextmanager
async def run_hub(
    database_url: str, folder: Path, *, send_buffer_bytes: int | None = None, **settings: Any
) -> AsyncIterator[House]:
    """The hub behind a port, as `hub serve` runs it, with a queue and a loopback channel `loop` if the database is new.
    `settings` change those of the hub. It is ready when this is entered."""
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:
        if send_buffer_bytes is not None:
            # Accepted sockets inherit it; the kernel's own choice would take megabytes for a client that never reads.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
        port = listener.getsockname()[1]
        hub = Hub(make_settings(database_url, folder, port, **settings))
        stack.enter_context(_surviving_dead_loops(hub))
        server = uvicorn.Server(uvicorn.Config(make_app(hub), **server_options("127.0.0.1", port, hub.settings)))
        serving = asyncio.create_task(server.serve(sockets=[listener]), name=f"hub on {port}")
        try:
            async with make_client(hub.settings.public_url) as client:
                # The port listens already, so the question waits until the hub is up (or has failed to come up).
                asking = asyncio.create_task(client.get("/readyz"))
                await asyncio.wait({serving, asking}, return_when=asyncio.FIRST_COMPLETED)
                assert not serving.done(), "the hub did not start"
                assert (await asking).status_code == 200
                house = House(hub, hub.settings.public_url, client)
                await _furnish(house)
                yield house
        finally:
            server.should_exit = True
            await serving
        assert not hub.has_failed, "a loop of the hub died"


async def _furnish(house: House) -> None:
    found = await house.hub.database.read(queues.load_queue_views)
    if found:
        house.queue_id = found[0].id
        return
    house.queue_id = await house.queue("Support")
    await house.channel("loop")


# --- a process of its own -----------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def hub_process(house: House) -> AsyncIterator[tuple[asyncio.subprocess.Process, House]]:
    """A second process of the same hub, `hub serve` on the database of `house` (PostgreSQL); to be killed or not."""
    port = find_free_port()
    settings = house.hub.settings
    environment = {
        **os.environ,
        "HUB_DATA_DIR": str(settings.data_dir),
        "HUB_DATABASE_URL": settings.database_url,
        "HUB_SECRET_KEY": settings.secret_key,
        "HUB_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "HUB_LOG_LEVEL": "error",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub", "serve", "--port", str(port), env=environment, stdin=asyncio.subprocess.DEVNULL
    )
    try:
        url = f"http://127.0.0.1:{port}"
        async with make_client(url) as client:
            await _wait_until_it_answers(process, client)
            yield process, House(house.hub, url, client, house.queue_id)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _wait_until_it_answers(process: asyncio.subprocess.Process, client: httpx2.AsyncClient) -> None:
    """Another process has no event of ours to wait for: it is asked until it answers."""
    async with asyncio.timeout(3 * PATIENCE_S):
        while True:
            assert process.returncode is None, "hub serve ended"
            with contextlib.suppress(httpx2.TransportError):
                if (await client.get("/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.05)


# --- a database that can be away ----------------------------------------------------------------------------------------


@dataclass
class Line:
    """A TCP line to a server that can be cut and mended: cut, every connection through it breaks and none is made."""

    target_port: int
    port: int = 0
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _pumps: set[asyncio.Task[None]] = field(default_factory=set)

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        if self._pumps:
            await asyncio.wait(self._pumps)
        await self._server.wait_closed()
        self._server = None

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.transport.abort()
            return
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            self._writers.add(sink)
            pump = asyncio.create_task(self._pump(source, sink))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        self._writers.discard(sink)
        sink.close()
        with contextlib.suppress(OSError):
            await sink.wait_closed()


@contextlib.asynccontextmanager
async def line_to(url: str) -> AsyncIterator[tuple[Line, str]]:
    """(the line, the URL of the same database through it)."""
    head, _, rest = url.rpartition("@")
    host, _, database = rest.partition("/")
    line = Line(int(host.rpartition(":")[2]))
    await line.mend()
    try:
        yield line, f"{head}@127.0.0.1:{line.port}/{database}"
    finally:
        if line._server is not None:
            await line.cut()
