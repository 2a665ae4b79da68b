"""The tables of the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
# Only INTEGER may be an automatic primary key on SQLite.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "arrival",
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("channel_id", "provider_id", name=op.f("pk_arrival")),
    )
    op.create_index("ix_arrival_received_at", "arrival", ["received_at"], unique=False)
    op.create_table(
        "customer",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("merged_into", BIG_ID, nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["merged_into"], ["customer.id"], name=op.f("fk_customer_merged_into_customer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "event",
        sa.Column("seq", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("topics", sa.Text(), nullable=False),
        sa.Column("unless", sa.Text(), server_default="", nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_event")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "fact_resolution",
        sa.Column("entry_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("agent_id", sa.BigInteger(), nullable=True),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("queue_id", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("resolved_at", INSTANT, nullable=False),
        sa.Column("wall_s", sa.Float(), nullable=False),
        sa.Column("reopened_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_fact_resolution")),
    )
    op.create_index(
        "ix_fact_resolution_agent_id_resolved_at", "fact_resolution", ["agent_id", "resolved_at"], unique=False
    )
    op.create_table(
        "fact_response",
        sa.Column("entry_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("agent_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("queue_id", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("answered_at", INSTANT, nullable=False),
        sa.Column("wall_s", sa.Float(), nullable=False),
        sa.Column("is_first", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_fact_response")),
    )
    op.create_index("ix_fact_response_agent_id_answered_at", "fact_response", ["agent_id", "answered_at"], unique=False)
    op.create_table(
        "fact_segment",
        sa.Column("assignment_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("agent_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("queue_id", sa.BigInteger(), nullable=False),
        sa.Column("connected_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("end_reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("assignment_id", name=op.f("pk_fact_segment")),
    )
    op.create_index("ix_fact_segment_agent_id_ended_at", "fact_segment", ["agent_id", "ended_at"], unique=False)
    op.create_table(
        "organisation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_organisation_only_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisation")),
    )
    op.create_table(
        "projection",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_projection")),
    )
    op.create_table(
        "queue",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("offer_timeout_s", sa.Integer(), server_default=sa.text("(20)"), nullable=False),
        sa.Column("exclusion_s", sa.Integer(), server_default=sa.text("(60)"), nullable=False),
        sa.Column("miss_limit", sa.Integer(), server_default=sa.text("3"), nullable=False),
        sa.Column("release_when_lost", sa.Text(), server_default="live", nullable=False),
        sa.Column("max_wait_s", sa.Integer(), server_default=sa.text("(3600)"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("release_when_lost IN ('live', 'all')", name=op.f("ck_queue_release_when_lost_is_known")),
        sa.CheckConstraint("offer_timeout_s BETWEEN 5 AND 900", name=op.f("ck_queue_offer_timeout_is_sane")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queue")),
        sa.UniqueConstraint("name", name=op.f("uq_queue_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "receipt",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=True),
        sa.Column("message_provider_id", sa.Text(), nullable=True),
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("applied", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipt")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_receipt_delivery_id", "receipt", ["delivery_id"], unique=False)
    op.create_table(
        "sign_in_failure",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sign_in_failure")),
    )
    op.create_table(
        "stream",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("pruned_to", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_stream_only_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stream")),
    )
    op.create_table(
        "user_account",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), server_default="en", nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("role IN ('agent', 'supervisor', 'admin')", name=op.f("ck_user_account_role_is_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_account")),
        sa.UniqueConstraint("email", name=op.f("uq_user_account_email")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "agent",
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("state", sa.Text(), server_default="offline", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("state_since", INSTANT, nullable=False),
        sa.Column("connected", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("gone_since", INSTANT, nullable=True),
        sa.Column("idle_since", INSTANT, nullable=False),
        sa.Column("capacity", sa.Integer(), server_default=sa.text("(100)"), nullable=False),
        sa.Column("missed_in_row", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "state IN ('offline', 'available', 'busy', 'away', 'not_responding')", name=op.f("ck_agent_state_is_known")
        ),
        sa.CheckConstraint("capacity >= 0", name=op.f("ck_agent_capacity_is_not_negative")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_agent_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_agent")),
    )
    op.create_table(
        "api_key",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("created_by", BIG_ID, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("last_used_at", INSTANT, nullable=True),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.CheckConstraint("role IN ('agent', 'supervisor', 'admin')", name=op.f("ck_api_key_role_is_known")),
        sa.ForeignKeyConstraint(["created_by"], ["user_account.id"], name=op.f("fk_api_key_created_by_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_key_token_hash")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "channel",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("queue_id", BIG_ID, nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=False),
        sa.Column("default_region", sa.Text(), nullable=True),
        sa.Column("reopen_window_s", sa.Integer(), server_default=sa.text("(259200)"), nullable=False),
        sa.Column("health", sa.Text(), server_default="ok", nullable=False),
        sa.Column("health_code", sa.Text(), nullable=True),
        sa.Column("health_detail", sa.Text(), nullable=True),
        sa.Column("health_since", INSTANT, nullable=False),
        sa.Column("paused_until", INSTANT, nullable=True),
        sa.Column("failures_in_row", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("health IN ('ok', 'degraded', 'down')", name=op.f("ck_channel_health_is_known")),
        sa.CheckConstraint(
            "kind IN ('sms', 'chat', 'email', 'phone', 'loopback')", name=op.f("ck_channel_kind_is_known")
        ),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_channel_queue_id_queue")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel")),
    )
    op.create_table(
        "connection",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("customer_id", BIG_ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_connection_customer_id_customer"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_connection_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connection")),
    )
    op.create_index("ix_connection_customer_id", "connection", ["customer_id"], unique=False)
    op.create_index("ix_connection_user_id", "connection", ["user_id"], unique=False)
    op.create_table(
        "contact_point",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("customer_id", BIG_ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("verified", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("opted_out_at", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "kind IN ('phone', 'email', 'chat', 'loopback')", name=op.f("ck_contact_point_kind_is_known")
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_contact_point_customer_id_customer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_point")),
        sa.UniqueConstraint("kind", "address", name="uq_contact_point_belongs_to_one_customer"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_contact_point_customer_id", "contact_point", ["customer_id"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("request_hash", sa.Text(), nullable=False),
        sa.Column("answer_id", sa.BigInteger(), nullable=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_idempotency_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotency")),
    )
    op.create_table(
        "queue_member",
        sa.Column("queue_id", BIG_ID, nullable=False),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["queue_id"], ["queue.id"], name=op.f("fk_queue_member_queue_id_queue"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_queue_member_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("queue_id", "user_id", name=op.f("pk_queue_member")),
    )
    op.create_index("ix_queue_member_user_id", "queue_member", ["user_id"], unique=False)
    op.create_table(
        "session",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("csrf_token", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_session_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_session")),
    )
    op.create_index("ix_session_user_id", "session", ["user_id"], unique=False)
    op.create_table(
        "conversation",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("customer_id", BIG_ID, nullable=False),
        sa.Column("contact_point_id", BIG_ID, nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("queue_id", BIG_ID, nullable=False),
        sa.Column("status", sa.Text(), server_default="open", nullable=False),
        sa.Column("assignee_id", BIG_ID, nullable=True),
        sa.Column("assigned_at", INSTANT, nullable=True),
        sa.Column("queued_since", INSTANT, nullable=True),
        sa.Column("unanswered_since", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("last_entry_at", INSTANT, nullable=False),
        sa.Column("resolved_at", INSTANT, nullable=True),
        sa.Column("reopened_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("priority", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("preview", sa.Text(), server_default="", nullable=False),
        sa.Column("preview_direction", sa.Text(), server_default="in", nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "status = 'open' OR (assignee_id IS NULL AND queued_since IS NULL)",
            name=op.f("ck_conversation_resolved_is_nobodys"),
        ),
        sa.CheckConstraint(
            "status = 'resolved' OR assignee_id IS NOT NULL OR queued_since IS NOT NULL",
            name=op.f("ck_conversation_open_is_held_or_waiting"),
        ),
        sa.CheckConstraint("status IN ('open', 'resolved')", name=op.f("ck_conversation_status_is_known")),
        sa.CheckConstraint(
            "assignee_id IS NULL OR queued_since IS NULL", name=op.f("ck_conversation_assigned_is_not_waiting")
        ),
        sa.ForeignKeyConstraint(
            ["assignee_id"], ["user_account.id"], name=op.f("fk_conversation_assignee_id_user_account")
        ),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name=op.f("fk_conversation_channel_id_channel")),
        sa.ForeignKeyConstraint(
            ["contact_point_id"], ["contact_point.id"], name=op.f("fk_conversation_contact_point_id_contact_point")
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_conversation_customer_id_customer")),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_conversation_queue_id_queue")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversation")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_conversation_assignee_id",
        "conversation",
        ["assignee_id"],
        unique=False,
        sqlite_where=sa.text("assignee_id IS NOT NULL"),
        postgresql_where=sa.text("assignee_id IS NOT NULL"),
    )
    op.create_index(
        "ix_conversation_contact_point_id_channel_id",
        "conversation",
        ["contact_point_id", "channel_id", "id"],
        unique=False,
    )
    op.create_index("ix_conversation_customer_id", "conversation", ["customer_id"], unique=False)
    op.create_index(
        "ix_conversation_status_last_entry_at", "conversation", ["status", "last_entry_at", "id"], unique=False
    )
    op.create_index(
        "ix_conversation_waiting",
        "conversation",
        ["queued_since"],
        unique=False,
        sqlite_where=sa.text("queued_since IS NOT NULL"),
        postgresql_where=sa.text("queued_since IS NOT NULL"),
    )
    op.create_index(
        "uq_conversation_one_open_per_contact_and_channel",
        "conversation",
        ["contact_point_id", "channel_id"],
        unique=True,
        sqlite_where=sa.text("status = 'open'"),
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_table(
        "assignment",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("conversation_id", BIG_ID, nullable=False),
        sa.Column("agent_id", BIG_ID, nullable=False),
        sa.Column("assigned_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.CheckConstraint("how IN ('offer', 'claim', 'transfer', 'reopen')", name=op.f("ck_assignment_how_is_known")),
        sa.CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name=op.f("ck_assignment_ended_has_a_reason")),
        sa.ForeignKeyConstraint(["agent_id"], ["user_account.id"], name=op.f("fk_assignment_agent_id_user_account")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name=op.f("fk_assignment_conversation_id_conversation")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignment")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_assignment_live_by_agent",
        "assignment",
        ["agent_id"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "uq_assignment_one_live_per_conversation",
        "assignment",
        ["conversation_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "entry",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("conversation_id", BIG_ID, nullable=False),
        sa.Column("customer_id", BIG_ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("author_kind", sa.Text(), nullable=False),
        sa.Column("author_id", BIG_ID, nullable=True),
        sa.Column("author_name", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("happening", sa.Text(), nullable=True),
        sa.Column("data", sa.JSON(), nullable=True),
        sa.Column("has_attachments", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("delivery", sa.Text(), nullable=True),
        sa.Column("delivery_at", INSTANT, nullable=True),
        sa.Column("delivery_reason", sa.Text(), nullable=True),
        sa.Column("delivery_detail", sa.Text(), nullable=True),
        sa.Column("segments", sa.Integer(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("client_key", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("direction IN ('in', 'out', 'internal')", name=op.f("ck_entry_direction_is_known")),
        sa.CheckConstraint("kind IN ('message', 'note', 'event')", name=op.f("ck_entry_kind_is_known")),
        sa.ForeignKeyConstraint(["author_id"], ["user_account.id"], name=op.f("fk_entry_author_id_user_account")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name=op.f("fk_entry_conversation_id_conversation")
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_entry_customer_id_customer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entry")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_entry_conversation_id_at", "entry", ["conversation_id", "at", "id"], unique=False)
    op.create_index("ix_entry_customer_id_at", "entry", ["customer_id", "at", "id"], unique=False)
    op.create_table(
        "offer",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("conversation_id", BIG_ID, nullable=False),
        sa.Column("agent_id", BIG_ID, nullable=False),
        sa.Column("queue_id", BIG_ID, nullable=False),
        sa.Column("offered_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("why", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('accepted', 'declined', 'no_answer', 'device_lost', 'setup_failed', 'customer_left', 'withdrawn')",
            name=op.f("ck_offer_outcome_is_known"),
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name=op.f("ck_offer_ended_has_an_outcome")),
        sa.ForeignKeyConstraint(["agent_id"], ["user_account.id"], name=op.f("fk_offer_agent_id_user_account")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name=op.f("fk_offer_conversation_id_conversation")
        ),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_offer_queue_id_queue")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_offer_agent_id_ended_at", "offer", ["agent_id", "ended_at"], unique=False)
    op.create_index("ix_offer_conversation_id_ended_at", "offer", ["conversation_id", "ended_at"], unique=False)
    op.create_index(
        "ix_offer_misses",
        "offer",
        ["ended_at"],
        unique=False,
        sqlite_where=sa.text("outcome IN ('declined', 'no_answer')"),
        postgresql_where=sa.text("outcome IN ('declined', 'no_answer')"),
    )
    op.create_index(
        "uq_offer_one_live_per_conversation",
        "offer",
        ["conversation_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "attachment",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("entry_id", BIG_ID, nullable=True),
        sa.Column("uploaded_by", BIG_ID, nullable=True),
        sa.Column("contact_point_id", BIG_ID, nullable=True),
        sa.Column("channel_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("file_key", sa.Text(), nullable=True),
        sa.Column("source_url", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_attempt_at", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('fetching', 'stored', 'failed')", name=op.f("ck_attachment_state_is_known")),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name=op.f("fk_attachment_channel_id_channel")),
        sa.ForeignKeyConstraint(
            ["contact_point_id"], ["contact_point.id"], name=op.f("fk_attachment_contact_point_id_contact_point")
        ),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"], name=op.f("fk_attachment_entry_id_entry")),
        sa.ForeignKeyConstraint(
            ["uploaded_by"], ["user_account.id"], name=op.f("fk_attachment_uploaded_by_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_attachment_entry_id", "attachment", ["entry_id"], unique=False)
    op.create_index(
        "ix_attachment_fetching",
        "attachment",
        ["next_attempt_at"],
        unique=False,
        sqlite_where=sa.text("state = 'fetching'"),
        postgresql_where=sa.text("state = 'fetching'"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("entry_id", BIG_ID, nullable=False),
        sa.Column("conversation_id", BIG_ID, nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_attempt_at", INSTANT, nullable=False),
        sa.Column("attempted_at", INSTANT, nullable=True),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("leased_by", sa.Text(), nullable=True),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint("state IN ('queued', 'leased', 'done', 'parked')", name=op.f("ck_outbox_state_is_known")),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name=op.f("fk_outbox_channel_id_channel")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name=op.f("fk_outbox_conversation_id_conversation")
        ),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"], name=op.f("fk_outbox_entry_id_entry")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("delivery_id", name=op.f("uq_outbox_delivery_id")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_outbox_entry_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_provider_id", "outbox", ["channel_id", "provider_id"], unique=False)
    op.create_index(
        "ix_outbox_unfinished",
        "outbox",
        ["conversation_id", "id"],
        unique=False,
        sqlite_where=sa.text("state IN ('queued', 'leased')"),
        postgresql_where=sa.text("state IN ('queued', 'leased')"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_outbox_unfinished",
        table_name="outbox",
        sqlite_where=sa.text("state IN ('queued', 'leased')"),
        postgresql_where=sa.text("state IN ('queued', 'leased')"),
    )
    op.drop_index("ix_outbox_provider_id", table_name="outbox")
    op.drop_table("outbox")
    op.drop_index(
        "ix_attachment_fetching",
        table_name="attachment",
        sqlite_where=sa.text("state = 'fetching'"),
        postgresql_where=sa.text("state = 'fetching'"),
    )
    op.drop_index("ix_attachment_entry_id", table_name="attachment")
    op.drop_table("attachment")
    op.drop_index(
        "uq_offer_one_live_per_conversation",
        table_name="offer",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_index(
        "ix_offer_misses",
        table_name="offer",
        sqlite_where=sa.text("outcome IN ('declined', 'no_answer')"),
        postgresql_where=sa.text("outcome IN ('declined', 'no_answer')"),
    )
    op.drop_index("ix_offer_conversation_id_ended_at", table_name="offer")
    op.drop_index("ix_offer_agent_id_ended_at", table_name="offer")
    op.drop_table("offer")
    op.drop_index("ix_entry_customer_id_at", table_name="entry")
    op.drop_index("ix_entry_conversation_id_at", table_name="entry")
    op.drop_table("entry")
    op.drop_index(
        "uq_assignment_one_live_per_conversation",
        table_name="assignment",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_index(
        "ix_assignment_live_by_agent",
        table_name="assignment",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("assignment")
    op.drop_index(
        "uq_conversation_one_open_per_contact_and_channel",
        table_name="conversation",
        sqlite_where=sa.text("status = 'open'"),
        postgresql_where=sa.text("status = 'open'"),
    )
    op.drop_index(
        "ix_conversation_waiting",
        table_name="conversation",
        sqlite_where=sa.text("queued_since IS NOT NULL"),
        postgresql_where=sa.text("queued_since IS NOT NULL"),
    )
    op.drop_index("ix_conversation_status_last_entry_at", table_name="conversation")
    op.drop_index("ix_conversation_customer_id", table_name="conversation")
    op.drop_index("ix_conversation_contact_point_id_channel_id", table_name="conversation")
    op.drop_index(
        "ix_conversation_assignee_id",
        table_name="conversation",
        sqlite_where=sa.text("assignee_id IS NOT NULL"),
        postgresql_where=sa.text("assignee_id IS NOT NULL"),
    )
    op.drop_table("conversation")
    op.drop_index("ix_session_user_id", table_name="session")
    op.drop_table("session")
    op.drop_index("ix_queue_member_user_id", table_name="queue_member")
    op.drop_table("queue_member")
    op.drop_table("idempotency")
    op.drop_index("ix_contact_point_customer_id", table_name="contact_point")
    op.drop_table("contact_point")
    op.drop_index("ix_connection_user_id", table_name="connection")
    op.drop_index("ix_connection_customer_id", table_name="connection")
    op.drop_table("connection")
    op.drop_table("channel")
    op.drop_table("api_key")
    op.drop_table("agent")
    op.drop_table("user_account")
    op.drop_table("stream")
    op.drop_table("sign_in_failure")
    op.drop_index("ix_receipt_delivery_id", table_name="receipt")
    op.drop_table("receipt")
    op.drop_table("queue")
    op.drop_table("projection")
    op.drop_table("organisation")
    op.drop_index("ix_fact_segment_agent_id_ended_at", table_name="fact_segment")
    op.drop_table("fact_segment")
    op.drop_index("ix_fact_response_agent_id_answered_at", table_name="fact_response")
    op.drop_table("fact_response")
    op.drop_index("ix_fact_resolution_agent_id_resolved_at", table_name="fact_resolution")
    op.drop_table("fact_resolution")
    op.drop_table("event")
    op.drop_table("customer")
    op.drop_index("ix_arrival_received_at", table_name="arrival")
    op.drop_table("arrival")
