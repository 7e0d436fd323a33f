"""Which process on which host a launch is, and which launch trains a trial."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    """Add three columns, in which what was from before has nothing."""
    op.add_column("nas_session", sa.Column("host", sa.Text()))
    op.add_column("nas_session", sa.Column("process", sa.Integer()))
    op.add_column("nas_trial", sa.Column("session_id", sa.Integer()))
