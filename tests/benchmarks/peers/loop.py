"""Let any peer search recorded trainings: workers, a simulated clock, one epoch after the other.

A free worker asks the peer for a trial; the peer hears of every recorded epoch and says whether the trial goes on.
"""

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from search.core.records import State
from search.simulation.recordings import Recordings
from search.simulation.simulator import Course
from tests.benchmarks.peers.rows import Rows


class Verdict(Enum):
    """Say what becomes of a trial after an epoch."""

    GO = auto()
    REST = auto()  # its worker is free, and the peer may hand it out again
    STOP = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Hold what a peer is told of a study."""

    recordings: Recordings
    rows: Rows
    seed: int

    @property
    def max_epochs(self) -> int:
        """Return full fidelity."""
        return self.recordings.epochs[-1]


Work = tuple[int, int]  # the number of a trial, new or rested, and its row


class Peer(Protocol):
    """Propose trials and decide how far each goes. Values `m` are the objectives', in their own directions."""

    resumes: bool  # whether trials rest and are handed out again

    def ask(self, number: int) -> Work | None:
        """Return the trial that a free worker trains: a new one of this number or one that rests; None where none."""

    def report(self, number: int, epoch: int, values: list[float]) -> Verdict:
        """Say whether a trial goes on that has trained an epoch; after the last one the answer is not heeded."""

    def end(self, number: int, epoch: int, values: list[float]) -> None:
        """Hear that a trial was stopped or trained in full, and of its last epoch."""

    def fail(self, number: int) -> None:
        """Hear that a trial came to nothing."""


MakePeer = Callable[[Setting], Peer]


@dataclass(slots=True)
class _Training:
    network: int
    seed: int
    began_s: float
    since_s: float = 0.0  # when it would have begun, had it never rested
    steps: int = 0  # recorded epochs behind it
    epochs: int = 0
    latest: tuple[int, float] = (0, 0.0)  # epochs of all trials, and seconds, at its last
    state: State = State.STOPPED  # as a trial is that rests for good


@dataclass(slots=True)
class Loop:
    """Run one study."""

    setting: Setting
    peer: Peer
    trials: int  # that may begin
    free: int  # workers
    epochs: int | None = None  # trained by all, from which none begins
    trainings: dict[int, _Training] = field(default_factory=dict)
    _events: list[tuple[float, int, int]] = field(default_factory=list)  # when, in what order, of which trial
    _now_s: float = 0.0
    _order: int = 0
    _spent: int = 0  # epochs
    _over: bool = False

    def run(self) -> list[Course]:
        """Return the trials in the order in which each trained for the last time."""
        self._fill()
        while self._events:
            self._now_s, _, number = heapq.heappop(self._events)
            if self._goes_on(number):
                self._await(number)
            else:
                self.free += 1
                self._fill()
        ordered = sorted(self.trainings, key=lambda number: self.trainings[number].latest)
        return [self._course(number) for number in ordered]

    def _fill(self) -> None:
        """Give every free worker a trial. The first that would begin beyond the budget ends the asking."""
        while self.free and not self._over:
            number = len(self.trainings)
            if (number == self.trials and not self.peer.resumes) or self._spent >= (self.epochs or math.inf):
                return
            work = self.peer.ask(number)
            self._over = work is not None and work[0] >= self.trials
            if work is None or self._over:
                return
            self.free -= 1
            self._hand_out(*work)

    def _hand_out(self, number: int, network: int) -> None:
        recordings = self.setting.recordings
        if number not in self.trainings:
            which = random.Random(f"{self.setting.seed}/{number}").randrange(int(recordings.seeds[network]))
            self.trainings[number] = _Training(network=network, seed=which, began_s=self._now_s)
        training = self.trainings[number]
        training.since_s = self._now_s - self._trained_s(training, training.steps)
        self._await(number)

    def _trained_s(self, training: _Training, steps: int) -> float:
        seconds = self.setting.recordings.seconds[training.network, training.seed]
        return float(seconds[steps - 1]) if steps else 0.0

    def _await(self, number: int) -> None:
        training = self.trainings[number]
        self._order += 1
        ends_s = training.since_s + self._trained_s(training, training.steps + 1)
        heapq.heappush(self._events, (ends_s, self._order, number))

    def _goes_on(self, number: int) -> bool:
        training = self.trainings[number]
        epoch, values = self._train(training)
        training.latest = self._spent, self._now_s
        if any(map(math.isnan, values)):
            return self._close(number, State.FAILED)
        verdict = self.peer.report(number, epoch, values)
        if epoch == self.setting.max_epochs or verdict is Verdict.STOP:
            self.peer.end(number, epoch, values)
            return self._close(number, State.COMPLETE if epoch == self.setting.max_epochs else State.STOPPED)
        if training.steps == self.setting.recordings.steps[training.network, training.seed]:
            return self._close(number, State.FAILED)
        return verdict is Verdict.GO

    def _train(self, training: _Training) -> tuple[int, list[float]]:
        """Return the next recorded epoch, and all objectives `m` at it."""
        recordings = self.setting.recordings
        shown = recordings.measurement(training.network, training.seed, training.steps)
        self._spent += shown.epoch - training.epochs
        training.steps += 1
        training.epochs = shown.epoch
        names = [objective.name for objective in recordings.objectives]
        known = {name: float(array[training.network]) for name, array in recordings.known.items()}
        return shown.epoch, [(known | dict(shown.metrics))[name] for name in names]

    def _close(self, number: int, state: State) -> bool:
        self.trainings[number].state = state
        if state is State.FAILED:
            self.peer.fail(number)
        return False

    def _course(self, number: int) -> Course:
        training = self.trainings[number]
        return Course(
            number=number,
            network=training.network,
            params=self.setting.recordings.networks[training.network],
            seed=training.seed,
            epochs=training.epochs,
            spent_epochs=training.latest[0],
            began_s=training.began_s,
            ended_s=training.latest[1],
            state=training.state,
            reason="",
        )
