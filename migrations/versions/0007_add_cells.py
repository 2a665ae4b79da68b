"""Add cells."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
# Only INTEGER may be an automatic primary key on SQLite.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "kpi_cell",
        sa.Column("grain", sa.Text(), nullable=False),
        sa.Column("dim", sa.Text(), nullable=False),
        sa.Column("start", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("dim_id", sa.Text(), nullable=False),
        sa.Column("answered_5", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_10", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_15", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_20", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_30", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_45", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_60", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_90", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_120", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_180", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_240", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_300", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_600", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_900", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_1800", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_3600", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_7200", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_14400", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_28800", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_86400", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_later", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("abandoned_5", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("abandoned_10", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("abandoned_15", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("abandoned_20", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("abandoned_30", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("abandoned_45", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("abandoned_60", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("abandoned_90", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("abandoned_120", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("abandoned_180", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("abandoned_240", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("abandoned_300", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("abandoned_600", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("abandoned_900", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("abandoned_1800", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("abandoned_3600", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("abandoned_7200", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("abandoned_14400", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("abandoned_28800", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("abandoned_86400", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("abandoned_later", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("called_back_5", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("called_back_10", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("called_back_15", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("called_back_20", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("called_back_30", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("called_back_45", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("called_back_60", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("called_back_90", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("called_back_120", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("called_back_180", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("called_back_240", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("called_back_300", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("called_back_600", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("called_back_900", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("called_back_1800", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("called_back_3600", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("called_back_7200", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("called_back_14400", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("called_back_28800", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("called_back_86400", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("called_back_later", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("overflowed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("moved", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("dropped", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("withdrawn", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("joined", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("leaving_known", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_wait_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_first", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("answered_since_arrival_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("abandoned_wait_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("segments", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("contacts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("digital", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("chats", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("mails", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("texts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("held_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("weighted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("weighted_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("passed_blind", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("passed_consult", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("passed_requeue", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("calls_offered", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("calls_answered", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("calls_abandoned", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("calls_short", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("calls_wait_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("parts_in", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("parts_out", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("parts_internal", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("talk_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("hold_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("wrap_up_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("calls_missed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("arrived_in", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("arrived_out", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("offers_accepted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("offers_declined", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("offers_no_answer", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("offers_device_lost", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("offers_setup_failed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("offers_customer_left", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("offers_withdrawn", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("first_answers", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("first_answer_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("first_answers_business", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("first_answer_business_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("resolved", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("resolved_first", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("resolved_first_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("resolved_full", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("resolved_full_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("resolved_handling", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("resolved_handling_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reopened_1", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reopened_2", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reopened_3", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reopened_5", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reopened_7", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reopened_10", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reopened_14", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reopened_21", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reopened_30", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("resolved_known", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("repeated_1", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("repeated_2", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("repeated_3", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("repeated_5", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("repeated_7", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("repeated_10", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("repeated_14", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("repeated_21", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("repeated_30", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("csat_sent", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("csat_returned", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("csat", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("csat_sum", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("csat_top", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("nps_sent", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("nps_returned", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("nps", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("nps_promoters", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("nps_detractors", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("ces_sent", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("ces_returned", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("ces", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("ces_sum", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("staffed_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("available_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("work_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("away_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("not_responding_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("load_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("capacity_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("grain", "dim", "start", "dim_id", name=op.f("pk_kpi_cell")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("kpi_cell", schema=None) as batch_op:
        batch_op.create_index("ix_kpi_cell_dim_id", ["grain", "dim", "dim_id", "start"], unique=False)

    op.create_table(
        "kpi_sketch",
        sa.Column("grain", sa.Text(), nullable=False),
        sa.Column("dim", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("start", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("dim_id", sa.Text(), nullable=False),
        sa.Column("bins", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("grain", "dim", "name", "start", "dim_id", name=op.f("pk_kpi_sketch")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("kpi_sketch", schema=None) as batch_op:
        batch_op.create_index("ix_kpi_sketch_dim_id", ["grain", "dim", "name", "dim_id", "start"], unique=False)

    with op.batch_alter_table("fact_call_segment", schema=None) as batch_op:
        batch_op.add_column(sa.Column("is_consult", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.create_index("ix_fact_call_segment_call_id", ["call_id"], unique=False)

    with op.batch_alter_table("fact_resolution", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reopened_at", INSTANT, nullable=True))
        batch_op.add_column(sa.Column("repeated_at", INSTANT, nullable=True))
        batch_op.add_column(sa.Column("is_superseded", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.create_index("ix_fact_resolution_conversation_id", ["conversation_id"], unique=False)
        batch_op.create_index("ix_fact_resolution_queue_id_resolved_at", ["queue_id", "resolved_at"], unique=False)
        batch_op.create_index(
            "ix_fact_resolution_customer_id_resolved_at", ["customer_id", "resolved_at"], unique=False
        )

    with op.batch_alter_table("fact_segment", schema=None) as batch_op:
        batch_op.create_index("ix_fact_segment_conversation_id", ["conversation_id"], unique=False)
        batch_op.create_index("ix_fact_segment_queue_id_ended_at", ["queue_id", "ended_at"], unique=False)

    with op.batch_alter_table("fact_response", schema=None) as batch_op:
        batch_op.create_index("ix_fact_response_queue_id_answered_at", ["queue_id", "answered_at"], unique=False)

    with op.batch_alter_table("fact_queue_visit", schema=None) as batch_op:
        batch_op.create_index("ix_fact_queue_visit_queue_id_queued_at", ["queue_id", "queued_at"], unique=False)

    with op.batch_alter_table("conversation", schema=None) as batch_op:
        batch_op.create_index(
            "ix_conversation_visit_since",
            ["visit_queue_id", "visit_since"],
            unique=False,
            sqlite_where=sa.text("visit_since IS NOT NULL"),
            postgresql_where=sa.text("visit_since IS NOT NULL"),
        )


def downgrade() -> None:
    with op.batch_alter_table("conversation", schema=None) as batch_op:
        batch_op.drop_index("ix_conversation_visit_since")

    with op.batch_alter_table("fact_queue_visit", schema=None) as batch_op:
        batch_op.drop_index("ix_fact_queue_visit_queue_id_queued_at")

    with op.batch_alter_table("fact_response", schema=None) as batch_op:
        batch_op.drop_index("ix_fact_response_queue_id_answered_at")

    with op.batch_alter_table("fact_segment", schema=None) as batch_op:
        batch_op.drop_index("ix_fact_segment_queue_id_ended_at")
        batch_op.drop_index("ix_fact_segment_conversation_id")

    with op.batch_alter_table("fact_resolution", schema=None) as batch_op:
        batch_op.drop_index("ix_fact_resolution_queue_id_resolved_at")
        batch_op.drop_index("ix_fact_resolution_customer_id_resolved_at")
        batch_op.drop_index("ix_fact_resolution_conversation_id")
        batch_op.drop_column("is_superseded")
        batch_op.drop_column("repeated_at")
        batch_op.drop_column("reopened_at")

    with op.batch_alter_table("fact_call_segment", schema=None) as batch_op:
        batch_op.drop_index("ix_fact_call_segment_call_id")
        batch_op.drop_column("is_consult")

    with op.batch_alter_table("kpi_sketch", schema=None) as batch_op:
        batch_op.drop_index("ix_kpi_sketch_dim_id")

    op.drop_table("kpi_sketch")
    with op.batch_alter_table("kpi_cell", schema=None) as batch_op:
        batch_op.drop_index("ix_kpi_cell_dim_id")

    op.drop_table("kpi_cell")
