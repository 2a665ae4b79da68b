"""Draft a migration from the difference between hub.store.tables and the migrations so far. For developers.

    python migrations/draft.py "Add callbacks"      writes versions/NNNN_add_callbacks.py: read it, then commit it
    python migrations/draft.py --first              writes 0001 anew; only until the first release

Imports the hub, which migrations themselves never do.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from hub.store.tables import metadata

HERE = Path(__file__).resolve().parent
VERSIONS = HERE / "versions"


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write(__doc__ or "")
        return 2
    first = arguments == ["--first"]
    message = "The tables of the first release" if first else arguments[0]
    if first:
        (VERSIONS / "0001_first.py").unlink(missing_ok=True)
    number = 1 + max((int(path.name[:4]) for path in VERSIONS.glob("[0-9]*.py")), default=0)
    slug = "first" if first else re.sub(r"\W+", "_", message.lower()).strip("_")
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("file_template", f"%%(rev)s_{slug}")
    config.set_main_option("path_separator", "os")
    with create_engine("sqlite://").connect() as connection:
        config.attributes.update(connection=connection, target_metadata=metadata, as_batch=not first)
        if not first and number > 1:
            command.upgrade(config, "head")
        command.revision(config, message, autogenerate=True, rev_id=f"{number:04}")
    path = VERSIONS / f"{number:04}_{slug}.py"
    text = path.read_text()
    text = re.sub(r" *# ### .* ###\n", "", text)
    # SQLite writes booleans as numbers, which PostgreSQL does not take for them.
    text = re.sub(r"(sa\.Boolean\(\), server_default=)sa\.text\('([01])'\)", _boolean, text)
    if any(len(line) > 126 for line in text.splitlines()):
        text = text.replace("from __future__", "# ruff: noqa: E501\nfrom __future__", 1)
    path.write_text(text)
    for step in (["check", "--fix-only"], ["format"]):
        subprocess.run([sys.executable, "-m", "ruff", *step, "--quiet", path], check=True)
    return 0


def _boolean(found: re.Match[str]) -> str:
    return found[1] + ("sa.true()" if found[2] == "1" else "sa.false()")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
