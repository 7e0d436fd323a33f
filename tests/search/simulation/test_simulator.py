"""A simulated study goes by its clock: workers overlap, rungs decide as they would, and budgets end it."""

import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

from search.core.budget import Budget
from search.core.records import State
from search.models.pareto import spread
from search.samplers.registry import SAMPLERS
from search.schedulers.rungs import Asha
from search.simulation.recordings import Recordings
from search.simulation.simulator import Course, policy, simulate
from tests import factories
from tests.search.simulation.test_recordings import CONDITIONAL, HOLES
from tests.search.tables import grid, read, replay, run, trainings


def times(courses: list[Course]) -> list[tuple[int, float, float]]:
    return [(course.number, course.began_s, course.ended_s) for course in courses]


def ends(courses: list[Course]) -> list[tuple[int, int, State]]:
    """Return each trial's network, epochs and state, in the order of the trials."""
    return [(each.network, each.epochs, each.state) for each in sorted(courses, key=lambda each: each.number)]


def stops(courses: list[Course]) -> dict[int, str]:
    return {course.network: course.reason for course in courses if course.state is State.STOPPED}


# The clock


def test_one_worker_trains_one_after_another() -> None:
    courses = run(read(trainings((0.1, 0.2), (0.3, 0.4), (0.5, 0.6), paces=[3, 1, 2])))
    assert times(courses) == [(0, 0, 6), (1, 6, 8), (2, 8, 12)]
    assert [course.spent_epochs for course in courses] == [2, 4, 6]


def test_two_workers_train_at_the_same_time() -> None:
    courses = run(read(trainings(*[(0.1, 0.2)] * 4, paces=[3, 1, 2.5, 1])), workers=2)
    assert times(courses) == [(1, 0, 2), (0, 0, 6), (2, 2, 7), (3, 6, 8)]
    assert [course.spent_epochs for course in courses] == [2, 5, 6, 8]


def test_what_comes_at_the_same_moment_comes_in_the_order_in_which_it_was_begun() -> None:
    courses = run(read(trainings(*[(0.1, 0.2)] * 5, paces=[3, 1, 1, 1, 1])), workers=2)
    assert times(courses) == [(1, 0, 2), (2, 2, 4), (0, 0, 6), (3, 4, 6), (4, 6, 8)]
    equal = run(read(trainings(*[(0.1, 0.2)] * 6)), workers=3)
    assert [course.number for course in equal] == [0, 1, 2, 3, 4, 5]


def test_more_workers_than_networks_all_train_at_once() -> None:
    courses = run(read(trainings(*[(0.1, 0.2)] * 3)), workers=100)
    assert {(course.began_s, course.ended_s) for course in courses} == {(0, 2)}


def test_a_trial_tells_all_of_its_training() -> None:
    (course,) = run(read(trainings((0.1, 0.2), paces=[4])))
    assert (course.params, course.seed, course.epochs, course.state, course.reason) == (
        {"net": 0}, 0, 2, State.COMPLETE, "",
    )  # fmt: skip


# Budgets


@pytest.mark.parametrize(
    ("budget", "epochs"),
    [
        (Budget(trials=2), [3, 3]),
        (Budget(epochs=4), [3, 3]),  # the second is trained to its end, as no rung comes
        (Budget(epochs=6), [3, 3]),
        (Budget(hours=0.5), [3]),
        (Budget(hours=0.5, trials=1), [3]),
        (Budget(hours=0.6), [3, 3]),
        (Budget(trials=100), [3, 3, 3, 3]),
    ],
)
def test_a_budget_ends_a_study(budget: Budget, epochs: list[int]) -> None:
    recordings = read(trainings(*[(0.1, 0.2, 0.3)] * 4, paces=[600] * 4))
    assert [course.epochs for course in run(recordings, budget=budget)] == epochs


def test_a_budget_of_epochs_counts_those_between_recorded_ones() -> None:
    recordings = read(trainings(*[(0.1, 0.3)] * 4).replace({"epoch": {1: 12, 2: 200}}))
    courses = run(recordings, budget=Budget(epochs=201))
    assert [(course.epochs, course.spent_epochs) for course in courses] == [(200, 200), (200, 400)]


