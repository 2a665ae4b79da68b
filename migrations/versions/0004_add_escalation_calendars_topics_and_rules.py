"""Add escalation, calendars, topics and rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
# Only INTEGER may be an automatic primary key on SQLite.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "calendar",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar")),
        sa.UniqueConstraint("name", name=op.f("uq_calendar_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "escalation_policy",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_escalation_policy")),
        sa.UniqueConstraint("name", name=op.f("uq_escalation_policy_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "calendar_version",
        sa.Column("calendar_id", BIG_ID, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["calendar_id"], ["calendar.id"], name=op.f("fk_calendar_version_calendar_id_calendar"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("calendar_id", "version", name=op.f("pk_calendar_version")),
    )
    op.create_table(
        "escalation_policy_version",
        sa.Column("policy_id", BIG_ID, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["policy_id"],
            ["escalation_policy.id"],
            name=op.f("fk_escalation_policy_version_policy_id_escalation_policy"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("policy_id", "version", name=op.f("pk_escalation_policy_version")),
    )
    op.create_table(
        "rule_set",
        sa.Column("version", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("created_by", BIG_ID, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("activated_at", INSTANT, nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint("mode IN ('first', 'all')", name=op.f("ck_rule_set_mode_is_known")),
        sa.ForeignKeyConstraint(["created_by"], ["user_account.id"], name=op.f("fk_rule_set_created_by_user_account")),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_rule_set")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_rule_set_one_is_active",
        "rule_set",
        ["active"],
        unique=True,
        sqlite_where=sa.text("active"),
        postgresql_where=sa.text("active"),
    )

    op.create_table(
        "topic",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folded_name", sa.Text(), nullable=False),
        sa.Column("is_complaint", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("queue_id", BIG_ID, nullable=True),
        sa.Column("owner_id", BIG_ID, nullable=True),
        sa.Column("policy_id", BIG_ID, nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["user_account.id"], name=op.f("fk_topic_owner_id_user_account")),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["escalation_policy.id"], name=op.f("fk_topic_policy_id_escalation_policy")
        ),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_topic_queue_id_queue")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_topic")),
        sa.UniqueConstraint("folded_name", name=op.f("uq_topic_folded_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "alert",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("conversation_id", BIG_ID, nullable=True),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("level IN ('notify', 'page')", name=op.f("ck_alert_level_is_known")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name=op.f("fk_alert_conversation_id_conversation")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_alert_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alert_conversation_id", "alert", ["conversation_id"])
    op.create_index(
        "ix_alert_unseen",
        "alert",
        ["user_id", "id"],
        unique=False,
        sqlite_where=sa.text("seen_at IS NULL"),
        postgresql_where=sa.text("seen_at IS NULL"),
    )

    op.create_table(
        "callback",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("conversation_id", BIG_ID, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("by_visitor", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("requested_at", INSTANT, nullable=False),
        sa.Column("place_since", INSTANT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_attempt_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (state IN ('waiting', 'calling'))", name=op.f("ck_callback_live_has_not_ended")
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'calling', 'reached', 'given_up', 'cancelled')",
            name=op.f("ck_callback_state_is_known"),
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name=op.f("fk_callback_conversation_id_conversation")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callback")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_callback_one_live_per_conversation",
        "callback",
        ["conversation_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "ix_callback_live_address",
        "callback",
        ["address"],
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )

    op.create_table(
        "escalation_fired",
        sa.Column("conversation_id", BIG_ID, nullable=False),
        sa.Column("policy_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("step_id", sa.Text(), nullable=False),
        sa.Column("clock", sa.Text(), nullable=False),
        sa.Column("run", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("fired_at", INSTANT, nullable=False),
        sa.Column("is_over", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversation.id"],
            name=op.f("fk_escalation_fired_conversation_id_conversation"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "conversation_id", "policy_id", "step_id", "clock", "run", name=op.f("pk_escalation_fired")
        ),
    )
    op.create_table(
        "escalation_run",
        sa.Column("conversation_id", BIG_ID, nullable=False),
        sa.Column("clock", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("stopped_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversation.id"],
            name=op.f("fk_escalation_run_conversation_id_conversation"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("conversation_id", "clock", "number", name=op.f("pk_escalation_run")),
    )
    op.create_table(
        "escalation_segment",
        sa.Column("conversation_id", BIG_ID, nullable=False),
        sa.Column("start", INSTANT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("calendar_id", sa.BigInteger(), nullable=True),
        sa.Column("calendar_version", sa.Integer(), nullable=True),
        sa.Column("policy_id", sa.BigInteger(), nullable=True),
        sa.Column("policy_version", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversation.id"],
            name=op.f("fk_escalation_segment_conversation_id_conversation"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("conversation_id", "start", name=op.f("pk_escalation_segment")),
    )
    op.create_table(
        "wait_estimate",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("conversation_id", BIG_ID, nullable=False),
        sa.Column("queue_id", BIG_ID, nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("ewt_s", sa.Float(), nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("waited_s", sa.Float(), nullable=True),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (end_reason IS NULL)", name=op.f("ck_wait_estimate_ended_has_a_reason")
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name=op.f("fk_wait_estimate_conversation_id_conversation")
        ),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_wait_estimate_queue_id_queue")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wait_estimate")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_wait_estimate_queue_id_ended_at", "wait_estimate", ["queue_id", "ended_at"])
    op.create_index(
        "uq_wait_estimate_one_live_per_conversation",
        "wait_estimate",
        ["conversation_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )

    op.add_column("agent", sa.Column("weights", sa.JSON(none_as_null=True), nullable=True))

    op.add_column("assignment", sa.Column("connect_by", INSTANT, nullable=True))
    op.add_column("assignment", sa.Column("connected_at", INSTANT, nullable=True))
    op.add_column("assignment", sa.Column("queued_since", INSTANT, nullable=True))
    connecting = sa.text("connect_by IS NOT NULL AND connected_at IS NULL AND ended_at IS NULL")
    op.create_index(
        "ix_assignment_connecting",
        "assignment",
        ["connect_by"],
        unique=False,
        sqlite_where=connecting,
        postgresql_where=connecting,
    )
    misses = sa.text("outcome IN ('declined', 'no_answer', 'setup_failed')")
    op.drop_index("ix_offer_misses", "offer")
    op.create_index(
        "ix_offer_misses", "offer", ["ended_at"], unique=False, sqlite_where=misses, postgresql_where=misses
    )

    op.add_column("conversation", sa.Column("topic_id", BIG_ID, nullable=True))
    op.add_column("conversation", sa.Column("tags", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("conversation", sa.Column("required", sa.Text(), server_default="", nullable=False))
    op.add_column("conversation", sa.Column("lowered", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("conversation", sa.Column("parked_until", INSTANT, nullable=True))
    op.add_column("conversation", sa.Column("next_step_at", INSTANT, nullable=True))
    op.add_column("conversation", sa.Column("escalated", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("conversation", sa.Column("callback", sa.JSON(none_as_null=True), nullable=True))
    op.create_index(
        "ix_conversation_next_step_at",
        "conversation",
        ["next_step_at"],
        unique=False,
        sqlite_where=sa.text("next_step_at IS NOT NULL"),
        postgresql_where=sa.text("next_step_at IS NOT NULL"),
    )
    op.create_index(
        "ix_conversation_waiting_for_others",
        "conversation",
        ["queue_id", "required", "lowered"],
        unique=False,
        sqlite_where=sa.text("queued_since IS NOT NULL AND (required <> '' OR lowered <> 0)"),
        postgresql_where=sa.text("queued_since IS NOT NULL AND (required <> '' OR lowered <> 0)"),
    )
    op.create_index(
        "ix_conversation_parked_until",
        "conversation",
        ["parked_until"],
        unique=False,
        sqlite_where=sa.text("parked_until IS NOT NULL"),
        postgresql_where=sa.text("parked_until IS NOT NULL"),
    )

    op.add_column("customer", sa.Column("owner_id", BIG_ID, nullable=True))

    op.add_column("organisation", sa.Column("routing", sa.JSON(none_as_null=True), nullable=True))

    op.add_column("queue", sa.Column("owner_wish_s", sa.Integer(), nullable=True))
    op.add_column("queue", sa.Column("auto_accept", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("queue", sa.Column("connect_timeout_s", sa.Integer(), server_default=sa.text("30"), nullable=False))
    op.add_column("queue", sa.Column("calendar_id", BIG_ID, nullable=True))
    op.add_column("queue", sa.Column("policy_id", BIG_ID, nullable=True))
    op.add_column("queue", sa.Column("tells_place", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("queue", sa.Column("offers_callback", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("queue", sa.Column("callback_gap_s", sa.Integer(), server_default=sa.text("900"), nullable=False))
    op.add_column("queue", sa.Column("callback_attempts", sa.Integer(), server_default=sa.text("3"), nullable=False))
    op.add_column("queue", sa.Column("ewt_s", sa.Float(), nullable=True))
    op.add_column("queue", sa.Column("ewt_error_s", sa.Float(), nullable=True))
    op.add_column("queue", sa.Column("ewt_samples", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("queue", sa.Column("ewt_version", sa.Integer(), server_default=sa.text("0"), nullable=False))

    op.add_column("queue_member", sa.Column("rank", sa.Integer(), server_default=sa.text("0"), nullable=False))


def downgrade() -> None:
    op.drop_column("queue_member", "rank")

    op.drop_column("queue", "ewt_version")
    op.drop_column("queue", "ewt_samples")
    op.drop_column("queue", "ewt_error_s")
    op.drop_column("queue", "ewt_s")
    op.drop_column("queue", "callback_attempts")
    op.drop_column("queue", "callback_gap_s")
    op.drop_column("queue", "offers_callback")
    op.drop_column("queue", "tells_place")
    op.drop_column("queue", "policy_id")
    op.drop_column("queue", "calendar_id")
    op.drop_column("queue", "connect_timeout_s")
    op.drop_column("queue", "auto_accept")
    op.drop_column("queue", "owner_wish_s")

    op.drop_column("organisation", "routing")

    op.drop_column("customer", "owner_id")

    op.drop_index("ix_conversation_parked_until", "conversation")
    op.drop_index("ix_conversation_waiting_for_others", "conversation")
    op.drop_index("ix_conversation_next_step_at", "conversation")
    op.drop_column("conversation", "callback")
    op.drop_column("conversation", "escalated")
    op.drop_column("conversation", "next_step_at")
    op.drop_column("conversation", "parked_until")
    op.drop_column("conversation", "lowered")
    op.drop_column("conversation", "required")
    op.drop_column("conversation", "tags")
    op.drop_column("conversation", "topic_id")

    misses = sa.text("outcome IN ('declined', 'no_answer')")
    op.drop_index("ix_offer_misses", "offer")
    op.create_index(
        "ix_offer_misses", "offer", ["ended_at"], unique=False, sqlite_where=misses, postgresql_where=misses
    )
    op.drop_index("ix_assignment_connecting", "assignment")
    op.drop_column("assignment", "queued_since")
    op.drop_column("assignment", "connected_at")
    op.drop_column("assignment", "connect_by")

    op.drop_column("agent", "weights")

    op.drop_table("wait_estimate")
    op.drop_table("escalation_segment")
    op.drop_table("escalation_run")
    op.drop_table("escalation_fired")

    op.drop_table("callback")

    op.drop_table("alert")
    op.drop_table("topic")

    op.drop_table("rule_set")
    op.drop_table("escalation_policy_version")
    op.drop_table("calendar_version")
    op.drop_table("escalation_policy")
    op.drop_table("calendar")
