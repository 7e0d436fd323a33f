"""Read one study as it is now. Knows nothing of figures."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from search.core.analyses import Analysis
from search.core.claims import Verdict
from search.core.confirmation import assessed
from search.core.fronts import front_hypervolume, front_trials, objective_values
from search.core.records import Rejection, Session, State, StudyRecord, TrialRecord
from search.storage.finding import HasStudies, find
from spaces.domains import Scalar
from workers.objectives import OBJECTIVES
from workers.tasks import CLASSIFICATION

HEADLINE = OBJECTIVES[CLASSIFICATION.headline]  # what curves and tables show of how good a network is
DOMAINS = ("choice", "int", "float")  # the words of the file; each names a domain


class Reads(HasStudies, Protocol):
    """Read studies: what a figure needs of `search.storage.store.Store`, so that this module needs no database."""

    def trials(self, study: str) -> Iterable[TrialRecord]:
        """Return a study's trials."""
        ...

    def rejections(self, study: str) -> Iterable[Rejection]:
        """Return a study's rejected proposals."""
        ...

    def sessions(self, study: str) -> Iterable[Session]:
        """Return a study's launches."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyView:
    """One study as it was at one moment; equal to itself alone, so that what took long to say of it can be kept."""

    study: StudyRecord
    trials: tuple[TrialRecord, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    sessions: tuple[Session, ...] = ()
    analyses: tuple[Analysis, ...] = ()  # what they have found, where that was read too
    verdicts: tuple[Verdict, ...] = ()  # on claims of the literature, of its database: where that was read too

    @classmethod
    def read(cls, store: Reads, name: str | None = None) -> "StudyView":
        """Return a study of the store; without a name, the only one there is.

        Raises:
            InputError: there is no study of this name, or several and no name was given.
        """
        study = find(store, name)
        return cls(
            study=study,
            trials=tuple(assessed(study, store.trials(study.name))),
            rejections=tuple(store.rejections(study.name)),
            sessions=tuple(store.sessions(study.name)),
        )

    def measured(self, *states: State) -> list[TrialRecord]:
        """Return the trials in these states whose every objective is a finite number."""
        return [
            trial
            for trial in self.trials
            if trial.state in states and all(map(math.isfinite, objective_values(self.study, trial)))
        ]

    @property
    def complete(self) -> list[TrialRecord]:
        """Return the trials at full fidelity."""
        return self.measured(State.COMPLETE)

    @property
    def front(self) -> list[TrialRecord]:
        """Return the front, from the least of the last objective to the most."""
        return front_trials(self.study, self.complete)

    @property
    def hypervolume(self) -> float:
        """Return the share of the objective space that the front dominates, in [0, 1]."""
        return front_hypervolume(self.study, self.front)

    def count(self, state: State) -> int:
        """Return how many trials are in a state."""
        return sum(trial.state is state for trial in self.trials)

    def searched(self) -> list[str]:
        """Return the parameters that were searched, in the order of the file."""
        named = [name for name, domain in self.study.domains.items() if domain_word(domain)]
        return named or sorted({name for trial in self.trials for name in trial.params})

    def options(self, parameter: str) -> list[Scalar]:
        """Return the values that trials took, in the file's order where it lists them, else from low to high."""
        taken = {trial.params[parameter] for trial in self.trials if parameter in trial.params}
        listed = _listed(self.study.domains.get(parameter))
        in_order = [option for option in listed if option in taken]
        return in_order + sorted(taken - set(in_order), key=lambda value: (isinstance(value, str), value))


def domain_word(domain: object) -> str:
    """Return which word of the file describes a domain, or nothing for a fixed value."""
    return next((word for word in DOMAINS if isinstance(domain, Mapping) and word in domain), "")


def _listed(domain: object) -> list[Scalar]:
    options = domain.get("choice") if isinstance(domain, Mapping) else None
    return list(options) if isinstance(options, (list, tuple)) else []


def headline_of(trial: TrialRecord) -> float | None:
    """Return the task's headline metric at a trial's latest epoch, where it was measured and is a number."""
    found = trial.found.get(HEADLINE.name) if trial.found else None
    return found if found is not None and math.isfinite(found) else None
