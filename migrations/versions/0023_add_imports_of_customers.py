"""Add imports of customers: files that are read, the lines that were refused, and who customers are in other systems."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
# As tables.py has it.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ZERO = sa.text("0")


def upgrade() -> None:
    op.create_table(
        "customer_import",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("created_by", BIG_ID, nullable=True),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("file_key", sa.Text(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("encoding", sa.Text(), nullable=False),
        sa.Column("delimiter", sa.Text(), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("sample", sa.JSON(), nullable=False),
        sa.Column("mapping", sa.JSON(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("made", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("changed", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("same", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("refused", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("process", sa.Text(), nullable=True),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT, nullable=True),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "state IN ('new', 'trying', 'tried', 'running', 'paused', 'done', 'failed')",
            name=op.f("ck_customer_import_state_is_known"),
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["user_account.id"], name=op.f("fk_customer_import_created_by_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_import")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_customer_import_state", "customer_import", ["state"])
    op.create_table(
        "customer_import_line",
        sa.Column("import_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("faults", sa.JSON(), nullable=False),
        sa.Column("cells", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["customer_import.id"],
            name=op.f("fk_customer_import_line_import_id_customer_import"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("import_id", "line", name=op.f("pk_customer_import_line")),
    )
    op.create_table(
        "customer_reference",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("customer_id", BIG_ID, nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
            name=op.f("fk_customer_reference_customer_id_customer"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_reference")),
        sa.UniqueConstraint("system", "value", name="uq_customer_reference_is_one_customer"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_customer_reference_customer_id", "customer_reference", ["customer_id"])


def downgrade() -> None:
    op.drop_table("customer_reference")
    op.drop_table("customer_import_line")
    op.drop_table("customer_import")
