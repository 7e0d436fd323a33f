"""Run studies without Ray and without training: a learner says what workers would have measured."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.storages import RDBStorage

from search.config.study import StudyConfig, parse
from search.core.records import StudyRecord, TrialRecord
from search.driver.driver import open_running
from search.storage.store import Store
from search.study.recorder import Recorder
from search.study.running import Nothing, RunningStudy
from workers.measurement import Measurement

NOON = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)

FILE: dict[str, Any] = {
    "study": "bench",
    "data": "digits",
    "space": {
        "block": {"choice": ["basic", "resnext", "preact"]},
        "depth": {"int": [1, 4]},
        "widening_factor": {"choice": [0.25, 0.5, 1, 2]},
        "cardinality": {"choice": [2, 4, 8], "when": {"block": ["resnext"]}},
        "dropout": {"choice": ["none", "between"]},
        "dropout_rate": {"float": [0.05, 0.5], "when": {"dropout": ["between"]}},
    },
    "constraints": {"params": "<= 500k"},
    "sampler": {"name": "random", "seed": 0},
    "scheduler": {"name": "pareto-asha", "grace_epochs": 1, "max_epochs": 9, "reduction_factor": 3},
    "budget": {"trials": 8},
}


class Clock:
    """Tell the time that a test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


def learn(trial: TrialRecord, epoch: int) -> Measurement:
    """Return what a worker would measure: a function of architecture, seed and epoch, better with size and time."""
    drawn = hashlib.sha256(f"{trial.digest} {trial.seed} {epoch}".encode()).digest()
    noise = (drawn[0] + drawn[1] / 256) / 256 - 0.5
    ceiling = 0.98 - 0.5 / trial.cost.params**0.2
    accuracy = 0.1 + (ceiling - 0.1) * (1 - 0.55**epoch) + 0.04 * noise
    return Measurement(
        epoch=epoch,
        metrics={
            "accuracy": accuracy,
            "loss": 2.3 * (1 - accuracy),
            "train_loss": 2.2 * (1 - accuracy),
            "peak_bytes": 1000.0 * epoch,
        },
        train_s=0.75,
        eval_s=0.25,
    )


def record_of(config: StudyConfig) -> StudyRecord:
    """Return the record that a file's study begins with, on images of digits."""
    return StudyRecord(
        name=config.study,
        objectives=config.objectives,
        space=config.plain()["space"],
        config=config.plain(),
        max_epochs=config.scheduler.max_epochs,
        rungs=config.scheduler.rungs,
        classes=10,
        image=(1, 8, 8),
        bounds={"macs": (1e4, 1e7), "params": (1e3, 1e6)},
        created_at=NOON,
    )


@dataclass(kw_only=True)
class Bench:
    """Hold one study's database, and open and reopen the study as its launches would."""

    url: str
    config: StudyConfig
    record: StudyRecord
    clock: Clock = field(default_factory=Clock)
    learn: Callable[[TrialRecord, int], Measurement] = learn
    _opened: list[tuple[Recorder, Store]] = field(default_factory=list)

    def open(self, **changes: Any) -> RunningStudy:
        """Return the study as a new launch finds it; the launch before, if there was one, is dead.

        Args:
            changes: sections of the file that this launch changes.
        """
        self.close()
        config = parse({**self.config.plain(), **changes})
        store = Store.open(self.url)
        if store.study(self.record.name) is None:
            store.add_study(self.record)
        try:
            running = open_running(store, config, self.record)
        except BaseException:
            store.close()
            raise
        self._opened.append((running.recorder, store))
        running.account.clock = self.clock
        running.outbox.clock = lambda: self.clock.now.timestamp()
        running.account.began = self.clock()
        return running

    def optunas(self) -> AbstractContextManager[optuna.Study]:
        """Give the study as another program opens it."""
        return optunas(self.url, self.record.name)

    def close(self) -> None:
        """Let go of the database."""
        for recorder, store in self._opened:
            recorder.close()
            store.close()
        self._opened.clear()

    def train(self, running: RunningStudy, trial: TrialRecord, *, until: int | None = None) -> TrialRecord:
        """Train a trial until it is stopped, in full, or up to an epoch."""
        for epoch in range(running.trials[trial.number].epochs + 1, (until or self.record.max_epochs) + 1):
            if running.measured(trial.number, self.learn(trial, epoch)).stop:
                break
        return running.trials[trial.number]

    def train_all(self, running: RunningStudy) -> None:
        """Train one trial after another until none is left."""
        while not isinstance(trial := running.hand_out(), Nothing):
            self.train(running, trial)


@contextmanager
def optunas(url: str, name: str) -> Iterator[optuna.Study]:
    """Give a study as another program opens it, which is told nothing of the service's own tables."""
    storage = RDBStorage(url, skip_compatibility_check=True, skip_table_creation=True)
    yield optuna.load_study(study_name=name, storage=storage)
    storage.remove_session()
    storage.engine.dispose()


@contextmanager
def sql(url: str) -> Iterator[sa.Connection]:
    """Speak to a database past the store, in one transaction."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()
