"""Wait for a disk that takes no checkpoint: one trial tries now and then, and nothing else is handed out."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

SOONEST_S, LATEST_S = 2.0, 60.0  # between two tries: each trains an epoch before it finds out


@dataclass(slots=True)
class Disk:
    """What is known of the disk that holds the checkpoints."""

    clock: Callable[[], datetime]
    why: str = ""  # one line, while it takes nothing
    _full_since: datetime | None = None
    _next: datetime | None = None
    _trying: int | None = None  # the trial that was handed out to try

    @property
    def full_s(self) -> float | None:
        """For how many seconds it has taken nothing; None while it takes what comes."""
        return None if self._full_since is None else (self.clock() - self._full_since).total_seconds()

    def refused(self, why: str) -> None:
        """Take in that a trial found no room."""
        now = self.clock()
        self._full_since = self._full_since or now
        passed_s = (now - self._full_since).total_seconds()
        self._next = now + timedelta(seconds=min(LATEST_S, max(SOONEST_S, passed_s / 2)))
        self.why = why

    def took(self) -> None:
        """Take in that a trial has written."""
        self._full_since, self.why, self._trying = None, "", None

    def may_try(self, at_work: set[int]) -> bool:
        """Whether it is time for a trial to try, and none does."""
        due = self._next is None or self.clock() >= self._next
        return due and self._trying not in at_work

    def tries(self, number: int) -> None:
        """Take in which trial was handed out to try."""
        self._trying = number
