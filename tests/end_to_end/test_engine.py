"""Trials of one process show what they do in processes of their own, and none is lost where it is killed."""

import json
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Folder, wait_until, workers_of
from tests.end_to_end.invariants import check_whole, read

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

EPOCHS, TRIALS = 16, 4
SHORT = {
    "scheduler": {"name": "fifo", "max_epochs": EPOCHS}, "sampler": "random", "budget": {"trials": TRIALS},
    "recipe": {"compile": "never"},
}  # fmt: skip


def epochs_recorded(folder: Folder) -> int:
    """Return how many epochs of all studies are in the database."""
    with closing(sqlite3.connect(f"file:{folder.path}/study.db?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM nas_measurement").fetchone()[0])


def shown(folder: Folder, study: str) -> list[list[tuple[float | None, ...]]]:
    """Return what each trial's epochs showed."""
    names = ("accuracy", "loss", "train_loss")
    _, trials = read(folder.url, study)
    return [[tuple(each.metrics.get(name) for name in names) for each in trial.measurements] for trial in trials]


def test_a_study_whose_engine_is_killed_shows_what_it_does_in_processes_of_its_trials(folder: Folder) -> None:
    folder.write(**SHORT, resources={"engine": "process"})
    folder.launch("--no-report")
    alone = epochs_recorded(folder)
    folder.write(**SHORT, study="shared", resources={"engine": "always"})
    driver = folder.start("--no-report")
    wait_until(lambda: epochs_recorded(folder) >= alone + 4)
    (engine,) = workers_of(driver, "EngineServer")
    engine.send_signal(signal.SIGKILL)
    assert driver.wait(240) == 0, folder.said()
    check_whole(folder.url, trials=TRIALS, name="shared")
    assert shown(folder, "shared") == shown(folder, "small")
    _, trials = read(folder.url, "shared")
    assert any(trial.attempts for trial in trials)


def test_what_ends_an_engine_is_convicted_alone_and_nobody_beside_it(folder: Folder) -> None:
    control = folder.path / "faults.json"
    faults = [{"kind": "segv", "number": 0, "epoch": 2}, {"kind": "nan", "number": 1, "epoch": 1}]
    control.write_text(json.dumps({"trials": faults}))
    paths = [str(Path(__file__).parent / "faults"), os.environ.get("PYTHONPATH", "")]
    folder.environment |= {"PYTHONPATH": os.pathsep.join(paths).strip(os.pathsep), "WIDEFRONT_FAULTS": str(control)}
    folder.write(**{**SHORT, "scheduler": {"name": "fifo", "max_epochs": 3}}, resources={"engine": "always"})
    said = folder.launch("--no-report")
    _, trials = read(folder.url)
    found = [(trial.failure_kind, trial.epochs) for trial in trials]
    assert found == [("native-crash", 1), ("not-finite", 0), ("", 3), ("", 3)], said
    assert trials[0].reason.startswith("native-crash: SIGSEGV in _segv (trial_faults.py, line ")
