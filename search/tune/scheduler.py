"""Let Ray Tune tell a running study what its trials show, and hear who goes on."""

from typing import Any, Protocol

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from search.study.running import RunningStudy
from search.tune.failures import failure_of
from workers.measurement import Measurement


class Watching(Protocol):
    """Know of each machine whether its kernel ended a process for memory: see `search.tune.oom.Witness`."""

    def see(self, address: str) -> None:
        """Begin to watch a machine, once."""

    def killed(self, address: str) -> bool:
        """Say whether a process there was ended for memory just now."""


class Nobody:
    """Watch no machine."""

    def see(self, address: str) -> None:
        """Do nothing."""

    def killed(self, address: str) -> bool:  # noqa: ARG002
        """Say no."""
        return False


class StudyScheduler(FIFOScheduler):
    """Record every result, then decide, in that order."""

    def __init__(self, study: RunningStudy, watching: Watching | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Ray's
        self.study = study
        self.watching = watching or Nobody()
        self._heard: BaseException | None = None

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:  # noqa: ARG002
        """Return whether the trial goes on."""
        self.watching.see(result.get("node_ip", ""))
        decision = self.study.measured(trial.config["number"], Measurement.from_json(result))
        return TrialScheduler.STOP if decision.stop else TrialScheduler.CONTINUE

    def hear(self, error: BaseException | None) -> None:
        """Hear of what the trial failed that `on_trial_error` will name next: Tune does not say it there."""
        self._heard = error

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:  # noqa: ARG002
        """Tell the study why a trial failed."""
        error, self._heard = self._heard, None
        self.study.failed(trial.config["number"], failure_of(error, self.watching.killed))
