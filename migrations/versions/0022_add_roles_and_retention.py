"""Add roles of one's own, what is kept for how long, and the account that the hub's own mails leave from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
# As tables.py has it.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "staff_role",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folded_name", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("permissions", sa.JSON(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("base IN ('agent', 'supervisor', 'admin')", name=op.f("ck_staff_role_base_is_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_role")),
        sa.UniqueConstraint("folded_name", name=op.f("uq_staff_role_folded_name")),
        sqlite_autoincrement=True,
    )
    for table in ("user_account", "access_link"):
        op.add_column(table, sa.Column("role_id", BIG_ID, nullable=True))
    op.create_index("ix_user_account_role_id", "user_account", ["role_id"])
    op.add_column("organisation", sa.Column("retention", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("organisation", sa.Column("mail_channel_id", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("organisation", "mail_channel_id")
    op.drop_column("organisation", "retention")
    op.drop_index("ix_user_account_role_id", table_name="user_account")
    for table in ("access_link", "user_account"):
        op.drop_column(table, "role_id")
    op.drop_table("staff_role")
