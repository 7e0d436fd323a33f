"""Choose whose network is trained once more.

A `RunningStudy` asks its proposer what to train and its outbox to remember it. With this proposer and the records of
`search.study.seed_records` it trains seeds of networks that are known, with the same care for failures, full disks and
databases that are away.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from search.core.confirmation import Confidence
from search.core.fronts import front_trials, ranked
from search.core.gains import fastest_s
from search.core.records import Rejection, Replicate, State, StudyRecord, TrialRecord
from search.samplers.proposer import Proposal
from spaces.domains import Scalar
from workers.kinds import FailureKind

FIRST = 3  # seeds that each network of the front gets before seeds go where they decide something
Fold = tuple[int, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedPlan:
    """Who is to be trained again, and how often."""

    seeds: int = 5  # of each network at most
    trials: tuple[int, ...] = ()  # these, each that often; none: the front and what noise could put on it
    near: float = 2.0  # deviations below the front that a network may be to be looked at
    level: float = 0.95  # at which a network's place counts as known
    trainings: int | None = None  # all in all; none: what twice the front's networks would take
    folds: int | None = None  # parts of the images, each of which is measured on once; none: other seeds instead
    packed: str = "auto"  # seeds of one network are trained together where that pays; never: each alone

    @property
    def repeats(self) -> int:
        """Return how often one network is trained at most."""
        return self.folds or self.seeds


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedProposal(Proposal):
    """One more training of a trial's network."""

    trial: int
    seed: int
    fold: Fold = None


