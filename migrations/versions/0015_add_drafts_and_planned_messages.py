"""Add drafts and messages that go out later, and how long somebody may take back what they sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
# Only INTEGER may be an automatic primary key on SQLite.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("user_account", sa.Column("undo_mail_s", sa.Integer(), server_default=sa.text("10"), nullable=False))
    op.add_column("user_account", sa.Column("undo_text_s", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.create_table(
        "draft",
        sa.Column("conversation_id", BIG_ID, nullable=False),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("attachment_ids", sa.JSON(), nullable=False),
        sa.Column("mail", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("began_at", INSTANT, nullable=True),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("taken_by", BIG_ID, nullable=True),
        sa.Column("taken_at", INSTANT, nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversation.id"],
            name=op.f("fk_draft_conversation_id_conversation"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_draft_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["taken_by"], ["user_account.id"], name=op.f("fk_draft_taken_by_user_account"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("conversation_id", "user_id", name=op.f("pk_draft")),
    )
    op.create_index("ix_draft_user_id", "draft", ["user_id"])
    op.create_index("ix_draft_updated_at", "draft", ["updated_at"])
    op.create_table(
        "planned_message",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("conversation_id", BIG_ID, nullable=False),
        sa.Column("author_id", BIG_ID, nullable=False),
        sa.Column("is_held", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("attachment_ids", sa.JSON(), nullable=False),
        sa.Column("mail", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("segments", sa.Integer(), nullable=True),
        sa.Column("send_at", INSTANT, nullable=False),
        sa.Column("despite", sa.Boolean(), nullable=False),
        sa.Column("after_entry_id", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=True),
        sa.Column("client_key", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "(state = 'sent') = (entry_id IS NOT NULL)", name=op.f("ck_planned_message_sent_has_an_entry")
        ),
        sa.CheckConstraint(
            "(state = 'stopped') = (reason IS NOT NULL)", name=op.f("ck_planned_message_stopped_has_a_reason")
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'stopped', 'sent', 'cancelled')", name=op.f("ck_planned_message_state_is_known")
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversation.id"],
            name=op.f("fk_planned_message_conversation_id_conversation"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["author_id"], ["user_account.id"], name=op.f("fk_planned_message_author_id_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_planned_message")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_planned_message_waiting",
        "planned_message",
        ["send_at"],
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "ix_planned_message_standing",
        "planned_message",
        ["conversation_id"],
        sqlite_where=sa.text("state IN ('waiting', 'stopped')"),
        postgresql_where=sa.text("state IN ('waiting', 'stopped')"),
    )


def downgrade() -> None:
    op.drop_table("planned_message")
    op.drop_table("draft")
    op.drop_column("user_account", "undo_text_s")
    op.drop_column("user_account", "undo_mail_s")
