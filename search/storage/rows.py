"""Turn records into rows of `search.storage.tables` and back.

A field of a trial with a column of its name goes and comes by that column's type. A value whose shape the study chooses
goes as JSON text, so that `True`, 1, 1.0 and `"1"` come back as they went. Moments go as UTC and come back as UTC,
whatever the database makes of time zones.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Double, Integer, String, Text
from sqlalchemy.types import TypeEngine

from search.core.records import Event, Host, Rejection, Replicate, Session, Spent, State, StudyRecord, TrialRecord
from search.storage import cells
from search.storage.cells import Row
from search.storage.tables import REPLICATE, TRIAL
from spaces.architecture import Architecture
from spaces.cost import NAMES as COST_NAMES
from spaces.cost import Cost
from spaces.domains import Scalar
from spaces.errors import InputError, unknown
from spaces.packages import Package, know
from workers.measurement import Measurement
from workers.objectives import OBJECTIVES, Objective, retold, told

Values = dict[str, Any]

LONGEST_NAME = 512
_COLUMNS = ("accuracy", "loss")  # metrics with a column of their own
TOGETHER = "together"  # no metric, and rare: it stands beside them in the place of a column that is 1 in every row
# Fields that SQL has in another shape, or that are of other rows.
_SHAPED = ("params", "architecture", "cost", "state", "session", "measurements", "replicates", "confirmation")
_SHAPED_REPLICATE = ("fold", "state", "measurements", "test", "tested_at")
_PLAIN = [TRIAL.c[item.name] for item in fields(TrialRecord) if item.name not in _SHAPED]
_PLAIN_REPLICATE = [REPLICATE.c[item.name] for item in fields(Replicate) if item.name not in _SHAPED_REPLICATE]
_READERS: dict[type[TypeEngine[Any]], Callable[[Row, str], object]] = {
    Integer: cells.whole,
    BigInteger: cells.any_whole,
    Double: cells.number,
    String: cells.text,
    Text: cells.text,
    DateTime: cells.moment,
}


def to_utc(moment: datetime) -> datetime:
    """Return the moment in UTC.

    Raises:
        ValueError: it has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(UTC)


def to_json(value: object) -> str:
    """Return plain values as JSON text; any kind of mapping is one."""
    return json.dumps(value, default=dict)


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
        "own_objectives": to_json({name: told(each, record.classes) for name, each in record.own_objectives.items()}),
        "created_at": record.created_at and to_utc(record.created_at),
        "earlier": to_json(record.earlier),
    }


def study_record(row: Row) -> StudyRecord:
    """Return the study of a row.

    Raises:
        ValueError: it cannot be read, or has an objective that this version does not know.
    """
    own = _own_objectives(row)
    config = cells.mapping(row, "config")
    _know_packages(config)
    return StudyRecord(
        name=cells.text(row, "name"),
        objectives=_objectives(row, own),
        measures={**OBJECTIVES, **own},
        space=cells.mapping(row, "space"),
        config=config,
        max_epochs=cells.whole(row, "max_epochs", 1),
        rungs=_rungs(row),
        classes=cells.whole(row, "classes", 1),
        image=(cells.whole(row, "channels", 1), cells.whole(row, "height", 1), cells.whole(row, "width", 1)),
        bounds={name: (low, high) for name, (low, high) in cells.mapping_of(_is_range, row, "bounds").items()},
        created_at=cells.optional(cells.moment, row, "created_at"),
        earlier=tuple(cells.listed_of(_is_mapping, row, "earlier")),
    )


def _know_packages(config: Mapping[str, Any]) -> None:
    """Let networks be told apart whose blocks are of a package that may not be here."""
    try:
        for each in (config.get("packages") or {}).values():
            know(Package(**each))
    except (AttributeError, TypeError, InputError) as error:
        raise ValueError(f"config: packages: {error}") from error


def _own_objectives(row: Row) -> dict[str, Objective]:
    described = cells.mapping_of(_is_mapping, row, "own_objectives")
    try:
        return {name: retold({**each, "name": name}) for name, each in described.items()}
    except InputError as error:
        raise ValueError(f"own_objectives: {error}") from error


def _is_mapping(value: object) -> bool:
    return isinstance(value, dict)


def _objectives(row: Row, own: Mapping[str, Objective]) -> tuple[str, ...]:
    objectives = tuple(cells.listed(row, "objectives"))
    if not objectives:
        raise ValueError("objectives are none")
    if strange := [name for name in objectives if name not in OBJECTIVES and name not in own]:
        raise ValueError(unknown("objective", strange[0], OBJECTIVES))
    return objectives


