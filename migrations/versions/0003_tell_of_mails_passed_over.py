"""Tell of mails passed over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.add_column("mailbox", sa.Column("passed_over", sa.Text(), nullable=True))
    op.add_column("mailbox", sa.Column("passed_over_at", INSTANT, nullable=True))


def downgrade() -> None:
    op.drop_column("mailbox", "passed_over_at")
    op.drop_column("mailbox", "passed_over")
