"""Ray Tune's stock wiring: OptunaSearch and ASHA, which know one objective, the first that training reveals.

Both are called as Tune's controller calls them. Tune asks for a trial ahead of time; here a free worker asks.
"""

from types import SimpleNamespace
from typing import Any

import optuna
from optuna.trial import Trial
from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler
from ray.tune.search.optuna import OptunaSearch

from spaces.domains import Scalar
from spaces.space import suggest
from tests.benchmarks.peers.loop import MakePeer, Setting, Verdict, Work

GRACE_EPOCHS = 1


class RayPeer:
    """Let OptunaSearch propose by its default, TPE, and ASHA stop."""

    resumes = False

    def __init__(self, setting: Setting, reduction_factor: float) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.rows = setting.rows
        objectives = setting.recordings.objectives
        self.place = next(place for place, objective in enumerate(objectives) if not objective.static)
        self.metric = objectives[self.place].name
        mode = objectives[self.place].direction[:3]
        self.searcher = OptunaSearch(self._space, metric=self.metric, mode=mode, seed=setting.seed)
        self.scheduler = AsyncHyperBandScheduler(
            metric=self.metric,
            mode=mode,
            max_t=setting.max_epochs,
            grace_period=GRACE_EPOCHS,
            reduction_factor=reduction_factor,
        )
        self.trials: dict[int, Any] = {}

    def _space(self, trial: Trial) -> dict[str, Scalar]:
        return suggest(self.rows.parameters, trial)

    def ask(self, number: int) -> Work:
        trial = self.trials[number] = SimpleNamespace(trial_id=str(number))
        config = self.searcher.suggest(trial.trial_id)
        self.scheduler.on_trial_add(None, trial)
        return number, self.rows.row(config)

    def report(self, number: int, epoch: int, values: list[float]) -> Verdict:
        result = self._result(epoch, values)
        if self.scheduler.on_trial_result(None, self.trials[number], result) == TrialScheduler.STOP:
            return Verdict.STOP
        self.searcher.on_trial_result(str(number), result)
        return Verdict.GO

    def end(self, number: int, epoch: int, values: list[float]) -> None:
        result = self._result(epoch, values)
        self.scheduler.on_trial_complete(None, self.trials[number], result)
        self.searcher.on_trial_complete(str(number), result)

    def fail(self, number: int) -> None:
        self.scheduler.on_trial_error(None, self.trials[number])
        self.searcher.on_trial_complete(str(number), error=True)

    def _result(self, epoch: int, values: list[float]) -> dict[str, Any]:
        return {"training_iteration": epoch, self.metric: values[self.place]}


PEERS: dict[str, MakePeer] = {
    "ray-optuna-asha3": lambda setting: RayPeer(setting, reduction_factor=3),
    "ray-optuna-asha4": lambda setting: RayPeer(setting, reduction_factor=4),  # Ray's default
}
