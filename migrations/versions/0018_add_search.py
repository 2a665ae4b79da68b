"""Add the words that search finds, and saved views. The words are made by the running hub, from what there is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
# As tables.py has it: a key that is no automatic one.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORDS = sa.Text().with_variant(postgresql.TSVECTOR(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "search_entry",
        sa.Column("place", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("entry_id", BIG_ID, nullable=False),
        sa.Column("words", WORDS, nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["entry.id"], name=op.f("fk_search_entry_entry_id_entry"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_search_entry")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_search_entry_entry_id")),
    )
    op.create_table(
        "search_customer",
        sa.Column("customer_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("words", WORDS, nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
            name=op.f("fk_search_customer_customer_id_customer"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_search_customer")),
    )
    op.create_table(
        "saved_view",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("owner_id", BIG_ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_shared", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("filter", sa.JSON(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["user_account.id"], name=op.f("fk_saved_view_owner_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_view")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_saved_view_owner_id", "saved_view", ["owner_id"])
    for table, key in (("search_entry", "place"), ("search_customer", "customer_id")):
        found = f"{table}_words"
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"CREATE INDEX ix_{found} ON {table} USING gin (words) WITH (fastupdate = off)")
            continue
        op.execute(
            f"CREATE VIRTUAL TABLE {found} USING fts5"
            f"(words, content='{table}', content_rowid='{key}', tokenize='ascii', prefix='2 3')"
        )
        new = f"INSERT INTO {found} (rowid, words) VALUES (new.{key}, new.words)"  # noqa: S608
        gone = f"INSERT INTO {found} ({found}, rowid, words) VALUES ('delete', old.{key}, old.words)"  # noqa: S608
        op.execute(f"CREATE TRIGGER {table}_new AFTER INSERT ON {table} BEGIN {new}; END")
        op.execute(f"CREATE TRIGGER {table}_gone AFTER DELETE ON {table} BEGIN {gone}; END")


def downgrade() -> None:
    op.drop_table("saved_view")
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE search_customer_words")
        op.execute("DROP TABLE search_entry_words")
    op.drop_table("search_customer")
    op.drop_table("search_entry")
