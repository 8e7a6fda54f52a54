"""A send has terms, and its batches come in stages; the next batch is found in the index's own order."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("send", sa.Column("terms", sa.Text()))
    op.add_column("send", sa.Column("stage", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("send", sa.Column("stage_at", sa.String()))
    op.add_column("batch", sa.Column("stage", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.drop_index("ix_batch_send_state", "batch")
    op.create_index("ix_batch_send_state", "batch", ["send_id", "state", "stage"])
