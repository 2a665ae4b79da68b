"""The composition root: what is made of what, in which order it starts, and what happens when a part dies.

    Settings → Database, Vault, Files → Wakes, Notices, Tail → Intake, Adapters → loops → web

All loops of a process run in one group: tail (stream), notices, dispatcher, lines, test calls, recordings, escalations,
clocks, sender, media, mailboxes, planned messages, surveys, tasks, projector, queue lengths, search, imports, erasures,
moments, forecasts, reports, limits, tellings, webhooks (two), live, chats' visitors, housekeeping, and the listener for mail
where one is set up.
Each of them waits through a database that is away. One that ends in any other way takes the process down, loudly: a hub
that answers but routes nothing would be worse than one that is restarted.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from prometheus_client.process_collector import ProcessCollector
from sqlalchemy import delete, func, select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from hub.agents import access_links, accounts, audit, presence, retention
from hub.agents import alerts as people_alerts
from hub.agents.link_mails import Forgotten
from hub.agents.retention import Kept
from hub.calls import recordings as call_recordings
from hub.calls.line_tests import LineTests
from hub.calls.lines import Lines
from hub.calls.recording_fetcher import RecordingFetcher
from hub.customer_files import imports
from hub.customer_files.running import Importer
from hub.errors import DatabaseAway, Misconfigured
from hub.kpi.facts import Projector
from hub.kpi.moment_snapshots import MomentKeeper
from hub.kpi.queue_lengths import LengthTeller
from hub.kpi.tellings import Teller, Watch
from hub.logs import set_up_logging
from hub.media_child import media_beside
from hub.privacy.erasing import Eraser
from hub.reports.runs import ReportSender
from hub.routing.dispatcher import Dispatcher
from hub.routing.estimates import Estimator, forget_estimates
from hub.routing.ladder import Escalations
from hub.settings import Settings, load_settings
from hub.staffing.forecasts import Forecaster
from hub.store import stream, tables
from hub.store.database import Database, Tx, open_database
from hub.store.files import Files
from hub.store.idempotency import forget_keys
from hub.store.notices import Notices
from hub.store.recordings import Recordings
from hub.store.stream import Tail, Wakes
from hub.store.vault import Vault
from hub.surveys.asking import Surveys
from hub.timeline import mailbox, outbox
from hub.timeline.adapters import Adapters
from hub.timeline.fetching import MailFetcher
from hub.timeline.inbound import Intake
from hub.timeline.mailroom import Mailroom
from hub.timeline.media import MediaFetcher
from hub.timeline.reminders import Reminders
from hub.timeline.search_index import Indexer
from hub.timeline.sending import Sender
from hub.web import access_links as access_link_pages
from hub.web import (
    activities,
    agents,
    alert_rules,
    alerts,
    api_keys,
    attachments,
    board,
    bulk,
    calendars,
    callbacks,
    calls,
    canned_replies,
    channels,
    chat_offline,
    chat_socket,
    chat_widgets,
    conversation_merges,
    conversations,
    custom_fields,
    customer_files,
    customers,
    data_requests,
    escalation,
    flows,
    line_sounds,
    mail_sign_in,
    mails,
    measures,
    merges,
    offers,
    openapi,
    organisation,
    queues,
    recordings,
    report_schedules,
    reports,
    roles,
    routing,
    rules,
    saved_views,
    search,
    session,
    shifts,
    skills,
    snapshot,
    staffing,
    static,
    survey_page,
    surveys,
    tasks,
    teams,
    topics,
    transcripts,
    users,
    webhook_endpoints,
    webhooks,
    writing,
)
from hub.web import audit as audit_pages
from hub.web import set_up as set_up_pages
from hub.web.api import EXCEPTION_HANDLERS, Endpoint, api_routes, endpoints_of
from hub.web.call_socket import CallSockets
from hub.web.chat_socket import ChatSockets
from hub.web.live import Live
from hub.web.report_turns import ReportTurns
from hub.web.security import SecureAnswers
from hub.web.smtp_listener import MailListener
from hub.web.socket_protocol import PushProtocol
from hub.web.visitor_windows import VisitorWindows
from hub.webhooks import deliveries
from hub.webhooks.sending import WebhookPlanner, WebhookSender
from hub.writing import drafts, uploads
from hub.writing.planned import PlannedMessages

log = logging.getLogger(__name__)

_HOUSEKEEPING_EVERY_S = 3600.0
# A console that slept for weeks sends what it could not send with the same key; files never sent are abandoned drafts.
_KEY_RETENTION = timedelta(days=30)
_UPLOAD_RETENTION = timedelta(days=1)
# Files without a row are looked for among those of the last days; a hub that was down for longer leaves a few behind.
_ORPHANS_SINCE = timedelta(days=8)
_ORPHANS_STEP = 500
# Anybody may ask for /metrics: the counts behind it are read this seldom.
_GAUGES_FOR_S = 5.0
# How long open requests are let finish at a stop.
_SHUTDOWN_S = 5
# Python's default of 5 ms would be felt: the writer thread and the event loop hand the interpreter to each other.
SWITCH_INTERVAL_S = 0.0005

ENDPOINTS: list[Endpoint] = endpoints_of(
    session,
    snapshot,
    conversation_merges,
    conversations,
    offers,
    routing,
    callbacks,
    calls,
    recordings,
    flows,
    agents,
    customers,
    customer_files,
    data_requests,
    merges,
    activities,
    bulk,
    attachments,
    mails,
    users,
    roles,
    queues,
    skills,
    calendars,
    rules,
    channels,
    chat_widgets,
    mail_sign_in,
    api_keys,
    topics,
    custom_fields,
    escalation,
    alerts,
    measures,
    board,
    staffing,
    shifts,
    reports,
    report_schedules,
    teams,
    alert_rules,
    surveys,
    audit_pages,
    access_link_pages,
    set_up_pages,
    organisation,
    canned_replies,
    webhook_endpoints,
    search,
    saved_views,
    tasks,
    transcripts,
    writing,
)


class Hub:
    """One process of the hub. `start` brings it up, `stop` down; both are called by the web server's lifespan."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.process = f"{os.getpid()}-{secrets.token_hex(4)}"
        self.database: Database = open_database(settings.database_url)
        self.vault = Vault(settings.secret_key)
        self.files = Files(settings.files_dir)
        self.recordings = Recordings(self.files, settings.recordings_url, settings.s3_endpoint)
        self.wakes = Wakes()
        self.notices = Notices(self.database)
        self.tail = Tail(self.database, self.wakes)
        self.intake = Intake(self.database, self.files)
        self.channels = Adapters(self.database, self.vault, settings.public_url, settings.line_url)
        self.sender = Sender(
            self.database,
            self.wakes,
            self.channels,
            self.vault,
            self.files,
            public_url=settings.public_url,
            process=self.process,
        )
        self.media = MediaFetcher(self.database, self.wakes, self.channels, self.files)
        self.mailroom = Mailroom(self.database, self.channels, self.intake)
        self.mail_fetcher = MailFetcher(
            self.database,
            self.wakes,
            self.channels,
            self.mailroom,
            process=self.process,
            mail_limit_bytes=settings.mail_limit_bytes,
        )
        self.mail_listener = MailListener(
            self.mailroom,
            smtp=settings.smtp_listen,
            lmtp=settings.lmtp_listen,
            hostname=urlsplit(settings.public_url).hostname or "localhost",
            limit_bytes=settings.mail_limit_bytes,
            tls_cert=settings.smtp_tls_cert,
            tls_key=settings.smtp_tls_key,
            # Several processes share a port; of SQLite's one process a second copy must fail, and loudly.
            reuse_port=not settings.is_sqlite,
        )
        self.dispatcher = Dispatcher(self.database, self.wakes, presence_grace_s=settings.presence_grace_s)
        self.lines = Lines(self.database, self.wakes, self.channels, self.vault, public_url=settings.public_url)
        self.line_tests = LineTests(self.database, self.wakes, self.channels)
        self.recording_fetcher = RecordingFetcher(self.database, self.wakes, self.channels, self.recordings)
        self.escalations = Escalations(self.database, self.wakes)
        self.estimator = Estimator(self.database, self.wakes)
        self.surveys = Surveys(self.database, self.wakes)
        self.reminders = Reminders(self.database, self.wakes)
        self.planned_messages = PlannedMessages(self.database, self.wakes)
        self.projector = Projector(self.database, self.wakes)
        self.length_teller = LengthTeller(self.database, self.wakes)
        self.indexer = Indexer(self.database, self.wakes)
        self.importer = Importer(self.database, self.wakes, self.files, process=self.process)
        self.eraser = Eraser(self.database, self.wakes, self.files, self.recordings)
        self.moment_keeper = MomentKeeper(self.database)
        self.teller = Teller(self.database, self.channels, self.vault, may_be_private=settings.private_webhooks)
        self.watch = Watch(self.database, self.wakes, self.teller)
        self.webhook_planner = WebhookPlanner(self.database, self.wakes)
        self.webhook_sender = WebhookSender(
            self.database,
            self.wakes,
            self.channels,
            self.vault,
            public_url=settings.public_url,
            may_be_private=settings.private_webhooks,
        )
        self.report_sender = ReportSender(self.database, self.wakes, self.channels, self.settings.public_url)
        self.forgotten = Forgotten(self.database, self.channels, settings.public_url)
        self.forecaster = Forecaster(self.database)
        self.live = Live(self.database, self.tail, self.notices, process=self.process)
        self.report_turns = ReportTurns()
        self.visitor_windows = VisitorWindows(
            self.database, self.wakes, process=self.process, grace_s=settings.visitor_grace_s
        )
        self.chat_sockets = ChatSockets(self.visitor_windows)
        self.call_sockets = CallSockets()
        self.live.hub = self
        self.chat_sockets.hub = self
        self.call_sockets.hub = self
        self.tail.follow(self.chat_sockets.follow)
        self.tail.follow(self.call_sockets.follow)
        self.tail.follow(self.channels.follow)
        self.tail.follow(self.mailroom.follow)
        self.tail.follow(self.mail_fetcher.follow)
        self.tail.follow(self.projector.follow)
        self.tail.follow(self.length_teller.follow)
        self.tail.follow(self.webhook_planner.follow)
        self.tail.follow(self.indexer.follow)
        self.notices.listen(self.chat_sockets.volatile)
        self._tasks: list[asyncio.Task[None]] = []
        self.is_ready = False
        self._gauges: dict[str, float] = {}
        self._gauges_at = float("-inf")

    def _loops(self) -> dict[str, Coroutine[Any, Any, None]]:
        return {
            "tail": self.tail.run(),
            "notices": self.notices.run(),
            "dispatcher": self.dispatcher.run(),
            "lines": self.lines.run(),
            "test calls": self.line_tests.run(),
            "recordings": self.recording_fetcher.run(),
            "escalations": self.escalations.run(),
            "clocks": self.escalations.keep_up(),
            "estimator": self.estimator.run(),
            "sender": self.sender.run(),
            "media": self.media.run(),
            "mailboxes": self.mail_fetcher.run(),
            "surveys": self.surveys.run(),
            "tasks": self.reminders.run(),
            "planned messages": self.planned_messages.run(),
            "projector": self.projector.run(),
            "queue lengths": self.length_teller.run(),
            "search": self.indexer.run(),
            "imports": self.importer.run(),
            "erasures": self.eraser.run(),
            "moments": self.moment_keeper.run(),
            "reports": self.report_sender.run(),
            "limits": self.watch.look(),
            "tellings": self.watch.tell(),
            "forgotten passwords": self.forgotten.run(),
            "forecasts": self.forecaster.run(),
            "webhook plan": self.webhook_planner.run(),
            "webhooks": self.webhook_sender.run(),
            "live": self.live.run(),
            "places": self.chat_sockets.run(),
            "visitors": self.visitor_windows.run(),
            "calling pages": self.call_sockets.run(),
            "housekeeping": self._keep_house(),
            **({"smtp listener": self.mail_listener.run()} if self.mail_listener.is_wanted else {}),
        }

    async def start(self) -> None:
        await self.tail.start()
        if self.settings.is_sqlite:
            await self.database.transaction(outbox.end_leases)
            await self.database.transaction(mailbox.end_leases)
            await self.database.transaction(deliveries.end_leases)
            await self.database.transaction(imports.end_leases)
            await self.database.transaction(presence.forget_all)
        for name, loop in self._loops().items():
            task = asyncio.create_task(loop, name=name)
            # The notices loop ends at once on SQLite, where there is nothing to hear.
            task.add_done_callback(self._ended)
            self._tasks.append(task)
        self.is_ready = True

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (task.exception() is None and task.get_name() == "notices"):
            return
        log.critical("loop.died", exc_info=task.exception(), extra={"loop": task.get_name()})
        self.is_ready = False
        self.has_failed = True
        os.kill(os.getpid(), signal.SIGTERM)

    has_failed = False

    async def stop(self) -> None:
        self.is_ready = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.channels.close()
        await self.database.close()

    async def load_gauges(self) -> dict[str, float]:
        """Counts for /metrics, read at most every few seconds however often they are asked for; empty without database."""
        now = time.monotonic()
        if now - self._gauges_at > _GAUGES_FOR_S:
            self._gauges_at = now
            try:
                self._gauges = await self.database.read(_load_gauges)
            except DatabaseAway:
                self._gauges = {}
        return dict(self._gauges)

    async def _find_orphans(self) -> list[str]:
        """Files of units of work that never committed. A day old, so that nobody is about to name them any more."""
        now = self.database.clock()
        written = self.files.written_between(now - _ORPHANS_SINCE, now - _UPLOAD_RETENTION)
        orphans: list[str] = []
        while keys := await asyncio.to_thread(list, itertools.islice(written, _ORPHANS_STEP)):
            orphans += await self.database.read(_without_row, keys)
        return orphans

    async def _keep_house(self) -> None:
        while True:
            try:
                spans = await self.database.read(retention.load_spans, self.settings)
                before = self.database.clock() - spans[Kept.EVENTS]
                while await self.database.transaction(stream.prune, before):
                    pass  # in bounded steps: nobody waits long for the writer
                before = self.database.clock() - spans[Kept.AUDIT]
                while await self.database.transaction(audit.sweep, before):
                    pass
                while expired := await self.database.read(call_recordings.find_expired):
                    await self.database.transaction(call_recordings.expire, expired)
                while await self.database.transaction(drafts.sweep):
                    pass
                while await self.database.transaction(deliveries.prune, spans[Kept.WEBHOOKS]):
                    pass
                keys = await self.database.transaction(_prune, self.settings)
                for import_id, key in await self.database.read(imports.find_outdated):
                    while await self.database.transaction(imports.forget_lines, import_id):
                        pass
                    if await self.database.transaction(imports.forget, import_id):
                        keys.append(key)
                keys += await self._find_orphans()
                for key in keys:
                    await asyncio.to_thread(self.files.delete, key)
            except DatabaseAway:
                pass  # the next round does it
            await asyncio.sleep(_HOUSEKEEPING_EVERY_S)


