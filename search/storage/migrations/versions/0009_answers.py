"""Keep what commands have found of networks on devices, so that no network is measured twice."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision: str | None = "0008"


def upgrade() -> None:
    """Add one table."""
    op.create_table(
        "nas_answer",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("command", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("deviation", sa.Double()),
        sa.Column("took_s", sa.Double(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("command", "digest"),
    )
