"""Keep with a study how objectives are read that only it knows, so that whoever reads it needs nothing else."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision: str | None = "0006"


def upgrade() -> None:
    """Add one column; studies of before have no objectives of their own."""
    op.add_column("nas_study", sa.Column("own_objectives", sa.Text(), nullable=False, server_default="{}"))