def _without_row(tx: Tx, keys: list[str]) -> list[str]:
    """Those of the files that nothing in the database names."""
    named: set[str] = set()
    for column in (
        tables.attachment.c.file_key,
        tables.mail.c.raw_key,
        tables.sound.c.file_key,
        tables.recording.c.file_key,
        tables.customer_import.c.file_key,
    ):
        named.update(row[0] for row in tx.rows(select(column).where(column.in_(keys))))
    return [key for key in keys if key not in named]


def _prune(tx: Tx, settings: Settings) -> list[str]:
    """Deletes what has served its time; returns the keys of files to delete after the commit."""
    arrived = tables.arrival.c.received_at
    arrivals_for = retention.load_spans(tx, settings)[Kept.ARRIVALS]
    tx.execute(delete(tables.arrival).where(arrived < tx.now - arrivals_for))
    forget_keys(tx, tx.now - _KEY_RETENTION)
    accounts.forget_expired(tx, settings.session_idle_s)
    access_links.forget_old(tx)
    forget_estimates(tx)
    people_alerts.forget(tx, tx.now - people_alerts.KEPT)
    return _sweep_uploads(tx)


def _sweep_uploads(tx: Tx) -> list[str]:
    """Deletes uploads that nobody sent and nobody means to send; the keys of files that no row names any more."""
    a = tables.attachment.c
    unsent = tx.rows(select(a.id).where(a.entry_id.is_(None), a.created_at < tx.now - _UPLOAD_RETENTION))
    abandoned = sorted({row.id for row in unsent} - uploads.load_needed(tx))
    keys: list[str] = []
    for start in range(0, len(abandoned), _ORPHANS_STEP):
        ids = abandoned[start : start + _ORPHANS_STEP]
        # One that somebody is sending at this very moment is an entry's by the time its row can be deleted.
        unsent_still = (a.id.in_(ids), a.entry_id.is_(None))
        gone = tx.execute(delete(tables.attachment).where(*unsent_still).returning(a.file_key))
        keys += [row.file_key for row in gone if row.file_key]
    # A file that a colleague took over with a draft has two rows.
    return _without_row(tx, keys)


