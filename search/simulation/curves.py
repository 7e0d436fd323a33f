"""Turn a study's trials into a table of recorded trainings, and write it."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from search.config.replay import ReplayForm, parse_replay
from search.config.source import replace_leaf
from search.core.records import StudyRecord, TrialRecord
from search.simulation.frame_files import write_frame
from workers.objectives import OBJECTIVES


def curves(trials: Sequence[TrialRecord]) -> pd.DataFrame:
    """Return one row for each epoch of each trial: what it is, what it costs, what the epoch showed."""
    rows = [row for trial in sorted(trials, key=lambda trial: trial.number) for row in _rows(trial)]
    frame = pd.DataFrame(rows).dropna(axis="columns", how="all")
    mixed = [name for name in frame.columns if len({isinstance(value, str) for value in frame[name].dropna()}) > 1]
    return frame.assign(**{name: frame[name].map(str, na_action="ignore") for name in mixed})  # as files hold them


def _rows(trial: TrialRecord) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    learned = [name for name, objective in OBJECTIVES.items() if not objective.static]
    counted = {**trial.cost.to_json(), **trial.cost.more}
    given = {"trial": trial.number, "seed": trial.seed, "digest": trial.digest, "state": str(trial.state)}
    seconds = 0.0
    for measurement in trial.measurements:
        seconds += measurement.wall_s
        shown = {name: OBJECTIVES[name].value(trial.cost, measurement) for name in learned}
        rows.append({**given, **trial.params, **counted, "epoch": measurement.epoch, **shown, "seconds": seconds})
    return rows


def write_curves(trials: Sequence[TrialRecord], path: Path) -> None:
    """Write the curves of trials to a .parquet or .csv(.gz) file.

    Raises:
        InputError: it is of neither kind, or cannot be written.
    """
    write_frame(curves(trials), path)


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
    given = copy.deepcopy({"study": study.name, **own, "table": {"classes": study.classes}})
    for setting in settings:
        replace_leaf(given, setting)
    return parse_replay(given)
