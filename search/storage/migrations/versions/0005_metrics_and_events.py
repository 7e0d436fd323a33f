"""Keep metrics by name, whatever an epoch was measured for, with who measured it and when; and keep what happened.

Columns for each metric asked for a migration with each new one. Accuracy and loss keep theirs, as people query them.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"

AT_ONCE = 10_000  # rows
MOVED = ("train_loss", "peak_bytes", "latency_ms")
OF = sa.table("nas_measurement", *(sa.column(name) for name in ("trial_id", "epoch", "metrics", *MOVED)))


def upgrade() -> None:
    """Move three columns into one mapping, add four, and add a table; of before, nobody knows who and when."""
    with op.batch_alter_table("nas_measurement") as batch:
        batch.alter_column("accuracy", existing_type=sa.Double(), nullable=True)
        batch.alter_column("loss", existing_type=sa.Double(), nullable=True)
        batch.add_column(sa.Column("metrics", sa.Text(), nullable=False, server_default="{}"))
        batch.add_column(sa.Column("recorded_at", sa.DateTime(timezone=True)))
        batch.add_column(sa.Column("host", sa.Text()))
        batch.add_column(sa.Column("device", sa.Text()))
    _move()
    with op.batch_alter_table("nas_measurement") as batch:
        for name in MOVED:
            batch.drop_column(name)
    op.add_column("nas_trial", sa.Column("more_costs", sa.Text(), nullable=False, server_default="{}"))
    op.create_table(
        "nas_event",
        sa.Column("seq", sa.Integer(), primary_key=True),
        sa.Column("study_id", sa.Integer(), sa.ForeignKey("nas_study.id"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("trial", sa.Integer()),
        sa.Column("text", sa.Text(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_nas_event_study_id_seq", "nas_event", ["study_id", "seq"])


def _move() -> None:
    connection = op.get_bind()
    here = (OF.c.trial_id == sa.bindparam("of_trial")) & (OF.c.epoch == sa.bindparam("of_epoch"))
    statement = OF.update().where(here).values(metrics=sa.bindparam("told"))
    for rows in connection.execute(sa.select(OF)).partitions(AT_ONCE):
        told = [{"of_trial": row.trial_id, "of_epoch": row.epoch, "told": _metrics(row)} for row in rows]
        connection.execute(statement, told)


def _metrics(row: sa.Row) -> str:  # type: ignore[type-arg]
    found = {name: getattr(row, name) for name in MOVED}
    return json.dumps({name: value for name, value in found.items() if value is not None}, default=str)
