"""The house's order, read from the source: who may import whom, what pure code may know, how files are named.

    root → edge → reports → work → adapters → store → media → formats → pure

Each layer may import itself and those after it, never those before; an import inside a function or under TYPE_CHECKING
is an import like any other. There is no list of exceptions.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HUB = ROOT / "hub"

ORDER = ("root", "edge", "reports", "work", "adapters", "store", "media", "formats", "pure")

# The first prefix that fits says the layer; a module that none of them fits has no place in the house yet.
LAYERS: tuple[tuple[str, str], ...] = (
    ("hub.domain", "pure"),
    ("hub.errors", "pure"),
    ("hub.channels.channel", "pure"),
    ("hub.channels.voice", "pure"),
    ("hub.calls.flow", "pure"),
    ("hub.calls.phrases", "pure"),
    ("hub.routing.engine", "pure"),
    ("hub.routing.escalation", "pure"),
    ("hub.routing.calendar", "pure"),
    ("hub.routing.rules", "pure"),
    ("hub.routing.requirements", "pure"),
    ("hub.routing.spoken_times", "pure"),
    ("hub.routing.waiting", "pure"),
    ("hub.kpi.cells", "pure"),
    ("hub.kpi.days", "pure"),
    ("hub.kpi.earlier", "pure"),
    ("hub.kpi.folding", "pure"),
    ("hub.kpi.limit_state", "pure"),
    ("hub.kpi.measures", "pure"),
    ("hub.kpi.moments", "pure"),
    ("hub.kpi.placing", "pure"),
    ("hub.kpi.sketch", "formats"),
    ("hub.surveys.replies", "pure"),
    ("hub.webhooks.catalogue", "pure"),
    ("hub.surveys.words", "pure"),
    ("hub.customer_files.columns", "pure"),
    ("hub.customer_files.reading", "formats"),
    ("hub.reports.recurrence", "pure"),
    ("hub.staffing.erlang", "pure"),
    ("hub.staffing.forecast", "pure"),
    ("hub.staffing.schedule", "pure"),
    ("hub.mail", "formats"),
    ("hub.media.codec", "formats"),
    ("hub.media.frame", "formats"),
    ("hub.media.jitter", "formats"),
    ("hub.media.lateness", "formats"),
    ("hub.media.leg", "formats"),
    ("hub.media.mixer", "formats"),
    ("hub.media.ogg", "formats"),
    ("hub.media.scenes", "formats"),
    ("hub.media.sdp", "formats"),
    ("hub.media.signature", "formats"),
    ("hub.media.hold_music", "formats"),
    ("hub.media.phrase_files", "formats"),
    ("hub.media.waveform", "formats"),
    ("hub.media.sound_file", "formats"),
    # A process of its own: it waits and reads clocks, and knows no database.
    ("hub.media", "media"),
    ("hub.routing.holidays", "formats"),
    ("hub.settings", "store"),
    ("hub.store", "store"),
    ("hub.channels", "adapters"),
    ("hub.timeline", "work"),
    ("hub.routing", "work"),
    ("hub.agents", "work"),
    ("hub.calls", "work"),
    ("hub.kpi", "work"),
    ("hub.reports", "reports"),
    ("hub.staffing", "reports"),
    ("hub.surveys", "work"),
    ("hub.webhooks", "work"),
    ("hub.customer_files", "work"),
    ("hub.privacy", "work"),
    ("hub.writing", "work"),
    ("hub.web", "edge"),
    ("hub.demo", "edge"),
    ("hub.app", "root"),
    ("hub.demo_app", "root"),
    ("hub.media_child", "root"),
    ("hub.__main__", "root"),
    ("hub.doctor", "root"),
    ("hub.logs", "root"),
)

# What pure code may use of the standard library. None of it waits, reads a clock, draws a number or touches the machine.
PURE_LIBRARY = {
    *(
        "__future__",
        "abc",
        "bisect",
        "collections",
        "csv",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "fractions",
        "functools",
    ),
    *(
        "heapq",
        "itertools",
        "json",
        "math",
        "operator",
        "re",
        "statistics",
        "string",
        "typing",
        "unicodedata",
        "zoneinfo",
    ),
}
CLOCK_CALLS = frozenset({"now", "utcnow", "today", "time", "monotonic", "perf_counter"})

# Names that say nothing: a file is named after the one concept it holds (style.md, rule 1).
EMPTY_NAMES = ("util", "helper", "manager", "service", "common", "misc")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def sources() -> dict[str, Path]:
    return {module_name(path): path for path in sorted(HUB.rglob("*.py")) if "_migrations" not in path.parts}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path) -> Iterator[str]:
    """Every module that is named in an import anywhere in the file: `from hub.store import tables` is hub.store.tables."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are written in full"
            module = node.module or ""
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                yield inner if inner in sources() else module


def layer(module: str) -> str:
    fitting = [name for prefix, name in LAYERS if module == prefix or module.startswith(prefix + ".")]
    return fitting[0] if fitting else "nowhere"


def own_imports(module: str) -> list[str]:
    # The bare package holds the version and nothing else.
    return [name for name in imports(sources()[module]) if name.startswith("hub.")]