@pytest.mark.parametrize("budget", [Budget(gpu_hours=1.0), Budget(cost=6.0)])
def test_a_budget_of_gpus_or_money_goes_by_the_files_rates(budget: Budget) -> None:
    recordings = read(trainings(*[(0.1, 0.2, 0.3)] * 9, paces=[600] * 9))  # half an hour each
    resources = {"gpus_per_trial": 0.5, "price_per_gpu_hour": 4, "price_per_cpu_hour": 1}
    assert len(run(recordings, budget=budget, resources=resources)) == 4


def test_a_trial_that_trains_for_too_long_fails() -> None:
    recordings = read(trainings((0.1, 0.2, 0.3), (0.1, 0.2, 0.3), paces=[3600, 600]))
    slow, quick = run(recordings, resources={"hours_per_trial": 1.5})
    assert (slow.state, slow.epochs, quick.state) == (State.FAILED, 2, State.COMPLETE)
    assert slow.reason == "time-limit: 2 hours of training are over 1.5"


def test_trials_rest_at_their_next_rung_when_the_budget_has_ended() -> None:
    recordings = read(trainings((0.1, 0.2, 0.3), (0.5, 0.6, 0.7), (0.9, 0.9, 0.9), paces=[1, 1, 10]))
    courses = run(recordings, scheduler="asha", workers=2, budget=Budget(epochs=3))
    assert ends(courses) == [(0, 3, State.COMPLETE), (1, 3, State.COMPLETE)]  # both were past their last rung
    courses = run(recordings, scheduler="asha", workers=3, budget=Budget(epochs=3))
    assert ends(courses)[2] == (2, 1, State.RUNNING)
    assert times(courses)[-1] == (2, 0, 10)


def test_trials_come_in_the_order_in_which_they_ended_also_where_some_rest() -> None:
    courses = run(read(grid()), "random", "asha", workers=4, seed=3, budget=Budget(epochs=20))
    assert State.RUNNING in {course.state for course in courses[:-1]}
    assert [course.ended_s for course in courses] == sorted(course.ended_s for course in courses)
    assert [course.spent_epochs for course in courses] == sorted(course.spent_epochs for course in courses)


# Failures


def test_a_trial_whose_training_is_not_finite_fails_there() -> None:
    recordings = read(trainings((0.1, np.nan, 0.3), (0.5, 0.6, np.inf), (np.nan,), (0.2, 0.3, 0.4)))
    first, second, third, last = run(recordings)
    assert (first.state, first.reason, first.epochs, first.ended_s) == (State.FAILED, "not-finite: epoch 2", 1, 2)
    assert (second.state, second.reason, second.epochs) == (State.FAILED, "not-finite: epoch 3", 2)
    assert (third.reason, third.epochs, third.began_s, third.ended_s) == ("not-finite: epoch 1", 0, 5, 6)
    assert (last.state, last.began_s) == (State.COMPLETE, 6)


def test_a_training_that_the_table_leaves_early_fails_unless_it_is_stopped_there() -> None:
    recordings = read(trainings((0.5,), (0.1,), (0.6, 0.7, 0.8)))
    courses = run(recordings, scheduler="asha")
    assert ends(courses) == [(0, 1, State.FAILED), (1, 1, State.STOPPED), (2, 3, State.COMPLETE)]
    assert courses[0].reason == "unrecorded: nothing more is recorded of this training"


# Who is trained


@pytest.mark.parametrize("sampler", ["recorded", *sorted(SAMPLERS.keys() - {"gp"})])  # gp takes minutes at that
@pytest.mark.parametrize("table", [grid(3, 2), HOLES, CONDITIONAL], ids=["grid", "holes", "conditions"])
def test_every_network_is_trained_once_at_most_and_all_are_in_the_end(sampler: str, table: pd.DataFrame) -> None:
    recordings = read(table)
    courses = run(recordings, sampler, workers=2)
    assert sorted(course.network for course in courses) == list(range(len(recordings.networks)))
    assert all(course.params == recordings.networks[course.network] for course in courses)


