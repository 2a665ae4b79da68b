"""Alembic's entry, called by hub.store.migrate (and draft.py beside it), which open the connection and hold the lock.

Nothing of the hub is imported here: a migration is of its own time. The caller passes what is needed in
`config.attributes`: `connection`, already inside its transaction, and for comparing and drafting `target_metadata`.
"""

from __future__ import annotations

from typing import Any

from alembic import context


def render_item(kind: str, item: Any, _context: Any) -> str | bool:
    """How draft.py writes our own types: by the names that script.py.mako defines at the head of each migration."""
    if kind == "type":
        if type(item).__name__ == "Instant":
            return "INSTANT"
        if type(item).__name__ == "BigInteger" and "sqlite" in item._variant_mapping:
            return "BIG_ID"
    return False


def compare_default(
    _context: Any, _found_column: Any, _column: Any, found: str | None, _default: Any, wanted: str | None
) -> bool | None:
    """Alembic takes SQLite's '' for another default than the empty text it stands for; None: compare as usual."""
    return False if found == "('')" and wanted in ("", "''") else None


def include_name(name: str | None, kind: str, _parents: Any) -> bool:
    """The tables of FTS5 on SQLite, and the index that is theirs on PostgreSQL, are made by hand (0018) and described
    nowhere."""
    is_of_search = "search_entry_words" in (name or "") or "search_customer_words" in (name or "")
    return not (kind in ("table", "index") and is_of_search)


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes.get("target_metadata"),
    compare_server_default=compare_default,
    # SQLite cannot alter a column in place: Alembic copies the table.
    render_as_batch=context.config.attributes.get("as_batch", True),
    render_item=render_item,
    include_name=include_name,
)
with context.begin_transaction():
    context.run_migrations()
