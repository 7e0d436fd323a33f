"""The default sampler and scheduler find on recorded trainings what docs/benchmarks.md says of them, with room.

One seed in another's place moves a share by .03, so the bounds are for what breaks a search and not for what tunes it.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from search.config.replay import ReplayForm, load_replay
from search.core.budget import Budget
from search.core.trajectory import Trajectory
from search.simulation.comparison import Yardstick
from search.simulation.recordings import Recordings
from search.simulation.simulator import policy, simulate
from search.simulation.tables import read_table

SHIPPED = Path(__file__).parents[2] / "benchmarks"
SEEDS = 12

pytestmark = pytest.mark.slow


@cache
def recorded() -> tuple[ReplayForm, Recordings]:
    form = load_replay(SHIPPED / "digits.yaml", [])
    return form, read_table(SHIPPED / "digits.csv.gz", form)


@cache
def studies(sampler: str, scheduler: str, trials: int) -> list[Trajectory]:
    """Return how a study of each seed grew."""
    form, recordings = recorded()
    how, yardstick = policy(form, recordings, sampler, scheduler), Yardstick(recordings)
    with threadpool_limits(1):  # the matrices are small
        return [
            yardstick.trajectory(how.name, seed, simulate(recordings, how, Budget(trials=trials), workers=1, seed=seed))
            for seed in range(SEEDS)
        ]


def reached(sampler: str, scheduler: str, trials: int) -> float:
    return float(np.mean([each.shares[-1] for each in studies(sampler, scheduler, trials)]))


@pytest.mark.very_slow
def test_a_hundred_trials_find_nearly_the_whole_front_in_a_quarter_of_the_epochs() -> None:
    assert reached("auto", "auto", 100) > 0.91
    epochs = np.mean([each.epochs[-1] for each in studies("auto", "auto", 100)])
    assert epochs == pytest.approx(0.25 * 100 * 27, rel=0.05)


@pytest.mark.very_slow
def test_fifty_trainings_in_full_find_nearly_the_whole_front() -> None:
    assert reached("auto", "fifo", 50) > 0.94


def test_what_the_sampler_learned_is_worth_more_than_chance_under_either_scheduler() -> None:
    assert reached("auto", "auto", 100) > reached("random", "auto", 100) + 0.02
    assert reached("auto", "fifo", 50) > reached("random", "fifo", 50) + 0.05
