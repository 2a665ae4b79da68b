"""Add test calls through telephone lines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
# Only INTEGER may be an automatic primary key on SQLite.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# As tables.py has it.
LIVE = sa.text("ended_at IS NULL")
DUE = sa.text("due_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "line_test",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("provider_leg_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("dialled_at", INSTANT, nullable=True),
        sa.Column("answered_at", INSTANT, nullable=True),
        sa.Column("heard_at", INSTANT, nullable=True),
        sa.Column("over_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "state IN ('pending', 'ringing', 'connected', 'ended')", name=op.f("ck_line_test_state_is_known")
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (state <> 'ended')", name=op.f("ck_line_test_ended_has_an_instant")),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name=op.f("fk_line_test_channel_id_channel")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_line_test_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_line_test")),
        sa.UniqueConstraint("token", name=op.f("uq_line_test_token")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_line_test_one_live_per_channel",
        "line_test",
        ["channel_id"],
        unique=True,
        sqlite_where=LIVE,
        postgresql_where=LIVE,
    )
    op.create_index("ix_line_test_due_at", "line_test", ["due_at"], sqlite_where=DUE, postgresql_where=DUE)


def downgrade() -> None:
    op.drop_table("line_test")
