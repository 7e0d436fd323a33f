"""Studies are scored by the share of the true front's hypervolume that they trained in full, without noise."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from search.core.records import State
from search.core.trajectory import Trajectory, marks
from search.simulation.comparison import Yardstick
from search.simulation.recordings import Recordings
from search.simulation.simulator import Course
from tests.search.tables import grid, read, run, trainings

ERRORS, COSTS = [0.1, 0.2, 0.3, 0.4], [1000.0, 100.0, 10.0, 1.0]
KNOWN = {"direction": "minimize", "known": True}
MEASURED = {"error": "minimize", "cost": KNOWN}


def four(objectives: dict[str, Any] = MEASURED, **columns: Any) -> Recordings:
    """Return four networks, the better the dearer, trained once in full."""
    frame = pd.DataFrame({"net": range(4), "error": ERRORS, "acc": [1 - error for error in ERRORS], "cost": COSTS})
    return read(frame.assign(**columns), {"objectives": objectives, "parameters": ["net"]})


def course(network: int, state: State = State.COMPLETE, *, spent: int = 1, hours: float = 1.0) -> Course:
    return Course(
        number=0, network=network, params={}, seed=0, epochs=1, spent_epochs=spent, began_s=0.0, ended_s=hours * 3600,
        state=state, reason="",
    )  # fmt: skip


# Errors end at their 75th percentile, .325, and costs at 10^3. Network 1 covers (.325 - .2) (3 - 2) = .125, network 2
# (.325 - .3) (3 - 1) = .05, both .125 + .05 - (.325 - .3) (3 - 2) = .15; the dearest and the worst cover nothing.
SHARES = {(): 0.0, (0,): 0.0, (1,): 5 / 6, (2,): 1 / 3, (3,): 0.0, (1, 2): 1.0, (2, 0, 3): 1 / 3, (0, 1, 2, 3): 1.0}


@pytest.mark.parametrize("networks", SHARES)
@pytest.mark.parametrize("objectives", [MEASURED, {"acc": "maximize", "cost": KNOWN}], ids=["error", "accuracy"])
def test_a_share_is_what_networks_cover_of_the_whole(objectives: dict[str, Any], networks: tuple[int, ...]) -> None:
    assert Yardstick(four(objectives)).share(networks) == pytest.approx(SHARES[networks])


def test_a_cost_that_is_not_above_0_lies_on_a_linear_axis() -> None:
    yardstick = Yardstick(four(cost=[100.0, 50.0, 10.0, 0.0]))
    # .125 (100 - 50), and with .025 (100 - 10): .025 (50 - 10) more
    assert yardstick.share([1]) == pytest.approx(6.25 / 7.25)


def test_what_training_measures_of_a_cost_lies_on_a_logarithmic_axis_to_its_end() -> None:
    objectives = {"error": "minimize", "latency_ms": "minimize"}
    assert Yardstick(four(objectives, latency_ms=COSTS)).share([1]) == pytest.approx(5 / 6)


@pytest.mark.parametrize(
    "table", [grid(), trainings((0.1, 0.5), (0.2, 0.6), (0.3,), (0.4, np.nan))], ids=["grid", "gaps"]
)
def test_the_whole_table_is_all_there_is(table: pd.DataFrame) -> None:
    recordings = read(table)
    assert Yardstick(recordings).share(range(len(recordings.networks))) == pytest.approx(1.0)
    assert Yardstick(recordings).along(run(recordings, "random"))[-1] == pytest.approx(1.0)


def test_a_table_without_any_volume_has_no_shares() -> None:
    assert Yardstick(read(trainings((0.5,)))).along([course(0)]).tolist() == [0.0]


def test_networks_count_with_their_mean_whatever_a_trial_saw() -> None:
    lucky = pd.concat(
        [pd.DataFrame({"net": range(4), "error": np.array(ERRORS) + by, "cost": COSTS}) for by in (0.1, -0.1)]
    )
    recordings = read(lucky, {"objectives": MEASURED})
    assert recordings.seeds.tolist() == [2] * 4
    for networks, share in SHARES.items():
        assert Yardstick(recordings).share(networks) == pytest.approx(share)


# Along a study


def test_only_what_was_trained_in_full_adds_to_the_share() -> None:
    courses = [
        course(2),
        course(1, State.STOPPED),
        course(1, State.FAILED),
        course(1, State.RUNNING),
        course(1),
        course(0),
    ]
    assert Yardstick(four()).along(courses).tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1 / 3, 1, 1])
    assert Yardstick(four()).along([]).tolist() == []


def test_the_share_after_each_trial_is_that_of_all_before() -> None:
    recordings = read(grid(8, 4))
    courses, yardstick = run(recordings, "random"), Yardstick(recordings)
    found = [yardstick.share([each.network for each in courses[: count + 1]]) for count in range(len(courses))]
    assert yardstick.along(courses).tolist() == pytest.approx(found)


@pytest.fixture
def trajectory() -> Trajectory:
    """Return a study of three trials."""
    courses = [course(2, spent=3, hours=1), course(3, spent=4, hours=1.5), course(1, spent=9, hours=4)]
    return Yardstick(four()).trajectory("random+fifo", 0, courses)


def test_a_trajectory_tells_what_was_reached_by_then(trajectory: Trajectory) -> None:
    assert [trajectory.at("trials", mark) for mark in (0, 1, 2, 3, 99)] == pytest.approx([0, 1 / 3, 1 / 3, 1, 1])
    assert [trajectory.at("epochs", mark) for mark in (2, 3, 8, 9)] == pytest.approx([0, 1 / 3, 1 / 3, 1])
    assert [trajectory.at("hours", mark) for mark in (0.5, 1, 3.9, 4)] == pytest.approx([0, 1 / 3, 1 / 3, 1])


def test_a_trajectory_tells_what_it_took(trajectory: Trajectory) -> None:
    assert [trajectory.total(axis) for axis in ("trials", "epochs", "hours")] == [3, 9, 4]
    nothing = Yardstick(four()).trajectory("random+fifo", 0, [])
    assert [nothing.total(axis) for axis in ("trials", "epochs", "hours")] == [0, 0, 0]


def test_studies_are_compared_where_trials_double_and_at_eighths_of_the_rest(trajectory: Trajectory) -> None:
    assert marks([trajectory], "trials") == [3]
    assert marks([trajectory], "epochs") == [1, 2, 4, 9]
    assert marks([trajectory], "hours") == [0.5, 1, 2, 4]
    many = Yardstick(four()).trajectory("random+fifo", 0, [course(0)] * 130)
    assert marks([trajectory, many], "trials") == [25, 50, 100, 130]
