"""Hand over what a trial has to tell, one thing for each time that somebody asks."""

import threading
from collections import deque
from collections.abc import Callable

from workers.assignment import Told

ENDED: Told = {"ended": True}


class Post:
    """Between a trial's thread and whoever asks for what it tells.

    Nothing is trained ahead of a question: who decides after an epoch whether there is another one would have it for
    nothing.
    """

    def __init__(self, asked: Callable[[], object]) -> None:
        """Take what is called as somebody has asked."""
        self._asked = asked
        self._news: deque[Told] = deque()
        self._changed = threading.Condition()
        self._last: Told | None = None
        self.is_wanted = False

    def take(self, patience_s: float) -> Told | None:
        """Ask for the next thing, and return it; None if there is nothing within so many seconds. A question stays."""
        with self._changed:
            self.is_wanted = self.is_wanted or not self._news
        self._asked()
        with self._changed:
            self._changed.wait_for(lambda: self._news or self._last is not None, patience_s)
            return self._news.popleft() if self._news else self._last

    def tell(self, told: Told) -> None:
        """Answer."""
        with self._changed:
            self.is_wanted = False
            self._news.append(told)
            self._changed.notify_all()

    def close(self, last: Told = ENDED) -> None:
        """Answer all further questions alike."""
        with self._changed:
            self._last = last
            self._changed.notify_all()
