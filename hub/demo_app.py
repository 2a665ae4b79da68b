"""`hub demo`: the hub of `hub serve` with a company in it, and beside it a carrier that speaks Twilio, a post office that
speaks SMTP, pages to be the customer, and robots. Everything listens on one address, but for mail, which has free ports of
this machine; the carrier, the post office and the robots reach the hub over real HTTP and SMTP like anybody else.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

import click
import uvicorn
import uvloop

from hub import app as hub_app
from hub.app import Hub
from hub.demo import seed
from hub.demo.house import DemoHouse
from hub.errors import Misconfigured
from hub.logs import set_up_logging
from hub.media_child import media_beside
from hub.settings import Settings, load_settings
from hub.store.migrate import migrate

DEFAULT_DATA_DIR = Path("data") / "demo"
# The hub's door for mail: a free port, which the post office is told.
DEFAULT_SMTP_LISTEN = "127.0.0.1:0"
# Marks a directory as a demo's, which the next demo may empty.
_MARK = ".hub-demo"


def run_demo(host: str, port: int, *, quiet: bool, keep: bool) -> None:
    """Runs until stopped; exits with 1 when a loop died. A fresh company each time, unless `keep`; `quiet`: no robots."""
    os.environ.setdefault("HUB_DATA_DIR", str(DEFAULT_DATA_DIR))
    os.environ.setdefault("HUB_LOG_LEVEL", "warning")
    if not os.environ.get("HUB_SMTP_LISTEN"):
        os.environ["HUB_SMTP_LISTEN"] = DEFAULT_SMTP_LISTEN
    prepare_directory(Path(os.environ["HUB_DATA_DIR"]).absolute(), keep=keep)
    settings = load_settings(port=port)
    set_up_logging(settings.log_level, as_json=settings.log_json)
    sys.setswitchinterval(hub_app.SWITCH_INTERVAL_S)
    with media_beside(settings) as settings, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        has_failed = runner.run(_serve(settings, host, port, quiet=quiet))
    if has_failed:
        raise SystemExit(1)


def prepare_directory(directory: Path, *, keep: bool) -> None:
    """Empties the directory of an earlier demo. Misconfigured for one that holds what no demo has made."""
    is_ours = (directory / _MARK).exists()
    if not is_ours and directory.is_dir() and any(directory.iterdir()):
        raise Misconfigured(
            f"{directory} is not a demo's directory and not empty: set HUB_DATA_DIR to another one",
            fields={"HUB_DATA_DIR": "is not a demo's"},
        )
    if is_ours and not keep:
        shutil.rmtree(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / _MARK).touch()


async def _serve(settings: Settings, host: str, port: int, *, quiet: bool) -> bool:
    """True if something died that must not."""
    await migrate(settings.database_url)
    hub = Hub(settings)
    house = DemoHouse(hub_url=f"http://127.0.0.1:{port}", data_dir=settings.data_dir, quiet=quiet)
    await house.seed(hub.database, hub.vault, hub.files, seed.wanted_history_days())
    app = hub_app.make_app(hub, extra_routes=house.routes)
    server = uvicorn.Server(uvicorn.Config(app, **hub_app.server_options(host, port, settings)))
    serving = asyncio.create_task(server.serve(), name="server")
    while not server.started and not serving.done():  # noqa: ASYNC110 (uvicorn tells it by this flag alone)
        await asyncio.sleep(0.02)
    if serving.done():
        serving.result()
        return True
    listening = asyncio.create_task(hub.mail_listener.listening.wait(), name="mail listener")
    await asyncio.wait((serving, listening), return_when=asyncio.FIRST_COMPLETED)
    if not listening.done():
        listening.cancel()
        return True
    house.hub_takes_mail_at(hub.mail_listener.smtp_port)
    _introduce(settings, smtp_port=hub.mail_listener.smtp_port, is_quiet=quiet)
    living = asyncio.create_task(house.run(), name="demo house")

    def stop(task: asyncio.Task[None]) -> None:
        server.should_exit = True

    living.add_done_callback(stop)
    try:
        await serving
    finally:
        has_died = living.done() and not living.cancelled() and living.exception() is not None
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)
    return has_died or hub.has_failed


def _introduce(settings: Settings, *, smtp_port: int | None, is_quiet: bool) -> None:
    url = settings.public_url
    click.echo(f"\n  The hub's demo is running: {url}/\n")
    for login in seed.logins():
        click.echo(f"    {login.role:<15} {login.email}")
    click.echo(f"    {'password of all':<15} {seed.password()}\n")
    click.echo(f"    be a customer   {url}/demo       (a handset, +1 500 555 0006)")
    click.echo(f"                    {url}/demo/mail  (a mail box, writes to {seed.MAIL_ADDRESS})")
    click.echo(f"                    {url}/demo/shop  (a web shop with the chat)")
    click.echo(f"                    {url}/demo/call  (call from the browser)")
    click.echo(f"    mail comes in   127.0.0.1:{smtp_port}  (SMTP, for {seed.MAIL_ADDRESS})")
    click.echo(f"    the API         {url}/api/docs")
    click.echo(
        f"    robots          {'none (--quiet)' if is_quiet else 'three agents and some customers, light traffic'}"
    )
    click.echo(f"    data            {settings.data_dir}\n\n  Stop with Ctrl-C.\n")
