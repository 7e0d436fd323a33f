"""Tell the database that a launch is alive, and where its seconds go."""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime

from search.running import RunningStudy
from search.store import Store
from spaces.errors import StorageAway

TOUCH_S = 2.0


class SessionLog(AbstractContextManager["SessionLog"]):
    """Record in SQL that this launch is alive and where its seconds go."""

    def __init__(self, store: Store, running: RunningStudy, machine: Mapping[str, str], started_at: datetime) -> None:
        self.store = store
        self.running = running
        self.id = store.open_session(running.record.name, started_at=started_at, machine=machine)
        self._touched = 0.0

    def touch(self) -> None:
        """Write, if the last time is a while ago."""
        if time.monotonic() - self._touched >= TOUCH_S:
            self.write()

    def write(self) -> None:
        """Write now."""
        self._touched = time.monotonic()
        if self.running.outbox.away_s is not None:
            return
        spent = self.running.spent
        with suppress(StorageAway):  # it is told again soon
            self.store.touch_session(
                self.id,
                seen_at=datetime.now(UTC),
                startup_s=spent.startup_s,
                proposing_s=spent.proposing_s,
                training_s=spent.training_s,
                recording_s=spent.recording_s,
            )

    def __exit__(self, *_raised: object) -> None:
        self.write()
