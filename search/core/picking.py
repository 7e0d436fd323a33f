"""Choose the network to take: the best under a bound, the cheapest above one, or the knee of the front."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from search.core.columns import shown_sure
from search.core.fronts import complete_trials, front_trials
from search.core.labels import name_of
from search.core.records import StudyRecord, TrialRecord
from search.core.units import format_number_of
from spaces.errors import InputError, unknown
from workers.objectives import OBJECTIVES, Objective

_BOUND = re.compile(r"\s*(\w+)\s*(<=|<|>=|>)\s*((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*([kKMG%]?)\s*")
_UNITS = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "%": 0.01}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a network must keep, such as `macs <= 200k`."""

    objective: Objective
    below: bool
    strict: bool
    limit: float
    text: str

    @classmethod
    def parse(cls, text: str, measures: Mapping[str, Objective] = OBJECTIVES) -> "Bound":
        """Return the bound that a text names; a share may be in percent.

        Raises:
            InputError: it names none, or nothing that is known of networks.
        """
        found = _BOUND.fullmatch(text)
        if not found:
            raise InputError(f"{text!r} is not a bound such as 'macs <= 200k' or 'accuracy >= 98.5 %'")
        if found[1] not in measures:
            raise InputError(unknown("objective", found[1], measures))
        limit = float(found[3]) * _UNITS[found[4]]
        shown = " ".join(f"{found[1]} {found[2]} {found[3]}{found[4]}".split())
        return cls(
            objective=measures[found[1]], below=found[2].startswith("<"), strict="=" not in found[2], limit=limit,
            text=shown,
        )  # fmt: skip

    def value(self, trial: TrialRecord) -> float:
        """Return what a network has of it; NaN where that was not measured."""
        return self.objective.value(trial.cost, trial.found)

    def overstep(self, trial: TrialRecord) -> float:
        """Return by what share of the limit a network oversteps it; 0 where it is kept, infinity where nobody knows."""
        value = self.value(trial)
        if math.isnan(value):
            return math.inf
        excess = (value - self.limit) if self.below else (self.limit - value)
        if excess < 0 or (excess == 0 and not self.strict):
            return 0.0
        return max(excess / max(abs(self.limit), 1e-12), 1e-12)


def bounds_of(texts: Sequence[str], measures: Mapping[str, Objective] = OBJECTIVES) -> list[Bound]:
    """Return the bounds of texts, in each of which several may stand behind commas, on what a study measures."""
    return [Bound.parse(part, measures) for text in texts for part in text.split(",") if part.strip()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """The network to take, and what is beside it."""

    chosen: TrialRecord | None  # none: nothing keeps all bounds
    more: TrialRecord | None = None  # a better one that oversteps the bounds least
    nearest: TrialRecord | None = None  # that oversteps the bounds least, where nothing keeps them


def best_quality(study: StudyRecord) -> Objective:
    """Return the first objective that says how good a network is."""
    return next(each for name in study.objectives if (each := study.objective(name)).quality)


def first_cost(study: StudyRecord) -> Objective:
    """Return the first objective that is a cost, or macs where there is none."""
    costs = [each for name in study.objectives if not (each := study.objective(name)).quality]
    return costs[0] if costs else OBJECTIVES["macs"]


def pick(study: StudyRecord, trials: Sequence[TrialRecord], bounds: Sequence[Bound]) -> Pick:
    """Return the best network within bounds; where they bound quality alone, the cheapest.

    All that is trained in full is looked at: a bound on what is no objective may be kept by none of the front.
    """
    known = complete_trials(trials)
    rank = _rank(study, cheapest=bool(bounds) and all(bound.objective.quality for bound in bounds))

    def off(trial: TrialRecord) -> float:
        return sum(bound.overstep(trial) for bound in bounds)

    inside = [trial for trial in known if off(trial) == 0]
    if not inside:
        reachable = [trial for trial in known if math.isfinite(off(trial))]
        return Pick(chosen=None, nearest=min(reachable, key=lambda trial: (off(trial), rank(trial)), default=None))
    chosen = min(inside, key=rank)
    better = [trial for trial in known if rank(trial)[0] < rank(chosen)[0] and 0 < off(trial) < math.inf]
    return Pick(chosen=chosen, more=min(better, key=lambda trial: (off(trial), rank(trial)), default=None))


def _rank(study: StudyRecord, *, cheapest: bool = False) -> Callable[[TrialRecord], tuple[float, float, int]]:
    """Return what networks are chosen by, the least first: quality, or cost where the cheapest is asked for."""
    quality, cost = best_quality(study), first_cost(study)

    def rank(trial: TrialRecord) -> tuple[float, float, int]:
        good, dear = (each.minimised(each.value(trial.cost, trial.found)) for each in (quality, cost))
        first, second = (dear, good) if cheapest else (good, dear)
        return (_last(first), _last(second), trial.number)

    return rank


def _last(value: float) -> float:
    return math.inf if math.isnan(value) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What `pick` answers to `cost <= bound` for every bound from this one up to the next step's."""

    bound: float
    chosen: TrialRecord


def steps(study: StudyRecord, trials: Sequence[TrialRecord], cost: Objective) -> list[Step]:
    """Return every answer of `pick` to a bound on a cost, from the least bound that any network keeps.

    Below the first step nothing keeps the bound, and its network is the nearest. What a little more buys is the first
    step behind whose network is better, and not just cheaper in another cost. Steps of some trials are those of all,
    as long as the trials of all steps before are among them: what was no step never becomes one.
    """
    rank, found = _rank(study), list[Step]()
    known = [(cost.value(trial.cost, trial.found), rank(trial), trial) for trial in complete_trials(trials)]
    for bound, mine, trial in sorted((each for each in known if not math.isnan(each[0])), key=lambda each: each[:2]):
        if not found or mine < rank(found[-1].chosen):
            found.append(Step(bound=bound, chosen=trial))
    return found


def described(study: StudyRecord, trial: TrialRecord, bounds: Sequence[Objective] = ()) -> str:
    """Return a network in a line: its name, its objectives, what is bounded, and how sure all that is."""
    named = [study.objective(name) for name in study.objectives]
    named += [each for each in bounds if each.name not in study.objectives]
    values = ", ".join(f"{each.name} {shown_sure(study, each, trial)}" for each in named)
    known = trial.confirmation
    seeds = f"mean of {format_number_of('seed', known.seeds)}" if known else "one run"
    return f"{name_of(trial.architecture)}, {values} ({seeds})"


def knee(study: StudyRecord, trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """Return the network of the front behind which a little quality takes much cost, and before which it is cheap.

    It is the farthest from the line between both ends, by the logarithms of cost and of what is missing to the best
    quality there can be. None where the front is empty.
    """
    quality, cost = best_quality(study), first_cost(study)
    front = front_trials(study, trials)
    if len(front) < 3:
        return front[0] if front else None
    places = [
        (
            math.log(max(cost.value(trial.cost, trial.found), 1e-12)),
            math.log(max(abs(quality.value(trial.cost, trial.found) - quality.best), 1e-4)),
        )
        for trial in front
    ]
    (left, top), (right, low) = min(places), max(places)
    width, height = (right - left) or 1.0, (top - low) or 1.0
    below = [1 - (x - left) / width - (y - low) / height for x, y in places]
    return front[max(range(len(front)), key=below.__getitem__)]
