"""Read recorded trainings from a table.

One row is one epoch of one training of one network; without a column of epochs it is all of a training.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from search.config.replay import ColumnForm, ReplayForm, quality
from search.config.sections import Form
from search.config.space import parse_parameters
from search.simulation.curves import LABELS, compared, read_frame
from search.simulation.inference import infer_parameters, scalar
from search.simulation.recordings import Array, Recordings, recorded_objective
from spaces.domains import Choice, Domain, Float, Parameter, Scalar
from spaces.errors import InputError, unknown
from workers.objectives import OBJECTIVES

STATIC = tuple(name for name, objective in OBJECTIVES.items() if objective.static)


def read_table(path: Path, form: ReplayForm) -> Recordings:
    """Return the trainings that a file holds.

    Raises:
        InputError: it cannot be read, or is not what the form says.
    """
    return recordings_of(path.name, compared(read_frame(path)), form)


def recordings_of(name: str, frame: pd.DataFrame, form: ReplayForm) -> Recordings:
    """Return the trainings that a table holds.

    Raises:
        InputError: it is not what the form says.
    """
    frame = _long(frame.replace([np.inf, -np.inf], np.nan), form)
    columns = _Columns.of(frame, form)
    try:
        parameters = parse_parameters(form.space) if form.space else infer_parameters(frame, columns.parameters)
    except InputError as error:
        raise error.at("space") from error
    found = _recordings(name, _with_unused(frame, parameters), columns, parameters, form)
    for objective in found.objectives:
        if np.isnan(found.final(objective.name)).all():
            raise InputError(f"no training holds {objective.name} at epoch {found.epochs[-1]}", place="table")
    return found


def _long(frame: pd.DataFrame, form: ReplayForm) -> pd.DataFrame:
    """Return a table with a column of seeds, where they were columns of each objective: `acc_0`, `acc_1`."""
    wide = {
        name: sorted((c for c in frame.columns if re.fullmatch(rf"{re.escape(name)}_\d+", c)), key=_number)
        for name, column in form.columns.items()
        if name not in frame.columns and not column.known
    }
    wide = {name: columns for name, columns in wide.items() if columns}
    if not wide:
        return frame
    counts = {len(columns) for columns in wide.values()}
    if len(counts) > 1:
        raise InputError(f"{', '.join(wide)} have different numbers of seeds", place="table.objectives")
    rest = frame.drop(columns=[column for columns in wide.values() for column in columns])
    parts = [
        rest.assign(**{name: frame[columns[seed]] for name, columns in wide.items()}, **{form.table.seed: seed})
        for seed in range(counts.pop())
    ]
    return pd.concat(parts, ignore_index=True)


def _number(column: str) -> int:
    return int(column.rpartition("_")[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """Name a table's columns by what they are."""

    parameters: tuple[str, ...]
    learned: tuple[str, ...]
    known: tuple[str, ...]

    @classmethod
    def of(cls, frame: pd.DataFrame, form: ReplayForm) -> "_Columns":
        """Return what a form says of a table, and what follows from it.

        Raises:
            InputError: a column is missing or holds no numbers.
        """
        learned = tuple(name for name, column in form.columns.items() if not column.known)
        if form.table.classes and "accuracy" in frame.columns and "accuracy" not in form.columns:
            learned += ("accuracy",)  # by which a rung tells who is no better than chance
        objectives = (*form.columns, *form.table.known)
        also = [name for name in STATIC if name in frame.columns and name not in objectives]
        known = tuple(name for name in (*objectives, *also) if name not in learned)
        table = form.table
        spoken = {*learned, *known, table.epoch, table.seconds, table.seed, table.digest, *OBJECTIVES, *LABELS}
        named = form.table.parameters or tuple(form.space)
        parameters = named or tuple(name for name in frame.columns if name not in spoken)
        for name in parameters if form.table.parameters else ():
            _check_there(frame, name, "table.parameters")
        found = cls(parameters=tuple(n for n in parameters if n in frame.columns), learned=learned, known=known)
        for name in (*learned, *known):
            _check_numbers(frame, name, "table.objectives" if form.table.objectives else "objectives")
        return found


