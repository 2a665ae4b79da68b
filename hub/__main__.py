"""The command line: `hub serve | demo | migrate | user | kpi | search | doctor | openapi | bench | backup | restore | …`.

What a command needs is imported when it runs, so that `hub --help` answers at once.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from hub.errors import DatabaseAway, HubError

if TYPE_CHECKING:
    from hub.domain.views import UserView
    from hub.settings import Settings
    from hub.store.database import Database

P = ParamSpec("P")
T = TypeVar("T")

# A database that is started together with the hub needs a moment.
_DATABASE_PATIENCE_S = 60


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="contact-hub", prog_name="hub")
def main() -> None:
    """The hub: every contact of a customer in one timeline.

    Settings come from the environment (HUB_…); `hub doctor` checks them all.
    """


def _told_in_words(command: Callable[P, T]) -> Callable[P, T]:
    """A HubError ends the command with what it says, not with a traceback; Ctrl-C ends it without a word."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except HubError as error:
            click.echo(f"error: {error.message}", err=True)
            raise SystemExit(1) from None
        except KeyboardInterrupt:  # Ctrl-C is how one stops a hub: nothing to complain of
            raise SystemExit(130) from None

    return run


def _settings(port: int = 8080) -> Settings:
    from hub.logs import set_up_logging
    from hub.settings import load_settings

    settings = load_settings(port=port)
    set_up_logging(settings.log_level, as_json=settings.log_json)
    return settings


# --- run --------------------------------------------------------------------------------------------------------------


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535))
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 64), help="More need PostgreSQL.")
@click.option("--reload", is_flag=True, help="Start anew when a source file changes (for developers).")
@_told_in_words
def serve(host: str, port: int, processes: int, reload: bool) -> None:
    """Run the hub. Migrates the database first."""
    settings = _settings(port)
    os.environ.setdefault("HUB_PUBLIC_URL", settings.public_url)
    asyncio.run(_migrate_patiently(settings))
    asyncio.run(_tell_set_up(settings))
    from hub import app

    if reload:
        import uvicorn

        from hub.media_child import media_beside

        options = app.server_options(host, port, settings)
        sources = str(Path(__file__).resolve().parent)
        with media_beside(settings):
            uvicorn.run("hub.app:create_app", factory=True, reload=True, reload_dirs=[sources], **options)
        return
    app.serve(settings, host, port, processes)


async def _tell_set_up(settings: Settings) -> None:
    """While nobody administers the hub: where it is set up, and the code that only whoever started it sees."""
    from hub.agents import set_up
    from hub.store.database import open_database
    from hub.store.vault import Vault

    database = open_database(settings.database_url)
    try:
        code = await database.read(set_up.find_code, Vault(settings.secret_key))
    finally:
        await database.close()
    if code is not None:
        click.echo(
            f"\nNobody administers this hub yet. Open {settings.public_url}/set-up and enter this code:\n\n    {code}\n"
        )


async def _migrate_patiently(settings: Settings) -> bool:
    """Waits for a database that is still starting; DatabaseAway when it does not come."""
    from hub.store.migrate import migrate

    for left_s in range(_DATABASE_PATIENCE_S, 0, -1):
        try:
            return await migrate(settings.database_url)
        except DatabaseAway as error:
            if left_s % 10 == 0:
                click.echo(f"{error.message}; waiting up to {left_s} s more", err=True)
            await asyncio.sleep(1)
    return await migrate(settings.database_url)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535))
@click.option("--quiet", is_flag=True, help="No robots: nobody writes but you.")
@click.option("--keep", is_flag=True, help="Go on with the data of the last demo.")
@_told_in_words
def demo(host: str, port: int, quiet: bool, keep: bool) -> None:
    """Run a complete hub with demo customers, and print where it is and who may sign in."""
    from hub.demo_app import run_demo
    from hub.logs import set_up_logging

    # The terminal shows where to go and who may sign in, not every request.
    set_up_logging(os.environ.setdefault("HUB_LOG_LEVEL", "warning"))
    run_demo(host, port, quiet=quiet, keep=keep)


@main.command()
@click.option("--listen", default="127.0.0.1:8090", show_default=True, help="Where the hub reaches it, host:port.")
@click.option("--with-parent", is_flag=True, hidden=True, help="End when standard input does.")
@_told_in_words
def media(listen: str, with_parent: bool) -> None:
    """Run the media process of the hub's own telephone line (needs the extra `voice`).

    `hub serve` starts one by itself; on a machine of its own, set HUB_MEDIA_URL for the hub and HUB_SECRET_KEY for both.
    """
    from hub.media_child import plan_of, voice_is_installed

    if not voice_is_installed():
        raise click.ClickException("the hub's own line needs more: pip install 'contact-hub[voice]'")
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise click.UsageError("--listen must look like 127.0.0.1:8090")
    from hub.media.process import run

    run(plan_of(_settings(), host, int(port)), with_parent=with_parent)


