"""Keep the records of replicates where a running study keeps those of trials.

What `RunningStudy` brings to its outbox goes to the table of replicates, by their own numbers.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from search.core.records import Event, Host, Rejection, Replicate, StudyRecord, TrialRecord
from search.samplers.proposer import Proposal
from search.storage.replicates import Replicates
from search.study.recording import Alone
from search.study.seeds import SeedProposal
from workers.measurement import Measurement


def as_trial(replicate: Replicate, trial: TrialRecord | Proposal) -> TrialRecord:
    """Return a replicate as a running study sees it: a trial of that network that has the replicate's number."""
    return TrialRecord(
        number=replicate.number,
        params=trial.params,
        architecture=trial.architecture,
        digest=trial.digest,
        seed=replicate.seed,
        cost=trial.cost,
        state=replicate.state,
        reason=replicate.reason,
        failure_kind=replicate.failure_kind,
        failure_details=replicate.failure_details,
        attempts=replicate.attempts,
        started_at=replicate.started_at,
        ended_at=replicate.ended_at,
        measurements=replicate.measurements,
    )


class SeedStore:
    """Write what a running study brings of its trials to the table of replicates."""

    def __init__(self, replicates: Replicates) -> None:
        self.replicates = replicates
        self.shown_url = replicates.store.shown_url

    def add_measurement(self, study: str, number: int, measurement: Measurement) -> bool:  # noqa: ARG002
        """Write one epoch."""
        return self.replicates.add_measurement(number, measurement)

    def end_trial(self, study: str, number: int, *, front: str | None = None, **ending: Any) -> bool:  # noqa: ARG002
        """Write an end; which front the replicates have among themselves is nobody's."""
        return self.replicates.end(number, **ending)

    def set_attempts(self, study: str, number: int, attempts: int, why: str = "") -> None:  # noqa: ARG002
        """Write how often one was handed out again."""
        self.replicates.set_attempts(number, attempts)

    def add_event(self, study: str, event: Event) -> None:
        """Leave out what happens between begin and end."""

    def add_host(self, study: str, host: Host) -> None:
        """Write what a machine computes right."""
        self.replicates.store.add_host(study, host)


class SeedRecorder(Alone):
    """Number replicates, and remember them: see `search.study.recording.RecorderProtocol`."""

    def __init__(self, replicates: Replicates, record: StudyRecord, known: Iterable[Replicate]) -> None:
        self.store = SeedStore(replicates)
        self.record = record
        self._count = max((each.number for each in known), default=-1) + 1  # one may have been removed

    def count(self) -> int:
        """Return the number of the next replicate."""
        return self._count

    def start(self, proposal: Proposal, seeds: int, now: datetime, session: int | None = None) -> TrialRecord:  # noqa: ARG002
        """Record a new replicate, and return it as a trial with its number."""
        assert isinstance(proposal, SeedProposal)
        replicate = Replicate(
            number=self._count, trial=proposal.trial, seed=proposal.seed, fold=proposal.fold, started_at=now
        )
        self.store.replicates.add(replicate)
        self._count += 1
        return as_trial(replicate, proposal)

    def measured(self, number: int, measurement: Measurement) -> bool:
        """Record one epoch."""
        return self.store.replicates.add_measurement(number, measurement)

    def end(self, trial: TrialRecord, front: str | None = None) -> None:  # noqa: ARG002
        """Record an end."""
        self.store.replicates.end(
            trial.number, state=trial.state, reason=trial.reason, failure_kind=trial.failure_kind,
            failure_details=trial.failure_details, ended_at=trial.ended_at or datetime.now(UTC),
        )  # fmt: skip

    def rejected(self, rejection: Rejection) -> None:
        """Record nothing: no network is proposed that could be refused."""

    def reacquire_lock(self) -> None:
        """Make sure that nobody else holds the study."""
        self.store.replicates.store.reacquire_lock()
