"""Propose architectures: an Optuna sampler over the space, without what cannot be built, is not wanted or is known.

The sampler works on a study in memory, the mirror, built anew from the records at every launch. There it can be told
what Optuna's own tables should not hold: proposals that were rejected for nothing, and failures, which Optuna would
hide from its samplers, as violated constraints. It also spares a database round trip for every question.
"""

import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import optuna
from optuna.logging import WARNING, set_verbosity
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from search.core.records import Rejection, State, TrialRecord
from search.samplers.catalogue import Catalogue
from search.samplers.front_sampler import rung_attr
from search.samplers.registry import distributions, take_up
from search.samplers.suspects import SUSPECTED
from spaces.architecture import Architecture
from spaces.cost import Cost
from spaces.domains import Scalar, Suggests
from spaces.errors import InfeasibleArchitecture, InputError
from workers.recipe import identity

SAMPLER_TRIES = 30
RANDOM_TRIES = 300
ENUMERABLE = 20_000


class Doubt(Protocol):
    """Refuse networks by what became of trials before; where nothing else is left, they are tried after all."""

    def against(self, params: Mapping[str, Scalar], cost: Cost) -> Rejection | None:
        """Return why a network is not started now, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An architecture worth training."""

    params: dict[str, Scalar]
    architecture: Architecture
    digest: str
    cost: Cost
    constraints: Mapping[str, float]  # how far each is overstepped; none is above 0
    mirror: int  # the trial's number in the mirror
    system_attrs: Mapping[str, Any]  # what the sampler wants remembered
    first: bool = False  # one of those that a study begins with


@dataclass(frozen=True, slots=True)
class Asked:
    """Values that a person wants to be proposed, as the space has them."""

    params: dict[str, Scalar]
    identity: str


