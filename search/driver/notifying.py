"""Send word when something happens that a person who is away wants to hear of; what cannot be sent harms nothing."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from queue import Queue
from threading import Thread
from typing import Any

from search.config.listening import HAPPENINGS
from search.core.labels import failures_line, name_of
from search.core.records import State
from search.core.units import format_duration, format_number_of, format_percent
from search.study.running import RunningStudy
from spaces.errors import InputError, first_line
from workers.tasks import CLASSIFICATION

EVERY_S = 300.0  # at least, between two messages of one kind
NEAR = 0.9  # of a budget
END_S = 15.0  # that a launch's end waits for what is to be sent


def check_urls(urls: Sequence[str]) -> None:
    """Refuse addresses that nothing can be sent to; they are never part of a message.

    Raises:
        InputError: apprise is not installed, or knows no such address.
    """
    if find_spec("apprise") is None:
        raise InputError("apprise is not installed: pip install 'widefront[notify]'")
    import apprise

    _silence()
    for place, url in enumerate(urls):
        if "${" not in url and not apprise.Apprise().add(url):
            raise InputError("is no address that apprise knows", place=f"urls.{place}")


def _silence() -> None:
    """Keep apprise from writing of addresses."""
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)


@dataclass(slots=True)
class Notifier:
    """Look at a running study now and then, and send what is new of what was asked for.

    Args:
        study: its name.
        urls: where to send it.
        events: of HAPPENINGS.
        warn: told once, in one line, that something could not be sent.
    """

    study: str
    urls: Sequence[str]
    events: Sequence[str] = HAPPENINGS
    warn: Callable[[str], object] = lambda _line: None
    clock: Callable[[], float] = time.monotonic
    send: Callable[[str, str], bool] | None = None  # takes a title and a text; in the place of apprise
    _waiting: "Queue[tuple[str, str] | None]" = field(default_factory=Queue)
    _sent_at: dict[str, float] = field(default_factory=dict)
    _failed: int | None = None
    _front: frozenset[int] | None = None
    _known: set[object] = field(default_factory=set)  # of what is told once
    _thread: Thread | None = None
    _warned: bool = False

    def update(self, running: RunningStudy) -> None:
        """Look at the study, and send what is new."""
        if not self.urls:
            return
        for kind, text in self._news(running):
            self.tell(kind, text)

    def tell(self, kind: str, text: str) -> None:
        """Send a text of a kind, if that was asked for."""
        if kind in self.events and self.urls:
            self._sent_at[kind] = self.clock()
            self._begin()
            self._waiting.put((f"{self.study}: {kind}", text))

    def close(self, within_s: float = END_S) -> None:
        """Wait a while for what is to be sent."""
        if self._thread:
            self._waiting.put(None)
            self._thread.join(within_s)

    def _news(self, running: RunningStudy) -> Iterator[tuple[str, str]]:
        yield from self._of_failures(running)
        yield from self._of_front(running)
        for number, late_s in running.overdue.items():
            if self._once(("overdue", number)):
                yield "overdue", f"trial {number} has been silent for {format_duration(late_s)} longer than expected"
        for name, amount, limit in running.account.budget.used(running.account.spending):
            if limit and amount >= NEAR * limit and self._once(("budget", name, limit)):
                yield "budget", f"{amount:.3g} of {limit:g} {name} are spent"

    def _of_failures(self, running: RunningStudy) -> Iterator[tuple[str, str]]:
        count = running.trials.count[State.FAILED]
        before = self._failed if self._failed is not None else count
        self._failed = before
        if count > before and self._may("failed"):
            self._failed = count
            failed = (trial for trial in running.trials.values() if trial.state is State.FAILED)
            told = format_number_of("trial", len(running.trials))
            yield "failed", f"{count - before} more of {told} failed; {failures_line(failed)}"

    def _of_front(self, running: RunningStudy) -> Iterator[tuple[str, str]]:
        front = running.trials.front
        now = frozenset(trial.number for trial in front)
        if self._front is None:
            self._front = now
        if not now <= self._front and self._may("front"):
            self._front = now
            best = front[-1]
            shown = best.found.get(CLASSIFICATION.headline) if best.found else None
            reached = "" if shown is None else f", the best at {format_percent(shown)}"
            yield (
                "front",
                f"{format_number_of('network', len(front))} on the Pareto front{reached}: "
                + ", ".join(f"{name_of(trial.architecture)} (trial {trial.number})" for trial in reversed(front)),
            )

    def _may(self, kind: str) -> bool:
        """Whether the last message of a kind is long ago."""
        return self.clock() - self._sent_at.get(kind, -EVERY_S) >= EVERY_S

    def _once(self, what: object) -> bool:
        new = what not in self._known
        self._known.add(what)
        return new

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._send_all, name="notifications", daemon=True)
            self._thread.start()

    def _send_all(self) -> None:
        send = self.send or _by_apprise(self.urls)
        while (message := self._waiting.get()) is not None:
            try:
                why = "" if send(*message) else "refused, or nobody there"
            except Exception as error:  # a library's, which may name the address: only its kind is told
                why = first_line(type(error).__name__)
            if why and not self._warned:
                self._warned = True
                self.warn(f"warning: a notification could not be sent ({why})")


def _by_apprise(urls: Sequence[str]) -> Callable[[str, str], bool]:
    import apprise

    _silence()
    sender: Any = apprise.Apprise()
    for url in urls:
        sender.add(url)
    return lambda title, text: bool(sender.notify(title=title, body=text))
