"""The provider's ids of a call stand together with its batch."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("batch", sa.Column("provider_ids", sa.Text()))
    op.execute(
        "UPDATE batch SET provider_ids = (SELECT json_group_object(person_id, provider_msg_id) FROM delivery"
        " WHERE delivery.batch_id = batch.id AND provider_msg_id IS NOT NULL)"
        " WHERE EXISTS (SELECT 1 FROM delivery WHERE delivery.batch_id = batch.id AND provider_msg_id IS NOT NULL)"
    )
    op.drop_column("delivery", "provider_msg_id")
