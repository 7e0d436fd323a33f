"""Let Ray Tune ask a running study for trials. Ray's own record of them is scratch."""

from collections.abc import Callable
from math import inf
from typing import Any

from ray.tune.search import Searcher

from search.core.records import TrialRecord
from search.study.checkpoints import crash_note
from search.study.running import Nothing, RunningStudy
from search.study.specs import spec_of
from workers.recipe import Recipe
from workers.sources import DataSpec


class StudySearcher(Searcher):
    """Hand out the study's trials as configurations of `workers.trainable.NetworkTrainable`."""

    def __init__(
        self,
        study: RunningStudy,
        recipe: Recipe,
        data: DataSpec,
        worker: dict[str, Any],
        limit: Callable[[], float] = lambda: inf,
        begin: Callable[[int], str] | None = None,
        data_of: Callable[[int], DataSpec] | None = None,
    ) -> None:
        super().__init__(metric="epoch", mode="max")  # Tune asks for one; nothing reads it
        self.study = study
        self.recipe = recipe  # but for what trials choose
        self.data = data
        self.worker = worker  # gpus, threads, the folder of checkpoints, and whether it is on a disk
        self.limit = limit  # trials that may run or wait for a worker now
        self.data_of = data_of  # by the trial's number, where not all are trained on the same images
        self.begin = begin  # returns where a trial that is handed out leaves its signs of life
        self._live: set[str] = set()

    def suggest(self, trial_id: str) -> Any:  # a dict, Searcher.FINISHED or None, as Ray has it
        """Return a trial's configuration, or that there is none left; lost trials may still come back."""
        if len(self._live) >= self.limit():
            return None
        trial = self.study.hand_out()
        if isinstance(trial, Nothing):
            return Searcher.FINISHED if self.study.over else None
        self._live.add(trial_id)
        return self._configuration(trial)

    def set_max_concurrency(self, max_concurrent: int) -> bool:  # noqa: ARG002
        """Keep the limit here, where it follows the cluster, instead of Ray's fixed one."""
        return True

    def _configuration(self, trial: TrialRecord) -> dict[str, Any]:
        data = self.data_of(trial.number) if self.data_of else self.data
        spec = spec_of(self.study.record, trial, self.recipe, data)
        return {
            "number": trial.number,
            "spec": spec.to_json(),
            "recorded": trial.epochs,
            "measured": self.study.scheduler.measured,
            "checkpoint": f"{self.worker['checkpoints']}/{trial.number}.pt",
            "gpus": self.worker["gpus"],
            "threads": self.worker["threads"],
            "crash": f"{self.worker['checkpoints']}/{crash_note(trial.number)}" if self.worker.get("on_disk") else None,
            "pulse": self.begin(trial.number) if self.begin else None,
            "numerics": dict(self.study.numerics),
            "fresh": trial.number in self.study.queue.fresh,
        }

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:  # noqa: ARG002
        """Make room for another; what became of it, the scheduler, which hears of it first, has told the study."""
        self._live.discard(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: the database is the memory."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: the database is the memory."""