def _check_there(frame: pd.DataFrame, name: str, place: str) -> None:
    if name not in frame.columns:
        raise InputError(unknown("column", name, frame.columns), place=place)


def _check_numbers(frame: pd.DataFrame, name: str, place: str) -> None:
    _check_there(frame, name, place)
    if not pd.api.types.is_numeric_dtype(frame[name]):
        raise InputError(f"column {name} does not hold numbers", place=place)


def _check_full(frame: pd.DataFrame, name: str, place: str) -> None:
    if frame[name].isna().any():
        raise InputError(f"column {name} has gaps", place=place)


def _with_unused(frame: pd.DataFrame, parameters: Sequence[Parameter]) -> pd.DataFrame:
    """Return a table with an empty column for each parameter that exists in none of its rows."""
    for parameter in parameters:
        if parameter.name not in frame.columns:
            there = [frame[when.parameter].isin(when.values) for when in parameter.when]
            if not there or bool(np.logical_and.reduce(there).any()):
                _check_there(frame, parameter.name, "space")
            frame = frame.assign(**{parameter.name: np.nan})
    return frame


def _with_fixed(frame: pd.DataFrame, form: ReplayForm) -> pd.DataFrame:
    """Return a table's rows that have no other value where the space fixes one."""
    for name, given in form.space.items():
        if name in frame.columns and given is not None and not isinstance(given, Form):
            fixed = Choice(options=(",".join(map(str, given)) if isinstance(given, list) else given,))
            frame = frame[[bool(pd.isna(value)) or _fitting(value, fixed) is not None for value in frame[name]]]
    return frame


def _fitting(value: Any, domain: Domain) -> Scalar | None:
    """Return a table's value as the domain spells it; None where it cannot take it."""
    plain = scalar(value)
    if isinstance(domain, Choice):
        same = next((option for option in domain.options if Choice(options=(option,)).contains(plain)), None)
        # In a file, a column that holds words too holds its numbers as words.
        return same if same is not None else next((each for each in domain.options if str(each) == str(plain)), None)
    plain = float(plain) if isinstance(domain, Float) and isinstance(plain, int) else plain
    return plain if domain.contains(plain) else None


def _recordings(
    name: str, frame: pd.DataFrame, columns: _Columns, parameters: Sequence[Parameter], form: ReplayForm
) -> Recordings:
    fixed = _with_fixed(frame, form)
    codes, rows = _networks(fixed, parameters)
    kept = fixed[codes >= 0].assign(_network=codes[codes >= 0])
    left_out = len(frame) - len(kept)
    if kept.empty:
        raise InputError("no row of the table is of this space", place="space")
    for each in (*columns.known, form.table.digest):
        if each in kept.columns:
            _check_full(kept, each, "table")
    epochs = _epochs(kept, form)
    kept = kept[kept[form.table.epoch] <= epochs[-1]] if form.table.epoch in kept else kept
    if kept["_network"].nunique() < len(rows):
        raise InputError(_LACKS, place="table.epoch")
    place = _places(kept, form, epochs)
    shape = (len(rows), int(place[1].max()) + 1, len(epochs))
    seconds = _filled(_seconds(kept, form, epochs), place, shape)
    if (np.diff(seconds, axis=2, prepend=0.0) < 0).any():
        raise InputError("they fall from one epoch of a training to the next", place="table.seconds")
    first = kept.drop_duplicates("_network").sort_values("_network")
    digest = form.table.digest
    return Recordings(
        name=name,
        parameters=tuple(parameters),
        objectives=tuple(_objective(each, column) for each, column in form.columns.items()),
        networks=tuple(rows),
        digests=tuple(first[digest].astype(str)) if digest in frame else tuple(map(str, range(len(rows)))),
        known={each: first[each].to_numpy(np.float64) for each in columns.known},
        epochs=epochs,
        learned={each: _filled(kept[each].to_numpy(np.float64), place, shape) for each in columns.learned},
        seconds=seconds,
        classes=form.table.classes,
        left_out=left_out,
    )


def _objective(name: str, column: ColumnForm) -> Any:
    return recorded_objective(name, column.direction, known=column.known, quality=quality(name, column))


