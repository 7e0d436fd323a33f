"""Propose networks whose costs on devices are known: what no command has measured yet is measured first.

A proposal waits for its commands while other trials train, and the next one is measured ahead. It becomes a trial once
every cost is known and keeps its constraint. What has been measured once is remembered by command and network.
"""

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace

from optuna.samplers import BaseSampler

from search.core.records import Rejection
from search.devices.bench import Unmeasured
from search.devices.costs import Devices
from search.samplers.catalogue import Catalogue, Violations
from search.samplers.proposer import Doubt, Proposal, Proposer
from spaces.cost import Cost
from spaces.domains import Scalar
from spaces.errors import StorageAway, StudyError
from workers.command import Answer
from workers.recipe import identity

UNMEASURED = "unmeasured"  # what a rejection oversteps that no command has given a number of
MOST_FAILED = 3  # networks one after another that a command measures none of, before the launch ends: a device is away
MOST_REFUSED = 200  # networks one after another that are measured and break a constraint, before the launch ends


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A proposal that waits for its costs."""

    proposal: Proposal
    answers: Mapping[str, "Future[Answer]"]  # of those that were not known, by name

    @property
    def done(self) -> bool:
        return all(each.done() for each in self.answers.values())


class MeasuringProposer(Proposer):
    """Ask the sampler, then the devices."""

    def __init__(
        self,
        catalogue: Catalogue,
        sampler: BaseSampler,
        directions: Sequence[str],
        seed: int,
        first: Sequence[Mapping[str, Scalar]] = (),
        *,
        devices: Devices,
        violations: Violations,
    ) -> None:
        """Take what there is to propose and what measures it.

        Args:
            catalogue: of networks.
            sampler: that chooses among them.
            directions: of the objectives.
            seed: of what is drawn where the sampler finds nothing.
            first: values that are proposed before the sampler is asked.
            devices: that networks are measured on.
            violations: by how much a cost oversteps each constraint, of those that are known.
        """
        super().__init__(catalogue, sampler, directions, seed, first)
        self.more: Callable[[], bool] = lambda: True  # whether another trial than those begun will be asked for
        self.say: Callable[[str], object] = lambda _line: None
        self._devices = devices
        self._violations = violations
        self._asked: _Asked | None = None
        self._failed: dict[tuple[str, str], str] = {}  # why, by name and digest; a launch asks once
        self._failed_in_a_row = self._refused_in_a_row = 0
        self._rejected: list[Rejection] = []  # that nobody was told yet
        self._known: Mapping[str, int] = {}
        self._doubts: Sequence[Doubt] = ()

    @property
    def waits(self) -> bool:
        """Whether a network is being measured."""
        return self._asked is not None

    def propose(
        self, known: Mapping[str, int], doubts: Sequence[Doubt] = ()
    ) -> tuple[Proposal | None, list[Rejection]]:
        """Return a proposal whose costs are known, or None while one is measured or where nothing new is left.

        Raises:
            StudyError: commands fail one after another, or nothing that they measure keeps its constraint.
        """
        self._known, self._doubts = known, doubts
        found = self._settled()
        while found is None and self._asked is None and self._ask_next(known):
            found = self._settled()
        told, self._rejected = self._rejected, []
        return found, told

    def begun(self, proposal: Proposal, number: int) -> None:
        """Hear that a proposal has become a trial, and have the next one measured meanwhile."""
        super().begun(proposal, number)
        if self._asked is None and self.more():
            mine = {identity(proposal.digest, proposal.params): number}
            known = ChainMap(mine, self._known)  # type: ignore[arg-type]  # nothing is written to it
            with suppress(StorageAway):  # the next question tries again
                self._ask_next(known)

    def _ask_next(self, known: Mapping[str, int]) -> bool:
        """Have the sampler's next network measured, and say whether there is one."""
        proposal, rejected = super().propose(known, self._doubts)
        self._rejected += rejected
        if proposal is None:
            return False
        try:
            unknown = [name for name in self._devices.commands if self._devices.known(name, proposal.digest) is None]
        except StorageAway:
            self.take_back(proposal)
            raise
        asked = {name: self._devices.ask(name, proposal.architecture) for name in unknown}
        self._asked = _Asked(proposal=proposal, answers=asked)
        return True

    def _settled(self) -> Proposal | None:
        """Return the proposal that has waited, if it is measured and worth training."""
        if self._asked is None or not self._asked.done:
            return None
        asked, proposal = self._asked, self._asked.proposal
        self._take_in(asked)
        self._asked = None
        found = self._judge(proposal.params, self._known, self._doubts, proposal.mirror)
        if isinstance(found, Proposal):
            self._refused_in_a_row = 0
            return replace(found, first=proposal.first)
        self._reject(proposal.mirror, found)
        self._rejected.append(found)
        self._count(asked, found)
        return None

    def _take_in(self, asked: _Asked) -> None:
        """Remember what the devices have said of a network.

        Raises:
            StorageAway: the database does not take it now; the proposal waits on.
        """
        for name, answer in asked.answers.items():
            try:
                self._devices.keep(name, asked.proposal.digest, answer.result())
                self._failed_in_a_row = 0
            except Unmeasured as error:
                self._failed[name, asked.proposal.digest] = str(error)

    def _judge(
        self, params: dict[str, Scalar], known: Mapping[str, int], doubts: Sequence[Doubt], mirror: int
    ) -> Proposal | Rejection:
        found = super()._judge(params, known, doubts, mirror)
        return found if isinstance(found, Rejection) else self._with_costs(found)

    def _with_costs(self, proposal: Proposal) -> Proposal | Rejection:
        """Return a proposal with what is known of its costs on devices, or why it is none."""
        measured: dict[str, float] = {}
        for name in self._devices.commands:
            if (why := self._failed.get((name, proposal.digest))) is not None:
                return Rejection(params=proposal.params, violations={UNMEASURED: 1.0}, reason=f"{name}: {why}")
            if (answer := self._devices.remembered(name, proposal.digest)) is not None:
                measured[name] = answer.value
        cost = replace(proposal.cost, more={**proposal.cost.more, **measured})
        return self._allowed(replace(proposal, cost=cost), cost)

    def _allowed(self, proposal: Proposal, cost: Cost) -> Proposal | Rejection:
        constraints = dict(self._violations(cost))
        over = {name: value for name, value in constraints.items() if value > 0}
        if not over:
            return replace(proposal, constraints=constraints)
        named = ", ".join(f"{name} by {value:.0%}" for name, value in over.items())
        return Rejection(params=proposal.params, violations=over, reason=f"oversteps {named}")

    def _count(self, asked: _Asked, rejection: Rejection) -> None:
        """Say that a network could not be measured, and end the launch where that is no exception.

        Raises:
            StudyError: it is none, or hardly anything can keep a constraint.
        """
        if UNMEASURED in rejection.violations:
            self._failed_in_a_row += 1
            self.say(f"warning: a network was not measured, and is left out: {rejection.reason}")
            if self._failed_in_a_row >= MOST_FAILED:
                raise StudyError(f"{MOST_FAILED} networks in a row could not be measured; the last: {rejection.reason}")
        elif asked.answers and rejection.violations:
            self._refused_in_a_row += 1
            if self._refused_in_a_row >= MOST_REFUSED:
                raise StudyError(f"none of {MOST_REFUSED} networks that were measured one after another is allowed; "
                                 f"the last {rejection.reason}")  # fmt: skip
