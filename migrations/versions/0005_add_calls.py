"""Add calls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
# Only INTEGER may be an automatic primary key on SQLite.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "call",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("conversation_id", BIG_ID, nullable=False),
        sa.Column("customer_id", BIG_ID, nullable=False),
        sa.Column("entry_id", BIG_ID, nullable=True),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_since", INSTANT, nullable=False),
        sa.Column("queue_id", BIG_ID, nullable=True),
        sa.Column("agent_id", BIG_ID, nullable=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), server_default="en", nullable=False),
        sa.Column("flow", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("recording", sa.Text(), server_default="off", nullable=False),
        sa.Column("recording_applied", sa.Text(), server_default="off", nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("queued_at", INSTANT, nullable=True),
        sa.Column("answered_at", INSTANT, nullable=True),
        sa.Column("hung_up_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("direction IN ('in', 'out')", name=op.f("ck_call_direction_is_known")),
        sa.CheckConstraint("(ended_at IS NULL) = (state <> 'ended')", name=op.f("ck_call_ended_has_an_instant")),
        sa.CheckConstraint("(end_reason IS NULL) = (hung_up_at IS NULL)", name=op.f("ck_call_hung_up_has_a_reason")),
        sa.CheckConstraint("recording IN ('off', 'on', 'paused')", name=op.f("ck_call_recording_is_known")),
        sa.CheckConstraint(
            "state IN ('dialling', 'ringing', 'menu', 'queued', 'offered', 'connecting', 'talking', 'held', "
            "'consult', 'conference', 'voicemail', 'forwarded', 'wrap_up', 'ended')",
            name=op.f("ck_call_state_is_known"),
        ),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name=op.f("fk_call_channel_id_channel")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name=op.f("fk_call_conversation_id_conversation")
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_call_customer_id_customer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call")),
        sa.UniqueConstraint("room", name=op.f("uq_call_room")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_call_conversation_id", "call", ["conversation_id", "id"])
    op.create_index(
        "ix_call_due_at",
        "call",
        ["due_at"],
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index("ix_call_started_at", "call", ["started_at", "id"])
    op.create_index(
        "uq_call_one_live_per_conversation",
        "call",
        ["conversation_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )

    op.create_table(
        "leg",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("call_id", BIG_ID, nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("user_id", BIG_ID, nullable=True),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("presence", sa.Text(), server_default="talk", nullable=False),
        sa.Column("muted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("provider_leg_id", sa.Text(), nullable=True),
        sa.Column("scene", sa.JSON(), nullable=False),
        sa.Column("scene_version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("applied_scene", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("applied_version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("connected_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("retry_at", INSTANT, nullable=True),
        sa.Column("leased_until", INSTANT, nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.CheckConstraint("(ended_at IS NULL) = (state <> 'ended')", name=op.f("ck_leg_ended_has_an_instant")),
        sa.CheckConstraint(
            "party IN ('customer', 'agent', 'consulted', 'outside', 'supervisor')", name=op.f("ck_leg_party_is_known")
        ),
        sa.CheckConstraint("presence IN ('talk', 'held', 'listen', 'whisper')", name=op.f("ck_leg_presence_is_known")),
        sa.CheckConstraint("state IN ('pending', 'ringing', 'connected', 'ended')", name=op.f("ck_leg_state_is_known")),
        sa.ForeignKeyConstraint(["call_id"], ["call.id"], name=op.f("fk_leg_call_id_call")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_leg_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leg")),
        sa.UniqueConstraint("token", name=op.f("uq_leg_token")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_leg_call_id", "leg", ["call_id"])
    op.create_index(
        "ix_leg_due_at",
        "leg",
        ["due_at"],
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_leg_live_by_user",
        "leg",
        ["user_id"],
        sqlite_where=sa.text("ended_at IS NULL AND user_id IS NOT NULL"),
        postgresql_where=sa.text("ended_at IS NULL AND user_id IS NOT NULL"),
    )
    op.create_index(
        "ix_leg_to_apply",
        "leg",
        ["retry_at"],
        sqlite_where=sa.text("scene_version > applied_version"),
        postgresql_where=sa.text("scene_version > applied_version"),
    )
    op.create_index(
        "uq_leg_provider_leg_id",
        "leg",
        ["channel_id", "provider_leg_id"],
        unique=True,
        sqlite_where=sa.text("provider_leg_id IS NOT NULL"),
        postgresql_where=sa.text("provider_leg_id IS NOT NULL"),
    )

    op.create_table(
        "call_segment",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("call_id", BIG_ID, nullable=False),
        sa.Column("agent_id", BIG_ID, nullable=False),
        sa.Column("queue_id", BIG_ID, nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("connected_at", INSTANT, nullable=False),
        sa.Column("talk_s", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("hold_s", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("wrap_up_s", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("stretch", sa.Text(), server_default="talk", nullable=False),
        sa.Column("stretch_since", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("disposition", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "how IN ('answered', 'claimed', 'transferred', 'consult', 'outbound', 'callback')",
            name=op.f("ck_call_segment_how_is_known"),
        ),
        sa.CheckConstraint("stretch IN ('talk', 'hold', 'wrap_up')", name=op.f("ck_call_segment_stretch_is_known")),
        sa.ForeignKeyConstraint(["agent_id"], ["user_account.id"], name=op.f("fk_call_segment_agent_id_user_account")),
        sa.ForeignKeyConstraint(["call_id"], ["call.id"], name=op.f("fk_call_segment_call_id_call")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_segment")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_call_segment_call_id", "call_segment", ["call_id", "id"])
    op.create_index(
        "uq_call_segment_one_live_per_call",
        "call_segment",
        ["call_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )

    op.create_table(
        "recording",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("call_id", BIG_ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="fetching", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("file_key", sa.Text(), nullable=True),
        sa.Column("media_type", sa.Text(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("channels", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("duration_s", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("peaks", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("delete_at", INSTANT, nullable=True),
        sa.Column("deleted_at", INSTANT, nullable=True),
        sa.Column("deleted_by", BIG_ID, nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("retry_at", INSTANT, nullable=True),
        sa.Column("leased_until", INSTANT, nullable=True),
        sa.CheckConstraint("kind IN ('call', 'voicemail')", name=op.f("ck_recording_kind_is_known")),
        sa.CheckConstraint(
            "state IN ('fetching', 'stored', 'failed', 'deleted')", name=op.f("ck_recording_state_is_known")
        ),
        sa.ForeignKeyConstraint(["call_id"], ["call.id"], name=op.f("fk_recording_call_id_call")),
        sa.ForeignKeyConstraint(["deleted_by"], ["user_account.id"], name=op.f("fk_recording_deleted_by_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording")),
        sa.UniqueConstraint("call_id", "provider_id", name="uq_recording_each_once"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_recording_delete_at",
        "recording",
        ["delete_at"],
        sqlite_where=sa.text("delete_at IS NOT NULL"),
        postgresql_where=sa.text("delete_at IS NOT NULL"),
    )
    op.create_index(
        "ix_recording_fetching",
        "recording",
        ["retry_at"],
        sqlite_where=sa.text("state = 'fetching'"),
        postgresql_where=sa.text("state = 'fetching'"),
    )
    op.create_index(
        "ix_recording_stored",
        "recording",
        ["started_at"],
        sqlite_where=sa.text("state = 'stored'"),
        postgresql_where=sa.text("state = 'stored'"),
    )

    op.create_table(
        "recording_play",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("recording_id", BIG_ID, nullable=False),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recording.id"], name=op.f("fk_recording_play_recording_id_recording")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_recording_play_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording_play")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_recording_play_recording_id", "recording_play", ["recording_id"])

    op.create_table(
        "flow",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flow")),
        sa.UniqueConstraint("name", name=op.f("uq_flow_name")),
        sqlite_autoincrement=True,
    )

    op.create_table(
        "flow_version",
        sa.Column("flow_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["flow_id"], ["flow.id"], name=op.f("fk_flow_version_flow_id_flow"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("flow_id", "version", name=op.f("pk_flow_version")),
    )

    op.create_table(
        "sound",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), server_default="en", nullable=False),
        sa.Column("file_key", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sound")),
        sa.UniqueConstraint("name", name=op.f("uq_sound_name")),
        sqlite_autoincrement=True,
    )

    op.create_table(
        "fact_call",
        sa.Column("call_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("queue_id", sa.BigInteger(), nullable=True),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("queued_at", INSTANT, nullable=True),
        sa.Column("answered_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=False),
        sa.Column("end_reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_fact_call")),
    )
    op.create_index("ix_fact_call_queue_id_ended_at", "fact_call", ["queue_id", "ended_at"])

    op.create_table(
        "fact_call_segment",
        sa.Column("segment_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("call_id", sa.BigInteger(), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("agent_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("queue_id", sa.BigInteger(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("connected_at", INSTANT, nullable=False),
        sa.Column("talk_s", sa.Float(), nullable=False),
        sa.Column("hold_s", sa.Float(), nullable=False),
        sa.Column("wrap_up_s", sa.Float(), nullable=False),
        sa.Column("ended_at", INSTANT, nullable=False),
        sa.Column("end_reason", sa.Text(), nullable=False),
        sa.Column("disposition", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("segment_id", name=op.f("pk_fact_call_segment")),
    )
    op.create_index("ix_fact_call_segment_agent_id_ended_at", "fact_call_segment", ["agent_id", "ended_at"])
    op.create_index("ix_fact_call_segment_queue_id_ended_at", "fact_call_segment", ["queue_id", "ended_at"])

    op.create_table(
        "fact_call_missed",
        sa.Column("offer_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("call_id", sa.BigInteger(), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("agent_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("queue_id", sa.BigInteger(), nullable=False),
        sa.Column("offered_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("offer_id", name=op.f("pk_fact_call_missed")),
    )
    op.create_index("ix_fact_call_missed_agent_id_ended_at", "fact_call_missed", ["agent_id", "ended_at"])
    op.create_index("ix_fact_call_missed_queue_id_ended_at", "fact_call_missed", ["queue_id", "ended_at"])

    op.add_column("organisation", sa.Column("recordings_for_agents", sa.Text(), server_default="own", nullable=False))
    op.add_column("user_account", sa.Column("desk_phone", sa.Text(), nullable=True))
    op.add_column("queue", sa.Column("wrap_up_s", sa.Integer(), server_default=sa.text("60"), nullable=False))
    op.add_column("queue", sa.Column("wrap_up_mandatory", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("queue", sa.Column("dispositions", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("queue", sa.Column("records_calls", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("queue", sa.Column("recording_days", sa.Integer(), nullable=True))
    op.add_column("queue", sa.Column("caller_channel_id", sa.Text(), nullable=True))
    op.add_column("channel", sa.Column("provider", sa.Text(), server_default="", nullable=False))
    op.add_column("channel", sa.Column("flow_id", BIG_ID, nullable=True))
    op.add_column("conversation", sa.Column("call_id", BIG_ID, nullable=True))
    op.add_column("entry", sa.Column("call_id", BIG_ID, nullable=True))


def downgrade() -> None:
    op.drop_column("entry", "call_id")
    op.drop_column("conversation", "call_id")
    op.drop_column("channel", "flow_id")
    op.drop_column("channel", "provider")
    op.drop_column("queue", "caller_channel_id")
    op.drop_column("queue", "recording_days")
    op.drop_column("queue", "records_calls")
    op.drop_column("queue", "dispositions")
    op.drop_column("queue", "wrap_up_mandatory")
    op.drop_column("queue", "wrap_up_s")
    op.drop_column("user_account", "desk_phone")
    op.drop_column("organisation", "recordings_for_agents")
    op.drop_table("fact_call_missed")
    op.drop_table("fact_call_segment")
    op.drop_table("fact_call")
    op.drop_table("sound")
    op.drop_table("flow_version")
    op.drop_table("flow")
    op.drop_table("recording_play")
    op.drop_table("recording")
    op.drop_table("call_segment")
    op.drop_table("leg")
    op.drop_table("call")