def _networks(frame: pd.DataFrame, parameters: Sequence[Parameter]) -> tuple[np.ndarray, list[dict[str, Scalar]]]:
    """Return for each row which network it is, -1 for none of the space, and the networks."""
    names = [parameter.name for parameter in parameters]
    groups = frame.groupby(names, dropna=False, sort=False)
    codes = groups.ngroup().to_numpy()
    found: dict[int, int] = {}
    networks: list[dict[str, Scalar]] = []
    firsts = frame.loc[~pd.Series(codes, index=frame.index).duplicated(), names]
    for code, row in zip(pd.unique(codes), firsts.to_dict("records"), strict=True):
        params = _params(cast("Mapping[str, Any]", row), parameters)
        if params is not None:
            found[int(code)] = len(networks)
            networks.append(params)
    return np.array([found.get(int(code), -1) for code in codes]), networks


def _params(row: Mapping[str, Any], parameters: Sequence[Parameter]) -> dict[str, Scalar] | None:
    params: dict[str, Scalar] = {}
    for parameter in parameters:
        value = row[parameter.name]
        if parameter.exists(params) is not bool(pd.notna(value)):
            return None
        if pd.notna(value):
            fitting = _fitting(value, parameter.domain)
            if fitting is None:
                return None
            params[parameter.name] = fitting
    return params


def _epochs(frame: pd.DataFrame, form: ReplayForm) -> tuple[int, ...]:
    """Return the recorded epochs up to full fidelity."""
    if form.table.epoch not in frame.columns:
        return (form.full_fidelity or 1,)
    _check_numbers(frame, form.table.epoch, "table.epoch")
    _check_full(frame, form.table.epoch, "table.epoch")
    if not ((frame[form.table.epoch] >= 0) & (frame[form.table.epoch] % 1 == 0)).all():
        raise InputError(f"column {form.table.epoch} holds what is no number of epochs", place="table.epoch")
    epochs = sorted({int(epoch) for epoch in frame[form.table.epoch].unique()})
    last = form.full_fidelity or epochs[-1]
    if last not in epochs:
        raise InputError(f"epoch {last} is not in the table, which ends at {epochs[-1]}", place="scheduler.max_epochs")
    return tuple(epoch for epoch in epochs if epoch <= last)


Place = tuple[np.ndarray, np.ndarray, np.ndarray]
_LACKS = "a training lacks an epoch before its last"


def _places(frame: pd.DataFrame, form: ReplayForm, epochs: Sequence[int]) -> Place:
    """Return for each row its network, the number of its training, and the place of its epoch."""
    network = frame["_network"].to_numpy()
    timed = form.table.epoch in frame.columns
    step = np.searchsorted(epochs, frame[form.table.epoch]) if timed else np.zeros(len(frame), dtype=np.int64)
    if form.table.seed in frame.columns:
        _check_full(frame, form.table.seed, "table.seed")
        seed = frame.groupby("_network")[form.table.seed].rank(method="dense").to_numpy(np.int64) - 1
    else:
        seed = np.zeros(len(frame), np.int64) if timed else frame.groupby("_network").cumcount().to_numpy()
    trainings = pd.DataFrame({"network": network, "seed": seed, "step": step})
    if trainings.duplicated().any():
        raise InputError("two rows are the same network, seed and epoch; name a column under table.seed", place="table")
    steps = trainings.groupby(["network", "seed"])["step"].agg(["max", "count"])
    if (steps["max"] >= steps["count"]).any():
        raise InputError(_LACKS, place="table.epoch")
    return network, seed, step


def _seconds(frame: pd.DataFrame, form: ReplayForm, epochs: Sequence[int]) -> Array:
    """Return for each row the seconds since its training began; without a column of them an epoch takes one."""
    for name in (form.table.seconds, form.table.epoch):
        if name in frame.columns:
            _check_numbers(frame, name, "table.seconds")
            _check_full(frame, name, "table.seconds")
            return np.asarray(frame[name], dtype=np.float64)
    return np.full(len(frame), float(epochs[-1]))


def _filled(values: Array, place: Place, shape: tuple[int, int, int]) -> Array:
    array = np.full(shape, np.nan)
    array[place] = values
    return array
