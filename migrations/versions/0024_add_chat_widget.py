"""Add how a chat's window is set up, and whoever is signed in on its pages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.add_column("channel", sa.Column("widget", sa.JSON(), nullable=True))
    op.create_table(
        "chat_identity",
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("visitor_id", sa.Text(), nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("channel_id", "subject", name=op.f("pk_chat_identity")),
        sa.UniqueConstraint("visitor_id", name=op.f("uq_chat_identity_visitor_id")),
    )
    op.create_table(
        "chat_identity_use",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("browser", sa.Text(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_chat_identity_use")),
    )
    op.create_index("ix_chat_identity_use_expires_at", "chat_identity_use", ["expires_at"])


def downgrade() -> None:
    op.drop_table("chat_identity_use")
    op.drop_table("chat_identity")
    with op.batch_alter_table("channel") as batch:
        batch.drop_column("widget")
