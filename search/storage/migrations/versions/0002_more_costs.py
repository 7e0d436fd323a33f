"""Add what training a network holds in memory, at most, and the latency that was measured; renew digests.

A digest is of what a network computes. The grammar grew, and with it what a digest is taken of: trials from before must
still be known again as the networks they are.
"""

import json

import sqlalchemy as sa
from alembic import op

from spaces.architecture import Architecture

revision = "0002"
down_revision: str | None = "0001"

TRIAL = sa.table(
    "nas_trial", sa.column("id", sa.Integer), sa.column("architecture", sa.Text), sa.column("digest", sa.String)
)


def upgrade() -> None:
    """Add two columns, in which trials from before have 0 and nothing, and write each digest anew."""
    op.add_column("nas_trial", sa.Column("training_bytes", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("nas_measurement", sa.Column("latency_ms", sa.Double()))
    connection = op.get_bind()
    for row in connection.execute(sa.select(TRIAL.c.id, TRIAL.c.architecture)).all():
        digest = Architecture.from_json(json.loads(row.architecture)).digest
        connection.execute(TRIAL.update().where(TRIAL.c.id == row.id).values(digest=digest))