def modules_of(wanted: str) -> list[str]:
    return [module for module in sources() if layer(module) == wanted and sources()[module].name != "__init__.py"]


def test_every_module_has_its_place() -> None:
    homeless = [module for module in sources() if module != "hub" and layer(module) == "nowhere"]
    # A package's own file holds nothing, so hub.channels and the like need no place of their own.
    assert homeless == []


def test_packages_hold_nothing_but_their_modules() -> None:
    talkative = [
        module
        for module, path in sources().items()
        if path.name == "__init__.py" and module != "hub" and tree(path).body
    ]
    assert talkative == []


@pytest.mark.parametrize("module", sorted(sources()))
def test_imports_point_downwards(module: str) -> None:
    rank = ORDER.index(layer(module)) if module != "hub" else len(ORDER)
    upwards = [name for name in own_imports(module) if ORDER.index(layer(name)) < rank]
    assert upwards == [], f"{module} ({layer(module)}) imports {upwards}"


@pytest.mark.parametrize("module", modules_of("pure"))
def test_pure_code_knows_the_standard_library_and_pure_code_only(module: str) -> None:
    strangers = {
        name
        for name in imports(sources()[module])
        if name.partition(".")[0] not in PURE_LIBRARY and layer(name) != "pure"
    }
    assert strangers == set()


@pytest.mark.parametrize("module", modules_of("pure") + modules_of("formats"))
def test_pure_code_reads_no_clock(module: str) -> None:
    asked = [
        f"{module}:{node.lineno}"
        for node in ast.walk(tree(sources()[module]))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK_CALLS
    ]
    assert asked == []


@pytest.mark.parametrize("module", modules_of("pure") + modules_of("formats"))
def test_pure_code_does_not_wait(module: str) -> None:
    # A Protocol may say that its verbs are asynchronous (channels.channel does); nothing here may await one.
    waiting = [
        f"{module}:{node.lineno}"
        for node in ast.walk(tree(sources()[module]))
        if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith)
    ]
    assert waiting == []


@pytest.mark.parametrize("module", [module for module in modules_of("adapters") if not module.endswith(".registry")])
def test_an_adapter_knows_pure_code_and_its_providers_protocol_only(module: str) -> None:
    # What channels of one provider share is a file of its own, named after the provider; what protocols share, after that.
    shared = {
        "hub.channels.twilio": {"hub.channels.public_addresses"},
        "hub.channels.sms": {"hub.channels.twilio"},
        "hub.channels.phone": {
            *("hub.channels.twilio", "hub.channels.twilio_voice", "hub.channels.twiml"),
            *("hub.channels.twilio_callbacks", "hub.channels.twilio_scenes"),
        },
        "hub.channels.twilio_voice": {"hub.channels.twilio"},
        "hub.channels.twilio_callbacks": {"hub.channels.twilio", "hub.channels.twilio_voice"},
        "hub.channels.twilio_scenes": {"hub.channels.twilio_callbacks", "hub.channels.twiml"},
        "hub.channels.email": {"hub.channels.smtp", "hub.channels.oauth", "hub.channels.tls"},
        "hub.channels.consent": {"hub.channels.oauth"},
        "hub.channels.oauth": {"hub.channels.tls"},
        "hub.channels.smtp": {"hub.channels.oauth", "hub.channels.tls"},
        "hub.channels.imap": {"hub.channels.oauth", "hub.channels.tls"},
    }
    strangers = {name for name in own_imports(module) if layer(name) not in ("pure", "formats")}
    strangers -= shared.get(module, set())
    assert strangers == set()


@pytest.mark.parametrize("module", modules_of("adapters") + modules_of("media"))
def test_neither_an_adapter_nor_the_media_process_sees_the_database(module: str) -> None:
    libraries = {name.partition(".")[0] for name in imports(sources()[module])}
    assert libraries.isdisjoint({"sqlalchemy", "asyncpg", "sqlite3", "alembic"})


@pytest.mark.parametrize("module", [module for module in sources() if layer(module) not in ("root", "media")])
def test_only_who_starts_the_media_process_knows_its_inside(module: str) -> None:
    assert [name for name in own_imports(module) if layer(name) == "media"] == []


@pytest.mark.parametrize("module", modules_of("work") + modules_of("store"))
def test_what_is_below_the_edge_knows_nothing_of_the_web(module: str) -> None:
    libraries = {name.partition(".")[0] for name in imports(sources()[module])}
    assert libraries.isdisjoint({"starlette", "uvicorn", "websockets", "click"})


def test_files_are_named_after_what_they_hold() -> None:
    empty = [str(path.relative_to(ROOT)) for path in sources().values() if any(w in path.stem for w in EMPTY_NAMES)]
    assert empty == []


@pytest.mark.parametrize(
    "path", [pytest.param(path, id=path.name) for path in sorted((ROOT / "migrations" / "versions").glob("*.py"))]
)
def test_migrations_import_nothing_of_the_application(path: Path) -> None:
    assert [name for name in imports(path) if name.partition(".")[0] == "hub"] == []
