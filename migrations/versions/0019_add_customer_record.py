"""Add the customer's record: what a card says, consent with its history, custom fields."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
# Only INTEGER may be an automatic primary key on SQLite.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

LINES = (
    "company",
    "job_title",
    "country",
    "region",
    "town",
    "district",
    "street",
    "postcode",
    "time_zone",
    "birthday",
    "source",
)
KINDS = "kind IN ('phone', 'email', 'chat', 'loopback')"
KINDS_WITH_HANDLE = "kind IN ('phone', 'email', 'chat', 'loopback', 'handle')"


def upgrade() -> None:
    op.add_column("customer", sa.Column("preferred_channel", sa.Text(), nullable=True))
    for name in LINES:
        op.add_column("customer", sa.Column(name, sa.Text(), server_default="", nullable=False))
    for table, names in (("customer", ("tags", "fields")), ("conversation", ("fields",))):
        for name in names:
            op.add_column(table, sa.Column(name, sa.JSON(none_as_null=True), nullable=True))

    if op.get_bind().dialect.name == "sqlite":
        _rebuild_contact_point(KINDS_WITH_HANDLE, with_new=True)
    else:
        op.drop_constraint("uq_contact_point_belongs_to_one_customer", "contact_point", type_="unique")
        op.drop_constraint("ck_contact_point_kind_is_known", "contact_point", type_="check")
        op.create_check_constraint(op.f("ck_contact_point_kind_is_known"), "contact_point", KINDS_WITH_HANDLE)
        op.add_column("contact_point", sa.Column("label", sa.Text(), server_default="", nullable=False))
        op.add_column("contact_point", sa.Column("is_main", sa.Boolean(), server_default=sa.false(), nullable=False))
        op.add_column("contact_point", sa.Column("removed_at", INSTANT, nullable=True))
        op.create_check_constraint(
            op.f("ck_contact_point_main_is_not_removed"), "contact_point", "NOT is_main OR removed_at IS NULL"
        )
    for name, columns, where in (
        ("uq_contact_point_belongs_to_one_customer", ["kind", "address"], "removed_at IS NULL"),
        ("uq_contact_point_one_main_of_a_kind", ["customer_id", "kind"], "is_main"),
    ):
        op.create_index(
            name,
            "contact_point",
            columns,
            unique=True,
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )

    op.create_table(
        "consent",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("contact_point_id", BIG_ID, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("by_id", BIG_ID, nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "channel IN ('sms', 'phone', 'email', 'chat', 'loopback')", name=op.f("ck_consent_channel_is_known")
        ),
        sa.CheckConstraint("purpose IN ('service', 'marketing')", name=op.f("ck_consent_purpose_is_known")),
        sa.CheckConstraint(
            "how IN ('keyword', 'told', 'form', 'import', 'system')", name=op.f("ck_consent_how_is_known")
        ),
        sa.ForeignKeyConstraint(["by_id"], ["user_account.id"], name=op.f("fk_consent_by_id_user_account")),
        sa.ForeignKeyConstraint(
            ["contact_point_id"], ["contact_point.id"], name=op.f("fk_consent_contact_point_id_contact_point")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_consent_contact_point_id", "consent", ["contact_point_id", "id"])
    # Whoever had sent STOP: the history begins with it. By what they had sent it, nobody wrote down but for them.
    op.execute(
        "INSERT INTO consent (contact_point_id, channel, purpose, given, how, note, at) "
        "SELECT id, CASE kind WHEN 'phone' THEN 'sms' ELSE kind END, 'service', false, 'keyword', '', opted_out_at "
        "FROM contact_point WHERE opted_out_at IS NOT NULL"
    )

    op.create_table(
        "custom_field",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("section", sa.Text(), server_default="", nullable=False),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("required", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("editable_by", sa.Text(), server_default="agent", nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("subject IN ('customer', 'conversation')", name=op.f("ck_custom_field_subject_is_known")),
        sa.CheckConstraint(
            "kind IN ('text', 'number', 'date', 'yes_no', 'choice', 'choices', 'link')",
            name=op.f("ck_custom_field_kind_is_known"),
        ),
        sa.CheckConstraint(
            "editable_by IN ('agent', 'supervisor', 'admin')", name=op.f("ck_custom_field_editable_by_is_known")
        ),
        sa.CheckConstraint(
            "NOT required OR subject = 'conversation'", name=op.f("ck_custom_field_only_conversations_require")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_custom_field")),
        sa.UniqueConstraint("subject", "key", name="uq_custom_field_key_is_one"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Removed addresses and handles cannot be told as they were: what was said there is kept under another address."""
    op.drop_table("custom_field")
    op.drop_table("consent")
    op.drop_index("uq_contact_point_one_main_of_a_kind", "contact_point")
    op.drop_index("uq_contact_point_belongs_to_one_customer", "contact_point")
    op.execute("UPDATE contact_point SET address = address || ' (removed ' || id || ')' WHERE removed_at IS NOT NULL")
    op.execute("UPDATE contact_point SET kind = 'loopback' WHERE kind = 'handle'")
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_contact_point(KINDS, with_new=False)
    else:
        op.drop_constraint("ck_contact_point_main_is_not_removed", "contact_point", type_="check")
        for name in ("removed_at", "is_main", "label"):
            op.drop_column("contact_point", name)
        op.drop_constraint("ck_contact_point_kind_is_known", "contact_point", type_="check")
        op.create_check_constraint(op.f("ck_contact_point_kind_is_known"), "contact_point", KINDS)
        op.create_unique_constraint(
            op.f("uq_contact_point_belongs_to_one_customer"), "contact_point", ["kind", "address"]
        )
    for table, names in (("conversation", ("fields",)), ("customer", ("fields", "tags"))):
        with op.batch_alter_table(table, schema=None) as batch_op:
            for name in names:
                batch_op.drop_column(name)
    with op.batch_alter_table("customer", schema=None) as batch_op:
        for name in reversed(LINES):
            batch_op.drop_column(name)
        batch_op.drop_column("preferred_channel")


