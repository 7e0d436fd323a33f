"""Count what a trial has done, so that whoever watches from afar can tell a slow one from one that is stuck.

The count is advanced by the work itself. A thread of its own would beat on while the loop spins.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

STARTING, LOADING, EXAMINING = "starting", "loading data", "looking over the processor"
COMPILING = "compiling"
BEGINNING = ("", STARTING, LOADING, EXAMINING, COMPILING)  # told at once, and so is what follows
TRAINING, MEASURING, SAVING = "training", "measuring", "saving"
WAITING = "waiting for the device"  # that somebody who measures has alone
EVERY_S = 1.0  # between two reports

Beat = Callable[[str], None]


def no_beat(_phase: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """What a trial's worker last said of itself."""

    number: int  # the trial's
    phase: str
    count: int  # of beats; only that it changes matters
    pid: int
    node: str  # as Ray names it
    epoch: int = 0  # the last that its network was trained for, recorded by the driver or not
    again: dict[str, Any] | None = None  # what it trained again so far: `epochs`, `seconds`, `why`

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)


class Pulse:
    """Report that a trial begins at once, and then at most every second: epochs may take less than a report."""

    def __init__(self, tell: Callable[[str, int], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        """Take `tell(phase, count)`."""
        self._tell = tell
        self._clock = clock
        self._phase, self._count, self._told_at = "", 0, 0.0

    def __call__(self, phase: str) -> None:
        """Count one more piece of work."""
        self._count += 1
        now = self._clock()
        if phase in BEGINNING or self._phase in BEGINNING or now - self._told_at >= EVERY_S:
            self._told_at = now
            self._tell(phase, self._count)
        self._phase = phase