# --- look after -------------------------------------------------------------------------------------------------------


@main.command()
@_told_in_words
def migrate() -> None:
    """Bring the database to the newest version."""
    from hub.store.migrate import head_revision

    changed = asyncio.run(_migrate_patiently(_settings()))
    click.echo(f"{'migrated to' if changed else 'already at'} {head_revision()}")


@main.command()
@_told_in_words
def doctor() -> None:
    """Check settings, database, keys and clock; say what is wrong. Ends with 1 if something is."""
    from hub.doctor import Level, examine

    findings = asyncio.run(examine())
    width = max(len(finding.about) for finding in findings)
    colours = {Level.OK: "green", Level.NOTE: "yellow", Level.FAULT: "red"}
    for finding in findings:
        level = click.style(f"{finding.level.value:<5}", fg=colours[finding.level])
        click.echo(f"{level}  {finding.about:<{width}}  {finding.words}")
    if any(finding.level is Level.FAULT for finding in findings):
        raise SystemExit(1)


@main.command()
def openapi() -> None:
    """Print the API's description (OpenAPI 3.1)."""
    import json

    from hub import app
    from hub.web.openapi import document

    click.echo(json.dumps(document(app.ENDPOINTS), ensure_ascii=False, indent=2))


@main.command()
@click.argument("name", required=False)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures there, too.")
@click.option("--quick", is_flag=True, help="Measure briefly, for trying out.")
@click.option(
    "--size",
    type=click.IntRange(1_000, 100_000_000),
    help="kpi: how many contacts; search: entries; console: conversations; import: lines.",
)
def bench(name: str | None, json_path: Path | None, quick: bool, size: int | None) -> None:
    """Measure the hub on this machine, against a floor measured in the same run."""
    try:
        import benchmarks
    except ImportError:
        raise click.ClickException("the benchmarks are in the hub's sources, not in the installed package") from None
    try:
        raise SystemExit(benchmarks.main(name, json_path, quick=quick, size=size))
    except ValueError as error:
        raise click.ClickException(str(error)) from None


@main.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--example", is_flag=False, flag_value="call-centre", help="A built-in scenario instead of FILE.")
@click.option("--policy", "policies", multiple=True, help="Only this one of the scenario's policies; may be repeated.")
@click.option("--print", "print_only", is_flag=True, help="Print the example's file, to begin one's own from.")
@click.option("--replications", type=click.IntRange(1, 1000), help="Instead of the scenario's number.")
@click.option("--seed", type=int, help="Instead of the scenario's seed.")
@click.option("--svg", "svg_path", type=click.Path(path_type=Path, dir_okay=False), help="Write a chart there.")
@click.option("--html", "html_path", type=click.Path(path_type=Path, dir_okay=False), help="Write a page there.")
@_told_in_words
def simulate(
    file: Path | None,
    example: str | None,
    policies: tuple[str, ...],
    print_only: bool,
    replications: int | None,
    seed: int | None,
    svg_path: Path | None,
    html_path: Path | None,
) -> None:
    """Try a floor out: drive the real routing engine with made-up customers, and compare policies.

    FILE is a scenario, TOML or JSON; `--example` runs a built-in one and `--example NAME --print` shows it.
    """
    import tomllib

    from hub.errors import InvalidInput
    from hub.routing import scenario as scenarios
    from hub.routing import simulate as simulation
    from hub.routing import simulation_report

    if (file is None) == (example is None):
        names = ", ".join(scenarios.example_names())
        raise click.UsageError(f"give a scenario's FILE, or --example with one of {names}")
    if example is not None and print_only:
        click.echo(scenarios.example_text(example), nl=False)
        return
    values = scenarios.read_file(file) if file else tomllib.loads(scenarios.example_text(example or ""))
    values |= {} if replications is None else {"replications": replications}
    values |= {} if seed is None else {"seed": seed}
    given = scenarios.check_scenario(_checked(scenarios.Scenario, values))
    for name in policies:
        if name not in given.policies:
            raise InvalidInput(f"there is no policy {name!r}: there are {', '.join(given.policies) or 'none'}")
    compared = {name: given.policies[name] for name in policies or given.policies}
    results = [simulation.simulate(scenarios.under(given, policy), name) for name, policy in compared.items()] or [
        simulation.simulate(given)
    ]
    click.echo(f"{given.name}: {given.replications} replications of {given.hours:g} h, seed {given.seed}\n")
    click.echo(simulation_report.table(results))
    if svg_path is not None:
        svg_path.write_text(simulation_report.svg(given.name, results) + "\n", encoding="utf-8")
    if html_path is not None:
        html_path.write_text(simulation_report.page(given.name, results), encoding="utf-8")


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--full", is_flag=True, help="With all files, in one archive; also of PostgreSQL (needs pg_dump).")
@click.option(
    "--with-key", is_flag=True, help="--full: with secret.key. Whoever has the archive opens all secrets then."
)
@_told_in_words
def backup(file: Path, full: bool, with_key: bool) -> None:
    """Copy the database to FILE while the hub runs: the SQLite database alone, or with --full all that the hub keeps."""
    from hub.store import archive, backup

    if not full:
        if with_key:
            raise click.UsageError("--with-key is for --full")
        backup.back_up(_settings(), file)
        click.echo(f"written: {file}. Keep HUB_SECRET_KEY (or secret.key) and the directory files/ with it.")
        return
    counted = archive.back_up(_settings(), file, with_key=with_key, told=_progress)
    click.echo(f"written: {file}, with {counted.files} files of {counted.size_bytes >> 20} MiB")
    if not with_key:
        click.echo("Keep HUB_SECRET_KEY (or secret.key) in another place: without it channels need their secrets anew.")


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--replace", is_flag=True, help="PostgreSQL: what the database holds now goes.")
@_told_in_words
def restore(file: Path, replace: bool) -> None:
    """Put what `hub backup` wrote in place. The hub must be stopped; a SQLite database that was there is kept beside it."""
    from hub.store import archive, backup

    if not archive.is_archive(file):
        kept = asyncio.run(backup.restore(_settings(), file))
        click.echo("restored" + (f"; what was there is now {kept}" if kept else ""))
        return
    done = archive.restore(_settings(), file, replace=replace, told=_progress)
    click.echo(
        f"restored, with {done.counted.files} files" + (f"; what was there is now {done.kept}" if done.kept else "")
    )
    if done.has_other_key:
        click.echo("It was made with another HUB_SECRET_KEY: set that one, or enter the channels' secrets again.")


