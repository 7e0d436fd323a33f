"""What each host of a launch computes right, and in which precision and layout it trains."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    """Add a table; of launches from before nothing is known."""
    op.create_table(
        "nas_host",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("study_id", sa.Integer(), sa.ForeignKey("nas_study.id"), nullable=False),
        sa.Column("session_id", sa.Integer()),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("numerics", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("torch", sa.Text(), nullable=False),
        sa.Column("step_ms", sa.Text(), nullable=False),
        sa.Column("wrong", sa.Text(), nullable=False),
    )
    op.create_index("ix_nas_host_study_id", "nas_host", ["study_id"])
