"""A study that searches its recipe: every trial is known, counted, remembered and shown by its own."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from search import retrain
from search.core.columns import View, columns, filled, lines_of, row_of
from search.core.costs import cost_of
from search.core.records import State, TrialRecord
from search.driver.initial import beginning
from search.integrity import repair
from search.samplers.proposer import Proposal
from search.simulation.curves import curves, form_of
from search.simulation.tables import recordings_of
from search.storage.optuna_tables import OptunasTables
from search.storage.store import Store
from search.study.seeds import SeedPlan, SeedProposer
from search.tune.searcher import StudySearcher
from spaces.architecture import ImageSpec
from tests.search.bench import Bench
from workers import checkpoint
from workers.datasets import load
from workers.job import Job
from workers.trainer import TrialSpec

DIGITS = ImageSpec(channels=1, height=8, width=8, classes=10)
TINY = {"block": {"choice": ["basic", "preact"]}, "depth": 1, "widening_factor": {"choice": [0.25, 0.5]}}
RECIPE = {"batch_size": {"choice": [32, 64]}, "learning_rate": {"choice": [0.05, 0.2]}}
MakeBench = Callable[..., Bench]


@pytest.fixture
def bench(make_bench: MakeBench, tmp_path: Path) -> Bench:
    return make_bench(
        space=TINY, recipe=RECIPE, constraints={}, budget={"trials": 40}, scheduler="fifo",
        data={"name": "digits", "limit": 100}, checkpoints=str(tmp_path / "runs"),
    )  # fmt: skip


def of(trial: TrialRecord) -> tuple[Any, ...]:
    return trial.digest, trial.params["batch_size"], trial.params["learning_rate"]


@pytest.mark.parametrize("sampler", ["auto", "random", "tpe"])
def test_every_recipe_of_every_network_is_a_trial_once(bench: Bench, sampler: str) -> None:
    running = bench.open(sampler=sampler)
    for _ in range(7):
        trial = running.hand_out()
        assert isinstance(trial, TrialRecord)
        bench.train(running, trial)
    running = bench.open(sampler=sampler)  # after a kill
    bench.train_all(running)
    assert running.exhausted
    assert len({of(trial) for trial in running.trials.values()}) == len(running.trials) == 16
    assert len({trial.digest for trial in running.trials.values()}) == 4
    assert [trial.state for trial in running.trials.values()] == [State.COMPLETE] * 16


def test_a_trial_is_counted_with_its_own_batch(bench: Bench) -> None:
    running = bench.open()
    bench.train_all(running)
    for trial in running.trials.values():
        batch = int(trial.params["batch_size"])
        assert trial.cost.training_bytes == cost_of(trial.architecture, DIGITS, batch=batch).training_bytes


def test_a_bound_on_memory_is_one_on_the_batch_too(make_bench: MakeBench) -> None:
    space = {"block": {"choice": ["basic", "preact"]}, "depth": 1, "widening_factor": 0.5}
    free = make_bench(space=space, recipe=RECIPE, constraints={}, budget={"trials": 40}, scheduler="fifo")
    running = free.open()
    free.train_all(running)
    needs = sorted(trial.cost.training_bytes for trial in running.trials.values())
    middle = (needs[0] + needs[-1]) / 2
    bound = make_bench(
        space=space, recipe=RECIPE, constraints={"training_bytes": f"<= {middle:.0f}"}, budget={"trials": 40},
        scheduler="fifo",
    )  # fmt: skip
    running = bound.open()
    bound.train_all(running)
    assert {trial.params["batch_size"] for trial in running.trials.values()} == {32}
    assert len(running.trials) == 4


def test_optunas_tables_know_what_is_searched(make_bench: MakeBench) -> None:
    rate = {"float": [0.02, 0.4], "log": True}
    bench = make_bench(recipe={"learning_rate": rate, "batch_size": {"choice": [32, 64]}}, budget={"trials": 4})
    running = bench.open()
    bench.train_all(running)
    for row in running.recorder.optuna.get_trials():  # type: ignore[attr-defined]  # a bench's is a Recorder
        assert row.distributions["learning_rate"] == FloatDistribution(0.02, 0.4, log=True)
        assert row.distributions["batch_size"] == CategoricalDistribution((32, 64))
        assert row.params["learning_rate"] == running.trials[row.number].params["learning_rate"]


def test_a_worker_is_given_the_trials_own_recipe(bench: Bench) -> None:
    running = bench.open()
    worker = {"checkpoints": "runs", "gpus": 0, "threads": 1}
    searcher = StudySearcher(running, bench.config.full_recipe, bench.config.data_spec, worker)
    for number in range(3):
        spec = TrialSpec.from_json(searcher.suggest(str(number))["spec"])
        params = running.trials[number].params
        assert spec.recipe == bench.config.recipe_of(params)
        assert (spec.recipe.batch_size, spec.recipe.learning_rate) == (params["batch_size"], params["learning_rate"])


def test_another_seed_is_trained_by_the_same_recipe(bench: Bench) -> None:
    running = bench.open()
    bench.train_all(running)
    proposer = SeedProposer(bench.record, dict(running.trials), SeedPlan(trials=(3,)))
    found, _ = proposer.propose({})
    assert isinstance(found, Proposal)
    assert found.params == running.trials[3].params


def test_a_network_is_trained_again_by_its_own_recipe(bench: Bench, tmp_path: Path) -> None:
    config = {**bench.record.config, "fingerprint": load(bench.config.data_spec).fingerprint}
    object.__setattr__(bench.record, "config", config)
    bench.train_all(running := bench.open())
    for number in (2, 3):
        given = [bench.url, "--trial", str(number), "-o", str(tmp_path / str(number)), "--write-only"]
        assert retrain.main(given) == 0
        job = Job.read(tmp_path / str(number) / "job.json")
        assert job.recipe == bench.config.recipe_of(running.trials[number].params)


def test_a_checkpoint_of_another_recipe_is_of_another_training(bench: Bench) -> None:
    running = bench.open()
    for _ in range(2):
        running.hand_out()
    folder = Path(str(repair.folder_of(bench.record)))
    for number, rate in ((0, {}), (1, {"learning_rate": 0.1})):  # that no trial has
        running.measured(number, bench.learn(running.trials[number], 1))
        trial = running.trials[number]
        spec = TrialSpec(
            architecture=trial.architecture, recipe=bench.config.recipe_of({**trial.params, **rate}),
            data=bench.config.data_spec, seed=trial.seed,
        )  # fmt: skip
        checkpoint.save(folder / f"{number}.pt", {"spec": spec.to_json(), "history": [1]})
    with Store.open(bench.url) as store, closing(OptunasTables(store)) as optunas:
        seen = repair.look(store, optunas, bench.record)
    assert seen.files.strange == [1]


def test_another_study_begins_with_the_fronts_recipes_as_far_as_it_may(make_bench: MakeBench, bench: Bench) -> None:
    running = bench.open()
    bench.train_all(running)
    front = [trial.params for trial in running.trials.front]
    again = make_bench(bench.url, study="again", space=TINY, recipe=RECIPE, constraints={}, start={"study": "bench"})
    fewer = {**RECIPE, "batch_size": {"choice": [128]}}
    other = make_bench(bench.url, study="fewer", space=TINY, recipe=fewer, constraints={}, start={"study": "bench"})
    with Store.open(bench.url) as store:
        assert list(beginning(again.config, DIGITS, store).params) == front
        found = beginning(other.config, DIGITS, store).params
    assert [params["learning_rate"] for params in found] == [params["learning_rate"] for params in front]
    assert {params["batch_size"] for params in found} == {128}


def test_a_replay_tells_recipes_apart(bench: Bench) -> None:
    running = bench.open()
    bench.train_all(running)
    trials = list(running.trials.values())
    found = recordings_of("bench", curves(trials), form_of(bench.record, ()))
    assert [*found.networks] == [trial.params for trial in trials]
    assert set(found.seeds) == {1}


def test_a_trials_recipe_is_shown_where_it_was_searched(bench: Bench, make_bench: MakeBench) -> None:
    bench.train_all(running := bench.open())
    trial = running.trials[0]
    text = f"batch_size {trial.params['batch_size']}, learning_rate {trial.params['learning_rate']}"
    shown = {each.name: each for each in filled(columns(bench.record, View.TERMINAL), bench.record, [trial])}
    assert shown["recipe"].shown(bench.record, trial) == text
    assert any(line.endswith(text) for line in lines_of(bench.record, trial))
    assert row_of(bench.record, trial)["choice_learning_rate"] == trial.params["learning_rate"]
    usual = make_bench()
    usual.train_all(running := usual.open())
    names = [each.name for each in filled(columns(usual.record, View.TERMINAL), usual.record, running.trials.values())]
    assert "recipe" not in names
