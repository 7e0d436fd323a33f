"""A study of small networks that are trained for real, without Ray, so that there are weights to look at."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.config.study import StudyConfig
from search.core.records import TrialRecord
from search.study.running import RunningStudy
from tests.search.bench import Bench
from workers.datasets import Dataset, load
from workers.objectives import to_measure
from workers.tasks import CLASSIFICATION
from workers.trainer import TrialSpec, train

EPOCHS = 2


@dataclass(frozen=True, kw_only=True)
class Small:
    """Hold a study of which trial 0 was trained in full for real, trial 1 was stopped and trial 2 is running."""

    url: str
    runs: Path  # where its checkpoints lie
    data: Dataset
    config: StudyConfig
    running: RunningStudy

    def spec(self, number: int) -> TrialSpec:
        """Return what a worker is given of a trial."""
        trial, record = self.running.trials[number], self.running.record
        return TrialSpec(
            architecture=trial.architecture, recipe=self.config.full_recipe,
            data=self.config.data_spec, seed=trial.seed, fingerprint=self.data.fingerprint,
            measures=to_measure(record.objectives, CLASSIFICATION.always),
        )  # fmt: skip

    def train(self, number: int, epochs: int) -> None:
        """Train a trial for real, with its checkpoint, and record what it shows."""
        trained = train(self.spec(number), self.data, checkpoint_path=self.runs / f"{number}.pt")
        for _, measurement in zip(range(epochs), trained, strict=False):
            self.running.measured(number, measurement)


def study(make_bench: Callable[..., Bench], folder: Path, data: Any, **sections: Any) -> Small:
    """Return a study of small networks on some images."""
    bench = make_bench(
        data=data, checkpoints=str(folder / "runs"), recipe={"batch_size": 16, **sections.pop("recipe", {})},
        scheduler={"name": "fifo", "max_epochs": EPOCHS}, **sections,
    )  # fmt: skip
    running = bench.open()
    runs = folder / "runs" / "bench-20260102T120000"
    small = Small(url=bench.url, runs=runs, data=load(bench.config.data_spec), config=bench.config, running=running)
    for _ in range(3):
        assert isinstance(running.hand_out(), TrialRecord)
    small.train(0, EPOCHS)
    return small
