"""Let a study's space and constraints change: which trials it would still propose, and what it was before."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision: str | None = "0007"


def upgrade() -> None:
    """Add a column each; every trial so far is of the space that its study has."""
    op.add_column("nas_study", sa.Column("earlier", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("nas_trial", sa.Column("outside", sa.Text(), nullable=False, server_default=sa.text("''")))
