"""Parts that wait are found without reading every batch that does."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    only = sa.text("parent IS NOT NULL")
    columns = ["send_id", "state", "stage"]
    op.create_index("ix_batch_part_state", "batch", columns, sqlite_where=only, postgresql_where=only)
