"""Add tasks, participants of conversations, what an alert is about, and how people want to be told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
# Only INTEGER may be an automatic primary key on SQLite.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

OPEN = sa.text("outcome IS NULL")
UNSEEN_OF_TASK = sa.text("task_id IS NOT NULL AND seen_at IS NULL")


def upgrade() -> None:
    op.add_column("conversation", sa.Column("participants", sa.Text(), server_default="", nullable=False))
    op.add_column("alert", sa.Column("entry_id", BIG_ID, nullable=True))
    op.add_column("alert", sa.Column("task_id", BIG_ID, nullable=True))
    op.create_index("ix_alert_user_id", "alert", ["user_id", "id"])
    op.create_index(
        "ix_alert_unseen_of_task", "alert", ["task_id"], sqlite_where=UNSEEN_OF_TASK, postgresql_where=UNSEEN_OF_TASK
    )
    op.create_table(
        "task",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("customer_id", BIG_ID, nullable=False),
        sa.Column("conversation_id", BIG_ID, nullable=True),
        sa.Column("assignee_id", BIG_ID, nullable=True),
        sa.Column("queue_id", BIG_ID, nullable=True),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("fired_at", INSTANT, nullable=True),
        sa.Column("left_at", INSTANT, nullable=True),
        sa.Column("created_by", BIG_ID, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("ended_by", BIG_ID, nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("kind IN ('follow_up', 'call_back')", name=op.f("ck_task_kind_is_known")),
        sa.CheckConstraint("outcome IN ('done', 'dropped')", name=op.f("ck_task_outcome_is_known")),
        sa.CheckConstraint("assignee_id IS NOT NULL OR queue_id IS NOT NULL", name=op.f("ck_task_is_somebodys")),
        sa.CheckConstraint("(outcome IS NULL) = (ended_at IS NULL)", name=op.f("ck_task_ended_with_an_outcome")),
        sa.CheckConstraint("left_at IS NULL OR fired_at IS NOT NULL", name=op.f("ck_task_left_after_it_came_back")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_task_customer_id_customer")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name=op.f("fk_task_conversation_id_conversation")
        ),
        sa.ForeignKeyConstraint(["assignee_id"], ["user_account.id"], name=op.f("fk_task_assignee_id_user_account")),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_task_queue_id_queue")),
        sa.ForeignKeyConstraint(["created_by"], ["user_account.id"], name=op.f("fk_task_created_by_user_account")),
        sa.ForeignKeyConstraint(["ended_by"], ["user_account.id"], name=op.f("fk_task_ended_by_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_task_due_at", "task", ["due_at", "id"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index("ix_task_assignee_id", "task", ["assignee_id"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index("ix_task_queue_id", "task", ["queue_id"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index("ix_task_customer_id", "task", ["customer_id"])
    op.create_index("ix_task_conversation_id", "task", ["conversation_id"])
    op.create_index("ix_task_ended_at", "task", ["ended_at", "id"])
    op.create_table(
        "notice_rules",
        sa.Column("user_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_notice_rules_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_notice_rules")),
    )


def downgrade() -> None:
    op.drop_table("notice_rules")
    op.drop_table("task")
    op.drop_index("ix_alert_unseen_of_task", "alert")
    op.drop_index("ix_alert_user_id", "alert")
    op.drop_column("alert", "task_id")
    op.drop_column("alert", "entry_id")
    op.drop_column("conversation", "participants")
