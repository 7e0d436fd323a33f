"""Ray's searcher hands out what the study has, as plain values that a worker understands."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from ray import cloudpickle
from ray.tune.search import Searcher
from ray.tune.search import searcher as ray_searcher
from ray.tune.search.search_generator import SearchGenerator
from ray.util.debug import reset_log_once

from search.core.records import State
from search.study.packing import Packing
from search.study.queue import BACK_OFF_S
from search.study.running import RunningStudy
from search.tune.searcher import StudySearcher
from spaces.errors import TrialFailure
from tests.search.bench import Bench, learn
from workers.kinds import FailureKind
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.trainer import TrialSpec

RECIPE = Recipe(epochs=9, batch_size=32)
DATA = DataSpec(name="digits", limit=300)
WORKER = {"checkpoints": "/runs/bench", "gpus": 0.5, "threads": 2}


def make(running: RunningStudy) -> StudySearcher:
    return StudySearcher(running, RECIPE, DATA, WORKER)


def test_a_suggestion_is_plain_values(bench: Bench) -> None:
    suggested = make(bench.open()).suggest("ray-1")
    assert json.loads(json.dumps(suggested)) == suggested


def test_a_suggestion_tells_a_worker_all_it_needs(bench: Bench) -> None:
    running = bench.open()
    suggested = make(running).suggest("ray-1")
    trial = running.trials[0]
    spec = TrialSpec.from_json(suggested.pop("spec"))
    assert spec == TrialSpec(architecture=trial.architecture, recipe=RECIPE, data=DATA, seed=trial.seed)
    assert suggested == {
        "number": 0, "recorded": 0, "measured": [1, 3, 9], "decided": [1, 3], "flow": False,
        "checkpoint": "/runs/bench/0.pt", "gpus": 0.5, "threads": 2, "crash": None, "pulse": None, "fresh": False,
        "numerics": {},
    }  # fmt: skip


def test_a_worker_that_trains_in_an_engine_is_told_whose_and_whether_nobody_may_be_beside_it(bench: Bench) -> None:
    running = bench.open()
    searcher = StudySearcher(running, RECIPE, DATA, {**WORKER, "engines": "a launch"})
    first = searcher.suggest("ray-1")
    assert (first["launch"], first["alone"]) == ("a launch", False)
    running.failed(0, TrialFailure(FailureKind.TOGETHER, "its engine ended"))
    assert searcher.suggest("ray-2") == {**first, "alone": True}


def test_a_trial_that_is_taken_up_again_says_what_is_recorded(bench: Bench) -> None:
    running = bench.open()
    searcher = make(running)
    first = searcher.suggest("ray-1")
    for epoch in (1, 2):
        running.measured(0, learn(running.trials[0], epoch))
    running.failed(0, TrialFailure(FailureKind.LOST, "gone"))
    bench.clock.advance(BACK_OFF_S)
    again = searcher.suggest("ray-2")
    assert again == {**first, "recorded": 2}


def test_nothing_is_suggested_while_trials_run_and_none_is_left(bench: Bench) -> None:
    running = bench.open(budget={"trials": 1})
    searcher = make(running)
    searcher.suggest("ray-1")
    assert searcher.suggest("ray-2") is None
    running.failed(0, TrialFailure(FailureKind.LOST, "gone"))
    assert searcher.suggest("ray-2") is None
    bench.clock.advance(BACK_OFF_S)
    assert searcher.suggest("ray-2")["number"] == 0


def test_the_searcher_is_finished_when_the_study_is_over(bench: Bench) -> None:
    running = bench.open(budget={"trials": 1})
    searcher = make(running)
    searcher.suggest("ray-1")
    bench.train(running, running.trials[0])
    assert searcher.suggest("ray-2") == Searcher.FINISHED


def test_rays_word_of_an_end_changes_nothing(bench: Bench) -> None:
    running = bench.open()
    searcher = make(running)
    searcher.suggest("ray-1")
    searcher.on_trial_complete("ray-1", {"accuracy": 0.5}, error=False)
    searcher.on_trial_complete("ray-1", None, error=True)
    assert running.trials[0].state is State.RUNNING
    assert not running.queue


def test_ray_may_pickle_a_searcher_and_gets_no_study_and_no_address(bench: Bench) -> None:
    searcher = make(bench.open())
    pickled = cast(Any, cloudpickle).dumps(searcher)
    assert b"sqlite" not in pickled
    assert bench.url.encode() not in pickled
    copy = cast(Any, cloudpickle.loads(pickled))
    assert (copy.recipe, copy.data, copy.worker) == (RECIPE, DATA, WORKER)
    assert not isinstance(copy.study, RunningStudy)


def test_ray_may_save_a_searcher_with_its_experiment_and_the_database_stays_its_only_memory(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searcher = make(bench.open())
    first = searcher.suggest("ray-1")
    complaints: list[object] = []
    reset_log_once("suggest:save_to_dir")
    monkeypatch.setattr(ray_searcher.logger, "warning", lambda *words: complaints.append(words))
    folder = tmp_path / "experiment"
    folder.mkdir()
    SearchGenerator(searcher).save_to_dir(str(folder), "now")
    written = b"".join(path.read_bytes() for path in folder.iterdir())
    assert written
    assert b"sqlite" not in written
    assert bench.url.encode() not in written
    again = make(bench.open())  # of the launch after it
    again.restore(str(folder / again.CKPT_FILE_TMPL.format("now")))
    assert again.suggest("ray-2") == first
    assert not complaints


@pytest.mark.parametrize(
    ("objectives", "asked"),
    [(("accuracy", "macs"), ()), (("accuracy", "latency_ms"), ("latency_ms",)), (("macro_f1", "loss"), ("macro_f1",))],
)
def test_a_worker_is_asked_for_what_is_not_always_measured(
    objectives: tuple[str, str], asked: tuple[str, ...], bench: Bench
) -> None:
    bench.record = replace(bench.record, objectives=objectives)
    suggested = make(bench.open(objectives=list(objectives))).suggest("ray-1")
    assert TrialSpec.from_json(suggested["spec"]).measures == asked


def test_trials_that_are_trained_together_are_one_suggestion(bench: Bench) -> None:
    running = bench.open()

    proposer, known = running.proposer, running.trials.known
    running.packing = Packing(
        most=lambda _trial: 3, beside=lambda _trial: proposer.propose(known)[0], due=lambda _trial: (2, 100)
    )  # fmt: skip
    begun: list[tuple[int, int]] = []
    searcher = StudySearcher(
        running, RECIPE, DATA, WORKER, lambda: 4, lambda *given: str(begun.append(given) or given[0])
    )  # fmt: skip
    suggested = searcher.suggest("ray-1")
    assert json.loads(json.dumps(suggested)) == suggested
    assert [suggested["number"], *(each["number"] for each in suggested["mates"])] == [0, 1, 2]
    assert sorted(begun) == [(0, 3), (1, 3), (2, 3)]
    for number, each in enumerate([suggested, *suggested["mates"]]):
        assert TrialSpec.from_json(each["spec"]).seed == running.trials[number].seed
        assert (each["checkpoint"], each["recorded"], each["pulse"]) == (f"/runs/bench/{number}.pt", 0, str(number))
