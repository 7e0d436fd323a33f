"""Let threads take turns: one baton goes around in the order in which they came, past those who have nothing to do.

So whatever is behind it sees one thread at a time, in an order that hangs on the threads' own steps alone.
"""

import threading
from collections.abc import Callable

LOOK_S = 0.0005  # between two looks at what nobody tells of, such as a device

Ready = Callable[[], bool]  # asked again and again, by any thread: it must not wait for anything


def always() -> bool:
    """Say that there is something to do."""
    return True


class Turns:
    """One baton, and all who take turns."""

    def __init__(self) -> None:
        """Let the baton lie."""
        self._lock = threading.Lock()
        self._ring: list[Turn] = []
        self._holder: Turn | None = None
        self._next = 0  # who is asked first, by place

    def join(self) -> "Turn":
        """Come behind all who are there."""
        with self._lock:
            self._ring.append(Turn(self))
            return self._ring[-1]

    def look(self) -> None:
        """Ask anew who is ready, as something has changed, if nobody has the baton."""
        with self._lock:
            if self._holder is None:
                self._hand_on()

    def _hand_on(self) -> None:
        """Give the baton to the next who waits and is ready; else it lies."""
        self._holder = None
        for step in range(len(self._ring)):
            each = self._ring[(self._next + step) % len(self._ring)]
            if each.waits_for is not None and each.waits_for():
                self._holder, each.waits_for = each, None
                self._next = (self._next + step + 1) % len(self._ring)
                each.called.set()
                return

    def _wait(self, turn: "Turn", ready: Ready) -> None:
        with self._lock:
            turn.called.clear()
            turn.waits_for = ready
            if self._holder in (turn, None):
                self._hand_on()

    def _leave(self, turn: "Turn") -> None:
        with self._lock:
            place = self._ring.index(turn)
            self._ring.remove(turn)
            self._next = (self._next - (place < self._next)) % max(1, len(self._ring))
            if self._holder in (turn, None):
                self._hand_on()


class Turn:
    """One thread's part."""

    def __init__(self, turns: Turns) -> None:
        """Take part, without the baton."""
        self.waits_for: Ready | None = None
        self.called = threading.Event()
        self._turns = turns

    def wait(self, ready: Ready = always, *, untold: bool = False) -> None:
        """Give the baton away, if it is here, and come back with it when it has come around and there is work to do.

        Args:
            ready: whether there is. Who changes that calls `Turns.look`,
            untold: unless nobody does.
        """
        self._turns._wait(self, ready)
        while not self.called.wait(LOOK_S if untold else None):
            self._turns.look()

    def leave(self) -> None:
        """Give the baton away for good."""
        self._turns._leave(self)
