"""Add surveys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
# Only INTEGER may be an automatic primary key on SQLite.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "survey_setting",
        sa.Column("queue_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("questions", sa.JSON(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("channels", sa.JSON(), nullable=False),
        sa.Column("delay_s", sa.Integer(), nullable=False),
        sa.Column("throttle_days", sa.Integer(), nullable=False),
        sa.Column("open_h", sa.Integer(), nullable=False),
        sa.Column("low_score", sa.Integer(), nullable=True),
        sa.Column("told", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("scores_for_agents", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("kind IN ('csat', 'nps', 'ces')", name=op.f("ck_survey_setting_kind_is_known")),
        sa.CheckConstraint(
            "scores_for_agents IN ('own', 'all')", name=op.f("ck_survey_setting_scores_for_agents_is_known")
        ),
        sa.CheckConstraint(
            "delay_s >= 0 AND throttle_days >= 0 AND open_h > 0", name=op.f("ck_survey_setting_times_are_sane")
        ),
        sa.ForeignKeyConstraint(
            ["queue_id"], ["queue.id"], name=op.f("fk_survey_setting_queue_id_queue"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("queue_id", name=op.f("pk_survey_setting")),
    )
    op.create_table(
        "survey",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("conversation_id", BIG_ID, nullable=False),
        sa.Column("resolved_entry_id", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=True),
        sa.Column("answer_entry_id", sa.BigInteger(), nullable=True),
        sa.Column("customer_id", BIG_ID, nullable=False),
        sa.Column("queue_id", BIG_ID, nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.BigInteger(), nullable=True),
        sa.Column("topic_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), server_default="en", nullable=False),
        sa.Column("resolved_at", INSTANT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("dropped", sa.Text(), nullable=True),
        sa.Column("sent_at", INSTANT, nullable=True),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("answered_at", INSTANT, nullable=True),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.Column("is_low", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("follow_up", sa.Text(), nullable=True),
        sa.Column("followed_up_by", sa.BigInteger(), nullable=True),
        sa.Column("followed_up_at", INSTANT, nullable=True),
        sa.CheckConstraint("(state = 'answered') = (score IS NOT NULL)", name=op.f("ck_survey_answered_has_a_score")),
        sa.CheckConstraint("kind IN ('csat', 'nps', 'ces')", name=op.f("ck_survey_kind_is_known")),
        sa.CheckConstraint(
            "state IN ('planned', 'dropped') OR sent_at IS NOT NULL", name=op.f("ck_survey_asked_was_sent")
        ),
        sa.CheckConstraint(
            "state IN ('planned', 'sent', 'answered', 'dropped')", name=op.f("ck_survey_state_is_known")
        ),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name=op.f("fk_survey_channel_id_channel")),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversation.id"],
            name=op.f("fk_survey_conversation_id_conversation"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_survey_customer_id_customer")),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_survey_queue_id_queue")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey")),
        sa.UniqueConstraint("resolved_entry_id", name=op.f("uq_survey_resolved_entry_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("survey", schema=None) as batch_op:
        batch_op.create_index("ix_survey_answered_at", ["answered_at", "id"], unique=False)
        batch_op.create_index("ix_survey_conversation_id", ["conversation_id"], unique=False)
        batch_op.create_index("ix_survey_customer_id_sent_at", ["customer_id", "sent_at"], unique=False)
        batch_op.create_index("ix_survey_entry_id", ["entry_id"], unique=False)
        batch_op.create_index(
            "ix_survey_planned",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("state = 'planned'"),
            postgresql_where=sa.text("state = 'planned'"),
        )

    with op.batch_alter_table("entry", schema=None) as batch_op:
        batch_op.add_column(sa.Column("private_to", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("entry", schema=None) as batch_op:
        batch_op.drop_column("private_to")

    with op.batch_alter_table("survey", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_survey_planned",
            sqlite_where=sa.text("state = 'planned'"),
            postgresql_where=sa.text("state = 'planned'"),
        )
        batch_op.drop_index("ix_survey_entry_id")
        batch_op.drop_index("ix_survey_customer_id_sent_at")
        batch_op.drop_index("ix_survey_conversation_id")
        batch_op.drop_index("ix_survey_answered_at")

    op.drop_table("survey")
    op.drop_table("survey_setting")
