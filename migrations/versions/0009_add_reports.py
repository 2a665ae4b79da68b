"""Add reports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
# Only INTEGER may be an automatic primary key on SQLite.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "report_schedule",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner_id", BIG_ID, nullable=False),
        sa.Column("query", sa.JSON(), nullable=False),
        sa.Column("every", sa.Text(), nullable=False),
        sa.Column("weekday", sa.Integer(), nullable=True),
        sa.Column("day", sa.Integer(), nullable=True),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("recipient_ids", sa.JSON(), nullable=False),
        sa.Column("addresses", sa.JSON(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("next_at", INSTANT, nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("every IN ('day', 'week', 'month')", name=op.f("ck_report_schedule_every_is_known")),
        sa.CheckConstraint("day IS NULL OR day BETWEEN 1 AND 31", name=op.f("ck_report_schedule_day_is_1_to_31")),
        sa.CheckConstraint(
            "weekday IS NULL OR weekday BETWEEN 1 AND 7", name=op.f("ck_report_schedule_weekday_is_1_to_7")
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["user_account.id"], name=op.f("fk_report_schedule_owner_id_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_schedule")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("report_schedule", schema=None) as batch_op:
        batch_op.create_index("ix_report_schedule_next_at", ["next_at"], unique=False)

    op.create_table(
        "report_run",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("schedule_id", BIG_ID, nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("is_manual", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'sent', 'failed')", name=op.f("ck_report_run_state_is_known")),
        sa.ForeignKeyConstraint(
            ["schedule_id"],
            ["report_schedule.id"],
            name=op.f("fk_report_run_schedule_id_report_schedule"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_run")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("report_run", schema=None) as batch_op:
        batch_op.create_index("ix_report_run_schedule_id", ["schedule_id", "id"], unique=False)
        batch_op.create_index(
            "uq_report_run_once_for_each_due_time",
            ["schedule_id", "due_at"],
            unique=True,
            sqlite_where=sa.text("NOT is_manual"),
            postgresql_where=sa.text("NOT is_manual"),
        )

    op.create_table(
        "report_mail",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("run_id", BIG_ID, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_attempt_at", INSTANT, nullable=True),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'leased', 'sent', 'failed')", name=op.f("ck_report_mail_state_is_known")
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["report_run.id"], name=op.f("fk_report_mail_run_id_report_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_mail")),
        sa.UniqueConstraint("delivery_id", name=op.f("uq_report_mail_delivery_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("report_mail", schema=None) as batch_op:
        batch_op.create_index("ix_report_mail_run_id", ["run_id"], unique=False)
        batch_op.create_index(
            "ix_report_mail_unfinished",
            ["next_attempt_at"],
            unique=False,
            sqlite_where=sa.text("state IN ('waiting', 'leased')"),
            postgresql_where=sa.text("state IN ('waiting', 'leased')"),
        )


def downgrade() -> None:
    with op.batch_alter_table("report_mail", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_report_mail_unfinished",
            sqlite_where=sa.text("state IN ('waiting', 'leased')"),
            postgresql_where=sa.text("state IN ('waiting', 'leased')"),
        )
        batch_op.drop_index("ix_report_mail_run_id")

    op.drop_table("report_mail")
    with op.batch_alter_table("report_run", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_report_run_once_for_each_due_time",
            sqlite_where=sa.text("NOT is_manual"),
            postgresql_where=sa.text("NOT is_manual"),
        )
        batch_op.drop_index("ix_report_run_schedule_id")

    op.drop_table("report_run")
    with op.batch_alter_table("report_schedule", schema=None) as batch_op:
        batch_op.drop_index("ix_report_schedule_next_at")

    op.drop_table("report_schedule")