class Proposer:
    """Ask the sampler until it names something new that can be trained."""

    def __init__(
        self,
        catalogue: Catalogue,
        sampler: BaseSampler,
        directions: Sequence[str],
        seed: int,
        first: Sequence[Mapping[str, Scalar]] = (),
    ) -> None:
        """Take what there is to propose.

        Args:
            catalogue: of networks.
            sampler: that chooses among them.
            directions: of the objectives.
            seed: of what is drawn where the sampler finds nothing.
            first: values that are proposed before the sampler is asked.
        """
        self.catalogue = catalogue
        self._first = deque(first)
        self._ahead: deque[Mapping[str, Scalar]] = deque()  # what people have asked for since
        self.distributions = distributions(catalogue.parameters)
        self._storage = InMemoryStorage()
        set_verbosity(WARNING)  # Optuna tells of every study it makes
        ways = [StudyDirection[name.upper()] for name in directions]
        self.mirror = optuna.create_study(storage=self._storage, directions=ways, sampler=sampler)
        self._study_id = self._storage.get_study_id_from_name(self.mirror.study_name)
        self._rng = random.Random(seed)
        self._mirrors: dict[int, int] = {}  # the number of each trial of the study in the mirror

    @property
    def waits(self) -> bool:
        """Whether something is under way for want of which nothing was proposed: what is not left never will be."""
        return False

    def propose(
        self, known: Mapping[str, int], doubts: Sequence[Doubt] = ()
    ) -> tuple[Proposal | None, list[Rejection]]:
        """Return a proposal, or None when nothing new is left, and what was rejected on the way.

        Args:
            known: the trial of each `workers.recipe.identity` that needs no second training.
            doubts: what refuses networks by what became of trials before.
        """
        rejected: list[Rejection] = []
        if (first := self._propose_first(known, doubts, rejected)) is not None:
            return first, rejected
        for attempt in range(SAMPLER_TRIES + RANDOM_TRIES):
            trial = self.mirror.ask() if attempt < SAMPLER_TRIES else self._ask_random()
            params = self.catalogue.suggest(cast(Suggests, trial))
            number = trial.number if trial.params == params else self._instead(trial.number, params)
            found = self._judge(params, known, doubts, number)
            if isinstance(found, Proposal):
                return found, rejected
            self._reject(number, found)
            rejected.append(found)
        return self._search_all(known, doubts), rejected

    def _propose_first(
        self, known: Mapping[str, int], doubts: Sequence[Doubt], rejected: list[Rejection]
    ) -> Proposal | None:
        """Return the next of those to begin with that is not known; what cannot be trained joins the rejected."""
        while ahead := self._ahead or self._first:
            trial = self._ask_for(ahead.popleft())
            found = self._judge(self.catalogue.suggest(cast(Suggests, trial)), known, doubts, trial.number)
            if isinstance(found, Proposal):
                return replace(found, first=True)
            self._reject(trial.number, found)
            rejected += [found] if found.violations else []
        return None

    @property
    def certain(self) -> list[Mapping[str, Scalar]]:
        """Return values that are proposed next, whatever trials come to."""
        return [*self._ahead, *self._first]

    def draw_ahead(self, count: int) -> None:
        """Draw until so many values are certain: harmless to a search whose sampler learns nothing from trials."""
        while len(self._ahead) + len(self._first) < count:
            trial = self.mirror.ask()
            self._first.append(self.catalogue.suggest(cast(Suggests, trial)))
            self.forget(trial.number)

    def propose_now(
        self,
        params: Mapping[str, Scalar],
        fits: Callable[[Proposal], bool],
        known: Mapping[str, int],
        doubts: Sequence[Doubt] = (),
    ) -> Proposal | None:
        """Return some of the values that are certain before their turn, or None: what is refused waits for its own.

        Args:
            params: of `certain`; what they leave open is drawn.
            fits: what is wanted now.
            known: as for `propose`.
            doubts: as for `propose`.
        """
        trial = self._ask_for(params)
        found = self._judge(self.catalogue.suggest(cast(Suggests, trial)), known, doubts, trial.number)
        if isinstance(found, Rejection) or not fits(found):
            self.forget(trial.number)
            return None
        (self._ahead if params in self._ahead else self._first).remove(params)
        return replace(found, first=True)

    def ask_for(self, params: Mapping[str, Scalar]) -> Asked:
        """Return values as they would be proposed.

        Raises:
            InputError: they cannot be, and why; that a trial has them already is no reason.
        """
        trial = self._ask_for(params)
        chosen = self.catalogue.suggest(cast(Suggests, trial))
        found = self._judge(chosen, {}, (), trial.number)
        self.forget(trial.number)
        if isinstance(found, Rejection):
            raise InputError(found.reason)
        return Asked(chosen, identity(found.digest, chosen))

    def put_ahead(self, asked: Asked) -> None:
        """Propose values next, behind those that were asked for before and are not begun."""
        self._ahead.append(asked.params)

    def _instead(self, number: int, params: dict[str, Scalar]) -> int:
        """Put the nearest that there is in the place of what the sampler chose: it learns of what is trained."""
        attrs = self._storage.get_trial_system_attrs(self._id(number))
        self.forget(number)
        return self.remember(params, running=True, system_attrs=attrs)

    def _ask_random(self) -> optuna.Trial:
        return self._ask_for(self.catalogue.draw(self._rng))

    def _ask_for(self, params: Mapping[str, Scalar]) -> optuna.Trial:
        """Open a mirror trial that will suggest exactly these values."""
        self.mirror.enqueue_trial(dict(params))
        return self.mirror.ask()

    def _search_all(self, known: Mapping[str, int], doubts: Sequence[Doubt]) -> Proposal | None:
        """Look through a small space for what chance has missed."""
        if self.catalogue.product > ENUMERABLE:
            return None
        for params in self.catalogue.members():
            if isinstance(self._judge(params, known, doubts, -1), Proposal):
                trial = self._ask_for(params)
                found = self._judge(self.catalogue.suggest(cast(Suggests, trial)), known, doubts, trial.number)
                return found if isinstance(found, Proposal) else None
        return None

    def _judge(
        self, params: dict[str, Scalar], known: Mapping[str, int], doubts: Sequence[Doubt], mirror: int
    ) -> Proposal | Rejection:
        try:
            described = self.catalogue.describe(params)
        except InfeasibleArchitecture as error:
            return Rejection(params=params, violations={"buildable": 1.0}, reason=str(error))
        over = {name: value for name, value in described.constraints.items() if value > 0}
        if over:
            named = ", ".join(f"{name} by {value:.0%}" for name, value in over.items())
            return Rejection(params=params, violations=over, reason=f"oversteps {named}")
        if (same := known.get(identity(described.digest, params))) is not None:
            return Rejection(params=params, violations={}, reason=f"the same network as trial {same}")
        counted = described.cost
        for doubt in doubts:
            if (refused := doubt.against(params, counted)) is not None:
                return refused
        attrs = self._storage.get_trial_system_attrs(self._id(mirror)) if mirror >= 0 else {}
        return Proposal(
            params=params,
            architecture=described.architecture,
            digest=described.digest,
            cost=counted,
            constraints=described.constraints,
            mirror=mirror,
            system_attrs={key: value for key, value in attrs.items() if key != "fixed_params"},
        )

    def _reject(self, number: int, rejection: Rejection) -> None:
        """Tell the sampler of a constraint; a network that is known already, or only suspected, teaches it nothing."""
        if rejection.violations.keys() - {SUSPECTED}:
            self.penalise(number, rejection.violations)
        else:
            self.forget(number)

    def penalise(self, number: int, violations: Mapping[str, float]) -> None:
        """End a mirror trial as one that broke constraints."""
        for name, value in violations.items():
            self._storage.set_trial_system_attr(self._id(number), f"constraints:{name}", value)
        self.mirror.tell(number, state=TrialState.PRUNED)

    def forget(self, number: int) -> None:
        """End a mirror trial that says nothing about its architecture: samplers do not see it."""
        self.mirror.tell(number, state=TrialState.FAIL)

    def take_back(self, proposal: Proposal) -> None:
        """Hear that a proposal could not be recorded, so that its trial never began."""
        self.forget(proposal.mirror)
        if proposal.first:
            self._first.appendleft(proposal.params)

    def begun(self, proposal: Proposal, number: int) -> None:
        """Hear that a proposal has become the study's trial of a number."""
        self._mirrors[number] = proposal.mirror

    def restore(
        self,
        trial: TrialRecord,
        values: Sequence[float],
        showed: Mapping[int, Sequence[float]],
        attrs: Mapping[str, Any],
    ) -> None:
        """Add a trial of an earlier launch or of another one.

        Args:
            trial: whatever its state.
            values: of the objectives, at its latest epoch; read where it is complete.
            showed: the objectives' values at rungs, by epoch.
            attrs: what the sampler wanted remembered of it.
        """
        over = self._over(trial) if trial.outside else {}
        if over is None:
            return
        failed = {trial.failure_kind: 1.0} if trial.state is State.FAILED else {}
        self._mirrors[trial.number] = self.remember(
            trial.params,
            values=values if trial.state is State.COMPLETE else None,
            violations={**over, **failed},
            running=trial.state is State.RUNNING,
            system_attrs=attrs,
            showed=showed,
        )

    def _over(self, trial: TrialRecord) -> dict[str, float] | None:
        """Return which constraints a trial of another space oversteps; None where its values choose no such network."""
        domains = {item.name: item.domain for item in self.catalogue.parameters}
        if not all(name in domains and domains[name].contains(value) for name, value in trial.params.items()):
            return None
        try:
            described = self.catalogue.describe(trial.params)
        except InfeasibleArchitecture:
            return None
        over = {name: value for name, value in described.constraints.items() if value > 0}
        return over if described.digest == trial.digest and over else None

    def tell(self, trial: TrialRecord, values: Sequence[float]) -> None:
        """Let the sampler know how a trial ended; of a machine's fault it hears nothing."""
        mirror = self._mirrors[trial.number]
        if trial.state is State.COMPLETE:
            self.complete(mirror, values)
        elif trial.state is State.STOPPED:
            self.stop(mirror)
        elif trial.failed_transiently:
            self.forget(mirror)
        else:
            self.penalise(mirror, {trial.failure_kind: 1.0})

    def showed(self, number: int, epoch: int, values: Sequence[float]) -> None:
        """Let the sampler know what a trial of the study showed at a rung."""
        number = self._mirrors[number]
        self._storage.set_trial_user_attr(self._id(number), rung_attr(epoch), list(values))

    def complete(self, number: int, values: Sequence[float]) -> None:
        """End a mirror trial that reached full fidelity."""
        self.mirror.tell(number, list(values))

    def stop(self, number: int) -> None:
        """End a mirror trial that was stopped early."""
        self.mirror.tell(number, state=TrialState.PRUNED)

    def remember(
        self,
        params: Mapping[str, Scalar],
        *,
        values: Sequence[float] | None = None,
        violations: Mapping[str, float] | None = None,
        running: bool = False,
        system_attrs: Mapping[str, Any] | None = None,
        showed: Mapping[int, Sequence[float]] | None = None,
    ) -> int:
        """Add to the mirror what an earlier launch recorded, and return its number there."""
        state = TrialState.RUNNING if running else TrialState.PRUNED if values is None else TrialState.COMPLETE
        row_id = self._storage.create_new_trial(
            self._study_id,
            create_trial(
                state=state,
                params=dict(params),
                distributions={name: self.distributions[name] for name in params},
                values=list(values) if values is not None else None,
                constraints=dict(violations or {}),
                system_attrs=dict(system_attrs or {}),
                user_attrs={rung_attr(epoch): list(shown) for epoch, shown in (showed or {}).items()},
            ),
        )
        return self._storage.get_trial_number_from_id(row_id)

    def take_up(self) -> None:
        """Let the sampler make up its mind about all that it was told to remember."""
        take_up(self.mirror.sampler, self.mirror)

    def _id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
