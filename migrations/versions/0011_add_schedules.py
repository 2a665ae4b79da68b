"""Add schedules, plans of staffing and kept forecasts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# Only INTEGER may be an automatic primary key on SQLite.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "forecast",
        sa.Column("queue_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("made_on", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("contacts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("queue_id", "day", "made_on", name=op.f("pk_forecast")),
    )
    op.create_index("ix_forecast_made_on", "forecast", ["made_on"])
    op.create_table(
        "shift_day",
        sa.Column("agent_id", BIG_ID, nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("pieces", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["user_account.id"], name=op.f("fk_shift_day_agent_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("agent_id", "day", name=op.f("pk_shift_day")),
    )
    op.create_index("ix_shift_day_day", "shift_day", ["day"])
    op.create_table(
        "shift_week",
        sa.Column("agent_id", BIG_ID, nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.Column("days", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["user_account.id"], name=op.f("fk_shift_week_agent_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("agent_id", "since", name=op.f("pk_shift_week")),
    )
    op.create_table(
        "staffing_plan",
        sa.Column("queue_id", BIG_ID, nullable=False),
        sa.Column("service_level", sa.Float(), nullable=False),
        sa.Column("within_s", sa.Integer(), nullable=False),
        sa.Column("occupancy", sa.Float(), nullable=True),
        sa.Column("shrinkage", sa.Float(), nullable=False),
        sa.Column("aht_s", sa.Float(), nullable=True),
        sa.Column("patience_s", sa.Float(), nullable=True),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("service_level BETWEEN 0 AND 1", name=op.f("ck_staffing_plan_service_level_is_a_share")),
        sa.CheckConstraint("shrinkage >= 0 AND shrinkage < 1", name=op.f("ck_staffing_plan_shrinkage_leaves_somebody")),
        sa.ForeignKeyConstraint(
            ["queue_id"], ["queue.id"], name=op.f("fk_staffing_plan_queue_id_queue"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("queue_id", name=op.f("pk_staffing_plan")),
    )


def downgrade() -> None:
    op.drop_table("staffing_plan")
    op.drop_table("shift_week")
    op.drop_table("shift_day")
    op.drop_table("forecast")
