"""Add requests of customers for their data and its erasure, and when a customer was erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
# Only INTEGER may be an automatic primary key on SQLite.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# As tables.py has it.
NOT_OVER = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.add_column("customer", sa.Column("erased_at", INSTANT, nullable=True))
    op.create_table(
        "data_request",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("customer_id", BIG_ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("conversation_id", BIG_ID, nullable=True),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("taken_by", BIG_ID, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("ended_by", BIG_ID, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("made_at", INSTANT, nullable=True),
        sa.Column("work", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("kind IN ('access', 'erasure')", name=op.f("ck_data_request_kind_is_known")),
        sa.CheckConstraint(
            "state IN ('open', 'erasing', 'done', 'refused', 'withdrawn')",
            name=op.f("ck_data_request_state_is_known"),
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (state IN ('open', 'erasing'))", name=op.f("ck_data_request_over_has_an_instant")
        ),
        sa.CheckConstraint("(work IS NOT NULL) = (state = 'erasing')", name=op.f("ck_data_request_erasing_has_work")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_data_request_customer_id_customer")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name=op.f("fk_data_request_conversation_id_conversation")
        ),
        sa.ForeignKeyConstraint(["taken_by"], ["user_account.id"], name=op.f("fk_data_request_taken_by_user_account")),
        sa.ForeignKeyConstraint(["ended_by"], ["user_account.id"], name=op.f("fk_data_request_ended_by_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_request")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_data_request_customer_id", "data_request", ["customer_id"])
    op.create_index(
        "ix_data_request_due_at", "data_request", ["due_at"], sqlite_where=NOT_OVER, postgresql_where=NOT_OVER
    )


def downgrade() -> None:
    op.drop_table("data_request")
    op.drop_column("customer", "erased_at")
