"""Add teams."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
# Only INTEGER may be an automatic primary key on SQLite.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "kpi_alert_rule",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("scope_id", sa.BigInteger(), nullable=True),
        sa.Column("raise_at", sa.Float(), nullable=False),
        sa.Column("clear_at", sa.Float(), nullable=False),
        sa.Column("for_s", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("to_console", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("emails", sa.JSON(), nullable=False),
        sa.Column("webhook_url", sa.Text(), nullable=True),
        sa.Column("webhook_secret", sa.Text(), nullable=True),
        sa.Column("looked_at", INSTANT, nullable=True),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("beyond_since", INSTANT, nullable=True),
        sa.Column("troubles", sa.JSON(), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("(scope = 'all') = (scope_id IS NULL)", name=op.f("ck_kpi_alert_rule_all_is_nobodys")),
        sa.CheckConstraint("scope IN ('all', 'queue', 'team', 'agent')", name=op.f("ck_kpi_alert_rule_scope_is_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kpi_alert_rule")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "kpi_target",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("scope_id", sa.BigInteger(), nullable=False),
        sa.Column("target", sa.Float(), nullable=False),
        sa.Column("warning", sa.Float(), nullable=True),
        sa.CheckConstraint("(scope = 'all') = (scope_id = 0)", name=op.f("ck_kpi_target_all_is_nobodys")),
        sa.CheckConstraint("scope IN ('all', 'queue', 'team', 'agent')", name=op.f("ck_kpi_target_scope_is_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kpi_target")),
        sa.UniqueConstraint("measure", "scope", "scope_id", name=op.f("uq_kpi_target_measure_scope_scope_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "team",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folded_name", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("leaderboard", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("removed_at", INSTANT, nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("team", schema=None) as batch_op:
        batch_op.create_index(
            "uq_team_folded_name",
            ["folded_name"],
            unique=True,
            sqlite_where=sa.text("removed_at IS NULL"),
            postgresql_where=sa.text("removed_at IS NULL"),
        )

    op.create_table(
        "kpi_alert",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("rule_id", BIG_ID, nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("scope_id", sa.BigInteger(), nullable=True),
        sa.Column("raise_at", sa.Float(), nullable=False),
        sa.Column("clear_at", sa.Float(), nullable=False),
        sa.Column("to_console", sa.Boolean(), nullable=False),
        sa.Column("raised_at", INSTANT, nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("healed_at", INSTANT, nullable=True),
        sa.Column("healed_value", sa.Float(), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["kpi_alert_rule.id"], name=op.f("fk_kpi_alert_rule_id_kpi_alert_rule"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kpi_alert")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("kpi_alert", schema=None) as batch_op:
        batch_op.create_index("ix_kpi_alert_raised_at", ["raised_at"], unique=False)
        batch_op.create_index(
            "uq_kpi_alert_standing",
            ["rule_id"],
            unique=True,
            sqlite_where=sa.text("healed_at IS NULL"),
            postgresql_where=sa.text("healed_at IS NULL"),
        )

    op.create_table(
        "team_member",
        sa.Column("team_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("user_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("until", INSTANT, nullable=True),
        sa.CheckConstraint("until IS NULL OR until > since", name=op.f("ck_team_member_ends_after_it_began")),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_team_member_team_id_team")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_team_member_user_id_user_account")),
        sa.PrimaryKeyConstraint("team_id", "user_id", "since", name=op.f("pk_team_member")),
    )
    with op.batch_alter_table("team_member", schema=None) as batch_op:
        batch_op.create_index(
            "uq_team_member_now",
            ["team_id", "user_id"],
            unique=True,
            sqlite_where=sa.text("until IS NULL"),
            postgresql_where=sa.text("until IS NULL"),
        )

    op.create_table(
        "kpi_telling",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("alert_id", BIG_ID, nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.CheckConstraint("channel IN ('email', 'webhook')", name=op.f("ck_kpi_telling_channel_is_known")),
        sa.CheckConstraint("what IN ('raised', 'healed')", name=op.f("ck_kpi_telling_what_is_known")),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["kpi_alert.id"], name=op.f("fk_kpi_telling_alert_id_kpi_alert"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kpi_telling")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("kpi_telling", schema=None) as batch_op:
        batch_op.create_index("ix_kpi_telling_alert_id", ["alert_id"], unique=False)
        batch_op.create_index(
            "ix_kpi_telling_due_at",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )

    with op.batch_alter_table("organisation", schema=None) as batch_op:
        batch_op.add_column(sa.Column("service_level", sa.Text(), server_default="service_level", nullable=False))
        batch_op.add_column(sa.Column("threshold_s", sa.Integer(), server_default=sa.text("20"), nullable=False))
        batch_op.add_column(sa.Column("short_s", sa.Integer(), server_default=sa.text("5"), nullable=False))
        batch_op.add_column(sa.Column("figures_version", sa.Integer(), server_default=sa.text("1"), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("organisation", schema=None) as batch_op:
        batch_op.drop_column("figures_version")
        batch_op.drop_column("short_s")
        batch_op.drop_column("threshold_s")
        batch_op.drop_column("service_level")

    with op.batch_alter_table("kpi_telling", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_kpi_telling_due_at",
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )
        batch_op.drop_index("ix_kpi_telling_alert_id")

    op.drop_table("kpi_telling")
    with op.batch_alter_table("team_member", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_team_member_now", sqlite_where=sa.text("until IS NULL"), postgresql_where=sa.text("until IS NULL")
        )

    op.drop_table("team_member")
    with op.batch_alter_table("kpi_alert", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_kpi_alert_standing",
            sqlite_where=sa.text("healed_at IS NULL"),
            postgresql_where=sa.text("healed_at IS NULL"),
        )
        batch_op.drop_index("ix_kpi_alert_raised_at")

    op.drop_table("kpi_alert")
    with op.batch_alter_table("team", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_team_folded_name",
            sqlite_where=sa.text("removed_at IS NULL"),
            postgresql_where=sa.text("removed_at IS NULL"),
        )

    op.drop_table("team")
    op.drop_table("kpi_target")
    op.drop_table("kpi_alert_rule")
