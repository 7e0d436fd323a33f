"""A study that is written while somebody looks, as a launch writes it, and servers that show it."""

import os
import platform
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from search.core.fronts import front_trials
from search.core.records import Event, EventKind, State, StudyRecord, TrialRecord
from search.core.units import format_number_of
from search.storage.store import Store
from tests import factories
from tests.dashboards import conftest as synthetic

NAME = "digits-front"


class Written:
    """A study in a database, to which a test writes as a launch would."""

    def __init__(self, url: str, name: str = NAME, seed: int = 5, **changes: object) -> None:
        self.url = url
        self.name = name
        self.store = Store.open(url)
        self.rng = random.Random(seed)
        self.now = datetime.now(UTC)
        config = {**synthetic.CONFIG, "study": name}
        usual = {"space": synthetic.SPACE, "config": config, "bounds": synthetic._BOUNDS, "created_at": synthetic.START}
        self.record: StudyRecord = factories.study(name, **{**usual, **changes})
        self.store.add_study(self.record)
        self.trials: list[TrialRecord] = []
        self.session = self.store.open_session(name, started_at=self.now, machine=synthetic.MACHINE)

    def happen(self, kind: EventKind, text: str = "", trial: int | None = None) -> None:
        self.store.add_event(self.name, Event(at=self._tick(), kind=kind, text=text, trial=trial))

    def _tick(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def begin(self, **changes: object) -> TrialRecord:
        """Begin a trial, whose epochs are still to come."""
        trial = synthetic._synthetic_trial(len(self.trials), self.rng)
        made = {"state": State.RUNNING, "reason": "", "failure_kind": "", "ended_at": None, "started_at": self._tick()}
        trial = replace(trial, **{**made, **changes})
        self.trials.append(trial)
        self.store.add_trial(self.name, replace(trial, measurements=()))
        return trial

    def train(self, number: int, *accuracies: float) -> None:
        """Record epochs of a trial."""
        trial = self.trials[number] = replace(self.trials[number], measurements=self._known(number))
        for accuracy in accuracies:
            epoch, at = trial.epochs + 1, self._tick()
            shown = factories.measurement(epoch, accuracy=accuracy, host="node1", device="cuda:0", at=at)
            self.store.add_measurement(self.name, number, shown)
            trial = self.trials[number] = replace(trial, measurements=(*trial.measurements, shown))

    def _known(self, number: int) -> tuple:  # type: ignore[type-arg]
        found = self.store.trial(self.name, number)
        return found.measurements if found else ()

    def end(self, number: int, state: State, reason: str = "", kind: str = "", log: str = "") -> None:
        """End a trial; where that changes the front, its event says so."""
        self.trials[number] = ended = replace(self.trials[number], state=state)
        front = [each.number for each in front_trials(self.record, [*self.complete(), ended])]
        told = format_number_of("network", len(front)) if number in front else None
        self.store.end_trial(
            self.name, number, state=state, reason=reason, failure_kind=kind, failure_details=log,
            ended_at=self._tick(), front=told,
        )  # fmt: skip

    def complete(self) -> list[TrialRecord]:
        return [trial for trial in self.trials if trial.state is State.COMPLETE]

    def whole(self, final: float, **changes: object) -> int:
        """Train a trial in full."""
        number = self.begin(**changes).number
        self.train(number, *(final - (final - 0.35) * 0.5**epoch for epoch in range(1, 9)), final)
        self.end(number, State.COMPLETE)
        return number

    def alive(self) -> None:
        """Say that the launch lives."""
        self.store.touch_session(self.session, seen_at=datetime.now(UTC), spent=synthetic_spent())

    def close(self) -> None:
        self.store.close()


def synthetic_spent():  # type: ignore[no-untyped-def]
    from search.core.records import Spent

    return Spent()


@pytest.fixture
def written(sqlite_url: str) -> Iterator[Written]:
    """Give a study that has just begun."""
    made = Written(sqlite_url)
    yield made
    made.close()


@contextmanager
def server(url: str, *options: str, token: bool = False) -> Iterator[str]:
    """Serve the page by its command, and give its address, with the token by which one may act or without it."""
    command = [sys.executable, "-m", "dashboards.live", url, "--port", "0", "--until-eof", *options]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ})
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("http://127.0.0.1:"), line
        address = line.partition(" ")[0]
        yield address if token else address.partition("#")[0]
    finally:
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


HERE = platform.node()
ROOT = Path(__file__).parents[3]
