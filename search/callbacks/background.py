"""Let somebody else's code hear of a study in a thread of its own: what is slow or fails holds nothing up."""

from collections.abc import Callable
from queue import Empty, Full, Queue
from threading import Thread
from typing import Protocol

from search.core.records import TrialRecord
from spaces.errors import first_line
from workers.measurement import Measurement

MOST = 10_000  # things that may wait to be heard
END_S = 20.0  # that the end of a launch waits for them


class Hearer(Protocol):
    """Hears of a study; `close` is called when its launch has ended."""

    def on_measurement(self, trial: TrialRecord, measurement: Measurement) -> object:
        """Hear of an epoch."""

    def on_trial(self, trial: TrialRecord) -> object:
        """Hear of a trial's end."""

    def close(self) -> object:
        """Let go of whatever is open."""


class CallbackFailure(Exception):
    """A callback has failed, and is called no more."""


class Background:
    """Hear in the place of a listener, and pass on what was heard.

    What the listener raises is raised at the next thing that there is to hear, as `CallbackFailure`.
    """

    def __init__(self, name: str, listener: Hearer, most: int = MOST) -> None:
        self.name = name
        self._listener = listener
        self._waiting: Queue[Callable[[], object]] = Queue(most)
        self._failure = ""
        self._over = False
        self._thread = Thread(target=self._pass_on, name=f"callback {name}", daemon=True)
        self._thread.start()

    def on_measurement(self, trial: TrialRecord, measurement: Measurement) -> None:
        """Hear of an epoch."""
        self._put(lambda: self._listener.on_measurement(trial, measurement))

    def on_trial(self, trial: TrialRecord) -> None:
        """Hear of a trial's end."""
        self._put(lambda: self._listener.on_trial(trial))

    def close(self, within_s: float = END_S) -> str:
        """Wait a while until all was heard, and return what was lost or went wrong; nothing where all is well."""
        self._over = True
        self._thread.join(within_s)
        if self._failure:
            return f"{self.name}: {self._failure}"
        left = self._waiting.qsize()
        return f"{self.name} did not take everything in {within_s:g} s; {left} left" if self._thread.is_alive() else ""

    def _put(self, call: Callable[[], object]) -> None:
        if self._failure:
            raise CallbackFailure(f"{self.name}: {self._failure}")
        try:
            self._waiting.put_nowait(call)
        except Full:
            self._failure = f"is too slow: {self._waiting.maxsize} things wait to be heard"
            raise CallbackFailure(f"{self.name}: {self._failure}") from None

    def _pass_on(self) -> None:
        try:
            while not self._failure and (call := self._next()) is not None:
                call()
            if not self._failure:
                self._listener.close()
        except BaseException as error:  # SystemExit too: some libraries end with it
            self._failure = f"{type(error).__name__}: {first_line(error)}"

    def _next(self) -> Callable[[], object] | None:
        """Return the next thing to hear, or None when there will be none."""
        while True:
            try:
                return self._waiting.get(timeout=0.2)
            except Empty:
                if self._over:
                    return None
