"""The console's types are the server's own: what is generated now is what lies in the repository."""

from __future__ import annotations

import json
from pathlib import Path

from hub.app import ENDPOINTS
from hub.web.openapi import document
from tests.replay.console import SOURCES, run


def test_the_consoles_types_are_what_the_server_describes(tmp_path: Path) -> None:
    """If not: hub openapi > openapi.json, then openapi-typescript openapi.json -o web_console/src/api.d.ts."""
    described = tmp_path / "openapi.json"
    # As `hub openapi` prints it.
    described.write_text(json.dumps(document(ENDPOINTS), ensure_ascii=False, indent=2))
    generated = tmp_path / "api.d.ts"
    run("node_modules/openapi-typescript/bin/cli.js", str(described), "--output", str(generated))
    assert generated.read_text() == (SOURCES / "src" / "api.d.ts").read_text()


def test_every_event_and_view_has_its_short_name() -> None:
    """events.ts gives the generated types the names that the console uses; none that the socket carries is left out."""
    names = document(ENDPOINTS)["components"]["schemas"]
    short = (SOURCES / "src" / "events.ts").read_text()
    views = {name for name in names if name.endswith("View")}
    assert [
        name for name in sorted(views | {"HubEvent", "VolatileEvent", "Snapshot"}) if f'["{name}"]' not in short
    ] == []
