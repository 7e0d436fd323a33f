"""Lay out our tables. Optuna keeps its own in the same database, so every name of ours starts with `nas_`.

nas_study ─┬─ nas_trial ─┬─ nas_measurement
           │             └─ nas_flow
           ├─ nas_replicate ─┬─ nas_replicate_measurement
           │                 └─ nas_look
           ├─ nas_event
           ├─ nas_request
           ├─ nas_note
           ├─ nas_rejection
           ├─ nas_session
           ├─ nas_host
           └─ nas_analysis
nas_answer, nas_training and nas_verdict, which are of no one study

Numbers that a person may want to query have columns of their own; values whose shape the study chooses are JSON text.
A change here needs a step in `search/storage/migrations/versions`.
"""

from dataclasses import fields
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from search.core.records import Spent

VERSION_TABLE = "nas_alembic_version"  # Optuna's alembic owns the table `alembic_version`

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

STUDY = Table(
    "nas_study",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String(512), nullable=False, unique=True),  # as long as Optuna allows
    Column("objectives", Text, nullable=False),  # JSON
    Column("space", Text, nullable=False),  # JSON
    Column("config", Text, nullable=False),  # JSON
    Column("max_epochs", Integer, nullable=False),
    Column("rungs", Text, nullable=False),  # JSON
    Column("classes", Integer, nullable=False),
    Column("channels", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("width", Integer, nullable=False),
    Column("bounds", Text, nullable=False),  # JSON
    Column("own_objectives", Text, nullable=False, server_default="{}"),  # JSON: how those are read that are not ours
    Column("created_at", DateTime(timezone=True)),
    Column("earlier", Text, nullable=False, server_default="[]"),  # JSON: spaces and constraints before, oldest first
)

