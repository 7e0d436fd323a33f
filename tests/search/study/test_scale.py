"""A study that has seen thousands of trials costs as much per trial as one that has just begun, and hardly more memory.

`pytest -s` on this file tells what was measured. Costs are seconds of processor time, the database server's included:
they stay what they are when other processes take their share of the machine.
"""

import gc
import io
import json
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import psutil
import pytest
import sqlalchemy as sa
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler
from rich.console import Console

from search.core.records import State
from search.driver.progress import Progress
from search.study.heartbeat import SessionLog
from search.study.retention import Checkpoints
from search.study.running import RunningStudy
from search.tune.run import _EachStep
from search.tune.scheduler import StudyScheduler
from search.tune.searcher import StudySearcher
from tests.search.bench import Bench, learn
from workers.places import open_folder
from workers.recipe import Recipe
from workers.sources import DataSpec

SPACE = {  # with a rate of its own for nearly every trial: 10,000 different networks are in it
    "block": {"choice": ["basic", "bottleneck", "resnext", "preact"]},
    "depth": {"int": [1, 4]},
    "widening_factor": {"choice": [0.25, 0.5, 1, 2]},
    "cardinality": {"choice": [2, 4, 8], "when": {"block": ["resnext"]}},
    "dropout": {"choice": ["between", "after", "head"]},
    "dropout_rate": {"float": [0.05, 0.5]},
}
WORKERS = 8
WARM_UP = 100  # trials that are not looked at, since everything is met for the first time

MakeBench = Callable[..., Bench]


@dataclass
class RayTrial:
    """Stand in for Ray's own record of a trial."""

    trial_id: str
    config: dict[str, Any]
    epoch: int


@dataclass
class Course:
    """Play a study as Tune would, with workers whose training takes no time."""

    running: RunningStudy
    folder: Path
    terminal: bool
    cpu_s: Callable[[], float]
    spent_s: list[float] = field(default_factory=list)  # of processors, when each trial had ended
    cost_s: list[float] = field(default_factory=list)  # by the clock, of each trial that ended
    measured_s: list[float] = field(default_factory=list)  # by the clock, of each epoch
    bytes: list[int] = field(default_factory=list)  # resident, after each thousand trials
    _at_work: deque[RayTrial] = field(default_factory=deque)
    _cost_s: float = 0.0

    def play(self) -> None:
        """Let all trials come to their ends."""
        running, store = self.running, self.running.recorder.store
        worker = {"checkpoints": str(self.folder), "gpus": 0, "threads": 1}
        searcher = StudySearcher(running, Recipe(epochs=9, batch_size=32), DataSpec(name="digits"), worker)
        session = store.open_session(running.record.name, started_at=datetime.now(UTC), machine={})
        checkpoints = Checkpoints(folder=open_folder(str(self.folder)))
        console = Console(file=io.StringIO(), force_terminal=self.terminal, width=150)
        progress = Progress(running, console, checkpoints=checkpoints)
        with SessionLog(store, running, session) as log, progress:
            while not running.over:
                with self._timed():
                    self._hand_out(searcher)
                self._measure(searcher)
                with self._timed():  # what the driver does whenever something has happened
                    running.deliver()
                    progress.update()
                    log.touch()
                    checkpoints.tidy(running)
                cast(io.StringIO, console.file).truncate(0)

    def _hand_out(self, searcher: StudySearcher) -> None:
        while len(self._at_work) < WORKERS:
            name = f"ray-{len(self.running.trials)}"
            suggested = searcher.suggest(name)
            if not isinstance(suggested, dict):
                return
            self._at_work.append(RayTrial(name, suggested, suggested["recorded"]))

    def _measure(self, searcher: StudySearcher) -> None:
        trial = self._at_work.popleft()
        trial.epoch += 1
        measurement = learn(self.running.trials[trial.config["number"]], trial.epoch)
        with self._timed() as took:
            told = {"measurement": json.dumps(measurement.to_json())}
            verdict = StudyScheduler(self.running).on_trial_result(None, cast(Any, trial), told)
        self.measured_s += took
        if verdict == TrialScheduler.CONTINUE:
            self._at_work.append(trial)
            return
        searcher.on_trial_complete(trial.trial_id)
        self.cost_s.append(self._cost_s)
        self._cost_s = 0.0
        self.spent_s.append(self.cpu_s())
        if len(self.spent_s) % 1000 == 0:
            gc.collect()
            self.bytes.append(psutil.Process().memory_info().rss)

    @contextmanager
    def _timed(self) -> Iterator[list[float]]:
        took, began = list[float](), time.perf_counter()
        yield took
        took.append(time.perf_counter() - began)
        self._cost_s += took[0]

    def cost(self, first: int, last: int) -> float:
        """Return the seconds of processors that one of these trials took, on average."""
        return (self.spent_s[last - 1] - self.spent_s[first - 1]) / (last - first)

    def told(self, window: int) -> str:
        """Return what was measured, as a line."""
        first, last = (
            1000 * statistics.median(part) for part in (self.cost_s[WARM_UP:][:window], self.cost_s[-window:])
        )
        epoch, memory = 1000 * statistics.median(self.measured_s[-window:]), [round(each / 1e6) for each in self.bytes]
        return (
            f"{len(self.cost_s)} trials, {self.running.trials.count[State.COMPLETE]} complete, {len(self.measured_s)} "
            f"epochs: {first:.1f} ms per trial by the clock in the median at first, {last:.1f} at last; "
            f"{epoch:.2f} ms per epoch; MB resident: {memory}"
        )


