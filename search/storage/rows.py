"""Turn records into rows of `search.storage.tables` and back.

A value whose shape the study chooses goes as JSON text, so that `True`, 1, 1.0 and `"1"` come back as they went.
Moments go as UTC and come back as UTC, whatever the database makes of time zones.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from search.core.records import Host, Rejection, Session, State, StudyRecord, TrialRecord
from spaces.architecture import Architecture
from spaces.cost import NAMES as COST_NAMES
from spaces.cost import Cost
from spaces.errors import InputError, unknown
from workers.measurement import Measurement
from workers.objectives import OBJECTIVES

Row = Mapping[Any, Any]
Values = dict[str, Any]

LONGEST_NAME = 512
_LEARNED = ("accuracy", "loss", "train_loss", "train_s", "eval_s")


def to_utc(moment: datetime) -> datetime:
    """Return the moment in UTC.

    Raises:
        ValueError: it has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(UTC)


def _from_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)  # SQLite keeps no zone


def to_json(value: object) -> str:
    """Return plain values as JSON text; any kind of mapping is one."""
    return json.dumps(value, default=dict)


def _mapping(text: str) -> dict[str, Any]:
    """Return a mapping that went as JSON.

    Raises:
        ValueError: it is none.
    """
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(f"{text[:40]} is no mapping")
    return value


def to_prose(text: str) -> str:
    """Return the text without what a database refuses, since a reason must never be lost for an odd byte in it."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _check_name(name: str) -> None:
    if not name:
        raise InputError("a study needs a name")
    if len(name) > LONGEST_NAME:
        raise InputError(f"the study's name has {len(name)} characters; at most {LONGEST_NAME} are allowed")
    if name != to_prose(name):
        raise InputError(f"the study's name {name!a} has a character that no database takes")


def study_values(record: StudyRecord) -> Values:
    """Return the row of a study.

    Raises:
        InputError: the name is empty, too long, or has a character that no database takes.
    """
    _check_name(record.name)
    channels, height, width = record.image
    return {
        "name": record.name,
        "objectives": to_json(record.objectives),
        "space": to_json(record.space),
        "config": to_json(record.config),
        "max_epochs": record.max_epochs,
        "rungs": to_json(record.rungs),
        "classes": record.classes,
        "channels": channels,
        "height": height,
        "width": width,
        "bounds": to_json(record.bounds),
        "created_at": record.created_at and to_utc(record.created_at),
    }


def study_record(row: Row) -> StudyRecord:
    """Return the study of a row.

    Raises:
        ValueError: it cannot be read, or has an objective that this version does not know.
    """
    objectives = tuple(json.loads(row["objectives"]))
    if strange := [name for name in objectives if name not in OBJECTIVES]:
        raise ValueError(unknown("objective", strange[0], OBJECTIVES))
    return StudyRecord(
        name=row["name"],
        objectives=objectives,
        space=_mapping(row["space"]),
        config=_mapping(row["config"]),
        max_epochs=row["max_epochs"],
        rungs=tuple(json.loads(row["rungs"])),
        classes=row["classes"],
        image=(row["channels"], row["height"], row["width"]),
        bounds={name: (low, high) for name, (low, high) in _mapping(row["bounds"]).items()},
        created_at=row["created_at"] and _from_utc(row["created_at"]),
    )


def trial_values(trial: TrialRecord) -> Values:
    """Return the row of a trial, without its measurements."""
    return {
        "number": trial.number,
        "parameters": to_json(trial.params),
        "architecture": to_json(trial.architecture.to_json()),
        "digest": trial.digest,
        "seed": trial.seed,
        **trial.cost.to_json(),
        "state": trial.state.value,
        "reason": to_prose(trial.reason),
        "failure_kind": to_prose(trial.failure_kind),
        "failure_details": to_prose(trial.failure_details),
        "attempts": trial.attempts,
        "session_id": trial.session,
        "started_at": trial.started_at and to_utc(trial.started_at),
        "ended_at": trial.ended_at and to_utc(trial.ended_at),
    }


def trial_record(row: Row, measurements: Iterable[Row]) -> TrialRecord:
    """Return the trial of a row and of its measurements' rows, which come by epoch."""
    return TrialRecord(
        number=row["number"],
        params=_mapping(row["parameters"]),
        architecture=Architecture.from_json(_mapping(row["architecture"])),
        digest=row["digest"],
        seed=row["seed"],
        cost=Cost(**{name: row[name] for name in COST_NAMES}),
        state=State(row["state"]),
        reason=row["reason"],
        failure_kind=row["failure_kind"],
        failure_details=row["failure_details"],
        attempts=row["attempts"],
        session=row["session_id"],
        started_at=row["started_at"] and _from_utc(row["started_at"]),
        ended_at=row["ended_at"] and _from_utc(row["ended_at"]),
        measurements=tuple(_measurement(each) for each in measurements),
    )


def measurement_values(measurement: Measurement) -> Values:
    """Return the row of a measurement.

    Raises:
        ValueError: a value is not finite, or the epoch is below 1.
    """
    for name in _LEARNED:
        if not math.isfinite(getattr(measurement, name)):
            raise ValueError(f"{name} {getattr(measurement, name)} of epoch {measurement.epoch} is not finite")
    if measurement.epoch < 1:
        raise ValueError(f"epoch {measurement.epoch} is below 1")
    return asdict(measurement)


def _measurement(row: Row) -> Measurement:
    learned = {name: row[name] for name in _LEARNED}
    odd = [name for name, value in learned.items() if not isinstance(value, (int, float))]  # SQLite takes anything
    if odd:
        raise ValueError(f"{odd[0]} {learned[odd[0]]!r} of epoch {row['epoch']} is no number")
    return Measurement(epoch=row["epoch"], peak_bytes=row["peak_bytes"], latency_ms=row["latency_ms"], **learned)


def rejection_values(rejection: Rejection) -> Values:
    """Return the row of a rejection."""
    return {
        "parameters": to_json(rejection.params),
        "violations": to_json(rejection.violations),
        "reason": to_prose(rejection.reason),
    }


def rejection_record(row: Row) -> Rejection:
    """Return the rejection of a row."""
    return Rejection(params=_mapping(row["parameters"]), violations=_mapping(row["violations"]), reason=row["reason"])


def host_values(host: Host) -> Values:
    """Return the columns of a host."""
    fields = host.to_json()
    plain = {name: fields[name] for name in ("host", "kind", "numerics", "product", "torch")}
    return {**plain, "session_id": host.session, "step_ms": to_json(host.step_ms), "wrong": to_json(host.wrong)}


def host_record(row: Row) -> Host:
    """Return the host of a row."""
    plain = {name: row[name] for name in ("host", "kind", "numerics", "product", "torch")}
    return Host(**plain, session=row["session_id"], step_ms=_mapping(row["step_ms"]), wrong=_mapping(row["wrong"]))


def session_record(row: Row) -> Session:
    """Return the session of a row."""
    return Session(
        id=row["id"],
        started_at=_from_utc(row["started_at"]),
        seen_at=_from_utc(row["seen_at"]),
        startup_s=row["startup_s"],
        proposing_s=row["proposing_s"],
        training_s=row["training_s"],
        recording_s=row["recording_s"],
        machine=None if row["machine"] is None else _mapping(row["machine"]),
        host=row["host"],
        process=row["process"],
    )