@dataclass(slots=True)
class SeedProposer:
    """Name whose turn it is: the front a few times each, then whoever's place is least sure."""

    study: StudyRecord
    trials: Mapping[int, TrialRecord]  # of the study
    plan: SeedPlan
    replicates: dict[int, Replicate] = field(default_factory=dict)  # by number
    waits: bool = False  # for what is under way, before it can tell whether anything is left
    _news: bool = True  # since it was last asked

    def propose(
        self,
        known: Mapping[str, int],  # noqa: ARG002  # no network here is new
        doubts: Sequence[object] = (),  # noqa: ARG002
    ) -> tuple[Proposal | None, list[Rejection]]:
        """Return the next training, or None where none is due now."""
        if self.waits and not self._news:
            return None, []
        chosen, self._news = self.next_trial(), False
        self.waits = chosen is None and any(each.state is State.RUNNING for each in self.replicates.values())
        return (None if chosen is None else self._proposal(chosen)), []

    def next_trial(self) -> int | None:
        """Return whose network is trained next, or None."""
        counts = self.counts()
        if self.plan.trainings is not None and sum(counts.values()) >= self.plan.trainings:
            return None
        if self.plan.trials:
            return self._fewest(self.plan.trials, counts, self.plan.repeats)
        now = self.now()
        front = [trial.number for trial in front_trials(self.study, now)]
        seen = [number for number in counts if not self.trials[number].outside]
        first = [*front, *seen] if self.plan.folds else front  # means are of all folds, or cannot be compared
        if (due := self._fewest(first, counts, self._least)) is not None:
            return due
        return self._race(Confidence(self.study, now), front, {number: counts[number] for number in seen})

    @property
    def _least(self) -> int:
        """Return how many trainings a network has before its place is asked for."""
        all_of_them = bool(self.plan.trials or self.plan.folds)
        return self.plan.repeats if all_of_them else min(FIRST, self.plan.repeats)

    def due(self) -> dict[int, int]:
        """Return how many trainings each network lacks whatever comes of those before."""
        counts = self.counts()
        first = self.plan.trials or [trial.number for trial in front_trials(self.study, self.now())]
        lacking = {number: self._least - counts.get(number, 0) for number in first}
        left = math.inf if self.plan.trainings is None else self.plan.trainings - sum(counts.values())
        return {number: int(min(lacks, left)) for number, lacks in lacking.items() if min(lacks, left) > 0}

    def lacking(self, trial: TrialRecord) -> tuple[int, int]:
        """Return how many trainings the network of a replicate lacks in any case, and all networks."""
        due = self.due()
        return due.get(self.replicates[trial.number].trial, 0), sum(due.values())

    def beside(self, trial: TrialRecord) -> SeedProposal | None:
        """Return one more training of the network of a replicate, if one is due now; folds are of several images."""
        number = self.replicates[trial.number].trial
        return self._proposal(number) if not self.plan.folds and number in self.due() else None

    def _fewest(self, numbers: Iterable[int], counts: Mapping[int, int], limit: int) -> int | None:
        """Return the number with the lowest count, if that is below a limit.

        Of several the one whose trainings take longest: begun last, it would leave other workers idle at the end.
        """

        def turn(number: int) -> tuple[int, float]:
            count = counts.get(number, 0)
            return count, (count - limit) * fastest_s(self.trials[number].measurements)

        return min((each for each in numbers if counts.get(each, 0) < limit), key=turn, default=None)

    def _race(self, known: Confidence, front: Sequence[int], counts: Mapping[int, int]) -> int | None:
        asked = [*front, *(trial.number for trial in known.near(self.plan.near))] if self.plan.near else list(front)
        asked += [trial for trial in counts if trial not in asked]  # of whom seeds are known already
        asked = [trial.number for trial in ranked(self.study, [known.trials[number] for number in asked])]
        if sum(counts.get(number, 0) for number in asked) >= self.most(len(front)):
            return None
        order = known.order([known.trials[number] for number in asked])
        spent = [counts.get(number, 0) for number in asked]
        place = order.least_sure([count < self.plan.repeats for count in spent], spent, self.plan.level)
        return None if place is None else asked[place]

    def most(self, front: int) -> int:
        """Return how many trainings there are at most, by how many networks the front has."""
        if self.plan.trainings is not None:
            return self.plan.trainings
        networks = len(self.plan.trials) or (2 * front if self.plan.near else front)
        return networks * self.plan.repeats

    def now(self) -> list[TrialRecord]:
        """Return the study's trials with all that their replicates have shown so far."""
        of: dict[int, list[Replicate]] = {}
        for each in self.replicates.values():
            of.setdefault(each.trial, []).append(each)
        return [replace(trial, replicates=tuple(of.get(number, ()))) for number, trial in self.trials.items()]

    def counts(self) -> dict[int, int]:
        """Return how often each trial's network was trained again, or is being; a machine's fault does not count."""
        found: dict[int, int] = {}
        for each in self.replicates.values():
            if not _by_machine(each):
                found[each.trial] = found.get(each.trial, 0) + 1
        return found

    def _proposal(self, number: int) -> SeedProposal:
        trial = self.trials[number]
        mine = [each for each in self.replicates.values() if each.trial == number]
        fold = _free_fold(mine, self.plan.folds) if self.plan.folds else None
        return SeedProposal(
            params=dict(trial.params),
            architecture=trial.architecture,
            digest=trial.digest,
            cost=trial.cost,
            constraints={},
            mirror=-1,
            system_attrs={},
            trial=number,
            seed=trial.seed if fold else _free_seed(trial, mine),
            fold=fold,
        )

    def begun(self, proposal: Proposal, number: int) -> None:
        """Hear that a proposal is being trained."""
        assert isinstance(proposal, SeedProposal)
        self.replicates[number] = Replicate(number=number, trial=proposal.trial, seed=proposal.seed, fold=proposal.fold)

    def tell(self, trial: TrialRecord, values: Sequence[float]) -> None:  # noqa: ARG002
        """Hear how a training ended."""
        self._news = True
        self.replicates[trial.number] = replace(
            self.replicates[trial.number],
            state=trial.state,
            failure_kind=trial.failure_kind,
            measurements=trial.measurements,
        )

    def take_back(self, proposal: Proposal) -> None:
        """Hear that a proposal could not be recorded."""

    def restore(
        self,
        trial: TrialRecord,
        values: Sequence[float],
        showed: Mapping[int, Sequence[float]],
        attrs: Mapping[str, Any],
    ) -> None:
        """Hear of a training of an earlier launch: it is among the replicates."""

    def remember(self, params: Mapping[str, Scalar], *, violations: Mapping[str, float] | None = None) -> int:  # noqa: ARG002
        """Remember nothing."""
        return -1

    def take_up(self) -> None:
        """Make up no mind."""

    def showed(self, number: int, epoch: int, values: Sequence[float]) -> None:
        """Take nothing from an epoch: all are trained in full."""


def _free_fold(mine: Iterable[Replicate], folds: int) -> tuple[int, int]:
    taken = {each.fold[0] for each in mine if each.fold and not _by_machine(each)}
    return next(fold for fold in range(folds) if fold not in taken), folds


def _free_seed(trial: TrialRecord, mine: Iterable[Replicate]) -> int:
    taken = {each.seed for each in mine}
    return next(seed for place in count() if (seed := seed_of(trial, place)) not in taken)


def _by_machine(replicate: Replicate) -> bool:
    """Whether it failed by a machine's fault, so that it is due again."""
    return bool(replicate.failure_kind) and FailureKind.of(replicate.failure_kind).transient


def seed_of(trial: TrialRecord, place: int) -> int:
    """Return the seed of a trial's replicate: always the same, and nobody else's."""
    digest = hashlib.sha256(f"replicate {place} of seed {trial.seed}".encode()).digest()
    return int.from_bytes(digest[:8]) >> 2  # below 2^62, as a seed has to be below 2^63