@pytest.mark.parametrize("sampler", ["recorded", "random", "auto"])
def test_of_equal_networks_one_is_trained(sampler: str) -> None:
    recordings = read(trainings((0.1,), (0.1,), (0.5,), (0.1,)).assign(digest=["a", "a", "b", "a"]))
    courses = run(recordings, sampler)
    assert sorted(recordings.digests[course.network] for course in courses) == ["a", "b"]


def test_recorded_takes_networks_in_the_tables_order() -> None:
    courses = run(read(grid().iloc[::-1].sort_values("epoch", kind="stable")), workers=3)
    assert [course.network for course in sorted(courses, key=lambda each: each.number)] == list(range(18))


@pytest.mark.parametrize("sampler", ["random", "auto", "tpe", "nsga2"])
def test_a_seed_is_a_course(sampler: str) -> None:
    table = read(grid(12, 6))
    found = [run(table, sampler, "asha", workers=3, seed=seed, budget=Budget(trials=15)) for seed in (4, 4, 5)]
    assert found[0] == found[1]
    assert [each.network for each in found[0]] != [each.network for each in found[2]]


def test_a_trial_is_any_of_its_networks_trainings() -> None:
    frame = pd.concat([trainings(*[(0.1 * seed,)] * 40).assign(seed=seed) for seed in range(4)])
    drawn = [course.seed for course in run(read(frame))]
    assert set(drawn) == {0, 1, 2, 3}
    assert drawn != [course.seed for course in run(read(frame), seed=1)]


# Rungs: keep a third by asha, a half by pareto-asha, after epoch 1 of 3


def judged(*accuracies: float) -> pd.DataFrame:
    return trainings(*[(accuracy, accuracy, accuracy) for accuracy in accuracies], costs=[10, 20, 30, 5, 20, 9])


def test_asha_stops_who_is_not_among_the_best_third_so_far() -> None:
    courses = run(read(judged(0.5, 0.4, 0.6, 0.55, 0.5)), scheduler="asha")
    assert stops(courses) == {
        1: "epoch 1: rank 2 of 2 by validation quality; top 1 promoted",
        4: "epoch 1: rank 3 of 5 by validation quality; top 2 promoted",
    }
    assert ends(courses)[3] == (3, 3, State.COMPLETE)  # place 2 of 4, of which ceil(4 / 3) go on


def test_pareto_asha_keeps_the_ends_of_the_front_and_whoever_is_least_crowded() -> None:
    courses = run(read(judged(0.5, 0.4, 0.6, 0.45, 0.55, 0.5)), scheduler="pareto-asha")
    # Network 1 is dominated by 0; 2 is the best, 3 the cheapest; 4 lies further from its neighbours than 0 does; 5 puts
    # 0 off the front and is then the third of four on it, as an end, an end and 4 lie further apart.
    assert stops(courses) == {
        1: "epoch 1: rank 2 of 2 by non-domination (layer 1); top 1 promoted",
        5: "epoch 1: rank 4 of 6 by non-domination (layer 0, crowded there); top 3 promoted",
    }
    apart = spread(np.array([[-0.6, 30], [-0.45, 5], [-0.55, 20], [-0.5, 9]]))
    assert apart.tolist() == pytest.approx([np.inf, np.inf, 0.1 / 0.15 + 21 / 25, 0.1 / 0.15 + 15 / 25])


def test_the_clock_says_who_comes_first_to_a_rung() -> None:
    frame = trainings(*[(accuracy, accuracy, accuracy) for accuracy in (0.5, 0.4)], paces=[2, 1])
    reason = "epoch 1: rank 2 of 2 by validation quality; top 1 promoted"
    assert stops(run(read(frame), scheduler="asha")) == {1: reason}
    assert stops(run(read(frame), scheduler="asha", workers=2)) == {}


def test_who_is_stopped_makes_room_at_once() -> None:
    courses = run(read(judged(0.5, 0.4, 0.6)), scheduler="asha")
    assert times(courses) == [(0, 0, 3), (1, 3, 4), (2, 4, 7)]


