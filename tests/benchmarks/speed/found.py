"""Read what a search has left in its folder: the networks that it trained in full, and when it knew them."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.speed.growth import Trained

_MEASURED = """
SELECT m.epoch, m.accuracy, m.recorded_at, m.train_s, m.eval_s, t.macs, t.state
FROM nas_measurement m JOIN nas_trial t ON t.id = m.trial_id
ORDER BY m.recorded_at
"""
_VALUES = """
SELECT t.datetime_complete, a.value, m.value FROM trials t
JOIN trial_values a ON a.trial_id = t.trial_id AND a.objective = 0
JOIN trial_values m ON m.trial_id = t.trial_id AND m.objective = 1
WHERE t.state = 'COMPLETE'
"""


def of_widefront(folder: Path, began: float, epochs: int) -> tuple[list[Trained], dict[str, Any]]:
    """Return what a study's tables say, and the rest that is asked of it: when epochs were, and the scale's ends."""
    with closing(sqlite3.connect(folder / "widefront.db")) as database:
        rows = [(*row, _second(row[2], UTC) - began) for row in database.execute(_MEASURED)]
        classes, bounds = database.execute("SELECT classes, bounds FROM nas_study").fetchone()
    full = [row for row in rows if row[0] == epochs and row[6] == "complete"]
    more = {
        "classes": classes,
        "macs": json.loads(bounds)["macs"],
        "epochs": len(rows),
        "epochs_s": sum(row[3] + row[4] for row in rows),
        "first_epoch_at": rows[0][-1] - rows[0][3] - rows[0][4],
        "last_epoch_at": rows[-1][-1],
    }
    return [Trained(row[-1], row[1], row[5]) for row in full], more


def of_optuna(folder: Path, began: float, _epochs: int) -> tuple[list[Trained], dict[str, Any]]:
    """Return what Optuna's tables say, whose moments are in the machine's own time zone."""
    with closing(sqlite3.connect(folder / "optuna.db")) as database:
        rows = database.execute(_VALUES).fetchall()
    return [Trained(_second(at, None) - began, accuracy, macs) for at, accuracy, macs in rows], {}


def of_ray(folder: Path, began: float, epochs: int) -> tuple[list[Trained], dict[str, Any]]:
    """Return what Tune has written beside each trial."""
    told = list(_reports(folder))
    full = [each for each in told if each["training_iteration"] == epochs]
    return [Trained(each["at"] - began, each["accuracy"], each["macs"]) for each in full], {"epochs": len(told)}


def _reports(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("ray/search/*/result.json")):
        for line in file.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def _second(text: str, zone: Any) -> float:
    """Return seconds since 1970 of a moment as SQLite has it, without a zone."""
    moment = datetime.fromisoformat(text)
    return (moment.replace(tzinfo=zone) if zone else moment).timestamp()


READERS = {"optuna": of_optuna, "ray": of_ray}  # all others are Widefront
