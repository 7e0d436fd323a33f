"""What a running study asks of whoever proposes, and of whatever keeps its records: SQL, or nothing in a simulation."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from search.core.records import Event, Host, Rejection, TrialRecord
from search.samplers.proposer import Doubt, Proposal
from spaces.domains import Scalar
from spaces.errors import StorageAway
from workers.measurement import Measurement


class ProposerProtocol(Protocol):
    """Names what is trained next, and hears what comes of it."""

    @property
    def waits(self) -> bool:
        """Whether what it last had nothing to propose for may still change: something is under way that decides."""

    def propose(
        self, known: Mapping[str, int], doubts: Sequence[Doubt] = ()
    ) -> tuple[Proposal | None, list[Rejection]]:
        """Return a proposal, or None, and what was rejected on the way."""

    def begun(self, proposal: Proposal, number: int) -> None:
        """Hear that a proposal has become the study's trial of a number."""

    def take_back(self, proposal: Proposal) -> None:
        """Hear that a proposal could not be recorded."""

    def restore(
        self,
        trial: TrialRecord,
        values: Sequence[float],
        showed: Mapping[int, Sequence[float]],
        attrs: Mapping[str, Any],
    ) -> None:
        """Hear of a trial of an earlier launch or of another one."""

    def remember(self, params: Mapping[str, Scalar], *, violations: Mapping[str, float] | None = None) -> int:
        """Hear of a proposal that an earlier launch rejected."""

    def take_up(self) -> None:
        """Make up its mind about all that it was told to remember."""

    def tell(self, trial: TrialRecord, values: Sequence[float]) -> None:
        """Hear how a trial ended."""

    def showed(self, number: int, epoch: int, values: Sequence[float]) -> None:
        """Hear what a trial showed at a rung."""


class RecorderProtocol(Protocol):
    """Numbers trials, and remembers them."""

    def count(self) -> int:
        """Return how many trials have a number."""

    def start(self, proposal: Proposal, seeds: int, now: datetime, session: int | None = None) -> TrialRecord:
        """Record a new trial, and return it with its number."""

    def rejected(self, rejection: Rejection) -> None:
        """Record a proposal that never became a trial."""

    def rests(self, trial: TrialRecord) -> None:
        """Show whoever looks that a trial is not at work."""

    def goes_on(self, trial: TrialRecord) -> None:
        """Show whoever looks that a trial that was begun before is at work again."""

    def reacquire_lock(self) -> None:
        """Take the study's lock again after a lost connection."""

    def reconcile(self, trials: Mapping[int, TrialRecord]) -> list[TrialRecord]:
        """Take away what a crash left different, and return trials that were not known."""

    def sampler_attrs(self) -> dict[int, dict[str, Any]]:
        """Return what the sampler wanted remembered of each trial, where that is anything."""

    def sampler_attrs_of(self, number: int) -> dict[str, Any]:
        """Return what the sampler wanted remembered of one trial."""

    def close(self) -> None:
        """Let go of what holds the records."""


class OutboxProtocol(Protocol):
    """Delivers measurements and the ends of trials to the storage, and buffers them while it is away."""

    @property
    def recorder(self) -> RecorderProtocol:
        """Return what numbers trials."""

    @property
    def away_s(self) -> float | None:
        """Return for how many seconds the database has been away, or None while it is there."""

    def measured(self, number: int, measurement: Measurement) -> None:
        """Bring one epoch."""

    def ended(self, trial: TrialRecord, front: str | None) -> None:
        """Bring a trial's end, and where it has changed the front what that is now."""

    def attempted(self, number: int, attempts: int, why: str) -> None:
        """Bring how often a trial was handed out again, and why the last time."""

    def happened(self, event: Event) -> None:
        """Bring what happened beside measurements and ends."""

    def host(self, host: Host) -> None:
        """Bring what a machine computes right."""

    @property
    def waits(self) -> str:
        """Return one line: why the database is away, and what waits for it."""

    def lose(self, error: StorageAway) -> None:
        """Remember that the database is away."""

    def deliver(self, finish: Callable[[], None]) -> bool:
        """Bring what waits, and say whether nothing does."""


class Alone:
    """Has one set of tables, or none, and no memory of a sampler: what `RecorderProtocol` asks of that is nothing."""

    def reconcile(self, trials: Mapping[int, TrialRecord]) -> list[TrialRecord]:  # noqa: ARG002
        """Return nothing: there are no other tables that could differ."""
        return []

    def sampler_attrs(self) -> dict[int, dict[str, Any]]:
        """Return nothing."""
        return {}

    def sampler_attrs_of(self, number: int) -> dict[str, Any]:  # noqa: ARG002
        """Return nothing."""
        return {}

    def rests(self, trial: TrialRecord) -> None:
        """Show it nobody: what looks at our own tables knows."""

    def goes_on(self, trial: TrialRecord) -> None:
        """Show it nobody."""

    def close(self) -> None:
        """Let go of nothing."""


class Ledger(Alone):
    """Number trials and forget them; as a study asks it of its outbox and of its recorder."""

    away_s = None
    waits = ""

    def __init__(self) -> None:
        self._trials = 0

    @property
    def recorder(self) -> "Ledger":
        """Return what numbers trials."""
        return self

    def count(self) -> int:
        """Return how many trials have a number."""
        return self._trials

    def start(self, proposal: Proposal, seeds: int, now: datetime, session: int | None = None) -> TrialRecord:
        """Return a new trial with its number."""
        number = self._trials
        self._trials += 1
        return TrialRecord(
            number=number,
            params=proposal.params,
            architecture=proposal.architecture,
            digest=proposal.digest,
            seed=seeds + number,
            cost=proposal.cost,
            started_at=now,
            session=session,
        )

    def rejected(self, rejection: Rejection) -> None:
        """Forget a proposal that never became a trial."""

    def reacquire_lock(self) -> None:
        """Hold nothing."""

    def measured(self, number: int, measurement: Measurement) -> None:
        """Forget an epoch."""

    def ended(self, trial: TrialRecord, front: str | None) -> None:
        """Forget an end."""

    def attempted(self, number: int, attempts: int, why: str) -> None:
        """Forget an attempt."""

    def happened(self, event: Event) -> None:
        """Forget what happened."""

    def host(self, host: Host) -> None:
        """Forget a machine."""

    def lose(self, error: StorageAway) -> None:
        """Lose nothing."""

    def deliver(self, finish: Callable[[], None]) -> bool:  # noqa: ARG002
        """Say that nothing waits."""
        return True
