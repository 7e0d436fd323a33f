"""Add what training a network holds in memory, at most, and the latency that was measured."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    """Add two columns; trials from before have 0 and nothing there."""
    op.add_column("nas_trial", sa.Column("training_bytes", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("nas_measurement", sa.Column("latency_ms", sa.Double()))