# --- health -------------------------------------------------------------------------------------------------------------


async def _healthz(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _readyz(request: Request) -> Response:
    hub: Hub = request.app.state.hub
    try:
        async with asyncio.timeout(3):
            await hub.database.read(stream.load_token)
    except (DatabaseAway, TimeoutError):
        return JSONResponse({"ready": False, "reason": "the database does not answer"}, 503)
    if not hub.is_ready:
        return JSONResponse({"ready": False, "reason": "starting or stopping"}, 503)
    return JSONResponse({"ready": True})


def _load_gauges(tx: Tx) -> dict[str, float]:
    c, o, a, ch = tables.conversation.c, tables.outbox.c, tables.agent.c, tables.channel.c
    w = tables.webhook_endpoint.c
    oldest = tx.scalar(select(func.min(c.queued_since)))
    counts = {
        "hub_conversations_waiting": select(func.count()).where(c.queued_since.is_not(None)),
        "hub_outbox_unfinished": select(func.count()).where(o.state.in_(("queued", "leased"))),
        "hub_outbox_parked": select(func.count()).where(o.state == "parked"),
        "hub_agents_available": select(func.count()).where(a.state == "available", a.connected),
        "hub_channels_down": select(func.count()).where(ch.health == "down"),
        "hub_webhooks_failing": select(func.count()).where(w.failing_since.is_not(None) | w.off_reason.is_not(None)),
        "hub_mailboxes_down": select(func.count()).where(ch.inbound_health == "down"),
    }
    gauges = {name: float(tx.scalar(query)) for name, query in counts.items()}
    gauges["hub_longest_wait_seconds"] = (tx.now - oldest).total_seconds() if oldest else 0.0
    gauges["hub_stream_seq"] = float(stream.load_token(tx).seq)
    return gauges


async def _metrics(request: Request) -> Response:
    """Prometheus text. Numbers only: no names, no addresses."""
    hub: Hub = request.app.state.hub
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    gauges = await hub.load_gauges()
    gauges["hub_database_up"] = 1.0 if gauges else 0.0
    gauges["hub_console_sockets"] = float(len(hub.live.screens))
    gauges["hub_chat_sockets"] = float(hub.chat_sockets.count)
    for name, value in gauges.items():
        Gauge(name, name.removeprefix("hub_").replace("_", " "), registry=registry).set(value)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


# --- the app ------------------------------------------------------------------------------------------------------------

# Routes that are no endpoints, each with the reason why it asks for no session. A test holds the app to this table.
PUBLIC_ROUTES: dict[str, str] = {
    "/healthz": "an orchestrator's question; says nothing but ok",
    "/readyz": "an orchestrator's question; says ready or not",
    "/metrics": "counts only; keep it inside by the proxy (docs/operations.md)",
    "/webhooks/{channel_id}/{kind}": "providers have no session; each request's signature is checked",
    "/files/{attachment_id}/{signature}": "a provider fetches an outgoing file, a mail's frame a picture; it is signed",
    "/sounds/{name}/{signature}": "a telephone provider fetches what callers hear; it is signed, and the address ends",
    "/oauth/callback": "a provider sends an administrator back; checks their session and the signed state itself",
    **line_sounds.PUBLIC_ROUTES,
    **survey_page.PUBLIC_ROUTES,
    "/live": "the console socket; checks session and origin itself",
    "/chat/{channel_id}": "the visitor's socket; checks the visitor's token and the origin itself",
    "/chat/{channel_id}/call": "the calling customer's socket; checks the visitor's token and the origin itself",
    "/chat/{channel_id}/visit": "a customer opens the chat; checks the origin",
    "/chat/{channel_id}/offline": "a visitor's message for later; checks the visitor's token and the origin",
    "/chat/{channel_id}/attachments": "a visitor's upload; checks the visitor's token and the origin",
    "/chat/{channel_id}/attachments/{attachment_id}": "a visitor's own file; checks the visitor's token or the file's key",
}


def make_app(hub: Hub, extra_routes: list[BaseRoute] | None = None) -> Any:
    """The ASGI app of one process. `extra_routes` come before the console's catch-all."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await hub.start()
        # What is there now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        # Requests make many short-lived objects and few cycles: looking every 700 of them costs more than it finds.
        gc.set_threshold(50_000, 20, 20)
        try:
            yield
        finally:
            await hub.stop()

    app = Starlette(
        routes=[
            Route("/webhooks/{channel_id}/{kind}", webhooks.receive, methods=["POST"]),
            Route(mail_sign_in.CALLBACK, mail_sign_in.callback, methods=["GET"]),
            WebSocketRoute("/live", hub.live.serve),
            *api_routes(ENDPOINTS),
            *openapi.routes(ENDPOINTS),
            Route("/files/{attachment_id}/{signature}", attachments.public_file, methods=["GET"]),
            *line_sounds.routes(),
            *survey_page.routes(),
            Route("/sounds/{name}/{signature}", flows.public_sound, methods=["GET"]),
            WebSocketRoute("/chat/{channel_id}", hub.chat_sockets.serve),
            WebSocketRoute("/chat/{channel_id}/call", hub.call_sockets.serve),
            Route("/chat/{channel_id}/visit", chat_socket.visit, methods=["POST"]),
            Route("/chat/{channel_id}/visit", chat_socket.preflight, methods=["OPTIONS"]),
            Route("/chat/{channel_id}/offline", chat_offline.leave, methods=["POST"]),
            Route("/chat/{channel_id}/offline", chat_socket.preflight, methods=["OPTIONS"]),
            Route("/chat/{channel_id}/attachments", chat_socket.upload, methods=["POST"]),
            Route("/chat/{channel_id}/attachments", chat_socket.preflight, methods=["OPTIONS"]),
            Route("/chat/{channel_id}/attachments/{attachment_id:int}", chat_socket.download, methods=["GET"]),
            Route("/healthz", _healthz),
            Route("/readyz", _readyz),
            Route("/metrics", _metrics),
            *(extra_routes or []),
            *static.routes(),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=lifespan,
    )
    app.state.hub = hub
    return SecureAnswers(app, hub.settings.public_url)


def create_app() -> Any:
    """The app of a worker process, from the environment (uvicorn's factory)."""
    settings = load_settings()
    set_up_logging(settings.log_level, as_json=settings.log_json)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    return make_app(Hub(settings))


def server_options(host: str, port: int, settings: Settings) -> dict[str, Any]:
    """What uvicorn is told, the same in `serve`, `demo` and the tests. Compression of small frames would halve the
    fan-out, and the default websocket implementation is deprecated there."""
    return {
        "host": host,
        "port": port,
        "loop": "uvloop",
        "http": "httptools",
        "ws": PushProtocol,
        "ws_per_message_deflate": False,
        "ws_max_size": 256 * 1024,
        "ws_ping_interval": 20.0,
        "ws_ping_timeout": 20.0,
        "access_log": False,
        "log_config": None,
        "log_level": settings.log_level,
        "server_header": False,
        "timeout_graceful_shutdown": _SHUTDOWN_S,
        "timeout_keep_alive": 65,
        # Who is trusted to say X-Forwarded-*: the proxy on this machine (docs/operations.md).
        "forwarded_allow_ips": os.environ.get("HUB_TRUSTED_PROXIES", "127.0.0.1"),
    }


def serve(settings: Settings, host: str, port: int, processes: int = 1) -> None:
    """Runs the hub until it is told to stop; exits with 1 when a loop died. The database is migrated before."""
    if processes > 1 and settings.is_sqlite:
        raise Misconfigured(
            "several processes need PostgreSQL: SQLite has one writer", fields={"HUB_DATABASE_URL": "is SQLite"}
        )
    options = server_options(host, port, settings)
    with media_beside(settings) as settings:
        if processes > 1:
            os.environ.setdefault("HUB_PUBLIC_URL", settings.public_url)
            uvicorn.run("hub.app:create_app", factory=True, workers=processes, **options)
            return
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        hub = Hub(settings)
        uvicorn.Server(uvicorn.Config(make_app(hub), **options)).run()
    if hub.has_failed:
        raise SystemExit(1)
