"""A front of means: what repeated trainings tell, and what one run does not."""

from dataclasses import replace
from math import isnan

import pytest

from search.core.columns import View, columns, filled, row_of
from search.core.confirmation import Confidence, assessed, confirmation_lines
from search.core.fronts import front_trials, objective_values, run_values
from search.core.records import Replicate, State, TrialRecord
from tests import factories

STUDY = factories.study()


def confirmed(number: int, run: float, seeds: list[float], macs: int, **changes: object) -> TrialRecord:
    """Return a trial that came to `run`, and its network with other seeds to these."""
    trial = factories.complete(number, [run] * 9, macs=macs)
    replicates = tuple(
        Replicate(
            number=100 * number + place, trial=number, seed=place, state=State.COMPLETE,
            measurements=tuple(factories.measurement(epoch, accuracy=each) for epoch in range(1, 10)),
        )
        for place, each in enumerate(seeds)
    )  # fmt: skip
    return replace(trial, replicates=replicates, **changes)  # type: ignore[arg-type]


CHEAP = confirmed(0, 0.95, [0.93, 0.935, 0.94], 10_000)
DEAR = confirmed(1, 0.96, [0.97, 0.975, 0.972], 20_000)
LUCKY = confirmed(2, 0.99, [0.955, 0.95, 0.96], 40_000)
TRIALS = [CHEAP, DEAR, LUCKY]


def test_the_run_that_chose_a_network_does_not_count_in_its_mean() -> None:
    assert objective_values(STUDY, LUCKY)[0] == pytest.approx(0.955)
    assert run_values(STUDY, LUCKY)[0] == 0.99


def test_a_network_that_was_lucky_leaves_the_front() -> None:
    assert [trial.number for trial in front_trials(STUDY, TRIALS)] == [0, 1]
    alone = [replace(trial, replicates=()) for trial in TRIALS]
    assert [trial.number for trial in front_trials(STUDY, alone)] == [0, 1, 2]


def test_failed_and_running_replicates_do_not_count() -> None:
    failed = replace(LUCKY.replicates[0], state=State.FAILED, failure_kind="not-finite")
    running = replace(LUCKY.replicates[1], state=State.RUNNING)
    trial = replace(LUCKY, replicates=(failed, running, LUCKY.replicates[2]))
    assert objective_values(STUDY, trial)[0] == pytest.approx(0.96)
    told = Confidence(STUDY, [CHEAP, trial]).of(trial)
    assert told is not None
    assert (told.seeds, told.failed) == (1, 1)


def test_a_confirmed_network_tells_mean_deviation_interval_and_place() -> None:
    told = Confidence(STUDY, TRIALS).of(DEAR)
    assert told is not None
    known = told.intervals["accuracy"]
    assert known.mean == pytest.approx(0.97233, abs=1e-4)
    assert known.low < known.mean < known.high
    assert told.deviations["accuracy"] == pytest.approx(0.00252, abs=1e-4)
    assert told.on_front > 0.99
    assert told.seeds == 3
    assert "macs" not in told.intervals  # is exact


def test_one_run_is_no_confirmation() -> None:
    assert Confidence(STUDY, TRIALS).of(factories.complete(7, [0.9] * 9)) is None


def test_near_are_those_that_noise_could_put_on_the_front() -> None:
    close = factories.complete(8, [0.971] * 9, macs=30_000)
    far = factories.complete(9, [0.5] * 9, macs=30_000)
    assert [trial.number for trial in Confidence(STUDY, [*TRIALS, close, far]).near(2.0)] == [8]


def test_nobody_is_near_as_long_as_no_deviation_is_known() -> None:
    runs = [factories.complete(number, [0.9 + number / 1000] * 9, macs=50_000 - number) for number in range(4)]
    assert Confidence(STUDY, runs).near(2.0) == []


def test_who_is_outside_takes_nobodys_place_and_has_none() -> None:
    gone = replace(DEAR, outside="the space lacks block basic")
    known = Confidence(STUDY, [CHEAP, gone, LUCKY])
    assert gone.number not in known.membership
    assert known.membership[LUCKY.number] > 0.9 > Confidence(STUDY, TRIALS).membership[LUCKY.number]
    assert gone not in known.near(100.0)


