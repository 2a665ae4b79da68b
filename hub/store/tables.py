"""The tables, the same on SQLite and PostgreSQL. Each constraint is named for the rule it keeps.

who works here     user_account ─ session, api_key, access_link, agent (state, capacity), connection (open console sockets);
                   process (which processes live)
                   staff_role (what people of a role of one's own may do)
where it arrives   channel → queue ─ queue_member
who can do what    skill ─ agent_skill, queue_skill (what the work of a queue requires)
when we are there  calendar ─ calendar_version
what it is about   topic (a complaint is one); rule_set (what places new work)
whose it is        customer ─ contact_point ─ consent (what they allowed and forbade); custom_field (what else is kept);
                   visitor_window, visitor_away (who of the visitors of chats is there);
                   customer_merge (two records found to be one person); activity (orders, visits …)
what was said      conversation ─ entry ─ attachment, mail (what an entry has more when it is a mail);
                   conversation_merge (two that were one matter)
once only          arrival (the first insert of every inbound transaction), receipt, idempotency
where we fetch     mailbox (how far each IMAP folder has been read, and who reads it)
on its way out     outbox (one row per outgoing message)
being written      draft (what somebody has typed), planned_message (what goes out later)
who calls          call ─ leg (one party's line), call_segment (an agent's part), recording ─ recording_play;
                   line_test (a line that is tried, nobody's call)
what callers hear  flow ─ flow_version, sound (an uploaded prompt)
who handles it     offer, assignment; wait_estimate (what was foretold), callback (who is to be called back)
what must not wait escalation_policy ─ escalation_policy_version; escalation_segment, _run, _fired (a conversation's clocks);
                   alert (what somebody must look at)
what is said often canned_reply ─ canned_reply_queue (whose it is), canned_reply_use (who uses it)
who changed what   audit (append only)
what they think    survey_setting (what a queue asks), survey (one asking and its answer)
where it is found  search_entry, search_customer (words, made from the rows by timeline.search_index); saved_view
what happened      event (the stream), stream (its epoch)
what it counts for  fact_* (KPIs, projected from the stream), kpi_* (what they add up to)
what it should be   team ─ team_member; kpi_target; kpi_alert_rule ─ kpi_alert ─ kpi_telling (who is told of a broken limit)
who is told of it  report_schedule ─ report_run ─ report_mail; webhook_endpoint ─ webhook_delivery (other programs)
brought along      customer_import ─ customer_import_line (what was refused); customer_reference (who they are elsewhere)
asked of us        data_request (somebody wants to have what is kept of them, or wants it erased)
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    DDL,
    JSON,
    TIMESTAMP,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
    true,
)
from sqlalchemy import event as schema_event
from sqlalchemy.engine import Dialect

from hub.domain.search_words import tsvector
from hub.kpi.cells import COUNTERS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, exact to the microsecond: timestamptz on PostgreSQL, integer microseconds on SQLite."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(BigInteger())

    # The processors themselves instead of process_bind_param and process_result_value: half the calls for each value.

    def bind_processor(self, dialect: Dialect) -> Any:
        return None if dialect.name == "postgresql" else _to_microseconds

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        return None if dialect.name == "postgresql" else _from_microseconds


def _to_microseconds(value: datetime | None) -> int | None:
    return None if value is None else (value - _EPOCH) // _MICROSECOND


def _from_microseconds(value: int | None) -> datetime | None:
    return None if value is None else _EPOCH + timedelta(microseconds=value)


class Instants(TypeDecorator[tuple[datetime, ...]]):
    """Some instants in their order, as JSON of microseconds; none of them is null."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: tuple[datetime, ...] | None, dialect: Dialect) -> Any:
        return [_to_microseconds(at) for at in value] if value else None

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[datetime, ...]:
        return tuple(_EPOCH + timedelta(microseconds=at) for at in value or ())


