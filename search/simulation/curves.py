"""Turn a study's trials into a table of recorded trainings, and write it."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from search.config import unread
from search.config.replay import ReplayForm, parse_replay
from search.config.source import replace_leaf
from search.core.files import replacing
from search.core.records import StudyRecord, TrialRecord
from spaces.errors import InputError
from workers.objectives import OBJECTIVES, Objective

LABELS = ("trial", "state")  # columns that curves have and no other table


def curves(trials: Sequence[TrialRecord], measures: Mapping[str, Objective] = OBJECTIVES) -> pd.DataFrame:
    """Return one row for each epoch of each trial: what it is, what it costs, what the epoch showed."""
    rows = [row for trial in sorted(trials, key=lambda trial: trial.number) for row in _rows(trial, measures)]
    frame = pd.DataFrame(rows).dropna(axis="columns", how="all")
    mixed = [name for name in frame.columns if len({isinstance(value, str) for value in frame[name].dropna()}) > 1]
    return frame.assign(**{name: frame[name].map(str, na_action="ignore") for name in mixed})  # as files hold them


def _rows(trial: TrialRecord, measures: Mapping[str, Objective]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    learned = [name for name, objective in measures.items() if not objective.static]
    counted = {**trial.cost.to_json(), **trial.cost.more}
    given = {"trial": trial.number, "seed": trial.seed, "digest": trial.digest, "state": str(trial.state)}
    seconds = 0.0
    for measurement in trial.measurements:
        seconds += measurement.wall_s
        shown = {name: measures[name].value(trial.cost, measurement) for name in learned}
        rows.append({**given, **trial.params, **counted, "epoch": measurement.epoch, **shown, "seconds": seconds})
    return rows


def compared(frame: pd.DataFrame) -> pd.DataFrame:
    """Return of curves the epochs at which every trial was measured that came to them; other tables as they are.

    At others trials cannot be compared: a recorded training just goes on there.
    """
    names = [name for name, each in OBJECTIVES.items() if each.measure and name in frame.columns]
    if not names or not {*LABELS, "epoch"} <= set(frame.columns):
        return frame  # what has no value there has failed
    shown = frame[names]
    return frame[~frame["epoch"].isin(frame["epoch"][shown.isna().all(axis="columns")])]


def write_curves(trials: Sequence[TrialRecord], path: Path, measures: Mapping[str, Objective] = OBJECTIVES) -> None:
    """Write the curves of trials, in what their study measures, to a .parquet or .csv(.gz) file.

    Raises:
        InputError: it is of neither kind, or cannot be written.
    """
    write_frame(curves(trials, measures), path)


def form_of(study: StudyRecord, settings: Sequence[str]) -> ReplayForm:
    """Return what a replay of a study's own curves is.

    Args:
        study: whose curves they are.
        settings: texts such as `scheduler.keep=0.3`, each replacing one leaf of its file.

    Raises:
        InputError: a setting is wrong.
    """
    sections = ("space", "objectives", "sampler", "scheduler", "budget", "resources")
    own = {name: study.config[name] for name in sections if name in study.config}
    own["space"] = study.domains  # a recipe that is searched tells trainings apart too
    given = copy.deepcopy({"study": study.name, **own, "table": {"classes": study.classes}})
    for setting in settings:
        replace_leaf(given, setting)
    unread.drop(given, settings, stored=True)
    return parse_replay(given)


ALIKE = 2  # columns
NO_TABLE = "is neither a .parquet nor a .csv file (.csv.gz too)"


def read_frame(path: Path) -> pd.DataFrame:
    """Return the table in a file.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    if not path.exists():
        raise InputError("there is no such file", place=str(path))
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if ".csv" in path.suffixes:
            return pd.read_csv(path, keep_default_na=False, na_values=["", "nan", "NaN"])
    except (OSError, ValueError, UnicodeDecodeError, EOFError, pd.errors.ParserError) as error:
        why = getattr(error, "strerror", None) or (str(error).splitlines() or ["cannot be read"])[0]
        raise InputError(why, place=str(path)) from error
    raise InputError(NO_TABLE, place=str(path))


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a table to a file; an earlier one of the same columns is replaced.

    Raises:
        InputError: the file is of neither kind, something else is there, or it cannot be written.
    """
    if path.suffix != ".parquet" and ".csv" not in path.suffixes:
        raise InputError(NO_TABLE, place=str(path))
    with replacing(path, "table of these columns", lambda there: _begins_alike(there, frame)) as beside:
        if path.suffix == ".parquet":
            frame.to_parquet(beside, index=False)
        else:
            frame.to_csv(beside, index=False)


def _begins_alike(path: Path, frame: pd.DataFrame) -> bool:
    """Whether a file holds a table of the same first columns; others may have come since it was written."""
    try:
        there = read_frame(path)
    except InputError:
        return False
    return list(there.columns[:ALIKE]) == list(frame.columns[:ALIKE])