def _progress(words: str) -> None:
    click.echo(f"{words} …", err=True)


@main.command("new-epoch")
@_told_in_words
def new_epoch() -> None:
    """Begin a new life of the stream, after PostgreSQL was restored to an earlier moment: screens start afresh."""

    async def work(database: Database) -> None:
        from hub.store.stream import create_stream

        await database.transaction(create_stream)
        click.echo("a new epoch has begun; restart the hub's processes")

    _with_database(work)


@main.group()
def kpi() -> None:
    """Figures."""


@kpi.command("rebuild")
@_told_in_words
def rebuild_kpi() -> None:
    """Project all facts from nothing; every figure comes out the same. Safe beside a running hub."""

    async def work(database: Database) -> None:
        from hub.kpi.facts import rebuild_facts

        click.echo(f"{await rebuild_facts(database)} facts projected")

    _with_database(work)


@main.group()
def search() -> None:
    """What is found."""


@search.command("rebuild")
@_told_in_words
def rebuild_search() -> None:
    """Make the index of search from nothing, out of the customers and messages there are. Safe beside a running hub."""

    async def work(database: Database) -> None:
        from hub.timeline.search_index import rebuild_index

        count = await rebuild_index(database, lambda percent: click.echo(f"{percent:>3} %"))
        click.echo(f"{count} records can be found")

    _with_database(work)


# --- customers by file --------------------------------------------------------------------------------------------------


@main.group("import")
def import_() -> None:
    """What is brought along."""


@import_.command("customers")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--mapping", multiple=True, metavar="HEADING=TARGET", help="What a column is; may be repeated. Else guessed."
)
@click.option("--duplicates", type=click.Choice(["skip", "fill", "overwrite"]), default="skip", show_default=True)
@click.option("--region", default="", help="Country of phone numbers without +, two letters.")
@click.option("--system", help="Whose ids the column external_id holds.")
@click.option("--month-first", is_flag=True, help="Days like 05/17/1990.")
@click.option("--dry-run", is_flag=True, help="Only count what would be done.")
@click.option("--refused", type=click.Path(path_type=Path, dir_okay=False), help="Write the refused lines there.")
@_told_in_words
def import_customers(
    file: Path,
    mapping: tuple[str, ...],
    duplicates: str,
    region: str,
    system: str | None,
    month_first: bool,
    dry_run: bool,
    refused: Path | None,
) -> None:
    """Read customers from a CSV file. Safe beside a running hub; stopped in the middle any hub goes on with it."""

    async def work(database: Database) -> None:
        from hub.customer_files.by_hand import Asked, bring

        asked = Asked(mapping, duplicates, region.upper(), system, month_first, dry_run)
        await bring(database, _settings().files_dir, file, asked, refused, click.echo)

    _with_database(work)


