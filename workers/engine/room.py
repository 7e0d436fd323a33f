"""Say who may begin to train: who is first in line, once the memory is there that trials have been seen to hold."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

MARGIN = 1.25  # times what was seen: memory is given out in pieces, and a captured step holds its own


@dataclass(slots=True)
class Held:
    """Bytes of a GPU's memory that one trial holds."""

    now: int = 0
    peak: int = 0
    settled: bool = False  # it has trained an epoch, so that its peak is known

    def due(self, largest: int) -> int:
        """Return what it is going to take beyond what it holds, where the largest seen so far held so much."""
        return max(0, (self.peak if self.settled else max(self.peak, largest)) - self.now)


def is_room(free: int, train: Sequence[Held], largest: int) -> bool:
    """Return whether there is memory for one trial more.

    Args:
        free: bytes of the device.
        train: what those hold that train.
        largest: bytes that a trial has held at most so far; 0 where none has trained an epoch.
    """
    if not train:
        return True
    return largest > 0 and free >= MARGIN * (largest + sum(each.due(largest) for each in train))


@dataclass(eq=False, slots=True)
class Place:
    """One trial's, in line and then among those who train."""

    alone: bool = False  # nobody else may train meanwhile
    held: Held = field(default_factory=Held)


class Room:
    """The line, and those who train."""

    def __init__(self, slots: int, free: Callable[[], int] | None = None) -> None:
        """Let at most so many train at once.

        Args:
            slots: how many.
            free: returns the free bytes of the device; nothing: memory is not looked at.
        """
        self._slots, self._free = slots, free
        self._line: list[Place] = []
        self._train: list[Place] = []
        self._largest = 0
        self._full = False  # the memory was asked for, and nothing has changed since
        self._lock = threading.Lock()

    def come(self, *, alone: bool = False) -> Place:
        """Come to the end of the line."""
        with self._lock:
            self._line.append(Place(alone=alone))
            return self._line[-1]

    def may_begin(self, place: Place) -> bool:
        """Return whether it is first in line, and its time has come."""
        with self._lock:
            if self._line[0] is not place or len(self._train) >= self._slots:
                return False
            if self._train and (place.alone or any(each.alone for each in self._train)):
                return False
            return self._has_memory()

    def _has_memory(self) -> bool:
        if self._free is None or not self._train:
            return True
        if not self._full:
            self._full = not is_room(self._free(), [each.held for each in self._train], self._largest)
        return not self._full

    def begin(self, place: Place) -> None:
        """Go from the line to those who train."""
        with self._lock:
            self._line.remove(place)
            self._train.append(place)

    def settle(self, place: Place) -> None:
        """Hear that a trial has trained an epoch."""
        with self._lock:
            place.held.settled, self._full = True, False
            self._largest = max(self._largest, place.held.peak)

    def leave(self, place: Place) -> None:
        """Go away, wherever it was."""
        with self._lock:
            self._full = False
            for those in (self._line, self._train):
                if place in those:
                    those.remove(place)

    def beside(self, place: Place) -> int:
        """Return how many others train."""
        with self._lock:
            return sum(each is not place for each in self._train)
