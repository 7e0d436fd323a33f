"""Say which trials are trained together as one network: of one plan, by one recipe, on the same images."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from search.core.records import TrialRecord
from search.samplers.proposer import Proposal


@dataclass(slots=True)
class Packing:
    """How many trials are trained together, and which.

    Only where trials are trained in full: one that rests would be handed out again while the others go on.
    """

    most: Callable[[TrialRecord], int]  # of a network that pay, counting the first; 1: it is trained alone
    beside: Callable[[TrialRecord], Proposal | None]  # one more training that is due now and can be beside a trial
    due: Callable[[TrialRecord], tuple[int, float]]  # trainings to come, as far as known: beside a trial, and of all
    common: Callable[[TrialRecord], object] = lambda trial: trial.identity  # equal for those that one pack can hold
    apart: set[int] = field(default_factory=set)  # trials that have failed together: alone they tell whose fault it was

    def room(self, trial: TrialRecord, waiting: Iterable[TrialRecord], workers: float) -> int:
        """Return how many are trained together with a trial, which was just handed out.

        Args:
            trial: whose network it is.
            waiting: trials that were begun before and wait for a worker.
            workers: that are free, the trial's own with them: none is left without work for a pack.
        """
        if trial.number in self.apart or math.isinf(workers) or (most := self.most(trial)) < 2:
            return 0  # where there is a worker for each, too
        behind, (own, due) = list(waiting), self.due(trial)
        own += 1 + sum(self.alike(trial, each) for each in behind)
        packs = max(math.ceil(own / most), math.ceil(own * workers / (1 + len(behind) + due)))
        return math.ceil(own / packs) - 1  # as large as one another: none is left over alone

    def alike(self, trial: TrialRecord, other: TrialRecord) -> bool:
        """Whether two trials may be trained together."""
        return not self.apart & {trial.number, other.number} and self.common(trial) == self.common(other)
