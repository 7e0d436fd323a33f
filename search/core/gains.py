"""What the front is expected to gain by each trial that rests at a rung, were it trained in full, and in what time.

Costs are known, and what a trial will come to is predicted from what trials before it came to that had shown as much.
An epoch of one network takes many times that of another, so who goes on is who gains most for its time. Whoever decides
and whoever shows it ask here.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.core.fronts import minimised_values, objective_values
from search.core.records import StudyRecord, TrialRecord
from search.models.extrapolation import Axis, draws_at
from search.models.improvement import attainment, cost_bounds, gain_of_draws, integration_points
from workers.measurement import Measurement
from workers.objectives import TINY, Objective

Array = NDArray[np.float64]

WORST = 0.75  # share of all trials whose expected error counts as an error at all
ENOUGH = 4  # trials at full fidelity from which the axis of errors is read


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one trial showed at a rung."""

    number: int
    quality: float  # the first objective that says how good a network is, minimised
    costs: tuple[float, ...] = ()  # all others, minimised, on axes where equal steps matter alike
    values: tuple[float, ...]  # all objectives, minimised
    epoch_s: float = 0.0  # the least seconds that an epoch of it took to train; 0 where nobody knows


def entry_of(study: StudyRecord, trial: TrialRecord, measurement: Measurement) -> Entry | None:
    """Return what a trial shows by a measurement; None where an objective was not measured then."""
    then = trial.at(measurement)
    if any(map(math.isnan, objective_values(study, then))):
        return None
    values = tuple(minimised_values(study, [then])[0].tolist())
    objectives = [study.objective(name) for name in study.objectives]
    quality = next(index for index, objective in enumerate(objectives) if objective.quality)
    others = [objective for index, objective in enumerate(objectives) if index != quality]
    return Entry(
        number=trial.number,
        quality=values[quality],
        costs=tuple(_axis(objective, objective.value(trial.cost, measurement)) for objective in others),
        values=values,
        epoch_s=fastest_s([*trial.measurements[: measurement.epoch], measurement]),
    )


def fastest_s(measurements: Sequence[Measurement]) -> float:
    """Return the seconds of the fastest epoch: what else a machine had to do made others longer, never shorter."""
    return min((each.train_s for each in measurements if each.train_s > 0), default=0.0)


def _axis(objective: Objective, value: float) -> float:
    """Return a value minimised; a cost on the axis of costs."""
    return objective.minimised(value) if objective.quality else objective.coordinate(value)


def expected_gains(
    reached: Mapping[int, Mapping[int, Entry]], resting: Mapping[int, int], running: Mapping[int, int], max_epochs: int
) -> dict[int, float]:
    """Return for each resting trial what the front is expected to gain, were it trained in full.

    A gain is a share of the box between the best and the worst error and the least and the highest costs.

    Args:
        reached: what trials showed, by epoch and by their numbers; full fidelity too.
        resting: the epoch at which each trial rests.
        running: the rung that each trial has passed that goes on now: another one need not do the same.
        max_epochs: full fidelity.
    """
    if not resting:
        return {}
    full = reached.get(max_epochs, {})
    finals = np.array([entry.quality for entry in full.values()])
    waiting = [reached[epoch][number] for number, epoch in (*resting.items(), *running.items())]
    shown = np.array([entry.quality for entry in waiting])
    axis = Axis(finals if len(finals) >= ENOUGH else np.concatenate([finals, shown]))

    def examples(epoch: int) -> tuple[Array, Array]:
        pairs = [(entry.quality, full[number].quality) for number, entry in reached[epoch].items() if number in full]
        before, after = np.array(pairs).reshape(-1, 2).T
        return before, after

    def everyone(epoch: int) -> Array:
        return np.array([entry.quality for entry in reached[epoch].values()])

    draws = draws_at(axis, everyone, examples, [*resting.values(), *running.values()], shown)
    middle = np.median(draws, axis=1)
    costs = _costs([*full.values(), *waiting])
    worst = float(np.quantile(np.concatenate([finals, middle]), WORST))
    points = integration_points(*cost_bounds(costs))
    count = len(full)
    there = np.r_[0:count, count + len(resting) : len(costs)]
    heights = attainment(points, costs[there], np.concatenate([finals, middle[len(resting) :]]), worst)
    gain = gain_of_draws(points, heights, costs[count : count + len(resting)], draws[: len(resting)])
    height = max(worst - float(np.concatenate([finals, middle]).min()), TINY)
    return dict(zip(resting, (gain / height).tolist(), strict=True))


def rates(
    gains: Mapping[int, float],
    reached: Mapping[int, Mapping[int, Entry]],
    resting: Mapping[int, int],
    max_epochs: int,
) -> dict[int, float]:
    """Return for each resting trial what the front is expected to gain for its time, to tell who goes on.

    That is the gain by the epochs that are left and the root of the seconds of one: by the seconds themselves dear
    networks come too late for the epochs that a study has, and by epochs alone they take the time of all others
    (docs/benchmarks.md). A trial whose seconds nobody knows counts as one in the middle.

    Args:
        gains: what `expected_gains` returns.
        reached: as there.
        resting: as there.
        max_epochs: full fidelity.
    """
    seconds = {number: reached[epoch][number].epoch_s for number, epoch in resting.items()}
    usual = float(np.median(known)) if (known := [each for each in seconds.values() if each]) else 1.0
    return {
        number: gain / ((max_epochs - resting[number]) * math.sqrt(seconds[number] or usual))
        for number, gain in gains.items()
    }


def _costs(entries: Sequence[Entry]) -> Array:
    return np.array([entry.costs for entry in entries], dtype=np.float64).reshape(len(entries), -1)