@main.group()
def export() -> None:
    """What is taken along."""


@export.command("customers")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--columns", default="", help="With commas between them; else all.")
@click.option("--words", help="Only those with these words in their name or an address.")
@click.option("--tag", help="Only those with this tag.")
@_told_in_words
def export_customers(file: Path, columns: str, words: str | None, tag: str | None) -> None:
    """Write customers to a CSV file."""

    async def work(database: Database) -> None:
        from hub.customer_files import exports

        names = tuple(name.strip() for name in columns.split(",") if name.strip())
        wanted = exports.Wanted(words, tag, None, names)
        chosen, count = await database.transaction(exports.begin, None, wanted)
        with file.open("wb") as out:
            async for part in exports.csv_parts(database, None, wanted, chosen, has_mark=True):
                out.write(part)
        click.echo(f"{count} customers are in {file}")

    _with_database(work)


# --- accounts ---------------------------------------------------------------------------------------------------------


@main.group()
def user() -> None:
    """Accounts, from the command line: the first administrator is made here."""


@user.command("add")
@click.option("--email", prompt=True)
@click.option("--name", prompt=True)
@click.option("--role", type=click.Choice(["agent", "supervisor", "admin"]), default="agent", show_default=True)
@_told_in_words
def add_user(email: str, name: str, role: str) -> None:
    """Make an account. The password is asked for, or read from standard input."""
    from hub.web.schemas import NewUser

    given = _checked(NewUser, {"email": email, "name": name, "role": role, "password": _ask_password()})

    async def work(database: Database) -> None:
        from hub.agents import accounts

        password_hash = await accounts.hash_password(given.password)
        made = await database.transaction(
            accounts.create_user, email=given.email, name=given.name, role=given.role, password_hash=password_hash
        )
        click.echo(f"{made.email} is {made.role.value} (id {made.id})")

    _with_database(work)


@user.command("list")
@_told_in_words
def list_users() -> None:
    """Show all accounts."""

    async def work(database: Database) -> None:
        from hub.agents import accounts

        for each in await database.read(accounts.load_users):
            state = "" if each.active else "  (not active)"
            click.echo(f"{each.id:>5}  {each.email:<32} {each.role.value:<11} {each.name}{state}")

    _with_database(work)


@user.command("password")
@click.argument("email")
@_told_in_words
def set_password(email: str) -> None:
    """Set somebody's password; they are signed out everywhere. Asked for, or read from standard input."""
    from hub.web.schemas import UpdateUser

    given = _checked(UpdateUser, {"password": _ask_password()})

    async def work(database: Database) -> None:
        from hub.agents import accounts

        person = await _find(database, email)
        password_hash = await accounts.hash_password(given.password or "")
        await database.transaction(accounts.update_user, None, person.id, password_hash=password_hash)
        click.echo(f"{person.email} has a new password")

    _with_database(work)


@user.command("deactivate")
@click.argument("email")
@_told_in_words
def deactivate_user(email: str) -> None:
    """Shut somebody out at once; their work goes back to its queues."""

    async def work(database: Database) -> None:
        from hub.agents import accounts

        person = await _find(database, email)
        await database.transaction(accounts.update_user, None, person.id, active=False)
        click.echo(f"{person.email} is no longer active")

    _with_database(work)


async def _find(database: Database, email: str) -> UserView:
    from hub.agents import accounts
    from hub.errors import NotFound

    person = await database.read(accounts.find_user_by_email, email)
    if person is None:
        raise NotFound(f"there is no user {email}")
    return person


def _ask_password() -> str:
    """Never an argument: those stand in the shell's history and in every process list."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")


def _checked(schema: Callable[..., T], values: dict[str, Any]) -> T:
    """By the same rules as the API; InvalidInput names every fault."""
    from pydantic import ValidationError

    from hub.web.api import invalid_fields, named_faults

    try:
        return schema(**values)
    except ValidationError as error:
        raise invalid_fields(named_faults(error.errors(include_url=False, include_input=False))) from None


def _with_database(work: Callable[[Database], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        from hub.store.database import open_database
        from hub.store.migrate import migrate

        settings = _settings()
        await migrate(settings.database_url)
        database = open_database(settings.database_url)
        try:
            await work(database)
        finally:
            await database.close()

    asyncio.run(run())


if __name__ == "__main__":
    main()
