"""Let Ray Tune ask a running study for trials. Ray's own record of them is scratch."""

from collections.abc import Callable, Sequence
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
    """Hand out the study's trials as configurations of `workers.trainable.NetworkTrainable`, or of `workers.remote`."""

    def __init__(
        self,
        study: RunningStudy,
        recipe: Recipe,
        data: DataSpec,
        worker: dict[str, Any],
        limit: Callable[[], float] = lambda: inf,
        begin: Callable[[int, int], str] | None = None,
        data_of: Callable[[int], DataSpec] | None = None,
    ) -> None:
        super().__init__(metric="epoch", mode="max")  # Tune asks for one; nothing reads it
        self.study = study
        self.recipe = recipe  # but for what trials choose
        self.data = data
        self.worker = worker  # gpus, threads, folder of checkpoints, whether on a disk, whose engines
        self.limit = limit  # trials that may run or wait for a worker now
        self.data_of = data_of  # by the trial's number, where not all are trained on the same images
        self.begin = begin  # returns where a trial that is handed out, with others or alone, leaves its signs of life
        self._live: set[str] = set()

    def suggest(self, trial_id: str) -> Any:  # a dict, Searcher.FINISHED or None, as Ray has it
        """Return a trial's configuration, or that there is none left; lost trials may still come back."""
        if len(self._live) >= self.limit():
            return None
        trial = self.study.hand_out()
        if isinstance(trial, Nothing):
            return Searcher.FINISHED if self.study.over else None
        self._live.add(trial_id)
        return self._configuration(trial, self._mates(trial))

    def _mates(self, trial: TrialRecord) -> list[TrialRecord]:
        """Return who is trained together with a trial: as many as pays, and leaves no worker without work."""
        free = max(1.0, self.limit() - len(self._live) + 1)
        return self.study.mates(trial, free)

    def set_max_concurrency(self, max_concurrent: int) -> bool:  # noqa: ARG002
        """Keep the limit here, where it follows the cluster, instead of Ray's fixed one."""
        return True

    def _configuration(self, trial: TrialRecord, mates: Sequence[TrialRecord]) -> dict[str, Any]:
        together = {"mates": [self._own(each, 1 + len(mates)) for each in mates]} if mates else {}
        return {
            **self._own(trial, 1 + len(mates)),
            **together,
            "measured": self.study.scheduler.measured,
            "decided": self.study.scheduler.decides,
            "flow": self.study.flow,
            "gpus": self.worker["gpus"],
            "threads": self.worker["threads"],
            "crash": f"{self.worker['checkpoints']}/{crash_note(trial.number)}" if self.worker.get("on_disk") else None,
            "numerics": dict(self.study.numerics),
            "fresh": trial.number in self.study.queue.fresh,
            **self._shared(trial),
        }

    def _shared(self, trial: TrialRecord) -> dict[str, Any]:
        """Return what a worker needs that trains in an engine (`workers.remote`): whose, and whether nobody beside."""
        launch = self.worker.get("engines")
        return {"launch": launch, "alone": self.study.queue.single(trial.number)} if launch else {}

    def _own(self, trial: TrialRecord, together: int) -> dict[str, Any]:
        """Return what is a trial's own, of so many that train together."""
        data = self.data_of(trial.number) if self.data_of else self.data
        return {
            "number": trial.number,
            "spec": spec_of(self.study.record, trial, self.recipe, data).to_json(),
            "recorded": trial.epochs,
            "checkpoint": f"{self.worker['checkpoints']}/{trial.number}.pt",
            "pulse": self.begin(trial.number, together) if self.begin else None,
        }

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:  # noqa: ARG002
        """Make room for another; what became of it, the scheduler, which hears of it first, has told the study."""
        self._live.discard(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: the database is the memory."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: the database is the memory."""
