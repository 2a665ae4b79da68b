"""Add who of the visitors of chats is there."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

# Instants: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite.
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
# Only INTEGER may be an automatic primary key on SQLite.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# No process is called that: whoever is in its care has left, unless they come back.
EARLIER = "before 0029"


def upgrade() -> None:
    op.create_table(
        "process",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_process")),
    )
    for name, more in (
        ("visitor_window", [sa.Column("process", sa.Text(), nullable=False)]),
        ("visitor_away", [sa.Column("since", INSTANT, nullable=False)]),
    ):
        key = ["contact_point_id", "channel_id", *(["process"] if name == "visitor_window" else [])]
        op.create_table(
            name,
            sa.Column("contact_point_id", BIG_ID, autoincrement=False, nullable=False),
            sa.Column("channel_id", sa.Text(), nullable=False),
            *more,
            sa.ForeignKeyConstraint(
                ["contact_point_id"], ["contact_point.id"], name=op.f(f"fk_{name}_contact_point_id_contact_point")
            ),
            sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name=op.f(f"fk_{name}_channel_id_channel")),
            sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{name}")),
        )
    op.create_index("ix_visitor_window_process", "visitor_window", ["process"])
    _leave_open_chats()


def _leave_open_chats() -> None:
    """Nobody knows who of those that chat now is still there: as after a process that was killed, whoever does not come back
    to one that writes it down has left."""
    connection = op.get_bind()
    chats = connection.execute(
        sa.text(
            "INSERT INTO visitor_window (contact_point_id, channel_id, process)"
            " SELECT DISTINCT c.contact_point_id, c.channel_id, :earlier FROM conversation c"
            " JOIN channel ch ON ch.id = c.channel_id WHERE ch.kind = 'chat' AND c.status = 'open'"
        ),
        {"earlier": EARLIER},
    ).rowcount
    if chats:
        now = datetime.now(UTC)
        seen_at = now if connection.dialect.name == "postgresql" else int(now.timestamp() * 1_000_000)
        process = sa.table("process", sa.column("id", sa.Text()), sa.column("seen_at", INSTANT))
        op.execute(process.insert().values(id=EARLIER, seen_at=seen_at))


def downgrade() -> None:
    op.drop_table("visitor_away")
    op.drop_table("visitor_window")
    op.drop_table("process")
