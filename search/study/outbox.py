"""Bring what happens to the database in order; while it is away, into the journal, and training goes on.

Every entry can be written twice without harm: what is recorded already stays as it is.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from search.core.records import Event, Host, State, StudyRecord, TrialRecord
from search.study.journal import Entry, Journal
from search.study.recording import RecorderProtocol
from spaces.errors import StorageAway, StudyError
from workers.measurement import Measurement

log = logging.getLogger(__name__)
SOONEST_S, LATEST_S = 1.0, 30.0  # between two attempts to reach a database that is away


class Writes(Protocol):
    """Take what happens to trials, as a `Store` does; to write twice changes nothing."""

    @property
    def shown_url(self) -> str:
        """Return the address of the database, for people."""

    def add_measurement(self, study: str, number: int, measurement: Measurement) -> bool:
        """Write what one epoch revealed."""

    def end_trial(
        self,
        study: str,
        number: int,
        *,
        state: State,
        reason: str,
        failure_kind: str,
        failure_details: str,
        ended_at: datetime,
        front: str | None = None,
    ) -> bool:
        """Write an end."""

    def set_attempts(self, study: str, number: int, attempts: int, why: str = "") -> None:
        """Write how often a trial was handed out again."""

    def add_event(self, study: str, event: Event) -> None:
        """Write what happened beside."""

    def add_host(self, study: str, host: Host) -> None:
        """Write what a machine computes right."""


class Records(RecorderProtocol, Protocol):
    """Numbers trials, and knows where they are written."""

    record: StudyRecord

    @property
    def store(self) -> Writes:
        """Return what takes whatever waited."""

    def measured(self, number: int, measurement: Measurement) -> bool:
        """Record one epoch."""

    def end(self, trial: TrialRecord, front: str | None = None) -> None:
        """Record an end."""


class Outbox:
    """Write measurements and endings, now or when the database is back."""

    def __init__(self, recorder: Records, journal: Journal, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.recorder = recorder
        self.journal = journal
        self.clock = clock
        self.why = ""  # one line, while the database is away
        self._away_since: float | None = None
        self._next = 0.0

    @property
    def away_s(self) -> float | None:
        """Return for how many seconds the database has been away, or None while it is there."""
        return None if self._away_since is None else self.clock() - self._away_since

    @property
    def waits(self) -> str:
        """Return one line: why the database is away, and what waits for it."""
        return f"({self.why}): {len(self.journal)} records wait in {self.journal.path}"

    def measured(self, number: int, measurement: Measurement) -> None:
        """Bring one epoch."""
        entry = {"what": "measured", "number": number, "measurement": measurement.to_json()}
        self._bring(entry, lambda: self.recorder.measured(number, measurement))

    def ended(self, trial: TrialRecord, front: str | None = None) -> None:
        """Bring a trial's end, and where it has changed the front what that is now."""
        self._bring({**_ending(trial), "front": front}, lambda: self.recorder.end(trial, front))

    def attempted(self, number: int, attempts: int, why: str) -> None:
        """Bring how often a trial was handed out again, and why the last time."""
        entry = {"what": "attempted", "number": number, "attempts": attempts, "why": why}
        name = self.recorder.record.name
        self._bring(entry, lambda: self.recorder.store.set_attempts(name, number, attempts, why))

    def happened(self, event: Event) -> None:
        """Bring what happened beside measurements and ends."""
        told = {"at": event.at.isoformat(), "kind": event.kind, "text": event.text, "trial": event.trial}
        name = self.recorder.record.name
        self._bring({"what": "event", "event": told}, lambda: self.recorder.store.add_event(name, event))

    def host(self, host: Host) -> None:
        """Bring what a machine computes right."""
        name = self.recorder.record.name
        self._bring({"what": "host", "host": host.to_json()}, lambda: self.recorder.store.add_host(name, host))

    def _bring(self, entry: Entry, write: Callable[[], Any]) -> None:
        """Write it, or let it wait behind all that waits already."""
        if self._away_since is None:
            try:
                write()
                return
            except StorageAway as error:
                self.lose(error)
        self.journal.append(entry)

    def lose(self, error: StorageAway) -> None:
        """Remember that the database is away, and when to try again."""
        now = self.clock()
        if self._away_since is None:
            log.info("the database is away: %s", error)
            self._away_since = now
        self.why = str(error)
        self._next = now + min(LATEST_S, max(SOONEST_S, (now - self._away_since) / 4))

    def deliver(self, finish: Callable[[], None]) -> bool:
        """Bring what waits, if it is time to try, and say whether the database is there and nothing waits.

        Args:
            finish: what has to be done once it is back; it may find the database away again.
        """
        if self._away_since is None:
            return True
        if self.clock() < self._next:
            return False
        try:
            send(self.journal, self.recorder.store, self.recorder.record.name)
            finish()
        except StorageAway as error:
            self.lose(error)
            return False
        log.info("the database is back after %.1f s", self.away_s or 0.0)
        self._away_since, self.why = None, ""
        return True


def send(journal: Journal, store: Writes, study: str) -> None:
    """Write all entries of a journal into the database, in order, and forget them once the last has arrived.

    Raises:
        StorageAway: the database went away; all of them stay.
        StudyError: the journal is of another database.
    """
    for entry in journal.entries:
        try:
            _write(store, study, entry)
        except (ValueError, KeyError, TypeError) as error:
            odd = f"{journal.path} does not fit {store.shown_url}: {error}"
            raise StudyError(f"{odd}; move it away to do without it") from error
    if journal.entries:
        journal.clear()


def _ending(trial: TrialRecord) -> Entry:
    return {
        "what": "ended",
        "number": trial.number,
        "state": trial.state.value,
        "reason": trial.reason,
        "failure_kind": trial.failure_kind,
        "failure_details": trial.failure_details,
        "ended_at": trial.ended_at.isoformat() if trial.ended_at else None,
    }


def _write(store: Writes, study: str, entry: Entry) -> None:
    if entry["what"] == "host":
        store.add_host(study, Host(**entry["host"]))
        return
    if entry["what"] == "event":
        told = entry["event"]
        store.add_event(study, Event(**{**told, "at": datetime.fromisoformat(told["at"])}))
        return
    number = entry["number"]
    if entry["what"] == "measured":
        store.add_measurement(study, number, Measurement.from_json(entry["measurement"]))
    elif entry["what"] == "attempted":
        store.set_attempts(study, number, entry["attempts"], entry.get("why", ""))
    else:
        store.end_trial(
            study,
            number,
            state=State(entry["state"]),
            reason=entry["reason"],
            failure_kind=entry["failure_kind"],
            failure_details=entry["failure_details"],
            ended_at=datetime.fromisoformat(entry["ended_at"]),
            front=entry.get("front"),
        )
