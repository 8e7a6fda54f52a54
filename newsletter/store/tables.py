"""The tables. Times are UTC text (``store.clock``), so that both databases compare them alike."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _one_of(column: str, *values: str, null: bool = False) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    condition = f"{column} IN ({listed})"
    return CheckConstraint(f"{column} IS NULL OR {condition}" if null else condition, name=column)


STATUSES = ("active", "unsubscribed", "bounced", "complained")

meta = Table("meta", metadata, Column("key", String, primary_key=True), Column("value", String, nullable=False))
"""``instance``: this ledger's id, made with the database."""

person = Table(
    "person",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("address", String, nullable=False),
    Column("key", String, nullable=False, unique=True),
    Column("fields", Text, nullable=False, server_default=text("'{}'")),
    Column("status", String, nullable=False, server_default="active"),
    Column("status_at", String, nullable=False),
    Column("status_reason", String, nullable=False, server_default=""),
    Column("consent_source", String, nullable=False, server_default=""),
    Column("consent_at", String, nullable=False),
    Column("created_at", String, nullable=False),
    _one_of("status", *STATUSES),
)
"""``key`` is the address folded for comparison; ``fields`` is a JSON object of texts, keys sorted."""

person_event = Table(
    "person_event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("person_id", Integer, ForeignKey("person.id"), nullable=False, index=True),
    Column("at", String, nullable=False),
    Column("what", String, nullable=False),
    Column("detail", String, nullable=False, server_default=""),
)
"""What became of a person, in order: changes of status and of consent, with their reason."""

erased = Table("erased", metadata, Column("hash", String, primary_key=True), Column("at", String, nullable=False))
"""Who was erased, as a keyed hash of the folded address: enough to keep them from coming back."""

content = Table(
    "content", metadata, Column("sha", String, primary_key=True), Column("bytes", LargeBinary, nullable=False)
)

send = Table(
    "send",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("issue_id", String, nullable=False),
    Column("realm", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("slug", String, nullable=False),
    Column("content_sha", String, ForeignKey("content.sha"), nullable=False),
    Column("audience_sha", String, nullable=False),
    Column("plan_id", String, nullable=False),
    Column("recipients", Integer, nullable=False),
    Column("provider", String, nullable=False),
    Column("account", String, nullable=False),
    Column("state", String, nullable=False),
    Column("paused_by", String),
    Column("pause_reason", String, nullable=False, server_default=""),
    Column("scheduled_at", String),
    Column("created_at", String, nullable=False),
    Column("finished_at", String),
    Column("by", String, nullable=False),
    Column("terms", Text),
    Column("stage", Integer, nullable=False, server_default=text("0")),
    Column("stage_at", String),
    _one_of("realm", "real", "outbox"),
    _one_of("kind", "issue", "correction", "again"),
    _one_of("state", "planned", "running", "paused", "cancelled", "done"),
    _one_of("paused_by", "operator", "fault", null=True),
)
"""``terms`` is JSON (``delivery.terms``). ``stage`` is the last whose batches may be taken; ``stage_at`` is when the
next one may begin, and is empty until the one before has ended."""
Index(
    "uq_send_issue_once",
    send.c.issue_id,
    send.c.realm,
    unique=True,
    sqlite_where=text("kind = 'issue'"),
    postgresql_where=text("kind = 'issue'"),
)

BATCH_STATES = ("pending", "claimed", "sending", "accepted", "refused", "in_doubt", "cancelled", "split", "skipped")

batch = Table(
    "batch",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("send_id", Integer, ForeignKey("send.id"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("parent", Integer, ForeignKey("batch.id")),
    Column("variant", String, nullable=False, server_default=""),
    Column("n", Integer, nullable=False),
    Column("state", String, nullable=False, server_default="pending"),
    Column("doubt", Boolean(create_constraint=True, name="doubt"), nullable=False, server_default=false()),
    Column("idem_key", String, unique=True),
    Column("payload_sha", String),
    Column("fence", Integer, nullable=False, server_default=text("0")),
    Column("owner", String),
    Column("lease_until", String),
    Column("not_before", String),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("first_sent_at", String),
    Column("key_expires_at", String),
    Column("provider_ref", String),
    Column("error", String),
    Column("provider_ids", Text),
    Column("stage", Integer, nullable=False, server_default=text("0")),
    UniqueConstraint("send_id", "seq", name="uq_batch_send_seq"),
    Index("ix_batch_send_state", "send_id", "state", "stage"),
    _one_of("state", *BATCH_STATES),
)
"""``provider_ids`` is a JSON object from a person's number to the provider's id of that person's message."""
# Those cut out of other batches are few, and looked for before each call.
Index(
    "ix_batch_part_state",
    batch.c.send_id,
    batch.c.state,
    batch.c.stage,
    sqlite_where=batch.c.parent.is_not(None),
    postgresql_where=batch.c.parent.is_not(None),
)

OUTCOMES = ("accepted", "refused", "failed", "skipped", "in_doubt")

delivery = Table(
    "delivery",
    metadata,
    Column("send_id", Integer, ForeignKey("send.id"), primary_key=True),
    Column("person_id", Integer, ForeignKey("person.id"), primary_key=True),
    Column("batch_id", Integer, ForeignKey("batch.id"), nullable=False, index=True),
    Column("address", String, nullable=False),
    Column("fields", Text, nullable=False),
    Column("outcome", String),
    Column("error", String),
    _one_of("outcome", *OUTCOMES, null=True),
    sqlite_with_rowid=False,
)
"""One recipient of one send, address and values frozen; an empty outcome inherits the batch's state."""
Index(
    "ix_delivery_outcome",
    delivery.c.send_id,
    delivery.c.outcome,
    delivery.c.batch_id,
    sqlite_where=delivery.c.outcome.is_not(None),
    postgresql_where=delivery.c.outcome.is_not(None),
)

rate = Table(
    "rate",
    metadata,
    Column("account", String, primary_key=True),
    Column("tat", Float, nullable=False),
    Column("per_second", Float, nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("batch_id", Integer, ForeignKey("batch.id"), nullable=False, index=True),
    Column("at", String, nullable=False),
    Column("from_state", String, nullable=False),
    Column("to_state", String, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("detail", String, nullable=False, server_default=""),
)
"""Every transition of a batch."""