def _rebuild_contact_point(kinds: str, *, with_new: bool) -> None:
    """SQLite cannot change a constraint where it stands: the table is made anew. Foreign keys are not looked at while
    migrations run, and what refers to the table refers to its name."""
    added = (
        sa.Column("label", sa.Text(), server_default="", nullable=False),
        sa.Column("is_main", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("removed_at", INSTANT, nullable=True),
        sa.CheckConstraint("NOT is_main OR removed_at IS NULL", name=op.f("ck_contact_point_main_is_not_removed")),
    )
    unique = sa.UniqueConstraint("kind", "address", name=op.f("uq_contact_point_belongs_to_one_customer"))
    op.create_table(
        "contact_point_anew",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("customer_id", BIG_ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("verified", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("opted_out_at", INSTANT, nullable=True),
        sa.Column("bounced_at", INSTANT, nullable=True),
        sa.Column("bounce_reason", sa.Text(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint(kinds, name=op.f("ck_contact_point_kind_is_known")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_contact_point_customer_id_customer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_point")),
        *(added if with_new else (unique,)),
        sqlite_autoincrement=True,
    )
    kept = "id, customer_id, kind, address, verified, opted_out_at, bounced_at, bounce_reason, created_at"
    op.execute(f"INSERT INTO contact_point_anew ({kept}) SELECT {kept} FROM contact_point")  # noqa: S608
    # No id is used again, whatever was removed.
    op.execute(
        "UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'contact_point') "
        "WHERE name = 'contact_point_anew'"
    )
    op.drop_table("contact_point")
    op.rename_table("contact_point_anew", "contact_point")
    op.create_index("ix_contact_point_customer_id", "contact_point", ["customer_id"])