def test_neighbours_on_the_front_are_told_apart_or_not() -> None:
    known = Confidence(STUDY, TRIALS)
    ((first, second, sure),) = known.pairs()
    assert (first, second) == (0, 1)
    assert sure > 0.99
    assert list(confirmation_lines(known)) == ["1 of 1 neighbours on the front are told apart by their seeds"]
    alike = confirmed(3, 0.97, [0.976, 0.970, 0.974], 30_000)
    (_, line) = (1, next(confirmation_lines(Confidence(STUDY, [CHEAP, DEAR, alike]))))
    assert line.startswith("1 of 2 neighbours on the front are told apart by their seeds; not: trials 1 and 3 (0.")


def test_nothing_is_said_of_a_front_of_single_runs() -> None:
    runs = [replace(trial, replicates=()) for trial in TRIALS]
    assert list(confirmation_lines(Confidence(STUDY, runs))) == []
    assert all(trial.confirmation is None for trial in assessed(STUDY, runs))


def test_tables_show_mean_interval_and_seeds_and_call_others_one_run() -> None:
    trials = assessed(STUDY, [CHEAP, replace(DEAR, replicates=())])
    shown = {column.name: column for column in filled(columns(STUDY, View.TERMINAL), STUDY, trials)}
    cells = {name: [column.shown(STUDY, trial) for trial in trials] for name, column in shown.items()}
    assert cells["seeds"] == ["3", "one run"]
    assert cells["accuracy"] == ["94 ± 1 %", "96.00 %"]  # nobody counted the images of the other one
    counted = replace(STUDY, config={**STUDY.config, "validation_images": 451})
    accuracy = next(each for each in columns(counted, View.TERMINAL) if each.name == "accuracy")
    assert accuracy.shown(counted, trials[1]) == "96.0 ± 0.9 %"


def test_a_front_of_single_runs_has_no_column_of_seeds() -> None:
    runs = [replace(trial, replicates=()) for trial in TRIALS]
    names = [column.name for column in filled(columns(STUDY, View.TERMINAL), STUDY, runs)]
    assert not {"seeds", "P(front)", "test"} & set(names)


def test_json_tells_both_ends_of_every_interval_and_nothing_where_nothing_is_known() -> None:
    (cheap, *_, lucky) = assessed(STUDY, TRIALS)
    row = row_of(STUDY, cheap)
    assert row["accuracy"] == row["confirmed_accuracy"] == pytest.approx(0.935)
    assert row["confirmed_accuracy_low"] < 0.935 < row["confirmed_accuracy_high"]
    assert row["confirmed_seeds"] == 3
    assert row_of(STUDY, lucky)["confirmed_on_front"] < 0.1
    alone = assessed(STUDY, [replace(CHEAP, replicates=CHEAP.replicates[:1])])[0]
    assert row_of(STUDY, alone)["confirmed_accuracy_low"] is None  # JSON has no NaN
    assert not any(name.startswith("confirmed") for name in row_of(STUDY, factories.complete(5, [0.9] * 9)))


def test_what_was_measured_on_the_test_split_stands_beside_with_the_number_of_looks() -> None:
    looks = [factories.STARTED, factories.STARTED, factories.STARTED.replace(hour=5)]
    tested = tuple(
        replace(each, test={"accuracy": 0.91}, tested_at=at) for each, at in zip(CHEAP.replicates, looks, strict=True)
    )
    trials = assessed(STUDY, [replace(CHEAP, replicates=tested), DEAR])
    told = trials[0].confirmation
    assert told is not None
    assert told.test["accuracy"].mean == pytest.approx(0.91)
    assert told.looks == 2
    row = row_of(STUDY, trials[0])
    assert (row["confirmed_test_accuracy"], row["confirmed_test_looks"]) == (pytest.approx(0.91), 2)
    assert "the test split was looked at 2 times" in confirmation_lines(Confidence(STUDY, trials))


def test_a_trial_at_an_epoch_is_its_own_training_alone() -> None:
    then = LUCKY.at(LUCKY.measurements[0])
    assert objective_values(STUDY, then)[0] == 0.99
    assert isnan(objective_values(STUDY, LUCKY.at())[0])
