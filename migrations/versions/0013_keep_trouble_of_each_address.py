"""Keep for each address of a limit why it could not be told; what was kept for all of them together is forgotten."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("kpi_alert_rule", sa.Column("troubles", sa.JSON(), nullable=True))
    op.drop_column("kpi_alert_rule", "trouble")


def downgrade() -> None:
    op.add_column("kpi_alert_rule", sa.Column("trouble", sa.Text(), nullable=True))
    op.drop_column("kpi_alert_rule", "troubles")
