"""The first tables: people and their events, sends, batches, deliveries, rates."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    meta = op.create_table(
        "meta",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_meta"),
    )
    op.bulk_insert(meta, [{"key": "instance", "value": secrets.token_hex(16)}])
    _people()
    _sends()
    _batches()
    _deliveries()
    op.create_table(
        "rate",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("tat", sa.Float(), nullable=False),
        sa.Column("per_second", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", name="pk_rate"),
    )


def _people() -> None:
    op.create_table(
        "person",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("fields", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("status", sa.String(), server_default="active", nullable=False),
        sa.Column("status_at", sa.String(), nullable=False),
        sa.Column("status_reason", sa.String(), server_default="", nullable=False),
        sa.Column("consent_source", sa.String(), server_default="", nullable=False),
        sa.Column("consent_at", sa.String(), nullable=False),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_person"),
        sa.CheckConstraint("status IN ('active', 'unsubscribed', 'bounced', 'complained')", name="ck_person_status"),
        sa.UniqueConstraint("key", name="uq_person_key"),
    )
    op.create_table(
        "person_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_person_event"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_person_event_person_id_person"),
    )
    op.create_index("ix_person_event_person_id", "person_event", ["person_id"])


def _sends() -> None:
    op.create_table(
        "content",
        sa.Column("sha", sa.String(), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha", name="pk_content"),
    )
    op.create_table(
        "send",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("issue_id", sa.String(), nullable=False),
        sa.Column("realm", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("content_sha", sa.String(), nullable=False),
        sa.Column("audience_sha", sa.String(), nullable=False),
        sa.Column("plan_id", sa.String(), nullable=False),
        sa.Column("recipients", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("paused_by", sa.String()),
        sa.Column("pause_reason", sa.String(), server_default="", nullable=False),
        sa.Column("scheduled_at", sa.String()),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.Column("finished_at", sa.String()),
        sa.Column("by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_send"),
        sa.CheckConstraint("realm IN ('real', 'outbox')", name="ck_send_realm"),
        sa.CheckConstraint("kind IN ('issue', 'correction', 'again')", name="ck_send_kind"),
        sa.CheckConstraint("state IN ('planned', 'running', 'paused', 'cancelled', 'done')", name="ck_send_state"),
        sa.CheckConstraint("paused_by IS NULL OR paused_by IN ('operator', 'fault')", name="ck_send_paused_by"),
        sa.ForeignKeyConstraint(["content_sha"], ["content.sha"], name="fk_send_content_sha_content"),
    )
    op.create_index(
        "uq_send_issue_once",
        "send",
        ["issue_id", "realm"],
        unique=True,
        sqlite_where=sa.text("kind = 'issue'"),
        postgresql_where=sa.text("kind = 'issue'"),
    )


def _batches() -> None:
    op.create_table(
        "batch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("send_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("parent", sa.Integer()),
        sa.Column("variant", sa.String(), server_default="", nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), server_default="pending", nullable=False),
        sa.Column("doubt", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("idem_key", sa.String()),
        sa.Column("payload_sha", sa.String()),
        sa.Column("fence", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("owner", sa.String()),
        sa.Column("lease_until", sa.String()),
        sa.Column("not_before", sa.String()),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("first_sent_at", sa.String()),
        sa.Column("key_expires_at", sa.String()),
        sa.Column("provider_ref", sa.String()),
        sa.Column("error", sa.String()),
        sa.PrimaryKeyConstraint("id", name="pk_batch"),
        sa.UniqueConstraint("send_id", "seq", name="uq_batch_send_seq"),
        sa.CheckConstraint(
            "state IN ('pending', 'claimed', 'sending', 'accepted', 'refused', 'in_doubt', 'cancelled', 'split',"
            " 'skipped')",
            name="ck_batch_state",
        ),
        sa.ForeignKeyConstraint(["send_id"], ["send.id"], name="fk_batch_send_id_send"),
        sa.ForeignKeyConstraint(["parent"], ["batch.id"], name="fk_batch_parent_batch"),
        sa.CheckConstraint("doubt IN (0, 1)", name="ck_batch_doubt"),
        sa.UniqueConstraint("idem_key", name="uq_batch_idem_key"),
    )
    op.create_index("ix_batch_send_state", "batch", ["send_id", "state"])
    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("from_state", sa.String(), nullable=False),
        sa.Column("to_state", sa.String(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("detail", sa.String(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name="fk_event_batch_id_batch"),
    )
    op.create_index("ix_event_batch_id", "event", ["batch_id"])


def _deliveries() -> None:
    op.create_table(
        "delivery",
        sa.Column("send_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String()),
        sa.Column("provider_msg_id", sa.String()),
        sa.Column("error", sa.String()),
        sa.PrimaryKeyConstraint("send_id", "person_id", name="pk_delivery"),
        sa.CheckConstraint(
            "outcome IS NULL OR outcome IN ('accepted', 'refused', 'failed', 'skipped', 'in_doubt')",
            name="ck_delivery_outcome",
        ),
        sa.ForeignKeyConstraint(["send_id"], ["send.id"], name="fk_delivery_send_id_send"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_delivery_person_id_person"),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name="fk_delivery_batch_id_batch"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_delivery_batch_id", "delivery", ["batch_id"])
