"""Add skills and the settings of queues."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
# Only INTEGER may be an automatic primary key on SQLite.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "skill",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folded_name", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_skill")),
        sa.UniqueConstraint("folded_name", name=op.f("uq_skill_folded_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "agent_skill",
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("skill_id", BIG_ID, nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.CheckConstraint("level BETWEEN 1 AND 5", name=op.f("ck_agent_skill_level_is_1_to_5")),
        sa.ForeignKeyConstraint(
            ["skill_id"], ["skill.id"], name=op.f("fk_agent_skill_skill_id_skill"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_agent_skill_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "skill_id", name=op.f("pk_agent_skill")),
    )
    op.create_index("ix_agent_skill_skill_id", "agent_skill", ["skill_id"])

    op.create_table(
        "queue_skill",
        sa.Column("queue_id", BIG_ID, nullable=False),
        sa.Column("skill_id", BIG_ID, nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.CheckConstraint("level BETWEEN 1 AND 5", name=op.f("ck_queue_skill_level_is_1_to_5")),
        sa.ForeignKeyConstraint(
            ["queue_id"], ["queue.id"], name=op.f("fk_queue_skill_queue_id_queue"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["skill_id"], ["skill.id"], name=op.f("fk_queue_skill_skill_id_skill")),
        sa.PrimaryKeyConstraint("queue_id", "skill_id", name=op.f("pk_queue_skill")),
    )
    op.create_index("ix_queue_skill_skill_id", "queue_skill", ["skill_id"])

    # Not in batches, here as below: they would build tables anew on SQLite, without their AUTOINCREMENT.
    op.create_index("ix_assignment_conversation_id_assigned_at", "assignment", ["conversation_id", "assigned_at"])

    op.add_column("conversation", sa.Column("pinned_agent_id", BIG_ID, nullable=True))
    op.drop_index("ix_conversation_waiting", "conversation")
    op.create_index(
        "ix_conversation_waiting_in_queue",
        "conversation",
        ["queue_id", "queued_since"],
        sqlite_where=sa.text("queued_since IS NOT NULL"),
        postgresql_where=sa.text("queued_since IS NOT NULL"),
    )
    op.create_index(
        "ix_conversation_pinned_agent_id",
        "conversation",
        ["pinned_agent_id"],
        sqlite_where=sa.text("pinned_agent_id IS NOT NULL"),
        postgresql_where=sa.text("pinned_agent_id IS NOT NULL"),
    )

    op.add_column("customer", sa.Column("tier", sa.Integer(), server_default=sa.text("0"), nullable=False))

    op.add_column("offer", sa.Column("explanation", sa.JSON(), nullable=True))

    op.add_column("queue", sa.Column("choice", sa.Text(), server_default="least_loaded", nullable=False))
    op.add_column("queue", sa.Column("overflow", sa.JSON(), nullable=True))
    op.add_column("queue", sa.Column("makes_room", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("queue", sa.Column("ring_s", sa.JSON(), nullable=True))
    op.add_column("queue", sa.Column("language_wish_s", sa.Integer(), nullable=True))
    op.add_column("queue", sa.Column("last_agent_days", sa.Integer(), nullable=True))
    op.add_column("queue", sa.Column("last_agent_wish_s", sa.Integer(), nullable=True))
    op.add_column("queue", sa.Column("unservable", sa.Integer(), server_default=sa.text("0"), nullable=False))


def downgrade() -> None:
    op.drop_column("queue", "unservable")
    op.drop_column("queue", "last_agent_wish_s")
    op.drop_column("queue", "last_agent_days")
    op.drop_column("queue", "language_wish_s")
    op.drop_column("queue", "ring_s")
    op.drop_column("queue", "makes_room")
    op.drop_column("queue", "overflow")
    op.drop_column("queue", "choice")

    op.drop_column("offer", "explanation")

    op.drop_column("customer", "tier")

    op.drop_index("ix_conversation_pinned_agent_id", "conversation")
    op.drop_index("ix_conversation_waiting_in_queue", "conversation")
    op.create_index(
        "ix_conversation_waiting",
        "conversation",
        ["queued_since"],
        sqlite_where=sa.text("queued_since IS NOT NULL"),
        postgresql_where=sa.text("queued_since IS NOT NULL"),
    )
    op.drop_column("conversation", "pinned_agent_id")

    op.drop_index("ix_assignment_conversation_id_assigned_at", "assignment")

    op.drop_index("ix_queue_skill_skill_id", "queue_skill")

    op.drop_table("queue_skill")
    op.drop_index("ix_agent_skill_skill_id", "agent_skill")

    op.drop_table("agent_skill")
    op.drop_table("skill")
