"""Let Ray Tune tell a running study what its trials show, and hear who goes on."""

from pathlib import Path
from typing import Any

from ray import cloudpickle
from ray.exceptions import RayTaskError
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from search.running import RunningStudy
from search.trial import LOST
from spaces.errors import TrialFailure
from workers.measurement import Measurement


class StudyScheduler(FIFOScheduler):
    """Record every result, then decide, in that order."""

    def __init__(self, study: RunningStudy) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Ray's
        self.study = study

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:  # noqa: ARG002
        """Return whether the trial goes on."""
        decision = self.study.measured(trial.config["number"], Measurement.from_json(result))
        return TrialScheduler.STOP if decision.stop else TrialScheduler.CONTINUE

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:  # noqa: ARG002
        """Tell the study why a trial failed."""
        self.study.failed(trial.config["number"], failure_of(_error_of(trial)))


def _error_of(trial: Trial) -> BaseException | None:
    """Return the error that Tune has just put into the trial's folder on this machine.

    `Trial.get_pickled_error` looks in the shared storage, where it arrives only after this moment.
    """
    path = trial.pickled_error_file
    if path is None or not Path(path).exists():
        return None
    error: BaseException = cloudpickle.loads(Path(path).read_bytes())
    return error


def failure_of(error: BaseException | None) -> TrialFailure:
    """Return the failure that Ray's account of an error means; whatever no worker reported is a lost worker.

    Also one that Ray killed for the machine's memory: it chooses by age, and another trial may have filled it.
    """
    cause = error.cause if isinstance(error, RayTaskError) else error
    if isinstance(cause, TrialFailure):
        return cause
    if isinstance(error, RayTaskError):
        return TrialFailure("crash", f"{type(cause).__name__}: {cause}".splitlines()[0], str(error))
    return TrialFailure(LOST, _first_line(error), str(error))


def _first_line(error: BaseException | None) -> str:
    lines = str(error or "").strip().splitlines()
    return lines[0] if lines else "no word from its worker"
