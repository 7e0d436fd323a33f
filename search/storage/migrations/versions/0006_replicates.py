"""Keep what networks came to with other seeds, and each look at the test split.

Replicates are no trials: they have numbers of their own, and nothing that counts trials counts them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"


def upgrade() -> None:
    """Add three tables."""
    op.create_table(
        "nas_replicate",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("study_id", sa.Integer(), sa.ForeignKey("nas_study.id"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("trial", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("fold", sa.Integer()),
        sa.Column("folds", sa.Integer()),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("failure_kind", sa.Text(), nullable=False),
        sa.Column("failure_details", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("study_id", "number"),
    )
    op.create_table(
        "nas_replicate_measurement",
        sa.Column("replicate_id", sa.Integer(), sa.ForeignKey("nas_replicate.id"), primary_key=True),
        sa.Column("epoch", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("accuracy", sa.Double()),
        sa.Column("loss", sa.Double()),
        sa.Column("train_s", sa.Double(), nullable=False),
        sa.Column("eval_s", sa.Double(), nullable=False),
        sa.Column("metrics", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("recorded_at", sa.DateTime(timezone=True)),
        sa.Column("host", sa.Text()),
        sa.Column("device", sa.Text()),
    )
    op.create_table(
        "nas_look",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("replicate_id", sa.Integer(), sa.ForeignKey("nas_replicate.id"), nullable=False, unique=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("metrics", sa.Text(), nullable=False),
    )