def processors(url: str) -> Callable[[], float]:
    """Return what tells the seconds of processor time that this process, and a database server, have taken."""
    host = sa.make_url(url).query.get("host")
    server = int((Path(str(host)) / "postmaster.pid").read_text().splitlines()[0]) if host else None

    def spent() -> float:
        if server is None:
            return time.process_time()
        whole = psutil.Process(server)
        ended = whole.cpu_times().children_user + whole.cpu_times().children_system
        alive = [process.cpu_times() for process in whole.children()]
        return time.process_time() + ended + sum(times.user + times.system for times in alive)

    def looked() -> float:
        while True:
            with suppress(psutil.NoSuchProcess):  # the server's own come and go
                return spent()

    return looked


def course(make_bench: MakeBench, url: str, folder: Path, *, trials: int, terminal: bool, **changes: Any) -> Course:
    bench = make_bench(url, space=SPACE, constraints={}, budget={"trials": trials}, **changes)
    running = bench.open()
    running.account.clock = lambda: datetime.now(UTC)
    running.account.began = running.clock()
    played = Course(running=running, folder=folder, terminal=terminal, cpu_s=processors(url))
    played.play()
    assert len(running.trials) == trials == len(played.spent_s)
    return played


def test_tune_keeps_no_statistics_of_a_trial_that_has_ended() -> None:
    trial = Trial("nothing", stub=True)  # type: ignore[no-untyped-call]  # Ray's
    trial.update_last_result({"accuracy": 0.5, "training_iteration": 1, "done": True})
    assert trial.metric_analysis
    _EachStep(lambda: None).on_trial_complete(1, [trial], trial)
    assert not trial.metric_analysis
    assert not trial.metric_n_steps


@pytest.mark.slow
def test_a_trial_costs_the_same_after_hundreds_of_others(store_url: str, make_bench: MakeBench, tmp_path: Path) -> None:
    played = course(make_bench, store_url, tmp_path, trials=500, terminal=True)
    first, last = played.cost(WARM_UP, WARM_UP + 100), played.cost(400, 500)
    print(f"\n{played.told(100)}; {1000 * first:.1f} and {1000 * last:.1f} ms of processors")
    assert last <= 1.7 * first


@pytest.mark.very_slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("sampler", "terminal"), [("random", False), ("nsga2", True)])
def test_ten_thousand_trials_keep_their_cost_and_200_mb(
    sampler: str, terminal: bool, store_url: str, make_bench: MakeBench, tmp_path: Path
) -> None:
    sampling = {"name": sampler, "seed": 0}
    played = course(make_bench, store_url, tmp_path, trials=10_000, terminal=terminal, sampler=sampling)
    first, last = played.cost(WARM_UP, 1000), played.cost(9000, 10_000)
    print(f"\n{sampler}: {played.told(1000)}; {1000 * first:.1f} and {1000 * last:.1f} ms of processors")
    # Optuna's NSGA-II goes through all trials at each question, of which there are 17 times as many at last.
    assert last <= (2 if sampler == "random" else 17) * first
    assert played.bytes[-1] - played.bytes[0] < 200e6
