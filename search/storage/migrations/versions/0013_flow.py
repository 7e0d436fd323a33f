"""Keep what came through each block of a network in training, where a study records it."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision: str | None = "0012"


def upgrade() -> None:
    """Add one table."""
    op.create_table(
        "nas_flow",
        sa.Column("trial_id", sa.Integer(), sa.ForeignKey("nas_trial.id"), primary_key=True),
        sa.Column("epoch", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("place", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("block", sa.Text(), nullable=False),
        sa.Column("gradient", sa.Double()),
        sa.Column("branch", sa.Double()),
    )
