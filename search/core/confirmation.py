"""What a front is worth: the mean of each network over its seeds, how sure that is, and who may be on the front."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from math import nan
from statistics import stdev

import numpy as np

from search.core.fronts import complete_trials, front_trials, minimised_values, ranked
from search.core.records import Confirmation, StudyRecord, TrialRecord
from search.models.pareto import as_points, dominates
from search.models.seeds import Estimates, Interval, Order, Spread, interval, spread
from workers.objectives import Objective

LEVEL = 0.95  # of every interval that is shown
SURE = 0.95  # of which of two networks is the better one, to call them told apart


class Confidence:
    """How sure a study is of its networks, by all the seeds that it has."""

    def __init__(self, study: StudyRecord, trials: Iterable[TrialRecord], level: float = LEVEL) -> None:
        """Take the trials as they stand; those without replicates are known by one run.

        Args:
            study: whose they are.
            trials: all of them.
            level: of intervals.
        """
        self.study = study
        self.trials = {trial.number: trial for trial in trials}
        self.level = level
        self.measured = [study.objective(name) for name in study.objectives if not study.objective(name).static]

    @property
    def any(self) -> bool:
        """Whether any network has been confirmed."""
        return any(trial.confirmed for trial in self.trials.values() if trial.replicates)

    @cached_property
    def looks(self) -> int:
        """Return how many times somebody has looked at the test split."""
        return len({each.tested_at for trial in self.trials.values() for each in trial.replicates if each.test})

    @cached_property
    def spreads(self) -> dict[str, Spread]:
        """Return how much seeds differ in each measured objective, by name."""
        several = [trial for trial in self.trials.values() if trial.replicates]
        return {
            each.name: spread([self._values(each, trial) for trial in several], rate=each.is_rate)
            for each in self.measured
        }

    def _values(self, objective: Objective, trial: TrialRecord) -> list[float]:
        found = [objective.value(trial.cost, measurement) for measurement in trial.confirmed]
        return [value for value in found if np.isfinite(value)]

    def of(self, trial: TrialRecord) -> Confirmation | None:
        """Return what is known of a network beyond its one run, or None."""
        if not trial.confirmed:
            return None
        values = {each: self._values(each, trial) for each in self.measured}
        return Confirmation(
            seeds=len(trial.confirmed),
            failed=sum(bool(each.failure_kind) for each in trial.replicates),
            intervals={each.name: self._interval(each, values[each]) for each in self.measured},
            deviations={each.name: stdev(values[each]) for each in self.measured if len(values[each]) > 1},
            on_front=self.membership.get(trial.number, nan),
            test=self._test(trial),
            looks=self.looks,
        )

    def _interval(self, objective: Objective, values: Sequence[float]) -> Interval:
        return interval(values, self.spreads[objective.name], rate=objective.is_rate, level=self.level)

    def _test(self, trial: TrialRecord) -> dict[str, Interval]:
        """Return the means on the test split, of metrics whose deviation is known on the validation images."""
        told = [each.test for each in trial.replicates if each.test]
        return {
            each.name: self._interval(each, found)
            for each in self.measured
            if (found := [test[each.name] for test in told if each.name in test])
        }

    def estimates(self, trials: Sequence[TrialRecord]) -> Estimates:
        """Return what is known of the means of networks, all turned so that less is better."""
        means = minimised_values(self.study, trials)
        deviations = np.zeros_like(means)
        freedom = np.zeros(means.shape[1])
        for column, name in enumerate(self.study.objectives):
            if (known := self.spreads.get(name)) is not None and known.freedom:
                freedom[column] = known.freedom
                deviations[:, column] = [self._of_mean(name, trial) for trial in trials]
        return Estimates(means=means, deviations=deviations, freedom=freedom)

    def _of_mean(self, name: str, trial: TrialRecord) -> float:
        """Return the standard deviation of what is known of a network: the mean of its seeds, else its one run."""
        objective = self.study.objective(name)
        mean = objective.value(trial.cost, trial.found)
        seeds = max(len(trial.confirmed), 1)
        return float(self.spreads[name].deviation(mean, rate=objective.is_rate) / np.sqrt(seeds))

    def near(self, deviations: float) -> list[TrialRecord]:
        """Return the networks off the front that would be on it if they were so many deviations better.

        Empty as long as nobody knows how much seeds differ.
        """
        front = front_trials(self.study, list(self.trials.values()))
        on_it = {trial.number for trial in front}
        complete = complete_trials(ranked(self.study, self.trials.values()))
        others = [trial for trial in complete if trial.number not in on_it]
        if not others or not any(known.freedom for known in self.spreads.values()):
            return []
        known = self.estimates(others)
        shifted = as_points((known.means - deviations * known.deviations).tolist())
        beaten = dominates(minimised_values(self.study, front), shifted)
        return [trial for place, trial in enumerate(others) if not beaten[:, place].any()]

    def order(self, trials: Sequence[TrialRecord]) -> Order:
        """Return how sure it is which of these networks are on the front of them."""
        return Order.of(self.estimates(trials).draws())

    def pairs(self) -> list[tuple[int, int, float]]:
        """Return neighbours on the front, and how likely the second is truly the better one in the first quality.

        Neighbours are trials whose costs follow one another. As nothing is known of how sure one run is as long as no
        network is confirmed, there are none then.
        """
        front = front_trials(self.study, list(self.trials.values()))
        objectives = [self.study.objective(name) for name in self.study.objectives]
        column = next((place for place, each in enumerate(objectives) if each.quality and not each.static), None)
        if column is None or not self.membership or len(front) < 2:
            return []
        drawn = self.estimates(front).draws()[:, :, column]
        return [
            (first.number, second.number, float((drawn[:, place + 1] < drawn[:, place]).mean()))
            for place, (first, second) in enumerate(pairwise(front))
        ]

    def worse_than(self, chosen: TrialRecord, quality: Objective) -> list[tuple[TrialRecord, float]]:
        """Return the confirmed networks of which nobody can tell whether they are worse, and how likely they are.

        Empty where the chosen one is known by one run: that was lucky, or not.
        """
        column = self.study.objectives.index(quality.name)
        known = {trial.number: trial for trial in ranked(self.study, self.trials.values()) if trial.confirmed}
        others = [trial for trial in known.values() if trial.number != chosen.number]
        if chosen.number not in known or not others or not self.membership:
            return []
        drawn = self.estimates([chosen, *others]).draws()[:, :, column]
        worse = (drawn[:, 1:] > drawn[:, :1]).mean(axis=0).tolist()
        return [(trial, sure) for trial, sure in zip(others, worse, strict=True) if sure < SURE]

    @cached_property
    def membership(self) -> dict[int, float]:
        """Return the probability to be on the front of every member that is there or was confirmed, by its trial."""
        trials = list(self.trials.values())
        asked = {trial.number: trial for trial in front_trials(self.study, trials)}
        confirmed = (trial for trial in ranked(self.study, trials) if trial.confirmed and not trial.outside)
        asked |= {trial.number: trial for trial in confirmed}
        if not self.any or not any(known.freedom for known in self.spreads.values()):
            return {}
        numbers, chances = list(asked), self.order(list(asked.values())).on_front
        return dict(zip(numbers, chances.tolist(), strict=True))


def confirmation_lines(known: Confidence) -> Iterator[str]:
    """Yield what is to be said below a front: which of its neighbours are told apart, and who looked at the test split.

    Nothing where no network was confirmed.
    """
    pairs = known.pairs()
    if pairs:
        alike = [f"{first} and {second} ({sure:.2f})" for first, second, sure in pairs if 1 - SURE < sure < SURE]
        told = f"{len(pairs) - len(alike)} of {len(pairs)} neighbours on the front are told apart by their seeds"
        yield f"{told}; not: trials {', '.join(alike)}" if alike else told
    if known.looks:
        yield f"the test split was looked at {known.looks} time{'s' if known.looks > 1 else ''}"


def assessed(study: StudyRecord, trials: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Return the trials, those that were confirmed with what that tells."""
    known = Confidence(study, trials)
    if not known.any:
        return list(known.trials.values())
    return [replace(trial, confirmation=known.of(trial)) for trial in known.trials.values()]
