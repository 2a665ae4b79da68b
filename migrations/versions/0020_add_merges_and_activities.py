"""Add merges of customers that can be taken back, and what other systems know of customers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
# Only INTEGER may be an automatic primary key on SQLite.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "customer_merge",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("from_id", BIG_ID, nullable=False),
        sa.Column("into_id", BIG_ID, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("by_id", BIG_ID, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("moved", sa.JSON(), nullable=False),
        sa.Column("filled", sa.JSON(), nullable=False),
        sa.Column("undone_at", INSTANT, nullable=True),
        sa.Column("undone_by", BIG_ID, nullable=True),
        sa.CheckConstraint("reason IN ('hand', 'claim')", name=op.f("ck_customer_merge_reason_is_known")),
        sa.CheckConstraint("from_id <> into_id", name=op.f("ck_customer_merge_are_two")),
        sa.ForeignKeyConstraint(["from_id"], ["customer.id"], name=op.f("fk_customer_merge_from_id_customer")),
        sa.ForeignKeyConstraint(["into_id"], ["customer.id"], name=op.f("fk_customer_merge_into_id_customer")),
        sa.ForeignKeyConstraint(["by_id"], ["user_account.id"], name=op.f("fk_customer_merge_by_id_user_account")),
        sa.ForeignKeyConstraint(
            ["undone_by"], ["user_account.id"], name=op.f("fk_customer_merge_undone_by_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_merge")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_customer_merge_one_live_per_customer",
        "customer_merge",
        ["from_id"],
        unique=True,
        sqlite_where=sa.text("undone_at IS NULL"),
        postgresql_where=sa.text("undone_at IS NULL"),
    )
    op.create_index("ix_customer_merge_into_id", "customer_merge", ["into_id"], unique=False)
    op.create_table(
        "activity",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("customer_id", BIG_ID, nullable=False),
        sa.Column("given_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_point_id", BIG_ID, nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("amount", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "kind IN ('order', 'payment', 'visit', 'delivery', 'ticket', 'other')",
            name=op.f("ck_activity_kind_is_known"),
        ),
        sa.CheckConstraint("(amount IS NULL) = (currency IS NULL)", name=op.f("ck_activity_money_has_a_currency")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_activity_customer_id_customer")),
        sa.ForeignKeyConstraint(
            ["contact_point_id"],
            ["contact_point.id"],
            name=op.f("fk_activity_contact_point_id_contact_point"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity")),
        sa.UniqueConstraint("source", "external_id", name="uq_activity_each_once_from_its_source"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_activity_customer_id_at", "activity", ["customer_id", "at", "id"], unique=False)
    op.create_index("ix_activity_contact_point_id", "activity", ["contact_point_id"], unique=False)
    op.create_table(
        "fact_customer_parted",
        sa.Column("merge_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("into_id", sa.BigInteger(), nullable=False),
        sa.Column("parted_at", INSTANT, nullable=False),
        sa.Column("conversation_ids", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("merge_id", name=op.f("pk_fact_customer_parted")),
    )
    _make_joined_anew("customer_id", "merge_id")


def downgrade() -> None:
    # Of a customer who was joined twice one joining is kept, as the release before kept one.
    op.execute(
        "DELETE FROM fact_customer_joined WHERE merge_id < "
        "(SELECT max(other.merge_id) FROM fact_customer_joined AS other "
        "WHERE other.customer_id = fact_customer_joined.customer_id)"
    )
    _make_joined_anew("customer_id")
    op.drop_table("fact_customer_parted")
    op.drop_index("ix_activity_contact_point_id", table_name="activity")
    op.drop_index("ix_activity_customer_id_at", table_name="activity")
    op.drop_table("activity")
    op.drop_index("ix_customer_merge_into_id", table_name="customer_merge")
    op.drop_index("uq_customer_merge_one_live_per_customer", table_name="customer_merge")
    op.drop_table("customer_merge")


def _make_joined_anew(*key: str) -> None:
    """The same rows under another key: SQLite cannot change one, and they are few."""
    columns = "customer_id, into_id, joined_at"
    op.execute(f"CREATE TABLE joined_before AS SELECT {columns} FROM fact_customer_joined")  # noqa: S608
    op.drop_index("ix_fact_customer_joined_into_id", table_name="fact_customer_joined")
    op.drop_table("fact_customer_joined")
    merge_id = sa.Column("merge_id", BIG_ID, autoincrement=False, server_default=sa.text("0"), nullable=False)
    op.create_table(
        "fact_customer_joined",
        sa.Column("customer_id", BIG_ID, autoincrement=False, nullable=False),
        *([merge_id] if "merge_id" in key else []),
        sa.Column("into_id", sa.BigInteger(), nullable=False),
        sa.Column("joined_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint(*key, name=op.f("pk_fact_customer_joined")),
    )
    op.create_index("ix_fact_customer_joined_into_id", "fact_customer_joined", ["into_id"], unique=False)
    op.execute(f"INSERT INTO fact_customer_joined ({columns}) SELECT {columns} FROM joined_before")  # noqa: S608
    op.drop_table("joined_before")
