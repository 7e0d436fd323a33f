"""Tell the database that a launch is alive, and where its seconds go."""

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime

from search.core.budget import steady_clock
from search.core.records import Session
from search.storage.store import Store
from search.study.running import RunningStudy
from spaces.errors import StorageAway

TOUCH_S = 2.0


def alive_s(sessions: Iterable[Session]) -> float:
    """Return for how many seconds at least one of the launches was alive."""
    total, until = 0.0, datetime.min.replace(tzinfo=UTC)
    for session in sorted(sessions, key=lambda session: session.started_at):
        total += max(0.0, (session.seen_at - max(session.started_at, until)).total_seconds())
        until = max(until, session.seen_at)
    return total


class SessionLog(AbstractContextManager["SessionLog"]):
    """Record in SQL that this launch is alive and where its seconds go."""

    def __init__(
        self, store: Store, running: RunningStudy, session: int, *, clock: Callable[[], datetime] | None = None
    ) -> None:
        self.store = store
        self.running = running
        self.id = session
        self.clock = clock or steady_clock()
        self._touched = 0.0

    def touch(self) -> None:
        """Write, if the last time is a while ago; a database that cannot take it is away."""
        if time.monotonic() - self._touched >= TOUCH_S:
            self.running.keep()
            try:
                self.write()
            except StorageAway as error:
                self.running.outbox.lose(error)
            self.running.hear()

    def write(self) -> None:
        """Write now, unless the database is known to be away.

        Raises:
            StorageAway: it is.
        """
        self._touched = time.monotonic()
        if self.running.outbox.away_s is not None:
            return
        self.store.touch_session(self.id, seen_at=self.clock(), spent=self.running.account.spent)

    def __exit__(self, *_raised: object) -> None:
        with suppress(StorageAway):  # only some seconds of this launch are not counted then
            self.write()