def _rungs(row: Row) -> tuple[int, ...]:
    rungs = tuple(cells.listed(row, "rungs"))
    if strange := [rung for rung in rungs if not isinstance(rung, int)]:
        raise ValueError(f"rungs: {strange[0]!r} is no whole number")
    return rungs


def _is_range(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(cells.is_number(end) and 0 < end < math.inf for end in value)
    )


def trial_values(trial: TrialRecord) -> Values:
    """Return the row of a trial, without its measurements."""
    return {
        **{column.name: _written(getattr(trial, column.name)) for column in _PLAIN},
        "parameters": to_json(trial.params),
        "architecture": to_json(trial.architecture.to_json()),
        **trial.cost.to_json(),
        "more_costs": to_json(trial.cost.more),
        "state": trial.state.value,
        "session_id": trial.session,
    }


def ending_values(*, state: State, reason: str, failure_kind: str, failure_details: str, ended_at: datetime) -> Values:
    """Return the columns of how a trial or a replicate ended."""
    return {
        "state": state.value,
        "reason": to_prose(reason),
        "failure_kind": to_prose(failure_kind),
        "failure_details": to_prose(failure_details),
        "ended_at": to_utc(ended_at),
    }


def _written(value: object) -> object:
    if isinstance(value, datetime):
        return to_utc(value)
    return to_prose(value) if isinstance(value, str) else value


def trial_record(row: Row, measurements: Iterable[Row]) -> TrialRecord:
    """Return the trial of a row and of its measurements' rows, which come by epoch.

    Raises:
        ValueError: one of these rows cannot be read.
    """
    plain: dict[str, Any] = {column.name: _read(row, column) for column in _PLAIN}
    return TrialRecord(
        params=cells.mapping_of(_is_scalar, row, "parameters"),
        architecture=_architecture(row),
        cost=_cost(row),
        state=_state(row),
        session=cells.optional(cells.any_whole, row, "session_id"),
        measurements=tuple(_measurement_of(each) for each in measurements),
        **plain,
    )


def _read(row: Row, column: Column[Any]) -> object:
    read = _READERS[type(column.type)]
    return cells.optional(read, row, column.name) if column.nullable else read(row, column.name)


def _cost(row: Row) -> Cost:
    counted: dict[str, Any] = {name: cells.whole(row, name) for name in COST_NAMES}
    return Cost(**counted, more=cells.mapping_of(cells.is_number, row, "more_costs"))


def _is_scalar(value: object) -> bool:
    return isinstance(value, Scalar)


def _architecture(row: Row) -> Architecture:
    described = cells.mapping(row, "architecture")
    try:
        return Architecture.from_json(described)
    except (InputError, TypeError) as error:
        raise ValueError(f"architecture: {error}") from error


def _state(row: Row) -> State:
    try:
        return State(cells.text(row, "state"))
    except ValueError as error:
        raise ValueError(f"state: {error}") from error


def _measurement_of(row: Row, table: str = "nas_measurement") -> Measurement:
    try:
        return _measurement(row)
    except ValueError as error:
        raise ValueError(f"{error}, in the row of epoch {row['epoch']!r} of {table}") from error


def measurement_values(measurement: Measurement) -> Values:
    """Return the row of a measurement.

    Raises:
        ValueError: a value is not finite, or the epoch is below 1.
    """
    numbers = {**measurement.metrics, "train_s": measurement.train_s, "eval_s": measurement.eval_s}
    for name, value in numbers.items():
        if not math.isfinite(value):
            raise ValueError(f"{name} {value} of epoch {measurement.epoch} is not finite")
    if measurement.epoch < 1:
        raise ValueError(f"epoch {measurement.epoch} is below 1")
    others = {name: value for name, value in measurement.metrics.items() if name not in _COLUMNS}
    return {
        "epoch": measurement.epoch,
        **{name: measurement.get(name) for name in _COLUMNS},
        "train_s": measurement.train_s,
        "eval_s": measurement.eval_s,
        "metrics": to_json(others | ({TOGETHER: measurement.together} if measurement.together > 1 else {})),
        "recorded_at": measurement.at and to_utc(measurement.at),
        "host": measurement.host or None,
        "device": measurement.device or None,
    }


