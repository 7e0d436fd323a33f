"""A network is measured after the epochs by which something is decided; of the others the loss in training is known."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from search.core.fronts import front_trials, objective_values
from search.core.labels import trial_line
from search.core.records import TrialRecord
from search.schedulers.registry import SCHEDULERS
from search.simulation.curves import compared, curves, form_of
from search.simulation.tables import recordings_of
from search.study import steering
from tests import factories
from tests.search.bench import FILE, Bench, learn
from workers.measurement import Measurement

MakeBench = Callable[..., Bench]
RUNGS = [1, 3, 9]


def bare(measurement: Measurement) -> Measurement:
    """Return what is known after an epoch at which nothing is decided."""
    return replace(measurement, metrics={"train_loss": measurement.metrics["train_loss"]})


def sparse(trial: TrialRecord, epoch: int) -> Measurement:
    found = learn(trial, epoch)
    return found if epoch in RUNGS else bare(found)


def course(bench: Bench, how: Callable[[TrialRecord, int], Measurement]) -> list[tuple[Any, ...]]:
    """Return what became of every trial of a study, the launch killed once in the middle."""
    bench.learn = how
    running = bench.open(budget={"trials": 4})
    bench.train_all(running)
    running = bench.open(budget={"trials": 12})
    bench.train_all(running)
    return [(t.params, t.epochs, t.state, t.reason, objective_values(bench.record, t)) for t in running.trials.values()]


@pytest.mark.parametrize("name", [name for name, each in SCHEDULERS.items() if each.has_rungs])
def test_a_study_takes_the_course_that_it_would_take_if_every_epoch_were_measured(
    name: str, make_bench: MakeBench
) -> None:
    given = {**FILE["scheduler"], "name": name, "grace_epochs": 1, "reduction_factor": 3, "max_epochs": 9}
    courses = [course(make_bench(scheduler=given, study=f"{name}-{how.__name__}"), how) for how in (learn, sparse)]
    assert courses[0] == courses[1]
    assert {epochs for _, epochs, *_ in courses[1]} > {9}


@pytest.mark.parametrize(
    ("scheduler", "measured"),
    [
        ({"name": "auto"}, RUNGS),
        ({"name": "asha", "grace_epochs": 2}, [2, 6, 9]),
        ({"name": "auto", "measure": "all"}, None),
        ({"name": "fifo"}, None),
        ({"name": "median", "grace_epochs": 3}, [3, 4, 5, 6, 7, 8, 9]),
    ],
)
def test_a_worker_measures_where_the_scheduler_decides_and_at_the_end_and_everywhere_where_none_does(
    scheduler: dict[str, Any], measured: list[int] | None, make_bench: MakeBench
) -> None:
    assert make_bench(scheduler={"max_epochs": 9, **scheduler}).open().scheduler.measured == measured


def test_what_is_known_of_a_network_is_the_latest_that_it_was_measured_at() -> None:
    first, second = factories.measurement(1, accuracy=0.5), bare(factories.measurement(2))
    trial = replace(factories.trial(3), measurements=(first, second))
    assert (trial.shown, trial.found, trial.last) == (first, first, second)
    assert "in epoch 2 at 50.00 %" in trial_line(trial)
    never = replace(trial, measurements=(bare(first),))
    assert (never.shown, never.found) == (None, None)
    assert "in epoch 1, " in trial_line(never)


def test_a_new_rung_counts_those_that_were_measured_there(make_bench: MakeBench) -> None:
    bench = make_bench(scheduler={**FILE["scheduler"], "name": "asha", "max_epochs": 9})
    course(bench, sparse)
    running = bench.open(scheduler={**FILE["scheduler"], "name": "asha", "max_epochs": 9, "grace_epochs": 2})
    rungs = running.scheduler.reached  # type: ignore[attr-defined]
    assert not rungs[2].entries
    assert rungs[9].entries
    assert front_trials(bench.record, list(running.trials.values()))


def test_the_curves_have_gaps_and_a_replay_compares_where_there_is_none(make_bench: MakeBench) -> None:
    bench = make_bench(scheduler={**FILE["scheduler"], "name": "asha", "max_epochs": 9})
    course(bench, sparse)
    trials = list(bench.open().trials.values())
    whole = curves(trials)
    even = compared(whole)
    assert set(whole["epoch"]) == set(range(1, 10))
    assert whole[whole["epoch"] == 2]["accuracy"].isna().all()
    assert set(even["epoch"]) == set(RUNGS)
    assert not even["accuracy"].isna().any()
    there = whole["epoch"].isin(RUNGS)
    assert even["seconds"].tolist() == whole[there]["seconds"].tolist()
    recordings = recordings_of("own", even, form_of(bench.record, []))
    assert recordings.epochs == (1, 3, 9)
    assert recordings.measurement(0, 0, 0).metrics["accuracy"] == trials[0].measurements[0].metrics["accuracy"]


def test_optunas_row_of_a_trial_that_is_stopped_between_two_rungs_has_what_was_last_measured(
    make_bench: MakeBench,
) -> None:
    bench = make_bench()
    bench.learn = sparse
    running = bench.open()
    trial = running.hand_out()
    assert isinstance(trial, TrialRecord)
    bench.train(running, trial, until=4)
    steering.stop(running, trial.number)
    bench.train(running, trial, until=5)
    with bench.optunas() as study:
        (row,) = study.get_trials()
    assert (row.user_attrs["epochs"], row.user_attrs["reason"]) == (5, "epoch 5: stopped by request")
    assert row.user_attrs["last_accuracy"] == learn(trial, 3).metrics["accuracy"]