class WordList(TypeDecorator[tuple[str, ...]]):
    """The words of a record in their order (domain.search_words): a tsvector on PostgreSQL, on SQLite a text with spaces. It
    is read as the database keeps it, for comparing."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name == "postgresql":
            # Late: SQLite has no use for it.
            from sqlalchemy.dialects.postgresql import TSVECTOR

            return dialect.type_descriptor(TSVECTOR())
        return dialect.type_descriptor(Text())

    def bind_processor(self, dialect: Dialect) -> Any:
        return tsvector if dialect.name == "postgresql" else " ".join


NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)

BigId = BigInteger().with_variant(Integer(), "sqlite")


def _id() -> Column[int]:
    return Column("id", BigId, primary_key=True, autoincrement=True)


def _ref(name: str, target: str, *, nullable: bool = False, ondelete: str | None = None) -> Column[Any]:
    return Column(name, BigId, ForeignKey(target, ondelete=ondelete), nullable=nullable)


def _at(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, Instant(), nullable=nullable)


def _version() -> Column[int]:
    return Column("version", Integer, nullable=False, server_default=text("1"))


def _one_of(column: str, *words: str) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(word) for word in words)})", name=f"{column}_is_known")


# AUTOINCREMENT on SQLite: an id is never used again, so a client that holds an old one never sees another's row.
_AUTO: dict[str, Any] = {"sqlite_autoincrement": True}

# --- what happened ------------------------------------------------------------------------------------------------------

stream = Table(
    "stream",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("epoch", Text, nullable=False),
    # Every event with seq <= pruned_to may be gone.
    Column("pruned_to", BigInteger, nullable=False, server_default=text("0")),
    CheckConstraint("id = 1", name="only_one_row"),
)

# No foreign keys: an event outlives what it tells of.
event = Table(
    "event",
    metadata,
    Column("seq", BigId, primary_key=True, autoincrement=True),
    _at("at"),
    Column("kind", Text, nullable=False),
    Column("topics", Text, nullable=False),
    Column("unless", Text, nullable=False, server_default=""),
    Column("body", Text, nullable=False),
    **_AUTO,
)

# --- who works here -----------------------------------------------------------------------------------------------------

organisation = Table(
    "organisation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    # What may interrupt what, where it is not as usual: {"interrupts": {kind: [kind, …]}, "exclusive": [kind, …]}.
    Column("routing", JSON(none_as_null=True)),
    # Which recordings an agent may play: own (of their own calls), seen (of all conversations they may see), none.
    Column("recordings_for_agents", Text, nullable=False, server_default="own"),
    # How service level is counted where nobody asks otherwise (kpi.defaults): the variant, its threshold, a short abandon.
    Column("service_level", Text, nullable=False, server_default="service_level"),
    Column("threshold_s", Integer, nullable=False, server_default=text("20")),
    Column("short_s", Integer, nullable=False, server_default=text("5")),
    Column("figures_version", Integer, nullable=False, server_default=text("1")),
    # Where it is (ISO 3166), and which languages its customers speak.
    Column("country", Text),
    Column("languages", JSON(none_as_null=True)),
    # Which step of the first set-up comes next (agents.set_up); null: it is over.
    Column("set_up_step", Text),
    # Kind of thing (agents.retention) → the days it is kept, where that is fewer than the environment says.
    Column("retention", JSON(none_as_null=True)),
    # Which account the hub's own mails leave from; null, and while that one cannot send: any that can.
    Column("mail_channel_id", Text),
    CheckConstraint("id = 1", name="only_one_row"),
)

# A role that is not built in: it sees what its base sees, and may do what is listed (domain.permissions).
staff_role = Table(
    "staff_role",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    # The name without its case: two that differ in nothing else are one.
    Column("folded_name", Text, nullable=False, unique=True),
    Column("base", Text, nullable=False),
    Column("permissions", JSON, nullable=False),
    _at("created_at"),
    _version(),
    _one_of("base", "agent", "supervisor", "admin"),
    **_AUTO,
)

user_account = Table(
    "user_account",
    metadata,
    _id(),
    Column("email", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    # What they see: the built-in role, or the base of the role of one's own that `role_id` names. No foreign key, as SQLite
    # cannot add one to a table that is there: whoever gives or removes roles holds ROUTING.
    Column("role", Text, nullable=False),
    Column("role_id", BigId),
    Column("language", Text, nullable=False, server_default="en"),
    # Below this person's mails.
    Column("signature", Text, nullable=False, server_default=""),
    # The telephone on which this person takes calls where the line can dial; null: in the browser.
    Column("desk_phone", Text),
    # So long a mail, or a message of any other kind, can be taken back after "send" was pressed; 0: not at all.
    Column("undo_mail_s", Integer, nullable=False, server_default=text("10")),
    Column("undo_text_s", Integer, nullable=False, server_default=text("0")),
    Column("password_hash", Text, nullable=False),
    Column("active", Boolean, nullable=False, server_default=true()),
    _at("created_at"),
    _version(),
    _one_of("role", "agent", "supervisor", "admin"),
    Index("ix_user_account_role_id", "role_id"),
    **_AUTO,
)

session = Table(
    "session",
    metadata,
    Column("token_hash", Text, primary_key=True),
    _ref("user_id", "user_account.id", ondelete="CASCADE"),
    Column("csrf_token", Text, nullable=False),
    _at("created_at"),
    _at("seen_at"),
    _at("expires_at"),
    # Where and with which browser it began, for its owner to tell one from another.
    Column("address", Text),
    Column("browser", Text),
    # It is of a screen on a wall, which may look and nothing else, and for weeks (agents.accounts).
    Column("is_screen", Boolean, nullable=False, server_default=false()),
    Index("ix_session_user_id", "user_id"),
)

api_key = Table(
    "api_key",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("hint", Text, nullable=False),
    _ref("created_by", "user_account.id"),
    _at("created_at"),
    _at("last_used_at", nullable=True),
    _at("revoked_at", nullable=True),
    _one_of("role", "agent", "supervisor", "admin"),
    **_AUTO,
)

# What lets somebody in once: an invitation, or a link to set a new password. The token is kept as a hash.
access_link = Table(
    "access_link",
    metadata,
    _id(),
    Column("kind", Text, nullable=False),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("email", Text, nullable=False),
    # Of a new password: whose. Of an invitation: who it became.
    _ref("user_id", "user_account.id", nullable=True, ondelete="CASCADE"),
    # What the invited will be, as with `user_account`.
    Column("role", Text, nullable=False),
    Column("role_id", BigId),
    Column("language", Text, nullable=False),
    Column("queue_ids", JSON, nullable=False),
    Column("team_ids", JSON, nullable=False),
    Column("skills", JSON, nullable=False),
    # Null: whoever forgot their password asked for it.
    _ref("created_by", "user_account.id", nullable=True),
    _at("created_at"),
    _at("expires_at"),
    _at("ended_at", nullable=True),
    # used, withdrawn
    Column("outcome", Text),
    # What became of the mail with it; null: none was sent.
    Column("mail_state", Text),
    Column("mail_code", Text),
    _one_of("kind", "invitation", "password"),
    _one_of("role", "agent", "supervisor", "admin"),
    CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="ended_has_an_outcome"),
    Index(
        "uq_access_link_open",
        "kind",
        "email",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    **_AUTO,
)

# Failed sign-ins, per e-mail and per address, for rate limit and lockout; `key` is a keyed hash, not the address itself.
sign_in_failure = Table(
    "sign_in_failure",
    metadata,
    Column("key", Text, primary_key=True),
    Column("count", Integer, nullable=False),
    _at("last_at"),
)

agent = Table(
    "agent",
    metadata,
    Column("user_id", BigId, ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True),
    Column("state", Text, nullable=False, server_default="offline"),
    Column("reason", Text),
    _at("state_since"),
    Column("connected", Boolean, nullable=False, server_default=false()),
    # When the last console socket went; the grace period counts from here.
    _at("gone_since", nullable=True),
    # Longest idle first: since the last work ended, or since the agent became available, whichever is later.
    _at("idle_since"),
    Column("capacity", Integer, nullable=False, server_default=text("100")),
    # Kind of channel → what a piece of such work costs this agent, where it is not as usual.
    Column("weights", JSON(none_as_null=True)),
    Column("missed_in_row", Integer, nullable=False, server_default=text("0")),
    # The stretch that goes on, in which none of this changed (agents.spells).
    _at("spell_since", nullable=True),
    Column("spell_state", Text),
    Column("spell_reason", Text),
    Column("spell_load", Integer, nullable=False, server_default=text("0")),
    Column("spell_capacity", Integer, nullable=False, server_default=text("0")),
    Column("spell_work_count", Integer, nullable=False, server_default=text("0")),
    _version(),
    _one_of("state", "offline", "available", "busy", "away", "not_responding"),
    CheckConstraint("capacity >= 0", name="capacity_is_not_negative"),
)

connection = Table(
    "connection",
    metadata,
    Column("id", Text, primary_key=True),
    _ref("user_id", "user_account.id", ondelete="CASCADE"),
    Column("process", Text, nullable=False),
    _at("opened_at"),
    _at("seen_at"),
    # The customer card that is open on this screen.
    _ref("customer_id", "customer.id", nullable=True, ondelete="SET NULL"),
    Index("ix_connection_user_id", "user_id"),
    Index("ix_connection_customer_id", "customer_id"),
)

# A process that holds windows of visitors, and when it last said that it lives.
process = Table(
    "process",
    metadata,
    Column("id", Text, primary_key=True),
    _at("seen_at"),
)

# --- where it arrives ---------------------------------------------------------------------------------------------------

queue = Table(
    "queue",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("offer_timeout_s", Integer, nullable=False, server_default=text("20")),
    # After a decline or a miss the pair (work, agent) is left alone for so long.
    Column("exclusion_s", Integer, nullable=False, server_default=text("60")),
    # After so many misses in a row an agent is NOT_RESPONDING.
    Column("miss_limit", Integer, nullable=False, server_default=text("3")),
    # live: chats and calls go back to the queue when their agent is lost; all: SMS and mail too.
    Column("release_when_lost", Text, nullable=False, server_default="live"),
    # Nothing may overtake work that has waited this long.
    Column("max_wait_s", Integer, nullable=False, server_default=text("3600")),
    # Below the agent's own signature in every mail of this queue.
    Column("signature", Text, nullable=False, server_default=""),
    # Whom of several its work is offered to: domain.values.AgentChoice.
    Column("choice", Text, nullable=False, server_default="least_loaded"),
    # Where its work may go too: [{"queue_ids": [2, 3], "after_s": 60}, …], each step from then on; null is none.
    Column("overflow", JSON),
    # An agent is kept from other work for each piece of its work that is overdue and finds nobody with room.
    Column("makes_room", Boolean, nullable=False, server_default=false()),
    # Kind of channel → how long an offer rings; other kinds ring for offer_timeout_s.
    Column("ring_s", JSON),
    # So long work waits for somebody who speaks the customer's language; null: that is not looked at.
    Column("language_wish_s", Integer),
    # So long work waits for whoever had the customer within so many days; null in either: that is not looked at.
    Column("last_agent_days", Integer),
    Column("last_agent_wish_s", Integer),
    # So long work waits for the owner of the customer's account; null: that is not looked at.
    Column("owner_wish_s", Integer),
    # Kinds of channel whose offers are accepted by themselves.
    Column("auto_accept", JSON(none_as_null=True)),
    # Accepted work whose line has to be set up (a call) must be connected within so long.
    Column("connect_timeout_s", Integer, nullable=False, server_default=text("30")),
    # When it is open, and what happens to what waits too long. No foreign keys: SQLite would have to build the table anew;
    # what is in use is not removed (routing.calendars, routing.policies).
    Column("calendar_id", BigId),
    Column("policy_id", BigId),
    # Whether waiting customers are told their place and the estimated wait, and may ask to be called back instead.
    Column("tells_place", Boolean, nullable=False, server_default=true()),
    Column("offers_callback", Boolean, nullable=False, server_default=false()),
    Column("callback_gap_s", Integer, nullable=False, server_default=text("900")),
    Column("callback_attempts", Integer, nullable=False, server_default=text("3")),
    # The estimated wait of whoever joins now, and how far such estimates were off lately (mean of the absolute error).
    Column("ewt_s", Float),
    Column("ewt_error_s", Float),
    Column("ewt_samples", Integer, nullable=False, server_default=text("0")),
    Column("ewt_version", Integer, nullable=False, server_default=text("0")),
    # After a call its agent has so long to write down what it was about (0: not at all), and must choose one of the
    # dispositions before they are free, if that is mandatory: then there is no end to it.
    Column("wrap_up_s", Integer, nullable=False, server_default=text("60")),
    Column("wrap_up_mandatory", Boolean, nullable=False, server_default=false()),
    Column("dispositions", JSON(none_as_null=True)),
    # Whether its calls are recorded from the beginning, and after how many days recordings go (null: never).
    Column("records_calls", Boolean, nullable=False, server_default=false()),
    Column("recording_days", Integer),
    # The line by which its agents call out. No foreign key, as above.
    Column("caller_channel_id", Text),
    # How many pieces of its waiting work nobody could ever be offered, as the dispatcher counted last.
    Column("unservable", Integer, nullable=False, server_default=text("0")),
    _version(),
    _one_of("release_when_lost", "live", "all"),
    CheckConstraint("offer_timeout_s BETWEEN 5 AND 900", name="offer_timeout_is_sane"),
    **_AUTO,
)

queue_member = Table(
    "queue_member",
    metadata,
    Column("queue_id", BigId, ForeignKey("queue.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", BigId, ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True),
    # Of all that a member could have, work of rank 0 comes before any of rank 1.
    Column("rank", Integer, nullable=False, server_default=text("0")),
    Index("ix_queue_member_user_id", "user_id"),
)

skill = Table(
    "skill",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    # The name without its case: two that differ in nothing else are one.
    Column("folded_name", Text, nullable=False, unique=True),
    _at("created_at"),
    _version(),
    **_AUTO,
)

agent_skill = Table(
    "agent_skill",
    metadata,
    Column("user_id", BigId, ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True),
    Column("skill_id", BigId, ForeignKey("skill.id", ondelete="CASCADE"), primary_key=True),
    Column("level", Integer, nullable=False),
    CheckConstraint("level BETWEEN 1 AND 5", name="level_is_1_to_5"),
    Index("ix_agent_skill_skill_id", "skill_id"),
)

# What all work of a queue requires. No CASCADE: a skill that is required is not removed.
queue_skill = Table(
    "queue_skill",
    metadata,
    Column("queue_id", BigId, ForeignKey("queue.id", ondelete="CASCADE"), primary_key=True),
    Column("skill_id", BigId, ForeignKey("skill.id"), primary_key=True),
    Column("level", Integer, nullable=False),
    CheckConstraint("level BETWEEN 1 AND 5", name="level_is_1_to_5"),
    Index("ix_queue_skill_skill_id", "skill_id"),
)

channel = Table(
    "channel",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    # Which of several adapters of its kind serves it (channels.registry); empty: the usual one.
    Column("provider", Text, nullable=False, server_default=""),
    # What callers of a telephone line hear first; null: nothing but the queue. No foreign key, as with calendar_id.
    Column("flow_id", BigId),
    Column("name", Text, nullable=False),
    _ref("queue_id", "queue.id"),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    Column("settings", JSON, nullable=False),
    # One encrypted JSON object (store.vault); never leaves the database in the clear but into an adapter.
    Column("secrets", Text, nullable=False),
    Column("default_region", Text),
    # Of a chat: how its window is set up (domain.widget); null: as usual.
    Column("widget", JSON),
    # A customer who writes within so long of the resolution reopens the conversation; later, a new one begins.
    Column("reopen_window_s", Integer, nullable=False, server_default=text("259200")),
    Column("health", Text, nullable=False, server_default="ok"),
    Column("health_code", Text),
    Column("health_detail", Text),
    _at("health_since"),
    # The breaker: nothing is sent before this instant.
    _at("paused_until", nullable=True),
    Column("failures_in_row", Integer, nullable=False, server_default=text("0")),
    # Of fetching what comes in, where the hub has to fetch it (IMAP).
    Column("inbound_health", Text, nullable=False, server_default="ok"),
    Column("inbound_code", Text),
    Column("inbound_detail", Text),
    _at("inbound_since", nullable=True),
    _version(),
    _one_of("kind", "sms", "chat", "email", "phone", "loopback"),
    _one_of("health", "ok", "degraded", "down"),
)

# Whoever is signed in on a page with a chat, by that page's own key of them: the same visitor on every device.
chat_identity = Table(
    "chat_identity",
    metadata,
    Column("channel_id", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("visitor_id", Text, nullable=False, unique=True),
    # What the page said of them last: name, email, phone. Their card may hold what others said.
    Column("told", JSON, nullable=False),
    _at("created_at"),
)

# Signed words that were used, by their digests, and by which browser: another's is a copy.
chat_identity_use = Table(
    "chat_identity_use",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("browser", Text, nullable=False),
    _at("expires_at"),
    Index("ix_chat_identity_use_expires_at", "expires_at"),
)

# --- whose it is --------------------------------------------------------------------------------------------------------

customer = Table(
    "customer",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    Column("language", Text),
    Column("note", Text, nullable=False, server_default=""),
    _at("created_at"),
    # How much it matters that this customer is served soon, 0 to 3: domain.values.TIER_PRIORITY.
    Column("tier", Integer, nullable=False, server_default=text("0")),
    # The colleague who looks after this customer. No foreign key, as with pinned_agent_id.
    Column("owner_id", BigId),
    # How this customer likes to be reached: domain.consent.REACHED_BY.
    Column("preferred_channel", Text),
    Column("company", Text, nullable=False, server_default=""),
    Column("job_title", Text, nullable=False, server_default=""),
    # ISO 3166-1 alpha-2, or empty; the rest of the address as it is written there.
    Column("country", Text, nullable=False, server_default=""),
    Column("region", Text, nullable=False, server_default=""),
    Column("town", Text, nullable=False, server_default=""),
    Column("district", Text, nullable=False, server_default=""),
    Column("street", Text, nullable=False, server_default=""),
    Column("postcode", Text, nullable=False, server_default=""),
    # An IANA name, or empty.
    Column("time_zone", Text, nullable=False, server_default=""),
    # 1990-05-17, or --05-17 of whom the year is not known; or empty.
    Column("birthday", Text, nullable=False, server_default=""),
    # How they came to us.
    Column("source", Text, nullable=False, server_default=""),
    Column("tags", JSON(none_as_null=True)),
    # Key of a custom_field → its value; what has none is not in it.
    Column("fields", JSON(none_as_null=True)),
    # Set when this record was found to be the same person as another; readers follow it.
    _ref("merged_into", "customer.id", nullable=True),
    # Nothing that says who they were is left (hub.privacy.erasing); nothing more is written here.
    _at("erased_at", nullable=True),
    _version(),
    **_AUTO,
)

contact_point = Table(
    "contact_point",
    metadata,
    _id(),
    _ref("customer_id", "customer.id"),
    Column("kind", Text, nullable=False),
    Column("address", Text, nullable=False),
    # False: claimed (typed into a chat form), not yet written from.
    Column("verified", Boolean, nullable=False, server_default=true()),
    _at("opted_out_at", nullable=True),
    # The last mail to it came back; null again as soon as it is written from.
    _at("bounced_at", nullable=True),
    Column("bounce_reason", Text),
    # What people call it ("work"), and whether it is the one of its kind that is tried first.
    Column("label", Text, nullable=False, server_default=""),
    Column("is_main", Boolean, nullable=False, server_default=false()),
    # It is this customer's no more: only what was said there still leads to it.
    _at("removed_at", nullable=True),
    _at("created_at"),
    Index(
        "uq_contact_point_belongs_to_one_customer",
        "kind",
        "address",
        unique=True,
        sqlite_where=text("removed_at IS NULL"),
        postgresql_where=text("removed_at IS NULL"),
    ),
    Index(
        "uq_contact_point_one_main_of_a_kind",
        "customer_id",
        "kind",
        unique=True,
        sqlite_where=text("is_main"),
        postgresql_where=text("is_main"),
    ),
    Index("ix_contact_point_customer_id", "customer_id"),
    _one_of("kind", "phone", "email", "chat", "loopback", "handle"),
    CheckConstraint("NOT is_main OR removed_at IS NULL", name="main_is_not_removed"),
    **_AUTO,
)

# A chat's visitor has a window open in that process. No foreign key to the process: one that was taken for dead goes on
# writing, and says that it lives a moment later.
visitor_window = Table(
    "visitor_window",
    metadata,
    Column("contact_point_id", BigId, ForeignKey("contact_point.id"), primary_key=True),
    Column("channel_id", Text, ForeignKey("channel.id"), primary_key=True),
    Column("process", Text, primary_key=True),
    Index("ix_visitor_window_process", "process"),
)

# A visitor who has left that chat's page, since when; no row: they are there, or never were seen.
visitor_away = Table(
    "visitor_away",
    metadata,
    Column("contact_point_id", BigId, ForeignKey("contact_point.id"), primary_key=True),
    Column("channel_id", Text, ForeignKey("channel.id"), primary_key=True),
    _at("since"),
)

# What customers allowed us and forbade us, in its order and for ever: only added to (timeline.consents). The last word on a
# channel and purpose holds. `opted_out_at` above is that word on writing for service, beside what senders read anyway.
consent = Table(
    "consent",
    metadata,
    _id(),
    _ref("contact_point_id", "contact_point.id"),
    Column("channel", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("given", Boolean, nullable=False),
    Column("how", Text, nullable=False),
    _ref("by_id", "user_account.id", nullable=True),
    Column("note", Text, nullable=False, server_default=""),
    _at("at"),
    Index("ix_consent_contact_point_id", "contact_point_id", "id"),
    _one_of("channel", "sms", "phone", "email", "chat", "loopback"),
    _one_of("purpose", "service", "marketing"),
    _one_of("how", "keyword", "told", "form", "import", "system"),
    **_AUTO,
)

# What an organisation keeps of its customers and conversations beyond what everybody does; values lie in their rows.
custom_field = Table(
    "custom_field",
    metadata,
    _id(),
    Column("subject", Text, nullable=False),
    # By which values are kept: never changed.
    Column("key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("hint", Text, nullable=False, server_default=""),
    Column("kind", Text, nullable=False),
    # [{"key": "gold", "label": "Gold", "active": true}, …] of a choice.
    Column("options", JSON, nullable=False),
    Column("section", Text, nullable=False, server_default=""),
    Column("position", Integer, nullable=False, server_default=text("0")),
    # A conversation is not resolved without it.
    Column("required", Boolean, nullable=False, server_default=false()),
    # Who may write it: this role and those above.
    Column("editable_by", Text, nullable=False, server_default="agent"),
    Column("active", Boolean, nullable=False, server_default=true()),
    _at("created_at"),
    _version(),
    UniqueConstraint("subject", "key", name="uq_custom_field_key_is_one"),
    _one_of("subject", "customer", "conversation"),
    _one_of("kind", "text", "number", "date", "yes_no", "choice", "choices", "link"),
    _one_of("editable_by", "agent", "supervisor", "admin"),
    CheckConstraint("NOT required OR subject = 'conversation'", name="only_conversations_require"),
    **_AUTO,
)

# Two records were found to be one person: what changed hands, so that it can be given back exactly (timeline.merging).
customer_merge = Table(
    "customer_merge",
    metadata,
    _id(),
    _ref("from_id", "customer.id"),
    _ref("into_id", "customer.id"),
    _at("at"),
    # Null: the hub, because a visitor said so.
    _ref("by_id", "user_account.id", nullable=True),
    Column("reason", Text, nullable=False),
    # Table → ids of the rows that went over, of contact points with whether they were proven: timeline.belongings.
    Column("moved", JSON, nullable=False),
    # Column of the card → [what stood there, what was put there].
    Column("filled", JSON, nullable=False),
    _at("undone_at", nullable=True),
    _ref("undone_by", "user_account.id", nullable=True),
    _one_of("reason", "hand", "claim"),
    CheckConstraint("from_id <> into_id", name="are_two"),
    Index(
        "uq_customer_merge_one_live_per_customer",
        "from_id",
        unique=True,
        sqlite_where=text("undone_at IS NULL"),
        postgresql_where=text("undone_at IS NULL"),
    ),
    Index("ix_customer_merge_into_id", "into_id"),
    **_AUTO,
)

# What other systems know of a customer: orders, payments, visits. Shown in the timeline; told by them, changed by them.
activity = Table(
    "activity",
    metadata,
    _id(),
    # Whose it is now; whom it was told of, and by which address, if by one: by these a merge is taken back.
    _ref("customer_id", "customer.id"),
    Column("given_id", BigInteger, nullable=False),
    _ref("contact_point_id", "contact_point.id", nullable=True, ondelete="SET NULL"),
    Column("source", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False, server_default=""),
    # A decimal number as text: money is not counted in floats, and SQLite has no other.
    Column("amount", Text),
    Column("currency", Text),
    Column("url", Text),
    _at("at"),
    _at("created_at"),
    _version(),
    UniqueConstraint("source", "external_id", name="uq_activity_each_once_from_its_source"),
    _one_of("kind", "order", "payment", "visit", "delivery", "ticket", "other"),
    CheckConstraint("(amount IS NULL) = (currency IS NULL)", name="money_has_a_currency"),
    Index("ix_activity_customer_id_at", "customer_id", "at", "id"),
    Index("ix_activity_contact_point_id", "contact_point_id"),
    **_AUTO,
)

# --- what was said ------------------------------------------------------------------------------------------------------

conversation = Table(
    "conversation",
    metadata,
    _id(),
    _ref("customer_id", "customer.id"),
    _ref("contact_point_id", "contact_point.id"),
    Column("channel_id", Text, ForeignKey("channel.id"), nullable=False),
    _ref("queue_id", "queue.id"),
    # What it is about, and the unguessable word by which its mails find back (mail only). Other channels have one open
    # conversation with each contact point, a mailbox has one for each topic.
    Column("subject", Text),
    Column("thread", Text, nullable=False, server_default=""),
    Column("status", Text, nullable=False, server_default="open"),
    _ref("assignee_id", "user_account.id", nullable=True),
    _at("assigned_at", nullable=True),
    # The age by which it is routed: kept through declines, misses, transfers and lost agents; null while nobody is wanted.
    _at("queued_since", nullable=True),
    _at("unanswered_since", nullable=True),
    _at("created_at"),
    _at("last_entry_at"),
    _at("resolved_at", nullable=True),
    Column("reopened_count", Integer, nullable=False, server_default=text("0")),
    Column("priority", Integer, nullable=False, server_default=text("0")),
    # The agent to whom a supervisor gave it while it waits; once somebody holds it, the pin is spent. No foreign key: people
    # are never removed, and SQLite would have to build the table anew for it.
    Column("pinned_agent_id", BigId),
    # What it is about. No foreign key, as above: topics are switched off, never removed.
    Column("topic_id", BigId),
    Column("tags", JSON(none_as_null=True)),
    # As those of a customer.
    Column("fields", JSON(none_as_null=True)),
    # What it requires beyond its queue, as `skill's id<level` lines in order (equal requirements are equal texts), and by how
    # many levels all that is required has been lowered since (routing.requirements).
    Column("required", Text, nullable=False, server_default=""),
    Column("lowered", Integer, nullable=False, server_default=text("0")),
    # Until then nobody is offered it (it waits), or it costs whoever holds it nothing (they put it aside).
    _at("parked_until", nullable=True),
    # When the next step of its escalation policy is due; how many steps have fired since it was opened last.
    _at("next_step_at", nullable=True),
    Column("escalated", Integer, nullable=False, server_default=text("0")),
    # The live row of `callback` as screens see it.
    Column("callback", JSON(none_as_null=True)),
    # The call that goes on in it, until its last word is written down. No foreign key, as above.
    Column("call_id", BigId),
    # Colleagues who were asked into it and see it wherever it goes: their ids, as ",3,7," (timeline.participants).
    Column("participants", Text, nullable=False, server_default=""),
    Column("preview", Text, nullable=False, server_default=""),
    Column("preview_direction", Text, nullable=False, server_default="in"),
    # When this request came: the beginning, or the last reopening.
    _at("arrived_at", nullable=True),
    # The stay in a queue that goes on (timeline.visits): `visit` numbers it, or the last one; in which queue, since when, and
    # by which age it is routed.
    Column("visit", Integer, nullable=False, server_default=text("0")),
    Column("visit_queue_id", BigId),
    _at("visit_since", nullable=True),
    _at("visit_age", nullable=True),
    # How long the customer has waited for us in all, until the answer that came last.
    Column("waited_s", Float, nullable=False, server_default=text("0")),
    # It was the same matter as another, which has its lines now (timeline.joining); it was taken out of another
    # (timeline.splitting). No foreign keys, as above.
    Column("merged_into", BigId),
    Column("split_from", BigId),
    _version(),
    _one_of("status", "open", "resolved"),
    CheckConstraint("status = 'open' OR (assignee_id IS NULL AND queued_since IS NULL)", name="resolved_is_nobodys"),
    CheckConstraint("assignee_id IS NULL OR queued_since IS NULL", name="assigned_is_not_waiting"),
    # No inquiry is lost: what is open is held by somebody or waits for somebody.
    CheckConstraint(
        "status = 'resolved' OR assignee_id IS NOT NULL OR queued_since IS NOT NULL", name="open_is_held_or_waiting"
    ),
    Index(
        "uq_conversation_one_open_per_contact_channel_and_thread",
        "contact_point_id",
        "channel_id",
        "thread",
        unique=True,
        sqlite_where=text("status = 'open'"),
        postgresql_where=text("status = 'open'"),
    ),
    Index(
        "uq_conversation_thread",
        "thread",
        unique=True,
        sqlite_where=text("thread <> ''"),
        postgresql_where=text("thread <> ''"),
    ),
    Index("ix_conversation_customer_id", "customer_id"),
    Index("ix_conversation_contact_point_id_channel_id", "contact_point_id", "channel_id", "id"),
    Index("ix_conversation_status_last_entry_at", "status", "last_entry_at", "id"),
    Index(
        "ix_conversation_assignee_id",
        "assignee_id",
        sqlite_where=text("assignee_id IS NOT NULL"),
        postgresql_where=text("assignee_id IS NOT NULL"),
    ),
    Index(
        "ix_conversation_waiting_in_queue",
        "queue_id",
        "queued_since",
        sqlite_where=text("queued_since IS NOT NULL"),
        postgresql_where=text("queued_since IS NOT NULL"),
    ),
    # What waits and requires something else than its queue does: mostly nothing.
    Index(
        "ix_conversation_waiting_for_others",
        "queue_id",
        "required",
        "lowered",
        sqlite_where=text("queued_since IS NOT NULL AND (required <> '' OR lowered <> 0)"),
        postgresql_where=text("queued_since IS NOT NULL AND (required <> '' OR lowered <> 0)"),
    ),
    # Stays that go on, which are no facts yet.
    Index(
        "ix_conversation_visit_since",
        "visit_queue_id",
        "visit_since",
        sqlite_where=text("visit_since IS NOT NULL"),
        postgresql_where=text("visit_since IS NOT NULL"),
    ),
    Index(
        "ix_conversation_merged_into",
        "merged_into",
        sqlite_where=text("merged_into IS NOT NULL"),
        postgresql_where=text("merged_into IS NOT NULL"),
    ),
    Index(
        "ix_conversation_split_from",
        "split_from",
        sqlite_where=text("split_from IS NOT NULL"),
        postgresql_where=text("split_from IS NOT NULL"),
    ),
    Index(
        "ix_conversation_pinned_agent_id",
        "pinned_agent_id",
        sqlite_where=text("pinned_agent_id IS NOT NULL"),
        postgresql_where=text("pinned_agent_id IS NOT NULL"),
    ),
    Index(
        "ix_conversation_next_step_at",
        "next_step_at",
        sqlite_where=text("next_step_at IS NOT NULL"),
        postgresql_where=text("next_step_at IS NOT NULL"),
    ),
    Index(
        "ix_conversation_parked_until",
        "parked_until",
        sqlite_where=text("parked_until IS NOT NULL"),
        postgresql_where=text("parked_until IS NOT NULL"),
    ),
    **_AUTO,
)

# One conversation was found to be the matter of another: what changed hands, so that it can be given back exactly
# (timeline.joining). Its lines say themselves where they came from.
conversation_merge = Table(
    "conversation_merge",
    metadata,
    _id(),
    _ref("from_id", "conversation.id"),
    _ref("into_id", "conversation.id"),
    _at("at"),
    _ref("by_id", "user_account.id"),
    # The newest line there was: what is newer has come since.
    Column("after_entry_id", BigInteger, nullable=False),
    # Table → ids of the rows that went over, and conversations that had been merged into this one before.
    Column("moved", JSON, nullable=False),
    # Column → as it stood, of the one that went; column → [what stood there, what was put there], of the one that stays.
    Column("was", JSON, nullable=False),
    Column("filled", JSON, nullable=False),
    _at("undone_at", nullable=True),
    _ref("undone_by", "user_account.id", nullable=True),
    CheckConstraint("from_id <> into_id", name="are_two"),
    Index(
        "uq_conversation_merge_one_live_per_conversation",
        "from_id",
        unique=True,
        sqlite_where=text("undone_at IS NULL"),
        postgresql_where=text("undone_at IS NULL"),
    ),
    Index("ix_conversation_merge_into_id", "into_id"),
    **_AUTO,
)

entry = Table(
    "entry",
    metadata,
    _id(),
    _ref("conversation_id", "conversation.id"),
    _ref("customer_id", "customer.id"),
    Column("kind", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("author_kind", Text, nullable=False),
    _ref("author_id", "user_account.id", nullable=True),
    Column("author_name", Text, nullable=False),
    Column("text", Text, nullable=False),
    _at("at"),
    Column("happening", Text),
    Column("data", JSON),
    Column("has_attachments", Boolean, nullable=False, server_default=false()),
    # The state of an outgoing message; its road there is in outbox and receipt.
    Column("delivery", Text),
    _at("delivery_at", nullable=True),
    Column("delivery_reason", Text),
    Column("delivery_detail", Text),
    Column("segments", Integer),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("client_key", Text),
    # The call that it tells of (happening: call).
    Column("call_id", BigId),
    # Of agents only this one sees it (0: none does): a score that is not everybody's business. No foreign key, as above.
    Column("private_to", BigInteger),
    # The conversation by whose channel and address it came or went, where that has been merged into the one it stands in
    # (conversations.HOME). No foreign key, as above.
    Column("origin_id", BigInteger),
    _version(),
    _one_of("kind", "message", "note", "event"),
    _one_of("direction", "in", "out", "internal"),
    Index("ix_entry_conversation_id_at", "conversation_id", "at", "id"),
    Index("ix_entry_customer_id_at", "customer_id", "at", "id"),
    # Mostly nothing.
    Index(
        "ix_entry_origin_id",
        "origin_id",
        sqlite_where=text("origin_id IS NOT NULL"),
        postgresql_where=text("origin_id IS NOT NULL"),
    ),
    **_AUTO,
)

attachment = Table(
    "attachment",
    metadata,
    _id(),
    # Null while it is uploaded but not yet sent.
    _ref("entry_id", "entry.id", nullable=True),
    _ref("uploaded_by", "user_account.id", nullable=True),
    _ref("contact_point_id", "contact_point.id", nullable=True),
    Column("channel_id", Text, ForeignKey("channel.id")),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size_bytes", BigInteger),
    Column("state", Text, nullable=False),
    # Where the bytes are in the file store, once they are.
    Column("file_key", Text),
    # Where the provider keeps it until we have fetched it; a mail's files lie in the mail itself, by their number there.
    Column("source_url", Text),
    Column("part", Integer),
    # How the mail's HTML names it, and whether the HTML shows it.
    Column("content_id", Text),
    Column("is_inline", Boolean, nullable=False, server_default=false()),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _at("next_attempt_at", nullable=True),
    _at("created_at"),
    Column("fault", Text),
    _one_of("state", "fetching", "stored", "failed"),
    Index("ix_attachment_entry_id", "entry_id"),
    Index("ix_attachment_file_key", "file_key"),
    Index(
        "ix_attachment_fetching",
        "next_attempt_at",
        sqlite_where=text("state = 'fetching'"),
        postgresql_where=text("state = 'fetching'"),
    ),
    **_AUTO,
)

# What an entry has more when it is a mail, in or out. The events carry the little that the timeline shows of it.
mail = Table(
    "mail",
    metadata,
    Column("entry_id", BigId, ForeignKey("entry.id"), primary_key=True, autoincrement=False),
    _ref("conversation_id", "conversation.id"),
    Column("channel_id", Text, ForeignKey("channel.id"), nullable=False),
    # in | reply | new | forward | acknowledgement
    Column("kind", Text, nullable=False),
    # Without angle brackets. Of an outgoing mail it is known once it was sent.
    Column("message_id", Text),
    # In-Reply-To and References, newest last.
    Column("refs", JSON, nullable=False),
    Column("subject", Text, nullable=False),
    # [address, name] pairs.
    Column("senders", JSON, nullable=False),
    Column("reply_to", JSON, nullable=False),
    Column("recipients", JSON, nullable=False),
    Column("cc", JSON, nullable=False),
    Column("bcc", JSON, nullable=False),
    _at("sent_at", nullable=True),
    # The whole text: [kind, text] pairs, see domain.mail.Span.
    Column("spans", JSON, nullable=False),
    # As it came: it is made safe each time it is shown.
    Column("html", Text),
    # Told without loading the two above: is there HTML, and is there more text than the entry shows?
    Column("has_html", Boolean, nullable=False, server_default=false()),
    Column("has_more", Boolean, nullable=False, server_default=false()),
    Column("noise", Text, nullable=False, server_default="none"),
    Column("fault", Text),
    # The message itself in the file store.
    Column("raw_key", Text),
    Column("size_bytes", BigInteger),
    # The mail an outgoing one quotes; the signature that went below it, as it was then.
    _ref("quoted_entry_id", "entry.id", nullable=True),
    Column("signature", Text, nullable=False, server_default=""),
    # In which language and time zone an outgoing one speaks of the mail it quotes, at every attempt.
    Column("language", Text),
    Column("zone", Text),
    # Written by somebody else than the conversation's customer.
    Column("is_stranger", Boolean, nullable=False, server_default=false()),
    _one_of("kind", "in", "reply", "new", "forward", "acknowledgement"),
    Index("ix_mail_channel_id_message_id", "channel_id", "message_id"),
    Index("ix_mail_conversation_id", "conversation_id"),
    Index("ix_mail_raw_key", "raw_key"),
)

# How far an IMAP folder has been read. One process reads it at a time: whoever holds the lease.
mailbox = Table(
    "mailbox",
    metadata,
    Column("channel_id", Text, ForeignKey("channel.id", ondelete="CASCADE"), primary_key=True),
    Column("folder", Text, primary_key=True),
    Column("uid_validity", BigInteger, nullable=False),
    # Every message with a UID up to this one has been taken.
    Column("last_uid", BigInteger, nullable=False),
    # The server's date of the newest message taken: after a change of UIDVALIDITY the search begins shortly before it.
    _at("newest_at", nullable=True),
    # The same of what was there before the hub looked first, which is never taken.
    _at("began_at", nullable=True),
    _at("looked_at"),
    Column("leased_by", Text),
    _at("lease_until", nullable=True),
    # The last mail that could not be taken in any way, in words for the administrator.
    Column("passed_over", Text),
    _at("passed_over_at", nullable=True),
)

# --- once only ----------------------------------------------------------------------------------------------------------

# Invariant 2: no foreign keys, it outlives the conversation.
arrival = Table(
    "arrival",
    metadata,
    Column("channel_id", Text, primary_key=True),
    Column("provider_id", Text, primary_key=True),
    _at("received_at"),
    Column("raw", Text, nullable=False),
    Index("ix_arrival_received_at", "received_at"),
)

receipt = Table(
    "receipt",
    metadata,
    _id(),
    Column("channel_id", Text, nullable=False),
    Column("delivery_id", Text),
    Column("message_provider_id", Text),
    Column("word", Text, nullable=False),
    Column("state", Text),
    Column("reason", Text),
    Column("detail", Text),
    _at("at"),
    # False: kept, but it changed nothing (unknown word, lower rank, no such message).
    Column("applied", Boolean, nullable=False),
    Index("ix_receipt_delivery_id", "delivery_id"),
    **_AUTO,
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key", Text, primary_key=True),
    _ref("user_id", "user_account.id", ondelete="CASCADE"),
    Column("request_hash", Text, nullable=False),
    Column("answer_id", BigInteger),
    _at("at"),
)

# --- on its way out -----------------------------------------------------------------------------------------------------

outbox = Table(
    "outbox",
    metadata,
    _id(),
    Column("delivery_id", Text, nullable=False, unique=True),
    Column("entry_id", BigId, ForeignKey("entry.id"), nullable=False, unique=True),
    _ref("conversation_id", "conversation.id"),
    Column("channel_id", Text, ForeignKey("channel.id"), nullable=False),
    Column("recipient", Text, nullable=False),
    # queued → leased → (queued again | done | parked); see timeline.outbox
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _at("next_attempt_at"),
    _at("attempted_at", nullable=True),
    _at("lease_until", nullable=True),
    Column("leased_by", Text),
    Column("provider_id", Text),
    _at("created_at"),
    _one_of("state", "queued", "leased", "done", "parked"),
    Index("ix_outbox_provider_id", "channel_id", "provider_id"),
    Index(
        "ix_outbox_unfinished",
        "conversation_id",
        "id",
        sqlite_where=text("state IN ('queued', 'leased')"),
        postgresql_where=text("state IN ('queued', 'leased')"),
    ),
    **_AUTO,
)

# --- who handles it -----------------------------------------------------------------------------------------------------

offer = Table(
    "offer",
    metadata,
    _id(),
    _ref("conversation_id", "conversation.id"),
    _ref("agent_id", "user_account.id"),
    _ref("queue_id", "queue.id"),
    _at("offered_at"),
    _at("expires_at"),
    _at("ended_at", nullable=True),
    Column("outcome", Text),
    Column("weight", Integer, nullable=False),
    # The engine's short record of the decision, which travels with the offer; and the whole: candidates, who was filtered
    # out and why, scores, rule version.
    Column("why", JSON, nullable=False),
    Column("explanation", JSON),
    _one_of(
        "outcome",
        "accepted",
        "declined",
        "no_answer",
        "device_lost",
        "setup_failed",
        "customer_left",
        "withdrawn",
    ),
    CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="ended_has_an_outcome"),
    Index(
        "uq_offer_one_live_per_conversation",
        "conversation_id",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    Index("ix_offer_conversation_id_ended_at", "conversation_id", "ended_at"),
    # Who is left alone for now: declined or missed lately, or no line to them could be set up.
    Index(
        "ix_offer_misses",
        "ended_at",
        sqlite_where=text("outcome IN ('declined', 'no_answer', 'setup_failed')"),
        postgresql_where=text("outcome IN ('declined', 'no_answer', 'setup_failed')"),
    ),
    Index("ix_offer_agent_id_ended_at", "agent_id", "ended_at"),
    **_AUTO,
)

assignment = Table(
    "assignment",
    metadata,
    _id(),
    _ref("conversation_id", "conversation.id"),
    _ref("agent_id", "user_account.id"),
    _at("assigned_at"),
    _at("ended_at", nullable=True),
    # offer | claim | transfer | reopen
    Column("how", Text, nullable=False),
    # resolved | transferred | released | taken (by somebody else, or a rule) | agent_lost | signed_out | setup_failed
    Column("end_reason", Text),
    Column("weight", Integer, nullable=False),
    # Of a call: by when the line must stand, and since when it does. Other work is connected when it is accepted.
    _at("connect_by", nullable=True),
    _at("connected_at", nullable=True),
    # The age it had as it was given: with that it goes back if no line can be set up.
    _at("queued_since", nullable=True),
    # When it was put aside and taken up again, by turns.
    Column("put_aside", Instants()),
    _one_of("how", "offer", "claim", "transfer", "reopen"),
    CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="ended_has_a_reason"),
    Index(
        "uq_assignment_one_live_per_conversation",
        "conversation_id",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    # Who had this customer last.
    Index("ix_assignment_conversation_id_assigned_at", "conversation_id", "assigned_at"),
    Index(
        "ix_assignment_live_by_agent",
        "agent_id",
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    Index(
        "ix_assignment_connecting",
        "connect_by",
        sqlite_where=text("connect_by IS NOT NULL AND connected_at IS NULL AND ended_at IS NULL"),
        postgresql_where=text("connect_by IS NOT NULL AND connected_at IS NULL AND ended_at IS NULL"),
    ),
    **_AUTO,
)

# What whoever joined a queue was told, and how long it took: the estimates are held to account (routing.estimates).
wait_estimate = Table(
    "wait_estimate",
    metadata,
    _id(),
    _ref("conversation_id", "conversation.id"),
    _ref("queue_id", "queue.id"),
    _at("made_at"),
    Column("position", Integer, nullable=False),
    # Null: nothing could be said yet.
    Column("ewt_s", Float),
    _at("ended_at", nullable=True),
    # answered | left | moved | resolved
    Column("end_reason", Text),
    Column("waited_s", Float),
    CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="ended_has_a_reason"),
    Index(
        "uq_wait_estimate_one_live_per_conversation",
        "conversation_id",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    Index("ix_wait_estimate_queue_id_ended_at", "queue_id", "ended_at"),
    **_AUTO,
)

# A customer who keeps a place in the queue without waiting on the line.
callback = Table(
    "callback",
    metadata,
    _id(),
    _ref("conversation_id", "conversation.id"),
    # Where they want to be called, and whether they said so themselves: the visitor of a chat is told no other number.
    Column("address", Text, nullable=False),
    Column("by_visitor", Boolean, nullable=False, server_default=false()),
    _at("requested_at"),
    # Since when they had waited then: their place.
    _at("place_since"),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _at("next_attempt_at", nullable=True),
    _at("ended_at", nullable=True),
    _one_of("state", "waiting", "calling", "reached", "given_up", "cancelled"),
    CheckConstraint("(ended_at IS NULL) = (state IN ('waiting', 'calling'))", name="live_has_not_ended"),
    Index(
        "uq_callback_one_live_per_conversation",
        "conversation_id",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    Index(
        "ix_callback_live_address",
        "address",
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    **_AUTO,
)

# --- calls --------------------------------------------------------------------------------------------------------------

call = Table(
    "call",
    metadata,
    _id(),
    Column("channel_id", Text, ForeignKey("channel.id"), nullable=False),
    _ref("conversation_id", "conversation.id"),
    _ref("customer_id", "customer.id"),
    # Its line on the timeline.
    Column("entry_id", BigId),
    Column("direction", Text, nullable=False),
    Column("state", Text, nullable=False),
    _at("state_since"),
    # Where it waits or was answered, and whose it is or was last.
    Column("queue_id", BigId),
    Column("agent_id", BigId),
    # The customer's number (empty: withheld) or visitor id, and the number or page of ours.
    Column("address", Text, nullable=False),
    Column("line", Text, nullable=False),
    # The unguessable name of its room at the provider.
    Column("room", Text, nullable=False, unique=True),
    Column("language", Text, nullable=False, server_default="en"),
    # Where it is in which version of which flow, and what was chosen on the way (calls.flow).
    Column("flow", JSON(none_as_null=True)),
    # What is wanted of its recording (domain.calls.Recording), and what the provider was told last.
    Column("recording", Text, nullable=False, server_default="off"),
    Column("recording_applied", Text, nullable=False, server_default="off"),
    _at("started_at"),
    _at("queued_at", nullable=True),
    _at("answered_at", nullable=True),
    # The last party has hung up; and the agent has written down what it was about.
    _at("hung_up_at", nullable=True),
    _at("ended_at", nullable=True),
    Column("end_reason", Text),
    # Until when its state may last, if it may not last for ever.
    _at("due_at", nullable=True),
    _version(),
    _one_of("direction", "in", "out"),
    _one_of(
        "state",
        "dialling",
        "ringing",
        "menu",
        "queued",
        "offered",
        "connecting",
        "talking",
        "held",
        "consult",
        "conference",
        "voicemail",
        "forwarded",
        "wrap_up",
        "ended",
    ),
    _one_of("recording", "off", "on", "paused"),
    CheckConstraint("(ended_at IS NULL) = (state <> 'ended')", name="ended_has_an_instant"),
    CheckConstraint("(end_reason IS NULL) = (hung_up_at IS NULL)", name="hung_up_has_a_reason"),
    Index(
        "uq_call_one_live_per_conversation",
        "conversation_id",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    Index(
        "ix_call_due_at",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
    Index("ix_call_conversation_id", "conversation_id", "id"),
    Index("ix_call_started_at", "started_at", "id"),
    **_AUTO,
)

leg = Table(
    "leg",
    metadata,
    _id(),
    _ref("call_id", "call.id"),
    Column("channel_id", Text, nullable=False),
    Column("party", Text, nullable=False),
    _ref("user_id", "user_account.id", nullable=True),
    # The number that is dialled; empty: a browser.
    Column("address", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False, server_default="pending"),
    Column("presence", Text, nullable=False, server_default="talk"),
    Column("muted", Boolean, nullable=False, server_default=false()),
    # Ours, unguessable: by it the provider names the leg to us; and the provider's own name.
    Column("token", Text, nullable=False, unique=True),
    Column("provider_leg_id", Text),
    # What it shall hear (channels.voice.Scene), and what the provider was told last.
    Column("scene", JSON, nullable=False),
    Column("scene_version", Integer, nullable=False, server_default=text("1")),
    Column("applied_scene", JSON(none_as_null=True)),
    Column("applied_version", Integer, nullable=False, server_default=text("0")),
    Column("end_reason", Text),
    _at("created_at"),
    _at("connected_at", nullable=True),
    _at("ended_at", nullable=True),
    # By when it must be connected, or have come back.
    _at("due_at", nullable=True),
    # How often telling the provider has failed, when it is tried again, and who is at it until when.
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _at("retry_at", nullable=True),
    _at("leased_until", nullable=True),
    Column("error_code", Text),
    _one_of("party", "customer", "agent", "consulted", "outside", "supervisor"),
    _one_of("state", "pending", "ringing", "connected", "ended"),
    _one_of("presence", "talk", "held", "listen", "whisper"),
    CheckConstraint("(ended_at IS NULL) = (state <> 'ended')", name="ended_has_an_instant"),
    Index(
        "uq_leg_provider_leg_id",
        "channel_id",
        "provider_leg_id",
        unique=True,
        sqlite_where=text("provider_leg_id IS NOT NULL"),
        postgresql_where=text("provider_leg_id IS NOT NULL"),
    ),
    Index("ix_leg_call_id", "call_id"),
    # What the provider has still to be told; one that is over has nothing to hear, but may have to be ended there.
    Index(
        "ix_leg_to_apply",
        "retry_at",
        sqlite_where=text("scene_version > applied_version"),
        postgresql_where=text("scene_version > applied_version"),
    ),
    Index(
        "ix_leg_due_at",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
    # Nobody is in two talks at once.
    Index(
        "ix_leg_live_by_user",
        "user_id",
        sqlite_where=text("ended_at IS NULL AND user_id IS NOT NULL"),
        postgresql_where=text("ended_at IS NULL AND user_id IS NOT NULL"),
    ),
    **_AUTO,
)

line_test = Table(
    "line_test",
    metadata,
    # A test call through a line (calls.line_tests): nobody's conversation, no customer's, in no figure.
    _id(),
    Column("channel_id", Text, ForeignKey("channel.id"), nullable=False),
    _ref("user_id", "user_account.id"),
    # The number that is rung (empty: the browser of whoever tries it), taken away when the test is over.
    Column("address", Text, nullable=False),
    Column("language", Text, nullable=False),
    # As of a leg: ours, unguessable; and the provider's own name.
    Column("token", Text, nullable=False, unique=True),
    Column("provider_leg_id", Text),
    Column("state", Text, nullable=False, server_default="pending"),
    _at("created_at"),
    _at("dialled_at", nullable=True),
    _at("answered_at", nullable=True),
    _at("heard_at", nullable=True),
    # Since when it is to end, and when it had.
    _at("over_at", nullable=True),
    _at("ended_at", nullable=True),
    Column("end_reason", Text),
    # What the provider said, in its own words.
    Column("error_code", Text),
    Column("error", Text),
    # When somebody has to see to it next; none: nothing is left of it at the provider.
    _at("due_at", nullable=True),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _one_of("state", "pending", "ringing", "connected", "ended"),
    CheckConstraint("(ended_at IS NULL) = (state <> 'ended')", name="ended_has_an_instant"),
    Index(
        "uq_line_test_one_live_per_channel",
        "channel_id",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    Index(
        "ix_line_test_due_at",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
    **_AUTO,
)

call_segment = Table(
    "call_segment",
    metadata,
    _id(),
    _ref("call_id", "call.id"),
    _ref("agent_id", "user_account.id"),
    Column("queue_id", BigId, nullable=False),
    # answered | claimed | transferred | consult | outbound | callback
    Column("how", Text, nullable=False),
    _at("connected_at"),
    # Seconds so far, and since when what is going on now goes on (talk | hold | wrap_up).
    Column("talk_s", Float, nullable=False, server_default=text("0")),
    Column("hold_s", Float, nullable=False, server_default=text("0")),
    Column("wrap_up_s", Float, nullable=False, server_default=text("0")),
    Column("stretch", Text, nullable=False, server_default="talk"),
    _at("stretch_since"),
    _at("ended_at", nullable=True),
    Column("end_reason", Text),
    Column("disposition", Text),
    Column("note", Text, nullable=False, server_default=""),
    _one_of("how", "answered", "claimed", "transferred", "consult", "outbound", "callback"),
    _one_of("stretch", "talk", "hold", "wrap_up"),
    Index(
        "uq_call_segment_one_live_per_call",
        "call_id",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    Index("ix_call_segment_call_id", "call_id", "id"),
    **_AUTO,
)

recording = Table(
    "recording",
    metadata,
    _id(),
    _ref("call_id", "call.id"),
    # call | voicemail
    Column("kind", Text, nullable=False),
    Column("provider_id", Text, nullable=False),
    Column("url", Text, nullable=False, server_default=""),
    # fetching | stored | failed | deleted
    Column("state", Text, nullable=False, server_default="fetching"),
    Column("reason", Text),
    Column("file_key", Text),
    Column("media_type", Text),
    Column("size_bytes", BigInteger),
    Column("channels", Integer, nullable=False, server_default=text("1")),
    Column("duration_s", Float, nullable=False, server_default=text("0")),
    # How loud it is: at most some 400 numbers from 0 to 100 for each channel, [[…], […]].
    Column("peaks", JSON(none_as_null=True)),
    _at("started_at"),
    _at("created_at"),
    # When something of it is to be removed next: the provider's copy once ours is stored, ours once it is deleted.
    _at("delete_at", nullable=True),
    _at("deleted_at", nullable=True),
    _ref("deleted_by", "user_account.id", nullable=True),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _at("retry_at", nullable=True),
    _at("leased_until", nullable=True),
    _one_of("kind", "call", "voicemail"),
    _one_of("state", "fetching", "stored", "failed", "deleted"),
    UniqueConstraint("call_id", "provider_id", name="uq_recording_each_once"),
    Index(
        "ix_recording_fetching",
        "retry_at",
        sqlite_where=text("state = 'fetching'"),
        postgresql_where=text("state = 'fetching'"),
    ),
    # Those that may have become too old.
    Index(
        "ix_recording_stored",
        "started_at",
        sqlite_where=text("state = 'stored'"),
        postgresql_where=text("state = 'stored'"),
    ),
    Index(
        "ix_recording_delete_at",
        "delete_at",
        sqlite_where=text("delete_at IS NOT NULL"),
        postgresql_where=text("delete_at IS NOT NULL"),
    ),
    **_AUTO,
)

# Who has heard what: written before the first byte is sent.
recording_play = Table(
    "recording_play",
    metadata,
    _id(),
    _ref("recording_id", "recording.id"),
    _ref("user_id", "user_account.id"),
    _at("at"),
    Index("ix_recording_play_recording_id", "recording_id"),
    **_AUTO,
)

flow = Table(
    "flow",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    _version(),
    **_AUTO,
)

# Every version is kept: a call goes on in the one in which it began.
flow_version = Table(
    "flow_version",
    metadata,
    Column("flow_id", BigId, ForeignKey("flow.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    _at("since"),
    Column("body", JSON, nullable=False),
)

sound = Table(
    "sound",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("language", Text, nullable=False, server_default="en"),
    Column("file_key", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("duration_s", Float, nullable=False),
    _at("created_at"),
    _version(),
    **_AUTO,
)

# --- when we are there, what it is about, where it goes ------------------------------------------------------------------

calendar = Table(
    "calendar",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    _version(),
    **_AUTO,
)

# Append-only: clocks are read by the calendar of their time.
calendar_version = Table(
    "calendar_version",
    metadata,
    Column("calendar_id", BigId, ForeignKey("calendar.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    _at("since"),
    Column("body", JSON, nullable=False),
)

escalation_policy = Table(
    "escalation_policy",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    _version(),
    **_AUTO,
)

# Append-only, as calendars are.
escalation_policy_version = Table(
    "escalation_policy_version",
    metadata,
    Column("policy_id", BigId, ForeignKey("escalation_policy.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    _at("since"),
    Column("body", JSON, nullable=False),
)

topic = Table(
    "topic",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    # The name without its case: two that differ in nothing else are one.
    Column("folded_name", Text, nullable=False, unique=True),
    # Stays before the eyes of whoever holds it and of supervisors until it is solved.
    Column("is_complaint", Boolean, nullable=False, server_default=false()),
    # The department and the person who handle such matters; null: wherever it is.
    _ref("queue_id", "queue.id", nullable=True),
    _ref("owner_id", "user_account.id", nullable=True),
    # Goes before the queue's.
    _ref("policy_id", "escalation_policy.id", nullable=True),
    Column("active", Boolean, nullable=False, server_default=true()),
    _version(),
    **_AUTO,
)

# The rules that place new work, whole, in each of their versions; at most one is in force.
rule_set = Table(
    "rule_set",
    metadata,
    Column("version", BigId, primary_key=True, autoincrement=True),
    # first: the first rule that fits; all: every rule that fits, in order.
    Column("mode", Text, nullable=False),
    Column("rules", JSON, nullable=False),
    _ref("created_by", "user_account.id", nullable=True),
    _at("created_at"),
    _at("activated_at", nullable=True),
    Column("active", Boolean, nullable=False, server_default=false()),
    _one_of("mode", "first", "all"),
    Index(
        "uq_rule_set_one_is_active",
        "active",
        unique=True,
        sqlite_where=text("active"),
        postgresql_where=text("active"),
    ),
    **_AUTO,
)

# --- what must not wait --------------------------------------------------------------------------------------------------

# From `start` on, until the next one: what a conversation's clocks have to know (routing.escalation.Segment).
escalation_segment = Table(
    "escalation_segment",
    metadata,
    Column("conversation_id", BigId, ForeignKey("conversation.id", ondelete="CASCADE"), primary_key=True),
    Column("start", Instant(), primary_key=True),
    Column("state", Text, nullable=False),
    # Null: always open; no policy.
    Column("calendar_id", BigInteger),
    Column("calendar_version", Integer),
    Column("policy_id", BigInteger),
    Column("policy_version", Integer),
)

escalation_run = Table(
    "escalation_run",
    metadata,
    Column("conversation_id", BigId, ForeignKey("conversation.id", ondelete="CASCADE"), primary_key=True),
    Column("clock", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    _at("started_at"),
    _at("stopped_at", nullable=True),
)

# Each step once in each run of its clock, whatever becomes of policies and processes.
escalation_fired = Table(
    "escalation_fired",
    metadata,
    Column("conversation_id", BigId, ForeignKey("conversation.id", ondelete="CASCADE"), primary_key=True),
    Column("policy_id", BigInteger, primary_key=True, autoincrement=False),
    Column("step_id", Text, primary_key=True),
    Column("clock", Text, primary_key=True),
    # The run's number; of the clock IDLE, which keeps no runs, the entry since which nothing happened.
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("policy_version", Integer, nullable=False),
    _at("due_at"),
    _at("fired_at"),
    # It fired late, when the run was over by then: nothing was done.
    Column("is_over", Boolean, nullable=False),
)

alert = Table(
    "alert",
    metadata,
    _id(),
    _ref("user_id", "user_account.id", ondelete="CASCADE"),
    _ref("conversation_id", "conversation.id", nullable=True),
    # notify: stands in the list; page: stands before everything and sounds until it is seen.
    Column("level", Text, nullable=False),
    # A machine word the console has a sentence for, and what stands in the sentence.
    Column("reason", Text, nullable=False),
    Column("data", JSON, nullable=False),
    # The line of the timeline that it is about, and the task. No foreign keys: neither is ever removed.
    Column("entry_id", BigId),
    Column("task_id", BigId),
    _at("at"),
    _at("seen_at", nullable=True),
    _version(),
    _one_of("level", "notify", "page"),
    Index(
        "ix_alert_unseen",
        "user_id",
        "id",
        sqlite_where=text("seen_at IS NULL"),
        postgresql_where=text("seen_at IS NULL"),
    ),
    Index("ix_alert_conversation_id", "conversation_id"),
    Index("ix_alert_user_id", "user_id", "id"),
    Index(
        "ix_alert_unseen_of_task",
        "task_id",
        sqlite_where=text("task_id IS NOT NULL AND seen_at IS NULL"),
        postgresql_where=text("task_id IS NOT NULL AND seen_at IS NULL"),
    ),
    **_AUTO,
)

_OPEN_TASK = "outcome IS NULL"

# What somebody is to do at an instant (timeline.tasks).
task = Table(
    "task",
    metadata,
    _id(),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    _ref("customer_id", "customer.id"),
    _ref("conversation_id", "conversation.id", nullable=True),
    # Whose it is: a person's, else everybody's of a queue.
    _ref("assignee_id", "user_account.id", nullable=True),
    _ref("queue_id", "queue.id", nullable=True),
    _at("due_at"),
    # It came back as work, and (nobody saw to it) supervisors were told. Null again once it is put off.
    _at("fired_at", nullable=True),
    _at("left_at", nullable=True),
    _ref("created_by", "user_account.id", nullable=True),
    _at("created_at"),
    Column("outcome", Text),
    _at("ended_at", nullable=True),
    _ref("ended_by", "user_account.id", nullable=True),
    _version(),
    _one_of("kind", "follow_up", "call_back"),
    _one_of("outcome", "done", "dropped"),
    CheckConstraint("assignee_id IS NOT NULL OR queue_id IS NOT NULL", name="is_somebodys"),
    CheckConstraint("(outcome IS NULL) = (ended_at IS NULL)", name="ended_with_an_outcome"),
    CheckConstraint("left_at IS NULL OR fired_at IS NOT NULL", name="left_after_it_came_back"),
    # What the loop looks for; what is overdue.
    Index("ix_task_due_at", "due_at", "id", sqlite_where=text(_OPEN_TASK), postgresql_where=text(_OPEN_TASK)),
    Index("ix_task_assignee_id", "assignee_id", sqlite_where=text(_OPEN_TASK), postgresql_where=text(_OPEN_TASK)),
    Index("ix_task_queue_id", "queue_id", sqlite_where=text(_OPEN_TASK), postgresql_where=text(_OPEN_TASK)),
    Index("ix_task_customer_id", "customer_id"),
    Index("ix_task_conversation_id", "conversation_id"),
    Index("ix_task_ended_at", "ended_at", "id"),
    **_AUTO,
)

# How somebody wants to be told of what concerns them, and to see their lists (agents.notice_rules); none: as usual.
notice_rules = Table(
    "notice_rules",
    metadata,
    Column("user_id", BigId, ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("rules", JSON, nullable=False),
    _version(),
)

# What was told last of how long a queue is (kpi.queue_lengths). No foreign key: nothing is to wait for the queue's row.
queue_length = Table(
    "queue_length",
    metadata,
    Column("queue_id", BigId, primary_key=True, autoincrement=False),
    Column("waiting", Integer, nullable=False),
    _at("longest_since", nullable=True),
    Column("unresolved", Integer, nullable=False),
    _version(),
)

# Figures of a moment as they were at the begin of a quarter of an hour (kpi.moment_snapshots); queue 0: of all. Never
# changed, kept as long as facts, and without a foreign key, as they are. Null: nothing could be said.
queue_moment = Table(
    "queue_moment",
    metadata,
    Column("queue_id", BigId, primary_key=True, autoincrement=False),
    # As kpi.days counts intervals.
    Column("start", Integer, primary_key=True, autoincrement=False),
    Column("waiting", Integer, nullable=False),
    Column("longest_waiting_ms", BigInteger, nullable=False),
    Column("backlog", Integer, nullable=False),
    Column("available_agents", Integer, nullable=False),
    Column("ewt_ms", BigInteger),
    Column("ewt_error_ms", BigInteger),
)

# --- KPI facts: one row each, projected from the stream (kpi.facts) -----------------------------------------------------

projection = Table(
    "projection",
    metadata,
    Column("name", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
)

fact_segment = Table(
    "fact_segment",
    metadata,
    Column("assignment_id", BigId, primary_key=True, autoincrement=False),
    Column("conversation_id", BigInteger, nullable=False),
    Column("agent_id", BigInteger, nullable=False),
    Column("channel_id", Text, nullable=False),
    Column("queue_id", BigInteger, nullable=False),
    _at("connected_at"),
    _at("ended_at"),
    Column("how", Text, nullable=False),
    Column("end_reason", Text, nullable=False),
    Column("topic_id", BigInteger),
    Column("customer_id", BigInteger),
    Column("call_id", BigInteger),
    Column("put_aside", Instants()),
    # The hold, each second divided by the pieces of work held in it; null: spells of that time are not known.
    Column("weighted_s", Float),
    Index("ix_fact_segment_ended_at", "ended_at"),
    Index("ix_fact_segment_agent_id_ended_at", "agent_id", "ended_at"),
    Index("ix_fact_segment_queue_id_ended_at", "queue_id", "ended_at"),
    Index("ix_fact_segment_conversation_id", "conversation_id"),
)

fact_response = Table(
    "fact_response",
    metadata,
    Column("entry_id", BigId, primary_key=True, autoincrement=False),
    Column("conversation_id", BigInteger, nullable=False),
    Column("agent_id", BigInteger, nullable=False),
    Column("channel_id", Text, nullable=False),
    Column("queue_id", BigInteger, nullable=False),
    _at("asked_at"),
    _at("answered_at"),
    Column("wall_s", Float, nullable=False),
    Column("is_first", Boolean, nullable=False),
    Column("topic_id", BigInteger),
    Column("customer_id", BigInteger),
    Column("business_s", Float),
    Index("ix_fact_response_answered_at", "answered_at"),
    Index("ix_fact_response_agent_id_answered_at", "agent_id", "answered_at"),
    Index("ix_fact_response_queue_id_answered_at", "queue_id", "answered_at"),
)

fact_resolution = Table(
    "fact_resolution",
    metadata,
    Column("entry_id", BigId, primary_key=True, autoincrement=False),
    Column("conversation_id", BigInteger, nullable=False),
    Column("agent_id", BigInteger),
    Column("channel_id", Text, nullable=False),
    Column("queue_id", BigInteger, nullable=False),
    _at("opened_at"),
    _at("resolved_at"),
    Column("wall_s", Float, nullable=False),
    Column("reopened_count", Integer, nullable=False),
    Column("topic_id", BigInteger),
    Column("customer_id", BigInteger),
    _at("arrived_at", nullable=True),
    Column("business_s", Float),
    Column("handling_s", Float),
    # What came after it (kpi.folding, Extra): the customer opened it again, came with the same again; it was resolved again.
    _at("reopened_at", nullable=True),
    _at("repeated_at", nullable=True),
    Column("is_superseded", Boolean, nullable=False, server_default=false()),
    Index("ix_fact_resolution_resolved_at", "resolved_at"),
    Index("ix_fact_resolution_agent_id_resolved_at", "agent_id", "resolved_at"),
    Index("ix_fact_resolution_queue_id_resolved_at", "queue_id", "resolved_at"),
    Index("ix_fact_resolution_conversation_id", "conversation_id"),
    Index("ix_fact_resolution_customer_id_resolved_at", "customer_id", "resolved_at"),
)

fact_call = Table(
    "fact_call",
    metadata,
    Column("call_id", BigId, primary_key=True, autoincrement=False),
    Column("conversation_id", BigInteger, nullable=False),
    Column("channel_id", Text, nullable=False),
    # The queue in which it waited last; null: it never reached one.
    Column("queue_id", BigInteger),
    Column("direction", Text, nullable=False),
    _at("started_at"),
    _at("queued_at", nullable=True),
    _at("answered_at", nullable=True),
    _at("ended_at"),
    Column("end_reason", Text, nullable=False),
    Column("topic_id", BigInteger),
    Column("customer_id", BigInteger),
    Index("ix_fact_call_ended_at", "ended_at"),
    Index("ix_fact_call_queue_id_ended_at", "queue_id", "ended_at"),
)

fact_call_segment = Table(
    "fact_call_segment",
    metadata,
    Column("segment_id", BigId, primary_key=True, autoincrement=False),
    Column("call_id", BigInteger, nullable=False),
    Column("conversation_id", BigInteger, nullable=False),
    Column("agent_id", BigInteger, nullable=False),
    Column("channel_id", Text, nullable=False),
    Column("queue_id", BigInteger, nullable=False),
    Column("direction", Text, nullable=False),
    Column("how", Text, nullable=False),
    _at("connected_at"),
    Column("talk_s", Float, nullable=False),
    Column("hold_s", Float, nullable=False),
    Column("wrap_up_s", Float, nullable=False),
    _at("ended_at"),
    Column("end_reason", Text, nullable=False),
    Column("disposition", Text),
    Column("topic_id", BigInteger),
    Column("customer_id", BigInteger),
    # It was passed on after its agent had asked whoever took it over.
    Column("is_consult", Boolean, nullable=False, server_default=false()),
    Index("ix_fact_call_segment_call_id", "call_id"),
    Index("ix_fact_call_segment_ended_at", "ended_at"),
    Index("ix_fact_call_segment_agent_id_ended_at", "agent_id", "ended_at"),
    Index("ix_fact_call_segment_queue_id_ended_at", "queue_id", "ended_at"),
)

# A call rang at an agent who did not answer.
fact_call_missed = Table(
    "fact_call_missed",
    metadata,
    Column("offer_id", BigId, primary_key=True, autoincrement=False),
    Column("call_id", BigInteger, nullable=False),
    Column("conversation_id", BigInteger, nullable=False),
    Column("agent_id", BigInteger, nullable=False),
    Column("channel_id", Text, nullable=False),
    Column("queue_id", BigInteger, nullable=False),
    _at("offered_at"),
    _at("ended_at"),
    Column("topic_id", BigInteger),
    Column("customer_id", BigInteger),
    Index("ix_fact_call_missed_ended_at", "ended_at"),
    Index("ix_fact_call_missed_agent_id_ended_at", "agent_id", "ended_at"),
    Index("ix_fact_call_missed_queue_id_ended_at", "queue_id", "ended_at"),
)

fact_contact = Table(
    "fact_contact",
    metadata,
    Column("conversation_id", BigInteger, primary_key=True, autoincrement=False),
    Column("episode", Integer, primary_key=True, autoincrement=False),
    Column("customer_id", BigInteger, nullable=False),
    Column("channel_id", Text, nullable=False),
    Column("queue_id", BigInteger, nullable=False),
    Column("direction", Text, nullable=False),
    _at("arrived_at"),
    Column("by_call", Boolean, nullable=False),
    Column("reopened_by", Text),
    Column("topic_id", BigInteger),
    Index("ix_fact_contact_arrived_at", "arrived_at"),
    Index("ix_fact_contact_queue_id_arrived_at", "queue_id", "arrived_at"),
    Index("ix_fact_contact_customer_id_arrived_at", "customer_id", "arrived_at"),
)

fact_queue_visit = Table(
    "fact_queue_visit",
    metadata,
    Column("conversation_id", BigInteger, primary_key=True, autoincrement=False),
    Column("visit", Integer, primary_key=True, autoincrement=False),
    Column("customer_id", BigInteger, nullable=False),
    Column("channel_id", Text, nullable=False),
    Column("queue_id", BigInteger, nullable=False),
    _at("arrived_at"),
    _at("waiting_since"),
    _at("queued_at"),
    _at("removed_at"),
    Column("reason", Text, nullable=False),
    Column("agent_id", BigInteger),
    Column("call_id", BigInteger),
    Column("topic_id", BigInteger),
    Column("is_first", Boolean, nullable=False, server_default=true()),
    Index("ix_fact_queue_visit_removed_at", "removed_at"),
    Index("ix_fact_queue_visit_queue_id_removed_at", "queue_id", "removed_at"),
    # What came when, which a forecast learns from.
    Index("ix_fact_queue_visit_queue_id_queued_at", "queue_id", "queued_at"),
    Index("ix_fact_queue_visit_agent_id_removed_at", "agent_id", "removed_at"),
)

fact_offer = Table(
    "fact_offer",
    metadata,
    Column("offer_id", BigId, primary_key=True, autoincrement=False),
    Column("conversation_id", BigInteger, nullable=False),
    Column("agent_id", BigInteger, nullable=False),
    Column("channel_id", Text, nullable=False),
    Column("queue_id", BigInteger, nullable=False),
    _at("offered_at"),
    _at("ended_at"),
    Column("outcome", Text, nullable=False),
    Column("call_id", BigInteger),
    Column("customer_id", BigInteger),
    Column("topic_id", BigInteger),
    Index("ix_fact_offer_ended_at", "ended_at"),
    Index("ix_fact_offer_agent_id_ended_at", "agent_id", "ended_at"),
    Index("ix_fact_offer_queue_id_ended_at", "queue_id", "ended_at"),
)

# One stretch of time in which an agent's state and load were the same; one agent's follow each other without a gap.
fact_agent_state = Table(
    "fact_agent_state",
    metadata,
    Column("agent_id", BigInteger, primary_key=True, autoincrement=False),
    Column("since", Instant(), primary_key=True),
    _at("until"),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("load", Integer, nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("work_count", Integer, nullable=False),
    Index("ix_fact_agent_state_until", "until"),
    Index("ix_fact_agent_state_agent_id_until", "agent_id", "until"),
)

fact_survey_sent = Table(
    "fact_survey_sent",
    metadata,
    Column("survey_id", BigId, primary_key=True, autoincrement=False),
    Column("survey", Text, nullable=False),
    Column("conversation_id", BigInteger, nullable=False),
    Column("customer_id", BigInteger, nullable=False),
    Column("channel_id", Text, nullable=False),
    Column("queue_id", BigInteger, nullable=False),
    _at("sent_at"),
    Column("agent_id", BigInteger),
    Column("topic_id", BigInteger),
    Index("ix_fact_survey_sent_sent_at", "sent_at"),
    Index("ix_fact_survey_sent_agent_id_sent_at", "agent_id", "sent_at"),
)

fact_survey = Table(
    "fact_survey",
    metadata,
    Column("survey_id", BigId, primary_key=True, autoincrement=False),
    Column("survey", Text, nullable=False),
    Column("score", Integer, nullable=False),
    Column("conversation_id", BigInteger, nullable=False),
    Column("customer_id", BigInteger, nullable=False),
    Column("channel_id", Text, nullable=False),
    Column("queue_id", BigInteger, nullable=False),
    _at("sent_at"),
    _at("answered_at"),
    Column("agent_id", BigInteger),
    Column("topic_id", BigInteger),
    Index("ix_fact_survey_answered_at", "answered_at"),
    Index("ix_fact_survey_agent_id_answered_at", "agent_id", "answered_at"),
)
# Who turned out to be somebody else we knew; and who did not, after all.
fact_customer_joined = Table(
    "fact_customer_joined",
    metadata,
    Column("customer_id", BigId, primary_key=True, autoincrement=False),
    Column("merge_id", BigId, primary_key=True, autoincrement=False, server_default=text("0")),
    Column("into_id", BigInteger, nullable=False),
    _at("joined_at"),
    Index("ix_fact_customer_joined_into_id", "into_id"),
)

fact_customer_parted = Table(
    "fact_customer_parted",
    metadata,
    Column("merge_id", BigId, primary_key=True, autoincrement=False),
    Column("customer_id", BigInteger, nullable=False),
    Column("into_id", BigInteger, nullable=False),
    _at("parted_at"),
    Column("conversation_ids", JSON, nullable=False),
)


# --- KPI cells: what the facts of a stretch of time add up to (kpi.cells) -----------------------------------------------

# Whose and when: `grain` is interval, day or month; `start` its number (kpi.days); `dim` agent, queue …, `dim_id` which.
# Rows lie in the order in which reports read them: those of one stretch beside each other.
kpi_cell = Table(
    "kpi_cell",
    metadata,
    Column("grain", Text, primary_key=True),
    Column("dim", Text, primary_key=True),
    Column("start", Integer, primary_key=True, autoincrement=False),
    Column("dim_id", Text, primary_key=True),
    *(Column(counter, BigInteger, nullable=False, server_default=text("0")) for counter in COUNTERS),
    Index("ix_kpi_cell_dim_id", "grain", "dim", "dim_id", "start"),
    sqlite_with_rowid=False,
)

# The percentiles of days and months; `bins` as kpi.sketch encodes them.
kpi_sketch = Table(
    "kpi_sketch",
    metadata,
    Column("grain", Text, primary_key=True),
    Column("dim", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("start", Integer, primary_key=True, autoincrement=False),
    Column("dim_id", Text, primary_key=True),
    Column("bins", LargeBinary, nullable=False),
    Index("ix_kpi_sketch_dim_id", "grain", "dim", "name", "dim_id", "start"),
    sqlite_with_rowid=False,
)

# --- teams, targets, and limits that are watched ------------------------------------------------------------------------

team = Table(
    "team",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    # The name without its case: two that differ in nothing else are one.
    Column("folded_name", Text, nullable=False),
    # By which clock its day goes; null: the organisation's.
    Column("time_zone", Text),
    Column("leaderboard", Boolean, nullable=False, server_default=true()),
    # A team that is gone stays: figures of the past are told by it.
    _at("removed_at", nullable=True),
    _version(),
    Index(
        "uq_team_folded_name",
        "folded_name",
        unique=True,
        sqlite_where=text("removed_at IS NULL"),
        postgresql_where=text("removed_at IS NULL"),
    ),
    **_AUTO,
)

# Who was in which team when: since <= t < until; null: still. Never changed but by ending.
team_member = Table(
    "team_member",
    metadata,
    Column("team_id", BigId, ForeignKey("team.id"), primary_key=True, autoincrement=False),
    Column("user_id", BigId, ForeignKey("user_account.id"), primary_key=True, autoincrement=False),
    Column("since", Instant(), primary_key=True),
    _at("until", nullable=True),
    CheckConstraint("until IS NULL OR until > since", name="ends_after_it_began"),
    Index(
        "uq_team_member_now",
        "team_id",
        "user_id",
        unique=True,
        sqlite_where=text("until IS NULL"),
        postgresql_where=text("until IS NULL"),
    ),
)

# `scope_id` is 0 for all, so that the rule of one target each holds for them, too.
kpi_target = Table(
    "kpi_target",
    metadata,
    _id(),
    Column("measure", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("scope_id", BigInteger, nullable=False),
    Column("target", Float, nullable=False),
    Column("warning", Float),
    _one_of("scope", "all", "queue", "team", "agent"),
    CheckConstraint("(scope = 'all') = (scope_id = 0)", name="all_is_nobodys"),
    UniqueConstraint("measure", "scope", "scope_id"),
    **_AUTO,
)

kpi_alert_rule = Table(
    "kpi_alert_rule",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    # A measure (of today) or a figure of the moment (kpi.moments).
    Column("measure", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("scope_id", BigInteger),
    Column("raise_at", Float, nullable=False),
    Column("clear_at", Float, nullable=False),
    Column("for_s", Integer, nullable=False, server_default=text("0")),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    Column("to_console", Boolean, nullable=False, server_default=true()),
    Column("emails", JSON, nullable=False),
    Column("webhook_url", Text),
    # The secret that webhooks are signed with, sealed (store.vault).
    Column("webhook_secret", Text),
    # How it stands: when the figure was looked at last, what it was, and since when it is beyond without a break.
    _at("looked_at", nullable=True),
    Column("value", Float),
    _at("beyond_since", nullable=True),
    # Address → why the last telling there failed, of those where it did.
    Column("troubles", JSON(none_as_null=True)),
    _version(),
    _one_of("scope", "all", "queue", "team", "agent"),
    CheckConstraint("(scope = 'all') = (scope_id IS NULL)", name="all_is_nobodys"),
    **_AUTO,
)

# One breaking of a limit, with the limit as it was. At most one of a rule stands at a time.
kpi_alert = Table(
    "kpi_alert",
    metadata,
    _id(),
    _ref("rule_id", "kpi_alert_rule.id", nullable=True, ondelete="SET NULL"),
    Column("name", Text, nullable=False),
    Column("measure", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("scope_id", BigInteger),
    Column("raise_at", Float, nullable=False),
    Column("clear_at", Float, nullable=False),
    Column("to_console", Boolean, nullable=False),
    _at("raised_at"),
    Column("value", Float, nullable=False),
    _at("healed_at", nullable=True),
    # Null: it was switched off or removed while it was broken.
    Column("healed_value", Float),
    _version(),
    Index(
        "uq_kpi_alert_standing",
        "rule_id",
        unique=True,
        sqlite_where=text("healed_at IS NULL"),
        postgresql_where=text("healed_at IS NULL"),
    ),
    Index("ix_kpi_alert_raised_at", "raised_at"),
    **_AUTO,
)

# One message on its way: that a limit broke or is well again, to one address or one webhook.
kpi_telling = Table(
    "kpi_telling",
    metadata,
    _id(),
    _ref("alert_id", "kpi_alert.id", ondelete="CASCADE"),
    Column("what", Text, nullable=False),
    Column("channel", Text, nullable=False),
    # An e-mail address or the address of the webhook, and the (sealed) secret it is signed with: those of when it broke or
    # healed, so that they arrive even if the rule is removed at once.
    Column("address", Text, nullable=False),
    Column("secret", Text),
    # Unguessable, the same at every try: whoever gets it twice knows it by this.
    Column("delivery_id", Text, nullable=False),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    # When to try (again), and until when somebody is trying; null: it is done, or given up.
    _at("due_at", nullable=True),
    _one_of("what", "raised", "healed"),
    _one_of("channel", "email", "webhook"),
    Index(
        "ix_kpi_telling_due_at",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
    Index("ix_kpi_telling_alert_id", "alert_id"),
    **_AUTO,
)

# --- staffing -----------------------------------------------------------------------------------------------------------
# Days are ISO dates (2026-12-31), pieces [["09:00", "18:00", "work"], …], as staffing.schedule reads them.

# What repeats from `since` on, Monday first, until another week of this agent begins.
shift_week = Table(
    "shift_week",
    metadata,
    Column("agent_id", BigId, ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True),
    Column("since", Text, primary_key=True),
    Column("days", JSON, nullable=False),
)

# A day that is not as the week says; no pieces: a day off.
shift_day = Table(
    "shift_day",
    metadata,
    Column("agent_id", BigId, ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True),
    Column("day", Text, primary_key=True),
    Column("pieces", JSON, nullable=False),
    Index("ix_shift_day_day", "day"),
)

# What a queue is staffed for. Null: no bound on occupancy; handle time as it was lately; patience without end (Erlang C).
staffing_plan = Table(
    "staffing_plan",
    metadata,
    Column("queue_id", BigId, ForeignKey("queue.id", ondelete="CASCADE"), primary_key=True),
    Column("service_level", Float, nullable=False),
    Column("within_s", Integer, nullable=False),
    Column("occupancy", Float),
    Column("shrinkage", Float, nullable=False),
    Column("aht_s", Float),
    Column("patience_s", Float),
    Column("concurrency", Integer, nullable=False),
    _version(),
    CheckConstraint("service_level BETWEEN 0 AND 1", name="service_level_is_a_share"),
    CheckConstraint("shrinkage >= 0 AND shrinkage < 1", name="shrinkage_leaves_somebody"),
)

# What was foretold for a day, on the day on which it was: never changed, so its error is real. No foreign key: it outlives
# its queue, as facts do. `contacts`: 96 quarters of the clock on the wall.
forecast = Table(
    "forecast",
    metadata,
    Column("queue_id", BigInteger, primary_key=True, autoincrement=False),
    Column("day", Text, primary_key=True),
    Column("made_on", Text, primary_key=True),
    Column("method", Text, nullable=False),
    Column("contacts", JSON, nullable=False),
    Index("ix_forecast_made_on", "made_on"),
)

# --- reports that are sent by mail (reports.schedules) ---------------------------------------------------------------

report_schedule = Table(
    "report_schedule",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    # What may be told is what the owner may see.
    _ref("owner_id", "user_account.id"),
    # The parameters of the report, as the API takes them.
    Column("query", JSON, nullable=False),
    Column("every", Text, nullable=False),
    # 1 is Monday.
    Column("weekday", Integer),
    Column("day", Integer),
    # HH:MM by the clocks of `time_zone`; null: of the organisation's.
    Column("at", Text, nullable=False),
    Column("time_zone", Text),
    # Staff, by id, and anybody else, by address.
    Column("recipient_ids", JSON, nullable=False),
    Column("addresses", JSON, nullable=False),
    # xlsx, csv.
    Column("files", JSON, nullable=False),
    Column("active", Boolean, nullable=False, server_default=true()),
    # Null: it is switched off.
    _at("next_at", nullable=True),
    _version(),
    _one_of("every", "day", "week", "month"),
    CheckConstraint("weekday IS NULL OR weekday BETWEEN 1 AND 7", name="weekday_is_1_to_7"),
    CheckConstraint("day IS NULL OR day BETWEEN 1 AND 31", name="day_is_1_to_31"),
    Index("ix_report_schedule_next_at", "next_at"),
    **_AUTO,
)

# A report that was due; whatever many processes do at the same time, once.
report_run = Table(
    "report_run",
    metadata,
    _id(),
    _ref("schedule_id", "report_schedule.id", ondelete="CASCADE"),
    _at("due_at"),
    Column("is_manual", Boolean, nullable=False, server_default=false()),
    Column("state", Text, nullable=False),
    _at("finished_at", nullable=True),
    # Why it could not be made or sent: a machine word, and the words of whoever refused.
    Column("code", Text),
    Column("message", Text),
    _one_of("state", "waiting", "sent", "failed"),
    Index(
        "uq_report_run_once_for_each_due_time",
        "schedule_id",
        "due_at",
        unique=True,
        sqlite_where=text("NOT is_manual"),
        postgresql_where=text("NOT is_manual"),
    ),
    Index("ix_report_run_schedule_id", "schedule_id", "id"),
    **_AUTO,
)

# The same report for one recipient.
report_mail = Table(
    "report_mail",
    metadata,
    _id(),
    _ref("run_id", "report_run.id", ondelete="CASCADE"),
    Column("address", Text, nullable=False),
    Column("name", Text, nullable=False),
    # The same at every attempt, so that mail programs show it once.
    Column("delivery_id", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _at("next_attempt_at", nullable=True),
    _at("lease_until", nullable=True),
    Column("code", Text),
    Column("message", Text),
    _one_of("state", "waiting", "leased", "sent", "failed"),
    Index("ix_report_mail_run_id", "run_id"),
    Index(
        "ix_report_mail_unfinished",
        "next_attempt_at",
        sqlite_where=text("state IN ('waiting', 'leased')"),
        postgresql_where=text("state IN ('waiting', 'leased')"),
    ),
    **_AUTO,
)

# --- other programs that are told (hub.webhooks) ------------------------------------------------------------------------

webhook_endpoint = Table(
    "webhook_endpoint",
    metadata,
    _id(),
    Column("url", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=text("''")),
    # Names of webhooks.catalogue; of queues and channels none means all.
    Column("events", JSON, nullable=False),
    Column("queue_ids", JSON, nullable=False),
    Column("channel_ids", JSON, nullable=False),
    # Sealed: {"secret": …, "old": …}; the old one signs, too, until `old_secret_until`.
    Column("secrets", Text, nullable=False),
    _at("secret_since"),
    _at("old_secret_until", nullable=True),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    # Why the hub itself has switched it off, and when.
    Column("off_reason", Text),
    _at("off_at", nullable=True),
    # How far the stream is told to it, and since when it listens: what came about before is no news.
    Column("cursor", BigInteger, nullable=False),
    _at("since"),
    # How it goes: failures without a success between them, since when, and until when nothing is tried.
    Column("failures_in_row", Integer, nullable=False, server_default=text("0")),
    _at("failing_since", nullable=True),
    _at("paused_until", nullable=True),
    # When administrators are to be written to (again) that it was switched off; null: they were.
    _at("mail_due_at", nullable=True),
    Column("mail_tries", Integer, nullable=False, server_default=text("0")),
    _at("created_at"),
    _version(),
    _one_of("off_reason", "failing", "gone"),
    CheckConstraint("NOT (enabled AND off_reason IS NOT NULL)", name="is_on_or_off"),
    **_AUTO,
)

webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    _id(),
    _ref("endpoint_id", "webhook_endpoint.id", ondelete="CASCADE"),
    # What the receiver knows it by (header webhook-id), the same at every try.
    Column("message_id", Text, nullable=False),
    # What it tells (webhooks.catalogue): once for each endpoint.
    Column("occurrence", Text, nullable=False),
    Column("type", Text, nullable=False),
    # What is of one lane arrives in order.
    Column("lane", Text, nullable=False),
    # JSON, packed by zlib: it is a third of it, and there may be a million a day.
    Column("body", LargeBinary, nullable=False),
    # waiting → sending → delivered, or dead
    Column("state", Text, nullable=False),
    # Waiting: when it is tried next. Sending: until when whoever does has it. Null: it is over.
    _at("due_at", nullable=True),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _at("created_at"),
    _at("attempted_at", nullable=True),
    _at("done_at", nullable=True),
    # Of the last attempt: what was answered, or a machine word for why nothing was; the first bytes; how long it took.
    Column("status", Integer),
    Column("code", Text),
    Column("answer", Text, nullable=False, server_default=text("''")),
    Column("duration_ms", Integer),
    # Attempts that failed: [{"at", "status", "code", "duration_ms"}], the oldest first.
    Column("failures", JSON),
    _one_of("state", "waiting", "sending", "delivered", "dead"),
    CheckConstraint("(due_at IS NOT NULL) = (state IN ('waiting', 'sending'))", name="is_due_or_over"),
    UniqueConstraint("endpoint_id", "occurrence", name="uq_webhook_delivery_told_once"),
    Index("ix_webhook_delivery_state", "endpoint_id", "state", "id"),
    Index("ix_webhook_delivery_done_at", "done_at"),
    Index(
        "ix_webhook_delivery_due_at",
        "endpoint_id",
        "due_at",
        "id",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
    Index(
        "ix_webhook_delivery_lane",
        "endpoint_id",
        "lane",
        "id",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
    **_AUTO,
)

# --- what customers say of us (hub.surveys) ---------------------------------------------------------------------------------

# What the customers of a queue are asked once their request is resolved; a queue without a row asks nobody.
survey_setting = Table(
    "survey_setting",
    metadata,
    Column("queue_id", BigId, ForeignKey("queue.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("enabled", Boolean, nullable=False),
    Column("kind", Text, nullable=False),
    # Language → question, where it is not the one of surveys.words; and the language of customers who have none.
    Column("questions", JSON, nullable=False),
    Column("language", Text, nullable=False),
    # Kinds of channel on which is asked.
    Column("channels", JSON, nullable=False),
    # After the resolution; at most once in so many days (0: each time); answers are taken for so long.
    Column("delay_s", Integer, nullable=False),
    Column("throttle_days", Integer, nullable=False),
    Column("open_h", Integer, nullable=False),
    # A score up to this one is low (null: none is); who is told of it, null: every supervisor.
    Column("low_score", Integer),
    Column("told", JSON(none_as_null=True)),
    # Whether an agent sees the scores of their own work alone, or of all they see.
    Column("scores_for_agents", Text, nullable=False),
    _version(),
    _one_of("kind", "csat", "nps", "ces"),
    _one_of("scores_for_agents", "own", "all"),
    CheckConstraint("delay_s >= 0 AND throttle_days >= 0 AND open_h > 0", name="times_are_sane"),
)

# One asking. planned → sent → answered, or planned → dropped; see domain.states.SURVEY.
survey = Table(
    "survey",
    metadata,
    _id(),
    _ref("conversation_id", "conversation.id", ondelete="CASCADE"),
    # The line of the resolution it is about, the line that asks, the line with the score. No foreign keys: SQLite would
    # have to build tables anew, and entries go with their conversation.
    Column("resolved_entry_id", BigInteger, nullable=False, unique=True),
    Column("entry_id", BigInteger),
    Column("answer_entry_id", BigInteger),
    # Whose it is now (a merge moves it), and where it was resolved.
    _ref("customer_id", "customer.id"),
    _ref("queue_id", "queue.id"),
    Column("channel_id", Text, ForeignKey("channel.id"), nullable=False),
    Column("agent_id", BigInteger),
    Column("topic_id", BigInteger),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("language", Text, nullable=False, server_default="en"),
    _at("resolved_at"),
    _at("due_at"),
    # Why nobody was asked.
    Column("dropped", Text),
    _at("sent_at", nullable=True),
    _at("expires_at", nullable=True),
    _at("answered_at", nullable=True),
    Column("score", Integer),
    Column("comment", Text, nullable=False, server_default=""),
    Column("is_low", Boolean, nullable=False, server_default=false()),
    # A low score is work: open until a supervisor says that it is done.
    Column("follow_up", Text),
    Column("followed_up_by", BigInteger),
    _at("followed_up_at", nullable=True),
    _one_of("kind", "csat", "nps", "ces"),
    _one_of("state", "planned", "sent", "answered", "dropped"),
    CheckConstraint("(state = 'answered') = (score IS NOT NULL)", name="answered_has_a_score"),
    CheckConstraint("state IN ('planned', 'dropped') OR sent_at IS NOT NULL", name="asked_was_sent"),
    Index(
        "ix_survey_planned",
        "due_at",
        sqlite_where=text("state = 'planned'"),
        postgresql_where=text("state = 'planned'"),
    ),
    Index("ix_survey_customer_id_sent_at", "customer_id", "sent_at"),
    Index("ix_survey_conversation_id", "conversation_id"),
    Index("ix_survey_answered_at", "answered_at", "id"),
    Index("ix_survey_entry_id", "entry_id"),
    **_AUTO,
)

# --- being written ------------------------------------------------------------------------------------------------------

# What somebody has typed in a conversation and not sent. One that was sent or emptied stays for a while without words, so
# that its versions go on and a page that slept brings nothing back (writing.drafts).
draft = Table(
    "draft",
    metadata,
    Column("conversation_id", BigId, ForeignKey("conversation.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", BigId, ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True),
    Column("text", Text, nullable=False),
    Column("note", Text, nullable=False),
    # Uploaded files by their ids: they are not swept while the draft stands.
    Column("attachment_ids", JSON, nullable=False),
    # Those of the note, which no customer is ever sent.
    Column("note_attachment_ids", JSON(none_as_null=True)),
    # The head of a mail, where it was changed (writing.heads).
    Column("mail", JSON(none_as_null=True)),
    # Null: there are no words in it.
    _at("began_at", nullable=True),
    _at("updated_at"),
    # The page that wrote last.
    Column("writer", Text, nullable=False),
    # A colleague took the words over; here they stay until their author writes on or they are swept.
    _ref("taken_by", "user_account.id", nullable=True, ondelete="SET NULL"),
    _at("taken_at", nullable=True),
    _version(),
    Index("ix_draft_user_id", "user_id"),
    Index("ix_draft_updated_at", "updated_at"),
)

# What goes out later: at a time that was chosen, or a moment after "send" was pressed (`is_held`: undo). See
# domain.states.PLANNED and writing.planned.
planned_message = Table(
    "planned_message",
    metadata,
    _id(),
    _ref("conversation_id", "conversation.id", ondelete="CASCADE"),
    _ref("author_id", "user_account.id"),
    Column("is_held", Boolean, nullable=False),
    Column("text", Text, nullable=False),
    Column("attachment_ids", JSON, nullable=False),
    Column("mail", JSON(none_as_null=True)),
    Column("segments", Integer),
    _at("send_at"),
    # Also when the customer has written, or it was resolved, since it was planned.
    Column("despite", Boolean, nullable=False),
    # The newest line of the conversation when it was planned. No foreign key, nor for `entry_id`, the line that it became:
    # entries go with their conversation.
    Column("after_entry_id", BigInteger, nullable=False),
    Column("entry_id", BigInteger),
    Column("client_key", Text),
    Column("state", Text, nullable=False),
    # Why it was stopped: a machine word, and what is wrong (domain.sentences: to_text).
    Column("reason", Text),
    Column("detail", Text),
    _at("created_at"),
    _version(),
    _one_of("state", "waiting", "stopped", "sent", "cancelled"),
    CheckConstraint("(state = 'sent') = (entry_id IS NOT NULL)", name="sent_has_an_entry"),
    CheckConstraint("(state = 'stopped') = (reason IS NOT NULL)", name="stopped_has_a_reason"),
    Index(
        "ix_planned_message_waiting",
        "send_at",
        sqlite_where=text("state = 'waiting'"),
        postgresql_where=text("state = 'waiting'"),
    ),
    Index(
        "ix_planned_message_standing",
        "conversation_id",
        sqlite_where=text("state IN ('waiting', 'stopped')"),
        postgresql_where=text("state IN ('waiting', 'stopped')"),
    ),
    **_AUTO,
)

# --- what is written often (timeline.canned_replies) ------------------------------------------------------------------------

canned_reply = Table(
    "canned_reply",
    metadata,
    _id(),
    # Whose it is; null: it is shared.
    _ref("owner_id", "user_account.id", nullable=True, ondelete="CASCADE"),
    # personal, all, or queues (those of canned_reply_queue; with none of them left it is the supervisors').
    Column("scope", Text, nullable=False),
    Column("title", Text, nullable=False),
    # In small letters, as it is compared.
    Column("code", Text, nullable=False),
    Column("folder", Text, nullable=False, server_default=""),
    # [{"language", "text", "subject"}, …]; the first is said where nothing speaks for another.
    Column("texts", JSON, nullable=False),
    _at("created_at"),
    _at("changed_at"),
    _ref("changed_by", "user_account.id", nullable=True, ondelete="SET NULL"),
    _version(),
    _one_of("scope", "personal", "all", "queues"),
    CheckConstraint("(scope = 'personal') = (owner_id IS NOT NULL)", name="personal_has_an_owner"),
    Index(
        "uq_canned_reply_shared_code",
        "code",
        unique=True,
        sqlite_where=text("owner_id IS NULL"),
        postgresql_where=text("owner_id IS NULL"),
    ),
    Index(
        "uq_canned_reply_own_code",
        "owner_id",
        "code",
        unique=True,
        sqlite_where=text("owner_id IS NOT NULL"),
        postgresql_where=text("owner_id IS NOT NULL"),
    ),
    **_AUTO,
)

canned_reply_queue = Table(
    "canned_reply_queue",
    metadata,
    Column("reply_id", BigId, ForeignKey("canned_reply.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("queue_id", BigId, ForeignKey("queue.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Index("ix_canned_reply_queue_queue_id", "queue_id"),
)

# How often each person has put it into a message.
canned_reply_use = Table(
    "canned_reply_use",
    metadata,
    Column("reply_id", BigId, ForeignKey("canned_reply.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("user_id", BigId, ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("uses", Integer, nullable=False),
    _at("last_used_at"),
    Index("ix_canned_reply_use_user_id", "user_id"),
)

# --- who changed what (agents.audit) --------------------------------------------------------------------------------------

# Append only. No foreign keys: a row outlives what it tells of, and keeps the actor's name as it was.
audit = Table(
    "audit",
    metadata,
    _id(),
    _at("at"),
    # Null: the hub itself, or its command line; or somebody who is not signed in.
    Column("actor_id", BigInteger),
    Column("actor_name", Text, nullable=False),
    Column("api_key_id", BigInteger),
    # Where the request came from.
    Column("address", Text),
    # As "queue.changed"; `subject` and `subject_id` say what it was done to.
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Index("ix_audit_at", "at", "id"),
    Index("ix_audit_actor_id", "actor_id", "at"),
    Index("ix_audit_subject", "subject", "subject_id", "at"),
    **_AUTO,
)
# --- where it is found (timeline.search_index) ------------------------------------------------------------------------------

# Made from the live rows and kept up behind their changes; a row that goes takes its words along. `place`: the entry's time
# and id in one number, so that the newest comes first (timeline.search_index.place_of).
search_entry = Table(
    "search_entry",
    metadata,
    Column("place", BigId, primary_key=True, autoincrement=False),
    Column("entry_id", BigId, ForeignKey("entry.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("words", WordList(), nullable=False),
)

search_customer = Table(
    "search_customer",
    metadata,
    Column("customer_id", BigId, ForeignKey("customer.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("words", WordList(), nullable=False),
)

# A named filter of conversations (timeline.saved_views): one person's, or everybody's.
saved_view = Table(
    "saved_view",
    metadata,
    _id(),
    _ref("owner_id", "user_account.id", ondelete="CASCADE"),
    Column("name", Text, nullable=False),
    Column("is_shared", Boolean, nullable=False, server_default=false()),
    # What it asks for, as the API takes it (web.schemas.ViewFilter).
    Column("filter", JSON, nullable=False),
    _at("created_at"),
    _version(),
    Index("ix_saved_view_owner_id", "owner_id"),
    **_AUTO,
)

# Customers that are read from a file (customer_files.imports). The file and its lines are forgotten a while after it is over.
customer_import = Table(
    "customer_import",
    metadata,
    _id(),
    # Null: the command line.
    _ref("created_by", "user_account.id", nullable=True),
    Column("file_name", Text, nullable=False),
    # Null: forgotten.
    Column("file_key", Text),
    Column("size_bytes", BigInteger, nullable=False),
    Column("encoding", Text, nullable=False),
    Column("delimiter", Text, nullable=False),
    # The first line, and the cells of the next few.
    Column("columns", JSON, nullable=False),
    Column("sample", JSON, nullable=False),
    # Which column is what, and what becomes of customers who are known already: customer_files.lines.
    Column("mapping", JSON, nullable=False),
    Column("options", JSON, nullable=False),
    Column("state", Text, nullable=False),
    # Lines after the first in all, and those of them that this pass is through with.
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False, server_default=text("0")),
    Column("made", Integer, nullable=False, server_default=text("0")),
    Column("changed", Integer, nullable=False, server_default=text("0")),
    Column("same", Integer, nullable=False, server_default=text("0")),
    Column("refused", Integer, nullable=False, server_default=text("0")),
    # Why it cannot go on.
    Column("fault", Text),
    # Which process works at it, and until when nobody else may.
    Column("process", Text),
    _at("lease_until", nullable=True),
    _at("created_at"),
    _at("started_at", nullable=True),
    _at("finished_at", nullable=True),
    _version(),
    _one_of("state", "new", "trying", "tried", "running", "paused", "done", "failed"),
    Index("ix_customer_import_state", "state"),
    **_AUTO,
)

# A line that could not be taken, as it stood, with what is wrong: field → words.
customer_import_line = Table(
    "customer_import_line",
    metadata,
    Column(
        "import_id", BigId, ForeignKey("customer_import.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("faults", JSON, nullable=False),
    Column("cells", JSON, nullable=False),
)

# Who a customer is in another system. It stays with the card it was told of; readers follow customer.merged_into.
customer_reference = Table(
    "customer_reference",
    metadata,
    _id(),
    _ref("customer_id", "customer.id", ondelete="CASCADE"),
    Column("system", Text, nullable=False),
    Column("value", Text, nullable=False),
    _at("created_at"),
    UniqueConstraint("system", "value", name="uq_customer_reference_is_one_customer"),
    Index("ix_customer_reference_customer_id", "customer_id"),
    **_AUTO,
)

# Somebody wants to have what is kept of them, or wants it erased (hub.privacy). The row outlives the erasure, without words.
data_request = Table(
    "data_request",
    metadata,
    _id(),
    _ref("customer_id", "customer.id"),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="open"),
    # Where it was asked, if it was asked in a conversation.
    _ref("conversation_id", "conversation.id", nullable=True),
    # By what it was known that the customer themselves asked; and whatever else is worth knowing.
    Column("identity", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    # Why it was refused.
    Column("reason", Text, nullable=False, server_default=""),
    _at("asked_at"),
    _at("due_at"),
    _ref("taken_by", "user_account.id"),
    _at("created_at"),
    _ref("ended_by", "user_account.id", nullable=True),
    _at("ended_at", nullable=True),
    # When the file was taken out last.
    _at("made_at", nullable=True),
    # Of an erasure that goes on: what is still to be done (hub.privacy.erasing).
    Column("work", JSON(none_as_null=True)),
    _version(),
    _one_of("kind", "access", "erasure"),
    _one_of("state", "open", "erasing", "done", "refused", "withdrawn"),
    CheckConstraint("(ended_at IS NULL) = (state IN ('open', 'erasing'))", name="over_has_an_instant"),
    CheckConstraint("(work IS NOT NULL) = (state = 'erasing')", name="erasing_has_work"),
    Index("ix_data_request_customer_id", "customer_id"),
    Index(
        "ix_data_request_due_at",
        "due_at",
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    **_AUTO,
)


def _make_searchable(table: Table, key: str) -> None:
    """The index over the words: GIN on PostgreSQL; on SQLite an FTS5 table beside it that triggers keep. Our words are kept
    apart by spaces, and FTS5's tokenizer `ascii` takes every sign beyond ASCII for part of a word, so it cuts nothing else.
    Beginnings of two and three letters have an index of their own: there are many words that begin so."""
    name, found = table.name, f"{table.name}_words"
    gone = f"INSERT INTO {found} ({found}, rowid, words) VALUES ('delete', old.{key}, old.words)"  # noqa: S608
    new = f"INSERT INTO {found} (rowid, words) VALUES (new.{key}, new.words)"  # noqa: S608
    statements = {
        # Written at once: a list of what is not merged yet would be read through by every search.
        "postgresql": (f"CREATE INDEX ix_{found} ON {name} USING gin (words) WITH (fastupdate = off)",),
        "sqlite": (
            f"CREATE VIRTUAL TABLE {found} USING fts5"
            f"(words, content='{name}', content_rowid='{key}', tokenize='ascii', prefix='2 3')",
            f"CREATE TRIGGER {name}_new AFTER INSERT ON {name} BEGIN {new}; END",
            f"CREATE TRIGGER {name}_gone AFTER DELETE ON {name} BEGIN {gone}; END",
        ),
    }
    for dialect, ddls in statements.items():
        for ddl in ddls:
            schema_event.listen(table, "after_create", DDL(ddl).execute_if(dialect=dialect))  # type: ignore[no-untyped-call]


_make_searchable(search_entry, "place")
_make_searchable(search_customer, "customer_id")
