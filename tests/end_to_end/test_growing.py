"""A study that grows and shrinks in mid-study, as a person does it: a file that is edited, a command, `--grow`."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.request import urlopen
from wsgiref.simple_server import WSGIRequestHandler, make_server

import optuna
import pytest
from optuna_dashboard import wsgi

from search.core.fronts import front_trials
from search.core.records import State, TrialRecord
from search.storage.store import Store
from tests.end_to_end.conftest import Folder, wait_until
from tests.end_to_end.invariants import read
from tests.end_to_end.test_kill import epochs_recorded
from tests.search.bench import optunas

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

SPACE: dict[str, Any] = {
    "block": {"choice": ["basic", "preact"]},
    "depth": {"int": [1, 3]},
    "widening_factor": {"choice": [0.25, 0.5]},
}
FILE: dict[str, Any] = {
    "space": SPACE,
    "constraints": {"params": "<= 200k"},
    "scheduler": {"name": "auto", "max_epochs": 4},
}
MORE = {**SPACE, "block": {"choice": ["resnext", "preact", "basic"]}, "widening_factor": {"choice": [0.25, 0.5, 1]}}
LESS = {**MORE, "depth": {"int": [1, 2]}, "activation": {"choice": ["relu", "crelu"]}}


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_given: object) -> None:
        """Say nothing."""


@contextmanager
def dashboard(study: optuna.Study) -> Iterator[Callable[[str], Any]]:
    """Serve the study as `optuna-dashboard` does, and give what asks its API."""
    with make_server("127.0.0.1", 0, wsgi(study._storage), handler_class=_Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/api/studies/{study._study_id}"
        yield lambda path: json.loads(urlopen(f"{address}{path}", timeout=60).read())
        server.shutdown()


def measured(trial: TrialRecord) -> TrialRecord:
    """Return of a trial what no change of the space may touch."""
    course: dict[str, Any] = {"state": State.RUNNING, "reason": "", "ended_at": None, "attempts": 0, "session": None}
    return replace(trial, params={}, outside="", **course)


def check_kept(before: list[TrialRecord], folder: Folder) -> list[TrialRecord]:
    """Check that every old trial stands where it stood, with all it had measured, and return all of now."""
    _, now = read(folder.url)
    assert [trial.number for trial in now] == list(range(len(now)))
    for old, new in zip(before, now, strict=False):
        shown = replace(new, measurements=new.measurements[: old.epochs])
        assert measured(shown) == measured(old)
        assert old.state is State.RUNNING or (new.state, new.ended_at, new.epochs) == (
            old.state, old.ended_at, old.epochs,
        )  # fmt: skip
    return now


def check_fronts(folder: Folder) -> None:
    """Check that our front, Optuna's and its dashboard's hold the same networks: members, and all of them."""
    record, trials = read(folder.url)
    front = {trial.number for trial in front_trials(record, trials)}
    assert front == {t.number for t in front_trials(record, [trial for trial in trials if not trial.outside])}
    assert front
    with optunas(folder.url, "small") as study:
        assert {row.number for row in study.best_trials} == front
        assert [row.params for row in study.trials] == [dict(trial.params) for trial in trials]
        with dashboard(study) as ask:
            told = ask("")
            assert [row["number"] for row in told["trials"]] == [trial.number for trial in trials]
            grey = {row["number"] for row in told["trials"] if any(by > 0 for by in row["constraints"])}
            assert grey == {trial.number for trial in trials if trial.outside}
            assert {row["number"] for row in told["best_trials"]} - grey <= front
            assert ask("/param_importances?evaluator=ped_anova")["param_importances"]
    for number in front:
        assert not trials[number].outside


@pytest.mark.very_slow
def test_a_study_that_grows_twice_keeps_every_measurement_and_has_the_right_front(folder: Folder) -> None:
    folder.write(**FILE, budget={"trials": 6})
    folder.launch("--no-report")
    _, first = read(folder.url)

    folder.write(**{**FILE, "space": MORE}, budget={"trials": 12})
    refused = folder.start("--no-report")
    assert refused.wait(240) == 2
    assert "6 of 6 trials stay members" in folder.said()
    assert "--grow" in folder.said()
    assert read(folder.url)[1] == first
    folder.launch("--no-report", "--dry-run")
    assert "space.widening_factor.choice: [0.25, 0.5] -> [0.25, 0.5, 1]" in folder.said()
    assert read(folder.url)[1] == first

    driver = folder.start("--no-report", "--grow")
    wait_until(lambda: epochs_recorded(folder) > sum(trial.epochs for trial in first) + 2)
    driver.kill()  # in mid-study
    driver.wait(240)
    second = check_kept(first, folder)

    limit = sorted(trial.cost.params for trial in second)[2 * len(second) // 3]
    folder.write(**{**FILE, "space": LESS, "constraints": {"params": f"< {limit + 1}"}}, budget={"trials": 18})
    said = folder.launch("--no-report", "--grow")
    assert f"of {len(second)} trials stay members" in said
    trials = check_kept(second, folder)
    assert len(trials) == 18
    assert all(trial.state is not State.RUNNING for trial in trials)
    new = trials[len(second) :]
    assert all(trial.params["depth"] <= 2 and trial.cost.params <= limit and not trial.outside for trial in new)  # type: ignore[operator]
    assert any(trial.outside for trial in trials[: len(second)])
    assert all("activation" in trial.params for trial in trials)
    check_fronts(folder)
    with Store.open(folder.url, create=False) as store:
        record = store.study("small")
        assert record is not None
        assert [earlier["space"]["depth"] for earlier in record.earlier] == [SPACE["depth"], SPACE["depth"]]
    well = folder.command("search.doctor", folder.url)
    assert well.wait(240) == 0, folder.said()
    for number in (min(t.number for t in trials if t.outside), new[0].number):  # of either space
        retrained = folder.command(
            "search.retrain", folder.url, "--study", "small", "--trial", str(number), "-o", f"again-{number}.json"
        )
        assert retrained.wait(240) == 0, folder.said()
