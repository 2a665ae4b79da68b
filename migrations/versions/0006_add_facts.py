"""Add facts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
# Only INTEGER may be an automatic primary key on SQLite.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "fact_agent_state",
        sa.Column("agent_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("load", sa.Integer(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("work_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("agent_id", "since", name=op.f("pk_fact_agent_state")),
    )
    with op.batch_alter_table("fact_agent_state", schema=None) as batch_op:
        batch_op.create_index("ix_fact_agent_state_agent_id_until", ["agent_id", "until"], unique=False)
        batch_op.create_index("ix_fact_agent_state_until", ["until"], unique=False)

    op.create_table(
        "fact_contact",
        sa.Column("conversation_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("episode", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("queue_id", sa.BigInteger(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("arrived_at", INSTANT, nullable=False),
        sa.Column("by_call", sa.Boolean(), nullable=False),
        sa.Column("reopened_by", sa.Text(), nullable=True),
        sa.Column("topic_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("conversation_id", "episode", name=op.f("pk_fact_contact")),
    )
    with op.batch_alter_table("fact_contact", schema=None) as batch_op:
        batch_op.create_index("ix_fact_contact_arrived_at", ["arrived_at"], unique=False)
        batch_op.create_index("ix_fact_contact_customer_id_arrived_at", ["customer_id", "arrived_at"], unique=False)
        batch_op.create_index("ix_fact_contact_queue_id_arrived_at", ["queue_id", "arrived_at"], unique=False)

    op.create_table(
        "fact_customer_joined",
        sa.Column("customer_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("into_id", sa.BigInteger(), nullable=False),
        sa.Column("joined_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_fact_customer_joined")),
    )
    op.create_index("ix_fact_customer_joined_into_id", "fact_customer_joined", ["into_id"], unique=False)

    op.create_table(
        "fact_offer",
        sa.Column("offer_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("agent_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("queue_id", sa.BigInteger(), nullable=False),
        sa.Column("offered_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("call_id", sa.BigInteger(), nullable=True),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("topic_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("offer_id", name=op.f("pk_fact_offer")),
    )
    with op.batch_alter_table("fact_offer", schema=None) as batch_op:
        batch_op.create_index("ix_fact_offer_agent_id_ended_at", ["agent_id", "ended_at"], unique=False)
        batch_op.create_index("ix_fact_offer_ended_at", ["ended_at"], unique=False)
        batch_op.create_index("ix_fact_offer_queue_id_ended_at", ["queue_id", "ended_at"], unique=False)

    op.create_table(
        "fact_queue_visit",
        sa.Column("conversation_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("visit", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("queue_id", sa.BigInteger(), nullable=False),
        sa.Column("arrived_at", INSTANT, nullable=False),
        sa.Column("waiting_since", INSTANT, nullable=False),
        sa.Column("queued_at", INSTANT, nullable=False),
        sa.Column("removed_at", INSTANT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.BigInteger(), nullable=True),
        sa.Column("call_id", sa.BigInteger(), nullable=True),
        sa.Column("topic_id", sa.BigInteger(), nullable=True),
        sa.Column("is_first", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.PrimaryKeyConstraint("conversation_id", "visit", name=op.f("pk_fact_queue_visit")),
    )
    with op.batch_alter_table("fact_queue_visit", schema=None) as batch_op:
        batch_op.create_index("ix_fact_queue_visit_agent_id_removed_at", ["agent_id", "removed_at"], unique=False)
        batch_op.create_index("ix_fact_queue_visit_queue_id_removed_at", ["queue_id", "removed_at"], unique=False)
        batch_op.create_index("ix_fact_queue_visit_removed_at", ["removed_at"], unique=False)

    op.create_table(
        "fact_survey",
        sa.Column("survey_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("survey", sa.Text(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("queue_id", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", INSTANT, nullable=False),
        sa.Column("answered_at", INSTANT, nullable=False),
        sa.Column("agent_id", sa.BigInteger(), nullable=True),
        sa.Column("topic_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("survey_id", name=op.f("pk_fact_survey")),
    )
    with op.batch_alter_table("fact_survey", schema=None) as batch_op:
        batch_op.create_index("ix_fact_survey_agent_id_answered_at", ["agent_id", "answered_at"], unique=False)
        batch_op.create_index("ix_fact_survey_answered_at", ["answered_at"], unique=False)

    op.create_table(
        "fact_survey_sent",
        sa.Column("survey_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("survey", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("queue_id", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", INSTANT, nullable=False),
        sa.Column("agent_id", sa.BigInteger(), nullable=True),
        sa.Column("topic_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("survey_id", name=op.f("pk_fact_survey_sent")),
    )
    with op.batch_alter_table("fact_survey_sent", schema=None) as batch_op:
        batch_op.create_index("ix_fact_survey_sent_agent_id_sent_at", ["agent_id", "sent_at"], unique=False)
        batch_op.create_index("ix_fact_survey_sent_sent_at", ["sent_at"], unique=False)

    with op.batch_alter_table("fact_call", schema=None) as batch_op:
        batch_op.add_column(sa.Column("topic_id", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("customer_id", sa.BigInteger(), nullable=True))
        batch_op.create_index("ix_fact_call_ended_at", ["ended_at"], unique=False)

    with op.batch_alter_table("fact_call_missed", schema=None) as batch_op:
        batch_op.add_column(sa.Column("topic_id", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("customer_id", sa.BigInteger(), nullable=True))
        batch_op.create_index("ix_fact_call_missed_ended_at", ["ended_at"], unique=False)

    with op.batch_alter_table("fact_call_segment", schema=None) as batch_op:
        batch_op.add_column(sa.Column("topic_id", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("customer_id", sa.BigInteger(), nullable=True))
        batch_op.create_index("ix_fact_call_segment_ended_at", ["ended_at"], unique=False)

    with op.batch_alter_table("fact_resolution", schema=None) as batch_op:
        batch_op.add_column(sa.Column("topic_id", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("customer_id", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("arrived_at", INSTANT, nullable=True))
        batch_op.add_column(sa.Column("business_s", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("handling_s", sa.Float(), nullable=True))
        batch_op.create_index("ix_fact_resolution_resolved_at", ["resolved_at"], unique=False)

    with op.batch_alter_table("fact_response", schema=None) as batch_op:
        batch_op.add_column(sa.Column("topic_id", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("customer_id", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("business_s", sa.Float(), nullable=True))
        batch_op.create_index("ix_fact_response_answered_at", ["answered_at"], unique=False)

    with op.batch_alter_table("fact_segment", schema=None) as batch_op:
        batch_op.add_column(sa.Column("topic_id", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("customer_id", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("call_id", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("put_aside", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("weighted_s", sa.Float(), nullable=True))
        batch_op.create_index("ix_fact_segment_ended_at", ["ended_at"], unique=False)

    # What goes on, of which facts are told when it ends.
    op.add_column("conversation", sa.Column("arrived_at", INSTANT, nullable=True))
    op.add_column("conversation", sa.Column("visit", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("conversation", sa.Column("visit_queue_id", BIG_ID, nullable=True))
    op.add_column("conversation", sa.Column("visit_since", INSTANT, nullable=True))
    op.add_column("conversation", sa.Column("visit_age", INSTANT, nullable=True))
    op.add_column("conversation", sa.Column("waited_s", sa.Float(), server_default=sa.text("0"), nullable=False))
    op.add_column("assignment", sa.Column("put_aside", sa.JSON(), nullable=True))
    op.add_column("agent", sa.Column("spell_since", INSTANT, nullable=True))
    op.add_column("agent", sa.Column("spell_state", sa.Text(), nullable=True))
    op.add_column("agent", sa.Column("spell_reason", sa.Text(), nullable=True))
    op.add_column("agent", sa.Column("spell_load", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("agent", sa.Column("spell_capacity", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("agent", sa.Column("spell_work_count", sa.Integer(), server_default=sa.text("0"), nullable=False))
    # What waits at this moment is on its first visit; callers do not outlast a migration.
    op.execute(
        "UPDATE conversation SET visit = 1, visit_queue_id = queue_id, visit_since = queued_since, visit_age = queued_since"
        " WHERE queued_since IS NOT NULL AND callback IS NULL"
        " AND channel_id IN (SELECT id FROM channel WHERE kind <> 'phone')"
    )


def downgrade() -> None:
    for name in ("work_count", "capacity", "load", "reason", "state", "since"):
        op.drop_column("agent", f"spell_{name}")
    op.drop_column("assignment", "put_aside")
    for name in ("waited_s", "visit_age", "visit_since", "visit_queue_id", "visit", "arrived_at"):
        op.drop_column("conversation", name)
    with op.batch_alter_table("fact_segment", schema=None) as batch_op:
        batch_op.drop_index("ix_fact_segment_ended_at")
        batch_op.drop_column("weighted_s")
        batch_op.drop_column("put_aside")
        batch_op.drop_column("call_id")
        batch_op.drop_column("customer_id")
        batch_op.drop_column("topic_id")

    with op.batch_alter_table("fact_response", schema=None) as batch_op:
        batch_op.drop_index("ix_fact_response_answered_at")
        batch_op.drop_column("business_s")
        batch_op.drop_column("customer_id")
        batch_op.drop_column("topic_id")

    with op.batch_alter_table("fact_resolution", schema=None) as batch_op:
        batch_op.drop_index("ix_fact_resolution_resolved_at")
        batch_op.drop_column("handling_s")
        batch_op.drop_column("business_s")
        batch_op.drop_column("arrived_at")
        batch_op.drop_column("customer_id")
        batch_op.drop_column("topic_id")

    with op.batch_alter_table("fact_call_segment", schema=None) as batch_op:
        batch_op.drop_index("ix_fact_call_segment_ended_at")
        batch_op.drop_column("customer_id")
        batch_op.drop_column("topic_id")

    with op.batch_alter_table("fact_call_missed", schema=None) as batch_op:
        batch_op.drop_index("ix_fact_call_missed_ended_at")
        batch_op.drop_column("customer_id")
        batch_op.drop_column("topic_id")

    with op.batch_alter_table("fact_call", schema=None) as batch_op:
        batch_op.drop_index("ix_fact_call_ended_at")
        batch_op.drop_column("customer_id")
        batch_op.drop_column("topic_id")

    with op.batch_alter_table("fact_survey_sent", schema=None) as batch_op:
        batch_op.drop_index("ix_fact_survey_sent_sent_at")
        batch_op.drop_index("ix_fact_survey_sent_agent_id_sent_at")

    op.drop_table("fact_survey_sent")
    with op.batch_alter_table("fact_survey", schema=None) as batch_op:
        batch_op.drop_index("ix_fact_survey_answered_at")
        batch_op.drop_index("ix_fact_survey_agent_id_answered_at")

    op.drop_table("fact_survey")
    with op.batch_alter_table("fact_queue_visit", schema=None) as batch_op:
        batch_op.drop_index("ix_fact_queue_visit_removed_at")
        batch_op.drop_index("ix_fact_queue_visit_queue_id_removed_at")
        batch_op.drop_index("ix_fact_queue_visit_agent_id_removed_at")

    op.drop_table("fact_queue_visit")
    op.drop_index("ix_fact_customer_joined_into_id", table_name="fact_customer_joined")
    op.drop_table("fact_customer_joined")
    with op.batch_alter_table("fact_offer", schema=None) as batch_op:
        batch_op.drop_index("ix_fact_offer_queue_id_ended_at")
        batch_op.drop_index("ix_fact_offer_ended_at")
        batch_op.drop_index("ix_fact_offer_agent_id_ended_at")

    op.drop_table("fact_offer")
    with op.batch_alter_table("fact_contact", schema=None) as batch_op:
        batch_op.drop_index("ix_fact_contact_queue_id_arrived_at")
        batch_op.drop_index("ix_fact_contact_customer_id_arrived_at")
        batch_op.drop_index("ix_fact_contact_arrived_at")

    op.drop_table("fact_contact")
    with op.batch_alter_table("fact_agent_state", schema=None) as batch_op:
        batch_op.drop_index("ix_fact_agent_state_until")
        batch_op.drop_index("ix_fact_agent_state_agent_id_until")

    op.drop_table("fact_agent_state")
