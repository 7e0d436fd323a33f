"""How far a network is from the best that its cost could have bought: what a choice did, with size taken out of it."""

from bisect import bisect_right
from collections.abc import Sequence

from search.core.picking import first_cost
from search.core.records import StudyRecord, TrialRecord
from workers.objectives import Objective


def error_of(objective: Objective, trial: TrialRecord) -> float:
    """Return how far a trial is from the best that a quality can be: a share that is wrong, or a loss."""
    value = objective.value(trial.cost, trial.found)
    return abs(value - objective.best) if objective.worst else value


def excess(study: StudyRecord, trials: Sequence[TrialRecord], objective: Objective) -> list[float]:
    """Return for each trial its error over the least of any that costs no more; 1 is on the front.

    An error of nothing counts as half the least that there is, so that there is a ratio.

    Args:
        study: whose first cost it is that is equal.
        trials: fully trained.
        objective: how good they are.
    """
    cost = first_cost(study)
    errors = [error_of(objective, trial) for trial in trials]
    floor = min((error for error in errors if error > 0), default=1.0) / 2
    paid = [cost.minimised(cost.value(trial.cost, trial.found)) for trial in trials]
    steps = _least(sorted(zip(paid, (max(error, floor) for error in errors), strict=True)))
    prices = [price for price, _ in steps]
    least = [steps[bisect_right(prices, price) - 1][1] for price in paid]
    return [max(error, floor) / best for error, best in zip(errors, least, strict=True)]


def _least(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the least error so far at each cost, the cheapest first."""
    steps = list[tuple[float, float]]()
    for price, error in points:
        best = min(error, steps[-1][1]) if steps else error
        if steps and steps[-1][0] == price:
            steps[-1] = (price, best)
        else:
            steps.append((price, best))
    return steps
