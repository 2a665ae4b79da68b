"""Add webhooks: other programs that are told what happens, and what became of each telling."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
# As tables.py has it.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
IS_DUE = sa.text("due_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("queue_ids", sa.JSON(), nullable=False),
        sa.Column("channel_ids", sa.JSON(), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=False),
        sa.Column("secret_since", INSTANT, nullable=False),
        sa.Column("old_secret_until", INSTANT, nullable=True),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("off_reason", sa.Text(), nullable=True),
        sa.Column("off_at", INSTANT, nullable=True),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("failures_in_row", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failing_since", INSTANT, nullable=True),
        sa.Column("paused_until", INSTANT, nullable=True),
        sa.Column("mail_due_at", INSTANT, nullable=True),
        sa.Column("mail_tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("off_reason IN ('failing', 'gone')", name=op.f("ck_webhook_endpoint_off_reason_is_known")),
        sa.CheckConstraint("NOT (enabled AND off_reason IS NOT NULL)", name=op.f("ck_webhook_endpoint_is_on_or_off")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoint")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("endpoint_id", BIG_ID, nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("occurrence", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("attempted_at", INSTANT, nullable=True),
        sa.Column("done_at", INSTANT, nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("failures", sa.JSON(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'sending', 'delivered', 'dead')", name=op.f("ck_webhook_delivery_state_is_known")
        ),
        sa.CheckConstraint(
            "(due_at IS NOT NULL) = (state IN ('waiting', 'sending'))", name=op.f("ck_webhook_delivery_is_due_or_over")
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["webhook_endpoint.id"],
            name=op.f("fk_webhook_delivery_endpoint_id_webhook_endpoint"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
        sa.UniqueConstraint("endpoint_id", "occurrence", name="uq_webhook_delivery_told_once"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_webhook_delivery_state", "webhook_delivery", ["endpoint_id", "state", "id"])
    op.create_index("ix_webhook_delivery_done_at", "webhook_delivery", ["done_at"])
    for name, columns in (("due_at", ["endpoint_id", "due_at", "id"]), ("lane", ["endpoint_id", "lane", "id"])):
        op.create_index(
            f"ix_webhook_delivery_{name}",
            "webhook_delivery",
            columns,
            sqlite_where=IS_DUE,
            postgresql_where=IS_DUE,
        )


def downgrade() -> None:
    op.drop_table("webhook_delivery")
    op.drop_table("webhook_endpoint")
