"""Add figures of a moment, kept as they were at the begin of each quarter of an hour."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# As tables.py has it: a key that is no automatic one.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "queue_moment",
        sa.Column("queue_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("start", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("longest_waiting_ms", sa.BigInteger(), nullable=False),
        sa.Column("backlog", sa.Integer(), nullable=False),
        sa.Column("available_agents", sa.Integer(), nullable=False),
        sa.Column("ewt_ms", sa.BigInteger(), nullable=True),
        sa.Column("ewt_error_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("queue_id", "start", name=op.f("pk_queue_moment")),
    )


def downgrade() -> None:
    op.drop_table("queue_moment")
