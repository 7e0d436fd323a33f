"""Have trainings done one after another by a process of their own, and keep each as it ends."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from search.claims.plan import Images, Run
from search.core.claims import Training
from search.core.environment import DATABASE
from search.core.processes import Ended, lines_of
from spaces.errors import StudyError
from workers.checkpoint import before
from workers.measurement import TRAIN_LOSS, Measurement

MOST_DEATHS = 2  # of the process, in one training: then it is the training's fault

Line = Mapping[str, Any]
Heard = Callable[[Run, Sequence[Measurement], Training | None], object]


@dataclass(slots=True)
class Series:
    """The process, and what it says of the training that is under way."""

    images: Images
    folder: Path  # where checkpoints of what is under way lie; what has ended leaves none
    device: str = "auto"
    threads: int | None = None
    clock: Callable[[], float] = time.monotonic
    _machine: Mapping[str, str] = field(default_factory=dict)
    _deaths: Counter[str] = field(default_factory=Counter)

    def train(self, runs: Sequence[Run], heard: Heard, *, until: float = float("inf")) -> bool:
        """Have runs trained in their order; return whether all of them were.

        Args:
            runs: what to train.
            heard: is given a run, its measurements so far, and once it has ended the training.
            until: the moment of the clock after which the one under way is left; it goes on from its checkpoint later.

        Raises:
            InputError: the images cannot be read, or are others now.
            StudyError: the process cannot work here.
        """
        left = list(runs)
        while left:
            many = len(left)
            for run, measurements, ended in self._heard(left):
                heard(run, measurements, ended)
                if ended:
                    left.remove(run)
                    self.forget(run.key)
                if left and self.clock() >= until:
                    return False
            if left and len(left) == many:
                self._blame(left, heard)
        return True

    def _blame(self, left: list[Run], heard: Heard) -> None:
        """Take out the training in which the process has died twice.

        Raises:
            StudyError: it has not died, and yet done nothing.
        """
        deaths = self._deaths[left[0].key]
        if not deaths:
            raise StudyError("the process that trains has ended without a word")
        if deaths >= MOST_DEATHS:
            run = left.pop(0)
            heard(run, (), self._training(run, (), {"failed": "the process that trained it was ended, twice"}))
            self.forget(run.key)

    def forget(self, key: str) -> None:
        """Remove the checkpoints of a training that is written down, and what was half written of one."""
        name = f"{key}.pt"
        for each in (self.folder / name, self.folder / before(name), *self.folder.glob(f".{name}.*")):
            each.unlink(missing_ok=True)

    def _heard(self, left: Sequence[Run]) -> Iterator[tuple[Run, Sequence[Measurement], Training | None]]:
        """Yield what one process says, until it ends."""
        runs, measured = {run.key: run for run in left}, list[Measurement]()
        job = {**self._job(), "trainings": [run.to_json() for run in left]}
        for line in self.said(job):
            if "machine" in line:
                self._machine = line["machine"]
            elif "epoch" in line:
                measured.append(Measurement.from_json(line["epoch"]))
                yield runs[line["key"]], measured, None
            elif "read" in line or "failed" in line:
                run = runs[line["key"]]
                yield run, measured, self._training(run, measured, line)
                measured = []
            elif "died" in line:
                self._deaths[left[0].key] += 1

    def timed(self, runs: Sequence[Run]) -> dict[str, float]:
        """Return the seconds of an epoch of each run, as a part of one tells them."""
        lines = self.said({**self._job(), "timed": [run.to_json() for run in runs]})
        return {line["key"]: line["epoch_s"] for line in lines if "epoch_s" in line}

    def _job(self) -> dict[str, Any]:
        return {
            "data": self.images.spec.to_json(), "fingerprint": self.images.fingerprint, "device": self.device,
            "folder": str(self.folder.absolute()), "trainings": [], "timed": [],
        }  # fmt: skip

    def said(self, job: Mapping[str, Any]) -> Iterator[Line]:
        """Yield the lines of `workers.series`, run in a process that ends with this generator; last, how it died.

        Raises:
            InputError: it refused the job.
            StudyError: it cannot be started, or has failed.
        """
        threads = ("--threads", str(self.threads)) if self.threads else ()
        try:
            yield from lines_of("workers.series", job, hidden=DATABASE, arguments=threads)
        except Ended as error:
            if not error.signal:
                raise StudyError(f"the trainings ended: {error}") from error
            yield {"died": error.signal}

    def _training(self, run: Run, measured: Sequence[Measurement], told: Line) -> Training:
        failure = told.get("failed", "")
        return Training(
            key=run.key, network=run.network, digest=run.architecture.digest, seed=run.seed, epochs=run.recipe.epochs,
            values={} if failure else {**values(measured), **told.get("read", {})}, refused=told.get("refused", {}),
            failure=failure,
            seconds=sum(each.wall_s for each in measured), machine=dict(self._machine), at=datetime.now(UTC),
        )  # fmt: skip


def values(measured: Sequence[Measurement]) -> dict[str, float]:
    """Return what the measurements of a training tell of each quantity; of the times the first only warms up."""
    last, half = measured[-1], measured[(len(measured) - 1) // 2]
    times = [each.train_s for each in measured[1:] or measured]
    found = {TRAIN_LOSS: last.metrics[TRAIN_LOSS], "train_s": median(times)}
    for name, each in (("error", last), ("half_error", half)):
        if "accuracy" in each.metrics:
            found[name] = 1 - each.metrics["accuracy"]
    return found
