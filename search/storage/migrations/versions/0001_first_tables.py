"""Make the first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Make the five tables and their indexes."""
    _make_study()
    _make_trial()
    _make_measurement()
    _make_rejection()
    _make_session()


def _make_study() -> None:
    op.create_table(
        "nas_study",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(512), nullable=False),
        sa.Column("objectives", sa.Text(), nullable=False),
        sa.Column("space", sa.Text(), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("max_epochs", sa.Integer(), nullable=False),
        sa.Column("rungs", sa.Text(), nullable=False),
        sa.Column("classes", sa.Integer(), nullable=False),
        sa.Column("channels", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("bounds", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_nas_study"),
        sa.UniqueConstraint("name", name="uq_nas_study_name"),
    )


def _make_trial() -> None:
    op.create_table(
        "nas_trial",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("architecture", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("params", sa.BigInteger(), nullable=False),
        sa.Column("macs", sa.BigInteger(), nullable=False),
        sa.Column("activations", sa.BigInteger(), nullable=False),
        sa.Column("weight_bytes", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("failure_kind", sa.Text(), nullable=False),
        sa.Column("failure_details", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_nas_trial"),
        sa.UniqueConstraint("study_id", "number", name="uq_nas_trial_study_id_number"),
        sa.ForeignKeyConstraint(["study_id"], ["nas_study.id"], name="fk_nas_trial_study_id"),
    )
    op.create_index("ix_nas_trial_digest", "nas_trial", ["digest"])


def _make_measurement() -> None:
    op.create_table(
        "nas_measurement",
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("accuracy", sa.Double(), nullable=False),
        sa.Column("loss", sa.Double(), nullable=False),
        sa.Column("train_loss", sa.Double(), nullable=False),
        sa.Column("train_s", sa.Double(), nullable=False),
        sa.Column("eval_s", sa.Double(), nullable=False),
        sa.Column("peak_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("trial_id", "epoch", name="pk_nas_measurement"),
        sa.ForeignKeyConstraint(["trial_id"], ["nas_trial.id"], name="fk_nas_measurement_trial_id"),
    )


def _make_rejection() -> None:
    op.create_table(
        "nas_rejection",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("violations", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_nas_rejection"),
        sa.ForeignKeyConstraint(["study_id"], ["nas_study.id"], name="fk_nas_rejection_study_id"),
    )
    op.create_index("ix_nas_rejection_study_id", "nas_rejection", ["study_id"])


def _make_session() -> None:
    op.create_table(
        "nas_session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("startup_s", sa.Double(), nullable=False),
        sa.Column("proposing_s", sa.Double(), nullable=False),
        sa.Column("training_s", sa.Double(), nullable=False),
        sa.Column("recording_s", sa.Double(), nullable=False),
        sa.Column("machine", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_nas_session"),
        sa.ForeignKeyConstraint(["study_id"], ["nas_study.id"], name="fk_nas_session_study_id"),
    )
    op.create_index("ix_nas_session_study_id", "nas_session", ["study_id"])
