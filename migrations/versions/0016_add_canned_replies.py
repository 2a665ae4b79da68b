"""Add canned replies."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# As tables.py has it: a key that is no automatic one.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "canned_reply",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("owner_id", BIG_ID, nullable=True),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), server_default="", nullable=False),
        sa.Column("texts", sa.JSON(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("changed_by", BIG_ID, nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("scope IN ('personal', 'all', 'queues')", name=op.f("ck_canned_reply_scope_is_known")),
        sa.CheckConstraint(
            "(scope = 'personal') = (owner_id IS NOT NULL)", name=op.f("ck_canned_reply_personal_has_an_owner")
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["user_account.id"], name=op.f("fk_canned_reply_owner_id_user_account"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["changed_by"],
            ["user_account.id"],
            name=op.f("fk_canned_reply_changed_by_user_account"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canned_reply")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_canned_reply_shared_code",
        "canned_reply",
        ["code"],
        unique=True,
        sqlite_where=sa.text("owner_id IS NULL"),
        postgresql_where=sa.text("owner_id IS NULL"),
    )
    op.create_index(
        "uq_canned_reply_own_code",
        "canned_reply",
        ["owner_id", "code"],
        unique=True,
        sqlite_where=sa.text("owner_id IS NOT NULL"),
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_table(
        "canned_reply_queue",
        sa.Column("reply_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("queue_id", BIG_ID, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["reply_id"],
            ["canned_reply.id"],
            name=op.f("fk_canned_reply_queue_reply_id_canned_reply"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["queue_id"], ["queue.id"], name=op.f("fk_canned_reply_queue_queue_id_queue"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("reply_id", "queue_id", name=op.f("pk_canned_reply_queue")),
    )
    op.create_index("ix_canned_reply_queue_queue_id", "canned_reply_queue", ["queue_id"])
    op.create_table(
        "canned_reply_use",
        sa.Column("reply_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("user_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("last_used_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["reply_id"],
            ["canned_reply.id"],
            name=op.f("fk_canned_reply_use_reply_id_canned_reply"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_canned_reply_use_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("reply_id", "user_id", name=op.f("pk_canned_reply_use")),
    )
    op.create_index("ix_canned_reply_use_user_id", "canned_reply_use", ["user_id"])


def downgrade() -> None:
    op.drop_table("canned_reply_use")
    op.drop_table("canned_reply_queue")
    op.drop_table("canned_reply")
