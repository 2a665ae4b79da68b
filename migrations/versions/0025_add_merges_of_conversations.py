"""Add merges of conversations that can be taken back, and where a line and a conversation came from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
# Only INTEGER may be an automatic primary key on SQLite.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# As tables.py has it.
NOT_UNDONE = sa.text("undone_at IS NULL")


def upgrade() -> None:
    op.add_column("entry", sa.Column("origin_id", sa.BigInteger(), nullable=True))
    has_origin = sa.text("origin_id IS NOT NULL")
    op.create_index("ix_entry_origin_id", "entry", ["origin_id"], sqlite_where=has_origin, postgresql_where=has_origin)
    for name in ("merged_into", "split_from"):
        op.add_column("conversation", sa.Column(name, BIG_ID, nullable=True))
        is_set = sa.text(f"{name} IS NOT NULL")
        op.create_index(f"ix_conversation_{name}", "conversation", [name], sqlite_where=is_set, postgresql_where=is_set)
    op.create_table(
        "conversation_merge",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("from_id", BIG_ID, nullable=False),
        sa.Column("into_id", BIG_ID, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("by_id", BIG_ID, nullable=False),
        sa.Column("after_entry_id", sa.BigInteger(), nullable=False),
        sa.Column("moved", sa.JSON(), nullable=False),
        sa.Column("was", sa.JSON(), nullable=False),
        sa.Column("filled", sa.JSON(), nullable=False),
        sa.Column("undone_at", INSTANT, nullable=True),
        sa.Column("undone_by", BIG_ID, nullable=True),
        sa.CheckConstraint("from_id <> into_id", name=op.f("ck_conversation_merge_are_two")),
        sa.ForeignKeyConstraint(
            ["from_id"], ["conversation.id"], name=op.f("fk_conversation_merge_from_id_conversation")
        ),
        sa.ForeignKeyConstraint(
            ["into_id"], ["conversation.id"], name=op.f("fk_conversation_merge_into_id_conversation")
        ),
        sa.ForeignKeyConstraint(["by_id"], ["user_account.id"], name=op.f("fk_conversation_merge_by_id_user_account")),
        sa.ForeignKeyConstraint(
            ["undone_by"], ["user_account.id"], name=op.f("fk_conversation_merge_undone_by_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversation_merge")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_conversation_merge_one_live_per_conversation",
        "conversation_merge",
        ["from_id"],
        unique=True,
        sqlite_where=NOT_UNDONE,
        postgresql_where=NOT_UNDONE,
    )
    op.create_index("ix_conversation_merge_into_id", "conversation_merge", ["into_id"])


def downgrade() -> None:
    op.drop_table("conversation_merge")
    for name in ("split_from", "merged_into"):
        op.drop_index(f"ix_conversation_{name}", "conversation")
        op.drop_column("conversation", name)
    op.drop_index("ix_entry_origin_id", "entry")
    op.drop_column("entry", "origin_id")