def _measurement(row: Row) -> Measurement:
    own = {name: cells.number(row, name) for name in _COLUMNS if row[name] is not None}
    if not 0 <= own.get("accuracy", 0.0) <= 1:
        raise ValueError(f"accuracy {own['accuracy']} is not in [0, 1]")
    others = cells.mapping_of(_is_finite, row, "metrics")
    together = others.pop(TOGETHER, 1)
    if together != int(together) or together < 1:
        raise ValueError(f"{together} networks are trained together")
    return Measurement(
        epoch=cells.whole(row, "epoch", 1),
        metrics={**own, **others},
        train_s=cells.number(row, "train_s"),
        eval_s=cells.number(row, "eval_s"),
        together=int(together),
        host=cells.optional(cells.text, row, "host") or "",
        device=cells.optional(cells.text, row, "device") or "",
        at=cells.optional(cells.moment, row, "recorded_at"),
    )


def _is_finite(value: object) -> bool:
    return isinstance(value, (int, float)) and cells.is_number(value) and math.isfinite(value)


def replicate_values(replicate: Replicate) -> Values:
    """Return the row of a replicate, without its measurements and what the test split told."""
    fold, folds = replicate.fold or (None, None)
    plain = {column.name: _written(getattr(replicate, column.name)) for column in _PLAIN_REPLICATE}
    return {**plain, "fold": fold, "folds": folds, "state": replicate.state.value}


def replicate_record(row: Row, measurements: Iterable[Row], look: Row | None) -> Replicate:
    """Return the replicate of a row, of its measurements' rows, which come by epoch, and of a look's.

    Raises:
        ValueError: one of these rows cannot be read.
    """
    fold = cells.optional(cells.whole, row, "fold")
    plain: dict[str, Any] = {column.name: _read(row, column) for column in _PLAIN_REPLICATE}
    return Replicate(
        fold=None if fold is None else (fold, cells.whole(row, "folds", 2)),
        state=_state(row),
        measurements=tuple(_measurement_of(each, "nas_replicate_measurement") for each in measurements),
        **({} if look is None else _look(look)),
        **plain,
    )


def _look(row: Row) -> dict[str, Any]:
    try:
        return {"test": cells.mapping_of(_is_finite, row, "metrics"), "tested_at": cells.moment(row, "at")}
    except ValueError as error:
        raise ValueError(f"{error}, in row {row['id']} of nas_look") from error


def event_values(event: Event) -> Values:
    """Return the row of an event, without its number."""
    return {"at": to_utc(event.at), "kind": event.kind, "trial": event.trial, "text": to_prose(event.text)}


def event_record(row: Row) -> Event:
    """Return the event of a row.

    Raises:
        ValueError: it cannot be read.
    """
    return Event(
        seq=cells.whole(row, "seq"),
        at=cells.moment(row, "at"),
        kind=cells.text(row, "kind"),
        trial=cells.optional(cells.whole, row, "trial"),
        text=cells.text(row, "text"),
    )


def rejection_values(rejection: Rejection) -> Values:
    """Return the row of a rejection."""
    return {
        "parameters": to_json(rejection.params),
        "violations": to_json(rejection.violations),
        "reason": to_prose(rejection.reason),
    }


def rejection_record(row: Row) -> Rejection:
    """Return the rejection of a row.

    Raises:
        ValueError: it cannot be read.
    """
    return Rejection(
        params=cells.mapping_of(_is_scalar, row, "parameters"),
        violations=cells.mapping_of(cells.is_number, row, "violations"),
        reason=cells.text(row, "reason"),
    )


def host_values(host: Host) -> Values:
    """Return the columns of a host."""
    fields = host.to_json()
    plain = {name: fields[name] for name in ("host", "kind", "numerics", "product", "torch")}
    return {**plain, "session_id": host.session, "step_ms": to_json(host.step_ms), "wrong": to_json(host.wrong)}


def host_record(row: Row) -> Host:
    """Return the host of a row.

    Raises:
        ValueError: it cannot be read.
    """
    plain = {name: cells.text(row, name) for name in ("host", "kind", "numerics", "product", "torch")}
    session = cells.optional(cells.any_whole, row, "session_id")
    return Host(**plain, session=session, step_ms=cells.mapping(row, "step_ms"), wrong=cells.mapping(row, "wrong"))


def session_record(row: Row) -> Session:
    """Return the session of a row.

    Raises:
        ValueError: it cannot be read.
    """
    return Session(
        id=cells.any_whole(row, "id"),
        started_at=cells.moment(row, "started_at"),
        seen_at=cells.moment(row, "seen_at"),
        machine=cells.optional(cells.mapping, row, "machine"),
        host=cells.optional(cells.text, row, "host"),
        process=cells.optional(cells.whole, row, "process"),
        spent=Spent(**{part.name: cells.number(row, part.name) for part in fields(Spent)}),
    )
