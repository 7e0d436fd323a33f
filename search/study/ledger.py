"""Keep no records of a study but its numbers: for simulations, which are over before anyone could kill them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from search.core.records import Event, Host, Rejection, TrialRecord
from search.samplers.proposer import Proposal
from spaces.errors import StorageAway
from workers.measurement import Measurement


class Ledger:
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

    def reconcile(self, trials: Mapping[int, TrialRecord]) -> list[TrialRecord]:  # noqa: ARG002
        """Return nothing: there was no crash."""
        return []

    def sampler_attrs(self) -> dict[int, dict[str, Any]]:
        """Return nothing: there was no launch before."""
        return {}

    def sampler_attrs_of(self, number: int) -> dict[str, Any]:  # noqa: ARG002
        """Return nothing."""
        return {}

    def close(self) -> None:
        """Let go of nothing."""

    def measured(self, number: int, measurement: Measurement) -> None:
        """Forget an epoch."""

    def ended(self, trial: TrialRecord) -> None:
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