def test_rungs_stand_at_the_next_recorded_epochs() -> None:
    frame = trainings(*[(accuracy, accuracy, accuracy) for accuracy in (0.5, 0.4)])
    recordings = read(frame.replace({"epoch": {1: 4, 2: 12, 3: 108}}))
    assert policy(replay(), recordings, "random", "asha").plan.levels == (4, 12)  # 1, 3, 9, 27 and 81
    wide = policy(replay(scheduler={"grace_epochs": 10}), recordings, "random", "asha")
    assert (wide.plan.levels, wide.name) == ((12,), "random+asha")
    (stopped,) = (each for each in run(recordings, scheduler="asha") if each.state is State.STOPPED)
    assert (stopped.epochs, stopped.reason[:9]) == (4, "epoch 4: ")


@pytest.mark.parametrize(
    ("scheduler", "given", "keep"), [("asha", {}, 1 / 3), ("pareto-asha", {}, 0.5), ("asha", {"keep": 0.7}, 0.7)]
)
def test_the_file_says_how_many_go_on(scheduler: str, given: dict[str, Any], keep: float) -> None:
    found: Recordings = read(judged(0.5, 0.4))
    made = policy(replay(scheduler=given), found, "random", scheduler).plan.make(factories.study())
    assert isinstance(made, Asha)
    assert made.keep == pytest.approx(keep)


def test_a_floor_stands_where_chance_is_known() -> None:
    frame = trainings((0.118, 0.9, 0.9), (0.119, 0.9, 0.9), costs=[1, 2]).rename(columns={"acc": "accuracy"})
    objectives = {"accuracy": "maximize", "cost": {"direction": "minimize", "known": True}}
    table = {"objectives": objectives, "classes": 10}
    courses = run(read(frame, table), scheduler="asha", table=table)
    assert stops(courses) == {0: "epoch 1: accuracy 0.118 is not above 0.118, the floor over chance (scheduler.floor)"}
    without = run(read(frame, {"objectives": objectives}), scheduler="asha")
    assert stops(without) == {}


def test_a_trial_of_a_large_study_costs_about_what_one_of_a_small_study_does() -> None:
    networks, epochs = 2_500, 9
    rng = np.random.default_rng(0)
    a, b, epoch = (axis.ravel() for axis in np.mgrid[0:50, 0:50, 1 : epochs + 1])
    frame = pd.DataFrame({"a": a, "b": b, "epoch": epoch, "cost": 1.0 + a * b, "acc": rng.random(networks * epochs)})
    recordings = read(frame.assign(seconds=frame["epoch"] * (1 + frame["a"])))
    each_s = {}
    for trials in (400, 2_000):
        began = time.process_time()  # not the wall's: others may keep the machine busy
        courses = run(recordings, "random", "pareto-asha", workers=1_000, budget=Budget(trials=trials))
        each_s[trials] = (time.process_time() - began) / trials
        assert len(courses) == trials
    assert each_s[2_000] < 3 * each_s[400]


def test_a_training_that_was_recorded_to_a_rung_rests_there_and_fails_where_it_would_go_on() -> None:
    recordings = read(trainings([0.5, 0.6, 0.7], [0.5, 0.6, 0.7], [0.5]), {"parameters": ["net"]})
    how = policy(replay(), recordings, "recorded", "gain")
    courses = simulate(recordings, how, Budget(trials=3), workers=1, seed=0)
    assert {course.number: course.state for course in courses} == {
        0: State.COMPLETE, 1: State.COMPLETE, 2: State.FAILED,
    }  # fmt: skip
    assert "unrecorded" in next(course.reason for course in courses if course.number == 2)


@pytest.mark.parametrize("workers", [1, 2])
def test_where_nothing_is_left_to_propose_nothing_rests_for_ever(workers: int) -> None:
    curves = [[0.1 * net, 0.1 * net + 0.05, 0.1 * net + 0.06] for net in range(8)]
    recordings = read(trainings(*curves), {"parameters": ["net"]})
    how = policy(replay(), recordings, "random", "gain")
    courses = simulate(recordings, how, Budget(trials=50), workers=workers, seed=0)
    assert {course.state for course in courses} <= {State.COMPLETE, State.STOPPED}
    assert len(courses) == 8
