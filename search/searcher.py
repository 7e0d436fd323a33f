"""Let Ray Tune ask a running study for trials. Ray's own record of them is scratch."""

from typing import Any

from ray.tune.search import Searcher

from search.running import Nothing, RunningStudy
from search.trial import TrialRecord
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.trainer import TrialSpec


class StudySearcher(Searcher):
    """Hand out the study's trials as configurations of `workers.trainable.NetworkTrainable`."""

    def __init__(self, study: RunningStudy, recipe: Recipe, data: DataSpec, worker: dict[str, Any]) -> None:
        super().__init__(metric="accuracy", mode="max")
        self.study = study
        self.recipe = recipe
        self.data = data
        self.worker = worker  # gpus, threads, and the folder of checkpoints

    def suggest(self, trial_id: str) -> Any:  # noqa: ARG002  # a dict, Searcher.FINISHED or None, as Ray has it
        """Return a trial's configuration, or that there is none left; lost trials may still come back."""
        trial = self.study.hand_out()
        if isinstance(trial, Nothing):
            return Searcher.FINISHED if self.study.over else None
        return self._configuration(trial)

    def _configuration(self, trial: TrialRecord) -> dict[str, Any]:
        spec = TrialSpec(
            architecture=trial.architecture,
            recipe=self.recipe,
            data=self.data,
            seed=trial.seed,
            latency="latency_ms" in self.study.record.objectives,
        )
        return {
            "number": trial.number,
            "spec": spec.to_json(),
            "recorded": trial.epochs,
            "checkpoint": f"{self.worker['checkpoints']}/{trial.number}.pt",
            "gpus": self.worker["gpus"],
            "threads": self.worker["threads"],
        }

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Do nothing: the scheduler, which hears of every result first, has told the study."""

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: the database is the memory."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: the database is the memory."""
