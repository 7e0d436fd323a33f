"""Let people ask something of a launch, and note something of a trial."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision: str | None = "0009"


def upgrade() -> None:
    """Add two tables."""
    op.create_table(
        "nas_request",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("study_id", sa.Integer(), sa.ForeignKey("nas_study.id"), nullable=False),
        sa.Column("session_id", sa.Integer()),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("given", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False, server_default=sa.text("'waiting'")),
        sa.Column("answer", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
        sa.Column("effect", sa.Text(), nullable=False, server_default="{}"),
    )
    op.create_index("ix_nas_request_study_id", "nas_request", ["study_id"])
    op.create_table(
        "nas_note",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("study_id", sa.Integer(), sa.ForeignKey("nas_study.id"), nullable=False),
        sa.Column("trial", sa.Integer(), nullable=False),
        sa.Column("star", sa.Integer()),
        sa.Column("text", sa.Text()),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("noted_by", sa.Text(), nullable=False),
    )
    op.create_index("ix_nas_note_study_id", "nas_note", ["study_id"])
