"""Exceptions among a million recipients are found without reading them all, several times a second."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    only = sa.text("outcome IS NOT NULL")
    columns = ["send_id", "outcome", "batch_id"]
    op.create_index("ix_delivery_outcome", "delivery", columns, sqlite_where=only, postgresql_where=only)