TRIAL = Table(
    "nas_trial",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("study_id", ForeignKey(STUDY.c.id), nullable=False),
    Column("number", Integer, nullable=False),
    Column("parameters", Text, nullable=False),  # JSON; `params` counts the network's
    Column("architecture", Text, nullable=False),  # JSON
    Column("digest", String(64), nullable=False, index=True),
    Column("seed", BigInteger, nullable=False),
    Column("params", BigInteger, nullable=False),
    Column("macs", BigInteger, nullable=False),
    Column("activations", BigInteger, nullable=False),
    Column("weight_bytes", BigInteger, nullable=False),
    Column("training_bytes", BigInteger, nullable=False, server_default="0"),  # 0: from before it was estimated
    Column("more_costs", Text, nullable=False, server_default="{}"),  # JSON: static objectives without a column
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("failure_kind", Text, nullable=False),
    Column("failure_details", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("session_id", Integer),  # the launch that trains it, or trained it last
    Column("started_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    Column("outside", Text, nullable=False, server_default=text("''")),  # why the study of now would not propose it
    UniqueConstraint("study_id", "number"),
)


def _measured() -> list[Column[Any]]:
    """Return the columns of an epoch, whatever was trained."""
    return [
        Column("epoch", Integer, primary_key=True, autoincrement=False),
        Column("accuracy", Double),  # NULL where it was not measured
        Column("loss", Double),
        Column("train_s", Double, nullable=False),
        Column("eval_s", Double, nullable=False),
        Column("metrics", Text, nullable=False, server_default="{}"),  # JSON: all others by name
        Column("recorded_at", DateTime(timezone=True)),  # by the driver's clock
        Column("host", Text),  # that measured it
        Column("device", Text),
    ]


MEASUREMENT = Table(
    "nas_measurement", METADATA, Column("trial_id", ForeignKey(TRIAL.c.id), primary_key=True), *_measured()
)

FLOW = Table(  # what came through each block after an epoch, where that is recorded
    "nas_flow",
    METADATA,
    Column("trial_id", ForeignKey(TRIAL.c.id), primary_key=True),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),  # of the block in the network, from 0
    Column("block", Text, nullable=False),  # stage and block, each from 1
    Column("gradient", Double),  # at its output, L2 norm; NULL where it is not known
    Column("branch", Double),  # over its shortcut, ratio of L2 norms; NULL where it has none
)

REPLICATE = Table(
    "nas_replicate",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("study_id", ForeignKey(STUDY.c.id), nullable=False),
    Column("number", Integer, nullable=False),  # of the study's replicates
    Column("trial", Integer, nullable=False),  # the number of the trial whose network it is
    Column("seed", BigInteger, nullable=False),
    Column("fold", Integer),  # the part of the images that it is measured on, from 0; NULL: the study's own split
    Column("folds", Integer),  # how many parts there are
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("failure_kind", Text, nullable=False),
    Column("failure_details", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("started_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    UniqueConstraint("study_id", "number"),
)

REPLICATE_MEASUREMENT = Table(
    "nas_replicate_measurement",
    METADATA,
    Column("replicate_id", ForeignKey(REPLICATE.c.id), primary_key=True),
    *_measured(),
)

LOOK = Table(  # at the test split: a row for each replicate that was measured on it
    "nas_look",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("replicate_id", ForeignKey(REPLICATE.c.id), nullable=False, unique=True),
    Column("at", DateTime(timezone=True), nullable=False),  # equal for all rows of one look
    Column("metrics", Text, nullable=False),  # JSON
)

EVENT = Table(
    "nas_event",
    METADATA,
    Column("seq", Integer, primary_key=True),  # rises with every event of a study, and is never given again
    Column("study_id", ForeignKey(STUDY.c.id), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("kind", Text, nullable=False),
    Column("trial", Integer),  # its number, where it is of one
    Column("text", Text, nullable=False),
    Index("ix_nas_event_study_id_seq", "study_id", "seq"),
    sqlite_autoincrement=True,
)

REJECTION = Table(
    "nas_rejection",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("study_id", ForeignKey(STUDY.c.id), nullable=False, index=True),
    Column("parameters", Text, nullable=False),  # JSON
    Column("violations", Text, nullable=False),  # JSON
    Column("reason", Text, nullable=False),
)

SESSION = Table(
    "nas_session",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("study_id", ForeignKey(STUDY.c.id), nullable=False, index=True),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    *(Column(part.name, Double, nullable=False) for part in fields(Spent)),
    Column("machine", Text),  # JSON
    Column("host", Text),
    Column("process", Integer),
)

HOST = Table(
    "nas_host",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("study_id", ForeignKey(STUDY.c.id), nullable=False, index=True),
    Column("session_id", Integer),  # the launch that heard of it
    Column("host", Text, nullable=False),
    Column("kind", Text, nullable=False),  # of machine and setting
    Column("numerics", Text, nullable=False),  # precision and layout that trials train in there
    Column("product", Text, nullable=False),  # versions
    Column("torch", Text, nullable=False),
    Column("step_ms", Text, nullable=False),  # JSON
    Column("wrong", Text, nullable=False),  # JSON
)

REQUEST = Table(  # what people ask of a study's launch; whoever asks writes the first half of a row, and nothing else
    "nas_request",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("study_id", ForeignKey(STUDY.c.id), nullable=False, index=True),
    Column("session_id", Integer),  # the launch that lived then
    Column("kind", String(16), nullable=False),
    Column("given", Text, nullable=False),  # JSON
    Column("asked_at", DateTime(timezone=True), nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("state", String(16), nullable=False, server_default=text("'waiting'")),  # then done, or refused
    Column("answer", Text, nullable=False, server_default=text("''")),
    Column("answered_at", DateTime(timezone=True)),
    Column("effect", Text, nullable=False, server_default="{}"),  # JSON: what later launches have to know of it
)

NOTE = Table(  # what people note of trials; a row is never changed, and the latest holds
    "nas_note",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("study_id", ForeignKey(STUDY.c.id), nullable=False, index=True),
    Column("trial", Integer, nullable=False),  # its number
    Column("star", Integer),  # 1 or 0; NULL: nothing is said of it
    Column("text", Text),  # NULL: nothing is said of it
    Column("noted_at", DateTime(timezone=True), nullable=False),
    Column("noted_by", Text, nullable=False),
)

ANSWER = Table(  # what a command has found of a network, for whatever study
    "nas_answer",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("command", String(64), nullable=False),  # SHA-256 of its text, its device, and the images
    Column("digest", String(64), nullable=False),  # of the network
    Column("name", Text, nullable=False),  # of the objective, in the study that asked
    Column("value", Double, nullable=False),
    Column("deviation", Double),  # NULL where the command told none
    Column("took_s", Double, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("command", "digest"),
)

ANALYSIS = Table(  # what `search.analyse` has found
    "nas_analysis",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("study_id", ForeignKey(STUDY.c.id), nullable=False),
    Column("key", String(64), nullable=False),  # SHA-256 of kind, trials, settings, weights and fingerprint
    Column("kind", String(32), nullable=False),
    Column("trials", Text, nullable=False),  # JSON: their numbers
    Column("settings", Text, nullable=False),  # JSON
    Column("weights", String(64), nullable=False),  # SHA-256 of what was analysed
    Column("fingerprint", Text, nullable=False),  # of the images
    Column("images", Integer, nullable=False),  # that were looked at; 0: none
    Column("device", Text, nullable=False),
    Column("found", Text, nullable=False),  # JSON: rows, each a mapping
    Column("took_s", Double, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("study_id", "key"),
)

TRAINING = Table(  # by which claims of the literature are judged
    "nas_training",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),  # SHA-256 of network, recipe, images and seed
    Column("network", Text, nullable=False),  # as the first claim that asked names it
    Column("digest", String(64), nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("epochs", Integer, nullable=False),
    Column("found", Text, nullable=False),  # JSON: values by quantity; a text is why one cannot be read
    Column("seconds", Double, nullable=False),
    Column("failure", Text, nullable=False),  # why nothing was found, else nothing
    Column("machine", Text, nullable=False),  # JSON: hardware and versions
    Column("at", DateTime(timezone=True), nullable=False),
)

VERDICT = Table(  # the latest on each claim, by images and epochs
    "nas_verdict",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("claim", String(64), nullable=False),  # its id in the file of claims
    Column("fingerprint", String(64), nullable=False),  # of the images; nothing for what is counted
    Column("epochs", Integer, nullable=False),  # of each training; 0 for what is counted
    Column("outcome", String(32), nullable=False),
    Column("effect", Double),  # NULL where nothing was measured
    Column("low", Double),  # NULL, both, where too little is known
    Column("high", Double),
    Column("test", String(16), nullable=False),
    Column("seeds", Integer, nullable=False),
    Column("seconds", Double, nullable=False),  # that its trainings took
    Column("told", Text, nullable=False),  # JSON: the claim as it was then, and the networks of it
    Column("machine", Text, nullable=False),  # JSON
    Column("at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("claim", "fingerprint", "epochs"),
)
