"""Share a study with other launches: whose trials are whose, and what the others' trials have shown."""

import math
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Protocol

from search.core.records import TrialRecord
from search.storage.store import Store

SILENT_S = 60.0  # a launch whose connection broke may be back within this time


class Launches(Protocol):
    """What concerns other launches of the same study."""

    @property
    def session(self) -> int | None:
        """Return the number of this launch."""

    @property
    def shared(self) -> bool:
        """Whether there can be others."""

    @property
    def doubtful(self) -> Collection[int | None]:
        """Return the launches that may be dead, or may be back soon."""

    def turn(self) -> AbstractContextManager[None]:
        """Keep the others from proposing meanwhile."""

    def news(self, newest: int, unended: Collection[int]) -> list[TrialRecord]:
        """Return trials above a number, and those named, as they stand in the database."""

    def owned_elsewhere(self, trial: TrialRecord) -> bool:
        """Whether another launch that lives is training a trial."""

    def claim(self, trial: TrialRecord) -> bool:
        """Take a trial over; whether it is this launch's now."""


class OnlyLaunch:
    """The only launch of a study."""

    shared = False
    doubtful: Collection[int | None] = ()

    def __init__(self, session: int | None = None) -> None:
        self.session = session

    def turn(self) -> AbstractContextManager[None]:
        """Wait for nobody."""
        return nullcontext()

    def news(self, newest: int, unended: Collection[int]) -> list[TrialRecord]:  # noqa: ARG002
        """Return nothing: what there is, this launch has done."""
        return []

    def owned_elsewhere(self, trial: TrialRecord) -> bool:  # noqa: ARG002
        """Never."""
        return False

    def claim(self, trial: TrialRecord) -> bool:  # noqa: ARG002
        """Always: whoever had it is gone."""
        return True


class SharedLaunches:
    """One of several launches of a study in PostgreSQL.

    A launch that lives holds a lock of its own. One whose lock is gone and that has been silent for a while is dead,
    and its running trials are anybody's who claims them first.
    """

    shared = True

    def __init__(self, store: Store, study: str, session: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.store = store
        self.study = study
        self.session = session
        self.clock = clock
        self.doubtful: set[int | None] = set()
        self._seen: dict[int, tuple[datetime, float]] = {}  # what each told last, and when that was new here

    def turn(self) -> AbstractContextManager[None]:
        """Wait until no other launch proposes."""
        return self.store.turn(self.study)

    def news(self, newest: int, unended: Collection[int]) -> list[TrialRecord]:
        """Return trials above a number, and those named, as they stand in the database."""
        return self.store.trials_since(self.study, newest, unended)

    def owned_elsewhere(self, trial: TrialRecord) -> bool:
        """Whether another launch that lives is training a trial."""
        if trial.session is None or trial.session == self.session:
            return False
        if self.store.is_living(trial.session):
            self.doubtful.discard(trial.session)
            return True
        silent = self._silent_s(trial.session) > SILENT_S
        (self.doubtful.discard if silent else self.doubtful.add)(trial.session)
        return not silent

    def _silent_s(self, session: int) -> float:
        """Return for how long a launch has told nothing new, by this machine's clock: theirs may be another's."""
        told = {each.id: each.seen_at for each in self.store.sessions(self.study)}.get(session)
        if told is None:
            return math.inf
        if session not in self._seen or self._seen[session][0] != told:
            self._seen[session] = (told, self.clock())
        return self.clock() - self._seen[session][1]

    def claim(self, trial: TrialRecord) -> bool:
        """Take a trial over, unless another launch was faster."""
        return trial.session == self.session or self.store.claim(self.study, trial, self.session)
