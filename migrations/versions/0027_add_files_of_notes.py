"""Add files to notes that are being written."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("draft", sa.Column("note_attachment_ids", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("draft", "note_attachment_ids")
