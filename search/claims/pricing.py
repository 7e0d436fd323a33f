"""Say what trainings will take before any is begun: by a few networks that are timed, or that were trained before."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan

from search.claims.plan import Run
from search.core.claims import Training
from search.models.epoch_time import EpochTime, spread_out
from spaces.architecture import ImageSpec, plan
from spaces.counting import cost
from spaces.paths import paths

TIMED = 4  # networks, of all that are to be trained
BACKWARD = 3  # times the multiply-accumulates of a pass forwards that training takes


@dataclass(slots=True)
class Price:
    """What runs will take, and what that turns out to be as they are trained."""

    seconds: Mapping[str, float]  # of each run, by key
    _expected: float = field(default=0.0)  # of those that have ended
    _took: float = field(default=0.0)

    def ended(self, run: Run, took_s: float) -> None:
        """Hear what a run has taken."""
        self._expected += self.seconds.get(run.key, 0.0)
        self._took += took_s

    def left_s(self, runs: Sequence[Run]) -> float:
        """Return the seconds that runs will still take, at the pace so far; NaN where nobody knows."""
        pace = self._took / self._expected if self._expected else 1.0
        return pace * sum(self.seconds.get(run.key, nan) for run in runs)


def price(
    runs: Sequence[Run], known: Mapping[str, Training], plan_runs: Mapping[str, Run], image: ImageSpec,
    timed: Callable[[Sequence[Run]], Mapping[str, float]],
) -> Price:  # fmt: skip
    """Return what runs will take.

    Args:
        runs: that are to be trained.
        known: trainings by key, of which those of the plan tell the time; on another machine they tell it otherwise.
        plan_runs: of all, by key.
        image: what networks read.
        timed: returns the seconds of an epoch of some runs; asked where too few are known.
    """
    if not runs:
        return Price({})
    told = {key: each.seconds / each.epochs for key, each in known.items() if key in plan_runs and each.seconds}
    if len({plan_runs[key].architecture.digest for key in told}) < TIMED:
        told |= timed(_samples(runs, image))
    timed_ones = [(*_size(plan_runs[key], image), seconds) for key, seconds in told.items() if seconds > 0]
    if not timed_ones:  # as where each that was to be timed diverged
        return Price({})
    model = EpochTime.of(timed_ones)
    return Price({run.key: run.recipe.epochs * model.seconds(*_size(run, image)) for run in runs})


def macs(runs: Sequence[Run], image: ImageSpec, images: int) -> float:
    """Return the multiply-accumulates that runs take in training on so many images."""
    return sum(BACKWARD * cost(run.architecture, image).macs * images * run.recipe.epochs for run in runs)


def _samples(runs: Sequence[Run], image: ImageSpec) -> list[Run]:
    by_digest = {run.architecture.digest: run for run in reversed(runs)}  # as it is first asked for: usually, as usual
    sizes = {digest: cost(run.architecture, image).activations for digest, run in by_digest.items()}
    return [by_digest[digest] for digest in spread_out(sizes, TIMED)]


def _size(run: Run, image: ImageSpec) -> tuple[int, int]:
    return paths(plan(run.architecture)).longest, cost(run.architecture, image).activations
